// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: loom-opt %s --loom-convert-stablehlo-to-loomt --loom-fuse-loomt --split-input-file | FileCheck %s

// Bias and activation leave with the product.
// CHECK-LABEL: func.func @main
// CHECK: "loomt.contract"(%{{.*}}, %{{.*}}, %arg2) <{hi = 0x7F800000 : f32, lo = 0.000000e+00 : f32{{.*}}}>
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

// In bf16 as well, and the product is rounded once.
// CHECK-LABEL: func.func @main
// CHECK: "loomt.contract"(%{{[^,]*}}, %{{[^,]*}}, %{{[^,]*}}) <{operandSegmentSizes = array<i32: 1, 1, 0, 0, 1>}>
// CHECK-NOT: "loomt.map"
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

// -----

// Bytes too: of 1 and of -1.
// CHECK-LABEL: func.func @zeros
// CHECK: "loomt.constant"() <{value = dense<[7, 0]> : tensor<2xi8>}>
func.func @zeros() -> tensor<2xi8> {
  %0 = "stablehlo.constant"() <{value = dense<[1, -1]> : tensor<2xi8>}> : () -> tensor<2xi8>
  %1 = "stablehlo.count_leading_zeros"(%0) : (tensor<2xi8>) -> tensor<2xi8>
  return %1 : tensor<2xi8>
}

// -----

// A residual that exists before the product goes into its epilogue, behind the bias.
// CHECK-LABEL: func.func @residual
// CHECK: "loomt.contract"(%arg0, {{.*}}, %arg1, %{{.*}}) <{hi = 0x7F800000 : f32, lo = 0.000000e+00 : f32, operandSegmentSizes = array<i32: 1, 1, 1, 0, 1>}>
// CHECK-NOT: loomt.map
func.func @residual(%a: tensor<1x4x8xf32>, %b: tensor<3xf32>, %r: tensor<4x3xf32>) -> tensor<4x3xf32> {
  %w = "stablehlo.constant"() <{value = dense<0.5> : tensor<8x3xf32>}> : () -> tensor<8x3xf32>
  %x = "stablehlo.reshape"(%a) : (tensor<1x4x8xf32>) -> tensor<4x8xf32>
  %0 = "stablehlo.dot_general"(%x, %w) <{lhs_batching_dimensions = array<i64>, rhs_batching_dimensions = array<i64>, lhs_contracting_dimensions = array<i64: 1>, rhs_contracting_dimensions = array<i64: 0>}> : (tensor<4x8xf32>, tensor<8x3xf32>) -> tensor<4x3xf32>
  %1 = "stablehlo.broadcast_in_dim"(%b) <{broadcast_dimensions = array<i64: 1>}> : (tensor<3xf32>) -> tensor<4x3xf32>
  %2 = "stablehlo.add"(%0, %1) : (tensor<4x3xf32>, tensor<4x3xf32>) -> tensor<4x3xf32>
  %3 = "stablehlo.add"(%2, %r) : (tensor<4x3xf32>, tensor<4x3xf32>) -> tensor<4x3xf32>
  %z = "stablehlo.constant"() <{value = dense<0.0> : tensor<4x3xf32>}> : () -> tensor<4x3xf32>
  %4 = "stablehlo.maximum"(%3, %z) : (tensor<4x3xf32>, tensor<4x3xf32>) -> tensor<4x3xf32>
  return %4 : tensor<4x3xf32>
}

// -----

// bf16: scale, offset and clamp behind the product, with the one rounding of its result.
// CHECK-LABEL: func.func @narrow
// CHECK: "loomt.contract"(%arg0, {{.*}}) <{hi = 0x7F800000 : f32, lo = 0.000000e+00 : f32, operandSegmentSizes = array<i32: 1, 1, 1, 1, 0>}>
// CHECK-NOT: loomt.map
func.func @narrow(%a: tensor<1x4x8xbf16>) -> tensor<4x3xbf16> {
  %w = "stablehlo.constant"() <{value = dense<0.5> : tensor<8x3xbf16>}> : () -> tensor<8x3xbf16>
  %s = "stablehlo.constant"() <{value = dense<[1.0, 2.0, 3.0]> : tensor<3xf32>}> : () -> tensor<3xf32>
  %x = "stablehlo.reshape"(%a) : (tensor<1x4x8xbf16>) -> tensor<4x8xbf16>
  %0 = "stablehlo.dot_general"(%x, %w) <{lhs_batching_dimensions = array<i64>, rhs_batching_dimensions = array<i64>, lhs_contracting_dimensions = array<i64: 1>, rhs_contracting_dimensions = array<i64: 0>}> : (tensor<4x8xbf16>, tensor<8x3xbf16>) -> tensor<4x3xbf16>
  %1 = "stablehlo.convert"(%0) : (tensor<4x3xbf16>) -> tensor<4x3xf32>
  %2 = "stablehlo.broadcast_in_dim"(%s) <{broadcast_dimensions = array<i64: 1>}> : (tensor<3xf32>) -> tensor<4x3xf32>
  %3 = "stablehlo.multiply"(%1, %2) : (tensor<4x3xf32>, tensor<4x3xf32>) -> tensor<4x3xf32>
  %4 = "stablehlo.add"(%3, %2) : (tensor<4x3xf32>, tensor<4x3xf32>) -> tensor<4x3xf32>
  %5 = "stablehlo.convert"(%4) : (tensor<4x3xf32>) -> tensor<4x3xbf16>
  %z = "stablehlo.constant"() <{value = dense<0.0> : tensor<4x3xbf16>}> : () -> tensor<4x3xbf16>
  %6 = "stablehlo.maximum"(%5, %z) : (tensor<4x3xbf16>, tensor<4x3xbf16>) -> tensor<4x3xbf16>
  return %6 : tensor<4x3xbf16>
}
