/* SPDX-License-Identifier: MIT */
/*
 * CPU operations: what the CPU engine (accel/core) runs where the NPU has no unit. A dozen bounded structures, times
 * one verified straight-line scalar program.
 *
 * A CPU segment is a run of 8-byte rows in section CPU_CODE, all little-endian. It is a list of operations; each is
 * struct loom_cpu_op, its operands (inputs first), its structure's parameters, its scalar operations and its
 * immediates (8 bytes each), in this order and without gaps. Operations run one after the other, whole.
 *
 * Arithmetic is that of loom_num.h and, for f64, loom_num64.h: an operation on f32, bf16, f16 or 32-bit integers
 * gives the bits that the NPU gives. Every float that is stored is canonical if it is a NaN. An engine refuses an
 * operation that it does not run with EOPNOTSUPP and names it.
 */
#ifndef LOOM_CPU_OPS_H
#define LOOM_CPU_OPS_H

#include <linux/types.h>
#include "loom_isa.h"

#define LOOM_CPU_MAX_OPERANDS 16u
#define LOOM_CPU_MAX_SCALAR_OPS 64u
#define LOOM_CPU_MAX_IMMS 16u
#define LOOM_CPU_MAX_RANK 8u
#define LOOM_CPU_MAX_COUNT 4u /* arrays that one REDUCE, WINDOW, SCAN, SCATTER or SORT takes together */
#define LOOM_CPU_NUM_REGS 64u
#define LOOM_CPU_LANES 64u /* elements that go through a scalar program together: at most these in a quantum */
#define LOOM_CPU_COST_PER_CYCLE 2u /* a segment's modelled cycles: the stated costs of its operations / this, rounded up */
#define LOOM_CPU_MAX_ELEMENTS (1ull << 32) /* in an operand's box */
#define LOOM_CPU_MAX_EXTENT (1u << 24) /* of a window's strides, dilations and padding */
#define LOOM_CPU_MAX_FFT (1u << 24) /* length of a transform */
#define LOOM_CPU_MAX_WEIGHT 1024u /* of the scalar programs of an operation together */
#define LOOM_CPU_MAX_FOLD_WEIGHT 64u /* of REDUCE's and WINDOW's program: one quantum runs it 16 times */
#define LOOM_CPU_MAX_COST (1ull << 56) /* of a segment */
#define LOOM_CPU_MAX_OPS 65536u /* operations in a segment */

/* Structures: X(number, name, text). */
#define LOOM_CPU_STRUCTURES(X)                                                                                         \
	X(1, MAP, "scalar program over all elements")                                                                  \
	X(2, REDUCE, "combine along dimensions")                                                                       \
	X(3, WINDOW, "combine over sliding windows")                                                                   \
	X(4, SELECT_SCATTER, "scatter a source to the selected element of each window")                                \
	X(5, GATHER, "elements at given indices, clamped")                                                             \
	X(6, SCATTER, "combine updates at given indices; out of bounds dropped, or clamped")                           \
	X(7, SORT, "stable sort along a dimension")                                                                    \
	X(8, COPY, "copy, pad, concatenate, reverse: strided boxes")                                                   \
	X(9, SCAN, "cumulative combine along a dimension")                                                             \
	X(10, DOT, "batched matrix product")                                                                           \
	X(11, CONV, "convolution")                                                                                     \
	X(12, FFT, "discrete Fourier transform along a dimension, over pairs")                                         \
	X(13, CHOLESKY, "Cholesky factor")                                                                             \
	X(14, TRIANGULAR_SOLVE, "solve with a triangular matrix")                                                      \
	X(15, TEXT, "tokenise, detokenise, labels")                                                                    \
	X(16, QR, "QR factors: the upper triangle and the reflections")                                                \
	X(17, HOUSEHOLDER, "product of reflections")

enum loom_cpu_structure {
#define LOOM_CPU_ENUM(num, name, text) LOOM_CPU_##name = num,
	LOOM_CPU_STRUCTURES(LOOM_CPU_ENUM)
#undef LOOM_CPU_ENUM
	LOOM_NUM_CPU_STRUCTURES = 18,
};

