/* SPDX-License-Identifier: MIT */
/*
 * The instruction set of the Loom NPU.
 *
 * A program is a stream of records of 1 to 32 units of 32 bytes, little-endian. The program counter is the
 * unit index; branches, faults and PROGRESS use it. Every record begins with struct loom_hdr. SEQ fetches
 * records in order and hands them to the queue that their opcode names; queues run concurrently, each in
 * order, ordered among themselves only by the semaphores in the records.
 *
 * docs/hardware.md is generated in part from this file: one field a line, its comment is the reference text.
 */
#ifndef LOOM_ISA_H
#define LOOM_ISA_H

#include <linux/types.h>

#define LOOM_ISA_MAJOR 1 /* raised when an old program would be misread */
#define LOOM_ISA_MINOR 0 /* raised when something is added behind a feature bit */

#define LOOM_UNIT_BYTES 32u
#define LOOM_MAX_UNITS 32u /* units in one record */
#define LOOM_MAX_RECORD_BYTES (LOOM_UNIT_BYTES * LOOM_MAX_UNITS)
#define LOOM_MAX_CODE_UNITS (1u << 19) /* 16 MiB of code in one program */
#define LOOM_NUM_REGS 16u /* i64; r0 reads 0, writes to it are dropped */
#define LOOM_NUM_SEMS 32u /* counting, 0 to 255, all zero at start and at HALT */
#define LOOM_SEM_MAX 255u
#define LOOM_MAX_LOOP_NEST 4u
#define LOOM_QUEUE_DEPTH 16u /* records that a queue holds besides the one it runs */
#define LOOM_MAX_SLOTS 4096u
#define LOOM_ACC_GRANULE 64u /* bytes: unit of loom_mxu.acc_base */

/* Caps on one record: they bound how long a queue can keep the machine from parking. */
#define LOOM_CAP_DMA_BYTES (1u << 20)
#define LOOM_CAP_MXU_MACS (1u << 26)
#define LOOM_CAP_VPU_ELEMS (1u << 20)

/* Queues. Ties in time are settled by the lower number. */
enum loom_queue {
	LOOM_Q_SEQ = 0, /* front end: scalar records, loops, branches, dispatch */
	LOOM_Q_LD = 1, /* DMA queue, opcodes LD_* */
	LOOM_Q_ST = 2, /* DMA queue, opcodes ST_* */
	LOOM_Q_MXU = 3, /* the array */
	LOOM_Q_VPU = 4, /* the vector unit */
	LOOM_NUM_QUEUES = 5,
};

/* Feature bits: one a unit and mode. A record that needs a bit which reads 0 faults FEATURE. */
enum loom_feature {
	LOOM_FEAT_CONV = 0, /* MXU: kernels larger than 1x1, padding, dilation, strides above 1 */
	LOOM_FEAT_DW = 1, /* MXU: depthwise mode */
	LOOM_FEAT_TRANSPOSE = 2, /* MXU: transposing loads at full rate */
	LOOM_FEAT_GATHER = 3, /* DMA: gather by index list */
	LOOM_FEAT_SCATTER = 4, /* DMA: scatter by index list */
	LOOM_FEAT_SCAN = 5, /* VPU: scan */
	LOOM_FEAT_REG = 6, /* base registers in addresses, scalar LD and ST */
	LOOM_FEAT_LOOP = 7, /* SEQ: LOOP and BR */
	LOOM_FEAT_TRANS = 8, /* VPU: transcendental micro-operations */
	LOOM_FEAT_BF16 = 9, /* MXU: bf16 operands */
	LOOM_FEAT_INT8 = 10, /* MXU: int8 operands */
	LOOM_FEAT_CODEC = 11, /* DMA: lossless weight code */
	LOOM_FEAT_VPU = 12, /* the vector unit itself */
	LOOM_FEAT_F32 = 13, /* MXU: f32 operands */
	LOOM_FEAT_EPI = 14, /* MXU: epilogue on drain */
	LOOM_NUM_FEATURES = 15,
};

