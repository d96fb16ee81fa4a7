// SPDX-License-Identifier: GPL-2.0-or-later OR MIT
/*
 * QR and HOUSEHOLDER: reflections I - tau v v^H, made of a column or applied to columns. All is computed in f64. The
 * cursor: j phases done, i lanes, k rows gone through in the phase. Lanes of a phase that makes a reflection are
 * matrices; of one that applies it, columns of all matrices. What must last from row to row is in partial[0]. A quantum
 * takes a row of the former, or settles the reflection, and LOOM_CPU_ROWS of the latter.
 */
#include "cpu_factor.h"

#define ONE (0x3ffull << 52) /* of f64 */

struct reflection {
	struct loom_cpu_matter f;
	const struct loom_cpu_operand *a; /* v is in a column, below the diagonal */
	const struct loom_cpu_operand *tau;
	__u32 column; /* of v */
	__u32 rows; /* that v has */
};

static struct reflection reflection_of(const struct loom_cpu_operand *a, __u32 parts, __u32 column)
{
	const struct loom_cpu_matter f = loom_cpu_matter_of(a, parts);

	return (struct reflection){ f, a, a + parts, column, a->dims[f.row] - column };
}

static void wide(__u32 op, union loom_cpu_reg *d, const union loom_cpu_reg *a, const union loom_cpu_reg *b, __u32 lanes)
{
	loom_cpu_scalar(op, d, a, b, b, lanes);
}

static void negate(union loom_cpu_reg *d, __u32 lanes)
{
	wide(LOOM_CPU_FNEG64, d, d, d, lanes);
}

/* d = where[] ? a : b */
static void choose(union loom_cpu_reg *d, const union loom_cpu_reg *where, const union loom_cpu_reg *a,
		   const union loom_cpu_reg *b, __u32 lanes)
{
	loom_cpu_scalar(LOOM_CPU_SELECT64, d, where, a, b, lanes);
}

/* Lanes move along one dimension of the matrix, and stay in the other. */
static void load_wide(struct loom_cpu_run *r, const struct loom_cpu_operand *o, const struct loom_cpu_matter *f,
		      __u32 stay, __u32 row, __u32 column, union loom_cpu_reg *d, __u32 lanes)
{
	union loom_cpu_reg *t = &r->s->res[0];

	loom_cpu_load_element(r, o, f, stay, row, column, t);
	for (__u32 i = 0; i < f->parts; i++)
		loom_cpu_convert(f->dtype, LOOM_F64, &d[i], &t[i], lanes);
}

static void store_wide(struct loom_cpu_run *r, const struct loom_cpu_operand *o, const struct loom_cpu_matter *f,
		       __u32 row, __u32 column, const union loom_cpu_reg *a, __u32 lanes)
{
	union loom_cpu_reg *t = &r->s->res[0];

	for (__u32 i = 0; i < f->parts; i++) {
		loom_cpu_convert(LOOM_F64, f->dtype, t, &a[i], lanes);
		loom_cpu_store(r, &o[i], (__s64)row * o[i].strides[f->row] + (__s64)column * o[i].strides[f->column], t);
	}
}

/* acc += p q */
static void add_product(struct loom_cpu_run *r, __u32 parts, union loom_cpu_reg *acc, const union loom_cpu_reg *p,
			const union loom_cpu_reg *q, __u32 lanes)
{
	union loom_cpu_reg *t = &r->s->res[0];

	loom_cpu_multiply_add(LOOM_CPU_FORM_F64, &acc[0], &p[0], &q[0], lanes);
	if (parts == 1)
		return;
	wide(LOOM_CPU_FNEG64, t, &p[1], &p[1], lanes);
	loom_cpu_multiply_add(LOOM_CPU_FORM_F64, &acc[0], t, &q[1], lanes);
	loom_cpu_multiply_add(LOOM_CPU_FORM_F64, &acc[1], &p[0], &q[1], lanes);
	loom_cpu_multiply_add(LOOM_CPU_FORM_F64, &acc[1], &p[1], &q[0], lanes);
}

static void clear(union loom_cpu_reg *d, __u32 parts, __u32 lanes)
{
	for (__u32 i = 0; i < parts; i++)
		loom_cpu_splat(&d[i], LOOM_F64, 0, lanes);
}

/* ---- a reflection is made ------------------------------------------------------------------------------ */

