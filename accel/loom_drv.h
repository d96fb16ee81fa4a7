/* SPDX-License-Identifier: GPL-2.0 */
#ifndef LOOM_DRV_H
#define LOOM_DRV_H

#include <linux/kref.h>
#include <linux/list.h>
#include <linux/sched.h>
#include <linux/xarray.h>

#include "drm/loom_accel.h"
#include "loom_quota.h"

struct drm_device;
struct drm_file;
struct loom_device;

/* What a client used. Jobs hold it, so it may outlive its file. */
struct loom_client {
	struct kref ref;
	struct list_head node; /* loom_device.clients, while its file is open */
	u64 id;
	pid_t pid;
	char comm[TASK_COMM_LEN];
	atomic64_t npu_ns;
	atomic64_t npu_cycles;
	atomic64_t npu_jobs;
	atomic64_t cpu_ns;
	atomic64_t cpu_jobs;
	struct loom_quota quota;
};

struct loom_file {
	struct loom_device *ldev;
	struct loom_client *client;
	struct xarray ctxs;
	struct xarray progs;
	struct xarray insts;
};

struct loom_client *loom_client_get(struct loom_client *client);
void loom_client_put(struct loom_client *client);

struct loom_file *to_loom_file(struct drm_file *file);

int loom_handle_alloc(struct xarray *xa, void *object, u32 max, u32 *handle);
void *loom_copy_array(const struct drm_loom_array *array, size_t min_row,
		      size_t row, u32 max);

int loom_ioctl_submit(struct drm_device *drm, void *data,
		      struct drm_file *file);

#endif
