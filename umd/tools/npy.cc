// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "npy.h"

#include <cstdio>
#include <cstring>
#include <memory>
#include <stdexcept>

#include <fmt/format.h>
#include <zip.h>

#include "files.h"
#include "loom_isa.h"

namespace loom_tool {
namespace {

constexpr size_t magic_bytes = 6;

[[noreturn]] void refuse(const std::string &name, const std::string &why)
{
	throw std::runtime_error(fmt::format("{}: {}; write it with numpy.save", name, why));
}

// Bytes of a file that may hold anything, as text for a message.
std::string printable(const std::string &bytes)
{
	std::string text;
	for (const char c : bytes.substr(0, 80))
		text += c >= ' ' && c <= '~' ? std::string(1, c) : fmt::format("\\x{:02x}", static_cast<uint8_t>(c));
	return text;
}

// The value after 'key': in the header's Python dictionary, up to the matching end.
std::string field_of(const std::string &header, const std::string &key, const std::string &name)
{
	const size_t at = header.find("'" + key + "'");
	const size_t colon = at == std::string::npos ? at : header.find(':', at);
	if (colon == std::string::npos)
		refuse(name, fmt::format("its .npy header has no '{}'", key));
	size_t from = header.find_first_not_of(' ', colon + 1);
	if (from == std::string::npos)
		refuse(name, fmt::format("its .npy header ends after '{}'", key));
	const char close = header[from] == '(' ? ')' : header[from] == '\'' ? '\'' : ',';
	const size_t to = header.find(close, from + 1);
	if (to == std::string::npos)
		refuse(name, fmt::format("its .npy header has no end of '{}'", key));
	return close == ',' ? header.substr(from, to - from) : header.substr(from + 1, to - from - 1);
}

std::vector<uint64_t> shape_of(const std::string &text, const std::string &name)
{
	std::vector<uint64_t> shape;
	size_t at = 0;
	while (at < text.size()) {
		if (text[at] == ' ' || text[at] == ',') {
			at++;
			continue;
		}
		uint64_t n = 0;
		const size_t from = at;
		for (; at < text.size() && text[at] >= '0' && text[at] <= '9'; at++) {
			n = n * 10 + static_cast<uint64_t>(text[at] - '0');
			if (n > max_array_bytes)
				refuse(name, "a dimension above 2^30");
		}
		if (at == from || shape.size() == 32)
			refuse(name, fmt::format("shape ({}) is not a list of numbers", printable(text)));
		shape.push_back(n);
	}
	return shape;
}

uint64_t element_bytes(const std::string &descr, const std::string &name)
{
	if (descr.size() != 3 || !std::strchr("<|", descr[0]) || !std::strchr("fiubc", descr[1]) ||
	    !std::strchr("1248", descr[2]))
		refuse(name, fmt::format("element type {} is not a little-endian number or boolean", printable(descr)));
	return static_cast<uint64_t>(descr[2] - '0');
}

} // namespace

array parse_npy(const uint8_t *data, size_t size, const std::string &name)
{
	if (size < 10 || std::memcmp(data, "\x93NUMPY", magic_bytes) != 0)
		refuse(name, "not an .npy file");
	const unsigned major = data[6];
	uint64_t length = data[8] | data[9] << 8, start = 10;
	if (major >= 2) {
		if (size < 12)
			refuse(name, "cut off in its header");
		length |= uint64_t{data[10]} << 16 | uint64_t{data[11]} << 24;
		start = 12;
	}
	if (major < 1 || major > 3 || length > size - start)
		refuse(name, "cut off in its header, or of an unknown .npy version");
	const std::string header(reinterpret_cast<const char *>(data + start), length);

	array a;
	a.descr = field_of(header, "descr", name);
	if (field_of(header, "fortran_order", name) != "False")
		refuse(name, "in Fortran order; use numpy.ascontiguousarray");
	a.shape = shape_of(field_of(header, "shape", name), name);
	uint64_t bytes = element_bytes(a.descr, name);
	for (uint64_t n : a.shape) {
		bytes *= n;
		if (bytes > max_array_bytes)
			refuse(name, "above 1 GiB");
	}
	if (bytes != size - start - length)
		refuse(name, fmt::format("shape {} of {} needs {} bytes of data, the file has {}", shape_text(a.shape),
					 a.descr, bytes, size - start - length));
	a.bytes.assign(data + start + length, data + size);
	return a;
}

array read_npy(const std::string &path)
{
	const auto bytes = read_file(path);
	return parse_npy(bytes.data(), bytes.size(), path);
}

std::map<std::string, array> read_npz(const std::string &path)
{
	int code = 0;
	std::unique_ptr<zip_t, void (*)(zip_t *)> zip(zip_open(path.c_str(), ZIP_RDONLY, &code), zip_discard);
	if (!zip)
		throw std::runtime_error(
			fmt::format("{}: not an .npz file that can be read; write it with numpy.savez", path));
	std::map<std::string, array> all;
	for (zip_int64_t i = 0; i < zip_get_num_entries(zip.get(), 0); i++) {
		zip_stat_t st;
		std::unique_ptr<zip_file_t, int (*)(zip_file_t *)> f(zip_fopen_index(zip.get(), zip_uint64_t(i), 0),
								     zip_fclose);
		if (zip_stat_index(zip.get(), zip_uint64_t(i), 0, &st) || !f || st.size > max_file_bytes)
			throw std::runtime_error(
				fmt::format("{}: entry {} cannot be read; write it with numpy.savez", path, i));
		std::vector<uint8_t> bytes(st.size);
		if (zip_fread(f.get(), bytes.data(), st.size) != zip_int64_t(st.size))
			throw std::runtime_error(fmt::format("{}: entry {} is damaged; write it with numpy.savez", path,
							     printable(st.name)));
		std::string name = st.name;
		if (name.size() > 4 && name.compare(name.size() - 4, 4, ".npy") == 0)
			name.resize(name.size() - 4);
		all[name] = parse_npy(bytes.data(), bytes.size(), fmt::format("{}: {}", path, printable(st.name)));
	}
	return all;
}

void write_npy(const std::string &path, const array &a)
{
	std::string shape;
	for (uint64_t n : a.shape)
		shape += fmt::format("{}, ", n);
	if (a.shape.size() > 1)
		shape.resize(shape.size() - 2);
	else if (a.shape.size() == 1)
		shape.resize(shape.size() - 1);
	std::string header = fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': ({}), }}", a.descr, shape);
	header.append(63 - (10 + header.size()) % 64, ' ');
	header += '\n';
	std::string file("\x93NUMPY\1\0", 8);
	file += static_cast<char>(header.size());
	file += static_cast<char>(header.size() >> 8);
	file += header;
	file.append(a.bytes.begin(), a.bytes.end());
	write_file(path, file.data(), file.size());
}

const char *npy_descr(uint32_t dtype)
{
	static const char *const descr[LOOM_NUM_DTYPES] = {"<f4", "<u2", "<f2", "<i4", "<u4", "<i2", "<u2", "|i1",
							   "|u1", "|b1", "<f8", "<i8", "<u8", "<c8", "|u1"};
	return dtype < LOOM_NUM_DTYPES ? descr[dtype] : "?";
}

std::string shape_text(const std::vector<uint64_t> &shape)
{
	std::string text = "(";
	for (uint64_t n : shape)
		text += fmt::format("{}{}", text.size() > 1 ? ", " : "", n);
	return text + ")";
}

} // namespace loom_tool
