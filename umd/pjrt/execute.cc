// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// LoadedExecutable_Execute: checks and takes the arguments, makes the results, and leaves the work to the device's
// queue. Nothing has changed when it throws.
#include <algorithm>
#include <cstring>

#include "abi_profiler.h"
#include "api.h"
#include "buffer.h"
#include "counters.h"
#include "loaded_executable.h"

namespace loom::pjrt {
namespace {

// A program of no more modelled cycles than this is run by the caller, if the device is idle: a thread would take
// longer to wake up.
constexpr uint64_t max_inline_cycles = 20000;

struct argument {
	buffer *from;
	storage_ptr memory;
	bool given = false;	  // donated: the memory is ours
	bool overwritten = false; // by this result or that of an argument with the same memory
};

// What the queue's task needs; the caller's buffers may be gone by then.
struct work {
	std::shared_ptr<pjrt::runner> runner;
	std::vector<storage_ptr> memory; // by binding
	std::vector<loom_binding> bindings;
	struct copy {
		storage_ptr from, to;
		uint64_t bytes;
	};
	std::vector<copy> copies;	// before it runs: donated arguments that somebody else has, too
	std::vector<storage_ptr> given; // donated, and of no more use
	std::vector<promise_ptr> waits; // arguments that are not ready
	std::unique_ptr<recording> traced;
	promise_ptr done;

	void bind(uint32_t slot, const storage_ptr &to)
	{
		bindings.push_back({slot, 0, to->handle(), 0});
		memory.push_back(to);
	}
	void run(const outcome &cancelled);
};

void work::run(const outcome &cancelled)
{
	outcome how = cancelled;
	for (const promise_ptr &w : waits)
		if (const outcome &problem = w->wait(); problem && !how)
			how = problem;
	if (!how) {
		for (const copy &c : copies)
			std::memcpy(c.to->data(), c.from->data(), c.bytes);
		how = runner->run(bindings, traced.get());
	}
	// Memory goes before anybody hears that it is done, and who stops a trace then finds all of it there.
	traced.reset();
	runner.reset();
	memory.clear();
	copies.clear();
	given.clear();
	done->set(how);
}

// Of the host's event that the call belongs to, or -1.
int64_t host_context(const abi::extension *first)
{
	for (const abi::extension *e = first; e; e = e->next)
		if (e->type == abi::extension_profiler)
			return reinterpret_cast<const abi::profiler_extension *>(e)->traceme_context_id;
	return -1;
}

class execution {
public:
	execution(loaded_executable &what, abi::LoadedExecutable_Execute_Args &args);
	~execution();
	void run();

private:
	void take_arguments();
	bool is_donated(size_t i) const;
	void refuse_shared_donations() const;
	void make_results();
	bool may_overwrite(argument &old);
	storage_ptr place_of(size_t result);
	storage_ptr shared(const argument &of);
	std::unique_ptr<buffer> result(size_t i);
	void start();
	void submit(const queue::task &task);

