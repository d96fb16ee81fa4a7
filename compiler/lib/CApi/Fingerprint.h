// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef LOOM_LIB_CAPI_FINGERPRINT_H
#define LOOM_LIB_CAPI_FINGERPRINT_H

#include "mlir/IR/BuiltinOps.h"

#include <string>

namespace mlir::loom {

/// 64 hexadecimal digits that two modules share if they differ in nothing but
/// their locations.
std::string fingerprintOf(ModuleOp module);

} // namespace mlir::loom

#endif // LOOM_LIB_CAPI_FINGERPRINT_H
