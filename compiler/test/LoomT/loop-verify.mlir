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

func.func @crossed(%a: tensor<4xf32>, %i: tensor<i32>) -> tensor<4xf32> {
  // expected-error@+1 {{has no end}}
  %s = "loomt.loop_begin"(%a) <{trip = 3 : i64}> : (tensor<4xf32>) -> tensor<4xf32>
  "loomt.case_begin"(%i) <{branches = 1 : i64}> : (tensor<i32>) -> ()
  %0 = "loomt.loop_end"(%s) : (tensor<4xf32>) -> tensor<4xf32>
  %1 = "loomt.case_end"(%s) : (tensor<4xf32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

// -----

func.func @endless(%a: tensor<4xf32>) -> tensor<4xf32> {
  // expected-error@+1 {{has neither a count nor a test}}
  %s = "loomt.loop_begin"(%a) : (tensor<4xf32>) -> tensor<4xf32>
  %0 = "loomt.loop_end"(%s) : (tensor<4xf32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

// -----

func.func @test(%a: tensor<4xf32>, %c: tensor<i1>) -> tensor<4xf32> {
  %s = "loomt.loop_begin"(%a) <{trip = 3 : i64}> : (tensor<4xf32>) -> tensor<4xf32>
  // expected-error@+1 {{stands in no loop that a test ends}}
  "loomt.loop_test"(%c) : (tensor<i1>) -> ()
  %0 = "loomt.loop_end"(%s) : (tensor<4xf32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

// -----

func.func @branches(%i: tensor<i32>, %a: tensor<4xf32>) -> tensor<4xf32> {
  // expected-error@+1 {{has 2 branches, not 3}}
  "loomt.case_begin"(%i) <{branches = 3 : i64}> : (tensor<i32>) -> ()
  "loomt.case_next"(%a) : (tensor<4xf32>) -> ()
  %0 = "loomt.case_end"(%a) : (tensor<4xf32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

// -----

func.func @types(%i: tensor<i32>, %a: tensor<4xf32>, %b: tensor<5xf32>) -> tensor<4xf32> {
  "loomt.case_begin"(%i) <{branches = 2 : i64}> : (tensor<i32>) -> ()
  // expected-error@+1 {{gives other types than its case_end}}
  "loomt.case_next"(%b) : (tensor<5xf32>) -> ()
  %0 = "loomt.case_end"(%a) : (tensor<4xf32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

// -----

func.func @outside(%a: tensor<4xf32>) -> tensor<1xf32> {
  // expected-error@+1 {{moves by 1 loops and stands in 0}}
  %0 = "loomt.at"(%a) <{steps = array<i64: 1>}> : (tensor<4xf32>) -> tensor<4xf32>
  %1 = "loomt.view"(%0) <{offset = 0 : i64, strides = array<i64: 1>}> : (tensor<4xf32>) -> tensor<1xf32>
  return %1 : tensor<1xf32>
}

// -----

func.func @beyond(%a: tensor<4xf32>, %b: tensor<1xf32>) -> tensor<1xf32> {
  %s = "loomt.loop_begin"(%b) <{trip = 3 : i64}> : (tensor<1xf32>) -> tensor<1xf32>
  // expected-error@+1 {{names elements 0 to 4 of 4 wherever it moves}}
  %0 = "loomt.at"(%a) <{steps = array<i64: 2>}> : (tensor<4xf32>) -> tensor<4xf32>
  %1 = "loomt.view"(%0) <{offset = 0 : i64, strides = array<i64: 1>}> : (tensor<4xf32>) -> tensor<1xf32>
  %2 = "loomt.loop_end"(%1) : (tensor<1xf32>) -> tensor<1xf32>
  return %2 : tensor<1xf32>
}

// -----

func.func @uncounted(%a: tensor<4xf32>, %b: tensor<1xf32>, %c: tensor<i1>) -> tensor<1xf32> {
  %s = "loomt.loop_begin"(%b) : (tensor<1xf32>) -> tensor<1xf32>
  "loomt.loop_test"(%c) : (tensor<i1>) -> ()
  // expected-error@+1 {{moves by the count of a loop that has none}}
  %0 = "loomt.at"(%a) <{steps = array<i64: 1>}> : (tensor<4xf32>) -> tensor<4xf32>
  %1 = "loomt.view"(%0) <{offset = 0 : i64, strides = array<i64: 1>}> : (tensor<4xf32>) -> tensor<1xf32>
  %2 = "loomt.loop_end"(%1) : (tensor<1xf32>) -> tensor<1xf32>
  return %2 : tensor<1xf32>
}

// -----

func.func @put(%a: tensor<4xf32>, %b: tensor<1xf32>) -> tensor<4xf32> {
  %s = "loomt.loop_begin"(%a) <{trip = 4 : i64}> : (tensor<4xf32>) -> tensor<4xf32>
  // expected-error@+1 {{names elements 1 to 4 of 4 wherever it moves}}
  %p = "loomt.put"(%b, %s) <{offset = 1 : i64, loop_steps = array<i64: 1>, strides = array<i64: 1>, limits = array<i64>, steps = array<i64>}> : (tensor<1xf32>, tensor<4xf32>) -> tensor<4xf32>
  %0 = "loomt.loop_end"(%p) : (tensor<4xf32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

// -----

func.func @foreign(%a: tensor<4xf32>, %b: tensor<1xf32>, %i: tensor<i32>) -> tensor<4xf32> {
  // expected-error@+1 {{writes to what has no place of its own}}
  %p = "loomt.put"(%b, %a, %i) <{offset = 0 : i64, loop_steps = array<i64>, strides = array<i64: 1>, limits = array<i64: 3>, steps = array<i64: 1>}> : (tensor<1xf32>, tensor<4xf32>, tensor<i32>) -> tensor<4xf32>
  return %p : tensor<4xf32>
}

// -----

func.func @far(%a: tensor<4xf32>, %i: tensor<i32>) -> tensor<2xf32> {
  %0 = "loomt.view"(%a) <{offset = 0 : i64, strides = array<i64: 1>}> : (tensor<4xf32>) -> tensor<2xf32>
  // expected-error@+1 {{names elements 0 to 4 of 4 wherever it moves}}
  %1 = "loomt.take"(%0, %i) <{limits = array<i64: 3>, steps = array<i64: 1>}> : (tensor<2xf32>, tensor<i32>) -> tensor<2xf32>
  return %1 : tensor<2xf32>
}

// -----

func.func @index(%a: tensor<4xf32>, %i: tensor<2xi32>) -> tensor<2xf32> {
  %0 = "loomt.view"(%a) <{offset = 0 : i64, strides = array<i64: 1>}> : (tensor<4xf32>) -> tensor<2xf32>
  // expected-error@+1 {{moves by one i32 each from 0 up, not 'tensor<2xi32>' up to 2}}
  %1 = "loomt.take"(%0, %i) <{limits = array<i64: 2>, steps = array<i64: 1>}> : (tensor<2xf32>, tensor<2xi32>) -> tensor<2xf32>
  return %1 : tensor<2xf32>
}

// -----

func.func @asks(%a: tensor<4xf32>, %c: tensor<i1>) -> tensor<4xf32> {
  // expected-error@+1 {{asks for what it does not carry}}
  %s = "loomt.loop_begin"(%a) <{scheduled}> : (tensor<4xf32>) -> tensor<4xf32>
  "loomt.loop_test"(%c) : (tensor<i1>) -> ()
  %0 = "loomt.loop_end"(%s) : (tensor<4xf32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

// -----

func.func @stranger(%a: tensor<4xf32>) -> tensor<4xf32> {
  // expected-error@+1 {{is the machine's, and goes round an operation of the CPU engine}}
  %s = "loomt.loop_begin"(%a) <{trip = 3 : i64}> : (tensor<4xf32>) -> tensor<4xf32>
  %t = "loomt.loop_begin"(%s) <{scheduled, trip = 3 : i64}> : (tensor<4xf32>) -> tensor<4xf32>
  %1 = "loomt.loop_end"(%t) : (tensor<4xf32>) -> tensor<4xf32>
  %0 = "loomt.loop_end"(%1) : (tensor<4xf32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

// -----

func.func @branch(%i: tensor<i32>, %a: tensor<4xf32>) -> tensor<4xf32> {
  // expected-error@+1 {{is the machine's, and goes round an operation of the CPU engine}}
  "loomt.case_begin"(%i) <{branches = 1 : i64}> : (tensor<i32>) -> ()
  %t = "loomt.loop_begin"(%a) <{scheduled, trip = 3 : i64}> : (tensor<4xf32>) -> tensor<4xf32>
  %1 = "loomt.loop_end"(%t) : (tensor<4xf32>) -> tensor<4xf32>
  %0 = "loomt.case_end"(%1) : (tensor<4xf32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

// -----

func.func @wide(%a: tensor<4xf64>) -> tensor<4xf64> {
  // expected-error@+1 {{NPU}}
  %s = "loomt.loop_begin"(%a) <{trip = 3 : i64}> : (tensor<4xf64>) -> tensor<4xf64>
  %0 = "loomt.loop_end"(%s) : (tensor<4xf64>) -> tensor<4xf64>
  return %0 : tensor<4xf64>
}
