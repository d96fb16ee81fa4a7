// SPDX-License-Identifier: GPL-2.0
/**
 * DOC: the NPU queue
 *
 * One drm_gpu_scheduler with one credit in front of the job ring: the device
 * has at most one job, so guilt is exact and one region table suffices, in
 * coherent memory, that run_job() fills. What a job brings is ordinary kernel
 * memory and may outlive the driver's hold on the device.
 *
 * Completion is handled in the hard interrupt: it takes the record, accounts
 * and signals; waiters wake from there. So a job costs one kworker hop.
 *
 * loom_npu.lock decides who ends a job: whoever takes it out of .active, the
 * interrupt (or the watchdog in its place) or loom_npu_condemn().
 */
#include <linux/delay.h>
#include <linux/dma-mapping.h>
#include <linux/iopoll.h>
#include <linux/pci.h>

#include <drm/drm_drv.h>

#include "loom_chain.h"
#include "loom_ctx.h"
#include "loom_device.h"
#include "loom_drv.h"
#include "loom_fair.h"
#include "loom_inst.h"
#include "loom_prog.h"

#define CREATE_TRACE_POINTS
#include "loom_trace.h"

#define LOOM_RESET_US 1000000

static bool loom_wq_unbound;
module_param_named(wq_unbound, loom_wq_unbound, bool, 0444);
MODULE_PARM_DESC(wq_unbound, "Let the queue's worker run on any CPU instead of the submitter's (N)");

/* --- hardware --- */

int loom_npu_hw_reset(struct loom_device *ldev)
{
	u32 v;
	int ret;

	loom_write(ldev, LOOM_REG_IRQ_ENABLE, 0);
	loom_write(ldev, LOOM_REG_CONTROL, LOOM_CTL_RESET);
	ret = read_poll_timeout(loom_read, v, !(v & LOOM_CTL_RESET), 20,
				LOOM_RESET_US, false, ldev, LOOM_REG_CONTROL);
	if (ret)
		drm_err(&ldev->drm, "the device does not leave reset, control %#x\n", v);
	return ret;
}

/* After a reset; both rings begin anew. */
int loom_npu_hw_start(struct loom_device *ldev)
{
	struct loom_npu *npu = &ldev->npu;
	u32 status;

	spin_lock_irq(&npu->lock);
	memset(npu->cq, 0, LOOM_RING_ENTRIES * sizeof(*npu->cq));
	npu->tail = 0;
	npu->cq_head = 0;
	npu->stopped = false;
	spin_unlock_irq(&npu->lock);
	loom_write64(ldev, LOOM_REG_RING_BASE, npu->ring_dma);
	loom_write(ldev, LOOM_REG_RING_ENTRIES, LOOM_RING_ENTRIES);
	loom_write64(ldev, LOOM_REG_CQ_BASE, npu->cq_dma);
	loom_write(ldev, LOOM_REG_CQ_ENTRIES, LOOM_RING_ENTRIES);
	loom_write(ldev, LOOM_REG_IRQ_STATUS, LOOM_IRQ_QUEUE | LOOM_IRQ_ADMIN);
	loom_write(ldev, LOOM_REG_IRQ_ENABLE, LOOM_IRQ_QUEUE | LOOM_IRQ_ADMIN);
	loom_write(ldev, LOOM_REG_CONTROL, LOOM_CTL_ENABLE);

	status = loom_read(ldev, LOOM_REG_STATUS);
	if (status & LOOM_STS_ERROR || !(status & LOOM_STS_READY)) {
		drm_err(&ldev->drm, "the device does not start, status %#x, error %u\n",
			status, loom_read(ldev, LOOM_REG_ERROR));
		return -EIO;
	}
	return 0;
}

/* --- run --- */

static void loom_npu_fill_table(struct loom_npu *npu,
				const struct loom_segment *seg)
{
	const struct loom_chain *chain = seg->chain;
	struct loom_region *report = &npu->table[LOOM_REGION_REPORT];

	memcpy(npu->table, chain->table, chain->n_regions * sizeof(*npu->table));
	if (report->root)
		report->offset += loom_segment_index(seg) * chain->report_size;
}

