/* SPDX-License-Identifier: GPL-2.0 */
#ifndef LOOM_CTX_H
#define LOOM_CTX_H

#include <linux/atomic.h>
#include <linux/dma-resv.h>
#include <linux/kref.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/workqueue.h>

#include <drm/gpu_scheduler.h>

struct drm_device;
struct drm_file;
struct loom_client;
struct loom_device;
struct loom_file;

struct loom_ctx {
	struct kref ref;
	struct loom_device *ldev;
	struct loom_client *client;
	struct list_head node; /* loom_device.ctxs */
	struct work_struct free_work;
	struct dma_resv resv; /* of buffers private to this context */
	struct drm_sched_entity entity; /* of NPU segments */
	struct drm_sched_entity cpu_entity; /* of CPU segments */
	bool entities_live; /* under loom_device.ctx_lock */
	struct mutex submit_lock; /* order of SUBMITs; loom_inst.last */
	atomic_t guilty; /* a job hung the device; also the entity's */
	atomic_t resets_guilty;
	u32 resets_before; /* of the device, when it was created */
	bool abandoned; /* its file is closed: what is queued is cancelled */
	u32 priority;
	atomic64_t used; /* NPU cycles, see loom_fair.c */
};

struct loom_ctx *loom_ctx_lookup(struct loom_file *lfile, u32 handle);
struct loom_ctx *loom_ctx_get(struct loom_ctx *ctx);
void loom_ctx_put(struct loom_ctx *ctx);
void loom_ctx_abandon(struct loom_ctx *ctx);
void loom_ctx_kill_all(struct loom_device *ldev);

int loom_ioctl_ctx_create(struct drm_device *drm, void *data,
			  struct drm_file *file);
int loom_ioctl_ctx_destroy(struct drm_device *drm, void *data,
			   struct drm_file *file);
int loom_ioctl_ctx_get_state(struct drm_device *drm, void *data,
			     struct drm_file *file);

#endif
