// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Reductions of more elements than a record or SRAM holds.

#include "CompileAndRun.h"

#include <cmath>
#include <numeric>

using namespace loom_test;

namespace {
class SplitReductions : public CompileAndRun {
protected:
  template <typename T>
  std::vector<T> reduce(StringRef op, StringRef start, StringRef in,
                        StringRef out, StringRef dims, StringRef element,
                        const std::vector<T> &values) {
    const std::string e = "tensor<" + element.str() + ">";
    const std::string text =
        "func.func @main(%x: " + in.str() + ") -> " + out.str() +
        " {\n  %c = \"stablehlo.constant\"() {value = dense<" + start.str() +
        "> : " + e + "} : () -> " + e +
        "\n  %r = \"stablehlo.reduce\"(%x, %c) ({\n  ^bb0(%a: " + e +
        ", %b: " + e + "):\n    %s = \"stablehlo." + op.str() +
        "\"(%a, %b) : (" + e + ", " + e + ") -> " + e +
        "\n    \"stablehlo.return\"(%s) : (" + e +
        ") -> ()\n  }) {dimensions = array<i64: " + dims.str() + ">} : (" +
        in.str() + ", " + e + ") -> " + out.str() +
        "\n  return %r : " + out.str() + "\n}\n";
    std::vector<uint8_t> bytes(values.size() * sizeof(T));
    std::memcpy(bytes.data(), values.data(), bytes.size());
    const auto outputs = run(text, {bytes});
    if (outputs.size() != 1)
      return {};
    std::vector<T> result(outputs[0].size() / sizeof(T));
    std::memcpy(result.data(), outputs[0].data(), outputs[0].size());
    return result;
  }
};

// Whole numbers below 2^24: sums are exact in every order.
std::vector<float> wholeNumbers(size_t n) {
  std::vector<float> v(n);
  for (size_t i = 0; i < n; ++i)
    v[i] = float(int(i * 37 % 11) - 5);
  return v;
}
} // namespace

TEST_F(SplitReductions, SumOfOneLongLine) {
  for (int64_t n : {65535, 65536, 65537, 131071, 1 << 20}) {
    const auto x = wholeNumbers(n);
    const std::string type = "tensor<" + std::to_string(n) + "xf32>";
    EXPECT_EQ(reduce<float>("add", "0.0", type, "tensor<f32>", "0", "f32", x),
              std::vector<float>{std::accumulate(x.begin(), x.end(), 0.0f)})
        << n;
  }
}

TEST_F(SplitReductions, ColumnsAndRows) {
  const int64_t n = 70001, lines = 3;
  const auto x = wholeNumbers(n * lines);
  std::vector<float> columns(lines, 0.0f), rows(lines, 0.0f);
  for (int64_t i = 0; i < n * lines; ++i) {
    columns[i % lines] += x[i];
    rows[i / n] += x[i];
  }
  EXPECT_EQ(reduce<float>("add", "0.0", "tensor<70001x3xf32>", "tensor<3xf32>",
                          "0", "f32", x),
            columns);
  EXPECT_EQ(reduce<float>("add", "0.0", "tensor<3x70001xf32>", "tensor<3xf32>",
                          "1", "f32", x),
            rows);
}

TEST_F(SplitReductions, SeveralDimensionsWithAStart) {
  const auto x = wholeNumbers(300 * 2 * 301);
  std::vector<float> want(2, 7.0f);
  for (int64_t i = 0; i < 300 * 2 * 301; ++i)
    want[i / 301 % 2] += x[i];
  EXPECT_EQ(reduce<float>("add", "7.0", "tensor<300x2x301xf32>",
                          "tensor<2xf32>", "0, 2", "f32", x),
            want);
}

TEST_F(SplitReductions, IntegersAndExtrema) {
  const int64_t n = 70001;
  std::vector<int32_t> whole(n);
  for (int64_t i = 0; i < n; ++i)
    whole[i] = int32_t(uint32_t(i) * 2654435761u);
  uint32_t sum = 0;
  for (int32_t v : whole)
    sum += uint32_t(v);
  EXPECT_EQ(reduce<int32_t>("add", "0", "tensor<70001xi32>", "tensor<i32>", "0",
                            "i32", whole),
            std::vector<int32_t>{int32_t(sum)});
  EXPECT_EQ(
      reduce<int32_t>("minimum", "2147483647", "tensor<70001xi32>",
                      "tensor<i32>", "0", "i32", whole),
      std::vector<int32_t>{*std::min_element(whole.begin(), whole.end())});
  std::vector<float> x = wholeNumbers(n);
  x[n - 1] = 9.5f;
  EXPECT_EQ(reduce<float>("maximum", "0xFF800000", "tensor<70001xf32>",
                          "tensor<f32>", "0", "f32", x),
            std::vector<float>{9.5f});
}

