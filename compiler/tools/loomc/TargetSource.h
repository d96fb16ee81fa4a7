// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// --target: a name, a JSON file, or a device that is asked.

#ifndef LOOM_TOOLS_LOOMC_TARGETSOURCE_H
#define LOOM_TOOLS_LOOMC_TARGETSOURCE_H

#include "loom_target.h"

#include <string>

/// Fills the target. An error message (what, where, what to do), or empty.
std::string readTarget(const std::string &source, loom_target &target);

#endif // LOOM_TOOLS_LOOMC_TARGETSOURCE_H
