// SPDX-License-Identifier: GPL-2.0-or-later OR MIT
/*
 * FFT: lines go through the workspace, whole groups of them at a time, in phases; each phase has so many elements, of which
 * a quantum takes 64. First come tables: w(k, m), and where the length is no power of two the chirp c and the transform of
 * its conjugate. The cursor: i lines done, k phase, j its elements done. What a phase reads changes with the workspace, but
 * never where.
 */
#include "cpu_run.h"

enum step_kind { TWIDDLES, CHIRPS, SPREAD, STAGE, KEEP, LOAD, CONVOLVE, STORE };

struct plan {
	const struct loom_cpu_fft *p;
	__u32 m, levels, group, parts_in, parts_out;
	__u32 out_line; /* elements */
	bool chirp, inverse;
	__u8 *twiddles, *work[2], *chirps, *kernel;
	/* The phase: */
	enum step_kind step;
	__u32 level; /* of a STAGE: it reads work[level % 2] */
	__u64 count;
	bool last;
};

static struct plan plan_of(const struct loom_cpu_run *r)
{
	const struct loom_cpu_fft *p = r->params;
	const __u32 m = loom_cpu_fft_points(p->length);
	struct plan f = { .p = p, .m = m, .levels = loom_cpu_levels(m), .group = loom_cpu_fft_group(m) };

	f.parts_in = r->op->n_inputs;
	f.parts_out = r->op->n_operands - r->op->n_inputs - 1u;
	f.out_line = r->out->dims[p->dim];
	f.chirp = m != p->length;
	f.inverse = p->kind == LOOM_CPU_FFT_IFFT || p->kind == LOOM_CPU_FFT_IRFFT;
	f.twiddles = loom_cpu_base(r, &r->out[f.parts_out]);
	f.work[0] = f.twiddles + 8 * (__u64)m;
	f.work[1] = f.work[0] + 16 * (__u64)m * f.group;
	f.chirps = f.work[1] + 16 * (__u64)m * f.group;
	f.kernel = f.chirps + 16 * (__u64)p->length;
	return f;
}

static void set_step(struct plan *f, enum step_kind step, __u64 count)
{
	f->step = step;
	f->count = count;
}

/* A phase before the lines; false if it is none of these. */
static bool table_phase(struct plan *f, __u32 phase)
{
	if (phase == 0)
		set_step(f, TWIDDLES, (f->m + 1) / 2);
	else if (!f->chirp || phase > 3 + f->levels)
		return false;
	else if (phase == 1)
		set_step(f, CHIRPS, f->p->length);
	else if (phase == 2)
		set_step(f, SPREAD, f->m);
	else if (phase == 3 + f->levels)
		set_step(f, KEEP, f->m);
	else {
		set_step(f, STAGE, f->m / 2);
		f->level = phase - 3;
	}
	return true;
}

/* A phase of a group: load, transform, and if need be convolve and transform back, store. */
static void line_phase(struct plan *f, __u32 phase)
{
	const __u64 points = (__u64)f->group * f->m;
	const __u32 end = f->chirp ? 2 + 2 * f->levels : 1 + f->levels;

	f->last = phase == end;
	if (phase == 0)
		set_step(f, LOAD, points);
	else if (f->last)
		set_step(f, STORE, (__u64)f->group * f->out_line);
	else if (phase == 1 + f->levels)
		set_step(f, CONVOLVE, points);
	else
		set_step(f, STAGE, points / 2);
	f->level = phase > f->levels ? phase - 2 : phase - 1;
}

static __u32 first_line_phase(const struct plan *f)
{
	return f->chirp ? 4 + f->levels : 1;
}

/* ---- lines --------------------------------------------------------------------------------------------- */

/* The first element of a line of an operand; NULL beyond the last line. */
static __u8 *line_of(const struct loom_cpu_run *r, const struct plan *f, const struct loom_cpu_operand *o, __u64 line)
{
	__u32 dims[LOOM_CPU_MAX_RANK];

	memcpy(dims, o->dims, sizeof(dims));
	dims[f->p->dim] = 1;
	if (line >= loom_cpu_elements(dims, o->rank))
		return NULL;
	return loom_cpu_base(r, o) + loom_cpu_offset_of(dims, o->strides, o->rank, line);
}

/* Lanes of a chunk that belong to one line. */
struct run {
	__u64 line; /* of the group */
	__u32 k, lane, n;
};

/* The run that begins at a lane, of lines of so many elements. */
static struct run run_at(__u64 first, __u32 lane, __u32 lanes, __u32 per_line)
{
	const __u64 at = first + lane;
	struct run x = { at / per_line, (__u32)(at % per_line), lane, lanes - lane };

	if (x.n > per_line - x.k)
		x.n = per_line - x.k;
	return x;
}

