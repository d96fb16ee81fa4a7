// SPDX-License-Identifier: GPL-2.0
/**
 * DOC: SUBMIT
 *
 * All or nothing. Everything that can fail (copying, looking up, allocating,
 * checking, reserving) is done for all jobs before the first one is armed; from
 * then on nothing can. Until then a failure undoes what was prepared, and no
 * job has run and no syncobj has changed.
 */
#include <linux/dma-fence-chain.h>
#include <linux/slab.h>

#include <drm/drm_drv.h>
#include <drm/drm_exec.h>
#include <drm/drm_file.h>
#include <drm/drm_syncobj.h>

#include "loom_chain.h"
#include "loom_cpu.h"
#include "loom_ctx.h"
#include "loom_device.h"
#include "loom_drv.h"
#include "loom_fair.h"
#include "loom_gem.h"
#include "loom_inst.h"
#include "loom_prog.h"
#include "loom_trace.h"

struct loom_signal {
	struct drm_syncobj *syncobj;
	struct dma_fence_chain *chain; /* timeline: node to publish; NULL: binary */
	u64 point;
};

struct loom_submit_job {
	struct loom_chain *chain;
	struct dma_fence *done;
	struct loom_signal *signals;
	u32 n_signals;
};

struct loom_submit {
	struct loom_device *ldev;
	struct drm_file *file;
	struct loom_ctx *ctx; /* of all jobs; held by their instances */
	struct loom_submit_job *jobs;
	u32 n_jobs;
	u32 bad_job;
};

/* --- waits and signals --- */

static int loom_check_sync(const struct drm_loom_sync *s)
{
	if (s->flags & ~DRM_LOOM_SYNC_TIMELINE)
		return -EINVAL;
	return !(s->flags & DRM_LOOM_SYNC_TIMELINE) && s->point ? -EINVAL : 0;
}

static int loom_add_wait(struct loom_submit *submit, struct loom_chain *chain,
			 const struct drm_loom_sync *s)
{
	struct dma_fence *fence;
	int ret;

	ret = loom_check_sync(s);
	if (ret)
		return ret;
	/* u64 points: the scheduler's own helper would cut them to 32 bits. */
	ret = drm_syncobj_find_fence(submit->file, s->handle, s->point, 0, &fence);
	if (ret)
		return ret;
	return loom_chain_depend(chain, fence);
}

static int loom_add_waits(struct loom_submit *submit, struct loom_chain *chain,
			  const struct drm_loom_array *array)
{
	struct drm_loom_sync *syncs;
	int ret = 0;
	u32 i;

	syncs = loom_copy_array(array, sizeof(*syncs), sizeof(*syncs),
				LOOM_MAX_SYNCS);
	if (IS_ERR(syncs))
		return PTR_ERR(syncs);
	for (i = 0; i < array->count && !ret; i++)
		ret = loom_add_wait(submit, chain, &syncs[i]);
	kvfree(syncs);
	return ret;
}

/* The point that a timeline has reached, counting what is only submitted. */
static u64 loom_syncobj_point(struct drm_syncobj *syncobj)
{
	struct dma_fence *fence = drm_syncobj_fence_get(syncobj);
	struct dma_fence_chain *chain = to_dma_fence_chain(fence);
	u64 point = chain ? chain->base.seqno : 0;

	dma_fence_put(fence);
	return point;
}

static bool loom_point_grows(struct loom_submit *submit,
			     const struct loom_signal *signal)
{
	u32 j, i;

	if (signal->point <= loom_syncobj_point(signal->syncobj))
		return false;
	for (j = 0; j < submit->n_jobs; j++)
		for (i = 0; i < submit->jobs[j].n_signals; i++) {
			const struct loom_signal *s = &submit->jobs[j].signals[i];

			if (s != signal && s->syncobj == signal->syncobj &&
			    s->chain && s->point >= signal->point)
				return false;
		}
	return true;
}

static int loom_add_signal(struct loom_submit *submit,
			   struct loom_signal *signal,
			   const struct drm_loom_sync *s)
{
	int ret;

	ret = loom_check_sync(s);
	if (ret)
		return ret;
	signal->syncobj = drm_syncobj_find(submit->file, s->handle);
	if (!signal->syncobj)
		return -ENOENT;
	if (!(s->flags & DRM_LOOM_SYNC_TIMELINE))
		return 0;
	signal->point = s->point;
	if (!loom_point_grows(submit, signal))
		return -EINVAL;
	signal->chain = dma_fence_chain_alloc();
	return signal->chain ? 0 : -ENOMEM;
}

