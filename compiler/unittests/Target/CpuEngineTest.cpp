// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the NPU cannot run, on the CPU engine, against loops written out here;
// and the same program on either engine, bit for bit.

#include "CompileAndRun.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

using namespace mlir;
using namespace mlir::loom;
using namespace loom_test;

namespace {
class CpuEngine : public CompileAndRun {
protected:
  /// The NPU's and the CPU engine's bits are the same.
  void same(StringRef text, const std::vector<std::vector<uint8_t>> &inputs) {
    back.cpuOnly = false;
    const auto npu = once(text, inputs);
    EXPECT_EQ(result.cpuSegments, 0u);
    back.cpuOnly = true;
    const auto cpu = once(text, inputs);
    EXPECT_EQ(result.npuSegments, 0u);
    back.cpuOnly = false;
    ASSERT_EQ(npu.size(), cpu.size());
    for (size_t i = 0; i < npu.size(); ++i)
      EXPECT_EQ(npu[i], cpu[i]) << "result " << i;
  }
};

template <typename T>
std::vector<T> counts(size_t n, int64_t step, int64_t at) {
  std::vector<T> v(n);
  for (size_t i = 0; i < n; ++i)
    v[i] = T(at + int64_t(i) * step);
  return v;
}
} // namespace

TEST_F(CpuEngine, ElementsOfF64) {
  const size_t n = 300;
  std::vector<double> a(n), b(n);
  for (size_t i = 0; i < n; ++i) {
    a[i] = std::ldexp(double(i) - 150.3, int(i % 40) - 20);
    b[i] = 1.0 / (double(i) + 0.7);
  }
  auto out = once(R"mlir(
func.func @main(%a: tensor<10x30xf64>, %b: tensor<10x30xf64>) -> (tensor<10x30xf64>, tensor<30x10xf64>, tensor<10x30xi1>, tensor<10x30xf32>, tensor<10x30xi64>) {
  %0 = "stablehlo.multiply"(%a, %b) : (tensor<10x30xf64>, tensor<10x30xf64>) -> tensor<10x30xf64>
  %c = "stablehlo.constant"() <{value = dense<0.1> : tensor<10x30xf64>}> : () -> tensor<10x30xf64>
  %1 = "stablehlo.add"(%0, %c) : (tensor<10x30xf64>, tensor<10x30xf64>) -> tensor<10x30xf64>
  %2 = "stablehlo.divide"(%1, %b) : (tensor<10x30xf64>, tensor<10x30xf64>) -> tensor<10x30xf64>
  %t = "stablehlo.transpose"(%2) <{permutation = array<i64: 1, 0>}> : (tensor<10x30xf64>) -> tensor<30x10xf64>
  %3 = "stablehlo.compare"(%a, %b) <{comparison_direction = #stablehlo<comparison_direction LT>}> : (tensor<10x30xf64>, tensor<10x30xf64>) -> tensor<10x30xi1>
  %4 = "stablehlo.convert"(%1) : (tensor<10x30xf64>) -> tensor<10x30xf32>
  %5 = "stablehlo.convert"(%a) : (tensor<10x30xf64>) -> tensor<10x30xi64>
  return %1, %t, %3, %4, %5 : tensor<10x30xf64>, tensor<30x10xf64>, tensor<10x30xi1>, tensor<10x30xf32>, tensor<10x30xi64>
})mlir",
                  {bytes(a), bytes(b)});
  ASSERT_EQ(out.size(), 5u);
  EXPECT_EQ(result.npuSegments, 0u);
  for (size_t i = 0; i < n; ++i) {
    const double product = a[i] * b[i], sum = product + 0.1;
    ASSERT_EQ(as<double>(out[0])[i], sum);
    ASSERT_EQ(as<double>(out[1])[i % 30 * 10 + i / 30], sum / b[i]);
    ASSERT_EQ(out[2][i], a[i] < b[i]);
    ASSERT_EQ(as<float>(out[3])[i], float(sum));
    ASSERT_EQ(as<int64_t>(out[4])[i], int64_t(a[i]));
  }
}

TEST_F(CpuEngine, FunctionsOfF64) {
  const size_t n = 40;
  std::vector<double> a(n);
  for (size_t i = 0; i < n; ++i)
    a[i] = (double(i) - 19.5) * 0.31;
  auto out = once(R"mlir(
func.func @main(%a: tensor<40xf64>) -> (tensor<40xf64>, tensor<40xf64>, tensor<40xf64>, tensor<40xf64>) {
  %0 = "stablehlo.exponential"(%a) : (tensor<40xf64>) -> tensor<40xf64>
  %1 = "stablehlo.tan"(%a) : (tensor<40xf64>) -> tensor<40xf64>
  %2 = "stablehlo.tanh"(%a) : (tensor<40xf64>) -> tensor<40xf64>
  %3 = "stablehlo.reduce_precision"(%a) <{exponent_bits = 8 : i32, mantissa_bits = 23 : i32}> : (tensor<40xf64>) -> tensor<40xf64>
  return %0, %1, %2, %3 : tensor<40xf64>, tensor<40xf64>, tensor<40xf64>, tensor<40xf64>
})mlir",
                  {bytes(a)});
  ASSERT_EQ(out.size(), 4u);
  for (size_t i = 0; i < n; ++i) {
    EXPECT_NEAR(as<double>(out[0])[i] / std::exp(a[i]), 1, 1e-15);
    EXPECT_NEAR(as<double>(out[1])[i] / std::tan(a[i]), 1, 2e-15);
    EXPECT_NEAR(as<double>(out[2])[i] / std::tanh(a[i]), 1, 1e-15);
    EXPECT_EQ(as<double>(out[3])[i], double(float(a[i])));
  }
}

