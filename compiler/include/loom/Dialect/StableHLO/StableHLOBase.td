// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Dialect, type constraints, enumerations and base classes of `stablehlo`.

#ifndef LOOM_DIALECT_STABLEHLO_BASE_TD
#define LOOM_DIALECT_STABLEHLO_BASE_TD

include "mlir/IR/OpBase.td"
include "mlir/IR/EnumAttr.td"
include "mlir/IR/BuiltinAttributeInterfaces.td"
include "mlir/IR/CommonTypeConstraints.td"
include "mlir/IR/CommonAttrConstraints.td"
include "mlir/Interfaces/InferTypeOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"
include "mlir/Interfaces/ControlFlowInterfaces.td"

def StableHLO_Dialect : Dialect {
  let name = "stablehlo";
  let cppNamespace = "::mlir::loom::stablehlo";
  let summary = "StableHLO operations as Loom's compiler sees them";
  let description = [{
    The operations of StableHLO that a single-device, statically shaped program
    can contain. Names and semantics are StableHLO's. Two things differ from
    the upstream spelling:

    - Dimension numbers are flat attributes of the operation (DenseI64Array or
      i64), not nested attributes.
    - `padding` is one flat array [low_0, high_0, low_1, high_1, ...].

    Signless integers are signed, `ui*` are unsigned, `i1` is bool.

    Operations of the dialect that are not defined here (dynamic shapes,
    collectives, deprecated ones) stay as unregistered operations after import,
    so that the legality pass can list all of them at once.
  }];
  let hasConstantMaterializer = 1;
  let usePropertiesForAttributes = 1;
  let useDefaultAttributePrinterParser = 1;
  let extraClassDeclaration = [{
    void registerAttributes();
  }];
  let isExtensible = 0;
}

//===----------------------------------------------------------------------===//
// Types
//===----------------------------------------------------------------------===//

// Quantised and index elements, which nothing computes with, are let through so
// that the legality pass can list them with everything else.
def HLO_OpaqueElement : Type<CPred<"::llvm::isa<::mlir::OpaqueType>($_self)">,
                             "element type without a builtin form">;
def HLO_Tensor : RankedTensorOf<[AnyInteger, AnyFloat, AnyComplex, Index,
                                 HLO_OpaqueElement], [], "ranked tensor">;
def HLO_IntTensor : RankedTensorOf<[AnyInteger, Index], [],
                                   "ranked tensor of integers">;
def HLO_FloatTensor : RankedTensorOf<[AnyFloat, HLO_OpaqueElement], [],
                                     "ranked tensor of floats">;
def HLO_FpOrComplexTensor : RankedTensorOf<[AnyFloat, AnyComplex,
                                            HLO_OpaqueElement], [],
                                "ranked tensor of floats or complex numbers">;
def HLO_PredTensor : RankedTensorOf<[I1], [], "ranked tensor of i1">;
def HLO_ComplexTensor : RankedTensorOf<[AnyComplex], [],
                                "ranked tensor of complex numbers">;

//===----------------------------------------------------------------------===//
// Enumerations
//===----------------------------------------------------------------------===//

def HLO_ComparisonDirection : I32EnumAttr<"ComparisonDirection",
    "which comparison is made",
    [I32EnumAttrCase<"EQ", 0>, I32EnumAttrCase<"NE", 1>,
     I32EnumAttrCase<"GE", 2>, I32EnumAttrCase<"GT", 3>,
     I32EnumAttrCase<"LE", 4>, I32EnumAttrCase<"LT", 5>]> {
  let cppNamespace = "::mlir::loom::stablehlo";
  let genSpecializedAttr = 0;
}
def HLO_ComparisonDirectionAttr
    : EnumAttr<StableHLO_Dialect, HLO_ComparisonDirection,
               "comparison_direction"> {
  let assemblyFormat = "$value";
}

def HLO_ComparisonType : I32EnumAttr<"ComparisonType",
    "how elements are compared",
    [I32EnumAttrCase<"NOTYPE", 0>, I32EnumAttrCase<"FLOAT", 1>,
     I32EnumAttrCase<"TOTALORDER", 2>, I32EnumAttrCase<"SIGNED", 3>,
     I32EnumAttrCase<"UNSIGNED", 4>]> {
  let cppNamespace = "::mlir::loom::stablehlo";
  let genSpecializedAttr = 0;
}
def HLO_ComparisonTypeAttr
    : EnumAttr<StableHLO_Dialect, HLO_ComparisonType, "comparison_type"> {
  let assemblyFormat = "$value";
}

def HLO_FftTypeAttr : StringBasedAttr<
    CPred<"::llvm::is_contained({\"FFT\", \"IFFT\", \"RFFT\", \"IRFFT\"}, "
          "::llvm::cast<::mlir::StringAttr>($_self).getValue())">,
    "FFT, IFFT, RFFT or IRFFT">;
def HLO_RngAlgorithmAttr : StringBasedAttr<
    CPred<"::llvm::is_contained({\"DEFAULT\", \"THREE_FRY\", \"PHILOX\"}, "
          "::llvm::cast<::mlir::StringAttr>($_self).getValue())">,
    "DEFAULT, THREE_FRY or PHILOX">;
def HLO_RngDistributionAttr : StringBasedAttr<
    CPred<"::llvm::is_contained({\"UNIFORM\", \"NORMAL\"}, "
          "::llvm::cast<::mlir::StringAttr>($_self).getValue())">,
    "UNIFORM or NORMAL">;
def HLO_TransposeAttr : StringBasedAttr<
    CPred<"::llvm::is_contained({\"NO_TRANSPOSE\", \"TRANSPOSE\", "
          "\"ADJOINT\"}, ::llvm::cast<::mlir::StringAttr>($_self).getValue())">,
    "NO_TRANSPOSE, TRANSPOSE or ADJOINT">;

/// One string an operand: DEFAULT, HIGH or HIGHEST. Absent means DEFAULT.
def HLO_PrecisionConfigAttr : TypedArrayAttrBase<StrAttr, "strings">;

//===----------------------------------------------------------------------===//
// Operation classes
//===----------------------------------------------------------------------===//

class HLO_Op<string mnemonic, list<Trait> traits = []>
    : Op<StableHLO_Dialect, mnemonic, traits>;

/// Elementwise, one operand, result of the same type.
class HLO_Unary<string mnemonic, Type tensor, list<Trait> traits = []>
    : HLO_Op<mnemonic, !listconcat(traits, [Pure, Elementwise,
                                            SameOperandsAndResultType])> {
  let arguments = (ins tensor:$operand);
  let results = (outs tensor:$result);
}

/// Elementwise, two operands, all of one type.
class HLO_Binary<string mnemonic, Type tensor, list<Trait> traits = []>
    : HLO_Op<mnemonic, !listconcat(traits, [Pure, Elementwise,
                                            SameOperandsAndResultType])> {
  let arguments = (ins tensor:$lhs, tensor:$rhs);
  let results = (outs tensor:$result);
}

#endif // LOOM_DIALECT_STABLEHLO_BASE_TD
