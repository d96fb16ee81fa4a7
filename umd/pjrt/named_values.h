// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Lists of attributes for the caller, with the texts and numbers that they point to.
#pragma once

#include <deque>
#include <string>
#include <vector>

#include "abi.h"

namespace loom::pjrt {

class named_values {
public:
	named_values() = default;
	named_values(const named_values &) = delete;
	named_values &operator=(const named_values &) = delete;

	void add(const char *name, std::string value);
	void add(const char *name, int64_t value);
	void add(const char *name, std::vector<int64_t> value);
	void add(const char *name, float value);

	const abi::named_value *data() const { return values.data(); }
	size_t size() const { return values.size(); }

private:
	abi::named_value &next(const char *name, abi::value_type type, size_t size);

	std::vector<abi::named_value> values;
	std::deque<std::string> texts;
	std::deque<std::vector<int64_t>> lists;
};

} // namespace loom::pjrt
