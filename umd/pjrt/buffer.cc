// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "buffer.h"

#include <numeric>
#include <utility>

#include "api.h"
#include "counters.h"
#include "types.h"

namespace loom::pjrt {

shape::shape(uint32_t dtype, const int64_t *sizes, size_t rank)
	: dtype(dtype), dims(sizes, sizes + rank), bytes(loom_dtype_bytes(dtype))
{
	for (const int64_t n : dims)
		if (n < 0 || __builtin_mul_overflow(bytes, static_cast<uint64_t>(n), &bytes))
			throw invalid("a dimension of {}: sizes must not be negative, nor the array larger than memory",
				      n);
}

std::string shape::text() const
{
	return fmt::format("{}[{}]", loom_dtype_name(dtype), fmt::join(dims, ","));
}

static std::vector<int64_t> descending(size_t rank)
{
	std::vector<int64_t> order(rank);
	std::iota(order.rbegin(), order.rend(), 0);
	return order;
}

buffer::buffer(device *on, shape what, storage_ptr memory, promise_ptr ready)
	: on(on), of(std::move(what)), ready(std::move(ready)), minor_to_major(descending(of.dims.size())),
	  storage(std::move(memory))
{
	if (storage)
		storage->owners++;
	count().live_buffers++;
}

buffer::~buffer()
{
	remove();
	count().live_buffers--;
}

storage_ptr buffer::memory() const
{
	std::lock_guard lock(mutex);
	return storage;
}

storage_ptr buffer::need(const char *what) const
{
	storage_ptr here = memory();
	if (!here)
		throw invalid("{}: the array {} has been deleted or donated", what, of.text());
	return here;
}

void buffer::remove()
{
	if (const storage_ptr gone = donate())
		gone->owners--;
}

storage_ptr buffer::donate()
{
	std::lock_guard lock(mutex);
	return std::exchange(storage, nullptr);
}

void buffer::restore(storage_ptr donated)
{
	std::lock_guard lock(mutex);
	storage = std::move(donated);
}

void buffer::hold()
{
	std::lock_guard lock(mutex);
	if (!storage)
		throw invalid("the array {} has been deleted or donated", of.text());
	if (!holds++)
		storage->readers++;
}

void buffer::let_go()
{
	std::lock_guard lock(mutex);
	if (!holds)
		throw failure(abi::code::failed_precondition, "more external references were given up than taken");
	if (!--holds && storage)
		storage->readers--;
}

namespace {

void destroy(abi::Buffer_Destroy_Args &a)
{
	delete a.buffer;
}

void element_type(abi::Buffer_ElementType_Args &a)
{
	a.type = element_of(a.buffer->of.dtype);
}

void dimensions(abi::Buffer_Dimensions_Args &a)
{
	a.dims = a.buffer->of.dims.data();
	a.num_dims = a.buffer->of.dims.size();
}

void unpadded_dimensions(abi::Buffer_UnpaddedDimensions_Args &a)
{
	a.unpadded_dims = a.buffer->of.dims.data();
	a.num_dims = a.buffer->of.dims.size();
}

void dynamic_dimensions(abi::Buffer_DynamicDimensionIndices_Args &a)
{
	a.dynamic_dim_indices = nullptr;
	a.num_dynamic_dims = 0;
}

void memory_layout(abi::Buffer_GetMemoryLayout_Args &a)
{
	a.layout = {};
	a.layout.struct_size = sizeof(a.layout);
	a.layout.type = abi::layout_tiled;
	a.layout.tiled.struct_size = sizeof(a.layout.tiled);
	a.layout.tiled.minor_to_major = a.buffer->minor_to_major.data();
	a.layout.tiled.minor_to_major_size = a.buffer->minor_to_major.size();
}

void on_device_size(abi::Buffer_OnDeviceSizeInBytes_Args &a)
{
	a.on_device_size_in_bytes = a.buffer->of.bytes;
}

void get_device(abi::Buffer_Device_Args &a)
{
	a.device = a.buffer->on;
}

void get_memory(abi::Buffer_Memory_Args &a)
{
	a.memory = &a.buffer->on->space;
}

void remove(abi::Buffer_Delete_Args &a)
{
	a.buffer->remove();
}

void is_deleted(abi::Buffer_IsDeleted_Args &a)
{
	a.is_deleted = a.buffer->is_deleted();
}

void is_on_cpu(abi::Buffer_IsOnCpu_Args &a)
{
	a.is_on_cpu = false;
}

void ready_event(abi::Buffer_ReadyEvent_Args &a)
{
	a.event = new event(a.buffer->ready);
}

// An address is of use once the array is there, and until it is deleted.
uint8_t *address(buffer &of, const char *what)
{
	const storage_ptr memory = of.need(what);
	if (const outcome &how = of.ready->wait())
		throw failure(how->code, how->message);
	return memory->data();
}

void unsafe_pointer(abi::Buffer_UnsafePointer_Args &a)
{
	a.buffer_pointer = reinterpret_cast<uintptr_t>(address(*a.buffer, "PJRT_Buffer_UnsafePointer"));
}

void opaque_pointer(abi::Buffer_OpaqueDeviceMemoryDataPointer_Args &a)
{
	a.device_memory_ptr = address(*a.buffer, "PJRT_Buffer_OpaqueDeviceMemoryDataPointer");
}

void increase(abi::Buffer_IncreaseExternalReferenceCount_Args &a)
{
	a.buffer->hold();
}

void decrease(abi::Buffer_DecreaseExternalReferenceCount_Args &a)
{
	a.buffer->let_go();
}

} // namespace

void bind_buffer(api_table &table)
{
	table.set<&destroy>(slot::Buffer_Destroy);
	table.set<&element_type>(slot::Buffer_ElementType);
	table.set<&dimensions>(slot::Buffer_Dimensions);
	table.set<&unpadded_dimensions>(slot::Buffer_UnpaddedDimensions);
	table.set<&dynamic_dimensions>(slot::Buffer_DynamicDimensionIndices);
	table.set<&memory_layout>(slot::Buffer_GetMemoryLayout);
	table.set<&on_device_size>(slot::Buffer_OnDeviceSizeInBytes);
	table.set<&get_device>(slot::Buffer_Device);
	table.set<&get_memory>(slot::Buffer_Memory);
	table.set<&remove>(slot::Buffer_Delete);
	table.set<&is_deleted>(slot::Buffer_IsDeleted);
	table.set<&is_on_cpu>(slot::Buffer_IsOnCpu);
	table.set<&ready_event>(slot::Buffer_ReadyEvent);
	table.set<&unsafe_pointer>(slot::Buffer_UnsafePointer);
	table.set<&opaque_pointer>(slot::Buffer_OpaqueDeviceMemoryDataPointer);
	table.set<&increase>(slot::Buffer_IncreaseExternalReferenceCount);
	table.set<&decrease>(slot::Buffer_DecreaseExternalReferenceCount);
}

} // namespace loom::pjrt
