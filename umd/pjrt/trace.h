// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The trace that is running, if one is: what executes between its start and its stop leaves its timeline there.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>

#include "program.h"
#include "timeline.h"

namespace loom::pjrt {

class device;

class trace {
public:
	// Records, segments and executions that it keeps; what comes later is counted.
	static constexpr size_t default_room = 500000;

	explicit trace(size_t events = default_room) : room(events) {}

	// Null if no trace is running, at the cost of one relaxed load.
	static std::shared_ptr<trace> running();
	// FAILED_PRECONDITION if another one is.
	static void start(const std::shared_ptr<trace> &what);
	// From here on it stays as it is.
	static void stop(trace &what);

	// After stop().
	std::vector<traced_device> devices() const;

private:
	friend class recording;

	traced_device &of(const device &on);
	size_t left() const;
	void begin(const device &on);
	void leave(const device &on);
	void add(const device &on, const program_ptr &program,
		 const std::function<void(traced_execution &, program_places &, size_t)> &fill);

	mutable std::mutex mutex;
	bool stopped = false;
	size_t room;
	uint64_t runs = 0;
	std::map<const device *, traced_device> by_device;
	std::map<program_ptr, program_places> by_program; // keeps the programs, and what their places are
};

using trace_ptr = std::shared_ptr<trace>;

// One execution on its way into a trace.
class recording {
public:
	recording(trace_ptr to, const device &on, int64_t host_context);
	~recording();
	recording(const recording &) = delete;
	recording &operator=(const recording &) = delete;

	// Runs the job of the program's only entry point; as loom_run(), and leaves its timeline in the trace.
	int run(const program_ptr &program, loom_program *loaded, loom_instance *instance, loom_job_desc job,
		loom_result &result, loom_error &error);

private:
	void keep(const program_ptr &program, const loom_prog_view &v, loom_event &ended, const loom_result &result,
		  int64_t begin_ns, int64_t end_ns);

	const trace_ptr to;
	const device &on;
	const int64_t host_context;
};

} // namespace loom::pjrt
