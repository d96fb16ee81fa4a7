// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "executable.h"

#include <algorithm>
#include <cstring>

#include "api.h"
#include "types.h"

namespace loom::pjrt {
namespace {

void destroy(abi::Executable_Destroy_Args &a)
{
	delete a.executable;
}

void name(abi::Executable_Name_Args &a)
{
	a.executable_name = a.executable->program->name.data();
	a.executable_name_size = a.executable->program->name.size();
}

void num_replicas(abi::Executable_NumReplicas_Args &a)
{
	a.num_replicas = 1;
}

void num_partitions(abi::Executable_NumPartitions_Args &a)
{
	a.num_partitions = 1;
}

void num_outputs(abi::Executable_NumOutputs_Args &a)
{
	a.num_outputs = a.executable->program->results.size();
}

void code_size(abi::Executable_SizeOfGeneratedCodeInBytes_Args &a)
{
	a.size_in_bytes = static_cast<int64_t>(a.executable->program->code.size());
}

void fingerprint(abi::Executable_Fingerprint_Args &a)
{
	a.executable_fingerprint = a.executable->program->fingerprint.data();
	a.executable_fingerprint_size = a.executable->program->fingerprint.size();
}

void cost_analysis(abi::Executable_GetCostAnalysis_Args &a)
{
	a.properties = a.executable->costs.data();
	a.num_properties = a.executable->costs.size();
}

// JAX asks at each compilation, and its text views end as None; who asks himself shall know where to look.
void optimized_program(abi::Executable_OptimizedProgram_Args &a)
{
	throw failure(
		abi::code::unimplemented,
		fmt::format("{}: a program of Loom has no HLO; loom.report(f, *args) and loom.placement(f, *args) "
			    "say what it is made of",
			    a.executable->program->name));
}

int64_t bytes_of(const std::vector<value_info> &values, uint32_t flags)
{
	uint64_t sum = 0;
	for (const value_info &v : values)
		sum += !flags || (v.flags & flags) ? v.of.bytes : 0;
	return static_cast<int64_t>(sum);
}

// Fields past what the caller knows stay as they are.
void memory_stats(abi::Executable_GetCompiledMemoryStats_Args &a)
{
	const compiled_program &p = *a.executable->program;
	const int64_t arguments = bytes_of(p.arguments, 0), results = bytes_of(p.results, 0),
		      shared = bytes_of(p.results, LOOM_VALUE_IN_PLACE | LOOM_VALUE_ARGUMENT | LOOM_VALUE_RESULT),
		      scratch = static_cast<int64_t>(p.scratch_bytes), constants = static_cast<int64_t>(p.const_bytes);
	a.generated_code_size_in_bytes = static_cast<int64_t>(p.code_bytes) + constants;
	a.argument_size_in_bytes = arguments;
	a.output_size_in_bytes = results;
	a.alias_size_in_bytes = shared;
	a.temp_size_in_bytes = scratch;
	a.host_generated_code_size_in_bytes = a.host_argument_size_in_bytes = a.host_output_size_in_bytes = 0;
	a.host_alias_size_in_bytes = a.host_temp_size_in_bytes = 0;
	const int64_t all = arguments + results - shared + scratch + constants;
	if (LOOM_PJRT_HAS(a, peak_memory_in_bytes))
		a.peak_memory_in_bytes = all;
	if (LOOM_PJRT_HAS(a, total_size_in_bytes))
		a.total_size_in_bytes = all;
}

void output_types(abi::Executable_OutputElementTypes_Args &a)
{
	a.output_types = a.executable->result_types.data();
	a.num_output_types = a.executable->result_types.size();
}

void output_dimensions(abi::Executable_OutputDimensions_Args &a)
{
	a.num_outputs = a.executable->result_ranks.size();
	a.dims = a.executable->result_dims.data();
	a.dim_sizes = a.executable->result_ranks.data();
}

void parameter_kinds(abi::Executable_ParameterMemoryKinds_Args &a)
{
	a.num_parameters = a.executable->program->arguments.size();
	a.memory_kinds = a.executable->kinds.data();
	a.memory_kind_sizes = a.executable->kind_sizes.data();
}

void output_kinds(abi::Executable_OutputMemoryKinds_Args &a)
{
	a.num_outputs = a.executable->program->results.size();
	a.memory_kinds = a.executable->kinds.data();
	a.memory_kind_sizes = a.executable->kind_sizes.data();
}

} // namespace

executable::executable(program_ptr of, std::string with) : program(std::move(of)), options(std::move(with))
{
	for (const value_info &r : program->results) {
		result_types.push_back(element_of(r.of.dtype));
		result_dims.insert(result_dims.end(), r.of.dims.begin(), r.of.dims.end());
		result_ranks.push_back(r.of.dims.size());
	}
	kinds.assign(std::max(program->arguments.size(), program->results.size()), memory::kind);
	kind_sizes.assign(kinds.size(), std::strlen(memory::kind));
	const auto moved = bytes_of(program->arguments, 0) + bytes_of(program->results, 0);
	costs.add("flops", static_cast<float>(2 * program->macs));
	costs.add("bytes accessed", static_cast<float>(moved));
	costs.add("cycles", static_cast<float>(program->cycles));
	costs.add("temporary bytes", static_cast<float>(program->scratch_bytes));
}

void bind_executable(api_table &table)
{
	table.set<&destroy>(slot::Executable_Destroy);
	table.set<&name>(slot::Executable_Name);
	table.set<&num_replicas>(slot::Executable_NumReplicas);
	table.set<&num_partitions>(slot::Executable_NumPartitions);
	table.set<&num_outputs>(slot::Executable_NumOutputs);
	table.set<&code_size>(slot::Executable_SizeOfGeneratedCodeInBytes);
	table.set<&fingerprint>(slot::Executable_Fingerprint);
	table.set<&optimized_program>(slot::Executable_OptimizedProgram);
	table.set<&cost_analysis>(slot::Executable_GetCostAnalysis);
	table.set<&memory_stats>(slot::Executable_GetCompiledMemoryStats);
	table.set<&output_types>(slot::Executable_OutputElementTypes);
	table.set<&output_dimensions>(slot::Executable_OutputDimensions);
	table.set<&parameter_kinds>(slot::Executable_ParameterMemoryKinds);
	table.set<&output_kinds>(slot::Executable_OutputMemoryKinds);
}

} // namespace loom::pjrt
