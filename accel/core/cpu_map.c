// SPDX-License-Identifier: GPL-2.0-or-later OR MIT
/* MAP and COPY. The cursor: i elements done; COPY: of pair k. */
#include "cpu_run.h"
#include "loom_cpu_cost.h"

/* Whether no operand has gaps and no position is asked for: then dimensions do not matter. */
static bool is_flat(const struct loom_cpu_run *r, struct loom_cpu_stream *s)
{
	const struct loom_cpu_scalar_op *ops = loom_cpu_scalars(r->op);

	for (__u32 i = 0; i < r->op->n_operands; i++)
		if (!loom_cpu_stream(r, &r->in[i], &s[i]) || (i >= r->op->n_inputs && !s[i].step))
			return false;
	for (__u32 i = 0; i < r->op->n_scalar_ops; i++)
		if (ops[i].op == LOOM_UOP_IOTA)
			return false;
	return true;
}

/* Whether elements lie in memory as lanes do in a register. */
static bool lies_as_lanes(const struct loom_cpu_stream *s)
{
	return s->step >= 4 && !((unsigned long)s->base % sizeof(__u64));
}

#define MAX_PASSAGE 16u /* quanta: what was computed is still in the cache when it is stored */

/* How a flat MAP goes through memory. */
struct passage {
	bool reads, writes; /* in place: what lies as lanes do is not copied to registers and back */
	__u32 quanta; /* at a time */
};

static bool loads_alone(const struct loom_cpu_scalar_op *ops, __u32 n)
{
	for (__u32 i = 0; i < n; i++)
		if (ops[i].op != LOOM_UOP_LOAD)
			return false;
	return true;
}

/* One of 32 bits, whose function takes any number of lanes, over registers alone. */
static bool takes_any_number(const struct loom_cpu_scalar_op *u)
{
	return u->op < 0x100 && u->a < LOOM_CPU_NUM_REGS && u->b < LOOM_CPU_NUM_REGS && u->c < LOOM_CPU_NUM_REGS;
}

/* Memory may change while it is read: what divides or looks into a table works on copies. */
static bool takes_any_value(const struct loom_cpu_op *op)
{
	const struct loom_cpu_scalar_op *ops = loom_cpu_scalars(op);

	for (__u32 i = 0; i < op->n_scalar_ops; i++)
		if (ops[i].op != LOOM_CPU_CVT && loom_cpu_scalar_weight(ops[i].op) != 1)
			return false;
	return true;
}

/*
 * An output may be an input: so nothing may be written in place before all has been read. If no value needs a
 * register, chunks need not end at its size.
 */
static struct passage find_passage(const struct loom_cpu_op *op, const struct loom_cpu_stream *s)
{
	const struct loom_cpu_scalar_op *ops = loom_cpu_scalars(op), *store = ops + op->n_scalar_ops - 1;
	struct passage p = { .quanta = 1 };
	bool all = true;

	p.reads = op->n_operands - op->n_inputs == 1 && op->n_scalar_ops > 1 && store->op == LOOM_UOP_STORE &&
		  takes_any_value(op);
	if (!p.reads || store[-1].op == LOOM_UOP_LOAD || store[-1].dst != store->a)
		return p;
	p.writes = lies_as_lanes(&s[op->n_inputs]);
	for (__u32 i = 0; i < op->n_inputs; i++)
		all &= lies_as_lanes(&s[i]);
	if (p.writes && all && loads_alone(ops, op->n_scalar_ops - 2) && takes_any_number(&store[-1]))
		p.quanta = MAX_PASSAGE;
	return p;
}

static void load_arguments(struct loom_cpu_run *r, const struct loom_cpu_stream *s, const struct passage *way,
			   __u32 lanes, struct loom_cpu_ends *p)
{
	for (__u32 i = 0; i < r->op->n_inputs; i++) {
		__u8 *at = s[i].base + (__s64)p->first * s[i].step;

		if (way->reads && lies_as_lanes(&s[i]))
			p->arg[i] = (const void *)at;
		else if (s[i].step)
			loom_cpu_load_run(at, s[i].step, s[i].dtype, &r->s->arg[i], 0, lanes);
	}
}

