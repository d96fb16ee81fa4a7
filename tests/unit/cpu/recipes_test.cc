// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What docs/cpu-engine.md makes of structures and scalar programs: argmax with
// NaN, comparisons in the total order of floats, bits as elements of another
// width, random bits.
#include "segment.h"
#include <algorithm>
#include <array>
#include <cmath>
#include <gtest/gtest.h>
#include <random>

namespace loom::test {
namespace {

// ---- argmax --------------------------------------------------------------

// The left pair stays if it is better, or as good and before the right one; two
// NaNs are as good as each other.
std::vector<loom_cpu_scalar_op> arg_program(bool wide, bool maximum) {
  const uint32_t w = wide ? 0x100 : 0;
  return {load(0, 0),
          load(1, 1),
          load(2, 2),
          load(3, 3),
          uop(w + (maximum ? LOOM_UOP_FGT : LOOM_UOP_FLT), 4, 0, 2),
          uop(w + LOOM_UOP_FNE, 5, 0, 0),
          uop(w + LOOM_UOP_FNE, 6, 2, 2),
          uop(LOOM_UOP_ILT, 7, 6, 5), // the left one alone is a NaN
          uop(LOOM_UOP_OR, 4, 4, 7),
          uop(LOOM_UOP_AND, 5, 5, 6),
          uop(w + LOOM_UOP_FEQ, 6, 0, 2),
          uop(LOOM_UOP_OR, 5, 5, 6),
          uop(LOOM_UOP_ILT, 6, 1, 3),
          uop(LOOM_UOP_AND, 5, 5, 6),
          uop(LOOM_UOP_OR, 4, 4, 5),
          uop(wide ? uint32_t(LOOM_CPU_SELECT64) : uint32_t(LOOM_UOP_SELECT), 0,
              4, 0, 2),
          uop(LOOM_UOP_SELECT, 1, 4, 1, 3),
          store(0, 0),
          store(1, 1)};
}

template <typename T>
void check_arg(uint32_t lines, uint32_t n, double nans, bool maximum) {
  const uint32_t type = sizeof(T) == 8 ? LOOM_F64 : LOOM_F32;
  std::mt19937 rng(n);
  std::vector<T> v(lines * n);
  for (T &x : v)
    x = rng() % 1000 < nans * 1000 ? T(NAN) : T(int(rng() % 7) - 3);
  std::vector<int32_t> index(n);
  for (uint32_t i = 0; i < n; i++)
    index[i] = int32_t(i);
  world w;
  operation m;
  m.structure = LOOM_CPU_REDUCE;
  m.in = {dense(w.slot_of(v), type, {lines, n}),
          operand(w.slot_of(index), LOOM_I32, {lines, n}, {0, 4}),
          dense(w.slot_of(std::vector<T>{maximum ? T(-INFINITY) : T(INFINITY)}),
                type, {}),
          dense(w.slot_of(std::vector<int32_t>{INT32_MAX}), LOOM_I32, {})};
  const uint32_t best = w.slot(lines * sizeof(T)), where = w.slot(lines * 4);
  m.out = {dense(best, type, {lines, 1}), dense(where, LOOM_I32, {lines, 1})};
  m.ops = arg_program(sizeof(T) == 8, maximum);
  m.set(loom_cpu_reduce{2, 0, 2, 0});
  w.add(m);
  ASSERT_NE(w.run(), 0u) << w.error.what;
  for (uint32_t line = 0; line < lines; line++) {
    const T *x = &v[line * n];
    uint32_t want = 0;
    for (uint32_t i = 1; i < n && !std::isnan(x[want]); i++)
      if (std::isnan(x[i]) || (maximum ? x[i] > x[want] : x[i] < x[want]))
        want = i;
    EXPECT_EQ(w.get<int32_t>(where)[line], int32_t(want)) << n;
    const T got = w.get<T>(best)[line];
    EXPECT_TRUE(got == x[want] || (std::isnan(got) && std::isnan(x[want])));
  }
}

TEST(cpu_recipes, argmax_and_argmin_with_nan) {
  for (uint32_t lines : {3u, 70u})
    for (uint32_t n : {1u, 15u, 64u, 300u})
      for (double nans : {0.0, 0.02, 0.9})
        for (bool maximum : {false, true}) {
          check_arg<float>(lines, n, nans, maximum);
          check_arg<double>(lines, n, nans, maximum);
        }
}

// ---- total order ---------------------------------------------------------

// -NaN < -inf < ... < -0 < +0 < ... < inf < NaN: the order of the bits as
// integers of the other sign's complement.
TEST(cpu_recipes, total_order) {
  const std::vector<uint32_t> sorted = {
      0xffc00000, 0xff800000, 0xc0000000, 0x80000001, 0x80000000,
      0,          1,          0x3f800000, 0x7f800000, 0x7fc00000};
  const uint32_t n = uint32_t(sorted.size());
  std::vector<uint32_t> keys = sorted;
  std::shuffle(keys.begin(), keys.end(), std::mt19937(4));
  for (bool wide : {false, true}) {
    const auto bits = [wide](const std::vector<uint32_t> &v) {
      std::vector<uint64_t> all;
      for (uint32_t x : v) {
        float f;
        std::memcpy(&f, &x, 4);
        const double d = f;
        uint64_t b = 0;
        std::memcpy(&b, &d, 8);
        all.push_back(wide ? b : x);
      }
      return all;
    };
    const uint32_t o = wide ? 0x200 : 0, type = wide ? LOOM_F64 : LOOM_F32;
    world w;
    operation m;
    m.structure = LOOM_CPU_SORT;
    const uint32_t out = w.slot(8 * n);
    m.in = {operand(w.slot_of(bits(keys)), type, {n}, {8})};
    m.out = {operand(out, type, {n}, {8}),
             dense(w.slot(8 * n), LOOM_U32, {2 * n})};
    m.imms = {wide ? 63u : 31u, 1};
    for (uint32_t i = 0; i < 2; i++) {
      m.ops.push_back(load(i, i));
      m.ops.push_back(uop(o + LOOM_UOP_SAR, 2, i, LOOM_CPU_IMM(0)));
      m.ops.push_back(uop(o + LOOM_UOP_SHR, 2, 2, LOOM_CPU_IMM(1)));
      m.ops.push_back(uop(o + LOOM_UOP_XOR, i, i, 2));
    }
    m.ops.push_back(uop(o + LOOM_UOP_ILT, 3, 0, 1));
    m.ops.push_back(store(0, 3));
    m.set(loom_cpu_sort{0, 1, {}});
    w.add(m);
    ASSERT_NE(w.run(), 0u) << w.error.what;
    EXPECT_EQ(w.get<uint64_t>(out), bits(sorted));
  }
}

// ---- bits as elements of another width -------------------------------------

TEST(cpu_recipes, bitcast) {
  const std::vector<uint32_t> v = {0x03020100, 0x07060504, 0xffeeddcc};
  world w;
  operation m;
  m.structure = LOOM_CPU_COPY; // [3] of U32 is [3, 4] of U8, and back
  const uint32_t in = w.slot_of(v), bytes = w.slot(12), back = w.slot(12);
  m.in = {dense(in, LOOM_U8, {3, 4})};
  m.out = {dense(bytes, LOOM_U8, {3, 4})};
  w.add(m);
  m.in = {dense(bytes, LOOM_U32, {3})};
  m.out = {dense(back, LOOM_U32, {3})};
  w.add(m);
  ASSERT_NE(w.run(), 0u) << w.error.what;
  EXPECT_EQ(w.get<uint8_t>(bytes)[5], 5);
  EXPECT_EQ(w.get<uint8_t>(bytes)[8], 0xcc);
  EXPECT_EQ(w.get<uint32_t>(back), v);
}

// ---- random bits -----------------------------------------------------------

// A MAP over one element: words are operands 0, 1, ... of slots.
void add_map(world &w, const std::vector<uint32_t> &in,
             const std::vector<uint32_t> &out,
             const std::vector<loom_cpu_scalar_op> &ops,
             const std::vector<uint64_t> &imms) {
  operation m;
  for (uint32_t slot : in)
    m.in.push_back(dense(slot, LOOM_U32, {1}));
  for (uint32_t slot : out)
    m.out.push_back(dense(slot, LOOM_U32, {1}));
  m.ops = ops;
  m.imms = imms;
  w.add(m);
}

// Threefry 2x32, twenty rounds in two MAPs: registers 0 and 1 hold the words, 2
// to 4 the key. Every fourth round a part of the key goes in.
void add_threefry(world &w, const std::vector<uint32_t> &words,
                  const std::vector<uint32_t> &key) {
  const uint64_t turns[8] = {13, 15, 26, 6, 17, 29, 16, 24};
  std::vector<uint64_t> imms = {0x1bd11bda};
  imms.insert(imms.end(), turns, turns + 8);
  for (uint64_t i = 1; i <= 5; i++)
    imms.push_back(i);
  for (uint32_t half = 0; half < 2; half++) {
    std::vector<loom_cpu_scalar_op> ops = {
        load(0, 0),
        load(1, 1),
        load(2, 2),
        load(3, 3),
        uop(LOOM_UOP_XOR, 4, 2, 3),
        uop(LOOM_UOP_XOR, 4, 4, LOOM_CPU_IMM(0))};
    const auto add = [&ops](uint32_t d, uint32_t b) {
      ops.push_back(uop(LOOM_UOP_IADD, d, d, b));
    };
    if (half == 0) {
      add(0, 2);
      add(1, 3);
    }
    for (uint32_t round = half ? 8 : 0; round < (half ? 20u : 8u); round++) {
      add(0, 1);
      ops.push_back(uop(LOOM_UOP_ROTL, 1, 1, LOOM_CPU_IMM(1 + round % 8)));
      ops.push_back(uop(LOOM_UOP_XOR, 1, 1, 0));
      if (round % 4 == 3) {
        const uint32_t group = round / 4 + 1;
        add(0, 2 + group % 3);
        add(1, 2 + (group + 1) % 3);
        add(1, LOOM_CPU_IMM(8 + group));
      }
    }
    ops.push_back(store(0, 0));
    ops.push_back(store(1, 1));
    add_map(w, {words[0], words[1], key[0], key[1]}, words, ops, imms);
  }
}

// Philox 4x32, ten rounds, five to a MAP; the key counts up.
void add_philox(world &w, const std::vector<uint32_t> &words,
                const std::vector<uint32_t> &key) {
  const std::vector<uint64_t> imms = {0xd2511f53, 0xcd9e8d57, 0x9e3779b9,
                                      0xbb67ae85};
  for (uint32_t half = 0; half < 2; half++) {
    std::vector<loom_cpu_scalar_op> ops;
    for (uint32_t i = 0; i < 6; i++)
      ops.push_back(load(i, i));
    uint32_t x[4] = {0, 1, 2, 3}; // the registers of the four words
    for (uint32_t round = 0; round < 5; round++) {
      ops.push_back(uop(LOOM_UOP_UMULH, 6, x[2], LOOM_CPU_IMM(1)));
      ops.push_back(uop(LOOM_UOP_IMUL, x[2], x[2], LOOM_CPU_IMM(1)));
      ops.push_back(uop(LOOM_UOP_UMULH, 7, x[0], LOOM_CPU_IMM(0)));
      ops.push_back(uop(LOOM_UOP_IMUL, x[0], x[0], LOOM_CPU_IMM(0)));
      ops.push_back(uop(LOOM_UOP_XOR, 6, 6, x[1]));
      ops.push_back(uop(LOOM_UOP_XOR, x[1], 6, 4));
      ops.push_back(uop(LOOM_UOP_XOR, 7, 7, x[3]));
      ops.push_back(uop(LOOM_UOP_XOR, x[3], 7, 5));
      ops.push_back(uop(LOOM_UOP_IADD, 4, 4, LOOM_CPU_IMM(2)));
      ops.push_back(uop(LOOM_UOP_IADD, 5, 5, LOOM_CPU_IMM(3)));
      std::rotate(x, x + 1, x + 4);
    }
    std::vector<uint32_t> all = words;
    all.insert(all.end(), key.begin(), key.end());
    for (uint32_t i = 0; i < 6; i++)
      ops.push_back(store(i, i < 4 ? x[i] : i));
    add_map(w, all, all, ops, imms);
  }
}

template <size_t N> struct known_answer {
  std::array<uint32_t, N> words;
  std::array<uint32_t, 2> key;
  std::array<uint32_t, N> result;
};

template <size_t N>
void check_random(const known_answer<N> &k,
                  void (*add)(world &, const std::vector<uint32_t> &,
                              const std::vector<uint32_t> &)) {
  world w;
  std::vector<uint32_t> words, key;
  for (uint32_t v : k.words)
    words.push_back(w.slot_of(std::vector<uint32_t>{v}));
  for (uint32_t v : k.key)
    key.push_back(w.slot_of(std::vector<uint32_t>{v}));
  add(w, words, key);
  ASSERT_NE(w.run(), 0u) << w.error.what;
  for (size_t i = 0; i < N; i++)
    EXPECT_EQ(w.get<uint32_t>(words[i])[0], k.result[i]);
}

// The known answers that the generators' authors publish.
TEST(cpu_recipes, random_bits) {
  for (const known_answer<2> &k : std::initializer_list<known_answer<2>>{
           {{0, 0}, {0, 0}, {0x6b200159, 0x99ba4efe}},
           {{~0u, ~0u}, {~0u, ~0u}, {0x1cb996fc, 0xbb002be7}},
           {{0x243f6a88, 0x85a308d3},
            {0x13198a2e, 0x03707344},
            {0xc4923a9c, 0x483df7a0}}})
    check_random(k, add_threefry);
  for (const known_answer<4> &k : std::initializer_list<known_answer<4>>{
           {{0, 0, 0, 0},
            {0, 0},
            {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
           {{~0u, ~0u, ~0u, ~0u},
            {~0u, ~0u},
            {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
           {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
            {0xa4093822, 0x299f31d0},
            {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}}})
    check_random(k, add_philox);
}

} // namespace
} // namespace loom::test
