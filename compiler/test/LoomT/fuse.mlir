// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: loom-opt %s --loom-convert-stablehlo-to-loomt --loom-fuse-loomt --split-input-file | FileCheck %s

// Bias and activation leave with the product.
// CHECK-LABEL: func.func @main
// CHECK: "loomt.contract"(%{{.*}}, %{{.*}}, %arg2) <{hi = 0x7F800000 : f32, lo = 0.000000e+00 : f32}>
// CHECK-NOT: loomt.map
func.func @main(%a: tensor<4x8xf32>, %b: tensor<8x6xf32>, %c: tensor<6xf32>) -> tensor<4x6xf32> {
  %0 = "stablehlo.dot_general"(%a, %b) <{lhs_batching_dimensions = array<i64>, rhs_batching_dimensions = array<i64>, lhs_contracting_dimensions = array<i64: 1>, rhs_contracting_dimensions = array<i64: 0>}> : (tensor<4x8xf32>, tensor<8x6xf32>) -> tensor<4x6xf32>
  %1 = "stablehlo.broadcast_in_dim"(%c) <{broadcast_dimensions = array<i64: 1>}> : (tensor<6xf32>) -> tensor<4x6xf32>
  %2 = "stablehlo.add"(%0, %1) : (tensor<4x6xf32>, tensor<4x6xf32>) -> tensor<4x6xf32>
  %z = "stablehlo.constant"() <{value = dense<0.0> : tensor<4x6xf32>}> : () -> tensor<4x6xf32>
  %3 = "stablehlo.maximum"(%2, %z) : (tensor<4x6xf32>, tensor<4x6xf32>) -> tensor<4x6xf32>
  return %3 : tensor<4x6xf32>
}

// -----

// In bf16 the product rounds before the bias: that stays a program of its own.
// CHECK-LABEL: func.func @main
// CHECK: "loomt.contract"(%{{[^,]*}}, %{{[^,]*}}) :
// CHECK: "loomt.map"
func.func @main(%a: tensor<4x8xbf16>, %b: tensor<8x6xbf16>, %c: tensor<6xbf16>) -> tensor<4x6xbf16> {
  %0 = "stablehlo.dot_general"(%a, %b) <{lhs_batching_dimensions = array<i64>, rhs_batching_dimensions = array<i64>, lhs_contracting_dimensions = array<i64: 1>, rhs_contracting_dimensions = array<i64: 0>}> : (tensor<4x8xbf16>, tensor<8x6xbf16>) -> tensor<4x6xbf16>
  %1 = "stablehlo.broadcast_in_dim"(%c) <{broadcast_dimensions = array<i64: 1>}> : (tensor<6xbf16>) -> tensor<4x6xbf16>
  %2 = "stablehlo.add"(%0, %1) : (tensor<4x6xbf16>, tensor<4x6xbf16>) -> tensor<4x6xbf16>
  return %2 : tensor<4x6xbf16>
}

// -----

// Constants fold in the machine's arithmetic: 1 / sqrt(4 + 0) = 0.5.
// CHECK-LABEL: func.func @main
// CHECK: "loomt.constant"() <{value = dense<5.000000e-01> : tensor<2xf32>}>
func.func @main() -> tensor<2xf32> {
  %0 = "stablehlo.constant"() <{value = dense<4.0> : tensor<2xf32>}> : () -> tensor<2xf32>
  %1 = "stablehlo.rsqrt"(%0) : (tensor<2xf32>) -> tensor<2xf32>
  return %1 : tensor<2xf32>
}
