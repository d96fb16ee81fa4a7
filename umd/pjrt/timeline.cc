// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "timeline.h"

#include <algorithm>
#include <cstring>

#include <fmt/format.h>

#include "loom/loom.hpp"
#include "loom_cpu_ops.h"

namespace loom::pjrt {

const std::array<const char *, num_lanes> lane_names = {"SEQ", "LD", "ST", "MXU", "VPU", "CPU"};

namespace {

void set_location(place &p, const loom_prog_view &v, uint32_t loc)
{
	if (loc >= v.n_locs)
		return;
	const loom_prog_loc &l = v.locs[loc];
	p.scope = loom_cpp::module_path(v, loc);
	p.op = v.strings + l.op;
	if (const std::string file = v.strings + l.file; !file.empty())
		p.source = fmt::format("{}:{}", file, l.line);
}

void set_name(place &p)
{
	const std::string &op = p.op.empty() ? p.instruction : p.op;
	p.name = p.scope.empty() ? op.substr(0, op.find(' ')) : p.scope;
}

template <class T> T record_at(const loom_prog_view &v, uint32_t unit)
{
	T record{};
	const uint64_t at = uint64_t{unit} * LOOM_UNIT_BYTES, end = uint64_t{v.n_units} * LOOM_UNIT_BYTES;
	if (at < end)
		std::memcpy(&record, v.npu_code + at, std::min<uint64_t>(sizeof(record), end - at));
	return record;
}

uint64_t flops_of(const loom_mxu &m)
{
	return 2 * uint64_t{m.outer[0]} * m.outer[1] * m.oh * m.ow * m.n * m.kh * m.kw * m.kc;
}

// What the report counts for a DMA record: each of its two sides that is memory.
uint64_t bytes_of(const loom_dma &d)
{
	const bool fill = d.h.op == LOOM_OP_LD_FILL || d.h.op == LOOM_OP_ST_FILL;
	const unsigned sides =
		(!fill && LOOM_ADDR_SLOT(d.src) != LOOM_SLOT_SRAM) + (LOOM_ADDR_SLOT(d.dst) != LOOM_SLOT_SRAM);
	return uint64_t{d.inner_bytes} * d.n[0] * d.n[1] * d.n[2] * d.n[3] * sides;
}

bool is_dma(uint8_t op)
{
	return op >= LOOM_OP_LD_COPY && op <= LOOM_OP_ST_SCATTER;
}

std::string mnemonic(const loom_prog_view &v, uint32_t unit)
{
	char text[2048];
	if (unit >= v.n_units ||
	    !loom_disassemble(v.npu_code + size_t{unit} * LOOM_UNIT_BYTES, v.n_units - unit, text, sizeof(text)))
		return "?";
	return std::string(text, std::strcspn(text, " "));
}

place describe_record(const loom_prog_view &v, uint32_t unit)
{
	const auto head = record_at<loom_hdr>(v, unit);
	place p{};
	p.unit = unit;
	p.instruction = mnemonic(v, unit);
	if (head.op == LOOM_OP_MXU)
		p.flops = flops_of(record_at<loom_mxu>(v, unit));
	else if (is_dma(head.op))
		p.bytes = bytes_of(record_at<loom_dma>(v, unit));
	set_location(p, v, head.loc);
	set_name(p);
	return p;
}

place describe_operation(const loom_prog_view &v, const loom_prog_segment &segment, uint32_t number)
{
	const uint8_t *at = v.cpu_code + size_t{segment.first} * 8, *const end = at + size_t{segment.count} * 8;
	loom_cpu_op op{};
	for (uint32_t i = 0; at + sizeof(op) <= end; i++, at += op.bytes) {
		std::memcpy(&op, at, sizeof(op));
		if (i == number)
			break;
	}
	place p{};
	p.unit = number;
	p.instruction = loom_cpu_structure_name(op.structure);
	set_location(p, v, op.loc);
	set_name(p);
	return p;
}

} // namespace

size_t traced_execution::size() const
{
	size_t n = 1 + segments.size();
	for (const auto &lane : lanes)
		n += lane.size();
	return n;
}

const place &program_places::npu(const loom_prog_view &v, uint32_t unit)
{
	const auto [at, fresh] = known.try_emplace(unit);
	if (fresh)
		at->second = describe_record(v, unit);
	return at->second;
}

const place &program_places::cpu(const loom_prog_view &v, uint32_t segment, uint32_t operation)
{
	const auto [at, fresh] = known.try_emplace((uint64_t{segment} + 1) << 32 | operation);
	if (fresh)
		at->second = describe_operation(v, v.segments[segment], operation);
	return at->second;
}

uint64_t append_run(traced_execution &to, program_places &places, const loom_prog_view &v, uint32_t number,
		    const loom_report &report, size_t room)
{
	const uint32_t row = v.entries[0].first_segment + number;
	const uint64_t begin = to.segments.empty() ? 0 : to.segments.back().start + to.segments.back().cycles;
	const uint64_t macs = report.macs[0] + report.macs[1] + report.macs[2];
	const uint64_t bytes =
		report.bytes_read[0] + report.bytes_read[1] + report.bytes_written[0] + report.bytes_written[1];
	to.segments.push_back({number, v.segments[row].engine, begin, report.cycles, report.insns, 2 * macs, bytes,
			       report.queue[LOOM_Q_MXU].busy});
	const auto *entries = reinterpret_cast<const loom_report_entry *>(&report + 1);
	const uint64_t n = std::min<uint64_t>(report.n_entries, room);
	for (uint64_t i = 0; i < n; i++) {
		const loom_report_entry &e = entries[i];
		const bool cpu = e.queue == LOOM_REPORT_QUEUE_CPU;
		const place &what = cpu ? places.cpu(v, row, e.unit) : places.npu(v, e.unit);
		if (e.queue < num_lanes)
			to.lanes[e.queue].push_back({&what, begin + e.ready, begin + e.start, begin + e.end});
	}
	return report.insns - n;
}

} // namespace loom::pjrt
