/* SPDX-License-Identifier: GPL-2.0-or-later OR MIT */
/* Between the structures that factorise (cpu_factor.c, cpu_householder.c): elements of matrices. */
#ifndef LOOM_CPU_FACTOR_H
#define LOOM_CPU_FACTOR_H

#include "cpu_run.h"

/* How a matrix is kept. */
struct loom_cpu_matter {
	__u32 parts; /* 2: pairs */
	__u32 dtype;
	__u32 row, column; /* dimensions */
};

static inline struct loom_cpu_matter loom_cpu_matter_of(const struct loom_cpu_operand *o, __u32 parts)
{
	return (struct loom_cpu_matter){ parts, o->dtype, o->rank - 2u, o->rank - 1u };
}

/*
 * For each lane the element that is row and column steps from it, along dimensions in which all lanes are the same:
 * where stay is given the operand does not move along that dimension.
 */
void loom_cpu_load_element(struct loom_cpu_run *r, const struct loom_cpu_operand *o, const struct loom_cpu_matter *f,
			   __u32 stay, __u64 row, __u64 column, union loom_cpu_reg *d);

/* Where each lane of the chunk is along a dimension. */
void loom_cpu_positions(const struct loom_cpu_run *r, __u32 dim, __u32 *at);

/* q = y / a, numbers of so many parts in f64, each operation rounded; q lies apart. t: a register to spoil. */
void loom_cpu_divide_wide(__u32 parts, union loom_cpu_reg *q, const union loom_cpu_reg *y, const union loom_cpu_reg *a,
			  union loom_cpu_reg *t, __u32 lanes);

/* Elements from number c->i on have been dealt with in this pass over a box; true after the last. */
static inline bool loom_cpu_next_chunk(struct loom_cpu_run *r, const __u32 *dims, __u32 rank, __u32 lanes)
{
	r->c->k = 0;
	r->c->i += lanes;
	if (r->c->i < loom_cpu_elements(dims, rank))
		return false;
	r->c->i = 0;
	return true;
}

#endif
