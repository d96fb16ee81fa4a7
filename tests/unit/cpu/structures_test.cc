// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// One segment of every structure, run in steps of every size: the same bits,
// and exactly the quanta that its cost was made of. Then what golden vectors do
// not show: indices out of bounds, updates that meet, what lies around boxes.
#include "structures.h"
#include <algorithm>
#include <functional>
#include <gtest/gtest.h>
#include <numeric>
#include <random>

namespace loom::test {
namespace {

TEST(cpu_steps, every_quantum_gives_the_same_bits) {
  for (const auto &[name, make] : structures) {
    world whole;
    make(whole);
    ASSERT_EQ(whole.run(), 1u) << name << ": " << whole.error.what;
    const auto *op = reinterpret_cast<const loom_cpu_op *>(whole.code.data());
    const uint64_t quanta = loom_cpu_quanta(op);
    for (uint32_t n = 1; n < 20 || n <= quanta + 1;
         n = n < 20 ? n + 1 : n * 2) {
      world pieces;
      make(pieces);
      EXPECT_EQ(pieces.run(n), (quanta + n - 1) / n) << name;
      EXPECT_EQ(pieces.all(), whole.all()) << name << " by " << n;
    }
  }
}

TEST(cpu_steps, operations_follow_each_other) {
  world all, ones;
  for (const auto &[name, make] : structures) {
    make(all);
    make(ones);
  }
  ASSERT_EQ(all.run(), 1u) << all.error.what;
  ASSERT_GT(ones.run(1), 1u);
  EXPECT_EQ(all.all(), ones.all());
  EXPECT_EQ(all.segment.n_ops, structures.size());
}

TEST(cpu_steps, no_quanta_do_nothing) {
  world w;
  make_map(w);
  ASSERT_EQ(w.check(), LOOM_CPU_OK);
  const auto s = std::make_unique<scratch>();
  loom_cpu_cursor c;
  loom_cpu_begin(&c, s->bytes);
  const auto before = w.all();
  EXPECT_EQ(loom_cpu_step(&w.segment, &c, 0), LOOM_CPU_MORE);
  EXPECT_EQ(w.all(), before);
}

TEST(cpu_structures, argmax) {
  for (uint32_t lines : {3u, 70u}) {
    world w;
    make_region_reduce(w, lines, 21);
    ASSERT_NE(w.run(), 0u);
    const auto v = w.get<float>(0), best = w.get<float>(4);
    const auto index = w.get<int32_t>(5);
    for (uint32_t i = 0; i < lines; i++) {
      const auto *line = &v[i * 21], *top = std::max_element(line, line + 21);
      EXPECT_EQ(best[i], *top);
      EXPECT_EQ(index[i], top - line);
    }
  }
}

TEST(cpu_structures, gather_clamps) {
  world w;
  make_gather(w);
  ASSERT_NE(w.run(), 0u);
  const auto index = w.get<int32_t>(1);
  const auto out = w.get<int16_t>(2);
  for (int i = 0; i < 150; i++)
    EXPECT_EQ(out[i], std::clamp(index[i / 3], 0, 19) * 3 + i % 3);
}

template <typename T> void gather_by(uint32_t type, std::vector<T> index) {
  world w;
  operation m;
  m.structure = LOOM_CPU_GATHER;
  const uint32_t n = uint32_t(index.size());
  m.in = {operand(w.slot_of(counted<uint32_t>(100)), LOOM_U32, {n}, {0}),
          dense(w.slot_of(index), type, {n})};
  m.out = {dense(w.slot(4 * n), LOOM_U32, {n})};
  m.set(loom_cpu_gather{1, 0, {99}, {4}});
  w.add(m);
  ASSERT_NE(w.run(), 0u) << w.error.what;
  const auto out = w.get<uint32_t>(2);
  for (uint32_t i = 0; i < n; i++)
    EXPECT_EQ(out[i], index[i] < T(0)    ? 0u
                      : index[i] > T(99) ? 99u
                                         : index[i])
        << +index[i];
}

TEST(cpu_structures, indices_of_every_type_are_clamped) {
  gather_by<int8_t>(LOOM_I8, {-128, -1, 0, 5, 99, 100, 127});
  gather_by<uint8_t>(LOOM_U8, {0, 99, 100, 255});
  gather_by<int16_t>(LOOM_I16, {-32768, 7, 100, 32767});
  gather_by<uint16_t>(LOOM_U16, {3, 0x8000, 0xffff});
  gather_by<int32_t>(LOOM_I32, {INT32_MIN, -1, 98, INT32_MAX});
  gather_by<uint32_t>(LOOM_U32, {1, 0x80000000u, ~0u});
  gather_by<int64_t>(LOOM_I64, {INT64_MIN, 42, INT64_MAX, 1ll << 32});
  gather_by<uint64_t>(LOOM_U64, {9, 1ull << 63, ~0ull});
}

// Updates one after the other, row-major; those out of bounds are dropped.
TEST(cpu_structures, scatter_in_order) {
  for (bool clamp : {false, true}) {
    world w;
    make_scatter(w);
    auto *p = reinterpret_cast<loom_cpu_scatter *>(
        w.code.data() +
        (sizeof(loom_cpu_op) + 3 * sizeof(loom_cpu_operand)) / 8);
    p->flags = clamp ? LOOM_CPU_SCATTER_CLAMP : 0;
    auto want = w.get<float>(2);
    const auto updates = w.get<float>(0);
    const auto index = w.get<int32_t>(1);
    ASSERT_NE(w.run(), 0u) << w.error.what;
    for (int i = 0; i < 300; i++) {
      const int row = index[i / 3], at = std::clamp(row, 0, 9);
      if (clamp || row == at)
        want[at * 3 + i % 3] += updates[i];
    }
    EXPECT_EQ(w.get<float>(2), want);
  }
}

TEST(cpu_structures, scatter_of_two_arrays) {
  world w;
  make_scatter_of_two(w);
  auto best = w.get<float>(3);
  auto where = w.get<int64_t>(4);
  const auto values = w.get<float>(0);
  const auto index = w.get<int32_t>(2);
  ASSERT_NE(w.run(), 0u) << w.error.what;
  for (int i = 0; i < 300; i++) {
    const int row = index[i / 3], column = i % 3;
    if (row < 0 || row > 9 || !(best[row * 3 + column] < values[i]))
      continue;
    best[row * 3 + column] = values[i];
    where[column * 10 + row] = i / 3;
  }
  EXPECT_EQ(w.get<float>(3), best);
  EXPECT_EQ(w.get<int64_t>(4), where);
}

TEST(cpu_structures, sort_is_stable) {
  for (uint32_t n : {1u, 2u, 3u, 63u, 64u, 65u, 129u, 1000u}) {
    world w;
    make_sort(w, n);
    ASSERT_NE(w.run(), 0u);
    const auto in = w.get<int32_t>(0), keys = w.get<int32_t>(2);
    const auto moved = w.get<int64_t>(3);
    for (uint32_t line = 0; line < 3; line++) {
      std::vector<int64_t> want = counted<int64_t>(n, line * n);
      std::stable_sort(want.begin(), want.end(),
                       [&](int64_t a, int64_t b) { return in[a] < in[b]; });
      for (uint32_t i = 0; i < n; i++) {
        EXPECT_EQ(moved[line * n + i], want[i]);
        EXPECT_EQ(keys[line * n + i], in[want[i]]);
      }
    }
  }
}

// A comparator that contradicts itself ends, and stays in its boxes.
TEST(cpu_structures, sort_with_a_mad_order) {
  world w;
  make_sort(w, 300);
  auto *op = reinterpret_cast<loom_cpu_op *>(w.code.data());
  auto *ops = reinterpret_cast<loom_cpu_scalar_op *>(
                  reinterpret_cast<uint8_t *>(w.code.data()) + op->bytes) -
              4;
  ops[2] = uop(LOOM_UOP_INE, 2, 0, 1);
  ASSERT_NE(w.run(3), 0u) << w.error.what;
}

// Slots that are written while they are read: nothing outside is touched (the
// sanitizers look) and the steps are as many as ever.
TEST(cpu_steps, slots_that_change_meanwhile) {
  std::mt19937 rng(1);
  for (const auto &[name, make] : structures) {
    world w;
    make(w);
    ASSERT_EQ(w.check(), LOOM_CPU_OK);
    const auto s = std::make_unique<scratch>();
    loom_cpu_cursor c;
    loom_cpu_begin(&c, s->bytes);
    const auto *op = reinterpret_cast<const loom_cpu_op *>(w.code.data());
    uint64_t steps = 1;
    for (; loom_cpu_step(&w.segment, &c, 1) == LOOM_CPU_MORE; steps++)
      for (auto &m : w.all())
        for (uint8_t &b : m)
          b = uint8_t(rng());
    EXPECT_EQ(steps, loom_cpu_quanta(op)) << name;
  }
}

} // namespace
} // namespace loom::test
