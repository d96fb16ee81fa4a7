// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "queue.h"

#include <atomic>

#include <pthread.h>

namespace loom::pjrt {
namespace {

std::atomic<bool> forked{false};

// Once a process; in the child nothing but this flag may be touched.
const int watch_forks = pthread_atfork(nullptr, nullptr, [] { forked.store(true, std::memory_order_relaxed); });

outcome shut_down()
{
	return make_outcome(abi::code::cancelled, "the client was destroyed before this work began");
}

} // namespace

bool is_forked_child()
{
	return forked.load(std::memory_order_relaxed);
}

void refuse_forked_child()
{
	if (is_forked_child())
		throw failure(abi::code::failed_precondition,
			      "this process was forked after Loom's plugin was loaded, and its threads stayed behind; "
			      "start workers with multiprocessing's 'spawn' or 'forkserver' method");
}

void queue::submit(task work)
{
	refuse_forked_child();
	{
		std::lock_guard lock(mutex);
		if (!stopping) {
			if (!worker.joinable())
				worker = std::thread([this] { serve(); });
			pending.push_back(std::move(work));
			cond.notify_one();
			return;
		}
	}
	work(shut_down());
}

bool queue::run_here(const task &work)
{
	refuse_forked_child();
	{
		std::lock_guard lock(mutex);
		if (busy || stopping || !pending.empty())
			return false;
		busy = true;
	}
	work(nullptr);
	std::lock_guard lock(mutex);
	busy = false;
	if (!pending.empty() || stopping)
		cond.notify_all();
	return true;
}

void queue::serve()
{
	std::unique_lock lock(mutex);
	for (;;) {
		cond.wait(lock, [&] { return !busy && (stopping || !pending.empty()); });
		if (pending.empty())
			return;
		task work = std::move(pending.front());
		pending.pop_front();
		const outcome cancelled = stopping ? shut_down() : nullptr;
		busy = true;
		lock.unlock();
		work(cancelled);
		work = nullptr;
		lock.lock();
		busy = false;
	}
}

void queue::stop()
{
	if (is_forked_child()) {
		worker.detach();
		return;
	}
	{
		std::unique_lock lock(mutex);
		stopping = true;
		cond.notify_all();
		cond.wait(lock, [&] { return !busy || worker.joinable(); });
	}
	if (worker.joinable())
		worker.join();
}

} // namespace loom::pjrt
