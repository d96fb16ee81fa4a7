/* SPDX-License-Identifier: GPL-2.0-or-later OR MIT */
/*
 * Inside the device: its state as plain data, the region table of the job that runs, and the translation cache.
 *
 * Registers belong to the thread of mmio_read and mmio_write, the job to the thread of step(). What both touch is
 * accessed by GET, SET and the like below, and nothing else is.
 */
#ifndef LOOM_DEV_INTERNAL_H
#define LOOM_DEV_INTERNAL_H

#include "loom_dev.h"
#include "machine.h"

#define LOOM_MAX_REGIONS (LOOM_REGION_SLOT0 + LOOM_MAX_SLOTS)
#define LOOM_MAX_RING 1024u

#define GET(x) __atomic_load_n(&(x), __ATOMIC_SEQ_CST)
#define SET(x, v) __atomic_store_n(&(x), v, __ATOMIC_SEQ_CST)

struct loom_rings {
	uint64_t ring_base, cq_base;
	uint32_t ring_entries, cq_entries;
};

/* Everything that is saved, but for regions and NPU. */
struct loom_dev_state {
	struct loom_rings written; /* the registers */
	struct loom_rings rings; /* as they were when last enabled: what step() uses is always well-formed */
	uint32_t control; /* ENABLE, HALT */
	uint32_t error; /* enum loom_dev_error */
	uint32_t irq_status, irq_enable;
	uint32_t ring_head, ring_tail;
	uint32_t cq_head, cq_tail;
	uint64_t progress_base; /* of the NPU, at the last reset */
	uint64_t jobs_retired, jobs_faulted, busy_cycles;
	uint32_t resets;
	uint32_t running; /* 1: the NPU has a job */
	uint32_t seqno; /* of the job, else 0 */
	uint32_t n_regions; /* of the job */
	/* Injected faults: + 1 means armed, for the next job; the last three are those of the job that runs. */
	uint64_t inject_hang, inject_fail, inject_lost;
	uint64_t hang_at; /* instruction + 1; 0: not */
	uint64_t fail_in; /* accesses left until one fails; 0: not */
	uint32_t hung;
	uint32_t rsvd;
};

/* Where a page of a region is. A tag holds generation, region and page; generation 0 is never current. */
struct loom_page {
	uint64_t tag;
	uint64_t bus;
	void *host[2]; /* mapped for reading, for writing; NULL: not tried */
};

#define LOOM_PAGE_WAYS 1024u
#define LOOM_LEAF_WAYS 64u
#define LOOM_LINE_PTES 16u

struct loom_leaf_line {
	uint64_t tag;
	uint64_t pte[LOOM_LINE_PTES];
};

struct loom_leaf {
	uint64_t tag;
	uint64_t bus;
};

enum loom_owner { LOOM_OWNER_NONE, LOOM_OWNER_STEP, LOOM_OWNER_RESET };

struct loom_dev {
	struct loom_target target;
	struct loom_dev_host host;
	void *opaque;
	struct loom_npu *npu;
	uint32_t owner; /* enum loom_owner: who may touch the NPU now */
	uint32_t kick;
	uint32_t reset_wanted;
	uint32_t generation;
	struct loom_dev_state s;
	struct loom_region region[LOOM_MAX_REGIONS];
	struct loom_npu_slot slot[LOOM_MAX_SLOTS];
	struct loom_page page[LOOM_PAGE_WAYS];
	struct loom_leaf_line line[LOOM_LEAF_WAYS];
	struct loom_leaf leaf[LOOM_LEAF_WAYS];
};

/* dev.c */
bool loom_dev_has_work(struct loom_dev *d);
bool loom_rings_ok(const struct loom_rings *r);
void loom_dev_fail(struct loom_dev *d, enum loom_dev_error error);
void loom_dev_raise(struct loom_dev *d, uint32_t bit);
void loom_dev_clear_reset(struct loom_dev *d);
void loom_dev_trace(struct loom_dev *d, const char *event, uint64_t a, uint64_t b, uint64_t c);

/* ring.c */
bool loom_dev_take_job(struct loom_dev *d);
void loom_dev_complete(struct loom_dev *d, struct loom_completion *c);

/* region.c */
extern const struct loom_npu_host loom_dev_npu_host;
int loom_dev_load_table(struct loom_dev *d, const struct loom_job *job);
bool loom_dev_bind_regions(struct loom_dev *d, uint32_t n_regions);
void loom_dev_drop_cache(struct loom_dev *d);

#endif
