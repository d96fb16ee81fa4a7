// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The profiler extension through its table, as jaxlib calls it: struct_size of the arguments is garbage.
#include <atomic>
#include <chrono>
#include <cstring>
#include <set>
#include <thread>

#include "abi_profiler.h"
#include "buffer.h"
#include "client.h"
#include "harness.h"
#include "loaded_executable.h"
#include "options.h"
#include "xspace_reader.h"

namespace loom::pjrt::test {
namespace {

const abi::profiler_table &functions()
{
	for (const abi::extension *e = table().extension_start; e; e = e->next)
		if (e->type == abi::extension_profiler)
			return *reinterpret_cast<const abi::profiler_extension *>(e)->profiler_api;
	throw std::logic_error("no profiler extension");
}

template <class A> A garbage()
{
	A a;
	std::memset(&a, 0xa5, sizeof(a));
	return a;
}

result take_from_extension(error_status *error)
{
	if (!error)
		return {};
	auto code = garbage<abi::Profiler_Error_GetCode_Args>();
	auto text = garbage<abi::Profiler_Error_Message_Args>();
	auto destroy = garbage<abi::Profiler_Error_Destroy_Args>();
	code.error = text.error = destroy.error = error;
	EXPECT_FALSE(functions().error_get_code(&code));
	functions().error_message(&text);
	result r{code.code, std::string(text.message, text.message_size)};
	functions().error_destroy(&destroy);
	return r;
}

// A profiler as a caller has it.
class session {
public:
	explicit session(const std::string &options = "")
	{
		const result r = create(options, handle);
		EXPECT_TRUE(r) << r.message;
	}
	~session()
	{
		auto a = garbage<abi::Profiler_Destroy_Args>();
		a.profiler = handle;
		EXPECT_TRUE(take_from_extension(functions().destroy(&a)));
	}
	session(const session &) = delete;
	session &operator=(const session &) = delete;

	static result create(const std::string &options, profiler *&to)
	{
		auto a = garbage<abi::Profiler_Create_Args>();
		a.options = options.data();
		a.options_size = options.size();
		const result r = take_from_extension(functions().create(&a));
		to = r ? a.profiler : nullptr;
		return r;
	}
	result start() { return call<abi::Profiler_Start_Args>(functions().start); }
	result stop() { return call<abi::Profiler_Stop_Args>(functions().stop); }
	result collect(std::string &to)
	{
		auto a = garbage<abi::Profiler_CollectData_Args>();
		a.profiler = handle;
		a.buffer = nullptr;
		const result r = take_from_extension(functions().collect_data(&a));
		if (r)
			to.assign(reinterpret_cast<const char *>(a.buffer), a.buffer_size_in_bytes);
		return r;
	}
	std::vector<read_plane> planes()
	{
		std::string bytes;
		const result r = collect(bytes);
		EXPECT_TRUE(r) << r.message;
		return xspace_reader::read(bytes);
	}

	profiler *handle = nullptr;

private:
	template <class A, class F> result call(F function)
	{
		auto a = garbage<A>();
		a.profiler = handle;
		return take_from_extension(function(&a));
	}
};

int64_t sum(const read_line &line, const std::string &stat)
{
	int64_t total = 0;
	for (const read_event &e : line.events)
		if (const auto at = e.numbers.find(stat); at != e.numbers.end())
			total += at->second;
	return total;
}

} // namespace

class Profiler : public plugin {
protected:
	Profiler() : plugin(2) {}

