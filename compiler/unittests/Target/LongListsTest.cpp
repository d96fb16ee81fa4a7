// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Rows by lists of indices that SRAM does not hold at once.

#include "CompileAndRun.h"

#include <algorithm>

using namespace loom_test;

namespace {
class LongLists : public CompileAndRun {
protected:
  /// Runs on the named targets, and on one with little SRAM.
  std::vector<uint8_t> everywhere(StringRef text,
                                  const std::vector<std::vector<uint8_t>> &in) {
    auto outputs = run(text, in);
    loom_target small;
    program::namedTarget("npu8", small);
    small.sram_bytes = 32 << 10;
    CompiledProgram made;
    EXPECT_TRUE(compile(text, small, made)) << messages;
    RunResult result = runProgram(made.file.bytes(), in);
    EXPECT_EQ(result.error, "");
    EXPECT_EQ(result.outputs, outputs);
    return outputs.size() == 1 ? outputs[0] : std::vector<uint8_t>();
  }
};

/// Some below, some beyond; many twice.
std::vector<int32_t> places(int count, int rows) {
  std::vector<int32_t> list(count);
  for (int i = 0; i < count; ++i)
    list[i] = i * 7919 % (rows + 20) - 10;
  return list;
}
} // namespace

TEST_F(LongLists, Gathers) {
  const int rows = 300, count = 70001;
  const auto table = values(rows * 2, 1);
  const auto index = places(count, rows);
  std::vector<float> want;
  for (int32_t i : index)
    for (int j = 0; j < 2; ++j)
      want.push_back(table[std::clamp(i, 0, rows - 1) * 2 + j]);
  expectBits(as<float>(everywhere(R"mlir(
func.func @main(%t: tensor<300x2xf32>, %i: tensor<70001x1xi32>) -> tensor<70001x2xf32> {
  %0 = "stablehlo.gather"(%t, %i) <{offset_dims = array<i64: 1>, collapsed_slice_dims = array<i64: 0>, operand_batching_dims = array<i64>, start_indices_batching_dims = array<i64>, start_index_map = array<i64: 0>, index_vector_dim = 1 : i64, slice_sizes = array<i64: 1, 2>}> : (tensor<300x2xf32>, tensor<70001x1xi32>) -> tensor<70001x2xf32>
  return %0 : tensor<70001x2xf32>
})mlir",
                                  {bytes(table), bytes(index)})),
             want);
}

TEST_F(LongLists, TheLastUpdateOfARowStays) {
  const int rows = 300, count = 20001;
  const auto table = values(rows * 3, 2), updates = values(count * 3, 3);
  const auto index = places(count, rows);
  std::vector<float> want = table;
  for (int i = 0; i < count; ++i)
    if (index[i] >= 0 && index[i] < rows)
      std::copy_n(&updates[i * 3], 3, &want[index[i] * 3]);
  expectBits(
      as<float>(everywhere(R"mlir(
func.func @main(%t: tensor<300x3xf32>, %i: tensor<20001x1xi32>, %u: tensor<20001x3xf32>) -> tensor<300x3xf32> {
  %0 = "stablehlo.scatter"(%t, %i, %u) <{update_window_dims = array<i64: 1>, inserted_window_dims = array<i64: 0>, input_batching_dims = array<i64>, scatter_indices_batching_dims = array<i64>, scatter_dims_to_operand_dims = array<i64: 0>, index_vector_dim = 1 : i64}> ({
  ^bb0(%a: tensor<f32>, %b: tensor<f32>):
    "stablehlo.return"(%b) : (tensor<f32>) -> ()
  }) : (tensor<300x3xf32>, tensor<20001x1xi32>, tensor<20001x3xf32>) -> tensor<300x3xf32>
  return %0 : tensor<300x3xf32>
})mlir",
                           {bytes(table), bytes(index), bytes(updates)})),
      want);
}

TEST_F(LongLists, SumsAreInOrder) {
  const int rows = 50, count = 3001, width = 20;
  const auto table = values(rows * width, 4),
             updates = values(count * width, 5);
  const auto index = places(count, rows);
  std::vector<float> want = table;
  for (int i = 0; i < count; ++i)
    for (int j = 0; j < width && index[i] >= 0 && index[i] < rows; ++j)
      want[index[i] * width + j] += updates[i * width + j];
  expectBits(
      as<float>(everywhere(R"mlir(
func.func @main(%t: tensor<50x20xf32>, %i: tensor<3001x1xi32>, %u: tensor<3001x20xf32>) -> tensor<50x20xf32> {
  %0 = "stablehlo.scatter"(%t, %i, %u) <{update_window_dims = array<i64: 1>, inserted_window_dims = array<i64: 0>, input_batching_dims = array<i64>, scatter_indices_batching_dims = array<i64>, scatter_dims_to_operand_dims = array<i64: 0>, index_vector_dim = 1 : i64}> ({
  ^bb0(%a: tensor<f32>, %b: tensor<f32>):
    %s = "stablehlo.add"(%a, %b) : (tensor<f32>, tensor<f32>) -> tensor<f32>
    "stablehlo.return"(%s) : (tensor<f32>) -> ()
  }) : (tensor<50x20xf32>, tensor<3001x1xi32>, tensor<3001x20xf32>) -> tensor<50x20xf32>
  return %0 : tensor<50x20xf32>
})mlir",
                           {bytes(table), bytes(index), bytes(updates)})),
      want);
}
