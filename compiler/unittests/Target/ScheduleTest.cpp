// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Loops and branches round operations of the CPU engine: compiled to schedules,
// run on the model chain by chain, against loops written out here.

#include "CompileAndRun.h"

#include <algorithm>
#include <cmath>

using namespace mlir;
using namespace mlir::loom;
using namespace loom_test;

namespace {
class Schedule : public CompileAndRun {
protected:
};

std::vector<uint8_t> number(int32_t v) {
  return bytes(std::vector<int32_t>{v});
}

/// A sort of one array, ascending.
const std::string kSort = R"mlir( <{dimension = 0 : i64}> ({
    ^bb0(%a: tensor<f32>, %b: tensor<f32>):
      %lt = "stablehlo.compare"(%a, %b) <{comparison_direction = #stablehlo<comparison_direction LT>}> : (tensor<f32>, tensor<f32>) -> tensor<i1>
      "stablehlo.return"(%lt) : (tensor<i1>) -> ()
    }) : (tensor<8xf32>) -> tensor<8xf32>)mlir";
} // namespace

TEST_F(Schedule, CountsRoundASort) {
  // Each round sorts, takes the row of its number off the smallest, and writes
  // what it has at that row.
  const std::string text = R"mlir(
func.func @main(%x: tensor<8xf32>, %rows: tensor<5x8xf32>) -> (tensor<8xf32>, tensor<5x8xf32>) {
  %zero = "stablehlo.constant"() <{value = dense<0> : tensor<i32>}> : () -> tensor<i32>
  %empty = "stablehlo.constant"() <{value = dense<0.0> : tensor<5x8xf32>}> : () -> tensor<5x8xf32>
  %0:3 = "stablehlo.while"(%zero, %x, %empty) ({
  ^bb0(%i: tensor<i32>, %v: tensor<8xf32>, %o: tensor<5x8xf32>):
    %n = "stablehlo.constant"() <{value = dense<5> : tensor<i32>}> : () -> tensor<i32>
    %c = "stablehlo.compare"(%i, %n) <{comparison_direction = #stablehlo<comparison_direction LT>}> : (tensor<i32>, tensor<i32>) -> tensor<i1>
    "stablehlo.return"(%c) : (tensor<i1>) -> ()
  }, {
  ^bb0(%i: tensor<i32>, %v: tensor<8xf32>, %o: tensor<5x8xf32>):
    %one = "stablehlo.constant"() <{value = dense<1> : tensor<i32>}> : () -> tensor<i32>
    %z = "stablehlo.constant"() <{value = dense<0> : tensor<i32>}> : () -> tensor<i32>
    %row = "stablehlo.dynamic_slice"(%rows, %i, %z) <{slice_sizes = array<i64: 1, 8>}> : (tensor<5x8xf32>, tensor<i32>, tensor<i32>) -> tensor<1x8xf32>
    %flat = "stablehlo.reshape"(%row) : (tensor<1x8xf32>) -> tensor<8xf32>
    %s = "stablehlo.sort"(%v))mlir" +
                           kSort + R"mlir(
    %d = "stablehlo.subtract"(%s, %flat) : (tensor<8xf32>, tensor<8xf32>) -> tensor<8xf32>
    %r = "stablehlo.reshape"(%d) : (tensor<8xf32>) -> tensor<1x8xf32>
    %put = "stablehlo.dynamic_update_slice"(%o, %r, %i, %z) : (tensor<5x8xf32>, tensor<1x8xf32>, tensor<i32>, tensor<i32>) -> tensor<5x8xf32>
    %j = "stablehlo.add"(%i, %one) : (tensor<i32>, tensor<i32>) -> tensor<i32>
    "stablehlo.return"(%j, %d, %put) : (tensor<i32>, tensor<8xf32>, tensor<5x8xf32>) -> ()
  }) : (tensor<i32>, tensor<8xf32>, tensor<5x8xf32>) -> (tensor<i32>, tensor<8xf32>, tensor<5x8xf32>)
  return %0#1, %0#2 : tensor<8xf32>, tensor<5x8xf32>
})mlir";
  std::vector<float> v = values(8, 1), rows = values(40, 2), all;
  const auto out = once(text, {bytes(v), bytes(rows)});
  ASSERT_EQ(out.size(), 2u);
  for (int i = 0; i < 5; ++i) {
    std::sort(v.begin(), v.end());
    for (int e = 0; e < 8; ++e)
      v[e] -= rows[i * 8 + e];
    all.insert(all.end(), v.begin(), v.end());
  }
  expectBits(as<float>(out[0]), v);
  expectBits(as<float>(out[1]), all);
  EXPECT_GE(result.cpuSegments, 5u);
  EXPECT_TRUE(compiled.bounded);
  // Straight lines give the same.
  const auto rounds = once(text, {bytes(v), bytes(rows)});
  loops = Loops::Keep;
  EXPECT_EQ(once(text, {bytes(v), bytes(rows)}), rounds);
}

