/* SPDX-License-Identifier: GPL-2.0-or-later OR MIT */
/* What the check, the cost and the run of the CPU engine know of scalar operations, types and an operation's parts. */
#ifndef LOOM_CPU_OPS_PRIV_H
#define LOOM_CPU_OPS_PRIV_H

#include "cpu_engine.h"
#include "loom_cpu_cost.h"

/* How a register holds a type. */
enum loom_cpu_form { LOOM_CPU_FORM_F32, LOOM_CPU_FORM_I32, LOOM_CPU_FORM_F64, LOOM_CPU_FORM_I64, LOOM_CPU_FORM_NONE };

enum loom_cpu_class {
	LOOM_CPU_CLASS_NONE, /* no such operation */
	LOOM_CPU_CLASS_W, /* 32-bit operands and result */
	LOOM_CPU_CLASS_D, /* 64-bit operands and result */
	LOOM_CPU_CLASS_S, /* 64-bit, but the first operand */
	LOOM_CPU_CLASS_P, /* 64-bit operands, 32-bit result */
	LOOM_CPU_CLASS_V, /* as the types say */
};

struct loom_cpu_scalar_info {
	__u8 cls; /* enum loom_cpu_class */
	__u8 operands; /* registers or immediates that are read */
};

struct loom_cpu_scalar_info loom_cpu_scalar_info(__u32 op);

struct loom_cpu_combiner_info {
	__u16 op; /* scalar operation; 0: no such combiner */
	__u8 form;
	__u64 identity;
};

struct loom_cpu_combiner_info loom_cpu_combiner_info(__u32 combiner);

static inline __u32 loom_cpu_form(__u32 dtype)
{
	if (dtype <= LOOM_F16)
		return LOOM_CPU_FORM_F32;
	if (dtype < LOOM_NUM_NPU_DTYPES)
		return LOOM_CPU_FORM_I32;
	if (dtype == LOOM_F64)
		return LOOM_CPU_FORM_F64;
	return dtype == LOOM_I64 || dtype == LOOM_U64 ? LOOM_CPU_FORM_I64 : LOOM_CPU_FORM_NONE;
}

static inline bool loom_cpu_is_wide(__u32 dtype)
{
	return dtype >= LOOM_F64;
}

static inline __u64 loom_cpu_elements(const __u32 *dims, __u32 rank)
{
	__u64 n = 1;

	for (__u32 d = 0; d < rank; d++)
		n *= dims[d];
	return n;
}

#endif
