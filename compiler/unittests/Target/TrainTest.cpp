// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What gradients, labels and random numbers are made of.

#include "CompileAndRun.h"

#include <cmath>
#include <limits>

using namespace mlir;
using namespace mlir::loom;
using namespace loom_test;

namespace {
struct Pool {
  int batch, size, channels, window, stride, low, high;
  int outs() const { return (size + low + high - window) / stride + 1; }
};

std::string poolText(const Pool &p) {
  auto map = [&](int n) {
    return "tensor<" + std::to_string(p.batch) + "x" + std::to_string(n) + "x" +
           std::to_string(n) + "x" + std::to_string(p.channels) + "xf32>";
  };
  auto twice = [](int v) {
    return std::to_string(v) + ", " + std::to_string(v);
  };
  const std::string x = map(p.size), s = map(p.outs()),
                    pad = std::to_string(p.low) + ", " + std::to_string(p.high);
  return "func.func @main(%x: " + x + ", %s: " + s + ") -> " + x +
         " {\n  %i = \"stablehlo.constant\"() <{value = dense<0.0> : "
         "tensor<f32>}> : () -> tensor<f32>\n  %0 = "
         "\"stablehlo.select_and_scatter\"(%x, %s, %i) <{window_dimensions = "
         "array<i64: 1, " +
         twice(p.window) + ", 1>, window_strides = array<i64: 1, " +
         twice(p.stride) + ", 1>, padding = array<i64: 0, 0, " + pad + ", " +
         pad +
         ", 0, 0>}> ({\n  ^bb0(%a: tensor<f32>, %b: tensor<f32>):\n    %c = "
         "\"stablehlo.compare\"(%a, %b) <{comparison_direction = "
         "#stablehlo<comparison_direction GE>}> : (tensor<f32>, tensor<f32>) "
         "-> tensor<i1>\n    \"stablehlo.return\"(%c) : (tensor<i1>) -> ()\n  "
         "}, {\n  ^bb0(%a: tensor<f32>, %b: tensor<f32>):\n    %c = "
         "\"stablehlo.add\"(%a, %b) : (tensor<f32>, tensor<f32>) -> "
         "tensor<f32>\n    \"stablehlo.return\"(%c) : (tensor<f32>) -> ()\n  "
         "}) : (" +
         x + ", " + s + ", tensor<f32>) -> " + x + "\n  return %0 : " + x +
         "\n}";
}

/// Windows in order; of each the first largest, or what follows a NaN.
std::vector<float> poolGradient(const Pool &p, const std::vector<float> &x,
                                const std::vector<float> &s) {
  std::vector<float> out(x.size(), 0.0f);
  const int o = p.outs();
  for (int n = 0; n < p.batch; ++n)
    for (int oy = 0; oy < o; ++oy)
      for (int ox = 0; ox < o; ++ox)
        for (int c = 0; c < p.channels; ++c) {
          int chosen = -1;
          for (int k = 0; k < p.window * p.window; ++k) {
            const int iy = oy * p.stride + k / p.window - p.low,
                      ix = ox * p.stride + k % p.window - p.low;
            if (iy < 0 || iy >= p.size || ix < 0 || ix >= p.size)
              continue;
            const int at = ((n * p.size + iy) * p.size + ix) * p.channels + c;
            if (chosen < 0 || !(x[chosen] >= x[at]))
              chosen = at;
          }
          if (chosen >= 0)
            out[chosen] += s[((n * o + oy) * o + ox) * p.channels + c];
        }
  return out;
}
} // namespace

