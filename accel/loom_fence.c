// SPDX-License-Identifier: GPL-2.0
/**
 * DOC: fences
 *
 * One fence a segment, owned by the driver: it is what run_job() returns, what
 * the next segment depends on and, for the last segment, what users get. The
 * scheduler's own "finished" fence is never published: it exists only from
 * arming on, and its names live in the scheduler, which goes away at unbind.
 *
 * These fences have static names, a lock of their own, and hold the module, so
 * a sync_file may outlive file, context and device; rmmod is refused until the
 * last one is gone.
 */
#include <linux/module.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>

#include "loom_fence.h"

struct loom_fence {
	struct dma_fence base;
	spinlock_t lock; /* dma_fence's */
};

static const char *loom_fence_driver_name(struct dma_fence *fence)
{
	return "loom";
}

static const char *loom_fence_timeline_name(struct dma_fence *fence)
{
	return "loom.job";
}

static void loom_fence_release(struct dma_fence *base)
{
	struct loom_fence *fence = container_of(base, struct loom_fence, base);

	kfree_rcu(fence, base.rcu);
	module_put(THIS_MODULE);
}

static const struct dma_fence_ops loom_fence_ops = {
	.get_driver_name = loom_fence_driver_name,
	.get_timeline_name = loom_fence_timeline_name,
	.release = loom_fence_release,
};

struct dma_fence *loom_fence_create(u64 context, u64 seqno)
{
	struct loom_fence *fence = kzalloc(sizeof(*fence), GFP_KERNEL);

	if (!fence)
		return NULL;
	__module_get(THIS_MODULE);
	spin_lock_init(&fence->lock);
	dma_fence_init(&fence->base, &loom_fence_ops, &fence->lock, context,
		       seqno);
	return &fence->base;
}

/* Signals once, with error unless it is 0; later calls do nothing. */
void loom_fence_finish(struct dma_fence *fence, int error)
{
	unsigned long flags;

	spin_lock_irqsave(fence->lock, flags);
	if (!test_bit(DMA_FENCE_FLAG_SIGNALED_BIT, &fence->flags)) {
		if (error)
			dma_fence_set_error(fence, error);
		dma_fence_signal_locked(fence);
	}
	spin_unlock_irqrestore(fence->lock, flags);
}
