// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The in-process device through the C API.
#include <optional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "loom/loom.hpp"
#include "program_builder.h"

namespace {

using namespace loom_test;
using testing::HasSubstr;

struct memory {
  memory(const loom_cpp::device &d, uint64_t bytes)
      : in(d.get(), bytes), out(d.get(), bytes) {}
  loom_job_desc desc() {
    bindings[0] = {0, 0, in.get(), 0};
    bindings[1] = {1, 0, out.get(), 0};
    loom_job_desc d{};
    d.n_bindings = 2;
    d.bindings = bindings;
    return d;
  }
  loom_cpp::buffer in, out;
  loom_binding bindings[2];
};

// in -> SRAM -> out, in the given number of segments of one round trip each.
program_builder copier(uint32_t bytes, int segments = 1) {
  program_builder b;
  b.slot("in", LOOM_SLOT_ARG, bytes, LOOM_RIGHT_READ);
  b.slot("out", LOOM_SLOT_ARG, bytes, LOOM_RIGHT_WRITE);
  b.tensor("x", 0, LOOM_U8, LOOM_ROLE_INPUT, bytes, bytes);
  b.tensor("y", 1, LOOM_U8, LOOM_ROLE_OUTPUT, bytes, bytes);
  for (int s = 0; s < segments; s++) {
    auto load = copy(LOOM_OP_LD_COPY, LOOM_ADDR(0, 0),
                     LOOM_ADDR(LOOM_SLOT_SRAM, 0), bytes);
    load.h.signal[0] = {3, 1};
    b.add(load);
    auto store = copy(LOOM_OP_ST_COPY, LOOM_ADDR(LOOM_SLOT_SRAM, 0),
                      LOOM_ADDR(1, 0), bytes);
    store.h.wait[0] = {3, 1};
    b.add(store);
    b.add(halt());
    b.segment();
  }
  return b;
}

class Sim : public testing::Test {
protected:
  loom_cpp::program load(program_builder &b) {
    const auto bytes = b.build(device.target());
    return loom_cpp::program(device.get(), bytes.data(), bytes.size());
  }
  loom_cpp::device device{"sim:npu16"};
};

TEST_F(Sim, CopiesAndCounts) {
  auto b = copier(1000);
  auto program = load(b);
  loom_cpp::instance instance(program.get());
  memory m(device, 1000);
  for (int i = 0; i < 1000; i++)
    static_cast<uint8_t *>(m.in.data())[i] = static_cast<uint8_t>(i * 7);
  const auto r = instance.submit(m.desc()).wait();
  EXPECT_EQ(r.status, 0) << r.message;
  EXPECT_EQ(std::memcmp(m.in.data(), m.out.data(), 1000), 0);
  EXPECT_EQ(r.insns, 3u);
  // Two transfers of 1000 bytes at 8 bytes a cycle, one after the other, and a
  // latency each.
  EXPECT_GT(r.cycles, 2 * (1000 / 8 + 100));
  EXPECT_LT(r.cycles, 2 * (1024 / 8 + 100) + 300);
  EXPECT_EQ(device.stats().jobs_driver, 1u);
  EXPECT_EQ(device.stats().jobs_device, 1u);
}

TEST_F(Sim, ChainsAddUp) {
  auto one = copier(4096, 1), many = copier(4096, 64);
  memory m(device, 4096);
  auto p1 = load(one), p64 = load(many);
  const auto r1 = loom_cpp::instance(p1.get()).submit(m.desc()).wait();
  const auto r64 = loom_cpp::instance(p64.get()).submit(m.desc()).wait();
  EXPECT_EQ(r64.status, 0) << r64.message;
  EXPECT_EQ(r64.cycles, 64 * r1.cycles);
}

// in -> two scratch slots, one half each, if it writes them; both -> out.
program_builder through_scratch(uint32_t bytes, bool writes) {
  program_builder b;
  const uint32_t half = bytes / 2, rights = LOOM_RIGHT_READ | LOOM_RIGHT_WRITE;
  b.slot("in", LOOM_SLOT_ARG, bytes, LOOM_RIGHT_READ);
  b.slot("out", LOOM_SLOT_ARG, bytes, LOOM_RIGHT_WRITE);
  b.slot("first", LOOM_SLOT_SCRATCH, half, rights);
  b.slot("second", LOOM_SLOT_SCRATCH, half, rights);
  const uint8_t moves = writes ? 8 : 4;
  uint8_t token = 0;
  auto move = [&](uint8_t op, uint64_t from, uint64_t to) {
    auto record = copy(op, from, to, half);
    if (token)
      record.h.wait[0] = {token, 1};
    if (++token < moves)
      record.h.signal[0] = {token, 1};
    b.add(record);
  };
  auto through_sram = [&](uint64_t from, uint64_t to) {
    move(LOOM_OP_LD_COPY, from, LOOM_ADDR(LOOM_SLOT_SRAM, 0));
    move(LOOM_OP_ST_COPY, LOOM_ADDR(LOOM_SLOT_SRAM, 0), to);
  };
  for (uint32_t i = 0; writes && i < 2; i++)
    through_sram(LOOM_ADDR(0, i * half), LOOM_ADDR(2 + i, 0));
  for (uint32_t i = 0; i < 2; i++)
    through_sram(LOOM_ADDR(2 + i, 0), LOOM_ADDR(1, i * half));
  b.add(halt());
  b.segment();
  return b;
}

TEST_F(Sim, InstancesShareScratch) {
  constexpr uint32_t large_bytes = 256 << 10;
  auto small_code = through_scratch(1024, true);
  auto reader_code = through_scratch(1024, false);
  auto large_code = through_scratch(large_bytes, true);
  auto small = load(small_code), reader = load(reader_code),
       large = load(large_code);
  loom_cpp::instance a(small.get()), b(reader.get());
  memory m(device, 1024), seen(device, 1024), big(device, large_bytes);
  for (int i = 0; i < 1024; i++)
    static_cast<uint8_t *>(m.in.data())[i] = static_cast<uint8_t>(i * 7);
  const auto equal = [&](const memory &to) {
    return std::memcmp(m.in.data(), to.out.data(), 1024) == 0;
  };
  EXPECT_EQ(a.submit(m.desc()).wait().status, 0);
  EXPECT_TRUE(equal(m));
  // What nobody may rely on shows that there is one memory.
  EXPECT_EQ(b.submit(seen.desc()).wait().status, 0);
  EXPECT_TRUE(equal(seen));

  std::memset(big.in.data(), 0x5a, large_bytes);
  for (int round = 0; round < 20; round++) {
    std::memset(m.out.data(), 0, 1024);
    std::memset(big.out.data(), 0, large_bytes);
    std::optional<loom_cpp::instance> c(large.get());
    const auto first = c->submit(big.desc()), second = a.submit(m.desc());
    c.reset(); // the memory shrinks as jobs go on
    const auto third = a.submit(m.desc());
    EXPECT_EQ(first.wait().status, 0);
    EXPECT_EQ(second.wait().status, 0);
    EXPECT_EQ(third.wait().status, 0);
    EXPECT_TRUE(equal(m));
    EXPECT_EQ(std::memcmp(big.in.data(), big.out.data(), large_bytes), 0);
  }
}

TEST_F(Sim, ReportsAddUpToTheJob) {
  auto b = copier(5000);
  auto program = load(b);
  loom_cpp::instance instance(program.get());
  memory m(device, 5000);
  auto desc = m.desc();
  desc.report_entries = 16;
  auto event = instance.submit(desc);
  event.wait();
  const loom_report *r = event.report(0);
  ASSERT_NE(r, nullptr);
  EXPECT_EQ(r->n_entries, 3u);
  for (const auto &q : r->queue)
    EXPECT_EQ(q.busy + q.edge + q.fill + q.wait_mem + q.wait_dep + q.idle,
              r->cycles);
  EXPECT_EQ(event.report(1), nullptr);
}

TEST_F(Sim, FaultNamesSlotOffsetInstructionAndPlace) {
  program_builder b;
  b.slot("in", LOOM_SLOT_ARG, 4096, LOOM_RIGHT_READ);
  b.slot("cache/key", LOOM_SLOT_ARG, 0x3000,
         LOOM_RIGHT_READ | LOOM_RIGHT_WRITE);
  const auto place =
      b.loc(b.scope("Dense_0", b.scope("mlp")), "model.py", 12, "dot_general");
  b.add(seq(LOOM_OP_LDI, 1, 0, 0, 5));
  auto bad = copy(LOOM_OP_LD_COPY, LOOM_ADDR(1, 0x2f00),
                  LOOM_ADDR(LOOM_SLOT_SRAM, 0), 0x200);
  bad.h.loc = place;
  b.add(bad);
  b.add(halt());
  b.segment();
  auto program = load(b);
  loom_cpp::instance instance(program.get());
  memory m(device, 0x3000);
  const auto r = instance.submit(m.desc()).wait();
  EXPECT_EQ(r.status, -EIO);
  EXPECT_EQ(r.end.fault, LOOM_FAULT_SLOT_BOUNDS);
  EXPECT_THAT(r.message, HasSubstr("slot 1 (cache/key)"));
  EXPECT_THAT(r.message, HasSubstr("past 0x3000"));
  EXPECT_THAT(r.message, HasSubstr("instruction 1"));
  EXPECT_THAT(r.message, HasSubstr("mlp/Dense_0 (model.py:12, dot_general)"));

  // LOST until reset.
  try {
    instance.submit(m.desc());
    FAIL() << "a LOST instance took a job";
  } catch (const loom_cpp::error &e) {
    EXPECT_EQ(e.code, -EIO);
    EXPECT_THAT(e.what(), HasSubstr("LOST"));
  }
  instance.reset();
  EXPECT_EQ(instance.submit(m.desc()).wait().end.fault, LOOM_FAULT_SLOT_BOUNDS);
}

TEST_F(Sim, StateSurvivesCallsAndReset) {
  program_builder b;
  b.constants.assign(4096, 0x41);
  b.slot("in", LOOM_SLOT_ARG, 64, LOOM_RIGHT_READ);
  b.slot("out", LOOM_SLOT_ARG, 64, LOOM_RIGHT_WRITE);
  b.slot("state", LOOM_SLOT_STATE, 64, LOOM_RIGHT_READ | LOOM_RIGHT_WRITE, 0,
         LOOM_SLOT_INIT);
  // out = state; state = in.
  auto a = copy(LOOM_OP_LD_COPY, LOOM_ADDR(2, 0), LOOM_ADDR(1, 0), 64);
  b.add(a);
  b.add(copy(LOOM_OP_LD_COPY, LOOM_ADDR(0, 0), LOOM_ADDR(2, 0), 64));
  b.add(halt());
  b.segment();
  auto program = load(b);
  loom_cpp::instance one(program.get()), two(program.get());
  memory m(device, 64);
  std::memset(m.in.data(), 0x99, 64);
  const auto *out = static_cast<const uint8_t *>(m.out.data());
  one.submit(m.desc()).wait();
  EXPECT_EQ(out[0], 0x41);
  one.submit(m.desc()).wait();
  EXPECT_EQ(out[63], 0x99);
  two.submit(m.desc()).wait();
  EXPECT_EQ(out[0], 0x41) << "instances share state";
  one.reset();
  one.submit(m.desc()).wait();
  EXPECT_EQ(out[0], 0x41);
}

TEST_F(Sim, RefusesBadBindings) {
  auto b = copier(4096);
  auto program = load(b);
  loom_cpp::instance instance(program.get());
  memory m(device, 4096);
  loom_cpp::buffer small(device.get(), 64);
  const auto expect = [&](loom_job_desc d, const char *words) {
    try {
      instance.submit(d);
      ADD_FAILURE() << "took: " << words;
    } catch (const loom_cpp::error &e) {
      EXPECT_EQ(e.code, -EINVAL);
      EXPECT_THAT(e.what(), HasSubstr(words));
    }
  };
  auto d = m.desc();
  d.n_bindings = 1;
  expect(d, "slot 1 (out) is not bound");
  d = m.desc();
  m.bindings[1].slot = 7;
  expect(d, "slot 7 is not an argument");
  d = m.desc();
  m.bindings[1].slot = 0;
  expect(d, "bound twice");
  d = m.desc();
  m.bindings[1].offset = 64;
  expect(d, "needs 4096 bytes");
  d = m.desc();
  m.bindings[1].offset = 3;
  expect(d, "multiple of 64");
  d = m.desc();
  m.bindings[1].buffer = m.in.get();
  expect(d, "writable slot 1 (out) overlaps slot 0 (in)");
  d = m.desc();
  d.entry = 3;
  expect(d, "entry point 3");
}

TEST_F(Sim, HandlesMayBeDestroyedInAnyOrder) {
  auto b = copier(65536, 8);
  auto d = std::make_unique<loom_cpp::device>("sim:npu16");
  const auto bytes = b.build(d->target());
  auto p =
      std::make_unique<loom_cpp::program>(d->get(), bytes.data(), bytes.size());
  auto i = std::make_unique<loom_cpp::instance>(p->get());
  auto m = std::make_unique<memory>(*d, 65536);
  auto desc = m->desc();
  std::vector<loom_cpp::event> events;
  for (int k = 0; k < 20; k++)
    events.push_back(i->submit(desc));
  d.reset();
  p.reset();
  m.reset();
  i.reset();
  for (auto &e : events)
    EXPECT_EQ(e.wait().status, 0);
}

TEST(SimOpen, NamesWhatIsWrong) {
  loom_device *d = nullptr;
  loom_error e{};
  EXPECT_EQ(loom_device_open("sim:npu7", &d, &e), -EINVAL);
  EXPECT_THAT(e.message, HasSubstr("npu8, npu16, npu64, npu128"));
  EXPECT_EQ(loom_device_open("/dev/accel/none", &d, &e), -ENOENT);
  EXPECT_THAT(e.message, HasSubstr("/dev/accel/none"));
  EXPECT_THAT(e.message, HasSubstr("--device sim"));
  EXPECT_EQ(loom_device_open("bogus", &d, &e), -EINVAL);
  EXPECT_EQ(loom_device_open("/dev/null", &d, &e), -ENODEV);
  EXPECT_THAT(e.message, HasSubstr("not loom"));
}

} // namespace
