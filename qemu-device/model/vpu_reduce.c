// SPDX-License-Identifier: GPL-2.0-or-later OR MIT
/*
 * Reducers. Whatever the lanes are, element i of an output goes into partial i mod 16, ascending, and the sixteen
 * are folded by the tree of loom_num.h: lanes that are outputs keep sixteen rows of partials; lanes that are
 * elements of one output are sixteen partials wide. A scan has one partial result, and writes it after every element.
 */
#include <string.h>
#include "kernels.h"
#include "loom_num.h"
#include "storage.h"
#include "vpu.h"

static uint32_t identity(uint32_t op)
{
	switch (op) {
	case LOOM_UOP_RMUL_F:
		return LOOM_NUM_ID_MUL_F;
	case LOOM_UOP_RMIN_F:
		return LOOM_NUM_ID_MIN_F;
	case LOOM_UOP_RMAX_F:
		return LOOM_NUM_ID_MAX_F;
	case LOOM_UOP_RMUL_I:
		return 1;
	case LOOM_UOP_RMIN_I:
		return 0x7fffffffu;
	case LOOM_UOP_RMAX_I:
		return 0x80000000u;
	case LOOM_UOP_RMIN_U:
	case LOOM_UOP_RAND:
		return 0xffffffffu;
	default: /* sums, RMAX_U, ROR, RXOR */
		return 0;
	}
}

#define ALONG(name, expr)                                                                                              \
	case LOOM_UOP_##name:                                                                                          \
		for (uint32_t i = 0; i < n; i++) {                                                                     \
			const uint32_t x = a[i];                                                                       \
                                                                                                                       \
			out[i] = p = (expr);                                                                           \
		}                                                                                                      \
		break;

/* out[i] = p = op(p, a[i]), one after the other; returns the last p. */
static uint32_t combine_along(uint32_t op, uint32_t p, uint32_t *out, const uint32_t *a, uint32_t n)
{
	switch (op) {
		LOOM_COMBINATIONS(ALONG)
	}
	return p;
}

/* Keeps the better of the best so far and element number index, in one lane. */
static void pick(struct loom_reducer *d, uint32_t lane, uint32_t value, uint32_t index)
{
	if (index == 0 || loom_num_arg_better(value, d->best[lane], d->op == LOOM_UOP_RARGMAX_F)) {
		d->best[lane] = value;
		d->best_index[lane] = index;
	}
}

/* Calls f for each output lane of this chunk with the address of its element. */
static void each_output(struct loom_vpu_run *k, struct loom_reducer *d,
			void (*f)(struct loom_reducer *d, const struct loom_view *w, uint32_t lane, uint8_t *at))
{
	const struct loom_view *w = &k->views[d->view];

	if (!k->by_lanes) {
		f(d, w, 0, k->base[d->view]);
		return;
	}
	for (uint32_t r = 0; r < k->nruns; r++) {
		const struct loom_run *run = &k->runs[r];

		for (uint32_t i = 0; i < run->count; i++)
			f(d, w, run->first + i,
			  k->base[d->view] + run->offset[d->view] + (int64_t)i * k->step[d->view]);
	}
}

/* A scan goes on from what its view holds at the first element. */
static void resume_scan(struct loom_reducer *d, const struct loom_view *w, uint32_t lane, uint8_t *at)
{
	(void)w;
	memcpy(&d->partial[0][lane], at, 4);
}

/* Sixteen partials of one output: a column of the rows, which for a single output is a transposed first row. */
static void resume(struct loom_reducer *d, const struct loom_view *w, uint32_t lane, uint8_t *at)
{
	(void)w;
	for (uint32_t p = 0; p < LOOM_VPU_PARTIALS; p++)
		memcpy(&d->partial[p][lane], at + 4 * p, 4);
}

static void leave_partials(struct loom_reducer *d, const struct loom_view *w, uint32_t lane, uint8_t *at)
{
	for (uint32_t p = 0; p < LOOM_VPU_PARTIALS; p++)
		loom_store_one(at + 4 * p, w->dtype, d->partial[p][lane]);
}

