// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: loom-opt %s --split-input-file --verify-diagnostics

func.func @structure(%x: tensor<4xf64>) -> tensor<4xf64> {
  // expected-error@+1 {{structure 99 is none}}
  %0 = "loomt.cpu"(%x) <{operandSegmentSizes = array<i32: 1, 0>, structure = 99 : i64, params = array<i64>, maps = [], walks = [], outs = [], program = array<i32>, imms = array<i64>, source = "", why = ""}> : (tensor<4xf64>) -> tensor<4xf64>
  return %0 : tensor<4xf64>
}

// -----

func.func @outside(%x: tensor<4xf64>) -> tensor<4xf64> {
  // expected-error@+1 {{an output's box names elements 1 to 4 of 4}}
  %0 = "loomt.cpu"(%x) <{operandSegmentSizes = array<i32: 1, 0>, structure = 8 : i64, params = array<i64>, maps = [], walks = [], outs = [array<i64: 0, 10, 1, 4, 1>], program = array<i32>, imms = array<i64>, source = "", why = ""}> : (tensor<4xf64>) -> tensor<4xf64>
  return %0 : tensor<4xf64>
}

// -----

func.func @map(%x: tensor<4xf64>) -> tensor<4xf64> {
  // expected-error@+1 {{a map names no dimension of its input}}
  %0 = "loomt.cpu"(%x) <{operandSegmentSizes = array<i32: 1, 0>, structure = 8 : i64, params = array<i64>, maps = [array<i64: 1>], walks = [], outs = [array<i64: 0, 10, 0, 4, 1>], program = array<i32>, imms = array<i64>, source = "", why = ""}> : (tensor<4xf64>) -> tensor<4xf64>
  return %0 : tensor<4xf64>
}

// -----

func.func @init(%x: tensor<4xf64>, %y: tensor<2xf64>) -> tensor<4xf64> {
  // expected-error@+1 {{begins as 'tensor<2xf64>', which is not its result's type}}
  %0 = "loomt.cpu"(%x, %y) <{operandSegmentSizes = array<i32: 1, 1>, structure = 8 : i64, params = array<i64>, maps = [], walks = [], outs = [array<i64: 0, 10, 0, 4, 1>], program = array<i32>, imms = array<i64>, source = "", why = ""}> : (tensor<4xf64>, tensor<2xf64>) -> tensor<4xf64>
  return %0 : tensor<4xf64>
}

// -----

func.func @program(%x: tensor<4xf64>) -> tensor<4xf64> {
  // expected-error@+1 {{program: group 1 uses a value that is not there}}
  %0 = "loomt.cpu"(%x) <{operandSegmentSizes = array<i32: 1, 0>, structure = 1 : i64, params = array<i64>, maps = [], walks = [], outs = [array<i64: 0, 10, 0, 4, 1>], program = array<i32: 1, 0, 0, 0, 276, 1, 0, 0>, imms = array<i64>, source = "", why = ""}> : (tensor<4xf64>) -> tensor<4xf64>
  return %0 : tensor<4xf64>
}

// -----

func.func @meaning(%x: tensor<4xf64>) -> tensor<4xf64> {
  // expected-error@+1 {{program: group 0 has no meaning}}
  %0 = "loomt.cpu"(%x) <{operandSegmentSizes = array<i32: 1, 0>, structure = 1 : i64, params = array<i64>, maps = [], walks = [], outs = [array<i64: 0, 10, 0, 4, 1>], program = array<i32: 9999, 0, 0, 0>, imms = array<i64>, source = "", why = ""}> : (tensor<4xf64>) -> tensor<4xf64>
  return %0 : tensor<4xf64>
}
