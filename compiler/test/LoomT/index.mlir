// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: loom-opt %s -split-input-file --loom-convert-stablehlo-to-loomt | FileCheck %s

// An embedding by indices of the input.
// CHECK-LABEL: func.func @embed
// CHECK: "loomt.rows"({{.*}}) : (tensor<3x2xf32>, tensor<4xi32>) -> tensor<4x2xf32>
func.func @embed(%i: tensor<2x2x1xi32>) -> tensor<2x2x2xf32> {
  %t = "stablehlo.constant"() <{value = dense<[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]> : tensor<3x2xf32>}> : () -> tensor<3x2xf32>
  %0 = "stablehlo.gather"(%t, %i) <{offset_dims = array<i64: 2>, collapsed_slice_dims = array<i64: 0>, operand_batching_dims = array<i64>, start_indices_batching_dims = array<i64>, start_index_map = array<i64: 0>, index_vector_dim = 2 : i64, slice_sizes = array<i64: 1, 2>}> : (tensor<3x2xf32>, tensor<2x2x1xi32>) -> tensor<2x2x2xf32>
  return %0 : tensor<2x2x2xf32>
}

// -----

// Known places: runs of rows, beyond the last the last again.
// CHECK-LABEL: func.func @rows
// CHECK-NOT: loomt.contract
// CHECK: "loomt.view"({{.*}}) <{offset = 2 : i64, strides = array<i64: 2, 1>}> : (tensor<3x2xf32>) -> tensor<2x2xf32>
// CHECK: "loomt.view"({{.*}}) <{offset = 4 : i64, strides = array<i64: 2, 1>}> : (tensor<3x2xf32>) -> tensor<1x2xf32>
// CHECK: "loomt.copy"({{.*}}) <{offsets = array<i64: 0, 4>
func.func @rows() -> tensor<3x2xf32> {
  %t = "stablehlo.constant"() <{value = dense<[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]> : tensor<3x2xf32>}> : () -> tensor<3x2xf32>
  %i = "stablehlo.constant"() <{value = dense<[[1], [2], [9]]> : tensor<3x1xi32>}> : () -> tensor<3x1xi32>
  %0 = "stablehlo.gather"(%t, %i) <{offset_dims = array<i64: 1>, collapsed_slice_dims = array<i64: 0>, operand_batching_dims = array<i64>, start_indices_batching_dims = array<i64>, start_index_map = array<i64: 0>, index_vector_dim = 1 : i64, slice_sizes = array<i64: 1, 2>}> : (tensor<3x2xf32>, tensor<3x1xi32>) -> tensor<3x2xf32>
  return %0 : tensor<3x2xf32>
}

// -----

// A chain of updates at known places is one copy.
// CHECK-LABEL: func.func @collect
// CHECK: "loomt.copy"(%arg0, %arg1) <{fill = 0 : i32, offsets = array<i64: 0, 4>, strides = [array<i64: 4, 1>, array<i64: 4, 1>]}>
// CHECK-NOT: loomt.copy
func.func @collect(%a: tensor<1x4xf32>, %b: tensor<1x4xf32>) -> tensor<2x4xf32> {
  %z = "stablehlo.constant"() <{value = dense<0> : tensor<i32>}> : () -> tensor<i32>
  %one = "stablehlo.constant"() <{value = dense<1> : tensor<i32>}> : () -> tensor<i32>
  %c = "stablehlo.constant"() <{value = dense<0.0> : tensor<2x4xf32>}> : () -> tensor<2x4xf32>
  %0 = "stablehlo.dynamic_update_slice"(%c, %a, %z, %z) : (tensor<2x4xf32>, tensor<1x4xf32>, tensor<i32>, tensor<i32>) -> tensor<2x4xf32>
  %1 = "stablehlo.dynamic_update_slice"(%0, %b, %one, %z) : (tensor<2x4xf32>, tensor<1x4xf32>, tensor<i32>, tensor<i32>) -> tensor<2x4xf32>
  return %1 : tensor<2x4xf32>
}

// -----

// An update of what is no constant: all of it, then the update over it.
// CHECK-LABEL: func.func @update
// CHECK: %[[V:.*]] = "loomt.view"(%arg0)
// CHECK: "loomt.copy"(%arg0, %[[V]]) <{offsets = array<i64: 0, 4>, strides = [array<i64: 4, 1>, array<i64: 4, 1>]}>
func.func @update(%a: tensor<2x4xf32>) -> tensor<2x4xf32> {
  %z = "stablehlo.constant"() <{value = dense<0> : tensor<i32>}> : () -> tensor<i32>
  %one = "stablehlo.constant"() <{value = dense<1> : tensor<i32>}> : () -> tensor<i32>
  %0 = "stablehlo.slice"(%a) <{start_indices = array<i64: 0, 0>, limit_indices = array<i64: 1, 4>, strides = array<i64: 1, 1>}> : (tensor<2x4xf32>) -> tensor<1x4xf32>
  %1 = "stablehlo.dynamic_update_slice"(%a, %0, %one, %z) : (tensor<2x4xf32>, tensor<1x4xf32>, tensor<i32>, tensor<i32>) -> tensor<2x4xf32>
  return %1 : tensor<2x4xf32>
}

// -----

// Functions of the vector unit are one micro-operation; bf16 rounds behind it.
// CHECK-LABEL: func.func @functions
// CHECK: program = array<i32: 1, 0, 0, 0, 128, 0, 0, 0, 36, 1, 0, 0>
// CHECK: program = array<i32: 1, 0, 0, 0, 132, 0, 0, 0>
// CHECK: program = array<i32: 1, 0, 0, 0, 135, 0, 0, 0, 136, 0, 0, 0, 25, 1, 2, 0>
// CHECK: program = array<i32: 1, 0, 0, 0, 1, 1, 0, 0, 139, 0, 1, 0>
func.func @functions(%x: tensor<4xbf16>, %y: tensor<4xf32>) -> (tensor<4xbf16>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) {
  %0 = "stablehlo.exponential"(%x) : (tensor<4xbf16>) -> tensor<4xbf16>
  %1 = "stablehlo.tanh"(%y) : (tensor<4xf32>) -> tensor<4xf32>
  %2 = "stablehlo.tan"(%y) : (tensor<4xf32>) -> tensor<4xf32>
  %3 = "stablehlo.power"(%y, %1) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  return %0, %1, %2, %3 : tensor<4xbf16>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>
}
