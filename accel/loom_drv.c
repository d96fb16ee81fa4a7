// SPDX-License-Identifier: GPL-2.0
/**
 * DOC: objects and lifetimes
 *
 * ::
 *
 *   loom_file --handles--> loom_ctx, loom_prog, loom_inst
 *   loom_inst --> loom_ctx, loom_prog, buffers of its state and scratch
 *   loom_prog --> buffer of its code, buffer of its constants
 *   loom_bo (private) --> loom_ctx
 *   loom_chain (a job) --> loom_inst, loom_client, its buffers, drm_device
 *
 * An arrow holds a reference; nothing points back. Only this file, loom_submit.c,
 * debugfs and the ioctl functions know struct drm_file: jobs count their use in
 * struct loom_client, which a file and its jobs share.
 *
 * Unbind: drm_dev_unplug() waits for the ioctls inside drm_dev_enter(); then
 * the device is stopped, the running job's fence signalled, every entity killed
 * and every DMA mapping undone. What users still hold (files, mmaps, dma-bufs,
 * sync_files) is ordinary memory from then on.
 *
 * DOC: lock order
 *
 * ::
 *
 *   loom_npu.reset_lock
 *     loom_device.ctx_lock
 *   loom_ctx.submit_lock
 *     loom_device.bo_lock
 *       loom_bo.lock
 *         dma_resv (ww)
 *           loom_npu.lock (irq)
 *             loom_inst.lock (irq)
 *           loom_quota.lock (irq)
 *             a fence's own lock (irq)
 *
 * Done fences are signalled with none of these held but reset_lock, which no
 * waiter for a fence takes.
 */
#include <linux/capability.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/pm_runtime.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include <drm/drm_accel.h>
#include <drm/drm_drv.h>
#include <drm/drm_file.h>
#include <drm/drm_gem.h>
#include <drm/drm_ioctl.h>

#include "loom_ctx.h"
#include "loom_device.h"
#include "loom_drv.h"
#include "loom_gem.h"
#include "loom_inst.h"
#include "loom_prog.h"
#include "loom_shmem.h"

struct workqueue_struct *loom_cleanup_wq;

unsigned int loom_hang_ms = 10000;
module_param_named(hang_ms, loom_hang_ms, uint, 0644);
MODULE_PARM_DESC(hang_ms, "Milliseconds without progress, after which a job is killed (10000)");

/* --- clients and files --- */

struct loom_client *loom_client_get(struct loom_client *client)
{
	kref_get(&client->ref);
	return client;
}

static void loom_client_release(struct kref *ref)
{
	struct loom_client *client = container_of(ref, struct loom_client, ref);

	loom_quota_fini(&client->quota);
	kfree(client);
}

void loom_client_put(struct loom_client *client)
{
	if (client)
		kref_put(&client->ref, loom_client_release);
}

static struct loom_client *loom_client_create(struct loom_device *ldev, u64 id)
{
	struct loom_client *client = kzalloc(sizeof(*client), GFP_KERNEL);

	if (!client)
		return NULL;
	kref_init(&client->ref);
	loom_quota_init(&client->quota);
	client->id = id;
	client->pid = task_tgid_nr(current);
	get_task_comm(client->comm, current);
	mutex_lock(&ldev->client_lock);
	list_add_tail(&client->node, &ldev->clients);
	mutex_unlock(&ldev->client_lock);
	return client;
}

struct loom_file *to_loom_file(struct drm_file *file)
{
	return file->driver_priv;
}

static int loom_open(struct drm_device *drm, struct drm_file *file)
{
	struct loom_file *lfile = kzalloc(sizeof(*lfile), GFP_KERNEL);

	if (!lfile)
		return -ENOMEM;
	lfile->ldev = to_loom_device(drm);
	lfile->client = loom_client_create(lfile->ldev, file->client_id);
	if (!lfile->client) {
		kfree(lfile);
		return -ENOMEM;
	}
	xa_init_flags(&lfile->ctxs, XA_FLAGS_ALLOC1);
	xa_init_flags(&lfile->progs, XA_FLAGS_ALLOC1);
	xa_init_flags(&lfile->insts, XA_FLAGS_ALLOC1);
	file->driver_priv = lfile;
	return 0;
}

