// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <cstdio>
#include <memory>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "commands.h"
#include "loom/loom.hpp"
#include "prog_check.h"

namespace loom_tool {
namespace {

using nlohmann::json;

struct options {
	std::string program, device;
	bool as_json = false;
};

constexpr const char *feature_names[LOOM_NUM_FEATURES] = {"conv", "dw",	   "transpose", "gather", "scatter",
							  "scan", "reg",   "loop",	"trans",  "bf16",
							  "int8", "codec", "vpu",	"f32",	  "epi"};

json target_json(const loom_target &t)
{
	json features = json::array();
	for (int f = 0; f < LOOM_NUM_FEATURES; f++)
		if (t.features >> f & 1)
			features.push_back(feature_names[f]);
	json classes = json::array();
	for (uint32_t c = 0; c < t.mem_classes; c++)
		classes.push_back({{"bytes_per_cycle", t.mem[c].bytes_per_cycle},
				   {"latency", t.mem[c].latency},
				   {"outstanding", t.mem[c].outstanding}});
	return {{"isa", fmt::format("{}.{}", t.isa_major, t.isa_minor)},
		{"rows", t.rows},
		{"cols", t.cols},
		{"sram_bytes", t.sram_bytes},
		{"acc_bytes", t.acc_bytes},
		{"vpu_lanes", t.vpu_lanes},
		{"int8_div", t.int8_div},
		{"bf16_div", t.bf16_div},
		{"f32_div", t.f32_div},
		{"clock_khz", t.clock_khz},
		{"memory", classes},
		{"features", features}};
}

void print_target(const json &t)
{
	fmt::print("  array        {} x {}, instruction set {}\n", t["rows"].get<int>(), t["cols"].get<int>(),
		   t["isa"].get<std::string>());
	fmt::print("  SRAM         {} KiB, accumulators {} KiB\n", t["sram_bytes"].get<uint32_t>() / 1024,
		   t["acc_bytes"].get<uint32_t>() / 1024);
	fmt::print("  vector unit  {} lanes\n", t["vpu_lanes"].get<int>());
	for (size_t c = 0; c < t["memory"].size(); c++)
		fmt::print("  memory {}     {} bytes a cycle, {} cycles latency, {} bursts outstanding\n", c,
			   t["memory"][c]["bytes_per_cycle"].get<int>(), t["memory"][c]["latency"].get<int>(),
			   t["memory"][c]["outstanding"].get<int>());
	std::string features;
	for (const auto &f : t["features"])
		features += " " + f.get<std::string>();
	fmt::print("  features    {}\n", features);
}

std::string shape_of(const loom_prog_tensor &t)
{
	std::string s;
	for (int d = 0; d < t.rank; d++)
		s += fmt::format("{}{}", d ? "x" : "", t.dims[d]);
	return s;
}

json program_json(const loom_cpp::program &p)
{
	static const char *const roles[LOOM_NUM_ROLES] = {"input", "output", "param", "state", "rng"};
	const loom_prog_view &v = p.view();
	json entries = json::array();
	for (uint32_t i = 0; i < v.n_entries; i++) {
		const auto &e = v.entries[i];
		json tensors = json::array();
		for (uint32_t k = 0; k < e.n_tensors; k++) {
			const auto &t = v.tensors[e.first_tensor + k];
			tensors.push_back({{"name", v.strings + t.name},
					   {"role", roles[t.role]},
					   {"dtype", loom_dtype_name(t.dtype)},
					   {"shape", std::vector<uint32_t>(t.dims, t.dims + t.rank)},
					   {"text", shape_of(t)},
					   {"slot", t.slot}});
		}
		uint32_t cpu_segments = 0;
		for (uint32_t s = 0; s < e.n_segments; s++)
			cpu_segments += v.segments[e.first_segment + s].engine == LOOM_ENGINE_CPU;
		entries.push_back({{"name", v.strings + e.name},
				   {"segments", e.n_segments},
				   {"cpu_segments", cpu_segments},
				   {"steps", e.n_steps},
				   {"macs", e.macs},
				   {"cycles", e.cycles},
				   {"tensors", tensors}});
	}
	return {{"producer", v.strings + v.header->producer}, {"code_bytes", v.n_units * LOOM_UNIT_BYTES},
		{"constant_bytes", v.header->const_bytes},    {"slots", v.n_slots},
		{"target", target_json(*v.target)},	      {"entry_points", entries}};
}

void print_program(const json &j, const std::string &path)
{
	fmt::print("{}: made by {}; {} bytes of code, {} of constants, {} slots\n", path,
		   j["producer"].get<std::string>(), j["code_bytes"].get<uint64_t>(),
		   j["constant_bytes"].get<uint64_t>(), j["slots"].get<int>());
	fmt::print("target\n");
	print_target(j["target"]);
	for (const auto &e : j["entry_points"]) {
		fmt::print(
			"entry point {}: {} segments ({} on the CPU), {} steps of a schedule, {} products, {} cycles "
			"planned\n",
			e["name"].get<std::string>(), e["segments"].get<int>(), e["cpu_segments"].get<int>(),
			e["steps"].get<int>(), e["macs"].get<uint64_t>(), e["cycles"].get<uint64_t>());
		for (const auto &t : e["tensors"])
			fmt::print("  {:<7}{:<40} {} {}\n", t["role"].get<std::string>(), t["name"].get<std::string>(),
				   t["dtype"].get<std::string>(), t["text"].get<std::string>());
	}
}

int run(const options &o)
{
	if (!o.program.empty()) {
		const auto any = loom_cpp::device::sim_for(o.program.c_str());
		loom_cpp::program p(any.get(), o.program.c_str());
		const json j = program_json(p);
		if (o.as_json)
			fmt::print("{}\n", j.dump());
		else
			print_program(j, o.program);
		return 0;
	}
	loom_cpp::device device(o.device.empty() ? nullptr : o.device.c_str());
	const loom_device_stats s = device.stats();
	json j = {{"device", device.name()},
		  {"target", target_json(device.target())},
		  {"jobs_driver", s.jobs_driver},
		  {"jobs_device", s.jobs_device},
		  {"jobs_faulted", s.jobs_faulted},
		  {"resets", s.resets},
		  {"cycles", s.cycles}};
	if (o.as_json) {
		fmt::print("{}\n", j.dump());
		return 0;
	}
	fmt::print("{}\n", device.name());
	print_target(j["target"]);
	fmt::print("  jobs         {} by the driver's count, {} by the device's, {} faulted, {} resets\n",
		   s.jobs_driver, s.jobs_device, s.jobs_faulted, s.resets);
	return 0;
}

} // namespace

action add_info(CLI::App &app)
{
	auto o = std::make_shared<options>();
	app.add_option("program", o->program, "program (.loom) to describe; without one, the device is described");
	app.add_option("--device", o->device, "sim, sim:TARGET or /dev/accel/accelN");
	app.add_flag("--json", o->as_json, "one line of JSON");
	return [o] { return run(*o); };
}

} // namespace loom_tool
