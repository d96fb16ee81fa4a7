// SPDX-License-Identifier: GPL-2.0-or-later OR MIT
/*
 * Accumulators on their way out: bias, scale, residual, activation, conversion, each with its own rounding.
 *
 * With ACC_BIAS the accumulators began at the bias, and it is not added again. Bias, scales and table are read
 * before OUT is written. Pixels leave in row-major order, 256 columns at a time; the residual of these columns is
 * read before they are written, so OUT may lie in the residual's place. Threads share pixels whose order cannot show.
 * An INT8 result is requantised about zero, joined with the residual about zero, and only then moved by zp.
 */
#include <string.h>
#include "apart.h"
#include "kernels.h"
#include "loom_num.h"
#include "mxu.h"
#include "unit_check.h"

enum { ROWS = 64 }; /* pixels that a thread takes at a time */

#define PARALLEL_VALUES 65536 /* fewer stay on the calling thread */

/* ---- check --------------------------------------------------------------------------------------------- */

static bool shift_ok(int shift)
{
	return shift >= LOOM_NUM_SHIFT_MIN && shift <= LOOM_NUM_SHIFT_MAX;
}

static bool unused_fields_zero(const struct loom_mxu *m, const struct loom_epi *e)
{
	const bool drain = m->flags & LOOM_MXU_DRAIN, integer = m->type == LOOM_MXU_INT8;
	const bool fixed = e->rq == LOOM_RQ_DOUBLE || e->rq == LOOM_RQ_SINGLE;

	if (!drain && (e->scale != LOOM_EPI_NONE || e->rq || e->act || e->residual != LOOM_EPI_NONE || e->zp))
		return false;
	if ((e->rq == LOOM_RQ_NONE || e->scale != LOOM_EPI_NONE) && e->scale_imm)
		return false;
	if ((!fixed || e->scale != LOOM_EPI_NONE) && e->shift_imm)
		return false;
	if (e->rq == LOOM_RQ_NONE && e->scale != LOOM_EPI_NONE)
		return false;
	if (e->act != LOOM_ACT_CLAMP && (e->lo || e->hi))
		return false;
	if (e->act != LOOM_ACT_LUT256 && e->lut != LOOM_EPI_NONE)
		return false;
	if (e->residual == LOOM_EPI_NONE && (e->res_type || e->r_sy || e->r_sx || e->r_sn))
		return false;
	if ((e->residual == LOOM_EPI_NONE || !integer) &&
	    (e->res_zp || e->m1 || e->m2 || e->mo || e->s1 || e->s2 || e->so || e->left))
		return false;
	return integer || !e->zp;
}

static bool fields_ok(const struct loom_mxu *m, const struct loom_epi *e)
{
	const bool integer = m->type == LOOM_MXU_INT8;

	if (e->rq >= LOOM_NUM_REQUANT || e->act >= LOOM_NUM_ACT || !shift_ok(e->shift_imm))
		return false;
	if (!integer && (e->rq == LOOM_RQ_DOUBLE || e->rq == LOOM_RQ_SINGLE))
		return false;
	if (m->acc == LOOM_ACC_BIAS && e->bias == LOOM_EPI_NONE)
		return false;
	if (m->out_type == LOOM_I8 && integer && e->rq == LOOM_RQ_NONE)
		return false;
	if (e->act == LOOM_ACT_LUT256 && (m->out_type != LOOM_I8 || e->lut == LOOM_EPI_NONE))
		return false;
	if (e->residual == LOOM_EPI_NONE)
		return true;
	if (m->outer[0] != 1 || m->outer[1] != 1)
		return false;
	if (!integer)
		return e->res_type <= LOOM_F16;
	return e->res_type == LOOM_I8 && e->rq != LOOM_RQ_NONE && shift_ok(e->s1) && shift_ok(e->s2) &&
	       shift_ok(e->so) && e->left <= LOOM_NUM_SHIFT_MAX;
}

static int check_list(const struct loom_exec *x, uint32_t at, uint32_t elem, uint32_t bytes, uint32_t n,
		      struct loom_refusal *why)
{
	struct loom_span s = loom_span_begin(at, 0, elem);

