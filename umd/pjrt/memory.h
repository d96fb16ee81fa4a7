// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// PJRT_Memory: each device has one, "device".
#pragma once

#include <map>
#include <mutex>
#include <string>

#include "abi.h"

namespace loom::pjrt {

class memory {
public:
	static constexpr const char *kind = "device";

	explicit memory(device *of);
	~memory();
	memory(const memory &) = delete;
	memory &operator=(const memory &) = delete;

	const abi::memory_table *const table; // first: callers read it there
	device *const of;
	const std::string text;

	void *user_data(const void *key);
	void set_user_data(const void *key, void *data, void (*destroy)(void *));

private:
	struct entry {
		void *data;
		void (*destroy)(void *);
	};
	std::mutex mutex;
	std::map<const void *, entry> entries;
};

} // namespace loom::pjrt
