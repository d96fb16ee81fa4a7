// SPDX-License-Identifier: GPL-2.0-or-later OR MIT
#include <string.h>

#include "footprint.h"
#include "machine.h"

/* Boxes that an exact test may look at before it says "maybe". */
#define MEET_BUDGET 2048

/* --- boxes --- */

struct loom_box loom_box_run(uint32_t space, bool write, int64_t lo, int64_t bytes)
{
	struct loom_box b;

	memset(&b, 0, sizeof(b));
	b.space = space;
	b.write = write;
	b.lo = lo;
	b.hi = lo + bytes;
	b.inner = bytes;
	return b;
}

/* Adds a dimension; strides stay sorted. */
void loom_box_extend(struct loom_box *b, int64_t count, int64_t stride)
{
	const int64_t span = (count - 1) * stride;
	unsigned i;

	if (count <= 1 || !stride)
		return;
	if (span < 0) {
		b->lo += span;
		stride = -stride;
	} else {
		b->hi += span;
	}
	for (i = b->rank++; i && b->dim[i - 1].stride < stride; i--)
		b->dim[i] = b->dim[i - 1];
	b->dim[i].count = count;
	b->dim[i].stride = stride;
}

/* Runs that touch or overlap become one longer run. */
void loom_box_join(struct loom_box *b)
{
	while (b->rank && b->dim[b->rank - 1].stride <= b->inner) {
		b->rank--;
		b->inner += (b->dim[b->rank].count - 1) * b->dim[b->rank].stride;
	}
}

/* Bytes that one step of the dimensions with strides below `stride` spans. */
static int64_t extent_below(const struct loom_box *b, int64_t stride)
{
	int64_t extent = b->inner;
	unsigned i;

	for (i = 0; i < b->rank; i++)
		if (b->dim[i].stride < stride)
			extent += (b->dim[i].count - 1) * b->dim[i].stride;
	return extent;
}

static bool multiples_above(const struct loom_box *b, int64_t stride)
{
	unsigned i;

	for (i = 0; i < b->rank; i++)
		if (b->dim[i].stride >= stride && b->dim[i].stride % stride)
			return false;
	return true;
}

/* Both repeat with `stride`, and sit at different places in the period. */
static bool apart_modulo(const struct loom_box *a, const struct loom_box *b, int64_t stride)
{
	const int64_t ea = extent_below(a, stride), eb = extent_below(b, stride);
	int64_t gap;

	if (ea + eb > stride || !multiples_above(a, stride) || !multiples_above(b, stride))
		return false;
	gap = (b->lo - a->lo) % stride;
	if (gap < 0)
		gap += stride;
	return gap >= ea && gap + eb <= stride;
}

static bool apart_in_a_period(const struct loom_box *a, const struct loom_box *b)
{
	unsigned i;

	for (i = 0; i < a->rank; i++)
		if (apart_modulo(a, b, a->dim[i].stride))
			return true;
	return false;
}

/* Takes the box with the longer stride apart along it, as deep as there are
 * dimensions. */
static bool meet_exactly(const struct loom_box *a, const struct loom_box *b, int *budget)
{
	const bool split_a = a->rank && (!b->rank || a->dim[0].stride >= b->dim[0].stride);
	const struct loom_box *big = split_a ? a : b, *other = split_a ? b : a;
	struct loom_box part;
	int64_t count, stride, extent, first = 0, last, i;

	if (a->hi <= b->lo || b->hi <= a->lo)
		return false;
	if (--*budget < 0 || (!a->rank && !b->rank))
		return true;
	count = big->dim[0].count;
	stride = big->dim[0].stride;
	part = *big;
	part.rank = big->rank - 1;
	memmove(part.dim, big->dim + 1, part.rank * sizeof(part.dim[0]));
	extent = big->hi - big->lo - (count - 1) * stride;
	if (other->lo > big->lo + extent)
		first = (other->lo - big->lo - extent) / stride;
	last = (other->hi - big->lo) / stride;
	if (last > count - 1)
		last = count - 1;
	for (i = first; i <= last; i++) {
		part.lo = big->lo + i * stride;
		part.hi = part.lo + extent;
		if (meet_exactly(&part, other, budget))
			return true;
	}
	return false;
}

