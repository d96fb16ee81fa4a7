// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: loom-opt %s -loom-block-scans | FileCheck %s

// 200 = 12 blocks of 16 and 8 elements. The totals' own scan is short enough.
// CHECK-LABEL: func.func @beginnings
// CHECK: %[[ALL:.*]] = "stablehlo.pad"(%arg0, {{.*}}edge_padding_high = array<i64: 0, 8>, edge_padding_low = array<i64: 0, 0>{{.*}} -> tensor<3x208xf32>
// CHECK: %[[BLOCKS:.*]] = "stablehlo.reshape"(%[[ALL]]) : (tensor<3x208xf32>) -> tensor<3x13x16xf32>
// CHECK: %[[IN:.*]] = "stablehlo.reduce_window"(%[[BLOCKS]], {{.*}}padding = array<i64: 0, 0, 0, 0, 15, 0>, {{.*}}window_dimensions = array<i64: 1, 1, 16>
// CHECK: stablehlo.add
// CHECK: %[[LAST:.*]] = "stablehlo.slice"(%[[IN]]) <{limit_indices = array<i64: 3, 13, 16>, start_indices = array<i64: 0, 0, 15>
// CHECK: %[[TOTALS:.*]] = "stablehlo.reshape"(%[[LAST]])
// CHECK: %[[SUMS:.*]] = "stablehlo.reduce_window"(%[[TOTALS]], {{.*}}padding = array<i64: 0, 0, 12, 0>, {{.*}}window_dimensions = array<i64: 1, 13>
// CHECK: "stablehlo.slice"(%[[SUMS]]) <{limit_indices = array<i64: 3, 12>, start_indices = array<i64: 0, 0>
// CHECK: %[[BEFORE:.*]] = "stablehlo.pad"({{.*}}edge_padding_low = array<i64: 0, 1>
// CHECK: %[[OTHERS:.*]] = "stablehlo.broadcast_in_dim"(%[[BEFORE]]) <{broadcast_dimensions = array<i64: 0, 1>}>
// CHECK: "stablehlo.add"(%[[OTHERS]], %[[IN]])
// CHECK: "stablehlo.slice"({{.*}}) <{limit_indices = array<i64: 3, 200>, start_indices = array<i64: 0, 0>
func.func @beginnings(%x: tensor<3x200xf32>) -> tensor<3x200xf32> {
  %zero = "stablehlo.constant"() <{value = dense<0.0> : tensor<f32>}> : () -> tensor<f32>
  %0 = "stablehlo.reduce_window"(%x, %zero) <{window_dimensions = array<i64: 1, 200>, window_strides = array<i64: 1, 1>, base_dilations = array<i64: 1, 1>, window_dilations = array<i64: 1, 1>, padding = array<i64: 0, 0, 199, 0>}> ({
  ^bb0(%a: tensor<f32>, %b: tensor<f32>):
    %s = "stablehlo.add"(%a, %b) : (tensor<f32>, tensor<f32>) -> tensor<f32>
    "stablehlo.return"(%s) : (tensor<f32>) -> ()
  }) : (tensor<3x200xf32>, tensor<f32>) -> tensor<3x200xf32>
  return %0 : tensor<3x200xf32>
}

// From the end; in between bf16 is f32, and rounded once.
// CHECK-LABEL: func.func @ends
// CHECK: "stablehlo.convert"(%arg0) : (tensor<4096xbf16>) -> tensor<4096xf32>
// CHECK: reduce_window{{.*}}padding = array<i64: 0, 0, 0, 15>
// CHECK: "stablehlo.slice"({{.*}}start_indices = array<i64: 0, 0>{{.*}}(tensor<256x16xf32>) -> tensor<256x1xf32>
// CHECK: reduce_window{{.*}}padding = array<i64: 0, 0, 0, 15>
// CHECK: reduce_window{{.*}}padding = array<i64: 0, 15>
// CHECK: "stablehlo.pad"({{.*}}edge_padding_high = array<i64: 1>
// CHECK: "stablehlo.convert"({{.*}}) : (tensor<4096xf32>) -> tensor<4096xbf16>
func.func @ends(%x: tensor<4096xbf16>) -> tensor<4096xbf16> {
  %low = "stablehlo.constant"() <{value = dense<0xFF80> : tensor<bf16>}> : () -> tensor<bf16>
  %0 = "stablehlo.reduce_window"(%x, %low) <{window_dimensions = array<i64: 4096>, window_strides = array<i64: 1>, base_dilations = array<i64: 1>, window_dilations = array<i64: 1>, padding = array<i64: 0, 4095>}> ({
  ^bb0(%a: tensor<bf16>, %b: tensor<bf16>):
    %s = "stablehlo.maximum"(%b, %a) : (tensor<bf16>, tensor<bf16>) -> tensor<bf16>
    "stablehlo.return"(%s) : (tensor<bf16>) -> ()
  }) : (tensor<4096xbf16>, tensor<bf16>) -> tensor<4096xbf16>
  return %0 : tensor<4096xbf16>
}

