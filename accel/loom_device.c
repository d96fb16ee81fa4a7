// SPDX-License-Identifier: GPL-2.0
/*
 * The PCI function: probe, remove, power, FLR and AER.
 */
#include <linux/pci.h>
#include <linux/pm_runtime.h>

#include <drm/drm_accel.h>
#include <drm/drm_drv.h>
#include <drm/drm_managed.h>

#include "loom_ctx.h"
#include "loom_device.h"
#include "loom_gem.h"

#define LOOM_AUTOSUSPEND_MS 1000

static void loom_read_mem_class(struct loom_device *ldev, unsigned int i,
				u32 base)
{
	struct loom_mem_class *mem = &ldev->target.mem[i];

	mem->bytes_per_cycle = loom_read(ldev, base);
	mem->latency = loom_read(ldev, base + 4);
	mem->outstanding = loom_read(ldev, base + 8);
}

static void loom_read_target(struct loom_device *ldev)
{
	struct loom_target *t = &ldev->target;
	u32 v;

	v = loom_read(ldev, LOOM_REG_ISA);
	t->isa_major = v >> 16;
	t->isa_minor = v & 0xffff;
	t->features = loom_read64(ldev, LOOM_REG_FEATURES);
	v = loom_read(ldev, LOOM_REG_ARRAY);
	t->rows = v & 0xffff;
	t->cols = v >> 16;
	t->sram_bytes = loom_read(ldev, LOOM_REG_SRAM_BYTES);
	v = loom_read(ldev, LOOM_REG_SRAM_BANKS);
	t->sram_partitions = v & 0xffff;
	t->sram_banks = v >> 16;
	t->acc_bytes = loom_read(ldev, LOOM_REG_ACC_BYTES);
	t->vpu_lanes = loom_read(ldev, LOOM_REG_VPU_LANES);
	t->mem_classes = loom_read(ldev, LOOM_REG_MEM_CLASSES);
	t->clock_khz = loom_read(ldev, LOOM_REG_CLOCK_KHZ);
	v = loom_read(ldev, LOOM_REG_MXU_RATES);
	t->int8_div = v & 0xff;
	t->bf16_div = v >> 8 & 0xff;
	t->f32_div = v >> 16 & 0xff;
	loom_read_mem_class(ldev, 0, LOOM_REG_MEM0_BANDWIDTH);
	loom_read_mem_class(ldev, 1, LOOM_REG_MEM1_BANDWIDTH);
}

static int loom_identify(struct loom_device *ldev)
{
	u32 id = loom_read(ldev, LOOM_REG_ID);

	if (id != LOOM_ID) {
		drm_err(&ldev->drm, "ID register reads %#x, not %#x\n", id, LOOM_ID);
		return -ENODEV;
	}
	loom_read_target(ldev);
	if (ldev->target.isa_major != LOOM_ISA_MAJOR) {
		drm_err(&ldev->drm, "device has ISA %u.%u, this driver knows %u.x\n",
			ldev->target.isa_major, ldev->target.isa_minor,
			LOOM_ISA_MAJOR);
		return -ENODEV;
	}
	ldev->max_slots = min(loom_read(ldev, LOOM_REG_MAX_SLOTS), LOOM_MAX_SLOTS);
	return 0;
}

static int loom_map(struct loom_device *ldev)
{
	struct pci_dev *pdev = ldev->pdev;
	int ret;

	ret = pcim_enable_device(pdev);
	if (ret)
		return ret;
	if (pci_resource_len(pdev, 0) < LOOM_BAR0_BYTES) {
		drm_err(&ldev->drm, "BAR0 has %llu bytes, not %u\n",
			(u64)pci_resource_len(pdev, 0), LOOM_BAR0_BYTES);
		return -ENODEV;
	}
	ret = pcim_iomap_regions(pdev, BIT(0), "loom");
	if (ret)
		return ret;
	ldev->regs = pcim_iomap_table(pdev)[0];
	ret = dma_set_mask_and_coherent(&pdev->dev, DMA_BIT_MASK(64));
	if (ret)
		return ret;
	dma_set_max_seg_size(&pdev->dev, UINT_MAX);
	pci_set_master(pdev);
	return 0;
}

