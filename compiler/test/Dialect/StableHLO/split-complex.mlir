// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: loom-opt %s --loom-split-complex | FileCheck %s

// The caller's pairs lie together; inside, each part is a tensor of its own.
// CHECK-LABEL: func.func @product(%arg0: tensor<4x2xf32> {loom.complex}, %arg1: tensor<4xf32>) -> (tensor<4x2xf32> {loom.complex})
// CHECK-NOT: complex<f32>
// CHECK-COUNT-4: stablehlo.multiply
// CHECK-NOT: stablehlo.multiply
// CHECK: stablehlo.concatenate{{.*}} -> tensor<4x2xf32>
func.func @product(%z: tensor<4xcomplex<f32>>, %x: tensor<4xf32>) -> tensor<4xcomplex<f32>> {
  %w = "stablehlo.complex"(%x, %x) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xcomplex<f32>>
  %0 = "stablehlo.multiply"(%z, %w) : (tensor<4xcomplex<f32>>, tensor<4xcomplex<f32>>) -> tensor<4xcomplex<f32>>
  return %0 : tensor<4xcomplex<f32>>
}

// A body that multiplies needs both parts: one reduction of two operands.
// CHECK-LABEL: func.func @reduce
// CHECK: "stablehlo.reduce"({{.*}}) <{dimensions = array<i64: 0>}> ({
// CHECK: }) : (tensor<4xf32>, tensor<4xf32>, tensor<f32>, tensor<f32>) -> (tensor<f32>, tensor<f32>)
func.func @reduce(%z: tensor<4xcomplex<f32>>) -> tensor<f32> {
  %one = "stablehlo.constant"() <{value = dense<(1.0,0.0)> : tensor<complex<f32>>}> : () -> tensor<complex<f32>>
  %0 = "stablehlo.reduce"(%z, %one) <{dimensions = array<i64: 0>}> ({
  ^bb0(%a: tensor<complex<f32>>, %b: tensor<complex<f32>>):
    %c = "stablehlo.multiply"(%a, %b) : (tensor<complex<f32>>, tensor<complex<f32>>) -> tensor<complex<f32>>
    "stablehlo.return"(%c) : (tensor<complex<f32>>) -> ()
  }) : (tensor<4xcomplex<f32>>, tensor<complex<f32>>) -> tensor<complex<f32>>
  %1 = "stablehlo.abs"(%0) : (tensor<complex<f32>>) -> tensor<f32>
  return %1 : tensor<f32>
}

// So does an update; a transform takes both parts and gives both. Bits of pairs stay pairs.
// CHECK-LABEL: func.func @parts
// CHECK: "stablehlo.scatter"({{.*}}) <{
// CHECK: }) : (tensor<4xf32>, tensor<4xf32>, tensor<1x1xi32>, tensor<1xf32>, tensor<1xf32>) -> (tensor<4xf32>, tensor<4xf32>)
// CHECK: "stablehlo.fft"({{.*}}) <{fft_length = array<i64: 4>, fft_type = "IFFT"}> : (tensor<4xf32>, tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>)
// CHECK-NOT: bitcast_convert
// CHECK: "stablehlo.fft"({{.*}}) <{fft_length = array<i64: 6>, fft_type = "IRFFT"}> : (tensor<4xf32>, tensor<4xf32>) -> tensor<6xf32>
func.func @parts(%z: tensor<4xcomplex<f32>>, %i: tensor<1x1xi32>, %u: tensor<1xcomplex<f32>>) -> tensor<6xf32> {
  %0 = "stablehlo.scatter"(%z, %i, %u) <{update_window_dims = array<i64>, inserted_window_dims = array<i64: 0>, input_batching_dims = array<i64>, scatter_indices_batching_dims = array<i64>, scatter_dims_to_operand_dims = array<i64: 0>, index_vector_dim = 1 : i64}> ({
  ^bb0(%a: tensor<complex<f32>>, %b: tensor<complex<f32>>):
    %c = "stablehlo.multiply"(%a, %b) : (tensor<complex<f32>>, tensor<complex<f32>>) -> tensor<complex<f32>>
    "stablehlo.return"(%c) : (tensor<complex<f32>>) -> ()
  }) : (tensor<4xcomplex<f32>>, tensor<1x1xi32>, tensor<1xcomplex<f32>>) -> tensor<4xcomplex<f32>>
  %1 = "stablehlo.fft"(%0) <{fft_type = "IFFT", fft_length = array<i64: 4>}> : (tensor<4xcomplex<f32>>) -> tensor<4xcomplex<f32>>
  %2 = "stablehlo.bitcast_convert"(%1) : (tensor<4xcomplex<f32>>) -> tensor<4xcomplex<f32>>
  %3 = "stablehlo.fft"(%2) <{fft_type = "IRFFT", fft_length = array<i64: 6>}> : (tensor<4xcomplex<f32>>) -> tensor<6xf32>
  return %3 : tensor<6xf32>
}

// Linear algebra takes both parts together.
// CHECK-LABEL: func.func @solve
// CHECK: %[[L:.*]]:2 = "stablehlo.custom_call"(%{{.*}}, %{{.*}}) <{backend_config = {lower = true}, call_target_name = "loom.cholesky"{{.*}}}> : (tensor<4x4xf32>, tensor<4x4xf32>) -> (tensor<4x4xf32>, tensor<4x4xf32>)
// CHECK: "stablehlo.custom_call"(%[[L]]#0, %[[L]]#1, %{{.*}}, %{{.*}}) <{{.*}}transpose_a = "ADJOINT"{{.*}}"loom.triangular_solve"{{.*}} : (tensor<4x4xf32>, tensor<4x4xf32>, tensor<4x2xf32>, tensor<4x2xf32>) -> (tensor<4x2xf32>, tensor<4x2xf32>)
func.func @solve(%a: tensor<4x4xcomplex<f32>>, %b: tensor<4x2xcomplex<f32>>) -> tensor<4x2xcomplex<f32>> {
  %0 = "stablehlo.cholesky"(%a) <{lower = true}> : (tensor<4x4xcomplex<f32>>) -> tensor<4x4xcomplex<f32>>
  %1 = "stablehlo.triangular_solve"(%0, %b) <{left_side = true, lower = true, unit_diagonal = false, transpose_a = "ADJOINT"}> : (tensor<4x4xcomplex<f32>>, tensor<4x2xcomplex<f32>>) -> tensor<4x2xcomplex<f32>>
  return %1 : tensor<4x2xcomplex<f32>>
}

// What is not written out keeps its function as it is.
// CHECK-LABEL: func.func @kept(%arg0: tensor<4xcomplex<f32>>)
// CHECK: stablehlo.negate{{.*}}complex<f32>
// CHECK: stablehlo.cbrt
func.func @kept(%z: tensor<4xcomplex<f32>>) -> tensor<4xcomplex<f32>> {
  %0 = "stablehlo.negate"(%z) : (tensor<4xcomplex<f32>>) -> tensor<4xcomplex<f32>>
  %1 = "stablehlo.cbrt"(%0) : (tensor<4xcomplex<f32>>) -> tensor<4xcomplex<f32>>
  return %1 : tensor<4xcomplex<f32>>
}
