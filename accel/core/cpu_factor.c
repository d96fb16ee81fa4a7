// SPDX-License-Identifier: GPL-2.0-or-later OR MIT
/*
 * CHOLESKY and TRIANGULAR_SOLVE: lanes are elements of one column, or of one row, of all matrices. What a sum has come to
 * is in partial[0], real and imaginary part; CHOLESKY's sum of the diagonal's element in partial[1]. The cursor:
 * TRIANGULAR_SOLVE: i columns done, j row, k products of its sums taken. CHOLESKY: j column, i rows done, k as before;
 * columns n to 2n - 1 look for matrices that have no factor. A quantum takes up to LOOM_CPU_PRODUCTS of each lane.
 */
#include "cpu_factor.h"

/* The VPU's operation, or its companion for F64. */
static __u32 float_op(const struct loom_cpu_matter *f, __u32 op)
{
	return f->dtype == LOOM_F64 ? op + 0x100 : op;
}

void loom_cpu_load_element(struct loom_cpu_run *r, const struct loom_cpu_operand *o, const struct loom_cpu_matter *f,
			   __u32 stay, __u64 row, __u64 column, union loom_cpu_reg *d)
{
	for (__u32 i = 0; i < f->parts; i++) {
		struct loom_cpu_operand view = o[i];

		view.strides[stay] = 0;
		loom_cpu_load(r, &view, (__s64)row * o[i].strides[f->row] + (__s64)column * o[i].strides[f->column],
			      &d[i]);
	}
}

static void negate(const struct loom_cpu_matter *f, union loom_cpu_reg *d, const union loom_cpu_reg *a, __u32 lanes)
{
	loom_cpu_scalar(float_op(f, LOOM_UOP_FNEG), d, a, a, a, lanes);
}

/* acc -= p q; uses up p. */
static void subtract_product(struct loom_cpu_run *r, const struct loom_cpu_matter *f, union loom_cpu_reg *acc,
			     union loom_cpu_reg *p, const union loom_cpu_reg *q, __u32 lanes)
{
	const __u32 form = loom_cpu_form(f->dtype);

	negate(f, &p[0], &p[0], lanes);
	loom_cpu_multiply_add(form, &acc[0], &p[0], &q[0], lanes);
	if (f->parts == 1)
		return;
	loom_cpu_multiply_add(form, &acc[0], &p[1], &q[1], lanes);
	loom_cpu_multiply_add(form, &acc[1], &p[0], &q[1], lanes);
	negate(f, &r->s->reg[0], &p[1], lanes);
	loom_cpu_multiply_add(form, &acc[1], &r->s->reg[0], &q[0], lanes);
}

/* Whether this quantum takes the last of so many products; fewer than LOOM_CPU_PRODUCTS are left then. */
static bool is_last(const struct loom_cpu_run *r, __u64 all)
{
	return all - r->c->k < LOOM_CPU_PRODUCTS;
}

/* ---- TRIANGULAR_SOLVE ---------------------------------------------------------------------------------- */

static void load_coefficient(struct loom_cpu_run *r, const struct loom_cpu_matter *f, __u64 row, __u64 column,
			     union loom_cpu_reg *p, __u32 lanes)
{
	const struct loom_cpu_triangular_solve *s = r->params;

	loom_cpu_load_element(r, r->in, f, f->column, row, column, p);
	if (s->flags & LOOM_CPU_SOLVE_CONJUGATE)
		negate(f, &p[1], &p[1], lanes);
}

/* d = a b + c e, or a b - c e, in f64; each operation is rounded. */
static void cross(union loom_cpu_reg *d, const union loom_cpu_reg *a, const union loom_cpu_reg *b,
		  const union loom_cpu_reg *c, const union loom_cpu_reg *e, bool minus, union loom_cpu_reg *t,
		  __u32 lanes)
{
	loom_cpu_scalar(LOOM_CPU_FMUL64, t, c, e, e, lanes);
	loom_cpu_scalar(LOOM_CPU_FMUL64, d, a, b, b, lanes);
	loom_cpu_scalar(minus ? LOOM_CPU_FSUB64 : LOOM_CPU_FADD64, d, d, t, t, lanes);
}

void loom_cpu_divide_wide(__u32 parts, union loom_cpu_reg *q, const union loom_cpu_reg *y, const union loom_cpu_reg *a,
			  union loom_cpu_reg *t, __u32 lanes)
{
	if (parts == 1) {
		loom_cpu_scalar(LOOM_CPU_FDIV64, q, y, a, a, lanes);
		return;
	}
	cross(&q[0], &y[0], &a[0], &y[1], &a[1], false, &t[0], lanes);
	cross(&q[1], &y[1], &a[0], &y[0], &a[1], true, &t[0], lanes);
	cross(&t[1], &a[0], &a[0], &a[1], &a[1], false, &t[0], lanes);
	for (__u32 i = 0; i < 2; i++)
		loom_cpu_scalar(LOOM_CPU_FDIV64, &q[i], &q[i], &t[1], &t[1], lanes);
}