TEST_F(CpuEngine, IntegersOf64And16Bits) {
  const size_t n = 65;
  auto a = counts<uint64_t>(n, 0x123456789abcdef1, 77);
  auto b = counts<uint64_t>(n, 1, 3);
  auto h = counts<int16_t>(n, 1021, -32768);
  auto out = once(R"mlir(
func.func @main(%a: tensor<65xui64>, %b: tensor<65xui64>, %h: tensor<65xi16>) -> (tensor<65xui64>, tensor<65xui64>, tensor<65xui64>, tensor<65xi16>, tensor<65xi16>, tensor<65xi64>) {
  %0 = "stablehlo.multiply"(%a, %a) : (tensor<65xui64>, tensor<65xui64>) -> tensor<65xui64>
  %1 = "stablehlo.shift_right_logical"(%a, %b) : (tensor<65xui64>, tensor<65xui64>) -> tensor<65xui64>
  %2 = "stablehlo.remainder"(%a, %b) : (tensor<65xui64>, tensor<65xui64>) -> tensor<65xui64>
  %s = "stablehlo.constant"() <{value = dense<3> : tensor<65xi16>}> : () -> tensor<65xi16>
  %3 = "stablehlo.shift_right_arithmetic"(%h, %s) : (tensor<65xi16>, tensor<65xi16>) -> tensor<65xi16>
  %4 = "stablehlo.popcnt"(%h) : (tensor<65xi16>) -> tensor<65xi16>
  %5 = "stablehlo.iota"() <{iota_dimension = 0 : i64}> : () -> tensor<65xi64>
  return %0, %1, %2, %3, %4, %5 : tensor<65xui64>, tensor<65xui64>, tensor<65xui64>, tensor<65xi16>, tensor<65xi16>, tensor<65xi64>
})mlir",
                  {bytes(a), bytes(b), bytes(h)});
  ASSERT_EQ(out.size(), 6u);
  for (size_t i = 0; i < n; ++i) {
    ASSERT_EQ(as<uint64_t>(out[0])[i], a[i] * a[i]);
    ASSERT_EQ(as<uint64_t>(out[1])[i], b[i] > 63 ? 0 : a[i] >> b[i]);
    ASSERT_EQ(as<uint64_t>(out[2])[i], a[i] % b[i]);
    ASSERT_EQ(as<int16_t>(out[3])[i], int16_t(h[i] >> 3));
    ASSERT_EQ(as<int16_t>(out[4])[i], __builtin_popcount(uint16_t(h[i])));
    ASSERT_EQ(as<int64_t>(out[5])[i], int64_t(i));
  }
}

TEST_F(CpuEngine, PiecesOfI64) {
  auto a = counts<int64_t>(12, 5, -20), b = counts<int64_t>(6, 1, 100);
  std::vector<int64_t> fill{-7};
  auto out = once(R"mlir(
func.func @main(%a: tensor<3x4xi64>, %b: tensor<3x2xi64>, %f: tensor<i64>) -> (tensor<3x6xi64>, tensor<6x3xi64>, tensor<4x3xi64>) {
  %0 = "stablehlo.concatenate"(%a, %b) <{dimension = 1 : i64}> : (tensor<3x4xi64>, tensor<3x2xi64>) -> tensor<3x6xi64>
  %1 = "stablehlo.pad"(%a, %f) <{edge_padding_low = array<i64: 1, -1>, edge_padding_high = array<i64: 0, 0>, interior_padding = array<i64: 1, 0>}> : (tensor<3x4xi64>, tensor<i64>) -> tensor<6x3xi64>
  %2 = "stablehlo.transpose"(%a) <{permutation = array<i64: 1, 0>}> : (tensor<3x4xi64>) -> tensor<4x3xi64>
  %3 = "stablehlo.reverse"(%2) <{dimensions = array<i64: 0>}> : (tensor<4x3xi64>) -> tensor<4x3xi64>
  return %0, %1, %3 : tensor<3x6xi64>, tensor<6x3xi64>, tensor<4x3xi64>
})mlir",
                  {bytes(a), bytes(b), bytes(fill)});
  ASSERT_EQ(out.size(), 3u);
  for (int i = 0; i < 3; ++i)
    for (int j = 0; j < 6; ++j)
      ASSERT_EQ(as<int64_t>(out[0])[i * 6 + j],
                j < 4 ? a[i * 4 + j] : b[i * 2 + j - 4]);
  for (int i = 0; i < 6; ++i)
    for (int j = 0; j < 3; ++j)
      ASSERT_EQ(as<int64_t>(out[1])[i * 3 + j],
                i % 2 ? a[i / 2 * 4 + j + 1] : -7);
  for (int i = 0; i < 4; ++i)
    for (int j = 0; j < 3; ++j)
      ASSERT_EQ(as<int64_t>(out[2])[i * 3 + j], a[j * 4 + 3 - i]);
}