TEST_F(CompileAndRun, PoolGradients) {
  const Pool pools[] = {
      {2, 8, 5, 2, 2, 0, 0},  // max_pool of a CNN
      {1, 9, 3, 3, 2, 0, 1},  // ResNet's: overlapping, padded behind
      {1, 7, 2, 3, 1, 1, 1},  // every place in nine windows
      {2, 10, 3, 2, 3, 0, 0}, // places that no window covers
      {1, 6, 2, 3, 2, 2, 2},
  };
  for (const Pool &p : pools) {
    std::vector<float> x = values(p.batch * p.size * p.size * p.channels, 3),
                       s = values(p.batch * p.outs() * p.outs() * p.channels,
                                  5);
    for (float &v : x) // equals in most windows
      v = std::round(v);
    x[1] = x[9] = std::numeric_limits<float>::quiet_NaN();
    x[4] = x[5] = x[20] = -std::numeric_limits<float>::infinity();
    auto out = run(poolText(p), {bytes(x), bytes(s)});
    ASSERT_EQ(out.size(), 1u) << messages;
    expectBits(as<float>(out[0]), poolGradient(p, x, s));
  }
}

/// Nothing in a window is above -inf: padding is not chosen all the same.
TEST_F(CompileAndRun, PoolGradientOfInfinities) {
  const Pool p{1, 4, 1, 3, 2, 1, 1};
  std::vector<float> x(16, -std::numeric_limits<float>::infinity()),
      s = values(p.outs() * p.outs(), 5);
  auto out = run(poolText(p), {bytes(x), bytes(s)});
  ASSERT_EQ(out.size(), 1u) << messages;
  expectBits(as<float>(out[0]), poolGradient(p, x, s));
}

namespace {
std::string argText(StringRef type, StringRef least, bool largest,
                    bool nanWins) {
  const std::string t = type.str(), order = largest ? "GT" : "LT",
                    x = "tensor<6x37x" + t + ">", e = "tensor<" + t + ">",
                    two = " : (" + e + ", " + e + ") -> tensor<i1>\n",
                    logic = " : (tensor<i1>, tensor<i1>) -> tensor<i1>\n";
  auto compare = [](StringRef name, StringRef a, StringRef b, StringRef d) {
    return ("    " + name + " = \"stablehlo.compare\"(" + a + ", " + b +
            ") <{comparison_direction = #stablehlo<comparison_direction " + d +
            ">}>")
        .str();
  };
  return "func.func @main(%x: " + x +
         ") -> tensor<6xi32> {\n  %n = \"stablehlo.iota\"() <{iota_dimension = "
         "1 : i64}> : () -> tensor<6x37xi32>\n  %l = \"stablehlo.constant\"() "
         "<{value = dense<" +
         least.str() + "> : " + e + "}> : () -> " + e +
         "\n  %z = \"stablehlo.constant\"() <{value = dense<0> : tensor<i32>}> "
         ": () -> tensor<i32>\n  %0:2 = \"stablehlo.reduce\"(%x, %n, %l, %z) "
         "<{dimensions = array<i64: 1>}> ({\n  ^bb0(%a: " +
         e + ", %i: tensor<i32>, %b: " + e + ", %j: tensor<i32>):\n" +
         compare("%1", "%a", "%b", order) + two +
         compare("%2", "%a", "%a", nanWins ? "NE" : order) + two +
         "    %3 = \"stablehlo.or\"(%1, %2)" + logic +
         compare("%4", "%a", "%b", "EQ") + two +
         compare("%5", "%i", "%j", "LT") +
         " : (tensor<i32>, tensor<i32>) -> tensor<i1>\n"
         "    %6 = \"stablehlo.and\"(%4, %5)" +
         logic + "    %7 = \"stablehlo.or\"(%3, %6)" + logic +
         "    %8 = \"stablehlo.select\"(%3, %a, %b) : (tensor<i1>, " + e +
         ", " + e + ") -> " + e +
         "\n    %9 = \"stablehlo.select\"(%7, %i, %j) : (tensor<i1>, "
         "tensor<i32>, tensor<i32>) -> tensor<i32>\n"
         "    \"stablehlo.return\"(%8, %9) : (" +
         e + ", tensor<i32>) -> ()\n  }) : (" + x + ", tensor<6x37xi32>, " + e +
         ", tensor<i32>) -> (tensor<6x" + t +
         ">, tensor<6xi32>)\n  return %0#1 : tensor<6xi32>\n}";
}

template <typename T>
std::vector<int32_t> argOf(const std::vector<T> &x, bool largest) {
  std::vector<int32_t> out;
  for (int r = 0; r < 6; ++r) {
    int best = 0;
    for (int k = 1; k < 37; ++k) {
      const T a = x[r * 37 + best], b = x[r * 37 + k];
      if (a == a && (b != b || (largest ? b > a : b < a)))
        best = k;
    }
    out.push_back(best);
  }
  return out;
}
} // namespace

