// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The subcommands of `loom`: each adds its options and returns what to run.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

struct loom_prog_view;

namespace loom_tool {

using action = std::function<int()>; // exit status; throws std::exception on failure

action add_info(CLI::App &app);
action add_run(CLI::App &app);
action add_dis(CLI::App &app);
action add_as(CLI::App &app);
action add_report(CLI::App &app);
action add_compare(CLI::App &app);

// A layer as `loom report` plans it.
struct planned_layer {
	std::string path, op, shape, bound;
	uint64_t cycles, ideal;
	uint32_t first_unit, n_units;
};
std::vector<planned_layer> planned_layers(const loom_prog_view &view);

} // namespace loom_tool
