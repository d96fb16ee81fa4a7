// SPDX-License-Identifier: GPL-2.0
/*
 * Instances: a program bound in a context, with the state that survives its
 * calls and the scratch that does not.
 *
 * A failed segment leaves the state undefined, so the instance is LOST until it
 * is reset: SUBMIT refuses it, and what is queued for it is cancelled.
 */
#include <linux/dma-fence.h>
#include <linux/slab.h>

#include <drm/drm_drv.h>
#include <drm/drm_file.h>
#include <drm/drm_gem.h>

#include "loom_cpu.h"
#include "loom_ctx.h"
#include "loom_device.h"
#include "loom_drv.h"
#include "loom_gem.h"
#include "loom_inst.h"
#include "loom_prog.h"

struct loom_inst *loom_inst_get(struct loom_inst *inst)
{
	kref_get(&inst->ref);
	return inst;
}

/* On the cleanup queue: buffers may be large, and the last user a job. */
static void loom_inst_free(struct work_struct *work)
{
	struct loom_inst *inst = container_of(work, struct loom_inst, free_work);
	u32 i;

	loom_cpu_unmap_inst(inst);
	for (i = 0; i < inst->n_slots; i++)
		loom_bo_put(inst->bos[i]);
	dma_fence_put(inst->last);
	loom_prog_put(inst->prog);
	loom_ctx_put(inst->ctx);
	kvfree(inst);
}

static void loom_inst_release(struct kref *ref)
{
	struct loom_inst *inst = container_of(ref, struct loom_inst, ref);

	queue_work(loom_cleanup_wq, &inst->free_work);
}

void loom_inst_put(struct loom_inst *inst)
{
	kref_put(&inst->ref, loom_inst_release);
}

struct loom_inst *loom_inst_lookup(struct loom_file *lfile, u32 handle)
{
	struct loom_inst *inst;

	xa_lock(&lfile->insts);
	inst = xa_load(&lfile->insts, handle);
	if (inst)
		loom_inst_get(inst);
	xa_unlock(&lfile->insts);
	return inst;
}

bool loom_inst_lost(struct loom_inst *inst)
{
	return READ_ONCE(inst->fault.error);
}

/* The first failure is the one that is kept. */
void loom_inst_fail(struct loom_inst *inst, const struct loom_inst_fault *f)
{
	unsigned long flags;

	spin_lock_irqsave(&inst->lock, flags);
	if (!inst->fault.error)
		inst->fault = *f;
	spin_unlock_irqrestore(&inst->lock, flags);
}

/* --- state --- */

static bool loom_slot_owned(const struct loom_prog_slot *slot)
{
	return slot->kind == LOOM_SLOT_STATE || slot->kind == LOOM_SLOT_SCRATCH;
}

static int loom_inst_alloc(struct loom_inst *inst)
{
	const struct loom_prog_slot *slots = inst->prog->view.slots;
	struct loom_bo *bo;
	u64 root;
	int ret;
	u32 i;

	for (i = 0; i < inst->n_slots; i++) {
		if (!loom_slot_owned(&slots[i]))
			continue;
		bo = loom_bo_create(inst->ldev, slots[i].bytes, 0, NULL);
		if (IS_ERR(bo))
			return PTR_ERR(bo);
		inst->bos[i] = bo;
		loom_bo_set_label(bo, loom_prog_string(inst->prog,
						       slots[i].name));
		ret = loom_bo_map(bo, &root);
		if (ret)
			return ret;
	}
	return 0;
}

/* consts is NULL where the slot begins as zeros. */
static int loom_slot_init(struct loom_bo *bo, const void *consts, u64 bytes)
{
	struct iosys_map map;
	int ret;

	ret = loom_bo_vmap(bo, &map);
	if (ret)
		return ret;
	if (consts)
		iosys_map_memcpy_to(&map, 0, consts, bytes);
	else
		iosys_map_memset(&map, 0, 0, bytes);
	loom_bo_vunmap(bo, &map);
	return 0;
}