/* Element types, also those of the container. */
enum loom_dtype {
	LOOM_F32 = 0, /* IEEE binary32 */
	LOOM_BF16 = 1, /* upper half of binary32 */
	LOOM_F16 = 2, /* IEEE binary16 */
	LOOM_I32 = 3,
	LOOM_U32 = 4,
	LOOM_I16 = 5,
	LOOM_U16 = 6,
	LOOM_I8 = 7,
	LOOM_U8 = 8,
	LOOM_I1 = 9, /* one byte, 0 or 1; any other value reads as 1 */
	LOOM_NUM_NPU_DTYPES = 10,
	LOOM_F64 = 10, /* CPU engine only, as all that follow */
	LOOM_I64 = 11,
	LOOM_U64 = 12,
	LOOM_C64 = 13, /* pair of f32 */
	LOOM_BYTES = 14, /* byte string {u32 length; u8 data[]} */
	LOOM_NUM_DTYPES = 15,
};

/* Bytes of an element; 0 for BYTES, whose elements have no fixed size, and for what is no type. */
static inline __u32 loom_dtype_bytes(__u32 dtype)
{
	switch (dtype) {
	case LOOM_I8:
	case LOOM_U8:
	case LOOM_I1:
		return 1;
	case LOOM_BF16:
	case LOOM_F16:
	case LOOM_I16:
	case LOOM_U16:
		return 2;
	case LOOM_F32:
	case LOOM_I32:
	case LOOM_U32:
		return 4;
	case LOOM_F64:
	case LOOM_I64:
	case LOOM_U64:
	case LOOM_C64:
		return 8;
	default:
		return 0;
	}
}

/* Opcodes. 0 is illegal, so that zeroed memory faults at once. */
enum loom_op {
	LOOM_OP_HALT = 0x01, /* wait for all queues, check the semaphores, end the job */
	LOOM_OP_LDI = 0x02, /* rd = imm */
	LOOM_OP_ADD = 0x03, /* rd = ra + rb + imm */
	LOOM_OP_SUB = 0x04, /* rd = ra - rb - imm */
	LOOM_OP_MUL = 0x05, /* rd = ra * (rb + imm) */
	LOOM_OP_SHL = 0x06, /* rd = ra << ((rb + imm) & 63) */
	LOOM_OP_SHR = 0x07, /* rd = ra >> ((rb + imm) & 63), arithmetic */
	LOOM_OP_AND = 0x08, /* rd = ra & (rb + imm) */
	LOOM_OP_OR = 0x09, /* rd = ra | (rb + imm) */
	LOOM_OP_MIN = 0x0a, /* rd = min(ra, rb + imm), signed */
	LOOM_OP_MAX = 0x0b, /* rd = max(ra, rb + imm), signed */
	LOOM_OP_CLAMP = 0x0c, /* rd = min(max(ra, 0), rb + imm), signed */
	LOOM_OP_CMP = 0x0d, /* rd = cond(ra, rb + imm) ? 1 : 0 */
	LOOM_OP_LD = 0x0e, /* rd = SRAM[ra + imm] as cond (enum loom_scalar_type) */
	LOOM_OP_ST = 0x0f, /* SRAM[ra + imm] = rb as cond (enum loom_scalar_type) */
	LOOM_OP_LOOP = 0x10, /* run the records up to target, exclusive, (ra ? r[ra] : imm) times; rd = 0, 1, ... */
	LOOM_OP_BR = 0x11, /* if cond(ra, rb + imm): continue at target */
	LOOM_OP_FENCE = 0x12, /* wait until all other queues are empty */
	LOOM_OP_TRAP = 0x13, /* fault TRAP with code imm */
	LOOM_OP_MARK = 0x14, /* note imm and the time in the trace */
	LOOM_OP_LD_COPY = 0x20, /* n-D strided copy on the LD queue */
	LOOM_OP_LD_FILL = 0x21, /* n-D strided fill on the LD queue */
	LOOM_OP_LD_GATHER = 0x22, /* copy, source of the innermost dimension by index list */
	LOOM_OP_LD_SCATTER = 0x23, /* copy, destination of the innermost dimension by index list */
	LOOM_OP_ST_COPY = 0x28, /* the same four on the ST queue */
	LOOM_OP_ST_FILL = 0x29, /* n-D strided fill on the ST queue */
	LOOM_OP_ST_GATHER = 0x2a, /* gather on the ST queue */
	LOOM_OP_ST_SCATTER = 0x2b, /* scatter on the ST queue */
	LOOM_OP_MXU = 0x30, /* macro tile: convolution or batched matrix product */
	LOOM_OP_VPU = 0x40, /* chain of micro-operations over views */
};

