// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <atomic>
#include <cstdint>

namespace loom::pjrt {

// See loom/pjrt.h.
struct counters {
	std::atomic<uint64_t> compile_requests{0}, compiled{0}, memory_hits{0}, disk_hits{0}, compile_ns{0};
	std::atomic<uint64_t> executions{0}, inline_runs{0}, failures{0};
};

counters &count();

} // namespace loom::pjrt
