// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: not loom-opt %s -loom-check-legality=require-npu 2>&1 | FileCheck %s

// Rows of a table that is there beforehand are compiled, everything else is refused with its reason.
// CHECK: error: 3 things in this program cannot be compiled
// CHECK: stablehlo.gather: indexing by data is not compiled where the table is computed at run time; pass the table as a parameter
// CHECK: stablehlo.gather: indexing by data is compiled for whole rows of the first dimension only (an embedding)
// CHECK: stablehlo.dynamic_slice: slices at run-time offsets are not compiled; use static slices
func.func @main(%t: tensor<3x2xf32>, %i: tensor<4x1xi32>, %s: tensor<i32>) {
  %ok = "stablehlo.gather"(%t, %i) <{offset_dims = array<i64: 1>, collapsed_slice_dims = array<i64: 0>, operand_batching_dims = array<i64>, start_indices_batching_dims = array<i64>, start_index_map = array<i64: 0>, index_vector_dim = 1 : i64, slice_sizes = array<i64: 1, 2>}> : (tensor<3x2xf32>, tensor<4x1xi32>) -> tensor<4x2xf32>
  %n = "stablehlo.negate"(%t) : (tensor<3x2xf32>) -> tensor<3x2xf32>
  %computed = "stablehlo.gather"(%n, %i) <{offset_dims = array<i64: 1>, collapsed_slice_dims = array<i64: 0>, operand_batching_dims = array<i64>, start_indices_batching_dims = array<i64>, start_index_map = array<i64: 0>, index_vector_dim = 1 : i64, slice_sizes = array<i64: 1, 2>}> : (tensor<3x2xf32>, tensor<4x1xi32>) -> tensor<4x2xf32>
  %column = "stablehlo.gather"(%t, %i) <{offset_dims = array<i64: 1>, collapsed_slice_dims = array<i64: 1>, operand_batching_dims = array<i64>, start_indices_batching_dims = array<i64>, start_index_map = array<i64: 1>, index_vector_dim = 1 : i64, slice_sizes = array<i64: 3, 1>}> : (tensor<3x2xf32>, tensor<4x1xi32>) -> tensor<4x3xf32>
  %slice = "stablehlo.dynamic_slice"(%t, %s, %s) <{slice_sizes = array<i64: 1, 2>}> : (tensor<3x2xf32>, tensor<i32>, tensor<i32>) -> tensor<1x2xf32>
  return
}