TEST_F(CpuEngine, BitsOfOtherWidths) {
  auto a = counts<uint32_t>(6, 0x01020304, 0x7f800001);
  auto out = once(R"mlir(
func.func @main(%a: tensor<6xui32>) -> (tensor<6x4xui8>, tensor<3xui64>, tensor<6xui32>) {
  %0 = "stablehlo.bitcast_convert"(%a) : (tensor<6xui32>) -> tensor<6x4xui8>
  %r = "stablehlo.reshape"(%a) : (tensor<6xui32>) -> tensor<3x2xui32>
  %1 = "stablehlo.bitcast_convert"(%r) : (tensor<3x2xui32>) -> tensor<3xui64>
  %2 = "stablehlo.bitcast_convert"(%0) : (tensor<6x4xui8>) -> tensor<6xui32>
  return %0, %1, %2 : tensor<6x4xui8>, tensor<3xui64>, tensor<6xui32>
})mlir",
                  {bytes(a)});
  ASSERT_EQ(out.size(), 3u);
  for (const auto &each : out)
    EXPECT_EQ(each, bytes(a));
}

TEST_F(CpuEngine, ArgmaxByRegion) {
  const int m = 5, n = 200;
  std::vector<float> x = values(m * n, 3);
  std::vector<int32_t> index(m * n);
  for (int i = 0; i < m * n; ++i)
    index[i] = i % n;
  auto out = once(R"mlir(
func.func @main(%x: tensor<5x200xf32>, %i: tensor<5x200xi32>) -> (tensor<5xf32>, tensor<5xi32>) {
  %low = "stablehlo.constant"() <{value = dense<0xFF800000> : tensor<f32>}> : () -> tensor<f32>
  %zero = "stablehlo.constant"() <{value = dense<0> : tensor<i32>}> : () -> tensor<i32>
  %0:2 = "stablehlo.reduce"(%x, %i, %low, %zero) <{dimensions = array<i64: 1>}> ({
  ^bb0(%a: tensor<f32>, %ai: tensor<i32>, %b: tensor<f32>, %bi: tensor<i32>):
    %gt = "stablehlo.compare"(%a, %b) <{comparison_direction = #stablehlo<comparison_direction GT>}> : (tensor<f32>, tensor<f32>) -> tensor<i1>
    %eq = "stablehlo.compare"(%a, %b) <{comparison_direction = #stablehlo<comparison_direction EQ>}> : (tensor<f32>, tensor<f32>) -> tensor<i1>
    %lt = "stablehlo.compare"(%ai, %bi) <{comparison_direction = #stablehlo<comparison_direction LT>}> : (tensor<i32>, tensor<i32>) -> tensor<i1>
    %tie = "stablehlo.and"(%eq, %lt) : (tensor<i1>, tensor<i1>) -> tensor<i1>
    %left = "stablehlo.or"(%gt, %tie) : (tensor<i1>, tensor<i1>) -> tensor<i1>
    %v = "stablehlo.select"(%gt, %a, %b) : (tensor<i1>, tensor<f32>, tensor<f32>) -> tensor<f32>
    %w = "stablehlo.select"(%left, %ai, %bi) : (tensor<i1>, tensor<i32>, tensor<i32>) -> tensor<i32>
    "stablehlo.return"(%v, %w) : (tensor<f32>, tensor<i32>) -> ()
  }) : (tensor<5x200xf32>, tensor<5x200xi32>, tensor<f32>, tensor<i32>) -> (tensor<5xf32>, tensor<5xi32>)
  return %0#0, %0#1 : tensor<5xf32>, tensor<5xi32>
})mlir",
                  {bytes(x), bytes(index)});
  ASSERT_EQ(out.size(), 2u);
  for (int i = 0; i < m; ++i) {
    const auto best =
        std::max_element(x.begin() + i * n, x.begin() + i * n + n);
    ASSERT_EQ(as<float>(out[0])[i], *best);
    ASSERT_EQ(as<int32_t>(out[1])[i], best - x.begin() - i * n);
  }
}

TEST_F(CpuEngine, ReductionsOfI64AndOfAnyRegion) {
  const int m = 7, n = 33;
  auto a = counts<int64_t>(m * n, 0x7654321076543, 12345);
  auto out = once(R"mlir(
func.func @main(%a: tensor<7x33xi64>) -> (tensor<7xi64>, tensor<33xi64>) {
  %one = "stablehlo.constant"() <{value = dense<1> : tensor<i64>}> : () -> tensor<i64>
  %0 = "stablehlo.reduce"(%a, %one) <{dimensions = array<i64: 1>}> ({
  ^bb0(%x: tensor<i64>, %y: tensor<i64>):
    %s = "stablehlo.add"(%x, %y) : (tensor<i64>, tensor<i64>) -> tensor<i64>
    "stablehlo.return"(%s) : (tensor<i64>) -> ()
  }) : (tensor<7x33xi64>, tensor<i64>) -> tensor<7xi64>
  %1 = "stablehlo.reduce"(%a, %one) <{dimensions = array<i64: 0>}> ({
  ^bb0(%x: tensor<i64>, %y: tensor<i64>):
    %s = "stablehlo.multiply"(%x, %y) : (tensor<i64>, tensor<i64>) -> tensor<i64>
    %k = "stablehlo.constant"() <{value = dense<1> : tensor<i64>}> : () -> tensor<i64>
    %t = "stablehlo.multiply"(%s, %k) : (tensor<i64>, tensor<i64>) -> tensor<i64>
    "stablehlo.return"(%t) : (tensor<i64>) -> ()
  }) : (tensor<7x33xi64>, tensor<i64>) -> tensor<33xi64>
  return %0, %1 : tensor<7xi64>, tensor<33xi64>
})mlir",
                  {bytes(a)});
  ASSERT_EQ(out.size(), 2u);
  for (int i = 0; i < m; ++i)
    ASSERT_EQ(
        as<int64_t>(out[0])[i],
        std::accumulate(a.begin() + i * n, a.begin() + i * n + n, int64_t(1)));
  for (int j = 0; j < n; ++j) {
    uint64_t product = 1;
    for (int i = 0; i < m; ++i)
      product *= uint64_t(a[i * n + j]);
    ASSERT_EQ(as<uint64_t>(out[1])[j], product);
  }
}

TEST_F(CpuEngine, WindowsOfDilatedF64) {
  const int n = 20;
  std::vector<double> a(n);
  for (int i = 0; i < n; ++i)
    a[i] = i * 0.37 - 3;
  auto out = once(R"mlir(
func.func @main(%a: tensor<20xf64>) -> tensor<18xf64> {
  %z = "stablehlo.constant"() <{value = dense<0.0> : tensor<f64>}> : () -> tensor<f64>
  %0 = "stablehlo.reduce_window"(%a, %z) <{window_dimensions = array<i64: 3>, window_strides = array<i64: 2>, base_dilations = array<i64: 2>, window_dilations = array<i64: 2>, padding = array<i64: 1, -1>}> ({
  ^bb0(%x: tensor<f64>, %y: tensor<f64>):
    %s = "stablehlo.add"(%x, %y) : (tensor<f64>, tensor<f64>) -> tensor<f64>
    "stablehlo.return"(%s) : (tensor<f64>) -> ()
  }) : (tensor<20xf64>, tensor<f64>) -> tensor<18xf64>
  return %0 : tensor<18xf64>
})mlir",
                  {bytes(a)});
  ASSERT_EQ(out.size(), 1u);
  for (int o = 0; o < 18; ++o) {
    double sum = 0;
    for (int w = 0; w < 3; ++w) {
      const int at = o * 2 + w * 2 - 1;
      if (at >= 0 && at % 2 == 0 && at / 2 < n)
        sum += a[at / 2];
    }
    ASSERT_EQ(as<double>(out[0])[o], sum) << o;
  }
}

