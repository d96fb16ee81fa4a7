/* SPDX-License-Identifier: GPL-2.0 */
#ifndef LOOM_QUOTA_H
#define LOOM_QUOTA_H

#include <linux/hrtimer.h>
#include <linux/list.h>
#include <linux/spinlock.h>

struct dma_fence;

/* The CPU time of a file, see loom_quota.c. */
struct loom_quota {
	spinlock_t lock; /* irq-safe: all of it */
	s64 tokens; /* nanoseconds that may be used; below 0: a debt */
	u64 filled_at; /* ktime_get_ns() */
	struct list_head waiting; /* loom_quota_ticket.node */
	struct hrtimer timer; /* pending while somebody waits */
};

/* What a segment waits with. */
struct loom_quota_ticket {
	struct list_head node;
	struct dma_fence *fence; /* signals once */
};

void loom_quota_init(struct loom_quota *q);
void loom_quota_fini(struct loom_quota *q);
struct dma_fence *loom_quota_wait(struct loom_quota *q,
				  struct loom_quota_ticket *ticket);
void loom_quota_forget(struct loom_quota *q, struct loom_quota_ticket *ticket);
void loom_quota_wake(struct loom_quota *q);
void loom_quota_charge(struct loom_quota *q, u64 ns);

#endif