bool loom_boxes_meet(const struct loom_box *a, const struct loom_box *b)
{
	int budget = MEET_BUDGET;

	if (a->space != b->space || a->hi <= b->lo || b->hi <= a->lo)
		return false;
	if (!a->rank && !b->rank)
		return true;
	if (apart_in_a_period(a, b) || apart_in_a_period(b, a))
		return false;
	return meet_exactly(a, b, &budget);
}

bool loom_box_covers(const struct loom_box *outside, const struct loom_box *inside)
{
	unsigned i;

	if (outside->loose || outside->space != inside->space || inside->lo < outside->lo || inside->hi > outside->hi)
		return false;
	if (!outside->rank)
		return true;
	if (outside->rank != inside->rank || outside->lo != inside->lo || outside->inner < inside->inner)
		return false;
	for (i = 0; i < outside->rank; i++)
		if (outside->dim[i].stride != inside->dim[i].stride || outside->dim[i].count < inside->dim[i].count)
			return false;
	return true;
}

/* --- records --- */

static int64_t dma_offset(uint64_t addr, int64_t base)
{
	return (int64_t)LOOM_ADDR_OFFSET(addr) + base;
}

static bool has_list(const struct loom_dma *d)
{
	return d->h.op == LOOM_OP_LD_GATHER || d->h.op == LOOM_OP_ST_GATHER || d->h.op == LOOM_OP_LD_SCATTER ||
	       d->h.op == LOOM_OP_ST_SCATTER;
}

static unsigned dma_boxes(const struct loom_dispatched *r, struct loom_box *box)
{
	const struct loom_dma *d = &r->dma;
	const bool gather = d->h.op == LOOM_OP_LD_GATHER || d->h.op == LOOM_OP_ST_GATHER;
	const bool fill = d->h.op == LOOM_OP_LD_FILL || d->h.op == LOOM_OP_ST_FILL;
	struct loom_box src =
		loom_box_run(LOOM_ADDR_SLOT(d->src), false, dma_offset(d->src, r->base[0]), d->inner_bytes);
	struct loom_box dst =
		loom_box_run(LOOM_ADDR_SLOT(d->dst), true, dma_offset(d->dst, r->base[1]), d->inner_bytes);
	unsigned i, n = 0;

	src.loose = has_list(d) && gather;
	dst.loose = has_list(d) && !gather;
	for (i = 0; i < 4; i++) {
		loom_box_extend(&src, i == 3 && src.loose ? d->limit : d->n[i], d->sstride[i]);
		loom_box_extend(&dst, i == 3 && dst.loose ? d->limit : d->n[i], d->dstride[i]);
	}
	loom_box_join(&src);
	loom_box_join(&dst);
	if (!fill)
		box[n++] = src;
	box[n++] = dst;
	if (has_list(d))
		box[n++] =
			loom_box_run(LOOM_SLOT_SRAM, false, (int64_t)d->idx_or_fill + r->base[2], (int64_t)d->n[3] * 4);
	return n;
}

/* First and last index of a window's walk that is inside [0, limit); false if
 * all of it is padding. */
static bool walk(int64_t n, int64_t stride, int64_t k, int64_t dilation, int64_t pad, int64_t limit, int64_t *lo,
		 int64_t *hi)
{
	const int64_t end = (n - 1) * stride + (k - 1) * dilation - pad;

	*lo = pad < 0 ? -pad : 0;
	*hi = end < limit - 1 ? end : limit - 1;
	return *lo <= *hi;
}

