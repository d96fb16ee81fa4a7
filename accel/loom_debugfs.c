// SPDX-License-Identifier: GPL-2.0
/*
 * /sys/kernel/debug/accel/<minor or device>/: what the device and its users are
 * doing. Not an ABI.
 */
#include <linux/debugfs.h>
#include <linux/fs.h>
#include <linux/kstrtox.h>
#include <linux/module.h>
#include <linux/pm_runtime.h>
#include <linux/seq_file.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include <drm/drm_debugfs.h>
#include <drm/drm_drv.h>
#include <drm/drm_file.h>

#include "loom_ctx.h"
#include "loom_debugfs.h"
#include "loom_device.h"
#include "loom_drv.h"
#include "loom_gem.h"

static struct loom_device *loom_seq_device(struct seq_file *m)
{
	struct drm_debugfs_entry *entry = m->private;

	return to_loom_device(entry->dev);
}

static int loom_clients_show(struct seq_file *m, void *unused)
{
	struct loom_device *ldev = loom_seq_device(m);
	struct loom_client *c;

	seq_puts(m, "client pid comm jobs npu_ns npu_cycles cpu_jobs cpu_ns\n");
	mutex_lock(&ldev->client_lock);
	list_for_each_entry(c, &ldev->clients, node)
		seq_printf(m, "%llu %d %s %lld %lld %lld %lld %lld\n", c->id,
			   c->pid, c->comm, (s64)atomic64_read(&c->npu_jobs),
			   (s64)atomic64_read(&c->npu_ns),
			   (s64)atomic64_read(&c->npu_cycles),
			   (s64)atomic64_read(&c->cpu_jobs),
			   (s64)atomic64_read(&c->cpu_ns));
	mutex_unlock(&ldev->client_lock);
	return 0;
}

static int loom_contexts_show(struct seq_file *m, void *unused)
{
	struct loom_device *ldev = loom_seq_device(m);
	struct loom_ctx *ctx;

	seq_puts(m, "client priority guilty abandoned used\n");
	mutex_lock(&ldev->ctx_lock);
	list_for_each_entry(ctx, &ldev->ctxs, node)
		seq_printf(m, "%llu %u %d %d %lld\n", ctx->client->id, ctx->priority,
			   atomic_read(&ctx->guilty), READ_ONCE(ctx->abandoned),
			   (s64)atomic64_read(&ctx->used));
	mutex_unlock(&ldev->ctx_lock);
	return 0;
}

static int loom_bos_show(struct seq_file *m, void *unused)
{
	struct loom_device *ldev = loom_seq_device(m);
	struct loom_bo *bo;

	seq_puts(m, "bytes refs handles imported private mapped label\n");
	mutex_lock(&ldev->bo_lock);
	list_for_each_entry(bo, &ldev->bos, node) {
		struct drm_gem_object *obj = loom_bo_gem(bo);

		mutex_lock(&bo->lock);
		seq_printf(m, "%zu %u %u %d %d %d %s\n", obj->size,
			   kref_read(&obj->refcount), obj->handle_count,
			   !!obj->import_attach, !!bo->ctx, !!bo->pages,
			   bo->label[0] ? bo->label : "-");
		mutex_unlock(&bo->lock);
	}
	mutex_unlock(&ldev->bo_lock);
	return 0;
}

