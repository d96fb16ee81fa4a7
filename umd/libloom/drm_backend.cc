// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The device behind /dev/accel/accelN, over libdrm.
//
// A job is one SUBMIT, of which the kernel runs all segments. Where the program has a schedule, or CPU segments that
// this process is to run (LOOM_CPU=user), a thread of the instance walks through the job, a SUBMIT a chain. What it
// must see, the kernel must not own: with LOOM_CPU=user the driver is told that state and scratch are arguments.
#include <atomic>
#include <cerrno>
#include <climits>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

#include <fcntl.h>
#include <linux/sync_file.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>
#include <xmmintrin.h>

#include <fmt/format.h>
#include <xf86drm.h>

#include "cpu_runner.h"
#include "drm/loom_accel.h"
#include "host_event.h"
#include "objects.h"
#include "sequencer.h"

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
		map(create.handle, create.size);
	}
	// Takes a handle whose buffer has this many bytes, whole pages of them.
	drm_buffer(std::shared_ptr<node> on, uint32_t handle, uint64_t size) : on(std::move(on)) { map(handle, size); }
	~drm_buffer() override
	{
		munmap(data, bytes);
		drmCloseBufferHandle(on->fd, handle);
	}
	std::shared_ptr<node> on;
	uint32_t handle = 0;

private:
	void map(uint32_t taken, uint64_t size)
	{
		drm_loom_bo_mmap_offset where{};
		where.handle = taken;
		void *p = MAP_FAILED;
		if (!drmIoctl(on->fd, DRM_IOCTL_LOOM_BO_MMAP_OFFSET, &where))
			p = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, on->fd,
				 static_cast<off_t>(where.offset));
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
};

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

class drm_program : public program {
public:
	drm_program(std::shared_ptr<node> on, program &&from) : program(std::move(from)), on(std::move(on))
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
	std::atomic<uint64_t> user_segments = 0; // CPU segments that this process ran
	uint32_t handle = 0;
};

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
	drm_instance(std::shared_ptr<drm_context> in, std::shared_ptr<loom::program> of) : context(std::move(in))
	{
		program = std::move(of);
		user_cpu = static_cast<drm_program &>(*program).user_cpu;
		own.resize(program->view.n_slots);
		for (uint32_t i = 0; i < program->view.n_slots; i++)
			if (is_own(program->view.slots[i]))
				own[i] = std::make_shared<drm_buffer>(context->on, program->view.slots[i].bytes);
		initialise_state();
		drm_loom_inst_create create{};
		create.ctx = context->handle;
		create.prog = static_cast<drm_program &>(*program).handle;
		context->on->call(DRM_IOCTL_LOOM_INST_CREATE, &create, "creating an instance");
		handle = create.inst;
		if (drmSyncobjCreate(context->on->fd, DRM_SYNCOBJ_CREATE_SIGNALED, &idle)) {
			const int error = errno;
			destroy();
			throw failure(-error, fmt::format("{}: creating a sync object: {}", context->on->path,
							  std::strerror(error)));
		}
		if (!static_cast<drm_program &>(*program).walked)
			return;
		walks = std::make_shared<walker>();
		thread = std::thread([w = walks] { w->serve(); });
	}
	~drm_instance() override
	{
		if (walks) {
			walks->stop();
			if (thread.get_id() == std::this_thread::get_id())
				thread.detach();
			else
				thread.join();
		}
		drmSyncobjDestroy(context->on->fd, idle);
		destroy();
	}
	std::shared_ptr<event> submit(job work) override;
	std::shared_ptr<buffer> state(uint32_t slot) override;
	void reset() override
	{
		if (last)
			last->wait(-1);
		drm_loom_inst_reset reset{handle, 0};
		context->on->call(DRM_IOCTL_LOOM_INST_RESET, &reset, "resetting an instance");
		initialise_state();
		std::lock_guard lock(mutex);
		lost.clear();
	}
	drm_loom_inst_get_state get_state(uint32_t slot = ~0u) const
	{
		drm_loom_inst_get_state s{};
		s.inst = handle;
		s.state_bo = slot;
		context->on->call(DRM_IOCTL_LOOM_INST_GET_STATE, &s, "asking for an instance's state");
		return s;
	}
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
	std::shared_ptr<walker> walks;
	std::thread thread;
	uint32_t idle = 0;	     // syncobj: the end of what was submitted last
	std::shared_ptr<event> last; // of those that are walked through
	std::mutex mutex;
	std::string lost; // why, of those
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

