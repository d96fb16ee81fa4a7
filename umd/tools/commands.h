// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The subcommands of `loom`: each adds its options and returns what to run.
#pragma once

#include <functional>

#include <CLI/CLI.hpp>

namespace loom_tool {

using action = std::function<int()>; // exit status; throws std::exception on failure

action add_info(CLI::App &app);
action add_run(CLI::App &app);
action add_dis(CLI::App &app);
action add_as(CLI::App &app);
action add_report(CLI::App &app);

} // namespace loom_tool
