// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: loom-opt %s --loom-fold-wide-integers | FileCheck %s

// The counters of jax.random: both words of 1 * i + 2^32 * 3.
// CHECK-LABEL: func.func @counters
// CHECK-NOT: ui64
// CHECK-DAG: dense<3> : tensor<4xui32>
// CHECK-DAG: dense<[0, 1, 2, 3]> : tensor<4xui32>
// CHECK-NOT: ui64
// CHECK: return
func.func @counters() -> (tensor<4xui32>, tensor<4xui32>) {
  %i = "stablehlo.iota"() <{iota_dimension = 0 : i64}> : () -> tensor<4xui64>
  %one = "stablehlo.constant"() <{value = dense<1> : tensor<4xui64>}> : () -> tensor<4xui64>
  %high = "stablehlo.constant"() <{value = dense<12884901888> : tensor<4xui64>}> : () -> tensor<4xui64>
  %word = "stablehlo.constant"() <{value = dense<32> : tensor<4xui64>}> : () -> tensor<4xui64>
  %0 = "stablehlo.multiply"(%one, %i) : (tensor<4xui64>, tensor<4xui64>) -> tensor<4xui64>
  %1 = "stablehlo.add"(%0, %high) : (tensor<4xui64>, tensor<4xui64>) -> tensor<4xui64>
  %2 = "stablehlo.shift_right_logical"(%1, %word) : (tensor<4xui64>, tensor<4xui64>) -> tensor<4xui64>
  %3 = "stablehlo.convert"(%2) : (tensor<4xui64>) -> tensor<4xui32>
  %4 = "stablehlo.convert"(%1) : (tensor<4xui64>) -> tensor<4xui32>
  return %3, %4 : tensor<4xui32>, tensor<4xui32>
}

// What an input decides stays.
// CHECK-LABEL: func.func @data
// CHECK: stablehlo.add{{.*}}tensor<2xui64>
func.func @data(%x: tensor<2xui64>) -> tensor<2xui64> {
  %one = "stablehlo.constant"() <{value = dense<1> : tensor<2xui64>}> : () -> tensor<2xui64>
  %0 = "stablehlo.add"(%x, %one) : (tensor<2xui64>, tensor<2xui64>) -> tensor<2xui64>
  return %0 : tensor<2xui64>
}
