// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: loom-opt %s --loom-convert-loomt-to-loom=target=npu16 --loom-allocate-sram --loom-assign-semaphores --loom-verify-records | FileCheck %s
// RUN: loom-opt %s --loom-convert-loomt-to-loom=target=npu8 --loom-allocate-sram --loom-assign-semaphores --loom-verify-records | FileCheck %s --check-prefix=SMALL

// One slot an input and an output; the array waits for the loads, the store for
// the array.
// CHECK: "loom.slot"() <{index = 0 : i64, kind = 3 : i64, label = "arg0"
// CHECK: "loom.slot"() <{index = 2 : i64, kind = 3 : i64, label = "result0"
// CHECK: "loom.layer"() <{{.*}}kind = "matmul", macs = 262144
// CHECK: "loom.buf"() <{offset = 0 : i64}>
// CHECK: "loom.dma"{{.*}}queue = 1
// CHECK: "loom.dma"{{.*}}queue = 1{{.*}}signal = array<i32: 2, 1>
// CHECK: "loom.mxu"{{.*}}wait = array<i32: 2, 1>
// CHECK: "loom.dma"{{.*}}queue = 2{{.*}}wait = array<i32: 9, 1>
// CHECK: "loom.halt"

// The smaller target takes more tiles and gives the same products.
// SMALL: macs = 262144
// SMALL-COUNT-2: "loom.mxu"
func.func @main(%a: tensor<1x64x64xf32>, %b: tensor<1x64x64xf32>) -> tensor<1x64x64xf32> {
  %0 = "loomt.contract"(%a, %b) <{operandSegmentSizes = array<i32: 1, 1, 0, 0, 0>}> : (tensor<1x64x64xf32>, tensor<1x64x64xf32>) -> tensor<1x64x64xf32>
  return %0 : tensor<1x64x64xf32>
}