/*
 * Cost, which bounds an operation's time whatever its data are: quanta x 64 x (8 + weight). weight is the sum of the
 * weights of its scalar operations, or 1 if it has none: 384 for FREM, 48 for POW, 32 for ATAN2, SIN, COS, 16 for
 * the others of class T, 4 for FDIV, FSQRT, FRSQRT, FREDP, IDIV, UDIV, IREM, UREM, 1 for the VPU's others; those of the
 * companions are in their table. With c(n) = n / 64 rounded up, quanta are
 *   MAP, GATHER, SCATTER   c(elements of operand 0)
 *   COPY                   the sum of c(elements) over its pairs
 *   REDUCE                 16 outputs or more: c(outputs) x (reduced elements + 1); else outputs x (c(reduced elements) + 1)
 *   WINDOW                 c(outputs) x (elements of a window + 1)
 *   SELECT_SCATTER         c(elements of the output) + c(elements of the source) x (elements of a window + 1)
 *   SCAN                   c(lines) x length of a line
 *   SORT                   lines x c(n) x (1 + 2 + ... + l + 1), n the length of a line, l = log2(n) rounded up
 *   DOT                    c(outputs) x (products of an output / 4, rounded up)
 *   CONV                   c(outputs) x elements of a window x (channels / 4, rounded up)
 *   FFT                    with m as struct loom_cpu_fft has it, l = log2(m), g = max(1, 128 / m): c((m + 1) / 2), and
 *                          groups of g lines x (c(g m) + l c(g m / 2) + c(g elements of an output's line)); if the
 *                          length is no power of two also c(length) + 2 c(m) + l c(m / 2), and groups x (c(g m) + l
 *                          c(g m / 2))
 *   CHOLESKY               c(rows of all matrices) x (2n + t(n)), n the order of a matrix, t(n) = 0/4 + 1/4 + ... +
 *                          (n - 1)/4, each rounded down: with q = n / 4 that is 2q(q - 1) + q(n mod 4)
 *   TRIANGULAR_SOLVE       c(columns of all B) x (n + t(n))
 *   QR                     c(elements of A), and for each reflection r: (m - r) x (3 c(matrices) + c(columns after r of all
 *                          matrices)), m the rows of a matrix
 *   HOUSEHOLDER            c(elements of Q), and for each reflection r: (m - r) x c(columns from r on of all matrices)
 * An operation states a cost that is not below this; those of a segment add up to at most its budget.
 */
struct loom_cpu_op {
	__u16 structure; /* enum loom_cpu_structure */
	__u8 n_operands; /* 1 to 16, inputs first */
	__u8 n_inputs; /* less than n_operands */
	__u16 n_scalar_ops; /* 0 to 64 */
	__u16 n_imms; /* 0 to 16 */
	__u32 bytes; /* of the whole operation, multiple of 8 */
	__u32 loc; /* index into the program's source table */
	__u64 cost; /* upper bound in cost units; the deadline and the modelled cycles follow from it */
};

/*
 * An operand: a strided box in a slot. Element (i[0], ..., i[rank - 1]) lies at offset + sum(i[d] x strides[d]);
 * stride 0 repeats, a negative one goes backwards, no alignment is needed. complex64 is a pair of F32 operands,
 * BYTES is no operand. Where an output overlaps an input other than element for element, what is read is
 * unspecified, but nothing outside the boxes is touched.
 */
struct loom_cpu_operand {
	__u32 slot;
	__u8 dtype; /* enum loom_dtype, F32 to U64 */
	__u8 rank; /* at most 8 */
	__u16 rsvd; /* must be 0 */
	__u64 offset; /* bytes from the slot's start */
	__u32 dims[8]; /* the first rank at least 1, the rest 0 */
	__s64 strides[8]; /* bytes; the first rank are used, the rest 0 */
};

