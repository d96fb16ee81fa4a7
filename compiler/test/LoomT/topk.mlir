// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: loom-opt %s -loom-check-legality=require-npu -loom-assign-engine -loom-convert-stablehlo-to-loomt | FileCheck %s

// Two reductions for each of those taken: the best that comes after the one
// before, and its place.
// CHECK-LABEL: func.func @main
// CHECK: loomt.map
// CHECK-COUNT-4: loomt.reduce
// CHECK-NOT: loomt.reduce
// CHECK: loomt.copy
func.func @main(%x: tensor<5x32xf32>) -> (tensor<5x2xf32>, tensor<5x2xi32>) {
  %n = "stablehlo.iota"() <{iota_dimension = 1 : i64}> : () -> tensor<5x32xi32>
  %0:2 = "stablehlo.sort"(%x, %n) <{dimension = 1 : i64, is_stable = true}> ({
  ^bb0(%a: tensor<f32>, %b: tensor<f32>, %i: tensor<i32>, %j: tensor<i32>):
    %c = "stablehlo.compare"(%a, %b) <{comparison_direction = #stablehlo<comparison_direction GT>, compare_type = #stablehlo<comparison_type TOTALORDER>}> : (tensor<f32>, tensor<f32>) -> tensor<i1>
    "stablehlo.return"(%c) : (tensor<i1>) -> ()
  }) : (tensor<5x32xf32>, tensor<5x32xi32>) -> (tensor<5x32xf32>, tensor<5x32xi32>)
  %1 = "stablehlo.slice"(%0#0) <{limit_indices = array<i64: 5, 2>, start_indices = array<i64: 0, 0>, strides = array<i64: 1, 1>}> : (tensor<5x32xf32>) -> tensor<5x2xf32>
  %2 = "stablehlo.slice"(%0#1) <{limit_indices = array<i64: 5, 2>, start_indices = array<i64: 0, 0>, strides = array<i64: 1, 1>}> : (tensor<5x32xi32>) -> tensor<5x2xi32>
  return %1, %2 : tensor<5x2xf32>, tensor<5x2xi32>
}

// A long line is blocks first, 126 of 8 and what fills the last one: their best,
// four of those, and four in the blocks that these are the best of.
// CHECK-LABEL: func.func @blocks
// CHECK: %[[KEYS:.*]] = "loomt.copy"{{.*}}fill = -2147483648{{.*}} -> tensor<2x1008xi32>
// CHECK: %[[TABLE:.*]] = "loomt.view"(%[[KEYS]]){{.*}} -> tensor<252x8xi32>
// CHECK: "loomt.reduce"(%[[TABLE]]){{.*}} -> tensor<252xi32>
// CHECK-COUNT-8: loomt.reduce{{.*}} -> tensor<2xi32>
// CHECK: "loomt.rows"(%[[TABLE]], %{{.*}}) : {{.*}} -> tensor<8x8xi32>
// CHECK-COUNT-8: loomt.reduce{{.*}} -> tensor<2xi32>
// CHECK-NOT: loomt.reduce
// CHECK: return
func.func @blocks(%x: tensor<2x1001xf32>) -> (tensor<2x4xf32>, tensor<2x4xi32>) {
  %n = "stablehlo.iota"() <{iota_dimension = 1 : i64}> : () -> tensor<2x1001xi32>
  %0:2 = "stablehlo.sort"(%x, %n) <{dimension = 1 : i64, is_stable = true}> ({
  ^bb0(%a: tensor<f32>, %b: tensor<f32>, %i: tensor<i32>, %j: tensor<i32>):
    %c = "stablehlo.compare"(%a, %b) <{comparison_direction = #stablehlo<comparison_direction GT>, compare_type = #stablehlo<comparison_type TOTALORDER>}> : (tensor<f32>, tensor<f32>) -> tensor<i1>
    "stablehlo.return"(%c) : (tensor<i1>) -> ()
  }) : (tensor<2x1001xf32>, tensor<2x1001xi32>) -> (tensor<2x1001xf32>, tensor<2x1001xi32>)
  %1 = "stablehlo.slice"(%0#0) <{limit_indices = array<i64: 2, 4>, start_indices = array<i64: 0, 0>, strides = array<i64: 1, 1>}> : (tensor<2x1001xf32>) -> tensor<2x4xf32>
  %2 = "stablehlo.slice"(%0#1) <{limit_indices = array<i64: 2, 4>, start_indices = array<i64: 0, 0>, strides = array<i64: 1, 1>}> : (tensor<2x1001xi32>) -> tensor<2x4xi32>
  return %1, %2 : tensor<2x4xf32>, tensor<2x4xi32>
}
