// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "drm_instance.h"

#include <climits>

#include "sequencer.h"

namespace loom::drm {

drm_instance::drm_instance(std::shared_ptr<drm_context> in, std::shared_ptr<loom::program> of) : context(std::move(in))
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
		throw failure(-error,
			      fmt::format("{}: creating a sync object: {}", context->on->path, std::strerror(error)));
	}
	if (!static_cast<drm_program &>(*program).walked)
		return;
	walks = std::make_shared<walker>();
	thread = std::thread([w = walks] { w->serve(); });
}

drm_instance::~drm_instance()
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

void drm_instance::reset()
{
	if (last)
		last->wait(-1);
	drm_loom_inst_reset reset{handle, 0};
	context->on->call(DRM_IOCTL_LOOM_INST_RESET, &reset, "resetting an instance");
	initialise_state();
	std::lock_guard lock(mutex);
	lost.clear();
}

drm_loom_inst_get_state drm_instance::get_state(uint32_t slot) const
{
	drm_loom_inst_get_state s{};
	s.inst = handle;
	s.state_bo = slot;
	context->on->call(DRM_IOCTL_LOOM_INST_GET_STATE, &s, "asking for an instance's state");
	return s;
}

namespace {

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

} // namespace

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
	done->run_room = work.run_room;
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
	done->run_room = work.run_room;
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
	const auto begin = loop_limit::clock::now();
	loom_sequencer seq;
	loom_sequencer_begin(&seq, &v, work.entry);
	bool answer = false;
	while (const auto want = loom_sequencer_next(&seq, answer)) {
		limit.check(begin);
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

} // namespace loom::drm