static bool mxu_a_box(const struct loom_dispatched *r, unsigned bytes, struct loom_box *box)
{
	const struct loom_mxu *m = &r->mxu;
	int64_t y0, y1, x0, x1;

	if (!walk(m->oh, m->sy, m->kh, m->dy, m->py, m->ih, &y0, &y1) ||
	    !walk(m->ow, m->sx, m->kw, m->dx, m->px, m->iw, &x0, &x1))
		return false;
	*box = loom_box_run(LOOM_SLOT_SRAM, false, m->a_base + r->base[0] + y0 * m->a_sh + x0 * m->a_sw, bytes);
	loom_box_extend(box, m->outer[0], m->a_so[0]);
	loom_box_extend(box, m->outer[1], m->a_so[1]);
	loom_box_extend(box, y1 - y0 + 1, m->a_sh);
	loom_box_extend(box, x1 - x0 + 1, m->a_sw);
	loom_box_extend(box, m->mode == LOOM_MXU_DW ? m->n : m->kc, m->a_sc);
	loom_box_join(box);
	return true;
}

static struct loom_box mxu_b_box(const struct loom_dispatched *r, unsigned bytes)
{
	const struct loom_mxu *m = &r->mxu;
	struct loom_box b = loom_box_run(LOOM_SLOT_SRAM, false, m->b_base + r->base[1], bytes);

	loom_box_extend(&b, m->outer[0], m->b_so[0]);
	loom_box_extend(&b, m->outer[1], m->b_so[1]);
	loom_box_extend(&b, (int64_t)m->kh * m->kw * m->kc, m->b_sk);
	loom_box_extend(&b, m->n, m->b_sn);
	loom_box_join(&b);
	return b;
}

static struct loom_box mxu_out_box(const struct loom_dispatched *r)
{
	const struct loom_mxu *m = &r->mxu;
	struct loom_box b = loom_box_run(LOOM_SLOT_SRAM, true, m->out_base + r->base[2], loom_dtype_bytes(m->out_type));

	loom_box_extend(&b, m->outer[0], m->o_so[0]);
	loom_box_extend(&b, m->outer[1], m->o_so[1]);
	loom_box_extend(&b, m->oh, m->o_sy);
	loom_box_extend(&b, m->ow, m->o_sx);
	loom_box_extend(&b, m->n, m->o_sn);
	loom_box_join(&b);
	return b;
}

static struct loom_box mxu_acc_box(const struct loom_mxu *m)
{
	struct loom_box b = loom_box_run(LOOM_SPACE_ACC, true, (int64_t)m->acc_base * 64, (int64_t)m->n * 4);

	loom_box_extend(&b, (int64_t)m->outer[0] * m->outer[1] * m->oh * m->ow, (int64_t)m->acc_pitch * 4);
	loom_box_join(&b);
	return b;
}

static unsigned epi_boxes(const struct loom_dispatched *r, struct loom_box *box)
{
	const struct loom_mxu *m = &r->mxu;
	struct loom_epi e;
	unsigned n = 0;

	memcpy(&e, r->bytes + sizeof(*m), sizeof(e));
	if (e.bias != LOOM_EPI_NONE)
		box[n++] = loom_box_run(LOOM_SLOT_SRAM, false, e.bias, m->n * 4ll);
	if (e.scale != LOOM_EPI_NONE)
		box[n++] = loom_box_run(LOOM_SLOT_SRAM, false, e.scale, m->n * (e.rq == LOOM_RQ_F32 ? 4ll : 8ll));
	if (e.lut != LOOM_EPI_NONE)
		box[n++] = loom_box_run(LOOM_SLOT_SRAM, false, e.lut, 256);
	if (e.residual != LOOM_EPI_NONE) {
		box[n] = loom_box_run(LOOM_SLOT_SRAM, false, e.residual + r->base[3], loom_dtype_bytes(e.res_type));
		loom_box_extend(&box[n], m->oh, e.r_sy);
		loom_box_extend(&box[n], m->ow, e.r_sx);
		loom_box_extend(&box[n], m->n, e.r_sn);
		loom_box_join(&box[n++]);
	}
	return n;
}

