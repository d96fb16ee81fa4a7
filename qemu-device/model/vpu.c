// SPDX-License-Identifier: GPL-2.0-or-later OR MIT
/*
 * The vector unit: walks a record's elements in chunks of up to 256 and runs the chain over each chunk, one
 * micro-operation after the other.
 *
 * The order shows only where a view that is written overlaps another view other than element for element; it is
 *  - without a reducer: all elements in row-major order, 256 at a time;
 *  - with reducers, if the innermost dimension longer than 1 is reduced: the outputs (dimensions that are not
 *    reduced) in row-major order; for each, its elements in row-major order of the reduced dimensions, 256 at a
 *    time; then its results are written;
 *  - with reducers otherwise: 256 outputs at a time in row-major order; for these, element 0 of each, then element
 *    1 of each, and so on; then their results are written.
 * A scan walks like a reduction, and writes a chunk's values when the chain comes to its reducer.
 * Threads share outputs where no order shows (vpu_apart.c).
 * Within a chunk every micro-operation is done for all elements before the next begins. So a view that is read and
 * written at the same addresses by the same elements works in place.
 */
#include <string.h>
#include "unit_check.h"
#include "vpu.h"

enum { MAX_PARTS = 8 }; /* ranges of outputs that threads may share */

#define PART_WORK (1u << 14) /* micro-operations on elements, at least, of each part */

_Static_assert(MAX_PARTS * sizeof(struct loom_vpu_run) <= LOOM_EXEC_MIN_SCRATCH, "fits the smallest scratch memory");

/*
 * A record, and how it is shared. Outputs are the elements of the dimensions that are not reduced; without a reducer
 * every element is one.
 */
struct shared {
	const struct loom_exec *x;
	const struct loom_dispatched *r;
	uint64_t outputs, each; /* and elements of each */
	bool by_lanes; /* lanes are outputs, and units are chunks of them; else each output is a unit */
	uint64_t units;
	uint32_t parts;
};

static bool has_iota(const struct loom_vpu *v)
{
	for (unsigned i = 0; i < v->nops; i++)
		if (LOOM_UOP_OP(loom_vpu_ops(v)[i]) == LOOM_UOP_IOTA)
			return true;
	return false;
}

/* Appends dimension d to the walk, or merges it into the last one. */
static void walk_add(struct loom_vpu_run *k, unsigned d, bool merge)
{
	struct loom_walk *w = &k->walk;
	const uint32_t n = k->v->n[d], last = w->dims - 1;

	merge = merge && w->dims;
	for (unsigned i = 0; merge && i < k->v->nviews; i++)
		merge = w->stride[last][i] == (int64_t)k->views[i].stride[d] * n;
	if (!merge)
		w->n[w->dims++] = 1;
	w->n[w->dims - 1] *= n;
	for (unsigned i = 0; i < k->v->nviews; i++)
		w->stride[w->dims - 1][i] = k->views[i].stride[d];
	w->place[d] = (int8_t)(w->dims - 1);
	w->elements *= n;
}

/* Walks the dimensions in which the bits of mask equal want. */
static void walk_begin(struct loom_vpu_run *k, uint8_t mask, bool want)
{
	const bool merge = !has_iota(k->v);
	struct loom_walk *w = &k->walk;

	memset(w, 0, sizeof(*w));
	w->elements = 1;
	for (unsigned d = 0; d < LOOM_VPU_DIMS; d++) {
		w->place[d] = -1;
		if ((mask >> d & 1) == want && k->v->n[d] > 1)
			walk_add(k, d, merge);
	}
	if (!w->dims)
		w->n[w->dims++] = 1;
	for (unsigned i = 0; i < k->v->nviews; i++)
		k->step[i] = w->stride[w->dims - 1][i];
}

