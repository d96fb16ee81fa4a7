// SPDX-License-Identifier: GPL-2.0
/**
 * DOC: chains
 *
 * A job is a straight line of segments. Each has a done fence of ours, made
 * when the job is prepared, so that segment k + 1 can depend on segment k
 * before anything is armed: the scheduler's "finished" fences do not exist yet
 * then, and dependencies on them are reduced or dropped within one scheduler.
 *
 * The first error wins: it is kept in loom_chain.error, every later segment is
 * skipped by run_job(), and the last done fence, the only one that users see,
 * carries it. A segment that never ran (killed with its entity) is finished by
 * free_job().
 *
 * The chain is freed when the scheduler has freed all of its segments.
 */
#include <linux/pm_runtime.h>
#include <linux/slab.h>

#include <drm/drm_drv.h>

#include "loom_chain.h"
#include "loom_cpu.h"
#include "loom_ctx.h"
#include "loom_device.h"
#include "loom_drv.h"
#include "loom_fence.h"
#include "loom_gem.h"
#include "loom_inst.h"
#include "loom_prog.h"

int loom_chain_error(const struct loom_chain *chain)
{
	return atomic_read(&chain->error);
}

void loom_chain_fail(struct loom_chain *chain, int error)
{
	if (error)
		atomic_cmpxchg(&chain->error, 0, error);
}

/* --- end --- */

static void loom_segment_put_fences(struct loom_segment *seg)
{
	dma_fence_put(seg->done);
	dma_fence_put(seg->quota.fence);
}

static void loom_chain_free(struct work_struct *work)
{
	struct loom_chain *chain = container_of(work, struct loom_chain, free_work);
	struct loom_device *ldev = chain->ldev;
	u32 i;

	loom_cpu_unmap_job(chain);
	for (i = 0; i < chain->n_bos; i++)
		loom_bo_put(chain->bos[i].bo);
	for (i = 0; i < chain->n_segs; i++)
		loom_segment_put_fences(&chain->segs[i]);
	kvfree(chain->bos);
	kvfree(chain->table);
	loom_inst_put(chain->inst);
	loom_client_put(chain->client);
	pm_runtime_mark_last_busy(ldev->drm.dev);
	pm_runtime_put_autosuspend(ldev->drm.dev);
	drm_dev_put(&ldev->drm);
	kvfree(chain);
}

/*
 * Where the last reference to a buffer may go, on the cleanup queue: the
 * scheduler's worker must not wait for locks that buffers need.
 */
static void loom_chain_release(struct kref *ref)
{
	struct loom_chain *chain = container_of(ref, struct loom_chain, ref);

	if (chain->n_bos)
		queue_work(loom_cleanup_wq, &chain->free_work);
	else
		loom_chain_free(&chain->free_work);
}

static void loom_chain_cleanup_jobs(struct loom_chain *chain)
{
	u32 i;

	for (i = 0; i < chain->n_segs; i++)
		if (chain->segs[i].initialised)
			drm_sched_job_cleanup(&chain->segs[i].base);
}

/* A chain that was not pushed still owns its segments. */
void loom_chain_put(struct loom_chain *chain)
{
	if (!chain)
		return;
	if (!chain->queued)
		loom_chain_cleanup_jobs(chain);
	kref_put(&chain->ref, loom_chain_release);
}

/* After it ran, or instead: its done fence is signalled with the chain's error. */
void loom_segment_finish(struct loom_segment *seg)
{
	loom_fence_finish(seg->done, loom_chain_error(seg->chain));
}

/* free_job(): on the scheduler's worker, or on the way of killing an entity. */
void loom_segment_free(struct loom_segment *seg)
{
	struct loom_chain *chain = seg->chain;

	if (!dma_fence_is_signaled(seg->done)) {
		loom_chain_fail(chain, READ_ONCE(chain->ldev->npu.dead) ?: -ECANCELED);
		loom_segment_finish(seg);
	}
	if (loom_segment_on_cpu(seg))
		loom_quota_forget(&chain->client->quota, &seg->quota);
	drm_sched_job_cleanup(&seg->base);
	kref_put(&chain->ref, loom_chain_release);
}

/* --- beginning: all that can fail --- */

