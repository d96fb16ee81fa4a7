// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Hand-written stablehlo, compiled for several targets and run on the model,
// against loops written out here.

#include "CompileAndRun.h"

#include <algorithm>
#include <cmath>
#include <limits>

using namespace mlir;
using namespace mlir::loom;
using namespace loom_test;

TEST_F(CompileAndRun, MatmulBiasRelu) {
  const int m = 70, k = 300, n = 90;
  std::vector<float> a = values(m * k, 1), b = values(k * n, 2),
                     bias = values(n, 3), want(m * n);
  auto out = run(R"mlir(
func.func @main(%a: tensor<70x300xf32>, %b: tensor<300x90xf32>, %c: tensor<90xf32>) -> tensor<70x90xf32> {
  %0 = "stablehlo.dot_general"(%a, %b) <{lhs_batching_dimensions = array<i64>, rhs_batching_dimensions = array<i64>, lhs_contracting_dimensions = array<i64: 1>, rhs_contracting_dimensions = array<i64: 0>}> : (tensor<70x300xf32>, tensor<300x90xf32>) -> tensor<70x90xf32>
  %1 = "stablehlo.broadcast_in_dim"(%c) <{broadcast_dimensions = array<i64: 1>}> : (tensor<90xf32>) -> tensor<70x90xf32>
  %2 = "stablehlo.add"(%0, %1) : (tensor<70x90xf32>, tensor<70x90xf32>) -> tensor<70x90xf32>
  %z = "stablehlo.constant"() <{value = dense<0.0> : tensor<70x90xf32>}> : () -> tensor<70x90xf32>
  %3 = "stablehlo.maximum"(%2, %z) : (tensor<70x90xf32>, tensor<70x90xf32>) -> tensor<70x90xf32>
  return %3 : tensor<70x90xf32>
})mlir",
                 {bytes(a), bytes(b), bytes(bias)});
  ASSERT_EQ(out.size(), 1u);
  for (int i = 0; i < m; ++i)
    for (int j = 0; j < n; ++j) {
      float acc = 0;
      for (int t = 0; t < k; ++t)
        acc = std::fma(a[i * k + t], b[t * n + j], acc);
      acc = acc + bias[j];
      want[i * n + j] = acc > 0 ? acc : 0.0f;
    }
  expectBits(as<float>(out[0]), want);
}

TEST_F(CompileAndRun, BatchedTransposedProduct) {
  // lhs [b, k, m], rhs [b, n, k]
  const int g = 3, m = 9, k = 20, n = 11;
  std::vector<float> a = values(g * k * m, 4), b = values(g * n * k, 5),
                     want(g * m * n);
  auto out = run(R"mlir(
func.func @main(%a: tensor<3x20x9xf32>, %b: tensor<3x11x20xf32>) -> tensor<3x9x11xf32> {
  %0 = "stablehlo.dot_general"(%a, %b) <{lhs_batching_dimensions = array<i64: 0>, rhs_batching_dimensions = array<i64: 0>, lhs_contracting_dimensions = array<i64: 1>, rhs_contracting_dimensions = array<i64: 2>}> : (tensor<3x20x9xf32>, tensor<3x11x20xf32>) -> tensor<3x9x11xf32>
  return %0 : tensor<3x9x11xf32>
})mlir",
                 {bytes(a), bytes(b)});
  ASSERT_EQ(out.size(), 1u);
  for (int q = 0; q < g; ++q)
    for (int i = 0; i < m; ++i)
      for (int j = 0; j < n; ++j) {
        float acc = 0;
        for (int t = 0; t < k; ++t)
          acc = std::fma(a[(q * k + t) * m + i], b[(q * n + j) * k + t], acc);
        want[(q * m + i) * n + j] = acc;
      }
  expectBits(as<float>(out[0]), want);
}