TEST_F(CpuEngine, SortsInTotalOrderWithAnIndex) {
  const int n = 101;
  std::vector<float> x = values(2 * n, 9);
  x[3] = std::numeric_limits<float>::quiet_NaN();
  x[5] = -0.0f;
  x[6] = 0.0f;
  x[7] = -std::numeric_limits<float>::infinity();
  std::vector<int32_t> index(2 * n);
  for (int i = 0; i < 2 * n; ++i)
    index[i] = i % n;
  auto out = once(R"mlir(
func.func @main(%x: tensor<2x101xf32>, %i: tensor<2x101xi32>) -> (tensor<2x101xf32>, tensor<2x101xi32>) {
  %0:2 = "stablehlo.sort"(%x, %i) <{dimension = 1 : i64, is_stable = true}> ({
  ^bb0(%a: tensor<f32>, %b: tensor<f32>, %ai: tensor<i32>, %bi: tensor<i32>):
    %c = "stablehlo.compare"(%a, %b) <{comparison_direction = #stablehlo<comparison_direction LT>, compare_type = #stablehlo<comparison_type TOTALORDER>}> : (tensor<f32>, tensor<f32>) -> tensor<i1>
    "stablehlo.return"(%c) : (tensor<i1>) -> ()
  }) : (tensor<2x101xf32>, tensor<2x101xi32>) -> (tensor<2x101xf32>, tensor<2x101xi32>)
  return %0#0, %0#1 : tensor<2x101xf32>, tensor<2x101xi32>
})mlir",
                  {bytes(x), bytes(index)});
  ASSERT_EQ(out.size(), 2u);
  auto key = [](float f) {
    const int32_t b = int32_t(bits(f));
    return b ^ (b >> 31 & 0x7fffffff);
  };
  for (int r = 0; r < 2; ++r) {
    std::vector<int32_t> order(n);
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [&](int a, int b) {
      return key(x[r * n + a]) < key(x[r * n + b]);
    });
    for (int i = 0; i < n; ++i) {
      ASSERT_EQ(as<int32_t>(out[1])[r * n + i], order[i]);
      ASSERT_EQ(bits(as<float>(out[0])[r * n + i]), bits(x[r * n + order[i]]));
    }
  }
}

