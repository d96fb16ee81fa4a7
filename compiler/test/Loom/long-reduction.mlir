// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: loom-opt %s --loom-convert-loomt-to-loom=target=npu128 | FileCheck %s

// A count has 16 bits: reduced dimensions that would pass it by merging stay
// apart, in one record a result all the same.
// CHECK-COUNT-2: "loom.vpu"({{.*}}counts = array<i64: 1, 1, 1, 1, 256, 256>
// CHECK-NOT: "loom.vpu"
func.func @main(%x: tensor<2x256x256xf32>) -> tensor<2xf32> {
  %0 = "loomt.reduce"(%x) <{program = array<i32: 1, 0, 0, 0>, imms = array<i32>, reducer = 112 : i32, reduced = 2 : i64}> : (tensor<2x256x256xf32>) -> tensor<2xf32>
  return %0 : tensor<2xf32>
}
