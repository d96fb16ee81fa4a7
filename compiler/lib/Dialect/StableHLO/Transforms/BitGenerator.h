// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Counter-based generators of random bits, written out in operations on ui32.

#ifndef LOOM_LIB_DIALECT_STABLEHLO_BITGENERATOR_H
#define LOOM_LIB_DIALECT_STABLEHLO_BITGENERATOR_H

#include "loom/Dialect/StableHLO/StableHLO.h"

namespace mlir::loom::stablehlo {

/// Replaces the uses of both results, if the state and the type of the numbers
/// are ones that the generator has.
LogicalResult expandBitGenerator(RngBitGeneratorOp op);

} // namespace mlir::loom::stablehlo

#endif // LOOM_LIB_DIALECT_STABLEHLO_BITGENERATOR_H
