// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: not loom-opt %s -loom-check-legality=require-npu 2>&1 | FileCheck %s

// Whole rows along any dimension are compiled, a part of each is refused with its reason.
// CHECK: error: 3 things in this program cannot be compiled
// CHECK: stablehlo.gather: indexing by data is compiled for whole rows only, and this takes a part of each; slice first, then index
// CHECK: stablehlo.scatter: indexed updates are compiled for whole rows only, and this writes a part of each
// CHECK: stablehlo.select_and_scatter: a gradient of pooling other than of a maximum or a minimum
func.func @main(%t: tensor<3x2xf32>, %i: tensor<4x1xi32>, %s: tensor<i32>) {
  %ok = "stablehlo.gather"(%t, %i) <{offset_dims = array<i64: 1>, collapsed_slice_dims = array<i64: 0>, operand_batching_dims = array<i64>, start_indices_batching_dims = array<i64>, start_index_map = array<i64: 0>, index_vector_dim = 1 : i64, slice_sizes = array<i64: 1, 2>}> : (tensor<3x2xf32>, tensor<4x1xi32>) -> tensor<4x2xf32>
  %n = "stablehlo.negate"(%t) : (tensor<3x2xf32>) -> tensor<3x2xf32>
  %computed = "stablehlo.gather"(%n, %i) <{offset_dims = array<i64: 1>, collapsed_slice_dims = array<i64: 0>, operand_batching_dims = array<i64>, start_indices_batching_dims = array<i64>, start_index_map = array<i64: 0>, index_vector_dim = 1 : i64, slice_sizes = array<i64: 1, 2>}> : (tensor<3x2xf32>, tensor<4x1xi32>) -> tensor<4x2xf32>
  %column = "stablehlo.gather"(%t, %i) <{offset_dims = array<i64: 1>, collapsed_slice_dims = array<i64: 1>, operand_batching_dims = array<i64>, start_indices_batching_dims = array<i64>, start_index_map = array<i64: 1>, index_vector_dim = 1 : i64, slice_sizes = array<i64: 3, 1>}> : (tensor<3x2xf32>, tensor<4x1xi32>) -> tensor<4x3xf32>
  %part = "stablehlo.gather"(%t, %i) <{offset_dims = array<i64: 1>, collapsed_slice_dims = array<i64: 0>, operand_batching_dims = array<i64>, start_indices_batching_dims = array<i64>, start_index_map = array<i64: 0>, index_vector_dim = 1 : i64, slice_sizes = array<i64: 1, 1>}> : (tensor<3x2xf32>, tensor<4x1xi32>) -> tensor<4x1xf32>
  %piece = "stablehlo.scatter"(%t, %i, %part) <{update_window_dims = array<i64: 1>, inserted_window_dims = array<i64: 0>, input_batching_dims = array<i64>, scatter_indices_batching_dims = array<i64>, scatter_dims_to_operand_dims = array<i64: 0>, index_vector_dim = 1 : i64}> ({
  ^bb0(%a: tensor<f32>, %b: tensor<f32>):
    "stablehlo.return"(%b) : (tensor<f32>) -> ()
  }) : (tensor<3x2xf32>, tensor<4x1xi32>, tensor<4x1xf32>) -> tensor<3x2xf32>
  %zero = "stablehlo.constant"() <{value = dense<0.0> : tensor<f32>}> : () -> tensor<f32>
  %last = "stablehlo.select_and_scatter"(%t, %t, %zero) <{window_dimensions = array<i64: 1, 1>, window_strides = array<i64: 1, 1>, padding = array<i64: 0, 0, 0, 0>}> ({
  ^bb0(%a: tensor<f32>, %b: tensor<f32>):
    %c = "stablehlo.constant"() <{value = dense<true> : tensor<i1>}> : () -> tensor<i1>
    "stablehlo.return"(%c) : (tensor<i1>) -> ()
  }, {
  ^bb0(%a: tensor<f32>, %b: tensor<f32>):
    %c = "stablehlo.add"(%a, %b) : (tensor<f32>, tensor<f32>) -> tensor<f32>
    "stablehlo.return"(%c) : (tensor<f32>) -> ()
  }) : (tensor<3x2xf32>, tensor<3x2xf32>, tensor<f32>) -> tensor<3x2xf32>
  %slice = "stablehlo.dynamic_slice"(%t, %s, %s) <{slice_sizes = array<i64: 1, 2>}> : (tensor<3x2xf32>, tensor<i32>, tensor<i32>) -> tensor<1x2xf32>
  return
}
