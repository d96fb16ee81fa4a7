/* SPDX-License-Identifier: GPL-2.0 */
#ifndef LOOM_INST_H
#define LOOM_INST_H

#include <linux/kref.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>

#include "loom_regs.h"

struct dma_fence;
struct drm_device;
struct drm_file;
struct loom_bo;
struct loom_cpu_slot;
struct loom_ctx;
struct loom_device;
struct loom_file;
struct loom_prog;

/* The first failure since creation or reset. */
struct loom_inst_fault {
	int error; /* positive errno, 0: none */
	u32 segment;
	u32 fault; /* enum loom_fault */
	u32 slot;
	u32 unit;
	u32 loc;
	u64 offset;
	u64 limit;
	u32 aux;
};

struct loom_inst {
	struct kref ref;
	struct loom_device *ldev;
	struct loom_ctx *ctx;
	struct loom_prog *prog;
	struct work_struct free_work;
	struct dma_fence *last; /* of the last SUBMIT; ctx->submit_lock */
	struct dma_fence *next; /* of the SUBMIT being prepared; the same */
	spinlock_t lock; /* fault; taken in the interrupt */
	struct loom_inst_fault fault;
	struct loom_cpu_slot *cpu_slots; /* NULL without CPU segments; ARG: base NULL */
	void *cpu_consts; /* the constants' buffer, or NULL */
	void *cpu_scratch; /* the engine's, LOOM_CPU_SCRATCH_BYTES */
	u32 n_slots;
	struct loom_bo *bos[] __counted_by(n_slots); /* STATE, SCRATCH slots */
};

struct loom_inst *loom_inst_lookup(struct loom_file *lfile, u32 handle);
struct loom_inst *loom_inst_get(struct loom_inst *inst);
void loom_inst_put(struct loom_inst *inst);
bool loom_inst_lost(struct loom_inst *inst);
void loom_inst_fail(struct loom_inst *inst, const struct loom_inst_fault *f);

int loom_ioctl_inst_create(struct drm_device *drm, void *data,
			   struct drm_file *file);
int loom_ioctl_inst_destroy(struct drm_device *drm, void *data,
			    struct drm_file *file);
int loom_ioctl_inst_reset(struct drm_device *drm, void *data,
			  struct drm_file *file);
int loom_ioctl_inst_get_state(struct drm_device *drm, void *data,
			      struct drm_file *file);

#endif
