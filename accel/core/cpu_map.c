// SPDX-License-Identifier: GPL-2.0-or-later OR MIT
/* MAP and COPY. The cursor: i elements done; COPY: of pair k. */
#include "cpu_run.h"

bool loom_cpu_map(struct loom_cpu_run *r)
{
	const struct loom_cpu_op *op = r->op;
	const __u32 lanes = loom_cpu_chunk(r, r->in->dims, r->in->rank, r->c->i);

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
