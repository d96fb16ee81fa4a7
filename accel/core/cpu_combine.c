// SPDX-License-Identifier: GPL-2.0-or-later OR MIT
/* Sixteen partial results, and their fold: the order of loom_num.h. */
#include "cpu_combine.h"

struct loom_cpu_combine loom_cpu_combine(const struct loom_cpu_run *r, __u32 combiner, __u32 count)
{
	return (struct loom_cpu_combine){ loom_cpu_combiner_info(combiner), count, r->in };
}

static void copy_all(const struct loom_cpu_combine *m, union loom_cpu_reg *d, const union loom_cpu_reg *a,
		     __u32 lanes)
{
	for (__u32 i = 0; i < m->count; i++)
		loom_cpu_move(&d[i], 0, &a[i], 0, m->o[i].dtype, lanes);
}

void loom_cpu_combine_lanes(struct loom_cpu_run *r, const struct loom_cpu_combine *m, union loom_cpu_reg *acc,
			    const union loom_cpu_reg *x, __u32 lanes)
{
	if (m->simple.op) {
		loom_cpu_scalar(m->simple.op, acc, acc, x, x, lanes);
		return;
	}
	copy_all(m, &r->s->arg[0], acc, lanes);
	copy_all(m, &r->s->arg[m->count], x, lanes);
	loom_cpu_program(r, loom_cpu_scalars(r->op), r->op->n_scalar_ops, lanes);
	copy_all(m, acc, &r->s->res[0], lanes);
}

void loom_cpu_partials_begin(struct loom_cpu_run *r, const struct loom_cpu_combine *m, __u32 lanes)
{
	if (!m->simple.op)
		return; /* the first elements are taken as they are */
	for (__u32 p = 0; p < 16; p++)
		loom_cpu_splat(&r->s->partial[p][0], m->o->dtype, m->simple.identity, lanes);
}

void loom_cpu_partials_take(struct loom_cpu_run *r, const struct loom_cpu_combine *m, const union loom_cpu_reg *x,
			    __u64 i, __u32 lanes)
{
	if (!m->simple.op && i < 16)
		copy_all(m, r->s->partial[i], x, lanes);
	else
		loom_cpu_combine_lanes(r, m, r->s->partial[i % 16], x, lanes);
}

/* The initial values are one lane wide until here. */
static void with_initial(struct loom_cpu_run *r, const struct loom_cpu_combine *m, __u32 lanes)
{
	for (__u32 i = 0; i < m->count; i++) {
		const __u32 dtype = m->o[i].dtype;
		union loom_cpu_reg *init = &r->s->init[i];

		loom_cpu_splat(init, dtype, loom_cpu_is_wide(dtype) ? init->d[0] : init->w[0], lanes);
	}
	loom_cpu_combine_lanes(r, m, r->s->init, r->s->partial[0], lanes);
	copy_all(m, r->s->partial[0], r->s->init, lanes);
}

void loom_cpu_partials_end(struct loom_cpu_run *r, const struct loom_cpu_combine *m, __u64 n, __u32 lanes)
{
	const __u32 parts = n < 16 ? (__u32)n : 16;

	for (__u32 half = 8; half; half /= 2)
		for (__u32 p = 0; p < half && p + half < parts; p++)
			loom_cpu_combine_lanes(r, m, r->s->partial[p], r->s->partial[p + half], lanes);
	if (!m->simple.op)
		with_initial(r, m, lanes);
}
