// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Arrays in host memory: any strides there, row-major here.
#pragma once

#include <cstdint>
#include <vector>

#include "abi.h"
#include "buffer.h"

namespace loom::pjrt {

class host_layout {
public:
	// byte_strides: null for row-major.
	host_layout(const shape &of, const int64_t *byte_strides, size_t count);
	// As PJRT describes it; null for row-major.
	host_layout(const shape &of, const abi::memory_layout *layout);

	bool dense() const { return is_dense; }
	void to_device(uint8_t *device, const void *host) const;
	void to_host(void *host, const uint8_t *device) const;

private:
	void set(const int64_t *byte_strides, size_t count);
	template <class F> void each_row(F &&copy) const;

	std::vector<int64_t> dims, strides;
	size_t element;
	uint64_t bytes;
	bool is_dense = true;
};

} // namespace loom::pjrt