/* What runs ends by itself; what is queued is cancelled, for nobody waits. */
static void loom_postclose(struct drm_device *drm, struct drm_file *file)
{
	struct loom_file *lfile = to_loom_file(file);
	struct loom_device *ldev = lfile->ldev;
	struct loom_inst *inst;
	struct loom_prog *prog;
	struct loom_ctx *ctx;
	unsigned long i;

	xa_for_each(&lfile->ctxs, i, ctx)
		loom_ctx_abandon(ctx);
	/* What waits for its quota may see it now. */
	loom_quota_wake(&lfile->client->quota);
	xa_for_each(&lfile->insts, i, inst)
		loom_inst_put(inst);
	xa_for_each(&lfile->progs, i, prog)
		loom_prog_put(prog);
	xa_for_each(&lfile->ctxs, i, ctx)
		loom_ctx_put(ctx);
	xa_destroy(&lfile->insts);
	xa_destroy(&lfile->progs);
	xa_destroy(&lfile->ctxs);

	mutex_lock(&ldev->client_lock);
	list_del(&lfile->client->node);
	mutex_unlock(&ldev->client_lock);
	loom_client_put(lfile->client);
	kfree(lfile);
}

int loom_handle_alloc(struct xarray *xa, void *object, u32 max, u32 *handle)
{
	int ret = xa_alloc(xa, handle, object, XA_LIMIT(1, max), GFP_KERNEL);

	return ret == -EBUSY ? -ENOSPC : ret;
}

/*
 * Copies a user's array into rows of the kernel's size: a shorter row is filled
 * with zeros, a longer one must end in zeros (E2BIG). NULL: no rows.
 */
void *loom_copy_array(const struct drm_loom_array *array, size_t min_row,
		      size_t row, u32 max)
{
	const u8 __user *from = u64_to_user_ptr(array->array);
	u8 *rows;
	u32 i;
	int ret;

	if (!array->count)
		return array->stride || array->array ? ERR_PTR(-EINVAL) : NULL;
	if (array->stride < min_row || !array->array)
		return ERR_PTR(-EINVAL);
	if (array->count > max)
		return ERR_PTR(-E2BIG);
	rows = kvmalloc_array(array->count, row, GFP_KERNEL_ACCOUNT);
	if (!rows)
		return ERR_PTR(-ENOMEM);
	for (i = 0; i < array->count; i++) {
		ret = copy_struct_from_user(rows + i * row, row,
					    from + (u64)i * array->stride,
					    array->stride);
		if (ret) {
			kvfree(rows);
			return ERR_PTR(ret);
		}
	}
	return rows;
}

/* --- DEV_QUERY --- */

static void loom_query_hw(struct loom_device *ldev, void *out)
{
	const struct loom_target *t = &ldev->target;
	struct drm_loom_hw *hw = out;
	unsigned int i;

	hw->isa_major = t->isa_major;
	hw->isa_minor = t->isa_minor;
	hw->features = t->features;
	hw->rows = t->rows;
	hw->cols = t->cols;
	hw->sram_bytes = t->sram_bytes;
	hw->acc_bytes = t->acc_bytes;
	hw->sram_partitions = t->sram_partitions;
	hw->sram_banks = t->sram_banks;
	hw->vpu_lanes = t->vpu_lanes;
	hw->mem_classes = t->mem_classes;
	hw->clock_khz = t->clock_khz;
	hw->int8_div = t->int8_div;
	hw->bf16_div = t->bf16_div;
	hw->f32_div = t->f32_div;
	for (i = 0; i < ARRAY_SIZE(hw->mem); i++) {
		hw->mem[i].bytes_per_cycle = t->mem[i].bytes_per_cycle;
		hw->mem[i].latency = t->mem[i].latency;
		hw->mem[i].outstanding = t->mem[i].outstanding;
	}
}

static void loom_query_limits(struct loom_device *ldev, void *out)
{
	struct drm_loom_limits *l = out;

	l->max_bo_bytes = LOOM_MAX_BO_BYTES;
	l->max_code_bytes = LOOM_MAX_CODE_UNITS * LOOM_UNIT_BYTES;
	l->max_cycle_budget = LOOM_MAX_CYCLE_BUDGET;
	l->max_insn_budget = LOOM_MAX_INSN_BUDGET;
	l->max_segments = LOOM_PROG_MAX_SEGMENTS;
	l->max_bos = LOOM_MAX_BOS;
	l->max_bindings = LOOM_MAX_BINDINGS;
	l->max_syncs = LOOM_MAX_SYNCS;
	l->max_jobs = LOOM_MAX_JOBS;
	l->max_ctx = LOOM_MAX_CTX;
	l->hang_ms = READ_ONCE(loom_hang_ms);
	l->priorities = BIT(DRM_LOOM_PRIORITY_LOW) |
			BIT(DRM_LOOM_PRIORITY_NORMAL);
	if (capable(CAP_SYS_NICE))
		l->priorities |= BIT(DRM_LOOM_PRIORITY_HIGH);
}

