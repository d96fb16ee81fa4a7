// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Names of planes, lines and stats are those of XLA's xplane_schema.h, where it has one.
#include "xspace.h"

#include <algorithm>

#include <fmt/format.h>
#include <protozero/pbf_builder.hpp>

#include "loom_program.h"

namespace loom::pjrt {
namespace {

using namespace xplane;
template <class T> using builder = protozero::pbf_builder<T>;

// Of XLA's ContextType: what calls into a PJRT library.
constexpr int64_t context_type_library_call = 14;

// Numbers from 1 on for names.
class name_table {
public:
	int64_t operator()(const std::string &name)
	{
		return known.try_emplace(name, static_cast<int64_t>(known.size()) + 1).first->second;
	}
	void write(builder<Plane> &to, Plane field) const
	{
		for (const auto &[name, id] : known) {
			builder<Entry> entry(to, field);
			entry.add_int64(Entry::key, id);
			builder<Metadata> value(entry, Entry::value);
			value.add_int64(Metadata::id, id);
			value.add_string(Metadata::name, name);
		}
	}

private:
	std::unordered_map<std::string, int64_t> known;
};

// Cycles on the time axis. A modelled cycle takes what the clock says, however long it took to compute.
class clock_scale {
public:
	explicit clock_scale(uint32_t khz) : khz(khz) {}
	int64_t ps(uint64_t cycles) const
	{
		return static_cast<int64_t>(static_cast<unsigned __int128>(cycles) * 1000000000 / khz);
	}

private:
	const uint32_t khz;
};

class plane_writer {
public:
	plane_writer(builder<Space> &to, const traced_device &of, int64_t start_ns)
		: of(of), start_ns(start_ns), scale(of.clock_khz), plane(to, Space::planes)
	{
	}
	void write();

private:
	void place_executions();
	template <class F> void line(const char *name, F &&fill);
	template <class F>
	void event(builder<Line> &to, const std::string &name, int64_t begin_ps, int64_t end_ps, F &&fill);
	template <class T> void number(builder<T> &to, T field, const char *name, uint64_t value);
	template <class T> void text(builder<T> &to, T field, const char *name, const std::string &value);
	template <class T> void reference(builder<T> &to, T field, const char *name, const std::string &value);

	void executions();
	void execution_stats(builder<Event> &to, const traced_execution &e);
	void segments();
	void lane(unsigned queue);

