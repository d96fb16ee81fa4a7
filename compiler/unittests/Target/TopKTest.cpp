// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The first few of a sort, picked by the NPU, against a sort of all; the CPU
// engine gives the same bits.

#include "CompileAndRun.h"

#include <algorithm>
#include <limits>
#include <numeric>

using namespace mlir;
using namespace mlir::loom;
using namespace loom_test;

namespace {
/// `count` of each column of [rows, 3] and their places.
std::string topText(int rows, int count, const std::string &type,
                    const std::string &compare) {
  auto tensor = [](int n, const std::string &element) {
    return "tensor<" + std::to_string(n) + "x3x" + element + ">";
  };
  const std::string x = tensor(rows, type), n = tensor(rows, "i32"),
                    x1 = tensor(count, type), n1 = tensor(count, "i32"),
                    slice = "<{limit_indices = array<i64: " +
                            std::to_string(count) +
                            ", 3>, start_indices = array<i64: 0, 0>, strides "
                            "= array<i64: 1, 1>}> : (",
                    one = "tensor<" + type + ">";
  return "func.func @main(%x: " + x + ") -> (" + x1 + ", " + n1 +
         ") {\n  %n = \"stablehlo.iota\"() <{iota_dimension = 0 : i64}> : () "
         "-> " +
         n +
         "\n  %0:2 = \"stablehlo.sort\"(%x, %n) <{dimension = 0 : i64, "
         "is_stable = true}> ({\n  ^bb0(%a: " +
         one + ", %b: " + one +
         ", %i: tensor<i32>, %j: tensor<i32>):\n    %c = "
         "\"stablehlo.compare\"(%a, %b) <{" +
         compare + "}> : (" + one + ", " + one +
         ") -> tensor<i1>\n    \"stablehlo.return\"(%c) : (tensor<i1>) -> "
         "()\n  }) : (" +
         x + ", " + n + ") -> (" + x + ", " + n +
         ")\n  %1 = \"stablehlo.slice\"(%0#0) " + slice + x + ") -> " + x1 +
         "\n  %2 = \"stablehlo.slice\"(%0#1) " + slice + n + ") -> " + n1 +
         "\n  return %1, %2 : " + x1 + ", " + n1 + "\n}";
}

std::string direction(const std::string &which, bool total = false) {
  return "comparison_direction = #stablehlo<comparison_direction " + which +
         ">" +
         (total ? ", compare_type = #stablehlo<comparison_type TOTALORDER>"
                : "");
}

int32_t order(float f) {
  const int32_t b = int32_t(bits(f));
  return b ^ (b >> 31 & 0x7fffffff);
}

class TopK : public CompileAndRun {
protected:
  template <typename T, typename Less>
  void check(const std::string &type, const std::string &compare,
             const std::vector<T> &x, int count, Less less) {
    const int rows = int(x.size()) / 3;
    const std::string text = topText(rows, count, type, compare);
    auto out = run(text, {bytes(x)});
    ASSERT_EQ(out.size(), 2u) << messages;
    for (int column = 0; column < 3; ++column) {
      std::vector<int32_t> places(rows);
      std::iota(places.begin(), places.end(), 0);
      std::stable_sort(places.begin(), places.end(), [&](int a, int b) {
        return less(x[a * 3 + column], x[b * 3 + column]);
      });
      for (int i = 0; i < count; ++i) {
        const int at = i * 3 + column;
        ASSERT_EQ(as<int32_t>(out[1])[at], places[i]) << type << " " << at;
        const T want = x[places[i] * 3 + column], have = as<T>(out[0])[at];
        ASSERT_EQ(memcmp(&have, &want, sizeof(T)), 0) << type << " " << at;
      }
    }
    CompiledProgram compiled;
    ASSERT_TRUE(compile(text, "npu16", compiled)) << messages;
    EXPECT_TRUE(compiled.placement.empty());
    back.cpuOnly = true;
    ASSERT_TRUE(compile(text, "npu16", compiled)) << messages;
    back.cpuOnly = false;
    EXPECT_EQ(runProgram(compiled.file.bytes(), {bytes(x)}).outputs, out);
  }
};
} // namespace

TEST_F(TopK, OfFloatsInTotalOrder) {
  std::vector<float> x = values(3 * 37, 3);
  for (float &v : x) // many that are equal
    v = float(int(v));
  x[3] = std::numeric_limits<float>::quiet_NaN();
  x[4] = -std::numeric_limits<float>::quiet_NaN();
  x[7] = -std::numeric_limits<float>::infinity();
  const uint32_t last = 0xffffffffu; // no other comes before it
  memcpy(&x[10], &last, 4);
  x[2] = -0.0f;
  x[5] = 0.0f;
  for (const int count : {1, 5, 37}) {
    check<float>("f32", direction("GT", true), x, count,
                 [](float a, float b) { return order(a) > order(b); });
    check<float>("f32", direction("LT", true), x, count,
                 [](float a, float b) { return order(a) < order(b); });
  }
}

// Blocks first: equal ones in several, the last one filled, and elements that
// no filling may come before.
TEST_F(TopK, OfLongLines) {
  const uint32_t last = 0xffffffffu;
  for (const auto &[rows, count] : {std::pair{333, 5}, {1601, 20}, {512, 4}}) {
    std::vector<float> x = values(3 * rows, 5), y(x.size());
    for (float &v : x)
      v = float(int(v));
    for (float &v : y)
      memcpy(&v, &last, 4);
    x[3 * (rows - 1)] = std::numeric_limits<float>::quiet_NaN();
    y[3 * (rows - 2)] = -0.0f;
    for (const std::vector<float> &given : {x, y}) {
      check<float>("f32", direction("GT", true), given, count,
                   [](float a, float b) { return order(a) > order(b); });
      check<float>("f32", direction("LT", true), given, count,
                   [](float a, float b) { return order(a) < order(b); });
    }
    std::vector<int32_t> n(x.size(), INT32_MIN);
    n[1] = n[3 * rows - 2] = 7;
    check<int32_t>("i32", direction("GT"), n, count, std::greater<int32_t>());
  }
}

TEST_F(TopK, OfIntegers) {
  std::vector<int32_t> x(3 * 20);
  std::vector<uint32_t> u(x.size());
  std::vector<int8_t> n(x.size());
  for (size_t i = 0; i < x.size(); ++i) {
    x[i] = int32_t(i * 2654435761u) >> (i % 3 ? 0 : 28);
    u[i] = uint32_t(x[i]);
    n[i] = int8_t(x[i]);
  }
  x[0] = INT32_MIN;
  x[3] = INT32_MAX;
  check<int32_t>("i32", direction("GT"), x, 20, std::greater<int32_t>());
  check<int32_t>("i32", direction("LT"), x, 4, std::less<int32_t>());
  check<uint32_t>("ui32", direction("GT"), u, 6, std::greater<uint32_t>());
  check<int8_t>("i8", direction("LT"), n, 6, std::less<int8_t>());
}

TEST_F(TopK, OtherSortsAreTheCpuEngines) {
  // No order of all values; narrow floats; more than picking is worth.
  for (const auto &[type, compare, rows, count] :
       {std::tuple{"f32", direction("GT"), 9, 2},
        {"f16", direction("GT", true), 9, 2},
        {"f32", direction("GT", true), 200, 129}}) {
    CompiledProgram out;
    ASSERT_TRUE(compile(topText(rows, count, type, compare), "npu16", out))
        << messages;
    ASSERT_FALSE(out.placement.empty());
    EXPECT_EQ(out.placement[0].operation, "sort");
  }
}
