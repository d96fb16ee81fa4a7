// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Loading containers: the checks that precede every backend, and names for places in a program.
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string_view>

#include <fmt/format.h>
#include <libdeflate.h>

#include "loom/loom.hpp"
#include "loom_cpu_ops.h"
#include "objects.h"

namespace loom {
namespace {

uint32_t crc32_of(const void *bytes, size_t size)
{
	return libdeflate_crc32(0, bytes, size);
}

uint32_t meta_crc(const program &p)
{
	const auto *head = reinterpret_cast<const uint8_t *>(p.meta.data());
	loom_prog_header blank = *p.view.header;
	blank.meta_crc = 0;
	const uint32_t crc = libdeflate_crc32(0, &blank, sizeof(blank));
	return libdeflate_crc32(crc, head + sizeof(blank), p.view.header->meta_bytes - sizeof(blank));
}

[[noreturn]] void refuse(const std::string &what, loom_prog_status status, const loom_prog_error &e)
{
	if (status == LOOM_PROG_UNSUPPORTED)
		throw failure(-EOPNOTSUPP, fmt::format("{}: {} {}: {} ({:#x}); this release's CPU engine does not run "
						       "it: compile the model again with this release",
						       what, e.section, e.index, e.what, e.value));
	throw failure(-ENOEXEC, fmt::format("{}: {} {}: {} ({:#x}); compile the model again", what, e.section, e.index,
					    e.what, e.value));
}

} // namespace

std::shared_ptr<program> check_program(const void *bytes, size_t size, const std::string &what)
{
	auto p = std::make_shared<program>();
	loom_prog_error e{};
	loom_prog_header head{};

	if (size < sizeof(head))
		throw failure(-ENOEXEC, fmt::format("{}: {} bytes are too few for a Loom program: the file is cut off; "
						    "copy it again or make it with loomc",
						    what, size));
	std::memcpy(&head, bytes, sizeof(head));
	if (head.magic != LOOM_PROG_MAGIC)
		throw failure(-ENOEXEC, fmt::format("{}: not a Loom program (magic {:#x}); make one with loomc", what,
						    head.magic));
	if (head.version != LOOM_PROG_VERSION)
		throw failure(-ENOEXEC, fmt::format("{}: container version {}, this release reads version {}; compile "
						    "the model again",
						    what, head.version, LOOM_PROG_VERSION));
	if (head.file_bytes != size || head.meta_bytes > size || head.meta_bytes < sizeof(head))
		throw failure(-ENOEXEC, fmt::format("{}: {} bytes, but its header says {}: the file is cut off or "
						    "damaged; copy it again or make it with loomc",
						    what, size, head.file_bytes));
	p->meta.resize((head.meta_bytes + 7) / 8);
	std::memcpy(p->meta.data(), bytes, head.meta_bytes);
	if (const auto status = loom_prog_check(p->meta.data(), head.meta_bytes, &p->view, &e))
		refuse(what, status, e);
	if (meta_crc(*p) != head.meta_crc)
		throw failure(-ENOEXEC, fmt::format("{}: checksum of the tables and code differs: the file is damaged; "
						    "compile the model again",
						    what));
	const auto *consts = static_cast<const uint8_t *>(bytes) + head.meta_bytes;
	if (crc32_of(consts, head.const_bytes) != head.const_crc)
		throw failure(
			-ENOEXEC,
			fmt::format(
				"{}: checksum of the constants differs: the file is damaged; compile the model again",
				what));
	return p;
}

std::shared_ptr<program> load_program(device &on, const void *bytes, size_t size, const std::string &what)
{
	auto p = check_program(bytes, size, what);
	const loom_prog_header &head = *p->view.header;
	loom_prog_error e{};

	if (loom_prog_check_target(p->view.target, &on.target, &e) != LOOM_PROG_OK)
		throw failure(-ENOEXEC, fmt::format("{}: {} (program {:#x}); {} is not a superset of the program's "
						    "target: compile with loomc --target for this device",
						    what, e.what, e.value, on.name));
	if (head.const_bytes) {
		p->consts = on.create_buffer(head.const_bytes);
		std::memcpy(p->consts->data, static_cast<const uint8_t *>(bytes) + head.meta_bytes, head.const_bytes);
	}
	return on.adopt(std::move(p));
}

std::string program::describe_loc(uint32_t loc) const
{
	if (loc >= view.n_locs)
		return "unknown place";
	const loom_prog_loc &l = view.locs[loc];
	const std::string path = loom_cpp::module_path(view, loc);
	std::string where;
	if (*string(l.file))
		where = fmt::format("{}:{}", string(l.file), l.line);
	if (*string(l.op))
		where += where.empty() ? string(l.op) : fmt::format(", {}", string(l.op));
	if (where.empty())
		return path.empty() ? "unknown place" : path;
	return path.empty() ? where : fmt::format("{} ({})", path, where);
}

static uint32_t record_loc(const loom_prog_view &v, uint32_t unit)
{
	loom_hdr h{};

	if (uint64_t{unit} < v.n_units)
		std::memcpy(&h, static_cast<const uint8_t *>(v.npu_code) + uint64_t{unit} * LOOM_UNIT_BYTES, sizeof(h));
	return h.loc;
}

// "CPU operation 3 (REDUCE)": its number in the segment.
static std::string describe_cpu_operation(const loom_prog_view &v, const loom_prog_segment &seg, uint32_t number)
{
	const uint8_t *at = v.cpu_code + uint64_t{seg.first} * 8, *end = at + uint64_t{seg.count} * 8;
	loom_cpu_op op{};
	for (uint32_t i = 0; at < end; i++, at += op.bytes) {
		std::memcpy(&op, at, sizeof(op));
		if (i == number)
			return fmt::format("CPU operation {} ({})", number, loom_cpu_structure_name(op.structure));
	}
	return fmt::format("CPU operation {}", number);
}

static std::string describe_instruction(const loom_prog_view &v, uint32_t entry, uint32_t segment, uint32_t unit)
{
	if (entry < v.n_entries && segment < v.entries[entry].n_segments) {
		const auto &seg = v.segments[v.entries[entry].first_segment + segment];
		if (seg.engine == LOOM_ENGINE_CPU)
			return describe_cpu_operation(v, seg, unit);
	}
	return fmt::format("instruction {}", unit);
}

std::string describe_fault(const program &p, uint32_t entry, uint32_t segment, const loom_completion &end)
{
	const auto &v = p.view;
	std::string text = fmt::format("{}: {}", loom_fault_name(end.fault), loom_fault_text(end.fault));

	switch (end.fault) {
	case LOOM_FAULT_SLOT:
	case LOOM_FAULT_SLOT_BOUNDS:
	case LOOM_FAULT_SLOT_RIGHTS:
	case LOOM_FAULT_DMA:
	case LOOM_FAULT_PAGE_LIST: {
		const char *name = end.slot < v.n_slots ? p.string(v.slots[end.slot].name) : "not declared";
		text += fmt::format("; slot {} ({}), offset {:#x} past {:#x}", end.slot, name,
				    static_cast<int64_t>(end.offset), end.limit);
		break;
	}
	case LOOM_FAULT_SRAM_BOUNDS:
	case LOOM_FAULT_ACC_BOUNDS:
	case LOOM_FAULT_ALIGN:
		text += fmt::format("; offset {:#x} of {:#x}", static_cast<int64_t>(end.offset), end.limit);
		break;
	case LOOM_FAULT_TRAP:
		text += fmt::format("; trap code {}", end.aux);
		break;
	case LOOM_FAULT_DEADLOCK:
		text += fmt::format("; semaphores waited for {:#x}", end.aux);
		break;
	case LOOM_FAULT_HAZARD:
		text += fmt::format("; {}, offset {:#x}; the other is instruction {}, {}",
				    end.slot < v.n_slots ? p.string(v.slots[end.slot].name) : "SRAM", end.offset,
				    end.aux, p.describe_loc(record_loc(v, end.aux)));
		break;
	default:
		break;
	}
	text += fmt::format("; {}, {}", describe_instruction(v, entry, segment, end.unit), p.describe_loc(end.loc));
	if (entry < v.n_entries)
		text += fmt::format("; entry point {}, segment {}", p.string(v.entries[entry].name), segment);
	return text;
}

// The first report that does not fit is the end of them: what is kept has no gaps.
static void keep_run(event &done, uint32_t index, const std::vector<uint8_t> &report, uint32_t n_entries)
{
	const uint64_t size = sizeof(loom_report) + uint64_t{n_entries} * sizeof(loom_report_entry);
	if (size > std::min<uint64_t>(done.run_room, report.size())) {
		done.run_room = 0;
		return;
	}
	done.run_room -= size;
	done.runs.push_back({index, {report.begin(), report.begin() + static_cast<ptrdiff_t>(size)}});
}

void accumulate(event &done, const loom_prog_segment &segment, uint32_t index, std::vector<uint8_t> bytes)
{
	loom_result &result = done.result;
	loom_report report;
	std::memcpy(&report, bytes.data(), sizeof(report));
	result.cycles += report.cycles;
	if (segment.engine == LOOM_ENGINE_CPU)
		result.cpu_cycles += report.cycles;
	else
		result.insns += report.insns;
	for (int t = 0; t < 3; t++)
		result.macs[t] += report.macs[t];
	result.end = report.end;
	result.segment = index;
	result.segments++;
	keep_run(done, index, bytes, report.n_entries);
	if (done.reports.size() <= index)
		done.reports.resize(index + 1);
	done.reports[index] = std::move(bytes);
}

bool condition(const loom_prog_view &v, uint32_t cond, const uint8_t *slot)
{
	return slot[v.tensors[cond].offset] != 0;
}

} // namespace loom

// From the innermost out; the program's own scope has no name.
template <class F> static void each_named_scope(const loom_prog_view &v, uint32_t loc, F &&body)
{
	if (loc >= v.n_locs)
		return;
	for (uint32_t s = v.locs[loc].scope;; s = v.scopes[s].parent) {
		if (const std::string_view name = v.strings + v.scopes[s].name; !name.empty())
			body(name);
		if (v.scopes[s].parent == s)
			break;
	}
}

// Written from its end, so that it takes no memory.
extern "C" size_t loom_program_module_path(const loom_prog_view *view, uint32_t loc, char *text, size_t size)
{
	size_t length = 0;
	each_named_scope(*view, loc, [&](std::string_view name) { length += name.size() + (length ? 1 : 0); });
	if (!size)
		return length;
	const size_t room = size - 1;
	size_t at = length;
	const auto prepend = [&](std::string_view part) {
		at -= part.size();
		if (at < room)
			std::memcpy(text + at, part.data(), std::min(part.size(), room - at));
	};
	each_named_scope(*view, loc, [&](std::string_view name) {
		prepend(name);
		if (at)
			prepend("/");
	});
	text[std::min(length, room)] = 0;
	return length;
}
