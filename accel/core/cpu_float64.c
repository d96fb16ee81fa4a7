// SPDX-License-Identifier: GPL-2.0-or-later OR MIT
/* Scalar operations on f64. This file computes with floats. */
#include "loom_num64.h"
#include "cpu_run.h"

#define A (a->d[i])
#define B (b->d[i])
#define FA (loom_num_double(a->d[i]))
#define FB (loom_num_double(b->d[i]))

#define EACH(name, lanes, expr)                                                                                        \
	case LOOM_CPU_##name##64:                                                                                      \
		for (__u32 i = 0; i < n; i++)                                                                          \
			d->lanes[i] = (expr);                                                                          \
		break;

static void arithmetic(__u32 op, union loom_cpu_reg *d, const union loom_cpu_reg *a, const union loom_cpu_reg *b,
		       __u32 n)
{
	switch (op) {
		EACH(FADD, d, loom_num_result64(FA + FB))
		EACH(FSUB, d, loom_num_result64(FA - FB))
		EACH(FMUL, d, loom_num_result64(FA * FB))
		EACH(FNEG, d, loom_num_canonical64(A ^ LOOM_NUM_SIGN64))
		EACH(FABS, d, loom_num_canonical64(A & ~LOOM_NUM_SIGN64))
		EACH(FSIGN, d, loom_num_sign64(A))
		EACH(FMIN, d, loom_num_min64(A, B))
		EACH(FMAX, d, loom_num_max64(A, B))
		EACH(FREDP, d, loom_num_reduce_precision64(A, B & 0xff, B >> 8))
		EACH(FDIV, d, loom_num_result64(FA / FB))
		EACH(FREM, d, loom_num_rem64(A, B))
		EACH(FSQRT, d, loom_num_result64(loom_num_sqrtd(FA)))
		EACH(FRSQRT, d, loom_num_result64(1.0 / loom_num_sqrtd(FA)))
		EACH(FFLOOR, d, loom_num_round64(A, LOOM_NUM_FLOOR))
		EACH(FCEIL, d, loom_num_round64(A, LOOM_NUM_CEIL))
		EACH(FRNE, d, loom_num_round64(A, LOOM_NUM_RNE))
		EACH(FRAZ, d, loom_num_round64(A, LOOM_NUM_RAZ))
		EACH(FTRUNC, d, loom_num_round64(A, LOOM_NUM_TRUNC))
	}
}

static void elementary(__u32 op, union loom_cpu_reg *d, const union loom_cpu_reg *a, const union loom_cpu_reg *b,
		       __u32 n)
{
	switch (op) {
		EACH(EXP, d, loom_num_exp_f64(A))
		EACH(EXPM1, d, loom_num_expm1_f64(A))
		EACH(LOG, d, loom_num_log_f64(A))
		EACH(LOG1P, d, loom_num_log1p_f64(A))
		EACH(TANH, d, loom_num_tanh_f64(A))
		EACH(LOGISTIC, d, loom_num_logistic_f64(A))
		EACH(ERF, d, loom_num_erf_f64(A))
		EACH(SIN, d, loom_num_sin_f64(A))
		EACH(COS, d, loom_num_cos_f64(A))
		EACH(CBRT, d, loom_num_cbrt_f64(A))
		EACH(ATAN2, d, loom_num_atan2_f64(A, B))
		EACH(POW, d, loom_num_pow_f64(A, B))
	}
}

/*
 * Results are half as wide as operands and may take their place: lane i of d is written when lanes from i on of the
 * others are still to be read, of which it covers none but lane i / 2.
 */
static void comparison(__u32 op, union loom_cpu_reg *d, const union loom_cpu_reg *a, const union loom_cpu_reg *b,
		       __u32 n)
{
	switch (op) {
		EACH(FFINITE, w, (A & ~LOOM_NUM_SIGN64) < LOOM_NUM_INF64)
		EACH(FEQ, w, FA == FB)
		EACH(FNE, w, FA != FB)
		EACH(FLT, w, FA < FB)
		EACH(FLE, w, FA <= FB)
		EACH(FGT, w, FB < FA)
		EACH(FGE, w, FB <= FA)
	}
}

void loom_cpu_float64(__u32 op, union loom_cpu_reg *d, const union loom_cpu_reg *a, const union loom_cpu_reg *b,
		      const union loom_cpu_reg *c, __u32 n)
{
	if (op == LOOM_CPU_FFMA64)
		for (__u32 i = 0; i < n; i++)
			d->d[i] = loom_num_fma64(A, B, c->d[i]);
	else if (op >= LOOM_CPU_EXP64)
		elementary(op, d, a, b, n);
	else if (op >= LOOM_CPU_FEQ64 || op == LOOM_CPU_FFINITE64)
		comparison(op, d, a, b, n);
	else
		arithmetic(op, d, a, b, n);
}
