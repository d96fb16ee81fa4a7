// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The device in this process: the same model that QEMU links and the CPU engine that the kernel has, fed by one thread
// in order of submission.
#include <algorithm>
#include <cerrno>
#include <condition_variable>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <mutex>
#include <thread>
#include <utility>

#include <fmt/format.h>
#include <sched.h>
#include <xmmintrin.h>

#include "cpu_runner.h"
#include "host_event.h"
#include "loom_npu.h"
#include "loop_limit.h"
#include "objects.h"
#include "sequencer.h"
#include "sim_memory.h"
#include "thread_pool.h"

namespace loom {
namespace {

constexpr unsigned default_mxcsr = 0x1f80;

uint64_t scratch_bytes(const program &p)
{
	uint64_t bytes = 0;
	for (uint32_t i = 0; i < p.view.n_slots; i++)
		if (p.view.slots[i].kind == LOOM_SLOT_SCRATCH)
			bytes += whole_pages(p.view.slots[i].bytes);
	return bytes;
}

class sim_device;

class sim_instance : public instance, public std::enable_shared_from_this<sim_instance> {
public:
	sim_instance(std::shared_ptr<sim_device> on, std::shared_ptr<loom::program> of);
	~sim_instance() override;
	std::shared_ptr<event> submit(job work) override;
	std::shared_ptr<event> run(job work) override;
	void reset() override;
	std::shared_ptr<buffer> state(uint32_t slot) override;
	void initialise_state();
	void refuse_lost();

	std::shared_ptr<sim_device> device;
	std::vector<std::shared_ptr<buffer>> own; // by slot: state, hidden arguments
	std::shared_ptr<event> last;
	bool lost = false; // written by the worker, under the device's mutex
	std::string lost_why;
};

struct queued {
	std::shared_ptr<sim_instance> inst;
	job work;
	std::shared_ptr<host_event> done;
};

// What the model's memory callbacks see of the segment that runs.
struct memory_view {
	std::vector<uint8_t *> slots;
	const uint8_t *code = nullptr;
	uint8_t *report = nullptr;

	uint8_t *at(uint32_t slot, uint64_t offset)
	{
		if (slot == LOOM_NPU_CODE)
			return const_cast<uint8_t *>(code) + offset;
		if (slot == LOOM_NPU_REPORT)
			return report + offset;
		return slots[slot] + offset;
	}
};

// The model's opaque pointer.
struct host_view {
	memory_view memory;
	std::unique_ptr<thread_pool> pool;
};

// Queue, thread and model. The thread holds a reference of its own, so that the last job may drop the last device.
class sim_engine {
public:
	explicit sim_engine(const loom_target &t);
	~sim_engine() { loom_npu_destroy(npu); }
	void serve();
	void enqueue(queued item)
	{
		std::lock_guard lock(mutex);
		pending.push_back(std::move(item));
		cond.notify_one();
	}
	// Runs it on this thread and returns true, if no job is before it.
	bool run_here(queued &item);
	void stop()
	{
		std::lock_guard lock(mutex);
		stopping = true;
		cond.notify_all();
	}

	std::mutex mutex;
	loom_device_stats counters{};
	shared_scratch scratch;

private:
	void run(queued &item);
	int run_entry(queued &item);
	int run_chain(queued &item, uint32_t first, uint32_t count);
	int run_segment(queued &item, const loom_prog_segment &seg, uint32_t index);
	int run_npu(const loom_prog_segment &seg, uint32_t index, std::vector<uint8_t> &report, loom_completion &end);
	void count(uint32_t engine, const loom_completion &end);
	void bind(queued &item);

	std::condition_variable cond;
	std::deque<queued> pending;
	bool stopping = false, busy = false;
	loom_npu *npu = nullptr;
	host_view view;
	std::vector<loom_npu_slot> slots;
	std::vector<loom_cpu_slot> cpu_slots;
	std::shared_ptr<buffer> scratch_of_job; // an instance that goes may shrink what is shared
	cpu_runner cpu;
	loop_limit limit;
};

class sim_device : public device, public std::enable_shared_from_this<sim_device> {
public:
	explicit sim_device(const loom_target &t) : engine(std::make_shared<sim_engine>(t))
	{
		name = "sim";
		target = t;
		worker = std::thread([e = engine] { e->serve(); });
	}
	~sim_device() override
	{
		engine->stop();
		if (worker.get_id() == std::this_thread::get_id())
			worker.detach();
		else
			worker.join();
	}
	std::shared_ptr<buffer> create_buffer(uint64_t bytes) override { return std::make_shared<sim_buffer>(bytes); }
	std::shared_ptr<buffer> wrap_buffer(void *data, uint64_t bytes) override
	{
		return std::make_shared<wrapped_buffer>(data, bytes);
	}
	std::shared_ptr<program> adopt(std::shared_ptr<program> checked) override { return checked; }
	std::shared_ptr<instance> create_instance(std::shared_ptr<program> of) override
	{
		return std::make_shared<sim_instance>(shared_from_this(), std::move(of));
	}
	loom_device_stats stats() override
	{
		std::lock_guard lock(engine->mutex);
		return engine->counters;
	}

