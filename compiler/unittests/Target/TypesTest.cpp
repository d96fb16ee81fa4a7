// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Narrow and unsigned integers, f16, bit casts, products of integers, tensors
// of no elements: against C++'s own integers.

#include "CompileAndRun.h"

#include <bit>
#include <limits>

using namespace mlir;
using namespace mlir::loom;
using namespace loom_test;

namespace {
template <typename T> std::string typeName() {
  if (std::is_same_v<T, bool>)
    return "i1";
  return std::string(std::is_unsigned_v<T> ? "ui" : "i") +
         std::to_string(8 * sizeof(T));
}

template <typename T> std::vector<T> numbers(size_t n, unsigned seed) {
  std::vector<T> v(n);
  for (T &x : v) {
    seed = seed * 1664525u + 1013904223u;
    x = T(seed >> 7);
  }
  v[0] = std::numeric_limits<T>::min();
  v[1] = std::numeric_limits<T>::max();
  v[2] = 0;
  return v;
}

/// "tensor<64xui8>".
std::string tensorOf(const std::string &element, const std::string &shape) {
  return "tensor<" + shape + "x" + element + ">";
}

template <typename T> class Narrow : public CompileAndRun {
protected:
  /// An operation on two tensors of 64 elements.
  std::vector<T> binary(const std::string &name, const std::vector<T> &a,
                        const std::vector<T> &b) {
    const std::string t = tensorOf(typeName<T>(), "64");
    return as<T>(this->run("func.func @main(%a: " + t + ", %b: " + t + ") -> " +
                               t + " {\n  %0 = \"stablehlo." + name +
                               "\"(%a, %b) : (" + t + ", " + t + ") -> " + t +
                               "\n  return %0 : " + t + "\n}",
                           {bytes(a), bytes(b)})
                     .at(0));
  }
  std::vector<T> unary(const std::string &name, const std::vector<T> &a) {
    const std::string t = tensorOf(typeName<T>(), "64");
    return as<T>(this->run("func.func @main(%a: " + t + ") -> " + t +
                               " {\n  %0 = \"stablehlo." + name + "\"(%a) : (" +
                               t + ") -> " + t + "\n  return %0 : " + t + "\n}",
                           {bytes(a)})
                     .at(0));
  }
};

using Integers =
    ::testing::Types<int8_t, uint8_t, int16_t, uint16_t, int32_t, uint32_t>;
TYPED_TEST_SUITE(Narrow, Integers);

TYPED_TEST(Narrow, ShiftsMoveBitsOfTheTypeAlone) {
  using T = TypeParam;
  using U = std::make_unsigned_t<T>;
  using S = std::make_signed_t<T>;
  constexpr int bits = 8 * sizeof(T);
  std::vector<T> a = numbers<T>(64, 1), by(64), left(64), right(64), keep(64);
  for (int i = 0; i < 64; ++i) {
    by[i] = T(i % (bits + 3) - 1); // -1 shifts everything out, as bits does
    const uint64_t d = U(by[i]);
    left[i] = d < bits ? T(uint64_t(U(a[i])) << d) : T(0);
    right[i] = d < bits ? T(U(a[i]) >> d) : T(0);
    keep[i] = T(S(a[i]) >> std::min<uint64_t>(d, bits - 1));
  }
  EXPECT_EQ(this->binary("shift_left", a, by), left);
  EXPECT_EQ(this->binary("shift_right_logical", a, by), right);
  EXPECT_EQ(this->binary("shift_right_arithmetic", a, by), keep);
}

TYPED_TEST(Narrow, CountsBitsOfTheTypeAlone) {
  using T = TypeParam;
  using U = std::make_unsigned_t<T>;
  std::vector<T> a = numbers<T>(64, 2), ones(64), zeros(64);
  for (int i = 0; i < 64; ++i) {
    ones[i] = T(std::popcount(U(a[i])));
    zeros[i] = T(std::countl_zero(U(a[i])));
  }
  EXPECT_EQ(this->unary("popcnt", a), ones);
  EXPECT_EQ(this->unary("count_leading_zeros", a), zeros);
}

TYPED_TEST(Narrow, ArithmeticWrapsAndKnowsItsSign) {
  using T = TypeParam;
  std::vector<T> a = numbers<T>(64, 3), b = numbers<T>(64, 4), sum(64),
                 product(64), quotient(64), less(64);
  b[5] = T(-1);
  a[5] = std::numeric_limits<T>::min();
  for (int i = 0; i < 64; ++i) {
    sum[i] = T(uint32_t(a[i]) + uint32_t(b[i]));
    product[i] = T(uint32_t(a[i]) * uint32_t(b[i]));
    quotient[i] = b[i] ? T(int64_t(a[i]) / int64_t(b[i])) : T(-1);
    less[i] = std::min(a[i], b[i]);
  }
  EXPECT_EQ(this->binary("add", a, b), sum);
  EXPECT_EQ(this->binary("multiply", a, b), product);
  EXPECT_EQ(this->binary("divide", a, b), quotient);
  EXPECT_EQ(this->binary("minimum", a, b), less);
}

TYPED_TEST(Narrow, ProductsSumExactly) {
  using T = TypeParam;
  constexpr int m = 3, k = 37, n = 5;
  const std::vector<T> a = numbers<T>(m * k, 5), b = numbers<T>(k * n, 6);
  std::vector<T> want(m * n);
  for (int i = 0; i < m; ++i)
    for (int j = 0; j < n; ++j) {
      uint32_t sum = 0;
      for (int x = 0; x < k; ++x)
        sum += uint32_t(a[i * k + x]) * uint32_t(b[x * n + j]);
      want[i * n + j] = T(sum);
    }
  const std::string e = typeName<T>(), l = tensorOf(e, "3x37"),
                    r = tensorOf(e, "37x5"), o = tensorOf(e, "3x5");
  auto got = this->run(
      "func.func @main(%a: " + l + ", %b: " + r + ") -> " + o +
          " {\n  %0 = \"stablehlo.dot_general\"(%a, %b) "
          "<{lhs_batching_dimensions = array<i64>, rhs_batching_dimensions = "
          "array<i64>, lhs_contracting_dimensions = array<i64: 1>, "
          "rhs_contracting_dimensions = array<i64: 0>}> : (" +
          l + ", " + r + ") -> " + o + "\n  return %0 : " + o + "\n}",
      {bytes(a), bytes(b)});
  ASSERT_EQ(got.size(), 1u);
  EXPECT_EQ(as<T>(got[0]), want);
}

class Types : public CompileAndRun {};

TEST_F(Types, BitCastsKeepBits) {
  std::vector<uint16_t> half(256 * 4);
  for (size_t i = 0; i < half.size(); ++i)
    half[i] = uint16_t(i * 64 + 3); // NaN with payloads among them
  auto got = run(R"(func.func @main(%a: tensor<1024xf16>)
      -> (tensor<1024xui16>, tensor<1024x2xui8>, tensor<512xi32>) {
    %0 = "stablehlo.bitcast_convert"(%a) : (tensor<1024xf16>) -> tensor<1024xui16>
    %1 = "stablehlo.bitcast_convert"(%a) : (tensor<1024xf16>) -> tensor<1024x2xui8>
    %2 = "stablehlo.reshape"(%a) : (tensor<1024xf16>) -> tensor<512x2xf16>
    %3 = "stablehlo.bitcast_convert"(%2) : (tensor<512x2xf16>) -> tensor<512xi32>
    return %0, %1, %3 : tensor<1024xui16>, tensor<1024x2xui8>, tensor<512xi32>
  })",
                 {bytes(half)});
  ASSERT_EQ(got.size(), 3u);
  for (const auto &output : got)
    EXPECT_EQ(output, bytes(half));
}

