// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the parts of the choice of engines share.

#ifndef LOOM_LIB_CONVERSION_STABLEHLOTOLOOMT_ASSIGNENGINE_H
#define LOOM_LIB_CONVERSION_STABLEHLOTOLOOMT_ASSIGNENGINE_H

#include "loom/Dialect/LoomT/LoomT.h"

namespace mlir::loom {

/// Whether the CPU engine has a form of an operation of the NPU.
bool canMoveToCpu(Operation *op);

/// Replaces an operation of the NPU, for which that holds, by its form on the
/// CPU engine; `why` it is there.
void moveToCpu(Operation *op, StringRef why);

} // namespace mlir::loom

#endif // LOOM_LIB_CONVERSION_STABLEHLOTOLOOMT_ASSIGNENGINE_H
