// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// `loom`: one operation a record, on SSA buffers and memory slots.

#ifndef LOOM_DIALECT_LOOM_OPS_TD
#define LOOM_DIALECT_LOOM_OPS_TD

include "mlir/IR/OpBase.td"
include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/BuiltinAttributeInterfaces.td"
include "mlir/IR/CommonTypeConstraints.td"
include "mlir/IR/CommonAttrConstraints.td"

def Loom_Dialect : Dialect {
  let name = "loom";
  let cppNamespace = "::mlir::loom::npu";
  let summary = "the NPU's records before they are bytes";
  let description = [{
    Records stand in an order that is correct when run one after the other. SRAM
    offsets (`loom.buf`) and semaphores (`wait`, `signal`: pairs [semaphore,
    count]) are attributes that later passes add. Offsets and strides are bytes.
  }];
  let usePropertiesForAttributes = 1;
  let useDefaultTypePrinterParser = 1;
}

def Loom_Buf : TypeDef<Loom_Dialect, "Buf"> {
  let mnemonic = "buf";
  let summary = "bytes of SRAM";
  let parameters = (ins "int64_t":$bytes);
  let assemblyFormat = "`<` $bytes `>`";
}
def Loom_Mem : TypeDef<Loom_Dialect, "Mem"> {
  let mnemonic = "mem";
  let summary = "a memory slot";
  let parameters = (ins "int64_t":$bytes);
  let assemblyFormat = "`<` $bytes `>`";
}
def Loom_Place : AnyTypeOf<[Loom_Buf, Loom_Mem]>;

class Loom_Op<string mnemonic, list<Trait> traits = []>
    : Op<Loom_Dialect, mnemonic, traits>;

def SlotOp : Loom_Op<"slot"> {
  let description = [{
    Slot `index` of the program. `kind`: enum loom_slot_kind. `value`: bytes of a
    constant. `label`: name in reports. `hidden`: no caller binds it.
  }];
  let arguments = (ins I64Attr:$index, I64Attr:$kind, I64Attr:$rights,
                       StrAttr:$label, OptionalAttr<ElementsAttr>:$value,
                       UnitAttr:$hidden);
  let results = (outs Loom_Mem:$mem);
  let hasVerifier = 1;
}

def BufOp : Loom_Op<"buf"> {
  let description = [{
    A piece of SRAM, from its first use to its last. With `after`, what it holds
    comes next in turn: its first use follows that buffer's last, and in the end
    both may have one place.
  }];
  let arguments = (ins Optional<Loom_Buf>:$after, OptionalAttr<I64Attr>:$offset);
  let results = (outs Loom_Buf:$buf);
}

def MovedOp : Loom_Op<"moved"> {
  let description = [{
    A slot whose bytes are named from a place on that moves: by the sum of
    iteration * `steps` over the loops around, outermost first, or by what
    register `reg` holds. A record that uses it has a base register set to that.
  }];
  let arguments = (ins Loom_Mem:$mem, DenseI64ArrayAttr:$steps,
                       OptionalAttr<I64Attr>:$reg);
  let results = (outs Loom_Mem:$result);
}

def LayerOp : Loom_Op<"layer"> {
  let description = [{
    The records that follow, up to the next one, are one layer: what it computes,
    how it was tiled, and its products, memory traffic, ideal cycles, and those
    that no schedule of the program can do without (0: not known).
  }];
  let arguments = (ins StrAttr:$kind, StrAttr:$shape, StrAttr:$tiling,
                       StrAttr:$bound, I64Attr:$macs, I64Attr:$bytes,
                       I64Attr:$ideal,
                       DefaultValuedAttr<I64Attr, "0">:$roofline);
}

