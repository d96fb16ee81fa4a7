// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// State that survives calls, and entry points that share it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "loom/loom.hpp"
#include "program_builder.h"
#include "segment.h"

namespace {

using namespace loom_test;
namespace cpu = loom::test;
using testing::Each;
using testing::HasSubstr;

constexpr uint32_t bytes = 256;
enum slot : uint32_t { W, ZEROS, IN, OUT, WEIGHTS };

// "set" copies its input into state w, "get" copies w to its output, "trap"
// fails.
class State : public testing::Test {
protected:
  State() {
    program_builder b;
    b.constants.assign(bytes, 7);
    b.slot("w", LOOM_SLOT_STATE, bytes, LOOM_RIGHT_READ | LOOM_RIGHT_WRITE, 0,
           LOOM_SLOT_INIT);
    b.slot("zeros", LOOM_SLOT_STATE, bytes);
    b.slot("in", LOOM_SLOT_ARG, bytes, LOOM_RIGHT_READ);
    b.slot("out", LOOM_SLOT_ARG, bytes, LOOM_RIGHT_WRITE);
    b.slot("weights", LOOM_SLOT_CONST, bytes, LOOM_RIGHT_READ);
    b.tensor("x", IN, LOOM_U8, LOOM_ROLE_INPUT, bytes, bytes);
    b.tensor("w", W, LOOM_U8, LOOM_ROLE_STATE, bytes, bytes);
    b.copy_segment(IN, W, bytes);
    b.entry("set");
    b.tensor("w", W, LOOM_U8, LOOM_ROLE_STATE, bytes, bytes);
    b.tensor("y", OUT, LOOM_U8, LOOM_ROLE_OUTPUT, bytes, bytes);
    b.copy_segment(W, OUT, bytes);
    b.entry("get");
    b.add(seq(LOOM_OP_TRAP, 0, 0, 0, 9));
    b.add(halt());
    b.segment();
    b.entry("trap");
    // Its CPU segment writes what only "get" binds.
    cpu::operation m;
    m.in = {cpu::dense(W, LOOM_F32, {bytes / 4})};
    m.out = {cpu::dense(OUT, LOOM_F32, {bytes / 4})};
    m.ops = {cpu::load(0, 0), cpu::uop(LOOM_UOP_FADD, 1, 0, 0),
             cpu::store(0, 1)};
    b.cpu_segment(m.encode());
    b.entry("thief");
    const auto file = b.build(device.target());
    program = std::make_unique<loom_cpp::program>(device.get(), file.data(),
                                                  file.size());
  }
  loom_result run(const loom_cpp::instance &on, const char *entry) {
    loom_job_desc d{};
    d.entry = program->entry(entry);
    const loom_binding in{IN, 0, memory.get(), 0}, out{OUT, 0, memory.get(), 0};
    d.bindings = d.entry == 0 ? &in : &out;
    d.n_bindings = d.entry < 2;
    return on.submit(d).wait();
  }
  // What the entry point "get" sees.
  std::vector<uint8_t> get(const loom_cpp::instance &on) {
    EXPECT_EQ(run(on, "get").status, 0);
    const auto *p = static_cast<const uint8_t *>(memory.data());
    return {p, p + bytes};
  }
  void set(const loom_cpp::instance &on, uint8_t value) {
    std::memset(memory.data(), value, bytes);
    EXPECT_EQ(run(on, "set").status, 0);
  }
  std::string refused(const loom_cpp::instance &on, loom_job_desc d) {
    try {
      on.submit(d);
    } catch (const loom_cpp::error &e) {
      return e.what();
    }
    return "accepted";
  }

  loom_cpp::device device{"sim:npu16"};
  loom_cpp::buffer memory{device.get(), bytes};
  std::unique_ptr<loom_cpp::program> program;
};

TEST_F(State, BeginsAsDeclaredAndSurvivesCalls) {
  const loom_cpp::instance instance(program->get());
  EXPECT_THAT(get(instance), Each(7));
  EXPECT_THAT(instance.read_state(ZEROS, 0, bytes), Each(0));
  set(instance, 3);
  EXPECT_THAT(get(instance), Each(3));
  instance.reset();
  EXPECT_THAT(get(instance), Each(7));
}

TEST_F(State, InstancesShareNone) {
  const loom_cpp::instance a(program->get()), b(program->get());
  set(a, 1);
  EXPECT_THAT(get(b), Each(7));
  set(b, 2);
  EXPECT_THAT(get(a), Each(1));
}

TEST_F(State, IsReadAndWritten) {
  const loom_cpp::instance instance(program->get());
  const uint8_t value[4] = {1, 2, 3, 4};
  instance.write_state(W, 8, value, sizeof(value));
  const auto now = get(instance);
  EXPECT_EQ(std::memcmp(&now[8], value, sizeof(value)), 0);
  EXPECT_EQ(now[7], 7);
  EXPECT_EQ(now[12], 7);
  set(instance, 5); // a job that was submitted before is waited for
  EXPECT_THAT(instance.read_state(W, 0, bytes), Each(5));
}

TEST_F(State, RefusesWhatIsNoState) {
  const loom_cpp::instance instance(program->get());
  loom_error e{};
  uint8_t data[2 * bytes];
  auto *raw = instance.get();
  for (const uint32_t slot : {uint32_t{WEIGHTS}, uint32_t{IN}, 99u}) {
    EXPECT_EQ(loom_instance_read_state(raw, slot, 0, data, 1, &e), -EINVAL);
    EXPECT_THAT(e.message, HasSubstr("is not state of the program"));
  }
  EXPECT_EQ(loom_instance_write_state(raw, W, 1, data, bytes, &e), -EINVAL);
  EXPECT_THAT(e.message, HasSubstr("state w has 256 bytes"));
  EXPECT_EQ(loom_instance_read_state(raw, W, ~0ull, data, 2, &e), -EINVAL);
}

TEST_F(State, IsUndefinedOnceLost) {
  const loom_cpp::instance instance(program->get());
  EXPECT_EQ(run(instance, "trap").status, -EIO);
  loom_error e{};
  uint8_t data[1];
  EXPECT_EQ(loom_instance_read_state(instance.get(), W, 0, data, 1, &e), -EIO);
  EXPECT_THAT(e.message, HasSubstr("LOST"));
  instance.reset();
  EXPECT_THAT(get(instance), Each(7));
}

TEST_F(State, EntryPointsBindTheirOwnArguments) {
  const loom_cpp::instance instance(program->get());
  const loom_binding out{OUT, 0, memory.get(), 0};
  loom_job_desc d{};
  d.entry = program->entry("set");
  d.bindings = &out;
  d.n_bindings = 1;
  EXPECT_THAT(refused(instance, d),
              HasSubstr("slot 3 (out) is an argument of other entry points, "
                        "not of set"));
  d.n_bindings = 0;
  EXPECT_THAT(refused(instance, d), HasSubstr("slot 2 (in) is not bound"));
}

TEST_F(State, CpuSegmentsUseTheirEntryPointsArguments) {
  const loom_cpp::instance instance(program->get());
  loom_job_desc d{};
  d.entry = program->entry("thief");
  EXPECT_THAT(refused(instance, d),
              HasSubstr("entry point thief: its CPU segments use slot 3 (out), "
                        "an argument of other entry points only"));
}

} // namespace
