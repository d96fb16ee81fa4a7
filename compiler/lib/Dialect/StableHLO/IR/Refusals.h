// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Reasons and remedies for operations that are known and refused.

#ifndef LOOM_LIB_DIALECT_STABLEHLO_REFUSALS_H
#define LOOM_LIB_DIALECT_STABLEHLO_REFUSALS_H

#include "loom/Dialect/StableHLO/Engines.h"

namespace mlir::loom::stablehlo {

/// By the beginning of an operation's name, or of a routine's.
Refusal refusalOf(StringRef name);

} // namespace mlir::loom::stablehlo

#endif // LOOM_LIB_DIALECT_STABLEHLO_REFUSALS_H