def DmaOp : Loom_Op<"dma"> {
  let description = [{
    `queue`: 1 LD, 2 ST. Without a source it fills with `fill` ([bits, element
    bytes]). `src_reg`, `dst_reg`: registers that are added to source and destination. `counts`, `src_strides`, `dst_strides`: four each, outermost first.
  }];
  let arguments = (ins Optional<Loom_Place>:$src, Loom_Place:$dst,
      I64Attr:$queue, I64Attr:$src_offset, I64Attr:$dst_offset, I64Attr:$inner,
      DenseI64ArrayAttr:$counts, DenseI64ArrayAttr:$src_strides,
      DenseI64ArrayAttr:$dst_strides, OptionalAttr<DenseI64ArrayAttr>:$fill,
      OptionalAttr<I64Attr>:$src_reg,
      OptionalAttr<DenseI32ArrayAttr>:$wait,
      OptionalAttr<DenseI32ArrayAttr>:$signal, OptionalAttr<I64Attr>:$dst_reg);
  let hasVerifier = 1;
}

def GatherOp : Loom_Op<"gather"> {
  let description = [{
    `count` rows of a table, on queue LD: the one that each i32 of `list` names,
    clamped to 0 to `rows` - 1, dense in `dst`. Rows of the table are
    `row_stride` bytes apart.
  }];
  let arguments = (ins Loom_Place:$table, Loom_Place:$dst, Loom_Buf:$list,
      I64Attr:$table_offset, I64Attr:$dst_offset, I64Attr:$list_offset,
      I64Attr:$rows, I64Attr:$row_stride, I64Attr:$row_bytes, I64Attr:$count,
      OptionalAttr<DenseI32ArrayAttr>:$wait,
      OptionalAttr<DenseI32ArrayAttr>:$signal);
  let hasVerifier = 1;
}

def ScatterOp : Loom_Op<"scatter"> {
  let description = [{
    `count` rows of `src`, dense, on queue ST: each to the row of the table that an
    i32 of `list` names, in their order; dropped if there is none of 0 to
    `rows` - 1. Rows of the table are `row_stride` bytes apart.
  }];
  let arguments = (ins Loom_Place:$src, Loom_Place:$table, Loom_Buf:$list,
      I64Attr:$src_offset, I64Attr:$table_offset, I64Attr:$list_offset,
      I64Attr:$rows, I64Attr:$row_stride, I64Attr:$row_bytes, I64Attr:$count,
      OptionalAttr<DenseI32ArrayAttr>:$wait,
      OptionalAttr<DenseI32ArrayAttr>:$signal);
  let hasVerifier = 1;
}

def MxuOp : Loom_Op<"mxu", [AttrSizedOperandSegments]> {
  let description = [{
    One macro tile. `types`: [operand (enum loom_mxu_type), out (enum loom_dtype)].
    `acc`: [start, base granule, pitch]. `a`: [offset, ih, iw, sh, sw, sc].
    `window`: [kh, kw, kc, sy, sx, dy, dx, py, px]. `b`: [offset, sk, sn].
    `size`: [oh, ow, n]. `outer`: [count 0, count 1, A, A, B, B, OUT, OUT strides].
    `out_strides`: [offset, sy, sx, sn] with an output. `clamp`: bits of [lo, hi].
    `residual`: [offset, enum loom_dtype, sy, sx, sn] with a `res_buf`.
    `depthwise`: channel n of the output takes channel n of A; kc is 1.
  }];
  let arguments = (ins Loom_Buf:$a_buf, Loom_Buf:$b_buf,
      Optional<Loom_Buf>:$out_buf, Optional<Loom_Buf>:$bias_buf,
      Optional<Loom_Buf>:$scale_buf, Optional<Loom_Buf>:$res_buf,
      DenseI64ArrayAttr:$types, DenseI64ArrayAttr:$acc, DenseI64ArrayAttr:$a,
      DenseI64ArrayAttr:$window, DenseI64ArrayAttr:$b, DenseI64ArrayAttr:$size,
      DenseI64ArrayAttr:$outer, DenseI64ArrayAttr:$out_strides,
      I64Attr:$bias_offset, OptionalAttr<DenseI64ArrayAttr>:$clamp,
      OptionalAttr<DenseI64ArrayAttr>:$residual,
      OptionalAttr<DenseI32ArrayAttr>:$wait,
      OptionalAttr<DenseI32ArrayAttr>:$signal, UnitAttr:$depthwise);
  let hasVerifier = 1;
}