/*
 * A scalar operation. A register holds a value of 32 bits (f32 for the types F32, BF16 and F16; an integer for I32
 * to I1, sign- or zero-extended) or of 64 (F64, I64, U64). Operations 1 to 0x8b are the VPU's micro-operations and
 * mean the same; LUT8 and the reducers are none. LOAD takes argument a, STORE makes result dst. IOTA is for MAP
 * alone. Arguments and results have the register's form of their operand's type; a result is converted to it as the
 * VPU stores. Nothing is rounded to bf16 or f16 between but by FBF16, FF16, CVT.
 *   MAP       argument i: operand i;  result i: operand n_inputs + i
 *   REDUCE, WINDOW, SCAN, SCATTER: n arguments what has been combined, then n elements (SCATTER: of the updates);
 *             n results
 *   SORT      n arguments of the left, n of the right element; result 0 an I1: left goes before right
 *   SELECT_SCATTER  n_select operations: the selected and the next element, result 0 an I1: keep the selected;
 *             the others: what has been combined, and an element of the source; result 0
 */
struct loom_cpu_scalar_op {
	__u16 op; /* enum loom_uop, or a companion: 0x100 added for f64, 0x200 for 64-bit integers */
	__u8 dst; /* register 0 to 63; STORE: result */
	__u8 a; /* register 0 to 63, or 64 + an immediate's number, but for STORE; LOAD: argument; IOTA: dimension */
	__u8 b; /* register or immediate; CVT: enum loom_dtype */
	__u8 c; /* register or immediate; CVT: enum loom_dtype */
	__u16 rsvd; /* must be 0 */
};

#define LOOM_CPU_IMM(i) (64u + (i)) /* a, b, c: immediate i; operations of 32 bits take its lower half */

/*
 * Companions: X(number, name, operands, class, weight, text). Those of f64 are functions of loom_num64.h: within two
 * units in the last place from EXP64 to POW64, correctly rounded else. tan is FDIV64 of SIN64 and COS64. class: D 64-bit
 * operands and result, S the same but for a, P 64-bit operands and a result of 0 or 1 in 32 bits, V as the types say.
 * CVT: floats round to nearest even, once; integers become bf16 and f16 by way of f32, as on the VPU; float to integer
 * goes toward zero and saturates, NaN gives 0; integers wrap; to I1: not equal to 0.
 */
