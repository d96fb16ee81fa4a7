/* SPDX-License-Identifier: GPL-2.0-or-later OR MIT */
/*
 * Between the check's parts: operations as such, operands and programs (cpu_check.c), structures (cpu_check_struct.c,
 * cpu_check_linear.c).
 */
#ifndef LOOM_CPU_CHECK_H
#define LOOM_CPU_CHECK_H

#include "cpu_ops.h"
#include "loom_regs.h" /* LOOM_RIGHT_* */

/* A segment that is being checked. */
struct loom_cpu_check {
	const struct loom_cpu_slot *slots; /* or NULL, */
	const struct loom_prog_slot *declared; /* and these instead */
	struct loom_cpu_error *e;
	__u32 n_slots, n_locs;
	enum loom_cpu_status status;
};

/* The bytes, from an operand's first element, that its accesses lie in. */
struct loom_cpu_extent {
	__s64 lo, hi;
};

/* Arguments and results of a scalar program. */
struct loom_cpu_signature {
	const struct loom_cpu_scalar_op *ops;
	__u32 n_ops;
	__u32 n_args, n_results;
	__u32 iota_rank; /* 0: no IOTA here */
	bool wide_arg[16], wide_result[16];
};

/* Both note what is wrong and return false. */
bool loom_cpu_bad(struct loom_cpu_check *c, const char *what, __u64 value);
bool loom_cpu_refuse(struct loom_cpu_check *c, enum loom_cpu_status status, const char *what, __u64 value);

/* An operand's own box; then more steps of it, each taken 0 to count - 1 times; false if beyond 63 bits. */
bool loom_cpu_box(const struct loom_cpu_operand *o, struct loom_cpu_extent *x);
bool loom_cpu_extend(struct loom_cpu_extent *x, __u64 count, __s64 stride);

/* Whether the extent lies in the operand's slot. */
bool loom_cpu_check_extent(struct loom_cpu_check *c, const struct loom_cpu_operand *o, const struct loom_cpu_extent *x);

/* Whether the slot may be read, or written, or both. */
bool loom_cpu_check_rights(struct loom_cpu_check *c, const struct loom_cpu_operand *o, __u32 rights);

bool loom_cpu_check_program(struct loom_cpu_check *c, const struct loom_cpu_op *op, const struct loom_cpu_signature *s);

/* ---- cpu_check_struct.c: what rules are made of ------------------------------------------------------------ */

bool loom_cpu_same_dims(struct loom_cpu_check *c, const struct loom_cpu_operand *a, const struct loom_cpu_operand *b);
bool loom_cpu_same_type(struct loom_cpu_check *c, const struct loom_cpu_operand *a, const struct loom_cpu_operand *b);
bool loom_cpu_all_zero(struct loom_cpu_check *c, const void *bytes, __u32 n);
bool loom_cpu_operand_counts(struct loom_cpu_check *c, const struct loom_cpu_op *op, __u32 inputs, __u32 outputs);
bool loom_cpu_no_program(struct loom_cpu_check *c, const struct loom_cpu_op *op);

/* ---- cpu_check_linear.c ------------------------------------------------------------------------------------ */

bool loom_cpu_check_fft(struct loom_cpu_check *c, const struct loom_cpu_op *op);
bool loom_cpu_check_cholesky(struct loom_cpu_check *c, const struct loom_cpu_op *op);
bool loom_cpu_check_triangular_solve(struct loom_cpu_check *c, const struct loom_cpu_op *op);
bool loom_cpu_check_qr(struct loom_cpu_check *c, const struct loom_cpu_op *op);
bool loom_cpu_check_householder(struct loom_cpu_check *c, const struct loom_cpu_op *op);

/* Bytes of a structure's parameters; its rules, once header, operands and cost of the program are sound. */
struct loom_cpu_structure_info {
	const char *refusal; /* of one that is not run */
	__u32 param_bytes;
	bool known;
	bool (*check)(struct loom_cpu_check *c, const struct loom_cpu_op *op);
};

struct loom_cpu_structure_info loom_cpu_structure_info(__u32 structure);

#endif
