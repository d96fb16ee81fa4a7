// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// PJRT_Device, and PJRT_DeviceDescription, which is the same object.
#pragma once

#include "memory.h"
#include "named_values.h"
#include "queue.h"
#include "storage.h"

namespace loom::pjrt {

class device {
public:
	// Takes the handle. index: number among the client's devices.
	device(loom_device *handle, int index, uint64_t memory_limit);
	~device();

	const int id;
	loom_device *const handle;
	const bool in_process; // shares this process's memory
	std::string target, kind, text;
	named_values attributes;
	const std::shared_ptr<memory_account> account;
	pjrt::memory space;
	pjrt::memory *const only_space;
	pjrt::queue queue;

	storage_ptr allocate(uint64_t bytes) { return std::make_shared<storage>(handle, account, bytes); }
};

} // namespace loom::pjrt
