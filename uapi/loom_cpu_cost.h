/* SPDX-License-Identifier: MIT */
/*
 * The cost of a CPU operation, by the formula of loom_cpu_ops.h: one code for the compiler, which states it, and for
 * the check, which refuses less. And the parts of an encoded operation.
 */
#ifndef LOOM_CPU_COST_H
#define LOOM_CPU_COST_H

#include "loom_cpu_ops.h"

#define LOOM_CPU_COST_TOO_MUCH (~0ull) /* does not fit in 63 bits */

/* Outputs of a REDUCE from which on lanes are outputs; with fewer they are elements of one. */
#define LOOM_CPU_BY_LANES 16u
/* Products of each output that DOT and CONV take in a quantum. */
#define LOOM_CPU_PRODUCTS 4u
/* Rows that QR and HOUSEHOLDER take of each column in a quantum, there and back: in f64, of pairs four products. */
#define LOOM_CPU_ROWS 2u

/* The parts of an operation whose header is sound. */
static inline const struct loom_cpu_operand *loom_cpu_operands(const struct loom_cpu_op *op)
{
	return (const struct loom_cpu_operand *)(const void *)(op + 1);
}

static inline const void *loom_cpu_params(const struct loom_cpu_op *op)
{
	return loom_cpu_operands(op) + op->n_operands;
}

static inline const __u64 *loom_cpu_imms(const struct loom_cpu_op *op)
{
	return (const __u64 *)(const void *)((const char *)op + op->bytes) - op->n_imms;
}

static inline const struct loom_cpu_scalar_op *loom_cpu_scalars(const struct loom_cpu_op *op)
{
	return (const struct loom_cpu_scalar_op *)(const void *)loom_cpu_imms(op) - op->n_scalar_ops;
}

static inline __u64 loom_cpu_chunks(__u64 n)
{
	return (n + LOOM_CPU_LANES - 1) / LOOM_CPU_LANES;
}

/* log2, rounded up. */
static inline __u32 loom_cpu_levels(__u32 n)
{
	return n > 1 ? 32 - (__u32)__builtin_clz(n - 1) : 0;
}

/* 0 for what is no scalar operation. */
static inline __u32 loom_cpu_scalar_weight(__u32 op)
{
	switch (op) {
	case LOOM_UOP_FREM:
		return 384; /* a step for each bit of the quotient */
	case LOOM_UOP_POW:
		return 48;
	case LOOM_UOP_ATAN2:
	case LOOM_UOP_SIN:
	case LOOM_UOP_COS:
		return 32;
	case LOOM_UOP_FDIV:
	case LOOM_UOP_FSQRT:
	case LOOM_UOP_FRSQRT:
	case LOOM_UOP_FREDP:
	case LOOM_UOP_IDIV:
	case LOOM_UOP_UDIV:
	case LOOM_UOP_IREM:
	case LOOM_UOP_UREM:
		return 4;
	}
#define LOOM_CPU_WEIGHT_M 1
#define LOOM_CPU_WEIGHT_F 1
#define LOOM_CPU_WEIGHT_I 1
#define LOOM_CPU_WEIGHT_B 1
#define LOOM_CPU_WEIGHT_C 1
#define LOOM_CPU_WEIGHT_R 1
#define LOOM_CPU_WEIGHT_T 16
#define LOOM_CPU_VPU_WEIGHT(num, name, operands, cls, text)                                                            \
	case num:                                                                                                      \
		return LOOM_CPU_WEIGHT_##cls;
#define LOOM_CPU_OWN_WEIGHT(num, name, operands, cls, weight, text)                                                    \
	case num:                                                                                                      \
		return weight;
	switch (op) {
		LOOM_UOPS(LOOM_CPU_VPU_WEIGHT)
		LOOM_CPU_SCALARS(LOOM_CPU_OWN_WEIGHT)
	}
#undef LOOM_CPU_VPU_WEIGHT
#undef LOOM_CPU_OWN_WEIGHT
	return 0;
}

