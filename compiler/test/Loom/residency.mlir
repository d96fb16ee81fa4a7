// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: loom-opt %s --split-input-file --loom-convert-loomt-to-loom=target=npu16 --loom-allocate-sram --loom-assign-semaphores --loom-verify-records | FileCheck %s

// What lies between the layers stays in SRAM: the map writes over what it
// reads; the next product reads that as A and as residual, and since A is still
// needed it writes elsewhere. No DMA but of arguments and of the result.
// CHECK-LABEL: func.func @chain
// CHECK-NOT: label = "scratch"
// CHECK: %[[FIRST:.*]] = "loom.buf"() <{offset = 0 : i64}> : () -> !loom.buf<16384>
// CHECK: kind = "matmul"
// CHECK-NOT: queue = 2
// CHECK: "loom.mxu"({{.*}}, %[[FIRST]]) {{.*}}out_strides = array<i64: 0, 0, 256, 4>
// CHECK: %[[SAME:.*]] = "loom.buf"() <{offset = 0 : i64}> : () -> !loom.buf<16384>
// CHECK-NEXT: kind = "map"
// CHECK-NEXT: "loom.vpu"(%[[FIRST]], %[[SAME]])
// CHECK: %[[NEXT:.*]] = "loom.buf"() <{offset = 16384 : i64}> : () -> !loom.buf<16384>
// CHECK-NEXT: kind = "matmul"
// CHECK-NOT: queue = 2
// CHECK: "loom.mxu"(%[[SAME]], %{{.*}}, %[[NEXT]], %[[SAME]])
// CHECK: kind = "matmul"
// CHECK: "loom.mxu"(%[[NEXT]], {{.*}}, %[[NEXT]])
// CHECK: "loom.dma"{{.*}}queue = 2
func.func @chain(%x: tensor<1x64x64xf32>, %a: tensor<1x64x64xf32>, %b: tensor<1x64x64xf32>) -> tensor<1x64x64xf32> {
  %0 = "loomt.contract"(%x, %a) <{operandSegmentSizes = array<i32: 1, 1, 0, 0, 0>}> : (tensor<1x64x64xf32>, tensor<1x64x64xf32>) -> tensor<1x64x64xf32>
  %1 = "loomt.map"(%0) <{program = array<i32: 1, 0, 0, 0, 20, 0, 0, 0>, imms = array<i32>}> : (tensor<1x64x64xf32>) -> tensor<1x64x64xf32>
  %2 = "loomt.contract"(%1, %b, %1) <{operandSegmentSizes = array<i32: 1, 1, 0, 0, 1>}> : (tensor<1x64x64xf32>, tensor<1x64x64xf32>, tensor<1x64x64xf32>) -> tensor<1x64x64xf32>
  %3 = "loomt.contract"(%2, %b, %2) <{operandSegmentSizes = array<i32: 1, 1, 0, 0, 1>}> : (tensor<1x64x64xf32>, tensor<1x64x64xf32>, tensor<1x64x64xf32>) -> tensor<1x64x64xf32>
  return %3 : tensor<1x64x64xf32>
}

// -----

// A residual that nobody reads again is written over. (The map is first: its
// value waits while the array makes another.)
// CHECK-LABEL: func.func @over
// CHECK: %[[RES:.*]] = "loom.buf"() <{offset = [[PLACE:[0-9]+]] : i64}> : () -> !loom.buf<16384>
// CHECK-NEXT: kind = "map"
// CHECK: "loom.vpu"
// CHECK-NEXT: %[[A:.*]] = "loom.buf"() <{offset = {{[0-9]+}} : i64}> : () -> !loom.buf<16384>
// CHECK-NEXT: kind = "matmul"
// CHECK: %[[OUT:.*]] = "loom.buf"() <{offset = [[PLACE]] : i64}> : () -> !loom.buf<16384>
// CHECK-NEXT: kind = "matmul"
// CHECK: "loom.mxu"(%[[A]], %{{.*}}, %[[OUT]], %[[RES]])
func.func @over(%x: tensor<1x64x64xf32>, %a: tensor<1x64x64xf32>, %b: tensor<1x64x64xf32>) -> tensor<1x64x64xf32> {
  %0 = "loomt.map"(%x) <{program = array<i32: 1, 0, 0, 0, 20, 0, 0, 0>, imms = array<i32>}> : (tensor<1x64x64xf32>) -> tensor<1x64x64xf32>
  %1 = "loomt.contract"(%0, %a) <{operandSegmentSizes = array<i32: 1, 1, 0, 0, 0>}> : (tensor<1x64x64xf32>, tensor<1x64x64xf32>) -> tensor<1x64x64xf32>
  %2 = "loomt.contract"(%1, %b, %0) <{operandSegmentSizes = array<i32: 1, 1, 0, 0, 1>}> : (tensor<1x64x64xf32>, tensor<1x64x64xf32>, tensor<1x64x64xf32>) -> tensor<1x64x64xf32>
  %3 = "loomt.map"(%2) <{program = array<i32: 1, 0, 0, 0, 20, 0, 0, 0>, imms = array<i32>}> : (tensor<1x64x64xf32>) -> tensor<1x64x64xf32>
  return %3 : tensor<1x64x64xf32>
}

// -----

// Larger than SRAM: goes through memory.
// CHECK-LABEL: func.func @large
// CHECK: label = "scratch"
// CHECK: kind = "map"
// CHECK: "loom.dma"{{.*}}queue = 2
func.func @large(%x: tensor<512x512xf32>, %y: tensor<512x512xf32>) -> tensor<512x512xf32> {
  %0 = "loomt.map"(%x) <{program = array<i32: 1, 0, 0, 0, 20, 0, 0, 0>, imms = array<i32>}> : (tensor<512x512xf32>) -> tensor<512x512xf32>
  %1 = "loomt.map"(%0, %y) <{program = array<i32: 1, 0, 0, 0, 1, 1, 0, 0, 16, 0, 1, 0>, imms = array<i32>}> : (tensor<512x512xf32>, tensor<512x512xf32>) -> tensor<512x512xf32>
  return %1 : tensor<512x512xf32>
}
