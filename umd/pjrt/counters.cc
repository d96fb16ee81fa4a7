// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "counters.h"

#include <algorithm>
#include <cstring>

#include "loom/pjrt.h"

namespace loom::pjrt {

counters &count()
{
	static counters *const all = new counters;
	return *all;
}

} // namespace loom::pjrt

extern "C" size_t loom_pjrt_get_counters(loom_pjrt_counters *counters, size_t bytes)
{
	const auto &c = loom::pjrt::count();
	const loom_pjrt_counters now{
		.compile_requests = c.compile_requests,
		.compiled = c.compiled,
		.memory_hits = c.memory_hits,
		.disk_hits = c.disk_hits,
		.compile_ns = c.compile_ns,
		.executions = c.executions,
		.inline_runs = c.inline_runs,
		.failures = c.failures,
	};
	std::memcpy(counters, &now, std::min(bytes, sizeof(now)));
	return sizeof(now);
}