	if (at == LOOM_EPI_NONE)
		return LOOM_FAULT_NONE;
	loom_span_dim(&s, bytes, n);
	return loom_span_check(x, &s, bytes, why);
}

int loom_epi_check(const struct loom_exec *x, const struct loom_dispatched *r, struct loom_refusal *why)
{
	const struct loom_mxu *m = &r->mxu;
	const struct loom_epi *e = loom_mxu_epi(r);
	struct loom_span s;
	int fault;

	if (!e)
		return LOOM_FAULT_NONE;
	if (!unused_fields_zero(m, e))
		return loom_unit_refuse(why, LOOM_FAULT_RESERVED);
	if (!fields_ok(m, e))
		return loom_unit_refuse(why, LOOM_FAULT_FIELD);
	if ((fault = check_list(x, e->bias, 4, 4, m->n, why)) ||
	    (fault = check_list(x, e->scale, 4, e->rq == LOOM_RQ_F32 ? 4 : 8, m->n, why)) ||
	    (fault = check_list(x, e->lut, 1, 1, 256, why)))
		return fault;
	if (e->residual == LOOM_EPI_NONE)
		return LOOM_FAULT_NONE;
	s = loom_span_begin(e->residual, r->base[3], loom_dtype_bytes(e->res_type));
	loom_span_dim(&s, e->r_sy, m->oh);
	loom_span_dim(&s, e->r_sx, m->ow);
	loom_span_dim(&s, e->r_sn, m->n);
	return loom_span_check(x, &s, loom_dtype_bytes(e->res_type), why);
}

/* ---- execution ----------------------------------------------------------------------------------------- */

void loom_epi_bias(const struct loom_exec *x, const struct loom_dispatched *r)
{
	const struct loom_mxu *m = &r->mxu;
	const uint64_t rows = (uint64_t)m->outer[0] * m->outer[1] * m->oh * m->ow;
	uint32_t *acc = loom_mxu_acc(x, m, 0, 0);

	for (uint64_t i = 0; i < rows; i++, acc += m->acc_pitch)
		memcpy(acc, x->sram + loom_mxu_epi(r)->bias, (size_t)m->n * 4);
}

static void float_steps(const struct loom_drain *d, uint32_t *v, const uint8_t *residual, uint32_t first, uint32_t n)
{
	const struct loom_epi *e = d->e;
	const struct loom_epi_row row = {
		.bias = d->bias ? d->bias + first : NULL,
		.scale = d->scale ? d->scale + first : NULL,
		.scale_imm = e->scale_imm,
		.scaled = e->rq == LOOM_RQ_F32,
		.clamp = e->act == LOOM_ACT_CLAMP,
		.residual = residual ? residual + (ptrdiff_t)first * e->r_sn : NULL,
		.res_step = e->r_sn,
		.res_type = e->res_type,
		.lo = e->lo,
		.hi = e->hi,
	};

	d->x->kernels->epilogue(&row, v, n);
}

static int32_t requantise(const struct loom_epi *e, int32_t v, uint32_t multiplier, uint32_t shift)
{
	switch (e->rq) {
	case LOOM_RQ_DOUBLE:
		return loom_num_requant_double(v, (int32_t)multiplier, (int32_t)shift);
	case LOOM_RQ_SINGLE:
		return loom_num_requant_single(v, (int32_t)multiplier, (int32_t)shift);
	case LOOM_RQ_F32:
		return loom_num_requant_f32(v, multiplier);
	default:
		return v;
	}
}

/* TFLite's quantised ADD of two operands that are already about their zero points. */
static int32_t add_residual(const struct loom_epi *e, int32_t v, int32_t residual)
{
	const int32_t a = (int32_t)((uint32_t)v << e->left);
	const int32_t b = (int32_t)((uint32_t)(residual - e->res_zp) << e->left);
	const uint32_t sum = (uint32_t)loom_num_requant_double(a, e->m1, e->s1) +
			     (uint32_t)loom_num_requant_double(b, e->m2, e->s2);

	return loom_num_requant_double((int32_t)sum, e->mo, e->so);
}