/* fence_context: of the done fences; the one after it of the tickets' fences. */
static int loom_segment_init_fences(struct loom_segment *seg, u64 fence_context)
{
	u32 i = loom_segment_index(seg);

	INIT_LIST_HEAD(&seg->quota.node);
	seg->done = loom_fence_create(fence_context, i + 1);
	if (!seg->done)
		return -ENOMEM;
	if (!loom_segment_on_cpu(seg))
		return 0;
	seg->quota.fence = loom_fence_create(fence_context + 1, i + 1);
	return seg->quota.fence ? 0 : -ENOMEM;
}

static int loom_segment_init(struct loom_segment *seg, struct loom_chain *chain,
			     u64 fence_context, u64 client_id)
{
	struct loom_ctx *ctx = chain->inst->ctx;
	u32 i = seg - chain->segs;
	int ret;

	seg->chain = chain;
	ret = loom_segment_init_fences(seg, fence_context);
	if (ret)
		return ret;
	ret = drm_sched_job_init(&seg->base, loom_segment_on_cpu(seg) ?
				 &ctx->cpu_entity : &ctx->entity, 1, ctx,
				 client_id);
	if (ret)
		return ret;
	seg->initialised = true;
	if (!i)
		return 0;
	return drm_sched_job_add_dependency(&seg->base,
					    dma_fence_get(seg[-1].done));
}

static int loom_chain_init_segments(struct loom_chain *chain, u64 client_id)
{
	u64 fence_context = dma_fence_context_alloc(2);
	int ret;
	u32 i;

	for (i = 0; i < chain->n_segs; i++) {
		ret = loom_segment_init(&chain->segs[i], chain, fence_context,
					client_id);
		if (ret)
			return ret;
	}
	return 0;
}

static void loom_chain_set_segments(struct loom_chain *chain,
				    const struct loom_prog_segment *descs, u32 n)
{
	u32 i;

	chain->n_segs = n;
	chain->has_cpu = loom_cpu_has_segments(descs, n);
	for (i = 0; i < n; i++)
		chain->segs[i].desc = &descs[i];
}

/* count segments of an entry point, from number first on; they exist. */
struct loom_chain *loom_chain_create(struct loom_inst *inst,
				     struct loom_client *client,
				     const struct loom_prog_entry *entry,
				     u32 first, u32 count, u64 client_id)
{
	const struct loom_prog_view *view = &inst->prog->view;
	struct loom_device *ldev = inst->ldev;
	struct loom_chain *chain;
	int ret;

	if (pm_runtime_resume_and_get(ldev->drm.dev))
		return ERR_PTR(-ENODEV);
	chain = kvzalloc(struct_size(chain, segs, count), GFP_KERNEL_ACCOUNT);
	if (!chain) {
		pm_runtime_put_autosuspend(ldev->drm.dev);
		return ERR_PTR(-ENOMEM);
	}
	kref_init(&chain->ref);
	INIT_WORK(&chain->free_work, loom_chain_free);
	loom_chain_set_segments(chain, &view->segments[entry->first_segment + first],
				count);
	chain->first_seg = first;
	chain->ldev = ldev;
	drm_dev_get(&ldev->drm);
	chain->inst = loom_inst_get(inst);
	chain->client = loom_client_get(client);
	chain->n_regions = LOOM_REGION_SLOT0 + view->n_slots;

	chain->table = kvcalloc(chain->n_regions, sizeof(*chain->table),
				GFP_KERNEL_ACCOUNT);
	ret = chain->table ? loom_chain_init_segments(chain, client_id) : -ENOMEM;
	if (ret) {
		loom_chain_put(chain);
		return ERR_PTR(ret);
	}
	return chain;
}

/* The chain begins after fence, whose reference is taken in any case. */
int loom_chain_depend(struct loom_chain *chain, struct dma_fence *fence)
{
	return drm_sched_job_add_dependency(&chain->segs[0].base, fence);
}

/* No return: the scheduler has the segments from here on. ctx->submit_lock. */
void loom_chain_push(struct loom_chain *chain)
{
	u32 n = chain->n_segs, i;

	lockdep_assert_held(&chain->inst->ctx->submit_lock);
	chain->queued = true;
	/* The last segment may be done and freed before the loop ends. */
	for (i = 0; i < n; i++) {
		kref_get(&chain->ref);
		drm_sched_job_arm(&chain->segs[i].base);
		drm_sched_entity_push_job(&chain->segs[i].base);
	}
}