/* d = a, 1 where that is 0. */
static void nonzero(struct loom_cpu_run *r, union loom_cpu_reg *d, const union loom_cpu_reg *a, __u32 lanes)
{
	union loom_cpu_reg *zero = &r->s->res[1], *one = &r->s->res[2], *is = &r->s->res[3];

	loom_cpu_splat(zero, LOOM_F64, 0, lanes);
	loom_cpu_splat(one, LOOM_F64, ONE, lanes);
	wide(LOOM_CPU_FEQ64, is, a, zero, lanes);
	choose(d, is, one, a, lanes);
}

/* d = max(d, |a|) */
static void widest(struct loom_cpu_run *r, union loom_cpu_reg *d, const union loom_cpu_reg *a, __u32 lanes)
{
	union loom_cpu_reg *t = &r->s->res[0];

	wide(LOOM_CPU_FABS64, t, a, a, lanes);
	wide(LOOM_CPU_FMAX64, d, d, t, lanes);
}

/* sum += (a / scale)^2 */
static void add_square(struct loom_cpu_run *r, union loom_cpu_reg *sum, const union loom_cpu_reg *a,
		       const union loom_cpu_reg *scale, __u32 lanes)
{
	union loom_cpu_reg *t = &r->s->res[0];

	wide(LOOM_CPU_FDIV64, t, a, scale, lanes);
	loom_cpu_multiply_add(LOOM_CPU_FORM_F64, sum, t, t, lanes);
}

/* The length of n numbers together. */
static void norm_of(struct loom_cpu_run *r, union loom_cpu_reg *d, const union loom_cpu_reg *v, __u32 n, __u32 lanes)
{
	union loom_cpu_reg *scale = &r->s->res[4], *by = &r->s->res[5];

	clear(scale, 1, lanes);
	clear(d, 1, lanes);
	for (__u32 i = 0; i < n; i++)
		widest(r, scale, &v[i], lanes);
	nonzero(r, by, scale, lanes);
	for (__u32 i = 0; i < n; i++)
		add_square(r, d, &v[i], by, lanes);
	wide(LOOM_CPU_FSQRT64, d, d, d, lanes);
	wide(LOOM_CPU_FMUL64, d, d, scale, lanes);
}

/* What lasts while a reflection is made: of the elements below the diagonal the greatest and the sum; what divides them. */
struct making {
	union loom_cpu_reg *greatest, *sum, *by;
};

/* beta, which takes the diagonal's place; where[] the column has nothing to reflect it is alpha. */
static void find_beta(struct loom_cpu_run *r, const struct making *s, const union loom_cpu_reg *alpha, __u32 parts,
		      union loom_cpu_reg *beta, union loom_cpu_reg *where, __u32 lanes)
{
	union loom_cpu_reg *v = &r->s->reg[8], *zero = &r->s->reg[11], *t = &r->s->reg[12];

	clear(zero, 1, lanes);
	wide(LOOM_CPU_FSQRT64, &v[0], s->sum, s->sum, lanes);
	wide(LOOM_CPU_FMUL64, &v[0], &v[0], s->greatest, lanes);
	memcpy(&v[1], alpha, parts * sizeof(*v));
	norm_of(r, beta, v, 1 + parts, lanes);
	wide(LOOM_CPU_FNEG64, t, beta, beta, lanes);
	wide(LOOM_CPU_ILT64, where, alpha, zero, lanes); /* the sign, of -0 too */
	choose(beta, where, beta, t, lanes);
	wide(LOOM_CPU_FEQ64, where, s->greatest, zero, lanes);
	if (parts == 2) {
		wide(LOOM_CPU_FEQ64, t, &alpha[1], zero, lanes);
		loom_cpu_scalar(LOOM_UOP_AND, where, where, t, t, lanes);
	}
	choose(beta, where, alpha, beta, lanes);
}

