// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: not loom-opt %s -loom-check-legality 2>&1 | FileCheck %s

// What the vector unit has no form of is refused here, where all is refused at once, not by the lowering.
// CHECK: error: 9 things in this program cannot be compiled
// CHECK: note: model.py:7:3: Net/hash: stablehlo.shift_left: operand 0 has element type i8, which this operation does not take; convert to i32
// CHECK: note: {{.*}}stablehlo.shift_right_logical: operand 0 has element type i8, which this operation does not take; convert to i32
// CHECK: note: {{.*}}stablehlo.shift_right_arithmetic: operand 0 has element type i8, which this operation does not take; convert to i32
// CHECK: note: {{.*}}stablehlo.constant: result 0 has element type i16
// CHECK: note: {{.*}}stablehlo.shift_left: operand 0 has element type i16, which is not compiled; convert to f32, bf16, i8 or i32
// CHECK: note: {{.*}}stablehlo.add: operand 0 has element type i1, which this operation does not take; convert to f32, bf16, i8 or i32
// CHECK: note: {{.*}}stablehlo.multiply: operand 0 has element type i1, which this operation does not take; convert to f32, bf16, i8 or i32
// CHECK: note: {{.*}}stablehlo.compare: a comparison in total order is not compiled; compare as floats, or the bits as integers
// CHECK: note: {{.*}}stablehlo.reduce: its reducer computes with booleans; use 'or' for a sum and 'and' for a product, or convert to i32
#line = loc("model.py":7:3)
#scope = loc("jit(f)/Net/hash/shift_left"(#line))
func.func @main(%a: tensor<4xi8>, %w: tensor<4xi32>, %b: tensor<4xi1>, %f: tensor<4xf32>) {
  %ok0 = "stablehlo.shift_left"(%w, %w) : (tensor<4xi32>, tensor<4xi32>) -> tensor<4xi32>
  %ok1 = "stablehlo.count_leading_zeros"(%a) : (tensor<4xi8>) -> tensor<4xi8>
  %ok2 = "stablehlo.maximum"(%b, %b) : (tensor<4xi1>, tensor<4xi1>) -> tensor<4xi1>
  %0 = "stablehlo.shift_left"(%a, %a) : (tensor<4xi8>, tensor<4xi8>) -> tensor<4xi8> loc(#scope)
  %1 = "stablehlo.shift_right_logical"(%a, %a) : (tensor<4xi8>, tensor<4xi8>) -> tensor<4xi8>
  %2 = "stablehlo.shift_right_arithmetic"(%a, %a) : (tensor<4xi8>, tensor<4xi8>) -> tensor<4xi8>
  %half = "stablehlo.constant"() <{value = dense<1> : tensor<4xi16>}> : () -> tensor<4xi16>
  %3 = "stablehlo.shift_left"(%half, %half) : (tensor<4xi16>, tensor<4xi16>) -> tensor<4xi16>
  %4 = "stablehlo.add"(%b, %b) : (tensor<4xi1>, tensor<4xi1>) -> tensor<4xi1>
  %5 = "stablehlo.multiply"(%b, %b) : (tensor<4xi1>, tensor<4xi1>) -> tensor<4xi1>
  %6 = "stablehlo.compare"(%f, %f) <{comparison_direction = #stablehlo<comparison_direction LT>, compare_type = #stablehlo<comparison_type TOTALORDER>}> : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xi1>
  %no = "stablehlo.constant"() <{value = dense<false> : tensor<i1>}> : () -> tensor<i1>
  %7 = "stablehlo.reduce"(%b, %no) <{dimensions = array<i64: 0>}> ({
  ^bb0(%x: tensor<i1>, %y: tensor<i1>):
    %z = "stablehlo.add"(%x, %y) : (tensor<i1>, tensor<i1>) -> tensor<i1>
    "stablehlo.return"(%z) : (tensor<i1>) -> ()
  }) : (tensor<4xi1>, tensor<i1>) -> tensor<i1>
  return
}
