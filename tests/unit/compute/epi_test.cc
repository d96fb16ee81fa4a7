// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The epilogue step by step: K = 1 products with A = accumulators wanted and B
// = 1, so that only the way out counts.
#include "machine.h"
#include "vpu_oracle.h"
#include <cmath>
#include <gtest/gtest.h>

namespace loom::test {
namespace {

constexpr uint32_t PRODUCTS = 0, ONES = 16 << 10, OUT = 32 << 10,
                   BIAS = 64 << 10, SCALE = 72 << 10, RESIDUAL = 80 << 10,
                   TABLE = 120 << 10;
constexpr int ROWS = 3, COLS = 4, N = 37;

loom_epi &epilogue(loom_dispatched &r) {
  return *reinterpret_cast<loom_epi *>(r.bytes + sizeof(loom_mxu));
}

loom_epi no_epilogue() {
  loom_epi e{};
  e.bias = e.scale = e.residual = e.lut = LOOM_EPI_NONE;
  return e;
}

// ROWS x COLS pixels, N channels; the accumulator of (p, n) becomes element p *
// N + n of what lies at PRODUCTS. B is the identity matrix, so each product sum
// is one element plus zeros.
loom_dispatched record(int type, int out_type) {
  const int e = type == LOOM_MXU_INT8 ? 1 : 4,
            o = out_type == LOOM_I8                            ? 1
                : out_type == LOOM_F32 || out_type == LOOM_I32 ? 4
                                                               : 2;
  loom_dispatched r{};
  loom_mxu &m = r.mxu;
  m.h.op = LOOM_OP_MXU;
  m.h.units = 6;
  m.type = uint8_t(type);
  m.flags = LOOM_MXU_DRAIN | LOOM_MXU_EPI;
  m.a_base = PRODUCTS;
  m.ih = m.oh = ROWS;
  m.iw = m.ow = COLS;
  m.kh = m.kw = m.sy = m.sx = m.dy = m.dx = m.outer[0] = m.outer[1] = 1;
  m.kc = m.n = N;
  m.a_sc = e;
  m.a_sw = N * e;
  m.a_sh = COLS * N * e;
  m.b_base = ONES;
  m.b_sk = N * e;
  m.b_sn = e;
  m.acc_pitch = N;
  m.out_base = OUT;
  m.o_sn = o;
  m.o_sx = N * o;
  m.o_sy = COLS * N * o;
  m.out_type = uint8_t(out_type);
  epilogue(r) = no_epilogue();
  return r;
}

void identity(machine &m, int type) {
  for (uint32_t i = 0; i < N; ++i)
    if (type == LOOM_MXU_INT8)
      m.put(ONES + i * N + i, int8_t(1));
    else
      m.put(ONES + (i * N + i) * 4, 1.0f);
}

class EpiIsa : public testing::TestWithParam<isa> {
protected:
  void SetUp() override {
    if (!loom_kernels_select(GetParam().id))
      GTEST_SKIP() << "this CPU lacks " << GetParam().name;
  }
};

uint32_t load_residual(const machine &m, uint32_t type, uint32_t i) {
  if (type == LOOM_F32)
    return m.get<uint32_t>(RESIDUAL + 4 * i);
  const uint32_t bits = uint32_t(m.get<uint16_t>(RESIDUAL + 2 * i)) << 16;
  return type == LOOM_BF16
             ? (is_nan(bits) ? 0x7fc00000 : bits)
             : canonical(half_value(m.get<uint16_t>(RESIDUAL + 2 * i)));
}

uint32_t narrowed(uint32_t v, uint32_t type) {
  if (type == LOOM_F32)
    return v;
  return type == LOOM_BF16 ? oracle_to_bf16_and_back(v) >> 16
                           : nearest_half(to_float(v));
}

TEST_P(EpiIsa, FloatStepsInOrder) {
  std::mt19937 rng(21);
  for (int round = 0; round < 200; ++round) {
    machine m(GetParam().id);
    const uint32_t out = rng() % 3, res = rng() % 3;
    loom_dispatched r = record(LOOM_MXU_F32, int(out));
    loom_epi &e = epilogue(r);
    identity(m, LOOM_MXU_F32);
    for (uint32_t i = 0; i < ROWS * COLS * N;
         ++i) { // finite: infinity times the identity's zeros is NaN
      uint32_t v = awkward_f32(rng);
      m.put(PRODUCTS + 4 * i, std::isfinite(to_float(v)) ? v : 0x80000000u);
      m.put(RESIDUAL + 4 * i, awkward_f32(rng));
    }
    for (uint32_t i = 0; i < N; ++i) {
      m.put(BIAS + 4 * i, awkward_f32(rng));
      m.put(SCALE + 4 * i, awkward_f32(rng));
    }
    if (rng() % 2)
      e.bias = BIAS;
    const int scaling = rng() % 3;
    e.rq = scaling ? LOOM_RQ_F32 : LOOM_RQ_NONE;
    if (scaling == 1)
      e.scale = SCALE;
    if (scaling == 2)
      e.scale_imm = awkward_f32(rng);
    if (rng() % 2) {
      e.residual = RESIDUAL;
      e.res_type = uint8_t(res);
      e.r_sn = res == LOOM_F32 ? 4 : 2;
      e.r_sx = N * e.r_sn;
      e.r_sy = COLS * e.r_sx;
    }
    if (rng() % 2) {
      e.act = LOOM_ACT_CLAMP;
      e.lo = to_bits(-0.0f);
      e.hi = to_bits(rng() % 2 ? 6.0f : INFINITY);
    }
    ASSERT_EQ(m.run(r), LOOM_FAULT_NONE) << "round " << round;
    for (uint32_t i = 0; i < ROWS * COLS * N; ++i) {
      const uint32_t n = i % N;
      uint32_t v = canonical(to_float(m.get<uint32_t>(PRODUCTS + 4 * i)) +
                             0.0f); // the product sum began at +0
      if (e.bias != LOOM_EPI_NONE)
        v = oracle(LOOM_UOP_FADD, v, m.get<uint32_t>(BIAS + 4 * n), 0);
      if (scaling)
        v = oracle(LOOM_UOP_FMUL, v,
                   scaling == 1 ? m.get<uint32_t>(SCALE + 4 * n) : e.scale_imm,
                   0);
      if (e.residual != LOOM_EPI_NONE)
        v = oracle(LOOM_UOP_FADD, v, load_residual(m, res, i), 0);
      if (e.act)
        v = oracle_minmax(oracle_minmax(v, e.lo, true), e.hi, false);
      const uint32_t got = out == LOOM_F32 ? m.get<uint32_t>(OUT + 4 * i)
                                           : m.get<uint16_t>(OUT + 2 * i);
      ASSERT_EQ(got, narrowed(v, out)) << "round " << round << " element " << i;
    }
  }
}

// TFLite's MultiplyByQuantizedMultiplier with two roundings, in 128 bits.
int32_t double_rounding(int64_t a, int32_t multiplier, int shift) {
  const int32_t x = shift > 0 ? int32_t(uint32_t(a) << shift) : int32_t(a);
  const __int128 doubled =
      (__int128(x) * multiplier * 2 + (__int128(1) << 31)) >>
      32; // floor: halves up
  const int64_t high = doubled > INT32_MAX ? INT32_MAX : int64_t(doubled);
  const int right = shift < 0 ? -shift : 0;
  const int64_t half = right ? int64_t(1) << (right - 1) : 0;
  return int32_t(high < 0 ? -((-high + half) >> right)
                          : (high + half) >> right);
}

int32_t requantised(int rq, int32_t v, int32_t multiplier, int shift) {
  if (rq == LOOM_RQ_DOUBLE)
    return double_rounding(v, multiplier, shift);
  if (rq == LOOM_RQ_SINGLE)
    return int32_t(oracle_requant(v, multiplier, shift));
  if (rq == LOOM_RQ_F32)
    return int32_t(
        saturate(std::nearbyint(float(v) * to_float(uint32_t(multiplier))),
                 INT32_MIN, INT32_MAX));
  return v;
}

struct int_case {
  int rq;
  bool bias, per_channel, residual, clamp, table;
  int out;
};

int_case random_case(std::mt19937 &rng) {
  int_case c{};
  c.rq = rng() % 4;
  c.bias = rng() % 2;
  c.per_channel = c.rq && rng() % 2;
  c.residual = c.rq && rng() % 2;
  c.out = c.rq && rng() % 2 ? LOOM_I8 : LOOM_I32;
  c.table = c.out == LOOM_I8 && rng() % 3 == 0;
  c.clamp = !c.table && rng() % 2;
  return c;
}

uint32_t random_multiplier(std::mt19937 &rng, int rq) {
  return rq == LOOM_RQ_F32 ? to_bits(float(rng() % 1000) / 777)
                           : 1u << 30 | rng() >> 2;
}

loom_dispatched int_record(machine &m, const int_case &c, std::mt19937 &rng) {
  loom_dispatched r = record(LOOM_MXU_INT8, c.out);
  loom_epi &e = epilogue(r);
  e.rq = uint8_t(c.rq);
  e.zp = int16_t(int(rng() % 40) - 20);
  if (c.bias)
    e.bias = BIAS;
  if (c.per_channel)
    e.scale = SCALE;
  else if (c.rq) {
    e.scale_imm = random_multiplier(rng, c.rq);
    e.shift_imm = c.rq == LOOM_RQ_F32 ? 0 : int8_t(int(rng() % 9) - 6);
  }
  if (c.residual) {
    e.residual = RESIDUAL;
    e.res_type = LOOM_I8;
    e.res_zp = 7;
    e.r_sn = 1;
    e.r_sx = N;
    e.r_sy = COLS * N;
    e.m1 = int32_t(random_multiplier(rng, 1));
    e.m2 = int32_t(random_multiplier(rng, 1));
    e.mo = int32_t(random_multiplier(rng, 1));
    e.s1 = int8_t(-int(rng() % 4));
    e.s2 = int8_t(-int(rng() % 4));
    e.so = int8_t(-16);
    e.left = 20;
  }
  if (c.clamp) {
    e.act = LOOM_ACT_CLAMP;
    e.lo = uint32_t(-100);
    e.hi = 90;
  }
  if (c.table) {
    e.act = LOOM_ACT_LUT256;
    e.lut = TABLE;
  }
  identity(m, LOOM_MXU_INT8);
  for (uint32_t i = 0; i < ROWS * COLS * N; ++i) {
    m.put(PRODUCTS + i, uint8_t(rng()));
    m.put(RESIDUAL + i, uint8_t(rng()));
  }
  for (uint32_t i = 0; i < N; ++i) {
    m.put(BIAS + 4 * i,
          rng() % 8 ? uint32_t(int(rng() % 40000) - 20000) : rng());
    m.put(SCALE + (c.rq == LOOM_RQ_F32 ? 4 : 8) * i,
          random_multiplier(rng, c.rq));
    if (c.rq != LOOM_RQ_F32)
      m.put(SCALE + 8 * i + 4, int32_t(rng() % 80) - 40);
  }
  for (uint32_t i = 0; i < 256; ++i)
    m.put(TABLE + i, uint8_t(i * 37 + 11));
  return r;
}

int32_t int_oracle(const machine &m, const int_case &c, const loom_epi &e,
                   uint32_t i) {
  const uint32_t n = i % N;
  int32_t v = int32_t(uint32_t(m.get<int8_t>(PRODUCTS + i)) +
                      (c.bias ? m.get<uint32_t>(BIAS + 4 * n) : 0));
  int32_t multiplier = int32_t(e.scale_imm), shift = e.shift_imm;
  if (c.per_channel) {
    multiplier = m.get<int32_t>(SCALE + (c.rq == LOOM_RQ_F32 ? 4 : 8) * n);
    shift =
        c.rq == LOOM_RQ_F32
            ? 0
            : std::min(std::max(m.get<int32_t>(SCALE + 8 * n + 4), -31), 30);
  }
  v = requantised(c.rq, v, multiplier, shift);
  if (c.residual) {
    const int32_t a = int32_t(uint32_t(v) << e.left),
                  b = int32_t(uint32_t(m.get<int8_t>(RESIDUAL + i) - e.res_zp)
                              << e.left);
    const uint32_t sum = uint32_t(double_rounding(a, e.m1, e.s1)) +
                         uint32_t(double_rounding(b, e.m2, e.s2));
    v = double_rounding(int32_t(sum), e.mo, e.so);
  }
  v = int32_t(uint32_t(v) + uint32_t(e.zp));
  if (c.clamp)
    v = std::min(std::max(v, -100), 90);
  if (c.out == LOOM_I32)
    return v;
  v = std::min(std::max(v, -128), 127);
  return c.table ? m.get<int8_t>(TABLE + uint32_t(v + 128)) : v;
}

TEST_P(EpiIsa, IntegerStepsInOrder) {
  std::mt19937 rng(22);
  for (int round = 0; round < 400; ++round) {
    machine m(GetParam().id);
    const int_case c = random_case(rng);
    loom_dispatched r = int_record(m, c, rng);
    ASSERT_EQ(m.run(r), LOOM_FAULT_NONE) << "round " << round;
    for (uint32_t i = 0; i < ROWS * COLS * N; ++i) {
      const int32_t got = c.out == LOOM_I32 ? m.get<int32_t>(OUT + 4 * i)
                                            : m.get<int8_t>(OUT + i);
      ASSERT_EQ(got, int_oracle(m, c, epilogue(r), i))
          << "round " << round << " element " << i << " requantisation "
          << c.rq;
    }
  }
}

// With ACC_BIAS the bias is in the first rounding and is not added again;
// without DRAIN nothing is written.
TEST_P(EpiIsa, BiasAsTheBeginning) {
  machine m(GetParam().id);
  loom_dispatched r = record(LOOM_MXU_F32, LOOM_F32);
  r.mxu.acc = LOOM_ACC_BIAS;
  epilogue(r).bias = BIAS;
  identity(m, LOOM_MXU_F32);
  const float tiny = std::ldexp(1.0f, -24);
  for (uint32_t i = 0; i < ROWS * COLS * N; ++i)
    m.put(PRODUCTS + 4 * i, tiny);
  for (uint32_t i = 0; i < N; ++i)
    m.put(BIAS + 4 * i, 1.0f + float(i));
  ASSERT_EQ(m.run(r), LOOM_FAULT_NONE);
  for (uint32_t i = 0; i < ROWS * COLS * N; ++i)
    ASSERT_EQ(m.get<float>(OUT + 4 * i), 1.0f + float(i % N));

  r.mxu.flags = LOOM_MXU_EPI;
  r.mxu.out_base = 0;
  r.mxu.o_sn = r.mxu.o_sx = r.mxu.o_sy = 0;
  std::memset(m.sram() + OUT, 0xee, ROWS * COLS * N * 4);
  ASSERT_EQ(m.run(r), LOOM_FAULT_NONE);
  EXPECT_EQ(m.get<uint32_t>(OUT), 0xeeeeeeeeu);
  EXPECT_EQ(to_float(m.acc()[3]), 4.0f);
}

// OUT over the residual, and over bias and scales: all are read first.
TEST_P(EpiIsa, OutMayOverlapWhatIsRead) {
  machine apart(GetParam().id), over(GetParam().id);
  std::mt19937 rng(23);
  loom_dispatched r = record(LOOM_MXU_F32, LOOM_F32);
  loom_epi &e = epilogue(r);
  e.bias = BIAS;
  e.rq = LOOM_RQ_F32;
  e.scale = SCALE;
  e.residual = RESIDUAL;
  e.r_sn = 4;
  e.r_sx = N * 4;
  e.r_sy = COLS * N * 4;
  identity(apart, LOOM_MXU_F32);
  for (uint32_t i = 0; i < ROWS * COLS * N; ++i) {
    apart.put(PRODUCTS + 4 * i, float(rng() % 1000));
    apart.put(RESIDUAL + 4 * i, float(rng() % 1000));
  }
  for (uint32_t i = 0; i < N; ++i) {
    apart.put(BIAS + 4 * i, float(i));
    apart.put(SCALE + 4 * i, float(i) / 8);
  }
  std::memcpy(over.sram(), apart.sram(), apart.target.sram_bytes);
  ASSERT_EQ(apart.run(r), LOOM_FAULT_NONE);
  for (const uint32_t place :
       {RESIDUAL, PRODUCTS, ONES, BIAS - 256, SCALE - 256}) {
    machine m(GetParam().id);
    std::memcpy(m.sram(), over.sram(), over.target.sram_bytes);
    r.mxu.out_base = place;
    ASSERT_EQ(m.run(r), LOOM_FAULT_NONE);
    EXPECT_EQ(
        std::memcmp(m.sram() + place, apart.sram() + OUT, ROWS * COLS * N * 4),
        0)
        << place;
  }
}

INSTANTIATE_TEST_SUITE_P(All, EpiIsa, testing::ValuesIn(all_isas),
                         [](const auto &info) { return info.param.name; });

} // namespace
} // namespace loom::test