#define LOOM_CPU_SCALARS(X)                                                                                            \
	X(0x110, FADD64, 2, D, 1, "f64: a + b")                                                                        \
	X(0x111, FSUB64, 2, D, 1, "f64: a - b")                                                                        \
	X(0x112, FMUL64, 2, D, 1, "f64: a * b")                                                                        \
	X(0x113, FFMA64, 3, D, 24, "f64: a * b + c, rounded once")                                                     \
	X(0x114, FNEG64, 1, D, 1, "f64: -a")                                                                           \
	X(0x115, FABS64, 1, D, 1, "f64: |a|")                                                                          \
	X(0x116, FSIGN64, 1, D, 1, "f64: -1, -0, +0 or 1; NaN for NaN")                                                \
	X(0x117, FMIN64, 2, D, 1, "f64: minimum; NaN wins, -0 < +0")                                                   \
	X(0x118, FMAX64, 2, D, 1, "f64: maximum; NaN wins, -0 < +0")                                                   \
	X(0x119, FDIV64, 2, D, 4, "f64: a / b")                                                                        \
	X(0x11a, FREM64, 2, D, 960, "f64: remainder with a's sign, exact (C fmod)")                                    \
	X(0x11b, FSQRT64, 1, D, 4, "f64: square root, correctly rounded")                                              \
	X(0x11c, FRSQRT64, 1, D, 8, "f64: 1 / sqrt(a): two roundings")                                                 \
	X(0x11d, FFLOOR64, 1, D, 2, "f64: floor")                                                                      \
	X(0x11e, FCEIL64, 1, D, 2, "f64: ceiling")                                                                     \
	X(0x11f, FRNE64, 1, D, 2, "f64: nearest integer, ties to even")                                                \
	X(0x120, FRAZ64, 1, D, 2, "f64: nearest integer, ties away from zero")                                         \
	X(0x121, FTRUNC64, 1, D, 2, "f64: toward zero")                                                                \
	X(0x122, FFINITE64, 1, P, 1, "f64: 1 if a is finite")                                                          \
	X(0x123, FREDP64, 2, D, 4, "f64: a rounded to (b & 0xff) exponent and (b >> 8) mantissa bits")                 \
	X(0x130, FEQ64, 2, P, 1, "f64: a == b")                                                                        \
	X(0x131, FNE64, 2, P, 1, "f64: a != b (1 with a NaN)")                                                         \
	X(0x132, FLT64, 2, P, 1, "f64: a < b")                                                                         \
	X(0x133, FLE64, 2, P, 1, "f64: a <= b")                                                                        \
	X(0x134, FGT64, 2, P, 1, "f64: a > b")                                                                         \
	X(0x135, FGE64, 2, P, 1, "f64: a >= b")                                                                        \
	X(0x180, EXP64, 1, D, 24, "f64: exponential")                                                                  \
	X(0x181, EXPM164, 1, D, 24, "f64: exp(a) - 1")                                                                 \
	X(0x182, LOG64, 1, D, 24, "f64: natural logarithm")                                                            \
	X(0x183, LOG1P64, 1, D, 24, "f64: log(1 + a)")                                                                 \
	X(0x184, TANH64, 1, D, 24, "f64: hyperbolic tangent")                                                          \
	X(0x185, LOGISTIC64, 1, D, 24, "f64: 1 / (1 + exp(-a))")                                                       \
	X(0x186, ERF64, 1, D, 24, "f64: error function")                                                               \
	X(0x187, SIN64, 1, D, 48, "f64: sine")                                                                         \
	X(0x188, COS64, 1, D, 48, "f64: cosine")                                                                       \
	X(0x189, CBRT64, 1, D, 24, "f64: cube root")                                                                   \
	X(0x18a, ATAN264, 2, D, 24, "f64: angle of (b, a)")                                                            \
	X(0x18b, POW64, 2, D, 128, "f64: a to the power b")                                                            \
	X(0x240, IADD64, 2, D, 1, "a + b, wrapping")                                                                   \
	X(0x241, ISUB64, 2, D, 1, "a - b, wrapping")                                                                   \
	X(0x242, IMUL64, 2, D, 1, "a * b, wrapping")                                                                   \
	X(0x243, IMULH64, 2, D, 2, "high half of the signed product")                                                  \
	X(0x244, UMULH64, 2, D, 2, "high half of the unsigned product")                                                \
	X(0x245, IDIV64, 2, D, 16, "signed, toward zero; x / 0 = -1, INT64_MIN / -1 = INT64_MIN")                      \
	X(0x246, UDIV64, 2, D, 16, "unsigned; x / 0 = 2^64 - 1")                                                       \
	X(0x247, IREM64, 2, D, 16, "signed, a's sign; x % 0 = x, INT64_MIN % -1 = 0")                                  \
	X(0x248, UREM64, 2, D, 16, "unsigned; x % 0 = x")                                                              \
	X(0x249, IMIN64, 2, D, 1, "signed minimum")                                                                    \
	X(0x24a, IMAX64, 2, D, 1, "signed maximum")                                                                    \
	X(0x24b, UMIN64, 2, D, 1, "unsigned minimum")                                                                  \
	X(0x24c, UMAX64, 2, D, 1, "unsigned maximum")                                                                  \
	X(0x24d, INEG64, 1, D, 1, "-a, wrapping")                                                                      \
	X(0x24e, IABS64, 1, D, 1, "|a|, wrapping")                                                                     \
	X(0x24f, ISIGN64, 1, D, 1, "-1, 0 or 1")                                                                       \
	X(0x250, AND64, 2, D, 1, "a & b")                                                                              \
	X(0x251, OR64, 2, D, 1, "a | b")                                                                               \
	X(0x252, XOR64, 2, D, 1, "a ^ b")                                                                              \
	X(0x253, NOT64, 1, D, 1, "~a")                                                                                 \
	X(0x254, SHL64, 2, D, 1, "a << b; 0 if b > 63 unsigned")                                                       \
	X(0x255, SHR64, 2, D, 1, "logical a >> b; 0 if b > 63 unsigned")                                               \
	X(0x256, SAR64, 2, D, 1, "arithmetic a >> min(b, 63)")                                                         \
	X(0x257, ROTL64, 2, D, 1, "rotate left by b & 63")                                                             \
	X(0x258, CLZ64, 1, D, 1, "leading zeros; 64 for 0")                                                            \
	X(0x259, POPC64, 1, D, 1, "ones")                                                                              \
	X(0x260, IEQ64, 2, P, 1, "a == b")                                                                             \
	X(0x261, INE64, 2, P, 1, "a != b")                                                                             \
	X(0x262, ILT64, 2, P, 1, "signed a < b")                                                                       \
	X(0x263, ILE64, 2, P, 1, "signed a <= b")                                                                      \
	X(0x264, ULT64, 2, P, 1, "unsigned a < b")                                                                     \
	X(0x265, ULE64, 2, P, 1, "unsigned a <= b")                                                                    \
	X(0x203, MOV64, 1, D, 1, "dst = a")                                                                            \
	X(0x205, SELECT64, 3, S, 1, "dst = a != 0 ? b : c, a of 32 bits")                                              \
	X(0x300, CVT, 1, V, 4, "a of element type b as element type c, b and c being enum loom_dtype")

