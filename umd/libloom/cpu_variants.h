// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// In user space the CPU engine is built again for processors that have AVX2 and FMA, or AVX-512. The bits are the same.
#pragma once

#include "cpu_engine.h"

struct loom_cpu_variant {
	const char *name; // as LOOM_ISA calls it: "scalar", "avx2", "avx512"
	int (*step)(const struct loom_cpu_segment *seg, struct loom_cpu_cursor *c, __u32 quanta);
};

// The fastest that this processor runs.
const loom_cpu_variant *loom_cpu_variant_best();

// Null if there is no such variant, or this processor does not run it.
const loom_cpu_variant *loom_cpu_variant_named(const char *name);
