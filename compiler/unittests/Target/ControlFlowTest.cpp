// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Loops that data end, branches, and places known at run time: compiled for
// several targets and run on the model, against loops written out here.

#include "CompileAndRun.h"

#include "loom/Target/Program/Verifier.h"
#include "loom_program.h"

#include <algorithm>
#include <cmath>

using namespace mlir;
using namespace mlir::loom;
using namespace loom_test;

namespace {
class ControlFlow : public CompileAndRun {
protected:
  /// Through the passes before, on every target; all must agree.
  std::vector<std::vector<uint8_t>>
  runKept(StringRef text, const std::vector<std::vector<uint8_t>> &inputs) {
    std::vector<std::vector<uint8_t>> first;
    for (const char *name : kTargets) {
      loom_target target;
      EXPECT_TRUE(program::namedTarget(name, target));
      CompiledProgram compiled;
      EXPECT_TRUE(compile(text, target, compiled, Loops::Keep))
          << name << ": " << messages;
      if (compiled.file.empty())
        return {};
      RunResult result = runProgram(compiled.file.bytes(), inputs);
      EXPECT_EQ(result.error, "") << name;
      if (first.empty())
        first = result.outputs;
      EXPECT_EQ(first, result.outputs) << name << " gives other bits";
    }
    return first;
  }
};

std::vector<uint8_t> number(int32_t v) {
  return bytes(std::vector<int32_t>{v});
}
} // namespace

TEST_F(ControlFlow, SlicesAndUpdatesAtRunTime) {
  const std::string text = R"mlir(
func.func @main(%x: tensor<6x7xf32>, %i: tensor<i32>, %j: tensor<i32>, %u: tensor<2x3xf32>) -> (tensor<2x3xf32>, tensor<6x7xf32>, tensor<6x7xf32>) {
  %s = "stablehlo.dynamic_slice"(%x, %i, %j) <{slice_sizes = array<i64: 2, 3>}> : (tensor<6x7xf32>, tensor<i32>, tensor<i32>) -> tensor<2x3xf32>
  %y = "stablehlo.add"(%x, %x) : (tensor<6x7xf32>, tensor<6x7xf32>) -> tensor<6x7xf32>
  %p = "stablehlo.dynamic_update_slice"(%y, %u, %i, %j) : (tensor<6x7xf32>, tensor<2x3xf32>, tensor<i32>, tensor<i32>) -> tensor<6x7xf32>
  %q = "stablehlo.add"(%y, %p) : (tensor<6x7xf32>, tensor<6x7xf32>) -> tensor<6x7xf32>
  return %s, %p, %q : tensor<2x3xf32>, tensor<6x7xf32>, tensor<6x7xf32>
})mlir";
  const std::vector<float> x = values(42, 1), u = values(6, 2);
  for (auto [i, j] : {std::pair{0, 0}, {3, 2}, {-5, 100}, {4, 4}}) {
    auto out = runKept(text, {bytes(x), number(i), number(j), bytes(u)});
    ASSERT_EQ(out.size(), 3u);
    const int r = std::clamp(i, 0, 4), c = std::clamp(j, 0, 4);
    std::vector<float> s(6), p(42), q(42);
    for (int a = 0; a < 42; ++a)
      p[a] = 2 * x[a];
    for (int a = 0; a < 2; ++a)
      for (int b = 0; b < 3; ++b) {
        s[a * 3 + b] = x[(r + a) * 7 + c + b];
        p[(r + a) * 7 + c + b] = u[a * 3 + b];
      }
    for (int a = 0; a < 42; ++a)
      q[a] = 2 * x[a] + p[a];
    expectBits(as<float>(out[0]), s);
    expectBits(as<float>(out[1]), p);
    expectBits(as<float>(out[2]), q);
  }
}

