// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: loom-opt %s --loom-expand --split-input-file | FileCheck %s

// The approximate largest are the exact ones: a stable sort by the comparator, and its beginning.
// CHECK: func.func private @less
// CHECK-LABEL: func.func @topk
// CHECK: %[[S:.*]]:2 = "stablehlo.sort"(%arg0, %{{.*}}) <{dimension = 0 : i64, is_stable = true}> ({
// CHECK-NEXT: ^bb0(%[[A:.*]]: tensor<f32>, %[[B:.*]]: tensor<f32>, %{{.*}}: tensor<i32>, %{{.*}}: tensor<i32>):
// CHECK-NEXT: "stablehlo.compare"(%[[A]], %[[B]])
// CHECK: "stablehlo.slice"(%[[S]]#0) <{limit_indices = array<i64: 3>
// CHECK: "stablehlo.slice"(%[[S]]#1)
// CHECK-NOT: custom_call
func.func @less(%a: tensor<f32>, %b: tensor<f32>, %i: tensor<i32>, %j: tensor<i32>) -> tensor<i1> {
  %0 = "stablehlo.compare"(%a, %b) <{comparison_direction = #stablehlo<comparison_direction LT>}> : (tensor<f32>, tensor<f32>) -> tensor<i1>
  return %0 : tensor<i1>
}
func.func @topk(%x: tensor<8xf32>, %z: tensor<f32>, %n: tensor<i32>) -> (tensor<3xf32>, tensor<3xi32>) {
  %i = "stablehlo.iota"() <{iota_dimension = 0 : i64}> : () -> tensor<8xi32>
  %0:2 = "stablehlo.custom_call"(%x, %i, %z, %n) <{call_target_name = "ApproxTopK", called_computations = [@less], backend_config = {reduction_dim = 0 : i64}}> : (tensor<8xf32>, tensor<8xi32>, tensor<f32>, tensor<i32>) -> (tensor<3xf32>, tensor<3xi32>)
  return %0#0, %0#1 : tensor<3xf32>, tensor<3xi32>
}

// -----

// Without a comparator, or along no dimension of it, nobody knows what it asks for.
// CHECK-LABEL: func.func @unknown
// CHECK: custom_call
// CHECK: custom_call
func.func @less(%a: tensor<f32>, %b: tensor<f32>) -> tensor<i1> {
  %0 = "stablehlo.compare"(%a, %b) <{comparison_direction = #stablehlo<comparison_direction LT>}> : (tensor<f32>, tensor<f32>) -> tensor<i1>
  return %0 : tensor<i1>
}
func.func @unknown(%x: tensor<8xf32>, %z: tensor<f32>) -> (tensor<3xf32>, tensor<3xf32>) {
  %0 = "stablehlo.custom_call"(%x, %z) <{call_target_name = "ApproxTopK", backend_config = {reduction_dim = 0 : i64}}> : (tensor<8xf32>, tensor<f32>) -> tensor<3xf32>
  %1 = "stablehlo.custom_call"(%x, %z) <{call_target_name = "ApproxTopK", called_computations = [@less], backend_config = {reduction_dim = 1 : i64}}> : (tensor<8xf32>, tensor<f32>) -> tensor<3xf32>
  return %0, %1 : tensor<3xf32>, tensor<3xf32>
}

// -----

// Arithmetic on words; of 64 bits are only the state's casts.
// CHECK-LABEL: func.func @bits
// CHECK: bitcast_convert{{.*}}tensor<2xui64>) -> tensor<2x2xui32>
// CHECK: "stablehlo.iota"() <{iota_dimension = 0 : i64}> : () -> tensor<4xui32>
// CHECK-COUNT-20: stablehlo.shift_left
// CHECK-NOT: stablehlo.shift_left
// CHECK: bitcast_convert{{.*}}tensor<2x2xui32>) -> tensor<2xui64>
// CHECK-NOT: rng_bit_generator
func.func @bits(%s: tensor<2xui64>) -> (tensor<2xui64>, tensor<8xui32>) {
  %0:2 = "stablehlo.rng_bit_generator"(%s) <{rng_algorithm = "THREE_FRY"}> : (tensor<2xui64>) -> (tensor<2xui64>, tensor<8xui32>)
  return %0#0, %0#1 : tensor<2xui64>, tensor<8xui32>
}

// -----

// Floats, and states that the generator does not have, stay.
// CHECK-LABEL: func.func @nobits
// CHECK-COUNT-2: rng_bit_generator
func.func @nobits(%s: tensor<2xui64>, %t: tensor<3xui64>) -> (tensor<8xf32>, tensor<8xui32>) {
  %0:2 = "stablehlo.rng_bit_generator"(%s) <{rng_algorithm = "PHILOX"}> : (tensor<2xui64>) -> (tensor<2xui64>, tensor<8xf32>)
  %1:2 = "stablehlo.rng_bit_generator"(%t) <{rng_algorithm = "THREE_FRY"}> : (tensor<3xui64>) -> (tensor<3xui64>, tensor<8xui32>)
  return %0#1, %1#1 : tensor<8xf32>, tensor<8xui32>
}