TEST_F(CpuEngine, GathersColumnsAndDropsUpdatesOutside) {
  std::vector<float> t = values(4 * 6, 2), u = values(5 * 4, 8);
  std::vector<int32_t> at{2, -1, 5, 9, 2};
  auto out = once(R"mlir(
func.func @main(%t: tensor<4x6xf32>, %i: tensor<5x1xi32>, %u: tensor<5x4xf32>) -> (tensor<5x4xf32>, tensor<4x6xf32>) {
  %0 = "stablehlo.gather"(%t, %i) <{offset_dims = array<i64: 1>, collapsed_slice_dims = array<i64: 1>, operand_batching_dims = array<i64>, start_indices_batching_dims = array<i64>, start_index_map = array<i64: 1>, index_vector_dim = 1 : i64, slice_sizes = array<i64: 4, 1>}> : (tensor<4x6xf32>, tensor<5x1xi32>) -> tensor<5x4xf32>
  %1 = "stablehlo.scatter"(%t, %i, %u) <{update_window_dims = array<i64: 1>, inserted_window_dims = array<i64: 1>, input_batching_dims = array<i64>, scatter_indices_batching_dims = array<i64>, scatter_dims_to_operand_dims = array<i64: 1>, index_vector_dim = 1 : i64}> ({
  ^bb0(%old: tensor<f32>, %new: tensor<f32>):
    %d = "stablehlo.subtract"(%old, %new) : (tensor<f32>, tensor<f32>) -> tensor<f32>
    "stablehlo.return"(%d) : (tensor<f32>) -> ()
  }) : (tensor<4x6xf32>, tensor<5x1xi32>, tensor<5x4xf32>) -> tensor<4x6xf32>
  return %0, %1 : tensor<5x4xf32>, tensor<4x6xf32>
})mlir",
                  {bytes(t), bytes(at), bytes(u)});
  ASSERT_EQ(out.size(), 2u);
  std::vector<float> want = t;
  for (int k = 0; k < 5; ++k)
    for (int r = 0; r < 4; ++r) {
      const int c = std::clamp(at[k], 0, 5);
      ASSERT_EQ(as<float>(out[0])[k * 4 + r], t[r * 6 + c]);
      if (at[k] == c)
        want[r * 6 + c] = want[r * 6 + c] - u[k * 4 + r];
    }
  expectBits(as<float>(out[1]), want);
}

TEST_F(CpuEngine, SlicesAtRunTimePlaces) {
  std::vector<float> t = values(5 * 7, 4), u = values(2 * 3, 5);
  std::vector<int32_t> row{9};
  std::vector<int32_t> column{2};
  without = 1ull << LOOM_FEAT_REG;
  auto out = once(R"mlir(
func.func @main(%t: tensor<5x7xf32>, %u: tensor<2x3xf32>, %r: tensor<i32>, %c: tensor<i32>) -> (tensor<2x3xf32>, tensor<5x7xf32>) {
  %0 = "stablehlo.dynamic_slice"(%t, %r, %c) <{slice_sizes = array<i64: 2, 3>}> : (tensor<5x7xf32>, tensor<i32>, tensor<i32>) -> tensor<2x3xf32>
  %1 = "stablehlo.dynamic_update_slice"(%t, %u, %r, %c) : (tensor<5x7xf32>, tensor<2x3xf32>, tensor<i32>, tensor<i32>) -> tensor<5x7xf32>
  return %0, %1 : tensor<2x3xf32>, tensor<5x7xf32>
})mlir",
                  {bytes(t), bytes(u), bytes(row), bytes(column)});
  ASSERT_EQ(out.size(), 2u);
  EXPECT_GT(result.cpuSegments, 0u);
  std::vector<float> want = t;
  for (int i = 0; i < 2; ++i)
    for (int j = 0; j < 3; ++j) {
      ASSERT_EQ(as<float>(out[0])[i * 3 + j], t[(3 + i) * 7 + 2 + j]);
      want[(3 + i) * 7 + 2 + j] = u[i * 3 + j];
    }
  expectBits(as<float>(out[1]), want);
}

TEST_F(CpuEngine, GradientOfPooling) {
  const int n = 8;
  std::vector<float> x = values(n * n, 6), s = values(16, 7);
  auto out = once(R"mlir(
func.func @main(%x: tensor<8x8xf32>, %s: tensor<4x4xf32>) -> tensor<8x8xf32> {
  %z = "stablehlo.constant"() <{value = dense<0.0> : tensor<f32>}> : () -> tensor<f32>
  %0 = "stablehlo.select_and_scatter"(%x, %s, %z) <{window_dimensions = array<i64: 3, 2>, window_strides = array<i64: 2, 2>, padding = array<i64: 1, 0, 0, 0>}> ({
  ^bb0(%a: tensor<f32>, %b: tensor<f32>):
    %c = "stablehlo.compare"(%a, %b) <{comparison_direction = #stablehlo<comparison_direction GE>}> : (tensor<f32>, tensor<f32>) -> tensor<i1>
    "stablehlo.return"(%c) : (tensor<i1>) -> ()
  }, {
  ^bb0(%a: tensor<f32>, %b: tensor<f32>):
    %c = "stablehlo.add"(%a, %b) : (tensor<f32>, tensor<f32>) -> tensor<f32>
    "stablehlo.return"(%c) : (tensor<f32>) -> ()
  }) : (tensor<8x8xf32>, tensor<4x4xf32>, tensor<f32>) -> tensor<8x8xf32>
  return %0 : tensor<8x8xf32>
})mlir",
                  {bytes(x), bytes(s)});
  ASSERT_EQ(out.size(), 1u);
  std::vector<float> want(n * n, 0.0f);
  for (int oy = 0; oy < 4; ++oy)
    for (int ox = 0; ox < 4; ++ox) {
      int best = -1;
      for (int wy = 0; wy < 3; ++wy)
        for (int wx = 0; wx < 2; ++wx) {
          const int y = oy * 2 + wy - 1, at = y * n + ox * 2 + wx;
          if (y >= 0 && y < n && (best < 0 || !(x[best] >= x[at])))
            best = at;
        }
      want[best] = want[best] + s[oy * 4 + ox];
    }
  expectBits(as<float>(out[0]), want);
}