TEST_F(CompileAndRun, ConvolutionStridedPaddedDilated) {
  const int N = 2, H = 11, W = 9, C = 5, KH = 3, KW = 2, O = 7, SY = 2, SX = 1,
            DY = 2, DX = 3, PY = 2, PX = 1, OH = 6, OW = 8;
  std::vector<float> x = values(N * H * W * C, 6),
                     w = values(KH * KW * C * O, 7), want(N * OH * OW * O);
  auto out = run(R"mlir(
func.func @main(%x: tensor<2x11x9x5xf32>, %w: tensor<3x2x5x7xf32>) -> tensor<2x6x8x7xf32> {
  %0 = "stablehlo.convolution"(%x, %w) <{window_strides = array<i64: 2, 1>, padding = array<i64: 2, 2, 1, 1>, lhs_dilation = array<i64: 1, 1>, rhs_dilation = array<i64: 2, 3>, window_reversal = array<i1: false, false>, input_batch_dimension = 0 : i64, input_feature_dimension = 3 : i64, input_spatial_dimensions = array<i64: 1, 2>, kernel_input_feature_dimension = 2 : i64, kernel_output_feature_dimension = 3 : i64, kernel_spatial_dimensions = array<i64: 0, 1>, output_batch_dimension = 0 : i64, output_feature_dimension = 3 : i64, output_spatial_dimensions = array<i64: 1, 2>, feature_group_count = 1 : i64, batch_group_count = 1 : i64}> : (tensor<2x11x9x5xf32>, tensor<3x2x5x7xf32>) -> tensor<2x6x8x7xf32>
  return %0 : tensor<2x6x8x7xf32>
})mlir",
                 {bytes(x), bytes(w)});
  ASSERT_EQ(out.size(), 1u);
  for (int n = 0; n < N; ++n)
    for (int oy = 0; oy < OH; ++oy)
      for (int ox = 0; ox < OW; ++ox)
        for (int o = 0; o < O; ++o) {
          float acc = 0;
          for (int ky = 0; ky < KH; ++ky)
            for (int kx = 0; kx < KW; ++kx)
              for (int c = 0; c < C; ++c) {
                const int iy = oy * SY + ky * DY - PY,
                          ix = ox * SX + kx * DX - PX;
                const bool in = iy >= 0 && iy < H && ix >= 0 && ix < W;
                acc = std::fma(in ? x[((n * H + iy) * W + ix) * C + c] : 0.0f,
                               w[((ky * KW + kx) * C + c) * O + o], acc);
              }
          want[((n * OH + oy) * OW + ox) * O + o] = acc;
        }
  expectBits(as<float>(out[0]), want);
}

TEST_F(CompileAndRun, Int8Product) {
  const int m = 33, k = 70, n = 20;
  std::vector<int8_t> a(m * k), b(k * n);
  for (size_t i = 0; i < a.size(); ++i)
    a[i] = int8_t(i * 37 + 11);
  for (size_t i = 0; i < b.size(); ++i)
    b[i] = int8_t(i * 91 + 5);
  auto out = run(R"mlir(
func.func @main(%a: tensor<33x70xi8>, %b: tensor<70x20xi8>) -> tensor<33x20xi32> {
  %0 = "stablehlo.dot_general"(%a, %b) <{lhs_batching_dimensions = array<i64>, rhs_batching_dimensions = array<i64>, lhs_contracting_dimensions = array<i64: 1>, rhs_contracting_dimensions = array<i64: 0>}> : (tensor<33x70xi8>, tensor<70x20xi8>) -> tensor<33x20xi32>
  return %0 : tensor<33x20xi32>
})mlir",
                 {bytes(a), bytes(b)});
  ASSERT_EQ(out.size(), 1u);
  std::vector<int32_t> have = as<int32_t>(out[0]);
  for (int i = 0; i < m; ++i)
    for (int j = 0; j < n; ++j) {
      int32_t acc = 0;
      for (int t = 0; t < k; ++t)
        acc += a[i * k + t] * b[t * n + j];
      ASSERT_EQ(have[i * n + j], acc);
    }
}

TEST_F(CompileAndRun, MaxPoolOverlappingPadded) {
  const int N = 2, H = 9, W = 7, C = 3, OH = 5, OW = 4;
  std::vector<float> x = values(N * H * W * C, 8), want(N * OH * OW * C);
  auto out = run(R"mlir(
func.func @main(%x: tensor<2x9x7x3xf32>) -> tensor<2x5x4x3xf32> {
  %i = "stablehlo.constant"() <{value = dense<0xFF800000> : tensor<f32>}> : () -> tensor<f32>
  %0 = "stablehlo.reduce_window"(%x, %i) <{window_dimensions = array<i64: 1, 3, 3, 1>, window_strides = array<i64: 1, 2, 2, 1>, base_dilations = array<i64: 1, 1, 1, 1>, window_dilations = array<i64: 1, 1, 1, 1>, padding = array<i64: 0, 0, 1, 1, 1, 1, 0, 0>}> ({
  ^bb0(%p: tensor<f32>, %q: tensor<f32>):
    %m = "stablehlo.maximum"(%p, %q) : (tensor<f32>, tensor<f32>) -> tensor<f32>
    "stablehlo.return"(%m) : (tensor<f32>) -> ()
  }) : (tensor<2x9x7x3xf32>, tensor<f32>) -> tensor<2x5x4x3xf32>
  return %0 : tensor<2x5x4x3xf32>
})mlir",
                 {bytes(x)});
  ASSERT_EQ(out.size(), 1u);
  for (int n = 0; n < N; ++n)
    for (int oy = 0; oy < OH; ++oy)
      for (int ox = 0; ox < OW; ++ox)
        for (int c = 0; c < C; ++c) {
          float best = -INFINITY;
          for (int ky = 0; ky < 3; ++ky)
            for (int kx = 0; kx < 3; ++kx) {
              const int iy = oy * 2 + ky - 1, ix = ox * 2 + kx - 1;
              if (iy >= 0 && iy < H && ix >= 0 && ix < W)
                best = std::max(best, x[((n * H + iy) * W + ix) * C + c]);
            }
          want[((n * OH + oy) * OW + ox) * C + c] = best;
        }
  expectBits(as<float>(out[0]), want);
}

