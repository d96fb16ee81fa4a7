// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: loom-opt %s --loom-assign-engine | FileCheck %s --check-prefix=MARK
// RUN: loom-opt %s --loom-assign-engine --loom-convert-stablehlo-to-loomt | FileCheck %s
// RUN: loom-opt %s --loom-assign-engine --loom-convert-stablehlo-to-loomt --loom-fuse-loomt --loom-order-engines | FileCheck %s --check-prefix=ORDER

// What the NPU cannot run is marked with the reason, and becomes a CPU operation; products and maps stay.
// MARK-NOT: dot_general{{.*}}loom.cpu
// MARK: loom.cpu = "the NPU does not sort"
// MARK: "stablehlo.gather"{{.*}}loom.cpu = "indexing by data
// CHECK: loomt.contract
// CHECK: "loomt.cpu"
// CHECK-SAME: outs = [array<i64: 0, 0, 0, 32, 32, 32, 1>, array<i64: 1, 4, 0, 64, 1>], params = array<i64: 1, 1>, program = array<i32: 1, 0, 0, 0, 1, 1, 0, 0, 50, 0, 1, 0, 2, 2, 0, 0>
// CHECK-SAME: source = "sort", structure = 7
// CHECK: loomt.map
// CHECK: "loomt.cpu"
// CHECK-SAME: maps = [array<i64: 0, -1>, array<i64: 0, 1>]
// CHECK-SAME: params = array<i64: 1, 31, 0, 0, 0, 0, 0, 0, 0>
// CHECK-SAME: structure = 5
// CHECK-SAME: walks = [array<i64: 1>]

