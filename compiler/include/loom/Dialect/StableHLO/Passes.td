// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef LOOM_DIALECT_STABLEHLO_PASSES_TD
#define LOOM_DIALECT_STABLEHLO_PASSES_TD

include "mlir/Pass/PassBase.td"

def OneDevice : Pass<"loom-one-device", "::mlir::ModuleOp"> {
  let summary = "Nothing has to be sent where there is one device";
  let description = [{
    Collectives whose groups have one member give their operands, as sharding
    custom calls do. In a module for one partition of one replica partition_id
    and replica_id are zero, and a value that collective_permute sends to nobody
    is zeros. Other collectives stay, for the legality check to name them.
  }];
}

def Expand : Pass<"loom-expand", "::mlir::ModuleOp"> {
  let summary = "Write out in other operations what has no engine of its own";
  let description = [{
    The custom call ApproxTopK becomes a stable sort by its comparator and the
    first elements of it, an exact answer; rng_bit_generator becomes arithmetic
    on 32-bit words, with the bits and the next state that XLA gives on a CPU.
    Comparators become private. What does not match stays, for the legality
    check to name it: run this before calls are inlined.
  }];
}

def InlineCalls : Pass<"loom-inline-calls", "::mlir::ModuleOp"> {
  let summary = "Put every called function in place of its calls";
  let description = [{
    Also replaces composites by their decomposition. An operation from a callee
    gets the call's location as its caller, so that it keeps its layer's name.
    Private functions vanish. Recursion, calls of functions without a body and
    programs that grow beyond the limit are refused.
  }];
  let options = [
    ListOption<"keepComposites", "keep-composites", "std::string",
               "names of composites that stay, e.g. chlo.erf">,
    Option<"maxOperations", "max-operations", "uint64_t", "2000000",
           "largest number of operations after inlining">,
  ];
}

def SplitComplex : Pass<"loom-split-complex", "::mlir::ModuleOp"> {
  let summary = "Compute with the parts of complex64";
  let description = [{
    Every value of complex<f32> becomes two of f32. Arguments and results of the
    function get a last dimension of two, as the parts lie in memory, and the
    attribute `loom.complex`. A function with an operation on complex numbers
    that is not written out stays as it is, for the legality check to name it.
  }];
}

def WidenProducts : Pass<"loom-widen-products", "::mlir::ModuleOp"> {
  let summary = "Operands become of the type that is computed in";
  let description = [{
    A dot_general or convolution whose result is of 64 bits and of another type
    than its operands (`preferred_element_type`) multiplies what they convert to.
    A factor or a triangular system in bf16 is computed in f32.
  }];
}

def SwapProducts : Pass<"loom-swap-products", "::mlir::ModuleOp"> {
  let summary = "A transposed product is the product of its sides, swapped";
  let description = [{
    A dot_general whose only use transposes it, the right side's dimensions
    before the left side's, is computed the other way round: gradients of
    weights are. Each output has the same products in the same order.
  }];
}

def BlockScans : Pass<"loom-block-scans", "::mlir::ModuleOp"> {
  let summary = "Cumulative reductions of many elements, block by block";
  let description = [{
    A reduce_window whose windows are all beginnings, or all ends, of a dimension
    of more than 128 elements: the beginnings of blocks of 16, combined with what
    comes before the block, which is a cumulative reduction of the blocks' own.
    Its region is one of add, multiply, maximum, minimum, and, or; its start
    value their identity. bf16 and f16 are f32 in between.
  }];
}

def DropIdentities : Pass<"loom-drop-identities", "::mlir::ModuleOp"> {
  let summary = "Remove operations that do nothing";
  let description = [{
    Updates of no elements give their operand. So do optimization barriers, which
    only order rewrites: run this after CSE.
  }];
}

def UnrollLoops : Pass<"loom-unroll-loops", "::mlir::ModuleOp"> {
  let summary = "Write out loops whose count is known";
  let description = [{
    A `while` that counts an i32 from one constant to another, as lax.scan and
    lax.fori_loop make it, becomes its body that many times; or, with `keep-loops`,
    stays and is marked, if the machine can run it: products inside, slices and
    updates at affine places of the counter. Index arithmetic on
    constants is folded, so that slices at the counter become static ones. Other
    loops stay, and the legality check names them.
  }];
  let options = [
    Option<"maxOperations", "max-operations", "uint64_t", "200000",
           "largest number of operations that one loop may become">,
    Option<"keepLoops", "keep-loops", "bool", "false",
           "leave loops that the machine can run">,
  ];
}

def FoldWideIntegers : Pass<"loom-fold-wide-integers", "::mlir::ModuleOp"> {
  let summary = "Compute what is known of 64-bit integers";
  let description = [{
    The counters of jax.random: iota, arithmetic, shifts and conversions of
    constants, up to 2^22 elements. Of counters with more than 2^16 the words
    that are taken count in 32 bits. What depends on an input stays.
  }];
}

def CheckLegality : Pass<"loom-check-legality", "::mlir::ModuleOp"> {
  let summary = "List everything that cannot be compiled, all at once";
  let description = [{
    One error, with a note for each unsupported operation, type or attribute:
    source line, module path, operation, reason, remedy, count.
  }];
  let options = [
    Option<"features", "features", "uint64_t", "LOOM_FEATURES_IMPLEMENTED",
           "bits of the target, as in struct loom_target">,
    Option<"requireNpu", "require-npu", "bool", "false",
           "list what the NPU cannot run, also if the CPU engine can">,
  ];
}

#endif // LOOM_DIALECT_STABLEHLO_PASSES_TD
