/* SPDX-License-Identifier: GPL-2.0-or-later OR MIT */
/* What has been combined so far: of REDUCE and WINDOW. */
#ifndef LOOM_CPU_COMBINE_H
#define LOOM_CPU_COMBINE_H

#include "cpu_run.h"

/* A combiner, or the scalar program, over count arrays. */
struct loom_cpu_combine {
	struct loom_cpu_combiner_info simple; /* op 0: the program */
	__u32 count;
	const struct loom_cpu_operand *o; /* arrays; their types */
};

struct loom_cpu_combine loom_cpu_combine(const struct loom_cpu_run *r, __u32 combiner, __u32 count);

/* acc[m] = combine(acc, x)[m] */
void loom_cpu_combine_lanes(struct loom_cpu_run *r, const struct loom_cpu_combine *m, union loom_cpu_reg *acc,
			    const union loom_cpu_reg *x, __u32 lanes);

/* The partial results before the first element. */
void loom_cpu_partials_begin(struct loom_cpu_run *r, const struct loom_cpu_combine *m, __u32 lanes);

/* Element number i of each lane. */
void loom_cpu_partials_take(struct loom_cpu_run *r, const struct loom_cpu_combine *m, const union loom_cpu_reg *x,
			    __u64 i, __u32 lanes);

/* Folds those of n elements, and combines the initial values with them; the results are in partial[0]. */
void loom_cpu_partials_end(struct loom_cpu_run *r, const struct loom_cpu_combine *m, __u64 n, __u32 lanes);

#endif
