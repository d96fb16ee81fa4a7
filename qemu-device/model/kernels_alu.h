/* SPDX-License-Identifier: GPL-2.0-or-later OR MIT */
/*
 * The vector unit's arithmetic, for each table of kernels: each micro-operation over a chunk, rounded up to 16
 * lanes. Lanes beyond the chunk's elements are never stored; every operation is defined on all bits. The same C in
 * all tables, which the compiler vectorises; the includer brings fma_f32.
 */
#ifndef LOOM_KERNELS_ALU_H
#define LOOM_KERNELS_ALU_H

#include "kernels_elementary.h"
#include "loom_num.h"
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
#define SA ((int32_t)a[i])
#define SB ((int32_t)b[i])
#define SC ((int32_t)c[i])

static void float_op(uint32_t op, uint32_t *d, const uint32_t *a, const uint32_t *b, const uint32_t *c, unsigned n)
{
	switch (op) {
	case LOOM_UOP_FFMA:
		fma_f32(d, a, b, c, n);
		break;
		EACH(FADD, loom_num_add(A, B))
		EACH(FSUB, loom_num_sub(A, B))
		EACH(FMUL, loom_num_mul(A, B))
		EACH(FNEG, loom_num_neg(A))
		EACH(FABS, loom_num_abs(A))
		EACH(FSIGN, loom_num_sign(A))
		EACH(FMIN, loom_num_min(A, B))
		EACH(FMAX, loom_num_max(A, B))
		EACH(FDIV, loom_num_div(A, B))
		EACH(FREM, loom_num_rem(A, B))
		EACH(FSQRT, loom_num_sqrt(A))
		EACH(FRSQRT, loom_num_rsqrt(A))
		EACH(FFLOOR, loom_num_round(A, LOOM_NUM_FLOOR))
		EACH(FCEIL, loom_num_round(A, LOOM_NUM_CEIL))
		EACH(FRNE, loom_num_round(A, LOOM_NUM_RNE))
		EACH(FRAZ, loom_num_round(A, LOOM_NUM_RAZ))
		EACH(FTRUNC, loom_num_round(A, LOOM_NUM_TRUNC))
		EACH(FREDP, loom_num_reduce_precision(A, B & 0xff, B >> 8))
		EACH(FBF16, loom_num_from_bf16(loom_num_to_bf16(A)))
		EACH(FF16, loom_num_from_f16(loom_num_to_f16(A)))
		EACH(I2F, loom_num_from_i32(SA))
		EACH(U2F, loom_num_from_u32(A))
	}
}

static void compare_op(uint32_t op, uint32_t *d, const uint32_t *a, const uint32_t *b, unsigned n)
{
	switch (op) {
		EACH(FFINITE, loom_num_isfinite(A))
		EACH(FEQ, loom_num_eq(A, B))
		EACH(FNE, loom_num_ne(A, B))
		EACH(FLT, loom_num_lt(A, B))
		EACH(FLE, loom_num_le(A, B))
		EACH(FGT, loom_num_lt(B, A))
		EACH(FGE, loom_num_le(B, A))
		EACH(IEQ, A == B)
		EACH(INE, A != B)
		EACH(ILT, SA < SB)
		EACH(ILE, SA <= SB)
		EACH(ULT, A < B)
		EACH(ULE, A <= B)
	}
}

static void integer_op(uint32_t op, uint32_t *d, const uint32_t *a, const uint32_t *b, const uint32_t *c, unsigned n)
{
	switch (op) {
		EACH(F2I, (uint32_t)loom_num_to_i32(A))
		EACH(F2U, loom_num_to_u32(A))
		EACH(IADD, A + B)
		EACH(ISUB, A - B)
		EACH(IMUL, A * B)
		EACH(IMULH, loom_num_imulh(A, B))
		EACH(UMULH, loom_num_umulh(A, B))
		EACH(IDIV, loom_num_idiv(A, B))
		EACH(UDIV, loom_num_udiv(A, B))
		EACH(IREM, loom_num_irem(A, B))
		EACH(UREM, loom_num_urem(A, B))
		EACH(IMIN, SA < SB ? A : B)
		EACH(IMAX, SA > SB ? A : B)
		EACH(UMIN, A < B ? A : B)
		EACH(UMAX, A > B ? A : B)
		EACH(INEG, 0u - A)
		EACH(IABS, loom_num_iabs(A))
		EACH(ISIGN, loom_num_isign(A))
		EACH(REQUANT, (uint32_t)loom_num_requant_single(SA, SB, SC))
		EACH(SATI8, (uint32_t)loom_num_sat8(SA))
	}
}

static void bit_op(uint32_t op, uint32_t *d, const uint32_t *a, const uint32_t *b, unsigned n)
{
	switch (op) {
		EACH(AND, A & B)
		EACH(OR, A | B)
		EACH(XOR, A ^ B)
		EACH(NOT, ~A)
		EACH(SHL, loom_num_shl(A, B))
		EACH(SHR, loom_num_shr(A, B))
		EACH(SAR, loom_num_sar(A, B))
		EACH(ROTL, loom_num_rotl(A, B))
		EACH(CLZ, loom_num_clz(A))
		EACH(POPC, loom_num_popc(A))
	}
}

static void move_op(uint32_t op, uint32_t *d, const uint32_t *a, const uint32_t *b, const uint32_t *c, unsigned n)
{
	switch (op) {
		EACH(MOV, A)
		EACH(SELECT, A ? B : C)
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
#undef SA
#undef SB
#undef SC

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
