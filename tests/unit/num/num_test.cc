// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// loom_num.h against libm, long double and 128-bit integers.
#include "loom_num.h"
#include <cfenv>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <gtest/gtest.h>
#include <random>

namespace {

float to_float(uint32_t bits) {
  float f;
  std::memcpy(&f, &bits, sizeof(f));
  return f;
}

uint32_t to_bits(float f) {
  uint32_t bits;
  std::memcpy(&bits, &f, sizeof(bits));
  return bits;
}

uint32_t canonical(float f) { return f != f ? 0x7fc00000u : to_bits(f); }

// binary16 by arithmetic: its value, and the nearest one to a float, ties to
// even.
float half_value(uint16_t bits) {
  const int exponent = bits >> 10 & 31, mantissa = bits & 1023;
  const float sign = bits >> 15 ? -1.0f : 1.0f;
  if (exponent == 31)
    return mantissa ? NAN : sign * INFINITY;
  return sign * std::ldexp(float(exponent ? mantissa + 1024 : mantissa),
                           (exponent ? exponent : 1) - 25);
}

uint16_t nearest_half(float f) {
  const uint16_t sign = std::signbit(f) ? 0x8000 : 0;
  if (f != f)
    return 0x7e00;
  const double v = std::fabs(double(f));
  if (v >= 65520)
    return sign | 0x7c00;
  const int exponent = v < std::ldexp(1.0, -14) ? -14 : std::ilogb(v);
  const int steps = int(std::nearbyint(
      std::ldexp(v, 10 - exponent))); // 1024 and more: normal; a carry is right
  return uint16_t(sign | (((exponent + 14) << 10) + steps));
}

// Any bits; often near each other in exponent, often subnormal, sometimes
// special.
uint32_t sample(std::mt19937 &rng) {
  static constexpr uint32_t special[] = {
      0,          0x80000000, 1,          0x807fffff, 0x00800000, 0x3f800000,
      0x7f7fffff, 0x7f800000, 0xff800000, 0x7fc00000, 0x7f800001};
  switch (rng() % 8) {
  case 0:
    return special[rng() % std::size(special)];
  case 1:
    return rng() & 0x80ffffff; // subnormal or barely normal
  case 2:
    return (rng() & 0x80000000) | (0x3f000000 + (rng() & 0x1ffffff));
  case 3:
    return (rng() & 0x807f0000) | (100 + rng() % 56)
                                      << 23; // few bits: exact cases and ties
  default:
    return rng();
  }
}

TEST(Num, SoftFmaEqualsLibm) {
  std::mt19937 rng(1);
  for (int i = 0; i < 3000000; ++i) {
    const float a = to_float(sample(rng)), b = to_float(sample(rng));
    float c = to_float(sample(rng));
    if (i % 3 == 0) // near cancellation and near half of the last place
      c = to_float((to_bits(-a * b) & 0xff800000) ^ (rng() & 0x8000000f));
    ASSERT_EQ(canonical(loom_num_fma_soft(a, b, c)),
              canonical(std::fmaf(a, b, c)))
        << std::hexfloat << a << " " << b << " " << c;
    ASSERT_EQ(loom_num_fma(to_bits(a), to_bits(b), to_bits(c)),
              canonical(std::fmaf(a, b, c)));
  }
}

// Products far below and above the range, where the exact sum lies just beside
// a tie.
TEST(Num, SoftFmaBesideTies) {
  for (int e = -149; e <= 100; ++e)
    for (int below = -200; below <= 20; below += 1)
      for (const int sign : {-1, 1}) {
        const float c = std::ldexp(1.5f, e), half = std::ldexp(1.0f, below / 2),
                    other = std::ldexp(float(sign), below - below / 2);
        const float tie = c + std::ldexp(c, -23);
        ASSERT_EQ(to_bits(loom_num_fma_soft(half, other, c)),
                  to_bits(std::fmaf(half, other, c)));
        ASSERT_EQ(to_bits(loom_num_fma_soft(half, other, tie)),
                  to_bits(std::fmaf(half, other, tie)));
      }
}

TEST(Num, ArithmeticEqualsTheHost) {
  std::mt19937 rng(2);
  for (int i = 0; i < 1000000; ++i) {
    const uint32_t a = sample(rng), b = sample(rng);
    const float x = to_float(a), y = to_float(b);
    ASSERT_EQ(loom_num_add(a, b), canonical(x + y));
    ASSERT_EQ(loom_num_sub(a, b), canonical(x - y));
    ASSERT_EQ(loom_num_mul(a, b), canonical(x * y));
    ASSERT_EQ(loom_num_div(a, b),
              canonical(float(double(x) / double(y)))); // 53 >= 2 * 24 + 2
    ASSERT_EQ(loom_num_sqrt(a), canonical(float(std::sqrt(double(x)))));
    ASSERT_EQ(loom_num_rsqrt(a), canonical(1.0f / std::sqrt(x)));
    ASSERT_EQ(loom_num_eq(a, b), uint32_t(x == y));
    ASSERT_EQ(loom_num_ne(a, b), uint32_t(x != y));
    ASSERT_EQ(loom_num_lt(a, b), uint32_t(x < y));
    ASSERT_EQ(loom_num_le(a, b), uint32_t(x <= y));
    ASSERT_EQ(loom_num_isfinite(a), uint32_t(std::isfinite(x)));
  }
}

TEST(Num, RemainderEqualsFmod) {
  std::mt19937 rng(3);
  for (int i = 0; i < 300000; ++i) {
    const uint32_t a = sample(rng), b = sample(rng);
    ASSERT_EQ(loom_num_rem(a, b),
              canonical(std::fmod(to_float(a), to_float(b))))
        << std::hex << a << " " << b;
  }
}

TEST(Num, RoundingEqualsLibm) {
  std::mt19937 rng(4);
  for (int i = 0; i < 2000000; ++i) {
    uint32_t a = sample(rng);
    if (i % 2) // halves, and values beside them
      a = to_bits(float(int(rng() % 4097) - 2048) / 4) + rng() % 3 - 1;
    const float x = to_float(a);
    ASSERT_EQ(loom_num_round(a, LOOM_NUM_TRUNC), canonical(std::trunc(x)))
        << std::hex << a;
    ASSERT_EQ(loom_num_round(a, LOOM_NUM_FLOOR), canonical(std::floor(x)))
        << std::hex << a;
    ASSERT_EQ(loom_num_round(a, LOOM_NUM_CEIL), canonical(std::ceil(x)))
        << std::hex << a;
    ASSERT_EQ(loom_num_round(a, LOOM_NUM_RNE), canonical(std::nearbyint(x)))
        << std::hex << a;
    ASSERT_EQ(loom_num_round(a, LOOM_NUM_RAZ), canonical(std::round(x)))
        << std::hex << a;
  }
}

TEST(Num, MinimumAndMaximum) {
  const uint32_t minus0 = 0x80000000, plus0 = 0, nan = 0xffc12345,
                 inf = 0x7f800000;
  EXPECT_EQ(loom_num_min(minus0, plus0), minus0);
  EXPECT_EQ(loom_num_min(plus0, minus0), minus0);
  EXPECT_EQ(loom_num_max(minus0, plus0), plus0);
  EXPECT_EQ(loom_num_max(plus0, minus0), plus0);
  for (const uint32_t other : {minus0, inf, nan, inf | minus0}) {
    EXPECT_EQ(loom_num_min(nan, other), LOOM_NUM_NAN);
    EXPECT_EQ(loom_num_max(other, nan), LOOM_NUM_NAN);
  }
  std::mt19937 rng(5);
  for (int i = 0; i < 200000; ++i) {
    const uint32_t a = sample(rng), b = sample(rng);
    const float x = to_float(a), y = to_float(b);
    if (x != x || y != y || x == y)
      continue;
    ASSERT_EQ(loom_num_min(a, b), x < y ? a : b);
    ASSERT_EQ(loom_num_max(a, b), x < y ? b : a);
  }
}

TEST(Num, SignNegationAndMagnitude) {
  for (const uint32_t nan : {0x7fc00000u, 0xffffffffu, 0x7f800001u}) {
    EXPECT_EQ(loom_num_neg(nan), LOOM_NUM_NAN);
    EXPECT_EQ(loom_num_abs(nan), LOOM_NUM_NAN);
    EXPECT_EQ(loom_num_sign(nan), LOOM_NUM_NAN);
  }
  EXPECT_EQ(loom_num_sign(0x80000000), 0x80000000u);
  EXPECT_EQ(loom_num_sign(0), 0u);
  EXPECT_EQ(loom_num_sign(0x80000001), to_bits(-1.0f));
  EXPECT_EQ(loom_num_sign(0x7f800000), to_bits(1.0f));
  EXPECT_EQ(loom_num_neg(0), 0x80000000u);
  EXPECT_EQ(loom_num_abs(0xff800000), 0x7f800000u);
}

TEST(Num, EveryHalfIsRead) {
  for (uint32_t h = 0; h < 0x10000; ++h) {
    const uint16_t bits = uint16_t(h);
    ASSERT_EQ(loom_num_from_f16(bits), canonical(half_value(bits)))
        << std::hex << h;
    ASSERT_EQ(loom_num_from_bf16(bits), canonical(to_float(h << 16)))
        << std::hex << h;
  }
}

// Every value and tie of f16 and bf16 with its neighbours, and samples of all
// bits.
TEST(Num, NarrowingRoundsToNearestEven) {
  const auto check = [](uint32_t a) {
    const float x = to_float(a);
    const uint32_t low = a & 0xffff;
    const uint16_t wantb =
        uint16_t((a >> 16) + (low > 0x8000 || (low == 0x8000 && a >> 16 & 1)));
    ASSERT_EQ(loom_num_to_f16(a), nearest_half(x)) << std::hex << a;
    ASSERT_EQ(loom_num_to_bf16(a), x != x ? 0x7fc0 : wantb) << std::hex << a;
  };
  for (uint32_t h = 0; h < 0x10000; ++h)
    for (int near = -2; near <= 2; ++near) {
      check((h << 16) + uint32_t(near));
      check((h << 16 | 0x8000) + uint32_t(near));
      check((h << 13) + 0x33000000 +
            uint32_t(near)); // f16's places, subnormals included
      check((h << 12) + 0x33000000 + uint32_t(near));
    }
  std::mt19937 rng(6);
  for (int i = 0; i < 1000000; ++i)
    check(sample(rng));
}

// Scale so that the last kept place is one, round, scale back; a range check
// after it.
uint32_t reduced(uint32_t a, int e, int m) {
  const long double v = to_float(a);
  if (v != v)
    return 0x7fc00000;
  if (std::isinf(v) || v == 0)
    return a;
  const int exponent = std::max(std::ilogb(v), -126), bias = (1 << (e - 1)) - 1;
  long double r =
      std::ldexp(std::nearbyint(std::ldexp(v, m - exponent)), exponent - m);
  if (m == 0 && std::fabs(std::ldexp(v, -exponent)) ==
                    1.5L) // the last bit kept is the exponent's
    r = std::copysign(
        std::ldexp(1.0L, (exponent + 127) % 2 ? exponent + 1 : exponent), v);
  if (e < 8 && std::fabs(r) < std::ldexp(1.0L, 1 - bias))
    r = std::copysign(0.0L, v);
  else if (e < 8 && std::ilogb(r) > bias)
    r = std::copysign(INFINITY, v);
  return to_bits(float(r));
}

TEST(Num, ReducePrecision) {
  std::mt19937 rng(7);
  for (int i = 0; i < 500000; ++i) {
    const uint32_t a = sample(rng), e = 1 + rng() % 8, m = rng() % 24;
    ASSERT_EQ(loom_num_reduce_precision(a, e, m), reduced(a, int(e), int(m)))
        << std::hex << a << " " << e << " " << m;
  }
  EXPECT_EQ(loom_num_reduce_precision(to_bits(1.5f), 0, 99),
            loom_num_reduce_precision(to_bits(1.5f), 1, 23));
  EXPECT_EQ(loom_num_reduce_precision(to_bits(1.5f), 200, 0), to_bits(2.0f));
}

TEST(Num, ConversionsSaturate) {
  std::mt19937 rng(8);
  for (int i = 0; i < 1000000; ++i) {
    const uint32_t a = sample(rng);
    const double v = std::trunc(double(to_float(a)));
    const int32_t want_i = v != v              ? 0
                           : v < -2147483648.0 ? INT32_MIN
                           : v > 2147483647.0  ? INT32_MAX
                                               : int32_t(v);
    const uint32_t want_u = v != v || v < 0    ? 0
                            : v > 4294967295.0 ? UINT32_MAX
                                               : uint32_t(v);
    ASSERT_EQ(loom_num_to_i32(a), want_i) << std::hex << a;
    ASSERT_EQ(loom_num_to_u32(a), want_u) << std::hex << a;
    ASSERT_EQ(loom_num_from_i32(int32_t(a)),
              to_bits(float(int64_t(int32_t(a)))));
    ASSERT_EQ(loom_num_from_u32(a), to_bits(float(int64_t(a))));
  }
}

int32_t clamp32(__int128 v) {
  return int32_t(v < INT32_MIN ? INT32_MIN : v > INT32_MAX ? INT32_MAX : v);
}

// To the nearest multiple of unit, halves up, as a quotient.
__int128 quotient_half_up(__int128 v, __int128 unit) {
  const __int128 w = v + unit / 2;
  return w >= 0 ? w / unit : -((-w + unit - 1) / unit);
}

__int128 quotient_half_away(__int128 v, __int128 unit) {
  return v < 0 ? -((-v + unit / 2) / unit) : (v + unit / 2) / unit;
}

TEST(Num, Requantisation) {
  std::mt19937 rng(9);
  for (int i = 0; i < 1000000; ++i) {
    const int32_t a = int32_t(rng()) >> rng() % 32,
                  mult = rng() % 8 ? int32_t(1u << 30 | rng() >> 2)
                                   : int32_t(rng());
    const int shift = int(rng() % 62) - 31;
    ASSERT_EQ(loom_num_requant_single(a, mult, shift),
              clamp32(quotient_half_up(__int128(a) * mult,
                                       __int128(1) << (31 - shift))))
        << a << " " << mult << " " << shift;

    // TFLite: doubling high product (negative halves go up), then a rounding
    // shift (halves away from zero).
    const int32_t x = shift > 0 ? int32_t(uint32_t(a) << shift) : a;
    const int32_t high =
        clamp32(quotient_half_up(__int128(x) * mult, __int128(1) << 31));
    const int32_t want =
        shift < 0 ? int32_t(quotient_half_away(high, __int128(1) << -shift))
                  : high;
    ASSERT_EQ(loom_num_requant_double(a, mult, shift), want)
        << a << " " << mult << " " << shift;

    const float scale = std::ldexp(float(mult), -31 - int(rng() % 20));
    const float product = float(a) * scale;
    ASSERT_EQ(loom_num_requant_f32(a, to_bits(scale)),
              clamp32(__int128(std::nearbyint(product))));
  }
  EXPECT_EQ(loom_num_requant_double(INT32_MIN, INT32_MIN, 0), INT32_MAX);
  EXPECT_EQ(loom_num_requant_single(INT32_MIN, INT32_MIN, 0), INT32_MAX);
  EXPECT_EQ(loom_num_requant_f32(100, to_bits(NAN)), 0);
  EXPECT_EQ(loom_num_requant_single(5, 1 << 30, -100),
            loom_num_requant_single(5, 1 << 30, -31));
}

TEST(Num, IntegerConventions) {
  EXPECT_EQ(loom_num_idiv(7, 0), UINT32_MAX);
  EXPECT_EQ(loom_num_idiv(0x80000000, UINT32_MAX), 0x80000000u);
  EXPECT_EQ(int32_t(loom_num_idiv(uint32_t(-7), 2)), -3);
  EXPECT_EQ(loom_num_udiv(7, 0), UINT32_MAX);
  EXPECT_EQ(loom_num_irem(uint32_t(-7), 0), uint32_t(-7));
  EXPECT_EQ(loom_num_irem(0x80000000, UINT32_MAX), 0u);
  EXPECT_EQ(int32_t(loom_num_irem(uint32_t(-7), 2)), -1);
  EXPECT_EQ(loom_num_urem(7, 0), 7u);
  EXPECT_EQ(loom_num_shl(1, 32), 0u);
  EXPECT_EQ(loom_num_shl(1, 31), 0x80000000u);
  EXPECT_EQ(loom_num_shr(0x80000000, UINT32_MAX), 0u);
  EXPECT_EQ(loom_num_sar(0x80000000, 99), UINT32_MAX);
  EXPECT_EQ(loom_num_rotl(0x80000001, 1), 3u);
  EXPECT_EQ(loom_num_rotl(0x80000001, 32), 0x80000001u);
  EXPECT_EQ(loom_num_clz(0), 32u);
  EXPECT_EQ(loom_num_clz(1), 31u);
  EXPECT_EQ(loom_num_popc(0xf0f00001), 9u);
  EXPECT_EQ(loom_num_iabs(0x80000000), 0x80000000u);
  EXPECT_EQ(loom_num_imulh(0x80000000, 0x80000000), 0x40000000u);
  EXPECT_EQ(loom_num_umulh(UINT32_MAX, UINT32_MAX), UINT32_MAX - 1);
}

TEST(Num, FoldIsTheStatedTree) {
  uint32_t p[16];
  for (uint32_t i = 0; i < 16; ++i)
    p[i] = to_bits(std::ldexp(1.0f + float(i) / 64, int(i * 3 % 25)));
  float q[16];
  for (int i = 0; i < 16; ++i)
    q[i] = to_float(p[i]);
  const float want =
      (((q[0] + q[8]) + (q[4] + q[12])) + ((q[2] + q[10]) + (q[6] + q[14]))) +
      (((q[1] + q[9]) + (q[5] + q[13])) + ((q[3] + q[11]) + (q[7] + q[15])));
  EXPECT_EQ(loom_num_fold(p, loom_num_add), to_bits(want));
}

TEST(Num, NanWinsAnArgument) {
  const uint32_t nan = 0xffc00001, one = to_bits(1.0f), two = to_bits(2.0f);
  EXPECT_TRUE(loom_num_arg_better(nan, one, 0));
  EXPECT_FALSE(loom_num_arg_better(nan, nan, 1));
  EXPECT_FALSE(loom_num_arg_better(one, nan, 1));
  EXPECT_TRUE(loom_num_arg_better(one, two, 0));
  EXPECT_FALSE(loom_num_arg_better(two, two, 1));
  EXPECT_FALSE(loom_num_arg_better(0, 0x80000000, 1)); // zeros are equal
}

} // namespace
