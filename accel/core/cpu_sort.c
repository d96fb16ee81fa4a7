// SPDX-License-Identifier: GPL-2.0-or-later OR MIT
/*
 * SORT: a merge sort of element numbers, bottom up. On each level every element finds by binary search how many of
 * the neighbouring run go before it, and so its own place: 64 elements side by side, and steps whose number does not
 * depend on the data. Element numbers lie in the workspace, which may change at any time: they are read once and
 * clamped at each use.
 *
 * The cursor: i the line; j elements of it placed; k: level in bits 8 on, step of the search in bits 0 to 7. Runs of
 * level l have 2^l elements. The level after the last one puts elements where they belong.
 */
#include "cpu_run.h"

struct line {
	const struct loom_cpu_sort *p;
	__u32 n; /* elements */
	__u32 levels;
	__u32 level, step;
	__u32 first, lanes; /* of this chunk */
	__u8 *from, *to; /* halves of the workspace */
};

/* Number i of a list; on level 0 the list is 0, 1, 2, ... */
static __u32 element(const struct line *l, __u32 i)
{
	__u32 v = i;

	if (l->level)
		memcpy(&v, l->from + 4 * (__u64)i, sizeof(v));
	return v < l->n ? v : l->n - 1;
}

/* Bytes from an operand's first element to the first of a line. */
static __s64 line_offset(const struct loom_cpu_run *r, const struct loom_cpu_operand *o, __u32 dim)
{
	__u32 dims[LOOM_CPU_MAX_RANK];

	memcpy(dims, o->dims, sizeof(dims));
	dims[dim] = 1;
	return loom_cpu_offset_of(dims, o->strides, o->rank, r->c->i);
}

/* The run that an element of the level's list belongs to, and its neighbour. */
static void runs_of(const struct line *l, __u32 i, __u64 *own, __u64 *other, __u64 *end)
{
	const __u64 width = 1ull << l->level;

	*own = i & ~(width - 1);
	*other = *own ^ width;
	*end = *other + width < l->n ? *other + width : l->n;
	if (*other > l->n)
		*other = l->n;
}

static void search_begin(struct loom_cpu_run *r, const struct line *l)
{
	for (__u32 k = 0; k < l->lanes; k++) {
		__u64 own, other, end;

		runs_of(l, l->first + k, &own, &other, &end);
		r->s->lo[k] = (__u32)other;
		r->s->hi[k] = (__u32)end;
		r->s->found[k] = element(l, l->first + k);
	}
}

/* An element of the left run goes before equals of the right one, so the right one's is the left argument. */
static void search_pairs(struct loom_cpu_run *r, const struct line *l)
{
	struct loom_cpu_scratch *s = r->s;

	for (__u32 k = 0; k < l->lanes; k++) {
		const bool in_left = !((l->first + k) >> l->level & 1);
		const __u32 mid = s->lo[k] + (s->hi[k] - s->lo[k]) / 2;
		const __u32 there = element(l, mid < l->n ? mid : l->n - 1);

		/*
		 * Left: those of the right run that go before mine. Right: those of the left run that mine does not
		 * go before.
		 */
		s->left[k] = in_left ? there : s->found[k];
		s->right[k] = in_left ? s->found[k] : there;
	}
}

static void compare(struct loom_cpu_run *r, const struct line *l)
{
	struct loom_cpu_scratch *s = r->s;

	for (__u32 m = 0; m < l->p->count; m++) {
		const struct loom_cpu_operand *o = &r->in[m];
		const __s64 first = line_offset(r, o, l->p->dim), step = o->strides[l->p->dim];

		for (__u32 k = 0; k < l->lanes; k++)
			s->at[k] = first + s->left[k] * step;
		loom_cpu_load_at(r, o, s->at, NULL, 0, l->lanes, &s->arg[m]);
		for (__u32 k = 0; k < l->lanes; k++)
			s->at[k] = first + s->right[k] * step;
		loom_cpu_load_at(r, o, s->at, NULL, 0, l->lanes, &s->arg[l->p->count + m]);
	}
	loom_cpu_program(r, loom_cpu_scalars(r->op), r->op->n_scalar_ops, l->lanes);
}

