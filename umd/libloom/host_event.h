// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The end of a job that a thread of this process walks through.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>

#include "objects.h"

namespace loom {

class host_event : public event {
public:
	bool wait(int64_t timeout_ns) override
	{
		std::unique_lock lock(mutex);
		if (timeout_ns < 0)
			cond.wait(lock, [&] { return done; });
		else
			cond.wait_for(lock, std::chrono::nanoseconds(timeout_ns), [&] { return done; });
		return done;
	}
	void complete()
	{
		std::lock_guard lock(mutex);
		done = true;
		cond.notify_all();
	}

private:
	std::mutex mutex;
	std::condition_variable cond;
	bool done = false;
};

} // namespace loom
