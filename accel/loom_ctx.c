// SPDX-License-Identifier: GPL-2.0
/*
 * Contexts: a scheduler entity for each engine, with a priority, and guilt. A context has no
 * address space; what a job may touch is in its own region table.
 */
#include <linux/capability.h>
#include <linux/slab.h>

#include <drm/drm_drv.h>
#include <drm/drm_file.h>

#include "loom_ctx.h"
#include "loom_device.h"
#include "loom_drv.h"
#include "loom_inst.h"

static const enum drm_sched_priority loom_sched_priority[] = {
	[DRM_LOOM_PRIORITY_LOW] = DRM_SCHED_PRIORITY_LOW,
	[DRM_LOOM_PRIORITY_NORMAL] = DRM_SCHED_PRIORITY_NORMAL,
	[DRM_LOOM_PRIORITY_HIGH] = DRM_SCHED_PRIORITY_HIGH,
};

struct loom_ctx *loom_ctx_get(struct loom_ctx *ctx)
{
	kref_get(&ctx->ref);
	return ctx;
}

/* The entities may be gone before their context: at unbind. */
static void loom_ctx_fini_entities(struct loom_ctx *ctx)
{
	lockdep_assert_held(&ctx->ldev->ctx_lock);
	if (!ctx->entities_live)
		return;
	ctx->entities_live = false;
	drm_sched_entity_fini(&ctx->entity);
	drm_sched_entity_fini(&ctx->cpu_entity);
}

/* On the cleanup queue: ending an entity waits for the scheduler's worker. */
static void loom_ctx_free(struct work_struct *work)
{
	struct loom_ctx *ctx = container_of(work, struct loom_ctx, free_work);
	struct loom_device *ldev = ctx->ldev;

	mutex_lock(&ldev->ctx_lock);
	list_del(&ctx->node);
	loom_ctx_fini_entities(ctx);
	mutex_unlock(&ldev->ctx_lock);
	loom_client_put(ctx->client);
	mutex_destroy(&ctx->submit_lock);
	dma_resv_fini(&ctx->resv);
	kfree(ctx);
	drm_dev_put(&ldev->drm);
}

static void loom_ctx_release(struct kref *ref)
{
	struct loom_ctx *ctx = container_of(ref, struct loom_ctx, ref);

	queue_work(loom_cleanup_wq, &ctx->free_work);
}

void loom_ctx_put(struct loom_ctx *ctx)
{
	kref_put(&ctx->ref, loom_ctx_release);
}

void loom_ctx_abandon(struct loom_ctx *ctx)
{
	WRITE_ONCE(ctx->abandoned, true);
}

/* Unbind: what waits for fences of others must not wait for the device too. */
void loom_ctx_kill_all(struct loom_device *ldev)
{
	struct loom_ctx *ctx;

	mutex_lock(&ldev->ctx_lock);
	list_for_each_entry(ctx, &ldev->ctxs, node)
		loom_ctx_fini_entities(ctx);
	mutex_unlock(&ldev->ctx_lock);
}

struct loom_ctx *loom_ctx_lookup(struct loom_file *lfile, u32 handle)
{
	struct loom_ctx *ctx;

	xa_lock(&lfile->ctxs);
	ctx = xa_load(&lfile->ctxs, handle);
	if (ctx)
		loom_ctx_get(ctx);
	xa_unlock(&lfile->ctxs);
	return ctx;
}

static int loom_ctx_init_entities(struct loom_ctx *ctx,
				  struct loom_device *ldev, u32 priority)
{
	struct drm_gpu_scheduler *npu = &ldev->npu.sched, *cpu = &ldev->cpu.sched;
	int ret;

	ret = drm_sched_entity_init(&ctx->entity, loom_sched_priority[priority],
				    &npu, 1, &ctx->guilty);
	if (ret)
		return ret;
	ret = drm_sched_entity_init(&ctx->cpu_entity,
				    loom_sched_priority[priority], &cpu, 1,
				    &ctx->guilty);
	if (ret)
		drm_sched_entity_fini(&ctx->entity);
	return ret;
}

