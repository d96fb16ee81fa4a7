// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// CPU segments and schedules on the in-process device.
#include <cstdlib>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "loom/loom.hpp"
#include "program_builder.h"
#include "segment.h"

namespace {

using namespace loom_test;
namespace cpu = loom::test;
using testing::HasSubstr;

constexpr uint32_t n = 100, bytes = n * 4;
enum slot : uint32_t { X, Y, MIDDLE };

cpu::operation map_f32(uint32_t from, uint32_t to, uint32_t op) {
  cpu::operation m;
  m.in = {cpu::dense(from, LOOM_F32, {n})};
  m.out = {cpu::dense(to, LOOM_F32, {n})};
  m.ops = {cpu::load(0, 0), cpu::uop(op, 1, 0, 0), cpu::store(0, 1)};
  return m;
}

std::vector<uint64_t> placed(const cpu::operation &m, uint32_t loc) {
  auto rows = m.encode();
  reinterpret_cast<loom_cpu_op *>(rows.data())->loc = loc;
  return rows;
}

// middle = x (NPU); middle += middle, then squared (CPU); y = middle (NPU);
// y += y (CPU): y = 8 x x.
struct chain {
  chain() {
    b.slot("x", LOOM_SLOT_ARG, bytes, LOOM_RIGHT_READ);
    b.slot("y", LOOM_SLOT_ARG, bytes, LOOM_RIGHT_READ | LOOM_RIGHT_WRITE);
    b.slot("middle", LOOM_SLOT_SCRATCH, bytes);
    const auto place =
        b.loc(b.scope("Dense_0", b.scope("mlp")), "model.py", 12, "multiply");
    b.copy_segment(X, MIDDLE, bytes);
    auto rows = placed(map_f32(MIDDLE, MIDDLE, LOOM_UOP_FADD), 0);
    for (uint64_t row : placed(map_f32(MIDDLE, MIDDLE, LOOM_UOP_FMUL), place))
      rows.push_back(row);
    b.cpu_segment(rows);
    b.copy_segment(MIDDLE, Y, bytes);
    b.cpu_segment(placed(map_f32(Y, Y, LOOM_UOP_FADD), place));
  }
  program_builder b;
};

class CpuSegments : public testing::Test {
protected:
  void open(program_builder &b) {
    device = std::make_unique<loom_cpp::device>("sim:npu16");
    const auto file = b.build(device->target());
    program = std::make_unique<loom_cpp::program>(device->get(), file.data(),
                                                  file.size());
    instance = std::make_unique<loom_cpp::instance>(program->get());
    x = std::make_unique<loom_cpp::buffer>(device->get(), bytes);
    y = std::make_unique<loom_cpp::buffer>(device->get(), bytes);
    bindings[0] = {X, 0, x->get(), 0};
    bindings[1] = {Y, 0, y->get(), 0};
    for (uint32_t i = 0; i < n; i++)
      in()[i] = 0.1f * static_cast<float>(i);
  }
  ~CpuSegments() override {
    unsetenv("LOOM_CPU_FAIL");
    unsetenv("LOOM_LOOP_SECONDS");
  }
  loom_job_desc desc() const {
    loom_job_desc d{};
    d.n_bindings = 2;
    d.bindings = bindings;
    d.report_entries = 8;
    return d;
  }
  float *in() const { return static_cast<float *>(x->data()); }
  float *out() const { return static_cast<float *>(y->data()); }

