/* SPDX-License-Identifier: GPL-2.0-or-later OR MIT */
/*
 * The NPU as a library: runs one job at a time, with bits and cycles that depend on nothing but the program,
 * the target, the data and the binding offsets mod 64.
 *
 * No globals, threads, clock, libm, or allocation after loom_npu_create(). The host gives memory and, if it
 * likes, a parallel-for. The same library is linked into QEMU and into libloom.
 */
#ifndef LOOM_NPU_H
#define LOOM_NPU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "loom_isa.h"
#include "loom_regs.h"
#include "loom_target.h"

#ifdef __cplusplus
extern "C" {
#endif

struct loom_npu;

/* Special slot numbers for the host's memory callbacks. */
#define LOOM_NPU_CODE 0x10000u
#define LOOM_NPU_REPORT 0x10001u

/*
 * What the host provides. Offsets are within the slot and have been checked against its bytes and rights.
 * read and write return LOOM_FAULT_NONE, LOOM_FAULT_DMA or LOOM_FAULT_PAGE_LIST. direct may be NULL; it returns
 * a pointer to len contiguous bytes that stays valid until the current loom_npu_run() returns, or NULL.
 */
struct loom_npu_host {
	int (*read)(void *opaque, uint32_t slot, uint64_t offset, void *buf, uint64_t len);
	int (*write)(void *opaque, uint32_t slot, uint64_t offset, const void *buf, uint64_t len);
	void *(*direct)(void *opaque, uint32_t slot, uint64_t offset, uint64_t len, bool write);
	/* Calls fn(arg, 0 .. n-1), in any order, on any thread; NULL: the model loops itself. */
	void (*parallel_for)(void *opaque, unsigned n, void (*fn)(void *arg, unsigned i), void *arg);
	/* Called after each retired instruction; NULL: not wanted. */
	void (*retired)(void *opaque, const struct loom_hdr *hdr, const struct loom_report_entry *entry);
};

/* Instruction set of the compute kernels; the bits never depend on it. */
enum loom_host_isa { LOOM_HOST_AUTO, LOOM_HOST_SCALAR, LOOM_HOST_AVX2, LOOM_HOST_AVX512 };

struct loom_npu_slot {
	uint64_t bytes; /* 0: not bound */
	uint32_t rights; /* LOOM_RIGHT_* */
	uint32_t mem_class;
	uint32_t offset_mod64; /* offset of the binding in its buffer, mod 64 */
};

struct loom_npu_job {
	uint32_t seqno;
	uint32_t first_unit, n_units; /* the job's code, within slot LOOM_NPU_CODE */
	uint64_t insn_budget, cycle_budget;
	uint64_t report_bytes; /* room in LOOM_NPU_REPORT; 0: none */
	uint32_t n_slots;
	const struct loom_npu_slot *slots; /* stays valid until the job ends */
};

/* Checks a target; NULL, or a static sentence saying which knob is wrong and what it may be. */
const char *loom_target_check(const struct loom_target *t);

/* Fills t with a named target; false if there is none of that name. */
bool loom_target_named(const char *name, struct loom_target *t);

/* Returns NULL if memory is short or loom_target_check() refuses t. */
struct loom_npu *loom_npu_create(const struct loom_target *t, const struct loom_npu_host *host, void *opaque);
void loom_npu_destroy(struct loom_npu *npu);

/* Forces a kernel set; false if this CPU lacks it. The host's environment variable LOOM_ISA is the host's business. */
bool loom_npu_set_isa(struct loom_npu *npu, enum loom_host_isa isa);

/*
 * The hazard checker: a record that semaphores, FENCE and dispatch do not order against another that touches the same
 * bytes ends the job with LOOM_FAULT_HAZARD, whatever the timing of this run. Off at first; costs some time. False if
 * memory is short. A state loaded in mid-job is checked from there on.
 */
bool loom_npu_set_hazards(struct loom_npu *npu, bool on);

/* Begins a job: SRAM, accumulators, registers and semaphores become zero. Returns LOOM_FAULT_NONE or _JOB. */
int loom_npu_start(struct loom_npu *npu, const struct loom_npu_job *job);

enum loom_npu_state { LOOM_NPU_IDLE, LOOM_NPU_RUNNING, LOOM_NPU_DONE };

/* Runs up to max_insns instructions of the current job (0: to the end). Parks only between instructions. */
enum loom_npu_state loom_npu_run(struct loom_npu *npu, uint64_t max_insns);

/* Ends the current job with LOOM_FAULT_ABORTED. */
void loom_npu_abort(struct loom_npu *npu);

/* Writes the report, fills *c (phase 0) and makes the NPU idle. Only in state DONE. */
void loom_npu_finish(struct loom_npu *npu, struct loom_completion *c);

/* Instructions retired since creation; moves while a job makes progress. Safe to call from another thread. */
uint64_t loom_npu_progress(const struct loom_npu *npu);

/* Saved state: everything but host and target, valid between two calls of loom_npu_run(). */
size_t loom_npu_save_bytes(const struct loom_npu *npu);
void loom_npu_save(const struct loom_npu *npu, void *buf);
/*
 * False, and an idle NPU, if the bytes are not a state of this target. slots is bound as for loom_npu_start(). How far
 * code and report reach comes from the bytes: a host that does not trust them bounds these two in its callbacks.
 */
bool loom_npu_load(struct loom_npu *npu, const void *buf, size_t len, const struct loom_npu_slot *slots,
		   uint32_t n_slots);

#ifdef __cplusplus
}
#endif

#endif
