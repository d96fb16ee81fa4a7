// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A job is one SUBMIT, of which the kernel runs all segments. Where the program has a schedule, or CPU segments that
// this process is to run (LOOM_CPU=user), a thread of the instance walks through the job, a SUBMIT a chain. What it
// must see, the kernel must not own: with LOOM_CPU=user the driver is told that state and scratch are arguments.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

#include <xmmintrin.h>

#include "cpu_runner.h"
#include "drm_objects.h"
#include "host_event.h"
#include "loop_limit.h"

namespace loom::drm {

// Jobs that a thread walks through, in order. The thread holds a reference of its own, so that the last job may drop
// the last instance.
class walker {
public:
	void enqueue(std::function<void()> walk)
	{
		std::lock_guard lock(mutex);
		pending.push_back(std::move(walk));
		cond.notify_one();
	}
	void stop()
	{
		std::lock_guard lock(mutex);
		stopping = true;
		cond.notify_one();
	}
	void serve()
	{
		_mm_setcsr(0x1f80);
		std::unique_lock lock(mutex);
		for (;;) {
			cond.wait(lock, [&] { return stopping || !pending.empty(); });
			if (pending.empty())
				return;
			auto walk = std::move(pending.front());
			pending.pop_front();
			lock.unlock();
			walk();
			walk = nullptr;
			lock.lock();
		}
	}

private:
	std::mutex mutex;
	std::condition_variable cond;
	std::deque<std::function<void()>> pending;
	bool stopping = false;
};

class drm_instance : public instance, public std::enable_shared_from_this<drm_instance> {
public:
	drm_instance(std::shared_ptr<drm_context> in, std::shared_ptr<loom::program> of);
	~drm_instance() override;
	std::shared_ptr<event> submit(job work) override;
	std::shared_ptr<buffer> state(uint32_t slot) override;
	void reset() override;
	drm_loom_inst_get_state get_state(uint32_t slot = ~0u) const;
	std::shared_ptr<drm_context> context;
	uint32_t handle = 0;

private:
	void destroy() const
	{
		drm_loom_inst_destroy destroy{handle, 0};
		drmIoctl(context->on->fd, DRM_IOCTL_LOOM_INST_DESTROY, &destroy);
	}
	bool is_own(const loom_prog_slot &s) const
	{
		const bool instances = s.kind == LOOM_SLOT_STATE || s.kind == LOOM_SLOT_SCRATCH;
		return (s.flags & LOOM_SLOT_HIDDEN) || (user_cpu && instances);
	}
	void initialise_state();
	binding bound(const job &work, uint32_t slot) const
	{
		return own[slot] ? binding{own[slot], 0} : work.slots[slot];
	}
	std::vector<uint8_t> wanted_by_driver(uint32_t entry) const;
	std::shared_ptr<drm_event> submit_segments(const job &work, uint32_t first, uint32_t count);
	void walk(const job &work, host_event &done);
	int walk_entry(const job &work, host_event &done);
	int run_chain(const job &work, uint32_t first, uint32_t count, host_event &done);
	int run_on_cpu(const job &work, uint32_t index, host_event &done);

	std::vector<std::shared_ptr<buffer>> own; // by slot: those that this process binds
	bool user_cpu = false;
	cpu_runner cpu;
	loop_limit limit;
	std::shared_ptr<walker> walks;
	std::thread thread;
	uint32_t idle = 0;	     // syncobj: the end of what was submitted last
	std::shared_ptr<event> last; // of those that are walked through
	std::mutex mutex;
	std::string lost; // why, of those
};

} // namespace loom::drm
