/* SPDX-License-Identifier: GPL-2.0-or-later OR MIT */
/*
 * The elementary functions over arrays, for each table of kernels: the same C, which the compiler vectorises.
 * loom_num_elementary.h rounds each operation on its own, so that all tables give the same bits.
 */
#ifndef LOOM_KERNELS_ELEMENTARY_H
#define LOOM_KERNELS_ELEMENTARY_H

#include "loom_num.h"
#include "vpu.h"

/*
 * d[i] = sin(a[i] + quarter pi/2). Arguments far from 0 are rare and do not vectorise: their results wait in a
 * list, because d may be a.
 */
static void sine(uint32_t *d, const uint32_t *a, unsigned n, uint32_t quarter)
{
	uint32_t lane[LOOM_VPU_CHUNK], value[LOOM_VPU_CHUNK];
	unsigned count = 0, any = 0;

	for (unsigned i = 0; i < n; i++)
		any |= (unsigned)loom_num_is_far(a[i]);
	for (unsigned i = 0; any && i < n; i++)
		if (loom_num_is_far(a[i])) {
			lane[count] = i;
			value[count++] = loom_num_sin_far(a[i], quarter);
		}
	LOOM_VECTORISE
	for (unsigned i = 0; i < n; i++) {
		const uint32_t r = loom_num_sin_near(a[i], quarter);

		d[i] = loom_num_pick((a[i] << 1 == 0) & !quarter, a[i], r);
	}
	for (unsigned i = 0; i < count; i++)
		d[lane[i]] = value[i];
}

#define EACH(name, expr)                                                                                               \
	case LOOM_UOP_##name:                                                                                          \
		LOOM_VECTORISE                                                                                         \
		for (unsigned i = 0; i < n; i++)                                                                       \
			d[i] = (expr);                                                                                 \
		break;

static void elementary(uint32_t op, uint32_t *d, const uint32_t *a, const uint32_t *b, unsigned n)
{
	switch (op) {
		EACH(EXP, loom_num_exp(a[i]))
		EACH(EXPM1, loom_num_expm1(a[i]))
		EACH(LOG, loom_num_log(a[i]))
		EACH(LOG1P, loom_num_log1p(a[i]))
		EACH(TANH, loom_num_tanh(a[i]))
		EACH(LOGISTIC, loom_num_logistic(a[i]))
		EACH(ERF, loom_num_erf(a[i]))
	case LOOM_UOP_SIN:
		sine(d, a, n, 0);
		break;
	case LOOM_UOP_COS:
		sine(d, a, n, 1);
		break;
		EACH(CBRT, loom_num_cbrt(a[i]))
		EACH(ATAN2, loom_num_atan2(a[i], b[i]))
		EACH(POW, loom_num_pow(a[i], b[i]))
	}
}

#undef EACH

#endif
