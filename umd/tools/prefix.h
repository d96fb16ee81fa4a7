// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A program whose insides can be looked at: its scratch memory is the caller's, and it may be told to end early.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "inputs.h"
#include "loom/loom.hpp"
#include "prog_check.h"

namespace loom_tool {

// Bytes [first, second) of a slot, apart and in order.
using ranges = std::vector<std::pair<uint64_t, uint64_t>>;

// What a layer leaves in memory, and of which type.
struct stored {
	std::map<uint32_t, ranges> places; // by slot
	int dtype = -1;			   // enum loom_dtype; -1 unknown
	std::string hidden;		   // why its values cannot be looked at; empty where they can
};

class open_program {
public:
	explicit open_program(const std::string &path);
	const loom_prog_view &view() const { return plain->view(); }
	const loom_cpp::program &program() const { return *plain; }
	const loom_cpp::device &device() const { return sim; }
	// What the records of units [first, first + count) write to memory.
	stored stores(uint32_t first, uint32_t count) const;
	// Runs up to that unit, or all of it with n_units; returns the bytes at these places, slot by slot.
	std::vector<uint8_t> run(uint32_t until, const std::vector<input> &inputs,
				 const std::map<uint32_t, ranges> &places) const;

private:
	std::string path;
	std::vector<uint8_t> bytes; // of the file, with scratch slots turned into arguments
	loom_cpp::device sim;
	std::unique_ptr<loom_cpp::program> plain;
};

} // namespace loom_tool
