// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The Loom NPU: a PCIe function around the model of a neural processing unit.
 *
 * BAR 0 holds the registers and the MSI-X tables. A register access goes
 * straight to the model, which only notes it; all that costs time or touches
 * guest memory happens in the worker (loom-worker.c).
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qemu/log.h"
#include "qemu/module.h"
#include "hw/pci/msix.h"
#include "hw/pci/pcie.h"
#include "hw/pci/pcie_aer.h"
#include "hw/qdev-properties.h"
#include "hw/resettable.h"
#include "loom-device.h"
#include "trace.h"

#define LOOM_PM_CAP 0x60
#define LOOM_PCIE_CAP 0x80
#define LOOM_AER_CAP 0x100
#define LOOM_MAX_THREADS 64
#define LOOM_MAX_POLL_US 1000000

/* --- registers ----------------------------------------------------------- */

enum loom_access { LOOM_NONE, LOOM_RO, LOOM_WO, LOOM_RW, LOOM_W1C };

/* What a guest may do with a register, for LOG_GUEST_ERROR only. */
static enum loom_access loom_reg_access(hwaddr addr)
{
    switch (addr) {
#define LOOM_REG_CASE(offset, name, bits, access, text)                        \
    case offset:                                                               \
        return LOOM_##access;
    LOOM_REGS(LOOM_REG_CASE)
#undef LOOM_REG_CASE
    }
    return LOOM_NONE;
}

static bool loom_reg_is_wide(hwaddr addr)
{
    switch (addr) {
#define LOOM_REG_CASE(offset, name, bits, access, text)                        \
    case offset:                                                               \
        return bits == 64;
    LOOM_REGS(LOOM_REG_CASE)
#undef LOOM_REG_CASE
    }
    return false;
}

static bool loom_reg_is_locked(LoomState *s, hwaddr addr)
{
    bool enabled = loom_dev_mmio_read(s->dev, LOOM_REG_CONTROL, 4) &
                   LOOM_CTL_ENABLE;

    switch (addr) {
    case LOOM_REG_RING_BASE:
    case LOOM_REG_RING_ENTRIES:
    case LOOM_REG_CQ_BASE:
    case LOOM_REG_CQ_ENTRIES:
        return enabled;
    case LOOM_REG_DOORBELL:
        return !enabled;
    }
    return false;
}

static void loom_log_bad_access(LoomState *s, hwaddr addr, bool is_write)
{
    bool upper_half = addr % 8 == 4 && loom_reg_is_wide(addr - 4);
    hwaddr reg = upper_half ? addr - 4 : addr;
    enum loom_access a = loom_reg_access(reg);
    const char *what = NULL;

    if (a == LOOM_NONE) {
        what = is_write ? "write of unknown" : "read of unknown";
    } else if (is_write && a == LOOM_RO) {
        what = "write of read-only";
    } else if (is_write && loom_reg_is_locked(s, reg)) {
        what = reg == LOOM_REG_DOORBELL ? "while disabled, write of" :
                                          "while enabled, write of";
    }
    if (what) {
        qemu_log_mask(LOG_GUEST_ERROR, "loom: %s register 0x%" HWADDR_PRIx
                      "\n", what, addr);
    }
}

static uint64_t loom_mmio_read(void *opaque, hwaddr addr, unsigned size)
{
    LoomState *s = opaque;
    uint64_t value = loom_dev_mmio_read(s->dev, addr, size);

    if (unlikely(qemu_loglevel_mask(LOG_GUEST_ERROR))) {
        loom_log_bad_access(s, addr, false);
    }
    trace_loom_mmio_read(addr, value, size);
    return value;
}

/* CONTROL.RESET reads 0 again once no DMA of the old life can follow. */
static void loom_control_reset(LoomState *s, uint64_t value, unsigned size)
{
    trace_loom_reset("CONTROL");
    loom_worker_hold(s);
    loom_worker_reset(s);
    if (loom_dev_mmio_write(s->dev, LOOM_REG_CONTROL, value, size)) {
        loom_worker_wake(s);
    }
    loom_worker_release(s);
}

static void loom_mmio_write(void *opaque, hwaddr addr, uint64_t value,
                            unsigned size)
{
    LoomState *s = opaque;

    if (unlikely(qemu_loglevel_mask(LOG_GUEST_ERROR))) {
        loom_log_bad_access(s, addr, true);
    }
    if (addr == LOOM_REG_DOORBELL) {
        trace_loom_doorbell(value);
    } else {
        trace_loom_mmio_write(addr, value, size);
    }
    if (addr == LOOM_REG_CONTROL && (value & LOOM_CTL_RESET)) {
        loom_control_reset(s, value, size);
        return;
    }
    if (loom_dev_mmio_write(s->dev, addr, value, size)) {
        loom_worker_wake(s);
    }
    if (qatomic_read(&s->irq_pending)) {
        loom_irq_deliver(s);
    }
}

