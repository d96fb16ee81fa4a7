// SPDX-License-Identifier: GPL-2.0-or-later OR MIT
/*
 * The VPU's micro-operations over lanes of 32 bits: the functions of loom_num.h, as the model of the NPU calls them.
 * This file computes with floats.
 */
#include "cpu_run.h"
#include "loom_num.h"

#define EACH(name, expr)                                                                                               \
	case LOOM_UOP_##name:                                                                                          \
		LOOM_CPU_VECTORISE                                                                                     \
		for (__u32 i = 0; i < n; i++)                                                                          \
			d[i] = (expr);                                                                                 \
		break;

#define A (a[i])
#define B (b[i])
#define C (c[i])
#define SA ((__s32)a[i])
#define SB ((__s32)b[i])

static void arithmetic(__u32 op, __u32 *d, const __u32 *a, const __u32 *b, const __u32 *c, __u32 n)
{
	switch (op) {
		EACH(FADD, loom_num_add(A, B))
		EACH(FSUB, loom_num_sub(A, B))
		EACH(FMUL, loom_num_mul(A, B))
		EACH(FFMA, loom_num_fma(A, B, C))
		EACH(FNEG, loom_num_neg(A))
		EACH(FABS, loom_num_abs(A))
		EACH(FSIGN, loom_num_sign(A))
		EACH(FMIN, loom_num_min(A, B))
		EACH(FMAX, loom_num_max(A, B))
		EACH(FDIV, loom_num_div(A, B))
		EACH(FREM, loom_num_rem(A, B))
		EACH(FSQRT, loom_num_sqrt(A))
		EACH(FRSQRT, loom_num_rsqrt(A))
	}
}

static void rounding(__u32 op, __u32 *d, const __u32 *a, const __u32 *b, __u32 n)
{
	switch (op) {
		EACH(FFLOOR, loom_num_round(A, LOOM_NUM_FLOOR))
		EACH(FCEIL, loom_num_round(A, LOOM_NUM_CEIL))
		EACH(FRNE, loom_num_round(A, LOOM_NUM_RNE))
		EACH(FRAZ, loom_num_round(A, LOOM_NUM_RAZ))
		EACH(FTRUNC, loom_num_round(A, LOOM_NUM_TRUNC))
		EACH(FFINITE, loom_num_isfinite(A))
		EACH(FREDP, loom_num_reduce_precision(A, B & 0xff, B >> 8))
		EACH(FBF16, loom_num_from_bf16(loom_num_to_bf16(A)))
		EACH(FF16, loom_num_from_f16(loom_num_to_f16(A)))
		EACH(F2I, (__u32)loom_num_to_i32(A))
		EACH(F2U, loom_num_to_u32(A))
		EACH(I2F, loom_num_from_i32(SA))
		EACH(U2F, loom_num_from_u32(A))
	}
}

static void comparison(__u32 op, __u32 *d, const __u32 *a, const __u32 *b, __u32 n)
{
	switch (op) {
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

static void integer(__u32 op, __u32 *d, const __u32 *a, const __u32 *b, const __u32 *c, __u32 n)
{
	switch (op) {
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
		EACH(REQUANT, (__u32)loom_num_requant_single(SA, SB, (__s32)C))
		EACH(SATI8, (__u32)loom_num_sat8(SA))
	}
}

static void bits(__u32 op, __u32 *d, const __u32 *a, const __u32 *b, const __u32 *c, __u32 n)
{
	switch (op) {
		EACH(MOV, A)
		EACH(SELECT, A ? B : C)
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

static void elementary(__u32 op, __u32 *d, const __u32 *a, const __u32 *b, __u32 n)
{
	switch (op) {
		EACH(EXP, loom_num_exp(A))
		EACH(EXPM1, loom_num_expm1(A))
		EACH(LOG, loom_num_log(A))
		EACH(LOG1P, loom_num_log1p(A))
		EACH(TANH, loom_num_tanh(A))
		EACH(LOGISTIC, loom_num_logistic(A))
		EACH(ERF, loom_num_erf(A))
		EACH(SIN, loom_num_sin(A))
		EACH(COS, loom_num_cos(A))
		EACH(CBRT, loom_num_cbrt(A))
		EACH(ATAN2, loom_num_atan2(A, B))
		EACH(POW, loom_num_pow(A, B))
	}
}

/* The micro-operations by their numbers' upper half, as LOOM_UOPS has them. */
void loom_cpu_word(__u32 op, __u32 *d, const __u32 *a, const __u32 *b, const __u32 *c, __u32 n)
{
	if (op >= LOOM_UOP_EXP)
		elementary(op, d, a, b, n);
	else if (op >= LOOM_UOP_REQUANT)
		integer(op, d, a, b, c, n);
	else if (op >= LOOM_UOP_IEQ)
		comparison(op, d, a, b, n);
	else if (op >= LOOM_UOP_AND)
		bits(op, d, a, b, c, n);
	else if (op >= LOOM_UOP_IADD)
		integer(op, d, a, b, c, n);
	else if (op >= LOOM_UOP_FEQ)
		comparison(op, d, a, b, n);
	else if (op >= LOOM_UOP_FFLOOR)
		rounding(op, d, a, b, n);
	else if (op >= LOOM_UOP_FADD)
		arithmetic(op, d, a, b, c, n);
	else
		bits(op, d, a, b, c, n);
}
