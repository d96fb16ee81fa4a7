/* SPDX-License-Identifier: GPL-2.0 */
#ifndef LOOM_REGION_H
#define LOOM_REGION_H

#include <linux/types.h>

#include "loom_regs.h"

struct device;
struct drm_loom_binding;
struct loom_bo;
struct loom_inst;
struct loom_pagelist;
struct sg_table;

struct loom_pagelist *loom_pagelist_create(struct device *dev,
					   struct sg_table *sgt, u64 bytes);
void loom_pagelist_free(struct device *dev, struct loom_pagelist *list);
u64 loom_pagelist_root(const struct loom_pagelist *list);

/* A job's buffer, as SUBMIT resolved it. */
struct loom_job_bo {
	struct loom_bo *bo;
	u32 access; /* DRM_LOOM_ACCESS_* */
	void *vaddr; /* for CPU segments, or NULL: see loom_cpu_map.c */
};

/* What a job gives its program: the input of loom_regions_build(). */
struct loom_bindings {
	u32 entry; /* entry point number */
	const struct loom_job_bo *bos;
	u32 n_bos;
	const struct drm_loom_binding *rows;
	u32 n_rows;
	u32 report_bo; /* 1 + index into bos, or 0 */
	u64 report_offset;
	u64 report_size; /* of one segment */
	u32 n_segments;
};

int loom_regions_build(struct loom_inst *inst, const struct loom_bindings *b,
		       struct loom_region *table);

#endif
