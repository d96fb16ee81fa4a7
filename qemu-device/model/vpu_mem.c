// SPDX-License-Identifier: GPL-2.0-or-later OR MIT
/* Loads and stores of the vector unit: runs along the innermost dimension, converted from and to storage types. */
#include "kernels.h"
#include "vpu.h"

void loom_vpu_load(struct loom_vpu_run *k, uint32_t view, uint32_t *d)
{
	const struct loom_view *w = &k->views[view];

	for (uint32_t i = 0; i < k->nruns; i++) {
		const struct loom_run *run = &k->runs[i];

		k->x->kernels->load_run(k->base[view] + run->offset[view], k->step[view], w->dtype, d + run->first,
					run->count);
	}
}

void loom_vpu_store(struct loom_vpu_run *k, uint32_t view, const uint32_t *a)
{
	const struct loom_view *w = &k->views[view];

	for (uint32_t i = 0; i < k->nruns; i++) {
		const struct loom_run *run = &k->runs[i];

		k->x->kernels->store_run(k->base[view] + run->offset[view], k->step[view], w->dtype, a + run->first,
					 run->count);
	}
}
