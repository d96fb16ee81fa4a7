// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The C API: handles around shared objects, exceptions turned into struct loom_error.
#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <new>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fmt/format.h>

#include "loom_cpu_ops.h"
#include "loom_npu.h"
#include "objects.h"

struct loom_device {
	std::shared_ptr<loom::device> object;
};
struct loom_buffer {
	std::shared_ptr<loom::buffer> object;
};
struct loom_program {
	std::shared_ptr<loom::program> object;
	std::shared_ptr<loom::device> on;
};
struct loom_instance {
	std::shared_ptr<loom::instance> object;
	std::shared_ptr<loom::device> on;
};
struct loom_event {
	std::shared_ptr<loom::event> object;
};

namespace {

using loom::failure;

void set_error(loom_error *error, int code, const char *message)
{
	if (!error)
		return;
	error->code = code;
	std::snprintf(error->message, sizeof(error->message), "%s", message);
}

template <class F> int guard(loom_error *error, F &&body)
{
	try {
		if (error)
			*error = {};
		return body();
	} catch (const failure &f) {
		set_error(error, f.code, f.what());
		return f.code;
	} catch (const std::bad_alloc &) {
		set_error(error, -ENOMEM, "out of memory");
		return -ENOMEM;
	} catch (const std::exception &e) {
		set_error(error, -EINVAL, e.what());
		return -EINVAL;
	}
}

std::string named_targets()
{
	std::string all;
#define NAME(name, ...) all += all.empty() ? #name : ", " #name;
	LOOM_TARGETS(NAME)
#undef NAME
	return all;
}

std::shared_ptr<loom::device> open_spec(const std::string &spec)
{
	if (spec == "sim" || spec.rfind("sim:", 0) == 0) {
		const std::string name = spec == "sim" ? LOOM_SIM_TARGET : spec.substr(4);
		loom_target target{};
		if (!loom_target_named(name.c_str(), &target))
			throw failure(-EINVAL, fmt::format("device {}: no target of that name; there are {}", spec,
							   named_targets()));
		return loom::open_sim(target);
	}
	if (spec.empty() || spec[0] != '/')
		throw failure(-EINVAL, fmt::format("device \"{}\": use sim, sim:TARGET or /dev/accel/accelN", spec));
	return loom::open_drm(spec);
}

std::string default_spec()
{
	if (const char *env = std::getenv("LOOM_DEVICE"); env && *env)
		return env;
	const std::string found = loom::find_drm();
	return found.empty() ? "sim" : found;
}

// A file mapped for reading.
class mapped_file {
public:
	explicit mapped_file(const char *path)
	{
		const int fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			throw failure(-errno, fmt::format("{}: {}", path, std::strerror(errno)));
		struct stat st {};
		if (fstat(fd, &st) || !S_ISREG(st.st_mode) || st.st_size == 0) {
			close(fd);
			throw failure(-ENOEXEC,
				      fmt::format("{}: empty, or not a regular file; give a program made by loomc",
						  path));
		}
		size = static_cast<size_t>(st.st_size);
		data = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd, 0);
		close(fd);
		if (data == MAP_FAILED)
			throw failure(-errno, fmt::format("{}: {}", path, std::strerror(errno)));
	}
	~mapped_file() { munmap(data, size); }
	mapped_file(const mapped_file &) = delete;
	void *data = nullptr;
	size_t size = 0;
};