enum loom_cond {
	LOOM_COND_ALWAYS = 0,
	LOOM_COND_EQ = 1,
	LOOM_COND_NE = 2,
	LOOM_COND_LT = 3, /* signed, as all orders here */
	LOOM_COND_LE = 4,
	LOOM_COND_GT = 5,
	LOOM_COND_GE = 6,
	LOOM_NUM_CONDS = 7,
};

enum loom_scalar_type {
	LOOM_SCALAR_I8 = 0,
	LOOM_SCALAR_I32 = 1,
	LOOM_SCALAR_U32 = 2,
	LOOM_NUM_SCALAR_TYPES = 3,
};

/* A wait blocks until the count is at least n, then subtracts n; a signal adds n on completion. n = 0: unused. */
struct loom_semref {
	__u8 sem; /* semaphore number, 0 to 31 */
	__u8 n; /* count; 0 means that this reference is unused, and then sem must be 0 */
};

/* The common header: 16 bytes. */
struct loom_hdr {
	__u8 op; /* enum loom_op */
	__u8 units; /* length of the record in units of 32 bytes */
	__u16 regsel; /* four 4-bit register numbers, captured at dispatch and added to the addresses that the record names */
	__u32 loc; /* index into the program's source table; latched in faults and traces */
	struct loom_semref wait[2]; /* taken in order, both before the record starts */
	struct loom_semref signal[2]; /* given when the record's effects are visible */
};

/* regsel: which address each nibble moves (nibble 0 is bits 0 to 3). */
#define LOOM_REGSEL(a, b, c, d) ((__u16)((a) | (b) << 4 | (c) << 8 | (d) << 12))
/*   DMA: source, destination, index list, -.  MXU: A, B, OUT, residual.  VPU: views 0 to 3.  SEQ: must be 0. */

/* SEQ records: 32 bytes, 1 unit. */
struct loom_seq {
	struct loom_hdr h;
	__u8 rd; /* destination register; 0 where there is none */
	__u8 ra; /* first operand register */
	__u8 rb; /* second operand register */
	__u8 cond; /* enum loom_cond, or enum loom_scalar_type for LD and ST; else 0 */
	__u32 target; /* unit index, for LOOP (end of the body, exclusive) and BR; else 0 */
	__s64 imm; /* immediate operand */
};

/* A memory address: slot in bits 48 to 63, byte offset in bits 0 to 47. */
#define LOOM_SLOT_SRAM 0xffffu
#define LOOM_SLOT_CODE 0xfffeu /* in faults only: the job's code could not be read */
#define LOOM_SLOT_REPORT 0xfffdu /* in faults only: the job's report could not be written */
#define LOOM_ADDR(slot, offset) ((__u64)(slot) << 48 | ((__u64)(offset) & 0xffffffffffffull))
#define LOOM_ADDR_SLOT(addr) ((__u32)((__u64)(addr) >> 48))
#define LOOM_ADDR_OFFSET(addr) ((__u64)(addr) & 0xffffffffffffull)

enum loom_codec {
	LOOM_CODEC_RAW = 0,
	LOOM_CODEC_WEIGHT = 1, /* lossless weight code; reserved until the feature bit CODEC reads 1 */
};

/*
 * DMA records: 96 bytes, 3 units. Dimension 0 is outermost. For i in n[0] x n[1] x n[2] x n[3], inner_bytes
 * contiguous bytes go from src + sum(i[d] * sstride[d]) to dst + sum(i[d] * dstride[d]). GATHER (SCATTER)
 * replaces i[3] in the source (destination) by index[i[3]]: clamped to limit - 1 (dropped if not below limit).
 * Rows are copied one at a time in that order, each read whole before it is written, so that overlap is defined.
 * A fill pattern begins anew in every row; inner_bytes is a multiple of elem. No alignment is required.
 */