TEST_F(CompileAndRun, ElementwiseChainOnTransposedAndBroadcast) {
  const int a = 40, b = 130;
  std::vector<float> x = values(a * b, 9), y = values(a, 10), want(b * a);
  auto out = run(R"mlir(
func.func @main(%x: tensor<40x130xf32>, %y: tensor<40xf32>) -> tensor<130x40xf32> {
  %t = "stablehlo.transpose"(%x) <{permutation = array<i64: 1, 0>}> : (tensor<40x130xf32>) -> tensor<130x40xf32>
  %u = "stablehlo.broadcast_in_dim"(%y) <{broadcast_dimensions = array<i64: 1>}> : (tensor<40xf32>) -> tensor<130x40xf32>
  %three = "stablehlo.constant"() <{value = dense<3.0> : tensor<130x40xf32>}> : () -> tensor<130x40xf32>
  %0 = "stablehlo.subtract"(%t, %u) : (tensor<130x40xf32>, tensor<130x40xf32>) -> tensor<130x40xf32>
  %1 = "stablehlo.divide"(%0, %three) : (tensor<130x40xf32>, tensor<130x40xf32>) -> tensor<130x40xf32>
  %2 = "stablehlo.abs"(%1) : (tensor<130x40xf32>) -> tensor<130x40xf32>
  %3 = "stablehlo.sqrt"(%2) : (tensor<130x40xf32>) -> tensor<130x40xf32>
  return %3 : tensor<130x40xf32>
})mlir",
                 {bytes(x), bytes(y)});
  ASSERT_EQ(out.size(), 1u);
  for (int i = 0; i < b; ++i)
    for (int j = 0; j < a; ++j)
      want[i * a + j] = std::sqrt(std::fabs((x[j * b + i] - y[j]) / 3.0f));
  expectBits(as<float>(out[0]), want);
}

TEST_F(CompileAndRun, NormalisationGoesIntoWeights) {
  const int m = 6, k = 8, n = 4;
  std::vector<float> x = values(m * k, 11);
  auto out = run(R"mlir(
func.func @main(%x: tensor<6x8xf32>) -> tensor<6x4xf32> {
  %w = "stablehlo.constant"() <{value = dense<0.5> : tensor<8x4xf32>}> : () -> tensor<8x4xf32>
  %s = "stablehlo.constant"() <{value = dense<[1.0, 2.0, 4.0, 8.0]> : tensor<4xf32>}> : () -> tensor<4xf32>
  %b = "stablehlo.constant"() <{value = dense<[3.0, 5.0, 7.0, 9.0]> : tensor<4xf32>}> : () -> tensor<4xf32>
  %0 = "stablehlo.dot_general"(%x, %w) <{lhs_batching_dimensions = array<i64>, rhs_batching_dimensions = array<i64>, lhs_contracting_dimensions = array<i64: 1>, rhs_contracting_dimensions = array<i64: 0>}> : (tensor<6x8xf32>, tensor<8x4xf32>) -> tensor<6x4xf32>
  %sb = "stablehlo.broadcast_in_dim"(%s) <{broadcast_dimensions = array<i64: 1>}> : (tensor<4xf32>) -> tensor<6x4xf32>
  %bb = "stablehlo.broadcast_in_dim"(%b) <{broadcast_dimensions = array<i64: 1>}> : (tensor<4xf32>) -> tensor<6x4xf32>
  %1 = "stablehlo.subtract"(%0, %bb) : (tensor<6x4xf32>, tensor<6x4xf32>) -> tensor<6x4xf32>
  %2 = "stablehlo.multiply"(%1, %sb) : (tensor<6x4xf32>, tensor<6x4xf32>) -> tensor<6x4xf32>
  return %2 : tensor<6x4xf32>
})mlir",
                 {bytes(x)});
  ASSERT_EQ(out.size(), 1u);
  std::vector<float> have = as<float>(out[0]);
  const float scale[] = {1, 2, 4, 8}, offset[] = {3, 5, 7, 9};
  for (int i = 0; i < m; ++i)
    for (int j = 0; j < n; ++j) {
      float acc = 0;
      for (int t = 0; t < k; ++t)
        acc += x[i * k + t] * 0.5f;
      EXPECT_NEAR(have[i * n + j], (acc - offset[j]) * scale[j], 1e-4);
    }
  CompiledProgram compiled;
  ASSERT_TRUE(compile(R"mlir(
func.func @main(%x: tensor<6x8xf32>) -> tensor<6x4xf32> {
  %w = "stablehlo.constant"() <{value = dense<0.5> : tensor<8x4xf32>}> : () -> tensor<8x4xf32>
  %s = "stablehlo.constant"() <{value = dense<2.0> : tensor<6x4xf32>}> : () -> tensor<6x4xf32>
  %0 = "stablehlo.dot_general"(%x, %w) <{lhs_batching_dimensions = array<i64>, rhs_batching_dimensions = array<i64>, lhs_contracting_dimensions = array<i64: 1>, rhs_contracting_dimensions = array<i64: 0>}> : (tensor<6x8xf32>, tensor<8x4xf32>) -> tensor<6x4xf32>
  %2 = "stablehlo.multiply"(%0, %s) : (tensor<6x4xf32>, tensor<6x4xf32>) -> tensor<6x4xf32>
  return %2 : tensor<6x4xf32>
})mlir",
                      "npu16", compiled));
  EXPECT_EQ(compiled.layers.size(), 1u) << "the scale is a layer of its own";
}

