// SPDX-License-Identifier: GPL-2.0
/**
 * DOC: the CPU queue
 *
 * CPU segments have a drm_gpu_scheduler of their own, with one credit, and each
 * context an entity on it, with the context's priority. A chain's segments go to
 * the scheduler of their engine; the done fences between them are ours
 * (loom_chain.c), so nothing knows which engine comes before or after.
 *
 * run_job() computes: it runs in the scheduler's worker, on an unbound workqueue
 * (WQ_SYSFS: its nice value and CPUs are the administrator's, see loom.rules),
 * and returns the done fence already signalled. No device is touched, so
 * nothing here is inside drm_dev_enter(), and unplug does not wait for it: the
 * worker looks for it between two sections.
 *
 * A section is what lies between kernel_fpu_begin() and kernel_fpu_end(), that
 * is without preemption. It is a few calls of the engine's step, within one
 * operation, and ends before the next call would take it past
 * LOOM_CPU_SECTION_NS. Quanta of one operation take about the same time each,
 * so a call's quanta follow from the last call's time; a new operation begins
 * with one quantum, in a section of its own. Where an operation has phases that
 * differ, a call has one quantum.
 *
 * Between sections: accounting, cancellation, the deadline, cond_resched().
 *
 * The deadline counts the time of sections only, not the time that the worker
 * waited for a CPU. It is LOOM_CPU_GRACE_NS and cpu_unit_ns for each unit
 * of cost that the segment's budget has, but at most hang_ms: fences end in
 * bounded time.
 *
 * A segment that fails after it began leaves its instance LOST.
 *
 * DOC: lifetimes around the CPU queue
 *
 * A segment's code lies in loom_prog.meta, its memory is mapped as
 * loom_cpu_map.c says, its scratch memory is its instance's: jobs of one
 * instance run one after the other. The chain holds all of them.
 */
#include <linux/fpu.h>
#include <linux/ktime.h>
#include <linux/moduleparam.h>
#include <linux/overflow.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include <drm/drm_drv.h>

#include "core/cpu_check.h"
#include "loom_chain.h"
#include "loom_cpu.h"
#include "loom_ctx.h"
#include "loom_device.h"
#include "loom_drv.h"
#include "loom_inst.h"
#include "loom_prog.h"
#include "loom_trace.h"

#define LOOM_CPU_SECTION_NS (50 * NSEC_PER_USEC)
#define LOOM_CPU_STEP_NS (10 * NSEC_PER_USEC) /* what one call of the step aims at */
#define LOOM_CPU_MAX_QUANTA 4096u
#define LOOM_CPU_GRACE_NS (10ull * NSEC_PER_MSEC)

static unsigned int loom_cpu_unit_ns = 1000;
module_param_named(cpu_unit_ns, loom_cpu_unit_ns, uint, 0644);
MODULE_PARM_DESC(cpu_unit_ns, "Nanoseconds that a CPU segment may compute for each unit of cost of its budget (1000)");

static bool loom_cpu_engine = true;
module_param_named(cpu_engine, loom_cpu_engine, bool, 0644);
MODULE_PARM_DESC(cpu_engine, "Run CPU segments; if not, programs that have some are refused (Y)");

bool loom_cpu_enabled(void)
{
	return READ_ONCE(loom_cpu_engine);
}

/* Bit set by enum loom_cpu_structure. */
u64 loom_cpu_structures(void)
{
	u64 set = 0;
	u32 i;

	for (i = 0; i < LOOM_NUM_CPU_STRUCTURES; i++) {
		struct loom_cpu_structure_info info = loom_cpu_structure_info(i);

		if (info.known && !info.refusal)
			set |= 1ull << i;
	}
	return set;
}

/* --- sections --- */

/* A segment that runs. */
struct loom_cpu_task {
	struct loom_segment *seg;
	struct loom_cpu_segment code;
	struct loom_cpu_cursor cursor;
	u32 op; /* that quanta is for */
	u32 quanta; /* of the next call of the step */
	u32 most; /* that one call may have */
	u64 left; /* quanta that the operation has */
	u64 quantum_ns; /* of the last call, rounded up */
	u64 limit_ns;
	u64 ns; /* computed */
};

