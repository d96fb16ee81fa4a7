// SPDX-License-Identifier: GPL-2.0-or-later OR MIT
/* The check of a CPU segment: the rules of CHOLESKY and TRIANGULAR_SOLVE. */
#include "cpu_check.h"

/* Matrices of F32 or F64, or of the parts of pairs of F32; operand i of parts operands goes together with the first. */
static bool check_matrices(struct loom_cpu_check *c, const struct loom_cpu_op *op, __u32 parts)
{
	const struct loom_cpu_operand *o = loom_cpu_operands(op);

	if (o->dtype != LOOM_F32 && (parts == 2 || o->dtype != LOOM_F64))
		return loom_cpu_bad(c, "matrix is not of F32, or F64, or pairs of F32", o->dtype);
	if (o->rank < 2)
		return loom_cpu_bad(c, "matrix has less than two dimensions", o->rank);
	for (__u32 i = 1; i < op->n_operands; i++)
		if (!loom_cpu_same_type(c, o, &o[i]) || (i % parts && !loom_cpu_same_dims(c, &o[i - i % parts], &o[i])))
			return false;
	return true;
}

static bool check_square(struct loom_cpu_check *c, const struct loom_cpu_operand *o)
{
	if (o->dims[o->rank - 1] != o->dims[o->rank - 2])
		return loom_cpu_bad(c, "matrix is not square", o->dims[o->rank - 1]);
	return true;
}

/* Results that later rows and columns are made of. */
static bool check_read_back(struct loom_cpu_check *c, const struct loom_cpu_operand *o, __u32 parts)
{
	for (__u32 i = 0; i < parts; i++)
		if (!loom_cpu_check_rights(c, &o[i], LOOM_RIGHT_READ | LOOM_RIGHT_WRITE))
			return false;
	return true;
}

bool loom_cpu_check_cholesky(struct loom_cpu_check *c, const struct loom_cpu_op *op)
{
	const struct loom_cpu_operand *o = loom_cpu_operands(op);
	const __u32 parts = op->n_inputs == 2 ? 2 : 1;

	return loom_cpu_operand_counts(c, op, parts, parts) && loom_cpu_no_program(c, op) &&
	       check_matrices(c, op, parts) && check_square(c, o) && loom_cpu_same_dims(c, o, &o[parts]) &&
	       check_read_back(c, &o[parts], parts);
}

/* B has the batch and the rows of A. */
static bool check_right(struct loom_cpu_check *c, const struct loom_cpu_operand *a, const struct loom_cpu_operand *b)
{
	if (a->rank != b->rank)
		return loom_cpu_bad(c, "operands' ranks differ", b->rank);
	for (__u32 d = 0; d + 1 < a->rank; d++)
		if (a->dims[d] != b->dims[d])
			return loom_cpu_bad(c, "operands' dims differ", d);
	return true;
}

bool loom_cpu_check_triangular_solve(struct loom_cpu_check *c, const struct loom_cpu_op *op)
{
	const struct loom_cpu_triangular_solve *p = loom_cpu_params(op);
	const struct loom_cpu_operand *a = loom_cpu_operands(op);
	const __u32 parts = op->n_inputs == 4 ? 2 : 1;
	const struct loom_cpu_operand *b = a + parts, *x = b + parts;

	if (p->flags & ~(LOOM_CPU_SOLVE_UNIT | (parts == 2 ? LOOM_CPU_SOLVE_CONJUGATE : 0)))
		return loom_cpu_bad(c, "unknown flag", p->flags);
	return loom_cpu_all_zero(c, &p->rsvd, sizeof(p->rsvd)) &&
	       loom_cpu_operand_counts(c, op, 2 * parts, parts) && loom_cpu_no_program(c, op) &&
	       check_matrices(c, op, parts) && check_square(c, a) && check_right(c, a, b) &&
	       loom_cpu_same_dims(c, b, x) && check_read_back(c, x, parts);
}