enum loom_cpu_scalar {
#define LOOM_CPU_ENUM(num, name, operands, cls, weight, text) LOOM_CPU_##name = num,
	LOOM_CPU_SCALARS(LOOM_CPU_ENUM)
#undef LOOM_CPU_ENUM
};

/*
 * Combiners: RADD_F to RXOR of the VPU, and these: X(number, name, scalar operation, identity, text). A combiner stands
 * for a scalar program of one operation; then there is none, no initial value, and one array.
 */
#define LOOM_CPU_REDUCERS(X)                                                                                           \
	X(0x170, RADD_F64, FADD64, 0ull, "sum, f64")                                                                   \
	X(0x171, RMUL_F64, FMUL64, 0x3ff0000000000000ull, "product, f64")                                              \
	X(0x172, RMIN_F64, FMIN64, 0x7ff0000000000000ull, "minimum, f64; NaN wins")                                    \
	X(0x173, RMAX_F64, FMAX64, 0xfff0000000000000ull, "maximum, f64; NaN wins")                                    \
	X(0x274, RADD_I64, IADD64, 0ull, "sum, wrapping")                                                              \
	X(0x275, RMUL_I64, IMUL64, 1ull, "product, wrapping")                                                          \
	X(0x276, RMIN_I64, IMIN64, 0x7fffffffffffffffull, "signed minimum")                                            \
	X(0x277, RMAX_I64, IMAX64, 0x8000000000000000ull, "signed maximum")                                            \
	X(0x278, RMIN_U64, UMIN64, 0xffffffffffffffffull, "unsigned minimum")                                          \
	X(0x279, RMAX_U64, UMAX64, 0ull, "unsigned maximum")                                                           \
	X(0x27a, RAND64, AND64, 0xffffffffffffffffull, "bitwise and")                                                  \
	X(0x27b, ROR64, OR64, 0ull, "bitwise or")                                                                      \
	X(0x27c, RXOR64, XOR64, 0ull, "bitwise exclusive or")

enum loom_cpu_reducer {
#define LOOM_CPU_ENUM(num, name, op, identity, text) LOOM_CPU_##name = num,
	LOOM_CPU_REDUCERS(LOOM_CPU_ENUM)
#undef LOOM_CPU_ENUM
};

/* Parameters, by structure. MAP, COPY, CHOLESKY, QR and HOUSEHOLDER have none. COPY: input i goes to output i, pair after pair, same dims and type. */

/*
 * n = count inputs, then with a program n initial values of rank 0, then n outputs: dims as the inputs', but 1 where
 * reduced. Element i of an output, row-major, goes into partial i mod 16, ascending; partials p and p + 8, then
 * p + 4, 2, 1 are combined, as in loom_num.h. With a combiner partials begin at its identity. With a program each
 * begins with its first element, those without an element are left out, and at the end the initial value is
 * combined with the result.
 */
struct loom_cpu_reduce {
	__u32 dims; /* bit d: dimension d is reduced; not 0 */
	__u16 combiner; /* enum loom_uop or loom_cpu_reducer; 0: the scalar program */
	__u8 count; /* 1 to 4 */
	__u8 rsvd; /* must be 0 */
};