TEST_F(ControlFlow, DataEndALoop) {
  // Steps of the Collatz sequence; a sum of what it passes; two tensors that
  // change places.
  const std::string text = R"mlir(
func.func @main(%n: tensor<i32>, %a: tensor<5xf32>, %b: tensor<5xf32>) -> (tensor<i32>, tensor<i32>, tensor<5xf32>, tensor<5xf32>) {
  %zero = "stablehlo.constant"() <{value = dense<0> : tensor<i32>}> : () -> tensor<i32>
  %one = "stablehlo.constant"() <{value = dense<1> : tensor<i32>}> : () -> tensor<i32>
  %two = "stablehlo.constant"() <{value = dense<2> : tensor<i32>}> : () -> tensor<i32>
  %three = "stablehlo.constant"() <{value = dense<3> : tensor<i32>}> : () -> tensor<i32>
  %0:5 = "stablehlo.while"(%n, %zero, %zero, %a, %b) ({
  ^bb0(%v: tensor<i32>, %k: tensor<i32>, %s: tensor<i32>, %p: tensor<5xf32>, %q: tensor<5xf32>):
    %go = "stablehlo.compare"(%v, %one) <{comparison_direction = #stablehlo<comparison_direction GT>}> : (tensor<i32>, tensor<i32>) -> tensor<i1>
    "stablehlo.return"(%go) : (tensor<i1>) -> ()
  }, {
  ^bb0(%v: tensor<i32>, %k: tensor<i32>, %s: tensor<i32>, %p: tensor<5xf32>, %q: tensor<5xf32>):
    %half = "stablehlo.divide"(%v, %two) : (tensor<i32>, tensor<i32>) -> tensor<i32>
    %t = "stablehlo.multiply"(%v, %three) : (tensor<i32>, tensor<i32>) -> tensor<i32>
    %up = "stablehlo.add"(%t, %one) : (tensor<i32>, tensor<i32>) -> tensor<i32>
    %rem = "stablehlo.remainder"(%v, %two) : (tensor<i32>, tensor<i32>) -> tensor<i32>
    %odd = "stablehlo.compare"(%rem, %zero) <{comparison_direction = #stablehlo<comparison_direction NE>}> : (tensor<i32>, tensor<i32>) -> tensor<i1>
    %next = "stablehlo.select"(%odd, %up, %half) : (tensor<i1>, tensor<i32>, tensor<i32>) -> tensor<i32>
    %k1 = "stablehlo.add"(%k, %one) : (tensor<i32>, tensor<i32>) -> tensor<i32>
    %s1 = "stablehlo.add"(%s, %v) : (tensor<i32>, tensor<i32>) -> tensor<i32>
    %p1 = "stablehlo.add"(%p, %q) : (tensor<5xf32>, tensor<5xf32>) -> tensor<5xf32>
    "stablehlo.return"(%next, %k1, %s1, %q, %p1) : (tensor<i32>, tensor<i32>, tensor<i32>, tensor<5xf32>, tensor<5xf32>) -> ()
  }) : (tensor<i32>, tensor<i32>, tensor<i32>, tensor<5xf32>, tensor<5xf32>) -> (tensor<i32>, tensor<i32>, tensor<i32>, tensor<5xf32>, tensor<5xf32>)
  return %0#1, %0#2, %0#3, %0#4 : tensor<i32>, tensor<i32>, tensor<5xf32>, tensor<5xf32>
})mlir";
  for (const int n : {1, 6, 7}) {
    std::vector<float> p = values(5, 3), q = values(5, 4);
    auto out = runKept(text, {number(n), bytes(p), bytes(q)});
    ASSERT_EQ(out.size(), 4u);
    int32_t steps = 0, sum = 0;
    for (int v = n; v > 1; v = v % 2 ? 3 * v + 1 : v / 2) {
      ++steps;
      sum += v;
      std::vector<float> next(5);
      for (int i = 0; i < 5; ++i)
        next[i] = p[i] + q[i];
      p = q;
      q = next;
    }
    EXPECT_EQ(as<int32_t>(out[0])[0], steps);
    EXPECT_EQ(as<int32_t>(out[1])[0], sum);
    expectBits(as<float>(out[2]), p);
    expectBits(as<float>(out[3]), q);
  }
}

TEST_F(ControlFlow, OneBranchRuns) {
  const std::string text = R"mlir(
func.func @main(%i: tensor<i32>, %x: tensor<3x4xf32>, %w: tensor<4x4xf32>) -> (tensor<3x4xf32>, tensor<3x4xf32>) {
  %d = "stablehlo.add"(%x, %x) : (tensor<3x4xf32>, tensor<3x4xf32>) -> tensor<3x4xf32>
  %0:2 = "stablehlo.case"(%i) ({
    %p = "stablehlo.dot_general"(%d, %w) <{lhs_batching_dimensions = array<i64>, rhs_batching_dimensions = array<i64>, lhs_contracting_dimensions = array<i64: 1>, rhs_contracting_dimensions = array<i64: 0>}> : (tensor<3x4xf32>, tensor<4x4xf32>) -> tensor<3x4xf32>
    "stablehlo.return"(%p, %d) : (tensor<3x4xf32>, tensor<3x4xf32>) -> ()
  }, {
    %n = "stablehlo.negate"(%d) : (tensor<3x4xf32>) -> tensor<3x4xf32>
    "stablehlo.return"(%n, %n) : (tensor<3x4xf32>, tensor<3x4xf32>) -> ()
  }, {
    "stablehlo.return"(%x, %d) : (tensor<3x4xf32>, tensor<3x4xf32>) -> ()
  }) : (tensor<i32>) -> (tensor<3x4xf32>, tensor<3x4xf32>)
  %y = "stablehlo.add"(%0#0, %d) : (tensor<3x4xf32>, tensor<3x4xf32>) -> tensor<3x4xf32>
  return %y, %0#1 : tensor<3x4xf32>, tensor<3x4xf32>
})mlir";
  const std::vector<float> x = values(12, 5), w = values(16, 6);
  for (const int i : {0, 1, 2, -1, 9}) {
    auto out = runKept(text, {number(i), bytes(x), bytes(w)});
    ASSERT_EQ(out.size(), 2u);
    std::vector<float> d(12), first(12), second(12), y(12);
    for (int e = 0; e < 12; ++e)
      second[e] = d[e] = 2 * x[e];
    for (int r = 0; r < 3; ++r)
      for (int c = 0; c < 4; ++c) {
        float acc = 0;
        for (int k = 0; k < 4; ++k)
          acc = std::fma(d[r * 4 + k], w[k * 4 + c], acc);
        const int e = r * 4 + c;
        first[e] = i == 0 ? acc : i == 1 ? -d[e] : x[e];
        if (i == 1)
          second[e] = -d[e];
        y[e] = first[e] + d[e];
      }
    expectBits(as<float>(out[0]), y);
    expectBits(as<float>(out[1]), second);
  }
}

TEST_F(ControlFlow, BranchesInALoopInABranch) {
  // if (c) for (i < n): i odd ? x += h : x *= h.
  const std::string text = R"mlir(
func.func @main(%c: tensor<i1>, %n: tensor<i32>, %x: tensor<6xf32>, %h: tensor<6xf32>) -> tensor<6xf32> {
  %zero = "stablehlo.constant"() <{value = dense<0> : tensor<i32>}> : () -> tensor<i32>
  %one = "stablehlo.constant"() <{value = dense<1> : tensor<i32>}> : () -> tensor<i32>
  %0 = "stablehlo.if"(%c) ({
    %1:2 = "stablehlo.while"(%zero, %x) ({
    ^bb0(%i: tensor<i32>, %a: tensor<6xf32>):
      %go = "stablehlo.compare"(%i, %n) <{comparison_direction = #stablehlo<comparison_direction LT>}> : (tensor<i32>, tensor<i32>) -> tensor<i1>
      "stablehlo.return"(%go) : (tensor<i1>) -> ()
    }, {
    ^bb0(%i: tensor<i32>, %a: tensor<6xf32>):
      %odd = "stablehlo.and"(%i, %one) : (tensor<i32>, tensor<i32>) -> tensor<i32>
      %next = "stablehlo.case"(%odd) ({
        %m = "stablehlo.multiply"(%a, %h) : (tensor<6xf32>, tensor<6xf32>) -> tensor<6xf32>
        "stablehlo.return"(%m) : (tensor<6xf32>) -> ()
      }, {
        %s = "stablehlo.add"(%a, %h) : (tensor<6xf32>, tensor<6xf32>) -> tensor<6xf32>
        "stablehlo.return"(%s) : (tensor<6xf32>) -> ()
      }) : (tensor<i32>) -> tensor<6xf32>
      %j = "stablehlo.add"(%i, %one) : (tensor<i32>, tensor<i32>) -> tensor<i32>
      "stablehlo.return"(%j, %next) : (tensor<i32>, tensor<6xf32>) -> ()
    }) : (tensor<i32>, tensor<6xf32>) -> (tensor<i32>, tensor<6xf32>)
    "stablehlo.return"(%1#1) : (tensor<6xf32>) -> ()
  }, {
    %neg = "stablehlo.negate"(%h) : (tensor<6xf32>) -> tensor<6xf32>
    "stablehlo.return"(%neg) : (tensor<6xf32>) -> ()
  }) : (tensor<i1>) -> tensor<6xf32>
  return %0 : tensor<6xf32>
})mlir";
  const std::vector<float> x = values(6, 7), h = values(6, 8);
  for (const bool c : {false, true})
    for (const int n : {0, 1, 5}) {
      auto out = runKept(text, {std::vector<uint8_t>{uint8_t(c)}, number(n),
                                bytes(x), bytes(h)});
      ASSERT_EQ(out.size(), 1u);
      std::vector<float> want = x;
      for (int e = 0; e < 6; ++e) {
        for (int i = 0; i < n; ++i)
          want[e] = i % 2 ? want[e] + h[e] : want[e] * h[e];
        if (!c)
          want[e] = -h[e];
      }
      expectBits(as<float>(out[0]), want);
    }
}

namespace {
/// for o < 5: for i < 6: h = tanh(h * w[o]) + x[o][i]; y[o][i] = h.
const char *const kNested = R"mlir(
func.func @main(%x: tensor<5x6x8xf32>, %w: tensor<5x8x8xf32>, %h0: tensor<1x8xf32>) -> (tensor<5x6x8xf32>, tensor<1x8xf32>) {
  %zero = "stablehlo.constant"() <{value = dense<0> : tensor<i32>}> : () -> tensor<i32>
  %one = "stablehlo.constant"() <{value = dense<1> : tensor<i32>}> : () -> tensor<i32>
  %five = "stablehlo.constant"() <{value = dense<5> : tensor<i32>}> : () -> tensor<i32>
  %six = "stablehlo.constant"() <{value = dense<6> : tensor<i32>}> : () -> tensor<i32>
  %ys = "stablehlo.constant"() <{value = dense<0.0> : tensor<5x6x8xf32>}> : () -> tensor<5x6x8xf32>
  %0:3 = "stablehlo.while"(%zero, %h0, %ys) ({
  ^bb0(%o: tensor<i32>, %h: tensor<1x8xf32>, %y: tensor<5x6x8xf32>):
    %go = "stablehlo.compare"(%o, %five) <{comparison_direction = #stablehlo<comparison_direction LT>}> : (tensor<i32>, tensor<i32>) -> tensor<i1>
    "stablehlo.return"(%go) : (tensor<i1>) -> ()
  }, {
  ^bb0(%o: tensor<i32>, %h: tensor<1x8xf32>, %y: tensor<5x6x8xf32>):
    %ws = "stablehlo.dynamic_slice"(%w, %o, %zero, %zero) <{slice_sizes = array<i64: 1, 8, 8>}> : (tensor<5x8x8xf32>, tensor<i32>, tensor<i32>, tensor<i32>) -> tensor<1x8x8xf32>
    %wo = "stablehlo.reshape"(%ws) : (tensor<1x8x8xf32>) -> tensor<8x8xf32>
    %xs = "stablehlo.dynamic_slice"(%x, %o, %zero, %zero) <{slice_sizes = array<i64: 1, 6, 8>}> : (tensor<5x6x8xf32>, tensor<i32>, tensor<i32>, tensor<i32>) -> tensor<1x6x8xf32>
    %xo = "stablehlo.reshape"(%xs) : (tensor<1x6x8xf32>) -> tensor<6x8xf32>
    %ro = "stablehlo.broadcast_in_dim"(%h) <{broadcast_dimensions = array<i64: 0, 1>}> : (tensor<1x8xf32>) -> tensor<6x8xf32>
    %1:3 = "stablehlo.while"(%zero, %h, %ro) ({
    ^bb0(%i: tensor<i32>, %g: tensor<1x8xf32>, %r: tensor<6x8xf32>):
      %on = "stablehlo.compare"(%i, %six) <{comparison_direction = #stablehlo<comparison_direction LT>}> : (tensor<i32>, tensor<i32>) -> tensor<i1>
      "stablehlo.return"(%on) : (tensor<i1>) -> ()
    }, {
    ^bb0(%i: tensor<i32>, %g: tensor<1x8xf32>, %r: tensor<6x8xf32>):
      %row = "stablehlo.dynamic_slice"(%xo, %i, %zero) <{slice_sizes = array<i64: 1, 8>}> : (tensor<6x8xf32>, tensor<i32>, tensor<i32>) -> tensor<1x8xf32>
      %p = "stablehlo.dot_general"(%g, %wo) <{lhs_batching_dimensions = array<i64>, rhs_batching_dimensions = array<i64>, lhs_contracting_dimensions = array<i64: 1>, rhs_contracting_dimensions = array<i64: 0>}> : (tensor<1x8xf32>, tensor<8x8xf32>) -> tensor<1x8xf32>
      %t = "stablehlo.negate"(%p) : (tensor<1x8xf32>) -> tensor<1x8xf32>
      %k = "stablehlo.maximum"(%t, %row) : (tensor<1x8xf32>, tensor<1x8xf32>) -> tensor<1x8xf32>
      %put = "stablehlo.dynamic_update_slice"(%r, %k, %i, %zero) : (tensor<6x8xf32>, tensor<1x8xf32>, tensor<i32>, tensor<i32>) -> tensor<6x8xf32>
      %j = "stablehlo.add"(%i, %one) : (tensor<i32>, tensor<i32>) -> tensor<i32>
      "stablehlo.return"(%j, %k, %put) : (tensor<i32>, tensor<1x8xf32>, tensor<6x8xf32>) -> ()
    }) : (tensor<i32>, tensor<1x8xf32>, tensor<6x8xf32>) -> (tensor<i32>, tensor<1x8xf32>, tensor<6x8xf32>)
    %rows = "stablehlo.reshape"(%1#2) : (tensor<6x8xf32>) -> tensor<1x6x8xf32>
    %yo = "stablehlo.dynamic_update_slice"(%y, %rows, %o, %zero, %zero) : (tensor<5x6x8xf32>, tensor<1x6x8xf32>, tensor<i32>, tensor<i32>, tensor<i32>) -> tensor<5x6x8xf32>
    %u = "stablehlo.add"(%o, %one) : (tensor<i32>, tensor<i32>) -> tensor<i32>
    "stablehlo.return"(%u, %1#1, %yo) : (tensor<i32>, tensor<1x8xf32>, tensor<5x6x8xf32>) -> ()
  }) : (tensor<i32>, tensor<1x8xf32>, tensor<5x6x8xf32>) -> (tensor<i32>, tensor<1x8xf32>, tensor<5x6x8xf32>)
  return %0#2, %0#1 : tensor<5x6x8xf32>, tensor<1x8xf32>
})mlir";

size_t countOf(const CompiledProgram &compiled, uint8_t opcode) {
  const std::vector<uint8_t> file = compiled.file.bytes();
  loom_prog_header header;
  memcpy(&header, file.data(), sizeof(header));
  std::vector<program::Record> records;
  EXPECT_TRUE(program::splitRecords(
      file.data() + header.sections[LOOM_SEC_NPU_CODE].offset,
      compiled.units * LOOM_UNIT_BYTES, records));
  return llvm::count_if(records, [&](const program::Record &record) {
    return record.header().op == opcode;
  });
}
} // namespace

TEST_F(ControlFlow, LoopsInLoops) {
  std::vector<float> x = values(240, 9), w = values(320, 10), h = values(8, 11),
                     y(240);
  for (float &v : w)
    v /= 8;
  loom_target target;
  ASSERT_TRUE(program::namedTarget("npu16", target));
  CompiledProgram compiled;
  ASSERT_TRUE(compile(kNested, target, compiled, Loops::Keep)) << messages;
  EXPECT_EQ(countOf(compiled, LOOM_OP_LOOP), 2u);
  EXPECT_EQ(countOf(compiled, LOOM_OP_BR), 0u);
  auto out = runKept(kNested, {bytes(x), bytes(w), bytes(h)});
  ASSERT_EQ(out.size(), 2u);
  for (int o = 0; o < 5; ++o)
    for (int i = 0; i < 6; ++i) {
      std::vector<float> k(8);
      for (int c = 0; c < 8; ++c) {
        float acc = 0;
        for (int e = 0; e < 8; ++e)
          acc = std::fma(h[e], w[(o * 8 + e) * 8 + c], acc);
        k[c] = std::max(-acc, x[(o * 6 + i) * 8 + c]);
        y[(o * 6 + i) * 8 + c] = k[c];
      }
      h = k;
    }
  expectBits(as<float>(out[0]), y);
  expectBits(as<float>(out[1]), h);
}

TEST_F(ControlFlow, CacheIsUpdatedInPlaceAndRead) {
  // Until the sum of a row reaches a bound: cache[pos] = v; v = sum of cache
  // rows; pos += 1.
  const std::string text = R"mlir(
func.func @main(%v0: tensor<1x4xf32>, %c0: tensor<8x4xf32>, %p0: tensor<i32>, %end: tensor<i32>) -> (tensor<8x4xf32>, tensor<1x4xf32>) {
  %zero = "stablehlo.constant"() <{value = dense<0> : tensor<i32>}> : () -> tensor<i32>
  %one = "stablehlo.constant"() <{value = dense<1> : tensor<i32>}> : () -> tensor<i32>
  %f0 = "stablehlo.constant"() <{value = dense<0.0> : tensor<f32>}> : () -> tensor<f32>
  %0:3 = "stablehlo.while"(%p0, %v0, %c0) ({
  ^bb0(%p: tensor<i32>, %v: tensor<1x4xf32>, %c: tensor<8x4xf32>):
    %go = "stablehlo.compare"(%p, %end) <{comparison_direction = #stablehlo<comparison_direction LT>}> : (tensor<i32>, tensor<i32>) -> tensor<i1>
    "stablehlo.return"(%go) : (tensor<i1>) -> ()
  }, {
  ^bb0(%p: tensor<i32>, %v: tensor<1x4xf32>, %c: tensor<8x4xf32>):
    %d = "stablehlo.dynamic_update_slice"(%c, %v, %p, %zero) : (tensor<8x4xf32>, tensor<1x4xf32>, tensor<i32>, tensor<i32>) -> tensor<8x4xf32>
    %s = "stablehlo.reduce"(%d, %f0) <{dimensions = array<i64: 0>}> ({
    ^bb0(%a: tensor<f32>, %b: tensor<f32>):
      %t = "stablehlo.maximum"(%a, %b) : (tensor<f32>, tensor<f32>) -> tensor<f32>
      "stablehlo.return"(%t) : (tensor<f32>) -> ()
    }) : (tensor<8x4xf32>, tensor<f32>) -> tensor<4xf32>
    %r = "stablehlo.reshape"(%s) : (tensor<4xf32>) -> tensor<1x4xf32>
    %u = "stablehlo.add"(%r, %v) : (tensor<1x4xf32>, tensor<1x4xf32>) -> tensor<1x4xf32>
    %q = "stablehlo.add"(%p, %one) : (tensor<i32>, tensor<i32>) -> tensor<i32>
    "stablehlo.return"(%q, %u, %d) : (tensor<i32>, tensor<1x4xf32>, tensor<8x4xf32>) -> ()
  }) : (tensor<i32>, tensor<1x4xf32>, tensor<8x4xf32>) -> (tensor<i32>, tensor<1x4xf32>, tensor<8x4xf32>)
  return %0#2, %0#1 : tensor<8x4xf32>, tensor<1x4xf32>
})mlir";
  std::vector<float> v = values(4, 12), c = values(32, 13);
  auto out = runKept(text, {bytes(v), bytes(c), number(2), number(6)});
  ASSERT_EQ(out.size(), 2u);
  for (int p = 2; p < 6; ++p)
    for (int e = 0; e < 4; ++e) {
      c[p * 4 + e] = v[e];
      float most = 0;
      for (int r = 0; r < 8; ++r)
        most = std::max(most, c[r * 4 + e]);
      v[e] = most + v[e];
    }
  expectBits(as<float>(out[0]), c);
  expectBits(as<float>(out[1]), v);
  // One copy of the cache, before the loop; none in it.
  loom_target target;
  ASSERT_TRUE(program::namedTarget("npu16", target));
  CompiledProgram compiled;
  ASSERT_TRUE(compile(text, target, compiled, Loops::Keep)) << messages;
  EXPECT_FALSE(compiled.bounded);
  for (const LayerPlan &layer : compiled.layers)
    EXPECT_NE(layer.kind, "copy") << layer.shape;
}

TEST_F(ControlFlow, CarriedTensorsChangePlaces) {
  const std::string text = R"mlir(
func.func @main(%n: tensor<i32>, %a: tensor<5xf32>, %b: tensor<5xf32>) -> (tensor<5xf32>, tensor<5xf32>) {
  %one = "stablehlo.constant"() <{value = dense<1> : tensor<i32>}> : () -> tensor<i32>
  %0:3 = "stablehlo.while"(%n, %a, %b) ({
  ^bb0(%i: tensor<i32>, %p: tensor<5xf32>, %q: tensor<5xf32>):
    %go = "stablehlo.compare"(%i, %one) <{comparison_direction = #stablehlo<comparison_direction GE>}> : (tensor<i32>, tensor<i32>) -> tensor<i1>
    "stablehlo.return"(%go) : (tensor<i1>) -> ()
  }, {
  ^bb0(%i: tensor<i32>, %p: tensor<5xf32>, %q: tensor<5xf32>):
    %j = "stablehlo.subtract"(%i, %one) : (tensor<i32>, tensor<i32>) -> tensor<i32>
    "stablehlo.return"(%j, %q, %p) : (tensor<i32>, tensor<5xf32>, tensor<5xf32>) -> ()
  }) : (tensor<i32>, tensor<5xf32>, tensor<5xf32>) -> (tensor<i32>, tensor<5xf32>, tensor<5xf32>)
  return %0#1, %0#2 : tensor<5xf32>, tensor<5xf32>
})mlir";
  const std::vector<float> a = values(5, 14), b = values(5, 15);
  for (const int n : {2, 3}) {
    auto out = runKept(text, {number(n), bytes(a), bytes(b)});
    ASSERT_EQ(out.size(), 2u);
    expectBits(as<float>(out[0]), n % 2 ? b : a);
    expectBits(as<float>(out[1]), n % 2 ? a : b);
  }
}
