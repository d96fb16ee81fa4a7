// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: loom-opt %s -loom-check-legality
// RUN: not loom-opt %s "-loom-check-legality=features=0 require-npu" 2>&1 | FileCheck %s

// Loops, branches and places that data move need features LOOP and REG; what stands in them is judged, too.
// CHECK: error: 4 things in this program cannot be compiled
// CHECK: stablehlo.dynamic_slice: the target's sequencer has no loops, branches and places known at run time (features LOOP, REG); choose a target with them
// CHECK: stablehlo.case: the target's sequencer has no loops
// CHECK: stablehlo.tanh: the target's vector unit has no transcendental functions
// CHECK: stablehlo.while: the target's sequencer has no loops
func.func @main(%x: tensor<3x2xf32>, %i: tensor<i32>, %c: tensor<i1>) -> (tensor<1x2xf32>, tensor<3x2xf32>, tensor<i1>) {
  %s = "stablehlo.dynamic_slice"(%x, %i, %i) <{slice_sizes = array<i64: 1, 2>}> : (tensor<3x2xf32>, tensor<i32>, tensor<i32>) -> tensor<1x2xf32>
  %0 = "stablehlo.case"(%i) ({
    "stablehlo.return"(%x) : (tensor<3x2xf32>) -> ()
  }, {
    %t = "stablehlo.tanh"(%x) : (tensor<3x2xf32>) -> tensor<3x2xf32>
    "stablehlo.return"(%t) : (tensor<3x2xf32>) -> ()
  }) : (tensor<i32>) -> tensor<3x2xf32>
  %1 = "stablehlo.while"(%c) ({
  ^bb0(%a: tensor<i1>):
    "stablehlo.return"(%a) : (tensor<i1>) -> ()
  }, {
  ^bb0(%a: tensor<i1>):
    %n = "stablehlo.not"(%a) : (tensor<i1>) -> tensor<i1>
    "stablehlo.return"(%n) : (tensor<i1>) -> ()
  }) : (tensor<i1>) -> tensor<i1>
  return %s, %0, %1 : tensor<1x2xf32>, tensor<3x2xf32>, tensor<i1>
}