// The slots of a job, each checked against its declaration.
std::vector<loom::binding> bind_slots(const loom::program &p, const loom_job_desc &desc)
{
	std::vector<loom::binding> slots(p.view.n_slots);
	std::vector<uint8_t> wanted(p.view.n_slots);
	loom_prog_wanted_args(&p.view, desc.entry, wanted.data());
	if (uint32_t slot = 0; !loom_prog_args_bound(&p.view, desc.entry, wanted.data(), &slot))
		throw failure(-EINVAL, fmt::format("entry point {}: its CPU segments use slot {} ({}), an argument of "
						   "other entry points only; compile the model again",
						   p.string(p.view.entries[desc.entry].name), slot,
						   p.string(p.view.slots[slot].name)));
	for (uint32_t i = 0; i < desc.n_bindings; i++) {
		const loom_binding &b = desc.bindings[i];
		if (b.slot >= p.view.n_slots || !loom::bound_by_caller(p.view.slots[b.slot]))
			throw failure(-EINVAL,
				      fmt::format("binding {}: slot {} is not an argument of the program", i, b.slot));
		const auto &d = p.view.slots[b.slot];
		const char *name = p.string(d.name);
		if (!wanted[b.slot])
			throw failure(-EINVAL,
				      fmt::format("binding {}: slot {} ({}) is an argument of other entry points, not "
						  "of {}",
						  i, b.slot, name, p.string(p.view.entries[desc.entry].name)));
		if (!b.buffer || b.rsvd || b.offset % 64)
			throw failure(-EINVAL, fmt::format("binding {} (slot {}, {}): no buffer, a reserved field, or "
							   "an offset that is not a multiple of 64",
							   i, b.slot, name));
		if (slots[b.slot].memory)
			throw failure(-EINVAL, fmt::format("slot {} ({}) is bound twice", b.slot, name));
		const uint64_t bytes = b.buffer->object->bytes;
		if (b.offset > bytes || d.bytes > bytes - b.offset)
			throw failure(-EINVAL,
				      fmt::format("slot {} ({}) needs {} bytes; the buffer has {} after its offset",
						  b.slot, name, d.bytes, bytes - std::min(bytes, b.offset)));
		slots[b.slot] = {b.buffer->object, b.offset};
	}
	for (uint32_t i = 0; i < p.view.n_slots; i++)
		if (wanted[i] && loom::bound_by_caller(p.view.slots[i]) && !slots[i].memory)
			throw failure(-EINVAL,
				      fmt::format("slot {} ({}) is not bound", i, p.string(p.view.slots[i].name)));
	return slots;
}

std::shared_ptr<loom::buffer> state_of(loom::instance &instance, uint32_t slot, uint64_t offset, uint64_t bytes)
{
	const loom::program &p = *instance.program;
	if (slot >= p.view.n_slots || p.view.slots[slot].kind != LOOM_SLOT_STATE)
		throw failure(-EINVAL, fmt::format("slot {} is not state of the program", slot));
	const auto &d = p.view.slots[slot];
	if (offset > d.bytes || bytes > d.bytes - offset)
		throw failure(-EINVAL, fmt::format("state {} has {} bytes; {} from {} on were asked for",
						   p.string(d.name), d.bytes, bytes, offset));
	return instance.state(slot);
}

// The driver refuses the same; here both slots can be named.
void refuse_overlaps(const loom::program &p, const std::vector<loom::binding> &slots)
{
	std::vector<uint32_t> order;
	for (uint32_t i = 0; i < slots.size(); i++)
		if (slots[i].memory)
			order.push_back(i);
	std::sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) {
		return std::pair(slots[a].memory.get(), slots[a].offset) <
		       std::pair(slots[b].memory.get(), slots[b].offset);
	});
	// Of the slots so far in one buffer: the one that ends last, and the writable one that does.
	const loom::buffer *memory = nullptr;
	uint32_t last = 0, written = 0;
	uint64_t end = 0, written_end = 0;
	for (const uint32_t i : order) {
		const uint64_t begin = slots[i].offset, bytes = p.view.slots[i].bytes;
		const bool writes = p.view.slots[i].rights & LOOM_RIGHT_WRITE;
		if (slots[i].memory.get() != memory)
			end = written_end = 0;
		memory = slots[i].memory.get();
		if (begin < written_end || (writes && begin < end)) {
			const uint32_t w = writes ? i : written, other = writes ? last : i;
			throw failure(-EINVAL, fmt::format("writable slot {} ({}) overlaps slot {} ({})", w,
							   p.string(p.view.slots[w].name), other,
							   p.string(p.view.slots[other].name)));
		}
		if (begin + bytes > end)
			end = begin + bytes, last = i;
		if (writes && begin + bytes > written_end)
			written_end = begin + bytes, written = i;
	}
}

loom::job job_of(const loom::program &p, const loom_job_desc &desc)
{
	if (desc.entry >= p.view.n_entries)
		throw failure(-EINVAL, fmt::format("entry point {}: the program has {}", desc.entry, p.view.n_entries));
	loom::job work;
	work.entry = desc.entry;
	work.slots = bind_slots(p, desc);
	refuse_overlaps(p, work.slots);
	for (uint32_t i = 0; i < desc.n_waits; i++)
		work.waits.push_back(desc.waits[i]->object);
	work.report_bytes = sizeof(loom_report) + sizeof(loom_report_entry) * uint64_t{desc.report_entries};
	work.run_room = desc.run_report_bytes;
	return work;
}

} // namespace

