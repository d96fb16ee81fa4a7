// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: loom-opt %s --split-input-file --verify-diagnostics --loom-allocate-sram=target=npu8 | FileCheck %s

// A load gets the place that has been idle longest. The resident at 4096 is
// gone with its layer: its place was last used before the one at 0.
// CHECK-LABEL: func.func @turns
// CHECK: "loom.buf"() <{offset = 4096 : i64}> : () -> !loom.buf<4096>
// CHECK: kind = "a"
// CHECK: "loom.buf"() <{offset = 0 : i64}> : () -> !loom.buf<4096>
// CHECK: "loom.buf"(%{{.*}}) <{offset = 8192 : i64}>
// CHECK: kind = "b"
// CHECK: "loom.buf"() <{offset = 12288 : i64}> : () -> !loom.buf<49152>
// CHECK: "loom.buf"() <{offset = 0 : i64}> : () -> !loom.buf<8192>
func.func @turns() {
  %m = "loom.slot"() <{index = 0 : i64, kind = 3 : i64, rights = 3 : i64, label = "x"}> : () -> !loom.mem<65536>
  %stays = "loom.buf"() <{offset = 4096 : i64}> : () -> !loom.buf<4096>
  "loom.layer"() <{kind = "a", shape = "", tiling = "", bound = "", macs = 0 : i64, bytes = 0 : i64, ideal = 0 : i64}> : () -> ()
  "loom.dma"(%m, %stays) <{queue = 1 : i64, src_offset = 0 : i64, dst_offset = 0 : i64, inner = 4096 : i64, counts = array<i64: 1, 1, 1, 1>, src_strides = array<i64: 0, 0, 0, 0>, dst_strides = array<i64: 0, 0, 0, 0>}> : (!loom.mem<65536>, !loom.buf<4096>) -> ()
  %0 = "loom.buf"() : () -> !loom.buf<4096>
  "loom.dma"(%m, %0) <{queue = 1 : i64, src_offset = 0 : i64, dst_offset = 0 : i64, inner = 4096 : i64, counts = array<i64: 1, 1, 1, 1>, src_strides = array<i64: 0, 0, 0, 0>, dst_strides = array<i64: 0, 0, 0, 0>}> : (!loom.mem<65536>, !loom.buf<4096>) -> ()
  %1 = "loom.buf"(%0) : (!loom.buf<4096>) -> !loom.buf<4096>
  "loom.dma"(%m, %1) <{queue = 1 : i64, src_offset = 0 : i64, dst_offset = 0 : i64, inner = 4096 : i64, counts = array<i64: 1, 1, 1, 1>, src_strides = array<i64: 0, 0, 0, 0>, dst_strides = array<i64: 0, 0, 0, 0>}> : (!loom.mem<65536>, !loom.buf<4096>) -> ()
  "loom.layer"() <{kind = "b", shape = "", tiling = "", bound = "", macs = 0 : i64, bytes = 0 : i64, ideal = 0 : i64}> : () -> ()
  %2 = "loom.buf"() : () -> !loom.buf<49152>
  "loom.dma"(%m, %2) <{queue = 1 : i64, src_offset = 0 : i64, dst_offset = 0 : i64, inner = 4096 : i64, counts = array<i64: 1, 1, 1, 1>, src_strides = array<i64: 0, 0, 0, 0>, dst_strides = array<i64: 0, 0, 0, 0>}> : (!loom.mem<65536>, !loom.buf<49152>) -> ()
  %3 = "loom.buf"() : () -> !loom.buf<8192>
  "loom.dma"(%3, %2) <{queue = 1 : i64, src_offset = 0 : i64, dst_offset = 0 : i64, inner = 4096 : i64, counts = array<i64: 1, 1, 1, 1>, src_strides = array<i64: 0, 0, 0, 0>, dst_strides = array<i64: 0, 0, 0, 0>}> : (!loom.buf<8192>, !loom.buf<49152>) -> ()
  return
}

// -----