	const std::shared_ptr<sim_engine> engine;

private:
	std::thread worker;
};

int host_read(void *opaque, uint32_t slot, uint64_t offset, void *buf, uint64_t len)
{
	std::memcpy(buf, static_cast<host_view *>(opaque)->memory.at(slot, offset), len);
	return LOOM_FAULT_NONE;
}

int host_write(void *opaque, uint32_t slot, uint64_t offset, const void *buf, uint64_t len)
{
	std::memcpy(static_cast<host_view *>(opaque)->memory.at(slot, offset), buf, len);
	return LOOM_FAULT_NONE;
}

void *host_direct(void *opaque, uint32_t slot, uint64_t offset, uint64_t, bool)
{
	return static_cast<host_view *>(opaque)->memory.at(slot, offset);
}

void host_parallel_for(void *opaque, unsigned n, void (*fn)(void *, unsigned), void *arg)
{
	static_cast<host_view *>(opaque)->pool->run(n, fn, arg);
}

const loom_npu_host serial_host = {host_read, host_write, host_direct, nullptr, nullptr};
const loom_npu_host parallel_host = {host_read, host_write, host_direct, host_parallel_for, nullptr};

loom_host_isa isa_from_environment()
{
	const char *name = std::getenv("LOOM_ISA");
	const std::string isa = name ? name : "";
	if (isa.empty() || isa == "auto")
		return LOOM_HOST_AUTO;
	if (isa == "scalar")
		return LOOM_HOST_SCALAR;
	if (isa == "avx2")
		return LOOM_HOST_AVX2;
	if (isa == "avx512")
		return LOOM_HOST_AVX512;
	throw failure(-EINVAL, fmt::format("LOOM_ISA={}: use scalar, avx2, avx512 or auto", isa));
}

bool hazards_from_environment()
{
	const char *text = std::getenv("LOOM_HAZARDS");
	const std::string value = text ? text : "";
	if (value.empty() || value == "0")
		return false;
	if (value == "1")
		return true;
	throw failure(-EINVAL, fmt::format("LOOM_HAZARDS={}: use 1 to check every job's order, or 0", value));
}

// As many as there are processors for this process, but few: records are short.
unsigned default_threads()
{
	constexpr int most = 4;
	cpu_set_t set;
	CPU_ZERO(&set);
	if (sched_getaffinity(0, sizeof(set), &set))
		return 1;
	return static_cast<unsigned>(std::clamp(CPU_COUNT(&set), 1, most));
}

unsigned threads_from_environment()
{
	const char *text = std::getenv("LOOM_THREADS");
	if (!text || !*text)
		return default_threads();
	char *end = nullptr;
	const unsigned long n = std::strtoul(text, &end, 10);
	if (*end || n < 1 || n > 64)
		throw failure(-EINVAL, fmt::format("LOOM_THREADS={}: use a number from 1 to 64", text));
	return static_cast<unsigned>(n);
}

sim_engine::sim_engine(const loom_target &t)
{
	if (const char *why = loom_target_check(&t))
		throw failure(-EINVAL, fmt::format("target: {}", why));
	const loom_host_isa isa = isa_from_environment();
	const bool hazards = hazards_from_environment();
	const unsigned threads = threads_from_environment();
	if (threads > 1)
		view.pool = std::make_unique<thread_pool>(threads);
	npu = loom_npu_create(&t, threads > 1 ? &parallel_host : &serial_host, &view);
	if (!npu)
		throw failure(-ENOMEM, "no memory for the in-process device");
	if (!loom_npu_set_hazards(npu, hazards)) {
		loom_npu_destroy(npu);
		throw failure(-ENOMEM, "no memory for the hazard checker");
	}
	if (!loom_npu_set_isa(npu, isa)) {
		loom_npu_destroy(npu);
		throw failure(-EINVAL, fmt::format("LOOM_ISA={}: this CPU lacks it; use another or auto",
						   std::getenv("LOOM_ISA")));
	}
}

void sim_engine::serve()
{
	_mm_setcsr(default_mxcsr);
	std::unique_lock lock(mutex);
	for (;;) {
		cond.wait(lock, [&] { return !busy && (stopping || !pending.empty()); });
		if (pending.empty())
			return;
		queued item = std::move(pending.front());
		pending.pop_front();
		busy = true;
		lock.unlock();
		run(item);
		item = {};
		lock.lock();
		busy = false;
	}
}

bool sim_engine::run_here(queued &item)
{
	{
		std::lock_guard lock(mutex);
		if (busy || !pending.empty())
			return false;
		busy = true;
	}
	const unsigned mxcsr = _mm_getcsr();
	_mm_setcsr(default_mxcsr);
	run(item);
	_mm_setcsr(mxcsr);
	std::lock_guard lock(mutex);
	busy = false;
	if (!pending.empty() || stopping)
		cond.notify_all();
	return true;
}

// Waits need no care: an event exists before the job that waits for it, and jobs run in order of submission.
void sim_engine::run(queued &item)
{
	auto &result = item.done->result;
	std::string why;

	try {
		bind(item);
		result.status = run_entry(item);
		if (result.status)
			why = describe_fault(*item.inst->program, item.work.entry, result.segment, result.end);
	} catch (const failure &f) {
		result.status = f.code;
		why = f.what();
	}
	if (result.status) {
		fmt::format_to_n(result.message, sizeof(result.message) - 1, "{}", why);
		std::lock_guard lock(mutex);
		item.inst->lost = true;
		item.inst->lost_why = why;
	}
	scratch_of_job = nullptr;
	item.done->complete();
}

int sim_engine::run_entry(queued &item)
{
	const auto &v = item.inst->program->view;
	const auto begin = loop_limit::clock::now();
	loom_sequencer seq;
	loom_sequencer_begin(&seq, &v, item.work.entry);
	bool answer = false;
	while (const auto want = loom_sequencer_next(&seq, answer)) {
		limit.check(begin);
		if (want == LOOM_WANT_CONDITION)
			answer = condition(v, seq.cond, view.memory.slots[v.tensors[seq.cond].slot]);
		else if (const int status = run_chain(item, seq.first, seq.count))
			return status;
	}
	return 0;
}

int sim_engine::run_chain(queued &item, uint32_t first, uint32_t count)
{
	const auto &v = item.inst->program->view;
	const auto *segments = v.segments + v.entries[item.work.entry].first_segment;
	for (uint32_t s = first; s < first + count; s++)
		if (const int status = run_segment(item, segments[s], s))
			return status;
	return 0;
}

void sim_engine::bind(queued &item)
{
	const auto &p = *item.inst->program;
	if (scratch_bytes(p))
		scratch_of_job = scratch.get();
	uint64_t scratch_at = 0;
	view.memory.slots.assign(p.view.n_slots, nullptr);
	slots.assign(p.view.n_slots, {});
	cpu_slots.assign(p.view.n_slots, {});
	for (uint32_t i = 0; i < p.view.n_slots; i++) {
		const auto &d = p.view.slots[i];
		if (bound_by_caller(d) && !item.work.slots[i].memory)
			continue; // another entry point's: any access is past its end
		slots[i] = {d.bytes, d.rights, d.mem_class, 0};
		if (d.kind == LOOM_SLOT_CONST)
			view.memory.slots[i] = p.consts->data + d.const_offset;
		else if (bound_by_caller(d))
			view.memory.slots[i] = item.work.slots[i].memory->data + item.work.slots[i].offset;
		else if (d.kind == LOOM_SLOT_SCRATCH)
			view.memory.slots[i] =
				scratch_of_job->data + std::exchange(scratch_at, scratch_at + whole_pages(d.bytes));
		else
			view.memory.slots[i] = item.inst->own[i]->data;
		cpu_slots[i] = {view.memory.slots[i], d.bytes, d.rights, 0};
	}
	view.memory.code = p.view.npu_code;
}

int sim_engine::run_segment(queued &item, const loom_prog_segment &seg, uint32_t index)
{
	std::vector<uint8_t> report(std::max<uint64_t>(item.work.report_bytes, sizeof(loom_report)));
	loom_completion end{};
	const int status = seg.engine == LOOM_ENGINE_CPU
				   ? cpu.run(*item.inst->program, seg, index, cpu_slots, report, end)
				   : run_npu(seg, index, report, end);
	if (reinterpret_cast<const loom_report *>(report.data())->magic == LOOM_REPORT_MAGIC)
		accumulate(*item.done, seg, index, std::move(report));
	item.done->result.segment = index;
	item.done->result.end = end;
	count(seg.engine, end);
	return status;
}

int sim_engine::run_npu(const loom_prog_segment &seg, uint32_t index, std::vector<uint8_t> &report,
			loom_completion &end)
{
	loom_npu_job work{};

	work.seqno = index + 1;
	work.first_unit = seg.first;
	work.n_units = seg.count;
	work.insn_budget = seg.insn_budget;
	work.cycle_budget = seg.cycle_budget;
	work.report_bytes = report.size();
	work.n_slots = static_cast<uint32_t>(slots.size());
	work.slots = slots.data();
	view.memory.report = report.data();
	if (int fault = loom_npu_start(npu, &work)) {
		end.fault = static_cast<uint16_t>(fault);
		return -EIO;
	}
	while (loom_npu_run(npu, 0) == LOOM_NPU_RUNNING)
		;
	loom_npu_finish(npu, &end);
	return end.fault ? -EIO : 0;
}

void sim_engine::count(uint32_t engine, const loom_completion &end)
{
	const uint32_t npu_segments = engine == LOOM_ENGINE_NPU;
	std::lock_guard lock(mutex);
	counters.jobs_driver += npu_segments;
	counters.jobs_device += npu_segments;
	counters.cpu_segments += !npu_segments;
	counters.cycles += end.cycles;
	counters.jobs_faulted += end.fault != 0;
}

sim_instance::sim_instance(std::shared_ptr<sim_device> on, std::shared_ptr<loom::program> of) : device(std::move(on))
{
	program = std::move(of);
	own.resize(program->view.n_slots);
	for (uint32_t i = 0; i < program->view.n_slots; i++) {
		const auto &d = program->view.slots[i];
		if (d.kind != LOOM_SLOT_CONST && d.kind != LOOM_SLOT_SCRATCH && !bound_by_caller(d))
			own[i] = device->create_buffer(d.bytes);
	}
	initialise_state();
	device->engine->scratch.add(scratch_bytes(*program));
}

sim_instance::~sim_instance()
{
	device->engine->scratch.remove(scratch_bytes(*program));
}

void sim_instance::initialise_state()
{
	for (uint32_t i = 0; i < program->view.n_slots; i++) {
		const auto &d = program->view.slots[i];
		if (d.kind != LOOM_SLOT_STATE)
			continue;
		std::memset(own[i]->data, 0, own[i]->bytes);
		if (d.flags & LOOM_SLOT_INIT)
			std::memcpy(own[i]->data, program->consts->data + d.const_offset, d.bytes);
	}
}

void sim_instance::refuse_lost()
{
	std::lock_guard lock(device->engine->mutex);
	if (lost)
		throw failure(-EIO, fmt::format("the instance is LOST after: {}; reset it", lost_why));
}

std::shared_ptr<event> sim_instance::submit(job work)
{
	refuse_lost();
	auto done = std::make_shared<host_event>();
	done->run_room = work.run_room;
	last = done;
	device->engine->enqueue({shared_from_this(), std::move(work), done});
	return done;
}

std::shared_ptr<event> sim_instance::run(job work)
{
	refuse_lost();
	auto done = std::make_shared<host_event>();
	done->run_room = work.run_room;
	last = done;
	queued item{shared_from_this(), std::move(work), done};
	if (!device->engine->run_here(item)) {
		device->engine->enqueue(std::move(item));
		done->wait(-1);
	}
	return done;
}

std::shared_ptr<buffer> sim_instance::state(uint32_t slot)
{
	if (last)
		last->wait(-1);
	std::lock_guard lock(device->engine->mutex);
	if (lost)
		throw failure(-EIO, "the instance is LOST, so its state is undefined; reset it");
	return own[slot];
}

void sim_instance::reset()
{
	if (last)
		last->wait(-1);
	initialise_state();
	std::lock_guard lock(device->engine->mutex);
	lost = false;
}

} // namespace

std::shared_ptr<device> open_sim(const loom_target &target)
{
	return std::make_shared<sim_device>(target);
}

} // namespace loom