TEST_F(Types, TotalOrderOfFloats) {
  const std::vector<float> a{-INFINITY, -1, -0.0f, 0, 1, NAN, -0.0f, 2},
      b{-1, -INFINITY, 0, -0.0f, 2, INFINITY, -0.0f, NAN};
  auto got = run(R"(func.func @main(%a: tensor<8xf32>, %b: tensor<8xf32>)
      -> tensor<8xi1> {
    %0 = "stablehlo.compare"(%a, %b) <{comparison_direction =
      #stablehlo<comparison_direction LT>, compare_type =
      #stablehlo<comparison_type TOTALORDER>}>
      : (tensor<8xf32>, tensor<8xf32>) -> tensor<8xi1>
    return %0 : tensor<8xi1>
  })",
                 {bytes(a), bytes(b)});
  ASSERT_EQ(got.size(), 1u);
  EXPECT_EQ(got[0], (std::vector<uint8_t>{1, 0, 1, 0, 1, 0, 0, 1}));
}

TEST_F(Types, BooleansAddAndMultiply) {
  std::vector<uint8_t> a(64);
  for (int i = 0; i < 64; ++i)
    a[i] = i >= 16 && (i < 32 || i % 2);
  auto got = run(R"(func.func @main(%a: tensor<4x16xi1>)
      -> (tensor<4xi1>, tensor<4xi1>) {
    %f = "stablehlo.constant"() <{value = dense<false> : tensor<i1>}> : () -> tensor<i1>
    %t = "stablehlo.constant"() <{value = dense<true> : tensor<i1>}> : () -> tensor<i1>
    %0 = "stablehlo.reduce"(%a, %f) <{dimensions = array<i64: 1>}> ({
    ^bb0(%x: tensor<i1>, %y: tensor<i1>):
      %s = "stablehlo.add"(%x, %y) : (tensor<i1>, tensor<i1>) -> tensor<i1>
      "stablehlo.return"(%s) : (tensor<i1>) -> ()
    }) : (tensor<4x16xi1>, tensor<i1>) -> tensor<4xi1>
    %1 = "stablehlo.reduce"(%a, %t) <{dimensions = array<i64: 1>}> ({
    ^bb0(%x: tensor<i1>, %y: tensor<i1>):
      %s = "stablehlo.multiply"(%x, %y) : (tensor<i1>, tensor<i1>) -> tensor<i1>
      "stablehlo.return"(%s) : (tensor<i1>) -> ()
    }) : (tensor<4x16xi1>, tensor<i1>) -> tensor<4xi1>
    return %0, %1 : tensor<4xi1>, tensor<4xi1>
  })",
                 {a});
  ASSERT_EQ(got.size(), 2u);
  EXPECT_EQ(got[0], (std::vector<uint8_t>{0, 1, 1, 1}));
  EXPECT_EQ(got[1], (std::vector<uint8_t>{0, 1, 0, 0}));
}

