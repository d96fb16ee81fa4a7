// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: not loom-opt %s --loom-convert-stablehlo-to-loomt 2>&1 | FileCheck %s

// All of them, not the first only; what depends on them is not reported.
// CHECK: 'stablehlo.custom_call' cannot run on the NPU: the target 'foo' is not known
// CHECK: 'stablehlo.rng' cannot run on the NPU
// CHECK-NOT: stablehlo.negate
// CHECK: 'stablehlo.dot_general' cannot run on the NPU: a product of floats does not leave as an integer; convert the result
func.func @main(%x: tensor<4xf32>, %y: tensor<4xbf16>) -> (tensor<4xf32>, tensor<4xf32>, tensor<i32>) {
  %0 = "stablehlo.custom_call"(%x) <{call_target_name = "foo"}> : (tensor<4xf32>) -> tensor<4xf32>
  %s = "stablehlo.constant"() <{value = dense<4> : tensor<1xi64>}> : () -> tensor<1xi64>
  %z = "stablehlo.constant"() <{value = dense<0.0> : tensor<f32>}> : () -> tensor<f32>
  %1 = "stablehlo.rng"(%z, %z, %s) <{rng_distribution = "UNIFORM"}> : (tensor<f32>, tensor<f32>, tensor<1xi64>) -> tensor<4xf32>
  %2 = "stablehlo.negate"(%0) : (tensor<4xf32>) -> tensor<4xf32>
  %3 = "stablehlo.dot_general"(%x, %y) <{lhs_batching_dimensions = array<i64>, rhs_batching_dimensions = array<i64>, lhs_contracting_dimensions = array<i64: 0>, rhs_contracting_dimensions = array<i64: 0>}> : (tensor<4xf32>, tensor<4xbf16>) -> tensor<i32>
  return %2, %1, %3 : tensor<4xf32>, tensor<4xf32>, tensor<i32>
}
