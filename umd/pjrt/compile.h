// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Modules to programs, each once.
#pragma once

#include "program.h"

namespace loom::pjrt {

// Throws what is wrong with the module, with the user's source lines.
program_ptr compile_module(std::string_view artifact, const loom_target &target);

} // namespace loom::pjrt
