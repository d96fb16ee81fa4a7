// SPDX-License-Identifier: GPL-2.0-or-later OR MIT
/* The check of a CPU segment: the rules of FFT, CHOLESKY, TRIANGULAR_SOLVE, QR and HOUSEHOLDER. */
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

/* One of tau's numbers for each of the first k columns: [batch..., 1, k]. */
static bool check_tau(struct loom_cpu_check *c, const struct loom_cpu_operand *a, const struct loom_cpu_operand *tau,
		      bool all)
{
	const __u32 row = a->rank - 2u, column = a->rank - 1u;
	const __u32 k = a->dims[row] < a->dims[column] ? a->dims[row] : a->dims[column];

	if (a->rank != tau->rank)
		return loom_cpu_bad(c, "operands' ranks differ", tau->rank);
	for (__u32 d = 0; d < row; d++)
		if (a->dims[d] != tau->dims[d])
			return loom_cpu_bad(c, "operands' dims differ", d);
	if (tau->dims[row] != 1 || tau->dims[column] > k || (all && tau->dims[column] < k))
		return loom_cpu_bad(c, "number of reflections is not the matrix's", tau->dims[column]);
	if (a->dims[row] > LOOM_CPU_MAX_EXTENT)
		return loom_cpu_refuse(c, LOOM_CPU_TOO_MUCH, "matrix has more than 2^24 rows", a->dims[row]);
	return true;
}

bool loom_cpu_check_qr(struct loom_cpu_check *c, const struct loom_cpu_op *op)
{
	const struct loom_cpu_operand *a = loom_cpu_operands(op);
	const __u32 parts = op->n_inputs == 2 ? 2 : 1;
	const struct loom_cpu_operand *out = a + parts;

	return loom_cpu_operand_counts(c, op, parts, 2 * parts) && loom_cpu_no_program(c, op) &&
	       check_matrices(c, op, parts) && loom_cpu_same_dims(c, a, out) && check_tau(c, a, out + parts, true) &&
	       check_read_back(c, out, 2 * parts);
}

bool loom_cpu_check_householder(struct loom_cpu_check *c, const struct loom_cpu_op *op)
{
	const struct loom_cpu_operand *a = loom_cpu_operands(op);
	const __u32 parts = op->n_inputs == 4 ? 2 : 1;
	const struct loom_cpu_operand *q = a + 2 * parts;

	return loom_cpu_operand_counts(c, op, 2 * parts, parts) && loom_cpu_no_program(c, op) &&
	       check_matrices(c, op, parts) && loom_cpu_same_dims(c, a, q) && check_tau(c, a, a + parts, false) &&
	       check_read_back(c, q, parts);
}

/* Operands a, count parts of one array whose lines have length elements; other dims as those of the input. */
static bool check_parts(struct loom_cpu_check *c, const struct loom_cpu_op *op, const struct loom_cpu_operand *a,
			__u32 count, __u32 length)
{
	const struct loom_cpu_fft *p = loom_cpu_params(op);
	const struct loom_cpu_operand *in = loom_cpu_operands(op);

	if (a->rank != in->rank)
		return loom_cpu_bad(c, "operands' ranks differ", a->rank);
	for (__u32 d = 0; d < in->rank; d++)
		if (a->dims[d] != (d == p->dim ? length : in->dims[d]))
			return loom_cpu_bad(c, "operand's dims are not those of the transform", d);
	return loom_cpu_same_type(c, in, a) && (count == 1 || (loom_cpu_same_type(c, a, a + 1) && loom_cpu_same_dims(c, a, a + 1)));
}

static bool check_fft_workspace(struct loom_cpu_check *c, const struct loom_cpu_operand *w, __u32 length)
{
	if (w->dtype != LOOM_F64 || w->rank != 1 || w->strides[0] != 8 || w->dims[0] != loom_cpu_fft_workspace(length))
		return loom_cpu_bad(c, "workspace is not dense F64 of the transform's size", w->dims[0]);
	return loom_cpu_check_rights(c, w, LOOM_RIGHT_READ | LOOM_RIGHT_WRITE);
}

bool loom_cpu_check_fft(struct loom_cpu_check *c, const struct loom_cpu_op *op)
{
	const struct loom_cpu_fft *p = loom_cpu_params(op);
	const struct loom_cpu_operand *in = loom_cpu_operands(op), *out = in + op->n_inputs;
	const __u32 inputs = p->kind == LOOM_CPU_FFT_RFFT ? 1 : 2, outputs = p->kind == LOOM_CPU_FFT_IRFFT ? 1 : 2;
	const __u32 half = p->length / 2 + 1;

	if (p->kind > LOOM_CPU_FFT_IRFFT || !p->length || p->length > LOOM_CPU_MAX_FFT)
		return loom_cpu_bad(c, "kind or length of a transform out of range", p->length);
	if (!loom_cpu_all_zero(c, p->rsvd, sizeof(p->rsvd)) || !loom_cpu_operand_counts(c, op, inputs, outputs + 1) ||
	    !loom_cpu_no_program(c, op))
		return false;
	if (p->dim >= in->rank)
		return loom_cpu_bad(c, "dimension of a transform is not the operand's", p->dim);
	if (in->dtype != LOOM_F32 && in->dtype != LOOM_F64)
		return loom_cpu_bad(c, "transform is not of F32 or F64", in->dtype);
	return check_parts(c, op, in, inputs, outputs == 1 ? half : p->length) &&
	       check_parts(c, op, out, outputs, inputs == 1 ? half : p->length) &&
	       check_fft_workspace(c, out + outputs, p->length);
}
