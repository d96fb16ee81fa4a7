// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// loom: look at programs and devices, run programs.
#include <cerrno>
#include <cstdio>
#include <new>
#include <vector>

#include "commands.h"
#include "loom/loom.hpp"
#include "memory.h"

namespace {

int refused(const CLI::App &command, const std::string &why)
{
	std::fprintf(stderr, "loom %s: %s\n", command.get_name().c_str(), why.c_str());
	return 1;
}

} // namespace

int main(int argc, char **argv)
{
	CLI::App app{"loom: look at Loom programs and devices, and run programs on them"};
	app.require_subcommand(0, 1);
	struct command {
		CLI::App *app;
		loom_tool::action run;
	};
	std::vector<command> commands;
	const auto add = [&](const char *name, const char *text, loom_tool::action (*make)(CLI::App &)) {
		CLI::App *sub = app.add_subcommand(name, text);
		commands.push_back({sub, make(*sub)});
	};
	add("info", "Show a device, or what a program holds", loom_tool::add_info);
	add("run", "Run an entry point of a program", loom_tool::add_run);
	add("dis", "Disassemble a program's NPU code", loom_tool::add_dis);
	add("as", "Assemble what dis printed", loom_tool::add_as);
	add("report", "Where a program's cycles go, layer by layer, without running it", loom_tool::add_report);
	add("compare", "Two programs of one model, layer by layer: cycles, and the first that differs",
	    loom_tool::add_compare);
	CLI11_PARSE(app, argc, argv);
	for (const command &c : commands) {
		if (!c.app->parsed())
			continue;
		try {
			return c.run();
		} catch (const loom_cpp::error &e) {
			return refused(*c.app, e.what() + (e.code == -ENOMEM ? loom_tool::memory_advice() : ""));
		} catch (const std::bad_alloc &) {
			return refused(*c.app, "no memory for a file or an array" + loom_tool::memory_advice());
		} catch (const std::exception &e) {
			return refused(*c.app, e.what());
		}
	}
	std::fprintf(stderr, "%s", app.help().c_str());
	return 2;
}
