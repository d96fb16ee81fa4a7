// SPDX-License-Identifier: GPL-2.0-or-later OR MIT
/*
 * The check of VPU records. Faults are found in this order: the unit's feature, counts, length, zero fields,
 * cap, views, micro-operations in order, then alignment and bounds of the views in order, then bounds of the tables
 * that LUT8 reads.
 */
#include "unit_check.h"
#include "vpu.h"

#define LOOM_UOP_INFO(num, name, operands, cls, text) [num] = { operands, LOOM_UC_##cls },
const struct loom_uop_info loom_uop_table[256] = { LOOM_UOPS(LOOM_UOP_INFO) };

static int check_shape(const struct loom_exec *x, const struct loom_vpu *v, struct loom_refusal *why)
{
	const uint8_t reserved = 0x40;
	uint32_t bytes;

	if (!loom_feature(x, LOOM_FEAT_VPU) || (v->h.regsel && !loom_feature(x, LOOM_FEAT_REG)))
		return loom_unit_refuse(why, LOOM_FAULT_FEATURE);
	if (!v->nviews || v->nviews > LOOM_VPU_MAX_VIEWS || !v->nops || v->nops > LOOM_VPU_MAX_OPS ||
	    v->nimms > LOOM_VPU_MAX_IMMS)
		return loom_unit_refuse(why, LOOM_FAULT_FIELD);
	for (unsigned d = 0; d < LOOM_VPU_DIMS; d++)
		if (!v->n[d])
			return loom_unit_refuse(why, LOOM_FAULT_FIELD);
	bytes = sizeof(*v) + v->nviews * sizeof(struct loom_view) + 4u * v->nimms + 4u * v->nops;
	if (v->h.units != (bytes + LOOM_UNIT_BYTES - 1) / LOOM_UNIT_BYTES)
		return loom_unit_refuse(why, LOOM_FAULT_UNITS);
	for (uint32_t i = bytes; i < v->h.units * LOOM_UNIT_BYTES; i++)
		if (((const uint8_t *)v)[i])
			return loom_unit_refuse(why, LOOM_FAULT_RESERVED);
	if (v->mask & reserved)
		return loom_unit_refuse(why, LOOM_FAULT_RESERVED);
	if (v->mask & LOOM_VPU_SCAN && !loom_feature(x, LOOM_FEAT_SCAN))
		return loom_unit_refuse(why, LOOM_FAULT_FEATURE);
	return LOOM_FAULT_NONE;
}

/* Elements of the record; anything above the cap is returned as cap + 1. */
static uint64_t elements(const struct loom_vpu *v)
{
	uint64_t n = 1;

	for (unsigned d = 0; d < LOOM_VPU_DIMS; d++) {
		n *= v->n[d];
		if (n > LOOM_CAP_VPU_ELEMS)
			return LOOM_CAP_VPU_ELEMS + 1;
	}
	return n;
}

static int check_view(const struct loom_view *w, struct loom_refusal *why)
{
	const uint8_t flags = LOOM_VIEW_OUT | LOOM_VIEW_RESUME | LOOM_VIEW_PARTIAL;

	if (w->rsvd)
		return loom_unit_refuse(why, LOOM_FAULT_RESERVED);
	if (w->dtype >= LOOM_NUM_NPU_DTYPES || w->flags & ~flags || w->flags > (w->flags & LOOM_VIEW_OUT ? flags : 0))
		return loom_unit_refuse(why, LOOM_FAULT_FIELD);
	return LOOM_FAULT_NONE;
}

/* What the chain has done so far. */
struct chain {
	uint32_t defined; /* vector registers that hold a value */
	uint32_t written; /* views that have a writer */
	uint32_t reduced; /* views whose writer is a reducer */
	uint32_t reducers;
	uint64_t passes; /* of the lanes */
};

static bool operand_ok(const struct loom_vpu *v, const struct chain *c, uint32_t operand)
{
	return operand < LOOM_VPU_NUM_VREGS ? c->defined >> operand & 1 : operand - LOOM_VPU_NUM_VREGS < v->nimms;
}

