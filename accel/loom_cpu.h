/* SPDX-License-Identifier: GPL-2.0 */
#ifndef LOOM_CPU_H
#define LOOM_CPU_H

#include <linux/atomic.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/workqueue.h>

#include <drm/gpu_scheduler.h>

struct drm_loom_binding;
struct drm_loom_job;
struct loom_chain;
struct loom_device;
struct loom_inst;
struct loom_prog;
struct loom_prog_segment;

#define LOOM_CPU_BUCKET_NS 5000 /* of the histogram of sections */
#define LOOM_CPU_BUCKETS 41 /* the last one: 200 us and more */

/* The CPU engine of a device: loom_cpu.c. */
struct loom_cpu {
	struct drm_gpu_scheduler sched;
	struct workqueue_struct *wq;

	spinlock_t fail_lock; /* the next three */
	bool fail; /* the next segment of that number fails, at that operation */
	u32 fail_segment;
	u32 fail_op;

	/* Written by the scheduler's worker only, of which there is one. */
	u64 sections[LOOM_CPU_BUCKETS];
	u64 longest_ns;

	atomic64_t submitted;
	atomic64_t completed;
	atomic64_t failed;
	atomic64_t cancelled;
	atomic64_t ns;
};

bool loom_cpu_enabled(void);
u64 loom_cpu_structures(void);
int loom_cpu_init(struct loom_device *ldev);
void loom_cpu_fini(struct loom_device *ldev);
void loom_cpu_pause(struct loom_device *ldev);
void loom_cpu_resume(struct loom_device *ldev);

/* loom_cpu_map.c */
int loom_cpu_map_prog(struct loom_prog *prog);
int loom_cpu_map_inst(struct loom_inst *inst);
void loom_cpu_unmap_inst(struct loom_inst *inst);
int loom_cpu_map_job(struct loom_chain *chain, const struct drm_loom_job *args,
		     const struct drm_loom_binding *rows);
void loom_cpu_unmap_job(struct loom_chain *chain);
bool loom_cpu_has_segments(const struct loom_prog_segment *segs, u32 n);

#endif
