// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef LOOM_LIB_CONVERSION_LOOMTTOLOOM_SPLITWINDOWS_H
#define LOOM_LIB_CONVERSION_LOOMTTOLOOM_SPLITWINDOWS_H

#include "loom_target.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace mlir::loom {

/// Maxima and minima of windows over large padded copies read the tensor that
/// was copied. Changes no bit.
void splitWindows(func::FuncOp func, const loom_target &target);

} // namespace mlir::loom

#endif // LOOM_LIB_CONVERSION_LOOMTTOLOOM_SPLITWINDOWS_H