/* The sum is complete: beta and tau are stored, what is below the diagonal will be divided by alpha - beta. */
static void settle(struct loom_cpu_run *r, const struct reflection *h, const struct making *s, __u32 lanes)
{
	const struct loom_cpu_matter *f = &h->f;
	union loom_cpu_reg *alpha = &r->s->reg[0], *beta = &r->s->reg[2], *tau = &r->s->reg[4], *none = &r->s->reg[6],
			   *zero = &r->s->reg[7], *one = &r->s->reg[8];

	load_wide(r, h->a, f, f->row, h->column, h->column, alpha, lanes);
	find_beta(r, s, alpha, f->parts, beta, none, lanes);
	clear(&beta[1], 1, lanes);
	clear(zero, 1, lanes);
	loom_cpu_splat(one, LOOM_F64, ONE, lanes);
	for (__u32 i = 0; i < f->parts; i++) {
		wide(LOOM_CPU_FSUB64, &tau[i], &beta[i], &alpha[i], lanes);
		wide(LOOM_CPU_FNEG64, &s->by[i], &tau[i], &tau[i], lanes);
		choose(&s->by[i], none, i ? zero : one, &s->by[i], lanes);
		wide(LOOM_CPU_FDIV64, &tau[i], &tau[i], &beta[0], lanes);
		choose(&tau[i], none, zero, &tau[i], lanes);
	}
	store_wide(r, h->a, f, h->column, h->column, beta, lanes);
	store_wide(r, h->tau, f, 0, h->column, tau, lanes);
}

/* One row of a pass over the column: the greatest, the sum, the quotients. */
static void make_row(struct loom_cpu_run *r, const struct reflection *h, const struct making *s, __u32 pass, __u32 row,
		     __u32 lanes)
{
	union loom_cpu_reg *x = &r->s->reg[0], *t = &r->s->reg[2], *scale = &r->s->reg[4];

	load_wide(r, h->a, &h->f, h->f.row, row, h->column, x, lanes);
	if (pass == 2) {
		loom_cpu_divide_wide(h->f.parts, t, x, s->by, scale, lanes);
		store_wide(r, h->a, &h->f, row, h->column, t, lanes);
		return;
	}
	nonzero(r, scale, s->greatest, lanes);
	for (__u32 i = 0; i < h->f.parts; i++)
		if (pass == 0)
			widest(r, s->greatest, &x[i], lanes);
		else
			add_square(r, s->sum, &x[i], scale, lanes);
}

static bool make(struct loom_cpu_run *r, const struct reflection *h)
{
	union loom_cpu_reg *p = r->s->partial[0];
	const struct making s = { &p[0], &p[1], &p[2] };
	const __u32 pass = r->c->k / h->rows, row = r->c->k % h->rows;
	__u32 dims[LOOM_CPU_MAX_RANK], lanes;

	memcpy(dims, h->a->dims, sizeof(dims));
	dims[h->f.row] = dims[h->f.column] = 1;
	lanes = loom_cpu_chunk(r, dims, h->a->rank, r->c->i);
	if (!r->c->k)
		clear(p, 2, lanes);
	if (row)
		make_row(r, h, &s, pass, h->column + row, lanes);
	else if (pass == 2)
		settle(r, h, &s, lanes);
	return ++r->c->k == 3 * h->rows && loom_cpu_next_chunk(r, dims, h->a->rank, lanes);
}

/* ---- a reflection is applied --------------------------------------------------------------------------- */

/* v's element number row, 1 on the diagonal. */
static void load_vector(struct loom_cpu_run *r, const struct reflection *h, __u32 row, union loom_cpu_reg *v,
			__u32 lanes)
{
	if (row) {
		load_wide(r, h->a, &h->f, h->f.column, h->column + row, h->column, v, lanes);
		return;
	}
	clear(v, h->f.parts, lanes);
	loom_cpu_splat(v, LOOM_F64, ONE, lanes);
}

/* w = -tau w, or with the conjugate of tau. */
static void scale_sum(struct loom_cpu_run *r, const struct reflection *h, union loom_cpu_reg *w, bool adjoint,
		      __u32 lanes)
{
	union loom_cpu_reg *t = &r->s->reg[0], *sum = &r->s->reg[2];

	load_wide(r, h->tau, &h->f, h->f.column, 0, h->column, t, lanes);
	negate(&t[0], lanes);
	if (h->f.parts == 2 && !adjoint)
		negate(&t[1], lanes);
	clear(sum, h->f.parts, lanes);
	add_product(r, h->f.parts, sum, t, w, lanes);
	memcpy(w, sum, h->f.parts * sizeof(*w));
}

