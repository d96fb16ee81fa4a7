// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The device behind /dev/accel/accelN, over libdrm.
#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstring>
#include <ctime>

#include <fcntl.h>
#include <linux/sync_file.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <fmt/format.h>
#include <xf86drm.h>

#include "drm/loom_accel.h"
#include "objects.h"

namespace loom {
namespace {

// An open node; every object of the device holds it.
class node {
public:
	explicit node(const std::string &path) : path(path)
	{
		fd = open(path.c_str(), O_RDWR | O_CLOEXEC);
		if (fd >= 0)
			return;
		if (errno == ENOENT)
			throw failure(-ENOENT, fmt::format("{}: no such device; is the loom driver loaded (modprobe "
							   "loom), or use --device sim",
							   path));
		if (errno == EACCES || errno == EPERM)
			throw failure(-EACCES, fmt::format("{}: no permission; join the group render, or use --device "
							   "sim",
							   path));
		throw failure(-errno, fmt::format("{}: cannot be opened: {}", path, std::strerror(errno)));
	}
	~node() { close(fd); }
	node(const node &) = delete;

	// Throws on failure; text says what was tried.
	void call(unsigned long request, void *arg, const char *text) const
	{
		if (drmIoctl(fd, request, arg))
			throw failure(-errno, fmt::format("{}: {}: {}", path, text, explain(errno)));
	}

	static std::string explain(int error)
	{
		if (error == ENODEV)
			return "the device is gone";
		if (error == EIO)
			return "the instance is LOST or its context hung the device; reset the instance";
		return std::strerror(error);
	}

	int fd = -1;
	std::string path;
};

class drm_buffer : public buffer {
public:
	drm_buffer(std::shared_ptr<node> on, uint64_t size) : on(std::move(on))
	{
		drm_loom_bo_create create{};
		create.size = size;
		this->on->call(DRM_IOCTL_LOOM_BO_CREATE, &create, "creating a buffer");
		handle = create.handle;
		bytes = create.size;
		drm_loom_bo_mmap_offset where{};
		where.handle = handle;
		this->on->call(DRM_IOCTL_LOOM_BO_MMAP_OFFSET, &where, "mapping a buffer");
		void *p = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, this->on->fd,
			       static_cast<off_t>(where.offset));
		if (p == MAP_FAILED) {
			const int error = errno;
			drmCloseBufferHandle(this->on->fd, handle);
			throw failure(-error, fmt::format("{}: mapping a buffer of {} bytes: {}", this->on->path, size,
							  std::strerror(error)));
		}
		data = static_cast<uint8_t *>(p);
	}
	~drm_buffer() override
	{
		munmap(data, bytes);
		drmCloseBufferHandle(on->fd, handle);
	}
	std::shared_ptr<node> on;
	uint32_t handle = 0;
};

class drm_program : public program {
public:
	drm_program(std::shared_ptr<node> on, program &&from) : program(std::move(from)), on(std::move(on))
	{
		char why[512] = "";
		drm_loom_prog_create create{};
		create.data = reinterpret_cast<uintptr_t>(meta.data());
		create.size = view.header->meta_bytes;
		create.consts_bo = consts ? static_cast<drm_buffer &>(*consts).handle : 0;
		create.message = reinterpret_cast<uintptr_t>(why);
		create.message_size = sizeof(why);
		if (drmIoctl(this->on->fd, DRM_IOCTL_LOOM_PROG_CREATE, &create)) {
			const int error = errno;
			throw failure(-error, fmt::format("{}: the driver refuses the program: {}", this->on->path,
							  *why ? why : node::explain(error)));
		}
		handle = create.prog;
	}
	~drm_program() override
	{
		drm_loom_prog_destroy destroy{handle, 0};
		drmIoctl(on->fd, DRM_IOCTL_LOOM_PROG_DESTROY, &destroy);
	}
	std::shared_ptr<node> on;
	uint32_t handle = 0;
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

	std::shared_ptr<node> on;
	std::shared_ptr<drm_instance> inst;
	std::shared_ptr<buffer> report;
	std::vector<binding> keep; // memory that the job uses
	uint64_t report_bytes = 0;
	uint32_t entry = 0;
	uint32_t syncobj = 0;

private:
	void collect();
	int fence_status() const;
	bool done = false;
};

class drm_device;

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
	uint32_t handle = 0;
};