static int loom_add_signals(struct loom_submit *submit,
			    struct loom_submit_job *job,
			    const struct drm_loom_array *array)
{
	struct drm_loom_sync *syncs;
	int ret = 0;
	u32 i;

	syncs = loom_copy_array(array, sizeof(*syncs), sizeof(*syncs),
				LOOM_MAX_SYNCS);
	if (IS_ERR_OR_NULL(syncs))
		return PTR_ERR_OR_ZERO(syncs);
	job->signals = kcalloc(array->count, sizeof(*job->signals),
			       GFP_KERNEL_ACCOUNT);
	if (!job->signals)
		ret = -ENOMEM;
	for (i = 0; i < array->count && !ret; i++) {
		job->n_signals = i + 1;
		ret = loom_add_signal(submit, &job->signals[i], &syncs[i]);
	}
	kvfree(syncs);
	return ret;
}

/* --- buffers and bindings --- */

static int loom_add_bo(struct loom_submit *submit, struct loom_chain *chain,
		       const struct drm_loom_job_bo *row)
{
	struct loom_bo *bo;
	u32 i;

	if (!row->access ||
	    row->access & ~(DRM_LOOM_ACCESS_READ | DRM_LOOM_ACCESS_WRITE))
		return -EINVAL;
	bo = loom_bo_lookup(submit->file, row->handle);
	if (!bo)
		return -ENOENT;
	for (i = 0; i < chain->n_bos; i++)
		if (chain->bos[i].bo == bo) {
			loom_bo_put(bo);
			return -EINVAL;
		}
	chain->bos[chain->n_bos].bo = bo;
	chain->bos[chain->n_bos++].access = row->access;
	return 0;
}

static int loom_add_bos(struct loom_submit *submit, struct loom_chain *chain,
			const struct drm_loom_array *array)
{
	struct drm_loom_job_bo *rows;
	int ret = 0;
	u32 i;

	rows = loom_copy_array(array, sizeof(*rows), sizeof(*rows), LOOM_MAX_BOS);
	if (IS_ERR_OR_NULL(rows))
		return PTR_ERR_OR_ZERO(rows);
	chain->bos = kvcalloc(array->count, sizeof(*chain->bos),
			      GFP_KERNEL_ACCOUNT);
	if (!chain->bos)
		ret = -ENOMEM;
	for (i = 0; i < array->count && !ret; i++)
		ret = loom_add_bo(submit, chain, &rows[i]);
	kvfree(rows);
	return ret;
}

static int loom_add_regions(struct loom_chain *chain,
			    const struct drm_loom_job *args)
{
	struct loom_bindings b = {
		.entry = args->entry,
		.bos = chain->bos,
		.n_bos = chain->n_bos,
		.n_rows = args->bindings.count,
		.report_bo = args->report_bo,
		.report_offset = args->report_offset,
		.report_size = args->report_size,
		.n_segments = chain->n_segs,
	};
	struct drm_loom_binding *rows;
	int ret;

	rows = loom_copy_array(&args->bindings, sizeof(*rows), sizeof(*rows),
			       LOOM_MAX_BINDINGS);
	if (IS_ERR(rows))
		return PTR_ERR(rows);
	b.rows = rows;
	chain->report_size = args->report_size;
	ret = loom_regions_build(chain->inst, &b, chain->table);
	if (!ret)
		ret = loom_cpu_map_job(chain, args, rows);
	kvfree(rows);
	return ret;
}

/* --- a job --- */

/* Which segments of its entry point a job runs. */
static int loom_choose_segments(const struct loom_prog_entry *entry,
				const struct drm_loom_job *args, u32 *first,
				u32 *count)
{
	*first = args->first_segment;
	*count = args->n_segments;
	if (!*count) {
		/* Loops round segments are for who submits, one chain at a time. */
		if (entry->n_steps)
			return -EOPNOTSUPP;
		if (*first)
			return -EINVAL;
		*count = entry->n_segments;
	}
	if (!*count || *count > LOOM_PROG_MAX_SEGMENTS ||
	    *first > entry->n_segments || *count > entry->n_segments - *first)
		return -EINVAL;
	return 0;
}