static void integer_steps(const struct loom_drain *d, uint32_t *v, const uint8_t *residual, uint32_t first, uint32_t n)
{
	const struct loom_epi *e = d->e;
	const bool pairs = d->scale && e->rq != LOOM_RQ_F32;

	for (uint32_t i = 0; i < n; i++) {
		const uint32_t j = first + i;
		uint32_t multiplier = e->scale_imm, shift = (uint32_t)(int32_t)e->shift_imm;
		int32_t w = (int32_t)(v[i] + (d->bias ? d->bias[j] : 0));

		if (d->scale) {
			multiplier = d->scale[pairs ? 2 * j : j];
			shift = pairs ? d->scale[2 * j + 1] : 0;
		}
		w = requantise(e, w, multiplier, shift);
		if (residual)
			w = add_residual(e, w, (int8_t)residual[(ptrdiff_t)j * e->r_sn]);
		w = (int32_t)((uint32_t)w + (uint32_t)(int32_t)e->zp);
		if (e->act == LOOM_ACT_CLAMP) {
			w = w < (int32_t)e->lo ? (int32_t)e->lo : w;
			w = w > (int32_t)e->hi ? (int32_t)e->hi : w;
		} else if (d->lut) {
			w = d->lut[loom_num_sat8(w) + 128];
		}
		v[i] = (uint32_t)w;
	}
}

/* Stores n results in the OUT type; accumulators and steps leave canonical NaNs. */
static void store(const struct loom_drain *d, const uint32_t *v, uint8_t *out, uint32_t n)
{
	const ptrdiff_t step = d->m->o_sn;

	if (d->m->out_type != LOOM_I8)
		d->x->kernels->store_run(out, step, d->m->out_type, v, n);
	else
		for (uint32_t i = 0; i < n; i++)
			out[i * step] = (uint8_t)loom_num_sat8((int32_t)v[i]);
}

static void drain_pixel(const struct loom_drain *d, const uint32_t *acc, uint8_t *out, const uint8_t *residual)
{
	uint32_t v[LOOM_EPI_CHUNK];

	if (d->plain) {
		memcpy(out, acc, (size_t)d->m->n * 4);
		return;
	}
	for (uint32_t first = 0; first < d->m->n; first += LOOM_EPI_CHUNK) {
		const uint32_t n = d->m->n - first < LOOM_EPI_CHUNK ? d->m->n - first : LOOM_EPI_CHUNK;

		memcpy(v, acc + first, (size_t)n * 4);
		if (d->e && d->m->type == LOOM_MXU_INT8)
			integer_steps(d, v, residual, first, n);
		else if (d->e)
			float_steps(d, v, residual, first, n);
		store(d, v, out + (ptrdiff_t)first * d->m->o_sn, n);
	}
}

/* Pixels [first, end) of all, in row-major order of (outer 0, outer 1, row, column). */
void loom_epi_drain_pixels(const struct loom_drain *d, uint64_t first, uint64_t end)
{
	const struct loom_mxu *m = d->m;
	const uint64_t pixels = (uint64_t)m->oh * m->ow;

	for (uint64_t p = first; p < end; p++) {
		const uint64_t outer = p / pixels, o0 = outer / m->outer[1], o1 = outer % m->outer[1];
		const int64_t oy = (int64_t)(p % pixels / m->ow), ox = (int64_t)(p % m->ow);
		uint8_t *out = d->x->sram + d->out + (int64_t)o0 * m->o_so[0] + (int64_t)o1 * m->o_so[1];

		drain_pixel(d, loom_mxu_acc(d->x, m, 0, 0) + p * m->acc_pitch, out + oy * m->o_sy + ox * m->o_sx,
			    d->residual < 0 ? NULL : d->x->sram + d->residual + oy * d->e->r_sy + ox * d->e->r_sx);
	}
}

