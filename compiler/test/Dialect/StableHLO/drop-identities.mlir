// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: loom-opt %s -loom-drop-identities | FileCheck %s

// CHECK-LABEL: @main
// CHECK-NOT: optimization_barrier
// CHECK: custom_call{{.*}}@other
// CHECK: return %arg0, %arg1
func.func @main(%x: tensor<4xf32>, %y: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>) {
  %1:2 = "stablehlo.optimization_barrier"(%x, %y) : (tensor<4xf32>, tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>)
  "stablehlo.custom_call"(%x) <{call_target_name = "@other", has_side_effect = true}> : (tensor<4xf32>) -> ()
  return %1#0, %1#1 : tensor<4xf32>, tensor<4xf32>
}
