// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What the caller and the environment choose.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "error.h"

namespace loom::pjrt {

// Client_Create's options, else the environment's.
struct client_options {
	std::vector<std::string> devices; // for loom_device_open()
	uint64_t memory_limit = 0;	  // bytes a device
	static client_options read(const abi::named_value *values, size_t count);
};

// The part of xla.CompileOptionsProto that means something here.
struct compile_options {
	int64_t replicas = 1, partitions = 1;
	std::vector<int64_t> devices; // assigned; empty: the caller names one with each execution, or the first
	bool portable = false;
	static compile_options read(std::string_view proto);
	void require_one_device() const; // throws what to do where there are more
};

// xla.DeviceAssignmentProto of one device.
std::string device_assignment(int64_t device);

} // namespace loom::pjrt
