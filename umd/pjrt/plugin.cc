// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The library's door: GetPjrtApi, and what the plugin says of itself.
#include "plugin.h"

#include <cstring>

#include <elf.h>
#include <link.h>

#include "api.h"
#include "loom/compile.h"
#include "named_values.h"

namespace loom::pjrt {
namespace {

// The newest StableHLO that the reader's table covers, and the oldest.
const std::vector<int64_t> newest_stablehlo = {1, 17, 0}, oldest_stablehlo = {0, 9, 0};

void initialize(abi::Plugin_Initialize_Args &) {}

void attributes(abi::Plugin_Attributes_Args &a)
{
	static const named_values *const values = [] {
		auto *made = new named_values;
		made->add("stablehlo_current_version", newest_stablehlo);
		made->add("stablehlo_minimum_version", oldest_stablehlo);
		made->add("loom_version", plugin_version());
		return made;
	}();
	a.attributes = values->data();
	a.num_attributes = values->size();
}

// The GNU build id among a segment's notes; empty if there is none.
std::string build_id_of(const char *notes, size_t size)
{
	auto aligned = [](size_t n) { return (n + 3) & ~size_t{3}; };
	for (size_t at = 0; at + sizeof(ElfW(Nhdr)) <= size;) {
		ElfW(Nhdr) head;
		std::memcpy(&head, notes + at, sizeof(head));
		const char *name = notes + at + sizeof(head), *text = name + aligned(head.n_namesz);
		if (head.n_type == NT_GNU_BUILD_ID && head.n_namesz == 4 && !std::memcmp(name, "GNU", 4)) {
			std::string hex;
			for (size_t i = 0; i < head.n_descsz; i++)
				hex += fmt::format("{:02x}", static_cast<uint8_t>(text[i]));
			return hex;
		}
		at += sizeof(head) + aligned(head.n_namesz) + aligned(head.n_descsz);
	}
	return "";
}

int find_own(dl_phdr_info *info, size_t, void *to)
{
	const auto here = reinterpret_cast<uintptr_t>(&build_id_of);
	bool own = false;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const auto &p = info->dlpi_phdr[i];
		const uintptr_t begin = info->dlpi_addr + p.p_vaddr;
		own |= p.p_type == PT_LOAD && here >= begin && here < begin + p.p_memsz;
	}
	for (int i = 0; own && i < info->dlpi_phnum; i++) {
		const auto &p = info->dlpi_phdr[i];
		auto &id = *static_cast<std::string *>(to);
		if (p.p_type == PT_NOTE && id.empty())
			id = build_id_of(reinterpret_cast<const char *>(info->dlpi_addr + p.p_vaddr), p.p_memsz);
	}
	return own;
}

} // namespace

const std::string &build_id()
{
	static const std::string *const id = [] {
		auto *found = new std::string;
		dl_iterate_phdr(find_own, found);
		return found;
	}();
	return *id;
}

std::string plugin_version()
{
	return fmt::format("0.1.0 ({}, build {})", loom_compiler_version(), build_id().substr(0, 12));
}

void bind_plugin(api_table &table)
{
	table.set<&initialize>(slot::Plugin_Initialize);
	table.set<&attributes>(slot::Plugin_Attributes);
}

} // namespace loom::pjrt

extern "C" LOOM_API const void *GetPjrtApi()
{
	static const loom::pjrt::api_table *const table = new loom::pjrt::api_table;
	return &table->raw;
}
