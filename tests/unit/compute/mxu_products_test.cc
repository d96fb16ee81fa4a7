// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Products of the array against libm's fmaf, one step at a time: two hundred
// thousand outputs of each floating type with NaN, infinities and subnormal
// numbers among operands and results, and one problem in all its tilings.
#include "machine.h"
#include <cmath>
#include <gtest/gtest.h>

namespace loom::test {
namespace {

constexpr uint32_t operand_a = 64, operand_b = 128 << 10, result = 192 << 10;
constexpr uint64_t least_outputs = 200000;

// OUT [m][n] = A [m][k] * B [k][n], dense.
struct product {
  loom_mxu_type type;
  int m, k, n;
  uint32_t elem() const { return type == LOOM_MXU_F32 ? 4 : 2; }
};

// Rows [i0, i1), columns [j0, j1) and products [k0, k1) of it, as one record.
loom_dispatched tile(const product &p, int i0, int i1, int j0, int j1, int k0,
                     int k1) {
  loom_dispatched r{};
  loom_mxu &m = r.mxu;
  const uint32_t e = p.elem();
  m.h.op = LOOM_OP_MXU;
  m.h.units = 4;
  m.type = p.type;
  m.acc = k0 ? LOOM_ACC_KEEP : LOOM_ACC_ZERO;
  m.ih = m.kh = m.kw = m.oh = m.sy = m.sx = m.dy = m.dx = 1;
  m.outer[0] = m.outer[1] = 1;
  m.iw = m.ow = uint16_t(i1 - i0);
  m.kc = uint16_t(k1 - k0);
  m.n = uint16_t(j1 - j0);
  m.a_base = operand_a + uint32_t(i0 * p.k + k0) * e;
  m.a_sw = int32_t(uint32_t(p.k) * e);
  m.a_sc = int32_t(e);
  m.b_base = operand_b + uint32_t(k0 * p.n + j0) * e;
  m.b_sk = int32_t(uint32_t(p.n) * e);
  m.b_sn = int32_t(e);
  m.acc_pitch = uint16_t(j1 - j0);
  if (k1 < p.k)
    return r;
  m.flags = LOOM_MXU_DRAIN;
  m.out_type = LOOM_F32;
  m.out_base = result + uint32_t(i0 * p.n + j0) * 4;
  m.o_sx = p.n * 4;
  m.o_sn = 4;
  return r;
}

float operand(const machine &m, const product &p, uint32_t base, int i) {
  return to_float(
      p.elem() == 4 ? m.get<uint32_t>(base + uint32_t(i) * 4)
                    : uint32_t(m.get<uint16_t>(base + uint32_t(i) * 2)) << 16);
}

std::vector<uint32_t> expected(const machine &m, const product &p) {
  std::vector<uint32_t> out;
  for (int i = 0; i < p.m; i++)
    for (int j = 0; j < p.n; j++) {
      float f = 0;
      for (int k = 0; k < p.k; k++)
        f = std::fmaf(operand(m, p, operand_a, i * p.k + k),
                      operand(m, p, operand_b, k * p.n + j), f);
      out.push_back(canonical(f));
    }
  return out;
}

std::vector<uint32_t> found(const machine &m, const product &p) {
  std::vector<uint32_t> out(size_t(p.m) * size_t(p.n));
  for (size_t i = 0; i < out.size(); i++)
    out[i] = m.get<uint32_t>(result + uint32_t(i) * 4);
  return out;
}

// How often a kind of number was there.
struct census {
  uint64_t all = 0, nans = 0, infinities = 0, subnormals = 0;
  void count(uint32_t bits) {
    const int kind = std::fpclassify(to_float(bits));
    all++;
    nans += kind == FP_NAN;
    infinities += kind == FP_INFINITE;
    subnormals += kind == FP_SUBNORMAL;
  }
};

// Few awkward operands, or the results would all be NaN; in every third problem
// everything else is so small that products are subnormal, in some so large
// that sums overflow.
void fill(machine &m, const product &p, int problem, std::mt19937 &rng,
          census &operands) {
  const uint32_t one_in = problem % 3 == 0 ? 4000 : problem % 2 ? 400 : 40;
  const float scale = problem % 3 == 0   ? 0x1p-76f
                      : problem % 5 == 1 ? 0x1p52f
                                         : 1.0f / 977;
  const auto put = [&](uint32_t base, int count) {
    for (int i = 0; i < count; i++) {
      uint32_t bits = to_bits(float(int(rng() % 4001) - 2000) * scale);
      if (rng() % one_in == 0)
        bits = awkward_f32(rng);
      if (p.elem() == 4)
        m.put(base + uint32_t(i) * 4, bits);
      else
        m.put(base + uint32_t(i) * 2, uint16_t(bits >> 16));
      operands.count(p.elem() == 4 ? bits : bits & 0xffff0000u);
    }
  };
  put(operand_a, p.m * p.k);
  put(operand_b, p.k * p.n);
}

class MxuProducts : public testing::TestWithParam<isa> {
protected:
  void outputs_equal_fma(loom_mxu_type type) {
    std::mt19937 rng(20251104);
    census operands, results;
    for (int problem = 0; results.all < least_outputs; problem++) {
      const product p{type, 1 + int(rng() % 96), 1 + int(rng() % 100),
                      1 + int(rng() % 96)};
      machine m(GetParam().id, 256 << 10);
      if (!m.usable())
        GTEST_SKIP() << "this CPU lacks " << GetParam().name;
      fill(m, p, problem, rng, operands);
      const auto want = expected(m, p);
      ASSERT_EQ(m.run(tile(p, 0, p.m, 0, p.n, 0, p.k)), LOOM_FAULT_NONE);
      const auto got = found(m, p);
      for (size_t i = 0; i < want.size(); i++) {
        ASSERT_EQ(got[i], want[i])
            << "problem " << problem << ", " << p.m << "x" << p.k << "x" << p.n
            << ", output " << i;
        results.count(want[i]);
      }
    }
    for (const census &c : {operands, results}) {
      EXPECT_GT(c.nans, 30u);
      EXPECT_GT(c.infinities, 30u);
      EXPECT_GT(c.subnormals, 30u);
    }
    EXPECT_LT(results.nans, results.all / 2); // or little else was seen
  }