static void divide_pairs(struct loom_cpu_run *r, union loom_cpu_reg *acc, const union loom_cpu_reg *by, __u32 lanes)
{
	union loom_cpu_reg *y = &r->s->reg[0], *a = &r->s->reg[2], *q = &r->s->reg[4];

	for (__u32 i = 0; i < 2; i++) {
		loom_cpu_convert(LOOM_F32, LOOM_F64, &y[i], &acc[i], lanes);
		loom_cpu_convert(LOOM_F32, LOOM_F64, &a[i], &by[i], lanes);
	}
	loom_cpu_divide_wide(2, q, y, a, &r->s->reg[6], lanes);
	for (__u32 i = 0; i < 2; i++)
		loom_cpu_convert(LOOM_F64, LOOM_F32, &acc[i], &q[i], lanes);
}

/* The sums of a row are complete. */
static void solve_row(struct loom_cpu_run *r, const struct loom_cpu_matter *f, union loom_cpu_reg *acc, __u32 lanes)
{
	const struct loom_cpu_triangular_solve *s = r->params;
	union loom_cpu_reg *p = &r->s->arg[0];

	if (!(s->flags & LOOM_CPU_SOLVE_UNIT)) {
		load_coefficient(r, f, r->c->j, r->c->j, p, lanes);
		if (f->parts == 2)
			divide_pairs(r, acc, p, lanes);
		else
			loom_cpu_scalar(float_op(f, LOOM_UOP_FDIV), acc, acc, p, p, lanes);
	}
	for (__u32 i = 0; i < f->parts; i++)
		loom_cpu_store(r, &r->out[i], (__s64)r->c->j * r->out[i].strides[f->row], &acc[i]);
}

bool loom_cpu_triangular_solve(struct loom_cpu_run *r)
{
	const struct loom_cpu_matter f = loom_cpu_matter_of(r->out, r->op->n_inputs / 2u);
	const bool last = is_last(r, r->c->j);
	const __u32 end = last ? (__u32)r->c->j : r->c->k + LOOM_CPU_PRODUCTS;
	union loom_cpu_reg *acc = r->s->partial[0], *p = &r->s->arg[0], *q = &r->s->arg[2];
	__u32 dims[LOOM_CPU_MAX_RANK], lanes;

	memcpy(dims, r->out->dims, sizeof(dims));
	dims[f.row] = 1;
	lanes = loom_cpu_chunk(r, dims, r->out->rank, r->c->i);
	if (!r->c->k)
		loom_cpu_load_element(r, r->in + f.parts, &f, f.row, r->c->j, 0, acc);
	for (; r->c->k < end; r->c->k++) {
		load_coefficient(r, &f, r->c->j, r->c->k, p, lanes);
		loom_cpu_load_element(r, r->out, &f, f.row, r->c->k, 0, q);
		subtract_product(r, &f, acc, p, q, lanes);
	}
	if (!last)
		return false;
	solve_row(r, &f, acc, lanes);
	r->c->k = 0;
	if (++r->c->j < r->out->dims[f.row])
		return false;
	r->c->j = 0;
	r->c->i += lanes;
	return r->c->i == loom_cpu_elements(dims, r->out->rank);
}

/* ---- CHOLESKY ------------------------------------------------------------------------------------------ */

void loom_cpu_positions(const struct loom_cpu_run *r, __u32 dim, __u32 *at)
{
	for (__u32 i = 0; i < r->s->n_pieces; i++) {
		const struct loom_cpu_piece *p = &r->s->piece[i];

		for (__u32 k = 0; k < p->count; k++)
			at[p->lane + k] = p->pos[dim] + (r->s->inner == dim ? k : 0);
	}
}

/* The sums of a column before the first product: acc of the lanes' elements, d of the diagonal's. */
static void begin_sums(struct loom_cpu_run *r, const struct loom_cpu_matter *f, union loom_cpu_reg *acc, union loom_cpu_reg *d)
{
	loom_cpu_load_element(r, r->in, f, f->column, 0, r->c->j, acc);
	loom_cpu_load_element(r, r->in, f, f->row, r->c->j, r->c->j, d);
}

/* Product k: of the lanes' rows, and of the diagonal's with itself. */
static void take_product(struct loom_cpu_run *r, const struct loom_cpu_matter *f, union loom_cpu_reg *acc,
			 union loom_cpu_reg *d, __u32 lanes)
{
	union loom_cpu_reg *p = &r->s->arg[0], *q = &r->s->arg[2], *t = &r->s->reg[0];

	loom_cpu_load_element(r, r->out, f, f->row, r->c->j, r->c->k, p);
	loom_cpu_load_element(r, r->out, f, f->column, 0, r->c->k, q);
	for (__u32 i = 0; i < f->parts; i++) {
		negate(f, t, &p[i], lanes);
		loom_cpu_multiply_add(loom_cpu_form(f->dtype), d, t, &p[i], lanes);
	}
	if (f->parts == 2)
		negate(f, &p[1], &p[1], lanes);
	subtract_product(r, f, acc, p, q, lanes);
}