static void drain_part(void *arg, unsigned part)
{
	const struct loom_drain *d = arg;
	const uint64_t first = (uint64_t)part * ROWS, end = first + ROWS;

	loom_epi_drain_pixels(d, first, end < d->pixels ? end : d->pixels);
}

/*
 * Whether no pixel reads or writes what another writes, so that their order does not show: OUT gives each value bytes
 * of its own, and the residual lies in OUT's own places or beside all of them.
 */
bool loom_epi_pixels_apart(const struct loom_drain *d)
{
	const struct loom_mxu *m = d->m;
	const struct loom_epi *e = d->e;
	const uint32_t bytes = loom_dtype_bytes(m->out_type);
	const uint64_t n[5] = { m->outer[0], m->outer[1], m->oh, m->ow, m->n };
	const int64_t s[5] = { m->o_so[0], m->o_so[1], m->o_sy, m->o_sx, m->o_sn };
	int64_t out_low = d->out, out_high = d->out + bytes, low, high;

	if (!loom_places_apart(5, n, s, bytes))
		return false;
	for (int i = 0; i < 5; i++)
		*(s[i] < 0 ? &out_low : &out_high) += (int64_t)(n[i] - 1) * s[i];
	if (d->residual < 0)
		return true;
	if (d->residual == d->out && loom_dtype_bytes(e->res_type) == bytes && e->r_sy == m->o_sy &&
	    e->r_sx == m->o_sx && e->r_sn == m->o_sn)
		return true;
	low = high = d->residual;
	for (int i = 0; i < 3; i++) {
		const int64_t reach = (int64_t)(n[i + 2] - 1) * (i == 0 ? e->r_sy : i == 1 ? e->r_sx : e->r_sn);

		*(reach < 0 ? &low : &high) += reach;
	}
	return high + 4 <= out_low || low >= out_high;
}

/* Copies bias, scales and table, which OUT may overlap. */
static void fetch_lists(struct loom_drain *d, uint8_t *at)
{
	const struct loom_epi *e = d->e;
	const size_t n = d->m->n, scale_bytes = n * (e->rq == LOOM_RQ_F32 ? 4 : 8);

	if (e->bias != LOOM_EPI_NONE && d->m->acc != LOOM_ACC_BIAS) {
		d->bias = memcpy(at, d->x->sram + e->bias, n * 4);
		at += n * 4;
	}
	if (e->scale != LOOM_EPI_NONE) {
		d->scale = memcpy(at, d->x->sram + e->scale, scale_bytes);
		at += scale_bytes;
	}
	if (e->lut != LOOM_EPI_NONE)
		d->lut = memcpy(at, d->x->sram + e->lut, 256);
}

void loom_epi_drain_begin(const struct loom_exec *x, const struct loom_dispatched *r, uint8_t *lists,
			  struct loom_drain *d)
{
	const struct loom_mxu *m = &r->mxu;

	*d = (struct loom_drain){
		.x = x,
		.m = m,
		.e = loom_mxu_epi(r),
		.plain = !loom_mxu_epi(r) && m->o_sn == 4 && (m->out_type == LOOM_F32 || m->out_type == LOOM_I32),
		.out = loom_unit_address(m->out_base, r->base[2]),
		.residual = -1,
		.pixels = (uint64_t)m->outer[0] * m->outer[1] * m->oh * m->ow,
	};
	if (d->e)
		fetch_lists(d, lists);
	if (d->e && d->e->residual != LOOM_EPI_NONE)
		d->residual = loom_unit_address(d->e->residual, r->base[3]);
}

void loom_epi_drain(const struct loom_exec *x, const struct loom_dispatched *r)
{
	struct loom_drain d;

	loom_epi_drain_begin(x, r, x->scratch, &d);
	if (x->host && x->host->parallel_for && d.pixels * r->mxu.n >= PARALLEL_VALUES && d.pixels > ROWS &&
	    loom_epi_pixels_apart(&d))
		x->host->parallel_for(x->opaque, (unsigned)((d.pixels + ROWS - 1) / ROWS), drain_part, &d);
	else
		loom_epi_drain_pixels(&d, 0, d.pixels);
}