/* Those of these differ: some phases copy, others compute. */
static bool loom_cpu_even_quanta(const struct loom_cpu_op *op)
{
	switch (op->structure) {
	case LOOM_CPU_SELECT_SCATTER:
	case LOOM_CPU_SORT:
	case LOOM_CPU_FFT:
	case LOOM_CPU_CHOLESKY:
	case LOOM_CPU_TRIANGULAR_SOLVE:
	case LOOM_CPU_QR:
	case LOOM_CPU_HOUSEHOLDER:
		return false;
	default:
		return true;
	}
}

/* What the next call runs. Within an operation: the next may be far heavier. */
static u32 loom_cpu_take(struct loom_cpu_task *t)
{
	const struct loom_cpu_op *op;
	u32 n;

	if (t->cursor.op != t->op) {
		op = loom_cpu_op_at(&t->code, &t->cursor);
		t->op = t->cursor.op;
		t->left = loom_cpu_quanta(op);
		t->quanta = 1;
		t->most = loom_cpu_even_quanta(op) ? LOOM_CPU_MAX_QUANTA : 1;
	}
	n = min_t(u64, t->quanta, t->left);
	t->left -= n;
	return n;
}

static void loom_cpu_adapt(struct loom_cpu_task *t, u32 n, u64 ns)
{
	t->quantum_ns = ns / n + 1;
	if (ns > LOOM_CPU_STEP_NS)
		t->quanta = max(t->quanta / 2, 1u);
	else if (ns < LOOM_CPU_STEP_NS / 2)
		t->quanta = min(t->quanta * 2, t->most);
}

/* No sleeping, no allocation and no printing inside. Is there more to do? */
static bool loom_cpu_compute(struct loom_cpu_task *t, u64 *ns)
{
	u64 begin, at, now;
	int more;
	u32 n;

	kernel_fpu_begin();
	begin = ktime_get_ns();
	now = begin;
	do {
		at = now;
		n = loom_cpu_take(t);
		more = loom_cpu_step(&t->code, &t->cursor, n);
		now = ktime_get_ns();
		loom_cpu_adapt(t, n, now - at);
	} while (more == LOOM_CPU_MORE && t->cursor.op == t->op &&
		 now - begin + t->quanta * t->quantum_ns <= LOOM_CPU_SECTION_NS);
	kernel_fpu_end();
	*ns = now - begin;
	return more == LOOM_CPU_MORE;
}

static bool loom_cpu_section(struct loom_cpu_task *t)
{
	struct loom_chain *chain = t->seg->chain;
	struct loom_cpu *cpu = &chain->ldev->cpu;
	bool more;
	u64 ns;

	more = loom_cpu_compute(t, &ns);
	t->ns += ns;
	cpu->sections[min_t(u64, ns / LOOM_CPU_BUCKET_NS, LOOM_CPU_BUCKETS - 1)]++;
	cpu->longest_ns = max(cpu->longest_ns, ns);
	atomic64_add(ns, &cpu->ns);
	atomic64_add(ns, &chain->client->cpu_ns);
	loom_quota_charge(&chain->client->quota, ns);
	trace_loom_cpu_section(t->seg, t->op, ns);
	return more;
}

/* --- between sections --- */

/* Why nobody wants the segment's results: 0 or negative errno. */
static int loom_cpu_unwanted(const struct loom_segment *seg)
{
	const struct loom_chain *chain = seg->chain;
	const struct loom_ctx *ctx = chain->inst->ctx;

	/* A device that is only wedged has no part in this. */
	if (READ_ONCE(chain->ldev->npu.dead) == -ENODEV)
		return -ENODEV;
	if (READ_ONCE(ctx->abandoned) || atomic_read(&ctx->guilty) ||
	    loom_inst_lost(chain->inst))
		return -ECANCELED;
	return 0;
}

