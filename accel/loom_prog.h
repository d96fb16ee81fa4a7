/* SPDX-License-Identifier: GPL-2.0 */
#ifndef LOOM_PROG_H
#define LOOM_PROG_H

#include <linux/kref.h>

#include "core/prog_check.h"

struct drm_device;
struct drm_file;
struct loom_bo;
struct loom_device;
struct loom_file;

/* Immutable once created. */
struct loom_prog {
	struct kref ref;
	void *meta; /* our copy of the container's head */
	struct loom_prog_view view; /* into meta */
	struct loom_bo *consts; /* the caller's, or NULL */
	u64 consts_offset;
	struct loom_bo *code; /* ours, or NULL if there is none */
	unsigned long *cpu_used; /* bit set of slots that CPU segments name, or NULL */
};

struct loom_prog *loom_prog_lookup(struct loom_file *lfile, u32 handle);
struct loom_prog *loom_prog_get(struct loom_prog *prog);
void loom_prog_put(struct loom_prog *prog);
const char *loom_prog_string(const struct loom_prog *prog, u32 offset);

int loom_ioctl_prog_create(struct drm_device *drm, void *data,
			   struct drm_file *file);
int loom_ioctl_prog_destroy(struct drm_device *drm, void *data,
			    struct drm_file *file);

#endif
