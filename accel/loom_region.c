// SPDX-License-Identifier: GPL-2.0
/*
 * What the device sees of memory: a page list for each buffer, built once, and
 * for each job a table that gives the program's slots their regions.
 */
#include <linux/dma-mapping.h>
#include <linux/overflow.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>
#include <linux/sort.h>

#include "drm/loom_accel.h"
#include "loom_ctx.h"
#include "loom_gem.h"
#include "loom_inst.h"
#include "loom_prog.h"
#include "loom_region.h"

/* One page of entries: the root, or a leaf. */
struct loom_pagelist_page {
	u64 *entries;
	dma_addr_t dma;
};

struct loom_pagelist {
	u32 n_pages;
	struct loom_pagelist_page page[] __counted_by(n_pages); /* 0: root */
};

u64 loom_pagelist_root(const struct loom_pagelist *list)
{
	return list->page[0].dma;
}

void loom_pagelist_free(struct device *dev, struct loom_pagelist *list)
{
	u32 i;

	if (!list)
		return;
	for (i = 0; i < list->n_pages; i++)
		if (list->page[i].entries)
			dma_free_coherent(dev, LOOM_PAGE_BYTES,
					  list->page[i].entries,
					  list->page[i].dma);
	kfree(list);
}

static struct loom_pagelist *loom_pagelist_alloc(struct device *dev, u32 leaves)
{
	struct loom_pagelist *list;
	u32 i;

	list = kzalloc(struct_size(list, page, leaves + 1), GFP_KERNEL);
	if (!list)
		return NULL;
	list->n_pages = leaves + 1;
	for (i = 0; i <= leaves; i++) {
		list->page[i].entries =
			dma_alloc_coherent(dev, LOOM_PAGE_BYTES,
					   &list->page[i].dma, GFP_KERNEL);
		if (!list->page[i].entries) {
			loom_pagelist_free(dev, list);
			return NULL;
		}
	}
	return list;
}

static int loom_pagelist_fill(struct loom_pagelist *list, struct sg_table *sgt,
			      u32 n)
{
	struct scatterlist *sg;
	u32 page = 0, i;

	for_each_sgtable_dma_sg(sgt, sg, i) {
		dma_addr_t addr = sg_dma_address(sg);
		u32 left = sg_dma_len(sg) >> LOOM_PAGE_SHIFT;

		/* Another driver's buffer may have pieces that are no pages. */
		if ((addr | sg_dma_len(sg)) & (LOOM_PAGE_BYTES - 1))
			return -EINVAL;
		for (; left && page < n; left--, page++) {
			list->page[1 + page / LOOM_PTE_PER_PAGE]
				.entries[page % LOOM_PTE_PER_PAGE] =
					addr | LOOM_PTE_VALID;
			addr += LOOM_PAGE_BYTES;
		}
	}
	return page == n ? 0 : -EINVAL;
}

struct loom_pagelist *loom_pagelist_create(struct device *dev,
					   struct sg_table *sgt, u64 bytes)
{
	struct loom_pagelist *list;
	u32 n, leaves, i;
	int ret;

	if (!bytes || bytes > LOOM_MAX_BUFFER_BYTES)
		return ERR_PTR(-E2BIG);
	n = DIV_ROUND_UP(bytes, LOOM_PAGE_BYTES);
	leaves = DIV_ROUND_UP(n, LOOM_PTE_PER_PAGE);
	list = loom_pagelist_alloc(dev, leaves);
	if (!list)
		return ERR_PTR(-ENOMEM);
	for (i = 0; i < leaves; i++)
		list->page[0].entries[i] = list->page[1 + i].dma | LOOM_PTE_VALID;
	ret = loom_pagelist_fill(list, sgt, n);
	if (ret) {
		loom_pagelist_free(dev, list);
		return ERR_PTR(ret);
	}
	return list;
}

/* --- a job's table --- */

/* A region before its buffer's identity is lost in a bus address. */
struct loom_span {
	const struct loom_bo *bo;
	u64 first;
	u64 end;
	bool writable;
};

