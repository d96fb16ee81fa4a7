// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "trace.h"

#include <algorithm>
#include <atomic>
#include <chrono>

#include "device.h"

namespace loom::pjrt {
namespace {

// Memory for the reports of one job: of its segments, cleared before each run, and of all runs together.
constexpr uint64_t max_report_bytes = 8 << 20, max_run_bytes = 32 << 20;

struct session {
	std::atomic<bool> active{false};
	std::mutex mutex;
	trace_ptr current;
};

// Never destroyed: threads may run longer than static objects live.
session &the_session()
{
	static session *const one = new session;
	return *one;
}

int64_t now_ns()
{
	const auto now = std::chrono::system_clock::now().time_since_epoch();
	return std::chrono::duration_cast<std::chrono::nanoseconds>(now).count();
}

// The most entries that a segment's report can have; a bound where it is the budget that says so.
uint64_t entries_of(const loom_prog_segment &s)
{
	return s.engine == LOOM_ENGINE_CPU ? s.count : s.insn_budget;
}

void ask_for_reports(loom_job_desc &job, const loom_prog_view &v, uint64_t left)
{
	const loom_prog_entry &e = v.entries[0];
	uint64_t wanted = 0;
	for (uint32_t s = 0; s < e.n_segments; s++)
		wanted = std::max(wanted, entries_of(v.segments[e.first_segment + s]));
	const uint64_t most = max_report_bytes / sizeof(loom_report_entry) / std::max(e.n_segments, 1u);
	job.report_entries = static_cast<uint32_t>(std::min({wanted, left, most}));
	job.run_report_bytes = std::min(max_run_bytes, left * (sizeof(loom_report) + sizeof(loom_report_entry)));
}

} // namespace

std::shared_ptr<trace> trace::running()
{
	session &s = the_session();
	if (!s.active.load(std::memory_order_relaxed))
		return nullptr;
	std::lock_guard lock(s.mutex);
	return s.current;
}

void trace::start(const trace_ptr &what)
{
	session &s = the_session();
	std::lock_guard lock(s.mutex);
	if (s.current)
		throw failure(abi::code::failed_precondition,
			      "another trace of Loom's devices is running in this process; stop it first");
	s.current = what;
	s.active = true;
}

void trace::stop(trace &what)
{
	session &s = the_session();
	{
		std::lock_guard lock(s.mutex);
		if (s.current.get() == &what) {
			s.active = false;
			s.current = nullptr;
		}
	}
	std::lock_guard lock(what.mutex);
	what.stopped = true;
}

std::vector<traced_device> trace::devices() const
{
	std::lock_guard lock(mutex);
	std::vector<traced_device> all;
	for (const auto &[on, timeline] : by_device)
		all.push_back(timeline);
	std::stable_sort(all.begin(), all.end(), [](const auto &a, const auto &b) { return a.id < b.id; });
	return all;
}

traced_device &trace::of(const device &on)
{
	const auto [at, fresh] = by_device.try_emplace(&on);
	if (fresh) {
		at->second.id = on.id;
		at->second.target = on.target;
		at->second.text = on.text;
		at->second.clock_khz = loom_device_target(on.handle)->clock_khz;
	}
	return at->second;
}

size_t trace::left() const
{
	std::lock_guard lock(mutex);
	return room;
}

void trace::begin(const device &on)
{
	std::lock_guard lock(mutex);
	if (!stopped)
		of(on).unfinished++;
}

void trace::leave(const device &on)
{
	std::lock_guard lock(mutex);
	if (!stopped)
		of(on).unfinished--;
}

void trace::add(const device &on, const program_ptr &program,
		const std::function<void(traced_execution &, program_places &, size_t)> &fill)
{
	std::lock_guard lock(mutex);
	if (stopped)
		return;
	traced_device &timeline = of(on);
	runs++;
	if (!room) {
		timeline.executions_left_out++;
		return;
	}
	try {
		traced_execution e;
		e.run_id = runs;
		fill(e, by_program[program], room - 1);
		const size_t used = e.size();
		const uint64_t left_out = e.records_left_out;
		timeline.executions.push_back(std::move(e));
		room -= used;
		timeline.records_left_out += left_out;
	} catch (const std::bad_alloc &) {
		timeline.executions_left_out++; // it has run well; the trace alone lacks it
	}
}

recording::recording(trace_ptr trace, const device &device, int64_t context)
	: to(std::move(trace)), on(device), host_context(context)
{
	to->begin(on);
}

recording::~recording()
{
	to->leave(on);
}

int recording::run(const program_ptr &program, loom_program *loaded, loom_instance *instance, loom_job_desc job,
		   loom_result &result, loom_error &error)
{
	const loom_prog_view &v = *loom_program_get_view(loaded);
	ask_for_reports(job, v, to->left());
	loom_event *ended = nullptr;
	const int64_t begin_ns = now_ns();
	if (const int status = loom_submit(instance, &job, &ended, &error))
		return status;
	const std::unique_ptr<loom_event, void (*)(loom_event *)> owner(ended, loom_event_destroy);
	if (const int status = loom_event_wait(ended, -1, &result)) {
		error.code = status;
		fmt::format_to_n(error.message, sizeof(error.message) - 1, "waiting for a job failed");
		return status;
	}
	keep(program, v, *ended, result, begin_ns, now_ns());
	return 0;
}

void recording::keep(const program_ptr &program, const loom_prog_view &v, loom_event &ended, const loom_result &result,
		     int64_t begin_ns, int64_t end_ns)
{
	to->add(on, program, [&](traced_execution &e, program_places &places, size_t left) {
		e.program = program->name;
		e.program_id = loom_prog_hash(program->fingerprint.data(), program->fingerprint.size()) >> 1;
		e.host_context = host_context;
		e.begin_ns = begin_ns;
		e.end_ns = end_ns;
		e.cycles = result.cycles;
		e.cpu_cycles = result.cpu_cycles;
		e.insns = result.insns;
		e.flops = 2 * (result.macs[0] + result.macs[1] + result.macs[2]);
		e.n_segments = result.segments;
		if (result.status)
			e.error = result.message;
		uint64_t npu_insns = 0;
		uint32_t segment = 0;
		while (const loom_report *report = loom_event_run_report(&ended, e.segments.size(), &segment)) {
			const size_t used = e.size() - 1;
			if (used >= left)
				break;
			e.records_left_out += append_run(e, places, v, segment, *report, left - used - 1);
			if (e.segments.back().engine == LOOM_ENGINE_NPU)
				npu_insns += report->insns;
		}
		e.records_left_out += result.insns - npu_insns;
	});
}

} // namespace loom::pjrt