struct loom_dma {
	struct loom_hdr h;
	__u64 src; /* source address; 0 for FILL */
	__u64 dst; /* destination address */
	__u8 elem; /* bytes of the fill pattern: 1, 2 or 4; 0 for all other operations */
	__u8 codec; /* enum loom_codec */
	__u8 oob; /* out-of-bounds rule; 0: a gather clamps, a scatter drops; all else reserved */
	__u8 idx_type; /* enum loom_dtype of the index list: I32 or U32; 0 without one */
	__u32 inner_bytes; /* contiguous bytes, at least 1 */
	__u32 n[4]; /* counts, each at least 1 */
	__s32 sstride[4]; /* source strides in bytes; 0 for FILL */
	__s32 dstride[4]; /* destination strides in bytes */
	__u32 idx_or_fill; /* GATHER, SCATTER: SRAM address of the index list; FILL: pattern; COPY: 0 */
	__u32 limit; /* GATHER, SCATTER: number of rows that an index may name; else 0 */
};

enum loom_mxu_mode {
	LOOM_MXU_GEMM = 0, /* convolution, and matrix product as its 1x1 case */
	LOOM_MXU_DW = 1, /* depthwise: channel c of the output depends on channel c of the input */
};

enum loom_mxu_type {
	LOOM_MXU_F32 = 0, /* f32 x f32 into f32 by fused multiply-add */
	LOOM_MXU_BF16 = 1, /* bf16 x bf16 into f32 by fused multiply-add */
	LOOM_MXU_INT8 = 2, /* i8 x i8 into i32, wrapping */
};

enum loom_acc_init {
	LOOM_ACC_ZERO = 0, /* accumulators begin at +0 */
	LOOM_ACC_KEEP = 1, /* accumulators go on from what they hold */
	LOOM_ACC_BIAS = 2, /* accumulators begin at the epilogue's bias of their channel */
};

#define LOOM_MXU_DRAIN 0x01u /* flags: convert and write the accumulators to OUT */
#define LOOM_MXU_EPI 0x02u /* flags: an epilogue follows the record; needs DRAIN, or ACC_BIAS */
#define LOOM_MXU_TRANSPOSE 0x04u /* flags: use the transposing load buffers (timing only) */

/*
 * MXU record: 128 bytes, 4 units, or 6 with an epilogue. All addresses are SRAM bytes.
 *
 * For o0 < outer[0], o1 < outer[1], oy < oh, ox < ow, n < N:
 *   acc[o0][o1][oy][ox][n] += sum over (ky, kx, c), ascending, of A * B with
 *   iy = oy * sy + ky * dy - py, ix = ox * sx + kx * dx - px
 *   A = pad_value if iy is outside [0, ih) or ix outside [0, iw),
 *       else [a_base + o0 * a_so[0] + o1 * a_so[1] + iy * a_sh + ix * a_sw + c * a_sc]
 *   B = [b_base + o0 * b_so[0] + o1 * b_so[1] + ((ky * kw + kx) * kc + c) * b_sk + n * b_sn]
 * The accumulator of (o0, o1, oy, ox, n) is element
 *   acc_base * 16 + (((o0 * outer[1] + o1) * oh + oy) * ow + ox) * acc_pitch + n   (4 bytes each).
 * Drained, it goes to [out_base + o0 * o_so[0] + o1 * o_so[1] + oy * o_sy + ox * o_sx + n * o_sn].
 */
