// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Layers as the compiler planned them. Each segment's stream goes through the machine's own engine with nothing
// computed, so that no input is needed and planned cycles are a run's, unless the program loads scalars that time
// depends on. A segment counts as often as its schedule repeats it, in a WHILE once. Operations of the CPU engine have
// the cycles of their cost.
#include <algorithm>
#include <array>
#include <cstdio>
#include <memory>
#include <stdexcept>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "commands.h"
#include "loom/Scheduler/Plan.h"
#include "loom/Target/Program/Verifier.h"
#include "loom/loom.hpp"
#include "loom_cpu_ops.h"
#include "prog_check.h"

namespace loom_tool {
namespace {

using nlohmann::json;
namespace planner = mlir::loom::program;

struct options {
	std::string path;
	bool as_json = false;
};

enum resource { MXU, MEMORY, VPU, CPU, NUM_RESOURCES };
constexpr const char *resource_names[NUM_RESOURCES] = {"MXU", "memory", "VPU", "CPU"};

// What a layer's records take of one resource, each alone.
struct use {
	uint64_t busy = 0, edge = 0, fill = 0, wait = 0;
};

struct layer {
	std::string path, source, op, shape;
	resource bound = MXU;
	uint32_t segment = 0, first_unit = 0, n_units = 0;
	uint64_t cycles = 0, ideal = 0, macs = 0, moved = 0, bus = 0, records = 0, vector = 0;
	// Of the bound resource, in cycles; with ideal they add up to cycles.
	int64_t traffic = 0, edge = 0, fill = 0, wait = 0, stall = 0, overlap = 0;
};

resource resource_of(unsigned queue)
{
	return queue == LOOM_Q_MXU ? MXU : queue == LOOM_Q_VPU ? VPU : MEMORY;
}

class reporter {
public:
	explicit reporter(const loom_prog_view &view) : v(view)
	{
		if (!planner::splitRecords(v.npu_code, size_t{v.n_units} * LOOM_UNIT_BYTES, records))
			throw std::runtime_error("its code does not split into instructions");
		for (const auto &record : records)
			if (const std::string why = planner::checkRecord(record); !why.empty())
				throw std::runtime_error("an instruction " + why);
		starts.push_back(0);
		for (const auto &record : records)
			starts.push_back(starts.back() + record.header().units);
		rounds.assign(v.n_segments, 0);
		for (const auto *e = v.entries; e != v.entries + v.n_entries; e++)
			count_rounds(*e);
		for (uint32_t i = 0; i < v.n_segments; i++) {
			if (v.segments[i].engine == LOOM_ENGINE_CPU)
				add_cpu(i);
			else
				add_npu(i);
		}
		if (layers.empty())
			throw std::runtime_error("has no table of layers; compile it with loomc");
	}
	std::vector<layer> layers;
	uint64_t cycles = 0; // with the start and the end of each segment
	bool exact = true;

private:
	// A segment of the NPU as a program of its own.
	struct stream {
		std::vector<planner::Record> records;
		planner::Plan plan;
	};

