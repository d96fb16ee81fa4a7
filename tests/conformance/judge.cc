// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "judge.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

namespace conformance {

namespace {

template <class T> T load(const uint8_t *data, uint64_t i) {
  T value;
  std::memcpy(&value, data + i * sizeof(T), sizeof(T));
  return value;
}

// A binary floating-point format, its values exact as double.
struct format {
  int precision;    // bits of the significand, the hidden one included
  int min_exponent; // of the smallest normal number
  int max_exponent; // of the largest
};

constexpr format kF16{11, -14, 15}, kBF16{8, -126, 127}, kF32{24, -126, 127},
    kF64{53, -1022, 1023};

double half_value(uint16_t bits) {
  const int exponent = bits >> 10 & 31, fraction = bits & 1023;
  const double sign = bits >> 15 ? -1 : 1;
  if (exponent == 31)
    return fraction ? std::numeric_limits<double>::quiet_NaN()
                    : sign * INFINITY;
  return sign * (exponent ? std::ldexp(1024 + fraction, exponent - 25)
                          : std::ldexp(fraction, -24));
}

double value_at(element type, const uint8_t *data, uint64_t i) {
  switch (type) {
  case element::f16:
    return half_value(load<uint16_t>(data, i));
  case element::bf16: {
    const uint32_t bits = static_cast<uint32_t>(load<uint16_t>(data, i)) << 16;
    float value;
    std::memcpy(&value, &bits, sizeof(value));
    return value;
  }
  case element::f64:
    return load<double>(data, i);
  default:
    return load<float>(data, i);
  }
}

const format &format_of(element type) {
  return type == element::f16    ? kF16
         : type == element::bf16 ? kBF16
         : type == element::f64  ? kF64
                                 : kF32;
}

// The distance to the next number away from zero.
double unit_at(double value, const format &f) {
  const double magnitude = std::fabs(value);
  const int exponent = magnitude > 0 ? std::ilogb(magnitude) : f.min_exponent;
  return std::ldexp(1.0, std::max(exponent, f.min_exponent) - f.precision + 1);
}

// Infinity stands for the number that would follow the largest one; for f64
// that is no double.
double finite(double value, const format &f) {
  if (!std::isinf(value) || f.max_exponent == kF64.max_exponent)
    return value;
  return std::copysign(std::ldexp(1.0, f.max_exponent + 1), value);
}

// Difference and magnitude of one element; a complex one has two parts.
struct gap {
  double difference = 0, magnitude = 0;
  bool misplaced = false; // a NaN on one side
};

gap gap_at(const array &want, const uint8_t *have, uint64_t i,
           const format &f) {
  const int parts = want.type == element::c64 ? 2 : 1;
  gap g;
  for (int p = 0; p < parts; p++) {
    const double w = value_at(want.type, want.data, i * parts + p),
                 h = value_at(want.type, have, i * parts + p);
    g.misplaced |= std::isnan(w) != std::isnan(h);
    if (std::isnan(w) || std::isnan(h))
      continue;
    if (w != h)
      g.difference = std::hypot(g.difference, finite(w, f) - finite(h, f));
    g.magnitude = std::hypot(g.magnitude, finite(w, f));
  }
  return g;
}

distance compare_floats(const array &want, const uint8_t *have) {
  const format &f = format_of(want.type);
  const uint64_t count = want.bytes / bytes_of(want.type);
  distance result;
  double largest = 0, difference = 0;
  for (uint64_t i = 0; i < count; i++) {
    const gap g = gap_at(want, have, i, f);
    if (g.misplaced && result.mismatch.empty())
      result.mismatch = "a NaN is misplaced at element " + std::to_string(i);
    if (std::isfinite(g.magnitude))
      largest = std::max(largest, g.magnitude);
    if (g.difference == 0)
      continue;
    difference = std::max(difference, g.difference);
    result.ulps = std::max(result.ulps, g.difference / unit_at(g.magnitude, f));
    result.tolerance =
        std::max(result.tolerance, g.difference / (1 + g.magnitude));
  }
  result.scaled = difference / unit_at(largest, f);
  return result;
}

} // namespace

void distance::merge(const distance &other) {
  if (mismatch.empty())
    mismatch = other.mismatch;
  ulps = std::max(ulps, other.ulps);
  scaled = std::max(scaled, other.scaled);
  tolerance = std::max(tolerance, other.tolerance);
}

distance compare(const array &want, const uint8_t *have) {
  if (want.type >= element::f16)
    return compare_floats(want, have);
  distance result;
  const uint64_t width = bytes_of(want.type);
  for (uint64_t i = 0; i < want.bytes; i += width)
    if (std::memcmp(want.data + i, have + i, width)) {
      uint64_t w = 0, h = 0;
      std::memcpy(&w, want.data + i, width);
      std::memcpy(&h, have + i, width);
      result.mismatch = "element " + std::to_string(i / width) +
                        " has the bits " + std::to_string(h) + ", not " +
                        std::to_string(w);
      break;
    }
  return result;
}

} // namespace conformance
