// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef LOOM_LIB_CONVERSION_STABLEHLOTOLOOMT_EPILOGUE_H
#define LOOM_LIB_CONVERSION_STABLEHLOTOLOOMT_EPILOGUE_H

#include "loom/Dialect/LoomT/LoomT.h"

namespace mlir::loom {

/// Takes from the map, which alone uses the product, the steps that the array
/// can do as results leave it; the map vanishes if nothing is left.
void fuseEpilogue(Operation *product, loomt::MapOp map);

} // namespace mlir::loom

#endif // LOOM_LIB_CONVERSION_STABLEHLOTOLOOMT_EPILOGUE_H
