// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What the compiler made of a module, in a form that files and other processes take.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "buffer.h"
#include "loom/compile.h"

namespace loom::pjrt {

struct value_info {
	shape of;
	std::string name;
	uint32_t slot, flags, same_as;
};

class compiled_program {
public:
	explicit compiled_program(const loom_compiled &from);
	// Bytes of serialise(); throws INVALID_ARGUMENT if they are anything else, or damaged.
	static std::shared_ptr<const compiled_program> parse(std::string_view bytes);
	std::string serialise() const;

	std::string name, fingerprint, report, placement;
	std::vector<value_info> arguments, results;
	std::vector<uint8_t> code; // a .loom file; empty if nothing has to run

	// Of the program's tables.
	uint64_t cycles = 0, macs = 0, cpu_cost = 0, code_bytes = 0, const_bytes = 0, scratch_bytes = 0;

private:
	compiled_program() = default;
	void read_tables();
};

using program_ptr = std::shared_ptr<const compiled_program>;

} // namespace loom::pjrt