// With hardly any room to spare, what comes in turn shares a place, so that the
// other one's load need not wait; and nothing is put on the resident, which the
// next layer reads.
// CHECK-LABEL: func.func @tight
// CHECK: "loom.buf"() <{offset = 0 : i64}> : () -> !loom.buf<16384>
// CHECK: "loom.buf"() <{offset = 16384 : i64}> : () -> !loom.buf<24576>
// CHECK: "loom.buf"() <{offset = 40960 : i64}> : () -> !loom.buf<24576>
// CHECK: "loom.buf"(%{{.*}}) <{offset = 16384 : i64}>
// CHECK: "loom.buf"(%{{.*}}) <{offset = 40960 : i64}>
func.func @tight() {
  %m = "loom.slot"() <{index = 0 : i64, kind = 3 : i64, rights = 3 : i64, label = "x"}> : () -> !loom.mem<65536>
  %stays = "loom.buf"() <{offset = 0 : i64}> : () -> !loom.buf<16384>
  "loom.layer"() <{kind = "a", shape = "", tiling = "", bound = "", macs = 0 : i64, bytes = 0 : i64, ideal = 0 : i64}> : () -> ()
  "loom.dma"(%m, %stays) <{queue = 1 : i64, src_offset = 0 : i64, dst_offset = 0 : i64, inner = 16384 : i64, counts = array<i64: 1, 1, 1, 1>, src_strides = array<i64: 0, 0, 0, 0>, dst_strides = array<i64: 0, 0, 0, 0>}> : (!loom.mem<65536>, !loom.buf<16384>) -> ()
  %0 = "loom.buf"() : () -> !loom.buf<24576>
  "loom.dma"(%m, %0) <{queue = 1 : i64, src_offset = 0 : i64, dst_offset = 0 : i64, inner = 4096 : i64, counts = array<i64: 1, 1, 1, 1>, src_strides = array<i64: 0, 0, 0, 0>, dst_strides = array<i64: 0, 0, 0, 0>}> : (!loom.mem<65536>, !loom.buf<24576>) -> ()
  %1 = "loom.buf"() : () -> !loom.buf<24576>
  "loom.dma"(%m, %1) <{queue = 1 : i64, src_offset = 0 : i64, dst_offset = 0 : i64, inner = 4096 : i64, counts = array<i64: 1, 1, 1, 1>, src_strides = array<i64: 0, 0, 0, 0>, dst_strides = array<i64: 0, 0, 0, 0>}> : (!loom.mem<65536>, !loom.buf<24576>) -> ()
  %2 = "loom.buf"(%0) : (!loom.buf<24576>) -> !loom.buf<24576>
  "loom.dma"(%m, %2) <{queue = 1 : i64, src_offset = 0 : i64, dst_offset = 0 : i64, inner = 4096 : i64, counts = array<i64: 1, 1, 1, 1>, src_strides = array<i64: 0, 0, 0, 0>, dst_strides = array<i64: 0, 0, 0, 0>}> : (!loom.mem<65536>, !loom.buf<24576>) -> ()
  %3 = "loom.buf"(%1) : (!loom.buf<24576>) -> !loom.buf<24576>
  "loom.dma"(%m, %3) <{queue = 1 : i64, src_offset = 0 : i64, dst_offset = 0 : i64, inner = 4096 : i64, counts = array<i64: 1, 1, 1, 1>, src_strides = array<i64: 0, 0, 0, 0>, dst_strides = array<i64: 0, 0, 0, 0>}> : (!loom.mem<65536>, !loom.buf<24576>) -> ()
  "loom.layer"() <{kind = "b", shape = "", tiling = "", bound = "", macs = 0 : i64, bytes = 0 : i64, ideal = 0 : i64}> : () -> ()
  "loom.dma"(%stays, %m) <{queue = 2 : i64, src_offset = 0 : i64, dst_offset = 0 : i64, inner = 16384 : i64, counts = array<i64: 1, 1, 1, 1>, src_strides = array<i64: 0, 0, 0, 0>, dst_strides = array<i64: 0, 0, 0, 0>}> : (!loom.buf<16384>, !loom.mem<65536>) -> ()
  return
}

// -----

// expected-error @+1 {{a layer's buffers take 57344 bytes, SRAM has 49152}}
func.func @full() {
  %m = "loom.slot"() <{index = 0 : i64, kind = 3 : i64, rights = 3 : i64, label = "x"}> : () -> !loom.mem<65536>
  %stays = "loom.buf"() <{offset = 0 : i64}> : () -> !loom.buf<16384>
  "loom.layer"() <{kind = "a", shape = "", tiling = "", bound = "", macs = 0 : i64, bytes = 0 : i64, ideal = 0 : i64}> : () -> ()
  "loom.dma"(%m, %stays) <{queue = 1 : i64, src_offset = 0 : i64, dst_offset = 0 : i64, inner = 16384 : i64, counts = array<i64: 1, 1, 1, 1>, src_strides = array<i64: 0, 0, 0, 0>, dst_strides = array<i64: 0, 0, 0, 0>}> : (!loom.mem<65536>, !loom.buf<16384>) -> ()
  %0 = "loom.buf"() : () -> !loom.buf<57344>
  "loom.dma"(%m, %0) <{queue = 1 : i64, src_offset = 0 : i64, dst_offset = 0 : i64, inner = 4096 : i64, counts = array<i64: 1, 1, 1, 1>, src_strides = array<i64: 0, 0, 0, 0>, dst_strides = array<i64: 0, 0, 0, 0>}> : (!loom.mem<65536>, !loom.buf<57344>) -> ()
  return
}
