// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// stablehlo -> loomt, and the rewrites on loomt that run before tiling.

#ifndef LOOM_CONVERSION_STABLEHLOTOLOOMT_H
#define LOOM_CONVERSION_STABLEHLOTOLOOMT_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Support/LogicalResult.h"

namespace mlir::loom {

/// Rewrites a function of one block from stablehlo to loomt. Every operation
/// that has no form on either engine is reported (operation, reason, remedy)
/// before it returns failure.
LogicalResult convertStableHLOToLoomT(func::FuncOp func);

/// Folds scalar programs on constants, scalar programs into each other, batch
/// normalisation into weights, bias and activation into products; drops what is
/// unused.
LogicalResult fuseLoomT(func::FuncOp func);

/// Gives the CPU engine what units that `features` lacks would run (with
/// `cpuOnly` everything), and small work between its operations; orders
/// operations so that the program goes between the engines as seldom as it can.
LogicalResult assignEngines(func::FuncOp func, uint64_t features,
                            bool cpuOnly = false);

} // namespace mlir::loom

#endif // LOOM_CONVERSION_STABLEHLOTOLOOMT_H
