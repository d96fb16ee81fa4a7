/* SPDX-License-Identifier: GPL-2.0-or-later OR MIT */
/*
 * The elementary functions over arrays, for each table of kernels: the same C, which the compiler vectorises.
 * loom_num_elementary.h rounds each operation on its own, so that all tables give the same bits.
 */
#ifndef LOOM_KERNELS_ELEMENTARY_H
#define LOOM_KERNELS_ELEMENTARY_H

#include "loom_num_uops.h"
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

#define A (a[i])
#define B (b[i])

#define EACH(name, expr)                                                                                               \
	case LOOM_UOP_##name:                                                                                          \
		LOOM_VECTORISE                                                                                         \
		for (unsigned i = 0; i < n; i++)                                                                       \
			d[i] = (expr);                                                                                 \
		break;

static void elementary(uint32_t op, uint32_t *d, const uint32_t *a, const uint32_t *b, unsigned n)
{
	switch (op) {
		LOOM_NUM_ELEMENTARY_UOPS(EACH)
	case LOOM_UOP_SIN:
		sine(d, a, n, 0);
		break;
	case LOOM_UOP_COS:
		sine(d, a, n, 1);
		break;
	}
}

#undef EACH
#undef A
#undef B

#endif
