// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: loom-opt %s -canonicalize | FileCheck %s

// CHECK-LABEL: @convert
func.func @convert() -> (tensor<3xbf16>, tensor<2xi32>, tensor<3xi1>, tensor<2xf32>) {
  // CHECK-DAG: dense<[1.000000e+00, 2.500000e+00, -3.000000e+00]> : tensor<3xbf16>
  %0 = "stablehlo.constant"() <{value = dense<[1.0, 2.5, -3.0]> : tensor<3xf32>}> : () -> tensor<3xf32>
  %1 = "stablehlo.convert"(%0) : (tensor<3xf32>) -> tensor<3xbf16>
  // CHECK-DAG: dense<[-1, 7]> : tensor<2xi32>
  %2 = "stablehlo.constant"() <{value = dense<[-1, 7]> : tensor<2xi8>}> : () -> tensor<2xi8>
  %3 = "stablehlo.convert"(%2) : (tensor<2xi8>) -> tensor<2xi32>
  // CHECK-DAG: dense<[true, false, true]> : tensor<3xi1>
  %4 = "stablehlo.constant"() <{value = dense<[5, 0, -1]> : tensor<3xi32>}> : () -> tensor<3xi32>
  %5 = "stablehlo.convert"(%4) : (tensor<3xi32>) -> tensor<3xi1>
  // CHECK-DAG: dense<[2.550000e+02, 1.000000e+00]> : tensor<2xf32>
  %6 = "stablehlo.constant"() <{value = dense<[255, 1]> : tensor<2xui8>}> : () -> tensor<2xui8>
  %7 = "stablehlo.convert"(%6) : (tensor<2xui8>) -> tensor<2xf32>
  // CHECK-NOT: stablehlo.convert
  // CHECK: return
  return %1, %3, %5, %7 : tensor<3xbf16>, tensor<2xi32>, tensor<3xi1>, tensor<2xf32>
}

// What NaN or 1e30 becomes as an integer is the engine's affair.
// CHECK-LABEL: @convert_left_alone
func.func @convert_left_alone() -> (tensor<1xi32>, tensor<1xi32>) {
  %0 = "stablehlo.constant"() <{value = dense<0x7FC00000> : tensor<1xf32>}> : () -> tensor<1xf32>
  %1 = "stablehlo.constant"() <{value = dense<1.0e30> : tensor<1xf32>}> : () -> tensor<1xf32>
  // CHECK-COUNT-2: stablehlo.convert
  %2 = "stablehlo.convert"(%0) : (tensor<1xf32>) -> tensor<1xi32>
  %3 = "stablehlo.convert"(%1) : (tensor<1xf32>) -> tensor<1xi32>
  return %2, %3 : tensor<1xi32>, tensor<1xi32>
}

