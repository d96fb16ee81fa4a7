// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: loom-opt %s -loom-convert-vhlo -split-input-file -verify-diagnostics | FileCheck %s

// CHECK: func.func @main(%arg0: tensor<2x3xf32> {jax.buffer_donor = true}, %arg1: tensor<3x4xf32>) -> (tensor<2x4xf32> {jax.result_info = "result[0]"})
// CHECK: stablehlo.dot_general{{.*}}lhs_batching_dimensions = array<i64>, lhs_contracting_dimensions = array<i64: 1>
// CHECK-SAME: precision_config = ["DEFAULT", "DEFAULT"]
// CHECK-NOT: algorithm
// CHECK: call @f
// CHECK: func.func private @f
// CHECK: stablehlo.compare{{.*}}compare_type = #stablehlo<comparison_type FLOAT>, comparison_direction = #stablehlo<comparison_direction GT>
// CHECK: stablehlo.exponential{{.*}} : (tensor<2x4xf32>)
// CHECK: stablehlo.reduce_window{{.*}}padding = array<i64: 0, 0, 1, 2>
// CHECK: stablehlo.dynamic_pad
"vhlo.func_v1"() ({
^bb0(%a: tensor<2x3xf32>, %b: tensor<3x4xf32>):
  %0 = "vhlo.dot_general_v2"(%a, %b) {accumulation_type = none, allow_imprecise_accumulation = none, lhs_batching_dimensions = dense<> : tensor<0xi64>, lhs_component_count = none, lhs_contracting_dimensions = dense<1> : tensor<1xi64>, lhs_precision_type = none, num_primitive_operations = none, precision_config = ["DEFAULT", "DEFAULT"], rhs_batching_dimensions = dense<> : tensor<0xi64>, rhs_component_count = none, rhs_contracting_dimensions = dense<0> : tensor<1xi64>, rhs_precision_type = none} : (tensor<2x3xf32>, tensor<3x4xf32>) -> tensor<2x4xf32>
  %1 = "vhlo.call_v1"(%0) {callee = "f"} : (tensor<2x4xf32>) -> tensor<2x4xf32>
  "vhlo.return_v1"(%1) : (tensor<2x4xf32>) -> ()
}) {sym_name = "main", sym_visibility = "public", function_type = (tensor<2x3xf32>, tensor<3x4xf32>) -> tensor<2x4xf32>, arg_attrs = [{jax.buffer_donor = true}, {}], res_attrs = [{jax.result_info = "result[0]"}]} : () -> ()
"vhlo.func_v1"() ({
^bb0(%a: tensor<2x4xf32>):
  %0 = "vhlo.compare_v1"(%a, %a) {comparison_direction = "GT", compare_type = "FLOAT"} : (tensor<2x4xf32>, tensor<2x4xf32>) -> tensor<2x4xi1>
  %1 = "vhlo.exponential_v2"(%a) {result_accuracy = {atol = 0.0 : f64, mode = "DEFAULT", rtol = 0.0 : f64, ulps = 0 : i64}} : (tensor<2x4xf32>) -> tensor<2x4xf32>
  %z = "vhlo.constant_v1"() {value = dense<0.0> : tensor<f32>} : () -> tensor<f32>
  %2 = "vhlo.reduce_window_v1"(%1, %z) ({
  ^bb0(%x: tensor<f32>, %y: tensor<f32>):
    %s = "vhlo.add_v1"(%x, %y) : (tensor<f32>, tensor<f32>) -> tensor<f32>
    "vhlo.return_v1"(%s) : (tensor<f32>) -> ()
  }) {base_dilations = dense<1> : tensor<2xi64>, padding = dense<[[0, 0], [1, 2]]> : tensor<2x2xi64>, window_dilations = dense<1> : tensor<2xi64>, window_dimensions = dense<[1, 2]> : tensor<2xi64>, window_strides = dense<1> : tensor<2xi64>} : (tensor<2x4xf32>, tensor<f32>) -> tensor<2x6xf32>
  %3 = "vhlo.dynamic_pad_v1"(%1, %z) : (tensor<2x4xf32>, tensor<f32>) -> tensor<2x4xf32>
  "vhlo.return_v1"(%3) : (tensor<2x4xf32>) -> ()
}) {sym_name = "f", sym_visibility = "private", function_type = (tensor<2x4xf32>) -> tensor<2x4xf32>, arg_attrs = [], res_attrs = []} : () -> ()

// -----

