// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// MAP over memory that is its input and its output: the bits of the same
// program over memory of its own, in steps of every size.
#include "structures.h"
#include <gtest/gtest.h>

namespace loom::test {
namespace {

constexpr uint32_t count = 64 * 5 + 7;

struct shape_of_program {
  const char *name;
  std::vector<loom_cpu_scalar_op> ops;
  uint32_t results;
  std::vector<uint64_t> imms;
};

const std::vector<shape_of_program> programs = {
    {"one operation", binary(LOOM_UOP_FADD), 1, {}},
    {"an immediate",
     {load(0, 0), load(1, 1), uop(LOOM_UOP_FMUL, 2, 0, LOOM_CPU_IMM(0)),
      store(0, 2)},
     1,
     {0x40400000}},
    {"a value in a register before the last load",
     {load(0, 0), uop(LOOM_UOP_FNEG, 1, 0), load(2, 1),
      uop(LOOM_UOP_FADD, 3, 1, 2), store(0, 3)},
     1,
     {}},
    {"registers that take the loads' places",
     {load(0, 0), load(1, 1), uop(LOOM_UOP_FMUL, 1, 0, 1),
      uop(LOOM_UOP_FADD, 0, 0, 1), store(0, 0)},
     1,
     {}},
    {"an argument as it is", {load(0, 0), load(1, 1), store(0, 1)}, 1, {}},
    {"a value that is not the last",
     {load(0, 0), load(1, 1), uop(LOOM_UOP_FADD, 2, 0, 1),
      uop(LOOM_UOP_FMUL, 3, 0, 1), store(0, 2)},
     1,
     {}},
    {"a division",
     {load(0, 0), load(1, 1), uop(LOOM_UOP_FDIV, 2, 0, 1), store(0, 2)},
     1,
     {}},
    {"arguments that change places",
     {load(0, 0), load(1, 1), store(0, 1), store(1, 0)},
     2,
     {}},
    {"a sum and a difference",
     {load(0, 0), load(1, 1), uop(LOOM_UOP_FADD, 2, 0, 1), store(0, 2),
      uop(LOOM_UOP_FSUB, 3, 0, 1), store(1, 3)},
     2,
     {}},
};

// Results, by way of outputs that are inputs or lie apart, `offset` bytes into
// their slots.
std::vector<std::vector<float>> results(const shape_of_program &p,
                                        bool in_place, uint64_t offset,
                                        uint32_t quanta) {
  world w;
  operation m;
  for (uint32_t i = 0; i < 2; i++)
    m.in.push_back(dense(w.slot_of(random_floats(count + 2, i + 1)), LOOM_F32,
                         {count}, offset));
  for (uint32_t i = 0; i < p.results; i++)
    m.out.push_back(dense(in_place ? i : w.slot(4 * (count + 2)), LOOM_F32,
                          {count}, offset));
  m.ops = p.ops;
  m.imms = p.imms;
  w.add(m);
  EXPECT_NE(w.run(quanta), 0u) << p.name << ": " << w.error.what;
  std::vector<std::vector<float>> out;
  for (uint32_t i = 0; i < p.results; i++) {
    const auto all = w.get<float>(in_place ? i : 2 + i);
    out.emplace_back(all.begin() + int64_t(offset / 4),
                     all.begin() + int64_t(offset / 4) + count);
  }
  return out;
}

TEST(cpu_in_place, the_bits_of_memory_apart) {
  for (const auto &p : programs)
    for (uint64_t offset : {0, 4, 8}) {
      for (uint32_t quanta : {1u, 2u, 3u, 5u, ~0u}) {
        EXPECT_EQ(results(p, true, offset, quanta),
                  results(p, false, offset, 1))
            << p.name << ", " << offset << " bytes on, by " << quanta;
        EXPECT_EQ(results(p, false, offset, quanta),
                  results(p, false, offset, 1))
            << p.name << " apart, " << offset << " bytes on, by " << quanta;
      }
    }
}

// Nothing is written beyond a box whose last chunk is not full.
TEST(cpu_in_place, nothing_beyond_the_box) {
  for (const auto &p : programs) {
    world w;
    operation m;
    for (uint32_t i = 0; i < 2; i++)
      m.in.push_back(
          dense(w.slot_of(random_floats(count, i + 1)), LOOM_F32, {count}));
    for (uint32_t i = 0; i < p.results; i++) {
      const uint32_t slot =
          w.slot_of(std::vector<uint32_t>(count + 64, 0xa5a5a5a5u));
      m.out.push_back(dense(slot, LOOM_F32, {count}));
    }
    m.ops = p.ops;
    m.imms = p.imms;
    w.add(m);
    ASSERT_NE(w.run(), 0u) << p.name << ": " << w.error.what;
    for (uint32_t i = 0; i < p.results; i++) {
      const auto all = w.get<uint32_t>(2 + i);
      for (uint32_t k = count; k < count + 64; k++)
        ASSERT_EQ(all[k], 0xa5a5a5a5u) << p.name << ", element " << k;
    }
  }
}

} // namespace
} // namespace loom::test
