// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: loom-opt %s --loom-front-pipeline --loom-convert-stablehlo-to-loomt --loom-fuse-loomt --loom-convert-loomt-to-loom=target=npu16 | FileCheck %s

// A scalar, known and broadcast to a result (jnp.zeros, an optimiser's first
// moments), is filled there: the program has no constant, not even the scalar.
// CHECK: %[[OUT:.*]] = "loom.slot"() {{.*}}label = "result0"
// CHECK-NOT: "loom.slot"
// CHECK: "loom.dma"(%[[OUT]]) {{.*}}fill = array<i64: 1065353216, 4>, inner = 16384 : i64
// CHECK-NEXT: "loom.halt"
func.func @main() -> tensor<64x64xf32> {
  %0 = "stablehlo.constant"() <{value = dense<1.0> : tensor<f32>}> : () -> tensor<f32>
  %1 = "stablehlo.broadcast_in_dim"(%0) <{broadcast_dimensions = array<i64>}> : (tensor<f32>) -> tensor<64x64xf32>
  return %1 : tensor<64x64xf32>
}