TEST_F(Types, TensorsOfNoElements) {
  const std::vector<float> x{1, 2, 3};
  auto got = run(R"(func.func @main(%e: tensor<0x3xf32>, %x: tensor<3xf32>)
      -> (tensor<0x3xf32>, tensor<3xf32>, tensor<1x3xf32>) {
    %0 = "stablehlo.negate"(%e) : (tensor<0x3xf32>) -> tensor<0x3xf32>
    %z = "stablehlo.constant"() <{value = dense<7.0> : tensor<f32>}> : () -> tensor<f32>
    %1 = "stablehlo.reduce"(%e, %z) <{dimensions = array<i64: 0>}> ({
    ^bb0(%a: tensor<f32>, %b: tensor<f32>):
      %s = "stablehlo.add"(%a, %b) : (tensor<f32>, tensor<f32>) -> tensor<f32>
      "stablehlo.return"(%s) : (tensor<f32>) -> ()
    }) : (tensor<0x3xf32>, tensor<f32>) -> tensor<3xf32>
    %2 = "stablehlo.reshape"(%x) : (tensor<3xf32>) -> tensor<1x3xf32>
    %3 = "stablehlo.concatenate"(%e, %2) <{dimension = 0 : i64}>
      : (tensor<0x3xf32>, tensor<1x3xf32>) -> tensor<1x3xf32>
    return %0, %1, %3 : tensor<0x3xf32>, tensor<3xf32>, tensor<1x3xf32>
  })",
                 {{}, bytes(x)});
  ASSERT_EQ(got.size(), 3u);
  EXPECT_TRUE(got[0].empty());
  expectBits(as<float>(got[1]), {7, 7, 7});
  expectBits(as<float>(got[2]), x);
}