  std::unique_ptr<loom_cpp::device> device;
  std::unique_ptr<loom_cpp::program> program;
  std::unique_ptr<loom_cpp::instance> instance;
  std::unique_ptr<loom_cpp::buffer> x, y;
  loom_binding bindings[2];
};

TEST_F(CpuSegments, RunInTheChainsOrder) {
  chain c;
  open(c.b);
  const auto r = instance->submit(desc()).wait();
  ASSERT_EQ(r.status, 0) << r.message;
  for (uint32_t i = 0; i < n; i++) {
    const float twice = in()[i] + in()[i], squared = twice * twice;
    EXPECT_EQ(out()[i], squared + squared) << i;
  }
  EXPECT_EQ(r.segments, 4u);
  EXPECT_EQ(r.insns, 6u);
  EXPECT_EQ(device->stats().cpu_segments, 2u);
  EXPECT_EQ(device->stats().jobs_driver, 2u);
}

TEST_F(CpuSegments, ModelledCyclesStandBesideTheNpus) {
  chain c;
  open(c.b);
  auto event = instance->submit(desc());
  const auto r = event.wait();
  uint64_t npu = 0, modelled = 0;
  for (uint32_t s = 0; s < 4; s++) {
    const loom_report *report = event.report(s);
    ASSERT_NE(report, nullptr);
    (s % 2 ? modelled : npu) += report->cycles;
  }
  EXPECT_EQ(event.report(4), nullptr);
  // Two chunks; LOAD, one operation, STORE: of weight 1 each.
  const uint64_t cost = 2 * 64 * (8 + 3);
  EXPECT_EQ(modelled, 3 * cost / LOOM_CPU_COST_PER_CYCLE);
  EXPECT_EQ(r.cpu_cycles, modelled);
  EXPECT_EQ(r.cycles, npu + modelled);
  EXPECT_EQ(event.report(1)->n_entries, 2u);
  EXPECT_EQ(event.report(1)->insns, 2u);
}

TEST_F(CpuSegments, FirstErrorWinsAndNamesTheOperation) {
  chain c;
  setenv("LOOM_CPU_FAIL", "1.1", 1);
  open(c.b);
  auto event = instance->submit(desc());
  const auto r = event.wait();
  EXPECT_EQ(r.status, -EIO);
  EXPECT_EQ(r.segment, 1u);
  EXPECT_EQ(r.end.fault, LOOM_FAULT_TRAP);
  EXPECT_THAT(r.message, HasSubstr("CPU operation 1 (MAP), mlp/Dense_0 "
                                   "(model.py:12, multiply)"));
  EXPECT_THAT(r.message, HasSubstr("entry point main, segment 1"));
  EXPECT_EQ(event.report(1)->insns, 1u) << "the operation before has run";
  EXPECT_EQ(event.report(2), nullptr) << "later segments run";
  EXPECT_EQ(out()[5], 0) << "later segments run";
  try {
    instance->submit(desc());
    FAIL() << "a LOST instance took a job";
  } catch (const loom_cpp::error &e) {
    EXPECT_EQ(e.code, -EIO);
    EXPECT_THAT(e.what(), HasSubstr("CPU operation 1"));
  }
  instance->reset();
  EXPECT_EQ(instance->submit(desc()).wait().status, 0);
  EXPECT_NE(out()[5], 0);
}

TEST_F(CpuSegments, EachSegmentMayFail) {
  for (const char *at : {"1.0", "3.0"}) {
    chain c;
    setenv("LOOM_CPU_FAIL", at, 1);
    open(c.b);
    const auto r = instance->submit(desc()).wait();
    EXPECT_EQ(r.status, -EIO);
    EXPECT_EQ(r.segment, static_cast<uint32_t>(at[0] - '0'));
    EXPECT_EQ(r.segments, r.segment + 1u);
  }
}

TEST_F(CpuSegments, BadInjectionIsNamed) {
  for (const char *text : {"1", "x.1", "1.2.3", "1.2x"}) {
    setenv("LOOM_CPU_FAIL", text, 1);
    loom_device *d = nullptr;
    loom_error e{};
    EXPECT_EQ(loom_device_open("sim:npu16", &d, &e), -EINVAL) << text;
    EXPECT_THAT(e.message, HasSubstr("SEGMENT.OPERATION"));
  }
}

// count (I32, in state) += 1; more = count < end.
void counting(program_builder &b, uint32_t state, uint32_t more, uint64_t end) {
  cpu::operation m;
  m.in = {cpu::dense(state, LOOM_I32, {})};
  m.out = {cpu::dense(state, LOOM_I32, {}), cpu::dense(more, LOOM_I1, {})};
  m.imms = {1, end};
  m.ops = {cpu::load(0, 0), cpu::uop(LOOM_UOP_IADD, 1, 0, LOOM_CPU_IMM(0)),
           cpu::uop(LOOM_UOP_ILT, 2, 1, LOOM_CPU_IMM(1)), cpu::store(0, 1),
           cpu::store(1, 2)};
  b.cpu_segment(m.encode());
}

// Counts, then, while more, doubles y and counts again.
struct loop {
  explicit loop(uint8_t flags, uint64_t end = 7) {
    b.slot("x", LOOM_SLOT_ARG, bytes, LOOM_RIGHT_READ);
    b.slot("y", LOOM_SLOT_ARG, bytes, LOOM_RIGHT_READ | LOOM_RIGHT_WRITE);
    b.slot("count", LOOM_SLOT_STATE, 4);
    b.slot("more", LOOM_SLOT_ARG, 64, LOOM_RIGHT_READ | LOOM_RIGHT_WRITE, 0,
           flags);
    const auto cond = b.scalar("more", 3, LOOM_I1, LOOM_ROLE_STATE);
    b.copy_segment(X, Y, bytes);
    counting(b, 2, 3, end);
    b.cpu_segment(map_f32(Y, Y, LOOM_UOP_FADD).encode());
    b.run(0, 2);
    b.loop_while(cond, 2);
    b.run(2, 1);
    b.run(1, 1);
  }
  program_builder b;
};

TEST_F(CpuSegments, ConditionInHiddenMemory) {
  loop l(LOOM_SLOT_HIDDEN);
  open(l.b);
  auto event = instance->submit(desc());
  const auto r = event.wait();
  ASSERT_EQ(r.status, 0) << r.message;
  EXPECT_EQ(r.segments, 2 + 6 * 2u);
  for (uint32_t i = 0; i < n; i++)
    EXPECT_EQ(out()[i], 64 * in()[i]);
  EXPECT_NE(event.report(2), nullptr);
  // State goes on counting: no round at all.
  const auto again = instance->submit(desc()).wait();
  EXPECT_EQ(again.segments, 2u);
  EXPECT_EQ(out()[3], in()[3]);
}

// Reports of a loop's rounds: 2 segments, then 6 rounds of segments 2 and 1.
TEST_F(CpuSegments, EveryRunOfASegmentHasAReport) {
  loop l(LOOM_SLOT_HIDDEN);
  open(l.b);
  auto d = desc();
  d.run_report_bytes = 1 << 20;
  auto event = instance->submit(d);
  const auto r = event.wait();
  ASSERT_EQ(r.status, 0) << r.message;
  uint64_t cycles = 0, runs = 0;
  uint32_t segment = ~0u;
  for (; const loom_report *report = event.run_report(runs, segment); runs++) {
    EXPECT_EQ(report->magic, LOOM_REPORT_MAGIC);
    EXPECT_EQ(report->n_entries, report->insns) << runs;
    EXPECT_EQ(segment, runs < 2 ? runs : runs % 2 ? 1u : 2u) << runs;
    cycles += report->cycles;
  }
  EXPECT_EQ(runs, r.segments);
  EXPECT_EQ(cycles, r.cycles);
}

TEST_F(CpuSegments, ReportsOfRunsEndWhereTheRoomDoes) {
  loop l(LOOM_SLOT_HIDDEN);
  open(l.b);
  auto d = desc();
  // Segment 0 has three records, the others one operation each.
  d.run_report_bytes =
      3 * sizeof(loom_report) + 5 * sizeof(loom_report_entry) - 1;
  auto event = instance->submit(d);
  EXPECT_EQ(event.wait().segments, 14u);
  uint32_t segment = 0;
  EXPECT_NE(event.run_report(1, segment), nullptr);
  EXPECT_EQ(event.run_report(2, segment), nullptr);
  auto none = instance->submit(desc());
  none.wait();
  EXPECT_EQ(none.run_report(0, segment), nullptr);
}

TEST_F(CpuSegments, HiddenMemoryIsNotForCallers) {
  loop l(LOOM_SLOT_HIDDEN);
  open(l.b);
  loom_binding more[] = {bindings[0], bindings[1], {3, 0, x->get(), 0}};
  auto d = desc();
  d.n_bindings = 3;
  d.bindings = more;
  try {
    instance->submit(d);
    FAIL();
  } catch (const loom_cpp::error &e) {
    EXPECT_THAT(e.what(), HasSubstr("slot 3 is not an argument"));
  }
}

TEST_F(CpuSegments, ConditionInTheCallersMemory) {
  loop l(0);
  open(l.b);
  loom_cpp::buffer mine(device->get(), 64);
  loom_binding more[] = {bindings[0], bindings[1], {3, 0, mine.get(), 0}};
  auto d = desc();
  d.n_bindings = 3;
  d.bindings = more;
  EXPECT_EQ(instance->submit(d).wait().segments, 14u);
  EXPECT_EQ(*static_cast<uint8_t *>(mine.data()), 0);
}

// A condition that does not become false: the job ends, the instance is LOST.
TEST_F(CpuSegments, EndlessLoopIsEnded) {
  loop l(LOOM_SLOT_HIDDEN, 1u << 30);
  setenv("LOOM_LOOP_SECONDS", "0.05", 1);
  open(l.b);
  const auto r = instance->submit(desc()).wait();
  EXPECT_EQ(r.status, -ETIME);
  EXPECT_GT(r.segments, 14u);
  EXPECT_THAT(r.message, HasSubstr("have not ended within 0.05 seconds"));
  EXPECT_THAT(r.message, HasSubstr("LOOM_LOOP_SECONDS"));
  try {
    instance->submit(desc());
    FAIL() << "a LOST instance took a job";
  } catch (const loom_cpp::error &e) {
    EXPECT_THAT(e.what(), HasSubstr("have not ended"));
  }
  instance->reset();
  EXPECT_EQ(instance->submit(desc()).wait().status, -ETIME);
}

TEST_F(CpuSegments, BadLoopLimitIsNamed) {
  for (const char *text : {"0", "-1", "x", "1x", "nan", "inf"}) {
    setenv("LOOM_LOOP_SECONDS", text, 1);
    loom_device *d = nullptr;
    loom_error e{};
    EXPECT_EQ(loom_device_open("sim:npu16", &d, &e), -EINVAL) << text;
    EXPECT_THAT(e.message, HasSubstr("a number of seconds above 0"));
  }
}

TEST_F(CpuSegments, FailureInALoopEndsIt) {
  loop l(LOOM_SLOT_HIDDEN);
  setenv("LOOM_CPU_FAIL", "2.0", 1);
  open(l.b);
  const auto r = instance->submit(desc()).wait();
  EXPECT_EQ(r.status, -EIO);
  EXPECT_EQ(r.segments, 3u);
  instance->reset();
  EXPECT_EQ(instance->submit(desc()).wait().segments, 14u);
}

} // namespace
