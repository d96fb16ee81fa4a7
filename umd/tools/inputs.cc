// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "inputs.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <stdexcept>

#include <fmt/format.h>

#include "files.h"
#include "npy.h"

namespace loom_tool {

void refuse(const std::string &text)
{
	throw std::runtime_error(text);
}

std::pair<std::string, std::string> name_and_file(const std::string &option)
{
	const size_t at = option.find('=');
	if (at == std::string::npos || at == 0 || at + 1 == option.size())
		refuse(fmt::format("\"{}\": write NAME=FILE", option));
	return {option.substr(0, at), option.substr(at + 1)};
}

std::vector<uint64_t> shape_of(const loom_prog_tensor &t)
{
	return {t.dims, t.dims + t.rank};
}

bool ends_with(const std::string &s, const char *tail)
{
	const size_t n = std::strlen(tail);
	return s.size() >= n && s.compare(s.size() - n, n, tail) == 0;
}

namespace {

input check_input(const entry_point &e, const loom_prog_tensor &t, array a, const std::string &file, bool batched)
{
	auto want = shape_of(t);
	const std::string descr = npy_descr(t.dtype);
	const char *name = e.name_of(t);
	if (a.descr != descr && !(t.dtype == LOOM_I1 && a.descr == "|u1"))
		refuse(fmt::format("{}: input {} is {} (NumPy {}{}), the file holds {}; convert it", file, name,
				   loom_dtype_name(t.dtype), descr, t.dtype == LOOM_BF16 ? ": the bits of bf16" : "",
				   a.descr));
	uint64_t jobs = 1;
	if (batched && a.shape.size() == want.size() && !want.empty() && want[0] && a.shape[0] % want[0] == 0) {
		jobs = a.shape[0] / want[0];
		want[0] = a.shape[0];
	}
	if (a.shape != want || !jobs)
		refuse(fmt::format("{}: input {} has shape {}{}, the file {}; reshape it, {}export the model for that "
				   "shape",
				   file, name, shape_text(shape_of(t)),
				   batched ? " (or a multiple of its first dimension)" : "", shape_text(a.shape),
				   batched ? "or "
					   : fmt::format("give several at once with --batch-input {}, or ", name)));
	return {&t, std::move(a.bytes), jobs};
}

input raw_input(const entry_point &e, const loom_prog_tensor &t, const std::string &file, bool batched)
{
	auto bytes = read_file(file);
	const uint64_t jobs = batched && t.bytes ? bytes.size() / t.bytes : 1;
	if (!jobs || bytes.size() != t.bytes * jobs)
		refuse(fmt::format("{}: input {} needs {} bytes{}, the file has {}; write the array row-major in the "
				   "tensor's type",
				   file, e.name_of(t), t.bytes, batched ? " or a multiple" : "", bytes.size()));
	return {&t, std::move(bytes), jobs};
}

} // namespace

std::vector<input> read_inputs(const entry_point &e, const input_options &o)
{
	std::vector<input> all;
	const auto add = [&](const std::string &name, const std::string &file, std::optional<array> a) {
		const auto &t = e.find(e.inputs, name, "input");
		for (const input &i : all)
			if (i.tensor == &t)
				refuse(fmt::format("input {} is given twice; give it once", name));
		const bool batched =
			std::find(o.batch_inputs.begin(), o.batch_inputs.end(), name) != o.batch_inputs.end();
		if (!a && !ends_with(file, ".npy"))
			all.push_back(raw_input(e, t, file, batched));
		else
			all.push_back(check_input(e, t, a ? std::move(*a) : read_npy(file), file, batched));
	};
	for (const auto &name : o.batch_inputs)
		e.find(e.inputs, name, "input");
	if (!o.inputs_npz.empty())
		for (auto &[name, a] : read_npz(o.inputs_npz))
			add(name, o.inputs_npz, std::move(a));
	for (const auto &option : o.inputs) {
		const auto [name, file] = name_and_file(option);
		if (ends_with(file, ".npz")) {
			auto arrays = read_npz(file);
			if (!arrays.count(name))
				refuse(fmt::format("{}: holds no array \"{}\"", file, name));
			add(name, file, std::move(arrays[name]));
		} else {
			add(name, file, std::nullopt);
		}
	}
	for (const auto *t : e.inputs) {
		bool given = false;
		for (const input &i : all)
			given |= i.tensor == t;
		if (!given)
			refuse(fmt::format("input {} ({} {}) is not given; use --input {}=FILE", e.name_of(*t),
					   loom_dtype_name(t->dtype), shape_text(shape_of(*t)), e.name_of(*t)));
	}
	return all;
}

uint64_t jobs_of(const entry_point &e, const std::vector<input> &inputs)
{
	uint64_t jobs = 1;
	for (const input &i : inputs) {
		if (i.jobs != 1 && jobs != 1 && i.jobs != jobs)
			refuse(fmt::format("input {} makes {} jobs, another input {}; batch them alike",
					   e.name_of(*i.tensor), i.jobs, jobs));
		jobs = std::max(jobs, i.jobs);
	}
	return jobs;
}

void fill_inputs(const job_memory &memory, const std::vector<input> &inputs, uint64_t job)
{
	for (const input &i : inputs)
		std::memcpy(memory.at(*i.tensor), i.bytes.data() + job % i.jobs * i.tensor->bytes, i.tensor->bytes);
}

} // namespace loom_tool