TEST_F(Types, PadsByAValueOfTheRun) {
  const std::vector<uint8_t> x{1, 2, 3}, v{9};
  auto got = run(R"(func.func @main(%x: tensor<3xui8>, %v: tensor<ui8>)
      -> tensor<8xui8> {
    %0 = "stablehlo.pad"(%x, %v) <{edge_padding_low = array<i64: 1>,
      edge_padding_high = array<i64: 2>, interior_padding = array<i64: 1>}>
      : (tensor<3xui8>, tensor<ui8>) -> tensor<8xui8>
    return %0 : tensor<8xui8>
  })",
                 {x, v});
  ASSERT_EQ(got.size(), 1u);
  EXPECT_EQ(got[0], (std::vector<uint8_t>{9, 1, 9, 2, 9, 3, 9, 9}));
}

/// Integers, three spatial dimensions: the vector unit multiplies.
TEST_F(Types, ConvolutionOfThreeDimensions) {
  std::vector<int32_t> x(4 * 4 * 4 * 2), w(2 * 2 * 2 * 2 * 3),
      want(3 * 3 * 3 * 3, 0);
  for (size_t i = 0; i < x.size(); ++i)
    x[i] = int32_t(i * 2654435761u);
  for (size_t i = 0; i < w.size(); ++i)
    w[i] = int32_t(i * 40503u) - 7;
  auto at = [](int z, int y, int x, int n) { return (z * n + y) * n + x; };
  for (int z = 0; z < 3; ++z)
    for (int y = 0; y < 3; ++y)
      for (int xx = 0; xx < 3; ++xx)
        for (int o = 0; o < 3; ++o) {
          uint32_t sum = 0;
          for (int k = 0; k < 8; ++k)
            for (int c = 0; c < 2; ++c)
              sum +=
                  uint32_t(
                      x[at(z + k / 4, y + k / 2 % 2, xx + k % 2, 4) * 2 + c]) *
                  uint32_t(w[(k * 2 + c) * 3 + o]);
          want[at(z, y, xx, 3) * 3 + o] = int32_t(sum);
        }
  auto got = run(
      R"(func.func @main(%x: tensor<1x4x4x4x2xi32>, %w: tensor<2x2x2x2x3xi32>)
      -> tensor<1x3x3x3x3xi32> {
    %0 = "stablehlo.convolution"(%x, %w) <{window_strides = array<i64: 1, 1, 1>,
      padding = array<i64: 0, 0, 0, 0, 0, 0>, lhs_dilation = array<i64: 1, 1, 1>,
      rhs_dilation = array<i64: 1, 1, 1>,
      window_reversal = array<i1: false, false, false>,
      input_batch_dimension = 0 : i64, input_feature_dimension = 4 : i64,
      input_spatial_dimensions = array<i64: 1, 2, 3>,
      kernel_input_feature_dimension = 3 : i64,
      kernel_output_feature_dimension = 4 : i64,
      kernel_spatial_dimensions = array<i64: 0, 1, 2>,
      output_batch_dimension = 0 : i64, output_feature_dimension = 4 : i64,
      output_spatial_dimensions = array<i64: 1, 2, 3>,
      feature_group_count = 1 : i64, batch_group_count = 1 : i64}>
      : (tensor<1x4x4x4x2xi32>, tensor<2x2x2x2x3xi32>) -> tensor<1x3x3x3x3xi32>
    return %0 : tensor<1x3x3x3x3xi32>
  })",
      {bytes(x), bytes(w)});
  ASSERT_EQ(got.size(), 1u);
  EXPECT_EQ(as<int32_t>(got[0]), want);
}

} // namespace
