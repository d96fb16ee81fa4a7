// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef LOOM_LIB_CONVERSION_LOOMTTOLOOM_SPLITREDUCTIONS_H
#define LOOM_LIB_CONVERSION_LOOMTTOLOOM_SPLITREDUCTIONS_H

#include "Emitter.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace mlir::loom {

/// Reductions of more elements than one record or SRAM holds become two steps:
/// parts, and what the parts give. Sums then add in another order; integers,
/// extrema and their places are the same.
void splitReductions(func::FuncOp func, const loom_target &target,
                     TilingCache &tilings);

} // namespace mlir::loom

#endif // LOOM_LIB_CONVERSION_LOOMTTOLOOM_SPLITREDUCTIONS_H
