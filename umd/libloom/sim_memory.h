// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Memory of the device in this process: buffers, and the scratch that all its instances share.
#pragma once

#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <mutex>
#include <optional>
#include <set>

#include <fmt/format.h>
#include <sys/mman.h>

#include "objects.h"

namespace loom {

// Memory of zeros from the kernel, in huge pages if it has them: a program's constants are hundreds of megabytes, and
// rows of a matrix lie a page apart.
class huge_pages {
public:
	static constexpr uint64_t page = 2 << 20;
	explicit huge_pages(uint64_t bytes) : length(bytes + page)
	{
		base = mmap(nullptr, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (base == MAP_FAILED)
			throw failure(-ENOMEM, fmt::format("no memory for a buffer of {} bytes", bytes));
		madvise(base, length, MADV_HUGEPAGE); // a hint: without huge pages it fails, and nothing is lost
	}
	~huge_pages() { munmap(base, length); }
	huge_pages(const huge_pages &) = delete;
	huge_pages &operator=(const huge_pages &) = delete;
	uint8_t *data() const
	{
		return reinterpret_cast<uint8_t *>((reinterpret_cast<uintptr_t>(base) + page - 1) / page * page);
	}

private:
	uint64_t length;
	void *base;
};

inline uint64_t whole_pages(uint64_t bytes)
{
	return (bytes + LOOM_PAGE_BYTES - 1) / LOOM_PAGE_BYTES * LOOM_PAGE_BYTES;
}

class sim_buffer : public buffer {
public:
	explicit sim_buffer(uint64_t size)
	{
		bytes = whole_pages(size);
		if (bytes >= huge_pages::page) {
			data = large.emplace(bytes).data();
			return;
		}
		data = small = static_cast<uint8_t *>(std::aligned_alloc(LOOM_PAGE_BYTES, bytes));
		if (!data)
			throw failure(-ENOMEM, fmt::format("no memory for a buffer of {} bytes", size));
		std::memset(data, 0, bytes);
	}
	~sim_buffer() override { std::free(small); }

private:
	std::optional<huge_pages> large;
	uint8_t *small =
		nullptr; // exactly as large as it has to be, so that the address sanitizer sees an access past it
};

// The caller's memory.
class wrapped_buffer : public buffer {
public:
	wrapped_buffer(void *memory, uint64_t size)
	{
		data = static_cast<uint8_t *>(memory);
		bytes = size;
	}
};

// Jobs run one after the other, and scratch holds nothing between them: instances share it, as much as the largest of
// them needs.
class shared_scratch {
public:
	void add(uint64_t bytes)
	{
		std::lock_guard lock(mutex);
		if (bytes && (!memory || memory->bytes < bytes))
			memory = std::make_shared<sim_buffer>(bytes);
		needs.insert(bytes);
	}
	void remove(uint64_t bytes)
	{
		std::lock_guard lock(mutex);
		needs.erase(needs.find(bytes));
		if (needs.empty() || *needs.rbegin() < bytes)
			memory = nullptr;
	}
	std::shared_ptr<buffer> get()
	{
		std::lock_guard lock(mutex);
		if (!memory)
			memory = std::make_shared<sim_buffer>(*needs.rbegin());
		return memory;
	}

private:
	std::mutex mutex;
	std::multiset<uint64_t> needs;
	std::shared_ptr<buffer> memory;
};

} // namespace loom
