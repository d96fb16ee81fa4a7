/* SPDX-License-Identifier: GPL-2.0-or-later OR MIT */
/*
 * Between the machine (npu.c: queues, time, semaphores) and the units (mxu.c, vpu.c, dma.c): every record is
 * first checked as a whole, then, at its modelled completion, executed as a whole. An executor cannot fail on
 * a record that its check let pass, except for bus faults in DMA.
 */
#ifndef LOOM_EXEC_H
#define LOOM_EXEC_H

#include "loom_npu.h"
#include "loom_timing.h"

/* Why a record was refused; fault 0: it was not. */
struct loom_refusal {
	int fault; /* enum loom_fault */
	uint32_t slot; /* memory faults: slot, or LOOM_SLOT_SRAM */
	int64_t offset; /* memory faults: lowest byte of the record's access if negative, else the end of its last byte */
	uint64_t limit; /* memory faults: bytes there are */
};

struct loom_ahead; /* kernels.h */
struct loom_kernels; /* kernels.h: the micro-kernels of one host instruction set */

/* The kernels of an instruction set, AUTO: the best of this CPU; NULL if this CPU lacks it. */
const struct loom_kernels *loom_kernels_select(enum loom_host_isa isa);

/* What the units work on. */
struct loom_exec {
	const struct loom_target *target;
	uint8_t *sram; /* target->sram_bytes, 64-byte aligned, 64 readable and writable bytes of slack behind it */
	uint32_t *acc; /* target->acc_bytes, 64-byte aligned, 64 bytes of slack behind it */
	uint8_t *scratch; /* LOOM_EXEC_SCRATCH bytes, 64-byte aligned, contents free for each record */
	const struct loom_kernels *kernels;
	const struct loom_npu_host *host;
	void *opaque;
	const struct loom_npu_slot *slots; /* DMA only */
	uint32_t n_slots;
	struct loom_ahead *ahead; /* MXU only: what the next records will read, or NULL */
	const uint8_t *asked[2]; /* DMA only: first rows of sources that an MXU record has asked for */
};

/* Packed operands of one MXU record (B, and A widened for bf16) and the VPU's chunk registers. */
#define LOOM_EXEC_MIN_SCRATCH (1u << 22)
#define LOOM_EXEC_SCRATCH(t) ((size_t)(t)->sram_bytes * 4 + LOOM_EXEC_MIN_SCRATCH)

/*
 * A record as dispatched: its bytes, and the value of each base register that regsel names at that moment.
 * Addresses of the record are its fields plus base[nibble], in 64-bit arithmetic.
 */
struct loom_dispatched {
	union {
		struct loom_hdr h;
		struct loom_seq seq;
		struct loom_dma dma;
		struct loom_mxu mxu;
		struct loom_vpu vpu;
		uint8_t bytes[LOOM_MAX_RECORD_BYTES];
	};
	int64_t base[4];
};

/* What a unit asks of the array, lanes and memory. */
struct loom_demand {
	struct loom_cost cost;
	uint64_t macs; /* MXU */
	uint64_t elem_ops; /* VPU: elements times micro-operations */
	uint64_t bus_bytes; /* DMA: bytes on the bus, whole bursts, both directions, of mem_class */
	uint64_t read_bytes, write_bytes; /* DMA: useful bytes from and to memory slots */
	uint32_t mem_class; /* DMA: class that is used, or LOOM_NO_CLASS for SRAM to SRAM and SRAM fill */
};

#define LOOM_NO_CLASS 0xffffffffu

/* Each fills *why and returns its fault; on success fills *d. */
int loom_mxu_check(const struct loom_exec *x, const struct loom_dispatched *r, struct loom_demand *d,
		   struct loom_refusal *why);
int loom_vpu_check(const struct loom_exec *x, const struct loom_dispatched *r, struct loom_demand *d,
		   struct loom_refusal *why);
int loom_dma_check(const struct loom_exec *x, const struct loom_dispatched *r, struct loom_demand *d,
		   struct loom_refusal *why);

/* Adds to h what a DMA record will read from host memory if that is rows of one stride. */
void loom_dma_ahead(const struct loom_exec *x, const struct loom_dispatched *r, struct loom_ahead *h);

void loom_mxu_exec(const struct loom_exec *x, const struct loom_dispatched *r);
void loom_vpu_exec(const struct loom_exec *x, const struct loom_dispatched *r);
/* Returns LOOM_FAULT_NONE, _DMA or _PAGE_LIST. */
int loom_dma_exec(const struct loom_exec *x, const struct loom_dispatched *r, struct loom_refusal *why);

#endif