/*
 * Operands as REDUCE's, all of one rank (but the initial values). Output position o sees, for each w below size,
 * input position (o x stride + w x dilation - pad) / in_dilation, where that is whole and in bounds; else the
 * initial value, or the combiner's identity. Order as REDUCE's, i being w row-major.
 */
struct loom_cpu_window {
	__u32 size[8]; /* first rank at least 1, the rest 0; so are the next three */
	__u32 stride[8];
	__u32 dilation[8];
	__u32 in_dilation[8];
	__s32 pad[8]; /* low padding; may be negative */
	__u16 combiner; /* as in struct loom_cpu_reduce */
	__u8 count; /* 1 to 4 */
	__u8 rsvd[5]; /* must be 0 */
};

/*
 * Inputs: array, source, initial value of rank 0; output: dims as the array's. The output becomes the initial value;
 * then, for each element of the source, row-major, the window's elements in bounds, row-major: the first is selected,
 * each other takes its place where the first program says 0. The source's element is combined into the selected
 * place. A window without an element in bounds is passed over. Array and source have one type and rank.
 */
struct loom_cpu_select_scatter {
	__u32 size[8];
	__u32 stride[8];
	__s32 pad[8];
	__u32 n_select; /* scalar operations of the first program */
	__u32 rsvd; /* must be 0 */
};

/*
 * Inputs: source, n_index index arrays; output. All have the same dims, strides saying what moves. Element i of the
 * output is that of the source at its place + sum(clamp(index[j], 0, limit[j]) x stride[j]). Index arrays are of
 * integer types, each value is read once.
 */
struct loom_cpu_gather {
	__u32 n_index; /* 1 to 8 */
	__u32 rsvd; /* must be 0 */
	__u32 limit[8]; /* the first n_index are used, the rest 0 */
	__s64 stride[8]; /* bytes; the first n_index are used, the rest 0 */
};

#define LOOM_CPU_SCATTER_CLAMP 0x1u /* flags: indices are clamped; else an update with one out of bounds is dropped */

/*
 * Inputs: n = count arrays of updates, n_index index arrays; outputs: n arrays that are updated, read and written. All
 * have the updates' dims, strides saying what moves. An update goes to its place in output m + sum(index[j] x
 * stride[m][j]), every index being 0 to limit[j]; updates are combined one after the other, row-major, whatever places
 * they share. To write and not combine, the program stores the updates.
 */
struct loom_cpu_scatter {
	__u32 n_index; /* 1 to 8 */
	__u32 flags; /* LOOM_CPU_SCATTER_* */
	__u8 count; /* 1 to 4 */
	__u8 rsvd[7]; /* must be 0 */
	__u32 limit[8]; /* the first n_index are used, the rest 0 */
	__s64 stride[4][8]; /* bytes, by output; the first n_index of the first count are used, the rest 0 */
};

/*
 * n = count inputs, n outputs of the same dims, then a workspace: U32, rank 1, dense, 2 x the length of a line. The program
 * must be a strict weak order; if it is not, the result is some arrangement of elements.
 */
struct loom_cpu_sort {
	__u32 dim;
	__u8 count; /* 1 to 4 */
	__u8 rsvd[3]; /* must be 0 */
};

/* n = count inputs, n outputs of the same dims. An output is what has been combined up to and with its element. */
struct loom_cpu_scan {
	__u32 dim;
	__u16 combiner; /* as in struct loom_cpu_reduce: begins at the identity; a program with the first element */
	__u8 count; /* 1 to 4 */
	__u8 rsvd; /* must be 0 */
};

/*
 * Inputs: left, right; output; all of the output's dims, strides 0 where an input does not move. An output is the sum
 * of left x right over k row-major in dims, ascending, one accumulator, from 0. Floats F32, BF16, F16: fused
 * multiply-add in f32. F64: product, then sum, each rounded. Integers of up to 32 bits: modulo 2^32; of 64: 2^64.
 */