TEST_F(CompileAndRun, PadsConcatenatesAndReturnsArguments) {
  std::vector<float> x = values(6, 12), y = values(9, 13);
  auto out = run(R"mlir(
func.func @main(%x: tensor<2x3xf32>, %y: tensor<3x3xf32>) -> (tensor<5x6xf32>, tensor<2x3xf32>) {
  %c = "stablehlo.concatenate"(%x, %y) <{dimension = 0 : i64}> : (tensor<2x3xf32>, tensor<3x3xf32>) -> tensor<5x3xf32>
  %v = "stablehlo.constant"() <{value = dense<7.0> : tensor<f32>}> : () -> tensor<f32>
  %p = "stablehlo.pad"(%c, %v) <{edge_padding_low = array<i64: 0, 1>, edge_padding_high = array<i64: 0, 0>, interior_padding = array<i64: 0, 1>}> : (tensor<5x3xf32>, tensor<f32>) -> tensor<5x6xf32>
  return %p, %x : tensor<5x6xf32>, tensor<2x3xf32>
})mlir",
                 {bytes(x), bytes(y)});
  ASSERT_EQ(out.size(), 2u);
  std::vector<float> want(30, 7.0f);
  for (int i = 0; i < 5; ++i)
    for (int j = 0; j < 3; ++j)
      want[i * 6 + 1 + 2 * j] = i < 2 ? x[i * 3 + j] : y[(i - 2) * 3 + j];
  expectBits(as<float>(out[0]), want);
  expectBits(as<float>(out[1]), x);
}

TEST_F(CompileAndRun, ElementaryFunctions) {
  std::vector<float> x = values(1000, 21), y(x.size());
  for (size_t i = 0; i < x.size(); ++i)
    y[i] = std::fabs(x[i]) + 0.25f;
  auto out = run(R"mlir(
func.func @main(%x: tensor<1000xf32>, %y: tensor<1000xf32>) -> (tensor<1000xf32>, tensor<1000xf32>, tensor<1000xf32>, tensor<1000xf32>) {
  %0 = "stablehlo.exponential"(%x) : (tensor<1000xf32>) -> tensor<1000xf32>
  %1 = "stablehlo.tan"(%x) : (tensor<1000xf32>) -> tensor<1000xf32>
  %2 = "stablehlo.power"(%y, %x) : (tensor<1000xf32>, tensor<1000xf32>) -> tensor<1000xf32>
  %3 = "stablehlo.atan2"(%x, %y) : (tensor<1000xf32>, tensor<1000xf32>) -> tensor<1000xf32>
  return %0, %1, %2, %3 : tensor<1000xf32>, tensor<1000xf32>, tensor<1000xf32>, tensor<1000xf32>
})mlir",
                 {bytes(x), bytes(y)});
  ASSERT_EQ(out.size(), 4u);
  std::vector<std::vector<float>> have;
  for (const auto &o : out)
    have.push_back(as<float>(o));
  for (size_t i = 0; i < x.size(); ++i) {
    const double want[] = {std::exp(x[i]), std::tan(x[i]),
                           std::pow(double(y[i]), x[i]),
                           std::atan2(x[i], y[i])};
    for (int k = 0; k < 4; ++k)
      EXPECT_NEAR(have[k][i], want[k], 4e-7 * std::fabs(want[k]) + 1e-12)
          << "function " << k << " of " << x[i];
  }
}

