// SPDX-License-Identifier: GPL-2.0
/**
 * DOC: CPU quota
 *
 * What the CPU engine computes, it computes in a kworker, where no cgroup sees
 * whom it is for. So each file has a token bucket: cpu_quota_pct of one CPU
 * flows in, what its segments computed is taken out, afterwards and exactly.
 *
 * A segment begins when its file is not in debt. Once begun it runs to its end,
 * for the engine has one worker, and to sleep in it would let others pay. What
 * it used beyond the bucket is a debt that the file's next segment waits for; as
 * debts are never forgiven, use over time is the quota, plus one segment and
 * LOOM_QUOTA_BURST_NS.
 *
 * The wait is a fence that prepare_job() hands to the scheduler: others go
 * first meanwhile, and it is not waited for when the entity is killed. The
 * bucket's timer signals it, or loom_quota_wake() if nobody wants the result
 * any more.
 *
 * Order: loom_quota.lock, then a fence's own lock.
 */
#include <linux/bits.h>
#include <linux/dma-fence.h>
#include <linux/ktime.h>
#include <linux/math64.h>
#include <linux/moduleparam.h>

#include "loom_fence.h"
#include "loom_quota.h"

#define LOOM_QUOTA_BURST_NS (10 * NSEC_PER_MSEC)
#define LOOM_QUOTA_LONG_NS BIT_ULL(40) /* beyond it any debt is paid */

static unsigned int loom_cpu_quota_pct = 50;
module_param_named(cpu_quota_pct, loom_cpu_quota_pct, uint, 0644);
MODULE_PARM_DESC(cpu_quota_pct, "Percent of one CPU that the CPU segments of a file may use, 1 to 100 (50)");

static u32 loom_quota_pct(void)
{
	return clamp(READ_ONCE(loom_cpu_quota_pct), 1u, 100u);
}

static void loom_quota_fill(struct loom_quota *q)
{
	u64 now = ktime_get_ns();
	u64 since = min(now - q->filled_at, LOOM_QUOTA_LONG_NS);

	lockdep_assert_held(&q->lock);
	q->filled_at = now;
	q->tokens = min_t(s64, q->tokens + div_u64(since * loom_quota_pct(), 100),
			  LOOM_QUOTA_BURST_NS);
}

static u64 loom_quota_debt_lasts(const struct loom_quota *q)
{
	return div_u64(-q->tokens * 100ull, loom_quota_pct()) + 1;
}

static void loom_quota_release(struct loom_quota *q)
{
	struct loom_quota_ticket *ticket, *next;

	lockdep_assert_held(&q->lock);
	list_for_each_entry_safe(ticket, next, &q->waiting, node) {
		list_del_init(&ticket->node);
		loom_fence_finish(ticket->fence, 0);
	}
}

static enum hrtimer_restart loom_quota_timer(struct hrtimer *timer)
{
	struct loom_quota *q = container_of(timer, struct loom_quota, timer);
	unsigned long flags;

	spin_lock_irqsave(&q->lock, flags);
	loom_quota_release(q);
	spin_unlock_irqrestore(&q->lock, flags);
	return HRTIMER_NORESTART;
}

void loom_quota_init(struct loom_quota *q)
{
	spin_lock_init(&q->lock);
	q->tokens = LOOM_QUOTA_BURST_NS;
	q->filled_at = ktime_get_ns();
	INIT_LIST_HEAD(&q->waiting);
	hrtimer_init(&q->timer, CLOCK_MONOTONIC, HRTIMER_MODE_REL);
	q->timer.function = loom_quota_timer;
}

/* With no ticket waiting. */
void loom_quota_fini(struct loom_quota *q)
{
	hrtimer_cancel(&q->timer);
}

/*
 * What the ticket's segment has to wait for, with a reference, or NULL. It
 * waits once: what others of its file used meanwhile, the next one pays.
 */
struct dma_fence *loom_quota_wait(struct loom_quota *q,
				  struct loom_quota_ticket *ticket)
{
	struct dma_fence *fence = NULL;
	unsigned long flags;

	spin_lock_irqsave(&q->lock, flags);
	loom_quota_fill(q);
	if (q->tokens < 0 &&
	    !test_bit(DMA_FENCE_FLAG_SIGNALED_BIT, &ticket->fence->flags)) {
		fence = dma_fence_get(ticket->fence);
		if (list_empty(&q->waiting))
			hrtimer_start(&q->timer,
				      ns_to_ktime(loom_quota_debt_lasts(q)),
				      HRTIMER_MODE_REL);
		if (list_empty(&ticket->node))
			list_add_tail(&ticket->node, &q->waiting);
	}
	spin_unlock_irqrestore(&q->lock, flags);
	return fence;
}

/* The ticket's segment was killed; its fence is signalled in any case. */
void loom_quota_forget(struct loom_quota *q, struct loom_quota_ticket *ticket)
{
	unsigned long flags;

	spin_lock_irqsave(&q->lock, flags);
	list_del_init(&ticket->node);
	loom_fence_finish(ticket->fence, 0);
	spin_unlock_irqrestore(&q->lock, flags);
}

/* Lets all go: they will see that they are cancelled. */
void loom_quota_wake(struct loom_quota *q)
{
	unsigned long flags;

	spin_lock_irqsave(&q->lock, flags);
	loom_quota_release(q);
	spin_unlock_irqrestore(&q->lock, flags);
}

void loom_quota_charge(struct loom_quota *q, u64 ns)
{
	unsigned long flags;

	spin_lock_irqsave(&q->lock, flags);
	loom_quota_fill(q);
	q->tokens -= ns;
	spin_unlock_irqrestore(&q->lock, flags);
}
