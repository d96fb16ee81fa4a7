// SPDX-License-Identifier: GPL-2.0-or-later OR MIT
/* The cost of an operation, by the formula of loom_cpu_ops.h. */
#include "cpu_ops.h"

__u64 loom_cpu_quanta(const struct loom_cpu_op *op)
{
	return loom_cpu_op_quanta(op);
}

__u64 loom_cpu_cost(const struct loom_cpu_op *op)
{
	return loom_cpu_op_cost(op);
}
