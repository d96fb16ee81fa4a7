// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: loom-opt %s --split-input-file --verify-diagnostics

func.func @beyond(%a: tensor<4xf32>) -> tensor<3xf32> {
  // expected-error@+1 {{names elements 2 to 4 of 4}}
  %0 = "loomt.view"(%a) <{offset = 2 : i64, strides = array<i64: 1>}> : (tensor<4xf32>) -> tensor<3xf32>
  return %0 : tensor<3xf32>
}

// -----

func.func @nested(%a: tensor<4xf32>) -> tensor<2xf32> {
  %0 = "loomt.view"(%a) <{offset = 0 : i64, strides = array<i64: 1>}> : (tensor<4xf32>) -> tensor<3xf32>
  // expected-error@+1 {{is a view of a view}}
  %1 = "loomt.view"(%0) <{offset = 0 : i64, strides = array<i64: 1>}> : (tensor<3xf32>) -> tensor<2xf32>
  return %1 : tensor<2xf32>
}

// -----

func.func @undefined(%a: tensor<4xf32>) -> tensor<4xf32> {
  // expected-error@+1 {{group 1 uses a value that is not there}}
  %0 = "loomt.map"(%a) <{program = array<i32: 1, 0, 0, 0, 16, 0, 1, 0>, imms = array<i32>}> : (tensor<4xf32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

// -----

func.func @shapes(%a: tensor<1x2x3xf32>, %b: tensor<1x4x5xf32>) -> tensor<1x2x5xf32> {
  // expected-error@+1 {{shapes do not fit}}
  %0 = "loomt.contract"(%a, %b) <{operandSegmentSizes = array<i32: 1, 1, 0, 0, 0>}> : (tensor<1x2x3xf32>, tensor<1x4x5xf32>) -> tensor<1x2x5xf32>
  return %0 : tensor<1x2x5xf32>
}

// -----

func.func @types(%a: tensor<1x2x3xi32>, %b: tensor<1x3x5xi32>) -> tensor<1x2x5xi32> {
  // expected-error@+1 {{the array multiplies f32, bf16 or i8}}
  %0 = "loomt.contract"(%a, %b) <{operandSegmentSizes = array<i32: 1, 1, 0, 0, 0>}> : (tensor<1x2x3xi32>, tensor<1x3x5xi32>) -> tensor<1x2x5xi32>
  return %0 : tensor<1x2x5xi32>
}

// -----

func.func @holes(%a: tensor<2xf32>) -> tensor<4xf32> {
  // expected-error@+1 {{leaves elements undefined}}
  %0 = "loomt.copy"(%a) <{offsets = array<i64: 0>, strides = [array<i64: 1>]}> : (tensor<2xf32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}
