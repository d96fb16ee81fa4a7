// SPDX-License-Identifier: GPL-2.0-or-later OR MIT
/*
 * REDUCE, WINDOW and SCAN. The cursor: i outputs done (SCAN: lines), j elements of these taken. A quantum takes one
 * element of each of up to 64 outputs, or up to 64 elements of one; folding and storing is a quantum of its own, but
 * for SCAN.
 */
#include "cpu_combine.h"

/* Initial values of a program, one lane. */
static void load_initial(struct loom_cpu_run *r, const struct loom_cpu_combine *m)
{
	for (__u32 i = 0; i < m->count && !m->simple.op; i++) {
		const struct loom_cpu_operand *o = &r->in[m->count + i];

		loom_cpu_load_run(loom_cpu_base(r, o), 0, o->dtype, &r->s->init[i], 0, 1);
	}
}

static void store_all(struct loom_cpu_run *r, const struct loom_cpu_combine *m, __s64 const *extra,
		      const union loom_cpu_reg *a)
{
	for (__u32 i = 0; i < m->count; i++)
		loom_cpu_store(r, &r->out[i], extra ? extra[i] : 0, &a[i]);
}

/* ---- REDUCE -------------------------------------------------------------------------------------------- */

/* The dims of the reduced dimensions, or 1: the box of one output's elements. */
static void reduced_dims(const struct loom_cpu_run *r, __u32 *dims)
{
	const struct loom_cpu_reduce *p = r->params;

	for (__u32 d = 0; d < r->in->rank; d++)
		dims[d] = p->dims >> d & 1 ? r->in->dims[d] : 1;
}

/* Element j of each of up to 64 outputs. */
static bool reduce_by_lanes(struct loom_cpu_run *r, const struct loom_cpu_combine *m, const __u32 *dims, __u64 n)
{
	const struct loom_cpu_operand *out = r->out;
	const __u32 lanes = loom_cpu_chunk(r, out->dims, out->rank, r->c->i);
	union loom_cpu_reg *x = &r->s->arg[m->count]; /* arguments are free until the program runs */

	if (r->c->j == 0)
		loom_cpu_partials_begin(r, m, lanes);
	if (r->c->j < n) {
		for (__u32 i = 0; i < m->count; i++)
			loom_cpu_load(r, &r->in[i],
				      loom_cpu_offset_of(dims, r->in[i].strides, r->in[i].rank, r->c->j), &x[i]);
		loom_cpu_partials_take(r, m, x, r->c->j++, lanes);
		return false;
	}
	load_initial(r, m);
	loom_cpu_partials_end(r, m, n, lanes);
	store_all(r, m, NULL, r->s->partial[0]);
	r->c->i += lanes;
	r->c->j = 0;
	return r->c->i == loom_cpu_elements(out->dims, out->rank);
}

/* Up to 64 elements of one output: its sixteen partial results are lanes of partial[0]. */
static void take_along(struct loom_cpu_run *r, const struct loom_cpu_combine *m, __u32 lanes)
{
	union loom_cpu_reg *x = r->s->partial[1], *part = r->s->partial[2];

	for (__u32 done = 0; done < lanes; done += 16) {
		const __u32 n = lanes - done < 16 ? lanes - done : 16;

		for (__u32 i = 0; i < m->count; i++)
			loom_cpu_move(&part[i], 0, &x[i], done, m->o[i].dtype, n);
		if (!m->simple.op && r->c->j + done < 16)
			for (__u32 i = 0; i < m->count; i++)
				loom_cpu_move(&r->s->partial[0][i], 0, &part[i], 0, m->o[i].dtype, n);
		else
			loom_cpu_combine_lanes(r, m, r->s->partial[0], part, n);
	}
}

/* Lanes of partial[0] become the partial results of one lane. */
static void spread(struct loom_cpu_run *r, const struct loom_cpu_combine *m)
{
	for (__u32 p = 1; p < 16; p++)
		for (__u32 i = 0; i < m->count; i++)
			loom_cpu_move(&r->s->partial[p][i], 0, &r->s->partial[0][i], p, m->o[i].dtype, 1);
}

static void end_along(struct loom_cpu_run *r, const struct loom_cpu_combine *m, __u64 n)
{
	__s64 extra[LOOM_CPU_MAX_COUNT];
	const __u32 one[LOOM_CPU_MAX_RANK] = { 1, 1, 1, 1, 1, 1, 1, 1 };

	spread(r, m);
	load_initial(r, m);
	loom_cpu_partials_end(r, m, n, 1);
	loom_cpu_chunk(r, one, r->out->rank, 0);
	for (__u32 i = 0; i < m->count; i++)
		extra[i] = loom_cpu_offset_of(r->out[i].dims, r->out[i].strides, r->out[i].rank, r->c->i);
	store_all(r, m, extra, r->s->partial[0]);
}

/* All of 64 elements that may be, where the output's elements lie without gaps; false if none. */
static bool fold_flat(struct loom_cpu_run *r, const struct loom_cpu_combine *m, const __u32 *dims, __u64 n)
{
	struct loom_cpu_operand box = *r->in;
	struct loom_cpu_stream s;
	__u64 chunks = (n - r->c->j) / LOOM_CPU_LANES;
	__s64 extra;

	memcpy(box.dims, dims, sizeof(box.dims));
	if (!m->simple.op || !chunks || loom_dtype_bytes(box.dtype) != 4 || !loom_cpu_stream(r, &box, &s) || !s.step)
		return false;
	if (chunks > (__u64)r->more + 1)
		chunks = (__u64)r->more + 1;
	extra = loom_cpu_offset_of(r->out->dims, box.strides, box.rank, r->c->i);
	if (!loom_cpu_fold(m->simple.op, r->s->partial[0][0].w, s.base + extra + (__s64)r->c->j * s.step,
			   chunks * LOOM_CPU_LANES))
		return false;
	r->c->j += chunks * LOOM_CPU_LANES;
	r->more -= (__u32)(chunks - 1);
	return true;
}

