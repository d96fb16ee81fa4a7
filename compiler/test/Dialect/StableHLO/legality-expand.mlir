// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: not loom-opt %s --loom-expand --loom-check-legality 2>&1 | FileCheck %s

// What is written out where it matches is refused by name where it does not.
// CHECK: error: 4 things in this program cannot be compiled
// CHECK: stablehlo.custom_call: it calls code outside the program ('ApproxTopK'); remove
// CHECK: stablehlo.rng_bit_generator: this generator of random numbers is not compiled; use
// CHECK: stablehlo.rng: this generator of random numbers is not compiled
// CHECK: stablehlo.fft: it transforms more than 2^24 elements along a dimension; transform in parts
func.func @main(%x: tensor<8xf32>, %z: tensor<f32>, %s: tensor<4xui64>, %big: tensor<16777217xf32>) {
  %0 = "stablehlo.custom_call"(%x, %z) <{call_target_name = "ApproxTopK"}> : (tensor<8xf32>, tensor<f32>) -> tensor<3xf32>
  %1:2 = "stablehlo.rng_bit_generator"(%s) <{rng_algorithm = "PHILOX"}> : (tensor<4xui64>) -> (tensor<4xui64>, tensor<8xui32>)
  %n = "stablehlo.constant"() <{value = dense<4> : tensor<1xi64>}> : () -> tensor<1xi64>
  %2 = "stablehlo.rng"(%z, %z, %n) <{rng_distribution = "UNIFORM"}> : (tensor<f32>, tensor<f32>, tensor<1xi64>) -> tensor<4xf32>
  %3:2 = "stablehlo.fft"(%big) <{fft_type = "RFFT", fft_length = array<i64: 16777217>}> : (tensor<16777217xf32>) -> (tensor<8388609xf32>, tensor<8388609xf32>)
  return
}
