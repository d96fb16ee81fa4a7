// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: loom-opt %s -split-input-file -loom-check-legality -loom-assign-engine | FileCheck %s --check-prefix=MARK
// RUN: loom-opt %s -split-input-file -loom-assign-engine -loom-convert-stablehlo-to-loomt -loom-fuse-loomt -loom-order-engines | FileCheck %s
// RUN: loom-opt %s -split-input-file -loom-assign-engine -loom-convert-stablehlo-to-loomt -loom-fuse-loomt -loom-order-engines -loom-convert-loomt-to-loom=target=npu16 -loom-allocate-sram -loom-assign-semaphores -loom-verify-records | FileCheck %s --check-prefix=LOOM

// A condition is computed before the loop and at the end of its body; the
// loop's first region returns it.
// MARK-LABEL: func.func @main
// MARK: %[[FIRST:.*]] = "stablehlo.compare"(%arg0, {{.*}}) {{.*}}{loom.cpu = "operand 0 has element type f64
// MARK: "stablehlo.while"(%arg0, %[[FIRST]]) ({
// MARK-NEXT: ^bb0(%{{.*}}: tensor<f64>, %[[GO:.*]]: tensor<i1>):
// MARK-NEXT: "stablehlo.return"(%[[GO]])
// MARK: %[[HALF:.*]] = "stablehlo.multiply"
// MARK: %[[NEXT:.*]] = "stablehlo.compare"(%[[HALF]]
// MARK: "stablehlo.return"(%[[HALF]], %[[NEXT]])
// MARK: loom.schedule

// CHECK-LABEL: func.func @main
// CHECK: %[[COND:.*]] = "loomt.cpu"
// CHECK: %[[STATE:.*]]:2 = "loomt.loop_begin"(%arg0, %[[COND]]) <{scheduled}>
// CHECK-NEXT: "loomt.loop_test"(%[[STATE]]#1)
// CHECK: "loomt.cpu"
// CHECK: "loomt.loop_end"

// LOOM-LABEL: func.func @main
// LOOM: %[[SLOT:.*]] = "loom.slot"() <{hidden, {{.*}}kind = 3 : i64, label = "condition", rights = 3
// LOOM-NOT: "loom.halt"
// LOOM: "loom.round"(%[[SLOT]])
// LOOM-NEXT: "loom.cpu"
// LOOM-NOT: "loom.dma"
// LOOM: "loom.end_round"
func.func @main(%x: tensor<f64>) -> tensor<f64> {
  %half = "stablehlo.constant"() <{value = dense<0.5> : tensor<f64>}> : () -> tensor<f64>
  %one = "stablehlo.constant"() <{value = dense<1.0> : tensor<f64>}> : () -> tensor<f64>
  %0 = "stablehlo.while"(%x) ({
  ^bb0(%v: tensor<f64>):
    %c = "stablehlo.compare"(%v, %one) <{comparison_direction = #stablehlo<comparison_direction GT>}> : (tensor<f64>, tensor<f64>) -> tensor<i1>
    "stablehlo.return"(%c) : (tensor<i1>) -> ()
  }, {
  ^bb0(%v: tensor<f64>):
    %h = "stablehlo.multiply"(%v, %half) : (tensor<f64>, tensor<f64>) -> tensor<f64>
    "stablehlo.return"(%h) : (tensor<f64>) -> ()
  }) : (tensor<f64>) -> tensor<f64>
  return %0 : tensor<f64>
}

// -----

// A branch becomes a loop of one round or none.
// MARK-LABEL: func.func @main
// MARK: %[[NOT:.*]] = "stablehlo.not"(%arg0)
// MARK: %[[R:.*]]:2 = "stablehlo.while"(%{{.*}}, %arg0)
// MARK: %[[FALSE:.*]] = "stablehlo.constant"() <{value = dense<false>
// MARK: "stablehlo.return"(%{{.*}}, %[[FALSE]])
// MARK: "stablehlo.while"(%[[R]]#0, %[[NOT]])
// MARK-NOT: stablehlo.if

// CHECK-LABEL: func.func @main
// CHECK-COUNT-2: "loomt.loop_begin"({{.*}}) <{scheduled}>
// LOOM-LABEL: func.func @main
// LOOM-COUNT-2: "loom.round"
func.func @main(%p: tensor<i1>, %x: tensor<2xi64>) -> tensor<2xi64> {
  %0 = "stablehlo.if"(%p) ({
    %a = "stablehlo.add"(%x, %x) : (tensor<2xi64>, tensor<2xi64>) -> tensor<2xi64>
    "stablehlo.return"(%a) : (tensor<2xi64>) -> ()
  }, {
    "stablehlo.return"(%x) : (tensor<2xi64>) -> ()
  }) : (tensor<i1>) -> tensor<2xi64>
  return %0 : tensor<2xi64>
}

// -----

// A count is the schedule's; places are numbers in memory.
// CHECK-LABEL: func.func @main
// CHECK: %[[S:.*]]:2 = "loomt.loop_begin"({{.*}}) <{scheduled, trip = 9 : i64}>
// CHECK-NOT: loomt.at
// CHECK: "loomt.take"({{.*}}, %[[S]]#0)
// LOOM-LABEL: func.func @main
// LOOM: "loom.round"() <{count = 9 : i64}>
// LOOM: "loom.end_round"
func.func @main(%x: tensor<9x4xf32>, %y: tensor<1x4xf32>) -> tensor<1x4xf32> {
  %zero = "stablehlo.constant"() <{value = dense<0> : tensor<i32>}> : () -> tensor<i32>
  %0:2 = "stablehlo.while"(%zero, %y) ({
  ^bb0(%i: tensor<i32>, %v: tensor<1x4xf32>):
    %n = "stablehlo.constant"() <{value = dense<9> : tensor<i32>}> : () -> tensor<i32>
    %c = "stablehlo.compare"(%i, %n) <{comparison_direction = #stablehlo<comparison_direction LT>}> : (tensor<i32>, tensor<i32>) -> tensor<i1>
    "stablehlo.return"(%c) : (tensor<i1>) -> ()
  }, {
  ^bb0(%i: tensor<i32>, %v: tensor<1x4xf32>):
    %one = "stablehlo.constant"() <{value = dense<1> : tensor<i32>}> : () -> tensor<i32>
    %row = "stablehlo.dynamic_slice"(%x, %i, %zero) <{slice_sizes = array<i64: 1, 4>}> : (tensor<9x4xf32>, tensor<i32>, tensor<i32>) -> tensor<1x4xf32>
    %d = "stablehlo.add"(%v, %row) : (tensor<1x4xf32>, tensor<1x4xf32>) -> tensor<1x4xf32>
    %w = "stablehlo.convert"(%d) : (tensor<1x4xf32>) -> tensor<1x4xf64>
    %q = "stablehlo.sqrt"(%w) : (tensor<1x4xf64>) -> tensor<1x4xf64>
    %f = "stablehlo.convert"(%q) : (tensor<1x4xf64>) -> tensor<1x4xf32>
    %j = "stablehlo.add"(%i, %one) : (tensor<i32>, tensor<i32>) -> tensor<i32>
    "stablehlo.return"(%j, %f) : (tensor<i32>, tensor<1x4xf32>) -> ()
  }) : (tensor<i32>, tensor<1x4xf32>) -> (tensor<i32>, tensor<1x4xf32>)
  return %0#1 : tensor<1x4xf32>
}
