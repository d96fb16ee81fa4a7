// SPDX-License-Identifier: GPL-2.0-or-later OR MIT
/*
 * The check of MXU records. Faults are found in this order: flags and types without a meaning, length, fields
 * that must be zero, missing features, other fields, cap, then alignment and bounds of A, B, OUT, the
 * accumulators and the epilogue's operands.
 */
#include "mxu.h"
#include "unit_check.h"

static int check_kind(const struct loom_mxu *m, struct loom_refusal *why)
{
	const uint8_t flags = LOOM_MXU_DRAIN | LOOM_MXU_EPI | LOOM_MXU_TRANSPOSE;

	if (m->mode > LOOM_MXU_DW || m->type > LOOM_MXU_INT8 || m->acc > LOOM_ACC_BIAS || m->flags & ~flags)
		return loom_unit_refuse(why, LOOM_FAULT_FIELD);
	if (m->h.units != (m->flags & LOOM_MXU_EPI ? 6 : 4))
		return loom_unit_refuse(why, LOOM_FAULT_UNITS);
	return LOOM_FAULT_NONE;
}

static int check_reserved(const struct loom_mxu *m, struct loom_refusal *why)
{
	if (m->rsvd[0] | m->rsvd[1] | m->rsvd[2])
		return loom_unit_refuse(why, LOOM_FAULT_RESERVED);
	if (!(m->flags & LOOM_MXU_DRAIN) &&
	    (m->out_base || m->o_so[0] || m->o_so[1] || m->o_sy || m->o_sx || m->o_sn || m->out_type))
		return loom_unit_refuse(why, LOOM_FAULT_RESERVED);
	return LOOM_FAULT_NONE;
}

/* Anything but a plain matrix product: kernel, padding, dilation or stride. */
static bool is_convolution(const struct loom_mxu *m)
{
	return m->kh > 1 || m->kw > 1 || m->py || m->px || m->dy > 1 || m->dx > 1 || m->sy > 1 || m->sx > 1;
}

static int check_features(const struct loom_exec *x, const struct loom_mxu *m, struct loom_refusal *why)
{
	static const enum loom_feature of_type[] = { LOOM_FEAT_F32, LOOM_FEAT_BF16, LOOM_FEAT_INT8 };

	if (!loom_feature(x, of_type[m->type]) || (m->mode == LOOM_MXU_DW && !loom_feature(x, LOOM_FEAT_DW)) ||
	    (m->flags & LOOM_MXU_TRANSPOSE && !loom_feature(x, LOOM_FEAT_TRANSPOSE)) ||
	    (m->h.regsel && !loom_feature(x, LOOM_FEAT_REG)) ||
	    (is_convolution(m) && !loom_feature(x, LOOM_FEAT_CONV)) ||
	    (m->flags & LOOM_MXU_EPI && !loom_feature(x, LOOM_FEAT_EPI)))
		return loom_unit_refuse(why, LOOM_FAULT_FEATURE);
	return LOOM_FAULT_NONE;
}

static bool out_type_ok(const struct loom_mxu *m)
{
	if (m->type == LOOM_MXU_INT8)
		return m->out_type == LOOM_I32 || (m->out_type == LOOM_I8 && m->flags & LOOM_MXU_EPI);
	return m->out_type <= LOOM_F16;
}

static bool pad_ok(const struct loom_mxu *m)
{
	const uint32_t bits = 8 * loom_mxu_elem(m->type);

	return bits == 32 || !(m->pad_value >> bits);
}

static int check_fields(const struct loom_mxu *m, struct loom_refusal *why)
{
	if (!m->ih || !m->iw || !m->kh || !m->kw || !m->kc || !m->oh || !m->ow || !m->n || !m->sy || !m->sx ||
	    !m->dy || !m->dx || !m->outer[0] || !m->outer[1])
		return loom_unit_refuse(why, LOOM_FAULT_FIELD);
	if (m->mode == LOOM_MXU_DW && m->kc != 1) /* channels are counted by n */
		return loom_unit_refuse(why, LOOM_FAULT_FIELD);
	if (m->acc_pitch < m->n || !pad_ok(m) || (m->flags & LOOM_MXU_DRAIN && !out_type_ok(m)))
		return loom_unit_refuse(why, LOOM_FAULT_FIELD);
	if (m->flags & LOOM_MXU_EPI ? !(m->flags & LOOM_MXU_DRAIN) && m->acc != LOOM_ACC_BIAS :
				      m->acc == LOOM_ACC_BIAS)
		return loom_unit_refuse(why, LOOM_FAULT_FIELD);
	return LOOM_FAULT_NONE;
}

/* Products of the record; anything above the cap is returned as cap + 1. */
static uint64_t products(const struct loom_mxu *m)
{
	const uint32_t factors[] = { m->kh, m->kw, m->kc, m->oh, m->ow, m->n, m->outer[0], m->outer[1] };
	uint64_t macs = 1;

	for (unsigned i = 0; i < sizeof(factors) / sizeof(factors[0]); i++) {
		macs *= factors[i];
		if (macs > LOOM_CAP_MXU_MACS)
			return LOOM_CAP_MXU_MACS + 1;
	}
	return macs;
}

/*
 * Lowest and highest row (or column) of the map that the record touches: o * s + k * d - p within [0, size).
 * False if it touches padding only.
 */