TEST_F(CpuEngine, ProductsOfF64AndI64) {
  const int m = 5, k = 37, n = 6;
  std::vector<double> a(m * k), b(k * n);
  for (size_t i = 0; i < a.size(); ++i)
    a[i] = std::sin(double(i));
  for (size_t i = 0; i < b.size(); ++i)
    b[i] = std::cos(double(i) * 1.7);
  auto c = counts<int64_t>(m * k, 0x123456789ab, -5);
  auto out = once(R"mlir(
func.func @main(%a: tensor<5x37xf64>, %b: tensor<6x37xf64>, %c: tensor<5x37xi64>) -> (tensor<5x6xf64>, tensor<5x5xi64>) {
  %0 = "stablehlo.dot_general"(%a, %b) <{lhs_batching_dimensions = array<i64>, rhs_batching_dimensions = array<i64>, lhs_contracting_dimensions = array<i64: 1>, rhs_contracting_dimensions = array<i64: 1>}> : (tensor<5x37xf64>, tensor<6x37xf64>) -> tensor<5x6xf64>
  %1 = "stablehlo.dot_general"(%c, %c) <{lhs_batching_dimensions = array<i64>, rhs_batching_dimensions = array<i64>, lhs_contracting_dimensions = array<i64: 1>, rhs_contracting_dimensions = array<i64: 1>}> : (tensor<5x37xi64>, tensor<5x37xi64>) -> tensor<5x5xi64>
  return %0, %1 : tensor<5x6xf64>, tensor<5x5xi64>
})mlir",
                  {bytes(a), bytes(b), bytes(c)});
  ASSERT_EQ(out.size(), 2u);
  for (int i = 0; i < m; ++i)
    for (int j = 0; j < n; ++j) {
      double sum = 0;
      for (int t = 0; t < k; ++t)
        sum += a[i * k + t] * b[j * k + t];
      ASSERT_EQ(as<double>(out[0])[i * n + j], sum);
    }
  for (int i = 0; i < m; ++i)
    for (int j = 0; j < m; ++j) {
      uint64_t sum = 0;
      for (int t = 0; t < k; ++t)
        sum += uint64_t(c[i * k + t]) * uint64_t(c[j * k + t]);
      ASSERT_EQ(as<uint64_t>(out[1])[i * m + j], sum);
    }
}

TEST_F(CpuEngine, ConvolutionInBatchGroups) {
  // input [B, W, C], filter [K, C, O]; three spatial dimensions beside.
  const int B = 4, W = 9, C = 3, K = 2, O = 6, G = 2, OW = 7;
  std::vector<float> x = values(B * W * C, 1), f = values(K * C * O, 2);
  auto out = once(R"mlir(
func.func @main(%x: tensor<4x9x3xf32>, %f: tensor<2x3x6xf32>) -> tensor<2x7x6xf32> {
  %0 = "stablehlo.convolution"(%x, %f) <{window_strides = array<i64: 2>, padding = array<i64: -2, 1>, lhs_dilation = array<i64: 2>, rhs_dilation = array<i64: 3>, window_reversal = array<i1: true>, input_batch_dimension = 0 : i64, input_feature_dimension = 2 : i64, input_spatial_dimensions = array<i64: 1>, kernel_input_feature_dimension = 1 : i64, kernel_output_feature_dimension = 2 : i64, kernel_spatial_dimensions = array<i64: 0>, output_batch_dimension = 0 : i64, output_feature_dimension = 2 : i64, output_spatial_dimensions = array<i64: 1>, feature_group_count = 1 : i64, batch_group_count = 2 : i64}> : (tensor<4x9x3xf32>, tensor<2x3x6xf32>) -> tensor<2x7x6xf32>
  return %0 : tensor<2x7x6xf32>
})mlir",
                  {bytes(x), bytes(f)});
  ASSERT_EQ(out.size(), 1u);
  for (int b = 0; b < B / G; ++b)
    for (int o = 0; o < OW; ++o)
      for (int c = 0; c < O; ++c) {
        float sum = 0;
        const int image = c / (O / G) * (B / G) + b;
        for (int w = 0; w < K; ++w)
          for (int i = 0; i < C; ++i) {
            const int at = o * 2 + w * 3 - -2;
            const bool in = at >= 0 && at % 2 == 0 && at / 2 < W;
            sum = std::fma(in ? x[(image * W + at / 2) * C + i] : 0.0f,
                           f[((K - 1 - w) * C + i) * O + c], sum);
          }
        ASSERT_EQ(bits(as<float>(out[0])[(b * OW + o) * O + c]), bits(sum))
            << b << " " << o << " " << c;
      }
}

