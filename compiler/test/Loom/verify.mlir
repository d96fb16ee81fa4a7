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

// -----

func.func @gather_table() {
  %m = "loom.slot"() <{index = 0 : i64, kind = 3 : i64, rights = 1 : i64, label = "x"}> : () -> !loom.mem<256>
  %b = "loom.buf"() <{offset = 0 : i64}> : () -> !loom.buf<64>
  %l = "loom.buf"() <{offset = 64 : i64}> : () -> !loom.buf<16>
  // expected-error@+1 {{table touches bytes 0 to 320 of 256}}
  "loom.gather"(%m, %b, %l) <{table_offset = 0 : i64, dst_offset = 0 : i64, list_offset = 0 : i64, rows = 20 : i64, row_stride = 16 : i64, row_bytes = 16 : i64, count = 4 : i64}> : (!loom.mem<256>, !loom.buf<64>, !loom.buf<16>) -> ()
  "loom.halt"() : () -> ()
  return
}

// -----

func.func @gather_list() {
  %m = "loom.slot"() <{index = 0 : i64, kind = 3 : i64, rights = 1 : i64, label = "x"}> : () -> !loom.mem<256>
  %b = "loom.buf"() <{offset = 0 : i64}> : () -> !loom.buf<64>
  %l = "loom.buf"() <{offset = 64 : i64}> : () -> !loom.buf<16>
  // expected-error@+1 {{list touches bytes 4 to 20 of 16}}
  "loom.gather"(%m, %b, %l) <{table_offset = 0 : i64, dst_offset = 0 : i64, list_offset = 4 : i64, rows = 16 : i64, row_stride = 16 : i64, row_bytes = 16 : i64, count = 4 : i64}> : (!loom.mem<256>, !loom.buf<64>, !loom.buf<16>) -> ()
  "loom.halt"() : () -> ()
  return
}

// -----

func.func @gather_destination() {
  %m = "loom.slot"() <{index = 0 : i64, kind = 3 : i64, rights = 1 : i64, label = "x"}> : () -> !loom.mem<256>
  %b = "loom.buf"() <{offset = 0 : i64}> : () -> !loom.buf<48>
  %l = "loom.buf"() <{offset = 64 : i64}> : () -> !loom.buf<16>
  // expected-error@+1 {{destination touches bytes 0 to 64 of 48}}
  "loom.gather"(%m, %b, %l) <{table_offset = 0 : i64, dst_offset = 0 : i64, list_offset = 0 : i64, rows = 16 : i64, row_stride = 16 : i64, row_bytes = 16 : i64, count = 4 : i64}> : (!loom.mem<256>, !loom.buf<48>, !loom.buf<16>) -> ()
  "loom.halt"() : () -> ()
  return
}

// -----

func.func @gather_field() {
  %m = "loom.slot"() <{index = 0 : i64, kind = 3 : i64, rights = 1 : i64, label = "x"}> : () -> !loom.mem<256>
  %b = "loom.buf"() <{offset = 0 : i64}> : () -> !loom.buf<64>
  %l = "loom.buf"() <{offset = 64 : i64}> : () -> !loom.buf<16>
  // expected-error@+1 {{a number does not fit its field of the record}}
  "loom.gather"(%m, %b, %l) <{table_offset = 0 : i64, dst_offset = 0 : i64, list_offset = 0 : i64, rows = 0 : i64, row_stride = 16 : i64, row_bytes = 16 : i64, count = 4 : i64}> : (!loom.mem<256>, !loom.buf<64>, !loom.buf<16>) -> ()
  "loom.halt"() : () -> ()
  return
}

// -----

// The list was loaded by the same queue, the rows leave by another.
func.func @gather_order() {
  %m = "loom.slot"() <{index = 0 : i64, kind = 3 : i64, rights = 1 : i64, label = "x"}> : () -> !loom.mem<256>
  %i = "loom.slot"() <{index = 1 : i64, kind = 3 : i64, rights = 1 : i64, label = "i"}> : () -> !loom.mem<16>
  %o = "loom.slot"() <{index = 2 : i64, kind = 3 : i64, rights = 2 : i64, label = "y"}> : () -> !loom.mem<64>
  %b = "loom.buf"() <{offset = 0 : i64}> : () -> !loom.buf<64>
  %l = "loom.buf"() <{offset = 64 : i64}> : () -> !loom.buf<16>
  "loom.dma"(%i, %l) <{queue = 1 : i64, src_offset = 0 : i64, dst_offset = 0 : i64, inner = 16 : i64, counts = array<i64: 1, 1, 1, 1>, src_strides = array<i64: 0, 0, 0, 0>, dst_strides = array<i64: 0, 0, 0, 0>}> : (!loom.mem<16>, !loom.buf<16>) -> ()
  "loom.gather"(%m, %b, %l) <{table_offset = 0 : i64, dst_offset = 0 : i64, list_offset = 0 : i64, rows = 16 : i64, row_stride = 16 : i64, row_bytes = 16 : i64, count = 4 : i64}> : (!loom.mem<256>, !loom.buf<64>, !loom.buf<16>) -> ()
  // expected-error@+1 {{is not ordered against unit 3, which touches the same bytes}}
  "loom.dma"(%b, %o) <{queue = 2 : i64, src_offset = 0 : i64, dst_offset = 0 : i64, inner = 64 : i64, counts = array<i64: 1, 1, 1, 1>, src_strides = array<i64: 0, 0, 0, 0>, dst_strides = array<i64: 0, 0, 0, 0>}> : (!loom.buf<64>, !loom.mem<64>) -> ()
  "loom.halt"() : () -> ()
  return
}
