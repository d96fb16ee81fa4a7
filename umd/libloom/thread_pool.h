// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A parallel-for for the model: the caller takes part, so n threads need n - 1 helpers.
#pragma once

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

#include <xmmintrin.h>

namespace loom {

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
	void run(unsigned n, void (*fn)(void *, unsigned), void *arg)
	{
		{
			std::lock_guard lock(mutex);
			work = {fn, arg, n};
			next = 0;
			busy = static_cast<unsigned>(helpers.size());
			round++;
			start.notify_all();
		}
		take();
		std::unique_lock lock(mutex);
		finished.wait(lock, [&] { return busy == 0; });
	}

private:
	struct task {
		void (*fn)(void *, unsigned) = nullptr;
		void *arg = nullptr;
		unsigned n = 0;
	};

	void take()
	{
		for (unsigned i; (i = next.fetch_add(1)) < work.n;)
			work.fn(work.arg, i);
	}
	void help()
	{
		_mm_setcsr(0x1f80); // the model's arithmetic needs IEEE defaults: no flush to zero
		unsigned seen = 0;
		std::unique_lock lock(mutex);
		for (;;) {
			start.wait(lock, [&] { return stopping || round != seen; });
			if (stopping)
				return;
			seen = round;
			lock.unlock();
			take();
			lock.lock();
			if (--busy == 0)
				finished.notify_one();
		}
	}

	std::mutex mutex;
	std::condition_variable start, finished;
	std::vector<std::thread> helpers;
	task work;
	std::atomic<unsigned> next{0};
	unsigned busy = 0, round = 0;
	bool stopping = false;
};

} // namespace loom
