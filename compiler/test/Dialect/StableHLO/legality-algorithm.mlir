// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: not loom-opt %s -loom-check-legality=require-npu 2>&1 | FileCheck %s

// An algorithm that is what a product does anyway passes; jax.nn.dot_product_attention writes it out in bf16. Others would
// change the bits that were asked for.
// CHECK: error: 2 things in this program cannot be compiled
// CHECK-COUNT-2: stablehlo.dot_general: a dot_general with an algorithm other than its operands' type, one pass and sums in f32 is not compiled; leave the precision argument at its default
// CHECK-NOT: note:
func.func @main(%b: tensor<4x4xbf16>, %f: tensor<4x4xf32>) {
  %native = "stablehlo.dot_general"(%b, %b) <{
    lhs_batching_dimensions = array<i64>, rhs_batching_dimensions = array<i64>,
    lhs_contracting_dimensions = array<i64: 1>, rhs_contracting_dimensions = array<i64: 0>,
    algorithm = {accumulation_type = f32, allow_imprecise_accumulation = false, lhs_component_count = 1 : i64, lhs_precision_type = bf16,
                 num_primitive_operations = 1 : i64, rhs_component_count = 1 : i64, rhs_precision_type = bf16}
  }> : (tensor<4x4xbf16>, tensor<4x4xbf16>) -> tensor<4x4xf32>
  %rounded = "stablehlo.dot_general"(%f, %f) <{
    lhs_batching_dimensions = array<i64>, rhs_batching_dimensions = array<i64>,
    lhs_contracting_dimensions = array<i64: 1>, rhs_contracting_dimensions = array<i64: 0>,
    algorithm = {accumulation_type = f32, allow_imprecise_accumulation = false, lhs_component_count = 1 : i64, lhs_precision_type = bf16,
                 num_primitive_operations = 1 : i64, rhs_component_count = 1 : i64, rhs_precision_type = bf16}
  }> : (tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<4x4xf32>
  %passes = "stablehlo.dot_general"(%b, %b) <{
    lhs_batching_dimensions = array<i64>, rhs_batching_dimensions = array<i64>,
    lhs_contracting_dimensions = array<i64: 1>, rhs_contracting_dimensions = array<i64: 0>,
    algorithm = {accumulation_type = f32, allow_imprecise_accumulation = false, lhs_component_count = 1 : i64, lhs_precision_type = bf16,
                 num_primitive_operations = 3 : i64, rhs_component_count = 1 : i64, rhs_precision_type = bf16}
  }> : (tensor<4x4xbf16>, tensor<4x4xbf16>) -> tensor<4x4xf32>
  return
}