/// What is made before a CPU operation and used after it goes through memory.
static const char *const kMixed = R"mlir(
func.func @main(%a: tensor<32x32xf32>, %b: tensor<32x32xf32>) -> tensor<32x32xf32> {
  %0 = "stablehlo.dot_general"(%a, %b) <{lhs_batching_dimensions = array<i64>, rhs_batching_dimensions = array<i64>, lhs_contracting_dimensions = array<i64: 1>, rhs_contracting_dimensions = array<i64: 0>}> : (tensor<32x32xf32>, tensor<32x32xf32>) -> tensor<32x32xf32>
  %s = "stablehlo.sort"(%0) <{dimension = 1 : i64}> ({
  ^bb0(%x: tensor<f32>, %y: tensor<f32>):
    %c = "stablehlo.compare"(%x, %y) <{comparison_direction = #stablehlo<comparison_direction LT>}> : (tensor<f32>, tensor<f32>) -> tensor<i1>
    "stablehlo.return"(%c) : (tensor<i1>) -> ()
  }) : (tensor<32x32xf32>) -> tensor<32x32xf32>
  %1 = "stablehlo.add"(%s, %0) : (tensor<32x32xf32>, tensor<32x32xf32>) -> tensor<32x32xf32>
  %2 = "stablehlo.dot_general"(%1, %b) <{lhs_batching_dimensions = array<i64>, rhs_batching_dimensions = array<i64>, lhs_contracting_dimensions = array<i64: 1>, rhs_contracting_dimensions = array<i64: 0>}> : (tensor<32x32xf32>, tensor<32x32xf32>) -> tensor<32x32xf32>
  return %2 : tensor<32x32xf32>
})mlir";

TEST_F(CpuEngine, CrossesBetweenTheEngines) {
  const int n = 32;
  std::vector<float> a = values(n * n, 1), b = values(n * n, 2), p(n * n),
                     want(n * n);
  auto out = once(kMixed, {bytes(a), bytes(b)});
  ASSERT_EQ(out.size(), 1u);
  EXPECT_EQ(result.npuSegments, 2u);
  EXPECT_EQ(result.cpuSegments, 1u);
  ASSERT_EQ(compiled.placement.size(), 1u);
  EXPECT_EQ(compiled.placement[0].operation, "sort");
  EXPECT_EQ(compiled.placement[0].why, "the NPU does not sort");
  EXPECT_EQ(compiled.placement[0].segment, 1u);
  auto multiply = [&](const std::vector<float> &l, std::vector<float> &to) {
    for (int i = 0; i < n; ++i)
      for (int j = 0; j < n; ++j) {
        float acc = 0;
        for (int t = 0; t < n; ++t)
          acc = std::fma(l[i * n + t], b[t * n + j], acc);
        to[i * n + j] = acc;
      }
  };
  multiply(a, p);
  std::vector<float> sorted = p;
  for (int i = 0; i < n; ++i)
    std::sort(sorted.begin() + i * n, sorted.begin() + i * n + n);
  for (int i = 0; i < n * n; ++i)
    sorted[i] = sorted[i] + p[i];
  multiply(sorted, want);
  expectBits(as<float>(out[0]), want);
}

