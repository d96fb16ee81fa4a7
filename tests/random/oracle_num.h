// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The oracle's arithmetic, written for clearness: wide types and libm where
// they are exact.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

namespace loom_random {

inline uint32_t bits(float x) { return std::bit_cast<uint32_t>(x); }
inline float from_bits(uint32_t b) { return std::bit_cast<float>(b); }
// Every operation whose result is a NaN gives this one; moves and bit
// operations keep bits.
inline float quiet(float x) {
  return std::isnan(x) ? from_bits(0x7fc00000) : x;
}

// Rounds to a binary format of the given widths, ties to even, subnormals kept,
// overflow to infinity. In double precision every step but the rounding is
// exact.
inline double round_to(double x, int exponent_bits, int mantissa_bits,
                       bool subnormals = true) {
  if (std::isnan(x) || std::isinf(x) || x == 0)
    return x;
  const int bias = (1 << (exponent_bits - 1)) - 1, least = 1 - bias;
  int e;
  std::frexp(x, &e);
  e -= 1;
  const int quantum = (subnormals && e < least ? least : e) - mantissa_bits;
  const double y = std::ldexp(std::nearbyint(std::ldexp(x, -quantum)), quantum);
  const double largest = std::ldexp(2 - std::ldexp(1.0, -mantissa_bits), bias);
  if (std::fabs(y) > largest)
    return std::copysign(std::numeric_limits<double>::infinity(), x);
  if (!subnormals && std::fabs(y) < std::ldexp(1.0, least))
    return std::copysign(0.0, x);
  return y;
}

inline uint16_t to_bf16(float x) {
  if (std::isnan(x))
    return 0x7fc0;
  return static_cast<uint16_t>(bits(static_cast<float>(round_to(x, 8, 7))) >>
                               16);
}
inline float from_bf16(uint16_t h) {
  return quiet(from_bits(static_cast<uint32_t>(h) << 16));
}

inline uint16_t to_f16(float x) {
  if (std::isnan(x))
    return 0x7e00;
  const uint16_t sign = std::signbit(x) ? 0x8000 : 0;
  const double y = std::fabs(round_to(x, 5, 10));
  if (std::isinf(y))
    return sign | 0x7c00;
  if (y < std::ldexp(1.0, -14))
    return static_cast<uint16_t>(sign | static_cast<int>(std::ldexp(y, 24)));
  int e;
  const double f = std::frexp(y, &e); // 0.5 to 1
  return static_cast<uint16_t>(sign | (e + 14) << 10 |
                               (static_cast<int>(std::ldexp(f, 11)) & 0x3ff));
}
inline float from_f16(uint16_t h) {
  const int e = h >> 10 & 31, m = h & 0x3ff;
  double y;
  if (e == 31)
    y = m ? std::numeric_limits<double>::quiet_NaN()
          : std::numeric_limits<double>::infinity();
  else
    y = e ? std::ldexp(1024 + m, e - 25) : std::ldexp(m, -24);
  if (std::isnan(y))
    return from_bits(0x7fc00000);
  return static_cast<float>(h & 0x8000 ? -y : y);
}

inline float minimum(float a, float b) {
  if (std::isnan(a) || std::isnan(b))
    return from_bits(0x7fc00000);
  if (a == b)
    return std::signbit(a) ? a : b;
  return a < b ? a : b;
}
inline float maximum(float a, float b) {
  if (std::isnan(a) || std::isnan(b))
    return from_bits(0x7fc00000);
  if (a == b)
    return std::signbit(a) ? b : a;
  return a > b ? a : b;
}

inline int32_t to_i32(double x) {
  if (std::isnan(x))
    return 0;
  x = std::trunc(x);
  if (x >= 2147483647.0)
    return INT32_MAX;
  if (x <= -2147483648.0)
    return INT32_MIN;
  return static_cast<int32_t>(x);
}
inline uint32_t to_u32(double x) {
  if (std::isnan(x) || x <= 0)
    return 0;
  x = std::trunc(x);
  return x >= 4294967295.0 ? UINT32_MAX : static_cast<uint32_t>(x);
}

inline int32_t wrap(__int128 x) {
  return static_cast<int32_t>(static_cast<uint32_t>(x));
}
inline int32_t saturate(__int128 x) {
  return x > INT32_MAX   ? INT32_MAX
         : x < INT32_MIN ? INT32_MIN
                         : static_cast<int32_t>(x);
}

// TFLite's two ways to scale x by m * 2^(shift - 31).
inline int32_t requant_double(int32_t x, int32_t m, int shift) {
  const int left = shift > 0 ? shift : 0, right = shift > 0 ? 0 : -shift;
  const int32_t a = wrap(static_cast<__int128>(x) << left);
  const __int128 product = static_cast<__int128>(a) * m;
  // Doubling high product: to nearest, halves away from zero.
  const __int128 nudge = product >= 0 ? (1 << 30) : 1 - (1 << 30);
  int64_t high = static_cast<int64_t>((product + nudge) /
                                      (static_cast<__int128>(1) << 31));
  high = saturate(high);
  // Rounding division by a power of two: halves away from zero.
  if (!right)
    return static_cast<int32_t>(high);
  const int64_t magnitude = high < 0 ? -high : high;
  const int64_t half = static_cast<int64_t>(1) << (right - 1);
  const int64_t q = (magnitude + half) >> right;
  return static_cast<int32_t>(high < 0 ? -q : q);
}
inline int32_t requant_single(int32_t x, int32_t m, int shift) {
  const int total = 31 - shift;
  const __int128 product = static_cast<__int128>(x) * m;
  return saturate((product + (static_cast<__int128>(1) << (total - 1))) >>
                  total);
}

} // namespace loom_random
