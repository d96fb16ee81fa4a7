// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// loom run: bind files to an entry point's inputs, run it once or once a batch, write its outputs.
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>
#include <optional>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <openssl/evp.h>

#include "commands.h"
#include "loom/loom.hpp"
#include "npy.h"
#include "prog_check.h"

namespace loom_tool {
namespace {

using nlohmann::json;

struct options {
	std::string program, device, entry, inputs_npz, output_dir, batch_input;
	std::vector<std::string> inputs, outputs;
	bool report = false, as_json = false;
};

[[noreturn]] void refuse(const std::string &text)
{
	throw std::runtime_error(text);
}

std::pair<std::string, std::string> name_and_file(const std::string &option)
{
	const size_t at = option.find('=');
	if (at == std::string::npos || at == 0 || at + 1 == option.size())
		refuse(fmt::format("\"{}\": write NAME=FILE", option));
	return {option.substr(0, at), option.substr(at + 1)};
}

// One entry point and its tensors by role.
class entry_point {
public:
	entry_point(const loom_cpp::program &p, const std::string &name)
		: view(p.view()), number(p.entry(name.empty() ? nullptr : name.c_str())), entry(view.entries[number])
	{
		for (uint32_t i = 0; i < entry.n_tensors; i++) {
			const loom_prog_tensor &t = view.tensors[entry.first_tensor + i];
			if (t.role == LOOM_ROLE_OUTPUT)
				outputs.push_back(&t);
			else if (view.slots[t.slot].kind == LOOM_SLOT_ARG)
				inputs.push_back(&t);
		}
	}
	const char *name_of(const loom_prog_tensor &t) const { return view.strings + t.name; }
	const char *name() const { return view.strings + entry.name; }
	const loom_prog_tensor &find(const std::vector<const loom_prog_tensor *> &in, const std::string &name,
				     const char *kind) const
	{
		std::string names;
		for (const auto *t : in) {
			if (name == name_of(*t))
				return *t;
			names += fmt::format("{}{}", names.empty() ? "" : ", ", name_of(*t));
		}
		refuse(fmt::format("entry point {} has no {} \"{}\"; it has: {}", this->name(), kind, name, names));
	}

