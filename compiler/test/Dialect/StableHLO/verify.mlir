// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: loom-opt %s -split-input-file -verify-diagnostics

func.func @conv_shape(%x: tensor<1x8x8x3xf32>, %k: tensor<3x3x3x4xf32>) -> tensor<1x8x8x4xf32> {
  // expected-error @+1 {{result has shape [1, 8, 8, 4], expected [1, 6, 6, 4]}}
  %0 = "stablehlo.convolution"(%x, %k) <{
    window_strides = array<i64: 1, 1>, padding = array<i64: 0, 0, 0, 0>,
    lhs_dilation = array<i64: 1, 1>, rhs_dilation = array<i64: 1, 1>,
    window_reversal = array<i1: false, false>,
    input_batch_dimension = 0 : i64, input_feature_dimension = 3 : i64,
    input_spatial_dimensions = array<i64: 1, 2>,
    kernel_input_feature_dimension = 2 : i64,
    kernel_output_feature_dimension = 3 : i64,
    kernel_spatial_dimensions = array<i64: 0, 1>,
    output_batch_dimension = 0 : i64, output_feature_dimension = 3 : i64,
    output_spatial_dimensions = array<i64: 1, 2>,
    feature_group_count = 1 : i64, batch_group_count = 1 : i64}>
    : (tensor<1x8x8x3xf32>, tensor<3x3x3x4xf32>) -> tensor<1x8x8x4xf32>
  return %0 : tensor<1x8x8x4xf32>
}

// -----

func.func @conv_groups(%x: tensor<1x8x8x4xf32>, %k: tensor<3x3x4x4xf32>) -> tensor<1x6x6x4xf32> {
  // expected-error @+1 {{input has 4 features in 2 groups, the kernel takes 4}}
  %0 = "stablehlo.convolution"(%x, %k) <{
    window_strides = array<i64: 1, 1>, padding = array<i64: 0, 0, 0, 0>,
    lhs_dilation = array<i64: 1, 1>, rhs_dilation = array<i64: 1, 1>,
    window_reversal = array<i1: false, false>,
    input_batch_dimension = 0 : i64, input_feature_dimension = 3 : i64,
    input_spatial_dimensions = array<i64: 1, 2>,
    kernel_input_feature_dimension = 2 : i64,
    kernel_output_feature_dimension = 3 : i64,
    kernel_spatial_dimensions = array<i64: 0, 1>,
    output_batch_dimension = 0 : i64, output_feature_dimension = 3 : i64,
    output_spatial_dimensions = array<i64: 1, 2>,
    feature_group_count = 2 : i64, batch_group_count = 1 : i64}>
    : (tensor<1x8x8x4xf32>, tensor<3x3x4x4xf32>) -> tensor<1x6x6x4xf32>
  return %0 : tensor<1x6x6x4xf32>
}

// -----

func.func @dot_sizes(%a: tensor<2x3xf32>, %b: tensor<4x5xf32>) -> tensor<2x5xf32> {
  // expected-error @+1 {{contracting dimensions 1 and 0 have sizes 3 and 4}}
  %0 = "stablehlo.dot_general"(%a, %b) <{
    lhs_batching_dimensions = array<i64>, rhs_batching_dimensions = array<i64>,
    lhs_contracting_dimensions = array<i64: 1>,
    rhs_contracting_dimensions = array<i64: 0>}>
    : (tensor<2x3xf32>, tensor<4x5xf32>) -> tensor<2x5xf32>
  return %0 : tensor<2x5xf32>
}

// -----

func.func @dot_dims(%a: tensor<2x3xf32>, %b: tensor<3x5xf32>) -> tensor<2x5xf32> {
  // expected-error @+1 {{lhs dimensions holds dimension 7, not in [0, 2)}}
  %0 = "stablehlo.dot_general"(%a, %b) <{
    lhs_batching_dimensions = array<i64>, rhs_batching_dimensions = array<i64>,
    lhs_contracting_dimensions = array<i64: 7>,
    rhs_contracting_dimensions = array<i64: 0>}>
    : (tensor<2x3xf32>, tensor<3x5xf32>) -> tensor<2x5xf32>
  return %0 : tensor<2x5xf32>
}

