// SPDX-License-Identifier: GPL-2.0
/**
 * DOC: fair shares
 *
 * Contexts of one priority share the NPU by cycles, not by the number or the age
 * of their jobs. drm_sched runs the ready entity with the smallest key, and by
 * itself it takes the time of submission for one. Here the key is what the
 * context has used; the scheduler still finds out who is ready and which
 * priority is first, so nobody waits for a context that cannot run.
 *
 * A context that was not ready does not save up what it did not use: when one
 * of its segments is chosen, it is brought up to .front, the use of who was
 * chosen last. That is start-time fair queueing with a segment as the quantum.
 *
 * loom_ctx.used changes at the start and at the end of a segment. There is one
 * credit, so the two do not meet.
 */
#include <linux/ktime.h>
#include <linux/rbtree.h>

#include "loom_ctx.h"
#include "loom_device.h"
#include "loom_fair.h"

static bool loom_fair_less(struct rb_node *a, const struct rb_node *b)
{
	const struct drm_sched_entity *x, *y;

	x = rb_entry(a, struct drm_sched_entity, rb_tree_node);
	y = rb_entry(b, struct drm_sched_entity, rb_tree_node);
	return ktime_before(x->oldest_job_waiting, y->oldest_job_waiting);
}

/*
 * Whenever the scheduler has set its own key, that is after a push and after a
 * pop, and when the use has changed. Not in an interrupt: the scheduler's locks
 * are not for that.
 */
void loom_fair_place(struct loom_ctx *ctx)
{
	struct drm_sched_entity *entity = &ctx->entity;
	struct rb_node *node = &entity->rb_tree_node;
	struct drm_sched_rq *rq = entity->rq;

	spin_lock(&entity->lock);
	/* Ended; the run queue may be gone. */
	if (entity->stopped)
		goto out;
	spin_lock(&rq->lock);
	/* In no tree: not pushed yet, or the policy is round robin. */
	if (!RB_EMPTY_NODE(node)) {
		rb_erase_cached(node, &rq->rb_tree_root);
		entity->oldest_job_waiting = atomic64_read(&ctx->used);
		rb_add_cached(node, &rq->rb_tree_root, loom_fair_less);
	}
	spin_unlock(&rq->lock);
out:
	spin_unlock(&entity->lock);
}

/* The scheduler has chosen a segment of ctx; its worker only. */
void loom_fair_begin(struct loom_ctx *ctx)
{
	u64 *front = &ctx->ldev->npu.front[ctx->priority];

	*front = max_t(u64, *front, atomic64_read(&ctx->used));
	atomic64_set(&ctx->used, *front);
	loom_fair_place(ctx);
}

/* It has run; in the interrupt. loom_fair_place() follows, in free_job(). */
void loom_fair_charge(struct loom_ctx *ctx, u64 cycles)
{
	/* The device wrote it: no more than the device was allowed. */
	atomic64_add(min(cycles, LOOM_MAX_CYCLE_BUDGET), &ctx->used);
}
