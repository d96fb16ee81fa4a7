// SPDX-License-Identifier: GPL-2.0-or-later OR MIT
/*
 * DOT and CONV: lanes are outputs, each with one accumulator, in partial[0]. The cursor: i outputs done, j products of
 * these taken; CONV: j window elements and k channels. A quantum takes up to sixteen products of each lane.
 */
#include "cpu_run.h"

static union loom_cpu_reg *accumulator(struct loom_cpu_run *r)
{
	return &r->s->partial[0][0];
}

static bool finish(struct loom_cpu_run *r, __u32 lanes)
{
	loom_cpu_store(r, r->out, 0, accumulator(r));
	r->c->i += lanes;
	r->c->j = 0;
	return r->c->i == loom_cpu_elements(r->out->dims, r->out->rank);
}

static void multiply(struct loom_cpu_run *r, __u32 lanes)
{
	loom_cpu_multiply_add(loom_cpu_form(r->out->dtype), accumulator(r), &r->s->arg[0], &r->s->arg[1], lanes);
}

bool loom_cpu_dot(struct loom_cpu_run *r)
{
	const struct loom_cpu_dot *p = r->params;
	const __u64 n = loom_cpu_elements(p->dims, p->n_dims);
	const __u64 end = n - r->c->j < LOOM_CPU_PRODUCTS ? n : r->c->j + LOOM_CPU_PRODUCTS;
	const __u32 lanes = loom_cpu_chunk(r, r->out->dims, r->out->rank, r->c->i);

	if (r->c->j == 0)
		loom_cpu_splat(accumulator(r), r->out->dtype, 0, lanes);
	for (; r->c->j < end; r->c->j++) {
		loom_cpu_load(r, &r->in[0], loom_cpu_offset_of(p->dims, p->left, p->n_dims, r->c->j), &r->s->arg[0]);
		loom_cpu_load(r, &r->in[1], loom_cpu_offset_of(p->dims, p->right, p->n_dims, r->c->j), &r->s->arg[1]);
		multiply(r, lanes);
	}
	return r->c->j == n && finish(r, lanes);
}

/* One channel of one window element; at[] is where its first channel lies in the input. */
static void take_channel(struct loom_cpu_run *r, __s64 right, __u32 lanes)
{
	const struct loom_cpu_conv *p = r->params;
	struct loom_cpu_scratch *s = r->s;
	const __s64 left = (__s64)r->c->k * p->left_channel;

	for (__u32 i = 0; i < lanes; i++)
		s->best[i] = s->at[i] + left;
	loom_cpu_load_at(r, &r->in[0], s->best, s->valid, p->pad_value, lanes, &s->arg[0]);
	loom_cpu_load(r, &r->in[1], right + (__s64)r->c->k * p->right_channel, &s->arg[1]);
	multiply(r, lanes);
}

bool loom_cpu_conv(struct loom_cpu_run *r)
{
	const struct loom_cpu_conv *p = r->params;
	const struct loom_cpu_frame f = { p->n_spatial, p->dim,	       p->size, p->window, p->stride,
					  p->dilation,	p->in_dilation, p->pad,	p->left };
	const __u64 n = loom_cpu_elements(p->window, p->n_spatial);
	const __u32 end =
		p->channels - r->c->k < LOOM_CPU_PRODUCTS ? p->channels : r->c->k + LOOM_CPU_PRODUCTS;
	const __u32 lanes = loom_cpu_chunk(r, r->out->dims, r->out->rank, r->c->i);
	const __s64 right = loom_cpu_offset_of(p->window, p->right, p->n_spatial, r->c->j);

	if (r->c->j == 0 && r->c->k == 0)
		loom_cpu_splat(accumulator(r), r->out->dtype, 0, lanes);
	loom_cpu_places(r, &r->in[0], r->s->at);
	loom_cpu_frame_at(r, &f, r->c->j, r->s->at, r->s->valid);
	for (; r->c->k < end; r->c->k++)
		take_channel(r, right, lanes);
	if (r->c->k < p->channels)
		return false;
	r->c->k = 0;
	return ++r->c->j == n && finish(r, lanes);
}