/* Of the scalar operations of an operation, together. */
static inline __u32 loom_cpu_weight(const struct loom_cpu_op *op)
{
	__u32 weight = 0, i;

	for (i = 0; i < op->n_scalar_ops; i++)
		weight += loom_cpu_scalar_weight(loom_cpu_scalars(op)[i].op);
	return weight;
}

/* Products and sums that stick at TOO_MUCH. */
static inline __u64 loom_cpu_times(__u64 a, __u64 b)
{
	__u64 r;

	if (a == LOOM_CPU_COST_TOO_MUCH || b == LOOM_CPU_COST_TOO_MUCH)
		return LOOM_CPU_COST_TOO_MUCH;
	return __builtin_mul_overflow(a, b, &r) || r >> 63 ? LOOM_CPU_COST_TOO_MUCH : r;
}

static inline __u64 loom_cpu_plus(__u64 a, __u64 b)
{
	__u64 r;

	if (a == LOOM_CPU_COST_TOO_MUCH || b == LOOM_CPU_COST_TOO_MUCH)
		return LOOM_CPU_COST_TOO_MUCH;
	return __builtin_add_overflow(a, b, &r) || r >> 63 ? LOOM_CPU_COST_TOO_MUCH : r;
}

static inline __u64 loom_cpu_product(const __u32 *n, __u32 count)
{
	__u64 r = 1;
	__u32 d;

	for (d = 0; d < count; d++)
		r = loom_cpu_times(r, n[d]);
	return r;
}

static inline __u64 loom_cpu_box_elements(const struct loom_cpu_operand *o)
{
	return loom_cpu_product(o->dims, o->rank);
}

static inline __u64 loom_cpu_copy_quanta(const struct loom_cpu_op *op)
{
	__u64 n = 0;
	__u32 i;

	for (i = 0; i < op->n_inputs; i++)
		n = loom_cpu_plus(n, loom_cpu_chunks(loom_cpu_box_elements(&loom_cpu_operands(op)[i])));
	return n;
}

static inline __u64 loom_cpu_reduce_quanta(const struct loom_cpu_op *op)
{
	const struct loom_cpu_operand *in = loom_cpu_operands(op), *out = in + op->n_inputs;
	const __u64 outputs = loom_cpu_box_elements(out), reduced = loom_cpu_box_elements(in) / outputs;

	return loom_cpu_times(outputs >= LOOM_CPU_BY_LANES ? loom_cpu_chunks(outputs) : outputs,
			      loom_cpu_plus(outputs >= LOOM_CPU_BY_LANES ? reduced : loom_cpu_chunks(reduced), 1));
}

static inline __u64 loom_cpu_window_quanta(const struct loom_cpu_op *op)
{
	const struct loom_cpu_operand *out = loom_cpu_operands(op) + op->n_inputs;
	const struct loom_cpu_window *w = (const struct loom_cpu_window *)loom_cpu_params(op);

	return loom_cpu_times(loom_cpu_chunks(loom_cpu_box_elements(out)),
			      loom_cpu_plus(loom_cpu_product(w->size, out->rank), 1));
}

static inline __u64 loom_cpu_select_quanta(const struct loom_cpu_op *op)
{
	const struct loom_cpu_operand *o = loom_cpu_operands(op);
	const struct loom_cpu_select_scatter *w = (const struct loom_cpu_select_scatter *)loom_cpu_params(op);

	return loom_cpu_plus(loom_cpu_chunks(loom_cpu_box_elements(&o[3])),
			     loom_cpu_times(loom_cpu_chunks(loom_cpu_box_elements(&o[1])),
					    loom_cpu_plus(loom_cpu_product(w->size, o->rank), 1)));
}

static inline __u64 loom_cpu_scan_quanta(const struct loom_cpu_op *op)
{
	const struct loom_cpu_operand *o = loom_cpu_operands(op);
	const struct loom_cpu_scan *s = (const struct loom_cpu_scan *)loom_cpu_params(op);
	const __u32 n = o->dims[s->dim];

	return loom_cpu_times(loom_cpu_chunks(loom_cpu_box_elements(o) / n), n);
}

