// SPDX-License-Identifier: GPL-2.0-or-later OR MIT
/* The cost of an operation, by the formula of loom_cpu_ops.h. */
#include "cpu_ops.h"

#define TOO_MUCH (~0ull)

/* Products and sums that stick at TOO_MUCH. */
static __u64 times(__u64 a, __u64 b)
{
	__u64 r;

	return a == TOO_MUCH || b == TOO_MUCH || __builtin_mul_overflow(a, b, &r) || r >> 63 ? TOO_MUCH : r;
}

static __u64 plus(__u64 a, __u64 b)
{
	__u64 r;

	return a == TOO_MUCH || b == TOO_MUCH || __builtin_add_overflow(a, b, &r) || r >> 63 ? TOO_MUCH : r;
}

static __u64 product(const __u32 *n, __u32 count)
{
	__u64 r = 1;

	for (__u32 d = 0; d < count; d++)
		r = times(r, n[d]);
	return r;
}

static __u64 elements(const struct loom_cpu_operand *o)
{
	return product(o->dims, o->rank);
}

static __u64 copy_quanta(const struct loom_cpu_op *op)
{
	__u64 n = 0;

	for (__u32 i = 0; i < op->n_inputs; i++)
		n = plus(n, loom_cpu_chunks(elements(&loom_cpu_operands(op)[i])));
	return n;
}

static __u64 reduce_quanta(const struct loom_cpu_op *op)
{
	const struct loom_cpu_operand *in = loom_cpu_operands(op), *out = in + op->n_inputs;
	const __u64 outputs = elements(out), reduced = elements(in) / outputs;

	return times(outputs >= LOOM_CPU_BY_LANES ? loom_cpu_chunks(outputs) : outputs,
		     plus(outputs >= LOOM_CPU_BY_LANES ? reduced : loom_cpu_chunks(reduced), 1));
}

static __u64 window_quanta(const struct loom_cpu_op *op)
{
	const struct loom_cpu_operand *out = loom_cpu_operands(op) + op->n_inputs;
	const struct loom_cpu_window *w = loom_cpu_params(op);

	return times(loom_cpu_chunks(elements(out)), plus(product(w->size, out->rank), 1));
}

static __u64 select_quanta(const struct loom_cpu_op *op)
{
	const struct loom_cpu_operand *o = loom_cpu_operands(op);
	const struct loom_cpu_select_scatter *w = loom_cpu_params(op);

	return plus(loom_cpu_chunks(elements(&o[3])),
		    times(loom_cpu_chunks(elements(&o[1])), plus(product(w->size, o->rank), 1)));
}

static __u64 scan_quanta(const struct loom_cpu_op *op)
{
	const struct loom_cpu_operand *o = loom_cpu_operands(op);
	const struct loom_cpu_scan *s = loom_cpu_params(op);
	const __u32 n = o->dims[s->dim];

	return times(loom_cpu_chunks(elements(o) / n), n);
}

static __u64 sort_quanta(const struct loom_cpu_op *op)
{
	const struct loom_cpu_operand *o = loom_cpu_operands(op);
	const struct loom_cpu_sort *s = loom_cpu_params(op);
	const __u32 n = o->dims[s->dim];
	const __u64 levels = loom_cpu_levels(n);

	return times(times(elements(o) / n, loom_cpu_chunks(n)), levels * (levels + 1) / 2 + 1);
}

static __u64 dot_quanta(const struct loom_cpu_op *op)
{
	const struct loom_cpu_dot *p = loom_cpu_params(op);
	const __u64 k = product(p->dims, p->n_dims);

	return times(loom_cpu_chunks(elements(&loom_cpu_operands(op)[2])),
		     k == TOO_MUCH ? k : (k + LOOM_CPU_PRODUCTS - 1) / LOOM_CPU_PRODUCTS);
}

static __u64 conv_quanta(const struct loom_cpu_op *op)
{
	const struct loom_cpu_conv *p = loom_cpu_params(op);

	return times(times(loom_cpu_chunks(elements(&loom_cpu_operands(op)[2])), product(p->window, p->n_spatial)),
		     (p->channels + (__u64)LOOM_CPU_PRODUCTS - 1) / LOOM_CPU_PRODUCTS);
}

__u64 loom_cpu_quanta(const struct loom_cpu_op *op)
{
	switch (op->structure) {
	case LOOM_CPU_COPY:
		return copy_quanta(op);
	case LOOM_CPU_REDUCE:
		return reduce_quanta(op);
	case LOOM_CPU_WINDOW:
		return window_quanta(op);
	case LOOM_CPU_SELECT_SCATTER:
		return select_quanta(op);
	case LOOM_CPU_SCAN:
		return scan_quanta(op);
	case LOOM_CPU_SORT:
		return sort_quanta(op);
	case LOOM_CPU_DOT:
		return dot_quanta(op);
	case LOOM_CPU_CONV:
		return conv_quanta(op);
	default: /* MAP, GATHER, SCATTER */
		return loom_cpu_chunks(elements(loom_cpu_operands(op)));
	}
}

__u64 loom_cpu_cost(const struct loom_cpu_op *op)
{
	const __u32 weight = op->n_scalar_ops ? loom_cpu_weight(op) : 1;

	return times(loom_cpu_quanta(op), LOOM_CPU_LANES * (8 + (__u64)weight));
}
