// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <cstring>
#include <fstream>
#include <iostream>
#include <iterator>
#include <memory>
#include <stdexcept>
#include <vector>

#include <fmt/format.h>
#include <zlib.h>

#include "commands.h"
#include "files.h"
#include "loom/loom.hpp"
#include "loom_program.h"
#include "prog_check.h"

namespace loom_tool {
namespace {

struct options {
	std::string listing, program, output;
};

std::string text_of(const std::string &path)
{
	std::ifstream file(path, std::ios::binary);
	if (path != "-" && !file)
		throw std::runtime_error(path + ": cannot be read; check the path and its permissions");
	std::istream &in = path == "-" ? std::cin : file;
	return {std::istreambuf_iterator<char>(in), {}};
}

// "    12  MXU ... ; place": the unit in front, if there is one, must be where the record comes to lie.
std::string instruction_of(const std::string &line, uint32_t unit)
{
	const size_t end = line.find(';', std::min(line.find('}'), line.size()));
	const size_t comment = line.find('{') == std::string::npos ? line.find(';') : end;
	std::string text = line.substr(0, comment);
	text.erase(0, std::min(text.find_first_not_of(" \t"), text.size()));
	text.erase(text.find_last_not_of(" \t\r") + 1);
	if (text.empty() || text[0] < '0' || text[0] > '9')
		return text;
	size_t used = 0;
	const unsigned long at = std::stoul(text, &used);
	if (at != unit)
		throw std::runtime_error(fmt::format("is listed at unit {}, but comes to lie at unit {}; correct "
						     "the numbers and branch targets, or leave the numbers out",
						     at, unit));
	text.erase(0, std::min(text.find_first_not_of(" \t", used), text.size()));
	return text;
}

std::vector<uint8_t> assemble(const std::string &text, const std::string &path)
{
	std::vector<uint8_t> code;
	size_t number = 0;
	for (size_t at = 0; at < text.size();) {
		const size_t end = std::min(text.find('\n', at), text.size());
		number++;
		try {
			const std::string line = instruction_of(text.substr(at, end - at),
								static_cast<uint32_t>(code.size() / LOOM_UNIT_BYTES));
			if (!line.empty()) {
				uint8_t record[LOOM_MAX_RECORD_BYTES] = {};
				char why[512];
				const int units = loom_assemble(line.c_str(), record, LOOM_MAX_UNITS, why, sizeof(why));
				if (units < 0)
					throw std::runtime_error(why);
				code.insert(code.end(), record, record + units * LOOM_UNIT_BYTES);
			}
		} catch (const std::exception &e) {
			throw std::runtime_error(
				fmt::format("{}: line {}: {}; write it as loom dis does", path, number, e.what()));
		}
		at = end + 1;
	}
	return code;
}

// The program with this code in place of its own, sealed again. Other sections stay where they are.
std::string with_code(const std::string &path, const std::vector<uint8_t> &code)
{
	{ // What libloom refuses is not edited either.
		const auto any = loom_cpp::device::sim_for(path.c_str());
		loom_cpp::program checked(any.get(), path.c_str());
	}
	std::string file = text_of(path);
	loom_prog_header head;
	std::memcpy(&head, file.data(), sizeof(head));
	const loom_prog_section &section = head.sections[LOOM_SEC_NPU_CODE];
	if (code.size() != uint64_t{section.count} * section.stride)
		throw std::runtime_error(fmt::format("the listing has {} units of code, {} has {}: its segments would "
						     "no longer fit; keep the length",
						     code.size() / LOOM_UNIT_BYTES, path, section.count));
	std::memcpy(file.data() + section.offset, code.data(), code.size());
	head.meta_crc = 0;
	std::memcpy(file.data(), &head, sizeof(head));
	head.meta_crc = static_cast<uint32_t>(
		crc32(0, reinterpret_cast<const Bytef *>(file.data()), static_cast<uInt>(head.meta_bytes)));
	std::memcpy(file.data(), &head, sizeof(head));
	return file;
}

int run(const options &o)
{
	const std::vector<uint8_t> code = assemble(text_of(o.listing), o.listing);
	const std::string bytes =
		o.program.empty() ? std::string(code.begin(), code.end()) : with_code(o.program, code);
	write_file(o.output, bytes.data(), bytes.size());
	return 0;
}

} // namespace

action add_as(CLI::App &app)
{
	auto o = std::make_shared<options>();
	app.add_option("listing", o->listing, "what loom dis printed; - for standard input")->required();
	app.add_option("--program", o->program, "take everything but the code from this program (.loom)");
	app.add_option("-o,--output", o->output, "file to write: a program, or the bare code without --program")
		->required();
	return [o] { return run(*o); };
}

} // namespace loom_tool
