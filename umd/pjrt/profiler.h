// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The profiler extension: what jax.profiler.trace() starts, stops and asks for its data.
#pragma once

#include <mutex>
#include <string_view>

#include "trace.h"

namespace loom::pjrt {

namespace abi {
struct extension;
}

// PLUGIN_Profiler
class profiler {
public:
	// options: a serialised tensorflow.ProfileOptions; INVALID_ARGUMENT if they are anything else.
	explicit profiler(std::string_view options);
	~profiler();

	void start();
	void stop();
	// A serialised XSpace, which lives as long as the profiler or until the next start.
	const std::string &collect();

private:
	enum class state { idle, running, stopped };

	std::mutex mutex;
	state now = state::idle;
	bool wanted = true; // device_tracer_level is not 0
	int64_t start_ns = 0;
	trace_ptr recorded;
	std::string bytes;
};

abi::extension *profiler_extension();

} // namespace loom::pjrt