class drm_instance : public instance, public std::enable_shared_from_this<drm_instance> {
public:
	drm_instance(std::shared_ptr<drm_context> in, std::shared_ptr<loom::program> of) : context(std::move(in))
	{
		program = std::move(of);
		drm_loom_inst_create create{};
		create.ctx = context->handle;
		create.prog = static_cast<drm_program &>(*program).handle;
		context->on->call(DRM_IOCTL_LOOM_INST_CREATE, &create, "creating an instance");
		handle = create.inst;
		hidden.resize(program->view.n_slots);
		for (uint32_t i = 0; i < program->view.n_slots; i++)
			if (program->view.slots[i].flags & LOOM_SLOT_HIDDEN)
				hidden[i] = std::make_shared<drm_buffer>(context->on, program->view.slots[i].bytes);
	}
	~drm_instance() override
	{
		drm_loom_inst_destroy destroy{handle, 0};
		drmIoctl(context->on->fd, DRM_IOCTL_LOOM_INST_DESTROY, &destroy);
	}
	std::shared_ptr<event> submit(job work) override;
	void reset() override
	{
		drm_loom_inst_reset reset{handle, 0};
		context->on->call(DRM_IOCTL_LOOM_INST_RESET, &reset, "resetting an instance");
	}
	drm_loom_inst_get_state state() const
	{
		drm_loom_inst_get_state s{};
		s.inst = handle;
		s.state_bo = ~0u;
		context->on->call(DRM_IOCTL_LOOM_INST_GET_STATE, &s, "asking for an instance's state");
		return s;
	}
	std::shared_ptr<drm_context> context;
	std::vector<std::shared_ptr<buffer>> hidden; // by slot
	uint32_t handle = 0;
};

// Collects a job's unique buffers.
class bo_list {
public:
	uint32_t add(const buffer &b, uint32_t access)
	{
		const uint32_t handle = static_cast<const drm_buffer &>(b).handle;
		for (uint32_t i = 0; i < rows.size(); i++)
			if (rows[i].handle == handle) {
				rows[i].access |= access;
				return i;
			}
		rows.push_back({handle, access});
		return static_cast<uint32_t>(rows.size() - 1);
	}
	std::vector<drm_loom_job_bo> rows;
};

template <class T> drm_loom_array array_of(const std::vector<T> &rows)
{
	if (rows.empty())
		return {};
	return {sizeof(T), static_cast<uint32_t>(rows.size()), reinterpret_cast<uintptr_t>(rows.data())};
}

std::shared_ptr<event> drm_instance::submit(job work)
{
	const auto &v = program->view;
	auto done = std::make_shared<drm_event>(context->on);
	bo_list bos;
	std::vector<drm_loom_binding> bindings;
	std::vector<drm_loom_sync> waits, signals{{done->syncobj, 0, 0}};
	drm_loom_job j{};

	for (uint32_t i = 0; i < v.n_slots; i++) {
		if (v.slots[i].kind != LOOM_SLOT_ARG)
			continue;
		const binding b = hidden[i] ? binding{hidden[i], 0} : work.slots[i];
		bindings.push_back({i, bos.add(*b.memory, v.slots[i].rights), b.offset, v.slots[i].bytes});
		done->keep.push_back(b);
	}
	for (const auto &w : work.waits)
		waits.push_back({static_cast<drm_event &>(*w).syncobj, 0, 0});
	const uint32_t segments = v.entries[work.entry].n_segments;
	done->report_bytes = (work.report_bytes + 63) / 64 * 64;
	done->report = std::make_shared<drm_buffer>(context->on, done->report_bytes * segments);
	j.inst = handle;
	j.entry = work.entry;
	j.report_bo = 1 + bos.add(*done->report, DRM_LOOM_ACCESS_WRITE);
	j.report_size = done->report_bytes;
	j.bos = array_of(bos.rows);
	j.bindings = array_of(bindings);
	j.waits = array_of(waits);
	j.signals = array_of(signals);

	drm_loom_submit submit{};
	submit.jobs = {sizeof(j), 1, reinterpret_cast<uintptr_t>(&j)};
	context->on->call(DRM_IOCTL_LOOM_SUBMIT, &submit, "submitting a job");
	done->inst = shared_from_this();
	done->entry = work.entry;
	return done;
}

int64_t deadline(int64_t timeout_ns)
{
	timespec now{};
	if (timeout_ns < 0)
		return INT64_MAX;
	clock_gettime(CLOCK_MONOTONIC, &now);
	const int64_t t = now.tv_sec * 1000000000ll + now.tv_nsec;
	return timeout_ns > INT64_MAX - t ? INT64_MAX : t + timeout_ns;
}

bool drm_event::wait(int64_t timeout_ns)
{
	if (done)
		return true;
	if (int error = drmSyncobjWait(on->fd, &syncobj, 1, deadline(timeout_ns), 0, nullptr)) {
		if (error == -ETIME)
			return false;
		throw failure(error, fmt::format("{}: waiting for a job: {}", on->path, std::strerror(-error)));
	}
	collect();
	done = true;
	return true;
}

