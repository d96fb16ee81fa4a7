// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: loom-opt %s --split-input-file --loom-convert-loomt-to-loom=target=npu16 --loom-allocate-sram --loom-assign-semaphores --loom-verify-records | FileCheck %s

// A result that repeats one element is filled with that element's bits, and the
// program holds no constant of it (a slot of kind 0).
// CHECK-LABEL: func.func @filled
// CHECK-NOT: kind = 0
// CHECK: %[[HALVES:.*]] = "loom.slot"() {{.*}}label = "result0", rights = 2 : i64}> : () -> !loom.mem<2097152>
// CHECK-NOT: kind = 0
// CHECK: "loom.dma"(%[[HALVES]]) {{.*}}dst_offset = 0 : i64{{.*}}fill = array<i64: 1056964608, 4>, inner = 1048576 : i64
// CHECK: "loom.dma"(%[[HALVES]]) {{.*}}dst_offset = 1048576 : i64{{.*}}fill = array<i64: 1056964608, 4>, inner = 1048576 : i64
// CHECK: fill = array<i64: 2147483648, 4>, inner = 4 : i64
// CHECK: fill = array<i64: 16256, 2>, inner = 30 : i64
// CHECK: fill = array<i64: 255, 1>, inner = 9 : i64
// CHECK: fill = array<i64: 1, 1>, inner = 7 : i64
// CHECK-NOT: "loom.dma"
// CHECK: "loom.halt"
func.func @filled() -> (tensor<512x1024xf32>, tensor<f32>, tensor<3x5xbf16>, tensor<9xi8>, tensor<7xi1>) {
  %0 = "loomt.constant"() <{value = dense<0.5> : tensor<512x1024xf32>}> : () -> tensor<512x1024xf32>
  %1 = "loomt.constant"() <{value = dense<-0.0> : tensor<f32>}> : () -> tensor<f32>
  %2 = "loomt.constant"() <{value = dense<1.0> : tensor<3x5xbf16>}> : () -> tensor<3x5xbf16>
  %3 = "loomt.constant"() <{value = dense<-1> : tensor<9xi8>}> : () -> tensor<9xi8>
  %4 = "loomt.constant"() <{value = dense<true> : tensor<7xi1>}> : () -> tensor<7xi1>
  return %0, %1, %2, %3, %4 : tensor<512x1024xf32>, tensor<f32>, tensor<3x5xbf16>, tensor<9xi8>, tensor<7xi1>
}

// -----

// Two results of one constant are two fills, although a layer reads the constant,
// too, which therefore stays.
// CHECK-LABEL: func.func @read
// CHECK: %[[FIRST:.*]] = "loom.slot"() {{.*}}label = "result0"
// CHECK: %[[SECOND:.*]] = "loom.slot"() {{.*}}label = "result1"
// CHECK: %[[TWOS:.*]] = "loom.slot"() {{.*}}kind = 0 {{.*}}value = dense<2.000000e+00> : tensor<64xf32>
// CHECK-NOT: kind = 0
// CHECK: "loom.dma"(%[[TWOS]],
// CHECK: "loom.vpu"
// CHECK-NOT: "loom.dma"(%[[TWOS]],
// CHECK: "loom.dma"(%[[FIRST]]) {{.*}}fill = array<i64: 1073741824, 4>, inner = 256 : i64
// CHECK: "loom.dma"(%[[SECOND]]) {{.*}}fill = array<i64: 1073741824, 4>, inner = 256 : i64
func.func @read(%x: tensor<64xf32>) -> (tensor<64xf32>, tensor<64xf32>, tensor<64xf32>) {
  %0 = "loomt.constant"() <{value = dense<2.0> : tensor<64xf32>}> : () -> tensor<64xf32>
  %1 = "loomt.map"(%x, %0) <{program = array<i32: 1, 0, 0, 0, 4, 0, 1, 0>, imms = array<i32>}> : (tensor<64xf32>, tensor<64xf32>) -> tensor<64xf32>
  return %0, %0, %1 : tensor<64xf32>, tensor<64xf32>, tensor<64xf32>
}

// -----

// Elements that differ are a constant, which is copied. So are elements wider
// than a fill's.
// CHECK-LABEL: func.func @kept
// CHECK: %[[FOUR:.*]] = "loom.slot"() {{.*}}kind = 0 {{.*}}value = dense<[1.000000e+00, 2.000000e+00, 2.000000e+00, 2.000000e+00]> : tensor<4xf32>
// CHECK: %[[WIDE:.*]] = "loom.slot"() {{.*}}kind = 0 {{.*}}value = dense<1.000000e+00> : tensor<4xf64>
// CHECK-NOT: fill =
// CHECK: "loom.dma"(%[[FOUR]],
// CHECK-NOT: fill =
// CHECK: "loom.halt"
func.func @kept() -> (tensor<4xf32>, tensor<4xf64>) {
  %0 = "loomt.constant"() <{value = dense<[1.0, 2.0, 2.0, 2.0]> : tensor<4xf32>}> : () -> tensor<4xf32>
  %1 = "loomt.constant"() <{value = dense<1.0> : tensor<4xf64>}> : () -> tensor<4xf64>
  return %0, %1 : tensor<4xf32>, tensor<4xf64>
}
