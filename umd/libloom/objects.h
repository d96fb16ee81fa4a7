// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The objects behind the C handles, and the table that a backend fills. Exceptions stay on this side of the C API.
#pragma once

#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "loom/loom.h"
#include "prog_check.h"

namespace loom {

// Becomes a struct loom_error at the C boundary.
class failure : public std::runtime_error {
public:
	failure(int code, const std::string &message) : std::runtime_error(message), code(code) {}
	int code; // negative errno
};

class buffer {
public:
	virtual ~buffer() = default;
	uint8_t *data = nullptr;
	uint64_t bytes = 0;
};

// A checked container, its constants, and what a backend hangs on it.
class program {
public:
	program() = default;
	// Moved, never copied: view points into meta.
	program(program &&) = default;
	virtual ~program() = default;
	std::vector<uint64_t> meta; // header and sections; uint64_t for alignment
	loom_prog_view view{};
	std::shared_ptr<buffer> consts; // null without constants

	const char *string(uint32_t offset) const { return view.strings + offset; }
	std::string describe_loc(uint32_t loc) const;
};

// Slots that are the business of whoever submits; HIDDEN ones are the backend's.
inline bool bound_by_caller(const loom_prog_slot &s)
{
	return s.kind == LOOM_SLOT_ARG && !(s.flags & LOOM_SLOT_HIDDEN);
}

struct binding {
	std::shared_ptr<buffer> memory;
	uint64_t offset = 0;
};

class event {
public:
	virtual ~event() = default;
	// True when done; fills result and reports once.
	virtual bool wait(int64_t timeout_ns) = 0;
	loom_result result{};
	std::vector<std::vector<uint8_t>> reports; // by segment: of its last run; empty if it did not run
	struct run {
		uint32_t segment;
		std::vector<uint8_t> report;
	};
	std::vector<run> runs; // in order, those that there was room for
	uint64_t run_room = 0; // bytes left for them
};

struct job {
	uint32_t entry = 0;
	std::vector<binding> slots; // by slot number; null where the caller does not bind it
	std::vector<std::shared_ptr<event>> waits;
	uint64_t report_bytes = 0; // for each segment
	uint64_t run_room = 0;	   // for the reports of all runs of segments
};

class instance {
public:
	virtual ~instance() = default;
	std::shared_ptr<loom::program> program;
	virtual std::shared_ptr<event> submit(job work) = 0;
	// The same, and waits; here, if the backend can.
	virtual std::shared_ptr<event> run(job work)
	{
		std::shared_ptr<event> done = submit(std::move(work));
		done->wait(-1);
		return done;
	}
	virtual void reset() = 0;
	// The memory of a STATE slot, once the jobs submitted so far have ended.
	virtual std::shared_ptr<buffer> state(uint32_t slot) = 0;
};

class device {
public:
	virtual ~device() = default;
	std::string name;
	loom_target target{};
	virtual std::shared_ptr<buffer> create_buffer(uint64_t bytes) = 0;
	// Null: the device reaches no memory but its own.
	virtual std::shared_ptr<buffer> wrap_buffer(void *, uint64_t) { return nullptr; }
	// Takes a program that passed every check and whose constants are in place.
	virtual std::shared_ptr<program> adopt(std::shared_ptr<program> checked) = 0;
	virtual std::shared_ptr<instance> create_instance(std::shared_ptr<program> of) = 0;
	virtual loom_device_stats stats() = 0;
};

std::shared_ptr<device> open_sim(const loom_target &target);
std::shared_ptr<device> open_drm(const std::string &path);
// First /dev/accel node whose driver is loom; empty if there is none.
std::string find_drm();

// Checks a container and its CRCs, whatever the device.
std::shared_ptr<program> check_program(const void *bytes, size_t size, const std::string &what);
std::shared_ptr<program> load_program(device &on, const void *bytes, size_t size, const std::string &what);

// Sentence for a failed segment.
std::string describe_fault(const program &p, uint32_t entry, uint32_t segment, const loom_completion &end);
// Adds the report of an entry point's segment to the event.
void accumulate(event &done, const loom_prog_segment &segment, uint32_t index, std::vector<uint8_t> report);
// The value of a condition of a schedule, in memory of its slot.
bool condition(const loom_prog_view &v, uint32_t cond, const uint8_t *slot);

} // namespace loom
