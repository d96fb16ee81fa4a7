/* SPDX-License-Identifier: GPL-2.0 */
#ifndef LOOM_NPU_H
#define LOOM_NPU_H

#include <linux/atomic.h>
#include <linux/interrupt.h>
#include <linux/mutex.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>

#include <drm/gpu_scheduler.h>

#include "drm/loom_accel.h"
#include "loom_regs.h"

struct loom_device;
struct loom_segment;

#define LOOM_RING_ENTRIES 64u
#define LOOM_WEDGED_AFTER 3 /* failed resets */

/* Why a running job is killed. */
enum loom_kill {
	LOOM_KILL_NONE = 0,
	LOOM_KILL_HANG, /* no progress: its context is guilty */
	LOOM_KILL_DEVICE, /* the device reported an error of its own */
	LOOM_KILL_ADMIN, /* FLR, suspend, debugfs */
	LOOM_KILL_UNPLUG,
};

struct loom_npu {
	struct drm_gpu_scheduler sched;
	struct workqueue_struct *submit_wq;
	struct workqueue_struct *reset_wq; /* ordered: watchdog and reset */
	struct work_struct reset_work;
	struct delayed_work watchdog;
	struct mutex reset_lock; /* one stop ... start at a time */

	spinlock_t lock; /* irq-safe: all down to started */
	bool stopped; /* records are not looked at until the rings begin anew */
	struct loom_segment *active; /* on the device; NULL: idle or condemned */
	struct loom_segment *condemned; /* its completion is ignored */
	enum loom_kill kill; /* why */
	int dead; /* negative errno that run_job() answers with, or 0 */
	u32 seqno;
	u32 tail; /* jobs given, free-running */
	u32 cq_head; /* records taken, free-running */
	ktime_t started; /* of active */

	/* Watchdog only. */
	u64 progress;
	u32 progress_job;
	unsigned long checked_at; /* jiffies */
	unsigned long stood_still; /* jiffies that the watchdog saw */

	struct loom_job *ring;
	dma_addr_t ring_dma;
	struct loom_completion *cq;
	dma_addr_t cq_dma;
	struct loom_region *table; /* of the job that runs: there is one */
	dma_addr_t table_dma;
	u32 failed_resets;
	/* By priority, scheduler's worker only: see loom_fair.c. */
	u64 front[DRM_LOOM_PRIORITY_HIGH + 1];

	atomic64_t submitted;
	atomic64_t completed;
	atomic64_t faulted;
	atomic64_t killed;
	atomic64_t irqs_lost;
	atomic64_t cycles;
	atomic_t resets;
};

int loom_npu_init(struct loom_device *ldev);
void loom_npu_fini(struct loom_device *ldev);
int loom_npu_hw_start(struct loom_device *ldev);
int loom_npu_hw_reset(struct loom_device *ldev);
irqreturn_t loom_npu_irq(int irq, void *arg);
irqreturn_t loom_npu_admin_irq(int irq, void *arg);
bool loom_npu_reap(struct loom_device *ldev);
void loom_sched_drain(struct drm_gpu_scheduler *sched);

/* loom_watchdog.c */
void loom_watchdog_init(struct loom_device *ldev);
void loom_watchdog_arm(struct loom_device *ldev);
bool loom_npu_condemn(struct loom_device *ldev, enum loom_kill why);
void loom_npu_kick_reset(struct loom_device *ldev);
void loom_npu_stop(struct loom_device *ldev, enum loom_kill why);
void loom_npu_start(struct loom_device *ldev);

#endif