TEST_F(CompileAndRun, ArgmaxAndArgmin) {
  std::vector<float> x = values(6 * 37, 9);
  for (float &v : x)
    v = std::round(v * 2);
  x[40] = x[50] = std::numeric_limits<float>::quiet_NaN();
  for (int k = 0; k < 37; ++k)
    x[2 * 37 + k] = std::numeric_limits<float>::infinity() * (k % 2 ? 1 : -1);
  for (int k = 0; k < 37; ++k)
    x[3 * 37 + k] = -std::numeric_limits<float>::infinity();
  for (const bool largest : {true, false}) {
    auto out = run(
        argText("f32", largest ? "0xFF800000" : "0x7F800000", largest, true),
        {bytes(x)});
    ASSERT_EQ(out.size(), 1u) << messages;
    EXPECT_EQ(as<int32_t>(out[0]), argOf(x, largest));
  }
  std::vector<int32_t> n(6 * 37);
  for (size_t i = 0; i < n.size(); ++i)
    n[i] = int32_t(i * 2654435761u) >> 28;
  for (const bool largest : {true, false}) {
    auto out = run(
        argText("i32", largest ? "-2147483648" : "2147483647", largest, false),
        {bytes(n)});
    ASSERT_EQ(out.size(), 1u) << messages;
    EXPECT_EQ(as<int32_t>(out[0]), argOf(n, largest));
  }
}

/// A region that prefers the higher number is none of argmax.
TEST_F(CompileAndRun, ArgmaxOfAnotherRegionIsTheCpuEngines) {
  std::string text = argText("f32", "0xFF800000", true, true);
  const size_t at = text.find("comparison_direction LT");
  ASSERT_NE(at, std::string::npos);
  text.replace(at, 23, "comparison_direction GT");
  CompiledProgram out;
  ASSERT_TRUE(compile(text, "npu16", out)) << messages;
  ASSERT_EQ(out.placement.size(), 1u);
  EXPECT_NE(out.placement[0].why.find("not that of argmax or argmin"),
            std::string::npos)
      << out.placement[0].why;
}

TEST_F(CompileAndRun, GatherOfLabels) {
  const int n = 7, classes = 13;
  std::vector<float> x = values(n * classes, 2);
  std::vector<int32_t> labels{0, 12, 5, -3, 99, 7, 7};
  auto out = run(R"mlir(
func.func @main(%x: tensor<7x13xf32>, %l: tensor<7x1xi32>) -> tensor<7xf32> {
  %1 = "stablehlo.add"(%x, %x) : (tensor<7x13xf32>, tensor<7x13xf32>) -> tensor<7x13xf32>
  %0 = "stablehlo.gather"(%1, %l) <{offset_dims = array<i64>, collapsed_slice_dims = array<i64: 1>, operand_batching_dims = array<i64: 0>, start_indices_batching_dims = array<i64: 0>, start_index_map = array<i64: 1>, index_vector_dim = 1 : i64, slice_sizes = array<i64: 1, 1>}> : (tensor<7x13xf32>, tensor<7x1xi32>) -> tensor<7xf32>
  return %0 : tensor<7xf32>
})mlir",
                 {bytes(x), bytes(labels)});
  ASSERT_EQ(out.size(), 1u) << messages;
  std::vector<float> want;
  for (int i = 0; i < n; ++i)
    want.push_back(2 * x[i * classes + std::clamp(labels[i], 0, classes - 1)]);
  expectBits(as<float>(out[0]), want);
}