static int loom_inst_init_slots(struct loom_inst *inst, const u8 *consts,
				bool fresh)
{
	const struct loom_prog_slot *slots = inst->prog->view.slots;
	bool init;
	int ret;
	u32 i;

	for (i = 0; i < inst->n_slots; i++) {
		init = slots[i].flags & LOOM_SLOT_INIT;
		/* A fresh buffer is zero. */
		if (slots[i].kind != LOOM_SLOT_STATE || (fresh && !init))
			continue;
		ret = loom_slot_init(inst->bos[i],
				     init ? consts + slots[i].const_offset : NULL,
				     slots[i].bytes);
		if (ret)
			return ret;
	}
	return 0;
}

static bool loom_inst_needs_consts(const struct loom_inst *inst)
{
	u32 i;

	for (i = 0; i < inst->n_slots; i++)
		if (inst->prog->view.slots[i].flags & LOOM_SLOT_INIT)
			return true;
	return false;
}

static int loom_inst_init_state(struct loom_inst *inst, bool fresh)
{
	struct loom_prog *prog = inst->prog;
	struct iosys_map map;
	int ret;

	if (!loom_inst_needs_consts(inst))
		return loom_inst_init_slots(inst, NULL, fresh);
	if (!prog->consts)
		return -EINVAL;
	ret = loom_bo_vmap(prog->consts, &map);
	if (ret)
		return ret;
	ret = map.is_iomem ? -EINVAL :
	      loom_inst_init_slots(inst, map.vaddr + prog->consts_offset, fresh);
	loom_bo_vunmap(prog->consts, &map);
	return ret;
}

/* --- ioctls --- */

static struct loom_inst *loom_inst_create(struct loom_device *ldev,
					  struct loom_ctx *ctx,
					  struct loom_prog *prog)
{
	u32 n = prog->view.n_slots;
	struct loom_inst *inst;
	int ret;

	if (prog->consts && prog->consts->ctx && prog->consts->ctx != ctx)
		return ERR_PTR(-EINVAL);
	inst = kvzalloc(struct_size(inst, bos, n), GFP_KERNEL_ACCOUNT);
	if (!inst)
		return ERR_PTR(-ENOMEM);
	kref_init(&inst->ref);
	INIT_WORK(&inst->free_work, loom_inst_free);
	spin_lock_init(&inst->lock);
	inst->n_slots = n;
	inst->ldev = ldev;
	inst->ctx = loom_ctx_get(ctx);
	inst->prog = loom_prog_get(prog);
	ret = loom_inst_alloc(inst);
	if (!ret)
		ret = loom_inst_init_state(inst, true);
	if (!ret)
		ret = loom_cpu_map_inst(inst);
	if (ret) {
		loom_inst_put(inst);
		return ERR_PTR(ret);
	}
	return inst;
}

int loom_ioctl_inst_create(struct drm_device *drm, void *data,
			   struct drm_file *file)
{
	struct drm_loom_inst_create *args = data;
	struct loom_file *lfile = to_loom_file(file);
	struct loom_inst *inst = ERR_PTR(-ENOENT);
	struct loom_prog *prog;
	struct loom_ctx *ctx;
	int ret;

	if (args->flags)
		return -EINVAL;
	ctx = loom_ctx_lookup(lfile, args->ctx);
	prog = loom_prog_lookup(lfile, args->prog);
	if (ctx && prog)
		inst = loom_inst_create(lfile->ldev, ctx, prog);
	if (prog)
		loom_prog_put(prog);
	if (ctx)
		loom_ctx_put(ctx);
	if (IS_ERR(inst))
		return PTR_ERR(inst);
	ret = loom_handle_alloc(&lfile->insts, inst, LOOM_MAX_HANDLES,
				&args->inst);
	if (ret)
		loom_inst_put(inst);
	return ret;
}

