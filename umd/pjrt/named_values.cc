// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "named_values.h"

namespace loom::pjrt {

abi::named_value &named_values::next(const char *name, abi::value_type type, size_t size)
{
	texts.emplace_back(name);
	abi::named_value &v = values.emplace_back();
	v.struct_size = sizeof(v);
	v.name = texts.back().data();
	v.name_size = texts.back().size();
	v.type = type;
	v.value_size = size;
	return v;
}

void named_values::add(const char *name, std::string value)
{
	abi::named_value &v = next(name, abi::value_type::string, value.size());
	v.string_value = texts.emplace_back(std::move(value)).data();
}

void named_values::add(const char *name, int64_t value)
{
	next(name, abi::value_type::int64, 1).int64_value = value;
}

void named_values::add(const char *name, std::vector<int64_t> value)
{
	abi::named_value &v = next(name, abi::value_type::int64_list, value.size());
	v.int64_array_value = lists.emplace_back(std::move(value)).data();
}

void named_values::add(const char *name, float value)
{
	next(name, abi::value_type::float32, 1).float_value = value;
}

} // namespace loom::pjrt
