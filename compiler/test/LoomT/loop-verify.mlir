// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: loom-opt %s --split-input-file --verify-diagnostics

func.func @end(%a: tensor<4xf32>) -> tensor<4xf32> {
  // expected-error@+1 {{has no end}}
  %s = "loomt.loop_begin"(%a) <{trip = 3 : i64}> : (tensor<4xf32>) -> tensor<4xf32>
  return %s : tensor<4xf32>
}

// -----

func.func @begin(%a: tensor<4xf32>) -> tensor<4xf32> {
  // expected-error@+1 {{ends no loop}}
  %0 = "loomt.loop_end"(%a) : (tensor<4xf32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

// -----

func.func @nested(%a: tensor<4xf32>) -> tensor<4xf32> {
  // expected-error@+1 {{holds another loop}}
  %s = "loomt.loop_begin"(%a) <{trip = 3 : i64}> : (tensor<4xf32>) -> tensor<4xf32>
  %t = "loomt.loop_begin"(%a) <{trip = 3 : i64}> : (tensor<4xf32>) -> tensor<4xf32>
  %0 = "loomt.loop_end"(%t) : (tensor<4xf32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

// -----

func.func @swapped(%a: tensor<4xf32>, %b: tensor<4xf32>) -> tensor<4xf32> {
  %s:2 = "loomt.loop_begin"(%a, %b) <{trip = 3 : i64}> : (tensor<4xf32>, tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>)
  // expected-error@+1 {{carries a state to another}}
  %0:2 = "loomt.loop_end"(%s#1, %s#0) : (tensor<4xf32>, tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>)
  return %0#0 : tensor<4xf32>
}

// -----

func.func @outside(%a: tensor<4xf32>) -> tensor<1xf32> {
  // expected-error@+1 {{stands in no loop}}
  %0 = "loomt.at"(%a) <{step = 1 : i64}> : (tensor<4xf32>) -> tensor<4xf32>
  %1 = "loomt.view"(%0) <{offset = 0 : i64, strides = array<i64: 1>}> : (tensor<4xf32>) -> tensor<1xf32>
  return %1 : tensor<1xf32>
}

// -----

func.func @beyond(%a: tensor<4xf32>, %b: tensor<1xf32>) -> tensor<1xf32> {
  %s = "loomt.loop_begin"(%b) <{trip = 3 : i64}> : (tensor<1xf32>) -> tensor<1xf32>
  // expected-error@+1 {{names elements 0 to 4 of 4 over the loop}}
  %0 = "loomt.at"(%a) <{step = 2 : i64}> : (tensor<4xf32>) -> tensor<4xf32>
  %1 = "loomt.view"(%0) <{offset = 0 : i64, strides = array<i64: 1>}> : (tensor<4xf32>) -> tensor<1xf32>
  %2 = "loomt.loop_end"(%1) : (tensor<1xf32>) -> tensor<1xf32>
  return %2 : tensor<1xf32>
}

// -----

func.func @put(%a: tensor<4xf32>, %b: tensor<1xf32>) -> tensor<4xf32> {
  %s = "loomt.loop_begin"(%a) <{trip = 4 : i64}> : (tensor<4xf32>) -> tensor<4xf32>
  // expected-error@+1 {{names elements 1 to 4 of 4 over the loop}}
  "loomt.put"(%b, %s) <{offset = 1 : i64, step = 1 : i64, strides = array<i64: 1>}> : (tensor<1xf32>, tensor<4xf32>) -> ()
  %0 = "loomt.loop_end"(%s) : (tensor<4xf32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

// -----

func.func @foreign(%a: tensor<4xf32>, %b: tensor<1xf32>) -> tensor<4xf32> {
  %s = "loomt.loop_begin"(%a) <{trip = 4 : i64}> : (tensor<4xf32>) -> tensor<4xf32>
  // expected-error@+1 {{writes to what is no state of its loop}}
  "loomt.put"(%b, %a) <{offset = 0 : i64, step = 1 : i64, strides = array<i64: 1>}> : (tensor<1xf32>, tensor<4xf32>) -> ()
  %0 = "loomt.loop_end"(%s) : (tensor<4xf32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}
