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

// However many there are, if an element takes few operations,
// CHECK-LABEL: func.func @many_short
// CHECK-NOT: loomt.map
// CHECK: return
func.func @many_short() -> tensor<65537xi32> {
  %i = "stablehlo.iota"() <{iota_dimension = 0 : i64}> : () -> tensor<65537xi32>
  %a0 = "stablehlo.multiply"(%i, %i) : (tensor<65537xi32>, tensor<65537xi32>) -> tensor<65537xi32>
  %b0 = "stablehlo.xor"(%a0, %i) : (tensor<65537xi32>, tensor<65537xi32>) -> tensor<65537xi32>
  %a1 = "stablehlo.multiply"(%b0, %b0) : (tensor<65537xi32>, tensor<65537xi32>) -> tensor<65537xi32>
  %b1 = "stablehlo.xor"(%a1, %b0) : (tensor<65537xi32>, tensor<65537xi32>) -> tensor<65537xi32>
  return %b1 : tensor<65537xi32>
}

// -----

// however many it takes, if there are few,
// CHECK-LABEL: func.func @few_long
// CHECK-NOT: loomt.map
// CHECK: return
func.func @few_long() -> tensor<65536xi32> {
  %i = "stablehlo.iota"() <{iota_dimension = 0 : i64}> : () -> tensor<65536xi32>
  %a0 = "stablehlo.multiply"(%i, %i) : (tensor<65536xi32>, tensor<65536xi32>) -> tensor<65536xi32>
  %b0 = "stablehlo.xor"(%a0, %i) : (tensor<65536xi32>, tensor<65536xi32>) -> tensor<65536xi32>
  %a1 = "stablehlo.multiply"(%b0, %b0) : (tensor<65536xi32>, tensor<65536xi32>) -> tensor<65536xi32>
  %b1 = "stablehlo.xor"(%a1, %b0) : (tensor<65536xi32>, tensor<65536xi32>) -> tensor<65536xi32>
  %a2 = "stablehlo.multiply"(%b1, %b1) : (tensor<65536xi32>, tensor<65536xi32>) -> tensor<65536xi32>
  %b2 = "stablehlo.xor"(%a2, %b1) : (tensor<65536xi32>, tensor<65536xi32>) -> tensor<65536xi32>
  %a3 = "stablehlo.multiply"(%b2, %b2) : (tensor<65536xi32>, tensor<65536xi32>) -> tensor<65536xi32>
  %b3 = "stablehlo.xor"(%a3, %b2) : (tensor<65536xi32>, tensor<65536xi32>) -> tensor<65536xi32>
  %a4 = "stablehlo.multiply"(%b3, %b3) : (tensor<65536xi32>, tensor<65536xi32>) -> tensor<65536xi32>
  %b4 = "stablehlo.xor"(%a4, %b3) : (tensor<65536xi32>, tensor<65536xi32>) -> tensor<65536xi32>
  %a5 = "stablehlo.multiply"(%b4, %b4) : (tensor<65536xi32>, tensor<65536xi32>) -> tensor<65536xi32>
  %b5 = "stablehlo.xor"(%a5, %b4) : (tensor<65536xi32>, tensor<65536xi32>) -> tensor<65536xi32>
  %a6 = "stablehlo.multiply"(%b5, %b5) : (tensor<65536xi32>, tensor<65536xi32>) -> tensor<65536xi32>
  %b6 = "stablehlo.xor"(%a6, %b5) : (tensor<65536xi32>, tensor<65536xi32>) -> tensor<65536xi32>
  %a7 = "stablehlo.multiply"(%b6, %b6) : (tensor<65536xi32>, tensor<65536xi32>) -> tensor<65536xi32>
  %b7 = "stablehlo.xor"(%a7, %b6) : (tensor<65536xi32>, tensor<65536xi32>) -> tensor<65536xi32>
  %a8 = "stablehlo.multiply"(%b7, %b7) : (tensor<65536xi32>, tensor<65536xi32>) -> tensor<65536xi32>
  %b8 = "stablehlo.xor"(%a8, %b7) : (tensor<65536xi32>, tensor<65536xi32>) -> tensor<65536xi32>
  %a9 = "stablehlo.multiply"(%b8, %b8) : (tensor<65536xi32>, tensor<65536xi32>) -> tensor<65536xi32>
  %b9 = "stablehlo.xor"(%a9, %b8) : (tensor<65536xi32>, tensor<65536xi32>) -> tensor<65536xi32>
  %a10 = "stablehlo.multiply"(%b9, %b9) : (tensor<65536xi32>, tensor<65536xi32>) -> tensor<65536xi32>
  %b10 = "stablehlo.xor"(%a10, %b9) : (tensor<65536xi32>, tensor<65536xi32>) -> tensor<65536xi32>
  %a11 = "stablehlo.multiply"(%b10, %b10) : (tensor<65536xi32>, tensor<65536xi32>) -> tensor<65536xi32>
  %b11 = "stablehlo.xor"(%a11, %b10) : (tensor<65536xi32>, tensor<65536xi32>) -> tensor<65536xi32>
  %a12 = "stablehlo.multiply"(%b11, %b11) : (tensor<65536xi32>, tensor<65536xi32>) -> tensor<65536xi32>
  %b12 = "stablehlo.xor"(%a12, %b11) : (tensor<65536xi32>, tensor<65536xi32>) -> tensor<65536xi32>
  %a13 = "stablehlo.multiply"(%b12, %b12) : (tensor<65536xi32>, tensor<65536xi32>) -> tensor<65536xi32>
  %b13 = "stablehlo.xor"(%a13, %b12) : (tensor<65536xi32>, tensor<65536xi32>) -> tensor<65536xi32>
  %a14 = "stablehlo.multiply"(%b13, %b13) : (tensor<65536xi32>, tensor<65536xi32>) -> tensor<65536xi32>
  %b14 = "stablehlo.xor"(%a14, %b13) : (tensor<65536xi32>, tensor<65536xi32>) -> tensor<65536xi32>
  %a15 = "stablehlo.multiply"(%b14, %b14) : (tensor<65536xi32>, tensor<65536xi32>) -> tensor<65536xi32>
  %b15 = "stablehlo.xor"(%a15, %b14) : (tensor<65536xi32>, tensor<65536xi32>) -> tensor<65536xi32>
  %a16 = "stablehlo.multiply"(%b15, %b15) : (tensor<65536xi32>, tensor<65536xi32>) -> tensor<65536xi32>
  %b16 = "stablehlo.xor"(%a16, %b15) : (tensor<65536xi32>, tensor<65536xi32>) -> tensor<65536xi32>
  return %b16 : tensor<65536xi32>
}