static void leave_value(struct loom_reducer *d, const struct loom_view *w, uint32_t lane, uint8_t *at)
{
	loom_store_one(at, w->dtype, loom_vpu_is_arg(d->op) ? d->best_index[lane] : d->partial[0][lane]);
}

void loom_reduce_begin(struct loom_vpu_run *k, struct loom_reducer *d)
{
	const uint32_t lanes = k->by_lanes ? k->lanes : 1;
	const uint32_t first = identity(d->op);

	if (loom_vpu_is_arg(d->op))
		return; /* the first element is taken as it is */
	for (uint32_t p = 0; p < k->partials; p++)
		for (uint32_t i = 0; i < lanes; i++)
			d->partial[p][i] = first;
	if (k->views[d->view].flags & LOOM_VIEW_RESUME)
		each_output(k, d, k->v->mask & LOOM_VPU_SCAN ? resume_scan : resume);
}

/* Element i of each lane's group, or elements i, i + 1, ... of one; writes as many values as it takes. */
static void scan(struct loom_vpu_run *k, struct loom_reducer *d, const uint32_t *a, uint32_t i)
{
	uint32_t along[LOOM_VPU_CHUNK];
	const uint32_t *out = along;

	if (loom_vpu_is_arg(d->op)) {
		for (uint32_t lane = 0; lane < k->lanes; lane++) {
			const uint32_t group = k->by_lanes ? lane : 0;

			pick(d, group, a[lane], k->by_lanes ? i : i + lane);
			along[lane] = d->best_index[group];
		}
	} else if (k->by_lanes) {
		k->x->kernels->combine(d->op, d->partial[0], a, k->lanes);
		out = d->partial[0];
	} else {
		d->partial[0][0] = combine_along(d->op, d->partial[0][0], along, a, k->lanes);
	}
	loom_vpu_store(k, d->view, out);
}

/* Elements i, i + 1, ... of one output; i is a multiple of 16. */
static void take_one(struct loom_vpu_run *k, struct loom_reducer *d, const uint32_t *a)
{
	uint32_t p[LOOM_VPU_PARTIALS], done = 0;

	for (uint32_t i = 0; i < LOOM_VPU_PARTIALS; i++)
		p[i] = d->partial[i][0];
	for (; done + LOOM_VPU_PARTIALS <= k->lanes; done += LOOM_VPU_PARTIALS)
		k->x->kernels->combine(d->op, p, a + done, LOOM_VPU_PARTIALS);
	k->x->kernels->combine(d->op, p, a + done, k->lanes - done);
	for (uint32_t i = 0; i < LOOM_VPU_PARTIALS; i++)
		d->partial[i][0] = p[i];
}

void loom_reduce_take(struct loom_vpu_run *k, struct loom_reducer *d, const uint32_t *a, uint32_t i)
{
	if (k->v->mask & LOOM_VPU_SCAN) {
		scan(k, d, a, i);
	} else if (loom_vpu_is_arg(d->op)) {
		for (uint32_t lane = 0; lane < k->lanes; lane++)
			pick(d, k->by_lanes ? lane : 0, a[lane], k->by_lanes ? i : i + lane);
	} else if (k->by_lanes) {
		k->x->kernels->combine(d->op, d->partial[i % LOOM_VPU_PARTIALS], a, k->lanes);
	} else {
		take_one(k, d, a);
	}
}

void loom_reduce_end(struct loom_vpu_run *k, struct loom_reducer *d)
{
	const uint32_t lanes = k->by_lanes ? k->lanes : 1;

	if (k->v->mask & LOOM_VPU_SCAN)
		return; /* every value is written */
	if (k->views[d->view].flags & LOOM_VIEW_PARTIAL) {
		each_output(k, d, leave_partials);
		return;
	}
	if (!loom_vpu_is_arg(d->op))
		for (uint32_t half = LOOM_VPU_PARTIALS / 2; half; half /= 2)
			for (uint32_t p = 0; p < half && p + half < k->partials; p++)
				k->x->kernels->combine(d->op, d->partial[p], d->partial[p + half], lanes);
	if (k->by_lanes && !loom_vpu_is_arg(d->op))
		loom_vpu_store(k, d->view, d->partial[0]);
	else
		each_output(k, d, leave_value);
}