	loaded_executable &exe;
	const compiled_program &program;
	abi::LoadedExecutable_Execute_Args &args;
	device *on = nullptr;
	std::vector<argument> arguments;
	std::vector<std::unique_ptr<buffer>> results;
	std::shared_ptr<work> job = std::make_shared<work>();
	bool started = false;
};

execution::execution(loaded_executable &what, abi::LoadedExecutable_Execute_Args &a)
	: exe(what), program(*what.program), args(a)
{
	refuse_forked_child();
	if (exe.deleted)
		throw failure(abi::code::failed_precondition,
			      fmt::format("{}: the executable has been deleted", program.name));
	if (args.num_devices != 1)
		throw failure(abi::code::unimplemented, fmt::format("{}: execution on {} devices; a program of Loom "
								    "runs on one",
								    program.name, args.num_devices));
	if (args.num_args != program.arguments.size())
		throw invalid("{}: {} arguments, it takes {}", program.name, args.num_args, program.arguments.size());
	on = !exe.devices.empty()  ? exe.devices.front()
	     : args.execute_device ? args.execute_device
				   : exe.of.devices.front();
	job->done = std::make_shared<promise>();
}

// Not started: what was donated goes back.
execution::~execution()
{
	if (started)
		return;
	for (argument &a : arguments)
		if (a.given)
			a.from->restore(std::move(a.memory));
}

bool execution::is_donated(size_t i) const
{
	if (!exe.donated[i])
		return false;
	const int64_t *kept = args.options->non_donatable_input_indices;
	const size_t n = args.options->num_non_donatable_input_indices;
	return std::find(kept, kept + n, static_cast<int64_t>(i)) == kept + n;
}

void execution::refuse_shared_donations() const
{
	std::vector<std::pair<const buffer *, size_t>> all;
	for (size_t i = 0; i < args.num_args; i++)
		all.emplace_back(args.argument_lists[0][i], i);
	std::sort(all.begin(), all.end());
	for (size_t i = 1; i < all.size(); i++) {
		const auto [first, second] = std::pair(all[i - 1], all[i]);
		if (first.first == second.first && (is_donated(first.second) || is_donated(second.second)))
			throw invalid("{}: the array {} is donated as argument {} ({}) and is argument {} ({}) as "
				      "well; donate a copy",
				      program.name, first.first->of.text(), first.second,
				      program.arguments[first.second].name, second.second,
				      program.arguments[second.second].name);
	}
}

void execution::take_arguments()
{
	if (exe.any_donated)
		refuse_shared_donations();
	arguments.reserve(args.num_args);
	for (size_t i = 0; i < args.num_args; i++) {
		buffer *from = args.argument_lists[0][i];
		const value_info &want = program.arguments[i];
		auto what = [&] { return fmt::format("{}: argument {} ({})", program.name, i, want.name); };
		if (!(from->of == want.of))
			throw invalid("{} is {}, it must be {}", what(), from->of.text(), want.of.text());
		if (from->on != on)
			throw invalid("{} is on {}, the program runs on {}", what(), from->on->text, on->text);
		const bool given = is_donated(i);
		arguments.push_back({from, given ? from->donate() : from->memory(), given});
		if (!arguments.back().memory) {
			arguments.back().given = false;
			throw invalid("{}: the array {} has been deleted or donated", what(), from->of.text());
		}
		if (!from->ready->ready() || from->ready->result())
			job->waits.push_back(from->ready);
	}
}

// Whether a result may be written over the argument: it is donated, and nobody has its memory but arguments that are
// donated too and are copied elsewhere first.
bool execution::may_overwrite(argument &old)
{
	if (!old.given || old.overwritten)
		return false;
	if (old.memory->exclusive())
		return true;
	std::vector<argument *> sharing;
	for (size_t i = 0; i < arguments.size(); i++)
		if (arguments[i].given && arguments[i].memory == old.memory) {
			if (exe.replaced_by[i] < 0)
				return false;
			sharing.push_back(&arguments[i]);
		}
	if (!old.memory->exclusive(static_cast<uint32_t>(sharing.size())))
		return false;
	for (argument *a : sharing)
		a->overwritten = true;
	return true;
}

// Memory for a result that the program writes, bound to its slot.
storage_ptr execution::place_of(size_t i)
{
	const value_info &r = program.results[i];
	if (!(r.flags & LOOM_VALUE_IN_PLACE)) {
		storage_ptr fresh = on->allocate(r.of.bytes);
		job->bind(r.slot, fresh);
		return fresh;
	}
	argument &old = arguments[r.same_as];
	if (may_overwrite(old))
		return old.memory;
	storage_ptr fresh = on->allocate(r.of.bytes);
	job->copies.push_back({old.memory, fresh, r.of.bytes});
	return fresh;
}

// An argument's memory for a result that is the argument. The caller's own memory stays behind: he may write there once
// the argument is gone, and JAX makes copies this way.
storage_ptr execution::shared(const argument &of)
{
	if (!of.memory->borrowed())
		return of.memory;
	storage_ptr fresh = on->allocate(of.from->of.bytes);
	std::memcpy(fresh->data(), of.memory->data(), of.from->of.bytes); // such memory is always ready
	return fresh;
}

std::unique_ptr<buffer> execution::result(size_t i)
{
	const value_info &r = program.results[i];
	if (r.flags & LOOM_VALUE_ARGUMENT)
		return std::make_unique<buffer>(on, r.of, shared(arguments[r.same_as]),
						arguments[r.same_as].from->ready);
	if (r.flags & LOOM_VALUE_RESULT)
		return std::make_unique<buffer>(on, r.of, results[r.same_as]->memory(), results[r.same_as]->ready);
	return std::make_unique<buffer>(on, r.of, place_of(i), job->done);
}

void execution::make_results()
{
	results.reserve(program.results.size());
	for (size_t i = 0; i < program.results.size(); i++)
		results.push_back(result(i));
	for (size_t i = 0; i < arguments.size(); i++) {
		const int r = exe.replaced_by[i];
		if (program.arguments[i].slot != LOOM_NO_SLOT)
			job->bind(program.arguments[i].slot,
				  r < 0 ? arguments[i].memory : results[static_cast<size_t>(r)]->memory());
	}
}

// From here on nothing fails.
void execution::start()
{
	started = true;
	if (!exe.executed.load(std::memory_order_relaxed) && !exe.executed.exchange(true))
		count().executed++;
	for (argument &a : arguments)
		if (a.given) {
			a.memory->owners--;
			job->given.push_back(std::move(a.memory));
		}
	for (size_t i = 0; i < results.size(); i++)
		args.output_lists[0][i] = results[i].release();
	if (args.device_complete_events)
		args.device_complete_events[0] = new event(job->done);
	if (program.code.empty()) {
		job->given.clear();
		job->done->set(nullptr);
		return;
	}
	job->runner = exe.runner_on(on);
	if (trace_ptr running = trace::running())
		job->traced = std::make_unique<recording>(std::move(running), *on, host_context(args.extension_start));
	const queue::task task = [job = job](const outcome &cancelled) { job->run(cancelled); };
	const bool small = job->waits.empty() && program.cycles + program.cpu_cost <= max_inline_cycles;
	if (small && on->in_process && on->queue.run_here(task))
		count().inline_runs++;
	else
		submit(task);
}

void execution::submit(const queue::task &task)
{
	try {
		on->queue.submit(task);
	} catch (...) {
		job->run(current_outcome()); // no thread: the results fail instead
	}
}

void execution::run()
{
	take_arguments();
	make_results();
	start();
}

} // namespace

void loaded_executable::execute(abi::LoadedExecutable_Execute_Args &a)
{
	execution(*this, a).run();
}

} // namespace loom::pjrt
