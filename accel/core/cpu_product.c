// SPDX-License-Identifier: GPL-2.0-or-later OR MIT
/* The products of DOT and CONV. This file computes with floats. */
#include "loom_num64.h"
#include "cpu_run.h"

void loom_cpu_multiply_add(__u32 form, union loom_cpu_reg *acc, const union loom_cpu_reg *a,
			   const union loom_cpu_reg *b, __u32 n)
{
	switch (form) {
	case LOOM_CPU_FORM_F32:
		for (__u32 i = 0; i < n; i++)
			acc->w[i] = loom_num_fma(a->w[i], b->w[i], acc->w[i]);
		break;
	case LOOM_CPU_FORM_I32:
		for (__u32 i = 0; i < n; i++)
			acc->w[i] += a->w[i] * b->w[i];
		break;
	case LOOM_CPU_FORM_F64:
		for (__u32 i = 0; i < n; i++) {
			const double p = loom_num_double(a->d[i]) * loom_num_double(b->d[i]);

			acc->d[i] = loom_num_result64(loom_num_double(acc->d[i]) + p);
		}
		break;
	default:
		for (__u32 i = 0; i < n; i++)
			acc->d[i] += a->d[i] * b->d[i];
	}
}