struct loom_table {
	struct loom_inst *inst;
	const struct loom_bindings *b;
	struct loom_region *rows;
	struct loom_span *spans;
	u32 n_spans;
	u8 *wanted; /* by slot: ARG slots that the entry point binds */
	u32 n_args; /* of them */
};

static int loom_table_set(struct loom_table *t, struct loom_region *row,
			  struct loom_bo *bo, u64 offset, u64 bytes, u32 rights,
			  u32 mem_class)
{
	u64 root, end;
	int ret;

	if (check_add_overflow(offset, bytes, &end) || end > loom_bo_size(bo))
		return -EINVAL;
	/* Another context's private buffer is nobody else's to use. */
	if (bo->ctx && bo->ctx != t->inst->ctx)
		return -EINVAL;
	ret = loom_bo_map(bo, &root);
	if (ret)
		return ret;
	*row = (struct loom_region) {
		.root = root,
		.offset = offset,
		.bytes = bytes,
		.rights = rights,
		.mem_class = mem_class,
	};
	return 0;
}

static void loom_table_span(struct loom_table *t, const struct loom_bo *bo,
			    u64 offset, u64 bytes, bool writable)
{
	t->spans[t->n_spans++] = (struct loom_span) {
		.bo = bo,
		.first = offset,
		.end = offset + bytes,
		.writable = writable,
	};
}

static int loom_table_code(struct loom_table *t)
{
	struct loom_prog *prog = t->inst->prog;

	if (!prog->code)
		return 0;
	return loom_table_set(t, &t->rows[LOOM_REGION_CODE], prog->code, 0,
			      (u64)prog->view.n_units * LOOM_UNIT_BYTES,
			      LOOM_RIGHT_READ, 0);
}

static int loom_table_report(struct loom_table *t)
{
	const struct loom_bindings *b = t->b;
	const struct loom_job_bo *jbo;
	u64 all, end;

	if (!b->report_bo)
		return b->report_offset || b->report_size ? -EINVAL : 0;
	if (b->report_bo > b->n_bos || b->report_offset % 64 || b->report_size % 64 ||
	    b->report_size < sizeof(struct loom_report))
		return -EINVAL;
	jbo = &b->bos[b->report_bo - 1];
	if (!(jbo->access & DRM_LOOM_ACCESS_WRITE))
		return -EINVAL;
	if (check_mul_overflow(b->report_size, (u64)b->n_segments, &all) ||
	    check_add_overflow(b->report_offset, all, &end) ||
	    end > loom_bo_size(jbo->bo))
		return -EINVAL;
	loom_table_span(t, jbo->bo, b->report_offset, all, true);
	return loom_table_set(t, &t->rows[LOOM_REGION_REPORT], jbo->bo,
			      b->report_offset, b->report_size,
			      LOOM_RIGHT_WRITE, 0);
}

/* CONST, STATE and SCRATCH: what the instance brings. */
static int loom_table_own(struct loom_table *t, u32 slot)
{
	const struct loom_prog_slot *s = &t->inst->prog->view.slots[slot];
	struct loom_region *row = &t->rows[LOOM_REGION_SLOT0 + slot];
	struct loom_prog *prog = t->inst->prog;
	struct loom_bo *bo = t->inst->bos[slot];
	u64 offset = 0;

	if (s->kind == LOOM_SLOT_ARG) {
		t->n_args += t->wanted[slot];
		return 0;
	}
	if (s->kind == LOOM_SLOT_CONST) {
		bo = prog->consts;
		offset = prog->consts_offset + s->const_offset;
	}
	if (!bo)
		return -EINVAL;
	loom_table_span(t, bo, offset, s->bytes, s->rights & LOOM_RIGHT_WRITE);
	return loom_table_set(t, row, bo, offset, s->bytes, s->rights,
			      s->mem_class);
}

