// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: loom-opt %s --loom-widen-products --loom-drop-identities | FileCheck %s

// Operands become of a 64-bit result's type; what the NPU widens by itself stays.
// CHECK-LABEL: func.func @main
// CHECK: stablehlo.convert{{.*}} (tensor<4xi16>) -> tensor<4xf64>
// CHECK: stablehlo.convert{{.*}} (tensor<4xi16>) -> tensor<4xf64>
// CHECK: stablehlo.dot_general{{.*}} (tensor<4xf64>, tensor<4xf64>) -> tensor<f64>
// CHECK: stablehlo.dot_general{{.*}} (tensor<4xi16>, tensor<4xi16>) -> tensor<f32>
// CHECK-NOT: dynamic_update_slice
func.func @main(%a: tensor<4xi16>, %x: tensor<4xf32>, %e: tensor<0xf32>, %i: tensor<i32>) -> (tensor<f64>, tensor<f32>, tensor<4xf32>) {
  %0 = "stablehlo.dot_general"(%a, %a) <{lhs_batching_dimensions = array<i64>, rhs_batching_dimensions = array<i64>, lhs_contracting_dimensions = array<i64: 0>, rhs_contracting_dimensions = array<i64: 0>}> : (tensor<4xi16>, tensor<4xi16>) -> tensor<f64>
  %1 = "stablehlo.dot_general"(%a, %a) <{lhs_batching_dimensions = array<i64>, rhs_batching_dimensions = array<i64>, lhs_contracting_dimensions = array<i64: 0>, rhs_contracting_dimensions = array<i64: 0>}> : (tensor<4xi16>, tensor<4xi16>) -> tensor<f32>
  %2 = "stablehlo.dynamic_update_slice"(%x, %e, %i) : (tensor<4xf32>, tensor<0xf32>, tensor<i32>) -> tensor<4xf32>
  return %0, %1, %2 : tensor<f64>, tensor<f32>, tensor<4xf32>
}

// Factors and systems of bf16 are computed in f32.
// CHECK-LABEL: func.func @solve
// CHECK: stablehlo.convert{{.*}} (tensor<3x3xbf16>) -> tensor<3x3xf32>
// CHECK: stablehlo.convert{{.*}} (tensor<3x2xbf16>) -> tensor<3x2xf32>
// CHECK: stablehlo.triangular_solve{{.*}} (tensor<3x3xf32>, tensor<3x2xf32>) -> tensor<3x2xf32>
// CHECK: stablehlo.convert{{.*}} (tensor<3x2xf32>) -> tensor<3x2xbf16>
// CHECK-NEXT: return
func.func @solve(%a: tensor<3x3xbf16>, %b: tensor<3x2xbf16>) -> tensor<3x2xbf16> {
  %0 = "stablehlo.triangular_solve"(%a, %b) <{left_side = true, lower = true, unit_diagonal = false, transpose_a = "NO_TRANSPOSE"}> : (tensor<3x3xbf16>, tensor<3x2xbf16>) -> tensor<3x2xbf16>
  return %0 : tensor<3x2xbf16>
}