namespace {
std::string argmaxText(int64_t n, bool columns) {
  const std::string size = std::to_string(n),
                    in = columns ? size + "x2" : "2x" + size,
                    dim = columns ? "0" : "1";
  return "func.func @main(%x: tensor<" + in +
         "xf32>) -> tensor<2xi32> {\n"
         "  %n = \"stablehlo.iota\"() {iota_dimension = " +
         dim + " : i64} : () -> tensor<" + in +
         "xi32>\n"
         "  %m = \"stablehlo.constant\"() {value = dense<0xFF800000> : "
         "tensor<f32>} : () -> tensor<f32>\n"
         "  %z = \"stablehlo.constant\"() {value = dense<0> : tensor<i32>} : "
         "() -> tensor<i32>\n"
         "  %v, %i = \"stablehlo.reduce\"(%x, %n, %m, %z) ({\n"
         "  ^bb0(%a: tensor<f32>, %b: tensor<i32>, %c: tensor<f32>, "
         "%d: tensor<i32>):\n"
         "    %gt = \"stablehlo.compare\"(%a, %c) {comparison_direction = "
         "#stablehlo<comparison_direction GT>} : (tensor<f32>, tensor<f32>) "
         "-> tensor<i1>\n"
         "    %nan = \"stablehlo.compare\"(%a, %a) {comparison_direction = "
         "#stablehlo<comparison_direction NE>} : (tensor<f32>, tensor<f32>) "
         "-> tensor<i1>\n"
         "    %first = \"stablehlo.or\"(%gt, %nan) : (tensor<i1>, tensor<i1>) "
         "-> tensor<i1>\n"
         "    %eq = \"stablehlo.compare\"(%a, %c) {comparison_direction = "
         "#stablehlo<comparison_direction EQ>} : (tensor<f32>, tensor<f32>) "
         "-> tensor<i1>\n"
         "    %lt = \"stablehlo.compare\"(%b, %d) {comparison_direction = "
         "#stablehlo<comparison_direction LT>} : (tensor<i32>, tensor<i32>) "
         "-> tensor<i1>\n"
         "    %tie = \"stablehlo.and\"(%eq, %lt) : (tensor<i1>, tensor<i1>) -> "
         "tensor<i1>\n"
         "    %pick = \"stablehlo.or\"(%first, %tie) : (tensor<i1>, "
         "tensor<i1>) -> tensor<i1>\n"
         "    %s = \"stablehlo.select\"(%first, %a, %c) : (tensor<i1>, "
         "tensor<f32>, tensor<f32>) -> tensor<f32>\n"
         "    %t = \"stablehlo.select\"(%pick, %b, %d) : (tensor<i1>, "
         "tensor<i32>, tensor<i32>) -> tensor<i32>\n"
         "    \"stablehlo.return\"(%s, %t) : (tensor<f32>, tensor<i32>) -> ()\n"
         "  }) {dimensions = array<i64: " +
         dim + ">} : (tensor<" + in + "xf32>, tensor<" + in +
         "xi32>, tensor<f32>, tensor<i32>) -> "
         "(tensor<2xf32>, tensor<2xi32>)\n"
         "  return %i : tensor<2xi32>\n}\n";
}
} // namespace

// The first of equals, and a NaN before all: the largest stands twice, in two
// parts.
TEST_F(SplitReductions, PlaceOfTheLargest) {
  const int64_t n = 70001;
  for (bool columns : {false, true}) {
    std::vector<float> x(2 * n);
    auto at = [&](int64_t line, int64_t i) -> float & {
      return x[columns ? i * 2 + line : line * n + i];
    };
    for (int64_t i = 0; i < n; ++i)
      at(0, i) = at(1, i) = float(i % 5);
    at(0, 40000) = at(0, 69999) = 9.0f;
    at(1, 3) = 9.0f;
    at(1, 65536) = std::nanf("");
    std::vector<uint8_t> bytes(x.size() * 4);
    std::memcpy(bytes.data(), x.data(), bytes.size());
    const auto outputs = run(argmaxText(n, columns), {bytes});
    ASSERT_EQ(outputs.size(), 1u) << messages;
    int32_t places[2];
    ASSERT_EQ(outputs[0].size(), sizeof(places));
    std::memcpy(places, outputs[0].data(), sizeof(places));
    EXPECT_EQ(places[0], 40000);
    EXPECT_EQ(places[1], 65536);
  }
}
