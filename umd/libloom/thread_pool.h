// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A parallel-for for the model: the caller takes part, so n threads need n - 1 helpers.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

#include <xmmintrin.h>

namespace loom {

// One word says which round it is and which index is next, so that a helper that wakes late cannot take part in a
// round that is over: it takes an index only by exchanging the word it has seen. Records follow each other within
// microseconds; a helper looks for the next round for a while before it sleeps.
class thread_pool {
public:
	// Helpers start with the first work, so that a device that gets none has none.
	explicit thread_pool(unsigned threads) : wanted(threads - 1) {}
	~thread_pool()
	{
		{
			std::lock_guard lock(mutex);
			stopping = true;
			start.notify_all();
		}
		for (auto &t : helpers)
			t.join();
	}
	// fn(arg, i) for all i < n, n < 65536.
	void run(unsigned n, void (*fn)(void *, unsigned), void *arg)
	{
		if (wanted)
			start_helpers();
		if (helpers.empty() || alone()) {
			for (unsigned i = 0; i < n; i++)
				fn(arg, i);
			return;
		}
		work = {fn, arg};
		left.store(n, std::memory_order_relaxed);
		const uint64_t round = (state.load(std::memory_order_relaxed) >> 32) + 1;
		state.store(round << 32 | n << 16); // sequentially consistent with asleep
		if (asleep.load()) {
			std::lock_guard lock(mutex);
			start.notify_all();
		}
		take(true);
		await_end();
	}

private:
	struct task {
		void (*fn)(void *, unsigned) = nullptr;
		void *arg = nullptr;
	};
	void start_helpers()
	{
		try {
			for (; wanted; wanted--)
				helpers.emplace_back([this] { help(); });
		} catch (const std::system_error &) {
			wanted = 0; // the system has no more threads: those that there are do the work
		}
	}

	using clock = std::chrono::steady_clock;
	// In pauses, of which a thousand take about 15 us.
	static constexpr unsigned patience_for_work = 4000, patience_for_end = 1000;
	static constexpr clock::duration held_up = std::chrono::microseconds(600),
					 first_rest = std::chrono::milliseconds(50),
					 longest_rest = std::chrono::seconds(2);

	// A helper that does not come to its end has lost its processor to somebody else, for milliseconds where
	// records take microseconds: the caller works alone for a while, for longer each time that this happens again
	// at once.
	bool alone()
	{
		if (rest == clock::duration::zero())
			return false;
		const auto now = clock::now();
		if (now < rest_until)
			return true;
		if (now > rest_until + rest)
			rest = clock::duration::zero(); // shared for as long as it had rested
		return false;
	}
	void await_end()
	{
		for (unsigned spins = 0; spins < patience_for_end; spins++) {
			if (!left.load(std::memory_order_acquire))
				return;
			_mm_pause();
		}
		const auto since = clock::now();
		while (const unsigned n = left.load(std::memory_order_acquire))
			left.wait(n, std::memory_order_acquire);
		const auto now = clock::now();
		if (now - since < held_up)
			return;
		rest = std::clamp(2 * rest, first_rest, longest_rest);
		rest_until = now + rest;
	}
	static uint64_t first_open(uint64_t s) { return s & 0xffff; }
	static uint64_t end_open(uint64_t s) { return s >> 16 & 0xffff; }
	bool open() const
	{
		const uint64_t s = state.load();
		return first_open(s) < end_open(s);
	}
	// The caller takes indices from the first on, helpers from the last on: what one record leaves in a processor's
	// cache, the next finds there.
	void take(bool caller)
	{
		uint64_t s = state.load(std::memory_order_acquire);
		while (first_open(s) < end_open(s)) {
			const uint64_t index = caller ? first_open(s) : end_open(s) - 1;
			const uint64_t after = caller ? s + 1 : s - (1 << 16);
			if (!state.compare_exchange_weak(s, after, std::memory_order_acquire))
				continue;
			// The round cannot end before this index is done.
			work.fn(work.arg, static_cast<unsigned>(index));
			if (left.fetch_sub(1, std::memory_order_release) == 1)
				left.notify_one();
			s = state.load(std::memory_order_acquire);
		}
	}
	void help()
	{
		_mm_setcsr(0x1f80); // the model's arithmetic needs IEEE defaults: no flush to zero
		for (;;) {
			for (unsigned spins = 0; !open() && spins < patience_for_work; spins++)
				_mm_pause();
			if (!open()) {
				std::unique_lock lock(mutex);
				asleep++;
				start.wait(lock, [&] { return stopping || open(); });
				asleep--;
				if (stopping)
					return;
			}
			take(false);
		}
	}

	std::mutex mutex;
	std::condition_variable start;
	std::vector<std::thread> helpers;
	unsigned wanted; // helpers that are yet to be started
	task work;
	std::atomic<uint64_t> state{0}; // round, end and first of the indices that nobody has taken
	std::atomic<unsigned> left{0};	// indices that are not done
	std::atomic<unsigned> asleep{0};
	clock::duration rest{}; // 0: none of late
	clock::time_point rest_until;
	bool stopping = false;
};

} // namespace loom
