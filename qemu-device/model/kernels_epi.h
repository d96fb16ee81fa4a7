/* SPDX-License-Identifier: GPL-2.0-or-later OR MIT */
/* The epilogue's float steps over a row, for each table of kernels: the same C in all, which the compiler vectorises. */
#ifndef LOOM_KERNELS_EPI_H
#define LOOM_KERNELS_EPI_H

#include "kernels.h"
#include "kernels_mem.h"

#define EACH(expr)                                                                                                     \
	do {                                                                                                           \
		LOOM_VECTORISE                                                                                         \
		for (uint32_t i = 0; i < n; i++)                                                                       \
			v[i] = (expr);                                                                                 \
	} while (0)

/* loom_num_clamp, with bounds that are no NaN: what is the same for all columns is said once, or nothing is vectorised. */
static inline uint32_t clamp_ordered(uint32_t a, uint32_t lo, uint32_t hi)
{
	const uint32_t m = loom_num_key(a) > loom_num_key(lo) ? a : lo;
	const uint32_t r = loom_num_key(m) < loom_num_key(hi) ? m : hi;

	return loom_num_isnan(a) ? LOOM_NUM_NAN : r;
}

static void epilogue(const struct loom_epi_row *e, uint32_t *v, uint32_t n)
{
	const uint32_t *bias = e->bias, *scale = e->scale, imm = e->scale_imm, lo = e->lo, hi = e->hi;
	uint32_t residual[LOOM_EPI_CHUNK];

	if (bias)
		EACH(loom_num_add(v[i], bias[i]));
	if (scale)
		EACH(loom_num_mul(v[i], scale[i]));
	else if (e->scaled)
		EACH(loom_num_mul(v[i], imm));
	if (e->residual) {
		load_run(e->residual, e->res_step, e->res_type, residual, n);
		EACH(loom_num_add(v[i], residual[i]));
	}
	if (!e->clamp)
		return;
	if (loom_num_isnan(lo) | loom_num_isnan(hi))
		EACH(LOOM_NUM_NAN);
	else
		EACH(clamp_ordered(v[i], lo, hi));
}

#undef EACH

#endif