/* A scan has no partial results to leave, and begins from a value of the type that it works in. */
static bool reducer_type_ok(const struct loom_vpu *v, uint32_t op, const struct loom_view *w)
{
	const bool split = w->flags & (LOOM_VIEW_RESUME | LOOM_VIEW_PARTIAL);

	if (v->mask & LOOM_VPU_SCAN && w->flags & LOOM_VIEW_PARTIAL)
		return false;
	if (loom_vpu_is_arg(op))
		return !loom_dtype_float(w->dtype) && !split;
	if (loom_dtype_float(w->dtype) != (op <= LOOM_UOP_RMAX_F))
		return false;
	return !split || loom_dtype_bytes(w->dtype) == 4;
}

/* A reducer's view does not move along the reduced dimensions, unless it scans. */
static bool reducer_strides_ok(const struct loom_vpu *v, const struct loom_view *w)
{
	for (unsigned d = 0; d < LOOM_VPU_DIMS; d++)
		if (v->mask >> d & 1 && w->stride[d])
			return v->mask & LOOM_VPU_SCAN;
	return true;
}

static bool writer_ok(const struct loom_vpu *v, struct chain *c, uint32_t op, uint32_t view)
{
	const struct loom_view *w = loom_vpu_views(v) + view;

	if (view >= v->nviews || !(w->flags & LOOM_VIEW_OUT) || c->written >> view & 1)
		return false;
	c->written |= 1u << view;
	if (op == LOOM_UOP_STORE)
		return true;
	c->reduced |= 1u << view;
	return ++c->reducers <= LOOM_VPU_MAX_REDUCERS && reducer_type_ok(v, op, w) && reducer_strides_ok(v, w);
}

static int check_op(const struct loom_exec *x, const struct loom_vpu *v, struct chain *c, uint32_t u, struct loom_refusal *why)
{
	const struct loom_uop_info info = loom_uop_table[LOOM_UOP_OP(u)];
	const uint32_t op = LOOM_UOP_OP(u), dst = LOOM_UOP_DST(u);
	const uint32_t operand[3] = { LOOM_UOP_A(u), LOOM_UOP_B(u), LOOM_UOP_C(u) };
	const bool writes_view = op == LOOM_UOP_STORE || info.cls == LOOM_UC_R;
	bool ok = true;

	if (!info.operands)
		return loom_unit_refuse(why, LOOM_FAULT_OPCODE);
	if (info.cls == LOOM_UC_T && !loom_feature(x, LOOM_FEAT_TRANS))
		return loom_unit_refuse(why, LOOM_FAULT_FEATURE);
	if (u >> 27)
		return loom_unit_refuse(why, LOOM_FAULT_RESERVED);
	for (uint32_t i = info.operands; i < 3; i++)
		if (operand[i])
			return loom_unit_refuse(why, LOOM_FAULT_RESERVED);
	if (op == LOOM_UOP_LOAD)
		ok = operand[0] < v->nviews && !(loom_vpu_views(v)[operand[0]].flags & LOOM_VIEW_OUT);
	else if (op == LOOM_UOP_IOTA)
		ok = operand[0] < LOOM_VPU_DIMS;
	else
		for (uint32_t i = 0; i < info.operands; i++)
			ok = ok && operand_ok(v, c, operand[i]);
	if (op == LOOM_UOP_LUT8) /* a table is one place, which the check has to know */
		ok = ok && operand[1] >= LOOM_VPU_NUM_VREGS;
	if (ok && writes_view)
		ok = writer_ok(v, c, op, dst);
	if (!ok)
		return loom_unit_refuse(why, LOOM_FAULT_FIELD);
	if (!writes_view)
		c->defined |= 1u << dst;
	return LOOM_FAULT_NONE;
}

