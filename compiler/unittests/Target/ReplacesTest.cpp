// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Results that take the place of arguments (`loom.replaces`): they lie in one
// slot, and nobody reads there what is not there any more.

#include "CompileAndRun.h"

using namespace mlir;
using namespace mlir::loom;
using namespace loom_test;

namespace {
class Replaces : public CompileAndRun {
protected:
  /// main(a, b) with `results`, each after "tensor<64xf32>"; every target.
  std::vector<std::vector<float>> pair(const std::string &results,
                                       const std::string &body) {
    const std::string text =
        "func.func @main(%a: tensor<64xf32>, %b: tensor<64xf32>) -> " +
        results + " {\n" + body + "\n}";
    std::vector<std::vector<float>> floats;
    for (const std::vector<uint8_t> &raw : run(text, {bytes(a), bytes(b)}))
      floats.push_back(as<float>(raw));
    EXPECT_FALSE(once(text, {bytes(a), bytes(b)}).empty());
    file = compiled.file.bytes();
    return floats;
  }

  /// Slots of the arguments, then of the results, as compiled for npu16.
  std::vector<uint32_t> slots() {
    const auto &s = reinterpret_cast<const loom_prog_header *>(file.data())
                        ->sections[LOOM_SEC_TENSORS];
    std::vector<uint32_t> found;
    for (uint32_t i = 0; i < s.count; ++i)
      found.push_back(
          reinterpret_cast<const loom_prog_tensor *>(file.data() + s.offset)[i]
              .slot);
    return found;
  }

  std::vector<float> sum(const std::vector<float> &x,
                         const std::vector<float> &y) {
    std::vector<float> out;
    for (size_t i = 0; i < x.size(); ++i)
      out.push_back(x[i] + y[i]);
    return out;
  }

  const std::vector<float> a = values(64, 1), b = values(64, 2);
  std::vector<uint8_t> file;
};
} // namespace

TEST_F(Replaces, OneSlot) {
  auto out = pair("(tensor<64xf32> {loom.replaces = 0 : i64})", R"mlir(
  %0 = "stablehlo.add"(%a, %b) : (tensor<64xf32>, tensor<64xf32>) -> tensor<64xf32>
  return %0 : tensor<64xf32>)mlir");
  ASSERT_EQ(out.size(), 1u);
  expectBits(out[0], sum(a, b));
  ASSERT_EQ(slots().size(), 3u);
  EXPECT_EQ(slots()[2], slots()[0]);
  EXPECT_NE(slots()[1], slots()[0]);
}

TEST_F(Replaces, NotAskedForIsApart) {
  auto out = pair("(tensor<64xf32>)", R"mlir(
  %0 = "stablehlo.add"(%a, %b) : (tensor<64xf32>, tensor<64xf32>) -> tensor<64xf32>
  return %0 : tensor<64xf32>)mlir");
  ASSERT_EQ(out.size(), 1u);
  EXPECT_NE(slots()[2], slots()[0]);
  EXPECT_NE(slots()[2], slots()[1]);
}

/// What is written first would be read too late.
TEST_F(Replaces, ReadAfterItsSuccessorIsComputed) {
  auto out = pair("(tensor<64xf32> {loom.replaces = 0 : i64}, tensor<64xf32>)",
                  R"mlir(
  %0 = "stablehlo.add"(%a, %b) : (tensor<64xf32>, tensor<64xf32>) -> tensor<64xf32>
  %1 = "stablehlo.reverse"(%a) <{dimensions = array<i64: 0>}> : (tensor<64xf32>) -> tensor<64xf32>
  %2 = "stablehlo.add"(%1, %0) : (tensor<64xf32>, tensor<64xf32>) -> tensor<64xf32>
  return %0, %2 : tensor<64xf32>, tensor<64xf32>)mlir");
  ASSERT_EQ(out.size(), 2u);
  expectBits(out[0], sum(a, b));
  expectBits(out[1], sum({a.rbegin(), a.rend()}, sum(a, b)));
  EXPECT_EQ(slots()[2], slots()[0]);
}

/// An operation that reads its operand in another order than it writes.
TEST_F(Replaces, ItselfInAnotherOrder) {
  auto out = pair("(tensor<64xf32> {loom.replaces = 0 : i64})", R"mlir(
  %0 = "stablehlo.reverse"(%a) <{dimensions = array<i64: 0>}> : (tensor<64xf32>) -> tensor<64xf32>
  return %0 : tensor<64xf32>)mlir");
  ASSERT_EQ(out.size(), 1u);
  expectBits(out[0], {a.rbegin(), a.rend()});
  EXPECT_EQ(slots()[2], slots()[0]);
}

/// Each in the place of what the other is made of.
TEST_F(Replaces, Exchanged) {
  auto out = pair("(tensor<64xf32> {loom.replaces = 1 : i64}, tensor<64xf32> "
                  "{loom.replaces = 0 : i64})",
                  R"mlir(
  %0 = "stablehlo.negate"(%a) : (tensor<64xf32>) -> tensor<64xf32>
  %1 = "stablehlo.negate"(%b) : (tensor<64xf32>) -> tensor<64xf32>
  return %0, %1 : tensor<64xf32>, tensor<64xf32>)mlir");
  ASSERT_EQ(out.size(), 2u);
  for (size_t i = 0; i < a.size(); ++i) {
    EXPECT_EQ(out[0][i], -a[i]);
    EXPECT_EQ(out[1][i], -b[i]);
  }
  EXPECT_EQ(slots()[2], slots()[1]);
  EXPECT_EQ(slots()[3], slots()[0]);
}

/// One value in two places is copied to the second.
TEST_F(Replaces, TwoPlacesForOneValue) {
  auto out = pair("(tensor<64xf32> {loom.replaces = 0 : i64}, tensor<64xf32> "
                  "{loom.replaces = 1 : i64})",
                  R"mlir(
  %0 = "stablehlo.add"(%a, %b) : (tensor<64xf32>, tensor<64xf32>) -> tensor<64xf32>
  return %0, %0 : tensor<64xf32>, tensor<64xf32>)mlir");
  ASSERT_EQ(out.size(), 2u);
  expectBits(out[0], sum(a, b));
  expectBits(out[1], sum(a, b));
  EXPECT_EQ(slots()[2], slots()[0]);
  EXPECT_EQ(slots()[3], slots()[1]);
}

/// An argument where another one was.
TEST_F(Replaces, ByAnArgument) {
  auto out = pair("(tensor<64xf32> {loom.replaces = 0 : i64}, tensor<64xf32>)",
                  R"mlir(
  %0 = "stablehlo.add"(%a, %b) : (tensor<64xf32>, tensor<64xf32>) -> tensor<64xf32>
  return %b, %0 : tensor<64xf32>, tensor<64xf32>)mlir");
  ASSERT_EQ(out.size(), 2u);
  expectBits(out[0], b);
  expectBits(out[1], sum(a, b));
  EXPECT_EQ(slots()[2], slots()[0]);
}