extern "C" {

int loom_device_open(const char *spec, loom_device **device, loom_error *error)
{
	return guard(error, [&] {
		*device = new loom_device{open_spec(spec ? spec : default_spec())};
		return 0;
	});
}

int loom_device_open_sim(const loom_target *target, loom_device **device, loom_error *error)
{
	return guard(error, [&] {
		*device = new loom_device{loom::open_sim(*target)};
		return 0;
	});
}

void loom_device_close(loom_device *device)
{
	delete device;
}

const char *loom_device_name(const loom_device *device)
{
	return device->object->name.c_str();
}

const loom_target *loom_device_target(const loom_device *device)
{
	return &device->object->target;
}

int loom_device_get_stats(loom_device *device, loom_device_stats *stats, loom_error *error)
{
	return guard(error, [&] {
		*stats = device->object->stats();
		return 0;
	});
}

int loom_buffer_create(loom_device *device, uint64_t bytes, loom_buffer **buffer, loom_error *error)
{
	return guard(error, [&] {
		if (!bytes || bytes > LOOM_MAX_BUFFER_BYTES)
			throw failure(-EINVAL, fmt::format("a buffer of {} bytes: must be 1 to 1 GiB", bytes));
		*buffer = new loom_buffer{device->object->create_buffer(bytes)};
		return 0;
	});
}

int loom_buffer_wrap(loom_device *device, void *data, uint64_t bytes, loom_buffer **buffer, loom_error *error)
{
	return guard(error, [&] {
		if (!data || reinterpret_cast<uintptr_t>(data) % 64 || !bytes || bytes > LOOM_MAX_BUFFER_BYTES)
			throw failure(-EINVAL, fmt::format("memory of {} bytes at {}: must be 1 byte to 1 GiB, "
							   "64-byte aligned",
							   bytes, data));
		std::shared_ptr<loom::buffer> made = device->object->wrap_buffer(data, bytes);
		if (!made)
			throw failure(-EOPNOTSUPP, fmt::format("{} cannot use the caller's memory; create a buffer "
							       "and copy",
							       device->object->name));
		*buffer = new loom_buffer{std::move(made)};
		return 0;
	});
}

void loom_buffer_destroy(loom_buffer *buffer)
{
	delete buffer;
}

void *loom_buffer_data(loom_buffer *buffer)
{
	return buffer->object->data;
}

uint64_t loom_buffer_bytes(const loom_buffer *buffer)
{
	return buffer->object->bytes;
}

int loom_program_open(loom_device *device, const char *path, loom_program **program, loom_error *error)
{
	return guard(error, [&] {
		mapped_file file(path);
		*program = new loom_program{loom::load_program(*device->object, file.data, file.size, path),
					    device->object};
		return 0;
	});
}

int loom_program_load(loom_device *device, const void *bytes, size_t size, loom_program **program, loom_error *error)
{
	return guard(error, [&] {
		*program =
			new loom_program{loom::load_program(*device->object, bytes, size, "program"), device->object};
		return 0;
	});
}

int loom_program_read_target(const char *path, loom_target *target, loom_error *error)
{
	return guard(error, [&] {
		mapped_file file(path);
		*target = *loom::check_program(file.data, file.size, path)->view.target;
		return 0;
	});
}

void loom_program_destroy(loom_program *program)
{
	delete program;
}

const loom_prog_view *loom_program_get_view(const loom_program *program)
{
	return &program->object->view;
}

int loom_program_find_entry(const loom_program *program, const char *name, loom_error *error)
{
	return guard(error, [&] {
		const auto &v = program->object->view;
		std::string names;
		if (!name && v.n_entries == 1)
			return 0;
		for (uint32_t i = 0; i < v.n_entries; i++) {
			const char *have = program->object->string(v.entries[i].name);
			if (!std::strcmp(name ? name : "__call__", have))
				return static_cast<int>(i);
			names += (names.empty() ? "" : ", ") + std::string(have);
		}
		throw failure(-ENOENT, name ? fmt::format("no entry point {:.80}; there are: {}", name, names)
					    : fmt::format("several entry points, name one: {}", names));
	});
}

void loom_program_describe_loc(const loom_program *program, uint32_t loc, char *text, size_t size)
{
	loom_error error{};
	guard(&error, [&] {
		std::snprintf(text, size, "%s", program->object->describe_loc(loc).c_str());
		return 0;
	});
}

int loom_instance_create(loom_program *program, loom_instance **instance, loom_error *error)
{
	return guard(error, [&] {
		*instance = new loom_instance{program->on->create_instance(program->object), program->on};
		return 0;
	});
}

void loom_instance_destroy(loom_instance *instance)
{
	delete instance;
}

int loom_instance_reset(loom_instance *instance, loom_error *error)
{
	return guard(error, [&] {
		instance->object->reset();
		return 0;
	});
}

int loom_instance_read_state(loom_instance *instance, uint32_t slot, uint64_t offset, void *data, uint64_t bytes,
			     loom_error *error)
{
	return guard(error, [&] {
		std::memcpy(data, state_of(*instance->object, slot, offset, bytes)->data + offset, bytes);
		return 0;
	});
}

int loom_instance_write_state(loom_instance *instance, uint32_t slot, uint64_t offset, const void *data, uint64_t bytes,
			      loom_error *error)
{
	return guard(error, [&] {
		std::memcpy(state_of(*instance->object, slot, offset, bytes)->data + offset, data, bytes);
		return 0;
	});
}

int loom_submit(loom_instance *instance, const loom_job_desc *desc, loom_event **event, loom_error *error)
{
	return guard(error, [&] {
		*event = new loom_event{instance->object->submit(job_of(*instance->object->program, *desc))};
		return 0;
	});
}

int loom_run(loom_instance *instance, const loom_job_desc *desc, loom_result *result, loom_error *error)
{
	return guard(error, [&] {
		*result = instance->object->run(job_of(*instance->object->program, *desc))->result;
		return 0;
	});
}

int loom_event_wait(loom_event *event, int64_t timeout_ns, loom_result *result)
{
	return guard(nullptr, [&] {
		if (!event->object->wait(timeout_ns))
			return -ETIME;
		if (result)
			*result = event->object->result;
		return 0;
	});
}

const loom_report *loom_event_report(loom_event *event, uint32_t segment)
{
	const auto &reports = event->object->reports;
	if (segment >= reports.size() || reports[segment].empty())
		return nullptr;
	return reinterpret_cast<const loom_report *>(reports[segment].data());
}

const loom_report *loom_event_run_report(loom_event *event, uint64_t run, uint32_t *segment)
{
	const auto &runs = event->object->runs;
	if (run >= runs.size())
		return nullptr;
	*segment = runs[run].segment;
	return reinterpret_cast<const loom_report *>(runs[run].report.data());
}

void loom_event_destroy(loom_event *event)
{
	delete event;
}

double loom_utilisation(const loom_target *t, const loom_result *r)
{
	const double rows = double(r->macs[LOOM_MXU_F32]) * t->f32_div + double(r->macs[LOOM_MXU_BF16]) * t->bf16_div +
			    double(r->macs[LOOM_MXU_INT8]) * t->int8_div;
	return r->cycles ? rows / (double(t->rows) * t->cols * double(r->cycles)) : 0;
}

const char *loom_fault_name(uint32_t fault)
{
	switch (fault) {
#define NAME(num, name, text)                                                                                          \
	case num:                                                                                                      \
		return #name;
		LOOM_FAULTS(NAME)
#undef NAME
	default:
		return "UNKNOWN";
	}
}

const char *loom_fault_text(uint32_t fault)
{
	switch (fault) {
#define TEXT(num, name, text)                                                                                          \
	case num:                                                                                                      \
		return text;
		LOOM_FAULTS(TEXT)
#undef TEXT
	default:
		return "a fault that this library does not know";
	}
}

const char *loom_dtype_name(uint32_t dtype)
{
	static const char *const names[LOOM_NUM_DTYPES] = {"f32", "bf16", "f16", "i32", "u32", "i16", "u16",  "i8",
							   "u8",  "i1",	  "f64", "i64", "u64", "c64", "bytes"};
	return dtype < LOOM_NUM_DTYPES ? names[dtype] : "?";
}

const char *loom_cpu_structure_name(uint32_t structure)
{
	switch (structure) {
#define NAME(num, name, text)                                                                                          \
	case num:                                                                                                      \
		return #name;
		LOOM_CPU_STRUCTURES(NAME)
#undef NAME
	default:
		return "?";
	}
}

} // extern "C"
