// SPDX-License-Identifier: GPL-2.0-or-later OR MIT
/* Scalar programs, a micro-operation at a time over all lanes of a chunk. */
#include "cpu_run.h"

void loom_cpu_prepare(struct loom_cpu_run *r)
{
	for (__u32 i = 0; i < r->op->n_imms; i++)
		for (__u32 k = 0; k < LOOM_CPU_LANES; k++) {
			r->s->imm[i].w[k] = (__u32)loom_cpu_imms(r->op)[i];
			r->s->imm[LOOM_CPU_MAX_IMMS + i].d[k] = loom_cpu_imms(r->op)[i];
		}
}

void loom_cpu_splat(union loom_cpu_reg *d, __u32 dtype, __u64 v, __u32 n)
{
	if (loom_cpu_is_wide(dtype))
		for (__u32 i = 0; i < n; i++)
			d->d[i] = v;
	else
		for (__u32 i = 0; i < n; i++)
			d->w[i] = (__u32)v;
}

void loom_cpu_move(union loom_cpu_reg *d, __u32 to, const union loom_cpu_reg *a, __u32 from, __u32 dtype, __u32 n)
{
	if (loom_cpu_is_wide(dtype))
		memmove(&d->d[to], &a->d[from], n * sizeof(__u64));
	else
		memmove(&d->w[to], &a->w[from], n * sizeof(__u32));
}

static void iota(struct loom_cpu_run *r, __u32 dim, union loom_cpu_reg *d)
{
	for (__u32 i = 0; i < r->s->n_pieces; i++) {
		const struct loom_cpu_piece *p = &r->s->piece[i];

		for (__u32 k = 0; k < p->count; k++)
			d->w[p->lane + k] = p->pos[dim] + (dim == r->s->inner ? k : 0);
	}
}

void loom_cpu_scalar(__u32 op, union loom_cpu_reg *d, const union loom_cpu_reg *a, const union loom_cpu_reg *b,
		     const union loom_cpu_reg *c, __u32 n)
{
	if (op < 0x100)
		loom_cpu_word(op, d->w, a->w, b->w, c->w, n);
	else if (op < 0x200)
		loom_cpu_float64(op, d, a, b, c, n);
	else
		loom_cpu_int64(op, d, a, b, c, n);
}

/* Where registers' values lie: in arguments, until something else is written to the register. */
struct values {
	const union loom_cpu_reg *at[LOOM_CPU_NUM_REGS];
};

/* A register, or an immediate in the width that is read. */
static const union loom_cpu_reg *source(const struct loom_cpu_run *r, const struct values *v, __u32 reg, bool wide)
{
	if (reg < LOOM_CPU_NUM_REGS)
		return v->at[reg];
	return &r->s->imm[reg - LOOM_CPU_NUM_REGS + (wide ? LOOM_CPU_MAX_IMMS : 0)];
}

/* One that computes. Fields that it does not use name register 0, whatever that is. */
static void compute(struct loom_cpu_run *r, const struct loom_cpu_scalar_op *u, struct values *v, __u32 lanes,
		    union loom_cpu_reg *d)
{
	const bool wide = u->op >= 0x100;

	if (u->op == LOOM_UOP_IOTA)
		iota(r, u->a, d);
	else if (u->op == LOOM_CPU_CVT)
		loom_cpu_convert(u->b, u->c, d, source(r, v, u->a, loom_cpu_is_wide(u->b)), lanes);
	else
		loom_cpu_scalar(u->op, d, source(r, v, u->a, wide && u->op != LOOM_CPU_SELECT64),
				source(r, v, u->b, wide), source(r, v, u->c, wide), lanes);
	v->at[u->dst] = d;
}

/* More lanes than a register has are those of e->last, which lie as the elements do. */
static void put_result(struct loom_cpu_run *r, __u32 result, const union loom_cpu_reg *a, __u32 lanes,
		       const struct loom_cpu_ends *e)
{
	const struct loom_cpu_stream *out;

	if (!e->out) {
		r->s->res[result] = *a;
		return;
	}
	out = &e->out[result];
	for (__u32 k = 0; k < lanes; k += LOOM_CPU_LANES)
		loom_cpu_store_run(out->base + (__s64)(e->first + k) * out->step, out->step, out->dtype,
				   (const void *)((const __u8 *)a + (__s64)k * out->step), 0,
				   lanes - k < LOOM_CPU_LANES ? lanes - k : LOOM_CPU_LANES);
}

void loom_cpu_program(struct loom_cpu_run *r, const struct loom_cpu_scalar_op *ops, __u32 n, __u32 lanes)
{
	struct loom_cpu_ends e = { .out = NULL };

	for (__u32 i = 0; i < LOOM_CPU_MAX_OPERANDS; i++)
		e.arg[i] = &r->s->arg[i];
	loom_cpu_program_at(r, ops, n, lanes, &e);
}

static bool is_float(__u32 dtype)
{
	return dtype == LOOM_F32 || dtype == LOOM_F64;
}

void loom_cpu_program_at(struct loom_cpu_run *r, const struct loom_cpu_scalar_op *ops, __u32 n, __u32 lanes,
			 const struct loom_cpu_ends *e)
{
	const struct loom_cpu_scalar_op *const end = ops + n;
	struct values v;

	v.at[0] = &r->s->reg[0];
	for (const struct loom_cpu_scalar_op *u = ops; u < end; u++) {
		if (u->op == LOOM_UOP_LOAD)
			v.at[u->dst] = e->arg[u->a];
		else if (u->op != LOOM_UOP_STORE)
			compute(r, u, &v, lanes, e->last && u == end - 2 ? e->last : &r->s->reg[u->dst]);
		else if (!e->last || is_float(e->out->dtype)) /* NaNs become canonical when they are stored */
			put_result(r, u->dst, v.at[u->a], lanes, e);
	}
}
