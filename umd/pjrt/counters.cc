// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "counters.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <string>

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include "loom/pjrt.h"
#include "queue.h"

namespace loom::pjrt {
namespace {

std::string as_json()
{
	const counters &c = count();
	std::string text = fmt::format("{{\"pid\":{}", getpid());
#define COUNTER(name) text += fmt::format(",\"" #name "\":{}", c.name.load());
	LOOM_PJRT_COUNTERS(COUNTER)
#undef COUNTER
	return text + "}\n";
}

// One write, so that processes do not mix their lines.
void append_counters()
{
	const char *path = std::getenv("LOOM_COUNTERS");
	if (!path || is_forked_child())
		return;
	const int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
	const std::string line = as_json();
	if (fd < 0 || write(fd, line.data(), line.size()) < 0)
		fmt::print(stderr, "loom: LOOM_COUNTERS={}: {}\n", path, std::strerror(errno));
	if (fd >= 0)
		close(fd);
}

} // namespace

counters &count()
{
	static counters *const all = new counters;
	return *all;
}

void raise(std::atomic<uint64_t> &most, uint64_t value)
{
	uint64_t seen = most.load(std::memory_order_relaxed);
	while (seen < value && !most.compare_exchange_weak(seen, value, std::memory_order_relaxed))
		;
}

void report_counters_at_exit()
{
	const char *path = std::getenv("LOOM_COUNTERS");
	if (path && *path) {
		[[maybe_unused]] static const int once = std::atexit(append_counters);
	}
}

} // namespace loom::pjrt

extern "C" size_t loom_pjrt_get_counters(loom_pjrt_counters *counters, size_t bytes)
{
	const auto &c = loom::pjrt::count();
	const loom_pjrt_counters now{
#define COUNTER(name) .name = c.name,
		LOOM_PJRT_COUNTERS(COUNTER)
#undef COUNTER
	};
	std::memcpy(counters, &now, std::min(bytes, sizeof(now)));
	return sizeof(now);
}

extern "C" uint64_t loom_pjrt_counter(const char *name)
{
	const auto &c = loom::pjrt::count();
#define COUNTER(field)                                                                                                 \
	if (!std::strcmp(name, #field))                                                                                \
		return c.field;
	LOOM_PJRT_COUNTERS(COUNTER)
#undef COUNTER
	return std::strcmp(name, "cache_hits") ? UINT64_MAX : c.memory_hits + c.disk_hits;
}
