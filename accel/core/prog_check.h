/* SPDX-License-Identifier: GPL-2.0-or-later OR MIT */
/*
 * The one validator of the program container (loom_program.h), for the kernel, libloom and the fuzzers.
 *
 * It checks everything that those who hold a struct loom_prog_view lean on: section bounds, every index and
 * string offset, tensor and slot arithmetic, segment ranges. It does not decode NPU code: the device bounds
 * every access. CPU code it checks whole (cpu_engine.h), for slots of the bytes and rights that are declared. It does
 * not read the constants, nor check the CRCs: those are for files, not for safety.
 */
#ifndef LOOM_PROG_CHECK_H
#define LOOM_PROG_CHECK_H

#ifdef __KERNEL__
#include <linux/types.h>
#else
#include <stdbool.h>
#include <stddef.h>
#endif
#include "loom_program.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Pointers into the checked bytes, which must stay unchanged and 8-byte aligned for as long as they are used. */
struct loom_prog_view {
	const struct loom_prog_header *header;
	const struct loom_target *target;
	const char *strings;
	const __u8 *npu_code;
	const __u8 *cpu_code; /* rows of 8 bytes */
	const struct loom_prog_slot *slots;
	const struct loom_prog_tensor *tensors;
	const struct loom_prog_entry *entries;
	const struct loom_prog_segment *segments;
	const struct loom_prog_step *steps;
	const struct loom_prog_scope *scopes;
	const struct loom_prog_loc *locs;
	const struct loom_prog_layer *layers;
	__u32 n_strings; /* bytes */
	__u32 n_units;
	__u32 n_cpu_rows;
	__u32 n_slots, n_tensors, n_entries, n_segments, n_steps, n_scopes, n_locs, n_layers;
};

enum loom_prog_status {
	LOOM_PROG_OK = 0,
	LOOM_PROG_TRUNCATED, /* fewer bytes than the header says */
	LOOM_PROG_NOT_A_PROGRAM, /* magic */
	LOOM_PROG_BAD_VERSION,
	LOOM_PROG_MALFORMED,
	LOOM_PROG_UNSUPPORTED, /* a CPU operation that this release does not run */
	LOOM_PROG_BAD_TARGET, /* the device is not a superset of the program's target */
};

/* What was wrong, for a message: "<section> <index>: <what> (<value>)". */
struct loom_prog_error {
	const char *section; /* "header", "slot", "tensor", "CPU code", ...; static */
	const char *what; /* what was expected, static */
	__u32 index; /* row */
	__u64 value; /* what was found */
};

/* bytes: how many are at meta; they must cover meta_bytes. Fills *v on OK, *e otherwise. */
enum loom_prog_status loom_prog_check(const void *meta, __u64 bytes, struct loom_prog_view *v,
				      struct loom_prog_error *e);

/*
 * What a job of the entry point binds: wanted[slot] becomes 1 for the ARG slots that its tensors name, those that its
 * schedule asks for, and those that no tensor names, else 0. wanted: n_slots bytes; entry < n_entries.
 */
void loom_prog_wanted_args(const struct loom_prog_view *v, __u32 entry, __u8 *wanted);

/*
 * Whether the CPU segments of the entry point name no argument that it does not bind; else *slot is one. Neither
 * engine may run them then: the CPU engine trusts that what the segments name is there.
 */
bool loom_prog_args_bound(const struct loom_prog_view *v, __u32 entry, const __u8 *wanted, __u32 *slot);

/* Is device able to run what was compiled for need? On failure *e names the first thing it lacks. */
enum loom_prog_status loom_prog_check_target(const struct loom_target *need, const struct loom_target *device,
					     struct loom_prog_error *e);

#ifdef __cplusplus
}
#endif

#endif
