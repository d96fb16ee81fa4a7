// SPDX-License-Identifier: GPL-2.0-or-later OR MIT
/*
 * Whether the outputs of a VPU record (elements of the dimensions that are not reduced) may be computed in any order:
 * each view that is written gives every output bytes of its own, and every other view and table lies beside all that
 * it writes, or is the same view.
 */
#include "apart.h"
#include "unit_check.h"
#include "vpu.h"

/* Bytes [lo, hi) that all elements of a view lie in. */
struct hull {
	int64_t lo, hi;
};

static int64_t address(const struct loom_dispatched *r, unsigned i)
{
	return loom_unit_address(loom_vpu_views(&r->vpu)[i].base, i < 4 ? r->base[i] : 0);
}

static int64_t element_bytes(const struct loom_vpu *v, unsigned i)
{
	const struct loom_view *w = loom_vpu_views(v) + i;
	const bool split = w->flags & (LOOM_VIEW_RESUME | LOOM_VIEW_PARTIAL) && !(v->mask & LOOM_VPU_SCAN);

	return split ? 4 * LOOM_VPU_PARTIALS : loom_dtype_bytes(w->dtype);
}

static struct hull hull_of(const struct loom_dispatched *r, unsigned i)
{
	const struct loom_vpu *v = &r->vpu;
	struct hull h = { address(r, i), address(r, i) + element_bytes(v, i) };

	for (unsigned d = 0; d < LOOM_VPU_DIMS; d++) {
		const int64_t reach = (int64_t)loom_vpu_views(v)[i].stride[d] * (v->n[d] - 1);

		*(reach < 0 ? &h.lo : &h.hi) += reach;
	}
	return h;
}

static bool beside(struct hull a, struct hull b)
{
	return a.hi <= b.lo || b.hi <= a.lo;
}

/* Elements of one output share its bytes: a reduced dimension in which the view does not move is left out. */
static bool gives_each_its_own(const struct loom_vpu *v, unsigned i)
{
	const struct loom_view *w = loom_vpu_views(v) + i;
	uint64_t n[LOOM_VPU_DIMS];
	int64_t stride[LOOM_VPU_DIMS];

	for (unsigned d = 0; d < LOOM_VPU_DIMS; d++) {
		stride[d] = w->stride[d];
		n[d] = v->mask >> d & 1 && !stride[d] ? 1 : v->n[d];
	}
	return loom_places_apart(LOOM_VPU_DIMS, n, stride, element_bytes(v, i));
}

static bool same_places(const struct loom_dispatched *r, unsigned i, unsigned j)
{
	const struct loom_vpu *v = &r->vpu;

	for (unsigned d = 0; d < LOOM_VPU_DIMS; d++)
		if (v->n[d] > 1 && loom_vpu_views(v)[i].stride[d] != loom_vpu_views(v)[j].stride[d])
			return false;
	return address(r, i) == address(r, j) && element_bytes(v, i) == element_bytes(v, j);
}

static bool tables_beside(const struct loom_vpu *v, struct hull written)
{
	for (unsigned i = 0; i < v->nops; i++) {
		const uint32_t u = loom_vpu_ops(v)[i];
		int64_t table;

		if (LOOM_UOP_OP(u) != LOOM_UOP_LUT8)
			continue;
		table = loom_vpu_imms(v)[LOOM_UOP_B(u) - LOOM_VPU_NUM_VREGS];
		if (!beside(written, (struct hull){ table, table + 256 }))
			return false;
	}
	return true;
}

bool loom_vpu_outputs_apart(const struct loom_dispatched *r)
{
	const struct loom_vpu *v = &r->vpu;
	struct hull hull[LOOM_VPU_MAX_VIEWS];

	for (unsigned i = 0; i < v->nviews; i++)
		hull[i] = hull_of(r, i);
	for (unsigned i = 0; i < v->nviews; i++) {
		if (!(loom_vpu_views(v)[i].flags & LOOM_VIEW_OUT))
			continue;
		if (!gives_each_its_own(v, i) || !tables_beside(v, hull[i]))
			return false;
		for (unsigned j = 0; j < v->nviews; j++)
			if (j != i && !beside(hull[i], hull[j]) && !same_places(r, i, j))
				return false;
	}
	return true;
}