static int loom_init_irqs(struct loom_device *ldev)
{
	struct pci_dev *pdev = ldev->pdev;
	int ret;

	ret = pci_alloc_irq_vectors(pdev, LOOM_MSIX_VECTORS, LOOM_MSIX_VECTORS,
				    PCI_IRQ_MSIX);
	if (ret < 0)
		return ret;
	/* Vectors of pcim_enable_device()d functions are freed with it. */
	ret = devm_request_irq(&pdev->dev, pci_irq_vector(pdev, LOOM_VEC_QUEUE),
			       loom_npu_irq, 0, "loom-queue", ldev);
	if (ret)
		return ret;
	return devm_request_irq(&pdev->dev, pci_irq_vector(pdev, LOOM_VEC_ADMIN),
				loom_npu_admin_irq, 0, "loom-admin", ldev);
}

static int loom_init_state(struct loom_device *ldev)
{
	struct drm_device *drm = &ldev->drm;
	int ret;

	INIT_LIST_HEAD(&ldev->bos);
	INIT_LIST_HEAD(&ldev->ctxs);
	INIT_LIST_HEAD(&ldev->clients);
	ret = drmm_mutex_init(drm, &ldev->bo_lock);
	if (ret)
		return ret;
	ret = drmm_mutex_init(drm, &ldev->ctx_lock);
	if (ret)
		return ret;
	return drmm_mutex_init(drm, &ldev->client_lock);
}

static int loom_bring_up(struct loom_device *ldev)
{
	int ret;

	ret = loom_cpu_init(ldev);
	if (ret)
		return ret;
	ret = loom_npu_init(ldev);
	if (ret)
		goto err_cpu_fini;
	ret = loom_init_irqs(ldev);
	if (ret)
		goto err_npu_fini;
	ret = loom_npu_hw_reset(ldev);
	if (ret)
		goto err_npu_fini;
	ret = loom_npu_hw_start(ldev);
	if (ret)
		goto err_npu_fini;
	loom_debugfs_init(ldev);
	ret = drm_dev_register(&ldev->drm, 0);
	if (ret)
		goto err_npu_fini;
	return 0;

err_npu_fini:
	loom_npu_fini(ldev);
err_cpu_fini:
	loom_cpu_fini(ldev);
	return ret;
}

static int loom_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct device *dev = &pdev->dev;
	struct loom_device *ldev;
	int ret;

	ldev = devm_drm_dev_alloc(dev, &loom_drm_driver, struct loom_device, drm);
	if (IS_ERR(ldev))
		return PTR_ERR(ldev);
	ldev->pdev = pdev;
	pci_set_drvdata(pdev, ldev);
	ret = loom_init_state(ldev);
	if (ret)
		return ret;
	ret = loom_map(ldev);
	if (ret)
		return ret;
	ret = loom_identify(ldev);
	if (ret)
		return ret;
	ret = loom_bring_up(ldev);
	if (ret)
		return ret;

	pm_runtime_set_autosuspend_delay(dev, LOOM_AUTOSUSPEND_MS);
	pm_runtime_use_autosuspend(dev);
	pm_runtime_mark_last_busy(dev);
	pm_runtime_put_noidle(dev);
	drm_info(&ldev->drm, "%ux%u array, %u KiB SRAM, ISA %u.%u\n",
		 ldev->target.rows, ldev->target.cols,
		 ldev->target.sram_bytes >> 10, ldev->target.isa_major,
		 ldev->target.isa_minor);
	return 0;
}

