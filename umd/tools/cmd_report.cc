// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Layers as the compiler planned them. The stream goes through the machine's own engine with nothing computed, so that
// no input is needed and planned cycles are a run's, unless the program loads scalars that time depends on.
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
#include "prog_check.h"

namespace loom_tool {
namespace {

using nlohmann::json;
namespace planner = mlir::loom::program;

struct options {
	std::string path;
	bool as_json = false;
};

enum resource { MXU, MEMORY, VPU, NUM_RESOURCES };
constexpr const char *resource_names[NUM_RESOURCES] = {"MXU", "memory", "VPU"};

// What a layer's records take of one resource, each alone.
struct use {
	uint64_t busy = 0, edge = 0, fill = 0, wait = 0;
};

struct layer {
	std::string path, source, op, shape;
	resource bound = MXU;
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
		if (!v.n_layers)
			throw std::runtime_error("has no table of layers; compile it with loomc");
		plan = planner::planRecords(records, {v.slots, v.slots + v.n_slots}, *v.target);
		if (plan.end.fault != LOOM_FAULT_NONE)
			throw std::runtime_error(fmt::format("ends with fault {} at unit {} when it is planned",
							     plan.end.fault, plan.end.unit));
		std::vector<uint32_t> starts(1);
		for (const auto &record : records)
			starts.push_back(starts.back() + record.header().units);
		const auto at = [&](uint32_t unit) -> size_t {
			return std::lower_bound(starts.begin(), starts.end(), unit) - starts.begin();
		};
		std::vector<std::pair<size_t, size_t>> spans;
		for (uint32_t i = 0; i < v.n_layers; i++)
			spans.push_back({at(v.layers[i].first_unit), at(v.layers[i].first_unit + v.layers[i].n_units)});
		const std::vector<uint64_t> cycles = planner::layerCycles(records, plan, spans);
		for (uint32_t i = 0; i < v.n_layers; i++)
			add(v.layers[i], spans[i], cycles[i]);
	}
	std::vector<layer> layers;
	planner::Plan plan;

private:
	void add(const loom_prog_layer &row, const std::pair<size_t, size_t> &span_of, uint64_t cycles)
	{
		layer l;
		std::array<use, NUM_RESOURCES> uses;
		for (size_t record = span_of.first; record < span_of.second; record++) {
			const auto &span = plan.records[record];
			const unsigned queue = planner::queueOf(records[record].header().op);
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
		l.cycles = cycles;
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
		name(row, l);
		layers.push_back(std::move(l));
	}
	void name(const loom_prog_layer &row, layer &l) const
	{
		const loom_prog_loc &loc = v.locs[row.loc];
		const std::string what = v.strings + loc.op;
		const size_t space = std::min(what.find(' '), what.size());
		l.op = what.substr(0, space);
		l.shape = space < what.size() ? what.substr(space + 1) : "";
		const std::string file = v.strings + loc.file;
		l.source = file.empty() ? "" : fmt::format("{}:{}", file, loc.line);
		for (uint32_t s = loc.scope;; s = v.scopes[s].parent) {
			const std::string part = v.strings + v.scopes[s].name;
			if (!part.empty())
				l.path = l.path.empty() ? part : part + "/" + l.path;
			if (v.scopes[s].parent == s)
				break;
		}
	}

	const loom_prog_view &v;
	std::vector<planner::Record> records;
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
	return {{"program", path},
		{"cycles", r.plan.cycles},
		{"exact", r.plan.exact},
		{"ideal", ideal},
		{"layers", list}};
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
		   sum.traffic, sum.edge, sum.fill, sum.wait, sum.stall, sum.overlap, sum.moved, r.plan.cycles);
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
	for (size_t i = 0; i < r.layers.size(); i++) {
		const layer &l = r.layers[i];
		all.push_back({l.path.empty() ? l.source : l.path, l.op, l.shape, resource_names[l.bound], l.cycles,
			       l.ideal, view.layers[i].first_unit, view.layers[i].n_units});
	}
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
