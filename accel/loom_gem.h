/* SPDX-License-Identifier: GPL-2.0 */
#ifndef LOOM_GEM_H
#define LOOM_GEM_H

#include <linux/iosys-map.h>
#include <linux/list.h>
#include <linux/mutex.h>

#include <drm/drm_gem_shmem_helper.h>

#include "drm/loom_accel.h"

struct loom_ctx;
struct loom_device;
struct loom_pagelist;

struct loom_bo {
	struct drm_gem_shmem_object base;
	struct list_head node; /* loom_device.bos */
	struct mutex lock; /* sgt, pages, label */
	struct sg_table *sgt; /* our mapping; an import's is base.sgt */
	struct loom_pagelist *pages;
	struct loom_ctx *ctx; /* context it is private to, or NULL */
	u32 flags; /* DRM_LOOM_BO_* */
	char label[DRM_LOOM_LABEL_MAX];
};

static inline struct loom_bo *to_loom_bo(struct drm_gem_object *obj)
{
	return container_of(to_drm_gem_shmem_obj(obj), struct loom_bo, base);
}

static inline struct drm_gem_object *loom_bo_gem(struct loom_bo *bo)
{
	return &bo->base.base;
}

static inline u64 loom_bo_size(const struct loom_bo *bo)
{
	return bo->base.base.size;
}

static inline void loom_bo_put(struct loom_bo *bo)
{
	if (bo)
		drm_gem_object_put(loom_bo_gem(bo));
}

struct loom_bo *loom_bo_create(struct loom_device *ldev, u64 size, u32 flags,
			       struct loom_ctx *ctx);
struct loom_bo *loom_bo_lookup(struct drm_file *file, u32 handle);
void loom_bo_set_label(struct loom_bo *bo, const char *label);
int loom_bo_map(struct loom_bo *bo, u64 *root);
int loom_bo_vmap(struct loom_bo *bo, struct iosys_map *map);
void loom_bo_vunmap(struct loom_bo *bo, struct iosys_map *map);
void loom_bo_release_all(struct loom_device *ldev);

struct drm_gem_object *loom_gem_create_object(struct drm_device *drm,
					      size_t size);
struct drm_gem_object *
loom_gem_import_sg_table(struct drm_device *drm,
			 struct dma_buf_attachment *attach,
			 struct sg_table *sgt);

int loom_ioctl_bo_create(struct drm_device *drm, void *data,
			 struct drm_file *file);
int loom_ioctl_bo_mmap_offset(struct drm_device *drm, void *data,
			      struct drm_file *file);
int loom_ioctl_bo_set_label(struct drm_device *drm, void *data,
			    struct drm_file *file);

#endif
