// SPDX-License-Identifier: GPL-2.0
/*
 * Buffers: shmem pages, labelled, mapped for the device once and for as long
 * as they live or the driver is bound.
 *
 * The mapping is ours (loom_bo.sgt), not the helper's, so that unbind can undo
 * it while users still hold the buffer.
 */
#include <linux/dma-buf.h>
#include <linux/dma-mapping.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include <drm/drm_drv.h>
#include <drm/drm_file.h>
#include <drm/drm_gem.h>
#include <drm/drm_prime.h>

#include "loom_ctx.h"
#include "loom_device.h"
#include "loom_drv.h"
#include "loom_gem.h"
#include "loom_region.h"
#include "loom_shmem.h"

/* --- the device's mapping --- */

static int loom_bo_map_pages(struct loom_bo *bo)
{
	struct device *dev = loom_bo_gem(bo)->dev->dev;
	struct sg_table *sgt;
	int ret;

	ret = drm_gem_shmem_pin(&bo->base);
	if (ret)
		return ret;
	sgt = drm_gem_shmem_get_sg_table(&bo->base);
	if (IS_ERR(sgt)) {
		ret = PTR_ERR(sgt);
		goto err_unpin;
	}
	ret = dma_map_sgtable(dev, sgt, DMA_BIDIRECTIONAL, 0);
	if (ret)
		goto err_free_sgt;
	bo->sgt = sgt;
	return 0;

err_free_sgt:
	sg_free_table(sgt);
	kfree(sgt);
err_unpin:
	drm_gem_shmem_unpin(&bo->base);
	return ret;
}

static void loom_bo_unmap_pages(struct loom_bo *bo)
{
	struct drm_gem_object *obj = loom_bo_gem(bo);

	loom_pagelist_free(obj->dev->dev, bo->pages);
	bo->pages = NULL;
	if (!bo->sgt)
		return;
	dma_unmap_sgtable(obj->dev->dev, bo->sgt, DMA_BIDIRECTIONAL, 0);
	sg_free_table(bo->sgt);
	kfree(bo->sgt);
	bo->sgt = NULL;
	drm_gem_shmem_unpin(&bo->base);
}

static int loom_bo_build_list(struct loom_bo *bo)
{
	struct drm_gem_object *obj = loom_bo_gem(bo);
	struct loom_pagelist *list;
	int ret;

	if (!obj->import_attach && !bo->sgt) {
		ret = loom_bo_map_pages(bo);
		if (ret)
			return ret;
	}
	list = loom_pagelist_create(obj->dev->dev, bo->sgt ?: bo->base.sgt,
				    obj->size);
	if (IS_ERR(list))
		return PTR_ERR(list);
	/* Pairs with loom_bo_map(). */
	smp_store_release(&bo->pages, list);
	return 0;
}

/* The bus address of the buffer's page list. Inside drm_dev_enter() only. */
int loom_bo_map(struct loom_bo *bo, u64 *root)
{
	int ret = 0;

	if (!smp_load_acquire(&bo->pages)) {
		ret = mutex_lock_interruptible(&bo->lock);
		if (ret)
			return ret;
		if (!bo->pages)
			ret = loom_bo_build_list(bo);
		mutex_unlock(&bo->lock);
	}
	if (!ret)
		*root = loom_pagelist_root(bo->pages);
	return ret;
}

int loom_bo_vmap(struct loom_bo *bo, struct iosys_map *map)
{
	return drm_gem_vmap_unlocked(loom_bo_gem(bo), map);
}

void loom_bo_vunmap(struct loom_bo *bo, struct iosys_map *map)
{
	drm_gem_vunmap_unlocked(loom_bo_gem(bo), map);
}