static void loom_regs_print(struct seq_file *m, struct loom_device *ldev)
{
#define LOOM_SHOW_32(name) \
	seq_printf(m, #name ": %#x\n", loom_read(ldev, LOOM_REG_##name))
#define LOOM_SHOW_64(name) \
	seq_printf(m, #name ": %#llx\n", loom_read64(ldev, LOOM_REG_##name))
#define LOOM_SHOW_REG(offset, name, bits, access, text) LOOM_SHOW_##bits(name);
	LOOM_REGS(LOOM_SHOW_REG)
#undef LOOM_SHOW_REG
#undef LOOM_SHOW_64
#undef LOOM_SHOW_32
}

static int loom_regs_show(struct seq_file *m, void *unused)
{
	struct loom_device *ldev = loom_seq_device(m);
	int idx, ret = -ENODEV;

	if (!drm_dev_enter(&ldev->drm, &idx))
		return ret;
	if (!pm_runtime_resume_and_get(ldev->drm.dev)) {
		loom_regs_print(m, ldev);
		pm_runtime_put_autosuspend(ldev->drm.dev);
		ret = 0;
	}
	drm_dev_exit(idx);
	return ret;
}

static int loom_state_show(struct seq_file *m, void *unused)
{
	struct loom_npu *npu = &loom_seq_device(m)->npu;

	spin_lock_irq(&npu->lock);
	seq_printf(m, "active: %d\ncondemned: %d\ndead: %d\nseqno: %u\ntail: %u\ncq_head: %u\n",
		   !!npu->active, !!npu->condemned, npu->dead, npu->seqno,
		   npu->tail, npu->cq_head);
	spin_unlock_irq(&npu->lock);
	seq_printf(m, "submitted: %lld\ncompleted: %lld\nfaulted: %lld\nkilled: %lld\n",
		   (s64)atomic64_read(&npu->submitted),
		   (s64)atomic64_read(&npu->completed),
		   (s64)atomic64_read(&npu->faulted),
		   (s64)atomic64_read(&npu->killed));
	seq_printf(m, "irqs_lost: %lld\nresets: %d\nfailed_resets: %u\n",
		   (s64)atomic64_read(&npu->irqs_lost),
		   atomic_read(&npu->resets), npu->failed_resets);
	return 0;
}

static int loom_cpu_show(struct seq_file *m, void *unused)
{
	struct loom_cpu *cpu = &loom_seq_device(m)->cpu;

	seq_printf(m, "enabled: %d\nstructures: %#llx\n", loom_cpu_enabled(),
		   loom_cpu_structures());
	seq_printf(m, "submitted: %lld\ncompleted: %lld\nfailed: %lld\ncancelled: %lld\n",
		   (s64)atomic64_read(&cpu->submitted),
		   (s64)atomic64_read(&cpu->completed),
		   (s64)atomic64_read(&cpu->failed),
		   (s64)atomic64_read(&cpu->cancelled));
	seq_printf(m, "ns: %lld\nlongest_section_ns: %llu\n",
		   (s64)atomic64_read(&cpu->ns), READ_ONCE(cpu->longest_ns));
	return 0;
}

/* How long sections without preemption were: microseconds from, how many. */
static int loom_cpu_sections_show(struct seq_file *m, void *unused)
{
	struct loom_cpu *cpu = &loom_seq_device(m)->cpu;
	u32 i;

	for (i = 0; i < LOOM_CPU_BUCKETS; i++)
		seq_printf(m, "%u %llu\n", i * LOOM_CPU_BUCKET_NS / 1000,
			   READ_ONCE(cpu->sections[i]));
	return 0;
}

static const struct drm_debugfs_info loom_debugfs_files[] = {
	{ "clients", loom_clients_show },
	{ "contexts", loom_contexts_show },
	{ "bos", loom_bos_show },
	{ "regs", loom_regs_show },
	{ "state", loom_state_show },
	{ "cpu", loom_cpu_show },
	{ "cpu_sections", loom_cpu_sections_show },
	{ "programs", loom_programs_show },
	{ "instances", loom_instances_show },
};

/* Write 1: reset the device as the watchdog would; the running job is killed. */
static int loom_reset_set(void *data, u64 value)
{
	struct loom_device *ldev = data;

	if (value != 1)
		return -EINVAL;
	loom_npu_kick_reset(ldev);
	flush_work(&ldev->npu.reset_work);
	return READ_ONCE(ldev->npu.dead);
}

DEFINE_DEBUGFS_ATTRIBUTE(loom_reset_fops, NULL, loom_reset_set, "%llu\n");

/*
 * Write "SEGMENT OPERATION": the next CPU segment of that number in its entry
 * point fails with EIO once it gets to the operation; "off" takes it back.
 */
static int loom_cpu_parse_fail(struct loom_cpu *cpu, const char *text)
{
	u32 segment, op;

	if (sysfs_streq(text, "off")) {
		WRITE_ONCE(cpu->fail, false);
		return 0;
	}
	if (sscanf(text, "%u %u", &segment, &op) != 2)
		return -EINVAL;
	spin_lock(&cpu->fail_lock);
	cpu->fail_segment = segment;
	cpu->fail_op = op;
	WRITE_ONCE(cpu->fail, true);
	spin_unlock(&cpu->fail_lock);
	return 0;
}

static ssize_t loom_cpu_fail_write(struct file *file, const char __user *from,
				   size_t count, loff_t *pos)
{
	struct loom_device *ldev = file->private_data;
	char text[32];
	int ret;

	if (count >= sizeof(text))
		return -EINVAL;
	if (copy_from_user(text, from, count))
		return -EFAULT;
	text[count] = '\0';
	ret = loom_cpu_parse_fail(&ldev->cpu, text);
	return ret ?: count;
}

static const struct file_operations loom_cpu_fail_fops = {
	.owner = THIS_MODULE,
	.open = simple_open,
	.write = loom_cpu_fail_write,
};

void loom_debugfs_init(struct loom_device *ldev)
{
	drm_debugfs_add_files(&ldev->drm, loom_debugfs_files,
			      ARRAY_SIZE(loom_debugfs_files));
	debugfs_create_file("reset", 0200, ldev->drm.debugfs_root, ldev,
			    &loom_reset_fops);
	debugfs_create_file("cpu_fail", 0200, ldev->drm.debugfs_root, ldev,
			    &loom_cpu_fail_fops);
}