static void search_step(struct loom_cpu_run *r, const struct line *l)
{
	struct loom_cpu_scratch *s = r->s;

	search_pairs(r, l);
	compare(r, l);
	for (__u32 k = 0; k < l->lanes; k++) {
		const bool in_left = !((l->first + k) >> l->level & 1);
		const __u32 mid = s->lo[k] + (s->hi[k] - s->lo[k]) / 2;

		if (s->lo[k] >= s->hi[k])
			continue;
		if ((s->res[0].w[k] != 0) == in_left)
			s->lo[k] = mid + 1;
		else
			s->hi[k] = mid;
	}
}

static void put_places(struct loom_cpu_run *r, const struct line *l)
{
	for (__u32 k = 0; k < l->lanes; k++) {
		const __u32 i = l->first + k;
		__u64 own, other, end, place;

		runs_of(l, i, &own, &other, &end);
		place = (own < other ? own : other) + (i - own) + (r->s->lo[k] - other);
		if (place >= l->n) /* data that changed under the search */
			place = l->n - 1;
		memcpy(l->to + 4 * place, &r->s->found[k], sizeof(__u32));
	}
}

/* Elements to where the last list says. */
static void put_elements(struct loom_cpu_run *r, const struct line *l)
{
	for (__u32 m = 0; m < l->p->count; m++) {
		const struct loom_cpu_operand *in = &r->in[m], *out = &r->out[m];
		const __s64 step = in->strides[l->p->dim], out_step = out->strides[l->p->dim];
		const __u8 *src = loom_cpu_base(r, in) + line_offset(r, in, l->p->dim);
		__u8 *dst = loom_cpu_base(r, out) + line_offset(r, out, l->p->dim);

		for (__u32 k = 0; k < l->lanes; k++)
			loom_cpu_copy_run(dst + (l->first + k) * out_step, 0, src + r->s->found[k] * step, 0,
					  loom_dtype_bytes(in->dtype), 1);
	}
}

static void take_up(struct loom_cpu_run *r, struct line *l)
{
	const struct loom_cpu_sort *p = r->params;
	__u8 *work = loom_cpu_base(r, &r->out[p->count]);

	l->p = p;
	l->n = r->in->dims[p->dim];
	l->levels = loom_cpu_levels(l->n);
	l->level = r->c->k >> 8;
	l->step = r->c->k & 0xff;
	l->first = (__u32)r->c->j;
	l->lanes = l->n - l->first < LOOM_CPU_LANES ? l->n - l->first : LOOM_CPU_LANES;
	l->from = work + (l->level & 1 ? 0 : 4 * (__u64)l->n);
	l->to = work + (l->level & 1 ? 4 * (__u64)l->n : 0);
}

/* To the next chunk, level, line; true after the last. */
static bool advance(struct loom_cpu_run *r, const struct line *l)
{
	r->c->k = l->level << 8;
	r->c->j += l->lanes;
	if (r->c->j < l->n)
		return false;
	r->c->j = 0;
	r->c->k = (l->level + 1) << 8;
	if (l->level < l->levels)
		return false;
	r->c->k = 0;
	return ++r->c->i == loom_cpu_elements(r->in->dims, r->in->rank) / l->n;
}

bool loom_cpu_sort(struct loom_cpu_run *r)
{
	struct line l;

	take_up(r, &l);
	if (l.step == 0)
		search_begin(r, &l);
	if (l.level == l.levels) {
		put_elements(r, &l);
		return advance(r, &l);
	}
	search_step(r, &l);
	if (l.step < l.level) { /* a run of 2^l elements has 2^l + 1 answers: l + 1 steps */
		r->c->k++;
		return false;
	}
	put_places(r, &l);
	return advance(r, &l);
}
