// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "memory.h"

#include <cstdint>
#include <fstream>
#include <optional>

#include <fmt/format.h>
#include <sys/resource.h>

namespace loom_tool {
namespace {

constexpr uint64_t mib = 1 << 20;

std::optional<uint64_t> free_bytes()
{
	std::ifstream info("/proc/meminfo");
	std::string word;
	uint64_t kib = 0;
	while (info >> word)
		if (word == "MemAvailable:" && info >> kib)
			return kib * 1024;
	return std::nullopt;
}

std::optional<uint64_t> address_space()
{
	rlimit limit{};
	if (getrlimit(RLIMIT_AS, &limit) || limit.rlim_cur == RLIM_INFINITY)
		return std::nullopt;
	return limit.rlim_cur;
}

// The smallest memory.max of this process's control group and those above it; none where nothing limits it.
std::optional<uint64_t> control_group()
{
	std::ifstream groups("/proc/self/cgroup");
	std::string group;
	while (std::getline(groups, group) && group.rfind("0::", 0) != 0)
		;
	if (!groups)
		return std::nullopt;
	std::optional<uint64_t> least;
	for (group.erase(0, 3); group.size() > 1; group.erase(group.rfind('/'))) {
		std::ifstream file("/sys/fs/cgroup" + group + "/memory.max");
		uint64_t bytes = 0;
		if (file >> bytes && (!least || bytes < *least))
			least = bytes;
	}
	return least;
}

} // namespace

std::string memory_advice()
{
	std::string text;
	if (const auto bytes = free_bytes())
		text += fmt::format("; {} MiB are free", *bytes / mib);
	if (const auto bytes = address_space())
		text += fmt::format("; ulimit -v allows {} MiB", *bytes / mib);
	if (const auto bytes = control_group())
		text += fmt::format("; the control group allows {} MiB", *bytes / mib);
	return text + ": provide more memory, raise the limit, or compile a model with fewer or smaller constants";
}

} // namespace loom_tool