// A syncobj wait does not tell the fence's error; its sync_file does.
int drm_event::fence_status() const
{
	int fd = -1;
	if (int error = drmSyncobjExportSyncFile(on->fd, syncobj, &fd))
		return error;
	sync_file_info info{};
	const int rc = ioctl(fd, SYNC_IOC_FILE_INFO, &info) ? -errno : 0;
	close(fd);
	return rc ? rc : info.status < 0 ? info.status : 0;
}

void drm_event::collect()
{
	const auto &v = inst->program->view;
	const uint32_t segments = v.entries[entry].n_segments;
	result.status = fence_status();
	for (uint32_t s = 0; s < segments; s++) {
		const uint8_t *at = report->data + s * report_bytes;
		loom_report head;
		std::memcpy(&head, at, sizeof(head));
		if (head.magic != LOOM_REPORT_MAGIC)
			break;
		accumulate(*this, v.segments[v.entries[entry].first_segment + s], s, {at, at + report_bytes});
	}
	if (!result.status)
		return;
	std::string why = std::strerror(-result.status);
	const auto state = inst->state();
	if (state.fault) {
		result.segment = state.segment;
		result.end.fault = static_cast<uint16_t>(state.fault);
		result.end.slot = static_cast<uint16_t>(state.slot);
		result.end.unit = state.unit;
		result.end.loc = state.loc;
		result.end.offset = state.offset;
		result.end.limit = state.limit;
		result.end.aux = state.aux;
		why = describe_fault(*inst->program, entry, state.segment, result.end);
	} else if (result.status == -ETIME) {
		why = fmt::format("the job made no progress and was killed; segment {}", state.segment);
	} else if (result.status == -ECANCELED) {
		why = "cancelled, because an earlier job of the same context or instance failed";
	} else if (result.status == -ENODEV) {
		why = "the device is gone";
	}
	fmt::format_to_n(result.message, sizeof(result.message) - 1, "{}", why);
}

class drm_device : public device {
public:
	explicit drm_device(const std::string &path) : on(std::make_shared<node>(path))
	{
		name = path;
		check_driver();
		drm_loom_hw hw{};
		static_assert(sizeof(hw) == sizeof(target));
		drm_loom_dev_query query{DRM_LOOM_QUERY_HW, sizeof(hw), reinterpret_cast<uintptr_t>(&hw)};
		on->call(DRM_IOCTL_LOOM_DEV_QUERY, &query, "asking for the hardware");
		std::memcpy(&target, &hw, sizeof(target));
		context = std::make_shared<drm_context>(on);
	}
	std::shared_ptr<buffer> create_buffer(uint64_t bytes) override
	{
		return std::make_shared<drm_buffer>(on, bytes);
	}
	std::shared_ptr<program> adopt(std::shared_ptr<program> checked) override
	{
		return std::make_shared<drm_program>(on, std::move(*checked));
	}
	std::shared_ptr<instance> create_instance(std::shared_ptr<program> of) override
	{
		return std::make_shared<drm_instance>(context, std::move(of));
	}
	loom_device_stats stats() override
	{
		drm_loom_stats s{};
		drm_loom_dev_query query{DRM_LOOM_QUERY_STATS, sizeof(s), reinterpret_cast<uintptr_t>(&s)};
		on->call(DRM_IOCTL_LOOM_DEV_QUERY, &query, "asking for counters");
		return {s.jobs_completed + s.jobs_faulted, s.device_jobs, s.jobs_faulted, s.resets, s.cycles, 0};
	}

private:
	void check_driver() const
	{
		drmVersionPtr version = drmGetVersion(on->fd);
		const std::string driver = version ? std::string(version->name, version->name_len) : "";
		const int major = version ? version->version_major : 0;
		drmFreeVersion(version);
		if (driver != "loom")
			throw failure(-ENODEV, fmt::format("{}: its driver is \"{}\", not loom; give a /dev/accel node "
							   "of loom, or use --device sim",
							   name, driver));
		if (major != DRM_LOOM_VERSION_MAJOR)
			throw failure(-ENODEV, fmt::format("{}: driver interface {}, this library speaks {}; install "
							   "matching versions",
							   name, major, DRM_LOOM_VERSION_MAJOR));
	}
	std::shared_ptr<node> on;
	std::shared_ptr<drm_context> context;
};

} // namespace

std::shared_ptr<device> open_drm(const std::string &path)
{
	return std::make_shared<drm_device>(path);
}

std::string find_drm()
{
	for (int i = 0; i < 64; i++) {
		const std::string path = fmt::format("/dev/accel/accel{}", i);
		const int fd = open(path.c_str(), O_RDWR | O_CLOEXEC);
		if (fd < 0)
			continue;
		drmVersionPtr version = drmGetVersion(fd);
		const bool ours = version && std::string(version->name, version->name_len) == "loom";
		drmFreeVersion(version);
		close(fd);
		if (ours)
			return path;
	}
	return {};
}

} // namespace loom
