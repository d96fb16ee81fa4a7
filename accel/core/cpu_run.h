/* SPDX-License-Identifier: GPL-2.0-or-later OR MIT */
/*
 * Between the parts of the engine that run. Files whose names are in this list compute with floats and are compiled
 * as such in the kernel: cpu_float.c cpu_float64.c cpu_convert.c cpu_fourier.c cpu_product.c. No float crosses a function's border.
 */
#ifndef LOOM_CPU_RUN_H
#define LOOM_CPU_RUN_H

#include "cpu_ops.h"

#ifdef __KERNEL__
#include <linux/string.h>
#else
#include <string.h>
#endif

#if defined(__clang__)
#define LOOM_CPU_VECTORISE /* it compares the addresses at run time */
#else
#define LOOM_CPU_VECTORISE _Pragma("GCC ivdep") /* registers are the same or apart, elements are apart from both */
#endif

/* One value a lane; the check knows which half of the union it is. */
union loom_cpu_reg {
	__u32 w[LOOM_CPU_LANES];
	__u64 d[LOOM_CPU_LANES];
};

/* Lanes of a chunk that lie along one dimension. */
struct loom_cpu_piece {
	__u32 lane, count;
	__u32 pos[LOOM_CPU_MAX_RANK]; /* of the first */
};

/* A window over an array: of WINDOW, SELECT_SCATTER, CONV. */
struct loom_cpu_frame {
	__u32 n; /* dimensions */
	const __u32 *dim; /* of the position that each goes along; NULL: the same */
	const __u32 *bound, *size, *stride, *dilation, *in_dilation; /* dilations may be NULL for 1 */
	const __s32 *pad;
	const __s64 *step; /* bytes */
};

/* What the caller lends. All that must last from quantum to quantum is here or in the cursor. */
struct loom_cpu_scratch {
	union loom_cpu_reg reg[LOOM_CPU_NUM_REGS];
	union loom_cpu_reg imm[2 * LOOM_CPU_MAX_IMMS]; /* 32 bits, then 64 */
	union loom_cpu_reg arg[LOOM_CPU_MAX_OPERANDS], res[LOOM_CPU_MAX_OPERANDS];
	union loom_cpu_reg partial[16][LOOM_CPU_MAX_COUNT];
	union loom_cpu_reg init[LOOM_CPU_MAX_COUNT];
	__s64 at[LOOM_CPU_LANES], best[LOOM_CPU_LANES]; /* places in an operand, in bytes */
	__s64 where[LOOM_CPU_MAX_COUNT][LOOM_CPU_LANES];
	__u32 valid[LOOM_CPU_LANES], found[LOOM_CPU_LANES];
	__u32 lo[LOOM_CPU_LANES], hi[LOOM_CPU_LANES], left[LOOM_CPU_LANES], right[LOOM_CPU_LANES];
	struct loom_cpu_piece piece[LOOM_CPU_LANES];
	__u32 n_pieces;
	__u32 inner; /* the dimension that pieces lie along */
};

_Static_assert(sizeof(struct loom_cpu_scratch) <= LOOM_CPU_SCRATCH_BYTES, "the caller lends enough");

/* An operation in progress. */
struct loom_cpu_run {
	const struct loom_cpu_segment *seg;
	struct loom_cpu_cursor *c;
	struct loom_cpu_scratch *s;
	const struct loom_cpu_op *op;
	const struct loom_cpu_operand *in, *out;
	const void *params;
	__u32 more; /* quanta that are left after this one; one that does the work of more takes them off */
};

/* An operand without gaps: element i lies at base + i x step; one that repeats its only element has step 0. */
struct loom_cpu_stream {
	__u8 *base;
	__s64 step;
	__u32 dtype;
};

/* One quantum; true after the last of the operation. */
typedef bool loom_cpu_quantum(struct loom_cpu_run *r);

loom_cpu_quantum loom_cpu_map, loom_cpu_copy, loom_cpu_reduce, loom_cpu_window, loom_cpu_scan, loom_cpu_gather,
	loom_cpu_scatter, loom_cpu_sort, loom_cpu_select_scatter, loom_cpu_dot, loom_cpu_conv, loom_cpu_fft, loom_cpu_cholesky,
	loom_cpu_triangular_solve, loom_cpu_qr, loom_cpu_householder;

/* ---- cpu_walk.c: which elements -------------------------------------------------------------------------- */

/* Pieces of elements first, first + 1, ... of dims in row-major order; returns how many lanes. */
__u32 loom_cpu_chunk(struct loom_cpu_run *r, const __u32 *dims, __u32 rank, __u64 first);

/* A chunk's elements of an operand, extra bytes on. */
void loom_cpu_load(struct loom_cpu_run *r, const struct loom_cpu_operand *o, __s64 extra, union loom_cpu_reg *d);
void loom_cpu_store(struct loom_cpu_run *r, const struct loom_cpu_operand *o, __s64 extra,
		    const union loom_cpu_reg *a);

/* The chunk's places in an operand, from its first byte. */
void loom_cpu_places(struct loom_cpu_run *r, const struct loom_cpu_operand *o, __s64 *at);

/* Elements at places of an operand; those that are not valid are not read, and get fill. valid may be NULL. */
void loom_cpu_load_at(struct loom_cpu_run *r, const struct loom_cpu_operand *o, const __s64 *at, const __u32 *valid,
		      __u64 fill, __u32 n, union loom_cpu_reg *d);
void loom_cpu_store_at(struct loom_cpu_run *r, const struct loom_cpu_operand *o, const __s64 *at, __u32 n,
		       const union loom_cpu_reg *a);

/* The bytes from the first to element number i of a box, row-major. */
__s64 loom_cpu_offset_of(const __u32 *dims, const __s64 *strides, __u32 rank, __u64 i);