TEST_F(Schedule, DataEndALoopOfF64) {
  // Newton's steps to a root, each with two tensors that change places.
  const std::string text = R"mlir(
func.func @main(%y: tensor<f64>, %p: tensor<3xf64>, %q: tensor<3xi64>, %r: tensor<3xi64>) -> (tensor<f64>, tensor<i32>, tensor<3xi64>, tensor<3xi64>) {
  %half = "stablehlo.constant"() <{value = dense<0.5> : tensor<f64>}> : () -> tensor<f64>
  %eps = "stablehlo.constant"() <{value = dense<1.0e-12> : tensor<f64>}> : () -> tensor<f64>
  %zero = "stablehlo.constant"() <{value = dense<0> : tensor<i32>}> : () -> tensor<i32>
  %one = "stablehlo.constant"() <{value = dense<1> : tensor<i32>}> : () -> tensor<i32>
  %0:4 = "stablehlo.while"(%y, %zero, %q, %r) ({
  ^bb0(%x: tensor<f64>, %k: tensor<i32>, %a: tensor<3xi64>, %b: tensor<3xi64>):
    %s = "stablehlo.multiply"(%x, %x) : (tensor<f64>, tensor<f64>) -> tensor<f64>
    %d = "stablehlo.subtract"(%s, %y) : (tensor<f64>, tensor<f64>) -> tensor<f64>
    %e = "stablehlo.abs"(%d) : (tensor<f64>) -> tensor<f64>
    %go = "stablehlo.compare"(%e, %eps) <{comparison_direction = #stablehlo<comparison_direction GT>}> : (tensor<f64>, tensor<f64>) -> tensor<i1>
    "stablehlo.return"(%go) : (tensor<i1>) -> ()
  }, {
  ^bb0(%x: tensor<f64>, %k: tensor<i32>, %a: tensor<3xi64>, %b: tensor<3xi64>):
    %d = "stablehlo.divide"(%y, %x) : (tensor<f64>, tensor<f64>) -> tensor<f64>
    %s = "stablehlo.add"(%x, %d) : (tensor<f64>, tensor<f64>) -> tensor<f64>
    %n = "stablehlo.multiply"(%s, %half) : (tensor<f64>, tensor<f64>) -> tensor<f64>
    %j = "stablehlo.add"(%k, %one) : (tensor<i32>, tensor<i32>) -> tensor<i32>
    "stablehlo.return"(%n, %j, %b, %a) : (tensor<f64>, tensor<i32>, tensor<3xi64>, tensor<3xi64>) -> ()
  }) : (tensor<f64>, tensor<i32>, tensor<3xi64>, tensor<3xi64>) -> (tensor<f64>, tensor<i32>, tensor<3xi64>, tensor<3xi64>)
  return %0#0, %0#1, %0#2, %0#3 : tensor<f64>, tensor<i32>, tensor<3xi64>, tensor<3xi64>
})mlir";
  const std::vector<int64_t> q{1, -2, 1ll << 40}, r{7, 8, -9};
  for (const double y : {2.0, 1.0, 1234.5}) { // 1: no round
    auto out = once(text, {bytes(std::vector<double>{y}),
                           bytes(std::vector<double>(3)), bytes(q), bytes(r)});
    ASSERT_EQ(out.size(), 4u);
    double x = y;
    int32_t rounds = 0;
    for (; std::fabs(x * x - y) > 1e-12; ++rounds)
      x = (x + y / x) * 0.5;
    EXPECT_EQ(as<double>(out[0])[0], x);
    EXPECT_EQ(as<int32_t>(out[1])[0], rounds);
    EXPECT_EQ(as<int64_t>(out[2]), rounds % 2 ? r : q);
    EXPECT_EQ(as<int64_t>(out[3]), rounds % 2 ? q : r);
    EXPECT_FALSE(compiled.bounded);
  }
}