/* To columns of a matrix from first on: w = v^H c, then c = c - tau v w, or the adjoint's. */
static bool apply(struct loom_cpu_run *r, const struct reflection *h, const struct loom_cpu_operand *to, __u32 first,
		  bool adjoint)
{
	union loom_cpu_reg *w = r->s->partial[0], *v = &r->s->reg[0], *c = &r->s->reg[2];
	const __u32 parts = h->f.parts, all = 2 * h->rows, end = r->c->k + LOOM_CPU_ROWS;
	__u32 dims[LOOM_CPU_MAX_RANK], lanes;

	memcpy(dims, to->dims, sizeof(dims));
	dims[h->f.row] = 1;
	dims[h->f.column] -= first;
	lanes = loom_cpu_chunk(r, dims, to->rank, r->c->i);
	if (!r->c->k)
		clear(w, parts, lanes);
	for (; r->c->k < end; r->c->k++) {
		const __u32 row = r->c->k % h->rows;

		load_vector(r, h, row, v, lanes);
		load_wide(r, to, &h->f, h->f.row, h->column + row, first, c, lanes);
		if (r->c->k < h->rows) {
			if (parts == 2)
				negate(&v[1], lanes);
			add_product(r, parts, w, v, c, lanes);
		} else {
			add_product(r, parts, c, v, w, lanes);
			store_wide(r, to, &h->f, h->column + row, first, c, lanes);
		}
		if (r->c->k + 1 == h->rows)
			scale_sum(r, h, w, adjoint, lanes);
	}
	return end == all && loom_cpu_next_chunk(r, dims, to->rank, lanes);
}

/* ---- the structures ------------------------------------------------------------------------------------ */

static bool copy_matrices(struct loom_cpu_run *r, __u32 parts)
{
	union loom_cpu_reg *v = &r->s->reg[0];
	const __u32 lanes = loom_cpu_chunk(r, r->out->dims, r->out->rank, r->c->i);

	for (__u32 i = 0; i < parts; i++) {
		loom_cpu_load(r, &r->in[i], 0, v);
		loom_cpu_store(r, &r->out[i], 0, v);
	}
	return loom_cpu_next_chunk(r, r->out->dims, r->out->rank, lanes);
}

/* Phases: the copy; of each column the reflection that it makes, and that applied to the columns after it. */
bool loom_cpu_qr(struct loom_cpu_run *r)
{
	const __u32 parts = r->op->n_inputs, phase = (__u32)r->c->j;
	const struct reflection h = reflection_of(r->out, parts, phase ? (phase - 1) / 2 : 0);
	const __u32 n = r->out->dims[h.f.column], k = r->out[parts].dims[h.f.column];
	bool done;

	if (!phase)
		done = copy_matrices(r, parts);
	else if (phase % 2)
		done = make(r, &h);
	else
		done = apply(r, &h, r->out, h.column + 1, true);
	return done && ++r->c->j == 2 * (__u64)k + (k < n);
}

static bool put_identity(struct loom_cpu_run *r, const struct loom_cpu_matter *f)
{
	union loom_cpu_reg *v = &r->s->reg[0];
	const __u32 lanes = loom_cpu_chunk(r, r->out->dims, r->out->rank, r->c->i);
	__u32 *row = r->s->lo, *column = r->s->hi;

	loom_cpu_positions(r, f->row, row);
	loom_cpu_positions(r, f->column, column);
	for (__u32 i = 0; i < f->parts; i++) {
		for (__u32 k = 0; k < lanes; k++)
			v->d[k] = row[k] == column[k] && !i ? ONE : 0;
		loom_cpu_convert(LOOM_F64, f->dtype, v, v, lanes);
		loom_cpu_store(r, &r->out[i], 0, v);
	}
	return loom_cpu_next_chunk(r, r->out->dims, r->out->rank, lanes);
}

/* Phases: the identity; each reflection, the last first. Columns before its own are not changed by it. */
bool loom_cpu_householder(struct loom_cpu_run *r)
{
	const __u32 parts = r->op->n_inputs / 2u, phase = (__u32)r->c->j;
	const __u32 k = r->in[parts].dims[r->out->rank - 1u], column = phase ? k - phase : 0;
	const struct reflection h = reflection_of(r->in, parts, column);
	const bool done = phase ? apply(r, &h, r->out, column, false) : put_identity(r, &h.f);

	return done && ++r->c->j == 1 + (__u64)k;
}