struct loom_mxu {
	struct loom_hdr h;
	__u8 mode; /* enum loom_mxu_mode */
	__u8 type; /* enum loom_mxu_type */
	__u8 acc; /* enum loom_acc_init */
	__u8 flags; /* LOOM_MXU_* */
	__u32 pad_value; /* bits of the padding element in A's type, zero-extended */
	__u32 a_base; /* A: SRAM address */
	__u16 ih; /* A: rows of the map */
	__u16 iw; /* A: columns of the map; M of a matrix product */
	__s32 a_sh; /* A: bytes from row to row of the map */
	__s32 a_sw; /* A: bytes from column to column; from row to row of a matrix */
	__s32 a_sc; /* A: bytes from channel to channel; along k of a matrix */
	__u16 kh; /* kernel rows */
	__u16 kw; /* kernel columns */
	__u16 kc; /* channels of one tap; K of a matrix product */
	__u16 oh; /* output rows */
	__u16 ow; /* output columns; M of a matrix product */
	__u16 n; /* output channels; N of a matrix product */
	__u8 sy; /* stride, rows */
	__u8 sx; /* stride, columns */
	__u8 dy; /* dilation, rows */
	__u8 dx; /* dilation, columns */
	__s16 py; /* padding before the first row */
	__s16 px; /* padding before the first column */
	__u32 b_base; /* B: SRAM address */
	__s32 b_sk; /* B: bytes along k */
	__s32 b_sn; /* B: bytes along n */
	__u16 outer[2]; /* outer repetitions (batch, group), each at least 1 */
	__s32 a_so[2]; /* A: bytes for each outer dimension */
	__s32 b_so[2]; /* B: bytes for each outer dimension */
	__s32 o_so[2]; /* OUT: bytes for each outer dimension */
	__u16 acc_base; /* accumulators: first, in granules of 64 bytes */
	__u16 acc_pitch; /* accumulators: elements from pixel to pixel, at least n */
	__u32 out_base; /* OUT: SRAM address; 0 without DRAIN */
	__s32 o_sy; /* OUT: bytes from row to row */
	__s32 o_sx; /* OUT: bytes from column to column */
	__s32 o_sn; /* OUT: bytes from channel to channel */
	__u8 out_type; /* OUT: enum loom_dtype; F32 BF16 F16 for float products, I32 or (requantised) I8 for INT8 */
	__u8 rsvd[3]; /* must be 0 */
};

enum loom_requant {
	LOOM_RQ_NONE = 0, /* no scaling */
	LOOM_RQ_DOUBLE = 1, /* integer multiplier, doubling high product, then rounding shift: two roundings */
	LOOM_RQ_SINGLE = 2, /* integer multiplier, one rounding of the 64-bit product */
	LOOM_RQ_F32 = 3, /* f32 multiplier; INT8 products: convert, multiply, round to nearest even */
	LOOM_NUM_REQUANT = 4,
};

enum loom_act {
	LOOM_ACT_NONE = 0,
	LOOM_ACT_CLAMP = 1, /* min(max(x, lo), hi); NaN stays NaN */
	LOOM_ACT_LUT256 = 2, /* table[x + 128] of an int8 result */
	LOOM_NUM_ACT = 3,
};

#define LOOM_EPI_NONE 0xffffffffu /* bias, scale, residual, lut: absent */

/*
 * Epilogue: 64 bytes. Order: bias, scale, residual, activation, convert. Each step rounds on its own.
 * Float: x = acc; x += bias[n]; x *= scale[n]; x += residual; clamp; store as out_type.
 * INT8: x = acc + bias[n], wrapping; requantise; residual - res_zp joined by TFLite's ADD with m1, m2, mo; + zp;
 * clamp; table; store. Fields that an epilogue does not use must be 0, addresses NONE.
 */
struct loom_epi {
	__u32 bias; /* SRAM address of n values, f32 (float products) or i32; NONE: no bias */
	__u32 scale; /* SRAM address of n values: f32, or {i32 multiplier, i32 shift}; NONE: scale_imm for all channels */
	__u32 scale_imm; /* f32 bits, or i32 multiplier, used where scale is NONE and rq is not NONE */
	__s8 shift_imm; /* with an integer scale_imm: left shift if positive, right shift if negative */
	__u8 rq; /* enum loom_requant; float products: NONE or F32 */
	__u8 act; /* enum loom_act */
	__u8 res_type; /* enum loom_dtype of the residual: F32, BF16, F16 (float products) or I8 */
	__u32 lo; /* clamp: bits of f32, or i32 */
	__u32 hi; /* clamp: bits of f32, or i32 */
	__s16 zp; /* zero point of OUT, INT8 only */
	__s16 res_zp; /* zero point of the residual, INT8 only */
	__u32 residual; /* SRAM address; NONE: no residual; with one, both outer counts must be 1 */
	__s32 r_sy; /* residual: bytes from row to row */
	__s32 r_sx; /* residual: bytes from column to column */
	__s32 r_sn; /* residual: bytes from channel to channel */
	__s32 m1; /* TFLite ADD: multiplier of the product */
	__s32 m2; /* TFLite ADD: multiplier of the residual */
	__s32 mo; /* TFLite ADD: multiplier of the sum */
	__s8 s1; /* TFLite ADD: shift of m1 */
	__s8 s2; /* TFLite ADD: shift of m2 */
	__s8 so; /* TFLite ADD: shift of mo */
	__u8 left; /* TFLite ADD: left shift of both inputs */
	__u32 lut; /* SRAM address of 256 i8, for LUT256; else NONE */
};

