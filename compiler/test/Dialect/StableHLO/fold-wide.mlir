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

// Many are not written out: 100000 * i + j + 2^32 * 3 - 7 + 8 counts in 32 bits,
// and no element carries into the high word.
// CHECK-LABEL: func.func @many
// CHECK-NOT: ui64
// CHECK-DAG: %[[I:.*]] = "stablehlo.iota"() <{iota_dimension = 0 : i64}> : () -> tensor<2x100000xui32>
// CHECK-DAG: %[[J:.*]] = "stablehlo.iota"() <{iota_dimension = 1 : i64}> : () -> tensor<2x100000xui32>
// CHECK-DAG: %[[N:.*]] = "stablehlo.constant"() <{value = dense<100000> : tensor<2x100000xui32>}>
// CHECK-DAG: %[[ONE:.*]] = "stablehlo.constant"() <{value = dense<1> : tensor<2x100000xui32>}>
// CHECK-DAG: %[[HIGH:.*]] = "stablehlo.constant"() <{value = dense<3> : tensor<2x100000xui32>}>
// CHECK-DAG: %[[ROW:.*]] = "stablehlo.multiply"(%[[I]], %[[N]])
// CHECK-DAG: %[[AT:.*]] = "stablehlo.add"(%[[ROW]], %[[J]])
// CHECK-DAG: %[[LOW:.*]] = "stablehlo.add"(%[[AT]], %[[ONE]])
// CHECK-NOT: ui64
// CHECK: return %[[HIGH]], %[[LOW]]
func.func @many() -> (tensor<2x100000xui32>, tensor<2x100000xui32>) {
  %i = "stablehlo.iota"() <{iota_dimension = 0 : i64}> : () -> tensor<2x100000xui64>
  %j = "stablehlo.iota"() <{iota_dimension = 1 : i64}> : () -> tensor<2x100000xui64>
  %n = "stablehlo.constant"() <{value = dense<100000> : tensor<ui64>}> : () -> tensor<ui64>
  %rows = "stablehlo.broadcast_in_dim"(%n) <{broadcast_dimensions = array<i64>}> : (tensor<ui64>) -> tensor<2x100000xui64>
  %high = "stablehlo.constant"() <{value = dense<12884901896> : tensor<2x100000xui64>}> : () -> tensor<2x100000xui64>
  %less = "stablehlo.constant"() <{value = dense<7> : tensor<2x100000xui64>}> : () -> tensor<2x100000xui64>
  %word = "stablehlo.constant"() <{value = dense<32> : tensor<2x100000xui64>}> : () -> tensor<2x100000xui64>
  %0 = "stablehlo.multiply"(%rows, %i) : (tensor<2x100000xui64>, tensor<2x100000xui64>) -> tensor<2x100000xui64>
  %1 = "stablehlo.add"(%0, %j) : (tensor<2x100000xui64>, tensor<2x100000xui64>) -> tensor<2x100000xui64>
  %2 = "stablehlo.subtract"(%high, %less) : (tensor<2x100000xui64>, tensor<2x100000xui64>) -> tensor<2x100000xui64>
  %3 = "stablehlo.add"(%1, %2) : (tensor<2x100000xui64>, tensor<2x100000xui64>) -> tensor<2x100000xui64>
  %4 = "stablehlo.shift_right_logical"(%3, %word) : (tensor<2x100000xui64>, tensor<2x100000xui64>) -> tensor<2x100000xui64>
  %5 = "stablehlo.convert"(%4) : (tensor<2x100000xui64>) -> tensor<2x100000xui32>
  %6 = "stablehlo.convert"(%3) : (tensor<2x100000xui64>) -> tensor<2x100000xui32>
  return %5, %6 : tensor<2x100000xui32>, tensor<2x100000xui32>
}

// Where some elements carry the high word is written out: 2^32 - 99999 + i.
// CHECK-LABEL: func.func @carry
// CHECK: %[[HIGH:.*]] = "stablehlo.constant"() <{value = dense_resource<{{.*}}> : tensor<100000xui32>}>
// CHECK: return %[[HIGH]]
func.func @carry() -> tensor<100000xui32> {
  %i = "stablehlo.iota"() <{iota_dimension = 0 : i64}> : () -> tensor<100000xui64>
  %first = "stablehlo.constant"() <{value = dense<4294867297> : tensor<100000xui64>}> : () -> tensor<100000xui64>
  %word = "stablehlo.constant"() <{value = dense<32> : tensor<100000xui64>}> : () -> tensor<100000xui64>
  %0 = "stablehlo.add"(%i, %first) : (tensor<100000xui64>, tensor<100000xui64>) -> tensor<100000xui64>
  %1 = "stablehlo.shift_right_logical"(%0, %word) : (tensor<100000xui64>, tensor<100000xui64>) -> tensor<100000xui64>
  %2 = "stablehlo.convert"(%1) : (tensor<100000xui64>) -> tensor<100000xui32>
  return %2 : tensor<100000xui32>
}

// What an input decides stays.
// CHECK-LABEL: func.func @data
// CHECK: stablehlo.add{{.*}}tensor<2xui64>
func.func @data(%x: tensor<2xui64>) -> tensor<2xui64> {
  %one = "stablehlo.constant"() <{value = dense<1> : tensor<2xui64>}> : () -> tensor<2xui64>
  %0 = "stablehlo.add"(%x, %one) : (tensor<2xui64>, tensor<2xui64>) -> tensor<2xui64>
  return %0 : tensor<2xui64>
}