/* Unbind: no DMA mapping may outlive the driver; the buffers may. */
void loom_bo_release_all(struct loom_device *ldev)
{
	struct loom_bo *bo;

	mutex_lock(&ldev->bo_lock);
	list_for_each_entry(bo, &ldev->bos, node) {
		struct drm_gem_object *obj = loom_bo_gem(bo);

		mutex_lock(&bo->lock);
		loom_bo_unmap_pages(bo);
		if (obj->import_attach && bo->base.sgt) {
			dma_buf_unmap_attachment_unlocked(obj->import_attach,
							  bo->base.sgt,
							  DMA_BIDIRECTIONAL);
			bo->base.sgt = NULL;
		}
		mutex_unlock(&bo->lock);
	}
	mutex_unlock(&ldev->bo_lock);
}

/* --- GEM functions --- */

static void loom_gem_free(struct drm_gem_object *obj)
{
	struct loom_device *ldev = to_loom_device(obj->dev);
	struct loom_bo *bo = to_loom_bo(obj);
	struct loom_ctx *ctx = bo->ctx;

	mutex_lock(&ldev->bo_lock);
	list_del(&bo->node);
	loom_bo_unmap_pages(bo);
	mutex_unlock(&ldev->bo_lock);
	mutex_destroy(&bo->lock);
	drm_gem_shmem_free(&bo->base);
	/* The object's lock was the context's until here. */
	if (ctx)
		loom_ctx_put(ctx);
}

static struct dma_buf *loom_gem_export(struct drm_gem_object *obj, int flags)
{
	if (to_loom_bo(obj)->ctx)
		return ERR_PTR(-EPERM);
	return drm_gem_prime_export(obj, flags);
}

static int loom_gem_mmap(struct drm_gem_object *obj, struct vm_area_struct *vma)
{
	struct loom_bo *bo = to_loom_bo(obj);

	if (bo->flags & DRM_LOOM_BO_NO_MMAP)
		return -EPERM;
	return drm_gem_shmem_mmap(&bo->base, vma);
}

static enum drm_gem_object_status loom_gem_status(struct drm_gem_object *obj)
{
	struct loom_bo *bo = to_loom_bo(obj);

	return bo->base.pages || obj->import_attach ? DRM_GEM_OBJECT_RESIDENT : 0;
}

static const struct drm_gem_object_funcs loom_gem_funcs = {
	.free = loom_gem_free,
	.print_info = drm_gem_shmem_object_print_info,
	.export = loom_gem_export,
	.pin = drm_gem_shmem_object_pin,
	.unpin = drm_gem_shmem_object_unpin,
	.get_sg_table = drm_gem_shmem_object_get_sg_table,
	.vmap = drm_gem_shmem_object_vmap,
	.vunmap = drm_gem_shmem_object_vunmap,
	.mmap = loom_gem_mmap,
	.status = loom_gem_status,
	.vm_ops = &drm_gem_shmem_vm_ops,
};

struct drm_gem_object *loom_gem_create_object(struct drm_device *drm,
					      size_t size)
{
	struct loom_bo *bo = kzalloc(sizeof(*bo), GFP_KERNEL_ACCOUNT);

	if (!bo)
		return ERR_PTR(-ENOMEM);
	mutex_init(&bo->lock);
	INIT_LIST_HEAD(&bo->node);
	bo->base.base.funcs = &loom_gem_funcs;
	return &bo->base.base;
}

static void loom_bo_publish(struct loom_device *ldev, struct loom_bo *bo)
{
	mutex_lock(&ldev->bo_lock);
	list_add_tail(&bo->node, &ldev->bos);
	mutex_unlock(&ldev->bo_lock);
}

struct drm_gem_object *
loom_gem_import_sg_table(struct drm_device *drm,
			 struct dma_buf_attachment *attach,
			 struct sg_table *sgt)
{
	struct drm_gem_object *obj;

	obj = drm_gem_shmem_prime_import_sg_table(drm, attach, sgt);
	if (!IS_ERR(obj))
		loom_bo_publish(to_loom_device(drm), to_loom_bo(obj));
	return obj;
}

struct loom_bo *loom_bo_create(struct loom_device *ldev, u64 size, u32 flags,
			       struct loom_ctx *ctx)
{
	struct drm_gem_shmem_object *shmem;
	struct loom_bo *bo;
	int ret;