static void loom_npu_fill_job(struct loom_npu *npu,
			      const struct loom_segment *seg)
{
	const struct loom_prog_segment *desc = seg->desc;

	npu->ring[npu->tail % LOOM_RING_ENTRIES] = (struct loom_job) {
		.table = npu->table_dma,
		.n_regions = seg->chain->n_regions,
		.seqno = seg->seqno,
		.first_unit = desc->first,
		.n_units = desc->count,
		.insn_budget = min(desc->insn_budget, LOOM_MAX_INSN_BUDGET),
		.cycle_budget = min(desc->cycle_budget, LOOM_MAX_CYCLE_BUDGET),
	};
}

static int loom_npu_give(struct loom_device *ldev, struct loom_segment *seg)
{
	struct loom_npu *npu = &ldev->npu;
	unsigned long flags;

	/* One credit: nobody else uses the table. */
	loom_npu_fill_table(npu, seg);
	spin_lock_irqsave(&npu->lock, flags);
	if (npu->dead) {
		spin_unlock_irqrestore(&npu->lock, flags);
		return npu->dead;
	}
	if (!++npu->seqno)
		npu->seqno = 1;
	seg->seqno = npu->seqno;
	loom_npu_fill_job(npu, seg);
	npu->active = seg;
	npu->started = ktime_get();
	npu->tail++;
	/* Before it can end: who waited for it sees it counted. */
	atomic64_inc(&npu->submitted);
	/* Orders the ring's and the table's stores before the doorbell. */
	loom_write(ldev, LOOM_REG_DOORBELL, npu->tail);
	spin_unlock_irqrestore(&npu->lock, flags);

	loom_watchdog_arm(ldev);
	return 0;
}

/* Why seg must not run: 0 or negative errno. */
static int loom_npu_refuse(struct loom_segment *seg)
{
	struct loom_chain *chain = seg->chain;
	int error = loom_chain_error(chain) ?: READ_ONCE(chain->ldev->npu.dead);

	if (error)
		return error;
	/* Set by the scheduler: its context is guilty, or it was killed. */
	if (seg->base.s_fence->finished.error)
		return seg->base.s_fence->finished.error;
	if (READ_ONCE(chain->inst->ctx->abandoned) ||
	    loom_inst_lost(chain->inst))
		return -ECANCELED;
	return 0;
}

static struct dma_fence *loom_npu_run_job(struct drm_sched_job *job)
{
	struct loom_segment *seg = to_loom_segment(job);
	struct loom_device *ldev = seg->chain->ldev;
	struct dma_fence *done = dma_fence_get(seg->done);
	int idx, ret;

	loom_fair_begin(seg->chain->inst->ctx);
	ret = loom_npu_refuse(seg);
	if (!ret) {
		trace_loom_run(seg);
		ret = -ENODEV;
		if (drm_dev_enter(&ldev->drm, &idx)) {
			ret = loom_npu_give(ldev, seg);
			drm_dev_exit(idx);
		}
	}
	if (ret) {
		loom_chain_fail(seg->chain, ret);
		trace_loom_skip(seg);
		loom_segment_finish(seg);
	}
	/* Signalled or not, it carries the outcome. */
	return done;
}

static void loom_npu_free_job(struct drm_sched_job *job)
{
	struct loom_segment *seg = to_loom_segment(job);

	/* Before the worker looks for the next one. */
	loom_fair_place(seg->chain->inst->ctx);
	loom_segment_free(seg);
}

/*
 * No timedout_job: the scheduler's timer is off, for it cannot tell slow from
 * stuck; loom_watchdog.c does, and resets on its own queue.
 */
static const struct drm_sched_backend_ops loom_sched_ops = {
	.run_job = loom_npu_run_job,
	.free_job = loom_npu_free_job,
};

/* --- completion --- */