TEST_F(CompileAndRun, PicksRowsByIndex) {
  const int rows = 50, width = 6, count = 700;
  std::vector<float> table = values(rows * width, 31), want(count * width);
  table[7 * width] = std::numeric_limits<float>::infinity();
  std::vector<int32_t> index(count);
  for (int i = 0; i < count; ++i)
    index[i] = i * 37 % (rows + 20) - 10; // some below, some beyond
  for (int i = 0; i < count; ++i)
    for (int j = 0; j < width; ++j)
      want[i * width + j] =
          table[std::clamp<int>(index[i], 0, rows - 1) * width + j];
  const char *text = R"mlir(
func.func @main(%t: tensor<50x2x3xf32>, %i: tensor<7x100x1xi32>) -> tensor<7x100x2x3xf32> {
  %0 = "stablehlo.gather"(%t, %i) <{offset_dims = array<i64: 2, 3>, collapsed_slice_dims = array<i64: 0>, operand_batching_dims = array<i64>, start_indices_batching_dims = array<i64>, start_index_map = array<i64: 0>, index_vector_dim = 2 : i64, slice_sizes = array<i64: 1, 2, 3>}> : (tensor<50x2x3xf32>, tensor<7x100x1xi32>) -> tensor<7x100x2x3xf32>
  return %0 : tensor<7x100x2x3xf32>
})mlir";
  auto out = run(text, {bytes(table), bytes(index)});
  ASSERT_EQ(out.size(), 1u);
  expectBits(as<float>(out[0]), want);
  // Rows go together; one by one where the target has no unit for that.
  loom_target target;
  ASSERT_TRUE(program::namedTarget("npu16", target));
  CompiledProgram together, single;
  ASSERT_TRUE(compile(text, target, together)) << messages;
  target.features &= ~(1ull << LOOM_FEAT_GATHER);
  ASSERT_TRUE(compile(text, target, single)) << messages;
  EXPECT_LT(together.records, 10u);
  EXPECT_GT(single.records, 4u * count);
  EXPECT_LT(together.cycles, single.cycles);
  RunResult same =
      runProgram(single.file.bytes(), {bytes(table), bytes(index)});
  EXPECT_EQ(same.error, "");
  EXPECT_EQ(same.outputs, out);
}

/// The list is made by the vector unit, and every other element of it is used.
TEST_F(CompileAndRun, PicksRowsByComputedIndices) {
  const int rows = 40, width = 12, count = 100;
  std::vector<float> table = values(rows * width, 33), want(count * width);
  std::vector<int32_t> index(2 * count);
  for (int i = 0; i < 2 * count; ++i)
    index[i] = i * 29 % (rows + 12) - 7;
  for (int i = 0; i < count; ++i)
    for (int j = 0; j < width; ++j)
      want[i * width + j] =
          table[std::clamp<int>(index[2 * i] + 1, 0, rows - 1) * width + j];
  auto out = run(R"mlir(
func.func @main(%t: tensor<40x12xf32>, %i: tensor<200x1xi32>) -> tensor<100x12xf32> {
  %one = "stablehlo.constant"() <{value = dense<1> : tensor<200x1xi32>}> : () -> tensor<200x1xi32>
  %all = "stablehlo.add"(%i, %one) : (tensor<200x1xi32>, tensor<200x1xi32>) -> tensor<200x1xi32>
  %half = "stablehlo.slice"(%all) <{start_indices = array<i64: 0, 0>, limit_indices = array<i64: 199, 1>, strides = array<i64: 2, 1>}> : (tensor<200x1xi32>) -> tensor<100x1xi32>
  %0 = "stablehlo.gather"(%t, %half) <{offset_dims = array<i64: 1>, collapsed_slice_dims = array<i64: 0>, operand_batching_dims = array<i64>, start_indices_batching_dims = array<i64>, start_index_map = array<i64: 0>, index_vector_dim = 1 : i64, slice_sizes = array<i64: 1, 12>}> : (tensor<40x12xf32>, tensor<100x1xi32>) -> tensor<100x12xf32>
  return %0 : tensor<100x12xf32>
})mlir",
                 {bytes(table), bytes(index)});
  ASSERT_EQ(out.size(), 1u);
  expectBits(as<float>(out[0]), want);
}

