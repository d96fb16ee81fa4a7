// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef LOOM_LIB_CONVERSION_STABLEHLOTOLOOMT_DROPDEAD_H
#define LOOM_LIB_CONVERSION_STABLEHLOTOLOOMT_DROPDEAD_H

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace mlir::loom {

/// Erases what no result needs: operations, carried tensors, results of
/// branches, whole loops and cases.
void dropDead(func::FuncOp func);

} // namespace mlir::loom

#endif // LOOM_LIB_CONVERSION_STABLEHLOTOLOOMT_DROPDEAD_H
