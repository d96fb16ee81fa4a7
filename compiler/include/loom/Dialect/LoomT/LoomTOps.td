// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// `loomt`: a program as a few structural operations on dense tensors, before
// any tile, buffer or record is chosen.

#ifndef LOOM_DIALECT_LOOMT_OPS_TD
#define LOOM_DIALECT_LOOMT_OPS_TD

include "mlir/IR/OpBase.td"
include "mlir/IR/BuiltinAttributeInterfaces.td"
include "mlir/IR/CommonTypeConstraints.td"
include "mlir/IR/CommonAttrConstraints.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

def LoomT_Dialect : Dialect {
  let name = "loomt";
  let cppNamespace = "::mlir::loom::loomt";
  let summary = "structural tensor operations of the NPU";
  let description = [{
    Every value but a view is a dense, row-major tensor with a place of its own
    (a root). A `view` names elements of a root by offset and strides and costs
    nothing; views are of roots only, never of views.

    Scalar programs (`map`, `reduce`) are straight lines of the vector unit's
    micro-operations in SSA form: groups of four numbers [micro-operation, a, b,
    c]. An operand i >= 0 is the result of group i, i < 0 is immediate -1 - i.
    For LOAD, a is the number of the input. The last group is the result.
  }];
  let usePropertiesForAttributes = 1;
}

class LoomT_Op<string mnemonic, list<Trait> traits = []>
    : Op<LoomT_Dialect, mnemonic, !listconcat(traits, [Pure])>;

def ConstantOp : LoomT_Op<"constant", [ConstantLike]> {
  let description = "A tensor known at compile time; its bytes stay where they are.";
  let arguments = (ins ElementsAttr:$value);
  let results = (outs AnyRankedTensor:$result);
  let hasVerifier = 1;
}

def ViewOp : LoomT_Op<"view"> {
  let description = [{
    result[i...] = root[offset + sum(i_d * strides_d)], in elements of the flat
    root. Stride 0 repeats, negative strides reverse.
  }];
  let arguments = (ins AnyRankedTensor:$root, I64Attr:$offset,
                       DenseI64ArrayAttr:$strides);
  let results = (outs AnyRankedTensor:$result);
  let hasVerifier = 1;
}

def MapOp : LoomT_Op<"map"> {
  let description = "The scalar program for every element; inputs have the result's shape.";
  let arguments = (ins Variadic<AnyRankedTensor>:$inputs,
                       DenseI32ArrayAttr:$program, DenseI32ArrayAttr:$imms);
  let results = (outs AnyRankedTensor:$result);
  let hasVerifier = 1;
}

def ReduceOp : LoomT_Op<"reduce"> {
  let description = [{
    The scalar program for every element of the inputs' shape, then `reducer` (a
    reducing micro-operation) over the trailing `reduced` dimensions, row-major.
  }];
  let arguments = (ins Variadic<AnyRankedTensor>:$inputs,
                       DenseI32ArrayAttr:$program, DenseI32ArrayAttr:$imms,
                       I32Attr:$reducer, I64Attr:$reduced);
  let results = (outs AnyRankedTensor:$result);
  let hasVerifier = 1;
}

def ContractOp : LoomT_Op<"contract", [AttrSizedOperandSegments]> {
  let description = [{
    [B, M, K] x [B, K, N] -> [B, M, N], products summed in ascending k. `bias`:
    [N], added; then `scale`: [N], f32, multiplied; then `residual`, of the
    result's shape, added; then `lo`, `hi`: clamp. Rounded once, at the end.
  }];
  let arguments = (ins AnyRankedTensor:$lhs, AnyRankedTensor:$rhs,
                       Optional<AnyRankedTensor>:$bias,
                       Optional<AnyRankedTensor>:$scale,
                       Optional<AnyRankedTensor>:$residual,
                       OptionalAttr<F32Attr>:$lo, OptionalAttr<F32Attr>:$hi);
  let results = (outs AnyRankedTensor:$result);
  let hasVerifier = 1;
}