static void loom_query_engines(struct loom_device *ldev, void *out)
{
	struct drm_loom_engines *e = out;

	e->npu = 1;
	if (!loom_cpu_enabled())
		return;
	e->cpu = 1;
	e->cpu_structures = loom_cpu_structures();
}

static void loom_query_time(struct loom_device *ldev, void *out)
{
	struct drm_loom_time *t = out;

	t->monotonic_ns = ktime_get_ns();
	t->busy_cycles = loom_read64(ldev, LOOM_REG_BUSY_CYCLES);
}

static void loom_query_stats(struct loom_device *ldev, void *out)
{
	struct loom_npu *npu = &ldev->npu;
	struct loom_cpu *cpu = &ldev->cpu;
	struct drm_loom_stats *s = out;

	s->jobs_submitted = atomic64_read(&npu->submitted);
	s->jobs_completed = atomic64_read(&npu->completed);
	s->jobs_faulted = atomic64_read(&npu->faulted);
	s->jobs_killed = atomic64_read(&npu->killed);
	s->resets = atomic_read(&npu->resets);
	s->irqs_lost = atomic64_read(&npu->irqs_lost);
	s->device_jobs = loom_read64(ldev, LOOM_REG_JOBS_RETIRED);
	s->cycles = atomic64_read(&npu->cycles);
	s->cpu_submitted = atomic64_read(&cpu->submitted);
	s->cpu_completed = atomic64_read(&cpu->completed);
	s->cpu_failed = atomic64_read(&cpu->failed);
	s->cpu_cancelled = atomic64_read(&cpu->cancelled);
	s->cpu_ns = atomic64_read(&cpu->ns);
}

union loom_query_answer {
	struct drm_loom_hw hw;
	struct drm_loom_limits limits;
	struct drm_loom_engines engines;
	struct drm_loom_time time;
	struct drm_loom_stats stats;
};

static const struct {
	u32 bytes;
	void (*fill)(struct loom_device *ldev, void *out);
} loom_queries[] = {
	[DRM_LOOM_QUERY_HW] = { sizeof(struct drm_loom_hw), loom_query_hw },
	[DRM_LOOM_QUERY_LIMITS] = { sizeof(struct drm_loom_limits), loom_query_limits },
	[DRM_LOOM_QUERY_ENGINES] = { sizeof(struct drm_loom_engines), loom_query_engines },
	[DRM_LOOM_QUERY_TIME] = { sizeof(struct drm_loom_time), loom_query_time },
	[DRM_LOOM_QUERY_STATS] = { sizeof(struct drm_loom_stats), loom_query_stats },
};

static int loom_ioctl_dev_query(struct drm_device *drm, void *data,
				struct drm_file *file)
{
	struct loom_device *ldev = to_loom_device(drm);
	struct drm_loom_dev_query *q = data;
	union loom_query_answer answer = {};
	u8 __user *to = u64_to_user_ptr(q->pointer);
	u32 bytes;

	if (q->type >= ARRAY_SIZE(loom_queries))
		return -EINVAL;
	bytes = loom_queries[q->type].bytes;
	if (!q->pointer) {
		q->size = bytes;
		return 0;
	}
	if (pm_runtime_resume_and_get(drm->dev))
		return -ENODEV;
	loom_queries[q->type].fill(ldev, &answer);
	pm_runtime_put(drm->dev);

	if (copy_to_user(to, &answer, min(q->size, bytes)))
		return -EFAULT;
	if (q->size > bytes && clear_user(to + bytes, q->size - bytes))
		return -EFAULT;
	q->size = min(q->size, bytes);
	return 0;
}

/* --- the table --- */

/* A call that touches the device or its queue runs inside drm_dev_enter(). */
#define LOOM_ENTERED(name)						\
static int loom_entered_##name(struct drm_device *drm, void *data,	\
			       struct drm_file *file)			\
{									\
	int idx, ret;							\
									\
	if (!drm_dev_enter(drm, &idx))					\
		return -ENODEV;						\
	ret = loom_ioctl_##name(drm, data, file);			\
	drm_dev_exit(idx);						\
	return ret;							\
}

