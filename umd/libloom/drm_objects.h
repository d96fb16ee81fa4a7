// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What a node's objects are to the driver: buffers, programs, contexts, jobs under way.
#pragma once

#include <atomic>
#include <cerrno>
#include <cstring>

#include <unistd.h>

#include <fmt/format.h>
#include <xf86drm.h>

#include "drm/loom_accel.h"
#include "objects.h"

namespace loom::drm {

// An open node; every object of the device holds it.
class node {
public:
	explicit node(const std::string &path);
	~node() { close(fd); }
	node(const node &) = delete;

	// Throws on failure; text says what was tried.
	void call(unsigned long request, void *arg, const char *text) const;
	static std::string explain(int error);

	int fd = -1;
	std::string path;
};

class drm_buffer : public buffer {
public:
	drm_buffer(std::shared_ptr<node> on, uint64_t size);
	// Takes a handle whose buffer has this many bytes, whole pages of them.
	drm_buffer(std::shared_ptr<node> on, uint32_t handle, uint64_t size) : on(std::move(on)) { map(handle, size); }
	~drm_buffer() override;
	std::shared_ptr<node> on;
	uint32_t handle = 0;

private:
	void map(uint32_t taken, uint64_t size);
};

class drm_program : public program {
public:
	drm_program(std::shared_ptr<node> on, program &&from);
	~drm_program() override
	{
		drm_loom_prog_destroy destroy{handle, 0};
		drmIoctl(on->fd, DRM_IOCTL_LOOM_PROG_DESTROY, &destroy);
	}
	std::shared_ptr<node> on;
	uint32_t handle = 0;
	bool user_cpu = false; // this process runs its CPU segments
	bool walked = false;   // this process walks through its jobs
};

class drm_instance;

class drm_event : public event {
public:
	explicit drm_event(std::shared_ptr<node> of) : on(std::move(of))
	{
		if (drmSyncobjCreate(on->fd, 0, &syncobj))
			throw failure(-errno,
				      fmt::format("{}: creating a sync object: {}", on->path, std::strerror(errno)));
	}
	~drm_event() override { drmSyncobjDestroy(on->fd, syncobj); }
	bool wait(int64_t timeout_ns) override;
	// Waits for ever; status, reports and faults go to the event of the whole job.
	int collect_to(event &whole);

	std::shared_ptr<node> on;
	std::shared_ptr<drm_instance> inst;
	std::shared_ptr<buffer> report;
	std::vector<binding> keep; // memory that the job uses
	uint64_t report_bytes = 0;
	uint32_t entry = 0;
	uint32_t first = 0, count = 0; // segments of the entry point
	uint32_t syncobj = 0;

private:
	bool ended(int64_t timeout_ns) const;
	void collect(event &to);
	int fence_status() const;
	bool done = false;
};

class drm_context {
public:
	explicit drm_context(std::shared_ptr<node> of) : on(std::move(of))
	{
		drm_loom_ctx_create create{};
		create.priority = DRM_LOOM_PRIORITY_NORMAL;
		on->call(DRM_IOCTL_LOOM_CTX_CREATE, &create, "creating a context");
		handle = create.ctx;
	}
	~drm_context()
	{
		drm_loom_ctx_destroy destroy{handle, 0};
		drmIoctl(on->fd, DRM_IOCTL_LOOM_CTX_DESTROY, &destroy);
	}
	std::shared_ptr<node> on;
	std::atomic<uint64_t> user_segments = 0; // CPU segments that this process ran
	uint32_t handle = 0;
};

} // namespace loom::drm
