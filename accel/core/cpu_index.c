// SPDX-License-Identifier: GPL-2.0-or-later OR MIT
/*
 * GATHER and SCATTER. An index is loaded once, into a register, and clamped or compared there: its slot may change
 * while it is looked at. The cursor: i elements done.
 */
#include "cpu_run.h"

struct indices {
	__u32 n;
	const struct loom_cpu_operand *o; /* the arrays */
	const __u32 *limit;
	const __s64 *stride;
	bool clamp; /* else those out of bounds make the lane invalid */
};

/* An index of any integer type as one of 64 bits, signed; what is above counts as the largest. */
static __s64 index_value(__u32 dtype, const union loom_cpu_reg *v, __u32 i)
{
	switch (dtype) {
	case LOOM_I64:
		return (__s64)v->d[i];
	case LOOM_U64:
		return v->d[i] >> 63 ? 0x7fffffffffffffffll : (__s64)v->d[i];
	case LOOM_I32:
	case LOOM_I16:
	case LOOM_I8:
		return (__s32)v->w[i];
	default:
		return v->w[i];
	}
}

static void add_index(struct loom_cpu_run *r, const struct indices *x, __u32 j, __u32 lanes)
{
	const struct loom_cpu_operand *o = &x->o[j];
	const __s64 limit = x->limit[j];

	loom_cpu_load(r, o, 0, &r->s->arg[0]);
	for (__u32 i = 0; i < lanes; i++) {
		const __s64 v = index_value(o->dtype, &r->s->arg[0], i);
		const __s64 clamped = v < 0 ? 0 : v > limit ? limit : v;

		r->s->valid[i] &= x->clamp || v == clamped;
		r->s->at[i] += clamped * x->stride[j];
	}
}

/* Places in o of a chunk's elements, moved by the indices. */
static void places(struct loom_cpu_run *r, const struct loom_cpu_operand *o, const struct indices *x, __u32 lanes)
{
	loom_cpu_places(r, o, r->s->at);
	for (__u32 i = 0; i < lanes; i++)
		r->s->valid[i] = 1;
	for (__u32 j = 0; j < x->n; j++)
		add_index(r, x, j, lanes);
}

bool loom_cpu_gather(struct loom_cpu_run *r)
{
	const struct loom_cpu_gather *p = r->params;
	const struct indices x = { p->n_index, r->in + 1, p->limit, p->stride, true };
	const struct loom_cpu_operand *o = r->in;
	const __u32 lanes = loom_cpu_chunk(r, o->dims, o->rank, r->c->i);
	const __u32 bytes = loom_dtype_bytes(o->dtype);
	const __u8 *src = loom_cpu_base(r, o);
	__u8 *dst = loom_cpu_base(r, r->out);

	places(r, o, &x, lanes);
	loom_cpu_places(r, r->out, r->s->best);
	for (__u32 i = 0; i < lanes; i++)
		loom_cpu_copy_run(dst + r->s->best[i], 0, src + r->s->at[i], 0, bytes, 1);
	r->c->i += lanes;
	return r->c->i == loom_cpu_elements(o->dims, o->rank);
}

/* Lanes from first on none of which touches what another does. */
static __u32 apart(const __s64 *at, __u32 first, __u32 lanes, __u32 bytes)
{
	for (__u32 i = first + 1; i < lanes; i++)
		for (__u32 k = first; k < i; k++) {
			const __u64 way = (__u64)(at[i] - at[k]) + bytes - 1;

			if (way < 2 * (__u64)bytes - 1)
				return i - first;
		}
	return lanes - first;
}

/* Moves the valid lanes to the front, with their updates; returns how many. */
static __u32 keep_valid(struct loom_cpu_scratch *s, const struct loom_cpu_updates *u, __u32 lanes)
{
	__u32 n = 0;

	for (__u32 i = 0; i < lanes; i++) {
		if (!s->valid[i])
			continue;
		for (__u32 m = 0; m < u->count; m++) {
			u->at[m][n] = u->at[m][i];
			loom_cpu_move(&u->v[m], n, &u->v[m], i, u->o[m].dtype, 1);
		}
		n++;
	}
	return n;
}

/* Lanes from first on none of which touches in any array what another does. */
static __u32 all_apart(const struct loom_cpu_run *r, const struct loom_cpu_updates *u, __u32 first, __u32 lanes)
{
	for (__u32 m = 0; m < u->count; m++)
		lanes = first + apart(u->at[m], first, lanes, loom_dtype_bytes(r->out[m].dtype));
	return lanes - first;
}

void loom_cpu_update_at(struct loom_cpu_run *r, const struct loom_cpu_updates *u, __u32 chunk)
{
	struct loom_cpu_scratch *s = r->s;
	const __u32 lanes = keep_valid(s, u, chunk);

	for (__u32 first = 0, n; first < lanes; first += n) {
		n = all_apart(r, u, first, lanes);
		for (__u32 m = 0; m < u->count; m++) {
			loom_cpu_load_at(r, &r->out[m], u->at[m] + first, NULL, 0, n, &s->arg[m]);
			loom_cpu_move(&s->arg[u->count + m], 0, &u->v[m], first, u->o[m].dtype, n);
		}
		loom_cpu_program(r, u->ops, u->n_ops, n);
		for (__u32 m = 0; m < u->count; m++)
			loom_cpu_store_at(r, &r->out[m], u->at[m] + first, n, &s->res[m]);
	}
}

bool loom_cpu_scatter(struct loom_cpu_run *r)
{
	const struct loom_cpu_scatter *p = r->params;
	const struct loom_cpu_updates u = { loom_cpu_scalars(r->op), r->op->n_scalar_ops, p->count,
					    r->in,		     r->s->init,	  r->s->where };
	const __u32 chunk = loom_cpu_chunk(r, r->in->dims, r->in->rank, r->c->i);

	for (__u32 m = 0; m < p->count; m++) {
		const struct indices x = { p->n_index, r->in + p->count, p->limit, p->stride[m],
					   p->flags & LOOM_CPU_SCATTER_CLAMP };

		places(r, &r->out[m], &x, chunk);
		memcpy(r->s->where[m], r->s->at, sizeof(r->s->at));
		loom_cpu_load(r, &r->in[m], 0, &r->s->init[m]);
	}
	loom_cpu_update_at(r, &u, chunk);
	r->c->i += chunk;
	return r->c->i == loom_cpu_elements(r->in->dims, r->in->rank);
}