int loom_ioctl_inst_destroy(struct drm_device *drm, void *data,
			    struct drm_file *file)
{
	struct drm_loom_inst_destroy *args = data;
	struct loom_inst *inst;

	if (args->pad)
		return -EINVAL;
	inst = xa_erase(&to_loom_file(file)->insts, args->inst);
	if (!inst)
		return -ENOENT;
	loom_inst_put(inst);
	return 0;
}

/*
 * Returns with submit_lock held and no job of the instance in flight. Waits
 * without the lock, for other instances share it.
 */
static int loom_inst_lock_idle(struct loom_inst *inst)
{
	struct dma_fence *last;
	int ret;

	for (;;) {
		ret = mutex_lock_interruptible(&inst->ctx->submit_lock);
		if (ret)
			return ret;
		if (!inst->last || dma_fence_is_signaled(inst->last))
			return 0;
		last = dma_fence_get(inst->last);
		mutex_unlock(&inst->ctx->submit_lock);
		ret = dma_fence_wait(last, true);
		dma_fence_put(last);
		if (ret)
			return ret;
	}
}

static int loom_inst_reset(struct loom_inst *inst)
{
	int ret, idx;

	ret = loom_inst_lock_idle(inst);
	if (ret)
		return ret;
	if (drm_dev_enter(&inst->ldev->drm, &idx)) {
		ret = loom_inst_init_state(inst, false);
		drm_dev_exit(idx);
	} else {
		ret = -ENODEV;
	}
	if (!ret) {
		spin_lock_irq(&inst->lock);
		memset(&inst->fault, 0, sizeof(inst->fault));
		spin_unlock_irq(&inst->lock);
	}
	mutex_unlock(&inst->ctx->submit_lock);
	return ret;
}

int loom_ioctl_inst_reset(struct drm_device *drm, void *data,
			  struct drm_file *file)
{
	struct drm_loom_inst_reset *args = data;
	struct loom_inst *inst;
	int ret;

	if (args->flags)
		return -EINVAL;
	inst = loom_inst_lookup(to_loom_file(file), args->inst);
	if (!inst)
		return -ENOENT;
	ret = loom_inst_reset(inst);
	loom_inst_put(inst);
	return ret;
}

static void loom_inst_report(struct loom_inst *inst,
			     struct drm_loom_inst_get_state *args)
{
	struct loom_inst_fault f;

	spin_lock_irq(&inst->lock);
	f = inst->fault;
	spin_unlock_irq(&inst->lock);

	args->state = f.error ? DRM_LOOM_INST_LOST : 0;
	args->error = f.error;
	args->segment = f.segment;
	args->fault = f.fault;
	args->slot = f.slot;
	args->unit = f.unit;
	args->loc = f.loc;
	args->offset = f.offset;
	args->limit = f.limit;
	args->aux = f.aux;
}

static int loom_inst_state_handle(struct loom_inst *inst, u32 slot,
				  struct drm_file *file, u32 *handle)
{
	if (slot == ~0u)
		return 0;
	if (slot >= inst->n_slots ||
	    inst->prog->view.slots[slot].kind != LOOM_SLOT_STATE)
		return -EINVAL;
	return drm_gem_handle_create(file, loom_bo_gem(inst->bos[slot]), handle);
}

int loom_ioctl_inst_get_state(struct drm_device *drm, void *data,
			      struct drm_file *file)
{
	struct drm_loom_inst_get_state *args = data;
	struct loom_inst *inst;
	int ret;

	if (args->pad)
		return -EINVAL;
	inst = loom_inst_lookup(to_loom_file(file), args->inst);
	if (!inst)
		return -ENOENT;
	args->handle = 0;
	loom_inst_report(inst, args);
	ret = loom_inst_state_handle(inst, args->state_bo, file, &args->handle);
	loom_inst_put(inst);
	return ret;
}
