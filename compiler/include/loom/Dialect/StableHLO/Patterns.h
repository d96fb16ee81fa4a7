// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Forms of operations that more than one pass asks for.

#ifndef LOOM_DIALECT_STABLEHLO_PATTERNS_H
#define LOOM_DIALECT_STABLEHLO_PATTERNS_H

#include "loom/Dialect/StableHLO/StableHLO.h"

namespace mlir::loom::stablehlo {

/// Whether every index picks one whole row of the operand's first dimension,
/// as an embedding does: result = [indices..., row...].
bool isRowGather(GatherOp op);

/// The value of an integer or boolean constant of one element, sign-extended
/// where its type is signless; nothing for anything else.
std::optional<int64_t> integerConstant(Value value);

} // namespace mlir::loom::stablehlo

#endif // LOOM_DIALECT_STABLEHLO_PATTERNS_H