/* Lists the runs of the chunk that begins at an element of the walk. */
static void list_runs(struct loom_vpu_run *k, uint64_t element)
{
	const struct loom_walk *w = &k->walk;
	const uint64_t left = w->elements - element;
	const uint32_t inner = w->dims - 1;
	uint32_t index[LOOM_VPU_DIMS];

	k->lanes = left < LOOM_VPU_CHUNK ? (uint32_t)left : LOOM_VPU_CHUNK;
	k->nruns = 0;
	for (uint32_t d = w->dims; d--; element /= w->n[d])
		index[d] = (uint32_t)(element % w->n[d]);
	for (uint32_t lane = 0; lane < k->lanes;) {
		struct loom_run *run = &k->runs[k->nruns++];

		run->first = lane;
		run->count = w->n[inner] - index[inner];
		if (run->count > k->lanes - lane)
			run->count = k->lanes - lane;
		memcpy(run->index, index, sizeof(index));
		for (uint32_t i = 0; i < k->v->nviews; i++) {
			run->offset[i] = 0;
			for (uint32_t d = 0; d < w->dims; d++)
				run->offset[i] += index[d] * w->stride[d][i];
		}
		lane += run->count;
		index[inner] = 0;
		for (uint32_t d = inner; d--;) {
			if (++index[d] < w->n[d])
				break;
			index[d] = 0;
		}
	}
}

static void iota(struct loom_vpu_run *k, unsigned dim, uint32_t *dst)
{
	const int place = k->walk.place[dim];
	const bool inner = place == (int)k->walk.dims - 1;

	for (uint32_t r = 0; r < k->nruns; r++) {
		const struct loom_run *run = &k->runs[r];
		const uint32_t first = place < 0 ? k->index[dim] : run->index[place];

		for (uint32_t i = 0; i < run->count; i++)
			dst[run->first + i] = first + (inner ? i : 0);
	}
}

/* The chain over one chunk; element is the number of its elements within their outputs, for reducers. */
static void run_chain(struct loom_vpu_run *k, uint32_t element)
{
	const uint32_t *ops = loom_vpu_ops(k->v);
	const unsigned n = (k->lanes + 15) & ~15u;
	struct loom_reducer *reducer = k->reducer;

	for (unsigned i = 0; i < k->v->nops; i++) {
		const uint32_t u = ops[i], op = LOOM_UOP_OP(u);
		const uint32_t *a = k->regs[LOOM_UOP_A(u)];
		uint32_t *d = k->regs[LOOM_UOP_DST(u)];

		if (op == LOOM_UOP_LOAD)
			loom_vpu_load(k, LOOM_UOP_A(u), d);
		else if (op == LOOM_UOP_STORE)
			loom_vpu_store(k, LOOM_UOP_DST(u), a);
		else if (op == LOOM_UOP_IOTA)
			iota(k, LOOM_UOP_A(u), d);
		else if (loom_uop_table[op].cls == LOOM_UC_R)
			loom_reduce_take(k, reducer++, a, element);
		else
			loom_vpu_alu(k->x, op, d, a, k->regs[LOOM_UOP_B(u)], k->regs[LOOM_UOP_C(u)], n);
	}
}

static void reducers(struct loom_vpu_run *k, void (*f)(struct loom_vpu_run *k, struct loom_reducer *d))
{
	for (uint32_t i = 0; i < k->nreducers; i++)
		f(k, &k->reducer[i]);
}

/* Moves to number i of the dimensions that are not walked, row-major. */
static void move_to(struct loom_vpu_run *k, const struct loom_dispatched *r, uint8_t mask, bool want, uint64_t i)
{
	for (unsigned v = 0; v < k->v->nviews; v++)
		k->base[v] = k->x->sram + loom_unit_address(k->views[v].base, v < 4 ? r->base[v] : 0);
	for (unsigned d = LOOM_VPU_DIMS; d--;) {
		k->index[d] = 0;
		if ((mask >> d & 1) != want || k->v->n[d] == 1)
			continue;
		k->index[d] = (uint32_t)(i % k->v->n[d]);
		i /= k->v->n[d];
		for (unsigned v = 0; v < k->v->nviews; v++)
			k->base[v] += (int64_t)k->index[d] * k->views[v].stride[d];
	}
}

/* Whether a reducer takes up or leaves all its partial results. */
static bool leaves_partials(const struct loom_vpu_run *k)
{
	for (uint32_t i = 0; i < k->nreducers; i++)
		if (k->views[k->reducer[i].view].flags & (LOOM_VIEW_RESUME | LOOM_VIEW_PARTIAL))
			return true;
	return false;
}

