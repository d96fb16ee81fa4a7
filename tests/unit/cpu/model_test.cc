// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The CPU engine against the model of the NPU on random data: chains of
// micro-operations, reductions and scans of every length, matrix products. Not
// a bit may differ.
#include "segment.h"
#include "vpu_record.h"
#include <gtest/gtest.h>

namespace loom::test {
namespace {

std::vector<uint32_t> awkward(std::mt19937 &rng, size_t n) {
  std::vector<uint32_t> v(n);
  for (uint32_t &x : v)
    x = awkward_f32(rng);
  return v;
}

struct micro {
  uint32_t num, operands;
};

// All but moves to and from memory, reducers and tables.
std::vector<micro> arithmetic() {
  std::vector<micro> all;
#define LOOM_TEST_UOP(num, name, operands, cls, text)                          \
  if (#cls[0] != 'R' && num != LOOM_UOP_LOAD && num != LOOM_UOP_STORE &&       \
      num != LOOM_UOP_IOTA && num != LOOM_UOP_LUT8)                            \
    all.push_back({num, operands});
  LOOM_UOPS(LOOM_TEST_UOP)
#undef LOOM_TEST_UOP
  return all;
}

constexpr uint32_t n_in = 3, n_regs = 12, out_at = 3 << 14;

struct chain {
  std::vector<std::array<uint32_t, 5>> ops; // op, dst, a, b, c
};

// Registers 0 to 2 are loaded, each operation writes one more or again.
chain random_chain(std::mt19937 &rng) {
  static const auto all = arithmetic();
  chain c;
  uint32_t have = n_in;
  for (uint32_t i = 0; i < 12; i++) {
    const micro u = all[rng() % all.size()];
    const uint32_t dst = have < n_regs ? have : rng() % n_regs;
    c.ops.push_back({u.num, dst, uint32_t(rng() % have),
                     u.operands > 1 ? uint32_t(rng() % have) : 0,
                     u.operands > 2 ? uint32_t(rng() % have) : 0});
    have = std::max(have, dst + 1);
  }
  return c;
}

std::vector<uint32_t> on_model(machine &m, const chain &c,
                               const std::vector<uint32_t> (&in)[n_in]) {
  const uint32_t n = uint32_t(in[0].size());
  vpu_record r({uint16_t(n)});
  for (uint32_t i = 0; i < n_in; i++) {
    std::memcpy(m.sram() + (i << 14), in[i].data(), 4 * n);
    r.op(LOOM_UOP_LOAD, i, r.view(i << 14, LOOM_U32, {4}));
  }
  for (const auto &u : c.ops)
    r.op(u[0], u[1], u[2], u[3], u[4]);
  const uint32_t out = r.view(out_at, LOOM_U32, {4}, LOOM_VIEW_OUT);
  r.op(LOOM_UOP_STORE, out, c.ops.back()[1]);
  EXPECT_EQ(m.run(r.finish()), LOOM_FAULT_NONE);
  std::vector<uint32_t> got(n);
  std::memcpy(got.data(), m.sram() + out_at, 4 * n);
  return got;
}

std::vector<uint32_t> on_cpu(const chain &c,
                             const std::vector<uint32_t> (&in)[n_in]) {
  const uint32_t n = uint32_t(in[0].size());
  world w;
  operation m;
  for (uint32_t i = 0; i < n_in; i++) {
    m.in.push_back(dense(w.slot_of(in[i]), LOOM_U32, {n}));
    m.ops.push_back(load(i, i));
  }
  const uint32_t out = w.slot(4 * n);
  m.out = {dense(out, LOOM_U32, {n})};
  for (const auto &u : c.ops)
    m.ops.push_back(uop(u[0], u[1], u[2], u[3], u[4]));
  m.ops.push_back(store(0, c.ops.back()[1]));
  w.add(m);
  EXPECT_NE(w.run(2), 0u) << w.error.what;
  return w.get<uint32_t>(out);
}

TEST(cpu_like_the_model, chains) {
  std::mt19937 rng(20240917);
  for (int round = 0; round < 400; round++) {
    machine m;
    const chain c = random_chain(rng);
    const uint32_t n = 1 + rng() % 300;
    const std::vector<uint32_t> in[n_in] = {awkward(rng, n), awkward(rng, n),
                                            awkward(rng, n)};
    ASSERT_EQ(on_cpu(c, in), on_model(m, c, in)) << round;
  }
}

// rows x n, reduced along n on the model; along either dimension here.
void check_reduction(std::mt19937 &rng, uint32_t op, bool scan, uint32_t rows,
                     uint32_t n) {
  const auto in = awkward(rng, rows * n);
  machine m;
  vpu_record r({uint16_t(rows), uint16_t(n)});
  r.mask(scan ? LOOM_VPU_SCAN | 2 : 2);
  const int32_t line = 4 * int32_t(n);
  const bool is_float = op <= LOOM_UOP_RMAX_F;
  const uint32_t type = is_float ? LOOM_F32 : LOOM_U32;
  r.op(LOOM_UOP_LOAD, 0, r.view(0, LOOM_U32, {line, 4}));
  r.op(op,
       r.view(1 << 17, type, {scan ? line : 4, scan ? 4 : 0}, LOOM_VIEW_OUT),
       0);
  std::memcpy(m.sram(), in.data(), 4 * in.size());
  ASSERT_EQ(m.run(r.finish()), LOOM_FAULT_NONE);
  const size_t results = scan ? in.size() : rows;
  std::vector<uint32_t> want(results);
  std::memcpy(want.data(), m.sram() + (1 << 17), 4 * results);

  world w;
  operation o;
  o.in = {dense(w.slot_of(in), type, {rows, n})};
  const uint32_t out = w.slot(4 * results);
  o.out = {dense(out, type, {rows, scan ? n : 1})};
  if (scan) {
    o.structure = LOOM_CPU_SCAN;
    o.set(loom_cpu_scan{1, uint16_t(op), 1, 0});
  } else {
    o.structure = LOOM_CPU_REDUCE;
    o.set(loom_cpu_reduce{2, uint16_t(op), 1, 0});
  }
  w.add(o);
  ASSERT_NE(w.run(1), 0u) << w.error.what;
  EXPECT_EQ(w.get<uint32_t>(out), want)
      << op << " " << rows << " x " << n << (scan ? " scan" : "");
}

TEST(cpu_like_the_model, reductions_and_scans) {
  std::mt19937 rng(7);
  for (uint32_t op = LOOM_UOP_RADD_F; op <= LOOM_UOP_RXOR; op++)
    for (uint32_t rows : {1u, 5u, 16u, 90u})
      for (uint32_t n : {1u, 2u, 15u, 16u, 17u, 40u, 64u, 65u, 200u}) {
        check_reduction(rng, op, false, rows, n);
        check_reduction(rng, op, true, rows, n);
      }
}

// bf16, f16 and 8- and 16-bit integers into each other: storage as the VPU's.
TEST(cpu_like_the_model, storage) {
  std::mt19937 rng(9);
  for (uint32_t from = 0; from < LOOM_NUM_NPU_DTYPES; from++)
    for (uint32_t to = 0; to < LOOM_NUM_NPU_DTYPES; to++) {
      const uint32_t n = 500;
      const auto in = awkward(rng, n);
      machine m;
      vpu_record r({uint16_t(n)});
      r.op(LOOM_UOP_LOAD, 0, r.view(0, from, {4}));
      r.op(LOOM_UOP_STORE, r.view(1 << 14, to, {4}, LOOM_VIEW_OUT), 0);
      std::memcpy(m.sram(), in.data(), 4 * n);
      std::memset(m.sram() + (1 << 14), 0, 4 * n);
      ASSERT_EQ(m.run(r.finish()), LOOM_FAULT_NONE);
      std::vector<uint32_t> want(n);
      std::memcpy(want.data(), m.sram() + (1 << 14), 4 * n);
      world w;
      operation o;
      o.in = {operand(w.slot_of(in), from, {n}, {4})};
      const uint32_t out = w.slot(4 * n);
      o.out = {operand(out, to, {n}, {4})};
      o.ops = {load(0, 0), store(0, 0)};
      w.add(o);
      ASSERT_NE(w.run(), 0u) << w.error.what;
      EXPECT_EQ(w.get<uint32_t>(out), want) << from << " to " << to;
    }
}

// Matrix products whose k is long, with all that is awkward in them.
TEST(cpu_like_the_model, products) {
  std::mt19937 rng(11);
  for (uint32_t k : {1u, 15u, 16u, 17u, 300u, 1000u})
    for (uint32_t n : {1u, 20u}) {
      const uint32_t rows = 4;
      const auto a = awkward(rng, rows * k), b = awkward(rng, k * n);
      machine m;
      loom_dispatched r{};
      r.mxu.h.op = LOOM_OP_MXU;
      r.mxu.h.units = 4;
      r.mxu.mode = LOOM_MXU_GEMM;
      r.mxu.type = LOOM_MXU_F32;
      r.mxu.flags = LOOM_MXU_DRAIN;
      r.mxu.ih = r.mxu.oh = r.mxu.kh = r.mxu.kw = 1;
      r.mxu.iw = r.mxu.ow = uint16_t(rows);
      r.mxu.sy = r.mxu.sx = r.mxu.dy = r.mxu.dx = 1;
      r.mxu.kc = uint16_t(k);
      r.mxu.n = r.mxu.acc_pitch = uint16_t(n);
      r.mxu.a_sc = 4;
      r.mxu.a_sw = r.mxu.a_sh = int32_t(4 * k);
      r.mxu.b_base = 1 << 15;
      r.mxu.b_sn = 4;
      r.mxu.b_sk = int32_t(4 * n);
      r.mxu.outer[0] = r.mxu.outer[1] = 1;
      r.mxu.out_base = 1 << 17;
      r.mxu.o_sn = 4;
      r.mxu.o_sx = r.mxu.o_sy = int32_t(4 * n);
      r.mxu.out_type = LOOM_F32;
      std::memcpy(m.sram(), a.data(), 4 * a.size());
      std::memcpy(m.sram() + (1 << 15), b.data(), 4 * b.size());
      ASSERT_EQ(m.run(r), LOOM_FAULT_NONE) << k << " " << n;
      std::vector<uint32_t> want(rows * n);
      std::memcpy(want.data(), m.sram() + (1 << 17), 4 * want.size());
      world w;
      operation o;
      o.structure = LOOM_CPU_DOT;
      o.in = {operand(w.slot_of(a), LOOM_F32, {rows, n}, {4 * k, 0}),
              operand(w.slot_of(b), LOOM_F32, {rows, n}, {0, 4})};
      o.out = {dense(w.slot(4 * want.size()), LOOM_F32, {rows, n})};
      o.set(loom_cpu_dot{1, 0, {k}, {4}, {4 * n}});
      w.add(o);
      ASSERT_NE(w.run(), 0u) << w.error.what;
      EXPECT_EQ(w.get<uint32_t>(2), want) << k << " " << n;
    }
}

} // namespace
} // namespace loom::test