static bool touched(uint32_t outs, uint32_t taps, int64_t s, int64_t d, int64_t p, int64_t size, int64_t *lo,
		    int64_t *hi)
{
	*lo = size;
	*hi = -1;
	for (uint32_t k = 0; k < taps; k++) {
		const int64_t at = k * d - p;
		const int64_t first = at < 0 ? (-at + s - 1) / s : 0;
		int64_t last = outs - 1;

		if (at >= size)
			break;
		if (at + last * s >= size)
			last = (size - 1 - at) / s;
		if (first > last)
			continue;
		if (at + first * s < *lo)
			*lo = at + first * s;
		if (at + last * s > *hi)
			*hi = at + last * s;
	}
	return *hi >= 0;
}

static int check_a(const struct loom_exec *x, const struct loom_dispatched *r, struct loom_refusal *why)
{
	const struct loom_mxu *m = &r->mxu;
	const uint32_t elem = loom_mxu_elem(m->type);
	struct loom_span s = loom_span_begin(m->a_base, r->base[0], elem);
	int64_t lo, hi;

	if (!touched(m->oh, m->kh, m->sy, m->dy, m->py, m->ih, &lo, &hi))
		return LOOM_FAULT_NONE;
	loom_span_index(&s, m->a_sh, lo, hi);
	if (!touched(m->ow, m->kw, m->sx, m->dx, m->px, m->iw, &lo, &hi))
		return LOOM_FAULT_NONE;
	loom_span_index(&s, m->a_sw, lo, hi);
	loom_span_dim(&s, m->a_sc, m->mode == LOOM_MXU_DW ? m->n : m->kc);
	loom_span_dim(&s, m->a_so[0], m->outer[0]);
	loom_span_dim(&s, m->a_so[1], m->outer[1]);
	return loom_span_check(x, &s, elem, why);
}

static int check_b(const struct loom_exec *x, const struct loom_dispatched *r, struct loom_refusal *why)
{
	const struct loom_mxu *m = &r->mxu;
	const uint32_t elem = loom_mxu_elem(m->type);
	struct loom_span s = loom_span_begin(m->b_base, r->base[1], elem);

	loom_span_dim(&s, m->b_sk, (int64_t)m->kh * m->kw * m->kc);
	loom_span_dim(&s, m->b_sn, m->n);
	loom_span_dim(&s, m->b_so[0], m->outer[0]);
	loom_span_dim(&s, m->b_so[1], m->outer[1]);
	return loom_span_check(x, &s, elem, why);
}

static int check_out(const struct loom_exec *x, const struct loom_dispatched *r, struct loom_refusal *why)
{
	const struct loom_mxu *m = &r->mxu;
	const uint32_t elem = loom_dtype_bytes(m->out_type);
	struct loom_span s = loom_span_begin(m->out_base, r->base[2], elem);

	if (!(m->flags & LOOM_MXU_DRAIN))
		return LOOM_FAULT_NONE;
	loom_span_dim(&s, m->o_so[0], m->outer[0]);
	loom_span_dim(&s, m->o_so[1], m->outer[1]);
	loom_span_dim(&s, m->o_sy, m->oh);
	loom_span_dim(&s, m->o_sx, m->ow);
	loom_span_dim(&s, m->o_sn, m->n);
	return loom_span_check(x, &s, elem, why);
}

static int check_acc(const struct loom_exec *x, const struct loom_mxu *m, struct loom_refusal *why)
{
	const uint64_t rows = (uint64_t)m->outer[0] * m->outer[1] * m->oh * m->ow;
	const uint64_t first = (uint64_t)m->acc_base * LOOM_ACC_GRANULE;
	const uint64_t end = first + ((rows - 1) * m->acc_pitch + m->n) * 4;
	const uint64_t bytes = x->target->acc_bytes;

	if (end > bytes)
		return loom_unit_refuse_memory(why, LOOM_FAULT_ACC_BOUNDS, (int64_t)(first > bytes ? first : bytes), bytes);
	return LOOM_FAULT_NONE;
}

static const struct loom_epi *epilogue(const struct loom_dispatched *r)
{
	return r->mxu.flags & LOOM_MXU_EPI ? (const struct loom_epi *)(const void *)(r->bytes + sizeof(r->mxu)) : NULL;
}

int loom_mxu_check(const struct loom_exec *x, const struct loom_dispatched *r, struct loom_demand *d,
		   struct loom_refusal *why)
{
	const struct loom_mxu *m = &r->mxu;
	uint64_t macs;
	int fault;

	if ((fault = check_kind(m, why)) || (fault = check_reserved(m, why)) ||
	    (fault = check_features(x, m, why)) || (fault = check_fields(m, why)))
		return fault;
	macs = products(m);
	if (macs > LOOM_CAP_MXU_MACS)
		return loom_unit_refuse(why, LOOM_FAULT_CAP);
	if ((fault = check_a(x, r, why)) || (fault = check_b(x, r, why)) || (fault = check_out(x, r, why)) ||
	    (fault = check_acc(x, m, why)) || (fault = loom_epi_check(x, r, why)))
		return fault;
	*d = (struct loom_demand){ .cost = loom_cost_mxu(x->target, m, epilogue(r)), .macs = macs, .mem_class = LOOM_NO_CLASS };
	loom_unit_refuse(why, LOOM_FAULT_NONE);
	return LOOM_FAULT_NONE;
}