static inline __u64 loom_cpu_sort_quanta(const struct loom_cpu_op *op)
{
	const struct loom_cpu_operand *o = loom_cpu_operands(op);
	const struct loom_cpu_sort *s = (const struct loom_cpu_sort *)loom_cpu_params(op);
	const __u32 n = o->dims[s->dim];
	const __u64 levels = loom_cpu_levels(n);

	return loom_cpu_times(loom_cpu_times(loom_cpu_box_elements(o) / n, loom_cpu_chunks(n)),
			      levels * (levels + 1) / 2 + 1);
}

static inline __u64 loom_cpu_dot_quanta(const struct loom_cpu_op *op)
{
	const struct loom_cpu_dot *p = (const struct loom_cpu_dot *)loom_cpu_params(op);
	const __u64 k = loom_cpu_product(p->dims, p->n_dims);

	return loom_cpu_times(loom_cpu_chunks(loom_cpu_box_elements(&loom_cpu_operands(op)[2])),
			      k == LOOM_CPU_COST_TOO_MUCH ? k : (k + LOOM_CPU_PRODUCTS - 1) / LOOM_CPU_PRODUCTS);
}

static inline __u64 loom_cpu_conv_quanta(const struct loom_cpu_op *op)
{
	const struct loom_cpu_conv *p = (const struct loom_cpu_conv *)loom_cpu_params(op);
	const __u64 outputs = loom_cpu_box_elements(&loom_cpu_operands(op)[2]);

	return loom_cpu_times(loom_cpu_times(loom_cpu_chunks(outputs), loom_cpu_product(p->window, p->n_spatial)),
			      (p->channels + (__u64)LOOM_CPU_PRODUCTS - 1) / LOOM_CPU_PRODUCTS);
}

/* Quanta for the products of rows 0 to n - 1 of a triangle, each row's rounded down. n is below 2^17. */
static inline __u64 loom_cpu_triangle(__u64 n)
{
	const __u64 q = n / LOOM_CPU_PRODUCTS;

	return q ? q * (q - 1) / 2 * LOOM_CPU_PRODUCTS + q * (n % LOOM_CPU_PRODUCTS) : 0;
}

static inline __u64 loom_cpu_cholesky_quanta(const struct loom_cpu_op *op)
{
	const struct loom_cpu_operand *a = loom_cpu_operands(op);
	const __u64 n = a->dims[a->rank - 1];

	return loom_cpu_times(loom_cpu_chunks(loom_cpu_box_elements(a) / n), 2 * n + loom_cpu_triangle(n));
}

static inline __u64 loom_cpu_solve_quanta(const struct loom_cpu_op *op)
{
	const struct loom_cpu_operand *x = loom_cpu_operands(op) + op->n_inputs;
	const __u64 n = x->dims[x->rank - 2];

	return loom_cpu_times(loom_cpu_chunks(loom_cpu_box_elements(x) / n), n + loom_cpu_triangle(n));
}

/* Reflections 0 to k - 1: each made, with make, and applied to columns from its own, or the one after it, on. */
static inline __u64 loom_cpu_reflections_quanta(const struct loom_cpu_operand *a, __u64 k, __u32 make, __u32 after)
{
	const __u64 m = a->dims[a->rank - 2], n = a->dims[a->rank - 1];
	const __u64 elements = loom_cpu_box_elements(a), batch = elements / (m * n);
	__u64 quanta = loom_cpu_chunks(elements), r;

	for (r = 0; r < k; r++) {
		const __u64 columns = loom_cpu_chunks(batch * (n - r - after));

		if (make)
			quanta = loom_cpu_plus(quanta, loom_cpu_times(loom_cpu_chunks(batch), 3 * (m - r)));
		quanta = loom_cpu_plus(quanta, loom_cpu_times(columns, 2 * (m - r) / LOOM_CPU_ROWS));
	}
	return quanta;
}

static inline __u64 loom_cpu_qr_quanta(const struct loom_cpu_op *op)
{
	const struct loom_cpu_operand *a = loom_cpu_operands(op), *tau = a + 2 * op->n_inputs;

	return loom_cpu_reflections_quanta(a, tau->dims[tau->rank - 1], 1, 1);
}