def ConvOp : LoomT_Op<"conv", [AttrSizedOperandSegments]> {
  let description = [{
    [B, H, W, C] * [KH, KW, C / groups, O] -> [B, OH, OW, O], products summed in
    ascending (ky, kx, c). `window`: [stride_y, stride_x, dilation_y, dilation_x,
    pad_top, pad_left]; the other padding follows from the result's shape.
    Epilogue as in `contract`.
  }];
  let arguments = (ins AnyRankedTensor:$input, AnyRankedTensor:$filter,
                       Optional<AnyRankedTensor>:$bias,
                       Optional<AnyRankedTensor>:$scale,
                       Optional<AnyRankedTensor>:$residual,
                       DenseI64ArrayAttr:$window, I64Attr:$groups,
                       OptionalAttr<F32Attr>:$lo, OptionalAttr<F32Attr>:$hi);
  let results = (outs AnyRankedTensor:$result);
  let hasVerifier = 1;
}

def CopyOp : LoomT_Op<"copy"> {
  let description = [{
    A new root: all elements `fill` (bits), if present, then input i at
    offsets[i] with strides[i] (one stride an input dimension; positive), one
    after the other: an input may write over what others have written.
    Materialised transposes, pads and concatenations. Bits are copied as they are:
    an input may have another element type of the same width.
  }];
  let arguments = (ins Variadic<AnyRankedTensor>:$inputs,
                       DenseI64ArrayAttr:$offsets, ArrayAttr:$strides,
                       OptionalAttr<I32Attr>:$fill);
  let results = (outs AnyRankedTensor:$result);
  let hasVerifier = 1;
}

def RowsOp : LoomT_Op<"rows"> {
  let description = [{
    result[i, ...] = table[min(max(indices[i], 0), rows - 1), ...]. `table`: [rows,
    width]; `indices`: [n], i32.
  }];
  let arguments = (ins AnyRankedTensor:$table, AnyRankedTensor:$indices);
  let results = (outs AnyRankedTensor:$result);
  let hasVerifier = 1;
}

def CpuOp : LoomT_Op<"cpu", [AttrSizedOperandSegments]> {
  let description = [{
    One operation of the CPU engine: `structure` (enum loom_cpu_structure) on
    boxes. `maps`: for each input, the input's dimension that each dimension of
    its box goes along, -1 for none; an empty list: as they are. `outs`: for each
    box of an output [result, enum loom_dtype, offset, dims..., strides...], in
    elements of that type. `params`: the numbers of the structure's parameters
    that are no strides. `walks`: what a structure goes along beyond its boxes,
    as dimensions: of GATHER the source's, of SCATTER the results', for each
    index; of DOT both inputs'; of CONV the same, channels last.

    `program`: groups of four [operation, a, b, c] as in `map`, but operations of
    loom_cpu_ops.h, `imms` of 64 bits, and STORE, whose b is the result. The
    operations of types and IOTA hold their numbers in place of operands.

    Result i begins as a copy of `inits` i, if there are any. `why`: what kept the
    operation `source` from the NPU.
  }];
  let arguments = (ins Variadic<AnyRankedTensor>:$inputs,
                       Variadic<AnyRankedTensor>:$inits, I64Attr:$structure,
                       DenseI64ArrayAttr:$params, ArrayAttr:$maps,
                       ArrayAttr:$walks, ArrayAttr:$outs,
                       DenseI32ArrayAttr:$program, DenseI64ArrayAttr:$imms,
                       StrAttr:$source, StrAttr:$why);
  let results = (outs Variadic<AnyRankedTensor>:$results);
  let hasVerifier = 1;
}

def ScatterRowsOp : LoomT_Op<"scatter_rows"> {
  let description = [{
    A new root: `table`, or all elements `fill` (bits); then, for each i in order,
    result[indices[i], ...] becomes the scalar program of it (input 0) and of
    updates[i, ...] (input 1), if indices[i] is a row. `replaces`: the program
    gives input 1. `updates`: [n, width]; `indices`: [n], i32.
  }];
  let arguments = (ins AnyRankedTensor:$updates, AnyRankedTensor:$indices,
                       Optional<AnyRankedTensor>:$table,
                       DenseI32ArrayAttr:$program, DenseI32ArrayAttr:$imms,
                       BoolAttr:$replaces, OptionalAttr<I32Attr>:$fill);
  let results = (outs AnyRankedTensor:$result);
  let hasVerifier = 1;
}