void drm_instance::initialise_state()
{
	for (uint32_t i = 0; i < program->view.n_slots; i++) {
		const auto &d = program->view.slots[i];
		if (d.kind != LOOM_SLOT_STATE || !own[i])
			continue;
		std::memset(own[i]->data, 0, own[i]->bytes);
		if (d.flags & LOOM_SLOT_INIT)
			std::memcpy(own[i]->data, program->consts->data + d.const_offset, d.bytes);
	}
}

// The arguments of an entry point as the driver sees them: this process' own slots are among them.
std::vector<uint8_t> drm_instance::wanted_by_driver(uint32_t entry) const
{
	loom_prog_view told = program->view;
	std::vector<loom_prog_slot> slots(told.slots, told.slots + told.n_slots);
	for (uint32_t i = 0; i < told.n_slots; i++)
		if (own[i])
			slots[i].kind = LOOM_SLOT_ARG;
	told.slots = slots.data();
	std::vector<uint8_t> wanted(told.n_slots);
	loom_prog_wanted_args(&told, entry, wanted.data());
	return wanted;
}

// The wait covers what was submitted; jobs that a thread walks through end in `last`.
std::shared_ptr<buffer> drm_instance::state(uint32_t slot)
{
	const auto &on = context->on;
	if (last)
		last->wait(-1);
	if (int error = drmSyncobjWait(on->fd, &idle, 1, INT64_MAX, 0, nullptr))
		throw failure(error, fmt::format("{}: waiting for an instance: {}", on->path, std::strerror(-error)));
	const drm_loom_inst_get_state s = get_state(own[slot] ? ~0u : slot);
	const uint64_t page = LOOM_PAGE_BYTES;
	auto memory = own[slot];
	if (!memory)
		memory = std::make_shared<drm_buffer>(on, s.handle,
						      (program->view.slots[slot].bytes + page - 1) / page * page);
	std::lock_guard lock(mutex);
	if ((s.state & DRM_LOOM_INST_LOST) || !lost.empty())
		throw failure(-EIO, "the instance is LOST, so its state is undefined; reset it");
	return memory;
}

