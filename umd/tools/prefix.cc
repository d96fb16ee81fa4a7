// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "prefix.h"

#include <algorithm>
#include <cstring>

#include <fmt/format.h>
#include <zlib.h>

#include "loom/Target/Program/Record.h"
#include "files.h"
#include "npy.h"

namespace loom_tool {
namespace {

namespace planner = mlir::loom::program;

planner::Record record_at(const loom_prog_view &v, uint32_t unit)
{
	const uint8_t *at = v.npu_code + size_t{unit} * LOOM_UNIT_BYTES;
	loom_hdr head;
	std::memcpy(&head, at, sizeof(head));
	if (!head.units || head.units > v.n_units - unit)
		refuse(fmt::format("its code does not split into instructions at unit {}; compile it again", unit));
	return {{at, at + size_t{head.units} * LOOM_UNIT_BYTES}};
}

// A DMA record's destination is moved by its second register.
bool has_fixed_place(const planner::Record &r)
{
	return !(r.header().regsel >> 4 & 0xf);
}

void add_box(const planner::Access &a, ranges &out)
{
	std::vector<int64_t> at{a.lo};
	for (unsigned d = 0; d < a.rank; d++) {
		std::vector<int64_t> next;
		for (const int64_t base : at)
			for (int64_t i = 0; i < a.dim[d].count; i++)
				next.push_back(base + i * a.dim[d].stride);
		at = std::move(next);
	}
	for (const int64_t base : at)
		out.emplace_back(base, base + a.inner);
}

void merge(ranges &r)
{
	std::sort(r.begin(), r.end());
	ranges out;
	for (const auto &[lo, hi] : r)
		if (!out.empty() && lo <= out.back().second)
			out.back().second = std::max(out.back().second, hi);
		else
			out.emplace_back(lo, hi);
	r = std::move(out);
}

// The type that a record's results have, or -1.
int result_type(const planner::Record &r)
{
	if (r.header().op == LOOM_OP_MXU)
		return r.as<loom_mxu>().flags & LOOM_MXU_DRAIN ? r.as<loom_mxu>().out_type : -1;
	if (r.header().op != LOOM_OP_VPU)
		return -1;
	int type = -1;
	const auto &v = r.as<loom_vpu>();
	for (unsigned i = 0; i < v.nviews; i++)
		if (const auto &view = r.as<loom_view>(sizeof(v) + i * sizeof(loom_view)); view.flags & LOOM_VIEW_OUT)
			type = view.dtype;
	return type;
}

} // namespace

open_program::open_program(const std::string &path)
	: path(path), bytes(read_file(path)), sim(loom_cpp::device::sim_for(path.c_str())),
	  plain(std::make_unique<loom_cpp::program>(sim.get(), bytes.data(), bytes.size()))
{
	const loom_prog_view &v = plain->view();
	if (!v.n_layers)
		refuse(path + ": has no table of layers; compile it with loomc");
	loom_prog_header head;
	std::memcpy(&head, bytes.data(), sizeof(head));
	for (uint32_t i = 0; i < v.n_slots; i++) {
		loom_prog_slot slot = v.slots[i];
		if (slot.kind != LOOM_SLOT_SCRATCH)
			continue;
		slot.kind = LOOM_SLOT_ARG;
		std::memcpy(bytes.data() + head.sections[LOOM_SEC_SLOTS].offset + i * sizeof(slot), &slot,
			    sizeof(slot));
	}
}

stored open_program::stores(uint32_t first, uint32_t count) const
{
	stored out;
	for (uint32_t unit = first; unit < first + count;) {
		const planner::Record r = record_at(view(), unit);
		unit += r.header().units;
		if (r.header().op == LOOM_OP_LOOP || r.header().op == LOOM_OP_BR)
			out.hidden = "in a loop";
		if (const int type = result_type(r); type >= 0)
			out.dtype = type;
		const unsigned queue = planner::queueOf(r.header().op);
		if ((queue != LOOM_Q_LD && queue != LOOM_Q_ST) || !planner::checkRecord(r).empty())
			continue;
		for (const auto &a : planner::accessesOf(r)) {
			if (!a.write || a.space >= view().n_slots)
				continue;
			if (!has_fixed_place(r))
				out.hidden = "at places that the program computes";
			add_box(a, out.places[a.space]);
		}
	}
	for (auto &[slot, places] : out.places)
		merge(places);
	if (out.hidden.empty() && out.places.empty())
		out.hidden = "in SRAM only";
	return out;
}

std::vector<uint8_t> open_program::run(uint32_t until, const std::vector<input> &inputs,
				       const std::map<uint32_t, ranges> &places) const
{
	std::vector<uint8_t> file = bytes;
	loom_prog_header head;
	std::memcpy(&head, file.data(), sizeof(head));
	if (until < view().n_units) {
		loom_seq halt{};
		halt.h.op = LOOM_OP_HALT;
		halt.h.units = 1;
		std::memcpy(file.data() + head.sections[LOOM_SEC_NPU_CODE].offset + size_t{until} * LOOM_UNIT_BYTES,
			    &halt, sizeof(halt));
	}
	head.meta_crc = 0;
	std::memcpy(file.data(), &head, sizeof(head));
	head.meta_crc = static_cast<uint32_t>(crc32(0, file.data(), static_cast<uInt>(head.meta_bytes)));
	std::memcpy(file.data(), &head, sizeof(head));

	const loom_cpp::program program(sim.get(), file.data(), file.size());
	const loom_cpp::instance instance(program.get());
	const job_memory memory(sim, program.view(), 0);
	fill_inputs(memory, inputs, 0);
	loom_job_desc desc{};
	desc.n_bindings = static_cast<uint32_t>(memory.bindings.size());
	desc.bindings = memory.bindings.data();
	const loom_result r = instance.submit(desc).wait();
	// Cut off in the middle, signals for later layers are left over; all that came before has taken effect.
	const bool cut = until < view().n_units && r.end.fault == LOOM_FAULT_SEM_LEFT;
	if (r.status && !cut)
		refuse(fmt::format("{}: {}", path, r.message));
	std::vector<uint8_t> out;
	for (const auto &[slot, list] : places)
		for (const auto &[lo, hi] : list)
			if (const uint8_t *at = memory.at(slot); at && hi <= program.view().slots[slot].bytes)
				out.insert(out.end(), at + lo, at + hi);
	return out;
}

} // namespace loom_tool