static int loom_table_arg(struct loom_table *t,
			  const struct drm_loom_binding *b)
{
	const struct loom_prog_view *view = &t->inst->prog->view;
	const struct loom_prog_slot *s;
	const struct loom_job_bo *jbo;
	struct loom_region *row;

	if (b->slot >= view->n_slots || b->bo_index >= t->b->n_bos ||
	    !t->wanted[b->slot])
		return -EINVAL;
	s = &view->slots[b->slot];
	row = &t->rows[LOOM_REGION_SLOT0 + b->slot];
	jbo = &t->b->bos[b->bo_index];
	/* root 0: no earlier row bound this slot */
	if (s->kind != LOOM_SLOT_ARG || row->root || b->offset % 64 ||
	    b->size < s->bytes || s->rights & ~jbo->access)
		return -EINVAL;
	if (b->size > loom_bo_size(jbo->bo) ||
	    b->offset > loom_bo_size(jbo->bo) - b->size)
		return -EINVAL;
	loom_table_span(t, jbo->bo, b->offset, s->bytes,
			s->rights & LOOM_RIGHT_WRITE);
	return loom_table_set(t, row, jbo->bo, b->offset, s->bytes, s->rights,
			      s->mem_class);
}

static int loom_span_cmp(const void *pa, const void *pb)
{
	const struct loom_span *a = pa, *b = pb;

	if (a->bo != b->bo)
		return a->bo < b->bo ? -1 : 1;
	if (a->first != b->first)
		return a->first < b->first ? -1 : 1;
	return 0;
}

/* A writable span may overlap no other one. */
static int loom_table_overlaps(struct loom_table *t)
{
	u64 end = 0, written_end = 0;
	u32 i;

	sort(t->spans, t->n_spans, sizeof(*t->spans), loom_span_cmp, NULL);
	for (i = 0; i < t->n_spans; i++) {
		const struct loom_span *s = &t->spans[i];

		if (!i || s->bo != s[-1].bo)
			end = written_end = 0;
		if (s->first < written_end || (s->writable && s->first < end))
			return -EINVAL;
		end = max(end, s->end);
		if (s->writable)
			written_end = max(written_end, s->end);
	}
	return 0;
}

static int loom_table_fill(struct loom_table *t)
{
	u32 i;
	int ret;

	ret = loom_table_code(t);
	if (ret)
		return ret;
	ret = loom_table_report(t);
	if (ret)
		return ret;
	for (i = 0; i < t->inst->prog->view.n_slots; i++) {
		ret = loom_table_own(t, i);
		if (ret)
			return ret;
	}
	/* Each row binds another wanted slot, so equal counts mean all. */
	if (t->b->n_rows != t->n_args)
		return -EINVAL;
	for (i = 0; i < t->b->n_rows; i++) {
		ret = loom_table_arg(t, &t->b->rows[i]);
		if (ret)
			return ret;
	}
	return loom_table_overlaps(t);
}

/* table: zeroed rows for code, report and every slot of the program. */
int loom_regions_build(struct loom_inst *inst, const struct loom_bindings *b,
		       struct loom_region *table)
{
	struct loom_table t = { .inst = inst, .b = b, .rows = table };
	const struct loom_prog_view *view = &inst->prog->view;
	int ret = -ENOMEM;
	u32 slot;

	BUILD_BUG_ON(DRM_LOOM_ACCESS_READ != LOOM_RIGHT_READ);
	BUILD_BUG_ON(DRM_LOOM_ACCESS_WRITE != LOOM_RIGHT_WRITE);
	t.spans = kvmalloc_array(view->n_slots + 1, sizeof(*t.spans),
				 GFP_KERNEL_ACCOUNT);
	t.wanted = kvmalloc(view->n_slots + 1, GFP_KERNEL_ACCOUNT);
	if (t.spans && t.wanted) {
		loom_prog_wanted_args(view, b->entry, t.wanted);
		ret = loom_prog_args_bound(view, b->entry, t.wanted, &slot) ?
		      loom_table_fill(&t) : -EINVAL;
	}
	kvfree(t.wanted);
	kvfree(t.spans);
	return ret;
}
