// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "options.h"

#include <algorithm>
#include <cstdlib>

#include <unistd.h>

namespace loom::pjrt {
namespace {

const char *environment(const char *name)
{
	const char *value = std::getenv(name);
	return value && *value ? value : nullptr;
}

uint64_t number(const std::string &name, const std::string &text, uint64_t least, uint64_t most)
{
	char *end = nullptr;
	const unsigned long long n = std::strtoull(text.c_str(), &end, 10);
	if (text.empty() || *end || text[0] == '-' || n < least || n > most)
		throw invalid("{}={}: use a number from {} to {}", name, text, least, most);
	return n;
}

uint64_t host_memory()
{
	return static_cast<uint64_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<uint64_t>(sysconf(_SC_PAGE_SIZE));
}

// Fields of a protocol buffer, one after the other. Damaged bytes end the reading with an error.
class proto_reader {
public:
	explicit proto_reader(std::string_view bytes) : rest(bytes) {}

	bool next()
	{
		if (rest.empty())
			return false;
		const uint64_t key = varint();
		field = static_cast<uint32_t>(key >> 3);
		wire = key & 7;
		value = 0;
		bytes = {};
		switch (wire) {
		case 0:
			value = varint();
			break;
		case 1:
			bytes = take(8);
			break;
		case 2:
			bytes = take(varint());
			break;
		case 5:
			bytes = take(4);
			break;
		default:
			damaged();
		}
		return true;
	}
	// A repeated number, packed or not.
	void append(std::vector<int64_t> &to) const
	{
		if (wire == 0) {
			to.push_back(static_cast<int64_t>(value));
			return;
		}
		proto_reader packed(bytes);
		while (!packed.rest.empty())
			to.push_back(static_cast<int64_t>(packed.varint()));
	}

	uint32_t field = 0;
	uint64_t wire = 0, value = 0;
	std::string_view bytes;

private:
	[[noreturn]] static void damaged()
	{
		throw invalid("the compile options are no xla.CompileOptionsProto; jax and the plugin do not fit");
	}
	uint64_t varint()
	{
		uint64_t v = 0;
		for (unsigned shift = 0; shift < 64 && !rest.empty(); shift += 7) {
			const auto byte = static_cast<uint8_t>(rest.front());
			rest.remove_prefix(1);
			v |= uint64_t{byte & 0x7fu} << shift;
			if (!(byte & 0x80))
				return v;
		}
		damaged();
	}
	std::string_view take(uint64_t n)
	{
		if (n > rest.size())
			damaged();
		const std::string_view taken = rest.substr(0, n);
		rest.remove_prefix(n);
		return taken;
	}

	std::string_view rest;
};

void read_assignment(std::string_view proto, std::vector<int64_t> &devices)
{
	for (proto_reader r(proto); r.next();)
		if (r.field == 3 && r.wire == 2)
			for (proto_reader column(r.bytes); column.next();)
				if (column.field == 1)
					column.append(devices);
}

void read_build(std::string_view proto, compile_options &into)
{
	int64_t ordinal = -1;
	for (proto_reader r(proto); r.next();) {
		if (r.field == 1 && r.wire == 0)
			ordinal = static_cast<int64_t>(r.value);
		else if (r.field == 4 && r.wire == 0)
			into.replicas = static_cast<int64_t>(r.value);
		else if (r.field == 5 && r.wire == 0)
			into.partitions = static_cast<int64_t>(r.value);
		else if (r.field == 9 && r.wire == 2)
			read_assignment(r.bytes, into.devices);
	}
	if (into.devices.empty() && ordinal >= 0)
		into.devices.push_back(ordinal);
}

void put_varint(std::string &to, uint64_t v)
{
	for (; v >= 0x80; v >>= 7)
		to.push_back(static_cast<char>(v | 0x80));
	to.push_back(static_cast<char>(v));
}

} // namespace

client_options client_options::read(const abi::named_value *values, size_t count)
{
	std::string spec, simulated, target;
	client_options out;
	out.memory_limit = host_memory();
	if (const char *env = environment("LOOM_DEVICE"))
		spec = env;
	if (const char *env = environment("LOOM_SIM_DEVICES"))
		simulated = env;
	if (const char *env = environment("LOOM_TARGET"))
		target = env;
	if (const char *env = environment("LOOM_MEMORY_LIMIT"))
		out.memory_limit = number("LOOM_MEMORY_LIMIT", env, 1, UINT64_MAX);
	for (size_t i = 0; i < count; i++) {
		const std::string name(values[i].name, values[i].name_size);
		if (name == "device" && values[i].type == abi::value_type::string)
			spec.assign(values[i].string_value, values[i].value_size);
		else if (name == "sim_devices" && values[i].type == abi::value_type::int64)
			simulated = std::to_string(values[i].int64_value);
		else
			throw invalid("client option '{}': there are device (text) and sim_devices (number)", name);
	}
	if (!target.empty()) {
		if (!spec.empty() && spec != "sim")
			throw invalid(
				"LOOM_TARGET={} with device {}: the device has a target of its own; leave one out",
				target, spec);
		spec = "sim:" + target;
	}
	if (simulated.empty()) {
		out.devices.push_back(spec);
		return out;
	}
	const uint64_t n = number("LOOM_SIM_DEVICES", simulated, 1, 64);
	if (spec.empty())
		spec = "sim";
	if (spec != "sim" && spec.rfind("sim:", 0) != 0)
		throw invalid("LOOM_SIM_DEVICES={} with device {}: leave one of them out", n, spec);
	out.devices.assign(n, spec);
	return out;
}

compile_options compile_options::read(std::string_view proto)
{
	compile_options out;
	for (proto_reader r(proto); r.next();) {
		if (r.field == 3 && r.wire == 2)
			read_build(r.bytes, out);
		else if (r.field == 4 && r.wire == 0)
			out.portable = r.value != 0;
	}
	if (out.portable)
		out.devices.clear();
	out.replicas = std::max<int64_t>(1, out.replicas);
	out.partitions = std::max<int64_t>(1, out.partitions);
	return out;
}

void compile_options::require_one_device() const
{
	if (replicas == 1 && partitions == 1 && devices.size() <= 1)
		return;
	throw failure(
		abi::code::unimplemented,
		fmt::format(
			"a program for {} replicas of {} partitions; a program of Loom runs on one device: use a mesh "
			"of one device, or keep this function on the CPU",
			replicas, partitions));
}

std::string device_assignment(int64_t device)
{
	std::string ids, column, out;
	put_varint(ids, static_cast<uint64_t>(device));
	column = std::string("\x0a") + static_cast<char>(ids.size()) + ids; // field 1, packed
	out = std::string("\x08\x01\x10\x01\x1a", 5);			    // one replica, one computation, field 3
	return out + static_cast<char>(column.size()) + column;
}

} // namespace loom::pjrt
