// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: loom-opt %s --loom-swap-products | FileCheck %s

// The gradient of weights: the sides change places, and all that belongs to them.
// CHECK-LABEL: func.func @main
// CHECK-SAME: %[[G:.*]]: tensor<8x4xf32>, %[[X:.*]]: tensor<8x6xbf16>
// CHECK-NEXT: %[[P:.*]] = "stablehlo.dot_general"(%[[X]], %[[G]]) <{lhs_batching_dimensions = array<i64>, lhs_contracting_dimensions = array<i64: 0>, precision_config = ["HIGHEST", "DEFAULT"], rhs_batching_dimensions = array<i64>, rhs_contracting_dimensions = array<i64: 0>}> : (tensor<8x6xbf16>, tensor<8x4xf32>) -> tensor<6x4xf32>
// CHECK-NEXT: return %[[P]]
func.func @main(%g: tensor<8x4xf32>, %x: tensor<8x6xbf16>) -> tensor<6x4xf32> {
  %0 = "stablehlo.dot_general"(%g, %x) <{lhs_batching_dimensions = array<i64>, rhs_batching_dimensions = array<i64>, lhs_contracting_dimensions = array<i64: 0>, rhs_contracting_dimensions = array<i64: 0>, precision_config = ["DEFAULT", "HIGHEST"]}> : (tensor<8x4xf32>, tensor<8x6xbf16>) -> tensor<4x6xf32>
  %1 = "stablehlo.transpose"(%0) <{permutation = array<i64: 1, 0>}> : (tensor<4x6xf32>) -> tensor<6x4xf32>
  return %1 : tensor<6x4xf32>
}

// Batches stay in front; two dimensions of a side stay together.
// CHECK-LABEL: func.func @batched
// CHECK: "stablehlo.dot_general"(%arg1, %arg0) <{lhs_batching_dimensions = array<i64: 1>, lhs_contracting_dimensions = array<i64: 0>, rhs_batching_dimensions = array<i64: 0>, rhs_contracting_dimensions = array<i64: 3>}> : (tensor<5x2x7xf32>, tensor<2x3x4x5xf32>) -> tensor<2x7x3x4xf32>
// CHECK-NEXT: return
func.func @batched(%a: tensor<2x3x4x5xf32>, %b: tensor<5x2x7xf32>) -> tensor<2x7x3x4xf32> {
  %0 = "stablehlo.dot_general"(%a, %b) <{lhs_batching_dimensions = array<i64: 0>, rhs_batching_dimensions = array<i64: 1>, lhs_contracting_dimensions = array<i64: 3>, rhs_contracting_dimensions = array<i64: 0>}> : (tensor<2x3x4x5xf32>, tensor<5x2x7xf32>) -> tensor<2x3x4x7xf32>
  %1 = "stablehlo.transpose"(%0) <{permutation = array<i64: 0, 3, 1, 2>}> : (tensor<2x3x4x7xf32>) -> tensor<2x7x3x4xf32>
  return %1 : tensor<2x7x3x4xf32>
}

// Another order, a second use, an algorithm with two types: as they are.
// CHECK-LABEL: func.func @stays
// CHECK-COUNT-3: stablehlo.transpose
func.func @stays(%a: tensor<3x4x5xf32>, %b: tensor<5x7xf32>, %c: tensor<4x5xf32>) -> (tensor<7x4x3xf32>, tensor<4x7xf32>, tensor<7x4xf32>, tensor<7x4xf32>) {
  %0 = "stablehlo.dot_general"(%a, %b) <{lhs_batching_dimensions = array<i64>, rhs_batching_dimensions = array<i64>, lhs_contracting_dimensions = array<i64: 2>, rhs_contracting_dimensions = array<i64: 0>}> : (tensor<3x4x5xf32>, tensor<5x7xf32>) -> tensor<3x4x7xf32>
  %1 = "stablehlo.transpose"(%0) <{permutation = array<i64: 2, 1, 0>}> : (tensor<3x4x7xf32>) -> tensor<7x4x3xf32>
  %2 = "stablehlo.dot_general"(%c, %b) <{lhs_batching_dimensions = array<i64>, rhs_batching_dimensions = array<i64>, lhs_contracting_dimensions = array<i64: 1>, rhs_contracting_dimensions = array<i64: 0>}> : (tensor<4x5xf32>, tensor<5x7xf32>) -> tensor<4x7xf32>
  %3 = "stablehlo.transpose"(%2) <{permutation = array<i64: 1, 0>}> : (tensor<4x7xf32>) -> tensor<7x4xf32>
  %4 = "stablehlo.dot_general"(%c, %b) <{lhs_batching_dimensions = array<i64>, rhs_batching_dimensions = array<i64>, lhs_contracting_dimensions = array<i64: 1>, rhs_contracting_dimensions = array<i64: 0>, algorithm = {lhs_precision_type = bf16, rhs_precision_type = f32}}> : (tensor<4x5xf32>, tensor<5x7xf32>) -> tensor<4x7xf32>
  %5 = "stablehlo.transpose"(%4) <{permutation = array<i64: 1, 0>}> : (tensor<4x7xf32>) -> tensor<7x4xf32>
  return %1, %2, %3, %5 : tensor<7x4x3xf32>, tensor<4x7xf32>, tensor<7x4xf32>, tensor<7x4xf32>
}
