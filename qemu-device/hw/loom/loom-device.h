/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The Loom NPU as a PCIe function: what its source files share.
 *
 * The device itself (registers, rings, jobs) is the model's, behind
 * loom_dev.h. Here is what only QEMU can give it: a BAR, interrupts, guest
 * memory, a thread, saved state and properties.
 *
 * Locks, in this order: the BQL, then LoomState.lock. The worker takes the BQL
 * only while it holds no lock and is not busy, so whoever holds the BQL may
 * wait until the worker is not busy.
 */
#ifndef HW_LOOM_DEVICE_H
#define HW_LOOM_DEVICE_H

#include "hw/pci/pci_device.h"
#include "qemu/main-loop.h"
#include "qemu/thread.h"
#include "qemu/timer.h"
#include "qemu/units.h"
#include "system/runstate.h"
#include "qom/object.h"
#include "loom_dev.h"

#define TYPE_LOOM "loom"
OBJECT_DECLARE_SIMPLE_TYPE(LoomState, LOOM)

/* The properties that describe a target; loom-props.c has their table. */
#define LOOM_NUM_KNOBS 18

/* Guest memory that the running job has mapped, see loom-dma.c. */
typedef struct LoomMap {
    hwaddr addr;
    hwaddr len;
    void *host;
    bool write;
} LoomMap;

#define LOOM_MAP_WAYS 4096
#define LOOM_WINDOW_BYTES (2 * MiB)
#define LOOM_MAP_MAX (256 * 1024)

typedef struct LoomMaps {
    GArray *all; /* LoomMap: everything to unmap */
    uint32_t way[LOOM_MAP_WAYS]; /* by page number: index into all, plus 1 */
    uint32_t window[LOOM_MAP_WAYS]; /* the same by window number */
} LoomMaps;

typedef struct LoomPool LoomPool;

/* What saved state must agree on before anything else of it is read. */
typedef struct LoomSavedConfig {
    LoomState *s;
    uint64_t knob[LOOM_NUM_KNOBS];
    uint64_t features;
} LoomSavedConfig;

struct LoomState {
    PCIDevice parent_obj;

    MemoryRegion bar0;
    struct loom_dev *dev;
    struct loom_target target;
    LoomMaps maps;
    LoomPool *pool;

    /* Properties */
    char *target_name;
    char *features;
    char *isa;
    uint32_t poll_us;
    uint32_t threads;
    bool sync;
    bool hazards;
    uint64_t knob[LOOM_NUM_KNOBS];
    uint32_t knobs_set; /* bit by index: the user gave this one */

    /* Worker. irq_pending is set anywhere, cleared under the BQL only. */
    QemuThread thread;
    QemuMutex lock;
    QemuCond wake;
    QemuCond idle;
    bool started;
    bool stop; /* lock */
    bool busy; /* lock: a step is under way */
    bool raising; /* lock: the worker has or awaits the BQL */
    bool paused; /* lock: the machine is stopped */
    unsigned hold; /* lock: somebody waits for, or has, a quiet device */
    uint32_t step_insns; /* worker only */
    bool sleeping; /* atomic: the worker waits on wake */
    bool work; /* atomic: a step would find something to do */
    uint32_t irq_pending; /* atomic, bit by vector */
    VMChangeStateEntry *vmstate_entry;

    /* x-sync: steps run here, their interrupts wait for virtual time */
    QEMUBH *sync_bh;
    QEMUTimer *sync_timer;

    /* Saved state */
    LoomSavedConfig saved_config;
    uint32_t saved_bytes;
    uint8_t *saved;
};

/* loom-worker.c */
void loom_worker_init(LoomState *s);
void loom_worker_exit(LoomState *s);
/* Tells the worker that a step has something to do. Called under the BQL. */
void loom_worker_wake(LoomState *s);
/* Between the two no step runs. Called under the BQL; does not nest. */
void loom_worker_hold(LoomState *s);
void loom_worker_release(LoomState *s);
/* Raises what is pending, unless it waits for virtual time. Under the BQL. */
void loom_irq_deliver(LoomState *s);
/* Forgets interrupts and work that were under way. Under the BQL, held. */
void loom_worker_reset(LoomState *s);

/* loom-pool.c: n threads in all, counting the caller of loom_pool_run() */
LoomPool *loom_pool_new(unsigned n);
void loom_pool_free(LoomPool *pool);
void loom_pool_run(LoomPool *pool, unsigned n, void (*fn)(void *, unsigned),
                   void *arg);

/* loom-dma.c: callbacks of struct loom_dev_host; opaque is the LoomState */
void loom_dma_init(LoomState *s);
void loom_dma_exit(LoomState *s);
int loom_dma_read(void *opaque, uint64_t addr, void *buf, uint64_t len);
int loom_dma_write(void *opaque, uint64_t addr, const void *buf, uint64_t len);
void *loom_dma_map(void *opaque, uint64_t addr, uint64_t len, bool write);
void loom_dma_unmap_all(void *opaque);

/* loom-props.c */
void loom_props_class_init(ObjectClass *oc);
bool loom_props_target(LoomState *s, Error **errp);
bool loom_props_isa(LoomState *s, enum loom_host_isa *isa, Error **errp);
const char *loom_knob_name(unsigned i);
uint64_t loom_knob_get(const struct loom_target *t, unsigned i);

/* loom-vmstate.c */
extern const VMStateDescription vmstate_loom;

#endif
