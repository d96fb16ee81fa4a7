// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "judge.h"

#include <cmath>
#include <gtest/gtest.h>
#include <limits>

using namespace conformance;

namespace {

template <class T>
distance between(element type, const std::vector<T> &want,
                 const std::vector<T> &have) {
  return compare({type, reinterpret_cast<const uint8_t *>(want.data()),
                  want.size() * sizeof(T)},
                 reinterpret_cast<const uint8_t *>(have.data()));
}

const float kNaN = std::numeric_limits<float>::quiet_NaN();

TEST(Judge, IntegersAreExact) {
  EXPECT_EQ(between<int16_t>(element::i16, {1, -2}, {1, -2}).mismatch, "");
  EXPECT_EQ(between<int16_t>(element::i16, {1, 2}, {1, 3}).mismatch,
            "element 1 has the bits 3, not 2");
  EXPECT_NE(between<uint8_t>(element::i1, {1}, {0}).mismatch, "");
}

TEST(Judge, CountsUnitsInTheLastPlace) {
  const float next = std::nextafter(3.0f, 4.0f);
  EXPECT_EQ(between<float>(element::f32, {3}, {next}).ulps, 1);
  EXPECT_EQ(between<float>(element::f32, {3, 1024}, {next, 1024}).scaled,
            std::ldexp(1, -9));
  EXPECT_EQ(between<double>(element::f64, {1}, {1 + std::ldexp(1, -50)}).ulps,
            4);
  EXPECT_EQ(between<uint16_t>(element::bf16, {0x3f80}, {0x3f82}).ulps, 2);
  EXPECT_EQ(between<uint16_t>(element::f16, {0x0001}, {0x0004}).ulps,
            3); // subnormal
  EXPECT_EQ(between<uint16_t>(element::f16, {0x7bff}, {0x7c00}).ulps,
            1); // infinity follows the largest
}

TEST(Judge, MeasuresTheToleranceOfNumpy) {
  EXPECT_NEAR(between<float>(element::f32, {3}, {3.5f}).tolerance, 0.125,
              1e-12);
  EXPECT_EQ(between<float>(element::f32, {0.0f}, {-0.0f}).tolerance, 0);
}

TEST(Judge, SeesAMisplacedNaN) {
  EXPECT_EQ(between<float>(element::f32, {kNaN, 1}, {kNaN, 1}).mismatch, "");
  EXPECT_EQ(between<float>(element::f32, {1, kNaN}, {1, 1}).mismatch,
            "a NaN is misplaced at element 1");
  EXPECT_NE(between<float>(element::f32, {1}, {kNaN}).mismatch, "");
  EXPECT_NE(between<uint16_t>(element::f16, {0x7c00}, {0x7e00}).mismatch, "");
}

TEST(Judge, InfinityIsFarFromNumbers) {
  EXPECT_GT(between<float>(element::f32, {INFINITY}, {1}).tolerance, 0.4);
  EXPECT_EQ(between<double>(element::f64, {1.0}, {INFINITY}).tolerance,
            INFINITY);
  EXPECT_EQ(between<float>(element::f32, {INFINITY}, {INFINITY}).ulps, 0);
  EXPECT_GT(between<float>(element::f32, {INFINITY}, {-INFINITY}).tolerance, 1);
}

TEST(Judge, TakesComplexNumbersAsAWhole) {
  // The small part may be off by units of the large one.
  const distance d = between<float>(element::c64, {1024, 1e-6f}, {1024, 2e-6f});
  EXPECT_LT(d.ulps, 0.1);
  EXPECT_NE(between<float>(element::c64, {1, 2}, {1, kNaN}).mismatch, "");
}

} // namespace