static unsigned mxu_boxes(const struct loom_dispatched *r, struct loom_box *box)
{
	const struct loom_mxu *m = &r->mxu;
	const unsigned bytes = m->type == LOOM_MXU_F32 ? 4 : m->type == LOOM_MXU_BF16 ? 2 : 1;
	unsigned n = mxu_a_box(r, bytes, box);

	box[n++] = mxu_b_box(r, bytes);
	box[n++] = mxu_acc_box(m);
	if (m->flags & LOOM_MXU_DRAIN)
		box[n++] = mxu_out_box(r);
	if (m->flags & LOOM_MXU_EPI)
		n += epi_boxes(r, box + n);
	return n;
}

/* The tables of LUT8, whose addresses are immediates. */
static unsigned table_boxes(const struct loom_vpu *v, struct loom_box *box)
{
	const uint8_t *imms = (const uint8_t *)(v + 1) + v->nviews * sizeof(struct loom_view);
	uint32_t seen = 0, op, addr, i, n = 0;

	for (i = 0; i < v->nops; i++) {
		memcpy(&op, imms + (v->nimms + i) * 4, 4);
		if (LOOM_UOP_OP(op) != LOOM_UOP_LUT8 || seen >> LOOM_UOP_B(op) & 1)
			continue;
		seen |= 1u << LOOM_UOP_B(op);
		memcpy(&addr, imms + (LOOM_UOP_B(op) - LOOM_VPU_NUM_VREGS) * 4, 4);
		box[n++] = loom_box_run(LOOM_SLOT_SRAM, false, addr, 256);
	}
	return n;
}

static unsigned vpu_boxes(const struct loom_dispatched *r, struct loom_box *box)
{
	const struct loom_vpu *v = &r->vpu;
	const uint8_t split = v->mask & LOOM_VPU_SCAN ? 0 : LOOM_VIEW_PARTIAL | LOOM_VIEW_RESUME;
	unsigned i, d, n = 0;

	for (i = 0; i < v->nviews; i++) {
		struct loom_view w;
		struct loom_box b;

		memcpy(&w, r->bytes + sizeof(*v) + i * sizeof(w), sizeof(w));
		b = loom_box_run(LOOM_SLOT_SRAM, w.flags & LOOM_VIEW_OUT, w.base + (i < 4 ? r->base[i] : 0),
				 w.flags & split ? LOOM_VPU_PARTIALS * 4 : loom_dtype_bytes(w.dtype));
		for (d = 0; d < 6; d++)
			loom_box_extend(&b, v->n[d], w.stride[d]);
		loom_box_join(&b);
		box[n++] = b;
		if (w.flags & LOOM_VIEW_RESUME) {
			box[n] = b;
			box[n++].write = false;
		}
	}
	return n + table_boxes(v, box + n);
}

static unsigned scalar_boxes(const struct loom_dispatched *r, struct loom_box *box)
{
	const struct loom_seq *i = &r->seq;

	if (i->h.op != LOOM_OP_LD && i->h.op != LOOM_OP_ST)
		return 0;
	*box = loom_box_run(LOOM_SLOT_SRAM, i->h.op == LOOM_OP_ST, (int64_t)((uint64_t)r->base[0] + (uint64_t)i->imm),
			    i->cond == LOOM_SCALAR_I8 ? 1 : 4);
	return 1;
}

unsigned loom_footprint(const struct loom_dispatched *r, struct loom_box box[LOOM_MAX_BOXES])
{
	if (loom_op_queue(r->h.op) == LOOM_Q_SEQ)
		return scalar_boxes(r, box);
	switch (r->h.op) {
	case LOOM_OP_MXU:
		return mxu_boxes(r, box);
	case LOOM_OP_VPU:
		return vpu_boxes(r, box);
	default:
		return dma_boxes(r, box);
	}
}