/* Adds to at[] the step to window element w of each lane's position, and says in valid[] whether it is in bounds. */
void loom_cpu_frame_at(struct loom_cpu_run *r, const struct loom_cpu_frame *f, __u64 w, __s64 *at, __u32 *valid);

__u8 *loom_cpu_base(const struct loom_cpu_run *r, const struct loom_cpu_operand *o);

/* False if the operand has gaps. */
bool loom_cpu_stream(const struct loom_cpu_run *r, const struct loom_cpu_operand *o, struct loom_cpu_stream *s);

/* ---- cpu_index.c: updates at places that may coincide ------------------------------------------------------ */

/* What is to be combined into count outputs, and by what. */
struct loom_cpu_updates {
	const struct loom_cpu_scalar_op *ops;
	__u32 n_ops, count;
	const struct loom_cpu_operand *o; /* the updates' types */
	union loom_cpu_reg *v;
	__s64 (*at)[LOOM_CPU_LANES]; /* places in each output */
};

/* Combines updates, lane after lane, where s->valid[]; values and places are used up. */
void loom_cpu_update_at(struct loom_cpu_run *r, const struct loom_cpu_updates *u, __u32 chunk);

/* ---- cpu_program.c: scalar programs ---------------------------------------------------------------------- */

void loom_cpu_prepare(struct loom_cpu_run *r); /* immediates */

/* Runs n scalar operations, over lanes; arguments and results are in the scratch memory. */
void loom_cpu_program(struct loom_cpu_run *r, const struct loom_cpu_scalar_op *ops, __u32 n, __u32 lanes);

/* Where a scalar program finds its arguments and leaves its results. */
struct loom_cpu_ends {
	const union loom_cpu_reg *arg[LOOM_CPU_MAX_OPERANDS];
	const struct loom_cpu_stream *out; /* NULL: results stay in the scratch memory */
	__u64 first; /* element of out */
	union loom_cpu_reg *last; /* the place in out of what the last but one computes and the last stores; or NULL */
};

/* The same with arguments and results elsewhere. */
void loom_cpu_program_at(struct loom_cpu_run *r, const struct loom_cpu_scalar_op *ops, __u32 n, __u32 lanes,
			 const struct loom_cpu_ends *e);

/* d = op(a, b, c) over n lanes; d may be one of the others. */
void loom_cpu_scalar(__u32 op, union loom_cpu_reg *d, const union loom_cpu_reg *a, const union loom_cpu_reg *b,
		     const union loom_cpu_reg *c, __u32 n);

/* d = v in all lanes, in the form of a type. */
void loom_cpu_splat(union loom_cpu_reg *d, __u32 dtype, __u64 v, __u32 n);

/* Lanes of a register that holds a type, from one to another; the two may be the same register. */
void loom_cpu_move(union loom_cpu_reg *d, __u32 to, const union loom_cpu_reg *a, __u32 from, __u32 dtype, __u32 n);

/* ---- files without floats ---------------------------------------------------------------------------------- */

void loom_cpu_int64(__u32 op, union loom_cpu_reg *d, const union loom_cpu_reg *a, const union loom_cpu_reg *b,
		    const union loom_cpu_reg *c, __u32 n);

/* The same bytes at other places: n elements that lie a step apart. */
void loom_cpu_copy_run(__u8 *dst, __s64 dst_step, const __u8 *src, __s64 src_step, __u32 bytes, __u32 n);

/* ---- files with floats ------------------------------------------------------------------------------------- */

void loom_cpu_word(__u32 op, __u32 *d, const __u32 *a, const __u32 *b, const __u32 *c, __u32 n);

/*
 * acc[p] = op(acc[p], element p), (p + 16), ... in this order, of n elements of 4 bytes without gaps, n a multiple of 64;
 * false if op has no such loop.
 */
bool loom_cpu_fold(__u32 op, __u32 *acc, const __u8 *x, __u64 n);

void loom_cpu_float64(__u32 op, union loom_cpu_reg *d, const union loom_cpu_reg *a, const union loom_cpu_reg *b,
		      const union loom_cpu_reg *c, __u32 n);
void loom_cpu_convert(__u32 from, __u32 to, union loom_cpu_reg *d, const union loom_cpu_reg *a, __u32 n);

/* Lanes lane to lane + n - 1 and elements of a type, a step apart. */
void loom_cpu_load_run(const __u8 *at, __s64 step, __u32 dtype, union loom_cpu_reg *d, __u32 lane, __u32 n);
void loom_cpu_store_run(__u8 *at, __s64 step, __u32 dtype, const union loom_cpu_reg *a, __u32 lane, __u32 n);

/* acc += a x b, by the rule of loom_cpu_dot. */
void loom_cpu_multiply_add(__u32 form, union loom_cpu_reg *acc, const union loom_cpu_reg *a,
			   const union loom_cpu_reg *b, __u32 n);

/* Pairs of f64 that lie one after the other, not aligned; numbers first, first + 1, ... of them: of FFT. */
void loom_cpu_fft_twiddles(__u8 *to, __u64 first, __u32 n, __u64 m);
void loom_cpu_fft_chirps(__u8 *to, __u64 first, __u32 n, __u64 length);

/* n sums and differences, of butterfly number first on, of lines of m points. */
void loom_cpu_fft_butterflies(__u8 *to, const __u8 *from, const __u8 *twiddles, __u32 first, __u32 n, __u32 m,
			      __u32 stride);

/* Lanes of pairs, times those of a table that index[] names. */
void loom_cpu_fft_times(union loom_cpu_reg *re, union loom_cpu_reg *im, const __u8 *table, const __u32 *index, __u32 n);
void loom_cpu_fft_divide(union loom_cpu_reg *v, __u32 by, __u32 n);

#endif
