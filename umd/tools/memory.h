// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <string>

namespace loom_tool {

// What to add to an error for want of memory: how much there is, what limits it, what to do.
std::string memory_advice();

} // namespace loom_tool