TEST_F(CompileAndRun, GatherByTwoComponentsFromTheMiddle) {
  // x[i, :, j] of a computed table.
  std::vector<float> x = values(4 * 5 * 6, 2);
  std::vector<int32_t> at{0, 0, 3, 5, 1, 2, 2, 9};
  auto out = run(R"mlir(
func.func @main(%x: tensor<4x5x6xf32>, %l: tensor<4x2xi32>) -> tensor<4x5xf32> {
  %1 = "stablehlo.negate"(%x) : (tensor<4x5x6xf32>) -> tensor<4x5x6xf32>
  %0 = "stablehlo.gather"(%1, %l) <{offset_dims = array<i64: 1>, collapsed_slice_dims = array<i64: 0, 2>, operand_batching_dims = array<i64>, start_indices_batching_dims = array<i64>, start_index_map = array<i64: 0, 2>, index_vector_dim = 1 : i64, slice_sizes = array<i64: 1, 5, 1>}> : (tensor<4x5x6xf32>, tensor<4x2xi32>) -> tensor<4x5xf32>
  return %0 : tensor<4x5xf32>
})mlir",
                 {bytes(x), bytes(at)});
  ASSERT_EQ(out.size(), 1u) << messages;
  std::vector<float> want;
  for (int i = 0; i < 4; ++i)
    for (int k = 0; k < 5; ++k)
      want.push_back(-x[(at[2 * i] * 5 + k) * 6 + std::min(at[2 * i + 1], 5)]);
  expectBits(as<float>(out[0]), want);
}

namespace {
std::string scatterText(StringRef combine) {
  return (R"mlir(
func.func @main(%t: tensor<9x12xf32>, %i: tensor<20x1xi32>, %u: tensor<20x12xf32>) -> tensor<9x12xf32> {
  %0 = "stablehlo.scatter"(%t, %i, %u) <{update_window_dims = array<i64: 1>, inserted_window_dims = array<i64: 0>, input_batching_dims = array<i64>, scatter_indices_batching_dims = array<i64>, scatter_dims_to_operand_dims = array<i64: 0>, index_vector_dim = 1 : i64}> ({
  ^bb0(%a: tensor<f32>, %b: tensor<f32>):
)mlir" + combine +
          R"mlir(
  }) : (tensor<9x12xf32>, tensor<20x1xi32>, tensor<20x12xf32>) -> tensor<9x12xf32>
  return %0 : tensor<9x12xf32>
})mlir")
      .str();
}
} // namespace

TEST_F(CompileAndRun, ScatterInOrder) {
  std::vector<float> table = values(9 * 12, 1), updates = values(20 * 12, 2);
  std::vector<int32_t> at(20);
  for (int i = 0; i < 20; ++i)
    at[i] = i * 7 % 11 - 1; // twice the same, before the first, after the last
  for (size_t i = 0; i < updates.size(); ++i)
    updates[i] *= 1.0f / 3; // so that the order of a sum shows
  updates[12] = std::numeric_limits<float>::quiet_NaN();
  for (const bool adds : {true, false}) {
    auto out =
        run(scatterText(
                adds ? "    %c = \"stablehlo.add\"(%a, %b) : (tensor<f32>, "
                       "tensor<f32>) -> tensor<f32>\n    "
                       "\"stablehlo.return\"(%c) : (tensor<f32>) -> ()"
                     : "    \"stablehlo.return\"(%b) : (tensor<f32>) -> ()"),
            {bytes(table), bytes(at), bytes(updates)});
    ASSERT_EQ(out.size(), 1u) << messages;
    std::vector<float> want = table;
    for (int i = 0; i < 20; ++i)
      for (int k = 0; k < 12; ++k)
        if (at[i] >= 0 && at[i] < 9) {
          float &to = want[at[i] * 12 + k];
          to = adds ? to + updates[i * 12 + k] : updates[i * 12 + k];
        }
    for (float &v : want)
      if (v != v)
        v = std::numeric_limits<float>::quiet_NaN();
    expectBits(as<float>(out[0]), want);
  }
}