#define LOOM_VPU_MAX_VIEWS 6u
#define LOOM_VPU_MAX_OPS 64u
#define LOOM_VPU_MAX_IMMS 16u
#define LOOM_VPU_NUM_VREGS 16u
#define LOOM_VPU_SCAN 0x80u /* mask: the reducers scan: they write every intermediate result (feature SCAN) */
#define LOOM_VPU_PARTIALS 16u /* partial results of a reduction */

/*
 * VPU record: 32 bytes, then nviews views of 32 bytes, nimms immediates of 4 bytes, nops micro-operations of
 * 4 bytes, zero padding up to a whole unit. The chain runs once for every element of n[0] x ... x n[5], in
 * row-major order; dimension 0 is outermost. A vector register holds one 32-bit value an element, f32 or
 * integer as the micro-operation reads it.
 */
struct loom_vpu {
	struct loom_hdr h;
	__u16 n[6]; /* counts, each at least 1 */
	__u8 mask; /* bit d: dimension d is reduced; bit 7: LOOM_VPU_SCAN */
	__u8 nviews; /* 1 to 6 */
	__u8 nops; /* 1 to 64 */
	__u8 nimms; /* 0 to 16 */
};

#define LOOM_VIEW_OUT 0x01u /* flags: written, by STORE or a reducer; else read, by LOAD */
#define LOOM_VIEW_RESUME 0x02u /* flags, reducers: begin from the 16 partial results in place (a scan: the first element's place) */
#define LOOM_VIEW_PARTIAL 0x04u /* flags, reducers: leave the 16 partial results (4 bytes each), do not fold them */

struct loom_view {
	__u32 base; /* SRAM address */
	__u8 dtype; /* enum loom_dtype, an NPU type */
	__u8 flags; /* LOOM_VIEW_* */
	__u16 rsvd; /* must be 0 */
	__s32 stride[6]; /* bytes for each dimension; 0 repeats; a reducer's view has 0 in the reduced dimensions unless it scans */
};

/*
 * A micro-operation: op in bits 0-7, dst in 8-11, a in 12-16, b in 17-21, c in 22-26, the rest 0.
 * dst is a vector register (a view for STORE and reducers). a, b, c: 0-15 a vector register, 16-31 an
 * immediate; a view for LOAD, a dimension for IOTA. Unused fields must be 0.
 */
#define LOOM_UOP(op, dst, a, b, c)                                                                                     \
	((__u32)(op) | (__u32)(dst) << 8 | (__u32)(a) << 12 | (__u32)(b) << 17 | (__u32)(c) << 22)
#define LOOM_UOP_OP(u) ((u)&0xffu)
#define LOOM_UOP_DST(u) ((u) >> 8 & 0xfu)
#define LOOM_UOP_A(u) ((u) >> 12 & 0x1fu)
#define LOOM_UOP_B(u) ((u) >> 17 & 0x1fu)
#define LOOM_UOP_C(u) ((u) >> 22 & 0x1fu)
#define LOOM_UOP_IMM(i) (16u + (i))

/*
 * Micro-operations: X(number, name, operands, class, text). class: M move, F float, I integer, B bits,
 * C compare (result 0 or 1), R reducer, T transcendental (feature TRANS). Single source for model, disassembler,
 * compiler and document.
 */
