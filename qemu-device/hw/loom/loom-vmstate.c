// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Saved state. The model saves itself, in mid-job if need be: a stopped
 * machine's worker is parked between two instructions. Saved state is as
 * little trusted as a guest: sizes are checked before memory is taken, and the
 * model checks every value of its own.
 */

#include "qemu/osdep.h"
#include "qemu/error-report.h"
#include "migration/vmstate.h"
#include "hw/pci/msix.h"
#include "hw/pci/pcie.h"
#include "loom-device.h"
#include "trace.h"

/* --- the configuration, first -------------------------------------------- */

static int loom_config_post_load(void *opaque, int version_id)
{
    LoomSavedConfig *c = opaque;
    const struct loom_target *t = &c->s->target;

    for (unsigned i = 0; i < LOOM_NUM_KNOBS; i++) {
        if (c->knob[i] != loom_knob_get(t, i)) {
            error_report("loom: the incoming device has %s=%" PRIu64
                         ", this one has %" PRIu64 "; start it with the same "
                         "properties", loom_knob_name(i), c->knob[i],
                         loom_knob_get(t, i));
            return -EINVAL;
        }
    }
    if (c->features != t->features) {
        error_report("loom: the incoming device has feature bits 0x%" PRIx64
                     ", this one has 0x%" PRIx64 "; start it with the same "
                     "'features'", c->features, (uint64_t)t->features);
        return -EINVAL;
    }
    return 0;
}

static const VMStateDescription vmstate_loom_config = {
    .name = "loom/config",
    .version_id = 1,
    .minimum_version_id = 1,
    .post_load = loom_config_post_load,
    .fields = (const VMStateField[]) {
        VMSTATE_UINT64_ARRAY(knob, LoomSavedConfig, LOOM_NUM_KNOBS),
        VMSTATE_UINT64(features, LoomSavedConfig),
        VMSTATE_END_OF_LIST()
    }
};

/* --- the device ---------------------------------------------------------- */

static void loom_saved_free(LoomState *s)
{
    g_free(s->saved);
    s->saved = NULL;
    s->saved_bytes = 0;
}

static int loom_pre_save(void *opaque)
{
    LoomState *s = opaque;

    for (unsigned i = 0; i < LOOM_NUM_KNOBS; i++) {
        s->saved_config.knob[i] = loom_knob_get(&s->target, i);
    }
    s->saved_config.features = s->target.features;

    loom_worker_hold(s);
    loom_saved_free(s);
    s->saved_bytes = loom_dev_save_bytes(s->dev);
    s->saved = g_malloc(s->saved_bytes);
    loom_dev_save(s->dev, s->saved);
    loom_worker_release(s);
    trace_loom_save(s->saved_bytes);
    return 0;
}

static int loom_post_save(void *opaque)
{
    loom_saved_free(opaque);
    return 0;
}

static int loom_pre_load(void *opaque)
{
    loom_saved_free(opaque);
    return 0;
}

/* Asked before memory is taken for that many. */
static bool loom_saved_bytes_right(void *opaque, int version_id)
{
    LoomState *s = opaque;

    return s->saved_bytes == loom_dev_save_bytes(s->dev);
}

static int loom_post_load(void *opaque, int version_id)
{
    LoomState *s = opaque;
    const char *wrong;

    if (s->irq_pending & ~MAKE_64BIT_MASK(0, LOOM_MSIX_VECTORS)) {
        error_report("loom: incoming state: pending interrupts 0x%x name a "
                     "vector that does not exist", s->irq_pending);
        return -EINVAL;
    }
    loom_worker_hold(s);
    wrong = loom_dev_load(s->dev, s->saved, s->saved_bytes);
    qatomic_set(&s->work, true); /* a step finds out what there is to do */
    loom_worker_release(s);
    trace_loom_load(s->saved_bytes, wrong ?: "");
    loom_saved_free(s);
    if (wrong) {
        error_report("loom: incoming state: %s", wrong);
        return -EINVAL;
    }
    return 0;
}

const VMStateDescription vmstate_loom = {
    .name = TYPE_LOOM,
    .version_id = 1,
    .minimum_version_id = 1,
    .pre_save = loom_pre_save,
    .post_save = loom_post_save,
    .pre_load = loom_pre_load,
    .post_load = loom_post_load,
    .fields = (const VMStateField[]) {
        VMSTATE_STRUCT(saved_config, LoomState, 1, vmstate_loom_config,
                       LoomSavedConfig),
        VMSTATE_PCI_DEVICE(parent_obj, LoomState),
        VMSTATE_STRUCT(parent_obj.exp.aer_log, LoomState, 0,
                       vmstate_pcie_aer_log, PCIEAERLog),
        VMSTATE_MSIX(parent_obj, LoomState),
        VMSTATE_UINT32(irq_pending, LoomState),
        VMSTATE_TIMER_PTR(sync_timer, LoomState),
        VMSTATE_UINT32(saved_bytes, LoomState),
        VMSTATE_VALIDATE("size of the device's state", loom_saved_bytes_right),
        VMSTATE_VBUFFER_ALLOC_UINT32(saved, LoomState, 1, NULL, saved_bytes),
        VMSTATE_END_OF_LIST()
    }
};
