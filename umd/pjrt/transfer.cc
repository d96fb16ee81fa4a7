// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Entries that move arrays between host and devices, and between devices.
#include <cstring>

#include "api.h"
#include "buffer.h"
#include "client.h"
#include "host_layout.h"
#include "types.h"

namespace loom::pjrt {
namespace {

// Less than this is copied sooner than wrapped.
constexpr uint64_t min_zero_copy = 16384;

// Where a new array goes: a memory or a device is named, or the first is meant.
device *place_of(client &of, device *on, memory *in)
{
	return in ? in->of : on ? on : of.devices.front();
}

void refuse_layout(const shape &of, const abi::memory_layout *layout)
{
	if (!host_layout(of, layout).dense())
		throw failure(abi::code::unimplemented,
			      fmt::format("{} on the device in another order than row-major; leave the layout out",
					  of.text()));
}

bool may_borrow(const abi::Client_BufferFromHostBuffer_Args &a, const device &on, const shape &of, bool dense)
{
	return a.host_buffer_semantics == abi::host_semantics::immutable_zero_copy && on.in_process && dense &&
	       of.bytes >= min_zero_copy && reinterpret_cast<uintptr_t>(a.data) % 64 == 0;
}

void from_host(abi::Client_BufferFromHostBuffer_Args &a)
{
	refuse_forked_child();
	device *on = place_of(*a.client, a.device, a.memory);
	shape of(dtype_of(a.type), a.dims, a.num_dims);
	refuse_layout(of, a.device_layout);
	const host_layout layout(of, a.byte_strides, a.num_byte_strides);
	if (may_borrow(a, *on, of, layout.dense())) {
		auto released = std::make_shared<promise>();
		auto memory = std::make_shared<storage>(on->handle, const_cast<void *>(a.data), of.bytes,
							[released] { released->set(nullptr); });
		auto done = std::make_unique<event>(released);
		a.buffer = new buffer(on, std::move(of), std::move(memory), kept_promise());
		a.done_with_host_buffer = done.release();
		return;
	}
	storage_ptr memory = on->allocate(of.bytes);
	layout.to_device(memory->data(), a.data);
	auto done = std::make_unique<event>(kept_promise());
	a.buffer = new buffer(on, std::move(of), std::move(memory), kept_promise());
	a.done_with_host_buffer = done.release();
}

void uninitialised(abi::Client_CreateUninitializedBuffer_Args &a)
{
	refuse_forked_child();
	device *on = place_of(*a.client, a.device, a.memory);
	shape of(dtype_of(a.shape_element_type), a.shape_dims, a.shape_num_dims);
	refuse_layout(of, a.shape_layout);
	storage_ptr memory = on->allocate(of.bytes);
	a.buffer = new buffer(on, std::move(of), std::move(memory), kept_promise());
}

void error_buffer(abi::Client_CreateErrorBuffer_Args &a)
{
	device *on = place_of(*a.client, nullptr, a.memory);
	shape of(dtype_of(a.shape_element_type), a.shape_dims, a.shape_num_dims);
	auto failed = std::make_shared<promise>();
	failed->set(make_outcome(a.error_code, std::string(a.error_message, a.error_message_size)));
	storage_ptr memory = on->allocate(0);
	a.buffer = new buffer(on, std::move(of), std::move(memory), std::move(failed));
}

// Keeps memory from being written over while it is read.
class reading {
public:
	explicit reading(storage_ptr of) : of(std::move(of)) { this->of->readers++; }
	~reading() { of->readers--; }
	reading(const reading &) = delete;
	reading &operator=(const reading &) = delete;
	const storage_ptr of;
};

// Runs copy with the array's memory once it is ready. The promise is kept when that is done, or fails as the array
// did. A task of a later program that takes the memory over comes after: callbacks run before it.
promise_ptr when_ready(const buffer &from, const char *what, std::function<void(const uint8_t *)> copy)
{
	auto source = std::make_shared<reading>(from.need(what));
	if (from.ready->ready() && !from.ready->result()) {
		copy(source->of->data());
		return kept_promise();
	}
	auto done = std::make_shared<promise>();
	from.ready->on_ready([source, done, copy = std::move(copy)](const outcome &how) mutable {
		if (!how)
			copy(source->of->data());
		source.reset();
		done->set(how);
	});
	return done;
}

void to_host(abi::Buffer_ToHostBuffer_Args &a)
{
	if (!a.dst) {
		a.dst_size = a.src->of.bytes;
		return;
	}
	if (a.dst_size < a.src->of.bytes)
		throw invalid("{} needs {} bytes of host memory, there are {}", a.src->of.text(), a.src->of.bytes,
			      a.dst_size);
	host_layout layout(a.src->of, a.host_layout);
	a.event = new event(when_ready(*a.src, "copy to the host",
				       [layout, to = a.dst](const uint8_t *from) { layout.to_host(to, from); }));
}

void raw_to_host(abi::Buffer_CopyRawToHost_Args &a)
{
	const auto all = static_cast<int64_t>(a.buffer->of.bytes);
	if (a.offset < 0 || a.transfer_size < 0 || a.offset > all || a.transfer_size > all - a.offset)
		throw invalid("bytes {} to {} of {}, which has {}", a.offset, a.offset + a.transfer_size,
			      a.buffer->of.text(), all);
	a.event = new event(when_ready(*a.buffer, "raw copy to the host",
				       [to = a.dst, at = a.offset, n = a.transfer_size](const uint8_t *from) {
					       std::memcpy(to, from + at, static_cast<size_t>(n));
				       }));
}

buffer *copy_to(const buffer &from, device *on)
{
	refuse_forked_child();
	storage_ptr memory = on->allocate(from.of.bytes);
	promise_ptr done =
		when_ready(from, "copy between devices", [memory, bytes = from.of.bytes](const uint8_t *data) {
			std::memcpy(memory->data(), data, bytes);
		});
	return new buffer(on, from.of, std::move(memory), std::move(done));
}

void to_device(abi::Buffer_CopyToDevice_Args &a)
{
	a.dst_buffer = copy_to(*a.buffer, a.dst_device);
}

void to_memory(abi::Buffer_CopyToMemory_Args &a)
{
	a.dst_buffer = copy_to(*a.buffer, a.dst_memory->of);
}

} // namespace

void bind_transfer(api_table &table)
{
	table.set<&from_host>(slot::Client_BufferFromHostBuffer);
	table.set<&uninitialised>(slot::Client_CreateUninitializedBuffer);
	table.set<&error_buffer>(slot::Client_CreateErrorBuffer);
	table.set<&to_host>(slot::Buffer_ToHostBuffer);
	table.set<&raw_to_host>(slot::Buffer_CopyRawToHost);
	table.set<&to_device>(slot::Buffer_CopyToDevice);
	table.set<&to_memory>(slot::Buffer_CopyToMemory);
}

} // namespace loom::pjrt