/*
 * Points of a line as they are in memory, in its order or, of IRFFT, mirrored; those beyond it are left. Returns how many
 * lanes that was.
 */
static __u32 load_points(const struct loom_cpu_operand *o, const struct plan *f, const __u8 *line, const struct run *x,
			 union loom_cpu_reg *d)
{
	const __u32 have = o->dims[f->p->dim], end = x->k < have ? have : f->p->length;
	const __s64 step = o->strides[f->p->dim];
	const __u32 n = end - x->k < x->n ? end - x->k : x->n;

	if (!line || x->k >= end)
		return x->n;
	if (x->k < have)
		loom_cpu_load_run(line + x->k * step, step, o->dtype, d, x->lane, n);
	else
		loom_cpu_load_run(line + (f->p->length - x->k) * step, -step, o->dtype, d, x->lane, n);
	return n;
}

/* One part of points of the group, in f64. */
static void load_part(struct loom_cpu_run *r, const struct plan *f, const struct loom_cpu_operand *o,
		      union loom_cpu_reg *d, __u32 lanes)
{
	loom_cpu_splat(d, o->dtype, 0, lanes);
	for (__u32 lane = 0; lane < lanes;) {
		const struct run x = run_at(r->c->j, lane, lanes, f->m);

		lane += load_points(o, f, line_of(r, f, o, r->c->i + x.line), &x, d);
	}
	if (o->dtype == LOOM_F32)
		loom_cpu_convert(LOOM_F32, LOOM_F64, d, d, lanes);
}

/* IRFFT's imaginary parts: mirrored ones change their sign, and those that mean nothing are 0. */
static void mirror(struct loom_cpu_run *r, const struct plan *f, union loom_cpu_reg *im, __u32 lanes)
{
	const __u32 n = f->p->length, have = r->in->dims[f->p->dim];

	for (__u32 i = 0; i < lanes; i++) {
		const __u32 k = (__u32)((r->c->j + i) % f->m);

		if (k == 0 || (k < n && 2 * k == n))
			im->d[i] = 0;
		else if (k >= have && k < n)
			im->d[i] ^= 1ull << 63;
	}
}

/* ---- pairs --------------------------------------------------------------------------------------------- */

static void get_pair(const __u8 *from, __u64 at, union loom_cpu_reg *re, union loom_cpu_reg *im, __u32 lane)
{
	memcpy(&re->d[lane], from + 16 * at, sizeof(__u64));
	memcpy(&im->d[lane], from + 16 * at + 8, sizeof(__u64));
}

static void put_pair(__u8 *to, __u64 at, __u64 re, __u64 im)
{
	memcpy(to + 16 * at, &re, sizeof(re));
	memcpy(to + 16 * at + 8, &im, sizeof(im));
}

static void swap_parts(union loom_cpu_reg *re, union loom_cpu_reg *im, __u32 lanes)
{
	for (__u32 i = 0; i < lanes; i++) {
		const __u64 v = re->d[i];

		re->d[i] = im->d[i];
		im->d[i] = v;
	}
}

/* ---- phases -------------------------------------------------------------------------------------------- */

/* The chirp's conjugate around 0, cyclic. */
static void spread(struct loom_cpu_run *r, const struct plan *f, __u32 lanes)
{
	union loom_cpu_reg *re = &r->s->reg[0], *im = &r->s->reg[1];

	for (__u32 i = 0; i < lanes; i++) {
		const __u64 k = r->c->j + i, from = k < f->p->length ? k : f->m - k;

		re->d[i] = im->d[i] = 0;
		if (from < f->p->length) {
			get_pair(f->chirps, from, re, im, i);
			im->d[i] ^= 1ull << 63;
		}
		put_pair(f->work[0], k, re->d[i], im->d[i]);
	}
}

static void keep(struct loom_cpu_run *r, const struct plan *f, __u32 lanes)
{
	union loom_cpu_reg *re = &r->s->reg[0], *im = &r->s->reg[1];

	for (__u32 i = 0; i < lanes; i++)
		get_pair(f->work[f->levels % 2], r->c->j + i, re, im, i);
	loom_cpu_fft_divide(re, f->m, lanes);
	loom_cpu_fft_divide(im, f->m, lanes);
	for (__u32 i = 0; i < lanes; i++)
		put_pair(f->kernel, r->c->j + i, re->d[i], im->d[i]);
}

