// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include <fmt/format.h>

#include "cpu_runner.h"

namespace loom {

// Where LOOM_ISA names what the CPU engine is not built for, its plain build has the same bits.
static const loom_cpu_variant *variant_from_environment()
{
	const char *isa = std::getenv("LOOM_ISA");
	if (!isa || !*isa || !std::strcmp(isa, "auto"))
		return loom_cpu_variant_best();
	const loom_cpu_variant *v = loom_cpu_variant_named(isa);
	return v ? v : loom_cpu_variant_named("scalar");
}

cpu_runner::cpu_runner() : variant(variant_from_environment())
{
	const char *text = std::getenv("LOOM_CPU_FAIL");
	if (!text || !*text)
		return;
	injected at{};
	char rest = 0;
	if (std::sscanf(text, "%u.%u%c", &at.segment, &at.operation, &rest) != 2)
		throw failure(-EINVAL, fmt::format("LOOM_CPU_FAIL={}: use SEGMENT.OPERATION, two numbers", text));
	fail = at;
}

bool cpu_runner::hits(uint32_t segment, uint32_t operation)
{
	if (!fail || fail->segment != segment || operation < fail->operation)
		return false;
	fail.reset();
	return true;
}

int cpu_runner::run(const program &p, const loom_prog_segment &seg, uint32_t index,
		    const std::vector<loom_cpu_slot> &slots, std::vector<uint8_t> &report, loom_completion &end)
{
	loom_cpu_segment code;
	loom_cpu_cursor cursor;
	loom_cpu_open(p.view.cpu_code + uint64_t{seg.first} * 8, uint64_t{seg.count} * 8, slots.data(),
		      static_cast<uint32_t>(slots.size()), &code);
	loom_cpu_begin(&cursor, memory->bytes);
	end = {};
	// One quantum at a time only where it matters that an operation begins.
	const uint32_t quanta = fail && fail->segment == index ? 1 : ~0u;
	do {
		const loom_cpu_op *op = loom_cpu_op_at(&code, &cursor);
		if (!hits(index, cursor.op))
			continue;
		end.fault = LOOM_FAULT_TRAP;
		end.unit = cursor.op;
		end.loc = op->loc;
		break;
	} while (variant->step(&code, &cursor, quanta) == LOOM_CPU_MORE);
	loom_cpu_report(&code, &cursor, &end, report.data(), report.size());
	end.cycles = reinterpret_cast<const loom_report *>(report.data())->cycles;
	return end.fault ? -EIO : 0;
}

} // namespace loom
