// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: loom-opt %s -loom-check-legality | FileCheck %s --check-prefix=HAS
// RUN: not loom-opt %s -loom-check-legality="features=0 require-npu" 2>&1 | FileCheck %s

// The vector unit's transcendental functions are a feature: without it, all of them are named at once.
// HAS: stablehlo.exponential
// CHECK: error: 4 things in this program cannot be compiled
// CHECK-DAG: stablehlo.exponential: the target's vector unit has no transcendental functions (feature TRANS); choose a target
// CHECK-DAG: stablehlo.log_plus_one: the target's vector unit has no transcendental functions
// CHECK-DAG: stablehlo.tanh: the target's vector unit has no transcendental functions
// CHECK-DAG: stablehlo.logistic: the target's vector unit has no transcendental functions
func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> {
  %0 = "stablehlo.exponential"(%x) : (tensor<4xf32>) -> tensor<4xf32>
  %1 = "stablehlo.log_plus_one"(%0) : (tensor<4xf32>) -> tensor<4xf32>
  %2 = "stablehlo.tanh"(%1) : (tensor<4xf32>) -> tensor<4xf32>
  %3 = "stablehlo.logistic"(%2) : (tensor<4xf32>) -> tensor<4xf32>
  %4 = "stablehlo.add"(%3, %3) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  return %4 : tensor<4xf32>
}