	void count_rounds(const loom_prog_entry &e)
	{
		for (uint32_t s = 0; !e.n_steps && s < e.n_segments; s++)
			rounds[e.first_segment + s] = 1;
		count_rounds(e, e.first_step, e.first_step + e.n_steps, 1);
	}
	// Of steps that run so many times.
	void count_rounds(const loom_prog_entry &e, uint32_t begin, uint32_t end, uint64_t times)
	{
		for (uint32_t at = begin; at < end; at++) {
			const loom_prog_step &step = v.steps[at];
			if (step.kind == LOOM_STEP_RUN) {
				for (uint32_t s = 0; s < step.count; s++)
					rounds[e.first_segment + step.first + s] += times;
				continue;
			}
			const bool counted = step.kind == LOOM_STEP_REPEAT;
			exact &= counted;
			count_rounds(e, at + 1, at + 1 + step.count, counted ? times * step.arg : times);
			at += step.count;
		}
	}
	void append(layer l)
	{
		const uint64_t times = rounds[l.segment];
		for (uint64_t *value : {&l.cycles, &l.ideal, &l.macs, &l.moved, &l.bus, &l.vector})
			*value *= times;
		for (int64_t *value : {&l.traffic, &l.edge, &l.fill, &l.wait, &l.stall, &l.overlap})
			*value *= static_cast<int64_t>(times);
		layers.push_back(std::move(l));
	}
	size_t record_at(uint32_t unit) const
	{
		return std::lower_bound(starts.begin(), starts.end(), unit) - starts.begin();
	}
	void add_npu(uint32_t index)
	{
		const loom_prog_segment &segment = v.segments[index];
		const uint32_t end_unit = segment.first + segment.count;
		const size_t first = record_at(segment.first);
		stream own{{records.begin() + static_cast<ptrdiff_t>(first),
			    records.begin() + static_cast<ptrdiff_t>(record_at(end_unit))},
			   {}};
		for (auto &record : own.records)
			planner::rebase(record, segment.first);
		own.plan = planner::planRecords(own.records, {v.slots, v.slots + v.n_slots}, *v.target);
		if (own.plan.end.fault != LOOM_FAULT_NONE)
			throw std::runtime_error(fmt::format("ends with fault {} at unit {} when it is planned",
							     own.plan.end.fault, segment.first + own.plan.end.unit));
		std::vector<std::pair<size_t, size_t>> spans;
		std::vector<const loom_prog_layer *> rows;
		for (const auto *row = v.layers; row != v.layers + v.n_layers; row++) {
			if (row->first_unit < segment.first || row->first_unit >= end_unit)
				continue;
			spans.push_back({record_at(row->first_unit) - first,
					 record_at(row->first_unit + row->n_units) - first});
			rows.push_back(row);
		}
		const std::vector<uint64_t> taken = planner::layerCycles(own.records, own.plan, spans);
		for (size_t i = 0; i < rows.size(); i++)
			add(*rows[i], own, spans[i], taken[i], index);
		cycles += rounds[index] * own.plan.cycles;
		exact &= own.plan.exact;
	}
	void add_cpu(uint32_t index)
	{
		const loom_prog_segment &segment = v.segments[index];
		const uint8_t *at = v.cpu_code + size_t{segment.first} * 8, *end = at + size_t{segment.count} * 8;
		uint64_t cost = 0, before = 0;
		for (loom_cpu_op op; at < end; at += op.bytes) {
			std::memcpy(&op, at, sizeof(op));
			layer l;
			l.bound = CPU;
			l.segment = index;
			cost += op.cost;
			l.cycles = l.ideal = loom_ceil_div(cost, LOOM_CPU_COST_PER_CYCLE) - before;
			before += l.cycles;
			for (uint32_t i = 0; i < op.n_operands; i++)
				l.moved += bytes_of(at + sizeof(op), i);
			l.records = 1;
			name(op.loc, l);
			append(std::move(l));
		}
		cycles += rounds[index] * before;
	}
	static uint64_t bytes_of(const uint8_t *operands, uint32_t index)
	{
		loom_cpu_operand o;
		std::memcpy(&o, operands + index * sizeof(o), sizeof(o));
		uint64_t bytes = loom_dtype_bytes(o.dtype);
		for (uint32_t d = 0; d < o.rank; d++)
			bytes *= o.dims[d];
		return bytes;
	}
	void add(const loom_prog_layer &row, const stream &own, const std::pair<size_t, size_t> &span_of,
		 uint64_t taken, uint32_t segment)
	{
		layer l;
		std::array<use, NUM_RESOURCES> uses;
		for (size_t record = span_of.first; record < span_of.second; record++) {
			const auto &span = own.plan.records[record];
			const unsigned queue = planner::queueOf(own.records[record].header().op);
			if (queue == LOOM_Q_SEQ)
				continue;
			use &u = uses[resource_of(queue)];
			u.busy += span.spent.busy;
			u.edge += span.spent.edge;
			// Loads and stores wait for memory side by side.
			u.fill += span.spent.fill;
			u.wait += span.spent.wait_mem;
			l.bus += span.bus;
			l.moved += span.moved;
			l.records++;
		}
		l.segment = segment;
		l.first_unit = row.first_unit;
		l.n_units = row.n_units;
		l.cycles = taken;
		l.ideal = row.ideal;
		l.macs = row.macs;
		for (int r = 0; r < NUM_RESOURCES; r++)
			if (uses[r].busy > uses[l.bound].busy)
				l.bound = static_cast<resource>(r);
		l.vector = uses[VPU].busy;
		const use &u = uses[l.bound];
		l.traffic = static_cast<int64_t>(u.busy) - static_cast<int64_t>(l.ideal);
		l.edge = static_cast<int64_t>(u.edge);
		// What the queue's start-ups and the waits between its records really cost shows in the
		// time that is left.
		int64_t left = static_cast<int64_t>(l.cycles) - static_cast<int64_t>(u.busy + u.edge);
		l.fill = std::clamp<int64_t>(left, 0, static_cast<int64_t>(u.fill));
		left -= l.fill;
		l.wait = std::clamp<int64_t>(left, 0, static_cast<int64_t>(u.wait));
		left -= l.wait;
		(left < 0 ? l.overlap : l.stall) = left;
		name(row.loc, l);
		append(std::move(l));
	}
	void name(uint32_t index, layer &l) const
	{
		const loom_prog_loc &loc = v.locs[index];
		const std::string what = v.strings + loc.op;
		const size_t space = std::min(what.find(' '), what.size());
		l.op = what.substr(0, space);
		l.shape = space < what.size() ? what.substr(space + 1) : "";
		const std::string file = v.strings + loc.file;
		l.source = file.empty() ? "" : fmt::format("{}:{}", file, loc.line);
		l.path = loom_cpp::module_path(v, index);
	}

