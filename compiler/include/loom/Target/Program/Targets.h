// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Where a target description comes from: a name, a file, a device.

#ifndef LOOM_TARGET_PROGRAM_TARGETS_H
#define LOOM_TARGET_PROGRAM_TARGETS_H

#include "loom_target.h"

#include <string>

namespace mlir::loom::program {

/// Named target ("npu16"); false if there is none of that name.
bool namedTarget(const std::string &name, loom_target &target);

/// The names, separated by ", ".
std::string targetNames();

/// The name of a target; "custom" if none is like it.
std::string nameOfTarget(const loom_target &target);

/// What is wrong with a target, or an empty string.
std::string checkTarget(const loom_target &target);

} // namespace mlir::loom::program

#endif // LOOM_TARGET_PROGRAM_TARGETS_H