static struct loom_ctx *loom_ctx_create(struct loom_device *ldev, u32 priority,
					struct loom_client *client)
{
	struct loom_ctx *ctx = kzalloc(sizeof(*ctx), GFP_KERNEL_ACCOUNT);
	int ret;

	if (!ctx)
		return ERR_PTR(-ENOMEM);
	ret = loom_ctx_init_entities(ctx, ldev, priority);
	if (ret) {
		kfree(ctx);
		return ERR_PTR(ret);
	}
	kref_init(&ctx->ref);
	ctx->ldev = ldev;
	drm_dev_get(&ldev->drm);
	ctx->client = loom_client_get(client);
	ctx->priority = priority;
	ctx->entities_live = true;
	ctx->resets_before = atomic_read(&ldev->npu.resets);
	INIT_WORK(&ctx->free_work, loom_ctx_free);
	dma_resv_init(&ctx->resv);
	mutex_init(&ctx->submit_lock);
	mutex_lock(&ldev->ctx_lock);
	list_add_tail(&ctx->node, &ldev->ctxs);
	mutex_unlock(&ldev->ctx_lock);
	return ctx;
}

int loom_ioctl_ctx_create(struct drm_device *drm, void *data,
			  struct drm_file *file)
{
	struct loom_file *lfile = to_loom_file(file);
	struct drm_loom_ctx_create *args = data;
	struct loom_ctx *ctx;
	int ret;

	if (args->flags || args->pad ||
	    args->priority > DRM_LOOM_PRIORITY_HIGH)
		return -EINVAL;
	if (args->priority == DRM_LOOM_PRIORITY_HIGH && !capable(CAP_SYS_NICE))
		return -EACCES;
	ctx = loom_ctx_create(lfile->ldev, args->priority, lfile->client);
	if (IS_ERR(ctx))
		return PTR_ERR(ctx);
	ret = loom_handle_alloc(&lfile->ctxs, ctx, LOOM_MAX_CTX, &args->ctx);
	if (ret)
		loom_ctx_put(ctx);
	return ret;
}

static void loom_ctx_drop_instances(struct loom_file *lfile,
				    struct loom_ctx *ctx)
{
	struct loom_inst *inst;
	unsigned long i;

	xa_for_each(&lfile->insts, i, inst) {
		/* Only who erased the handle drops its reference. */
		xa_lock(&lfile->insts);
		inst = xa_load(&lfile->insts, i);
		if (inst && inst->ctx == ctx)
			__xa_erase(&lfile->insts, i);
		else
			inst = NULL;
		xa_unlock(&lfile->insts);
		if (inst)
			loom_inst_put(inst);
	}
}

int loom_ioctl_ctx_destroy(struct drm_device *drm, void *data,
			   struct drm_file *file)
{
	struct loom_file *lfile = to_loom_file(file);
	struct drm_loom_ctx_destroy *args = data;
	struct loom_ctx *ctx;

	if (args->pad)
		return -EINVAL;
	ctx = xa_erase(&lfile->ctxs, args->ctx);
	if (!ctx)
		return -ENOENT;
	loom_ctx_drop_instances(lfile, ctx);
	loom_ctx_put(ctx);
	return 0;
}

int loom_ioctl_ctx_get_state(struct drm_device *drm, void *data,
			     struct drm_file *file)
{
	struct loom_device *ldev = to_loom_device(drm);
	struct drm_loom_ctx_get_state *args = data;
	struct loom_ctx *ctx;

	ctx = loom_ctx_lookup(to_loom_file(file), args->ctx);
	if (!ctx)
		return -ENOENT;
	args->state = atomic_read(&ctx->guilty) ? DRM_LOOM_CTX_GUILTY : 0;
	args->resets_guilty = atomic_read(&ctx->resets_guilty);
	args->resets_innocent = atomic_read(&ldev->npu.resets) -
				ctx->resets_before - args->resets_guilty;
	loom_ctx_put(ctx);
	return 0;
}
