// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "cpu_variants.h"

#include <cstring>

#ifdef LOOM_CPU_VARIANTS
extern "C" {
int loom_cpu_step_avx2(const struct loom_cpu_segment *seg, struct loom_cpu_cursor *c, __u32 quanta);
int loom_cpu_step_avx512(const struct loom_cpu_segment *seg, struct loom_cpu_cursor *c, __u32 quanta);
}
#endif

namespace {

struct row {
	loom_cpu_variant variant;
	bool (*runs)();
};

#ifdef LOOM_CPU_VARIANTS
bool has_avx2()
{
	return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

bool has_avx512()
{
	return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
	       __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
}
#endif

// The fastest first.
const row rows[] = {
#ifdef LOOM_CPU_VARIANTS
	{{"avx512", loom_cpu_step_avx512}, has_avx512},
	{{"avx2", loom_cpu_step_avx2}, has_avx2},
#endif
	{{"scalar", loom_cpu_step}, [] { return true; }},
};

} // namespace

const loom_cpu_variant *loom_cpu_variant_best()
{
	const row *r = rows;
	while (!r->runs())
		r++;
	return &r->variant;
}

const loom_cpu_variant *loom_cpu_variant_named(const char *name)
{
	for (const row &r : rows)
		if (!std::strcmp(r.variant.name, name))
			return r.runs() ? &r.variant : nullptr;
	return nullptr;
}