// count 0: the whole entry point.
std::shared_ptr<drm_event> drm_instance::submit_segments(const job &work, uint32_t first, uint32_t count)
{
	const auto &v = program->view;
	auto done = std::make_shared<drm_event>(context->on);
	bo_list bos;
	std::vector<drm_loom_binding> bindings;
	std::vector<drm_loom_sync> waits, signals{{done->syncobj, 0, 0}, {idle, 0, 0}};
	drm_loom_job j{};

	const auto wanted = wanted_by_driver(work.entry);
	for (uint32_t i = 0; i < v.n_slots; i++) {
		const binding b = bound(work, i);
		if (!wanted[i])
			continue;
		bindings.push_back({i, bos.add(*b.memory, v.slots[i].rights), b.offset, v.slots[i].bytes});
		done->keep.push_back(b);
	}
	for (const auto &w : work.waits)
		if (const auto *fence = dynamic_cast<drm_event *>(w.get()))
			waits.push_back({fence->syncobj, 0, 0});
	done->first = first;
	done->count = count ? count : v.entries[work.entry].n_segments;
	done->report_bytes = (work.report_bytes + 63) / 64 * 64;
	done->report = std::make_shared<drm_buffer>(context->on, done->report_bytes * done->count);
	j.inst = handle;
	j.entry = work.entry;
	j.first_segment = first;
	j.n_segments = count;
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

std::shared_ptr<event> drm_instance::submit(job work)
{
	if (!walks) {
		// The kernel knows nothing of jobs that threads walk through.
		for (const auto &w : work.waits)
			if (!dynamic_cast<drm_event *>(w.get()))
				w->wait(-1);
		return submit_segments(work, 0, 0);
	}
	{
		std::lock_guard lock(mutex);
		if (!lost.empty())
			throw failure(-EIO, fmt::format("the instance is LOST after: {}; reset it", lost));
	}
	auto done = std::make_shared<host_event>();
	last = done;
	walks->enqueue([self = shared_from_this(), work = std::move(work), done] { self->walk(work, *done); });
	return done;
}

void drm_instance::walk(const job &work, host_event &done)
{
	auto &result = done.result;
	std::string why;
	try {
		for (const auto &w : work.waits)
			w->wait(-1);
		result.status = walk_entry(work, done);
		why = result.message;
	} catch (const failure &f) {
		result.status = f.code;
		why = f.what();
	}
	if (result.status) {
		fmt::format_to_n(result.message, sizeof(result.message) - 1, "{}", why);
		std::lock_guard lock(mutex);
		lost = why;
	}
	done.complete();
}

int drm_instance::walk_entry(const job &work, host_event &done)
{
	const auto &v = program->view;
	loom_sequencer seq;
	loom_sequencer_begin(&seq, &v, work.entry);
	bool answer = false;
	while (const auto want = loom_sequencer_next(&seq, answer)) {
		if (want == LOOM_WANT_CONDITION) {
			const binding b = bound(work, v.tensors[seq.cond].slot);
			answer = condition(v, seq.cond, b.memory->data + b.offset);
		} else if (const int status = run_chain(work, seq.first, seq.count, done)) {
			return status;
		}
	}
	return 0;
}

int drm_instance::run_chain(const job &work, uint32_t first, uint32_t count, host_event &done)
{
	const auto *segments = program->view.segments + program->view.entries[work.entry].first_segment;
	const uint32_t end = first + count;
	while (first < end) {
		const bool here = user_cpu && segments[first].engine == LOOM_ENGINE_CPU;
		uint32_t n = 1;
		while (!here && first + n < end && !(user_cpu && segments[first + n].engine == LOOM_ENGINE_CPU))
			n++;
		const int status =
			here ? run_on_cpu(work, first, done) : submit_segments(work, first, n)->collect_to(done);
		if (status)
			return status;
		first += n;
	}
	return 0;
}

int drm_instance::run_on_cpu(const job &work, uint32_t index, host_event &done)
{
	const auto &v = program->view;
	const auto &seg = v.segments[v.entries[work.entry].first_segment + index];
	std::vector<loom_cpu_slot> slots(v.n_slots);
	for (uint32_t i = 0; i < v.n_slots; i++) {
		const auto &d = v.slots[i];
		const binding b = d.kind == LOOM_SLOT_CONST ? binding{program->consts, d.const_offset} : bound(work, i);
		if (b.memory) // else another entry point's
			slots[i] = {b.memory->data + b.offset, d.bytes, d.rights, 0};
	}
	std::vector<uint8_t> report(work.report_bytes);
	loom_completion end{};
	const int status = cpu.run(*program, seg, index, slots, report, end);
	accumulate(done, seg, index, std::move(report));
	context->user_segments++;
	if (status) {
		const std::string why = describe_fault(*program, work.entry, index, end);
		fmt::format_to_n(done.result.message, sizeof(done.result.message) - 1, "{}", why);
	}
	return status;
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
		return {s.jobs_completed + s.jobs_faulted,	 s.device_jobs, s.jobs_faulted, s.resets, s.cycles,
			s.cpu_completed + context->user_segments};
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
