// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Cumulative reductions of so many elements that they go in blocks.

#include "CompileAndRun.h"

using namespace loom_test;

namespace {
class Scans : public CompileAndRun {
protected:
  Scans() { loops = Loops::Keep; }

  /// Sums of i32 along a dimension of `shape`, to its beginnings or its ends.
  std::vector<int32_t> sums(const std::vector<int32_t> &in, StringRef shape,
                            StringRef window, StringRef padding) {
    const std::string type = "tensor<" + shape.str() + "xi32>";
    const std::string text =
        "func.func @main(%x: " + type + ") -> " + type +
        " {\n  %c = \"stablehlo.constant\"() <{value = dense<0> : "
        "tensor<i32>}> : () -> tensor<i32>\n"
        "  %r = \"stablehlo.reduce_window\"(%x, %c) <{window_dimensions = "
        "array<i64: " +
        window.str() +
        ">, window_strides = array<i64: 1, 1>, base_dilations = array<i64: 1, "
        "1>, window_dilations = array<i64: 1, 1>, padding = array<i64: " +
        padding.str() +
        ">}> ({\n  ^bb0(%a: tensor<i32>, %b: tensor<i32>):\n"
        "    %s = \"stablehlo.add\"(%a, %b) : (tensor<i32>, tensor<i32>) -> "
        "tensor<i32>\n"
        "    \"stablehlo.return\"(%s) : (tensor<i32>) -> ()\n  }) : (" +
        type + ", tensor<i32>) -> " + type + "\n  return %r : " + type +
        "\n}\n";
    const auto outputs = once(text, {bytes(in)});
    return outputs.size() == 1 ? as<int32_t>(outputs[0])
                               : std::vector<int32_t>();
  }
};

std::vector<int32_t> numbers(int count) {
  std::vector<int32_t> list(count);
  for (int i = 0; i < count; ++i)
    list[i] = i * 7919 % 1000 - 300;
  return list;
}
} // namespace

TEST_F(Scans, Beginnings) {
  const int lines = 3, length = 5001; // a rest at each level
  const auto in = numbers(lines * length);
  std::vector<int32_t> want = in;
  for (int i = 0; i < lines * length; ++i)
    if (i % length)
      want[i] += want[i - 1];
  EXPECT_EQ(sums(in, "3x5001", "1, 5001", "0, 0, 5000, 0"), want);
  EXPECT_LT(compiled.cycles, 10u * lines * length); // not the square
}

TEST_F(Scans, EndsOfTheOuterDimension) {
  const int lines = 5, length = 200;
  const auto in = numbers(lines * length);
  std::vector<int32_t> want = in;
  for (int i = lines * (length - 1); i-- > 0;)
    want[i] += want[i + lines];
  EXPECT_EQ(sums(in, "200x5", "200, 1", "0, 199, 0, 0"), want);
}