	const loom_prog_view &view;
	const uint32_t number;
	const loom_prog_entry &entry;
	std::vector<const loom_prog_tensor *> inputs, outputs;
};

std::vector<uint64_t> shape_of(const loom_prog_tensor &t)
{
	return {t.dims, t.dims + t.rank};
}

// An input file, checked against its tensor: the same shape, or (batched) a multiple of its first dimension.
struct input {
	const loom_prog_tensor *tensor;
	std::vector<uint8_t> bytes;
	uint64_t jobs = 1;
};

input check_input(const entry_point &e, const loom_prog_tensor &t, array a, const std::string &file, bool batched)
{
	auto want = shape_of(t);
	const std::string descr = npy_descr(t.dtype);
	const char *name = e.name_of(t);
	if (a.descr != descr && !(t.dtype == LOOM_I1 && a.descr == "|u1"))
		refuse(fmt::format("{}: input {} is {} (NumPy {}{}), the file holds {}; convert it", file, name,
				   loom_dtype_name(t.dtype), descr, t.dtype == LOOM_BF16 ? ": the bits of bf16" : "",
				   a.descr));
	uint64_t jobs = 1;
	if (batched && a.shape.size() == want.size() && !want.empty() && want[0] && a.shape[0] % want[0] == 0) {
		jobs = a.shape[0] / want[0];
		want[0] = a.shape[0];
	}
	if (a.shape != want || !jobs)
		refuse(fmt::format(
			"{}: input {} has shape {}{}, the file {}; reshape it, or export the model for that shape",
			file, name, shape_text(shape_of(t)), batched ? " (or a multiple of its first dimension)" : "",
			shape_text(a.shape)));
	return {&t, std::move(a.bytes), jobs};
}

input raw_input(const entry_point &e, const loom_prog_tensor &t, const std::string &file, bool batched)
{
	auto bytes = read_file(file);
	const uint64_t jobs = batched && t.bytes ? bytes.size() / t.bytes : 1;
	if (!jobs || bytes.size() != t.bytes * jobs)
		refuse(fmt::format("{}: input {} needs {} bytes{}, the file has {}; write the array row-major in the "
				   "tensor's type",
				   file, e.name_of(t), t.bytes, batched ? " or a multiple" : "", bytes.size()));
	return {&t, std::move(bytes), jobs};
}

bool ends_with(const std::string &s, const char *tail)
{
	const size_t n = std::strlen(tail);
	return s.size() >= n && s.compare(s.size() - n, n, tail) == 0;
}

std::vector<input> read_inputs(const entry_point &e, const options &o)
{
	std::vector<input> all;
	const auto add = [&](const std::string &name, const std::string &file, std::optional<array> a) {
		const auto &t = e.find(e.inputs, name, "input");
		for (const input &i : all)
			if (i.tensor == &t)
				refuse(fmt::format("input {} is given twice; give it once", name));
		const bool batched = name == o.batch_input;
		if (!a && !ends_with(file, ".npy"))
			all.push_back(raw_input(e, t, file, batched));
		else
			all.push_back(check_input(e, t, a ? std::move(*a) : read_npy(file), file, batched));
	};
	if (!o.batch_input.empty())
		e.find(e.inputs, o.batch_input, "input");
	if (!o.inputs_npz.empty())
		for (auto &[name, a] : read_npz(o.inputs_npz))
			add(name, o.inputs_npz, std::move(a));
	for (const auto &option : o.inputs) {
		const auto [name, file] = name_and_file(option);
		if (ends_with(file, ".npz")) {
			auto arrays = read_npz(file);
			if (!arrays.count(name))
				refuse(fmt::format("{}: holds no array \"{}\"", file, name));
			add(name, file, std::move(arrays[name]));
		} else {
			add(name, file, std::nullopt);
		}
	}
	for (const auto *t : e.inputs) {
		bool given = false;
		for (const input &i : all)
			given |= i.tensor == t;
		if (!given)
			refuse(fmt::format("input {} ({} {}) is not given; use --input {}=FILE", e.name_of(*t),
					   loom_dtype_name(t->dtype), shape_text(shape_of(*t)), e.name_of(*t)));
	}
	return all;
}

uint64_t jobs_of(const entry_point &e, const std::vector<input> &inputs)
{
	uint64_t jobs = 1;
	for (const input &i : inputs) {
		if (i.jobs != 1 && jobs != 1 && i.jobs != jobs)
			refuse(fmt::format("input {} makes {} jobs, another input {}; batch them alike",
					   e.name_of(*i.tensor), i.jobs, jobs));
		jobs = std::max(jobs, i.jobs);
	}
	return jobs;
}

// The memory of one job: a buffer for each ARG slot.
class job_memory {
public:
	job_memory(const loom_cpp::device &device, const loom_prog_view &v)
	{
		by_slot.resize(v.n_slots);
		for (uint32_t i = 0; i < v.n_slots; i++) {
			if (v.slots[i].kind != LOOM_SLOT_ARG)
				continue;
			by_slot[i] = std::make_unique<loom_cpp::buffer>(device.get(), v.slots[i].bytes);
			bindings.push_back({i, 0, by_slot[i]->get(), 0});
		}
	}
	uint8_t *at(const loom_prog_tensor &t) const
	{
		return static_cast<uint8_t *>(by_slot[t.slot]->data()) + t.offset;
	}
	std::vector<loom_binding> bindings;

private:
	std::vector<std::unique_ptr<loom_cpp::buffer>> by_slot;
};

struct outcome {
	std::vector<std::vector<uint8_t>> outputs; // by output, jobs one after the other
	std::vector<uint64_t> cycles;		   // by job
	loom_result total{};
};

void fill_inputs(const job_memory &memory, const std::vector<input> &inputs, uint64_t job)
{
	for (const input &i : inputs)
		std::memcpy(memory.at(*i.tensor), i.bytes.data() + (i.jobs > 1 ? job * i.tensor->bytes : 0),
			    i.tensor->bytes);
}

void take_result(outcome &out, const loom_result &r)
{
	if (r.status)
		refuse(r.message);
	out.cycles.push_back(r.cycles);
	out.total.cycles += r.cycles;
	out.total.insns += r.insns;
	for (int t = 0; t < 3; t++)
		out.total.macs[t] += r.macs[t];
}

// Two jobs in flight: one is filled and read while the other runs.
outcome run_jobs(const loom_cpp::device &device, const loom_cpp::program &program, const entry_point &e,
		 const std::vector<input> &inputs, uint64_t jobs, uint32_t report_entries,
		 std::vector<std::vector<uint8_t>> *reports)
{
	constexpr uint64_t depth = 2;
	const loom_cpp::instance instance(program.get());
	std::vector<std::unique_ptr<job_memory>> memory;
	std::vector<std::unique_ptr<loom_cpp::event>> flying(depth);
	outcome out;
	out.outputs.resize(e.outputs.size());
	for (uint64_t i = 0; i < std::min(depth, jobs); i++)
		memory.push_back(std::make_unique<job_memory>(device, e.view));
	const auto finish = [&](uint64_t job) {
		auto &event = flying[job % depth];
		take_result(out, event->wait());
		for (size_t k = 0; k < e.outputs.size(); k++) {
			const uint8_t *from = memory[job % depth]->at(*e.outputs[k]);
			out.outputs[k].insert(out.outputs[k].end(), from, from + e.outputs[k]->bytes);
		}
		for (uint32_t s = 0; reports && job == 0 && event->report(s); s++) {
			const auto *r = reinterpret_cast<const uint8_t *>(event->report(s));
			reports->emplace_back(r, r + sizeof(loom_report) +
							 event->report(s)->n_entries * sizeof(loom_report_entry));
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

void write_outputs(const entry_point &e, const options &o, const outcome &out, uint64_t jobs)
{
	std::map<std::string, std::string> files;
	for (const auto &option : o.outputs)
		files.insert(name_and_file(option));
	for (const auto &[name, file] : files)
		e.find(e.outputs, name, "output");
	if (!o.output_dir.empty())
		std::filesystem::create_directories(o.output_dir);
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

void print_report(const loom_cpp::program &p, const std::vector<std::vector<uint8_t>> &reports)
{
	static const char *const queues[LOOM_NUM_QUEUES] = {"SEQ", "LD", "ST", "MXU", "VPU"};
	for (size_t s = 0; s < reports.size(); s++) {
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
			loom_report_entry t;
			std::memcpy(&t, reports[s].data() + sizeof(r) + i * sizeof(t), sizeof(t));
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
		{"cycles_per_job", out.cycles},
		{"instructions", out.total.insns},
		{"utilisation", loom_utilisation(&device.target(), &out.total)},
		{"jobs_driver", s.jobs_driver},
		{"jobs_device", s.jobs_device},
		{"outputs", outputs}};
}

// "sim" without a target is a device such as the program was compiled for.
loom_cpp::device open_device(const options &o)
{
	if (o.device == "sim")
		return loom_cpp::device::sim_for(o.program.c_str());
	return loom_cpp::device(o.device.empty() ? nullptr : o.device.c_str());
}

int run(const options &o)
{
	constexpr uint32_t report_entries = 4096;
	const loom_cpp::device device = open_device(o);
	const loom_cpp::program program(device.get(), o.program.c_str());
	const entry_point e(program, o.entry);
	const auto inputs = read_inputs(e, o);
	const uint64_t jobs = jobs_of(e, inputs);
	std::vector<std::vector<uint8_t>> reports;
	const outcome out = run_jobs(device, program, e, inputs, jobs, o.report ? report_entries : 0,
				     o.report ? &reports : nullptr);

	write_outputs(e, o, out, jobs);
	if (o.report)
		print_report(program, reports);
	const json j = summary(e, device, out, jobs);
	if (o.as_json) {
		fmt::print("{}\n", j.dump());
		return 0;
	}
	fmt::print("{} on {}: {} job{}, {} cycles, {:.1f} % of the array's peak\n", e.name(), device.name(), jobs,
		   jobs == 1 ? "" : "s", out.total.cycles, 100 * loom_utilisation(&device.target(), &out.total));
	for (const auto &t : j["outputs"])
		fmt::print("  {} {} {} sha256 {}\n", t["name"].get<std::string>(), t["dtype"].get<std::string>(),
			   t["shape"].dump(), t["sha256"].get<std::string>());
	return 0;
}

} // namespace

action add_run(CLI::App &app)
{
	auto o = std::make_shared<options>();
	app.add_option("program", o->program, "program (.loom)")->required();
	app.add_option("--device", o->device,
		       "sim (with the program's own target), sim:TARGET or /dev/accel/accelN; default: first Loom "
		       "device, else "
		       "sim:npu16");
	app.add_option("--entry", o->entry, "entry point; may be left out where there is one");
	app.add_option("--input", o->inputs, "NAME=FILE, .npy, .npz or raw bytes; may be repeated");
	app.add_option("--inputs", o->inputs_npz, ".npz with arrays by input name");
	app.add_option("--batch-input", o->batch_input,
		       "input whose file holds several batches: one job for each, outputs joined");
	app.add_option("--output", o->outputs, "NAME=FILE, .npy or raw; may be repeated");
	app.add_option("--output-dir", o->output_dir, "directory for all outputs as .npy");
	app.add_flag("--report", o->report, "where the cycles of the first job went, by queue and instruction");
	app.add_flag("--json", o->as_json, "end with one line of JSON");
	return [o] { return run(*o); };
}

} // namespace loom_tool