static int loom_check_instance(struct loom_submit *submit,
			       struct loom_inst *inst,
			       const struct drm_loom_job *args)
{
	const struct loom_prog_view *view = &inst->prog->view;

	if (submit->ctx && submit->ctx != inst->ctx)
		return -EINVAL;
	if (args->entry >= view->n_entries)
		return -EINVAL;
	/* Asked again under the lock; here it spares the work. */
	if (atomic_read(&inst->ctx->guilty) || loom_inst_lost(inst))
		return -EIO;
	return 0;
}

static int loom_prepare_chain(struct loom_submit *submit,
			      struct loom_submit_job *job,
			      struct loom_inst *inst,
			      const struct drm_loom_job *args)
{
	const struct loom_prog_entry *entry;
	struct loom_chain *chain;
	u32 first, count;
	int ret;

	ret = loom_check_instance(submit, inst, args);
	if (ret)
		return ret;
	entry = &inst->prog->view.entries[args->entry];
	ret = loom_choose_segments(entry, args, &first, &count);
	if (ret)
		return ret;
	chain = loom_chain_create(inst, to_loom_file(submit->file)->client,
				  entry, first, count, submit->file->client_id);
	if (IS_ERR(chain))
		return PTR_ERR(chain);
	job->chain = chain;
	job->done = dma_fence_get(loom_chain_done(chain));
	submit->ctx = inst->ctx;
	return chain->has_cpu && !loom_cpu_enabled() ? -EOPNOTSUPP : 0;
}

static int loom_prepare_job(struct loom_submit *submit,
			    struct loom_submit_job *job,
			    const struct drm_loom_job *args)
{
	struct loom_inst *inst;
	int ret;

	if (args->flags)
		return -EINVAL;
	inst = loom_inst_lookup(to_loom_file(submit->file), args->inst);
	if (!inst)
		return -ENOENT;
	ret = loom_prepare_chain(submit, job, inst, args);
	loom_inst_put(inst);
	if (ret)
		return ret;
	ret = loom_add_bos(submit, job->chain, &args->bos);
	if (ret)
		return ret;
	ret = loom_add_regions(job->chain, args);
	if (ret)
		return ret;
	ret = loom_add_waits(submit, job->chain, &args->waits);
	if (ret)
		return ret;
	return loom_add_signals(submit, job, &args->signals);
}

static int loom_prepare_jobs(struct loom_submit *submit,
			     const struct drm_loom_job *args)
{
	int ret;
	u32 i;

	for (i = 0; i < submit->n_jobs; i++) {
		submit->bad_job = i;
		ret = loom_prepare_job(submit, &submit->jobs[i], &args[i]);
		if (ret)
			return ret;
	}
	submit->bad_job = ~0u;
	return 0;
}

/* --- the lock, the order, the point of no return --- */

/* Jobs of one instance run in the order of their submission. */
static int loom_order_job(struct loom_chain *chain)
{
	struct loom_inst *inst = chain->inst;
	struct dma_fence *before = inst->next ?: inst->last;
	int ret = 0;

	if (loom_inst_lost(inst))
		return -EIO;
	if (before && !dma_fence_is_signaled(before))
		ret = loom_chain_depend(chain, dma_fence_get(before));
	/* Not a reference: only of this SUBMIT, which holds the chain. */
	inst->next = loom_chain_done(chain);
	return ret;
}

static int loom_order_jobs(struct loom_submit *submit)
{
	int ret;
	u32 i;

	if (atomic_read(&submit->ctx->guilty))
		return -EIO;
	for (i = 0; i < submit->n_jobs; i++) {
		submit->bad_job = i;
		ret = loom_order_job(submit->jobs[i].chain);
		if (ret)
			return ret;
	}
	submit->bad_job = ~0u;
	return 0;
}

static void loom_forget_order(struct loom_submit *submit)
{
	u32 i;

	for (i = 0; i < submit->n_jobs; i++)
		submit->jobs[i].chain->inst->next = NULL;
}

/* Private buffers get no fences: nobody else can see them. */
static int loom_lock_buffers(struct loom_submit *submit, struct drm_exec *exec)
{
	const struct loom_chain *chain;
	int ret;
	u32 j, i;

	drm_exec_until_all_locked(exec) {
		for (j = 0; j < submit->n_jobs; j++) {
			chain = submit->jobs[j].chain;
			for (i = 0; i < chain->n_bos; i++) {
				if (chain->bos[i].bo->ctx)
					continue;
				ret = drm_exec_prepare_obj(exec,
							   loom_bo_gem(chain->bos[i].bo),
							   submit->n_jobs);
				drm_exec_retry_on_contention(exec);
				if (ret)
					return ret;
			}
		}
	}
	return 0;
}

