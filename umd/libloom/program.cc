// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Loading containers: the checks that precede every backend, and names for places in a program.
#include <cerrno>
#include <cstring>

#include <fmt/format.h>
#include <libdeflate.h>

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

[[noreturn]] void refuse(const std::string &what, const loom_prog_error &e)
{
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
	if (loom_prog_check(p->meta.data(), head.meta_bytes, &p->view, &e) != LOOM_PROG_OK)
		refuse(what, e);
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
	for (uint32_t i = 0; i < p->view.n_segments; i++)
		if (p->view.segments[i].engine != LOOM_ENGINE_NPU)
			throw failure(-EOPNOTSUPP,
				      fmt::format("{}: segment {} is for the CPU engine, which this release "
						  "does not have",
						  what, i));
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
	std::string path;
	for (uint32_t s = l.scope;;) {
		const char *name = string(view.scopes[s].name);
		if (*name)
			path = path.empty() ? name : fmt::format("{}/{}", name, path);
		if (view.scopes[s].parent == s)
			break;
		s = view.scopes[s].parent;
	}
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
	text += fmt::format("; instruction {}, {}", end.unit, p.describe_loc(end.loc));
	if (entry < v.n_entries)
		text += fmt::format("; entry point {}, segment {}", p.string(v.entries[entry].name), segment);
	return text;
}

void accumulate(loom_result &result, const loom_report &report)
{
	result.cycles += report.cycles;
	result.insns += report.insns;
	for (int t = 0; t < 3; t++)
		result.macs[t] += report.macs[t];
	result.end = report.end;
}

} // namespace loom
