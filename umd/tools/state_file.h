// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// An instance's state as a safetensors file: one tensor for each name that the program's entry points give to state.
#pragma once

#include <string>

#include "loom/loom.hpp"

namespace loom_tool {

// Whether the program has state at all; throws, naming the option that asked for it, if not.
void need_state(const loom_cpp::program &program, const char *option);
void save_state(const loom_cpp::program &program, const loom_cpp::instance &instance, const std::string &path);
// Throws, and changes nothing, unless the file holds exactly the program's state: names, types and shapes.
void restore_state(const loom_cpp::program &program, const loom_cpp::instance &instance, const std::string &path);

} // namespace loom_tool
