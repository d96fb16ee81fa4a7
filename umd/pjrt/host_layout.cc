// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "host_layout.h"

#include <cstring>

namespace loom::pjrt {
namespace {

// Byte strides of a dense array whose dimensions vary in this order, the quickest first.
std::vector<int64_t> strides_of(const shape &of, const int64_t *minor_to_major, size_t count)
{
	if (count != of.dims.size())
		throw invalid("a layout of {} dimensions for {}", count, of.text());
	std::vector<int64_t> strides(count, 0);
	int64_t step = loom_dtype_bytes(of.dtype);
	for (size_t i = 0; i < count; i++) {
		const int64_t d = minor_to_major[i];
		if (d < 0 || static_cast<size_t>(d) >= count || strides[d])
			throw invalid("a layout that is no order of the dimensions of {}", of.text());
		strides[d] = step;
		step *= of.dims[d] ? of.dims[d] : 1;
	}
	return strides;
}

template <size_t N> void copy_strided(uint8_t *to, int64_t to_step, const uint8_t *from, int64_t from_step, int64_t n)
{
	for (int64_t i = 0; i < n; i++)
		std::memcpy(to + i * to_step, from + i * from_step, N);
}

void copy_elements(size_t bytes, uint8_t *to, int64_t to_step, const uint8_t *from, int64_t from_step, int64_t n)
{
	switch (bytes) {
	case 1:
		return copy_strided<1>(to, to_step, from, from_step, n);
	case 2:
		return copy_strided<2>(to, to_step, from, from_step, n);
	case 4:
		return copy_strided<4>(to, to_step, from, from_step, n);
	default:
		return copy_strided<8>(to, to_step, from, from_step, n);
	}
}

} // namespace

host_layout::host_layout(const shape &of, const int64_t *byte_strides, size_t count)
	: dims(of.dims), element(loom_dtype_bytes(of.dtype)), bytes(of.bytes)
{
	if (byte_strides && count != dims.size())
		throw invalid("{} strides for {}", count, of.text());
	set(byte_strides, count);
}

host_layout::host_layout(const shape &of, const abi::memory_layout *layout)
	: dims(of.dims), element(loom_dtype_bytes(of.dtype)), bytes(of.bytes)
{
	if (!layout)
		return;
	if (layout->type == abi::layout_strides) {
		if (layout->strides.num_byte_strides != dims.size())
			throw invalid("{} strides for {}", layout->strides.num_byte_strides, of.text());
		set(layout->strides.byte_strides, dims.size());
		return;
	}
	if (layout->tiled.num_tiles)
		throw failure(abi::code::unimplemented, "a tiled layout of a host array; ask for a plain one");
	const auto found = strides_of(of, layout->tiled.minor_to_major, layout->tiled.minor_to_major_size);
	set(found.data(), found.size());
}

// Sizes of 1 and empty arrays have any stride.
void host_layout::set(const int64_t *byte_strides, size_t count)
{
	if (!byte_strides)
		return;
	strides.assign(byte_strides, byte_strides + count);
	int64_t step = static_cast<int64_t>(element);
	for (size_t d = dims.size(); d-- > 0;) {
		is_dense &= dims[d] == 1 || strides[d] == step;
		step *= dims[d];
	}
	is_dense |= !bytes;
}

// Calls copy(device offset, host offset) for each row of the last dimension.
template <class F> void host_layout::each_row(F &&copy) const
{
	const size_t outer = dims.size() - 1;
	std::vector<int64_t> at(outer, 0);
	int64_t here = 0;
	for (uint64_t device = 0; device < bytes; device += element * static_cast<uint64_t>(dims[outer])) {
		copy(device, here);
		for (size_t d = outer; d-- > 0;) {
			here += strides[d];
			if (++at[d] < dims[d])
				break;
			here -= strides[d] * dims[d];
			at[d] = 0;
		}
	}
}

void host_layout::to_device(uint8_t *device, const void *host) const
{
	if (is_dense) {
		std::memcpy(device, host, bytes);
		return;
	}
	const auto *from = static_cast<const uint8_t *>(host);
	const auto step = static_cast<int64_t>(element);
	each_row([&](uint64_t to, int64_t at) {
		copy_elements(element, device + to, step, from + at, strides.back(), dims.back());
	});
}

void host_layout::to_host(void *host, const uint8_t *device) const
{
	if (is_dense) {
		std::memcpy(host, device, bytes);
		return;
	}
	auto *to = static_cast<uint8_t *>(host);
	const auto step = static_cast<int64_t>(element);
	each_row([&](uint64_t from, int64_t at) {
		copy_elements(element, to + at, strides.back(), device + from, step, dims.back());
	});
}

} // namespace loom::pjrt