/// The gradient of a label's gather: one update a batch.
TEST_F(CompileAndRun, ScatterOfLabels) {
  std::vector<float> u = values(5, 4);
  std::vector<int32_t> labels{3, 0, 8, -1, 5};
  auto out = run(R"mlir(
func.func @main(%l: tensor<5x1x1xi32>, %u: tensor<5x1xf32>) -> tensor<5x8xf32> {
  %z = "stablehlo.constant"() <{value = dense<0.0> : tensor<5x8xf32>}> : () -> tensor<5x8xf32>
  %0 = "stablehlo.scatter"(%z, %l, %u) <{update_window_dims = array<i64>, inserted_window_dims = array<i64: 1>, input_batching_dims = array<i64: 0>, scatter_indices_batching_dims = array<i64: 0>, scatter_dims_to_operand_dims = array<i64: 1>, index_vector_dim = 2 : i64}> ({
  ^bb0(%a: tensor<f32>, %b: tensor<f32>):
    %c = "stablehlo.add"(%a, %b) : (tensor<f32>, tensor<f32>) -> tensor<f32>
    "stablehlo.return"(%c) : (tensor<f32>) -> ()
  }) : (tensor<5x8xf32>, tensor<5x1x1xi32>, tensor<5x1xf32>) -> tensor<5x8xf32>
  return %0 : tensor<5x8xf32>
})mlir",
                 {bytes(labels), bytes(u)});
  ASSERT_EQ(out.size(), 1u) << messages;
  std::vector<float> want(40, 0.0f);
  for (int i = 0; i < 5; ++i)
    if (labels[i] >= 0 && labels[i] < 8)
      want[i * 8 + labels[i]] = u[i];
  expectBits(as<float>(out[0]), want);
}

/// What a depthwise filter's gradient is: the batch in groups.
TEST_F(CompileAndRun, ConvolutionOfBatchGroups) {
  const int G = 3, B = 2, H = 6, C = 4, K = 3, O = 6, OH = 4;
  std::vector<float> x = values(G * B * H * H * C, 6),
                     w = values(K * K * C * O, 7), want(B * OH * OH * O);
  auto out = run(R"mlir(
func.func @main(%x: tensor<6x6x6x4xf32>, %w: tensor<3x3x4x6xf32>) -> tensor<2x4x4x6xf32> {
  %0 = "stablehlo.convolution"(%x, %w) <{window_strides = array<i64: 1, 1>, padding = array<i64: 0, 0, 0, 0>, lhs_dilation = array<i64: 1, 1>, rhs_dilation = array<i64: 1, 1>, window_reversal = array<i1: true, false>, input_batch_dimension = 0 : i64, input_feature_dimension = 3 : i64, input_spatial_dimensions = array<i64: 1, 2>, kernel_input_feature_dimension = 2 : i64, kernel_output_feature_dimension = 3 : i64, kernel_spatial_dimensions = array<i64: 0, 1>, output_batch_dimension = 0 : i64, output_feature_dimension = 3 : i64, output_spatial_dimensions = array<i64: 1, 2>, feature_group_count = 1 : i64, batch_group_count = 3 : i64}> : (tensor<6x6x6x4xf32>, tensor<3x3x4x6xf32>) -> tensor<2x4x4x6xf32>
  return %0 : tensor<2x4x4x6xf32>
})mlir",
                 {bytes(x), bytes(w)});
  ASSERT_EQ(out.size(), 1u) << messages;
  for (int n = 0; n < B; ++n)
    for (int oy = 0; oy < OH; ++oy)
      for (int ox = 0; ox < OH; ++ox)
        for (int o = 0; o < O; ++o) {
          float acc = 0;
          const int image = o / (O / G) * B + n;
          for (int ky = 0; ky < K; ++ky)
            for (int kx = 0; kx < K; ++kx)
              for (int c = 0; c < C; ++c)
                acc =
                    std::fma(x[((image * H + oy + ky) * H + ox + kx) * C + c],
                             w[(((K - 1 - ky) * K + kx) * C + c) * O + o], acc);
          want[((n * OH + oy) * OH + ox) * O + o] = acc;
        }
  expectBits(as<float>(out[0]), want);
}