	const traced_device &of;
	const int64_t start_ns;
	const clock_scale scale;
	std::vector<int64_t> places; // of executions on the device's own time axis, in ps
	int64_t next_line = 1;
	name_table events, stats;
	builder<Plane> plane;
};

// The device's own axis: an execution begins when the host saw it begin, but not before the one before has had its
// cycles.
void plane_writer::place_executions()
{
	int64_t free = 0;
	for (const traced_execution &e : of.executions) {
		places.push_back(std::max(free, (e.begin_ns - start_ns) * 1000));
		free = places.back() + scale.ps(e.cycles);
	}
}

template <class F> void plane_writer::line(const char *name, F &&fill)
{
	builder<Line> to(plane, Plane::lines);
	to.add_int64(Line::id, next_line);
	to.add_int64(Line::display_id, next_line++);
	to.add_string(Line::name, name);
	to.add_int64(Line::timestamp_ns, start_ns);
	fill(to);
}

template <class F>
void plane_writer::event(builder<Line> &to, const std::string &name, int64_t begin_ps, int64_t end_ps, F &&fill)
{
	builder<Event> e(to, Line::events);
	e.add_int64(Event::metadata_id, events(name));
	e.add_int64(Event::offset_ps, begin_ps);
	e.add_int64(Event::duration_ps, end_ps - begin_ps);
	fill(e);
}

template <class T> void plane_writer::number(builder<T> &to, T field, const char *name, uint64_t value)
{
	builder<Stat> s(to, field);
	s.add_int64(Stat::metadata_id, stats(name));
	s.add_int64(Stat::int64_value, static_cast<int64_t>(value));
}

template <class T> void plane_writer::text(builder<T> &to, T field, const char *name, const std::string &value)
{
	builder<Stat> s(to, field);
	s.add_int64(Stat::metadata_id, stats(name));
	s.add_string(Stat::str_value, value);
}

// For texts that come again and again.
template <class T> void plane_writer::reference(builder<T> &to, T field, const char *name, const std::string &value)
{
	if (value.empty())
		return;
	builder<Stat> s(to, field);
	s.add_int64(Stat::metadata_id, stats(name));
	s.add_uint64(Stat::ref_value, static_cast<uint64_t>(stats(value)));
}

uint64_t bytes_of(const traced_execution &e)
{
	uint64_t bytes = 0;
	for (const traced_segment &s : e.segments)
		bytes += s.bytes;
	return bytes;
}

void plane_writer::execution_stats(builder<Event> &to, const traced_execution &e)
{
	number(to, Event::stats, "program_id", e.program_id);
	number(to, Event::stats, "run_id", e.run_id);
	number(to, Event::stats, "cycles", e.cycles);
	number(to, Event::stats, "cpu_cycles", e.cpu_cycles);
	number(to, Event::stats, "instructions", e.insns);
	number(to, Event::stats, "flops", e.flops);
	if (e.segments.size() == e.n_segments)
		number(to, Event::stats, "bytes_accessed", bytes_of(e));
	number(to, Event::stats, "segments", e.n_segments);
	number(to, Event::stats, "segments_left_out", e.n_segments - e.segments.size());
	number(to, Event::stats, "records_left_out", e.records_left_out);
	if (e.host_context >= 0) {
		number(to, Event::stats, "_ct", context_type_library_call);
		number(to, Event::stats, "_c", static_cast<uint64_t>(e.host_context));
	}
	if (!e.error.empty())
		text(to, Event::stats, "error", e.error);
}

void plane_writer::executions()
{
	line("XLA Modules", [&](builder<Line> &to) {
		for (const traced_execution &e : of.executions)
			event(to, e.program, (e.begin_ns - start_ns) * 1000, (e.end_ns - start_ns) * 1000,
			      [&](builder<Event> &of) { execution_stats(of, e); });
	});
}

void plane_writer::segments()
{
	line("Segments", [&](builder<Line> &to) {
		for (size_t i = 0; i < of.executions.size(); i++)
			for (const traced_segment &s : of.executions[i].segments) {
				const char *engine = s.engine == LOOM_ENGINE_CPU ? "CPU" : "NPU";
				event(to, fmt::format("{} segment {}", engine, s.number), places[i] + scale.ps(s.start),
				      places[i] + scale.ps(s.start + s.cycles), [&](builder<Event> &e) {
					      number(e, Event::stats, "run_id", of.executions[i].run_id);
					      number(e, Event::stats, "cycles", s.cycles);
					      number(e, Event::stats, "instructions", s.insns);
					      number(e, Event::stats, "flops", s.flops);
					      number(e, Event::stats, "bytes_accessed", s.bytes);
					      number(e, Event::stats, "mxu_busy_cycles", s.mxu_busy);
				      });
			}
	});
}

void plane_writer::lane(unsigned queue)
{
	line(lane_names[queue], [&](builder<Line> &to) {
		for (size_t i = 0; i < of.executions.size(); i++)
			for (const traced_record &r : of.executions[i].lanes[queue])
				event(to, r.what->name, places[i] + scale.ps(r.start), places[i] + scale.ps(r.end),
				      [&](builder<Event> &e) {
					      number(e, Event::stats, "run_id", of.executions[i].run_id);
					      number(e, Event::stats, "cycles", r.end - r.start);
					      number(e, Event::stats, "wait_cycles", r.start - r.ready);
					      number(e, Event::stats, "unit", r.what->unit);
					      reference(e, Event::stats, "instruction", r.what->instruction);
					      reference(e, Event::stats, "op", r.what->op);
					      reference(e, Event::stats, "source", r.what->source);
					      if (r.what->flops)
						      number(e, Event::stats, "flops", r.what->flops);
					      if (r.what->bytes)
						      number(e, Event::stats, "bytes_accessed", r.what->bytes);
				      });
	});
}

void plane_writer::write()
{
	place_executions();
	plane.add_int64(Plane::id, of.id);
	plane.add_string(Plane::name, fmt::format("/device:CUSTOM:LOOM:{} ({})", of.id, of.target));
	executions();
	segments();
	for (unsigned queue = 0; queue < num_lanes; queue++)
		lane(queue);
	reference(plane, Plane::stats, "device", of.text);
	number(plane, Plane::stats, "clock_khz", of.clock_khz);
	number(plane, Plane::stats, "executions", of.executions.size());
	number(plane, Plane::stats, "executions_left_out", of.executions_left_out);
	number(plane, Plane::stats, "executions_unfinished", of.unfinished);
	number(plane, Plane::stats, "records_left_out", of.records_left_out);
	events.write(plane, Plane::event_metadata);
	stats.write(plane, Plane::stat_metadata);
}

} // namespace

std::string encode_xspace(const std::vector<traced_device> &devices, int64_t start_ns)
{
	std::string bytes;
	builder<Space> space(bytes);
	for (const traced_device &d : devices)
		plane_writer(space, d, start_ns).write();
	return bytes;
}

} // namespace loom::pjrt