static inline __u64 loom_cpu_householder_quanta(const struct loom_cpu_op *op)
{
	const struct loom_cpu_operand *a = loom_cpu_operands(op), *tau = a + op->n_inputs / 2;

	return loom_cpu_reflections_quanta(a, tau->dims[tau->rank - 1], 0, 0);
}

/* Points of the transforms that one of a length is made of: m of struct loom_cpu_fft. */
static inline __u32 loom_cpu_fft_points(__u32 length)
{
	const __u32 least = length & (length - 1) ? 2 * length - 1 : length;

	return 1u << loom_cpu_levels(least);
}

/* Lines that go together. */
static inline __u32 loom_cpu_fft_group(__u32 m)
{
	return m < 2 * LOOM_CPU_LANES ? 2 * LOOM_CPU_LANES / m : 1;
}

/* Elements of the workspace. */
static inline __u32 loom_cpu_fft_workspace(__u32 length)
{
	const __u32 m = loom_cpu_fft_points(length);

	return m + 4 * m * loom_cpu_fft_group(m) + (m == length ? 0 : 2 * length + 2 * m);
}

static inline __u64 loom_cpu_fft_quanta(const struct loom_cpu_op *op)
{
	const struct loom_cpu_operand *in = loom_cpu_operands(op), *out = in + op->n_inputs;
	const struct loom_cpu_fft *p = (const struct loom_cpu_fft *)loom_cpu_params(op);
	const __u32 m = loom_cpu_fft_points(p->length), g = loom_cpu_fft_group(m), l = loom_cpu_levels(m);
	const __u64 lines = loom_cpu_box_elements(in) / in->dims[p->dim];
	const __u64 passes = loom_cpu_chunks((__u64)g * m) + l * loom_cpu_chunks((__u64)g * m / 2);
	const __u64 put = loom_cpu_chunks((__u64)g * out->dims[p->dim]);
	__u64 before = loom_cpu_chunks((m + 1) / 2), group = passes + put;

	if (m != p->length) {
		before += loom_cpu_chunks(p->length) + 2 * loom_cpu_chunks(m) + l * loom_cpu_chunks(m / 2);
		group += passes;
	}
	return loom_cpu_plus(before, loom_cpu_times((lines + g - 1) / g, group));
}

/* Quanta that an operation whose fields are sound takes, or TOO_MUCH. */
static inline __u64 loom_cpu_op_quanta(const struct loom_cpu_op *op)
{
	switch (op->structure) {
	case LOOM_CPU_COPY:
		return loom_cpu_copy_quanta(op);
	case LOOM_CPU_REDUCE:
		return loom_cpu_reduce_quanta(op);
	case LOOM_CPU_WINDOW:
		return loom_cpu_window_quanta(op);
	case LOOM_CPU_SELECT_SCATTER:
		return loom_cpu_select_quanta(op);
	case LOOM_CPU_SCAN:
		return loom_cpu_scan_quanta(op);
	case LOOM_CPU_SORT:
		return loom_cpu_sort_quanta(op);
	case LOOM_CPU_DOT:
		return loom_cpu_dot_quanta(op);
	case LOOM_CPU_CONV:
		return loom_cpu_conv_quanta(op);
	case LOOM_CPU_FFT:
		return loom_cpu_fft_quanta(op);
	case LOOM_CPU_CHOLESKY:
		return loom_cpu_cholesky_quanta(op);
	case LOOM_CPU_TRIANGULAR_SOLVE:
		return loom_cpu_solve_quanta(op);
	case LOOM_CPU_QR:
		return loom_cpu_qr_quanta(op);
	case LOOM_CPU_HOUSEHOLDER:
		return loom_cpu_householder_quanta(op);
	default: /* MAP, GATHER, SCATTER */
		return loom_cpu_chunks(loom_cpu_box_elements(loom_cpu_operands(op)));
	}
}

/* What an operation whose fields are sound must state at least, or TOO_MUCH. */
static inline __u64 loom_cpu_op_cost(const struct loom_cpu_op *op)
{
	const __u32 weight = op->n_scalar_ops ? loom_cpu_weight(op) : 1;

	return loom_cpu_times(loom_cpu_op_quanta(op), LOOM_CPU_LANES * (8 + (__u64)weight));
}

#endif