LOOM_ENTERED(dev_query)
LOOM_ENTERED(ctx_create)
LOOM_ENTERED(prog_create)
LOOM_ENTERED(inst_create)
LOOM_ENTERED(submit)

#define LOOM_IOCTL(NAME, fn) \
	DRM_IOCTL_DEF_DRV(LOOM_##NAME, fn, DRM_RENDER_ALLOW)

static const struct drm_ioctl_desc loom_ioctls[] = {
	LOOM_IOCTL(DEV_QUERY, loom_entered_dev_query),
	LOOM_IOCTL(CTX_CREATE, loom_entered_ctx_create),
	LOOM_IOCTL(CTX_DESTROY, loom_ioctl_ctx_destroy),
	LOOM_IOCTL(CTX_GET_STATE, loom_ioctl_ctx_get_state),
	LOOM_IOCTL(BO_CREATE, loom_ioctl_bo_create),
	LOOM_IOCTL(BO_MMAP_OFFSET, loom_ioctl_bo_mmap_offset),
	LOOM_IOCTL(BO_SET_LABEL, loom_ioctl_bo_set_label),
	LOOM_IOCTL(PROG_CREATE, loom_entered_prog_create),
	LOOM_IOCTL(PROG_DESTROY, loom_ioctl_prog_destroy),
	LOOM_IOCTL(INST_CREATE, loom_entered_inst_create),
	LOOM_IOCTL(INST_DESTROY, loom_ioctl_inst_destroy),
	LOOM_IOCTL(INST_RESET, loom_ioctl_inst_reset),
	LOOM_IOCTL(INST_GET_STATE, loom_ioctl_inst_get_state),
	LOOM_IOCTL(SUBMIT, loom_entered_submit),
};

/* --- fdinfo --- */

static void loom_show_fdinfo(struct drm_printer *p, struct drm_file *file)
{
	struct loom_client *client = to_loom_file(file)->client;

	drm_printf(p, "drm-engine-npu:\t%llu ns\n",
		   (u64)atomic64_read(&client->npu_ns));
	drm_printf(p, "drm-cycles-npu:\t%llu\n",
		   (u64)atomic64_read(&client->npu_cycles));
	drm_printf(p, "loom-jobs-npu:\t%llu\n",
		   (u64)atomic64_read(&client->npu_jobs));
	drm_printf(p, "drm-engine-cpu:\t%llu ns\n",
		   (u64)atomic64_read(&client->cpu_ns));
	drm_printf(p, "loom-jobs-cpu:\t%llu\n",
		   (u64)atomic64_read(&client->cpu_jobs));
	drm_show_memory_stats(p, file);
}

static const struct file_operations loom_fops = {
	.owner = THIS_MODULE,
	DRM_ACCEL_FOPS,
	.show_fdinfo = drm_show_fdinfo,
};

const struct drm_driver loom_drm_driver = {
	.driver_features = DRIVER_COMPUTE_ACCEL | DRIVER_GEM | DRIVER_SYNCOBJ |
			   DRIVER_SYNCOBJ_TIMELINE,
	.open = loom_open,
	.postclose = loom_postclose,
	.show_fdinfo = loom_show_fdinfo,
	.gem_create_object = loom_gem_create_object,
	.gem_prime_import_sg_table = loom_gem_import_sg_table,
	.ioctls = loom_ioctls,
	.num_ioctls = ARRAY_SIZE(loom_ioctls),
	.fops = &loom_fops,
	.name = "loom",
	.desc = "Loom NPU",
	.major = DRM_LOOM_VERSION_MAJOR,
	.minor = DRM_LOOM_VERSION_MINOR,
};

/* --- module --- */

static int __init loom_init(void)
{
	int ret;

	loom_cleanup_wq = alloc_workqueue("loom-cleanup", WQ_UNBOUND, 0);
	if (!loom_cleanup_wq)
		return -ENOMEM;
	ret = loom_shmem_init();
	if (ret)
		goto err_workqueue;
	ret = pci_register_driver(&loom_pci_driver);
	if (ret)
		goto err_shmem;
	return 0;

err_shmem:
	loom_shmem_exit();
err_workqueue:
	destroy_workqueue(loom_cleanup_wq);
	return ret;
}

static void __exit loom_exit(void)
{
	pci_unregister_driver(&loom_pci_driver);
	destroy_workqueue(loom_cleanup_wq);
	rcu_barrier();
	loom_shmem_exit();
}

module_init(loom_init);
module_exit(loom_exit);

MODULE_DESCRIPTION("Loom NPU");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS(DMA_BUF);
