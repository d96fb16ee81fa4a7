// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "drm_objects.h"

#include <cstdlib>
#include <ctime>

#include <fcntl.h>
#include <linux/sync_file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "drm_instance.h"

namespace loom::drm {

node::node(const std::string &path) : path(path)
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

void node::call(unsigned long request, void *arg, const char *text) const
{
	if (drmIoctl(fd, request, arg))
		throw failure(-errno, fmt::format("{}: {}: {}", path, text, explain(errno)));
}

std::string node::explain(int error)
{
	if (error == ENODEV)
		return "the device is gone";
	if (error == EIO)
		return "the instance is LOST or its context hung the device; reset the instance";
	return std::strerror(error);
}

drm_buffer::drm_buffer(std::shared_ptr<node> on, uint64_t size) : on(std::move(on))
{
	drm_loom_bo_create create{};
	create.size = size;
	this->on->call(DRM_IOCTL_LOOM_BO_CREATE, &create, "creating a buffer");
	map(create.handle, create.size);
}

drm_buffer::~drm_buffer()
{
	munmap(data, bytes);
	drmCloseBufferHandle(on->fd, handle);
}

void drm_buffer::map(uint32_t taken, uint64_t size)
{
	drm_loom_bo_mmap_offset where{};
	where.handle = taken;
	void *p = MAP_FAILED;
	if (!drmIoctl(on->fd, DRM_IOCTL_LOOM_BO_MMAP_OFFSET, &where))
		p = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, on->fd, static_cast<off_t>(where.offset));
	if (p == MAP_FAILED) {
		const int error = errno;
		drmCloseBufferHandle(on->fd, taken);
		throw failure(-error, fmt::format("{}: mapping a buffer of {} bytes: {}", on->path, size,
						  std::strerror(error)));
	}
	handle = taken;
	bytes = size;
	data = static_cast<uint8_t *>(p);
}

namespace {

// LOOM_CPU: who runs CPU segments.
bool cpu_in_user_space()
{
	const char *text = std::getenv("LOOM_CPU");
	const std::string value = text ? text : "";
	if (value.empty() || value == "kernel")
		return false;
	if (value == "user")
		return true;
	throw failure(-EINVAL, fmt::format("LOOM_CPU={}: use kernel or user", value));
}

// The tables as the driver is to see them where this process owns state and scratch: these are arguments then.
std::vector<uint64_t> with_own_slots(const program &p)
{
	std::vector<uint64_t> meta = p.meta;
	const auto &section = p.view.header->sections[LOOM_SEC_SLOTS];
	auto *slots = reinterpret_cast<loom_prog_slot *>(reinterpret_cast<uint8_t *>(meta.data()) + section.offset);
	for (uint32_t i = 0; i < p.view.n_slots; i++) {
		if (slots[i].kind != LOOM_SLOT_STATE && slots[i].kind != LOOM_SLOT_SCRATCH)
			continue;
		slots[i].kind = LOOM_SLOT_ARG;
		slots[i].flags = LOOM_SLOT_HIDDEN;
		slots[i].const_offset = 0;
	}
	return meta;
}

} // namespace

drm_program::drm_program(std::shared_ptr<node> on, program &&from) : program(std::move(from)), on(std::move(on))
{
	bool has_cpu = false;
	for (uint32_t i = 0; i < view.n_segments; i++)
		has_cpu |= view.segments[i].engine == LOOM_ENGINE_CPU;
	user_cpu = has_cpu && cpu_in_user_space();
	for (uint32_t i = 0; i < view.n_entries; i++)
		walked |= view.entries[i].n_steps != 0;
	walked |= user_cpu;
	const std::vector<uint64_t> told = user_cpu ? with_own_slots(*this) : std::vector<uint64_t>();
	char why[512] = "";
	drm_loom_prog_create create{};
	create.data = reinterpret_cast<uintptr_t>(user_cpu ? told.data() : meta.data());
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

namespace {

int64_t deadline(int64_t timeout_ns)
{
	timespec now{};
	if (timeout_ns < 0)
		return INT64_MAX;
	clock_gettime(CLOCK_MONOTONIC, &now);
	const int64_t t = now.tv_sec * 1000000000ll + now.tv_nsec;
	return timeout_ns > INT64_MAX - t ? INT64_MAX : t + timeout_ns;
}

} // namespace

bool drm_event::ended(int64_t timeout_ns) const
{
	// A syncobj's handle is the node's: the call changes nothing of it.
	uint32_t handle = syncobj;
	const int error = drmSyncobjWait(on->fd, &handle, 1, deadline(timeout_ns), 0, nullptr);
	if (error && error != -ETIME)
		throw failure(error, fmt::format("{}: waiting for a job: {}", on->path, std::strerror(-error)));
	return !error;
}

bool drm_event::wait(int64_t timeout_ns)
{
	if (done)
		return true;
	if (!ended(timeout_ns))
		return false;
	collect(*this);
	done = true;
	return true;
}

int drm_event::collect_to(event &whole)
{
	ended(-1);
	collect(whole);
	return whole.result.status;
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

void drm_event::collect(event &to)
{
	auto &result = to.result;
	const auto &v = inst->program->view;
	const auto *segments = v.segments + v.entries[entry].first_segment;
	result.status = fence_status();
	for (uint32_t s = 0; s < count; s++) {
		const uint8_t *at = report->data + s * report_bytes;
		loom_report head;
		std::memcpy(&head, at, sizeof(head));
		if (head.magic != LOOM_REPORT_MAGIC)
			break;
		accumulate(to, segments[first + s], first + s, {at, at + report_bytes});
	}
	if (!result.status)
		return;
	std::string why = std::strerror(-result.status);
	const auto state = inst->get_state();
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

} // namespace loom::drm
