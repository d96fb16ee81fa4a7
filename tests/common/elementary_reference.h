// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What the elementary micro-operations must give, from libm and nothing of
// loom_num.h. Functions of one argument are correctly rounded, so that the
// exact value says it all: binary64 decides nearly always, and next to the
// middle of two f32 the 64 bits of long double do. Those of two arguments are
// the exact value to 42 bits and then to f32, with a tolerance of 2^-44 before.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

#include "loom_isa.h"

namespace loom_test {

static_assert(std::numeric_limits<long double>::digits >= 64);

inline constexpr uint32_t elementary_nan = 0x7fc00000;

// True if y is so near to the middle of two f32 that binary64, which may be
// wrong by some units of its last place, cannot tell the nearest.
inline bool near_middle(double y) {
  const double mag = std::fabs(y);
  if (mag < 0x1p-126) { // subnormal in f32: the places have one size
    const double places = mag * 0x1p149;
    return std::fabs(places - std::floor(places) - 0.5) < 0x1p-20;
  }
  const auto low =
      static_cast<int64_t>(std::bit_cast<uint64_t>(y) & 0x1fffffff);
  return std::abs(low - 0x10000000) < 1024;
}

inline double logistic(double x) { return 1 / (1 + std::exp(-x)); }
inline long double logistic(long double x) { return 1 / (1 + std::exp(-x)); }

#define LOOM_TEST_UNARY(X)                                                     \
  X(EXP, std::exp)                                                             \
  X(EXPM1, std::expm1)                                                         \
  X(LOG, std::log)                                                             \
  X(LOG1P, std::log1p)                                                         \
  X(TANH, std::tanh)                                                           \
  X(LOGISTIC, logistic)                                                        \
  X(ERF, std::erf)                                                             \
  X(SIN, std::sin)                                                             \
  X(COS, std::cos)                                                             \
  X(CBRT, std::cbrt)

inline uint32_t nearest_f32(double exact) {
  return std::isnan(exact) ? elementary_nan
                           : std::bit_cast<uint32_t>(static_cast<float>(exact));
}

// One result that is right, or two between which this reference cannot tell.
struct allowed {
  uint32_t low, high;
  bool one() const { return low == high; }
};

// The same with long double, whose functions are right to 2^-62.
inline allowed nearest_f32(long double exact) {
  const auto f = [&](long double scale) {
    return std::bit_cast<uint32_t>(static_cast<float>(exact * scale));
  };
  return {f(1 - 0x1p-60L), f(1 + 0x1p-60L)};
}

// Arguments that need more than 64 bits: log1p(0x35400003) and its like below 0
// lie 2^-66 of themselves above a middle. Near 0 the logistic function is 1/2 +
// x/4 - x^3/48 + ..., on the side of 1/2 where 1/2 + x/4 is a middle.
inline bool beyond_long_double(unsigned op, uint32_t a, uint32_t &result) {
  if (op == LOOM_UOP_LOG1P && (a == 0x35400003 || a == 0xb53ffffd)) {
    result = a == 0x35400003 ? 0x353fffff : 0xb5400001;
    return true;
  }
  const double x = std::bit_cast<float>(a), line = 0.5 + x / 4;
  const auto low = std::bit_cast<uint64_t>(line) & 0x1fffffff;
  if (op != LOOM_UOP_LOGISTIC || std::fabs(x) > 0x1p-8 || low != 0x10000000)
    return false;
  result = nearest_f32(std::nextafter(line, 0.5));
  return true;
}

// The f32 nearest to op(a).
inline allowed unary_reference(unsigned op, uint32_t a) {
  const double x = std::bit_cast<float>(a);
  const auto sure = [](uint32_t v) { return allowed{v, v}; };
  uint32_t known = 0;
  switch (op) {
#define CASE(name, f)                                                          \
  case LOOM_UOP_##name: {                                                      \
    const double y = f(x);                                                     \
    if (!near_middle(y))                                                       \
      return sure(nearest_f32(y));                                             \
    if (beyond_long_double(op, a, known))                                      \
      return sure(known);                                                      \
    return nearest_f32(f(static_cast<long double>(x)));                        \
  }
    LOOM_TEST_UNARY(CASE)
#undef CASE
  }
  return {0, 1};
}

// To 42 significant bits, then to f32.
inline uint32_t settle(double y) {
  if (!std::isfinite(y) || y == 0)
    return nearest_f32(y);
  int e;
  const double m = std::frexp(y, &e);
  return nearest_f32(std::ldexp(std::nearbyint(std::ldexp(m, 42)), e - 42));
}

// Two results where the exact value is too near to where the result changes.
inline allowed binary_reference(unsigned op, uint32_t a, uint32_t b) {
  const double x = std::bit_cast<float>(a), y = std::bit_cast<float>(b);
  const double v = op == LOOM_UOP_POW ? std::pow(x, y) : std::atan2(x, y);
  return {settle(v * (1 - 0x1p-44)), settle(v * (1 + 0x1p-44))};
}

inline allowed elementary_reference(unsigned op, uint32_t a, uint32_t b) {
  return op == LOOM_UOP_POW || op == LOOM_UOP_ATAN2 ? binary_reference(op, a, b)
                                                    : unary_reference(op, a);
}

} // namespace loom_test
