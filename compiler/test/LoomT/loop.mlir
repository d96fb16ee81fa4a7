// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: loom-opt %s -loom-unroll-loops=keep-loops=true -canonicalize | FileCheck %s --check-prefix=KEPT
// RUN: loom-opt %s -loom-unroll-loops=keep-loops=true -canonicalize -loom-check-legality -loom-convert-stablehlo-to-loomt -loom-fuse-loomt | FileCheck %s
// RUN: loom-opt %s -loom-unroll-loops=keep-loops=true -canonicalize -loom-convert-stablehlo-to-loomt -loom-fuse-loomt -loom-convert-loomt-to-loom=target=npu16 -loom-allocate-sram -loom-assign-semaphores -loom-verify-records | FileCheck %s --check-prefix=LOOM
// RUN: loom-opt %s -loom-unroll-loops -canonicalize | FileCheck %s --check-prefix=LINE

// A product inside: the loop stays; what is the same in every iteration stands
// before it.
// KEPT-LABEL: func.func @main
// KEPT: "stablehlo.transpose"(%arg1)
// KEPT: "stablehlo.while"
// LINE-LABEL: func.func @main
// LINE-NOT: stablehlo.while

// The row of the iteration is a view of a moved root, the result goes to its place.
// CHECK-LABEL: func.func @main
// CHECK: %[[S:.*]]:2 = "loomt.loop_begin"(%{{.*}}) <{trip = 6 : i64}>
// CHECK-DAG: %[[AT:.*]] = "loomt.at"(%arg0) <{steps = array<i64: 20>}>
// CHECK-DAG: "loomt.contract"(%{{.*}}, %{{.*}})
// CHECK: "loomt.view"(%[[AT]])
// CHECK: %[[OLD:.*]] = "loomt.copy"(%[[S]]#1)
// CHECK: %[[NEW:.*]] = "loomt.put"(%{{.*}}, %[[OLD]]) <{limits = array<i64>, loop_steps = array<i64: 20>, offset = 0 : i64
// CHECK: "loomt.loop_end"(%{{.*}}, %[[NEW]])

// LOOM: "loom.layer"() <{{.*}}kind = "loop"
// LOOM: "loom.loop"() <{count = 6 : i64, rd = 5 : i64, target = {{[0-9]+}} : i64}>
// LOOM-NEXT: "loom.fence"
// LOOM: "loom.moved"(%{{.*}}) <{steps = array<i64: 80>}>
// LOOM: "loom.layer"() <{{.*}}kind = "matmul", macs = 2400
// LOOM: "loom.scalar"() <{imm = 80 : i64, opcode = 5 : i64, ra = 5 : i64, rb = 0 : i64, rd = 2 : i64}>
// LOOM: "loom.dma"{{.*}}src_reg = 2
// LOOM-NOT: kind = "copy"
// LOOM: "loom.dma"{{.*}}dst_reg = 3
// LOOM: "loom.end_loop"
// LOOM-NEXT: "loom.fence"
func.func @main(%x: tensor<6x20xf32>, %w: tensor<20x20xf32>) -> tensor<6x20xf32> {
  %zero = "stablehlo.constant"() <{value = dense<0> : tensor<i32>}> : () -> tensor<i32>
  %h0 = "stablehlo.constant"() <{value = dense<1.0> : tensor<1x20xf32>}> : () -> tensor<1x20xf32>
  %ys = "stablehlo.constant"() <{value = dense<0.0> : tensor<6x20xf32>}> : () -> tensor<6x20xf32>
  %0:4 = "stablehlo.while"(%zero, %x, %h0, %ys) ({
  ^bb0(%i: tensor<i32>, %a: tensor<6x20xf32>, %h: tensor<1x20xf32>, %b: tensor<6x20xf32>):
    %n = "stablehlo.constant"() <{value = dense<6> : tensor<i32>}> : () -> tensor<i32>
    %c = "stablehlo.compare"(%i, %n) <{comparison_direction = #stablehlo<comparison_direction LT>}> : (tensor<i32>, tensor<i32>) -> tensor<i1>
    "stablehlo.return"(%c) : (tensor<i1>) -> ()
  }, {
  ^bb0(%i: tensor<i32>, %a: tensor<6x20xf32>, %h: tensor<1x20xf32>, %b: tensor<6x20xf32>):
    %z = "stablehlo.constant"() <{value = dense<0> : tensor<i32>}> : () -> tensor<i32>
    %one = "stablehlo.constant"() <{value = dense<1> : tensor<i32>}> : () -> tensor<i32>
    %t = "stablehlo.transpose"(%w) <{permutation = array<i64: 1, 0>}> : (tensor<20x20xf32>) -> tensor<20x20xf32>
    %row = "stablehlo.dynamic_slice"(%a, %i, %z) <{slice_sizes = array<i64: 1, 20>}> : (tensor<6x20xf32>, tensor<i32>, tensor<i32>) -> tensor<1x20xf32>
    %p = "stablehlo.dot_general"(%h, %t) <{lhs_batching_dimensions = array<i64>, rhs_batching_dimensions = array<i64>, lhs_contracting_dimensions = array<i64: 1>, rhs_contracting_dimensions = array<i64: 0>}> : (tensor<1x20xf32>, tensor<20x20xf32>) -> tensor<1x20xf32>
    %next = "stablehlo.multiply"(%p, %row) : (tensor<1x20xf32>, tensor<1x20xf32>) -> tensor<1x20xf32>
    %put = "stablehlo.dynamic_update_slice"(%b, %next, %i, %z) : (tensor<6x20xf32>, tensor<1x20xf32>, tensor<i32>, tensor<i32>) -> tensor<6x20xf32>
    %j = "stablehlo.add"(%i, %one) : (tensor<i32>, tensor<i32>) -> tensor<i32>
    "stablehlo.return"(%j, %a, %next, %put) : (tensor<i32>, tensor<6x20xf32>, tensor<1x20xf32>, tensor<6x20xf32>) -> ()
  }) : (tensor<i32>, tensor<6x20xf32>, tensor<1x20xf32>, tensor<6x20xf32>) -> (tensor<i32>, tensor<6x20xf32>, tensor<1x20xf32>, tensor<6x20xf32>)
  return %0#3 : tensor<6x20xf32>
}