	buffer *doubles(size_t n)
	{
		std::vector<double> values(n);
		for (size_t i = 0; i < n; i++)
			values[i] = static_cast<double>(i * 37 % n);
		const auto dims = static_cast<int64_t>(n);
		abi::Client_BufferFromHostBuffer_Args a{};
		a.client = of;
		a.data = values.data();
		a.type = abi::element::f64;
		a.dims = &dims;
		a.num_dims = 1;
		must(slot::Client_BufferFromHostBuffer, a);
		EXPECT_TRUE(wait(a.done_with_host_buffer));
		return a.buffer;
	}
	// Runs it, waits for its result, and drops that.
	result finish(loaded_executable *f, const std::vector<buffer *> &arguments)
	{
		std::vector<buffer *> results = run(f, arguments);
		result r;
		for (buffer *b : results) {
			r = wait(b);
			drop(b);
		}
		return r;
	}
	uint64_t device_cycles(size_t index = 0)
	{
		loom_device_stats s{};
		loom_error error{};
		EXPECT_EQ(loom_device_get_stats(devices[index]->handle, &s, &error), 0) << error.message;
		return s.cycles;
	}
};

TEST_F(Profiler, ItsTableHasTheSizeThatCallersCompare)
{
	EXPECT_EQ(functions().struct_size, 80u);
	EXPECT_EQ(functions().priv, nullptr);
}

TEST_F(Profiler, RefusesWhatItsStateDoesNotAllow)
{
	session p;
	std::string bytes;
	result r = p.stop();
	EXPECT_EQ(r.code, abi::code::failed_precondition);
	EXPECT_NE(r.message.find("not running"), std::string::npos) << r.message;
	r = p.collect(bytes);
	EXPECT_EQ(r.code, abi::code::failed_precondition);
	EXPECT_NE(r.message.find("no data"), std::string::npos) << r.message;
	ASSERT_TRUE(p.start());
	r = p.start();
	EXPECT_EQ(r.code, abi::code::failed_precondition);
	EXPECT_NE(r.message.find("started already"), std::string::npos) << r.message;
	r = p.collect(bytes);
	EXPECT_EQ(r.code, abi::code::failed_precondition);
	EXPECT_NE(r.message.find("stop it before"), std::string::npos) << r.message;
	ASSERT_TRUE(p.stop());
	EXPECT_EQ(p.stop().code, abi::code::failed_precondition);
	EXPECT_TRUE(p.collect(bytes));
	EXPECT_TRUE(p.collect(bytes)) << "twice";
}

TEST_F(Profiler, OneTraceAtATime)
{
	session first, second;
	ASSERT_TRUE(first.start());
	const result r = second.start();
	EXPECT_EQ(r.code, abi::code::failed_precondition);
	EXPECT_NE(r.message.find("another trace"), std::string::npos) << r.message;
	EXPECT_EQ(second.stop().code, abi::code::failed_precondition) << "it was never started";
	ASSERT_TRUE(first.stop());
	EXPECT_TRUE(second.start());
	EXPECT_TRUE(second.stop());
}

TEST_F(Profiler, DestroyingARunningOneEndsItsTrace)
{
	{
		session gone;
		ASSERT_TRUE(gone.start());
	}
	session p;
	EXPECT_TRUE(p.start());
	EXPECT_TRUE(p.stop());
}

TEST_F(Profiler, RefusesWhatIsNoProfilerAndNoOptions)
{
	auto a = garbage<abi::Profiler_Start_Args>();
	a.profiler = nullptr;
	EXPECT_EQ(take_from_extension(functions().start(&a)).code, abi::code::invalid_argument);
	profiler *none = nullptr;
	const result r = session::create("\x18", none);
	EXPECT_EQ(r.code, abi::code::invalid_argument);
	EXPECT_NE(r.message.find("ProfileOptions"), std::string::npos) << r.message;
	auto destroy = garbage<abi::Profiler_Error_Destroy_Args>();
	destroy.error = nullptr;
	functions().error_destroy(&destroy);
}

// version = 1, device_tracer_level = 0
TEST_F(Profiler, RecordsNothingWhereTheOptionsSaySo)
{
	loaded_executable *f = compile("add_one");
	buffer *x = put({1, 2, 3, 4});
	session p(std::string("\x28\x01\x18\x00", 4));
	ASSERT_TRUE(p.start());
	EXPECT_TRUE(finish(f, {x}));
	ASSERT_TRUE(p.stop());
	EXPECT_TRUE(p.planes().empty());
	drop(x);
	drop(f);
}

TEST_F(Profiler, TheSecondCallFillsTheCallersBuffer)
{
	loaded_executable *f = compile("add_one");
	buffer *x = put({1, 2, 3, 4});
	session p;
	ASSERT_TRUE(p.start());
	EXPECT_TRUE(finish(f, {x}));
	ASSERT_TRUE(p.stop());
	auto a = garbage<abi::Profiler_CollectData_Args>();
	a.profiler = p.handle;
	a.buffer = nullptr;
	ASSERT_TRUE(take_from_extension(functions().collect_data(&a)));
	const std::string first(reinterpret_cast<const char *>(a.buffer), a.buffer_size_in_bytes);
	EXPECT_FALSE(first.empty());
	std::string mine(a.buffer_size_in_bytes, 'x');
	a.buffer = reinterpret_cast<uint8_t *>(mine.data());
	ASSERT_TRUE(take_from_extension(functions().collect_data(&a)));
	EXPECT_EQ(reinterpret_cast<char *>(a.buffer), mine.data());
	EXPECT_EQ(a.buffer_size_in_bytes, mine.size());
	EXPECT_EQ(mine, first);
	drop(x);
	drop(f);
}

// What runs before the start and after the stop is in no trace, and a second trace has nothing of the first.
TEST_F(Profiler, OnlyWhatRunsBetweenStartAndStop)
{
	loaded_executable *add = compile("add_one"), *matmul = compile("matmul");
	buffer *x = put({1, 2, 3, 4}), *a = put(std::vector<float>(128, 1), {8, 16}),
	       *b = put(std::vector<float>(64, 1), {16, 4});
	session p;
	EXPECT_TRUE(finish(add, {x}));
	ASSERT_TRUE(p.start());
	EXPECT_TRUE(finish(matmul, {a, b}));
	ASSERT_TRUE(p.stop());
	EXPECT_TRUE(finish(add, {x}));
	const auto planes = p.planes();
	ASSERT_EQ(planes.size(), 1u);
	ASSERT_EQ(planes[0].line("XLA Modules").events.size(), 1u);
	EXPECT_EQ(planes[0].line("XLA Modules").events[0].name, matmul->program->name);
	ASSERT_TRUE(p.start());
	ASSERT_TRUE(p.stop());
	EXPECT_TRUE(p.planes().empty());
	for (buffer *d : {x, a, b})
		drop(d);
	drop(add);
	drop(matmul);
}

TEST_F(Profiler, LanesAreTheQueuesAndEventsTheirRecords)
{
	loaded_executable *f = compile("layers");
	buffer *x = put(std::vector<float>(128, 0.5f), {8, 16}), *w = put(std::vector<float>(256, 0.25f), {16, 16});
	session p;
	const uint64_t before = device_cycles();
	ASSERT_TRUE(p.start());
	EXPECT_TRUE(finish(f, {x, w}));
	EXPECT_TRUE(finish(f, {x, w}));
	ASSERT_TRUE(p.stop());
	const auto planes = p.planes();
	ASSERT_EQ(planes.size(), 1u);
	const read_plane &plane = planes[0];
	EXPECT_EQ(plane.name, "/device:CUSTOM:LOOM:0 (npu64)");
	std::vector<std::string> names;
	for (const read_line &l : plane.lines)
		names.push_back(l.name);
	EXPECT_EQ(names, (std::vector<std::string>{"XLA Modules", "Segments", "SEQ", "LD", "ST", "MXU", "VPU", "CPU"}));

	const read_line &runs = plane.line("XLA Modules"), &segments = plane.line("Segments");
	ASSERT_EQ(runs.events.size(), 2u);
	EXPECT_EQ(sum(runs, "cycles"), static_cast<int64_t>(device_cycles() - before));
	EXPECT_EQ(sum(segments, "cycles"), sum(runs, "cycles"));
	EXPECT_EQ(runs.events[0]["program_id"], runs.events[1]["program_id"]);
	EXPECT_NE(runs.events[0]["run_id"], runs.events[1]["run_id"]);
	EXPECT_EQ(plane["executions"], 2);
	for (const char *left : {"executions_left_out", "executions_unfinished", "records_left_out"})
		EXPECT_EQ(plane[left], 0) << left;

	std::set<std::string> scopes;
	int64_t records = 0, bytes = 0;
	for (const char *queue : {"SEQ", "LD", "ST", "MXU", "VPU"}) {
		records += static_cast<int64_t>(plane.line(queue).events.size());
		bytes += sum(plane.line(queue), "bytes_accessed");
		for (const read_event &e : plane.line(queue).events)
			scopes.insert(e.name);
	}
	EXPECT_EQ(records, sum(runs, "instructions"));
	EXPECT_EQ(bytes, sum(runs, "bytes_accessed"));
	EXPECT_EQ(sum(plane.line("MXU"), "flops"), sum(runs, "flops"));
	EXPECT_EQ(sum(runs, "flops"), 2 * 2 * 2 * 8 * 16 * 16);
	EXPECT_TRUE(scopes.count("Dense_0") && scopes.count("Dense_1"));
	EXPECT_TRUE(plane.line("CPU").events.empty());
	for (const read_event &e : plane.line("MXU").events) {
		EXPECT_EQ(e.texts.at("instruction"), "MXU");
		EXPECT_EQ(e.texts.at("op").rfind("dot_general", 0), 0u) << e.texts.at("op");
		EXPECT_EQ(e.texts.at("source").rfind("make.py:", 0), 0u) << e.texts.at("source");
	}
	drop(x);
	drop(w);
	drop(f);
}

// A lane's events stand in order and beside each other, within their execution's cycles.
TEST_F(Profiler, TimesAreCyclesOfTheDevicesClock)
{
	loaded_executable *f = compile("layers");
	buffer *x = put(std::vector<float>(128, 0.5f), {8, 16}), *w = put(std::vector<float>(256, 0.25f), {16, 16});
	session p;
	const auto now = [] {
		return std::chrono::duration_cast<std::chrono::nanoseconds>(
			       std::chrono::system_clock::now().time_since_epoch())
			.count();
	};
	const int64_t before = now();
	ASSERT_TRUE(p.start());
	for (int i = 0; i < 3; i++)
		EXPECT_TRUE(finish(f, {x, w}));
	ASSERT_TRUE(p.stop());
	const int64_t after = now();
	const auto planes = p.planes();
	ASSERT_EQ(planes.size(), 1u);
	const read_plane &plane = planes[0];
	const int64_t ps = 1000000000 / plane["clock_khz"];
	for (const read_line &l : plane.lines) {
		int64_t end = 0;
		for (const read_event &e : l.events) {
			EXPECT_GE(l.timestamp_ns + e.begin_ps / 1000, before);
			EXPECT_GE(e.begin_ps, end) << l.name << ": " << e.name;
			end = e.end_ps();
			if (l.name != "XLA Modules")
				EXPECT_EQ(e.duration_ps, e["cycles"] * ps) << l.name;
			else
				EXPECT_LE(l.timestamp_ns + end / 1000, after);
		}
	}
	const auto &segments = plane.line("Segments").events;
	ASSERT_EQ(segments.size(), 3u);
	const auto within = [&](const read_event &e) {
		for (const read_event &s : segments)
			if (s["run_id"] == e["run_id"])
				return e.begin_ps >= s.begin_ps && e.end_ps() <= s.end_ps();
		return false;
	};
	for (const char *queue : {"SEQ", "LD", "ST", "MXU", "VPU"})
		for (const read_event &e : plane.line(queue).events)
			EXPECT_TRUE(within(e)) << queue << ": " << e.name;
	drop(x);
	drop(w);
	drop(f);
}

// Each round of a loop that goes round the CPU engine is there.
TEST_F(Profiler, EveryRunOfASegmentIsThere)
{
	loaded_executable *f = compile("rounds");
	buffer *x = doubles(64);
	session p;
	const uint64_t before = device_cycles();
	ASSERT_TRUE(p.start());
	EXPECT_TRUE(finish(f, {x}));
	ASSERT_TRUE(p.stop());
	const auto planes = p.planes();
	ASSERT_EQ(planes.size(), 1u);
	const read_event &run = planes[0].line("XLA Modules").events.at(0);
	const read_line &segments = planes[0].line("Segments");
	EXPECT_EQ(run["segments_left_out"], 0);
	EXPECT_GT(run["segments"], 3);
	EXPECT_EQ(static_cast<int64_t>(segments.events.size()), run["segments"]);
	EXPECT_EQ(sum(segments, "cycles"), run["cycles"]);
	EXPECT_EQ(run["cycles"], static_cast<int64_t>(device_cycles() - before));
	int64_t end = segments.events.at(0).begin_ps;
	for (const read_event &e : segments.events) {
		EXPECT_EQ(e.begin_ps, end) << "one after the other";
		end = e.end_ps();
	}
	int64_t sorts = 0;
	for (const read_event &e : planes[0].line("CPU").events)
		sorts += e.texts.at("instruction") == "SORT";
	EXPECT_EQ(sorts, 3);
	EXPECT_EQ(sum(planes[0].line("CPU"), "cycles"), run["cpu_cycles"]);
	drop(x);
	drop(f);
}

TEST_F(Profiler, TwoThreadsOnTwoDevices)
{
	constexpr int times = 25;
	const std::string assigned = device_assignment(1);
	const std::string build = std::string("\x4a") + static_cast<char>(assigned.size()) + assigned;
	const std::string options = std::string("\x1a") + static_cast<char>(build.size()) + build;
	loaded_executable *f = nullptr, *g = compile("add_one");
	ASSERT_TRUE(try_compile(fixture("add_one"), f, options));
	buffer *x = put({1, 2, 3, 4}), *y = put({1, 2, 3, 4}, {}, devices[1]);
	session p;
	ASSERT_TRUE(p.start());
	std::thread other([&] {
		for (int i = 0; i < times; i++)
			EXPECT_TRUE(finish(f, {y}));
	});
	for (int i = 0; i < times; i++)
		EXPECT_TRUE(finish(g, {x}));
	other.join();
	ASSERT_TRUE(p.stop());
	const auto planes = p.planes();
	ASSERT_EQ(planes.size(), 2u);
	for (size_t i = 0; i < 2; i++) {
		EXPECT_EQ(planes[i].id, static_cast<int64_t>(i));
		EXPECT_EQ(planes[i].line("XLA Modules").events.size(), static_cast<size_t>(times));
		EXPECT_EQ(sum(planes[i].line("XLA Modules"), "cycles"), static_cast<int64_t>(device_cycles(i)));
	}
	drop(x);
	drop(y);
	drop(f);
	drop(g);
}

// Traces begin and end in the middle of what runs: each is whole in itself.
TEST_F(Profiler, StartsAndStopsWhileOthersRun)
{
	loaded_executable *f = compile("layers");
	buffer *x = put(std::vector<float>(128, 0.5f), {8, 16}), *w = put(std::vector<float>(256, 0.25f), {16, 16});
	std::atomic<bool> enough{false};
	std::thread other([&] {
		while (!enough)
			EXPECT_TRUE(finish(f, {x, w}));
	});
	session p;
	size_t seen = 0;
	for (int i = 0; i < 1000 && (i < 30 || !seen); i++) {
		ASSERT_TRUE(p.start());
		std::this_thread::sleep_for(std::chrono::microseconds(200));
		ASSERT_TRUE(p.stop());
		for (const read_plane &plane : p.planes()) {
			const read_line &runs = plane.line("XLA Modules");
			EXPECT_EQ(static_cast<int64_t>(runs.events.size()), plane["executions"]);
			EXPECT_EQ(sum(plane.line("Segments"), "cycles"), sum(runs, "cycles"));
			EXPECT_EQ(sum(plane.line("MXU"), "flops"), sum(runs, "flops"));
			EXPECT_LE(plane["executions_unfinished"], 1);
			seen += runs.events.size();
		}
	}
	enough = true;
	other.join();
	EXPECT_GT(seen, 0u);
	for (buffer *b : {x, w})
		drop(b);
	drop(f);
}

TEST_F(Profiler, TheHostsEventIsNamed)
{
	loaded_executable *f = compile("add_one");
	buffer *x = put({1, 2, 3, 4});
	abi::profiler_extension linkage{{sizeof(linkage), abi::extension_profiler, nullptr}, nullptr, 4711};
	session p;
	ASSERT_TRUE(p.start());
	abi::execute_options options{};
	options.struct_size = sizeof(options);
	buffer *const arguments[] = {x};
	buffer *const *lists[] = {arguments};
	buffer *made[1] = {};
	buffer **outputs[] = {made};
	abi::LoadedExecutable_Execute_Args a{};
	a.extension_start = &linkage.base;
	a.executable = f;
	a.options = &options;
	a.argument_lists = lists;
	a.num_devices = 1;
	a.num_args = 1;
	a.output_lists = outputs;
	must(slot::LoadedExecutable_Execute, a);
	EXPECT_TRUE(wait(made[0]));
	ASSERT_TRUE(p.stop());
	const auto planes = p.planes();
	ASSERT_EQ(planes.size(), 1u);
	EXPECT_EQ(planes[0].line("XLA Modules").events.at(0)["_c"], 4711);
	for (buffer *b : {x, made[0]})
		drop(b);
	drop(f);
}

} // namespace loom::pjrt::test
