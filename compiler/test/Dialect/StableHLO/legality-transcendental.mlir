// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: not loom-opt %s -loom-check-legality 2>&1 | FileCheck %s

// The vector unit's transcendental functions are a feature that reads 0: all of them are named at once.
// CHECK: error: 4 things in this program cannot be compiled
// CHECK-DAG: stablehlo.exponential: the vector unit has no transcendental functions in this release; compute it outside
// CHECK-DAG: stablehlo.log_plus_one: the vector unit has no transcendental functions
// CHECK-DAG: stablehlo.tanh: the vector unit has no transcendental functions
// CHECK-DAG: stablehlo.logistic: the vector unit has no transcendental functions
func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> {
  %0 = "stablehlo.exponential"(%x) : (tensor<4xf32>) -> tensor<4xf32>
  %1 = "stablehlo.log_plus_one"(%0) : (tensor<4xf32>) -> tensor<4xf32>
  %2 = "stablehlo.tanh"(%1) : (tensor<4xf32>) -> tensor<4xf32>
  %3 = "stablehlo.logistic"(%2) : (tensor<4xf32>) -> tensor<4xf32>
  %4 = "stablehlo.add"(%3, %3) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  return %4 : tensor<4xf32>
}
