// SPDX-License-Identifier: GPL-2.0
/**
 * DOC: watchdog and reset
 *
 * While a job runs, every 250 ms (sooner with a small hang_ms) the watchdog
 *
 * 1. reaps completion records, so that a lost interrupt heals without reset;
 * 2. looks at PROGRESS. If no instruction retired for hang_ms, the job is stuck,
 *    not slow: it is condemned, and the device reset.
 *
 * To condemn is to take the job out of loom_npu.active under loom_npu.lock: from
 * then on a completion of it is ignored and, as its credit stays taken, nothing
 * else can start. The reset then stops the scheduler's worker, halts the device,
 * signals the culprit's fence (so that it, and not an innocent, gets the errno),
 * lets drm_sched_stop() free it, resets the device and starts the scheduler.
 *
 * A hang makes the context guilty. After LOOM_WEDGED_AFTER failed resets the
 * device is declared dead, with a uevent; a successful FLR revives it.
 */
#include <linux/delay.h>
#include <linux/kobject.h>
#include <linux/pci.h>

#include <drm/drm_drv.h>
#include <drm/drm_file.h>

#include "loom_chain.h"
#include "loom_ctx.h"
#include "loom_device.h"
#include "loom_inst.h"
#include "loom_trace.h"

#define LOOM_WATCHDOG_MS 250u
#define LOOM_HALT_TRIES 100

static unsigned long loom_watchdog_period(void)
{
	unsigned int hang = max(READ_ONCE(loom_hang_ms), 1u);

	return msecs_to_jiffies(clamp(hang / 4, 10u, LOOM_WATCHDOG_MS));
}

void loom_watchdog_arm(struct loom_device *ldev)
{
	struct loom_npu *npu = &ldev->npu;

	/* Does nothing while it is pending: most jobs are shorter. */
	queue_delayed_work(npu->reset_wq, &npu->watchdog, loom_watchdog_period());
}

/* Takes the running job from the device. Was there one? */
bool loom_npu_condemn(struct loom_device *ldev, enum loom_kill why)
{
	struct loom_npu *npu = &ldev->npu;
	unsigned long flags;
	bool any = false;

	spin_lock_irqsave(&npu->lock, flags);
	if (npu->active) {
		npu->condemned = npu->active;
		npu->active = NULL;
		npu->kill = why;
		any = true;
	}
	if (why == LOOM_KILL_UNPLUG)
		npu->dead = -ENODEV;
	spin_unlock_irqrestore(&npu->lock, flags);
	return any;
}

void loom_npu_kick_reset(struct loom_device *ldev)
{
	queue_work(ldev->npu.reset_wq, &ldev->npu.reset_work);
}

/* --- the culprit --- */

static const int loom_kill_errno[] = {
	[LOOM_KILL_HANG] = -ETIME,
	[LOOM_KILL_DEVICE] = -EIO,
	[LOOM_KILL_ADMIN] = -ECANCELED,
	[LOOM_KILL_UNPLUG] = -ENODEV,
};

static void loom_blame(struct loom_segment *seg, enum loom_kill why)
{
	struct loom_chain *chain = seg->chain;
	struct loom_inst_fault f = {
		.error = -loom_kill_errno[why],
		.segment = loom_segment_number(seg),
	};

	if (why == LOOM_KILL_HANG) {
		atomic_set(&chain->inst->ctx->guilty, 1);
		atomic_inc(&chain->inst->ctx->resets_guilty);
	}
	trace_loom_kill(seg);
	atomic64_inc(&chain->ldev->npu.killed);
	loom_inst_fail(chain->inst, &f);
	loom_chain_fail(chain, loom_kill_errno[why]);
}

/* The device writes no more of its memory: only now may its fence signal. */
static void loom_npu_end_condemned(struct loom_npu *npu)
{
	struct loom_segment *seg;

	spin_lock_irq(&npu->lock);
	seg = npu->condemned;
	npu->condemned = NULL;
	spin_unlock_irq(&npu->lock);
	if (!seg)
		return;
	loom_blame(seg, npu->kill);
	loom_segment_finish(seg);
}

/* Stops all DMA: parked between two instructions, else by a reset. */
static void loom_npu_halt(struct loom_device *ldev)
{
	int i;

	loom_write(ldev, LOOM_REG_IRQ_ENABLE, 0);
	loom_write(ldev, LOOM_REG_CONTROL, LOOM_CTL_HALT);
	for (i = 0; i < LOOM_HALT_TRIES; i++) {
		if (loom_read(ldev, LOOM_REG_STATUS) & LOOM_STS_HALTED)
			return;
		usleep_range(50, 100);
	}
	loom_npu_hw_reset(ldev);
}

static void loom_npu_close_rings(struct loom_npu *npu)
{
	spin_lock_irq(&npu->lock);
	npu->stopped = true;
	spin_unlock_irq(&npu->lock);
}

static void loom_sync_irqs(struct loom_device *ldev)
{
	synchronize_irq(pci_irq_vector(ldev->pdev, LOOM_VEC_QUEUE));
	synchronize_irq(pci_irq_vector(ldev->pdev, LOOM_VEC_ADMIN));
}

/*
 * Stops scheduler and device, and ends the running job with the errno of why.
 * Holds reset_lock until loom_npu_start().
 */