#define LOOM_UOPS(X)                                                                                                   \
	X(0x01, LOAD, 1, M, "dst = view a, converted to f32 (float types) or 32-bit integer")                          \
	X(0x02, STORE, 1, M, "view dst = a, converted to its type: floats round to nearest even, integers wrap")       \
	X(0x03, MOV, 1, M, "dst = a")                                                                                  \
	X(0x04, IOTA, 1, M, "dst = index along dimension a, u32")                                                      \
	X(0x05, SELECT, 3, M, "dst = a != 0 ? b : c, on bits")                                                         \
	X(0x10, FADD, 2, F, "a + b")                                                                                   \
	X(0x11, FSUB, 2, F, "a - b")                                                                                   \
	X(0x12, FMUL, 2, F, "a * b")                                                                                   \
	X(0x13, FFMA, 3, F, "a * b + c, one rounding")                                                                 \
	X(0x14, FNEG, 1, F, "-a")                                                                                      \
	X(0x15, FABS, 1, F, "|a|")                                                                                     \
	X(0x16, FSIGN, 1, F, "-1, -0, +0 or 1; NaN for NaN")                                                           \
	X(0x17, FMIN, 2, F, "minimum; NaN wins, -0 < +0")                                                              \
	X(0x18, FMAX, 2, F, "maximum; NaN wins, -0 < +0")                                                              \
	X(0x19, FDIV, 2, F, "a / b")                                                                                   \
	X(0x1a, FREM, 2, F, "remainder with a's sign, exact (C fmod)")                                                 \
	X(0x1b, FSQRT, 1, F, "square root, correctly rounded")                                                         \
	X(0x1c, FRSQRT, 1, F, "1 / sqrt(a): two roundings")                                                            \
	X(0x1d, FFLOOR, 1, F, "floor")                                                                                 \
	X(0x1e, FCEIL, 1, F, "ceiling")                                                                                \
	X(0x1f, FRNE, 1, F, "nearest integer, ties to even")                                                           \
	X(0x20, FRAZ, 1, F, "nearest integer, ties away from zero")                                                    \
	X(0x21, FTRUNC, 1, F, "toward zero")                                                                           \
	X(0x22, FFINITE, 1, C, "1 if a is finite")                                                                     \
	X(0x23, FREDP, 2, F, "a rounded to b & 0xff exponent and b >> 8 mantissa bits")                                \
	X(0x24, FBF16, 1, F, "a rounded to bf16")                                                                      \
	X(0x25, FF16, 1, F, "a rounded to f16")                                                                        \
	X(0x28, F2I, 1, I, "f32 to i32, toward zero, saturating; NaN gives 0")                                         \
	X(0x29, F2U, 1, I, "f32 to u32, toward zero, saturating; NaN gives 0")                                         \
	X(0x2a, I2F, 1, F, "i32 to f32, nearest even")                                                                 \
	X(0x2b, U2F, 1, F, "u32 to f32, nearest even")                                                                 \
	X(0x30, FEQ, 2, C, "a == b")                                                                                   \
	X(0x31, FNE, 2, C, "a != b (1 with a NaN)")                                                                    \
	X(0x32, FLT, 2, C, "a < b")                                                                                    \
	X(0x33, FLE, 2, C, "a <= b")                                                                                   \
	X(0x34, FGT, 2, C, "a > b")                                                                                    \
	X(0x35, FGE, 2, C, "a >= b")                                                                                   \
	X(0x40, IADD, 2, I, "a + b, wrapping")                                                                         \
	X(0x41, ISUB, 2, I, "a - b, wrapping")                                                                         \
	X(0x42, IMUL, 2, I, "a * b, wrapping")                                                                         \
	X(0x43, IMULH, 2, I, "high half of the signed product")                                                        \
	X(0x44, UMULH, 2, I, "high half of the unsigned product")                                                      \
	X(0x45, IDIV, 2, I, "signed, toward zero; x / 0 = -1, INT_MIN / -1 = INT_MIN")                                 \
	X(0x46, UDIV, 2, I, "unsigned; x / 0 = 0xffffffff")                                                            \
	X(0x47, IREM, 2, I, "signed, a's sign; x % 0 = x, INT_MIN % -1 = 0")                                           \
	X(0x48, UREM, 2, I, "unsigned; x % 0 = x")                                                                     \
	X(0x49, IMIN, 2, I, "signed minimum")                                                                          \
	X(0x4a, IMAX, 2, I, "signed maximum")                                                                          \
	X(0x4b, UMIN, 2, I, "unsigned minimum")                                                                        \
	X(0x4c, UMAX, 2, I, "unsigned maximum")                                                                        \
	X(0x4d, INEG, 1, I, "-a, wrapping")                                                                            \
	X(0x4e, IABS, 1, I, "|a|, wrapping")                                                                           \
	X(0x4f, ISIGN, 1, I, "-1, 0 or 1")                                                                             \
	X(0x50, AND, 2, B, "a & b")                                                                                    \
	X(0x51, OR, 2, B, "a | b")                                                                                     \
	X(0x52, XOR, 2, B, "a ^ b")                                                                                    \
	X(0x53, NOT, 1, B, "~a")                                                                                       \
	X(0x54, SHL, 2, B, "a << b; 0 if b > 31 unsigned")                                                             \
	X(0x55, SHR, 2, B, "logical a >> b; 0 if b > 31 unsigned")                                                     \
	X(0x56, SAR, 2, B, "arithmetic a >> min(b, 31)")                                                               \
	X(0x57, ROTL, 2, B, "rotate left by b & 31")                                                                   \
	X(0x58, CLZ, 1, B, "leading zeros; 32 for 0")                                                                  \
	X(0x59, POPC, 1, B, "ones")                                                                                    \
	X(0x60, IEQ, 2, C, "a == b")                                                                                   \
	X(0x61, INE, 2, C, "a != b")                                                                                   \
	X(0x62, ILT, 2, C, "signed a < b")                                                                             \
	X(0x63, ILE, 2, C, "signed a <= b")                                                                            \
	X(0x64, ULT, 2, C, "unsigned a < b")                                                                           \
	X(0x65, ULE, 2, C, "unsigned a <= b")                                                                          \
	X(0x68, REQUANT, 3, I, "a by multiplier b and shift c, single rounding")                                       \
	X(0x69, SATI8, 1, I, "saturate i32 to [-128, 127]")                                                            \
	X(0x70, RADD_F, 1, R, "sum, f32")                                                                              \
	X(0x71, RMUL_F, 1, R, "product, f32")                                                                          \
	X(0x72, RMIN_F, 1, R, "minimum, f32; NaN wins")                                                                \
	X(0x73, RMAX_F, 1, R, "maximum, f32; NaN wins")                                                                \
	X(0x74, RADD_I, 1, R, "sum, wrapping")                                                                         \
	X(0x75, RMUL_I, 1, R, "product, wrapping")                                                                     \
	X(0x76, RMIN_I, 1, R, "signed minimum")                                                                        \
	X(0x77, RMAX_I, 1, R, "signed maximum")                                                                        \
	X(0x78, RMIN_U, 1, R, "unsigned minimum")                                                                      \
	X(0x79, RMAX_U, 1, R, "unsigned maximum")                                                                      \
	X(0x7a, RAND, 1, R, "bitwise and")                                                                             \
	X(0x7b, ROR, 1, R, "bitwise or")                                                                               \
	X(0x7c, RXOR, 1, R, "bitwise exclusive or")                                                                    \
	X(0x7d, RARGMIN_F, 1, R, "row-major index of the minimum; lowest of equals; a NaN wins")                       \
	X(0x7e, RARGMAX_F, 1, R, "row-major index of the maximum; lowest of equals; a NaN wins")                       \
	X(0x80, EXP, 1, T, "exponential")                                                                              \
	X(0x81, EXPM1, 1, T, "exp(a) - 1")                                                                             \
	X(0x82, LOG, 1, T, "natural logarithm")                                                                        \
	X(0x83, LOG1P, 1, T, "log(1 + a)")                                                                             \
	X(0x84, TANH, 1, T, "hyperbolic tangent")                                                                      \
	X(0x85, LOGISTIC, 1, T, "1 / (1 + exp(-a))")                                                                   \
	X(0x86, ERF, 1, T, "error function")                                                                           \
	X(0x87, SIN, 1, T, "sine")                                                                                     \
	X(0x88, COS, 1, T, "cosine")                                                                                   \
	X(0x89, CBRT, 1, T, "cube root")                                                                               \
	X(0x8a, ATAN2, 2, T, "angle of (b, a)")                                                                        \
	X(0x8b, POW, 2, T, "a to the power b")                                                                         \
	X(0x90, LUT8, 2, T, "entry (a & 0xff) of the table of 256 i8 at SRAM address b, an immediate")

enum loom_uop {
#define LOOM_UOP_ENUM(num, name, operands, cls, text) LOOM_UOP_##name = num,
	LOOM_UOPS(LOOM_UOP_ENUM)
#undef LOOM_UOP_ENUM
};

#endif