static __u64 nan_of(const struct loom_cpu_matter *f)
{
	return f->dtype == LOOM_F64 ? 0x7ff8ull << 48 : 0x7fc00000u;
}

/* d = its square root, NaN where it is not above 0. */
static void root(struct loom_cpu_run *r, const struct loom_cpu_matter *f, union loom_cpu_reg *d, __u32 lanes)
{
	union loom_cpu_reg *zero = &r->s->reg[0], *nan = &r->s->reg[1], *above = &r->s->reg[2];

	loom_cpu_splat(zero, f->dtype, 0, lanes);
	loom_cpu_splat(nan, f->dtype, nan_of(f), lanes);
	loom_cpu_scalar(float_op(f, LOOM_UOP_FGT), above, d, zero, zero, lanes);
	loom_cpu_scalar(float_op(f, LOOM_UOP_FSQRT), d, d, d, d, lanes);
	loom_cpu_scalar(f->dtype == LOOM_F64 ? (__u32)LOOM_CPU_SELECT64 : (__u32)LOOM_UOP_SELECT, d, above, d, nan,
			lanes);
}

/* A column whose sums are complete; above the diagonal 0. */
static void put_column(struct loom_cpu_run *r, const struct loom_cpu_matter *f, const union loom_cpu_reg *acc,
		       union loom_cpu_reg *d, const __u32 *row, __u32 lanes)
{
	union loom_cpu_reg *v = &r->s->reg[3], *zero = &r->s->reg[4];

	root(r, f, d, lanes);
	loom_cpu_splat(zero, f->dtype, 0, lanes);
	for (__u32 i = 0; i < f->parts; i++) {
		loom_cpu_scalar(float_op(f, LOOM_UOP_FDIV), v, &acc[i], d, d, lanes);
		for (__u32 k = 0; k < lanes; k++)
			if (row[k] <= r->c->j)
				loom_cpu_move(v, k, row[k] == r->c->j && !i ? d : zero, k, f->dtype, 1);
		loom_cpu_store(r, &r->out[i], (__s64)r->c->j * r->out[i].strides[f->column], v);
	}
}

/* A column again: a matrix whose last element is a NaN has no factor. */
static void spoil_column(struct loom_cpu_run *r, const struct loom_cpu_matter *f, __u32 n, const __u32 *row, __u32 lanes)
{
	union loom_cpu_reg *corner = &r->s->reg[0], *bad = &r->s->reg[2], *v = &r->s->reg[3], *nan = &r->s->reg[5];
	const __u64 column = r->c->j - n;

	loom_cpu_load_element(r, r->out, f, f->row, n - 1, n - 1, corner);
	loom_cpu_load_element(r, r->out, f, f->column, 0, column, v);
	loom_cpu_scalar(float_op(f, LOOM_UOP_FNE), bad, corner, corner, corner, lanes);
	loom_cpu_splat(nan, f->dtype, nan_of(f), lanes);
	for (__u32 i = 0; i < f->parts; i++) {
		for (__u32 k = 0; k < lanes; k++)
			if (bad->w[k] && row[k] >= column)
				loom_cpu_move(&v[i], k, nan, k, f->dtype, 1);
		loom_cpu_store(r, &r->out[i], (__s64)column * r->out[i].strides[f->column], &v[i]);
	}
}

/* Up to LOOM_CPU_PRODUCTS of a column; true after the last. Rows above the diagonal have none. */
static bool factor_column(struct loom_cpu_run *r, const struct loom_cpu_matter *f, const __u32 *row, __u32 lanes)
{
	union loom_cpu_reg *acc = r->s->partial[0], *d = r->s->partial[1];
	const bool last = is_last(r, r->c->j);
	const __u32 end = last ? (__u32)r->c->j : r->c->k + LOOM_CPU_PRODUCTS;
	bool below = false;

	for (__u32 i = 0; i < lanes; i++)
		below |= row[i] >= r->c->j;
	if (!r->c->k)
		begin_sums(r, f, acc, d);
	for (; r->c->k < end; r->c->k++)
		if (below)
			take_product(r, f, acc, d, lanes);
	if (last)
		put_column(r, f, acc, d, row, lanes);
	return last;
}

bool loom_cpu_cholesky(struct loom_cpu_run *r)
{
	const struct loom_cpu_matter f = loom_cpu_matter_of(r->out, r->op->n_inputs);
	const __u32 n = r->out->dims[f.row];
	__u32 dims[LOOM_CPU_MAX_RANK], lanes, *row = r->s->lo;

	memcpy(dims, r->out->dims, sizeof(dims));
	dims[f.column] = 1;
	lanes = loom_cpu_chunk(r, dims, r->out->rank, r->c->i);
	loom_cpu_positions(r, f.row, row);
	if (r->c->j >= n)
		spoil_column(r, &f, n, row, lanes);
	else if (!factor_column(r, &f, row, lanes))
		return false;
	return loom_cpu_next_chunk(r, dims, r->out->rank, lanes) && ++r->c->j == 2 * (__u64)n;
}
