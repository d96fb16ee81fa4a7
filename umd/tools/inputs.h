// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Files bound to an entry point's inputs, and the memory of one job: what the subcommands that run programs share.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "loom/loom.hpp"
#include "prog_check.h"

namespace loom_tool {

[[noreturn]] void refuse(const std::string &text);

// NAME=FILE in two.
std::pair<std::string, std::string> name_and_file(const std::string &option);
bool ends_with(const std::string &s, const char *tail);
std::vector<uint64_t> shape_of(const loom_prog_tensor &t);

// HIDDEN arguments are the library's.
inline bool from_caller(const loom_prog_slot &s)
{
	return s.kind == LOOM_SLOT_ARG && !(s.flags & LOOM_SLOT_HIDDEN);
}

// One entry point and its tensors by role.
class entry_point {
public:
	entry_point(const loom_cpp::program &p, const std::string &name)
		: view(p.view()), number(p.entry(name.empty() ? nullptr : name.c_str())), entry(view.entries[number])
	{
		for (uint32_t i = 0; i < entry.n_tensors; i++) {
			const loom_prog_tensor &t = view.tensors[entry.first_tensor + i];
			if (t.role == LOOM_ROLE_OUTPUT)
				outputs.push_back(&t);
			else if (from_caller(view.slots[t.slot]))
				inputs.push_back(&t);
		}
	}
	const char *name_of(const loom_prog_tensor &t) const { return view.strings + t.name; }
	const char *name() const { return view.strings + entry.name; }
	const loom_prog_tensor &find(const std::vector<const loom_prog_tensor *> &in, const std::string &name,
				     const char *kind) const
	{
		std::string names;
		for (const auto *t : in) {
			if (name == name_of(*t))
				return *t;
			names += fmt::format("{}{}", names.empty() ? "" : ", ", name_of(*t));
		}
		refuse(fmt::format("entry point {} has no {} \"{:.80}\"; it has: {}", this->name(), kind, name, names));
	}

	const loom_prog_view &view;
	const uint32_t number;
	const loom_prog_entry &entry;
	std::vector<const loom_prog_tensor *> inputs, outputs;
};

// An input file, checked against its tensor: the same shape, or (batched) a multiple of its first dimension.
struct input {
	const loom_prog_tensor *tensor;
	std::vector<uint8_t> bytes;
	uint64_t jobs = 1;
};

// Where inputs come from, as the options say it.
struct input_options {
	std::vector<std::string> inputs; // NAME=FILE
	std::string inputs_npz;
	std::vector<std::string> batch_inputs; // names
};

// All inputs of the entry point; throws where one is missing, twice, or of another type or shape.
std::vector<input> read_inputs(const entry_point &e, const input_options &o);
// Jobs that the batched input makes.
uint64_t jobs_of(const entry_point &e, const std::vector<input> &inputs);

// The memory of one job: a buffer for each slot that the caller binds.
class job_memory {
public:
	job_memory(const loom_cpp::device &device, const loom_prog_view &v, uint32_t entry)
	{
		std::vector<uint8_t> wanted(v.n_slots);
		loom_prog_wanted_args(&v, entry, wanted.data());
		by_slot.resize(v.n_slots);
		for (uint32_t i = 0; i < v.n_slots; i++) {
			if (!wanted[i] || !from_caller(v.slots[i]))
				continue;
			by_slot[i] = std::make_unique<loom_cpp::buffer>(device.get(), v.slots[i].bytes);
			bindings.push_back({i, 0, by_slot[i]->get(), 0});
		}
	}
	uint8_t *at(const loom_prog_tensor &t) const
	{
		return static_cast<uint8_t *>(by_slot[t.slot]->data()) + t.offset;
	}
	// First byte of a slot that the caller gives; null for others.
	const uint8_t *at(uint32_t slot) const
	{
		return by_slot[slot] ? static_cast<const uint8_t *>(by_slot[slot]->data()) : nullptr;
	}
	std::vector<loom_binding> bindings;

private:
	std::vector<std::unique_ptr<loom_cpp::buffer>> by_slot;
};

void fill_inputs(const job_memory &memory, const std::vector<input> &inputs, uint64_t job);

} // namespace loom_tool
