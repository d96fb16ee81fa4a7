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

// What is not written out keeps its function as it is.
// CHECK-LABEL: func.func @kept(%arg0: tensor<4xcomplex<f32>>)
// CHECK: stablehlo.negate{{.*}}complex<f32>
// CHECK: stablehlo.fft
func.func @kept(%z: tensor<4xcomplex<f32>>) -> tensor<4xcomplex<f32>> {
  %0 = "stablehlo.negate"(%z) : (tensor<4xcomplex<f32>>) -> tensor<4xcomplex<f32>>
  %1 = "stablehlo.fft"(%0) <{fft_type = "FFT", fft_length = array<i64: 4>}> : (tensor<4xcomplex<f32>>) -> tensor<4xcomplex<f32>>
  return %1 : tensor<4xcomplex<f32>>
}
