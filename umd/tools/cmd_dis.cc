// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <cstdio>
#include <memory>

#include "commands.h"
#include "loom/loom.hpp"
#include "prog_check.h"

namespace loom_tool {
namespace {

struct options {
	std::string path;
	bool places = false;
};

int run(const options &o)
{
	const auto any = loom_cpp::device::sim_for(o.path.c_str());
	loom_cpp::program program(any.get(), o.path.c_str());
	const loom_prog_view &v = program.view();

	for (uint32_t unit = 0; unit < v.n_units;) {
		char text[8192];
		const auto *record = v.npu_code + size_t{unit} * LOOM_UNIT_BYTES;
		const unsigned units = loom_disassemble(record, v.n_units - unit, text, sizeof(text));
		std::printf("%6u  %s", unit, text);
		if (o.places && units)
			std::printf("  ; %s",
				    program.describe_loc(reinterpret_cast<const loom_hdr *>(record)->loc).c_str());
		std::printf("\n");
		if (!units) {
			std::fprintf(stderr, "loom dis: %s: unit %u is not an instruction\n", o.path.c_str(), unit);
			return 1;
		}
		unit += units;
	}
	return 0;
}

} // namespace

action add_dis(CLI::App &app)
{
	auto o = std::make_shared<options>();
	app.add_option("program", o->path, "program (.loom)")->required();
	app.add_flag("--places", o->places, "add each instruction's module path and source line");
	return [o] { return run(*o); };
}

} // namespace loom_tool
