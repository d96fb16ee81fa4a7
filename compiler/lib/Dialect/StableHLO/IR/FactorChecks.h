// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What must hold of a factor or a system beside its types, which are tensors of
// static shapes.

#ifndef LOOM_LIB_DIALECT_STABLEHLO_FACTORCHECKS_H
#define LOOM_LIB_DIALECT_STABLEHLO_FACTORCHECKS_H

#include "loom/Dialect/StableHLO/Engines.h"

namespace mlir::loom::stablehlo {

/// A square matrix, one array or both parts of pairs; the result is like it.
std::optional<Refusal> checkFactor(Operation *op);

/// A X = B, or X A = B, each one array or both parts of pairs.
std::optional<Refusal> checkSystem(Operation *op);

/// Qr has the matrix, then in its place R and reflections, then their factors;
/// the product has both of those and then Q. Parts of pairs stand together.
std::optional<Refusal> checkReflections(Operation *op);

} // namespace mlir::loom::stablehlo

#endif // LOOM_LIB_DIALECT_STABLEHLO_FACTORCHECKS_H
