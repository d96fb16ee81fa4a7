// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: loom-opt %s -loom-inline-calls=max-operations=20 -verify-diagnostics

// expected-error @+1 {{has more than 20 operations after inlining}}
func.func @main(%x: tensor<f32>) -> tensor<f32> {
  %0 = func.call @a(%x) : (tensor<f32>) -> tensor<f32>
  %1 = func.call @a(%0) : (tensor<f32>) -> tensor<f32>
  return %1 : tensor<f32>
}
func.func private @a(%x: tensor<f32>) -> tensor<f32> {
  %0 = func.call @b(%x) : (tensor<f32>) -> tensor<f32>
  %1 = func.call @b(%0) : (tensor<f32>) -> tensor<f32>
  return %1 : tensor<f32>
}
func.func private @b(%x: tensor<f32>) -> tensor<f32> {
  %0 = "stablehlo.negate"(%x) : (tensor<f32>) -> tensor<f32>
  %1 = "stablehlo.negate"(%0) : (tensor<f32>) -> tensor<f32>
  return %1 : tensor<f32>
}
