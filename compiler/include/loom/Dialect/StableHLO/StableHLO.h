// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The `stablehlo` dialect: the one include for its users.

#ifndef LOOM_DIALECT_STABLEHLO_STABLEHLO_H
#define LOOM_DIALECT_STABLEHLO_STABLEHLO_H

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Interfaces/ControlFlowInterfaces.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include "loom/Dialect/StableHLO/StableHLODialect.h.inc"
#include "loom/Dialect/StableHLO/StableHLOEnums.h.inc"

#define GET_ATTRDEF_CLASSES
#include "loom/Dialect/StableHLO/StableHLOAttrs.h.inc"

#define GET_OP_CLASSES
#include "loom/Dialect/StableHLO/StableHLOOps.h.inc"

namespace mlir::loom::stablehlo {
/// Of an argument or a result of the function: pairs of f32, the last dimension
/// of two, that the caller gives or takes as complex64.
inline constexpr llvm::StringLiteral kComplexAttr = "loom.complex";
} // namespace mlir::loom::stablehlo

#endif // LOOM_DIALECT_STABLEHLO_STABLEHLO_H
