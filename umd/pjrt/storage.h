// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Memory of a device that buffers own, together or alone.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <set>

#include "error.h"

namespace loom::pjrt {

// What a device has given out; outlives the device in the storages that point to it.
class memory_account {
public:
	explicit memory_account(uint64_t limit) : limit(limit) {}
	// Throws RESOURCE_EXHAUSTED past the limit.
	void take(uint64_t bytes);
	void give_back(uint64_t bytes);
	// Scratch memory that programs share: the largest of those that have taken it counts.
	void take_shared(uint64_t bytes);
	void give_back_shared(uint64_t bytes);
	void clear_peak() { peak = in_use.load(); }

	const uint64_t limit;
	std::atomic<uint64_t> in_use{0}, peak{0}, allocations{0}, largest{0};

private:
	uint64_t shared_now() const { return shared.empty() ? 0 : *shared.rbegin(); }

	std::mutex mutex;
	std::multiset<uint64_t> shared;
};

class storage {
public:
	// Memory of the device.
	storage(loom_device *on, std::shared_ptr<memory_account> account, uint64_t bytes);
	// The caller's memory, as it is; release runs when nobody needs it any more.
	storage(loom_device *on, void *data, uint64_t bytes, std::function<void()> release);
	~storage();
	storage(const storage &) = delete;
	storage &operator=(const storage &) = delete;

	loom_buffer *handle() const { return buffer; }
	uint8_t *data() const { return static_cast<uint8_t *>(loom_buffer_data(buffer)); }
	uint64_t bytes() const { return size; }

	// Buffers that own it, and copies to the host under way. A program may write over memory that has no owners but
	// those it was given by, no reader and nobody outside who holds its address.
	std::atomic<uint32_t> owners{0}, readers{0};
	bool borrowed() const { return static_cast<bool>(release); }
	bool exclusive(uint32_t of = 1) const { return owners.load() == of && !readers.load() && !borrowed(); }

private:
	loom_buffer *buffer = nullptr;
	const uint64_t size;
	const std::shared_ptr<memory_account> account;
	const std::function<void()> release;
};

using storage_ptr = std::shared_ptr<storage>;

} // namespace loom::pjrt
