// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a location says to the author of the model.

#ifndef LOOM_FRONTEND_SOURCENAMES_H
#define LOOM_FRONTEND_SOURCENAMES_H

#include "mlir/IR/Location.h"

#include <string>

namespace mlir::loom {

/// The module that issued the operation, e.g. "SmallCNN/Dense_1"; empty when
/// the location has no scope. Transformations (jit, jvp, while, ...) are left
/// out.
std::string modulePath(Location loc);

/// The innermost source line that is the user's, e.g. "models.py:172:24"; one
/// in a library if there is no other; empty when there is none at all.
std::string sourceLine(Location loc);

/// The name a function argument has by its location, e.g. "v['params']['b']".
std::string argumentName(Location loc);

} // namespace mlir::loom

#endif // LOOM_FRONTEND_SOURCENAMES_H
