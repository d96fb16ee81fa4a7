// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// safetensors: eight bytes of header length, a JSON object {name: {dtype, shape, data_offsets}}, the data.
#include "state_file.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "inputs.h"
#include "files.h"
#include "npy.h"

namespace loom_tool {
namespace {

using nlohmann::json;
using state_map = std::map<std::string, const loom_prog_tensor *>;

constexpr uint64_t length_bytes = 8, header_align = 8;
constexpr uint64_t most_header = 64 << 20;
constexpr const char *remedy = "give a file that the same program saved";

// By name: entry points that share state each have a row for it.
state_map state_of(const loom_cpp::program &program)
{
	const loom_prog_view &v = program.view();
	state_map all;
	for (uint32_t i = 0; i < v.n_tensors; i++)
		if (v.slots[v.tensors[i].slot].kind == LOOM_SLOT_STATE)
			all.insert({v.strings + v.tensors[i].name, &v.tensors[i]});
	return all;
}

const char *dtype_name(uint32_t dtype)
{
	static const char *const names[] = {"F32", "BF16", "F16",  "I32", "U32", "I16", "U16",
					    "I8",  "U8",   "BOOL", "F64", "I64", "U64", "C64"};
	return dtype < std::size(names) ? names[dtype] : nullptr;
}

const char *known_dtype(const loom_prog_tensor &t, const std::string &name)
{
	const char *dtype = dtype_name(t.dtype);
	if (!dtype)
		refuse(fmt::format("state {}: safetensors has no type for {}; keep it as another type", name,
				   loom_dtype_name(t.dtype)));
	return dtype;
}

std::string typed(const std::string &dtype, const std::vector<uint64_t> &shape)
{
	return fmt::format("{} {}", dtype, shape_text(shape));
}

struct parsed {
	std::vector<uint8_t> file;
	json header;
	const uint8_t *data;
	uint64_t bytes; // of data
};

parsed parse(const std::string &path, const state_map &state)
{
	parsed p;
	uint64_t length = 0, most = length_bytes + most_header;
	for (const auto &item : state)
		most += item.second->bytes;
	p.file = read_file(path, most, remedy);
	if (p.file.size() >= length_bytes)
		std::memcpy(&length, p.file.data(), length_bytes);
	if (p.file.size() < length_bytes || length > p.file.size() - length_bytes)
		refuse(path + ": not a safetensors file, or cut off; give a file that --save wrote");
	const uint8_t *text = p.file.data() + length_bytes;
	p.header = json::parse(text, text + length, nullptr, false);
	if (!p.header.is_object())
		refuse(path + ": its header is not a JSON object; give a file that --save wrote");
	p.header.erase("__metadata__");
	p.data = text + length;
	p.bytes = p.file.size() - length_bytes - length;
	return p;
}

// "a, b and 7 more".
std::string some_of(const std::vector<std::string> &names)
{
	constexpr size_t shown = 3;
	std::string text;
	for (size_t i = 0; i < std::min(shown, names.size()); i++)
		text += (i ? ", " : "") + names[i];
	return names.size() > shown ? fmt::format("{} and {} more", text, names.size() - shown) : text;
}

void check_names(const parsed &p, const std::string &path, const state_map &state)
{
	std::vector<std::string> missing, foreign;
	for (const auto &item : state)
		if (!p.header.contains(item.first))
			missing.push_back(item.first);
	for (const auto &item : p.header.items())
		if (!state.count(item.key()))
			foreign.push_back(item.key());
	if (!missing.empty())
		refuse(fmt::format("{}: lacks the state {}; {}", path, some_of(missing), remedy));
	if (!foreign.empty())
		refuse(fmt::format("{}: holds {}, which the program has no state for; {}", path, some_of(foreign),
				   remedy));
}

// The bytes of one tensor, checked against what the program declares.
const uint8_t *find(const parsed &p, const std::string &path, const std::string &name, const loom_prog_tensor &t)
{
	const auto found = p.header.find(name);
	try {
		const auto shape = found->at("shape").get<std::vector<uint64_t>>();
		const auto dtype = found->at("dtype").get<std::string>();
		const auto range = found->at("data_offsets").get<std::vector<uint64_t>>();
		if (dtype != known_dtype(t, name) || shape != shape_of(t))
			refuse(fmt::format("{}: state {} is {} there and {} in the program; {}", path, name,
					   typed(dtype, shape), typed(known_dtype(t, name), shape_of(t)), remedy));
		if (range.size() != 2 || range[0] > range[1] || range[1] > p.bytes || range[1] - range[0] != t.bytes)
			refuse(fmt::format("{}: the data of {} are not where the header says: the file is damaged; {}",
					   path, name, remedy));
		return p.data + range[0];
	} catch (const json::exception &) {
		refuse(fmt::format("{}: the header's entry for {} is malformed: the file is damaged; {}", path, name,
				   remedy));
	}
}

} // namespace

void need_state(const loom_cpp::program &program, const char *option)
{
	if (state_of(program).empty())
		refuse(fmt::format("{}: the program has no state; leave it out", option));
}

void save_state(const loom_cpp::program &program, const loom_cpp::instance &instance, const std::string &path)
{
	json header = json::object();
	std::vector<uint8_t> data;
	for (const auto &[name, t] : state_of(program)) {
		const auto bytes = instance.read_state(t->slot, t->offset, t->bytes);
		header[name] = {{"dtype", known_dtype(*t, name)},
				{"shape", shape_of(*t)},
				{"data_offsets", {data.size(), data.size() + bytes.size()}}};
		data.insert(data.end(), bytes.begin(), bytes.end());
	}
	std::string text = header.dump();
	text.resize((text.size() + header_align - 1) / header_align * header_align, ' ');
	const uint64_t length = text.size();
	std::vector<uint8_t> file(length_bytes + length);
	std::memcpy(file.data(), &length, length_bytes);
	std::memcpy(file.data() + length_bytes, text.data(), length);
	file.insert(file.end(), data.begin(), data.end());
	write_file(path, file.data(), file.size());
}

void restore_state(const loom_cpp::program &program, const loom_cpp::instance &instance, const std::string &path)
{
	const state_map state = state_of(program);
	const parsed p = parse(path, state);
	check_names(p, path, state);
	std::map<std::string, const uint8_t *> values;
	for (const auto &[name, t] : state)
		values[name] = find(p, path, name, *t);
	for (const auto &[name, t] : state)
		instance.write_state(t->slot, t->offset, values[name], t->bytes);
}

} // namespace loom_tool