TEST_F(Schedule, BranchesOfF64InALoop) {
  // One of three branches a round; the middle one is a loop of its own.
  const std::string text = R"mlir(
func.func @main(%n: tensor<i32>, %x: tensor<4xf64>) -> (tensor<4xf64>, tensor<i32>) {
  %zero = "stablehlo.constant"() <{value = dense<0> : tensor<i32>}> : () -> tensor<i32>
  %one = "stablehlo.constant"() <{value = dense<1> : tensor<i32>}> : () -> tensor<i32>
  %four = "stablehlo.constant"() <{value = dense<4> : tensor<i32>}> : () -> tensor<i32>
  %two = "stablehlo.constant"() <{value = dense<2.0> : tensor<4xf64>}> : () -> tensor<4xf64>
  %0:2 = "stablehlo.while"(%zero, %x) ({
  ^bb0(%i: tensor<i32>, %v: tensor<4xf64>):
    %c = "stablehlo.compare"(%i, %n) <{comparison_direction = #stablehlo<comparison_direction LT>}> : (tensor<i32>, tensor<i32>) -> tensor<i1>
    "stablehlo.return"(%c) : (tensor<i1>) -> ()
  }, {
  ^bb0(%i: tensor<i32>, %v: tensor<4xf64>):
    %which = "stablehlo.remainder"(%i, %four) : (tensor<i32>, tensor<i32>) -> tensor<i32>
    %w = "stablehlo.case"(%which) ({
      %p = "stablehlo.multiply"(%v, %two) : (tensor<4xf64>, tensor<4xf64>) -> tensor<4xf64>
      "stablehlo.return"(%p) : (tensor<4xf64>) -> ()
    }, {
      %1:2 = "stablehlo.while"(%zero, %v) ({
      ^bb0(%k: tensor<i32>, %u: tensor<4xf64>):
        %d = "stablehlo.compare"(%k, %i) <{comparison_direction = #stablehlo<comparison_direction LT>}> : (tensor<i32>, tensor<i32>) -> tensor<i1>
        "stablehlo.return"(%d) : (tensor<i1>) -> ()
      }, {
      ^bb0(%k: tensor<i32>, %u: tensor<4xf64>):
        %t = "stablehlo.add"(%u, %x) : (tensor<4xf64>, tensor<4xf64>) -> tensor<4xf64>
        %k1 = "stablehlo.add"(%k, %one) : (tensor<i32>, tensor<i32>) -> tensor<i32>
        "stablehlo.return"(%k1, %t) : (tensor<i32>, tensor<4xf64>) -> ()
      }) : (tensor<i32>, tensor<4xf64>) -> (tensor<i32>, tensor<4xf64>)
      "stablehlo.return"(%1#1) : (tensor<4xf64>) -> ()
    }, {
      "stablehlo.return"(%x) : (tensor<4xf64>) -> ()
    }) : (tensor<i32>) -> tensor<4xf64>
    %odd = "stablehlo.compare"(%which, %one) <{comparison_direction = #stablehlo<comparison_direction GT>}> : (tensor<i32>, tensor<i32>) -> tensor<i1>
    %y = "stablehlo.if"(%odd) ({
      %g = "stablehlo.negate"(%w) : (tensor<4xf64>) -> tensor<4xf64>
      "stablehlo.return"(%g) : (tensor<4xf64>) -> ()
    }, {
      "stablehlo.return"(%w) : (tensor<4xf64>) -> ()
    }) : (tensor<i1>) -> tensor<4xf64>
    %j = "stablehlo.add"(%i, %one) : (tensor<i32>, tensor<i32>) -> tensor<i32>
    "stablehlo.return"(%j, %y) : (tensor<i32>, tensor<4xf64>) -> ()
  }) : (tensor<i32>, tensor<4xf64>) -> (tensor<i32>, tensor<4xf64>)
  return %0#1, %0#0 : tensor<4xf64>, tensor<i32>
})mlir";
  const std::vector<double> x{0.1, -2.5, 3e10, 7};
  for (const int n : {0, 1, 2, 7}) {
    auto out = once(text, {number(n), bytes(x)});
    ASSERT_EQ(out.size(), 2u);
    std::vector<double> v = x;
    for (int i = 0; i < n; ++i)
      for (int e = 0; e < 4; ++e) {
        if (i % 4 == 0)
          v[e] *= 2;
        for (int k = 0; i % 4 == 1 && k < i; ++k)
          v[e] += x[e];
        if (i % 4 > 1)
          v[e] = -x[e];
      }
    EXPECT_EQ(as<double>(out[0]), v) << n;
    EXPECT_EQ(as<int32_t>(out[1])[0], n);
  }
}

TEST_F(Schedule, MachineLoopsStayInASegment) {
  // Products in an inner loop of the machine; a sort in the outer one.
  const std::string text = R"mlir(
func.func @main(%x: tensor<8xf32>, %w: tensor<6x8x8xf32>) -> tensor<8xf32> {
  %zero = "stablehlo.constant"() <{value = dense<0> : tensor<i32>}> : () -> tensor<i32>
  %0:2 = "stablehlo.while"(%zero, %x) ({
  ^bb0(%i: tensor<i32>, %v: tensor<8xf32>):
    %n = "stablehlo.constant"() <{value = dense<4> : tensor<i32>}> : () -> tensor<i32>
    %c = "stablehlo.compare"(%i, %n) <{comparison_direction = #stablehlo<comparison_direction LT>}> : (tensor<i32>, tensor<i32>) -> tensor<i1>
    "stablehlo.return"(%c) : (tensor<i1>) -> ()
  }, {
  ^bb0(%i: tensor<i32>, %v: tensor<8xf32>):
    %one = "stablehlo.constant"() <{value = dense<1> : tensor<i32>}> : () -> tensor<i32>
    %z = "stablehlo.constant"() <{value = dense<0> : tensor<i32>}> : () -> tensor<i32>
    %s = "stablehlo.sort"(%v))mlir" +
                           kSort + R"mlir(
    %1:2 = "stablehlo.while"(%zero, %s) ({
    ^bb0(%k: tensor<i32>, %u: tensor<8xf32>):
      %m = "stablehlo.constant"() <{value = dense<6> : tensor<i32>}> : () -> tensor<i32>
      %d = "stablehlo.compare"(%k, %m) <{comparison_direction = #stablehlo<comparison_direction LT>}> : (tensor<i32>, tensor<i32>) -> tensor<i1>
      "stablehlo.return"(%d) : (tensor<i1>) -> ()
    }, {
    ^bb0(%k: tensor<i32>, %u: tensor<8xf32>):
      %slice = "stablehlo.dynamic_slice"(%w, %k, %z, %z) <{slice_sizes = array<i64: 1, 8, 8>}> : (tensor<6x8x8xf32>, tensor<i32>, tensor<i32>, tensor<i32>) -> tensor<1x8x8xf32>
      %mat = "stablehlo.reshape"(%slice) : (tensor<1x8x8xf32>) -> tensor<8x8xf32>
      %p = "stablehlo.dot_general"(%mat, %u) <{lhs_batching_dimensions = array<i64>, rhs_batching_dimensions = array<i64>, lhs_contracting_dimensions = array<i64: 1>, rhs_contracting_dimensions = array<i64: 0>}> : (tensor<8x8xf32>, tensor<8xf32>) -> tensor<8xf32>
      %k1 = "stablehlo.add"(%k, %one) : (tensor<i32>, tensor<i32>) -> tensor<i32>
      "stablehlo.return"(%k1, %p) : (tensor<i32>, tensor<8xf32>) -> ()
    }) : (tensor<i32>, tensor<8xf32>) -> (tensor<i32>, tensor<8xf32>)
    %j = "stablehlo.add"(%i, %one) : (tensor<i32>, tensor<i32>) -> tensor<i32>
    "stablehlo.return"(%j, %1#1) : (tensor<i32>, tensor<8xf32>) -> ()
  }) : (tensor<i32>, tensor<8xf32>) -> (tensor<i32>, tensor<8xf32>)
  return %0#1 : tensor<8xf32>
})mlir";
  std::vector<float> v = values(8, 5), w = values(6 * 64, 6);
  for (float &f : w)
    f *= 0.25f;
  auto out = once(text, {bytes(v), bytes(w)});
  ASSERT_EQ(out.size(), 1u);
  for (int i = 0; i < 4; ++i) {
    std::sort(v.begin(), v.end());
    for (int k = 0; k < 6; ++k) {
      std::vector<float> next(8);
      for (int r = 0; r < 8; ++r)
        for (int c = 0; c < 8; ++c)
          next[r] = std::fmaf(w[k * 64 + r * 8 + c], v[c], next[r]);
      v = next;
    }
  }
  const auto have = as<float>(out[0]);
  for (int e = 0; e < 8; ++e)
    EXPECT_NEAR(have[e], v[e], 1e-4 * (1 + std::fabs(v[e])));
  // One of each engine a round, and a few around the loop.
  EXPECT_GE(result.cpuSegments, 4u);
  EXPECT_LE(result.cpuSegments, 6u);
  EXPECT_LE(result.npuSegments, 6u);
  EXPECT_LE(result.chains, 6u);
  // The same bits from a machine without loops, and from the CPU engine alone.
  without = 1ull << LOOM_FEAT_LOOP | 1ull << LOOM_FEAT_REG;
  EXPECT_EQ(once(text, {bytes(values(8, 5)), bytes(w)}), out);
  // Of one without a unit the loop asks for, only what needs it moves.
  for (const unsigned unit : {LOOM_FEAT_VPU, LOOM_FEAT_F32, LOOM_FEAT_EPI}) {
    without = 1ull << unit;
    EXPECT_EQ(once(text, {bytes(values(8, 5)), bytes(w)}), out) << unit;
  }
  without = 0;
  back.cpuOnly = true;
  EXPECT_EQ(once(text, {bytes(values(8, 5)), bytes(w)}), out);
  EXPECT_EQ(result.npuSegments, 0u);
}

TEST_F(Schedule, ManySegmentsAreSeveralChains) {
  // Each sort waits for a product, each product for a sort.
  std::string text = R"mlir(
func.func @main(%v0: tensor<8xf32>, %w: tensor<8x8xf32>) -> tensor<8xf32> {
)mlir";
  for (int i = 0; i < 40; ++i) {
    const std::string n = std::to_string(i), next = std::to_string(i + 1);
    text += "%s" + n + " = \"stablehlo.sort\"(%v" + n + ")" + kSort + "\n%v" +
            next + " = \"stablehlo.dot_general\"(%w, %s" + n +
            ") <{lhs_batching_dimensions = array<i64>, rhs_batching_dimensions "
            "= array<i64>, lhs_contracting_dimensions = array<i64: 1>, "
            "rhs_contracting_dimensions = array<i64: 0>}> : (tensor<8x8xf32>, "
            "tensor<8xf32>) -> tensor<8xf32>\n";
  }
  text += "return %v40 : tensor<8xf32>\n}";
  std::vector<float> w(64);
  for (int i = 0; i < 8; ++i)
    w[i * 8 + (i + 3) % 8] = -1;
  const std::vector<float> v = values(8, 9);
  auto out = once(text, {bytes(v), bytes(w)});
  ASSERT_EQ(out.size(), 1u);
  std::vector<float> want = v;
  for (int i = 0; i < 40; ++i) {
    std::sort(want.begin(), want.end());
    std::vector<float> next(8);
    for (int r = 0; r < 8; ++r)
      next[r] = -want[(r + 3) % 8];
    want = next;
  }
  expectBits(as<float>(out[0]), want);
  EXPECT_EQ(result.npuSegments + result.cpuSegments, 80u);
  EXPECT_EQ(result.chains, 2u);
}

TEST_F(Schedule, RefusesLoopsTooDeep) {
  std::string text = R"mlir(
func.func @main(%n: tensor<i32>, %x0: tensor<f64>) -> tensor<f64> {
  %zero = "stablehlo.constant"() <{value = dense<0> : tensor<i32>}> : () -> tensor<i32>
  %one = "stablehlo.constant"() <{value = dense<1> : tensor<i32>}> : () -> tensor<i32>
)mlir";
  const int depth = 9;
  for (int d = 1; d <= depth; ++d) {
    const std::string n = std::to_string(d), outer = std::to_string(d - 1);
    text += "%w" + n + ":2 = \"stablehlo.while\"(%zero, %x" + outer +
            ") ({\n^bb0(%i: tensor<i32>, %x: tensor<f64>):\n"
            "%c = \"stablehlo.compare\"(%i, %n) <{comparison_direction = "
            "#stablehlo<comparison_direction LT>}> : (tensor<i32>, "
            "tensor<i32>) -> tensor<i1>\n\"stablehlo.return\"(%c) : "
            "(tensor<i1>) -> ()\n}, {\n^bb0(%i" +
            n + ": tensor<i32>, %x" + n + ": tensor<f64>):\n";
  }
  text += "%y9 = \"stablehlo.add\"(%x9, %x9) : (tensor<f64>, tensor<f64>) -> "
          "tensor<f64>\n";
  for (int d = depth; d > 0; --d) {
    const std::string n = std::to_string(d), outer = std::to_string(d - 1);
    text += "%j" + n + " = \"stablehlo.add\"(%i" + n +
            ", %one) : (tensor<i32>, tensor<i32>) -> tensor<i32>\n"
            "\"stablehlo.return\"(%j" +
            n + ", %y" + n +
            ") : (tensor<i32>, tensor<f64>) -> ()\n}) : (tensor<i32>, "
            "tensor<f64>) -> (tensor<i32>, tensor<f64>)\n%y" +
            outer + " = \"stablehlo.reshape\"(%w" + n +
            "#1) : (tensor<f64>) -> tensor<f64>\n";
  }
  text += "return %y0 : tensor<f64>\n}";
  CompiledProgram out;
  EXPECT_FALSE(compile(text, "npu16", out));
  EXPECT_NE(messages.find("lie more than 8 deep in each other"),
            std::string::npos)
      << messages;
}
