// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What a device did during a trace: executions in the host's time, and what ran in each, in the device's cycles. All of
// it is out of libloom's reports.
#pragma once

#include <array>
#include <string>
#include <unordered_map>
#include <vector>

#include "loom_regs.h"
#include "prog_check.h"

namespace loom::pjrt {

// One lane a queue, and the CPU engine's.
constexpr unsigned num_lanes = LOOM_REPORT_QUEUE_CPU + 1;
extern const std::array<const char *, num_lanes> lane_names;

// What is the same each time that a record runs.
struct place {
	std::string name; // its module scope; without one, its operation
	std::string scope, op, source, instruction;
	uint32_t unit;	// number of the instruction, or of the CPU operation in its segment
	uint64_t flops; // two a product
	uint64_t bytes; // from and to memory
};

// Cycles are counted from the execution's first.
struct traced_record {
	const place *what;
	uint64_t ready, start, end;
};

struct traced_segment {
	uint32_t number, engine;
	uint64_t start, cycles, insns, flops, bytes;
	uint64_t mxu_busy;
};

struct traced_execution {
	std::string program;
	uint64_t program_id = 0, run_id = 0;
	int64_t host_context = -1;	  // of the host's event that asked for it, or -1
	int64_t begin_ns = 0, end_ns = 0; // since the epoch
	uint64_t cycles = 0, cpu_cycles = 0, insns = 0, flops = 0, n_segments = 0;
	uint64_t records_left_out = 0;
	std::string error;		      // how it failed
	std::vector<traced_segment> segments; // that ran, in order; the last ones may be left out
	std::array<std::vector<traced_record>, num_lanes> lanes;

	size_t size() const; // in events
};

struct traced_device {
	int id;
	std::string target, text;
	uint32_t clock_khz;
	std::vector<traced_execution> executions;
	uint64_t executions_left_out = 0, records_left_out = 0;
	uint64_t unfinished = 0; // begun in the trace, and not ended when it was stopped
};

// The records of a program, as they are met.
class program_places {
public:
	const place &npu(const loom_prog_view &v, uint32_t unit);
	const place &cpu(const loom_prog_view &v, uint32_t segment, uint32_t operation);

private:
	std::unordered_map<uint64_t, place> known; // its places stay where they are
};

// Appends a run of a segment of the entry point, as many records as `room` allows; returns how many it left out.
uint64_t append_run(traced_execution &to, program_places &places, const loom_prog_view &v, uint32_t segment,
		    const loom_report &report, size_t room);

} // namespace loom::pjrt