struct loom_cpu_dot {
	__u32 n_dims; /* contracted dimensions, 1 to 8 */
	__u32 rsvd; /* must be 0 */
	__u32 dims[8]; /* the first n_dims at least 1, the rest 0 */
	__s64 left[8]; /* bytes; the rest 0 */
	__s64 right[8]; /* bytes; the rest 0 */
};

/*
 * Operands and arithmetic as DOT's, k being (window, channel) row-major. Spatial dimension j of the window goes along
 * dimension dim[j] of the output: the input's place there is (o x stride + w x dilation - pad) / in_dilation; where that
 * is not whole or not below size the input is pad_value, and is multiplied.
 */
struct loom_cpu_conv {
	__u32 n_spatial; /* 1 to 4 */
	__u32 channels; /* contracted for each element of the window, at least 1 */
	__u32 dim[4]; /* of the output; the first n_spatial are used, the rest 0; so are the next six */
	__u32 size[4]; /* of the input */
	__u32 window[4];
	__u32 stride[4];
	__u32 dilation[4]; /* of the window */
	__u32 in_dilation[4]; /* of the input */
	__s32 pad[4]; /* low padding; may be negative */
	__s64 left[4]; /* bytes from place to place of the input */
	__s64 right[4]; /* bytes from element to element of the window */
	__s64 left_channel; /* bytes from channel to channel */
	__s64 right_channel;
	__u64 pad_value; /* as a register holds the input's type */
};

/*
 * The discrete Fourier transform of lines along dim; of several dimensions one after the other. Inputs: real and
 * imaginary part, outputs: real and imaginary part, all F32 or all F64, then a workspace. With n = length, i^2 = -1:
 *   FFT    n elements become n: y[k] = sum x[j] exp(-2 pi i j k / n)
 *   IFFT   n become n: y[k] = sum x[j] exp(2 pi i j k / n) / n
 *   RFFT   one input, the real part; the first n / 2 + 1 (rounded down) elements of what FFT gives
 *   IRFFT  n / 2 + 1 elements become n; one output, the real part of IFFT for x[n - k] = conj(x[k]); the imaginary parts of
 *          x[0] and, n being even, of x[n / 2] count as 0
 * Other dims are equal. An output may be an input's box: a line is read before it is written.
 *
 * All is computed in f64, each operation rounded, and rounded to F32 at the end; pairs multiply as (a.re b.re - a.im
 * b.im, a.re b.im + a.im b.re). w(j, m) = exp(-2 pi i j / m) by loom_num_turn64(). n = m = 2^l: for s = 1, 2, 4, ..., m / 2
 * and all b < m / 2, with p = b / s and q = b mod s: y[q + 2 s p] = x[b] + x[b + m / 2], y[q + 2 s p + s] = (x[b] - x[b + m / 2])
 * w(s p, m), then y is x. IFFT exchanges real and imaginary parts before and after, and divides by n. Other n: m is the
 * least power of two not below 2n - 1; with c[k] = w(k^2 mod 2n, 2n), y[k] = c[k] times element k of the cyclic convolution
 * of x c by conj(c), c[m - k] = c[k], by transforms of length m.
 *
 * Workspace: F64, rank 1, dense, m + 4 max(m, 128) elements, and 2n + 2m more if n is no power of two:
 * loom_cpu_fft_workspace().
 */
struct loom_cpu_fft {
	__u32 dim;
	__u32 length; /* 1 to 2^24 */
	__u8 kind; /* enum loom_cpu_fft_kind */
	__u8 rsvd[7]; /* must be 0 */
};

enum loom_cpu_fft_kind {
	LOOM_CPU_FFT_FFT = 0,
	LOOM_CPU_FFT_IFFT = 1,
	LOOM_CPU_FFT_RFFT = 2,
	LOOM_CPU_FFT_IRFFT = 3,
};