TEST_F(CompileAndRun, ProductWithResidual) {
  const int m = 40, k = 20, n = 33;
  std::vector<float> a = values(m * k, 41), b = values(k * n, 42),
                     bias = values(n, 43), r = values(m * n, 44), want(m * n);
  auto out = run(R"mlir(
func.func @main(%a: tensor<40x20xf32>, %b: tensor<20x33xf32>, %c: tensor<33xf32>, %r: tensor<40x33xf32>) -> tensor<40x33xf32> {
  %0 = "stablehlo.dot_general"(%a, %b) <{lhs_batching_dimensions = array<i64>, rhs_batching_dimensions = array<i64>, lhs_contracting_dimensions = array<i64: 1>, rhs_contracting_dimensions = array<i64: 0>}> : (tensor<40x20xf32>, tensor<20x33xf32>) -> tensor<40x33xf32>
  %1 = "stablehlo.broadcast_in_dim"(%c) <{broadcast_dimensions = array<i64: 1>}> : (tensor<33xf32>) -> tensor<40x33xf32>
  %2 = "stablehlo.add"(%0, %1) : (tensor<40x33xf32>, tensor<40x33xf32>) -> tensor<40x33xf32>
  %3 = "stablehlo.add"(%r, %2) : (tensor<40x33xf32>, tensor<40x33xf32>) -> tensor<40x33xf32>
  return %3 : tensor<40x33xf32>
})mlir",
                 {bytes(a), bytes(b), bytes(bias), bytes(r)});
  ASSERT_EQ(out.size(), 1u);
  for (int i = 0; i < m; ++i)
    for (int j = 0; j < n; ++j) {
      float acc = 0;
      for (int t = 0; t < k; ++t)
        acc = std::fma(a[i * k + t], b[t * n + j], acc);
      want[i * n + j] = acc + bias[j] + r[i * n + j];
    }
  expectBits(as<float>(out[0]), want);
}

/// The copy that pads is larger than a quarter of SRAM on the smaller targets:
/// there the windows are split, and nothing is copied.
TEST_F(CompileAndRun, MaxPoolOfALargeMap) {
  const int H = 40, C = 24, O = 20;
  std::vector<float> x = values(H * H * C, 81), want(O * O * C);
  x[5 * C] = NAN;
  const char *text = R"mlir(
func.func @main(%x: tensor<1x40x40x24xf32>) -> tensor<1x20x20x24xf32> {
  %i = "stablehlo.constant"() <{value = dense<0xFF800000> : tensor<f32>}> : () -> tensor<f32>
  %0 = "stablehlo.reduce_window"(%x, %i) <{window_dimensions = array<i64: 1, 4, 3, 1>, window_strides = array<i64: 1, 2, 2, 1>, base_dilations = array<i64: 1, 1, 1, 1>, window_dilations = array<i64: 1, 1, 1, 1>, padding = array<i64: 0, 0, 1, 1, 0, 1, 0, 0>}> ({
  ^bb0(%p: tensor<f32>, %q: tensor<f32>):
    %m = "stablehlo.maximum"(%p, %q) : (tensor<f32>, tensor<f32>) -> tensor<f32>
    "stablehlo.return"(%m) : (tensor<f32>) -> ()
  }) : (tensor<1x40x40x24xf32>, tensor<f32>) -> tensor<1x20x20x24xf32>
  return %0 : tensor<1x20x20x24xf32>
})mlir";
  auto out = run(text, {bytes(x)});
  ASSERT_EQ(out.size(), 1u);
  for (int oy = 0; oy < O; ++oy)
    for (int ox = 0; ox < O; ++ox)
      for (int c = 0; c < C; ++c) {
        float best = -INFINITY;
        for (int iy = oy * 2 - 1; iy < oy * 2 + 3; ++iy)
          for (int ix = ox * 2; ix < ox * 2 + 3; ++ix)
            if (iy >= 0 && iy < H && ix < H) {
              const float v = x[(iy * H + ix) * C + c];
              best =
                  std::isnan(v) || std::isnan(best) ? NAN : std::max(best, v);
            }
        want[(oy * O + ox) * C + c] = best;
      }
  std::vector<float> have = as<float>(out[0]);
  for (size_t i = 0; i < want.size(); ++i)
    ASSERT_TRUE(std::isnan(want[i]) ? bits(have[i]) == 0x7fc00000
                                    : have[i] == want[i])
        << i << ": " << have[i] << ", not " << want[i];
  CompiledProgram compiled;
  ASSERT_TRUE(compile(text, "npu16", compiled));
  // Three forms of windows in y, two in x, and the join.
  EXPECT_EQ(compiled.layers.size(), 7u);
  EXPECT_EQ(llvm::count_if(
                compiled.layers,
                [](const LayerPlan &layer) { return layer.kind == "copy"; }),
            1);
  CompiledProgram large;
  ASSERT_TRUE(compile(text, "npu64", large));
  EXPECT_EQ(large.layers.size(), 2u);
}