static void loom_remove(struct pci_dev *pdev)
{
	struct loom_device *ldev = pci_get_drvdata(pdev);

	pm_runtime_get_sync(&pdev->dev);
	drm_dev_unplug(&ldev->drm);
	/* Nobody is inside drm_dev_enter() now, and nobody will be. */
	loom_npu_stop(ldev, LOOM_KILL_UNPLUG);
	loom_npu_start(ldev);
	loom_ctx_kill_all(ldev);
	loom_cpu_fini(ldev);
	loom_npu_fini(ldev);
	loom_bo_release_all(ldev);
	pm_runtime_dont_use_autosuspend(&pdev->dev);
}

static void loom_shutdown(struct pci_dev *pdev)
{
	struct loom_device *ldev = pci_get_drvdata(pdev);

	loom_npu_stop(ldev, LOOM_KILL_ADMIN);
}

/* --- FLR and AER --- */

static void loom_reset_prepare(struct pci_dev *pdev)
{
	loom_npu_stop(pci_get_drvdata(pdev), LOOM_KILL_ADMIN);
}

static void loom_reset_done(struct pci_dev *pdev)
{
	struct loom_device *ldev = pci_get_drvdata(pdev);

	atomic_inc(&ldev->npu.resets);
	loom_npu_start(ldev);
}

static pci_ers_result_t loom_error_detected(struct pci_dev *pdev,
					    pci_channel_state_t state)
{
	if (state == pci_channel_io_normal)
		return PCI_ERS_RESULT_CAN_RECOVER;
	if (state == pci_channel_io_perm_failure)
		return PCI_ERS_RESULT_DISCONNECT;
	loom_reset_prepare(pdev);
	return PCI_ERS_RESULT_NEED_RESET;
}

static pci_ers_result_t loom_slot_reset(struct pci_dev *pdev)
{
	pci_restore_state(pdev);
	loom_reset_done(pdev);
	return PCI_ERS_RESULT_RECOVERED;
}

static const struct pci_error_handlers loom_error_handlers = {
	.error_detected = loom_error_detected,
	.slot_reset = loom_slot_reset,
	.reset_prepare = loom_reset_prepare,
	.reset_done = loom_reset_done,
};

/* --- power --- */

/* Every job holds a runtime reference, so the device is idle here. */
static int loom_runtime_suspend(struct device *dev)
{
	struct loom_device *ldev = pci_get_drvdata(to_pci_dev(dev));

	loom_write(ldev, LOOM_REG_CONTROL, 0);
	return 0;
}

static int loom_runtime_resume(struct device *dev)
{
	struct loom_device *ldev = pci_get_drvdata(to_pci_dev(dev));
	int ret;

	ret = loom_npu_hw_reset(ldev);
	if (ret)
		return ret;
	return loom_npu_hw_start(ldev);
}

static int loom_suspend(struct device *dev)
{
	struct loom_device *ldev = pci_get_drvdata(to_pci_dev(dev));

	loom_cpu_pause(ldev);
	if (!pm_runtime_suspended(dev))
		loom_npu_stop(ldev, LOOM_KILL_ADMIN);
	return pm_runtime_force_suspend(dev);
}

static int loom_resume(struct device *dev)
{
	struct loom_device *ldev = pci_get_drvdata(to_pci_dev(dev));
	int ret = pm_runtime_force_resume(dev);

	if (!ret)
		loom_npu_start(ldev);
	loom_cpu_resume(ldev);
	return ret;
}

static const struct dev_pm_ops loom_pm_ops = {
	SYSTEM_SLEEP_PM_OPS(loom_suspend, loom_resume)
	RUNTIME_PM_OPS(loom_runtime_suspend, loom_runtime_resume, NULL)
};

static const struct pci_device_id loom_pci_ids[] = {
	{ PCI_DEVICE(LOOM_PCI_VENDOR_ID, LOOM_PCI_DEVICE_ID) },
	{}
};
MODULE_DEVICE_TABLE(pci, loom_pci_ids);

struct pci_driver loom_pci_driver = {
	.name = "loom",
	.id_table = loom_pci_ids,
	.probe = loom_probe,
	.remove = loom_remove,
	.shutdown = loom_shutdown,
	.err_handler = &loom_error_handlers,
	.driver.pm = pm_ptr(&loom_pm_ops),
};