// Few elements, another start value, another window, two dimensions: as they are.
// CHECK-LABEL: func.func @stays
// CHECK-COUNT-4: stablehlo.reduce_window
// CHECK-NOT: stablehlo.reduce_window
// CHECK-NOT: stablehlo.pad
func.func @stays(%x: tensor<128xi32>, %y: tensor<200xi32>, %z: tensor<200x200xi32>) -> (tensor<128xi32>, tensor<200xi32>, tensor<201xi32>, tensor<200x200xi32>) {
  %zero = "stablehlo.constant"() <{value = dense<0> : tensor<i32>}> : () -> tensor<i32>
  %one = "stablehlo.constant"() <{value = dense<1> : tensor<i32>}> : () -> tensor<i32>
  %0 = "stablehlo.reduce_window"(%x, %zero) <{window_dimensions = array<i64: 128>, window_strides = array<i64: 1>, base_dilations = array<i64: 1>, window_dilations = array<i64: 1>, padding = array<i64: 127, 0>}> ({
  ^bb0(%a: tensor<i32>, %b: tensor<i32>):
    %s = "stablehlo.add"(%a, %b) : (tensor<i32>, tensor<i32>) -> tensor<i32>
    "stablehlo.return"(%s) : (tensor<i32>) -> ()
  }) : (tensor<128xi32>, tensor<i32>) -> tensor<128xi32>
  %1 = "stablehlo.reduce_window"(%y, %one) <{window_dimensions = array<i64: 200>, window_strides = array<i64: 1>, base_dilations = array<i64: 1>, window_dilations = array<i64: 1>, padding = array<i64: 199, 0>}> ({
  ^bb0(%a: tensor<i32>, %b: tensor<i32>):
    %s = "stablehlo.add"(%a, %b) : (tensor<i32>, tensor<i32>) -> tensor<i32>
    "stablehlo.return"(%s) : (tensor<i32>) -> ()
  }) : (tensor<200xi32>, tensor<i32>) -> tensor<200xi32>
  %2 = "stablehlo.reduce_window"(%y, %zero) <{window_dimensions = array<i64: 199>, window_strides = array<i64: 1>, base_dilations = array<i64: 1>, window_dilations = array<i64: 1>, padding = array<i64: 199, 0>}> ({
  ^bb0(%a: tensor<i32>, %b: tensor<i32>):
    %s = "stablehlo.add"(%a, %b) : (tensor<i32>, tensor<i32>) -> tensor<i32>
    "stablehlo.return"(%s) : (tensor<i32>) -> ()
  }) : (tensor<200xi32>, tensor<i32>) -> tensor<201xi32>
  %3 = "stablehlo.reduce_window"(%z, %zero) <{window_dimensions = array<i64: 200, 200>, window_strides = array<i64: 1, 1>, base_dilations = array<i64: 1, 1>, window_dilations = array<i64: 1, 1>, padding = array<i64: 199, 0, 199, 0>}> ({
  ^bb0(%a: tensor<i32>, %b: tensor<i32>):
    %s = "stablehlo.add"(%a, %b) : (tensor<i32>, tensor<i32>) -> tensor<i32>
    "stablehlo.return"(%s) : (tensor<i32>) -> ()
  }) : (tensor<200x200xi32>, tensor<i32>) -> tensor<200x200xi32>
  return %0, %1, %2, %3 : tensor<128xi32>, tensor<200xi32>, tensor<201xi32>, tensor<200x200xi32>
}