// The NPU's map comes after both CPU operations: one segment of each instead of four in all.
// ORDER: loomt.contract
// ORDER-NOT: loomt.map
// ORDER: source = "sort"
// ORDER-NOT: loomt.map
// ORDER: source = "gather"
// ORDER: loomt.map
func.func @main(%a: tensor<32x32xf32>, %b: tensor<32x32xf32>, %i: tensor<4x1xi32>) -> (tensor<32x32xf32>, tensor<16x4xf32>) {
  %0 = "stablehlo.dot_general"(%a, %b) <{lhs_batching_dimensions = array<i64>, rhs_batching_dimensions = array<i64>, lhs_contracting_dimensions = array<i64: 1>, rhs_contracting_dimensions = array<i64: 0>}> : (tensor<32x32xf32>, tensor<32x32xf32>) -> tensor<32x32xf32>
  %s = "stablehlo.sort"(%0) <{dimension = 1 : i64}> ({
  ^bb0(%x: tensor<f32>, %y: tensor<f32>):
    %c = "stablehlo.compare"(%x, %y) <{comparison_direction = #stablehlo<comparison_direction LT>}> : (tensor<f32>, tensor<f32>) -> tensor<i1>
    "stablehlo.return"(%c) : (tensor<i1>) -> ()
  }) : (tensor<32x32xf32>) -> tensor<32x32xf32>
  %1 = "stablehlo.tanh"(%s) : (tensor<32x32xf32>) -> tensor<32x32xf32>
  %g = "stablehlo.gather"(%s, %i) <{offset_dims = array<i64: 0>, collapsed_slice_dims = array<i64: 1>, operand_batching_dims = array<i64>, start_indices_batching_dims = array<i64>, start_index_map = array<i64: 1>, index_vector_dim = 1 : i64, slice_sizes = array<i64: 16, 1>}> : (tensor<32x32xf32>, tensor<4x1xi32>) -> tensor<16x4xf32>
  %2 = "stablehlo.dot_general"(%1, %b) <{lhs_batching_dimensions = array<i64>, rhs_batching_dimensions = array<i64>, lhs_contracting_dimensions = array<i64: 1>, rhs_contracting_dimensions = array<i64: 0>}> : (tensor<32x32xf32>, tensor<32x32xf32>) -> tensor<32x32xf32>
  return %2, %g : tensor<32x32xf32>, tensor<16x4xf32>
}

// Sums into rows: few, or wide ones, on the NPU; many on the CPU engine.
// CHECK-LABEL: func.func @few
// CHECK: loomt.scatter_rows
func.func @few(%t: tensor<50x2xf32>, %i: tensor<512x1xi32>, %u: tensor<512x2xf32>) -> tensor<50x2xf32> {
  %0 = "stablehlo.scatter"(%t, %i, %u) <{update_window_dims = array<i64: 1>, inserted_window_dims = array<i64: 0>, input_batching_dims = array<i64>, scatter_indices_batching_dims = array<i64>, scatter_dims_to_operand_dims = array<i64: 0>, index_vector_dim = 1 : i64}> ({
  ^bb0(%a: tensor<f32>, %b: tensor<f32>):
    %s = "stablehlo.add"(%a, %b) : (tensor<f32>, tensor<f32>) -> tensor<f32>
    "stablehlo.return"(%s) : (tensor<f32>) -> ()
  }) : (tensor<50x2xf32>, tensor<512x1xi32>, tensor<512x2xf32>) -> tensor<50x2xf32>
  return %0 : tensor<50x2xf32>
}

// CHECK-LABEL: func.func @wide
// CHECK: loomt.scatter_rows
func.func @wide(%t: tensor<50x17xf32>, %i: tensor<4096x1xi32>, %u: tensor<4096x17xf32>) -> tensor<50x17xf32> {
  %0 = "stablehlo.scatter"(%t, %i, %u) <{update_window_dims = array<i64: 1>, inserted_window_dims = array<i64: 0>, input_batching_dims = array<i64>, scatter_indices_batching_dims = array<i64>, scatter_dims_to_operand_dims = array<i64: 0>, index_vector_dim = 1 : i64}> ({
  ^bb0(%a: tensor<f32>, %b: tensor<f32>):
    %s = "stablehlo.add"(%a, %b) : (tensor<f32>, tensor<f32>) -> tensor<f32>
    "stablehlo.return"(%s) : (tensor<f32>) -> ()
  }) : (tensor<50x17xf32>, tensor<4096x1xi32>, tensor<4096x17xf32>) -> tensor<50x17xf32>
  return %0 : tensor<50x17xf32>
}

// CHECK-LABEL: func.func @many
// CHECK-NOT: loomt.scatter_rows
// CHECK: loomt.cpu
func.func @many(%t: tensor<50x16xf32>, %i: tensor<513x1xi32>, %u: tensor<513x16xf32>) -> tensor<50x16xf32> {
  %0 = "stablehlo.scatter"(%t, %i, %u) <{update_window_dims = array<i64: 1>, inserted_window_dims = array<i64: 0>, input_batching_dims = array<i64>, scatter_indices_batching_dims = array<i64>, scatter_dims_to_operand_dims = array<i64: 0>, index_vector_dim = 1 : i64}> ({
  ^bb0(%a: tensor<f32>, %b: tensor<f32>):
    %s = "stablehlo.add"(%a, %b) : (tensor<f32>, tensor<f32>) -> tensor<f32>
    "stablehlo.return"(%s) : (tensor<f32>) -> ()
  }) : (tensor<50x16xf32>, tensor<513x1xi32>, tensor<513x16xf32>) -> tensor<50x16xf32>
  return %0 : tensor<50x16xf32>
}

// CHECK-LABEL: func.func @more
// CHECK-NOT: loomt.scatter_rows
// CHECK: loomt.cpu
func.func @more(%t: tensor<50x17xf32>, %i: tensor<4097x1xi32>, %u: tensor<4097x17xf32>) -> tensor<50x17xf32> {
  %0 = "stablehlo.scatter"(%t, %i, %u) <{update_window_dims = array<i64: 1>, inserted_window_dims = array<i64: 0>, input_batching_dims = array<i64>, scatter_indices_batching_dims = array<i64>, scatter_dims_to_operand_dims = array<i64: 0>, index_vector_dim = 1 : i64}> ({
  ^bb0(%a: tensor<f32>, %b: tensor<f32>):
    %s = "stablehlo.add"(%a, %b) : (tensor<f32>, tensor<f32>) -> tensor<f32>
    "stablehlo.return"(%s) : (tensor<f32>) -> ()
  }) : (tensor<50x17xf32>, tensor<4097x1xi32>, tensor<4097x17xf32>) -> tensor<50x17xf32>
  return %0 : tensor<50x17xf32>
}
