/* SPDX-License-Identifier: GPL-2.0 */
#ifndef LOOM_DEVICE_H
#define LOOM_DEVICE_H

#include <linux/io-64-nonatomic-lo-hi.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/workqueue.h>

#include <drm/drm_device.h>
#include <drm/drm_print.h>

#include "drm/loom_accel.h"
#include "loom_cpu.h"
#include "loom_npu.h"
#include "loom_regs.h"
#include "loom_target.h"

struct pci_dev;

#define LOOM_MAX_BO_BYTES LOOM_MAX_BUFFER_BYTES
#define LOOM_MAX_BOS 256u
#define LOOM_MAX_BINDINGS 4096u
#define LOOM_MAX_SYNCS 64u
#define LOOM_MAX_JOBS 256u
#define LOOM_MAX_CTX 64u
#define LOOM_MAX_HANDLES 4096u /* programs, and instances, of a file */

struct loom_device {
	struct drm_device drm;
	struct pci_dev *pdev;
	void __iomem *regs;
	u32 max_slots;
	struct loom_target target;
	struct loom_npu npu;
	struct loom_cpu cpu;

	struct mutex bo_lock; /* bos, and their DMA mappings against unbind */
	struct list_head bos;
	struct mutex ctx_lock; /* ctxs, and the life of their entities */
	struct list_head ctxs;
	struct mutex client_lock; /* clients */
	struct list_head clients;
};

#define to_loom_device(d) container_of(d, struct loom_device, drm)

extern struct workqueue_struct *loom_cleanup_wq;
extern unsigned int loom_hang_ms;

static inline u32 loom_read(const struct loom_device *ldev, u32 reg)
{
	return readl(ldev->regs + reg);
}

static inline u64 loom_read64(const struct loom_device *ldev, u32 reg)
{
	return readq(ldev->regs + reg);
}

static inline void loom_write(const struct loom_device *ldev, u32 reg, u32 val)
{
	writel(val, ldev->regs + reg);
}

static inline void loom_write64(const struct loom_device *ldev, u32 reg,
				u64 val)
{
	writeq(val, ldev->regs + reg);
}

/* A function that was pulled out reads all ones. */
static inline bool loom_device_present(const struct loom_device *ldev)
{
	return loom_read(ldev, LOOM_REG_ID) == LOOM_ID;
}

extern struct pci_driver loom_pci_driver;
extern const struct drm_driver loom_drm_driver;

/* loom_coredump.c */
struct loom_segment;
void loom_coredump(struct loom_device *ldev, const struct loom_segment *seg,
		   int error);

/* loom_debugfs.c */
void loom_debugfs_init(struct loom_device *ldev);

#endif
