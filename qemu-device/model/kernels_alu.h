/* SPDX-License-Identifier: GPL-2.0-or-later OR MIT */
/*
 * The vector unit's arithmetic, for each table of kernels: each micro-operation over a chunk, rounded up to 16
 * lanes. Lanes beyond the chunk's elements are never stored; every operation is defined on all bits. The same C in
 * all tables, which the compiler vectorises; the includer brings fma_f32.
 */
#ifndef LOOM_KERNELS_ALU_H
#define LOOM_KERNELS_ALU_H

#include "kernels_elementary.h"
#include "loom_num_uops.h"
#include "vpu.h"

/* d[i] = a[i] * b[i] + c[i], one rounding, NaNs canonical; n is a multiple of 16, any may be the same array. */
static void fma_f32(uint32_t *d, const uint32_t *a, const uint32_t *b, const uint32_t *c, unsigned n);

#define EACH(name, expr)                                                                                               \
	case LOOM_UOP_##name:                                                                                          \
		LOOM_VECTORISE                                                                                         \
		for (unsigned i = 0; i < n; i++)                                                                       \
			d[i] = (expr);                                                                                 \
		break;

#define A (a[i])
#define B (b[i])
#define C (c[i])

static void float_op(uint32_t op, uint32_t *d, const uint32_t *a, const uint32_t *b, const uint32_t *c, unsigned n)
{
	switch (op) {
	case LOOM_UOP_FFMA:
		fma_f32(d, a, b, c, n);
		break;
		LOOM_NUM_FLOAT_UOPS(EACH)
	}
}

static void compare_op(uint32_t op, uint32_t *d, const uint32_t *a, const uint32_t *b, unsigned n)
{
	switch (op) {
		LOOM_NUM_COMPARE_UOPS(EACH)
	}
}

static void integer_op(uint32_t op, uint32_t *d, const uint32_t *a, const uint32_t *b, const uint32_t *c, unsigned n)
{
	switch (op) {
		LOOM_NUM_INTEGER_UOPS(EACH)
	}
}

static void bit_op(uint32_t op, uint32_t *d, const uint32_t *a, const uint32_t *b, unsigned n)
{
	switch (op) {
		LOOM_NUM_BIT_UOPS(EACH)
	}
}

static void move_op(uint32_t op, uint32_t *d, const uint32_t *a, const uint32_t *b, const uint32_t *c, unsigned n)
{
	switch (op) {
		LOOM_NUM_MOVE_UOPS(EACH)
	}
}

/* d = op(a, b, c) over n lanes, a multiple of 16; loads, stores, IOTA, LUT8 and reducers are not here. */
static void alu(uint32_t op, uint32_t *d, const uint32_t *a, const uint32_t *b, const uint32_t *c, unsigned n)
{
	switch (loom_uop_table[op].cls) {
	case LOOM_UC_F:
		float_op(op, d, a, b, c, n);
		break;
	case LOOM_UC_C:
		compare_op(op, d, a, b, n);
		break;
	case LOOM_UC_I:
		integer_op(op, d, a, b, c, n);
		break;
	case LOOM_UC_B:
		bit_op(op, d, a, b, n);
		break;
	case LOOM_UC_T:
		elementary(op, d, a, b, n);
		break;
	default:
		move_op(op, d, a, b, c, n);
		break;
	}
}

#undef EACH
#undef A
#undef B
#undef C

#define EACH(name, expr)                                                                                               \
	case LOOM_UOP_##name:                                                                                          \
		LOOM_VECTORISE                                                                                         \
		for (uint32_t i = 0; i < n; i++) {                                                                     \
			const uint32_t p = acc[i], x = a[i];                                                           \
                                                                                                                       \
			acc[i] = (expr);                                                                               \
		}                                                                                                      \
		break;

/* acc[i] = op(acc[i], a[i]) */
static void combine(uint32_t op, uint32_t *acc, const uint32_t *a, uint32_t n)
{
	switch (op) {
		LOOM_COMBINATIONS(EACH)
	}
}

#undef EACH

#endif
