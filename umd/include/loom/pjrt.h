/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* What JAX's plugin counts in this process: for who wants to see what ran where. */
#ifndef LOOM_PJRT_H
#define LOOM_PJRT_H

#include "loom/loom.h"

#if defined(__cplusplus)
extern "C" {
#endif

struct loom_pjrt_counters {
	uint64_t compile_requests; /* modules that JAX handed over */
	uint64_t compiled;	   /* of these, through the compiler */
	uint64_t memory_hits;	   /* found in this process */
	uint64_t disk_hits;	   /* found in the cache on disk */
	uint64_t compile_ns;	   /* time in the compiler */
	uint64_t executables;	   /* loaded on a device */
	uint64_t executed;	   /* of these, run at least once */
	uint64_t executions;	   /* programs run, whatever their outcome */
	uint64_t inline_runs;	   /* of these, on the calling thread */
	uint64_t failures;	   /* executions that failed */
	uint64_t live_buffers;	   /* arrays that are there */
	uint64_t live_bytes;	   /* that devices have given out */
	uint64_t peak_bytes;	   /* the most that they had at one time */
};

/* Fills the first bytes of counters; returns sizeof(struct loom_pjrt_counters) of the library. */
LOOM_API size_t loom_pjrt_get_counters(struct loom_pjrt_counters *counters, size_t bytes);

/* One of them by its name above, or "cache_hits"; UINT64_MAX for another name. */
LOOM_API uint64_t loom_pjrt_counter(const char *name);

#if defined(__cplusplus)
}
#endif

#endif