def VpuOp : Loom_Op<"vpu"> {
  let description = [{
    `counts`: six. `views`: for each buffer [offset, type, flags, six strides].
    `uops`, `imms`: as encoded. `mask`: reduced dimensions.
  }];
  let arguments = (ins Variadic<Loom_Buf>:$bufs, DenseI64ArrayAttr:$counts,
      I64Attr:$mask, DenseI64ArrayAttr:$views, DenseI32ArrayAttr:$uops,
      DenseI32ArrayAttr:$imms, OptionalAttr<DenseI32ArrayAttr>:$wait,
      OptionalAttr<DenseI32ArrayAttr>:$signal);
  let hasVerifier = 1;
}

def ScalarOp : Loom_Op<"scalar"> {
  let description = [{
    A record of the sequencer: LD, CLAMP, MUL or ADD (`opcode`) on registers
    `rd`, `ra`, `rb`. LD reads the i32 or i1 at `imm` of `buf`; a fence stands
    between it and what wrote it.
  }];
  let arguments = (ins Optional<Loom_Buf>:$buf, I64Attr:$opcode, I64Attr:$rd,
                       I64Attr:$ra, I64Attr:$imm,
                       DefaultValuedAttr<I64Attr, "0">:$rb);
  let hasVerifier = 1;
}

def LoopOp : Loom_Op<"loop"> {
  let description = [{
    The records up to `end_loop` run `count` times; register `rd` counts from 0.
    A fence is the first of them, and one follows `end_loop`. `target`: the unit
    after the body, once places are known.
  }];
  let arguments = (ins I64Attr:$count, I64Attr:$rd,
                       OptionalAttr<I64Attr>:$target);
  let hasVerifier = 1;
}

def EndLoopOp : Loom_Op<"end_loop"> {
  let description = "Where a loop's body ends; no record.";
  let arguments = (ins);
}

def BranchOp : Loom_Op<"branch"> {
  let description = [{
    Goes on at the label if `cond` (enum loom_cond) holds of register `ra` and
    `imm`. `target`: the label's unit, once places are known.
  }];
  let arguments = (ins I64Attr:$label, I64Attr:$cond, I64Attr:$ra, I64Attr:$imm,
                       OptionalAttr<I64Attr>:$target);
  let hasVerifier = 1;
}

def LabelOp : Loom_Op<"label"> {
  let description = "A place that branches go to; a fence follows. No record.";
  let arguments = (ins I64Attr:$label);
}

def FenceOp : Loom_Op<"fence"> {
  let description = "Everything before is complete before anything after begins.";
  let arguments = (ins);
}

def CpuOp : Loom_Op<"cpu"> {
  let description = [{
    One operation of the CPU engine, as loom_cpu_ops.h has it, between two
    streams of records: a `halt` stands before the first of a run.
    `operand_boxes`: of each slot [enum loom_dtype, offset, dims..., strides...],
    in bytes; `inputs` of them come first. `params`: all fields of the
    structure's parameters but the reserved ones. `scalars`: encoded operations.
    `source`, `why`: what it was in the model, and why it is not on the NPU.
  }];
  let arguments = (ins Variadic<Loom_Mem>:$mems, I64Attr:$structure,
      I64Attr:$inputs, ArrayAttr:$operand_boxes, DenseI64ArrayAttr:$params,
      DenseI64ArrayAttr:$scalars, DenseI64ArrayAttr:$imms,
      StrAttr:$source, StrAttr:$why);
  let hasVerifier = 1;
}

def RoundOp : Loom_Op<"round"> {
  let description = [{
    A loop of the schedule: the streams and runs of CPU operations up to
    `end_round` go `count` times, or while the i1 in `cond` is true, which is read
    before each. No record, and none stands open before it.
  }];
  let arguments = (ins Optional<Loom_Mem>:$cond, OptionalAttr<I64Attr>:$count);
  let hasVerifier = 1;
}

def EndRoundOp : Loom_Op<"end_round"> {
  let description = "Where the body of a schedule's loop ends; no record.";
  let arguments = (ins);
}

def HaltOp : Loom_Op<"halt"> {
  let description = "End of a stream of records.";
  let arguments = (ins);
}

#endif // LOOM_DIALECT_LOOM_OPS_TD