/* On demand, see loom_debugfs.c. */
static bool loom_cpu_injected(struct loom_cpu_task *t)
{
	struct loom_cpu *cpu = &t->seg->chain->ldev->cpu;
	bool hit;

	if (!READ_ONCE(cpu->fail))
		return false;
	spin_lock(&cpu->fail_lock);
	hit = cpu->fail && cpu->fail_segment == loom_segment_number(t->seg) &&
	      t->cursor.op >= cpu->fail_op;
	if (hit)
		cpu->fail = false;
	spin_unlock(&cpu->fail_lock);
	return hit;
}

static bool loom_cpu_late(const struct loom_cpu_task *t)
{
	return t->ns > min_t(u64, t->limit_ns,
			     (u64)READ_ONCE(loom_hang_ms) * NSEC_PER_MSEC);
}

/* 0, or why it ends early: *fault says it in the terms of the device. */
static int loom_cpu_loop(struct loom_cpu_task *t, u16 *fault)
{
	bool more = true;
	int ret;

	while (more) {
		ret = loom_cpu_unwanted(t->seg);
		*fault = ret ? LOOM_FAULT_ABORTED : LOOM_FAULT_NONE;
		if (ret)
			return ret;
		if (loom_cpu_injected(t)) {
			*fault = LOOM_FAULT_TRAP;
			return -EIO;
		}
		if (loom_cpu_late(t)) {
			*fault = LOOM_FAULT_BUDGET_CYCLES;
			return -ETIME;
		}
		more = loom_cpu_section(t);
		cond_resched();
	}
	return 0;
}

/* --- a segment --- */

static void loom_cpu_begin_task(struct loom_cpu_task *t,
				struct loom_segment *seg)
{
	const struct loom_prog_segment *desc = seg->desc;
	struct loom_chain *chain = seg->chain;
	struct loom_inst *inst = chain->inst;

	t->seg = seg;
	t->op = ~0u;
	loom_cpu_open(inst->prog->view.cpu_code + (u64)desc->first * 8,
		      (u64)desc->count * 8, chain->cpu_slots, inst->n_slots,
		      &t->code);
	loom_cpu_begin(&t->cursor, inst->cpu_scratch);
	if (check_mul_overflow(desc->insn_budget,
			       (u64)READ_ONCE(loom_cpu_unit_ns), &t->limit_ns) ||
	    check_add_overflow(t->limit_ns, LOOM_CPU_GRACE_NS, &t->limit_ns))
		t->limit_ns = U64_MAX; /* hang_ms is less */
}

static void loom_cpu_report_task(struct loom_cpu_task *t, u16 fault, u32 loc)
{
	const struct loom_chain *chain = t->seg->chain;
	struct loom_completion end = {
		.seqno = t->seg->seqno,
		.fault = fault,
		.unit = fault ? t->cursor.op : 0,
		.loc = loc,
	};

	if (!chain->cpu_report)
		return;
	loom_cpu_report(&t->code, &t->cursor, &end, chain->cpu_report +
			loom_segment_index(t->seg) * chain->report_size,
			chain->report_size);
}

static void loom_cpu_blame(struct loom_cpu_task *t, int error, u16 fault, u32 loc)
{
	struct loom_chain *chain = t->seg->chain;
	struct loom_cpu *cpu = &chain->ldev->cpu;
	struct loom_inst_fault f = {
		.error = -error,
		.segment = loom_segment_number(t->seg),
		.fault = fault,
		.unit = t->cursor.op,
		.loc = loc,
	};

	atomic64_inc(fault == LOOM_FAULT_ABORTED ? &cpu->cancelled : &cpu->failed);
	loom_inst_fail(chain->inst, &f);
	loom_chain_fail(chain, error);
}

