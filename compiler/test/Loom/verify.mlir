// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: loom-opt %s --split-input-file --verify-diagnostics --loom-verify-records

func.func @bounds() {
  %m = "loom.slot"() <{index = 0 : i64, kind = 3 : i64, rights = 1 : i64, label = "x"}> : () -> !loom.mem<256>
  %b = "loom.buf"() <{offset = 0 : i64}> : () -> !loom.buf<64>
  // expected-error@+1 {{destination touches bytes 0 to 128 of 64}}
  "loom.dma"(%m, %b) <{queue = 1 : i64, src_offset = 0 : i64, dst_offset = 0 : i64, inner = 128 : i64, counts = array<i64: 1, 1, 1, 1>, src_strides = array<i64: 0, 0, 0, 0>, dst_strides = array<i64: 0, 0, 0, 0>}> : (!loom.mem<256>, !loom.buf<64>) -> ()
  "loom.halt"() : () -> ()
  return
}

// -----

func.func @unordered() {
  %m = "loom.slot"() <{index = 0 : i64, kind = 3 : i64, rights = 1 : i64, label = "x"}> : () -> !loom.mem<256>
  %o = "loom.slot"() <{index = 1 : i64, kind = 3 : i64, rights = 2 : i64, label = "y"}> : () -> !loom.mem<256>
  %b = "loom.buf"() <{offset = 0 : i64}> : () -> !loom.buf<64>
  "loom.dma"(%m, %b) <{queue = 1 : i64, src_offset = 0 : i64, dst_offset = 0 : i64, inner = 64 : i64, counts = array<i64: 1, 1, 1, 1>, src_strides = array<i64: 0, 0, 0, 0>, dst_strides = array<i64: 0, 0, 0, 0>}> : (!loom.mem<256>, !loom.buf<64>) -> ()
  // expected-error@+1 {{is not ordered against unit 0, which touches the same bytes}}
  "loom.dma"(%b, %o) <{queue = 2 : i64, src_offset = 0 : i64, dst_offset = 0 : i64, inner = 64 : i64, counts = array<i64: 1, 1, 1, 1>, src_strides = array<i64: 0, 0, 0, 0>, dst_strides = array<i64: 0, 0, 0, 0>}> : (!loom.buf<64>, !loom.mem<256>) -> ()
  "loom.halt"() : () -> ()
  return
}

// -----

func.func @rights() {
  %m = "loom.slot"() <{index = 0 : i64, kind = 3 : i64, rights = 1 : i64, label = "x"}> : () -> !loom.mem<256>
  %b = "loom.buf"() <{offset = 0 : i64}> : () -> !loom.buf<64>
  // expected-error@+1 {{writes slot 0 (x) without the right to}}
  "loom.dma"(%b, %m) <{queue = 2 : i64, src_offset = 0 : i64, dst_offset = 0 : i64, inner = 64 : i64, counts = array<i64: 1, 1, 1, 1>, src_strides = array<i64: 0, 0, 0, 0>, dst_strides = array<i64: 0, 0, 0, 0>}> : (!loom.buf<64>, !loom.mem<256>) -> ()
  "loom.halt"() : () -> ()
  return
}

// -----

func.func @field() {
  %m = "loom.slot"() <{index = 0 : i64, kind = 3 : i64, rights = 1 : i64, label = "x"}> : () -> !loom.mem<256>
  %b = "loom.buf"() <{offset = 0 : i64}> : () -> !loom.buf<64>
  // expected-error@+1 {{a number does not fit its field of the record}}
  "loom.dma"(%m, %b) <{queue = 1 : i64, src_offset = 0 : i64, dst_offset = 0 : i64, inner = 64 : i64, counts = array<i64: 1, 1, 1, 1>, src_strides = array<i64: 0, 0, 0, 4294967296>, dst_strides = array<i64: 0, 0, 0, 0>}> : (!loom.mem<256>, !loom.buf<64>) -> ()
  "loom.halt"() : () -> ()
  return
}