	shmem = drm_gem_shmem_create(&ldev->drm, size);
	if (IS_ERR(shmem))
		return ERR_CAST(shmem);
	ret = loom_shmem_use_huge_pages(&shmem->base);
	if (ret) {
		drm_gem_object_put(&shmem->base);
		return ERR_PTR(ret);
	}
	bo = to_loom_bo(&shmem->base);
	bo->flags = flags;
	if (ctx) {
		bo->ctx = loom_ctx_get(ctx);
		shmem->base.resv = &ctx->resv;
	}
	loom_bo_publish(ldev, bo);
	return bo;
}

struct loom_bo *loom_bo_lookup(struct drm_file *file, u32 handle)
{
	struct drm_gem_object *obj = drm_gem_object_lookup(file, handle);

	return obj ? to_loom_bo(obj) : NULL;
}

void loom_bo_set_label(struct loom_bo *bo, const char *label)
{
	mutex_lock(&bo->lock);
	strscpy(bo->label, label, sizeof(bo->label));
	mutex_unlock(&bo->lock);
}

/* --- ioctls --- */

static int loom_bo_create_handle(struct loom_device *ldev,
				 struct drm_loom_bo_create *args,
				 struct loom_ctx *ctx, struct drm_file *file)
{
	struct loom_bo *bo = loom_bo_create(ldev, args->size, args->flags, ctx);
	int ret;

	if (IS_ERR(bo))
		return PTR_ERR(bo);
	args->size = loom_bo_size(bo);
	ret = drm_gem_handle_create(file, loom_bo_gem(bo), &args->handle);
	loom_bo_put(bo);
	return ret;
}

int loom_ioctl_bo_create(struct drm_device *drm, void *data,
			 struct drm_file *file)
{
	struct drm_loom_bo_create *args = data;
	struct loom_ctx *ctx = NULL;
	int ret;

	if (!args->size || args->pad || args->flags & ~DRM_LOOM_BO_NO_MMAP)
		return -EINVAL;
	if (args->size > LOOM_MAX_BO_BYTES)
		return -E2BIG;
	if (args->ctx) {
		ctx = loom_ctx_lookup(to_loom_file(file), args->ctx);
		if (!ctx)
			return -ENOENT;
	}
	ret = loom_bo_create_handle(to_loom_device(drm), args, ctx, file);
	if (ctx)
		loom_ctx_put(ctx);
	return ret;
}

int loom_ioctl_bo_mmap_offset(struct drm_device *drm, void *data,
			      struct drm_file *file)
{
	struct drm_loom_bo_mmap_offset *args = data;
	struct loom_bo *bo;
	int ret;

	if (args->pad)
		return -EINVAL;
	bo = loom_bo_lookup(file, args->handle);
	if (!bo)
		return -ENOENT;
	ret = bo->flags & DRM_LOOM_BO_NO_MMAP ?
		-EPERM : drm_gem_create_mmap_offset(loom_bo_gem(bo));
	if (!ret)
		args->offset = drm_vma_node_offset_addr(&loom_bo_gem(bo)->vma_node);
	loom_bo_put(bo);
	return ret;
}

static int loom_copy_label(char *label, u64 from)
{
	long n;

	label[0] = '\0';
	if (!from)
		return 0;
	n = strncpy_from_user(label, u64_to_user_ptr(from), DRM_LOOM_LABEL_MAX);
	if (n < 0)
		return n;
	return n == DRM_LOOM_LABEL_MAX ? -E2BIG : 0;
}

int loom_ioctl_bo_set_label(struct drm_device *drm, void *data,
			    struct drm_file *file)
{
	struct drm_loom_bo_set_label *args = data;
	char label[DRM_LOOM_LABEL_MAX];
	struct loom_bo *bo;
	int ret;

	if (args->pad)
		return -EINVAL;
	bo = loom_bo_lookup(file, args->handle);
	if (!bo)
		return -ENOENT;
	ret = loom_copy_label(label, args->label);
	if (!ret)
		loom_bo_set_label(bo, label);
	loom_bo_put(bo);
	return ret;
}
