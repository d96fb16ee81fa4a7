// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// PJRT_LoadedExecutable: a program and the device it runs on.
#pragma once

#include <atomic>
#include <map>
#include <mutex>

#include "abi_objects.h"
#include "client.h"
#include "program.h"
#include "runner.h"

namespace loom::pjrt {

class loaded_executable {
public:
	loaded_executable(client &of, program_ptr program, std::string options);

	client &of;
	const program_ptr program;
	const std::string options;
	std::vector<device *> devices; // one; none if each execution names its own
	std::atomic<bool> deleted{false}, executed{false};
	std::string assignment;

	std::shared_ptr<runner> runner_on(device *on);
	// Gives up what devices hold for it, once they have run what is under way.
	void remove();

	// Results by argument: which result takes the argument's place, or -1; and whether the caller gives it away.
	std::vector<int> replaced_by;
	std::vector<bool> donated;
	bool any_donated = false;

	void execute(abi::LoadedExecutable_Execute_Args &args);

private:
	std::mutex mutex;
	std::map<device *, std::shared_ptr<runner>> runners;
};

} // namespace loom::pjrt