// -----

func.func @broadcast(%a: tensor<3xf32>) -> tensor<2x4xf32> {
  // expected-error @+1 {{operand dimension 0 of size 3 does not broadcast to size 4}}
  %0 = "stablehlo.broadcast_in_dim"(%a) <{broadcast_dimensions = array<i64: 1>}>
    : (tensor<3xf32>) -> tensor<2x4xf32>
  return %0 : tensor<2x4xf32>
}

// -----

func.func @reshape(%a: tensor<3xf32>) -> tensor<4xf32> {
  // expected-error @+1 {{operand has 3 elements, result 4}}
  %0 = "stablehlo.reshape"(%a) : (tensor<3xf32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

// -----

func.func @transpose(%a: tensor<3x4xf32>) -> tensor<4x3xf32> {
  // expected-error @+1 {{permutation holds dimension 1 twice}}
  %0 = "stablehlo.transpose"(%a) <{permutation = array<i64: 1, 1>}>
    : (tensor<3x4xf32>) -> tensor<4x3xf32>
  return %0 : tensor<4x3xf32>
}

// -----

func.func @slice(%a: tensor<3xf32>) -> tensor<2xf32> {
  // expected-error @+1 {{dimension 0: [0, 4) is not within size 3}}
  %0 = "stablehlo.slice"(%a) <{start_indices = array<i64: 0>,
    limit_indices = array<i64: 4>, strides = array<i64: 2>}>
    : (tensor<3xf32>) -> tensor<2xf32>
  return %0 : tensor<2xf32>
}

// -----

func.func @concatenate(%a: tensor<3x2xf32>, %b: tensor<3x3xf32>) -> tensor<6x2xf32> {
  // expected-error @+1 {{operand has shape [3, 3], expected [3, 2]}}
  %0 = "stablehlo.concatenate"(%a, %b) <{dimension = 0 : i64}>
    : (tensor<3x2xf32>, tensor<3x3xf32>) -> tensor<6x2xf32>
  return %0 : tensor<6x2xf32>
}

// -----

func.func @pad_overflow(%a: tensor<3xf32>, %v: tensor<f32>) -> tensor<3xf32> {
  // expected-error @+1 {{dimension 0 has no valid size after padding}}
  %0 = "stablehlo.pad"(%a, %v) <{edge_padding_low = array<i64: 0>,
    edge_padding_high = array<i64: 0>,
    interior_padding = array<i64: 9223372036854775807>}>
    : (tensor<3xf32>, tensor<f32>) -> tensor<3xf32>
  return %0 : tensor<3xf32>
}

// -----

func.func @reduce_body(%a: tensor<3x4xf32>, %i: tensor<f32>) -> tensor<3xf32> {
  // expected-error @+1 {{body argument 1 has type 'tensor<i32>', expected 'tensor<f32>'}}
  %0 = "stablehlo.reduce"(%a, %i) <{dimensions = array<i64: 1>}> ({
  ^bb0(%x: tensor<f32>, %y: tensor<i32>):
    "stablehlo.return"(%x) : (tensor<f32>) -> ()
  }) : (tensor<3x4xf32>, tensor<f32>) -> tensor<3xf32>
  return %0 : tensor<3xf32>
}

// -----

func.func @reduce_window(%a: tensor<4x4xf32>, %i: tensor<f32>) -> tensor<3x2xf32> {
  // expected-error @+1 {{result has shape [3, 2], expected [2, 2]}}
  %0 = "stablehlo.reduce_window"(%a, %i) <{
    window_dimensions = array<i64: 2, 2>, window_strides = array<i64: 2, 2>,
    base_dilations = array<i64: 1, 1>, window_dilations = array<i64: 1, 1>,
    padding = array<i64: 0, 0, 0, 0>}> ({
  ^bb0(%x: tensor<f32>, %y: tensor<f32>):
    %m = "stablehlo.maximum"(%x, %y) : (tensor<f32>, tensor<f32>) -> tensor<f32>
    "stablehlo.return"(%m) : (tensor<f32>) -> ()
  }) : (tensor<4x4xf32>, tensor<f32>) -> tensor<3x2xf32>
  return %0 : tensor<3x2xf32>
}

// -----

func.func @while_cond(%a: tensor<i32>) -> tensor<i32> {
  // expected-error @+1 {{cond returns 'tensor<i32>' as value 0, expected 'tensor<i1>'}}
  %0 = "stablehlo.while"(%a) ({
  ^bb0(%x: tensor<i32>):
    "stablehlo.return"(%x) : (tensor<i32>) -> ()
  }, {
  ^bb0(%x: tensor<i32>):
    "stablehlo.return"(%x) : (tensor<i32>) -> ()
  }) : (tensor<i32>) -> tensor<i32>
  return %0 : tensor<i32>
}

// -----

func.func @gather(%a: tensor<8x4xf32>, %i: tensor<5x2xi32>) -> tensor<5x4xf32> {
  // expected-error @+1 {{start_index_map has 1 entries, the indices hold 2 components}}
  %0 = "stablehlo.gather"(%a, %i) <{offset_dims = array<i64: 1>,
    collapsed_slice_dims = array<i64: 0>, operand_batching_dims = array<i64>,
    start_indices_batching_dims = array<i64>, start_index_map = array<i64: 0>,
    index_vector_dim = 1 : i64, slice_sizes = array<i64: 1, 4>}>
    : (tensor<8x4xf32>, tensor<5x2xi32>) -> tensor<5x4xf32>
  return %0 : tensor<5x4xf32>
}

// -----

func.func @select(%p: tensor<3xi1>, %a: tensor<4xf32>) -> tensor<4xf32> {
  // expected-error @+1 {{pred has shape [3], expected [4]}}
  %0 = "stablehlo.select"(%p, %a, %a)
    : (tensor<3xi1>, tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

// -----

func.func @iota() -> tensor<4xi32> {
  // expected-error @+1 {{iota_dimension 1 is not in [0, 1)}}
  %0 = "stablehlo.iota"() <{iota_dimension = 1 : i64}> : () -> tensor<4xi32>
  return %0 : tensor<4xi32>
}

// -----

func.func @constant() -> tensor<4xi32> {
  // expected-error @+1 {{value has type 'tensor<3xi32>', result has 'tensor<4xi32>'}}
  %0 = "stablehlo.constant"() <{value = dense<1> : tensor<3xi32>}> : () -> tensor<4xi32>
  return %0 : tensor<4xi32>
}

// -----

func.func @transformOfReal(%a: tensor<4xf32>) -> tensor<4xf32> {
  // expected-error @+1 {{of type FFT takes complex numbers and gives complex ones}}
  %0 = "stablehlo.fft"(%a) <{fft_type = "FFT", fft_length = array<i64: 4>}> : (tensor<4xf32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

// -----

func.func @transformToReal(%a: tensor<4xf32>) -> tensor<4xf32> {
  // expected-error @+1 {{of type RFFT takes real numbers and gives complex ones}}
  %0 = "stablehlo.fft"(%a) <{fft_type = "RFFT", fft_length = array<i64: 4>}> : (tensor<4xf32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

// -----

func.func @transformLength(%a: tensor<4xf32>) -> tensor<4xcomplex<f32>> {
  // expected-error @+1 {{result has shape [4], expected [3]}}
  %0 = "stablehlo.fft"(%a) <{fft_type = "RFFT", fft_length = array<i64: 4>}> : (tensor<4xf32>) -> tensor<4xcomplex<f32>>
  return %0 : tensor<4xcomplex<f32>>
}

// -----

func.func @transformDims(%a: tensor<4xf32>) -> tensor<3xcomplex<f32>> {
  // expected-error @+1 {{has 2 lengths for a tensor of rank 1; there are 1 to 3}}
  %0 = "stablehlo.fft"(%a) <{fft_type = "RFFT", fft_length = array<i64: 4, 4>}> : (tensor<4xf32>) -> tensor<3xcomplex<f32>>
  return %0 : tensor<3xcomplex<f32>>
}
