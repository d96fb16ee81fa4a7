// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <atomic>
#include <cstdint>

namespace loom::pjrt {

// See loom/pjrt.h, which gives them to whoever asks.
#define LOOM_PJRT_COUNTERS(X)                                                                                          \
	X(compile_requests)                                                                                            \
	X(compiled)                                                                                                    \
	X(memory_hits)                                                                                                 \
	X(disk_hits)                                                                                                   \
	X(compile_ns)                                                                                                  \
	X(executables)                                                                                                 \
	X(executed)                                                                                                    \
	X(executions)                                                                                                  \
	X(inline_runs)                                                                                                 \
	X(failures)                                                                                                    \
	X(live_buffers)                                                                                                \
	X(live_bytes)                                                                                                  \
	X(peak_bytes)

struct counters {
#define COUNTER(name) std::atomic<uint64_t> name{0};
	LOOM_PJRT_COUNTERS(COUNTER)
#undef COUNTER
};

// Makes *most at least value.
void raise(std::atomic<uint64_t> &most, uint64_t value);

// With LOOM_COUNTERS=FILE in the environment: appends the counters to the file, a line of JSON, when the process ends.
void report_counters_at_exit();

counters &count();

} // namespace loom::pjrt