	const loom_prog_view &v;
	std::vector<planner::Record> records;
	std::vector<uint64_t> rounds; // by segment
	std::vector<uint32_t> starts; // units of the records, and the end
};

json losses_of(const layer &l)
{
	return {{"traffic", l.traffic}, {"edge", l.edge},   {"fill", l.fill},
		{"wait", l.wait},	{"stall", l.stall}, {"overlap", l.overlap}};
}

json json_of(const reporter &r, const std::string &path)
{
	json list = json::array();
	uint64_t ideal = 0;
	for (const layer &l : r.layers) {
		list.push_back({{"path", l.path},
				{"source", l.source},
				{"op", l.op},
				{"shape", l.shape},
				{"segment", l.segment},
				{"bound", resource_names[l.bound]},
				{"cycles", l.cycles},
				{"ideal", l.ideal},
				{"losses", losses_of(l)},
				{"macs", l.macs},
				{"bytes", l.moved},
				{"bus_bytes", l.bus},
				{"vector", l.vector},
				{"records", l.records}});
		ideal += l.ideal;
	}
	return {{"program", path}, {"cycles", r.cycles}, {"exact", r.exact}, {"ideal", ideal}, {"layers", list}};
}

void print(const reporter &r)
{
	size_t path = 6, shape = 5;
	for (const layer &l : r.layers) {
		path = std::max(path, (l.path.empty() ? l.source : l.path).size());
		shape = std::max(shape, l.shape.size());
	}
	fmt::print(
		"{:>5}  {:<6}  {:<{}}  {:<{}}  {:<6}  {:>10}  {:>10}  {:>6}  {:>9}  {:>9}  {:>9}  {:>9}  {:>9}  {:>9}  "
		"{:>12}\n",
		"layer", "op", "shape", shape, "module", path, "bound", "cycles", "ideal", "%", "traffic", "edge",
		"fill", "wait", "stall", "overlap", "bytes");
	layer sum;
	for (size_t i = 0; i < r.layers.size(); i++) {
		const layer &l = r.layers[i];
		fmt::print("{:>5}  {:<6}  {:<{}}  {:<{}}  {:<6}  {:>10}  {:>10}  {:>6.1f}  {:>9}  {:>9}  {:>9}  {:>9}  "
			   "{:>9}  "
			   "{:>9}  {:>12}\n",
			   i, l.op, l.shape, shape, l.path.empty() ? l.source : l.path, path, resource_names[l.bound],
			   l.cycles, l.ideal, l.cycles ? 100.0 * double(l.ideal) / double(l.cycles) : 0.0, l.traffic,
			   l.edge, l.fill, l.wait, l.stall, l.overlap, l.moved);
		sum.cycles += l.cycles;
		sum.ideal += l.ideal;
		sum.traffic += l.traffic;
		sum.edge += l.edge;
		sum.fill += l.fill;
		sum.wait += l.wait;
		sum.stall += l.stall;
		sum.overlap += l.overlap;
		sum.moved += l.moved;
	}
	fmt::print("{} layers: {} cycles planned, {} ideal ({:.3f} x): traffic {}, edge {}, fill {}, wait {}, stall "
		   "{}, overlap "
		   "{}; "
		   "{} bytes moved; {} cycles with start and end\n",
		   r.layers.size(), sum.cycles, sum.ideal, sum.ideal ? double(sum.cycles) / double(sum.ideal) : 0.0,
		   sum.traffic, sum.edge, sum.fill, sum.wait, sum.stall, sum.overlap, sum.moved, r.cycles);
}

int run(const options &o)
{
	const auto any = loom_cpp::device::sim_for(o.path.c_str());
	const loom_cpp::program program(any.get(), o.path.c_str());
	try {
		const reporter r(program.view());
		if (o.as_json)
			fmt::print("{}\n", json_of(r, o.path).dump());
		else
			print(r);
	} catch (const std::runtime_error &e) {
		throw std::runtime_error(o.path + ": " + e.what());
	}
	return 0;
}

} // namespace

std::vector<planned_layer> planned_layers(const loom_prog_view &view)
{
	const reporter r(view);
	std::vector<planned_layer> all;
	for (const layer &l : r.layers)
		if (l.bound != CPU)
			all.push_back({l.path.empty() ? l.source : l.path, l.op, l.shape, resource_names[l.bound],
				       l.cycles, l.ideal, l.first_unit, l.n_units});
	return all;
}

action add_report(CLI::App &app)
{
	auto o = std::make_shared<options>();
	app.add_option("program", o->path, "program (.loom)")->required();
	app.add_flag("--json", o->as_json, "one line of JSON");
	return [o] { return run(*o); };
}

} // namespace loom_tool