  // Every size of tile along every dimension, in every combination.
  void tilings_equal_fma(loom_mxu_type type) {
    const product p{type, 7, 9, 35};
    std::mt19937 rng(35);
    census operands;
    machine m(GetParam().id, 256 << 10);
    if (!m.usable())
      GTEST_SKIP() << "this CPU lacks " << GetParam().name;
    fill(m, p, 1, rng, operands);
    const auto want = expected(m, p);
    int tilings = 0;
    for (int tm = 1; tm <= p.m; tm++)
      for (int tk = 1; tk <= p.k; tk++)
        for (int tn = 1; tn <= p.n; tn++, tilings++) {
          std::memset(m.sram() + result, 0xa5, size_t(p.m) * size_t(p.n) * 4);
          run_tiled(m, p, tm, tk, tn);
          ASSERT_EQ(found(m, p), want)
              << "tiles of " << tm << "x" << tk << "x" << tn;
        }
    EXPECT_EQ(tilings, 7 * 9 * 35);
  }

private:
  static void run_tiled(machine &m, const product &p, int tm, int tk, int tn) {
    for (int i = 0; i < p.m; i += tm)
      for (int j = 0; j < p.n; j += tn)
        for (int k = 0; k < p.k; k += tk)
          ASSERT_EQ(
              m.run(tile(p, i, std::min(i + tm, p.m), j, std::min(j + tn, p.n),
                         k, std::min(k + tk, p.k))),
              LOOM_FAULT_NONE);
  }
};

TEST_P(MxuProducts, F32OutputsEqualFma) { outputs_equal_fma(LOOM_MXU_F32); }
TEST_P(MxuProducts, Bf16OutputsEqualFma) { outputs_equal_fma(LOOM_MXU_BF16); }
TEST_P(MxuProducts, F32TilingsKeepBits) { tilings_equal_fma(LOOM_MXU_F32); }
TEST_P(MxuProducts, Bf16TilingsKeepBits) { tilings_equal_fma(LOOM_MXU_BF16); }

INSTANTIATE_TEST_SUITE_P(All, MxuProducts, testing::ValuesIn(all_isas),
                         [](const auto &info) { return info.param.name; });

} // namespace
} // namespace loom::test
