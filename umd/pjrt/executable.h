// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// PJRT_Executable: a compiled program, on no device.
#pragma once

#include "named_values.h"
#include "program.h"

namespace loom::pjrt {

class executable {
public:
	executable(program_ptr program, std::string options);

	const program_ptr program;
	const std::string options; // as the caller serialised them

	// For the caller's pointers, one a result or argument.
	std::vector<abi::element> result_types;
	std::vector<int64_t> result_dims; // of all results, one after the other
	std::vector<size_t> result_ranks;
	std::vector<const char *> kinds;
	std::vector<size_t> kind_sizes;
	named_values costs;
};

} // namespace loom::pjrt
