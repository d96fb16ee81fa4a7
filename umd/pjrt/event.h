// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Promises of an outcome, and PJRT_Event, a handle to one.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <vector>

#include "error.h"

namespace loom::pjrt {

// Set once. Whoever waits or is called back sees the outcome; callbacks run on the setter's thread, without a lock.
class promise {
public:
	promise() = default;
	promise(const promise &) = delete;
	promise &operator=(const promise &) = delete;

	void set(outcome how);
	bool ready() const { return done.load(std::memory_order_acquire); }
	// Only once ready.
	const outcome &result() const { return ended; }
	const outcome &wait() const;
	void on_ready(std::function<void(const outcome &)> then);

private:
	std::atomic<bool> done{false};
	outcome ended;
	mutable std::mutex mutex;
	mutable std::condition_variable cond;
	std::vector<std::function<void(const outcome &)>> callbacks;
};

using promise_ptr = std::shared_ptr<promise>;

// One that is set already, well.
const promise_ptr &kept_promise();

class event {
public:
	explicit event(promise_ptr of) : of(std::move(of)) {}
	const promise_ptr of;
};

} // namespace loom::pjrt
