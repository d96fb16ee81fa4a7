// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: loom-opt %s --split-input-file --loom-convert-loomt-to-loom=target=npu16 | FileCheck %s

// A halt ends the stream before the CPU operation and another the one after it; the map's result goes through memory, not
// through SRAM; the index array has stride 0 where it does not move.
// CHECK: loom.vpu
// CHECK: loom.dma
// CHECK: loom.halt
// CHECK-NEXT: "loom.cpu"
// CHECK-SAME: inputs = 2
// CHECK-SAME: operand_boxes = [array<i64: 0, {{[0-9]+}}, 32, 4, 128, 0>, array<i64: 3, 0, 32, 4, 0, 4>, array<i64: 0, {{[0-9]+}}, 32, 4, 16, 4>]
// CHECK-SAME: params = array<i64: 1, 31, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0>
// CHECK: loom.vpu
// CHECK: loom.halt
func.func @main(%x: tensor<32x32xf32>, %i: tensor<32x4xi32>) -> tensor<32x4xf32> {
  %0 = "loomt.map"(%x) <{program = array<i32: 1, 0, 0, 0, 20, 0, 0, 0>, imms = array<i32>}> : (tensor<32x32xf32>) -> tensor<32x32xf32>
  %v = "loomt.view"(%i) <{offset = 0 : i64, strides = array<i64: 0, 1>}> : (tensor<32x4xi32>) -> tensor<32x4xi32>
  %1 = "loomt.cpu"(%0, %v) <{imms = array<i64>, maps = [array<i64: 0, -1>, array<i64: 0, 1>], operandSegmentSizes = array<i32: 2, 0>, outs = [array<i64: 0, 0, 0, 32, 4, 4, 1>], params = array<i64: 1, 31, 0, 0, 0, 0, 0, 0, 0>, program = array<i32>, source = "gather", structure = 5 : i64, walks = [array<i64: 1>], why = ""}> : (tensor<32x32xf32>, tensor<32x4xi32>) -> tensor<32x4xf32>
  %2 = "loomt.map"(%1) <{program = array<i32: 1, 0, 0, 0, 20, 0, 0, 0>, imms = array<i32>}> : (tensor<32x4xf32>) -> tensor<32x4xf32>
  return %2 : tensor<32x4xf32>
}
