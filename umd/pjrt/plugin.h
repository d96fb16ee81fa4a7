// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <string>

namespace loom::pjrt {

constexpr const char *platform = "loom";

// Identity of the code of this library: changes with each build that differs.
const std::string &build_id();
// "0.1.0 (loomc 0.1.0, build ...)".
std::string plugin_version();

} // namespace loom::pjrt
