// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What the validator refuses of CPU segments and of schedules, by name and row.
#include <functional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "loom_npu.h"
#include "prog_check.h"
#include "program_builder.h"
#include "segment.h"

namespace {

using namespace loom_test;
namespace cpu = loom::test;
using testing::HasSubstr;

// y = x + x over 64 floats.
cpu::operation twice() {
  cpu::operation m;
  m.in = {cpu::dense(0, LOOM_F32, {64})};
  m.out = {cpu::dense(1, LOOM_F32, {64})};
  m.ops = {cpu::load(0, 0), cpu::uop(LOOM_UOP_FADD, 1, 0, 0), cpu::store(0, 1)};
  return m;
}

// NPU, CPU, NPU, CPU; the last CPU segment has two operations. A loop goes
// round them all, and one in it round the second half.
class ProgCheck : public testing::Test {
protected:
  ProgCheck() {
    loom_target_named("npu16", &target);
    b.slot("x", LOOM_SLOT_ARG, 256, LOOM_RIGHT_READ);
    b.slot("y", LOOM_SLOT_ARG, 256, LOOM_RIGHT_READ | LOOM_RIGHT_WRITE);
    b.slot("more", LOOM_SLOT_ARG, 64, LOOM_RIGHT_READ | LOOM_RIGHT_WRITE, 0,
           LOOM_SLOT_HIDDEN);
    b.slot("state", LOOM_SLOT_STATE, 64);
    b.tensor("x", 0, LOOM_F32, LOOM_ROLE_INPUT, 64, 256);
    b.scalar("more", 2, LOOM_I1, LOOM_ROLE_STATE);
    const auto one = twice().encode();
    auto two = one;
    two.insert(two.end(), one.begin(), one.end());
    row_of_second = static_cast<uint32_t>(2 * one.size());
    b.add(halt());
    b.segment();
    b.cpu_segment(one);
    b.add(halt());
    b.segment();
    b.cpu_segment(two);
    b.repeat(3, 4);
    b.run(0, 2);
    b.loop_while(1, 2);
    b.run(2, 1);
    b.run(3, 1);
    file = b.build(target);
  }
  template <class T> T &row(int section, uint32_t index = 0) {
    const auto *h = reinterpret_cast<const loom_prog_header *>(file.data());
    return *reinterpret_cast<T *>(file.data() + h->sections[section].offset +
                                  size_t{index} * sizeof(T));
  }
  loom_prog_step &step(uint32_t i) {
    return row<loom_prog_step>(LOOM_SEC_SCHEDULE, i);
  }
  loom_prog_segment &segment(uint32_t i) {
    return row<loom_prog_segment>(LOOM_SEC_SEGMENTS, i);
  }
  // An operation's row of 8 bytes, and what lies behind it.
  template <class T> T &code(uint32_t at, size_t bytes = 0) {
    return *reinterpret_cast<T *>(&row<uint64_t>(LOOM_SEC_CPU_CODE, at) +
                                  bytes / 8);
  }
  loom_prog_status check() {
    return loom_prog_check(file.data(), file.size(), &view, &error);
  }
  void refused(const std::function<void()> &edit, const char *section,
               uint32_t index, const char *words,
               loom_prog_status status = LOOM_PROG_MALFORMED) {
    const auto saved = file;
    edit();
    EXPECT_EQ(check(), status) << words;
    EXPECT_STREQ(error.section, section) << words;
    EXPECT_EQ(error.index, index) << words;
    EXPECT_THAT(error.what, HasSubstr(words));
    file = saved;
  }
  loom_target target{};
  program_builder b;
  std::vector<uint8_t> file;
  uint32_t row_of_second = 0;
  loom_prog_view view{};
  loom_prog_error error{};
};

TEST_F(ProgCheck, SoundOnePasses) {
  ASSERT_EQ(check(), LOOM_PROG_OK) << error.section << ": " << error.what;
  EXPECT_EQ(view.n_cpu_rows, row_of_second / 2 * 3);
  EXPECT_EQ(view.n_steps, 5u);
}

TEST_F(ProgCheck, ConditionsAreBound) {
  row<loom_prog_entry>(LOOM_SEC_ENTRIES).n_tensors = 1; // without "more"
  std::vector<uint8_t> wanted(4);
  ASSERT_EQ(check(), LOOM_PROG_OK) << error.section << ": " << error.what;
  loom_prog_wanted_args(&view, 0, wanted.data());
  EXPECT_THAT(wanted, testing::ElementsAre(1, 1, 1, 0));
  step(2) = {LOOM_STEP_RUN, {}, 2, 2, 0, 0}; // nobody asks
  ASSERT_EQ(check(), LOOM_PROG_OK) << error.section << ": " << error.what;
  loom_prog_wanted_args(&view, 0, wanted.data());
  EXPECT_THAT(wanted, testing::ElementsAre(1, 1, 0, 0));
}

TEST_F(ProgCheck, CpuSegments) {
  refused([&] { segment(1).cycle_budget = 1; }, "segment", 1,
          "cycle budget of a CPU segment");
  refused([&] { segment(1).insn_budget = 0; }, "segment", 1, "budget is 0");
  refused([&] { segment(1).count = 1000; }, "segment", 1,
          "code that does not exist");
  refused([&] { segment(3).first = 0; }, "segment", 3,
          "CPU code of an earlier segment");
  refused([&] { segment(1).insn_budget = 100; }, "CPU code", 0,
          "more than its budget");
  refused([&] { segment(3).count--; }, "CPU code", row_of_second,
          "bytes are not those");
}

TEST_F(ProgCheck, CpuOperationsAgainstTheProgramsSlots) {
  const uint32_t at = row_of_second;
  const auto in = [&]() -> loom_cpu_operand & {
    return code<loom_cpu_operand>(at, sizeof(loom_cpu_op));
  };
  const auto out = [&]() -> loom_cpu_operand & { return *(&in() + 1); };
  refused([&] { in().slot = 4; }, "CPU code", at, "slot that does not exist");
  refused([&] { in().offset = 4; }, "CPU code", at, "outside its slot");
  refused([&] { in().slot = 3; }, "CPU code", at, "outside its slot");
  refused([&] { out().slot = 0; }, "CPU code", at, "lacks a right");
  refused(
      [&] { row<loom_prog_slot>(LOOM_SEC_SLOTS, 0).rights = LOOM_RIGHT_WRITE; },
      "CPU code", 0, "must not be read");
  refused([&] { code<loom_cpu_op>(at).loc = 1; }, "CPU code", at,
          "source location does not exist");
  refused([&] { code<loom_cpu_op>(at).cost = 1; }, "CPU code", at,
          "costs more than it states");
  refused([&] { code<loom_cpu_op>(at).structure = 99; }, "CPU code", at,
          "no such structure", LOOM_PROG_UNSUPPORTED);
}

TEST_F(ProgCheck, Slots) {
  refused(
      [&] { row<loom_prog_slot>(LOOM_SEC_SLOTS, 3).flags = LOOM_SLOT_HIDDEN; },
      "slot", 3, "HIDDEN on what is no argument");
  refused([&] { row<loom_prog_slot>(LOOM_SEC_SLOTS, 0).flags = 4; }, "slot", 0,
          "unknown flag");
}

TEST_F(ProgCheck, StepsOneByOne) {
  refused([&] { step(0).kind = 3; }, "step", 0, "unknown kind");
  refused([&] { step(1).rsvd[2] = 1; }, "step", 1, "reserved field");
  refused([&] { step(1).count = 0; }, "step", 1, "runs nothing");
  refused([&] { step(1).count = 65; }, "step", 1, "more than 64 segments");
  refused([&] { step(1).arg = 1; }, "step", 1, "another kind of step");
  refused([&] { step(1).cond = 1; }, "step", 1, "another kind of step");
  refused([&] { step(2).first = 1; }, "step", 2, "another kind of step");
  refused([&] { step(0).arg = 0; }, "step", 0, "repeats 0 times");
}

TEST_F(ProgCheck, Conditions) {
  auto &t = row<loom_prog_tensor>(LOOM_SEC_TENSORS, 1);
  refused([&] { step(2).cond = 2; }, "step", 2, "condition does not exist");
  refused([&] { t.dtype = LOOM_U8; }, "step", 2, "i1 tensor of rank 0");
  refused([&] { t.rank = 1, t.dims[0] = 1; }, "step", 2, "i1 tensor of rank 0");
  refused([&] { t.slot = 3; }, "step", 2, "argument's slot");
  refused(
      [&] { row<loom_prog_slot>(LOOM_SEC_SLOTS, 2).rights = LOOM_RIGHT_WRITE; },
      "step", 2, "may be read");
}

TEST_F(ProgCheck, Nesting) {
  refused([&] { step(1).first = 3; }, "step", 1,
          "segments that the entry point does not have");
  refused([&] { step(0).count = 3; }, "step", 2,
          "past the end of what it lies in");
  refused([&] { step(2).count = 3; }, "step", 2,
          "past the end of what it lies in");
  refused([&] { row<loom_prog_entry>(LOOM_SEC_ENTRIES).n_steps = 4; }, "step",
          0, "past the end of what it lies in");
  refused([&] { row<loom_prog_entry>(LOOM_SEC_ENTRIES).n_steps = 6; },
          "entry point", 0, "steps that do not exist");
}

TEST_F(ProgCheck, DepthIsBounded) {
  for (uint32_t depth : {8u, 9u}) {
    b.steps.clear();
    for (uint32_t i = 0; i < depth; i++)
      b.repeat(1, depth - i);
    b.run(0, 1);
    file = b.build(target);
    EXPECT_EQ(check(), depth == 8 ? LOOM_PROG_OK : LOOM_PROG_MALFORMED);
  }
  EXPECT_STREQ(error.what, "more than 8 loops one in the other");
  EXPECT_EQ(error.index, 8u);
  // One after the other they may be as many as there are.
  b.steps.clear();
  for (int i = 0; i < 20; i++) {
    b.repeat(1, 1);
    b.run(0, 1);
  }
  file = b.build(target);
  EXPECT_EQ(check(), LOOM_PROG_OK);
}

TEST_F(ProgCheck, EntryPointsShareNoSteps) {
  auto &h = *reinterpret_cast<loom_prog_header *>(file.data());
  auto &s = h.sections[LOOM_SEC_ENTRIES];
  const auto e = row<loom_prog_entry>(LOOM_SEC_ENTRIES);
  // A second row where the padding of the tables is.
  const loom_prog_entry two[] = {e, e};
  s.offset = h.meta_bytes - sizeof(two);
  s.count = 2;
  std::memcpy(file.data() + s.offset, two, sizeof(two));
  EXPECT_EQ(check(), LOOM_PROG_MALFORMED);
  EXPECT_STREQ(error.what, "steps of an earlier entry point");
  EXPECT_EQ(error.index, 1u);
}

} // namespace
