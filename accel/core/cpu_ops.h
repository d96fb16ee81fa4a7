/* SPDX-License-Identifier: GPL-2.0-or-later OR MIT */
/* What the check, the cost and the run of the CPU engine know of scalar operations, types and an operation's parts. */
#ifndef LOOM_CPU_OPS_PRIV_H
#define LOOM_CPU_OPS_PRIV_H

#include "cpu_engine.h"

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
	__u16 weight;
};

struct loom_cpu_scalar_info loom_cpu_scalar_info(__u32 op);

struct loom_cpu_combiner_info {
	__u16 op; /* scalar operation; 0: no such combiner */
	__u8 form;
	__u64 identity;
};

struct loom_cpu_combiner_info loom_cpu_combiner_info(__u32 combiner);

/* Of the scalar operations of an operation, together. */
__u32 loom_cpu_weight(const struct loom_cpu_op *op);

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

/* The parts of an operation whose header is sound. */
static inline const struct loom_cpu_operand *loom_cpu_operands(const struct loom_cpu_op *op)
{
	return (const struct loom_cpu_operand *)(const void *)(op + 1);
}

static inline const void *loom_cpu_params(const struct loom_cpu_op *op)
{
	return loom_cpu_operands(op) + op->n_operands;
}

static inline const __u64 *loom_cpu_imms(const struct loom_cpu_op *op)
{
	return (const __u64 *)(const void *)((const char *)op + op->bytes) - op->n_imms;
}

static inline const struct loom_cpu_scalar_op *loom_cpu_scalars(const struct loom_cpu_op *op)
{
	return (const struct loom_cpu_scalar_op *)(const void *)loom_cpu_imms(op) - op->n_scalar_ops;
}

static inline __u64 loom_cpu_elements(const __u32 *dims, __u32 rank)
{
	__u64 n = 1;

	for (__u32 d = 0; d < rank; d++)
		n *= dims[d];
	return n;
}

static inline __u64 loom_cpu_chunks(__u64 n)
{
	return (n + LOOM_CPU_LANES - 1) / LOOM_CPU_LANES;
}

/* log2, rounded up. */
static inline __u32 loom_cpu_levels(__u32 n)
{
	return n > 1 ? 32 - (__u32)__builtin_clz(n - 1) : 0;
}

/* Outputs of a REDUCE from which on lanes are outputs; with fewer they are elements of one. */
#define LOOM_CPU_BY_LANES 16u
/* Products of each output that DOT and CONV take in a quantum. */
#define LOOM_CPU_PRODUCTS 16u

#endif
