// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The plugin as a caller sees it: through its table.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "api.h"
#include "error.h"

namespace loom::pjrt::test {

struct result {
	abi::code code = abi::code::ok;
	std::string message;
	explicit operator bool() const { return code == abi::code::ok; }
};

const api_table::layout &table();

// Takes the error over.
result take(error_status *error);

template <class A> result call(slot which, A &args)
{
	args.struct_size = sizeof(args);
	return take(table().entries[static_cast<size_t>(which)](&args));
}

// The same, for calls that must succeed.
template <class A> A &must(slot which, A &args)
{
	const result r = call(which, args);
	EXPECT_TRUE(r) << slot_name(which) << ": " << r.message;
	return args;
}

std::string fixture(const std::string &name);

// A folder that goes with the object.
class scratch_folder {
public:
	scratch_folder();
	~scratch_folder();
	std::filesystem::path path;
};

result wait(event *of);	 // takes the event over
bool ready(event *of);	 // does not
result wait(buffer *of); // until the array is ready

// A client on in-process devices, destroyed with the object; most tests begin here.
class plugin : public ::testing::Test {
protected:
	explicit plugin(int devices = 1);
	~plugin() override;

	buffer *put(const std::vector<float> &values, std::vector<int64_t> dims = {}, device *to = nullptr);
	std::vector<float> get(buffer *from);
	result try_get(buffer *from, std::vector<float> &to);
	result try_compile(const std::string &artifact, loaded_executable *&to, const std::string &options = "");
	loaded_executable *compile(const std::string &name);
	result try_run(loaded_executable *what, const std::vector<buffer *> &arguments, std::vector<buffer *> &results,
		       const std::vector<int64_t> &not_donatable = {}, event **done = nullptr);
	std::vector<buffer *> run(loaded_executable *what, const std::vector<buffer *> &arguments);
	void drop(buffer *what);
	void drop(loaded_executable *what);
	bool deleted(buffer *what);
	void remove(buffer *what);

	client *of = nullptr;
	std::vector<device *> devices;
};

} // namespace loom::pjrt::test