static const MemoryRegionOps loom_mmio_ops = {
    .read = loom_mmio_read,
    .write = loom_mmio_write,
    .endianness = DEVICE_LITTLE_ENDIAN,
    .valid = { .min_access_size = 4, .max_access_size = 8 },
    .impl = { .min_access_size = 4, .max_access_size = 8 },
};

/* --- what the model is lent ---------------------------------------------- */

static void loom_host_irq(void *opaque, unsigned vector)
{
    LoomState *s = opaque;

    if (vector < LOOM_MSIX_VECTORS) {
        qatomic_or(&s->irq_pending, 1u << vector);
    }
}

static void loom_host_parallel_for(void *opaque, unsigned n,
                                   void (*fn)(void *arg, unsigned i), void *arg)
{
    LoomState *s = opaque;

    loom_pool_run(s->pool, n, fn, arg);
}

/* The model has no tracing of its own; it names what happens. */
static void loom_host_trace(void *opaque, const char *event, uint64_t a,
                            uint64_t b, uint64_t c)
{
    if (!strcmp(event, "job_start")) {
        trace_loom_job_start(a, b, c);
    } else if (!strcmp(event, "job_end")) {
        trace_loom_job_end(a, b, c);
    } else if (!strcmp(event, "error")) {
        trace_loom_error(a);
        qemu_log_mask(LOG_GUEST_ERROR, "loom: device error %" PRIu64
                      "; it takes no more jobs until reset\n", a);
    } else if (!strcmp(event, "hang")) {
        trace_loom_hang(a, b);
    } else if (!strcmp(event, "irq_lost")) {
        trace_loom_irq_lost(a);
    } else {
        trace_loom_event(event, a, b, c);
    }
}

static const struct loom_dev_host loom_host = {
    .dma_read = loom_dma_read,
    .dma_write = loom_dma_write,
    .dma_map = loom_dma_map,
    .dma_unmap_all = loom_dma_unmap_all,
    .irq = loom_host_irq,
    .trace = loom_host_trace,
};

static bool loom_create_dev(LoomState *s, Error **errp)
{
    struct loom_dev_host host = loom_host;
    enum loom_host_isa isa;

    if (!loom_props_isa(s, &isa, errp)) {
        return false;
    }
    if (s->pool) {
        host.parallel_for = loom_host_parallel_for;
    }
    s->dev = loom_dev_create(&s->target, &host, s);
    if (!s->dev) {
        error_setg(errp, "loom: not enough memory for the model (%u KiB of "
                   "SRAM)", s->target.sram_bytes / 1024);
        return false;
    }
    if (!loom_dev_set_isa(s->dev, isa)) {
        error_setg(errp, "loom: isa=%s: this host's CPU lacks it", s->isa);
        return false;
    }
    if (!loom_dev_set_hazards(s->dev, s->hazards)) {
        error_setg(errp, "loom: not enough memory for x-hazards=on");
        return false;
    }
    return true;
}

/* --- life ---------------------------------------------------------------- */

static bool loom_check_host_props(LoomState *s, Error **errp)
{
    if (s->threads < 1 || s->threads > LOOM_MAX_THREADS) {
        error_setg(errp, "loom: threads=%u is out of range: 1 to %d",
                   s->threads, LOOM_MAX_THREADS);
        return false;
    }
    if (s->poll_us > LOOM_MAX_POLL_US) {
        error_setg(errp, "loom: poll-us=%u is out of range: 0 to %d",
                   s->poll_us, LOOM_MAX_POLL_US);
        return false;
    }
    return true;
}

static bool loom_init_pci(PCIDevice *pdev, Error **errp)
{
    LoomState *s = LOOM(pdev);

    memory_region_init_io(&s->bar0, OBJECT(s), &loom_mmio_ops, s, "loom-bar0",
                          LOOM_BAR0_BYTES);
    pci_register_bar(pdev, 0, PCI_BASE_ADDRESS_SPACE_MEMORY |
                     PCI_BASE_ADDRESS_MEM_TYPE_64, &s->bar0);

    if (pci_pm_init(pdev, LOOM_PM_CAP, errp) < 0) {
        return false;
    }
    pci_set_word(pdev->config + LOOM_PM_CAP + PCI_PM_PMC, PCI_PM_CAP_VER_1_2);
    pci_set_word(pdev->config + LOOM_PM_CAP + PCI_PM_CTRL,
                 PCI_PM_CTRL_NO_SOFT_RESET);
    pci_set_word(pdev->wmask + LOOM_PM_CAP + PCI_PM_CTRL,
                 PCI_PM_CTRL_STATE_MASK);

    if (pcie_endpoint_cap_init(pdev, LOOM_PCIE_CAP) < 0) {
        error_setg(errp, "loom: no room for the PCIe capability");
        return false;
    }
    pcie_cap_flr_init(pdev);
    if (pcie_aer_init(pdev, PCI_ERR_VER, LOOM_AER_CAP, PCI_ERR_SIZEOF,
                      errp) < 0) {
        return false;
    }
    if (msix_init(pdev, LOOM_MSIX_VECTORS, &s->bar0, 0, LOOM_MSIX_TABLE,
                  &s->bar0, 0, LOOM_MSIX_PBA, 0, errp)) {
        return false;
    }
    for (unsigned i = 0; i < LOOM_MSIX_VECTORS; i++) {
        msix_vector_use(pdev, i);
    }
    return true;
}

