/* SPDX-License-Identifier: GPL-2.0 */
#ifndef LOOM_CHAIN_H
#define LOOM_CHAIN_H

#include <linux/kref.h>
#include <linux/workqueue.h>

#include <drm/gpu_scheduler.h>

#include "core/cpu_engine.h"
#include "loom_quota.h"
#include "loom_region.h"
#include "loom_regs.h"

struct loom_chain;
struct loom_client;
struct loom_device;
struct loom_inst;
struct loom_prog_entry;

struct loom_segment {
	struct drm_sched_job base;
	struct loom_chain *chain;
	struct dma_fence *done; /* ours, see loom_fence.c */
	const struct loom_prog_segment *desc;
	u32 seqno; /* of the device's job, or of the CPU engine's, once it runs */
	struct loom_quota_ticket quota; /* CPU segments */
	bool initialised; /* base is */
};

/* A job as the user knows it: a straight line of segments. */
struct loom_chain {
	struct kref ref;
	struct loom_device *ldev;
	struct loom_inst *inst;
	struct loom_client *client;
	struct work_struct free_work;
	atomic_t error; /* negative errno of the first failure */
	bool queued; /* armed: the scheduler knows its segments */
	struct loom_region *table; /* kernel memory; n_regions rows */
	u32 n_regions;
	u64 report_size; /* of a segment; its region moves by so much */
	struct loom_cpu_slot *cpu_slots; /* see loom_cpu_map.c; as many as the program has */
	void *cpu_report; /* of the first segment, or NULL */
	bool has_cpu; /* some segments are for the CPU engine */
	u32 first_seg; /* number of segs[0] in its entry point */
	struct loom_job_bo *bos;
	u32 n_bos;
	u32 n_segs;
	struct loom_segment segs[] __counted_by(n_segs);
};

static inline struct loom_segment *to_loom_segment(struct drm_sched_job *job)
{
	return container_of(job, struct loom_segment, base);
}

static inline u32 loom_segment_index(const struct loom_segment *seg)
{
	return seg - seg->chain->segs;
}

/* As users count: from the entry point's first. */
static inline u32 loom_segment_number(const struct loom_segment *seg)
{
	return seg->chain->first_seg + loom_segment_index(seg);
}

static inline bool loom_segment_on_cpu(const struct loom_segment *seg)
{
	return seg->desc->engine == LOOM_ENGINE_CPU;
}

static inline struct dma_fence *loom_chain_done(struct loom_chain *chain)
{
	return chain->segs[chain->n_segs - 1].done;
}

struct loom_chain *loom_chain_create(struct loom_inst *inst,
				     struct loom_client *client,
				     const struct loom_prog_entry *entry,
				     u32 first, u32 count, u64 client_id);
int loom_chain_depend(struct loom_chain *chain, struct dma_fence *fence);
void loom_chain_push(struct loom_chain *chain);
void loom_chain_put(struct loom_chain *chain);

int loom_chain_error(const struct loom_chain *chain);
void loom_chain_fail(struct loom_chain *chain, int error);
void loom_segment_finish(struct loom_segment *seg);
void loom_segment_free(struct loom_segment *seg);

#endif