/* Lanes are outputs: walks what is not reduced. */
static void run_by_lanes(struct loom_vpu_run *k, const struct shared *s, uint64_t first, uint64_t end)
{
	const uint8_t mask = k->v->mask;

	walk_begin(k, mask, false);
	if (s->each < LOOM_VPU_PARTIALS && !leaves_partials(k))
		k->partials = (uint32_t)s->each;
	for (uint64_t unit = first; unit < end; unit++) {
		list_runs(k, unit * LOOM_VPU_CHUNK);
		move_to(k, s->r, mask, true, 0);
		reducers(k, loom_reduce_begin);
		for (uint64_t i = 0; i < s->each; i++) {
			if (i)
				move_to(k, s->r, mask, true, i);
			run_chain(k, (uint32_t)i);
		}
		reducers(k, loom_reduce_end);
	}
}

/* Lanes are elements of one output: walks what is reduced. */
static void run_by_outputs(struct loom_vpu_run *k, const struct shared *s, uint64_t first, uint64_t end)
{
	const uint8_t mask = k->v->mask;

	walk_begin(k, mask, true);
	for (uint64_t i = first; i < end; i++) {
		move_to(k, s->r, mask, false, i);
		reducers(k, loom_reduce_begin);
		for (uint64_t element = 0; element < k->walk.elements; element += LOOM_VPU_CHUNK) {
			list_runs(k, element);
			run_chain(k, (uint32_t)element);
		}
		reducers(k, loom_reduce_end);
	}
}

static void begin(struct loom_vpu_run *k, const struct shared *s)
{
	const struct loom_vpu *v = &s->r->vpu;
	const uint32_t *ops = loom_vpu_ops(v);

	k->x = s->x;
	k->v = v;
	k->views = loom_vpu_views(v);
	k->by_lanes = s->by_lanes;
	k->nreducers = 0;
	k->partials = LOOM_VPU_PARTIALS;
	for (unsigned i = 0; i < v->nops; i++)
		if (loom_uop_table[LOOM_UOP_OP(ops[i])].cls == LOOM_UC_R) {
			struct loom_reducer *d = &k->reducer[k->nreducers++];

			d->op = LOOM_UOP_OP(ops[i]);
			d->view = LOOM_UOP_DST(ops[i]);
		}
	for (unsigned i = 0; i < v->nimms; i++)
		for (unsigned lane = 0; lane < LOOM_VPU_CHUNK; lane++)
			k->regs[LOOM_VPU_NUM_VREGS + i][lane] = loom_vpu_imms(v)[i];
}

static void run_part(void *arg, unsigned part)
{
	const struct shared *s = arg;
	struct loom_vpu_run *k = (struct loom_vpu_run *)(void *)s->x->scratch + part;
	const uint64_t first = s->units * part / s->parts, end = s->units * (part + 1) / s->parts;

	begin(k, s);
	if (s->by_lanes)
		run_by_lanes(k, s, first, end);
	else
		run_by_outputs(k, s, first, end);
}

static struct shared share(const struct loom_exec *x, const struct loom_dispatched *r)
{
	const struct loom_vpu *v = &r->vpu;
	struct shared s = { .x = x, .r = r, .outputs = 1, .each = 1, .parts = 1 };
	unsigned inner = LOOM_VPU_DIMS - 1;
	uint64_t parts;

	for (unsigned d = 0; d < LOOM_VPU_DIMS; d++) {
		*(v->mask >> d & 1 ? &s.each : &s.outputs) *= v->n[d];
		if (v->n[d] > 1)
			inner = d;
	}
	s.by_lanes = !(v->mask >> inner & 1);
	s.units = s.by_lanes ? (s.outputs + LOOM_VPU_CHUNK - 1) / LOOM_VPU_CHUNK : s.outputs;
	parts = s.outputs * s.each * v->nops / PART_WORK;
	if (parts > MAX_PARTS)
		parts = MAX_PARTS;
	if (parts > s.units)
		parts = s.units;
	if (parts > 1 && x->host && x->host->parallel_for && loom_vpu_outputs_apart(r))
		s.parts = (uint32_t)parts;
	return s;
}

void loom_vpu_exec(const struct loom_exec *x, const struct loom_dispatched *r)
{
	struct shared s = share(x, r);

	if (s.parts > 1)
		x->host->parallel_for(x->opaque, s.parts, run_part, &s);
	else
		run_part(&s, 0);
}