void loom_npu_stop(struct loom_device *ldev, enum loom_kill why)
{
	struct loom_npu *npu = &ldev->npu;
	bool present = loom_device_present(ldev);

	mutex_lock(&npu->reset_lock);
	drm_sched_wqueue_stop(&npu->sched);
	/* What has ended in time is not killed. */
	loom_npu_reap(ldev);
	loom_npu_condemn(ldev, why);
	if (present) {
		if (npu->condemned && npu->kill <= LOOM_KILL_DEVICE)
			loom_coredump(ldev, npu->condemned, loom_kill_errno[npu->kill]);
		loom_npu_halt(ldev);
	}
	loom_npu_close_rings(npu);
	loom_sync_irqs(ldev);
	loom_npu_end_condemned(npu);
	drm_sched_stop(&npu->sched, NULL);
}

static void loom_npu_wedge(struct loom_device *ldev)
{
	char *env[] = { "WEDGED=rebind", NULL };

	drm_err(&ldev->drm, "%d resets failed: the device is dead until it is rebound\n",
		LOOM_WEDGED_AFTER);
	kobject_uevent_env(&ldev->drm.accel->kdev->kobj, KOBJ_CHANGE, env);
}

static void loom_npu_set_dead(struct loom_npu *npu, int error)
{
	spin_lock_irq(&npu->lock);
	if (npu->dead != -ENODEV)
		npu->dead = error;
	spin_unlock_irq(&npu->lock);
}

static int loom_npu_restart_hw(struct loom_device *ldev)
{
	struct loom_npu *npu = &ldev->npu;
	int ret;

	do {
		ret = loom_npu_hw_reset(ldev);
		if (!ret)
			ret = loom_npu_hw_start(ldev);
		if (!ret)
			npu->failed_resets = 0;
	} while (ret && ++npu->failed_resets < LOOM_WEDGED_AFTER);
	loom_npu_set_dead(npu, ret ? -EIO : 0);
	if (ret)
		loom_npu_wedge(ldev);
	return ret;
}

/* The other half of loom_npu_stop(). A dead device answers jobs with its errno. */
void loom_npu_start(struct loom_device *ldev)
{
	struct loom_npu *npu = &ldev->npu;

	if (READ_ONCE(npu->dead) != -ENODEV)
		loom_npu_restart_hw(ldev);
	drm_sched_start(&npu->sched);
	mutex_unlock(&npu->reset_lock);
}

static void loom_reset_work(struct work_struct *work)
{
	struct loom_npu *npu = container_of(work, struct loom_npu, reset_work);
	struct loom_device *ldev = container_of(npu, struct loom_device, npu);
	int idx;

	if (!drm_dev_enter(&ldev->drm, &idx))
		return;
	/* Before the culprit's fence: who waited for it sees the reset counted. */
	atomic_inc(&npu->resets);
	loom_npu_stop(ldev, LOOM_KILL_ADMIN);
	loom_npu_start(ldev);
	trace_loom_reset(npu->kill, npu->dead);
	drm_dev_exit(idx);
}

/* --- the watchdog --- */

/*
 * Has the running job stood still for hang_ms? A check counts for no more than
 * twice its period: where the watchdog itself did not get to run, the machine
 * was short of time, and so perhaps was the device.
 */
static bool loom_watchdog_stuck(struct loom_device *ldev)
{
	struct loom_npu *npu = &ldev->npu;
	unsigned long since = min(jiffies - npu->checked_at,
				  2 * loom_watchdog_period());
	u64 progress = loom_read64(ldev, LOOM_REG_PROGRESS);
	u32 job = loom_read(ldev, LOOM_REG_PROGRESS_JOB);
	u32 expected;

	npu->checked_at = jiffies;
	spin_lock_irq(&npu->lock);
	expected = npu->active ? npu->active->seqno : 0;
	spin_unlock_irq(&npu->lock);
	if (progress != npu->progress || expected != npu->progress_job) {
		npu->progress = progress;
		npu->progress_job = expected;
		npu->stood_still = 0;
		return false;
	}
	npu->stood_still += since;
	if (!expected ||
	    npu->stood_still < msecs_to_jiffies(READ_ONCE(loom_hang_ms)))
		return false;
	drm_err(&ldev->drm, "job %u has stood still for %u ms at instruction %llu (device: job %u)\n",
		expected, READ_ONCE(loom_hang_ms), progress, job);
	return true;
}

static void loom_watchdog_check(struct loom_device *ldev)
{
	struct loom_npu *npu = &ldev->npu;
	bool busy;

	spin_lock_irq(&npu->lock);
	busy = npu->active;
	spin_unlock_irq(&npu->lock);
	if (!busy)
		return;
	if (loom_npu_reap(ldev))
		atomic64_inc(&npu->irqs_lost);
	else if (loom_watchdog_stuck(ldev) &&
		 loom_npu_condemn(ldev, LOOM_KILL_HANG))
		loom_npu_kick_reset(ldev);
	loom_watchdog_arm(ldev);
}

static void loom_watchdog_work(struct work_struct *work)
{
	struct loom_npu *npu = container_of(work, struct loom_npu, watchdog.work);
	struct loom_device *ldev = container_of(npu, struct loom_device, npu);
	int idx;

	if (!drm_dev_enter(&ldev->drm, &idx))
		return;
	loom_watchdog_check(ldev);
	drm_dev_exit(idx);
}

void loom_watchdog_init(struct loom_device *ldev)
{
	struct loom_npu *npu = &ldev->npu;

	mutex_init(&npu->reset_lock);
	INIT_WORK(&npu->reset_work, loom_reset_work);
	INIT_DELAYED_WORK(&npu->watchdog, loom_watchdog_work);
}