/* Undoes any prefix of realize. */
static void loom_exit(PCIDevice *pdev)
{
    LoomState *s = LOOM(pdev);

    loom_worker_exit(s);
    if (s->dev) {
        loom_dev_destroy(s->dev);
        s->dev = NULL;
    }
    loom_pool_free(s->pool);
    s->pool = NULL;
    if (s->maps.all) {
        loom_dma_exit(s);
    }
    if (msix_present(pdev)) {
        msix_uninit(pdev, &s->bar0, &s->bar0);
    }
    if (pdev->exp.aer_cap) {
        pcie_aer_exit(pdev);
    }
    if (pdev->exp.exp_cap) {
        pcie_cap_exit(pdev);
    }
    g_free(s->saved);
    s->saved = NULL;
}

static void loom_realize(PCIDevice *pdev, Error **errp)
{
    LoomState *s = LOOM(pdev);

    if (!loom_check_host_props(s, errp) || !loom_props_target(s, errp)) {
        return;
    }
    loom_dma_init(s);
    if (s->threads > 1) {
        s->pool = loom_pool_new(s->threads);
    }
    if (!loom_create_dev(s, errp) || !loom_init_pci(pdev, errp)) {
        loom_exit(pdev);
        return;
    }
    loom_worker_init(s);
}

/* --- reset --------------------------------------------------------------- */

static bool loom_in_flr(PCIDevice *pdev)
{
    return pci_get_word(pdev->config + pdev->exp.exp_cap + PCI_EXP_DEVCTL) &
           PCI_EXP_DEVCTL_BCR_FLR;
}

/* All DMA ends here, before any other device or memory is reset. */
static void loom_reset_enter(Object *obj, ResetType type)
{
    LoomState *s = LOOM(obj);
    bool flr = loom_in_flr(PCI_DEVICE(s));

    trace_loom_reset(flr ? "FLR" : "power-on");
    loom_worker_hold(s);
    loom_worker_reset(s);
    loom_dev_reset(s->dev, !flr);
    loom_worker_release(s);
}

static void loom_write_config(PCIDevice *pdev, uint32_t addr, uint32_t value,
                              int len)
{
    pci_default_write_config(pdev, addr, value, len);
    pcie_aer_write_config(pdev, addr, value, len);
    pcie_cap_flr_write_config(pdev, addr, value, len);
}

static void loom_instance_init(Object *obj)
{
    LoomState *s = LOOM(obj);

    s->saved_config.s = s;
}

static void loom_class_init(ObjectClass *oc, void *data)
{
    DeviceClass *dc = DEVICE_CLASS(oc);
    PCIDeviceClass *pc = PCI_DEVICE_CLASS(oc);
    ResettableClass *rc = RESETTABLE_CLASS(oc);

    pc->realize = loom_realize;
    pc->exit = loom_exit;
    pc->config_write = loom_write_config;
    pc->vendor_id = LOOM_PCI_VENDOR_ID;
    pc->device_id = LOOM_PCI_DEVICE_ID;
    pc->class_id = LOOM_PCI_CLASS;
    rc->phases.enter = loom_reset_enter;
    dc->vmsd = &vmstate_loom;
    dc->desc = "Loom neural processing unit";
    set_bit(DEVICE_CATEGORY_MISC, dc->categories);
    loom_props_class_init(oc);
}

static const TypeInfo loom_types[] = {
    {
        .name = TYPE_LOOM,
        .parent = TYPE_PCI_DEVICE,
        .instance_size = sizeof(LoomState),
        .instance_init = loom_instance_init,
        .class_init = loom_class_init,
        .interfaces = (InterfaceInfo[]) {
            { INTERFACE_PCIE_DEVICE },
            { }
        },
    },
};

DEFINE_TYPES(loom_types)