// Deprecated dot and broadcast, and gather without batching dimensions.
// CHECK-LABEL: @old
// CHECK: stablehlo.dot_general{{.*}}lhs_contracting_dimensions = array<i64: 1>{{.*}}rhs_contracting_dimensions = array<i64: 0>
// CHECK: stablehlo.broadcast_in_dim{{.*}}broadcast_dimensions = array<i64: 1, 2>
// CHECK: stablehlo.sort{{.*}}dimension = 1 : i64, is_stable = true
// CHECK: stablehlo.gather{{.*}}operand_batching_dims = array<i64>
"vhlo.func_v1"() ({
^bb0(%a: tensor<2x3xf32>, %b: tensor<3xf32>, %i: tensor<5x1xi32>):
  %0 = "vhlo.dot_v1"(%a, %b) {precision_config = []} : (tensor<2x3xf32>, tensor<3xf32>) -> tensor<2xf32>
  %1 = "vhlo.broadcast_v1"(%a) {broadcast_sizes = dense<4> : tensor<1xi64>} : (tensor<2x3xf32>) -> tensor<4x2x3xf32>
  %s = "vhlo.sort_v1"(%a) ({
  ^bb0(%x: tensor<f32>, %y: tensor<f32>):
    %c = "vhlo.compare_v1"(%x, %y) {comparison_direction = "LT", compare_type = "NOTYPE"} : (tensor<f32>, tensor<f32>) -> tensor<i1>
    "vhlo.return_v1"(%c) : (tensor<i1>) -> ()
  }) {dimension = -1 : i64, is_stable = true} : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %2 = "vhlo.gather_v1"(%a, %i) {collapsed_slice_dims = dense<0> : tensor<1xi64>, index_vector_dim = 1 : i64, indices_are_sorted = false, offset_dims = dense<1> : tensor<1xi64>, slice_sizes = dense<[1, 3]> : tensor<2xi64>, start_index_map = dense<0> : tensor<1xi64>} : (tensor<2x3xf32>, tensor<5x1xi32>) -> tensor<5x3xf32>
  "vhlo.return_v1"(%2) : (tensor<5x3xf32>) -> ()
}) {sym_name = "old", sym_visibility = "", function_type = (tensor<2x3xf32>, tensor<3xf32>, tensor<5x1xi32>) -> tensor<5x3xf32>, arg_attrs = [], res_attrs = []} : () -> ()

// -----

// What a custom call computes with is named.
// CHECK-LABEL: @calls
// CHECK: stablehlo.custom_call{{.*}}call_target_name = "f", called_computations = [@calls]
// CHECK: stablehlo.custom_call
// CHECK-NOT: called_computations
"vhlo.func_v1"() ({
^bb0(%a: tensor<2xf32>):
  %0 = "vhlo.custom_call_v1"(%a) {api_version = "ORIGINAL", backend_config = "", call_target_name = "f", called_computations = ["calls"], has_side_effect = false, operand_layouts = [], output_operand_aliases = [], result_layouts = []} : (tensor<2xf32>) -> tensor<2xf32>
  %1 = "vhlo.custom_call_v1"(%0) {api_version = "ORIGINAL", backend_config = "", call_target_name = "f", called_computations = [], has_side_effect = false, operand_layouts = [], output_operand_aliases = [], result_layouts = []} : (tensor<2xf32>) -> tensor<2xf32>
  "vhlo.return_v1"(%1) : (tensor<2xf32>) -> ()
}) {sym_name = "calls", sym_visibility = "", function_type = (tensor<2xf32>) -> tensor<2xf32>, arg_attrs = [], res_attrs = []} : () -> ()

// -----

"vhlo.func_v1"() ({
^bb0(%a: tensor<2xf32>):
  // expected-error @+1 {{attribute 'called_computations' of 'vhlo.custom_call_v1' has no valid value}}
  %0 = "vhlo.custom_call_v1"(%a) {api_version = "ORIGINAL", backend_config = "", call_target_name = "f", called_computations = [1], has_side_effect = false, operand_layouts = [], output_operand_aliases = [], result_layouts = []} : (tensor<2xf32>) -> tensor<2xf32>
  "vhlo.return_v1"(%0) : (tensor<2xf32>) -> ()
}) {sym_name = "calls", sym_visibility = "", function_type = (tensor<2xf32>) -> tensor<2xf32>, arg_attrs = [], res_attrs = []} : () -> ()

// -----

"vhlo.func_v1"() ({
^bb0(%a: tensor<2x3xf32>):
  // expected-error @+1 {{attribute 'permutation' of 'vhlo.transpose_v1' has no valid value}}
  %0 = "vhlo.transpose_v1"(%a) {permutation = "x"} : (tensor<2x3xf32>) -> tensor<3x2xf32>
  "vhlo.return_v1"(%0) : (tensor<3x2xf32>) -> ()
}) {sym_name = "bad", sym_visibility = "", function_type = (tensor<2x3xf32>) -> tensor<3x2xf32>, arg_attrs = [], res_attrs = []} : () -> ()

// -----

"vhlo.func_v1"() ({
^bb0(%a: tensor<*xf32>):
  // expected-error @+1 {{'negate' has a tensor without a rank; Loom compiles static shapes}}
  %0 = "vhlo.negate_v1"(%a) : (tensor<*xf32>) -> tensor<*xf32>
  "vhlo.return_v1"(%0) : (tensor<*xf32>) -> ()
}) {sym_name = "unranked", sym_visibility = "", function_type = (tensor<*xf32>) -> tensor<*xf32>, arg_attrs = [], res_attrs = []} : () -> ()

// -----

// expected-error @+1 {{function 'lie': arguments differ from its type}}
"vhlo.func_v1"() ({
^bb0(%a: tensor<2xf32>):
  "vhlo.return_v1"(%a) : (tensor<2xf32>) -> ()
}) {sym_name = "lie", sym_visibility = "", function_type = (tensor<3xf32>) -> tensor<2xf32>, arg_attrs = [], res_attrs = []} : () -> ()