TEST_F(CpuEngine, SameBitsOnEitherEngine) {
  std::vector<float> x = values(2 * 9 * 9 * 4, 1), w = values(3 * 3 * 4 * 8, 2),
                     d = values(8 * 11, 3), c = values(11, 4);
  same(R"mlir(
func.func @main(%x: tensor<2x9x9x4xf32>, %w: tensor<3x3x4x8xf32>, %d: tensor<8x11xf32>, %c: tensor<11xf32>) -> (tensor<2x11xf32>, tensor<2x9x9x8xbf16>) {
  %0 = "stablehlo.convolution"(%x, %w) <{window_strides = array<i64: 1, 1>, padding = array<i64: 1, 1, 1, 1>, lhs_dilation = array<i64: 1, 1>, rhs_dilation = array<i64: 1, 1>, window_reversal = array<i1: false, false>, input_batch_dimension = 0 : i64, input_feature_dimension = 3 : i64, input_spatial_dimensions = array<i64: 1, 2>, kernel_input_feature_dimension = 2 : i64, kernel_output_feature_dimension = 3 : i64, kernel_spatial_dimensions = array<i64: 0, 1>, output_batch_dimension = 0 : i64, output_feature_dimension = 3 : i64, output_spatial_dimensions = array<i64: 1, 2>, feature_group_count = 1 : i64, batch_group_count = 1 : i64}> : (tensor<2x9x9x4xf32>, tensor<3x3x4x8xf32>) -> tensor<2x9x9x8xf32>
  %z = "stablehlo.constant"() <{value = dense<0.0> : tensor<2x9x9x8xf32>}> : () -> tensor<2x9x9x8xf32>
  %1 = "stablehlo.maximum"(%0, %z) : (tensor<2x9x9x8xf32>, tensor<2x9x9x8xf32>) -> tensor<2x9x9x8xf32>
  %h = "stablehlo.convert"(%1) : (tensor<2x9x9x8xf32>) -> tensor<2x9x9x8xbf16>
  %s0 = "stablehlo.constant"() <{value = dense<0.0> : tensor<f32>}> : () -> tensor<f32>
  %2 = "stablehlo.reduce"(%1, %s0) <{dimensions = array<i64: 1, 2>}> ({
  ^bb0(%p: tensor<f32>, %q: tensor<f32>):
    %t = "stablehlo.add"(%p, %q) : (tensor<f32>, tensor<f32>) -> tensor<f32>
    "stablehlo.return"(%t) : (tensor<f32>) -> ()
  }) : (tensor<2x9x9x8xf32>, tensor<f32>) -> tensor<2x8xf32>
  %3 = "stablehlo.dot_general"(%2, %d) <{lhs_batching_dimensions = array<i64>, rhs_batching_dimensions = array<i64>, lhs_contracting_dimensions = array<i64: 1>, rhs_contracting_dimensions = array<i64: 0>}> : (tensor<2x8xf32>, tensor<8x11xf32>) -> tensor<2x11xf32>
  %4 = "stablehlo.broadcast_in_dim"(%c) <{broadcast_dimensions = array<i64: 1>}> : (tensor<11xf32>) -> tensor<2x11xf32>
  %5 = "stablehlo.add"(%3, %4) : (tensor<2x11xf32>, tensor<2x11xf32>) -> tensor<2x11xf32>
  %6 = "stablehlo.tanh"(%5) : (tensor<2x11xf32>) -> tensor<2x11xf32>
  %7 = "stablehlo.exponential"(%6) : (tensor<2x11xf32>) -> tensor<2x11xf32>
  return %7, %h : tensor<2x11xf32>, tensor<2x9x9x8xbf16>
})mlir",
       {bytes(x), bytes(w), bytes(d), bytes(c)});
}

TEST_F(CpuEngine, TakesOverWhatATargetLacks) {
  const char *text = R"mlir(
func.func @main(%a: tensor<20x20xf32>) -> tensor<20x20xf32> {
  %0 = "stablehlo.dot_general"(%a, %a) <{lhs_batching_dimensions = array<i64>, rhs_batching_dimensions = array<i64>, lhs_contracting_dimensions = array<i64: 1>, rhs_contracting_dimensions = array<i64: 0>}> : (tensor<20x20xf32>, tensor<20x20xf32>) -> tensor<20x20xf32>
  %1 = "stablehlo.exponential"(%0) : (tensor<20x20xf32>) -> tensor<20x20xf32>
  return %1 : tensor<20x20xf32>
})mlir";
  std::vector<float> a = values(400, 5);
  for (float &v : a)
    v *= 0.1f;
  const auto whole = once(text, {bytes(a)});
  EXPECT_EQ(result.cpuSegments, 0u);
  without = 1ull << LOOM_FEAT_TRANS;
  const auto tanh = once(text, {bytes(a)});
  EXPECT_EQ(result.npuSegments, 1u);
  EXPECT_EQ(result.cpuSegments, 1u);
  without = 1ull << LOOM_FEAT_VPU;
  const auto vector = once(text, {bytes(a)});
  EXPECT_EQ(result.cpuSegments, 1u);
  ASSERT_EQ(compiled.placement.size(), 1u);
  EXPECT_EQ(compiled.placement[0].why,
            "the target has no vector unit (feature VPU)");
  without = 1ull << LOOM_FEAT_F32;
  const auto array = once(text, {bytes(a)});
  EXPECT_EQ(result.cpuSegments, 1u);
  EXPECT_EQ(whole, tanh);
  EXPECT_EQ(whole, vector);
  EXPECT_EQ(whole, array);
}

TEST_F(CpuEngine, RefusesByNameWhatNoEngineRuns) {
  CompiledProgram out;
  EXPECT_FALSE(compile(R"mlir(
func.func @main(%a: tensor<4xf32>, %b: tensor<4xf32>) -> tensor<4xf32> {
  %s:5 = "stablehlo.sort"(%a, %b, %a, %b, %a) <{dimension = 0 : i64}> ({
  ^bb0(%0: tensor<f32>, %1: tensor<f32>, %2: tensor<f32>, %3: tensor<f32>, %4: tensor<f32>, %5: tensor<f32>, %6: tensor<f32>, %7: tensor<f32>, %8: tensor<f32>, %9: tensor<f32>):
    %c = "stablehlo.compare"(%0, %1) <{comparison_direction = #stablehlo<comparison_direction LT>}> : (tensor<f32>, tensor<f32>) -> tensor<i1>
    "stablehlo.return"(%c) : (tensor<i1>) -> ()
  }) : (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>)
  return %s#0 : tensor<4xf32>
})mlir",
                       "npu16", out));
  EXPECT_NE(messages.find("'stablehlo.sort' cannot run on the NPU"),
            std::string::npos)
      << messages;
}