static void loom_cpu_run(struct loom_segment *seg)
{
	struct loom_chain *chain = seg->chain;
	struct loom_cpu *cpu = &chain->ldev->cpu;
	const struct loom_cpu_op *op;
	struct loom_cpu_task t = {};
	u16 fault = LOOM_FAULT_NONE;
	u32 loc = 0;
	int ret;

	trace_loom_cpu_run(seg);
	seg->seqno = atomic64_inc_return(&cpu->submitted);
	loom_cpu_begin_task(&t, seg);
	ret = loom_cpu_loop(&t, &fault);
	if (ret) {
		op = loom_cpu_op_at(&t.code, &t.cursor);
		loc = op ? op->loc : 0;
		loom_cpu_blame(&t, ret, fault, loc);
	} else {
		atomic64_inc(&cpu->completed);
	}
	atomic64_inc(&chain->client->cpu_jobs);
	loom_cpu_report_task(&t, fault, loc);
	trace_loom_cpu_done(seg, t.ns, t.cursor.op, ret);
}

/* --- scheduler --- */

static struct dma_fence *loom_cpu_prepare_job(struct drm_sched_job *job,
					      struct drm_sched_entity *entity)
{
	struct loom_segment *seg = to_loom_segment(job);

	/* What will be skipped needs no time. */
	if (loom_chain_error(seg->chain) || loom_cpu_unwanted(seg))
		return NULL;
	return loom_quota_wait(&seg->chain->client->quota, &seg->quota);
}

/* Why seg must not begin: 0 or negative errno. */
static int loom_cpu_veto(struct loom_segment *seg)
{
	return loom_chain_error(seg->chain) ?: loom_cpu_unwanted(seg) ?:
	       seg->base.s_fence->finished.error;
}

static struct dma_fence *loom_cpu_run_job(struct drm_sched_job *job)
{
	struct loom_segment *seg = to_loom_segment(job);
	struct dma_fence *done = dma_fence_get(seg->done);
	int ret = loom_cpu_veto(seg);

	if (ret) {
		loom_chain_fail(seg->chain, ret);
		trace_loom_skip(seg);
	} else {
		loom_cpu_run(seg);
	}
	loom_segment_finish(seg);
	return done;
}

static void loom_cpu_free_job(struct drm_sched_job *job)
{
	loom_segment_free(to_loom_segment(job));
}

/* No timedout_job: run_job() looks at the deadline itself. */
static const struct drm_sched_backend_ops loom_cpu_sched_ops = {
	.prepare_job = loom_cpu_prepare_job,
	.run_job = loom_cpu_run_job,
	.free_job = loom_cpu_free_job,
};

int loom_cpu_init(struct loom_device *ldev)
{
	struct loom_cpu *cpu = &ldev->cpu;
	struct drm_sched_init_args args = {
		.ops = &loom_cpu_sched_ops,
		.num_rqs = DRM_SCHED_PRIORITY_COUNT,
		.credit_limit = 1,
		.timeout = MAX_SCHEDULE_TIMEOUT,
		.name = "loom-cpu",
		.dev = ldev->drm.dev,
	};
	int ret;

	spin_lock_init(&cpu->fail_lock);
	/* Names of workqueues in sysfs are unique. */
	cpu->wq = alloc_workqueue("loom-cpu-%s", WQ_UNBOUND | WQ_MEM_RECLAIM |
				  WQ_SYSFS, 0, dev_name(ldev->drm.dev));
	if (!cpu->wq)
		return -ENOMEM;
	args.submit_wq = cpu->wq;
	ret = drm_sched_init(&cpu->sched, &args);
	if (ret)
		destroy_workqueue(cpu->wq);
	return ret;
}

/* Suspend: waits for the segment that runs, and begins none. */
void loom_cpu_pause(struct loom_device *ldev)
{
	drm_sched_wqueue_stop(&ldev->cpu.sched);
}

void loom_cpu_resume(struct loom_device *ldev)
{
	drm_sched_wqueue_start(&ldev->cpu.sched);
}

/* With every entity ended. */
void loom_cpu_fini(struct loom_device *ldev)
{
	struct loom_cpu *cpu = &ldev->cpu;

	loom_sched_drain(&cpu->sched);
	drm_sched_fini(&cpu->sched);
	destroy_workqueue(cpu->wq);
}