def TakeOp : LoomT_Op<"take"> {
  let description = [{
    The elements of `source` (a view at the first place) moved by sum over k of
    clamp(indices[k], 0, limits[k]) * steps[k] elements of its root. Indices are
    one i32 each.
  }];
  let arguments = (ins AnyRankedTensor:$source,
                       Variadic<AnyRankedTensor>:$indices,
                       DenseI64ArrayAttr:$limits, DenseI64ArrayAttr:$steps);
  let results = (outs AnyRankedTensor:$result);
  let hasVerifier = 1;
}

def PutOp : LoomT_Op<"put"> {
  let description = [{
    `target`, a root that an operation makes, with the elements of `value` at
    offset + sum over loops around (outermost first) of iteration *
    loop_steps + sum over k of clamp(indices[k], 0, limits[k]) * steps[k], with
    `strides`. The result has the target's place: nothing reads the target
    later.
  }];
  let arguments = (ins AnyRankedTensor:$value, AnyRankedTensor:$target,
                       Variadic<AnyRankedTensor>:$indices, I64Attr:$offset,
                       DenseI64ArrayAttr:$strides,
                       DenseI64ArrayAttr:$loop_steps,
                       DenseI64ArrayAttr:$limits, DenseI64ArrayAttr:$steps);
  let results = (outs AnyRankedTensor:$result);
  let hasVerifier = 1;
}

def AtOp : LoomT_Op<"at"> {
  let description = [{
    A root as the iterations of the loops around, outermost first, move it:
    element e is root[e + sum of iteration * steps]. What is used of it lies
    inside the root in every iteration.
  }];
  let arguments = (ins AnyRankedTensor:$root, DenseI64ArrayAttr:$steps);
  let results = (outs AnyRankedTensor:$result);
  let hasVerifier = 1;
}

/// Those that control what runs keep their order. They mark stretches of one
/// block, which lie in each other as brackets do.
class LoomT_ControlOp<string mnemonic> : Op<LoomT_Dialect, mnemonic>;

def LoopBeginOp : LoomT_ControlOp<"loop_begin"> {
  let description = [{
    What follows, up to `loop_end`, runs `trip` times, or without `trip` until a
    `loop_test` ends it. `states` are the carried tensors at an iteration's
    start; each has one place for the whole loop, where its `inits` stand first.

    A `scheduled` loop goes round operations of the CPU engine: it is no loop of
    the machine and has no counter that moves places. If it has a test, that
    comes first and reads a state.
  }];
  let arguments = (ins Variadic<AnyRankedTensor>:$inits,
                       OptionalAttr<I64Attr>:$trip, UnitAttr:$scheduled);
  let results = (outs Variadic<AnyRankedTensor>:$states);
  let hasVerifier = 1;
}

def LoopTestOp : LoomT_ControlOp<"loop_test"> {
  let description = [{
    Ends the loop around, which has no `trip`, if `condition` is false. Its
    results are then the states of that iteration.
  }];
  let arguments = (ins AnyRankedTensor:$condition);
  let hasVerifier = 1;
}

def LoopEndOp : LoomT_ControlOp<"loop_end"> {
  let description = [{
    Ends the loop's body: `next` go to the places of the states, all read before
    any is written. `results` are those places after the last iteration.
  }];
  let arguments = (ins Variadic<AnyRankedTensor>:$next);
  let results = (outs Variadic<AnyRankedTensor>:$results);
  let hasVerifier = 1;
}

def CaseBeginOp : LoomT_ControlOp<"case_begin"> {
  let description = [{
    One of `branches` stretches runs: the one of number `index` (an i32), the
    last if there is none of that number. `case_next` ends a stretch and begins
    the next, `case_end` ends the last.
  }];
  let arguments = (ins AnyRankedTensor:$index, I64Attr:$branches);
  let hasVerifier = 1;
}

def CaseNextOp : LoomT_ControlOp<"case_next"> {
  let description = "What the branch before it gives: the types of the results of `case_end`.";
  let arguments = (ins Variadic<AnyRankedTensor>:$values);
  let hasVerifier = 1;
}

def CaseEndOp : LoomT_ControlOp<"case_end"> {
  let description = "`values` of the last branch; results are those of the branch that ran.";
  let arguments = (ins Variadic<AnyRankedTensor>:$values);
  let results = (outs Variadic<AnyRankedTensor>:$results);
  let hasVerifier = 1;
}

#endif // LOOM_DIALECT_LOOMT_OPS_TD