static bool reduce_along(struct loom_cpu_run *r, const struct loom_cpu_combine *m, const __u32 *dims, __u64 n)
{
	__u32 lanes;

	if (r->c->j == 0)
		loom_cpu_partials_begin(r, m, 16);
	if (r->c->j == n) {
		end_along(r, m, n);
		r->c->j = 0;
		return ++r->c->i == loom_cpu_elements(r->out->dims, r->out->rank);
	}
	if (fold_flat(r, m, dims, n))
		return false;
	lanes = loom_cpu_chunk(r, dims, r->in->rank, r->c->j);
	for (__u32 i = 0; i < m->count; i++)
		loom_cpu_load(r, &r->in[i],
			      loom_cpu_offset_of(r->out->dims, r->in[i].strides, r->in[i].rank, r->c->i),
			      &r->s->partial[1][i]);
	take_along(r, m, lanes);
	r->c->j += lanes;
	return false;
}

bool loom_cpu_reduce(struct loom_cpu_run *r)
{
	const struct loom_cpu_reduce *p = r->params;
	const struct loom_cpu_combine m = loom_cpu_combine(r, p->combiner, p->count);
	__u32 dims[LOOM_CPU_MAX_RANK] = { 0 };
	__u64 n;

	reduced_dims(r, dims);
	n = loom_cpu_elements(dims, r->in->rank);
	if (loom_cpu_elements(r->out->dims, r->out->rank) >= LOOM_CPU_BY_LANES)
		return reduce_by_lanes(r, &m, dims, n);
	return reduce_along(r, &m, dims, n);
}

/* ---- WINDOW -------------------------------------------------------------------------------------------- */

/* Element j of the window of each of up to 64 outputs. */
static void take_window(struct loom_cpu_run *r, const struct loom_cpu_combine *m, __u32 lanes)
{
	const struct loom_cpu_window *p = r->params;
	struct loom_cpu_scratch *s = r->s;
	union loom_cpu_reg *x = &s->arg[m->count];

	load_initial(r, m);
	for (__u32 i = 0; i < m->count; i++) {
		const struct loom_cpu_operand *o = &r->in[i];
		const struct loom_cpu_frame f = { o->rank,     NULL,	    o->dims, p->size,	p->stride,
						  p->dilation, p->in_dilation, p->pad,  o->strides };
		const __u64 first = loom_cpu_is_wide(o->dtype) ? s->init[i].d[0] : s->init[i].w[0];

		memset(s->at, 0, sizeof(s->at));
		loom_cpu_frame_at(r, &f, r->c->j, s->at, s->valid);
		loom_cpu_load_at(r, o, s->at, s->valid, m->simple.op ? m->simple.identity : first, lanes, &x[i]);
	}
	loom_cpu_partials_take(r, m, x, r->c->j++, lanes);
}

bool loom_cpu_window(struct loom_cpu_run *r)
{
	const struct loom_cpu_window *p = r->params;
	const struct loom_cpu_combine m = loom_cpu_combine(r, p->combiner, p->count);
	const __u64 n = loom_cpu_elements(p->size, r->in->rank);
	const __u32 lanes = loom_cpu_chunk(r, r->out->dims, r->out->rank, r->c->i);

	if (r->c->j == 0)
		loom_cpu_partials_begin(r, &m, lanes);
	if (r->c->j < n) {
		take_window(r, &m, lanes);
		return false;
	}
	load_initial(r, &m);
	loom_cpu_partials_end(r, &m, n, lanes);
	store_all(r, &m, NULL, r->s->partial[0]);
	r->c->i += lanes;
	r->c->j = 0;
	return r->c->i == loom_cpu_elements(r->out->dims, r->out->rank);
}

/* ---- SCAN ---------------------------------------------------------------------------------------------- */

/* Element j of each of up to 64 lines; what they have come to is in partial[0]. */
bool loom_cpu_scan(struct loom_cpu_run *r)
{
	const struct loom_cpu_scan *p = r->params;
	const struct loom_cpu_combine m = loom_cpu_combine(r, p->combiner, p->count);
	const __u32 n = r->in->dims[p->dim];
	__u32 dims[LOOM_CPU_MAX_RANK], lanes;
	union loom_cpu_reg *x = &r->s->arg[m.count];
	__s64 extra[LOOM_CPU_MAX_COUNT];

	memcpy(dims, r->in->dims, sizeof(dims));
	dims[p->dim] = 1;
	lanes = loom_cpu_chunk(r, dims, r->in->rank, r->c->i);
	if (r->c->j == 0)
		loom_cpu_partials_begin(r, &m, lanes);
	for (__u32 i = 0; i < m.count; i++) {
		loom_cpu_load(r, &r->in[i], (__s64)r->c->j * r->in[i].strides[p->dim], &x[i]);
		extra[i] = (__s64)r->c->j * r->out[i].strides[p->dim];
	}
	if (m.simple.op || r->c->j)
		loom_cpu_combine_lanes(r, &m, r->s->partial[0], x, lanes);
	else
		loom_cpu_partials_take(r, &m, x, 0, lanes);
	store_all(r, &m, extra, r->s->partial[0]);
	if (++r->c->j < n)
		return false;
	r->c->i += lanes;
	r->c->j = 0;
	return r->c->i == loom_cpu_elements(dims, r->in->rank);
}
