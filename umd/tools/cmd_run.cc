// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// loom run: bind files to an entry point's inputs, run it once or once a batch, write its outputs.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <memory>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <openssl/evp.h>

#include "commands.h"
#include "files.h"
#include "inputs.h"
#include "loom_cpu_ops.h"
#include "npy.h"
#include "state_file.h"

namespace loom_tool {
namespace {

using nlohmann::json;

struct options : input_options {
	std::string program, device, entry, output_dir, save, restore;
	uint64_t steps = 0; // 0: as many as the inputs hold
	std::vector<std::string> outputs;
	bool report = false, as_json = false;
};

struct outcome {
	std::vector<std::vector<uint8_t>> outputs; // by output, jobs one after the other
	std::vector<uint64_t> cycles;		   // by job
	loom_result total{};
};

void take_result(outcome &out, const loom_result &r)
{
	if (r.status)
		refuse(r.message);
	out.cycles.push_back(r.cycles);
	out.total.cycles += r.cycles;
	out.total.cpu_cycles += r.cpu_cycles;
	out.total.segments += r.segments;
	out.total.insns += r.insns;
	for (int t = 0; t < 3; t++)
		out.total.macs[t] += r.macs[t];
}

// Two jobs in flight: one is filled and read while the other runs. The instance runs them in order.
outcome run_jobs(const loom_cpp::device &device, const loom_cpp::instance &instance, const entry_point &e,
		 const std::vector<input> &inputs, uint64_t jobs, uint32_t report_entries,
		 std::vector<std::vector<uint8_t>> *reports)
{
	constexpr uint64_t depth = 2;
	std::vector<std::unique_ptr<job_memory>> memory;
	std::vector<std::unique_ptr<loom_cpp::event>> flying(depth);
	outcome out;
	out.outputs.resize(e.outputs.size());
	for (uint64_t i = 0; i < std::min(depth, jobs); i++)
		memory.push_back(std::make_unique<job_memory>(device, e.view, e.number));
	const auto finish = [&](uint64_t job) {
		auto &event = flying[job % depth];
		take_result(out, event->wait());
		for (size_t k = 0; k < e.outputs.size(); k++) {
			const uint8_t *from = memory[job % depth]->at(*e.outputs[k]);
			out.outputs[k].insert(out.outputs[k].end(), from, from + e.outputs[k]->bytes);
		}
		for (uint32_t s = 0; reports && job == 0 && s < e.entry.n_segments; s++) {
			const auto *r = reinterpret_cast<const uint8_t *>(event->report(s));
			reports->emplace_back(r, r ? r + sizeof(loom_report) +
								 event->report(s)->n_entries * sizeof(loom_report_entry)
						   : r);
		}
		event.reset();
	};
	for (uint64_t job = 0; job < jobs; job++) {
		if (job >= depth)
			finish(job - depth);
		const auto &m = *memory[job % depth];
		fill_inputs(m, inputs, job);
		loom_job_desc desc{};
		desc.entry = e.number;
		desc.n_bindings = static_cast<uint32_t>(m.bindings.size());
		desc.bindings = m.bindings.data();
		desc.report_entries = report_entries;
		flying[job % depth] = std::make_unique<loom_cpp::event>(instance.submit(desc));
	}
	for (uint64_t job = jobs > depth ? jobs - depth : 0; job < jobs; job++)
		finish(job);
	return out;
}

std::string sha256_of(const std::vector<uint8_t> &bytes)
{
	unsigned char digest[32];
	unsigned n = 0;
	std::string hex;
	if (!EVP_Digest(bytes.data(), bytes.size(), digest, &n, EVP_sha256(), nullptr))
		refuse("SHA-256 is not available from OpenSSL");
	for (unsigned i = 0; i < n; i++)
		hex += fmt::format("{:02x}", digest[i]);
	return hex;
}

// Pytree paths as file names: a slash would be a directory.
std::string file_name_of(std::string path)
{
	for (char &c : path)
		if (c == '/')
			c = '.';
	return path;
}

using output_files = std::map<std::string, std::string>; // by the output's name

// Where outputs go, and that they and the state can be written: what a long run has made is not lost.
output_files check_places(const entry_point &e, const options &o)
{
	output_files files;
	for (const auto &option : o.outputs) {
		const auto named = name_and_file(option);
		e.find(e.outputs, named.first, "output");
		if (!files.insert(named).second)
			refuse(fmt::format("output {} is given twice; give it once", named.first));
		check_writable("--output", named.second);
	}
	if (!o.output_dir.empty())
		check_directory("--output-dir", o.output_dir);
	if (!o.save.empty())
		check_writable("--save", o.save);
	return files;
}

void check_amount(const entry_point &e, uint64_t jobs)
{
	for (const auto *t : e.outputs)
		if (t->bytes && jobs > max_array_bytes / t->bytes)
			refuse(fmt::format("{} runs make more than {} MiB of output {} ({} bytes each); run fewer and "
					   "go on from there, with --save and --restore or other inputs",
					   jobs, max_array_bytes >> 20, e.name_of(*t), t->bytes));
}

void write_outputs(const entry_point &e, const options &o, const output_files &files, const outcome &out, uint64_t jobs)
{
	std::error_code error;
	if (!o.output_dir.empty())
		std::filesystem::create_directories(o.output_dir, error);
	if (error)
		refuse(fmt::format("--output-dir {}: cannot be made: {}; choose another place", o.output_dir,
				   error.message()));
	for (size_t k = 0; k < e.outputs.size(); k++) {
		const auto &t = *e.outputs[k];
		array a{npy_descr(t.dtype), shape_of(t), out.outputs[k]};
		if (jobs > 1 && !a.shape.empty())
			a.shape[0] *= jobs;
		else if (jobs > 1)
			a.shape = {jobs};
		if (!o.output_dir.empty())
			write_npy(o.output_dir + "/" + file_name_of(e.name_of(t)) + ".npy", a);
		if (auto f = files.find(e.name_of(t)); f != files.end()) {
			if (ends_with(f->second, ".npy"))
				write_npy(f->second, a);
			else
				write_file(f->second, a.bytes.data(), a.bytes.size());
		}
	}
}

loom_report_entry report_entry(const std::vector<uint8_t> &report, uint32_t i)
{
	loom_report_entry t;
	std::memcpy(&t, report.data() + sizeof(loom_report) + i * sizeof(t), sizeof(t));
	return t;
}

void print_cpu_report(const loom_cpp::program &p, const loom_prog_segment &segment, size_t s,
		      const std::vector<uint8_t> &report)
{
	loom_report r;
	std::memcpy(&r, report.data(), sizeof(r));
	fmt::print("segment {}, CPU: {} cycles, {} operations\n", s, r.cycles, r.insns);
	fmt::print("  {:>9} {:>12}{:>12}  place\n", "operation", "start", "end");
	const uint8_t *at = p.view().cpu_code + size_t{segment.first} * 8;
	for (uint32_t i = 0; i < r.n_entries; i++) {
		const auto t = report_entry(report, i);
		loom_cpu_op op;
		std::memcpy(&op, at, sizeof(op));
		fmt::print("  {:>9} {:>12}{:>12}  {}\n", t.unit, t.start, t.end, p.describe_loc(op.loc));
		at += op.bytes;
	}
}

void print_report(const loom_cpp::program &p, const entry_point &e, const std::vector<std::vector<uint8_t>> &reports)
{
	static const char *const queues[LOOM_NUM_QUEUES] = {"SEQ", "LD", "ST", "MXU", "VPU"};
	for (size_t s = 0; s < reports.size(); s++) {
		const loom_prog_segment &segment = p.view().segments[e.entry.first_segment + s];
		if (reports[s].empty()) {
			fmt::print("segment {} did not run\n", s);
			continue;
		}
		if (segment.engine == LOOM_ENGINE_CPU) {
			print_cpu_report(p, segment, s, reports[s]);
			continue;
		}
		loom_report r;
		std::memcpy(&r, reports[s].data(), sizeof(r));
		fmt::print("segment {}: {} cycles, {} instructions; read {} bytes, wrote {}\n", s, r.cycles, r.insns,
			   r.bytes_read[0] + r.bytes_read[1], r.bytes_written[0] + r.bytes_written[1]);
		fmt::print("  {:<5}{:>12}{:>12}{:>12}{:>12}{:>12}{:>12}\n", "queue", "busy", "edge", "fill", "wait mem",
			   "wait dep", "idle");
		for (int q = 0; q < LOOM_NUM_QUEUES; q++) {
			const auto &u = r.queue[q];
			fmt::print("  {:<5}{:>12}{:>12}{:>12}{:>12}{:>12}{:>12}\n", queues[q], u.busy, u.edge, u.fill,
				   u.wait_mem, u.wait_dep, u.idle);
		}
		fmt::print("  {:>6} {:<5}{:>12}{:>12}{:>12}  place\n", "unit", "queue", "ready", "start", "end");
		for (uint32_t i = 0; i < r.n_entries; i++) {
			const auto t = report_entry(reports[s], i);
			const auto *h = reinterpret_cast<const loom_hdr *>(p.view().npu_code +
									   size_t{t.unit} * LOOM_UNIT_BYTES);
			fmt::print("  {:>6} {:<5}{:>12}{:>12}{:>12}  {}\n", t.unit,
				   t.queue < LOOM_NUM_QUEUES ? queues[t.queue] : "?", t.ready, t.start, t.end,
				   p.describe_loc(h->loc));
		}
	}
}

json summary(const entry_point &e, const loom_cpp::device &device, const outcome &out, uint64_t jobs)
{
	json outputs = json::array();
	for (size_t k = 0; k < e.outputs.size(); k++)
		outputs.push_back({{"name", e.name_of(*e.outputs[k])},
				   {"dtype", loom_dtype_name(e.outputs[k]->dtype)},
				   {"shape", shape_of(*e.outputs[k])},
				   {"sha256", sha256_of(out.outputs[k])}});
	const loom_device_stats s = device.stats();
	return {{"entry", e.name()},
		{"device", device.name()},
		{"jobs", jobs},
		{"cycles", out.total.cycles},
		{"cpu_cycles", out.total.cpu_cycles},
		{"cycles_per_job", out.cycles},
		{"segments", out.total.segments},
		{"instructions", out.total.insns},
		{"utilisation", loom_utilisation(&device.target(), &out.total)},
		{"jobs_driver", s.jobs_driver},
		{"jobs_device", s.jobs_device},
		{"outputs", outputs}};
}

// "sim" without a target, and what is opened where nothing is named and nothing found, is a device such as the program
// was compiled for.
loom_cpp::device open_device(const options &o)
{
	const char *env = std::getenv("LOOM_DEVICE");
	const std::string spec = !o.device.empty() ? o.device : env ? env : "";
	if (spec == "sim")
		return loom_cpp::device::sim_for(o.program.c_str());
	loom_cpp::device device(spec.empty() ? nullptr : spec.c_str());
	if (spec.empty() && !std::strcmp(device.name(), "sim"))
		return loom_cpp::device::sim_for(o.program.c_str());
	return device;
}

int run(const options &o)
{
	constexpr uint32_t report_entries = 4096;
	const loom_cpp::device device = open_device(o);
	const loom_cpp::program program(device.get(), o.program.c_str());
	const entry_point e(program, o.entry);
	const auto files = check_places(e, o);
	if (!o.save.empty())
		need_state(program, "--save");
	if (!o.restore.empty())
		need_state(program, "--restore");
	const auto inputs = read_inputs(e, o);
	const uint64_t jobs = o.steps ? o.steps : jobs_of(e, inputs);
	check_amount(e, jobs);
	const loom_cpp::instance instance(program.get());
	if (!o.restore.empty())
		restore_state(program, instance, o.restore);
	std::vector<std::vector<uint8_t>> reports;
	const outcome out = run_jobs(device, instance, e, inputs, jobs, o.report ? report_entries : 0,
				     o.report ? &reports : nullptr);

	if (!o.save.empty())
		save_state(program, instance, o.save);
	write_outputs(e, o, files, out, jobs);
	if (o.report)
		print_report(program, e, reports);
	const json j = summary(e, device, out, jobs);
	if (o.as_json) {
		fmt::print("{}\n", j.dump());
		return 0;
	}
	fmt::print("{} on {}: {} job{}, {} cycles{}, {:.1f} % of the array's peak\n", e.name(), device.name(), jobs,
		   jobs == 1 ? "" : "s", out.total.cycles,
		   out.total.cpu_cycles ? fmt::format(" ({} of them on the CPU)", out.total.cpu_cycles) : "",
		   100 * loom_utilisation(&device.target(), &out.total));
	for (const auto &t : j["outputs"])
		fmt::print("  {} {} {} sha256 {}\n", t["name"].get<std::string>(), t["dtype"].get<std::string>(),
			   t["shape"].dump(), t["sha256"].get<std::string>());
	return 0;
}

} // namespace

// Steps as text, so that what is no count is told so.
const CLI::Validator step_count(
	[](std::string &text) {
		constexpr uint64_t most = 100000000;
		const bool digits =
			!text.empty() && text.size() < 10 && text.find_first_not_of("0123456789") == std::string::npos;
		if (digits && std::stoull(text) && std::stoull(text) <= most)
			return std::string();
		return fmt::format("\"{}\" is no number of runs; give a whole number from 1 to {}", text, most);
	},
	"");

const CLI::Validator not_empty(
	[](std::string &text) { return std::string(text.empty() ? "is empty; give a name, or omit the option" : ""); },
	"");

action add_run(CLI::App &app)
{
	auto o = std::make_shared<options>();
	app.add_option("program", o->program, "program (.loom)")->required();
	app.add_option("--device", o->device,
		       "sim (with the program's own target), sim:TARGET or /dev/accel/accelN; default: first Loom "
		       "device, else sim");
	app.add_option("--entry", o->entry, "entry point (default: the only one, else __call__)")->check(not_empty);
	app.add_option("--input", o->inputs, "NAME=FILE, .npy, .npz or raw bytes; may be repeated");
	app.add_option("--inputs", o->inputs_npz, ".npz with arrays by input name");
	app.add_option("--batch-input", o->batch_inputs,
		       "input whose file holds several batches: one job for each, outputs joined; may be repeated");
	app.add_option("--steps", o->steps,
		       "run that often on one instance; files of --batch-input start again at their end")
		->check(step_count);
	app.add_option("--restore", o->restore, ".safetensors with the state to begin with")->check(not_empty);
	app.add_option("--save", o->save, ".safetensors for the state after the last run")->check(not_empty);
	app.add_option("--output", o->outputs, "NAME=FILE, .npy or raw; may be repeated");
	app.add_option("--output-dir", o->output_dir, "directory for all outputs as .npy")->check(not_empty);
	app.add_flag("--report", o->report, "where the cycles of the first job went, by queue and instruction");
	app.add_flag("--json", o->as_json, "end with one line of JSON");
	return [o] { return run(*o); };
}

} // namespace loom_tool
