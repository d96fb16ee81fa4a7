// SPDX-License-Identifier: GPL-2.0-or-later OR MIT
/* MAP and COPY. The cursor: i elements done; COPY: of pair k. */
#include "cpu_run.h"

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

/* As many quanta as there may be; what repeats is loaded once for all. */
static bool map_flat(struct loom_cpu_run *r, const struct loom_cpu_stream *s)
{
	const struct loom_cpu_op *op = r->op;
	const __u64 n = loom_cpu_elements(r->in->dims, r->in->rank);

	for (__u32 i = 0; i < op->n_inputs; i++)
		if (!s[i].step)
			loom_cpu_load_run(s[i].base, 0, s[i].dtype, &r->s->arg[i], 0, LOOM_CPU_LANES);
	for (;; r->more--) {
		const __u64 first = r->c->i;
		const __u32 lanes = n - first < LOOM_CPU_LANES ? (__u32)(n - first) : LOOM_CPU_LANES;

		for (__u32 i = 0; i < op->n_inputs; i++)
			if (s[i].step)
				loom_cpu_load_run(s[i].base + (__s64)first * s[i].step, s[i].step, s[i].dtype,
						  &r->s->arg[i], 0, lanes);
		loom_cpu_program_to(r, loom_cpu_scalars(op), op->n_scalar_ops, lanes, &s[op->n_inputs], first);
		r->c->i += lanes;
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