static int check_chain(const struct loom_exec *x, const struct loom_vpu *v, struct chain *c, struct loom_refusal *why)
{
	int fault;

	for (unsigned i = 0; i < v->nops; i++) {
		const uint32_t u = loom_vpu_ops(v)[i];

		if ((fault = check_op(x, v, c, u, why)))
			return fault;
		c->passes += loom_uop_passes(LOOM_UOP_OP(u));
	}
	if (v->mask && !c->reducers)
		return loom_unit_refuse(why, LOOM_FAULT_FIELD);
	for (unsigned i = 0; i < v->nviews; i++)
		if (loom_vpu_views(v)[i].flags & (LOOM_VIEW_RESUME | LOOM_VIEW_PARTIAL) && !(c->reduced >> i & 1))
			return loom_unit_refuse(why, LOOM_FAULT_FIELD);
	return LOOM_FAULT_NONE;
}

static int check_bounds(const struct loom_exec *x, const struct loom_dispatched *r, unsigned i,
			struct loom_refusal *why)
{
	const struct loom_view *w = loom_vpu_views(&r->vpu) + i;
	const uint32_t elem = loom_dtype_bytes(w->dtype);
	const bool split = w->flags & (LOOM_VIEW_RESUME | LOOM_VIEW_PARTIAL) && !(r->vpu.mask & LOOM_VPU_SCAN);
	struct loom_span s = loom_span_begin(w->base, i < 4 ? r->base[i] : 0, elem);

	for (unsigned d = 0; d < LOOM_VPU_DIMS; d++)
		loom_span_dim(&s, w->stride[d], r->vpu.n[d]);
	return loom_span_check(x, &s, split ? 4 * LOOM_VPU_PARTIALS : elem, why);
}

static int check_table(const struct loom_exec *x, const struct loom_vpu *v, uint32_t u, struct loom_refusal *why)
{
	struct loom_span s;

	if (LOOM_UOP_OP(u) != LOOM_UOP_LUT8)
		return LOOM_FAULT_NONE;
	s = loom_span_begin(loom_vpu_imms(v)[LOOM_UOP_B(u) - LOOM_VPU_NUM_VREGS], 0, 1);
	return loom_span_check(x, &s, 256, why);
}

static struct loom_cost cost(const struct loom_target *t, const struct loom_vpu *v, uint64_t elems,
			     const struct chain *c)
{
	struct loom_cost cost = loom_cost_vpu(t, elems, c->passes);
	uint64_t groups = 1;

	for (unsigned d = 0; d < LOOM_VPU_DIMS; d++)
		groups *= v->mask >> d & 1 ? 1 : v->n[d];
	if (v->mask & LOOM_VPU_SCAN)
		cost = loom_cost_vpu_scan(t, groups, elems / groups, c->passes, c->reducers);
	for (unsigned i = 0; i < v->nviews; i++)
		cost.conflict += loom_vpu_conflict(t, v, loom_vpu_views(v) + i);
	return cost;
}

int loom_vpu_check(const struct loom_exec *x, const struct loom_dispatched *r, struct loom_demand *d,
		   struct loom_refusal *why)
{
	const struct loom_vpu *v = &r->vpu;
	struct chain c = { 0 };
	uint64_t elems;
	int fault;

	if ((fault = check_shape(x, v, why)))
		return fault;
	elems = elements(v);
	if (elems > LOOM_CAP_VPU_ELEMS)
		return loom_unit_refuse(why, LOOM_FAULT_CAP);
	for (unsigned i = 0; i < v->nviews; i++)
		if ((fault = check_view(loom_vpu_views(v) + i, why)))
			return fault;
	if ((fault = check_chain(x, v, &c, why)))
		return fault;
	for (unsigned i = 0; i < v->nviews; i++)
		if ((fault = check_bounds(x, r, i, why)))
			return fault;
	for (unsigned i = 0; i < v->nops; i++)
		if ((fault = check_table(x, v, loom_vpu_ops(v)[i], why)))
			return fault;
	*d = (struct loom_demand){
		.cost = cost(x->target, v, elems, &c),
		.elem_ops = elems * v->nops,
		.mem_class = LOOM_NO_CLASS,
	};
	loom_unit_refuse(why, LOOM_FAULT_NONE);
	return LOOM_FAULT_NONE;
}