static void loom_npu_fault(struct loom_segment *seg,
			   const struct loom_completion *rec)
{
	struct loom_inst_fault f = {
		.error = EIO,
		.segment = loom_segment_number(seg),
		.fault = min_t(u16, rec->fault, LOOM_NUM_FAULTS),
		.slot = rec->slot,
		.unit = rec->unit,
		.loc = rec->loc,
		.offset = rec->offset,
		.limit = rec->limit,
		.aux = rec->aux,
	};

	trace_loom_fault(seg, rec);
	atomic64_inc(&seg->chain->ldev->npu.faulted);
	loom_inst_fail(seg->chain->inst, &f);
	loom_chain_fail(seg->chain, -EIO);
}

static void loom_npu_account(struct loom_segment *seg,
			     const struct loom_completion *rec, s64 ns)
{
	struct loom_client *client = seg->chain->client;
	struct loom_npu *npu = &seg->chain->ldev->npu;

	atomic64_add(ns, &client->npu_ns);
	atomic64_add(rec->cycles, &client->npu_cycles);
	atomic64_inc(&client->npu_jobs);
	atomic64_add(rec->cycles, &npu->cycles);
	loom_fair_charge(seg->chain->inst->ctx, rec->cycles);
	if (!rec->fault)
		atomic64_inc(&npu->completed);
}

/* Takes one record, and with it the job that it ends; NULL: not ours. */
static struct loom_segment *loom_npu_take(struct loom_device *ldev,
					  struct loom_completion *rec)
{
	struct loom_npu *npu = &ldev->npu;
	struct loom_segment *seg = npu->active;

	*rec = npu->cq[npu->cq_head % LOOM_RING_ENTRIES];
	npu->cq_head++;
	loom_write(ldev, LOOM_REG_CQ_HEAD, npu->cq_head);
	if (seg && seg->seqno == rec->seqno) {
		npu->active = NULL;
		return seg;
	}
	/* A condemned job may still end; anything else is the device's error. */
	if (!npu->condemned || npu->condemned->seqno != rec->seqno)
		drm_err_ratelimited(&ldev->drm, "completion of job %u, which does not run\n",
				    rec->seqno);
	return NULL;
}

static bool loom_npu_record_ready(const struct loom_npu *npu)
{
	u32 phase = !(npu->cq_head / LOOM_RING_ENTRIES & 1);

	if (READ_ONCE(npu->cq[npu->cq_head % LOOM_RING_ENTRIES].phase) != phase)
		return false;
	/* The phase is written last. */
	dma_rmb();
	return true;
}

/* Ends what the device has completed. Was there anything? */
bool loom_npu_reap(struct loom_device *ldev)
{
	struct loom_npu *npu = &ldev->npu;
	struct loom_segment *seg = NULL;
	struct loom_completion rec;
	unsigned long flags;
	bool any = false;
	ktime_t started;

	spin_lock_irqsave(&npu->lock, flags);
	started = npu->started;
	while (!npu->stopped && loom_npu_record_ready(npu)) {
		any = true;
		seg = loom_npu_take(ldev, &rec);
		if (seg)
			break; /* one credit: there cannot be another */
	}
	spin_unlock_irqrestore(&npu->lock, flags);
	if (!seg)
		return any;

	loom_npu_account(seg, &rec, ktime_to_ns(ktime_sub(ktime_get(), started)));
	if (rec.fault)
		loom_npu_fault(seg, &rec);
	trace_loom_done(seg, &rec);
	loom_segment_finish(seg);
	return true;
}

irqreturn_t loom_npu_irq(int irq, void *arg)
{
	struct loom_device *ldev = arg;

	/* First the status, or a record written in between would be lost. */
	loom_write(ldev, LOOM_REG_IRQ_STATUS, LOOM_IRQ_QUEUE);
	loom_npu_reap(ldev);
	return IRQ_HANDLED;
}

