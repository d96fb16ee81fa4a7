// SPDX-License-Identifier: GPL-2.0-or-later OR MIT
/*
 * The VPU's micro-operations over lanes of 32 bits: the functions of loom_num.h, as the model of the NPU calls them.
 * This file computes with floats.
 */
#include "cpu_run.h"
#include "loom_num_uops.h"

#define EACH(name, expr)                                                                                               \
	case LOOM_UOP_##name:                                                                                          \
		LOOM_CPU_VECTORISE                                                                                     \
		for (__u32 i = 0; i < n; i++)                                                                          \
			d[i] = (expr);                                                                                 \
		break;

#define A (a[i])
#define B (b[i])
#define C (c[i])

static void float_op(__u32 op, __u32 *d, const __u32 *a, const __u32 *b, const __u32 *c, __u32 n)
{
	switch (op) {
		LOOM_NUM_FLOAT_UOPS(EACH)
		EACH(FFMA, loom_num_fma(A, B, C))
	}
}

static void compare_op(__u32 op, __u32 *d, const __u32 *a, const __u32 *b, __u32 n)
{
	switch (op) {
		LOOM_NUM_COMPARE_UOPS(EACH)
	}
}

static void integer_op(__u32 op, __u32 *d, const __u32 *a, const __u32 *b, const __u32 *c, __u32 n)
{
	switch (op) {
		LOOM_NUM_INTEGER_UOPS(EACH)
	}
}

static void bit_op(__u32 op, __u32 *d, const __u32 *a, const __u32 *b, const __u32 *c, __u32 n)
{
	switch (op) {
		LOOM_NUM_BIT_UOPS(EACH)
		LOOM_NUM_MOVE_UOPS(EACH)
	}
}

static void elementary(__u32 op, __u32 *d, const __u32 *a, const __u32 *b, __u32 n)
{
	switch (op) {
		LOOM_NUM_ELEMENTARY_UOPS(EACH)
		EACH(SIN, loom_num_sin(A))
		EACH(COS, loom_num_cos(A))
	}
}

enum uop_class { CLASS_M, CLASS_F, CLASS_I, CLASS_B, CLASS_C, CLASS_R, CLASS_T };

#define CLASS(num, name, operands, cls, text)                                                                          \
	case num:                                                                                                      \
		return CLASS_##cls;

static enum uop_class class_of(__u32 op)
{
	switch (op) {
		LOOM_UOPS(CLASS)
	}
	return CLASS_M;
}

void loom_cpu_word(__u32 op, __u32 *d, const __u32 *a, const __u32 *b, const __u32 *c, __u32 n)
{
	switch (class_of(op)) {
	case CLASS_F:
		float_op(op, d, a, b, c, n);
		break;
	case CLASS_C:
		compare_op(op, d, a, b, n);
		break;
	case CLASS_I:
		integer_op(op, d, a, b, c, n);
		break;
	case CLASS_T:
		elementary(op, d, a, b, n);
		break;
	default:
		bit_op(op, d, a, b, c, n);
		break;
	}
}

/* ---- folds ----------------------------------------------------------------------------------------------- */

static inline __u32 get32(const __u8 *at)
{
	__u32 v;

	memcpy(&v, at, sizeof(v));
	return v;
}

typedef float floats __attribute__((vector_size(16)));

/* Sixteen sums or products, each in its order. What becomes a NaN stays one: it is enough that the last is canonical. */
#define FOLD_IN_ORDER(name, expr)                                                                                      \
	case LOOM_UOP_##name:                                                                                          \
		memcpy(sum, part, sizeof(sum));                                                                        \
		for (__u64 k = 0; k < n; k += 16) {                                                                    \
			memcpy(row, x + k * 4, sizeof(row));                                                           \
			for (__u32 i = 0; i < 4; i++)                                                                  \
				sum[i] = (expr);                                                                       \
		}                                                                                                      \
		memcpy(part, sum, sizeof(part));                                                                       \
		for (__u32 i = 0; i < 16; i++)                                                                         \
			part[i] = loom_num_canonical(part[i]);                                                         \
		break;

/* Where order does not show in the bits: 64 at once. */
#define FOLD_ANY_ORDER(name, f)                                                                                        \
	case LOOM_UOP_##name:                                                                                          \
		for (__u32 i = 0; i < 64; i++)                                                                         \
			wide[i] = get32(x + i * 4);                                                                    \
		for (__u64 k = 64; k < n; k += 64)                                                                     \
			for (__u32 i = 0; i < 64; i++)                                                                 \
				wide[i] = f(wide[i], get32(x + (k + i) * 4));                                          \
		for (__u32 i = 0; i < 64; i++)                                                                         \
			part[i % 16] = f(part[i % 16], wide[i]);                                                       \
		break;

#define SUM(a, b) ((a) + (b))

bool loom_cpu_fold(__u32 op, __u32 *acc, const __u8 *x, __u64 n)
{
	__u32 part[16], wide[64];
	floats sum[4], row[4];

	memcpy(part, acc, sizeof(part));
	switch (op) {
	default:
		return false;
		FOLD_IN_ORDER(FADD, sum[i] + row[i])
		FOLD_IN_ORDER(FMUL, sum[i] * row[i])
		FOLD_ANY_ORDER(FMIN, loom_num_min)
		FOLD_ANY_ORDER(FMAX, loom_num_max)
		FOLD_ANY_ORDER(IADD, SUM)
	}
	memcpy(acc, part, sizeof(part));
	return true;
}