// -----

// but not much of many: that runs, from the first operation on.
// CHECK-LABEL: func.func @many_long
// CHECK: %[[I:.*]] = "loomt.constant"() <{value = dense_resource<folded{{.*}}> : tensor<65537xi32>}>
// CHECK-NEXT: "loomt.map"(%[[I]])
func.func @many_long() -> tensor<65537xi32> {
  %i = "stablehlo.iota"() <{iota_dimension = 0 : i64}> : () -> tensor<65537xi32>
  %a0 = "stablehlo.multiply"(%i, %i) : (tensor<65537xi32>, tensor<65537xi32>) -> tensor<65537xi32>
  %b0 = "stablehlo.xor"(%a0, %i) : (tensor<65537xi32>, tensor<65537xi32>) -> tensor<65537xi32>
  %a1 = "stablehlo.multiply"(%b0, %b0) : (tensor<65537xi32>, tensor<65537xi32>) -> tensor<65537xi32>
  %b1 = "stablehlo.xor"(%a1, %b0) : (tensor<65537xi32>, tensor<65537xi32>) -> tensor<65537xi32>
  %a2 = "stablehlo.multiply"(%b1, %b1) : (tensor<65537xi32>, tensor<65537xi32>) -> tensor<65537xi32>
  %b2 = "stablehlo.xor"(%a2, %b1) : (tensor<65537xi32>, tensor<65537xi32>) -> tensor<65537xi32>
  %a3 = "stablehlo.multiply"(%b2, %b2) : (tensor<65537xi32>, tensor<65537xi32>) -> tensor<65537xi32>
  %b3 = "stablehlo.xor"(%a3, %b2) : (tensor<65537xi32>, tensor<65537xi32>) -> tensor<65537xi32>
  %a4 = "stablehlo.multiply"(%b3, %b3) : (tensor<65537xi32>, tensor<65537xi32>) -> tensor<65537xi32>
  %b4 = "stablehlo.xor"(%a4, %b3) : (tensor<65537xi32>, tensor<65537xi32>) -> tensor<65537xi32>
  %a5 = "stablehlo.multiply"(%b4, %b4) : (tensor<65537xi32>, tensor<65537xi32>) -> tensor<65537xi32>
  %b5 = "stablehlo.xor"(%a5, %b4) : (tensor<65537xi32>, tensor<65537xi32>) -> tensor<65537xi32>
  %a6 = "stablehlo.multiply"(%b5, %b5) : (tensor<65537xi32>, tensor<65537xi32>) -> tensor<65537xi32>
  %b6 = "stablehlo.xor"(%a6, %b5) : (tensor<65537xi32>, tensor<65537xi32>) -> tensor<65537xi32>
  %a7 = "stablehlo.multiply"(%b6, %b6) : (tensor<65537xi32>, tensor<65537xi32>) -> tensor<65537xi32>
  %b7 = "stablehlo.xor"(%a7, %b6) : (tensor<65537xi32>, tensor<65537xi32>) -> tensor<65537xi32>
  %a8 = "stablehlo.multiply"(%b7, %b7) : (tensor<65537xi32>, tensor<65537xi32>) -> tensor<65537xi32>
  %b8 = "stablehlo.xor"(%a8, %b7) : (tensor<65537xi32>, tensor<65537xi32>) -> tensor<65537xi32>
  %a9 = "stablehlo.multiply"(%b8, %b8) : (tensor<65537xi32>, tensor<65537xi32>) -> tensor<65537xi32>
  %b9 = "stablehlo.xor"(%a9, %b8) : (tensor<65537xi32>, tensor<65537xi32>) -> tensor<65537xi32>
  %a10 = "stablehlo.multiply"(%b9, %b9) : (tensor<65537xi32>, tensor<65537xi32>) -> tensor<65537xi32>
  %b10 = "stablehlo.xor"(%a10, %b9) : (tensor<65537xi32>, tensor<65537xi32>) -> tensor<65537xi32>
  %a11 = "stablehlo.multiply"(%b10, %b10) : (tensor<65537xi32>, tensor<65537xi32>) -> tensor<65537xi32>
  %b11 = "stablehlo.xor"(%a11, %b10) : (tensor<65537xi32>, tensor<65537xi32>) -> tensor<65537xi32>
  %a12 = "stablehlo.multiply"(%b11, %b11) : (tensor<65537xi32>, tensor<65537xi32>) -> tensor<65537xi32>
  %b12 = "stablehlo.xor"(%a12, %b11) : (tensor<65537xi32>, tensor<65537xi32>) -> tensor<65537xi32>
  %a13 = "stablehlo.multiply"(%b12, %b12) : (tensor<65537xi32>, tensor<65537xi32>) -> tensor<65537xi32>
  %b13 = "stablehlo.xor"(%a13, %b12) : (tensor<65537xi32>, tensor<65537xi32>) -> tensor<65537xi32>
  %a14 = "stablehlo.multiply"(%b13, %b13) : (tensor<65537xi32>, tensor<65537xi32>) -> tensor<65537xi32>
  %b14 = "stablehlo.xor"(%a14, %b13) : (tensor<65537xi32>, tensor<65537xi32>) -> tensor<65537xi32>
  %a15 = "stablehlo.multiply"(%b14, %b14) : (tensor<65537xi32>, tensor<65537xi32>) -> tensor<65537xi32>
  %b15 = "stablehlo.xor"(%a15, %b14) : (tensor<65537xi32>, tensor<65537xi32>) -> tensor<65537xi32>
  %a16 = "stablehlo.multiply"(%b15, %b15) : (tensor<65537xi32>, tensor<65537xi32>) -> tensor<65537xi32>
  %b16 = "stablehlo.xor"(%a16, %b15) : (tensor<65537xi32>, tensor<65537xi32>) -> tensor<65537xi32>
  return %b16 : tensor<65537xi32>
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