/* As many quanta as there may be; what repeats is loaded once for all. */
static bool map_flat(struct loom_cpu_run *r, const struct loom_cpu_stream *s)
{
	const struct loom_cpu_op *op = r->op;
	const struct loom_cpu_stream *out = &s[op->n_inputs];
	const __u64 n = loom_cpu_elements(r->in->dims, r->in->rank);
	const struct passage way = find_passage(op, s);
	struct loom_cpu_ends p = { .out = out };

	for (__u32 i = 0; i < op->n_inputs; i++) {
		p.arg[i] = &r->s->arg[i];
		if (!s[i].step)
			loom_cpu_load_run(s[i].base, 0, s[i].dtype, &r->s->arg[i], 0, LOOM_CPU_LANES);
	}
	for (;; r->more--) {
		const __u32 most = (way.quanta - 1 < r->more ? way.quanta : r->more + 1) * LOOM_CPU_LANES;
		const __u32 lanes = n - r->c->i < most ? (__u32)(n - r->c->i) : most;

		p.first = r->c->i;
		load_arguments(r, s, &way, lanes, &p);
		if (way.writes)
			p.last = (void *)(out->base + (__s64)p.first * out->step);
		loom_cpu_program_at(r, loom_cpu_scalars(op), op->n_scalar_ops, lanes, &p);
		r->c->i += lanes;
		r->more -= (lanes - 1) / LOOM_CPU_LANES;
		if (r->c->i == n || !r->more)
			return r->c->i == n;
	}
}

bool loom_cpu_map(struct loom_cpu_run *r)
{
	const struct loom_cpu_op *op = r->op;
	struct loom_cpu_stream s[LOOM_CPU_MAX_OPERANDS];
	__u32 lanes;

	if (is_flat(r, s))
		return map_flat(r, s);
	lanes = loom_cpu_chunk(r, r->in->dims, r->in->rank, r->c->i);
	for (__u32 i = 0; i < op->n_inputs; i++)
		loom_cpu_load(r, &r->in[i], 0, &r->s->arg[i]);
	loom_cpu_program(r, loom_cpu_scalars(op), op->n_scalar_ops, lanes);
	for (__u32 i = op->n_inputs; i < op->n_operands; i++)
		loom_cpu_store(r, &r->in[i], 0, &r->s->res[i - op->n_inputs]);
	r->c->i += lanes;
	return r->c->i == loom_cpu_elements(r->in->dims, r->in->rank);
}

static void copy_pieces(struct loom_cpu_run *r, const struct loom_cpu_operand *in, const struct loom_cpu_operand *out)
{
	struct loom_cpu_scratch *s = r->s;
	const __u8 *src = loom_cpu_base(r, in);
	__u8 *dst = loom_cpu_base(r, out);
	__s64 *from = s->at, *to = s->best;

	loom_cpu_places(r, in, from);
	loom_cpu_places(r, out, to);
	for (__u32 i = 0; i < s->n_pieces; i++) {
		const struct loom_cpu_piece *p = &s->piece[i];

		loom_cpu_copy_run(dst + to[p->lane], out->rank ? out->strides[s->inner] : 0, src + from[p->lane],
				  in->rank ? in->strides[s->inner] : 0, loom_dtype_bytes(in->dtype), p->count);
	}
}

bool loom_cpu_copy(struct loom_cpu_run *r)
{
	const struct loom_cpu_operand *in = &r->in[r->c->k], *out = &r->out[r->c->k];
	const __u32 lanes = loom_cpu_chunk(r, in->dims, in->rank, r->c->i);

	copy_pieces(r, in, out);
	r->c->i += lanes;
	if (r->c->i < loom_cpu_elements(in->dims, in->rank))
		return false;
	r->c->i = 0;
	return ++r->c->k == r->op->n_inputs;
}
