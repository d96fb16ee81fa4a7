// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: not loom-opt %s --loom-check-legality 2>&1 | FileCheck %s

// A routine that an engine runs is known by its target; its shapes are checked.
// CHECK: error: 11 things in this program cannot be compiled
// CHECK-COUNT-4: stablehlo.custom_call: its operands and results are not a matrix and its reflections; call jnp.linalg.qr
// CHECK: stablehlo.custom_call: operand 0 has element type i32, which this operation does not take
// CHECK: stablehlo.custom_call: its matrix has more than 2^24 rows
// CHECK-SAME: ; factorise blocks of rows, then their R
// CHECK: stablehlo.cholesky: its operand and its result are not a square matrix; call jnp.linalg.cholesky
// CHECK-COUNT-2: stablehlo.triangular_solve: its operands are not a square matrix and a right side of as many rows; call jax.scipy.linalg.solve_triangular
// CHECK: stablehlo.custom_call: its operand and its result are not a square matrix
// CHECK: stablehlo.custom_call: its operands are not a square matrix and a right side of as many rows
func.func @main(%a: tensor<4x3xf32>, %i: tensor<4x3xi32>, %t: tensor<4xf32>, %m: tensor<16777217x1xf32>) {
  %0:2 = "stablehlo.custom_call"(%a) <{call_target_name = "Qr"}> : (tensor<4x3xf32>) -> (tensor<4x3xf32>, tensor<4xf32>)
  %1:2 = "stablehlo.custom_call"(%a) <{call_target_name = "Qr"}> : (tensor<4x3xf32>) -> (tensor<3x4xf32>, tensor<3xf32>)
  %2:2 = "stablehlo.custom_call"(%a) <{call_target_name = "Qr"}> : (tensor<4x3xf32>) -> (tensor<4x3xf32>, tensor<3xf64>)
  %3 = "stablehlo.custom_call"(%a, %t) <{call_target_name = "ProductOfElementaryHouseholderReflectors"}> : (tensor<4x3xf32>, tensor<4xf32>) -> tensor<4x3xf32>
  %4:2 = "stablehlo.custom_call"(%i) <{call_target_name = "Qr"}> : (tensor<4x3xi32>) -> (tensor<4x3xi32>, tensor<3xi32>)
  %5:2 = "stablehlo.custom_call"(%m) <{call_target_name = "Qr"}> : (tensor<16777217x1xf32>) -> (tensor<16777217x1xf32>, tensor<1xf32>)
  %6 = "stablehlo.cholesky"(%a) <{lower = true}> : (tensor<4x3xf32>) -> tensor<4x3xf32>
  %s = "stablehlo.slice"(%a) <{start_indices = array<i64: 0, 0>, limit_indices = array<i64: 3, 3>, strides = array<i64: 1, 1>}> : (tensor<4x3xf32>) -> tensor<3x3xf32>
  %7 = "stablehlo.triangular_solve"(%s, %a) <{left_side = true, lower = true, unit_diagonal = false, transpose_a = "NO_TRANSPOSE"}> : (tensor<3x3xf32>, tensor<4x3xf32>) -> tensor<4x3xf32>
  %8 = "stablehlo.triangular_solve"(%a, %a) <{left_side = true, lower = true, unit_diagonal = false, transpose_a = "NO_TRANSPOSE"}> : (tensor<4x3xf32>, tensor<4x3xf32>) -> tensor<4x3xf32>
  %9:2 = "stablehlo.custom_call"(%s) <{call_target_name = "loom.cholesky"}> : (tensor<3x3xf32>) -> (tensor<3x3xf32>, tensor<3x3xf32>)
  %10:2 = "stablehlo.custom_call"(%s, %s, %a) <{call_target_name = "loom.triangular_solve", backend_config = 3 : i32}> : (tensor<3x3xf32>, tensor<3x3xf32>, tensor<4x3xf32>) -> (tensor<4x3xf32>, tensor<4x3xf32>)
  return
}
