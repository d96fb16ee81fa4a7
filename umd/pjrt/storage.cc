// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "storage.h"

#include <algorithm>

#include "counters.h"

namespace loom::pjrt {
void memory_account::take(uint64_t bytes)
{
	const uint64_t before = in_use.fetch_add(bytes, std::memory_order_relaxed);
	if (bytes > limit || before > limit - bytes) {
		in_use.fetch_sub(bytes, std::memory_order_relaxed);
		throw failure(abi::code::resource_exhausted,
			      fmt::format("out of device memory: {} bytes asked for, {} of {} in use; delete arrays, "
					  "donate arguments, or lower the batch",
					  bytes, before, limit));
	}
	raise(peak, before + bytes);
	raise(largest, bytes);
	allocations.fetch_add(1, std::memory_order_relaxed);
	raise(count().peak_bytes, count().live_bytes += bytes);
}

void memory_account::give_back(uint64_t bytes)
{
	in_use.fetch_sub(bytes, std::memory_order_relaxed);
	count().live_bytes -= bytes;
}

void memory_account::take_shared(uint64_t bytes)
{
	std::lock_guard lock(mutex);
	if (bytes > shared_now())
		take(bytes - shared_now());
	shared.insert(bytes);
}

void memory_account::give_back_shared(uint64_t bytes)
{
	std::lock_guard lock(mutex);
	shared.erase(shared.find(bytes));
	if (bytes > shared_now())
		give_back(bytes - shared_now());
}

storage::storage(loom_device *on, std::shared_ptr<memory_account> from, uint64_t bytes)
	: size(bytes), account(std::move(from))
{
	account->take(size);
	loom_error error{};
	const int status = loom_buffer_create(on, std::max<uint64_t>(1, bytes), &buffer, &error);
	if (!status)
		return;
	account->give_back(size);
	throw failure(abi::code::resource_exhausted,
		      fmt::format("no buffer of {} bytes: {}; an array ends at 1 GiB", bytes, error.message));
}

storage::storage(loom_device *on, void *data, uint64_t bytes, std::function<void()> then)
	: size(bytes), release(std::move(then))
{
	loom_error error{};
	check(loom_buffer_wrap(on, data, bytes, &buffer, &error), error, "host memory");
}

storage::~storage()
{
	loom_buffer_destroy(buffer);
	if (account)
		account->give_back(size);
	if (release)
		release();
}

} // namespace loom::pjrt
