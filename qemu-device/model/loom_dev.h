/* SPDX-License-Identifier: GPL-2.0-or-later OR MIT */
/*
 * The device around the NPU: registers, job ring, region tables, page lists, completion ring. Transport-free:
 * the host gives bus memory and an interrupt hook. QEMU's PCI function is a thin wrapper of this.
 *
 * Threads: mmio_read and mmio_write are for one thread at a time and never compute or touch bus memory; step()
 * may run on another thread at the same time. The wrapper serialises reset, save and load against step().
 */
#ifndef LOOM_DEV_H
#define LOOM_DEV_H

#include "loom_npu.h"

#ifdef __cplusplus
extern "C" {
#endif

struct loom_dev;

struct loom_dev_host {
	/* Bus memory; 0 on success. Must refuse anything that is not memory. */
	int (*dma_read)(void *opaque, uint64_t addr, void *buf, uint64_t len);
	int (*dma_write)(void *opaque, uint64_t addr, const void *buf, uint64_t len);
	/* Optional: pointer to len bytes at a bus address, valid until unmap_all(); NULL: use the calls above. */
	void *(*dma_map)(void *opaque, uint64_t addr, uint64_t len, bool write);
	void (*dma_unmap_all)(void *opaque);
	/* Raise vector (LOOM_VEC_*). Called from step() or mmio_write. */
	void (*irq)(void *opaque, unsigned vector);
	void (*parallel_for)(void *opaque, unsigned n, void (*fn)(void *arg, unsigned i), void *arg);
	void (*trace)(void *opaque, const char *event, uint64_t a, uint64_t b, uint64_t c); /* may be NULL */
};

/* Faults on demand; one-shot unless said otherwise. */
enum loom_inject {
	LOOM_INJECT_NONE = 0,
	LOOM_INJECT_HANG = 1, /* stop making progress at the arg-th instruction of the next job, until reset */
	LOOM_INJECT_LOST_IRQ = 2, /* swallow the next arg queue interrupts */
	LOOM_INJECT_DMA_FAIL = 3, /* the arg-th memory access of the next job fails with LOOM_FAULT_DMA */
};

struct loom_dev *loom_dev_create(const struct loom_target *t, const struct loom_dev_host *host, void *opaque);
void loom_dev_destroy(struct loom_dev *d);
bool loom_dev_set_isa(struct loom_dev *d, enum loom_host_isa isa);
bool loom_dev_set_hazards(struct loom_dev *d, bool on); /* as loom_npu_set_hazards() */

uint64_t loom_dev_mmio_read(struct loom_dev *d, uint32_t offset, unsigned size);
/* Returns true if step() has something to do. */
bool loom_dev_mmio_write(struct loom_dev *d, uint32_t offset, uint64_t value, unsigned size);

/* Works for a bounded time: at most max_insns instructions. Returns true if there is more to do at once. */
bool loom_dev_step(struct loom_dev *d, uint64_t max_insns);

/* Makes a step() in progress on another thread return soon. */
void loom_dev_kick(struct loom_dev *d);

/* Power-on state but for the since-power-on counters; also CONTROL.RESET and FLR. Not during step(). */
void loom_dev_reset(struct loom_dev *d, bool power_on);

void loom_dev_inject(struct loom_dev *d, enum loom_inject kind, uint64_t arg);

/* Saved state, not during step(). load validates everything and returns NULL or what is wrong. */
size_t loom_dev_save_bytes(const struct loom_dev *d);
void loom_dev_save(struct loom_dev *d, void *buf);
const char *loom_dev_load(struct loom_dev *d, const void *buf, size_t len);

#ifdef __cplusplus
}
#endif

#endif
