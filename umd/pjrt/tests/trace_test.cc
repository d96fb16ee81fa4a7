// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What a trace keeps where it runs full, where runs fail, and where they outlast it.
#include <chrono>
#include <cstdlib>
#include <cstring>

#include "client.h"
#include "harness.h"
#include "loaded_executable.h"
#include "trace.h"
#include "xspace_reader.h"

namespace loom::pjrt::test {
namespace {

// A program, its arguments zero, on a device of the test's own.
class runs {
public:
	runs(device &on, program_ptr program) : on(on), program(std::move(program)), by(&on, this->program)
	{
		for (const auto *values : {&this->program->arguments, &this->program->results})
			for (const value_info &v : *values) {
				memory.push_back(on.allocate(v.of.bytes));
				std::memset(memory.back()->data(), 0, v.of.bytes);
				bindings.push_back({v.slot, 0, memory.back()->handle(), 0});
			}
	}
	outcome into(const trace_ptr &to)
	{
		recording traced(to, on, -1);
		return by.run(bindings, &traced);
	}

	device &on;
	const program_ptr program;
	runner by;

private:
	std::vector<storage_ptr> memory;
	std::vector<loom_binding> bindings;
};

size_t events_of(const traced_device &d)
{
	size_t n = 0;
	for (const traced_execution &e : d.executions)
		n += e.size();
	return n;
}

} // namespace

class Trace : public plugin {
protected:
	trace_ptr begin(size_t room)
	{
		auto t = std::make_shared<trace>(room);
		trace::start(t);
		return t;
	}
};

TEST_F(Trace, NoneIsRunningUntilOneIsStarted)
{
	EXPECT_FALSE(trace::running());
	const trace_ptr t = begin(10);
	EXPECT_EQ(trace::running(), t);
	trace::stop(*t);
	EXPECT_FALSE(trace::running());
}

// Nothing is lost without being counted: what is kept and what is left out are all of it.
TEST_F(Trace, CountsWhatItHasNoRoomFor)
{
	loaded_executable *f = compile("layers");
	runs all(*devices[0], f->program);
	trace_ptr t = begin(trace::default_room);
	EXPECT_FALSE(all.into(t));
	trace::stop(*t);
	const auto whole = t->devices().at(0);
	ASSERT_EQ(whole.executions.size(), 1u);
	EXPECT_EQ(whole.records_left_out, 0u);
	const size_t one = whole.executions[0].size();
	ASSERT_GE(one, 8u);

	const size_t room = one + one / 2;
	t = begin(room);
	for (int i = 0; i < 4; i++)
		EXPECT_FALSE(all.into(t));
	trace::stop(*t);
	const auto part = t->devices().at(0);
	EXPECT_EQ(events_of(part), room);
	ASSERT_EQ(part.executions.size(), 2u);
	EXPECT_EQ(part.executions[0].records_left_out, 0u);
	EXPECT_EQ(part.executions[1].records_left_out, 2 * one - room);
	EXPECT_EQ(part.executions[1].cycles, part.executions[0].cycles) << "its sums are whole";
	EXPECT_EQ(part.records_left_out, 2 * one - room);
	EXPECT_EQ(part.executions_left_out, 2u);
	const auto planes = xspace_reader::read(encode_xspace({part}, part.executions[0].begin_ns));
	EXPECT_EQ(planes.at(0)["records_left_out"], static_cast<int64_t>(2 * one - room));
	EXPECT_EQ(planes.at(0)["executions_left_out"], 2);
	drop(f);
}

TEST_F(Trace, SegmentsWithoutRoomAreCounted)
{
	loaded_executable *f = compile("rounds");
	runs all(*devices[0], f->program);
	const trace_ptr t = begin(3);
	EXPECT_FALSE(all.into(t));
	trace::stop(*t);
	const auto part = t->devices().at(0);
	ASSERT_EQ(part.executions.size(), 1u);
	EXPECT_LE(events_of(part), 3u);
	EXPECT_LT(part.executions[0].segments.size(), part.executions[0].n_segments);
	const auto planes = xspace_reader::read(encode_xspace({part}, part.executions[0].begin_ns));
	const read_event &run = planes.at(0).line("XLA Modules").events.at(0);
	EXPECT_GT(run["segments_left_out"], 0);
	EXPECT_FALSE(run.numbers.count("bytes_accessed")) << "they are not known then";
	drop(f);
}

TEST_F(Trace, WhatOutlastsItIsCountedOnly)
{
	loaded_executable *f = compile("layers");
	runs all(*devices[0], f->program);
	const trace_ptr t = begin(1000);
	{
		recording open(t, *devices[0], -1);
		trace::stop(*t);
	}
	EXPECT_FALSE(all.into(t));
	const auto device = t->devices().at(0);
	EXPECT_TRUE(device.executions.empty());
	EXPECT_EQ(device.unfinished, 1u);
	drop(f);
}

// It fails as it does without a trace, and is there as far as it came.
TEST_F(Trace, AFailedRunSaysHow)
{
	loaded_executable *f = compile("sort_wide");
	setenv("LOOM_CPU_FAIL", "0.0", 1);
	loom_device *broken = nullptr;
	loom_error error{};
	ASSERT_EQ(loom_device_open("sim", &broken, &error), 0) << error.message;
	unsetenv("LOOM_CPU_FAIL");
	device on(broken, 5, 1 << 30);
	const auto start = std::chrono::system_clock::now().time_since_epoch();
	const trace_ptr t = begin(1000);
	outcome how;
	{
		runs all(on, f->program);
		how = all.into(t);
	}
	trace::stop(*t);
	ASSERT_TRUE(how);
	const auto planes = xspace_reader::read(encode_xspace(t->devices(), std::chrono::nanoseconds(start).count()));
	ASSERT_EQ(planes.size(), 1u);
	EXPECT_EQ(planes[0].name, "/device:CUSTOM:LOOM:5 (npu64)");
	const std::string &told = planes[0].line("XLA Modules").events.at(0).texts.at("error");
	EXPECT_NE(how->message.find(told), std::string::npos) << told;
	EXPECT_NE(told.find("make.py"), std::string::npos) << told;
	drop(f);
}

// Two executions that the host saw begin at once: the device's lanes have them one after the other.
TEST_F(Trace, ModelledTimeDoesNotOverlap)
{
	const place what{"Dense_0", "Dense_0", "dot_general", "", "MXU", 0, 0, 0};
	traced_device d{0, "npu16", "", 1000000, {}};
	for (uint64_t i = 0; i < 2; i++) {
		traced_execution e;
		e.begin_ns = 5000;
		e.end_ns = 5001;
		e.cycles = 3000;
		e.lanes[LOOM_Q_MXU] = {{&what, 0, 100, 3000}};
		d.executions.push_back(e);
	}
	const auto planes = xspace_reader::read(encode_xspace({d}, 4000));
	const auto &mxu = planes.at(0).line("MXU").events;
	ASSERT_EQ(mxu.size(), 2u);
	EXPECT_EQ(mxu[0].begin_ps, 1000 * 1000 + 100 * 1000);
	EXPECT_EQ(mxu[0].end_ps(), 1000 * 1000 + 3000 * 1000);
	EXPECT_EQ(mxu[1].begin_ps, mxu[0].end_ps() + 100 * 1000);
	EXPECT_EQ(planes[0].line("XLA Modules").events.at(1).begin_ps, 1000 * 1000) << "as the host saw it";
}

} // namespace loom::pjrt::test