static void loom_publish(struct loom_submit_job *job)
{
	struct loom_inst *inst = job->chain->inst;
	u32 i;

	for (i = 0; i < job->chain->n_bos; i++)
		if (!job->chain->bos[i].bo->ctx)
			dma_resv_add_fence(loom_bo_gem(job->chain->bos[i].bo)->resv,
					   job->done, DMA_RESV_USAGE_BOOKKEEP);
	dma_fence_put(inst->last);
	inst->last = dma_fence_get(job->done);

	for (i = 0; i < job->n_signals; i++) {
		struct loom_signal *s = &job->signals[i];

		if (s->chain)
			drm_syncobj_add_point(s->syncobj, s->chain, job->done,
					      s->point);
		else
			drm_syncobj_replace_fence(s->syncobj, job->done);
		s->chain = NULL;
	}
}

/* Cannot fail. */
static void loom_push_all(struct loom_submit *submit)
{
	u32 i;

	for (i = 0; i < submit->n_jobs; i++) {
		trace_loom_submit(submit->jobs[i].chain);
		loom_publish(&submit->jobs[i]);
		loom_chain_push(submit->jobs[i].chain);
	}
	loom_fair_place(submit->ctx);
}

static int loom_submit_locked(struct loom_submit *submit)
{
	struct drm_exec exec;
	int ret;

	ret = loom_order_jobs(submit);
	if (ret)
		return ret;
	drm_exec_init(&exec, DRM_EXEC_INTERRUPTIBLE_WAIT |
			     DRM_EXEC_IGNORE_DUPLICATES, 0);
	ret = loom_lock_buffers(submit, &exec);
	if (!ret)
		loom_push_all(submit);
	drm_exec_fini(&exec);
	return ret;
}

static int loom_submit_run(struct loom_submit *submit,
			   const struct drm_loom_job *args)
{
	int ret;

	ret = loom_prepare_jobs(submit, args);
	if (ret)
		return ret;
	ret = mutex_lock_interruptible(&submit->ctx->submit_lock);
	if (ret)
		return ret;
	ret = loom_submit_locked(submit);
	loom_forget_order(submit);
	mutex_unlock(&submit->ctx->submit_lock);
	return ret;
}

static void loom_submit_fini(struct loom_submit *submit)
{
	u32 j, i;

	for (j = 0; j < submit->n_jobs; j++) {
		struct loom_submit_job *job = &submit->jobs[j];

		for (i = 0; i < job->n_signals; i++) {
			if (job->signals[i].syncobj)
				drm_syncobj_put(job->signals[i].syncobj);
			dma_fence_chain_free(job->signals[i].chain);
		}
		kfree(job->signals);
		dma_fence_put(job->done);
		loom_chain_put(job->chain);
	}
	kvfree(submit->jobs);
}

int loom_ioctl_submit(struct drm_device *drm, void *data, struct drm_file *file)
{
	struct drm_loom_submit *args = data;
	struct loom_submit submit = {
		.ldev = to_loom_device(drm),
		.file = file,
		.bad_job = ~0u,
	};
	struct drm_loom_job *jobs;
	int ret;

	args->bad_job = ~0u;
	if (args->flags)
		return -EINVAL;
	/* Rows of 1.0 end before first_segment. */
	jobs = loom_copy_array(&args->jobs,
			       offsetof(struct drm_loom_job, first_segment),
			       sizeof(*jobs), LOOM_MAX_JOBS);
	if (IS_ERR_OR_NULL(jobs))
		return PTR_ERR_OR_ZERO(jobs);
	submit.jobs = kvcalloc(args->jobs.count, sizeof(*submit.jobs),
			       GFP_KERNEL_ACCOUNT);
	if (submit.jobs) {
		submit.n_jobs = args->jobs.count;
		ret = loom_submit_run(&submit, jobs);
	} else {
		ret = -ENOMEM;
	}
	args->bad_job = submit.bad_job;
	if (ret && ret != -EINTR)
		drm_dbg(drm, "SUBMIT of %u jobs refused: job %d, error %d\n",
			args->jobs.count, (int)submit.bad_job, ret);
	loom_submit_fini(&submit);
	kvfree(jobs);
	return ret;
}
