// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A parallel-for for the model: the caller takes part, so n threads need n - 1 helpers.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>
#include <vector>

#include <xmmintrin.h>

namespace loom {

// One word says which round it is and which index is next, so that a helper that wakes late cannot take part in a
// round that is over: it takes an index only by exchanging the word it has seen. Records follow each other within
// microseconds; a helper looks for the next round for a while before it sleeps.
class thread_pool {
public:
	explicit thread_pool(unsigned threads)
	{
		for (unsigned i = 1; i < threads; i++)
			helpers.emplace_back([this] { help(); });
	}
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
		work = {fn, arg};
		left.store(n, std::memory_order_relaxed);
		const uint64_t round = (state.load(std::memory_order_relaxed) >> 32) + 1;
		state.store(round << 32 | n << 16); // sequentially consistent with asleep
		if (asleep.load()) {
			std::lock_guard lock(mutex);
			start.notify_all();
		}
		take();
		for (unsigned spins = 0; left.load(std::memory_order_acquire); spins++)
			if (spins < patience)
				_mm_pause();
			else
				std::this_thread::yield();
	}

private:
	struct task {
		void (*fn)(void *, unsigned) = nullptr;
		void *arg = nullptr;
	};
	static constexpr unsigned patience = 4000; // pauses, about 50 us

	bool open() const
	{
		const uint64_t s = state.load();
		return (s & 0xffff) < (s >> 16 & 0xffff);
	}
	void take()
	{
		uint64_t s = state.load(std::memory_order_acquire);
		while ((s & 0xffff) < (s >> 16 & 0xffff)) {
			if (!state.compare_exchange_weak(s, s + 1, std::memory_order_acquire))
				continue;
			work.fn(work.arg, s & 0xffff); // the round cannot end before this index is done
			left.fetch_sub(1, std::memory_order_release);
			s = state.load(std::memory_order_acquire);
		}
	}
	void help()
	{
		_mm_setcsr(0x1f80); // the model's arithmetic needs IEEE defaults: no flush to zero
		for (;;) {
			for (unsigned spins = 0; !open() && spins < patience; spins++)
				_mm_pause();
			if (!open()) {
				std::unique_lock lock(mutex);
				asleep++;
				start.wait(lock, [&] { return stopping || open(); });
				asleep--;
				if (stopping)
					return;
			}
			take();
		}
	}

	std::mutex mutex;
	std::condition_variable start;
	std::vector<std::thread> helpers;
	task work;
	std::atomic<uint64_t> state{0}; // round, number of indices, next index
	std::atomic<unsigned> left{0};	// indices that are not done
	std::atomic<unsigned> asleep{0};
	bool stopping = false;
};

} // namespace loom
