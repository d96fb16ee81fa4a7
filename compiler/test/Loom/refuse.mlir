// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: not timeout 20 loom-opt %s --split-input-file --loom-convert-loomt-to-loom=target=npu8 2>&1 | FileCheck %s

// What passes the limit of code is not made to its end (this one would have 70
// times as many units), and the layer that takes most of it is named, not the
// one at which the limit was met.
// CHECK: model.py:3:5: error: the program has more than 524288 units of code, which is the limit; its largest layer so far, matmul 1x2048x1024 * 1x1024x2048, has {{[0-9]+}}: choose a target with more SRAM, or split the model
// CHECK-NOT: error
#first = loc("model.py":3:5)
#rest = loc("model.py":4:5)
func.func @large(%x: tensor<1x2048x1024xf32>, %y: tensor<1x1024x2048xf32>, %z: tensor<1x8192x8192xf32>) -> (tensor<1x2048x2048xf32>, tensor<1x8192x8192xf32>) {
  %0 = "loomt.contract"(%x, %y) <{operandSegmentSizes = array<i32: 1, 1, 0, 0, 0>}> : (tensor<1x2048x1024xf32>, tensor<1x1024x2048xf32>) -> tensor<1x2048x2048xf32> loc(#first)
  %1 = "loomt.contract"(%z, %z) <{operandSegmentSizes = array<i32: 1, 1, 0, 0, 0>}> : (tensor<1x8192x8192xf32>, tensor<1x8192x8192xf32>) -> tensor<1x8192x8192xf32> loc(#rest)
  return %0, %1 : tensor<1x2048x2048xf32>, tensor<1x8192x8192xf32>
}

// -----

// A layer that no room is enough for.
// CHECK: error: rows of 20000 bytes do not fit the target, which has 65536 bytes of SRAM; choose a larger target or index narrower rows
func.func @rows(%t: tensor<16x5000xf32>, %i: tensor<10xi32>) -> tensor<10x5000xf32> {
  %0 = "loomt.rows"(%t, %i) : (tensor<16x5000xf32>, tensor<10xi32>) -> tensor<10x5000xf32>
  return %0 : tensor<10x5000xf32>
}
