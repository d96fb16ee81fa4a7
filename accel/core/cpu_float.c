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