/// Values that several layers read, the last of them late; in SRAM on the
/// larger targets, partly on the smallest.
TEST_F(CompileAndRun, ValuesBetweenLayersStay) {
  const int m = 64, k = 80, n = 96;
  std::vector<float> x = values(m * k, 71), w1 = values(k * n, 72),
                     w2 = values(n * n, 73), want(m * n);
  for (std::vector<float> *v : {&x, &w1, &w2})
    for (float &f : *v)
      f /= 16;
  const char *text = R"mlir(
func.func @main(%x: tensor<64x80xf32>, %w1: tensor<80x96xf32>, %w2: tensor<96x96xf32>) -> tensor<64x96xf32> {
  %h1 = "stablehlo.dot_general"(%x, %w1) <{lhs_batching_dimensions = array<i64>, rhs_batching_dimensions = array<i64>, lhs_contracting_dimensions = array<i64: 1>, rhs_contracting_dimensions = array<i64: 0>}> : (tensor<64x80xf32>, tensor<80x96xf32>) -> tensor<64x96xf32>
  %h2 = "stablehlo.multiply"(%h1, %h1) : (tensor<64x96xf32>, tensor<64x96xf32>) -> tensor<64x96xf32>
  %p = "stablehlo.dot_general"(%h2, %w2) <{lhs_batching_dimensions = array<i64>, rhs_batching_dimensions = array<i64>, lhs_contracting_dimensions = array<i64: 1>, rhs_contracting_dimensions = array<i64: 0>}> : (tensor<64x96xf32>, tensor<96x96xf32>) -> tensor<64x96xf32>
  %h3 = "stablehlo.add"(%p, %h2) : (tensor<64x96xf32>, tensor<64x96xf32>) -> tensor<64x96xf32>
  %s = "stablehlo.dot_general"(%h3, %h1) <{lhs_batching_dimensions = array<i64>, rhs_batching_dimensions = array<i64>, lhs_contracting_dimensions = array<i64: 1>, rhs_contracting_dimensions = array<i64: 1>}> : (tensor<64x96xf32>, tensor<64x96xf32>) -> tensor<64x64xf32>
  %low = "stablehlo.constant"() <{value = dense<0xff800000> : tensor<f32>}> : () -> tensor<f32>
  %m = "stablehlo.reduce"(%s, %low) <{dimensions = array<i64: 1>}> ({
  ^bb0(%l: tensor<f32>, %r: tensor<f32>):
    %q = "stablehlo.maximum"(%l, %r) : (tensor<f32>, tensor<f32>) -> tensor<f32>
    "stablehlo.return"(%q) : (tensor<f32>) -> ()
  }) : (tensor<64x64xf32>, tensor<f32>) -> tensor<64xf32>
  %mb = "stablehlo.broadcast_in_dim"(%m) <{broadcast_dimensions = array<i64: 0>}> : (tensor<64xf32>) -> tensor<64x64xf32>
  %e = "stablehlo.subtract"(%s, %mb) : (tensor<64x64xf32>, tensor<64x64xf32>) -> tensor<64x64xf32>
  %c = "stablehlo.dot_general"(%e, %h2) <{lhs_batching_dimensions = array<i64>, rhs_batching_dimensions = array<i64>, lhs_contracting_dimensions = array<i64: 1>, rhs_contracting_dimensions = array<i64: 0>}> : (tensor<64x64xf32>, tensor<64x96xf32>) -> tensor<64x96xf32>
  %h4 = "stablehlo.add"(%c, %h3) : (tensor<64x96xf32>, tensor<64x96xf32>) -> tensor<64x96xf32>
  %h5 = "stablehlo.subtract"(%h4, %h1) : (tensor<64x96xf32>, tensor<64x96xf32>) -> tensor<64x96xf32>
  return %h5 : tensor<64x96xf32>
})mlir";
  auto out = run(text, {bytes(x), bytes(w1), bytes(w2)});
  ASSERT_EQ(out.size(), 1u);
  auto product = [](const std::vector<float> &a, const std::vector<float> &b,
                    int rows, int inner, int columns, bool transposed) {
    std::vector<float> c(rows * columns);
    for (int i = 0; i < rows; ++i)
      for (int j = 0; j < columns; ++j)
        for (int t = 0; t < inner; ++t)
          c[i * columns + j] =
              std::fma(a[i * inner + t],
                       transposed ? b[j * inner + t] : b[t * columns + j],
                       c[i * columns + j]);
    return c;
  };
  const std::vector<float> h1 = product(x, w1, m, k, n, false);
  std::vector<float> h2(h1);
  for (float &v : h2)
    v *= v;
  std::vector<float> h3 = product(h2, w2, m, n, n, false);
  for (int i = 0; i < m * n; ++i)
    h3[i] += h2[i];
  std::vector<float> s = product(h3, h1, m, n, m, true);
  for (int i = 0; i < m; ++i) {
    const float top = *std::max_element(&s[i * m], &s[i * m] + m);
    for (int j = 0; j < m; ++j)
      s[i * m + j] -= top;
  }
  want = product(s, h2, m, m, n, false);
  for (int i = 0; i < m * n; ++i)
    want[i] = want[i] + h3[i] - h1[i];
  expectBits(as<float>(out[0]), want);
  for (const char *name : {"npu16", "npu64"}) {
    CompiledProgram compiled;
    ASSERT_TRUE(compile(text, name, compiled));
    EXPECT_EQ(compiled.scratchBytes, 0u) << name;
    EXPECT_LE(compiled.roofline, compiled.cycles) << name;
    EXPECT_GE(compiled.roofline * 3, compiled.cycles) << name;
    loom_target target;
    ASSERT_TRUE(program::namedTarget(name, target));
    EXPECT_LE(compiled.sramPeak, target.sram_bytes) << name;
    // h1, h2 and h3 are alive together.
    EXPECT_GE(compiled.sramLiveBound, uint64_t(3 * m * n * 4)) << name;
    EXPECT_LE(compiled.sramLiveBound, compiled.sramPeak) << name;
  }
  CompiledProgram small;
  ASSERT_TRUE(compile(text, "npu8", small));
  EXPECT_GT(small.scratchBytes, 0u);
}

