// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A thin C++20 wrapper: owning handles and exceptions around loom.h.
#pragma once

#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "loom/loom.h"

namespace loom_cpp {

class error : public std::runtime_error {
public:
	explicit error(const loom_error &e) : std::runtime_error(e.message), code(e.code) {}
	int code; // negative errno
};

namespace detail {

template <auto destroy> struct deleter {
	template <class T> void operator()(T *handle) const { destroy(handle); }
};
template <class T, auto destroy> using handle = std::unique_ptr<T, deleter<destroy>>;

// Calls a C function that returns an object through its last but one argument.
template <class T, class F, class... Args> T *make(F create, Args... args)
{
	loom_error e{};
	T *out = nullptr;
	if (create(args..., &out, &e) < 0)
		throw error(e);
	return out;
}

} // namespace detail

class buffer {
public:
	buffer(loom_device *on, uint64_t bytes) : handle(detail::make<loom_buffer>(loom_buffer_create, on, bytes)) {}
	void *data() const { return loom_buffer_data(handle.get()); }
	uint64_t bytes() const { return loom_buffer_bytes(handle.get()); }
	loom_buffer *get() const { return handle.get(); }

private:
	detail::handle<loom_buffer, loom_buffer_destroy> handle;
};

class event {
public:
	explicit event(loom_event *taken) : handle(taken) {}
	// Waits for ever; a failed job is a result with a status, not an exception.
	loom_result wait() const
	{
		loom_result r{};
		if (int code = loom_event_wait(handle.get(), -1, &r))
			throw error({code, "waiting for a job failed"});
		return r;
	}
	const loom_report *report(uint32_t segment) const { return loom_event_report(handle.get(), segment); }
	const loom_report *run_report(uint64_t run, uint32_t &segment) const
	{
		return loom_event_run_report(handle.get(), run, &segment);
	}
	loom_event *get() const { return handle.get(); }

private:
	detail::handle<loom_event, loom_event_destroy> handle;
};

class instance {
public:
	explicit instance(loom_program *of) : handle(detail::make<loom_instance>(loom_instance_create, of)) {}
	event submit(const loom_job_desc &desc) const
	{
		return event(detail::make<loom_event>(loom_submit, handle.get(), &desc));
	}
	void reset() const
	{
		loom_error e{};
		if (loom_instance_reset(handle.get(), &e))
			throw error(e);
	}

	std::vector<uint8_t> read_state(uint32_t slot, uint64_t offset, uint64_t bytes) const
	{
		loom_error e{};
		std::vector<uint8_t> data(bytes);
		if (loom_instance_read_state(handle.get(), slot, offset, data.data(), bytes, &e))
			throw error(e);
		return data;
	}
	loom_instance *get() const { return handle.get(); }
	void write_state(uint32_t slot, uint64_t offset, const void *data, uint64_t bytes) const
	{
		loom_error e{};
		if (loom_instance_write_state(handle.get(), slot, offset, data, bytes, &e))
			throw error(e);
	}

private:
	detail::handle<loom_instance, loom_instance_destroy> handle;
};

// Of a source-table index; empty outside of modules and for an unknown index.
inline std::string module_path(const loom_prog_view &view, uint32_t loc)
{
	std::string path(loom_program_module_path(&view, loc, nullptr, 0), '\0');
	loom_program_module_path(&view, loc, path.data(), path.size() + 1);
	return path;
}

class program {
public:
	program(loom_device *on, const char *path) : handle(detail::make<loom_program>(loom_program_open, on, path)) {}
	program(loom_device *on, const void *bytes, size_t size)
		: handle(detail::make<loom_program>(loom_program_load, on, bytes, size))
	{
	}
	uint32_t entry(const char *name) const
	{
		loom_error e{};
		const int n = loom_program_find_entry(handle.get(), name, &e);
		if (n < 0)
			throw error(e);
		return static_cast<uint32_t>(n);
	}
	std::string describe_loc(uint32_t loc) const
	{
		char text[512];
		loom_program_describe_loc(handle.get(), loc, text, sizeof(text));
		return text;
	}
	const loom_prog_view &view() const { return *loom_program_get_view(handle.get()); }
	loom_program *get() const { return handle.get(); }

private:
	detail::handle<loom_program, loom_program_destroy> handle;
};

class device {
public:
	explicit device(const char *spec) : handle(detail::make<loom_device>(loom_device_open, spec)) {}
	explicit device(const loom_target &target) : handle(detail::make<loom_device>(loom_device_open_sim, &target)) {}
	// In-process, with the very target that a program was compiled for.
	static device sim_for(const char *program_path)
	{
		loom_error e{};
		loom_target target{};
		if (loom_program_read_target(program_path, &target, &e))
			throw error(e);
		return device(target);
	}
	const char *name() const { return loom_device_name(handle.get()); }
	const loom_target &target() const { return *loom_device_target(handle.get()); }
	loom_device_stats stats() const
	{
		loom_device_stats s{};
		loom_error e{};
		if (loom_device_get_stats(handle.get(), &s, &e))
			throw error(e);
		return s;
	}
	loom_device *get() const { return handle.get(); }

private:
	detail::handle<loom_device, loom_device_close> handle;
};

} // namespace loom_cpp
