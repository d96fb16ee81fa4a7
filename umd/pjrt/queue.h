// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Work of one device, in the order of submission, on one thread; or on the caller's, if nothing is before it.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

#include "error.h"

namespace loom::pjrt {

// True in a child that was forked after threads of the plugin may have run: they are not there.
bool is_forked_child();
// Throws FAILED_PRECONDITION there.
void refuse_forked_child();

class queue {
public:
	// Runs with null; with an outcome it must end what it promised with that.
	using task = std::function<void(const outcome &cancelled)>;

	queue() = default;
	~queue() { stop(); }
	queue(const queue &) = delete;
	queue &operator=(const queue &) = delete;

	void submit(task work);
	// Runs work here and returns true if the queue is idle.
	bool run_here(const task &work);
	// Ends the work at hand, cancels the rest and what comes later. Not from a task.
	void stop();

private:
	void serve();

	std::mutex mutex;
	std::condition_variable cond;
	std::deque<task> pending;
	bool busy = false, stopping = false;
	std::thread worker; // from the first submit on
};

} // namespace loom::pjrt