// CHECK-LABEL: @shapes
func.func @shapes() -> (tensor<3x2xi32>, tensor<6xi32>, tensor<2x2x3xi32>, tensor<1x2xi32>, tensor<3x3xi32>, tensor<4x4xi32>, tensor<2x2xf32>) {
  %0 = "stablehlo.constant"() <{value = dense<[[1, 2, 3], [4, 5, 6]]> : tensor<2x3xi32>}> : () -> tensor<2x3xi32>
  %9 = "stablehlo.constant"() <{value = dense<9> : tensor<i32>}> : () -> tensor<i32>
  // CHECK-DAG: dense<{{\[}}[1, 4], [2, 5], [3, 6]]> : tensor<3x2xi32>
  %1 = "stablehlo.transpose"(%0) <{permutation = array<i64: 1, 0>}> : (tensor<2x3xi32>) -> tensor<3x2xi32>
  // CHECK-DAG: dense<[1, 2, 3, 4, 5, 6]> : tensor<6xi32>
  %2 = "stablehlo.reshape"(%0) : (tensor<2x3xi32>) -> tensor<6xi32>
  // A broadcast of more than one value stays a broadcast.
  // CHECK-DAG: stablehlo.broadcast_in_dim{{.*}} -> tensor<2x2x3xi32>
  %3 = "stablehlo.broadcast_in_dim"(%0) <{broadcast_dimensions = array<i64: 1, 2>}> : (tensor<2x3xi32>) -> tensor<2x2x3xi32>
  // CHECK-DAG: dense<{{\[}}[4, 6]]> : tensor<1x2xi32>
  %4 = "stablehlo.slice"(%0) <{start_indices = array<i64: 1, 0>, limit_indices = array<i64: 2, 3>, strides = array<i64: 1, 2>}> : (tensor<2x3xi32>) -> tensor<1x2xi32>
  // CHECK-DAG: dense<{{\[}}[1, 2, 3], [4, 5, 6], [4, 6, 4]]> : tensor<3x3xi32>
  %6 = "stablehlo.slice"(%0) <{start_indices = array<i64: 1, 0>, limit_indices = array<i64: 2, 1>, strides = array<i64: 1, 1>}> : (tensor<2x3xi32>) -> tensor<1x1xi32>
  %5 = "stablehlo.concatenate"(%4, %6) <{dimension = 1 : i64}> : (tensor<1x2xi32>, tensor<1x1xi32>) -> tensor<1x3xi32>
  %7 = "stablehlo.concatenate"(%0, %5) <{dimension = 0 : i64}> : (tensor<2x3xi32>, tensor<1x3xi32>) -> tensor<3x3xi32>
  // CHECK-DAG: dense<{{\[}}[1, 2, 3, 9], [9, 9, 9, 9], [4, 5, 6, 9], [9, 9, 9, 9]]> : tensor<4x4xi32>
  %8 = "stablehlo.pad"(%0, %9) <{edge_padding_low = array<i64: 0, 0>, edge_padding_high = array<i64: 1, 1>, interior_padding = array<i64: 1, 0>}> : (tensor<2x3xi32>, tensor<i32>) -> tensor<4x4xi32>
  // CHECK-DAG: dense<1.000000e+00> : tensor<2x2xf32>
  %10 = "stablehlo.constant"() <{value = dense<1.0> : tensor<f32>}> : () -> tensor<f32>
  %11 = "stablehlo.broadcast_in_dim"(%10) <{broadcast_dimensions = array<i64>}> : (tensor<f32>) -> tensor<2x2xf32>
  return %1, %2, %3, %4, %7, %8, %11 : tensor<3x2xi32>, tensor<6xi32>, tensor<2x2x3xi32>, tensor<1x2xi32>, tensor<3x3xi32>, tensor<4x4xi32>, tensor<2x2xf32>
}

// Bits that come back are what they were; others are cast.
// CHECK-LABEL: @bits
// CHECK-NEXT: %[[C:.*]] = "stablehlo.bitcast_convert"(%arg1) : (tensor<2xf32>) -> tensor<2xi32>
// CHECK-NEXT: return %arg0, %arg1, %[[C]]
func.func @bits(%a: tensor<2x2xui32>, %b: tensor<2xf32>) -> (tensor<2x2xui32>, tensor<2xf32>, tensor<2xi32>) {
  %0 = "stablehlo.bitcast_convert"(%a) : (tensor<2x2xui32>) -> tensor<2xui64>
  %1 = "stablehlo.bitcast_convert"(%0) : (tensor<2xui64>) -> tensor<2x2xui32>
  %2 = "stablehlo.bitcast_convert"(%b) : (tensor<2xf32>) -> tensor<2xf32>
  %3 = "stablehlo.bitcast_convert"(%b) : (tensor<2xf32>) -> tensor<2xui32>
  %4 = "stablehlo.bitcast_convert"(%b) : (tensor<2xf32>) -> tensor<2xi32>
  return %1, %2, %4 : tensor<2x2xui32>, tensor<2xf32>, tensor<2xi32>
}
