// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef LOOM_LIB_CONVERSION_STABLEHLOTOLOOMT_ERFC_H
#define LOOM_LIB_CONVERSION_STABLEHLOTOLOOMT_ERFC_H

#include "loom/Dialect/StableHLO/StableHLO.h"

namespace mlir::loom {

/// The x of erfc(x), if `root` is the last operation of its expansion and the
/// result is multiplied by what x was scaled from, as in an exact GELU. Null
/// otherwise.
Value geluErfcArgument(stablehlo::SelectOp root);

} // namespace mlir::loom

#endif // LOOM_LIB_CONVERSION_STABLEHLOTOLOOMT_ERFC_H
