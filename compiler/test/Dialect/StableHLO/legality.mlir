// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: not loom-opt %s -loom-check-legality=require-npu 2>&1 | FileCheck %s

// Everything at once, with line, module, operation, reason, remedy, count.
// CHECK: error: 10 things in this program cannot be compiled
// CHECK: note: {{.*}}main: argument 1 is ?x4: shapes known only at run time are not compiled; export with concrete sizes, e.g. a batch of 1
// CHECK: note: model.py:7:3: CNN/Dense_0: stablehlo.sort: the NPU does not sort; sort on the host after the model (2 times)
// CHECK: note: stablehlo.dynamic_reshape: shapes that depend on data are not compiled; export with concrete shapes
// CHECK: note: stablehlo.negate: operand 0 is ?x4: shapes known only
// CHECK: note: stablehlo.all_reduce: programs for several devices are not compiled; trace on one device
// CHECK: note: stablehlo.custom_call: it calls code outside the program ('xla_python_cpu_callback')
// CHECK: note: stablehlo.frobnicate: the operation is not compiled
// CHECK: note: stablehlo.reduce: its reducer is not one of add
// CHECK: note: stablehlo.uniform_quantize: quantised types are not compiled
// CHECK: note: stablehlo.count_leading_zeros: operand 0 has element type i1, which this operation does not take; convert to i8, i16, i32, ui8, ui16 or ui32
#line = loc("model.py":7:3)
#scope = loc("jit(f)/CNN/Dense_0/sort"(#line))
func.func @main(%x: tensor<4x4xf32>, %d: tensor<?x4xf32>, %e: tensor<4xf64>, %i: tensor<2xi32>, %img: tensor<2x8x8x2xf32>, %k: tensor<3x3x2x2xf32>) {
  %s = "stablehlo.sort"(%x) <{dimension = 0 : i64}> ({
  ^bb0(%a: tensor<f32>, %b: tensor<f32>):
    %c = "stablehlo.compare"(%a, %b) <{comparison_direction = #stablehlo<comparison_direction LT>}> : (tensor<f32>, tensor<f32>) -> tensor<i1>
    "stablehlo.return"(%c) : (tensor<i1>) -> ()
  }) : (tensor<4x4xf32>) -> tensor<4x4xf32> loc(#scope)
  %s2 = "stablehlo.sort"(%s) <{dimension = 0 : i64}> ({
  ^bb0(%a: tensor<f32>, %b: tensor<f32>):
    %c = "stablehlo.compare"(%a, %b) <{comparison_direction = #stablehlo<comparison_direction GT>}> : (tensor<f32>, tensor<f32>) -> tensor<i1>
    "stablehlo.return"(%c) : (tensor<i1>) -> ()
  }) : (tensor<4x4xf32>) -> tensor<4x4xf32> loc(#scope)
  %r = "stablehlo.dynamic_reshape"(%x, %i) : (tensor<4x4xf32>, tensor<2xi32>) -> tensor<?x4xf32> loc(unknown)
  %n = "stablehlo.negate"(%d) : (tensor<?x4xf32>) -> tensor<?x4xf32> loc(unknown)
  %ar = "stablehlo.all_reduce"(%x) ({
  ^bb0(%a: tensor<f32>, %b: tensor<f32>):
    "stablehlo.return"(%a) : (tensor<f32>) -> ()
  }) : (tensor<4x4xf32>) -> tensor<4x4xf32> loc(unknown)
  %cc = "stablehlo.custom_call"(%x) <{call_target_name = "xla_python_cpu_callback"}> : (tensor<4x4xf32>) -> tensor<4x4xf32> loc(unknown)
  %f = "stablehlo.frobnicate"(%x) : (tensor<4x4xf32>) -> tensor<4x4xf32> loc(unknown)
  %b = "stablehlo.compare"(%x, %x) <{comparison_direction = #stablehlo<comparison_direction LT>}> : (tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<4x4xi1> loc(unknown)
  %an = "stablehlo.bitcast_convert"(%x) : (tensor<4x4xf32>) -> tensor<4x4xi32> loc("jit(f)/skip/this"("skip.py":1:1))
  %m = "stablehlo.and"(%b, %b) : (tensor<4x4xi1>, tensor<4x4xi1>) -> tensor<4x4xi1> loc(unknown)
  %zero = "stablehlo.constant"() <{value = dense<0.0> : tensor<f32>}> : () -> tensor<f32> loc(unknown)
  %red = "stablehlo.reduce"(%x, %zero) <{dimensions = array<i64: 0>}> ({
  ^bb0(%p: tensor<f32>, %q: tensor<f32>):
    %t = "stablehlo.subtract"(%p, %q) : (tensor<f32>, tensor<f32>) -> tensor<f32>
    "stablehlo.return"(%t) : (tensor<f32>) -> ()
  }) : (tensor<4x4xf32>, tensor<f32>) -> tensor<4xf32> loc(unknown)
  %c1 = "stablehlo.convolution"(%img, %k) <{
    window_strides = array<i64: 1, 1>, padding = array<i64: 0, 0, 0, 0>,
    lhs_dilation = array<i64: 1, 1>, rhs_dilation = array<i64: 1, 1>,
    window_reversal = array<i1: false, false>,
    input_batch_dimension = 0 : i64, input_feature_dimension = 3 : i64,
    input_spatial_dimensions = array<i64: 1, 2>,
    kernel_input_feature_dimension = 2 : i64, kernel_output_feature_dimension = 3 : i64,
    kernel_spatial_dimensions = array<i64: 0, 1>,
    output_batch_dimension = 0 : i64, output_feature_dimension = 3 : i64,
    output_spatial_dimensions = array<i64: 1, 2>,
    feature_group_count = 1 : i64, batch_group_count = 2 : i64}>
    : (tensor<2x8x8x2xf32>, tensor<3x3x2x2xf32>) -> tensor<1x6x6x2xf32> loc(unknown)
  %q = "stablehlo.uniform_quantize"(%x) : (tensor<4x4xf32>) -> tensor<4x4xf32> loc(unknown)
  %z = "stablehlo.count_leading_zeros"(%b) : (tensor<4x4xi1>) -> tensor<4x4xi1> loc(unknown)
  return
}
