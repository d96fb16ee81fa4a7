// SPDX-License-Identifier: GPL-2.0-or-later OR MIT
/* The vector unit's operations over a chunk: the kernels' arithmetic, and the look-up in a table in SRAM. */
#include "kernels.h"
#include "vpu.h"

/* The table is b's one value, which the check knows. */
static void look_up(const struct loom_exec *x, uint32_t *d, const uint32_t *a, const uint32_t *b, unsigned n)
{
	const uint8_t *table = x->sram + b[0];

	for (unsigned i = 0; i < n; i++)
		d[i] = (uint32_t)(int8_t)table[a[i] & 0xff];
}

void loom_vpu_alu(const struct loom_exec *x, uint32_t op, uint32_t *d, const uint32_t *a, const uint32_t *b,
		  const uint32_t *c, unsigned n)
{
	if (op == LOOM_UOP_LUT8)
		look_up(x, d, a, b, n);
	else
		x->kernels->alu(op, d, a, b, c, n);
}
