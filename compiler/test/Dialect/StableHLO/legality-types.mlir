// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: not loom-opt %s -loom-check-legality=require-npu 2>&1 | FileCheck %s

// What the vector unit has no form of is refused here, where all is refused at once, not by the lowering; without
// require-npu some of it goes to the CPU engine.
// CHECK: error: 4 things in this program cannot be compiled
// CHECK: note: model.py:7:3: Net/hash: stablehlo.shift_left: operand 0 has element type i1, which this operation does not take; convert to i8, i16, i32, ui8, ui16 or ui32
// CHECK: note: {{.*}}stablehlo.negate: operand 0 has element type i1, which this operation does not take; convert to f32, bf16, f16, i8, i16, i32, ui8, ui16 or ui32
// CHECK: note: {{.*}}stablehlo.iota: result 0 has element type i64, which this operation does not take; convert to f32, bf16, f16, i8, i16, i32, ui8, ui16 or ui32
// CHECK: note: {{.*}}stablehlo.dot_general: a product of floats that leaves as an integer is not compiled; convert the operands, or the result
#line = loc("model.py":7:3)
#scope = loc("jit(f)/Net/hash/shift_left"(#line))
func.func @main(%a: tensor<4xi8>, %w: tensor<4xui16>, %b: tensor<4xi1>, %f: tensor<4xf32>) {
  %ok0 = "stablehlo.shift_left"(%w, %w) : (tensor<4xui16>, tensor<4xui16>) -> tensor<4xui16>
  %ok1 = "stablehlo.popcnt"(%a) : (tensor<4xi8>) -> tensor<4xi8>
  %ok2 = "stablehlo.multiply"(%b, %b) : (tensor<4xi1>, tensor<4xi1>) -> tensor<4xi1>
  %ok3 = "stablehlo.compare"(%f, %f) <{comparison_direction = #stablehlo<comparison_direction LT>, compare_type = #stablehlo<comparison_type TOTALORDER>}> : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xi1>
  %no = "stablehlo.constant"() <{value = dense<false> : tensor<i1>}> : () -> tensor<i1>
  %ok4 = "stablehlo.reduce"(%b, %no) <{dimensions = array<i64: 0>}> ({
  ^bb0(%x: tensor<i1>, %y: tensor<i1>):
    %z = "stablehlo.add"(%x, %y) : (tensor<i1>, tensor<i1>) -> tensor<i1>
    "stablehlo.return"(%z) : (tensor<i1>) -> ()
  }) : (tensor<4xi1>, tensor<i1>) -> tensor<i1>
  %0 = "stablehlo.shift_left"(%b, %b) : (tensor<4xi1>, tensor<4xi1>) -> tensor<4xi1> loc(#scope)
  %1 = "stablehlo.negate"(%b) : (tensor<4xi1>) -> tensor<4xi1>
  %2 = "stablehlo.iota"() <{iota_dimension = 0 : i64}> : () -> tensor<4xi64>
  %3 = "stablehlo.dot_general"(%f, %f) <{lhs_batching_dimensions = array<i64>, rhs_batching_dimensions = array<i64>, lhs_contracting_dimensions = array<i64: 0>, rhs_contracting_dimensions = array<i64: 0>}> : (tensor<4xf32>, tensor<4xf32>) -> tensor<i32>
  return
}