/*
 * The lower Cholesky factor L of Hermitian matrices, A = L L^H. A: inputs, L: outputs, [batch..., n, n], one F32 or F64
 * each, or the real and imaginary parts, F32. Only A's elements on and below the diagonal are read; those of L above it
 * become 0. L lies apart from A. Column j = 0, 1, ...:
 *   d = Re a[j][j] - sum |l[j][k]|^2, l[j][j] = sqrt(d)
 *   l[i][j] = (a[i][j] - sum l[i][k] conj(l[j][k])) / sqrt(d), i > j
 * Sums are subtracted from what stands before them, k ascending: for F32 acc = fma(-p, q, acc), for F64 the product and
 * the difference are rounded each. Of pairs, with p = conj(l[j][k]) and q = l[i][k]: re = fma(-p.re, q.re, re), re =
 * fma(p.im, q.im, re), im = fma(-p.re, q.im, im), im = fma(-p.im, q.re, im); d = fma(-p.re, p.re, d), then with p.im.
 * Where a d is not above 0 the whole lower triangle becomes NaN (of pairs: both parts), as in JAX on a CPU.
 * The upper factor, A = U^H U, with A's upper triangle: swap the last two strides of all operands.
 */

/*
 * X in A X = B for lower triangular A. Inputs A, B, output X, F32 or F64; or six pairs' parts, F32: A's real and
 * imaginary, B's, X's. A is [batch..., n, n], B and X are [batch..., n, m]. Elements of A above the diagonal are not
 * read, with UNIT those on it neither. X may be B. Row i = 0, 1, ...:
 *   x[i][j] = (b[i][j] - sum a[i][k] x[k][j]) / a[i][i]
 * Sums as CHOLESKY's, p = a[i][k] and q = x[k][j]. The quotient of pairs y / a is in f64, each operation rounded,
 * then rounded to f32: (y.re a.re + y.im a.im) / (a.re a.re + a.im a.im), (y.im a.re - y.re a.im) / (the same).
 * Upper A: A backwards in both, B and X in their rows (from the last element, strides negated). A^T: swap A's last two
 * strides; what was lower is upper then. A^H: A^T with CONJUGATE. X A = B: A^T and the last two strides of B and X swapped.
 */
struct loom_cpu_triangular_solve {
	__u32 flags; /* LOOM_CPU_SOLVE_* */
	__u32 rsvd; /* must be 0 */
};

#define LOOM_CPU_SOLVE_UNIT 0x1u /* the diagonal counts as 1: no quotient */
#define LOOM_CPU_SOLVE_CONJUGATE 0x2u /* pairs: A's imaginary part counts as negated */

/*
 * A = Q R, Q unitary and R upper triangular, as LAPACK's geqrf has it. Inputs A, outputs A' and tau, F32 or F64 each, or
 * parts of pairs, F32. A and A' are [batch..., m, n], tau is [batch..., 1, k], k = min(m, n), m at most 2^24. A' may be
 * A; tau lies apart. A' holds R on and above the diagonal and below it, in column r, elements r + 1 to m - 1 of v[r]; those
 * before r are 0, that at r is 1. Q = H[0] H[1] ... H[k - 1], H[r] = I - tau[r] v[r] v[r]^H.
 *
 * All is computed in f64, each operation rounded, and rounded to F32 where it is stored. A' becomes A; r = 0, 1, ...: let
 * x be elements r + 1 to m - 1 of column r, a that at r. norm(v) = g sqrt(sum (v[i] / g)^2), g the greatest |v[i]|, or 0 if
 * that is 0; parts of pairs are elements of their own.
 *   beta = norm(norm(x), parts of a), negated unless Re a has a sign; tau[r] = (beta - a) / beta, with beta each part;
 *   x = x / (a - beta), of pairs as TRIANGULAR_SOLVE's quotient; a = beta
 * Where x is 0 and a real, beta is a and tau[r] 0. Then H[r]^H is applied to columns c after r: w = sum conj(v[i]) c[i], i
 * from r ascending, from 0; w = 0 - conj(tau[r]) w; c[i] = c[i] + v[i] w. Products are added as pairs' p q: re += p.re q.re,
 * re += -p.im q.im, im += p.re q.im, im += p.im q.re; each product and each sum is rounded.
 */

/*
 * The first n columns of H[0] H[1] ... H[k - 1]. Inputs A', tau as QR leaves them, but k may be less; output Q: dims as
 * A', apart from both. On and above its diagonal A' is not read. Q becomes the identity; r = k - 1, k - 2, ...: H[r] is
 * applied to columns from r on as QR applies it, but with tau[r] itself.
 */

#endif
