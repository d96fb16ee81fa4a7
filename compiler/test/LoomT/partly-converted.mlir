// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: loom-opt %s --split-input-file --loom-convert-stablehlo-to-loomt | FileCheck %s

// What is loomt already stays as it is, and reads what has become loomt.
// CHECK-LABEL: func.func @between
// CHECK: %[[FIRST:.*]] = "loomt.map"(%arg0)
// CHECK: %[[SECOND:.*]] = "loomt.map"(%[[FIRST]]) <{imms = array<i32: 7>
// CHECK: %[[THIRD:.*]] = "loomt.map"(%[[SECOND]])
// CHECK-NOT: stablehlo
// CHECK: return %[[THIRD]]
func.func @between(%x: tensor<64xf32>) -> tensor<64xf32> {
  %0 = "stablehlo.negate"(%x) : (tensor<64xf32>) -> tensor<64xf32>
  %1 = "loomt.map"(%0) <{program = array<i32: 1, 0, 0, 0, 4, 0, 16, 0>, imms = array<i32: 7>}> : (tensor<64xf32>) -> tensor<64xf32>
  %2 = "stablehlo.negate"(%1) : (tensor<64xf32>) -> tensor<64xf32>
  return %2 : tensor<64xf32>
}

// -----

// CHECK-LABEL: func.func @nothing_to_do
// CHECK: %[[ONLY:.*]] = "loomt.constant"()
// CHECK: return %[[ONLY]], %arg0
func.func @nothing_to_do(%x: tensor<64xf32>) -> (tensor<9xi8>, tensor<64xf32>) {
  %0 = "loomt.constant"() <{value = dense<-1> : tensor<9xi8>}> : () -> tensor<9xi8>
  return %0, %x : tensor<9xi8>, tensor<64xf32>
}
