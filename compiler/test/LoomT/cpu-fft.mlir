// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: loom-opt %s --loom-assign-engine --loom-convert-stablehlo-to-loomt | FileCheck %s

// Dimension by dimension; where numbers are real, along the last. A transform has a workspace of its own.
// CHECK-LABEL: func.func @main
// CHECK: %[[A:.*]]:3 = "loomt.cpu"(%arg0)
// CHECK-SAME: params = array<i64: 1, 6, 2>
// CHECK-SAME: structure = 12
// CHECK-SAME: (tensor<5x6xf32>) -> (tensor<5x4xf32>, tensor<5x4xf32>, tensor<{{.*}}xf64>)
// CHECK: %[[B:.*]]:3 = "loomt.cpu"(%[[A]]#0, %[[A]]#1)
// CHECK-SAME: params = array<i64: 0, 5, 0>
// CHECK: %[[C:.*]]:3 = "loomt.cpu"(%[[B]]#0, %[[B]]#1)
// CHECK-SAME: params = array<i64: 0, 5, 1>
// CHECK: "loomt.cpu"(%[[C]]#0, %[[C]]#1)
// CHECK-SAME: params = array<i64: 1, 6, 3>
// CHECK-SAME: (tensor<5x4xf32>, tensor<5x4xf32>) -> (tensor<5x6xf32>, tensor<{{.*}}xf64>)
func.func @main(%x: tensor<5x6xf32>) -> tensor<5x6xf32> {
  %0:2 = "stablehlo.fft"(%x) <{fft_type = "RFFT", fft_length = array<i64: 5, 6>}> : (tensor<5x6xf32>) -> (tensor<5x4xf32>, tensor<5x4xf32>)
  %1 = "stablehlo.fft"(%0#0, %0#1) <{fft_type = "IRFFT", fft_length = array<i64: 5, 6>}> : (tensor<5x4xf32>, tensor<5x4xf32>) -> tensor<5x6xf32>
  return %1 : tensor<5x6xf32>
}