static void load(struct loom_cpu_run *r, const struct plan *f, __u32 lanes)
{
	union loom_cpu_reg *re = &r->s->reg[0], *im = &r->s->reg[1];

	load_part(r, f, &r->in[0], re, lanes);
	loom_cpu_splat(im, LOOM_F64, 0, lanes);
	if (f->parts_in == 2)
		load_part(r, f, &r->in[1], im, lanes);
	if (f->parts_out == 1)
		mirror(r, f, im, lanes);
	if (f->inverse)
		swap_parts(re, im, lanes);
	for (__u32 i = 0; i < lanes; i++) {
		const __u32 k = (__u32)((r->c->j + i) % f->m);

		r->s->lo[i] = k < f->p->length ? k : 0;
	}
	if (f->chirp)
		loom_cpu_fft_times(re, im, f->chirps, r->s->lo, lanes);
	for (__u32 i = 0; i < lanes; i++)
		put_pair(f->work[0], r->c->j + i, re->d[i], im->d[i]);
}

/* The way back is a transform of pairs whose parts change places. */
static void convolve(struct loom_cpu_run *r, const struct plan *f, __u32 lanes)
{
	union loom_cpu_reg *re = &r->s->reg[0], *im = &r->s->reg[1];
	__u8 *work = f->work[f->levels % 2];

	for (__u32 i = 0; i < lanes; i++) {
		get_pair(work, r->c->j + i, re, im, i);
		r->s->lo[i] = (__u32)((r->c->j + i) % f->m);
	}
	loom_cpu_fft_times(re, im, f->kernel, r->s->lo, lanes);
	for (__u32 i = 0; i < lanes; i++)
		put_pair(work, r->c->j + i, im->d[i], re->d[i]);
}

static void store_part(struct loom_cpu_run *r, const struct plan *f, const struct loom_cpu_operand *o,
		       union loom_cpu_reg *v, __u32 lanes)
{
	const __s64 step = o->strides[f->p->dim];

	if (f->inverse)
		loom_cpu_fft_divide(v, f->p->length, lanes);
	if (o->dtype == LOOM_F32)
		loom_cpu_convert(LOOM_F64, LOOM_F32, v, v, lanes);
	for (__u32 lane = 0; lane < lanes;) {
		const struct run x = run_at(r->c->j, lane, lanes, f->out_line);
		__u8 *line = line_of(r, f, o, r->c->i + x.line);

		if (line)
			loom_cpu_store_run(line + x.k * step, step, o->dtype, v, x.lane, x.n);
		lane += x.n;
	}
}

static void store(struct loom_cpu_run *r, const struct plan *f, __u32 lanes)
{
	union loom_cpu_reg *re = &r->s->reg[0], *im = &r->s->reg[1];
	const __u8 *work = f->work[f->chirp ? 0 : f->levels % 2];

	for (__u32 i = 0; i < lanes; i++) {
		const __u64 at = r->c->j + i, line = at / f->out_line;

		r->s->lo[i] = (__u32)(at % f->out_line);
		get_pair(work, line * f->m + r->s->lo[i], re, im, i);
	}
	if (f->chirp) {
		swap_parts(re, im, lanes);
		loom_cpu_fft_times(re, im, f->chirps, r->s->lo, lanes);
	}
	if (f->inverse)
		swap_parts(re, im, lanes);
	store_part(r, f, &r->out[0], re, lanes);
	if (f->parts_out == 2)
		store_part(r, f, &r->out[1], im, lanes);
}

static void run_phase(struct loom_cpu_run *r, const struct plan *f, __u32 n)
{
	const __u32 in = f->level % 2;

	switch (f->step) {
	case TWIDDLES:
		return loom_cpu_fft_twiddles(f->twiddles, r->c->j, n, f->m);
	case CHIRPS:
		return loom_cpu_fft_chirps(f->chirps, r->c->j, n, f->p->length);
	case SPREAD:
		return spread(r, f, n);
	case STAGE:
		return loom_cpu_fft_butterflies(f->work[!in], f->work[in], f->twiddles, (__u32)r->c->j, n, f->m,
						1u << f->level % f->levels);
	case KEEP:
		return keep(r, f, n);
	case LOAD:
		return load(r, f, n);
	case CONVOLVE:
		return convolve(r, f, n);
	case STORE:
		return store(r, f, n);
	}
}

bool loom_cpu_fft(struct loom_cpu_run *r)
{
	struct plan f = plan_of(r);
	const __u32 first = first_line_phase(&f);
	__u64 left;

	if (!table_phase(&f, r->c->k))
		line_phase(&f, r->c->k - first);
	left = f.count - r->c->j;
	run_phase(r, &f, left < LOOM_CPU_LANES ? (__u32)left : LOOM_CPU_LANES);
	if (left > LOOM_CPU_LANES) {
		r->c->j += LOOM_CPU_LANES;
		return false;
	}
	r->c->j = 0;
	r->c->k++;
	if (!f.last)
		return false;
	r->c->k = first;
	r->c->i += f.group;
	return r->c->i >= loom_cpu_elements(r->in->dims, r->in->rank) / r->in->dims[f.p->dim];
}
