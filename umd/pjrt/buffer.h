// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// PJRT_Buffer: an array on a device. Its memory may be another buffer's, too.
#pragma once

#include <mutex>
#include <vector>

#include "device.h"
#include "event.h"

namespace loom::pjrt {

struct shape {
	shape(uint32_t dtype, const int64_t *dims, size_t rank);
	bool operator==(const shape &) const = default;
	std::string text() const; // "f32[2,3]"

	uint32_t dtype;
	std::vector<int64_t> dims;
	uint64_t bytes;
};

class buffer {
public:
	buffer(device *on, shape of, storage_ptr memory, promise_ptr ready);
	~buffer();
	buffer(const buffer &) = delete;
	buffer &operator=(const buffer &) = delete;

	device *const on;
	const shape of;
	const promise_ptr ready;

	// Null once deleted or donated.
	storage_ptr memory() const;
	// The same; throws INVALID_ARGUMENT when deleted, naming what for.
	storage_ptr need(const char *what) const;
	bool is_deleted() const { return !memory(); }
	void remove();
	// Deletes it; the caller owns the memory then. Null if somebody was faster.
	storage_ptr donate();
	// The way back, if what it was donated to did not begin.
	void restore(storage_ptr donated);

	// Somebody outside knows the address.
	void hold();
	void let_go();

	// For the caller's pointers: row-major order.
	const std::vector<int64_t> minor_to_major;

private:
	mutable std::mutex mutex;
	storage_ptr storage;
	uint32_t holds = 0;
};

} // namespace loom::pjrt