irqreturn_t loom_npu_admin_irq(int irq, void *arg)
{
	struct loom_device *ldev = arg;

	loom_write(ldev, LOOM_REG_IRQ_STATUS, LOOM_IRQ_ADMIN);
	if (!(loom_read(ldev, LOOM_REG_STATUS) & LOOM_STS_ERROR))
		return IRQ_HANDLED;
	drm_err_ratelimited(&ldev->drm, "device error %u: resetting it\n",
			    loom_read(ldev, LOOM_REG_ERROR));
	loom_npu_condemn(ldev, LOOM_KILL_DEVICE);
	loom_npu_kick_reset(ldev);
	return IRQ_HANDLED;
}

/* --- init --- */

static int loom_npu_alloc(struct loom_device *ldev)
{
	struct loom_npu *npu = &ldev->npu;
	struct device *dev = ldev->drm.dev;
	u32 rows = LOOM_REGION_SLOT0 + LOOM_MAX_SLOTS;

	npu->ring = dmam_alloc_coherent(dev, LOOM_RING_ENTRIES * sizeof(*npu->ring),
					&npu->ring_dma, GFP_KERNEL);
	npu->cq = dmam_alloc_coherent(dev, LOOM_RING_ENTRIES * sizeof(*npu->cq),
				      &npu->cq_dma, GFP_KERNEL);
	npu->table = dmam_alloc_coherent(dev, rows * sizeof(*npu->table),
					 &npu->table_dma, GFP_KERNEL);
	return npu->ring && npu->cq && npu->table ? 0 : -ENOMEM;
}

static int loom_npu_init_sched(struct loom_device *ldev)
{
	struct loom_npu *npu = &ldev->npu;
	const struct drm_sched_init_args args = {
		.ops = &loom_sched_ops,
		.submit_wq = npu->submit_wq,
		.num_rqs = DRM_SCHED_PRIORITY_COUNT,
		.credit_limit = 1,
		.timeout = MAX_SCHEDULE_TIMEOUT,
		.timeout_wq = npu->reset_wq,
		.name = "loom-npu",
		.dev = ldev->drm.dev,
	};

	return drm_sched_init(&npu->sched, &args);
}

int loom_npu_init(struct loom_device *ldev)
{
	struct loom_npu *npu = &ldev->npu;
	int ret;

	spin_lock_init(&npu->lock);
	ret = loom_npu_alloc(ldev);
	if (ret)
		return ret;
	npu->submit_wq = alloc_workqueue("loom-npu", WQ_HIGHPRI | WQ_MEM_RECLAIM |
					 (loom_wq_unbound ? WQ_UNBOUND : 0), 0);
	if (!npu->submit_wq)
		return -ENOMEM;
	npu->reset_wq = alloc_ordered_workqueue("loom-reset", WQ_MEM_RECLAIM);
	if (!npu->reset_wq)
		goto err_submit_wq;
	ret = loom_npu_init_sched(ldev);
	if (ret)
		goto err_reset_wq;
	loom_watchdog_init(ldev);
	return 0;

err_reset_wq:
	destroy_workqueue(npu->reset_wq);
err_submit_wq:
	destroy_workqueue(npu->submit_wq);
	return ret ?: -ENOMEM;
}

/* drm_sched_fini() would leak what is done but not yet freed. */
void loom_sched_drain(struct drm_gpu_scheduler *sched)
{
	bool busy;

	do {
		flush_workqueue(sched->submit_wq);
		spin_lock(&sched->job_list_lock);
		busy = !list_empty(&sched->pending_list);
		spin_unlock(&sched->job_list_lock);
		if (busy)
			usleep_range(100, 1000);
	} while (busy);
}

/* With the device stopped and every entity ended. */
void loom_npu_fini(struct loom_device *ldev)
{
	struct loom_npu *npu = &ldev->npu;

	cancel_delayed_work_sync(&npu->watchdog);
	cancel_work_sync(&npu->reset_work);
	if (loom_device_present(ldev))
		loom_npu_hw_reset(ldev);
	loom_sched_drain(&npu->sched);
	drm_sched_fini(&npu->sched);
	destroy_workqueue(npu->reset_wq);
	destroy_workqueue(npu->submit_wq);
	mutex_destroy(&npu->reset_lock);
}
