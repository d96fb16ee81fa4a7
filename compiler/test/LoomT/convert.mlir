// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: loom-opt %s --loom-convert-stablehlo-to-loomt --split-input-file | FileCheck %s

// Broadcasts, transposes and slices are views of the root; nothing is moved.
// CHECK-LABEL: func.func @main
// CHECK: %[[V:.*]] = "loomt.view"(%arg0) <{offset = 4 : i64, strides = array<i64: 1, 4>}> : (tensor<3x4xf32>) -> tensor<4x2xf32>
// CHECK: return %[[V]]
func.func @main(%a: tensor<3x4xf32>) -> tensor<4x2xf32> {
  %0 = "stablehlo.slice"(%a) <{start_indices = array<i64: 1, 0>, limit_indices = array<i64: 3, 4>, strides = array<i64: 1, 1>}> : (tensor<3x4xf32>) -> tensor<2x4xf32>
  %1 = "stablehlo.transpose"(%0) <{permutation = array<i64: 1, 0>}> : (tensor<2x4xf32>) -> tensor<4x2xf32>
  return %1 : tensor<4x2xf32>
}

// -----

// A reshape of a transpose cannot be strides: it becomes one copy.
// CHECK-LABEL: func.func @main
// CHECK: "loomt.view"
// CHECK: "loomt.copy"
func.func @main(%a: tensor<3x4xf32>) -> tensor<12xf32> {
  %0 = "stablehlo.transpose"(%a) <{permutation = array<i64: 1, 0>}> : (tensor<3x4xf32>) -> tensor<4x3xf32>
  %1 = "stablehlo.reshape"(%0) : (tensor<4x3xf32>) -> tensor<12xf32>
  return %1 : tensor<12xf32>
}

// -----

// bf16 rounds after the addition: FADD (16), FBF16 (36).
// CHECK-LABEL: func.func @main
// CHECK: "loomt.map"(%arg0, %arg1) <{imms = array<i32>, program = array<i32: 1, 0, 0, 0, 1, 1, 0, 0, 16, 0, 1, 0, 36, 2, 0, 0>}>
func.func @main(%a: tensor<8xbf16>, %b: tensor<8xbf16>) -> tensor<8xbf16> {
  %0 = "stablehlo.add"(%a, %b) : (tensor<8xbf16>, tensor<8xbf16>) -> tensor<8xbf16>
  return %0 : tensor<8xbf16>
}

// -----

// A pool is a reduction over a view with the window as trailing dimensions.
// CHECK-LABEL: func.func @main
// CHECK: "loomt.view"(%arg0) <{offset = 0 : i64, strides = array<i64: 48, 24, 6, 1, 12, 3>}> : (tensor<1x4x4x3xf32>) -> tensor<1x2x2x3x2x2xf32>
// CHECK: "loomt.reduce"{{.*}}reduced = 2 : i64, reducer = 115 : i32
func.func @main(%x: tensor<1x4x4x3xf32>) -> tensor<1x2x2x3xf32> {
  %i = "stablehlo.constant"() <{value = dense<0xFF800000> : tensor<f32>}> : () -> tensor<f32>
  %0 = "stablehlo.reduce_window"(%x, %i) <{window_dimensions = array<i64: 1, 2, 2, 1>, window_strides = array<i64: 1, 2, 2, 1>, base_dilations = array<i64: 1, 1, 1, 1>, window_dilations = array<i64: 1, 1, 1, 1>, padding = array<i64: 0, 0, 0, 0, 0, 0, 0, 0>}> ({
  ^bb0(%p: tensor<f32>, %q: tensor<f32>):
    %m = "stablehlo.maximum"(%p, %q) : (tensor<f32>, tensor<f32>) -> tensor<f32>
    "stablehlo.return"(%m) : (tensor<f32>) -> ()
  }) : (tensor<1x4x4x3xf32>, tensor<f32>) -> tensor<1x2x2x3xf32>
  return %0 : tensor<1x2x2x3xf32>
}

// -----

// Leading zeros of 32 bits are one micro-operation, CLZ (88). Of 8 bits only those of the byte count: AND (80) 255,
// CLZ, ISUB (65) 24.
// CHECK-LABEL: func.func @zeros
// CHECK-DAG: "loomt.map"(%arg0) <{imms = array<i32>, program = array<i32: 1, 0, 0, 0, 88, 0, 0, 0>}> : (tensor<8xi32>)
// CHECK-DAG: "loomt.map"(%arg1) <{imms = array<i32: 255, 24>, program = array<i32: 1, 0, 0, 0, 80, 0, -1, 0, 88, 1, 0, 0, 65, 2, -2, 0>}> : (tensor<8xi8>)
func.func @zeros(%a: tensor<8xi32>, %b: tensor<8xi8>) -> (tensor<8xi32>, tensor<8xi8>) {
  %0 = "stablehlo.count_leading_zeros"(%a) : (tensor<8xi32>) -> tensor<8xi32>
  %1 = "stablehlo.count_leading_zeros"(%b) : (tensor<8xi8>) -> tensor<8xi8>
  return %0, %1 : tensor<8xi32>, tensor<8xi8>
}
