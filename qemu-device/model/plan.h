/* SPDX-License-Identifier: GPL-2.0-or-later OR MIT */
/*
 * Planning: a job's records go through the machine's own queues, semaphores, loops and clock, and nothing is moved
 * or computed. There are no inputs, so what the program would read from memory has the smallest value it can have:
 * every scalar LD gives 0. No record's own time depends on data, so that for a program without scalar LD planned
 * cycles are the cycles of any run whose bindings begin at a multiple of 64, exactly.
 */
#ifndef LOOM_PLAN_H
#define LOOM_PLAN_H

#include "loom_npu.h"

#ifdef __cplusplus
extern "C" {
#endif

/* One retired record. */
struct loom_plan_record {
	struct loom_report_entry at;
	struct loom_queue_report spent; /* its time from ready to end; nothing idle */
	uint64_t bus_bytes; /* DMA: on the bus, in whole bursts */
	uint64_t useful_bytes; /* DMA: from and to memory */
};

struct loom_plan {
	const uint8_t *code;
	uint32_t first_unit, n_units; /* the job's, within code */
	uint64_t insn_budget; /* not 0; a plan that reaches it ends with fault BUDGET_INSNS */
	const struct loom_npu_slot *slots;
	uint32_t n_slots;
	void (*retired)(void *opaque, const struct loom_plan_record *r); /* NULL: not wanted */
	void *opaque;
};

/*
 * Fills the report, in which `end` is the completion. False if memory is short, or if loom_target_check() refuses the
 * target, or if the plan is malformed.
 */
bool loom_plan_run(const struct loom_target *t, const struct loom_plan *plan, struct loom_report *report);

#ifdef __cplusplus
}
#endif

#endif
