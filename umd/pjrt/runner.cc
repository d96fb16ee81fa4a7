// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "runner.h"

#include <cerrno>

#include "counters.h"

namespace loom::pjrt {
namespace {

abi::code code_of_result(int status)
{
	return status == -EIO ? abi::code::internal : code_of_errno(status);
}

} // namespace

runner::~runner()
{
	drop_instance();
	loom_program_destroy(program);
}

// Constants, and scratch.
void runner::take_memory()
{
	account->take(of->const_bytes + (shares_scratch ? 0 : of->scratch_bytes));
	if (!shares_scratch)
		return;
	try {
		account->take_shared(of->scratch_bytes);
	} catch (...) {
		account->give_back(of->const_bytes);
		throw;
	}
}

void runner::give_back_memory()
{
	account->give_back(of->const_bytes + (shares_scratch ? 0 : of->scratch_bytes));
	if (shares_scratch)
		account->give_back_shared(of->scratch_bytes);
}

void runner::drop_instance()
{
	if (instance)
		give_back_memory();
	loom_instance_destroy(instance);
	instance = nullptr;
}

void runner::prepare()
{
	loom_error error{};
	if (!program)
		check(loom_program_load(on->handle, of->code.data(), of->code.size(), &program, &error), error,
		      of->name);
	if (instance)
		return;
	take_memory();
	const int status = loom_instance_create(program, &instance, &error);
	if (status)
		give_back_memory();
	check(status, error, of->name);
}

loom_result runner::run_job(const std::vector<loom_binding> &bindings, recording *traced)
{
	loom_job_desc job{};
	job.n_bindings = static_cast<uint32_t>(bindings.size());
	job.bindings = bindings.data();
	loom_result result{};
	loom_error error{};
	check(traced ? traced->run(of, program, instance, job, result, error)
		     : loom_run(instance, &job, &result, &error),
	      error, of->name);
	return result;
}

outcome runner::run(const std::vector<loom_binding> &bindings, recording *traced)
{
	count().executions++;
	try {
		prepare();
		const loom_result result = run_job(bindings, traced);
		if (!result.status)
			return nullptr;
		count().failures++;
		// It accepts no more jobs; the next run has a new one.
		drop_instance();
		return make_outcome(code_of_result(result.status), of->name + ": " + result.message);
	} catch (...) {
		count().failures++;
		return current_outcome();
	}
}

} // namespace loom::pjrt
