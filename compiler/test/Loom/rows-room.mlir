// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: loom-opt %s --loom-convert-loomt-to-loom=target=npu8 --loom-allocate-sram=target=npu8 --loom-assign-semaphores --loom-verify-records=target=npu8 | FileCheck %s

// Rows of 12 KiB need a piece of 48 KiB: what is used on both sides of them (24
// of 64 KiB) goes to memory. Tensors elsewhere stay all the same.
// CHECK: label = "scratch", rights = 3 : i64}> : () -> !loom.mem<24576>
// CHECK: kind = "map"
// CHECK: kind = "rows"
// CHECK: "loom.gather"({{.*}}) <{count = 1 : i64,
// CHECK: "loom.gather"({{.*}}) <{count = 1 : i64,
// CHECK: kind = "map"
// CHECK: %[[HERE:.*]] = "loom.buf"() <{offset = {{[0-9]+}} : i64}> : () -> !loom.buf<4096>
// CHECK-NEXT: kind = "map"
// CHECK: "loom.vpu"({{.*}}, %[[HERE]])
// CHECK: kind = "map"
// CHECK: "loom.vpu"(%[[HERE]],
func.func @main(%x: tensor<96x64xf32>, %t: tensor<16x3072xf32>, %i: tensor<2xi32>, %y: tensor<1024xf32>) -> (tensor<2x3072xf32>, tensor<96x64xf32>, tensor<1024xf32>) {
  %0 = "loomt.map"(%x) <{program = array<i32: 1, 0, 0, 0, 20, 0, 0, 0>, imms = array<i32>}> : (tensor<96x64xf32>) -> tensor<96x64xf32>
  %1 = "loomt.rows"(%t, %i) : (tensor<16x3072xf32>, tensor<2xi32>) -> tensor<2x3072xf32>
  %2 = "loomt.map"(%0) <{program = array<i32: 1, 0, 0, 0, 20, 0, 0, 0>, imms = array<i32>}> : (tensor<96x64xf32>) -> tensor<96x64xf32>
  %3 = "loomt.map"(%y) <{program = array<i32: 1, 0, 0, 0, 20, 0, 0, 0>, imms = array<i32>}> : (tensor<1024xf32>) -> tensor<1024xf32>
  %4 = "loomt.map"(%3) <{program = array<i32: 1, 0, 0, 0, 20, 0, 0, 0>, imms = array<i32>}> : (tensor<1024xf32>) -> tensor<1024xf32>
  return %1, %2, %4 : tensor<2x3072xf32>, tensor<96x64xf32>, tensor<1024xf32>
}
