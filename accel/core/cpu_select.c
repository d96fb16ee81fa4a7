// SPDX-License-Identifier: GPL-2.0-or-later OR MIT
/*
 * SELECT_SCATTER. The cursor: k 0 while the output becomes the initial value, then 1; i elements (of the output, then
 * of the source) done, j window elements of these looked at. From quantum to quantum best[] and found[] say where the
 * selected elements lie in the output, partial[0] what they are.
 */
#include "cpu_run.h"

static bool fill(struct loom_cpu_run *r)
{
	const struct loom_cpu_operand *init = &r->in[2];
	const __u32 lanes = loom_cpu_chunk(r, r->out->dims, r->out->rank, r->c->i);
	union loom_cpu_reg *v = &r->s->arg[0];

	loom_cpu_load_run(loom_cpu_base(r, init), 0, init->dtype, v, 0, lanes);
	loom_cpu_store(r, r->out, 0, v);
	r->c->i += lanes;
	if (r->c->i == loom_cpu_elements(r->out->dims, r->out->rank)) {
		r->c->i = 0;
		r->c->k = 1;
	}
	return false;
}

/* Places of window element j in an operand that has the array's dims. */
static void window_at(struct loom_cpu_run *r, const struct loom_cpu_operand *o)
{
	const struct loom_cpu_select_scatter *p = r->params;
	const struct loom_cpu_frame f = { o->rank, NULL, o->dims, p->size, p->stride, NULL, NULL, p->pad, o->strides };

	memset(r->s->at, 0, sizeof(r->s->at));
	loom_cpu_frame_at(r, &f, r->c->j, r->s->at, r->s->valid);
}

static void take_window_element(struct loom_cpu_run *r, __u32 lanes)
{
	const struct loom_cpu_select_scatter *p = r->params;
	struct loom_cpu_scratch *s = r->s;
	union loom_cpu_reg *selected = &s->partial[0][0], *next = &s->partial[1][0];
	const __u32 dtype = r->in->dtype;

	window_at(r, r->in);
	loom_cpu_load_at(r, r->in, s->at, s->valid, 0, lanes, next);
	loom_cpu_move(&s->arg[0], 0, selected, 0, dtype, lanes);
	loom_cpu_move(&s->arg[1], 0, next, 0, dtype, lanes);
	loom_cpu_program(r, loom_cpu_scalars(r->op), p->n_select, lanes);
	window_at(r, r->out);
	for (__u32 i = 0; i < lanes; i++) {
		if (!s->valid[i] || (s->found[i] && s->res[0].w[i]))
			continue;
		s->found[i] = 1;
		s->best[i] = s->at[i];
		loom_cpu_move(selected, i, next, i, dtype, 1);
	}
}

static void put_source(struct loom_cpu_run *r, __u32 lanes)
{
	const struct loom_cpu_select_scatter *p = r->params;
	const struct loom_cpu_operand *source = &r->in[1];
	const struct loom_cpu_updates u = { loom_cpu_scalars(r->op) + p->n_select,
					    r->op->n_scalar_ops - p->n_select,
					    1,
					    source,
					    r->s->init,
					    r->s->where };

	memcpy(r->s->where[0], r->s->best, sizeof(r->s->best));
	memcpy(r->s->valid, r->s->found, sizeof(r->s->valid));
	loom_cpu_load(r, source, 0, &r->s->init[0]);
	loom_cpu_update_at(r, &u, lanes);
}

bool loom_cpu_select_scatter(struct loom_cpu_run *r)
{
	const struct loom_cpu_select_scatter *p = r->params;
	const struct loom_cpu_operand *source = &r->in[1];
	__u32 lanes;

	if (!r->c->k)
		return fill(r);
	lanes = loom_cpu_chunk(r, source->dims, source->rank, r->c->i);
	if (r->c->j == 0) {
		memset(r->s->found, 0, sizeof(r->s->found));
		loom_cpu_splat(&r->s->partial[0][0], source->dtype, 0, lanes);
	}
	if (r->c->j < loom_cpu_elements(p->size, r->in->rank)) {
		take_window_element(r, lanes);
		r->c->j++;
		return false;
	}
	put_source(r, lanes);
	r->c->i += lanes;
	r->c->j = 0;
	return r->c->i == loom_cpu_elements(source->dims, source->rank);
}
