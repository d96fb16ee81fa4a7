/* SPDX-License-Identifier: GPL-2.0-or-later OR MIT */
/*
 * The CPU engine: checks a segment of CPU operations (loom_cpu_ops.h) and runs it in steps. One source for the
 * kernel, libloom and the fuzzers: no allocation, no recursion, no callback, no global that changes, nothing from any
 * library but memcpy and its kin.
 *
 * The caller brackets loom_cpu_step() by whatever its surroundings need for floating point, and looks at its clock
 * between calls.
 */
#ifndef LOOM_CPU_ENGINE_H
#define LOOM_CPU_ENGINE_H

#ifdef __KERNEL__
#include <linux/types.h>
#else
#include <stdbool.h>
#include <stddef.h>
#endif
#include "loom_cpu_ops.h"
#include "loom_program.h"

#ifdef __cplusplus
extern "C" {
#endif

#define LOOM_CPU_SCRATCH_BYTES (112u << 10) /* that the caller lends, aligned to 64 bytes, from begin to the end */

struct loom_cpu_slot {
	void *base; /* to run; nothing to the check */
	__u64 bytes;
	__u32 rights; /* LOOM_RIGHT_* */
	__u32 rsvd;
};

enum loom_cpu_status {
	LOOM_CPU_OK = 0,
	LOOM_CPU_MALFORMED, /* EINVAL */
	LOOM_CPU_UNSUPPORTED, /* EOPNOTSUPP: a structure or operation that is defined, or could be, but is not run */
	LOOM_CPU_TOO_MUCH, /* E2BIG: more than a limit */
};

/* What was wrong, for a message: "CPU operation <op>: <what> (<value>)". */
struct loom_cpu_error {
	const char *what; /* static */
	__u32 op; /* number in the segment */
	__u32 row; /* of the segment, where the operation begins */
	__u64 value;
};

/*
 * A segment that was checked. code must stay unchanged and 8-byte aligned for as long as it is used. Slots to run
 * with have at least the bytes and rights of those that it was checked with.
 */
struct loom_cpu_segment {
	const void *code;
	__u64 bytes;
	__u64 cost; /* the sum of what its operations state */
	const struct loom_cpu_slot *slots;
	__u32 n_slots;
	__u32 n_ops;
};

/* n_locs: rows of the program's source table. Fills *seg on OK, *e otherwise. */
enum loom_cpu_status loom_cpu_check(const void *code, __u64 bytes, const struct loom_cpu_slot *slots, __u32 n_slots,
				    __u32 n_locs, __u64 budget, struct loom_cpu_segment *seg, struct loom_cpu_error *e);

/* The same against slots as a program declares them, before they have memory. */
enum loom_cpu_status loom_cpu_check_declared(const void *code, __u64 bytes, const struct loom_prog_slot *slots,
					     __u32 n_slots, __u32 n_locs, __u64 budget, struct loom_cpu_error *e);

/* A segment that loom_cpu_check_declared() let pass, to be run with these slots. */
void loom_cpu_open(const void *code, __u64 bytes, const struct loom_cpu_slot *slots, __u32 n_slots,
		   struct loom_cpu_segment *seg);

/* Quanta that an operation whose fields are sound takes; ~0 if they do not fit in 63 bits. */
__u64 loom_cpu_quanta(const struct loom_cpu_op *op);

/* Cost of an operation whose fields are sound, by the formula of loom_cpu_ops.h; ~0 if it does not fit in 63 bits. */
__u64 loom_cpu_cost(const struct loom_cpu_op *op);

/* Where a segment has got to. */
struct loom_cpu_cursor {
	void *scratch;
	__u64 at; /* bytes before the operation */
	__u64 i, j; /* as its structure counts */
	__u32 k;
	__u32 op; /* its number, for messages */
};

#define LOOM_CPU_DONE 0
#define LOOM_CPU_MORE 1

void loom_cpu_begin(struct loom_cpu_cursor *c, void *scratch);

/* Runs at most so many quanta; LOOM_CPU_DONE after the last one. The bits do not depend on quanta. */
int loom_cpu_step(const struct loom_cpu_segment *seg, struct loom_cpu_cursor *c, __u32 quanta);

/* The operation that a cursor is at; NULL after the last one. */
const struct loom_cpu_op *loom_cpu_op_at(const struct loom_cpu_segment *seg, const struct loom_cpu_cursor *c);

/* Modelled cycles of a cost. */
__u64 loom_cpu_cycles(__u64 cost);

/*
 * Writes the report (struct loom_report) of a segment that got as far as its cursor. end says how it ended; its
 * counters are filled in. bytes is at least the size of the header.
 */
struct loom_completion;
void loom_cpu_report(const struct loom_cpu_segment *seg, const struct loom_cpu_cursor *c,
		     const struct loom_completion *end, void *to, __u64 bytes);

#ifdef __cplusplus
}
#endif

#endif