TEST_F(CompileAndRun, LeadingZerosOfWordsAndBytes) {
  std::vector<int32_t> a = {0, -1, INT32_MIN, INT32_MAX};
  std::vector<int8_t> b;
  for (int shift = 0; shift < 32; ++shift)
    for (uint32_t low : {0u, 1u})
      a.push_back(int32_t(uint32_t(1) << shift | low));
  for (int value = -128; value < 128; ++value)
    b.push_back(int8_t(value));
  ASSERT_EQ(a.size(), 68u);
  auto out = run(R"mlir(
func.func @main(%a: tensor<68xi32>, %b: tensor<256xi8>) -> (tensor<68xi32>, tensor<256xi8>) {
  %0 = "stablehlo.count_leading_zeros"(%a) : (tensor<68xi32>) -> tensor<68xi32>
  %1 = "stablehlo.count_leading_zeros"(%b) : (tensor<256xi8>) -> tensor<256xi8>
  return %0, %1 : tensor<68xi32>, tensor<256xi8>
})mlir",
                 {bytes(a), bytes(b)});
  ASSERT_EQ(out.size(), 2u);
  auto zeros = [](uint32_t value, int width) {
    int n = 0;
    while (n < width && !(value >> (width - 1 - n) & 1))
      ++n;
    return n;
  };
  const auto words = as<int32_t>(out[0]);
  const auto octets = as<int8_t>(out[1]);
  for (size_t i = 0; i < a.size(); ++i)
    EXPECT_EQ(words[i], zeros(uint32_t(a[i]), 32)) << a[i];
  for (size_t i = 0; i < b.size(); ++i)
    EXPECT_EQ(octets[i], zeros(uint8_t(b[i]), 8)) << int(b[i]);
}

TEST_F(CompileAndRun, ListsEverythingThatCannotRun) {
  CompiledProgram compiled;
  EXPECT_FALSE(compile(R"mlir(
func.func @main(%x: tensor<2x2xf32>) -> (tensor<2x2xf32>, tensor<2x2xf32>) {
  %0 = "stablehlo.custom_call"(%x) <{call_target_name = "bar"}> : (tensor<2x2xf32>) -> tensor<2x2xf32>
  %1 = "stablehlo.custom_call"(%x) <{call_target_name = "foo"}> : (tensor<2x2xf32>) -> tensor<2x2xf32>
  return %0, %1 : tensor<2x2xf32>, tensor<2x2xf32>
})mlir",
                       "npu16", compiled));
  EXPECT_NE(messages.find("target 'bar'"), std::string::npos);
  EXPECT_NE(messages.find("target 'foo'"), std::string::npos);
}
