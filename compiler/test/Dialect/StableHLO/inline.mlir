// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: loom-opt %s -loom-inline-calls -mlir-print-debuginfo -mlir-print-local-scope -split-input-file -verify-diagnostics | FileCheck %s

// The callee's operation keeps its name and gets the call's scope.
// CHECK-LABEL: func.func @main
// CHECK: stablehlo.maximum{{.*}} loc(callsite("max" at "jit(f)/MLP/jit(relu)"))
// CHECK-NOT: call
// CHECK-NOT: @relu
func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> {
  %0 = func.call @relu(%x) : (tensor<4xf32>) -> tensor<4xf32> loc("jit(f)/MLP/jit(relu)")
  return %0 : tensor<4xf32>
}
func.func private @relu(%x: tensor<4xf32>) -> tensor<4xf32> {
  %0 = "stablehlo.maximum"(%x, %x) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32> loc("max")
  return %0 : tensor<4xf32>
}

// -----

// A composite is its decomposition; calls inside a region are inlined too.
// CHECK-LABEL: func.func @composite
// CHECK: stablehlo.tanh
// CHECK-NOT: stablehlo.composite
func.func @composite(%x: tensor<4xf32>) -> tensor<4xf32> {
  %0 = "stablehlo.composite"(%x) <{name = "chlo.f", decomposition = @f}> : (tensor<4xf32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}
func.func private @f(%x: tensor<4xf32>) -> tensor<4xf32> {
  %0 = "stablehlo.tanh"(%x) : (tensor<4xf32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

// -----

func.func @recursive(%x: tensor<4xf32>) -> tensor<4xf32> {
  %0 = func.call @g(%x) : (tensor<4xf32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}
func.func private @g(%x: tensor<4xf32>) -> tensor<4xf32> {
  // expected-error @+1 {{calls 'g', which calls itself}}
  %0 = func.call @g(%x) : (tensor<4xf32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

// -----

func.func private @external(tensor<4xf32>) -> tensor<4xf32>
func.func @undefined(%x: tensor<4xf32>) -> tensor<4xf32> {
  // expected-error @+1 {{calls 'external', which the module does not define}}
  %0 = func.call @external(%x) : (tensor<4xf32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

// -----

func.func @wrong_types(%x: tensor<4xf32>) -> tensor<4xf32> {
  // expected-error @+1 {{calls 'h' with types that are not its own}}
  %0 = "stablehlo.composite"(%x) <{name = "chlo.h", decomposition = @h}> : (tensor<4xf32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}
func.func private @h(%x: tensor<5xf32>) -> tensor<5xf32> {
  return %x : tensor<5xf32>
}
