// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A program as one device has it.
#pragma once

#include <mutex>

#include "device.h"
#include "program.h"
#include "trace.h"

namespace loom::pjrt {

// Loaded by its first run; used by one task of the device's queue at a time.
class runner {
public:
	runner(device *on, program_ptr of)
		: on(on), of(std::move(of)), account(on->account), shares_scratch(on->in_process)
	{
	}
	~runner();
	runner(const runner &) = delete;
	runner &operator=(const runner &) = delete;

	// Null, or how the device failed: module path, source line and fault. traced: where its timeline goes, or null.
	outcome run(const std::vector<loom_binding> &bindings, recording *traced);

	device *const on;
	const program_ptr of;

private:
	void prepare();
	void take_memory();
	void give_back_memory();
	loom_result run_job(const std::vector<loom_binding> &bindings, recording *traced);
	void drop_instance();

	const std::shared_ptr<memory_account> account; // the device may go first
	const bool shares_scratch;		       // with the device's other programs

	loom_program *program = nullptr;
	loom_instance *instance = nullptr;
};

} // namespace loom::pjrt
