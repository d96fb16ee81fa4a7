// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A serialised XSpace, read back as a tool would: names instead of numbers.
#pragma once

#include <map>
#include <string>
#include <vector>

#include <protozero/pbf_message.hpp>

#include "xspace.h"

namespace loom::pjrt::test {

struct read_event {
	std::string name;
	int64_t begin_ps = 0, duration_ps = 0;
	std::map<std::string, int64_t> numbers;
	std::map<std::string, std::string> texts;
	int64_t end_ps() const { return begin_ps + duration_ps; }
	int64_t operator[](const std::string &stat) const { return numbers.at(stat); }
};

struct read_line {
	std::string name;
	int64_t timestamp_ns = 0;
	std::vector<read_event> events;
};

struct read_plane : read_event {
	int64_t id = -1;
	std::vector<read_line> lines;
	const read_line &line(const std::string &wanted) const
	{
		for (const read_line &l : lines)
			if (l.name == wanted)
				return l;
		throw std::out_of_range(wanted);
	}
};

class xspace_reader {
public:
	static std::vector<read_plane> read(const std::string &bytes)
	{
		std::vector<read_plane> planes;
		protozero::pbf_message<xplane::Space> space(bytes);
		while (space.next(xplane::Space::planes))
			planes.push_back(xspace_reader(space.get_view()).plane());
		return planes;
	}

private:
	using view = protozero::data_view;
	explicit xspace_reader(view bytes) : bytes(bytes) {}

	static std::pair<int64_t, std::string> entry(view of)
	{
		std::pair<int64_t, std::string> found;
		protozero::pbf_message<xplane::Entry> message(of);
		while (message.next()) {
			if (message.tag() == xplane::Entry::key) {
				found.first = message.get_int64();
				continue;
			}
			protozero::pbf_message<xplane::Metadata> value(message.get_view());
			while (value.next())
				if (value.tag() == xplane::Metadata::name)
					found.second = value.get_string();
				else
					value.skip();
		}
		return found;
	}
	void names()
	{
		protozero::pbf_message<xplane::Plane> plane(bytes);
		while (plane.next())
			if (plane.tag() == xplane::Plane::event_metadata)
				events.insert(entry(plane.get_view()));
			else if (plane.tag() == xplane::Plane::stat_metadata)
				stats.insert(entry(plane.get_view()));
			else
				plane.skip();
	}
	void stat(view of, read_event &to) const
	{
		std::string name;
		protozero::pbf_message<xplane::Stat> stat(of);
		while (stat.next())
			switch (stat.tag()) {
			case xplane::Stat::metadata_id:
				name = stats.at(stat.get_int64());
				break;
			case xplane::Stat::int64_value:
				to.numbers[name] = stat.get_int64();
				break;
			case xplane::Stat::str_value:
				to.texts[name] = stat.get_string();
				break;
			case xplane::Stat::ref_value:
				to.texts[name] = stats.at(static_cast<int64_t>(stat.get_uint64()));
				break;
			default:
				stat.skip();
			}
	}
	read_event event(view of) const
	{
		read_event e;
		protozero::pbf_message<xplane::Event> event(of);
		while (event.next())
			switch (event.tag()) {
			case xplane::Event::metadata_id:
				e.name = events.at(event.get_int64());
				break;
			case xplane::Event::offset_ps:
				e.begin_ps = event.get_int64();
				break;
			case xplane::Event::duration_ps:
				e.duration_ps = event.get_int64();
				break;
			case xplane::Event::stats:
				stat(event.get_view(), e);
				break;
			default:
				event.skip();
			}
		return e;
	}
	read_line line(view of) const
	{
		read_line l;
		protozero::pbf_message<xplane::Line> line(of);
		while (line.next())
			switch (line.tag()) {
			case xplane::Line::name:
				l.name = line.get_string();
				break;
			case xplane::Line::timestamp_ns:
				l.timestamp_ns = line.get_int64();
				break;
			case xplane::Line::events:
				l.events.push_back(event(line.get_view()));
				break;
			default:
				line.skip();
			}
		return l;
	}
	read_plane plane()
	{
		names();
		read_plane p;
		protozero::pbf_message<xplane::Plane> plane(bytes);
		while (plane.next())
			switch (plane.tag()) {
			case xplane::Plane::id:
				p.id = plane.get_int64();
				break;
			case xplane::Plane::name:
				p.name = plane.get_string();
				break;
			case xplane::Plane::lines:
				p.lines.push_back(line(plane.get_view()));
				break;
			case xplane::Plane::stats:
				stat(plane.get_view(), p);
				break;
			default:
				plane.skip();
			}
		return p;
	}

	view bytes;
	std::map<int64_t, std::string> events, stats;
};

} // namespace loom::pjrt::test
