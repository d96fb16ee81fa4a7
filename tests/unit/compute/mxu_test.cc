// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The array against the formula of loom_isa.h, written out with libm's fmaf:
// every kernel set, bit for bit.
#include "machine.h"
#include "vpu_oracle.h"
#include <cmath>
#include <gtest/gtest.h>

namespace loom::test {
namespace {

struct shape {
  int type, kh, kw, kc, oh, ow, n, sy, sx, dy, dx, py, px, ih, iw, o0, o1;
  bool transpose_a, transpose_b, reverse_b;
  int acc, out_type;
  bool specials;
  bool depthwise = false;
  int channels() const { return depthwise ? n : kc; }
};

void PrintTo(const shape &s, std::ostream *os) {
  *os << "type " << s.type << " k " << s.kh << "x" << s.kw << "x" << s.kc
      << " out " << s.oh << "x" << s.ow << "x" << s.n << " stride " << s.sy
      << "," << s.sx << " dilation " << s.dy << "," << s.dx << " pad " << s.py
      << "," << s.px << " in " << s.ih << "x" << s.iw << " outer " << s.o0
      << "," << s.o1 << " acc " << s.acc << " out " << s.out_type << " flags "
      << s.transpose_a << s.transpose_b << s.reverse_b << s.specials
      << s.depthwise;
}

constexpr uint32_t elem_bytes(int type) {
  return type == LOOM_MXU_F32 ? 4 : type == LOOM_MXU_BF16 ? 2 : 1;
}

uint32_t out_bytes(int dtype) {
  return dtype == LOOM_F32 || dtype == LOOM_I32 ? 4 : dtype == LOOM_I8 ? 1 : 2;
}

// A record of this shape: A, then B, then OUT, dense, in one of the layouts
// asked for.
loom_dispatched record(const shape &s) {
  loom_dispatched r{};
  loom_mxu &m = r.mxu;
  const int e = int(elem_bytes(s.type)), o = int(out_bytes(s.out_type));
  const int k = s.kh * s.kw * s.kc;
  const int pixels = s.ih * s.iw;
  m.h.op = LOOM_OP_MXU;
  m.h.units = 4;
  m.type = uint8_t(s.type);
  m.acc = uint8_t(s.acc);
  m.mode = s.depthwise ? LOOM_MXU_DW : LOOM_MXU_GEMM;
  m.flags = LOOM_MXU_DRAIN;
  m.pad_value = s.type == LOOM_MXU_F32    ? 0x40490fdb
                : s.type == LOOM_MXU_BF16 ? 0xc020
                                          : 0xfd;
  m.a_base = 64;
  m.ih = uint16_t(s.ih);
  m.iw = uint16_t(s.iw);
  m.a_sc = s.transpose_a ? pixels * e : e;
  m.a_sw = s.transpose_a ? e : s.channels() * e;
  m.a_sh = s.iw * m.a_sw;
  m.a_so[1] = pixels * s.channels() * e;
  m.a_so[0] = s.o1 * m.a_so[1];
  m.kh = uint16_t(s.kh);
  m.kw = uint16_t(s.kw);
  m.kc = uint16_t(s.kc);
  m.oh = uint16_t(s.oh);
  m.ow = uint16_t(s.ow);
  m.n = uint16_t(s.n);
  m.sy = uint8_t(s.sy);
  m.sx = uint8_t(s.sx);
  m.dy = uint8_t(s.dy);
  m.dx = uint8_t(s.dx);
  m.py = int16_t(s.py);
  m.px = int16_t(s.px);
  m.outer[0] = uint16_t(s.o0);
  m.outer[1] = uint16_t(s.o1);
  m.b_base = (m.a_base + uint32_t(s.o0 * m.a_so[0]) + 63) & ~63u;
  m.b_sk = s.transpose_b ? e : s.n * e;
  m.b_sn = s.transpose_b ? k * e : e;
  m.b_so[1] = k * s.n * e;
  m.b_so[0] = s.o1 * m.b_so[1];
  m.out_base = (m.b_base + uint32_t(s.o0 * m.b_so[0]) + 63) & ~63u;
  if (s.reverse_b) { // B's rows from the last to the first
    m.b_base += uint32_t((k - 1) * m.b_sk);
    m.b_sk = -m.b_sk;
  }
  m.acc_base = 1;
  m.acc_pitch = uint16_t(s.n + 3);
  m.o_sn = o;
  m.o_sx = s.n * o;
  m.o_sy = s.ow * m.o_sx;
  m.o_so[1] = s.oh * m.o_sy;
  m.o_so[0] = s.o1 * m.o_so[1];
  m.out_type = uint8_t(s.out_type);
  return r;
}

// Value of an operand's element, as a float or an integer.
double operand(const machine &m, int type, int64_t at) {
  if (type == LOOM_MXU_INT8)
    return m.get<int8_t>(at);
  return to_float(type == LOOM_MXU_F32 ? m.get<uint32_t>(at)
                                       : uint32_t(m.get<uint16_t>(at)) << 16);
}

double padding(const loom_mxu &m) {
  if (m.type == LOOM_MXU_INT8)
    return int8_t(m.pad_value);
  return to_float(m.type == LOOM_MXU_F32 ? m.pad_value : m.pad_value << 16);
}

// The accumulator of one output by the formula, from its value before the
// record.
uint32_t expected_acc(const machine &mach, const loom_dispatched &r, int o0,
                      int o1, int oy, int ox, int n, uint32_t before) {
  const loom_mxu &m = r.mxu;
  float f = m.acc == LOOM_ACC_KEEP ? to_float(before) : 0.0f;
  uint32_t i = m.acc == LOOM_ACC_KEEP ? before : 0;
  int64_t k = 0;
  for (int ky = 0; ky < m.kh; ++ky)
    for (int kx = 0; kx < m.kw; ++kx)
      for (int c = 0; c < m.kc; ++c, ++k) {
        const int iy = oy * m.sy + ky * m.dy - m.py,
                  ix = ox * m.sx + kx * m.dx - m.px;
        const bool inside = iy >= 0 && iy < m.ih && ix >= 0 && ix < m.iw;
        const int64_t a = int64_t(m.a_base) + r.base[0] +
                          int64_t(o0) * m.a_so[0] + int64_t(o1) * m.a_so[1] +
                          int64_t(iy) * m.a_sh + int64_t(ix) * m.a_sw +
                          int64_t(m.mode == LOOM_MXU_DW ? n : c) * m.a_sc;
        const int64_t b = int64_t(m.b_base) + r.base[1] +
                          int64_t(o0) * m.b_so[0] + int64_t(o1) * m.b_so[1] +
                          k * m.b_sk + int64_t(n) * m.b_sn;
        const double av = inside ? operand(mach, m.type, a) : padding(m),
                     bv = operand(mach, m.type, b);
        f = std::fmaf(float(av), float(bv), f);
        i += uint32_t(int32_t(m.type == LOOM_MXU_INT8 ? av : 0) *
                      int32_t(m.type == LOOM_MXU_INT8 ? bv : 0));
      }
  return m.type == LOOM_MXU_INT8 ? i : canonical(f);
}

uint16_t round_to_bf16(uint32_t bits) {
  const float f = to_float(bits);
  if (f != f)
    return 0x7fc0;
  const uint32_t low = bits & 0xffff, high = bits >> 16;
  return uint16_t(high + (low > 0x8000 || (low == 0x8000 && high % 2) ? 1 : 0));
}

void expect_outputs(machine &mach, const machine &before,
                    const loom_dispatched &r, bool &all) {
  const loom_mxu &m = r.mxu;
  for (int o0 = 0; o0 < m.outer[0]; ++o0)
    for (int o1 = 0; o1 < m.outer[1]; ++o1)
      for (int oy = 0; oy < m.oh; ++oy)
        for (int ox = 0; ox < m.ow; ++ox)
          for (int n = 0; n < m.n; ++n) {
            const size_t at =
                size_t(m.acc_base) * 16 +
                size_t(((o0 * m.outer[1] + o1) * m.oh + oy) * m.ow + ox) *
                    m.acc_pitch +
                size_t(n);
            const uint32_t want =
                expected_acc(before, r, o0, o1, oy, ox, n, before.exec.acc[at]);
            const int64_t out = int64_t(m.out_base) + r.base[2] +
                                o0 * m.o_so[0] + o1 * m.o_so[1] + oy * m.o_sy +
                                ox * m.o_sx + n * m.o_sn;
            const bool wide = m.out_type == LOOM_F32 || m.out_type == LOOM_I32;
            const uint32_t got =
                wide ? mach.get<uint32_t>(out) : mach.get<uint16_t>(out);
            const uint32_t stored = wide ? want
                                    : m.out_type == LOOM_BF16
                                        ? round_to_bf16(want)
                                        : nearest_half(to_float(want));
            ASSERT_EQ(mach.exec.acc[at], want)
                << "accumulator " << o0 << " " << o1 << " " << oy << " " << ox
                << " " << n;
            ASSERT_EQ(got, stored) << "output " << o0 << " " << o1 << " " << oy
                                   << " " << ox << " " << n;
          }
  all = true;
}

void fill(machine &m, const shape &s, std::mt19937 &rng) {
  for (uint32_t i = 0; i < m.target.sram_bytes; i += elem_bytes(s.type))
    switch (s.type) {
    case LOOM_MXU_F32:
      m.put(i, s.specials ? awkward_f32(rng)
                          : to_bits(float(int(rng() % 4001) - 2000) / 977));
      break;
    case LOOM_MXU_BF16:
      m.put(i, uint16_t((s.specials ? awkward_f32(rng)
                                    : to_bits(float(int(rng() % 4001) - 2000) /
                                              977)) >>
                        16));
      break;
    default:
      m.put(i, uint8_t(rng()));
      break;
    }
  for (uint32_t i = 0; i < m.target.acc_bytes / 4; ++i)
    m.acc()[i] = s.type == LOOM_MXU_INT8 ? rng()
                 : s.specials            ? awkward_f32(rng)
                              : to_bits(float(int(rng() % 401) - 200));
}

shape random_shape(std::mt19937 &rng) {
  const auto pick = [&](int lo, int hi) {
    return lo + int(rng() % uint32_t(hi - lo + 1));
  };
  shape s{};
  s.type = pick(0, 2);
  const bool conv = rng() % 2;
  s.kh = conv ? pick(1, 4) : 1;
  s.kw = conv ? pick(1, 4) : 1;
  s.kc = conv ? pick(1, 40) : pick(1, 400);
  s.oh = conv ? pick(1, 6) : 1;
  s.ow = pick(1, conv ? 8 : 60);
  s.n = rng() % 8 ? pick(1, 70) : pick(1, 140);
  s.o0 = rng() % 4 ? 1 : pick(1, 2);
  s.o1 = rng() % 4 ? 1 : pick(1, 2);
  s.sy = s.sx = s.dy = s.dx = 1;
  s.ih = s.oh;
  s.iw = s.ow;
  if (conv) {
    s.sy = pick(1, 3);
    s.sx = pick(1, 3);
    s.dy = pick(1, 2);
    s.dx = pick(1, 2);
    s.py = pick(-1, 3);
    s.px = pick(-1, 3);
    s.ih = pick(1, 9);
    s.iw = pick(1, 9);
  }
  s.transpose_a = rng() % 3 == 0;
  s.transpose_b = rng() % 3 == 0;
  s.reverse_b = rng() % 5 == 0;
  s.acc = pick(LOOM_ACC_ZERO, LOOM_ACC_KEEP);
  s.out_type =
      s.type == LOOM_MXU_INT8 ? int(LOOM_I32) : pick(LOOM_F32, LOOM_F16);
  s.specials = rng() % 2;
  s.depthwise = rng() % 3 == 0;
  if (s.depthwise) {
    s.kc = 1;
    s.n = rng() % 8 ? s.n : pick(250, 300);
  }
  return s;
}

class MxuIsa : public testing::TestWithParam<isa> {};

TEST_P(MxuIsa, EqualsTheFormulaOnRandomShapes) {
  std::mt19937 rng(20240607);
  int ran = 0;
  for (int i = 0; i < 250; ++i) {
    const shape s = random_shape(rng);
    const loom_dispatched r = record(s);
    machine mach(GetParam().id), before(LOOM_HOST_SCALAR);
    if (!mach.usable())
      GTEST_SKIP() << "this CPU lacks " << GetParam().name;
    fill(mach, s, rng);
    std::memcpy(before.sram(), mach.sram(), mach.target.sram_bytes);
    std::memcpy(before.acc(), mach.acc(), mach.target.acc_bytes);
    if (mach.run(r) != LOOM_FAULT_NONE) { // too large for this machine;
                                          // anything else is a failure
      ASSERT_TRUE(mach.why.fault == LOOM_FAULT_ACC_BOUNDS ||
                  mach.why.fault == LOOM_FAULT_SRAM_BOUNDS)
          << mach.why.fault;
      continue;
    }
    ++ran;
    bool all = false;
    SCOPED_TRACE(testing::PrintToString(s));
    expect_outputs(mach, before, r, all);
    ASSERT_TRUE(all);
  }
  EXPECT_GT(ran, 150);
}

// Splitting k over records and rows over threads changes nothing.
TEST_P(MxuIsa, SplittingKeepsBits) {
  std::mt19937 rng(7);
  shape s{};
  s.type = LOOM_MXU_F32;
  s.kh = s.kw = s.sy = s.sx = s.dy = s.dx = s.o0 = s.o1 = s.ih = s.oh = 1;
  s.kc = 96;
  s.iw = s.ow = 250;
  s.n = 48;
  s.out_type = LOOM_F32;
  machine whole(GetParam().id, 512 << 10), split(GetParam().id, 512 << 10);
  if (!whole.usable())
    GTEST_SKIP() << "this CPU lacks " << GetParam().name;
  fill(whole, s, rng);
  std::memcpy(split.sram(), whole.sram(), whole.target.sram_bytes);
  split.host.parallel_for = [](void *, unsigned n, void (*fn)(void *, unsigned),
                               void *arg) {
    for (unsigned i = n; i--;)
      fn(arg, i);
  };
  loom_dispatched r = record(s);
  ASSERT_EQ(whole.run(r), LOOM_FAULT_NONE);
  loom_dispatched first = r, second = r;
  first.mxu.kc = 33;
  first.mxu.flags = 0;
  first.mxu.out_base = 0;
  first.mxu.o_so[0] = first.mxu.o_so[1] = first.mxu.o_sy = first.mxu.o_sx =
      first.mxu.o_sn = 0;
  second.mxu.kc = 96 - 33;
  second.mxu.a_base += 33 * 4;
  second.mxu.b_base += uint32_t(33 * second.mxu.b_sk);
  second.mxu.acc = LOOM_ACC_KEEP;
  ASSERT_EQ(split.run(first), LOOM_FAULT_NONE);
  ASSERT_EQ(split.run(second), LOOM_FAULT_NONE);
  EXPECT_EQ(std::memcmp(whole.sram(), split.sram(), whole.target.sram_bytes),
            0);
}

// The last rows of SRAM are read by whole vectors, which must stay within the
// slack.
TEST_P(MxuIsa, OperandsAtTheEndOfSram) {
  machine m(GetParam().id, 16 << 10);
  if (!m.usable())
    GTEST_SKIP() << "this CPU lacks " << GetParam().name;
  shape s{};
  s.type = LOOM_MXU_F32;
  s.kh = s.kw = s.sy = s.sx = s.dy = s.dx = s.o0 = s.o1 = s.ih = s.oh = 1;
  s.kc = 5;
  s.iw = s.ow = 3;
  s.n = 1;
  s.out_type = LOOM_F32;
  loom_dispatched r = record(s);
  r.mxu.b_base = m.target.sram_bytes - 5 * 4;
  for (int i = 0; i < 5; ++i) {
    m.put(r.mxu.b_base + uint32_t(4 * i), 2.0f);
    m.put(r.mxu.a_base + uint32_t(4 * i), 1.0f);
  }
  ASSERT_EQ(m.run(r), LOOM_FAULT_NONE);
  EXPECT_EQ(m.get<float>(r.mxu.out_base), 10.0f);
}

INSTANTIATE_TEST_SUITE_P(All, MxuIsa, testing::ValuesIn(all_isas),
                         [](const auto &info) { return info.param.name; });

} // namespace
} // namespace loom::test
