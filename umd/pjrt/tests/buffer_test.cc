// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "buffer.h"

#include "harness.h"

namespace loom::pjrt::test {

class Buffer : public plugin {};

TEST_F(Buffer, KnowsItsShape)
{
	buffer *b = put({1, 2, 3, 4, 5, 6}, {2, 3});
	abi::Buffer_Dimensions_Args dims{};
	dims.buffer = b;
	must(slot::Buffer_Dimensions, dims);
	EXPECT_EQ(std::vector<int64_t>(dims.dims, dims.dims + dims.num_dims), (std::vector<int64_t>{2, 3}));
	abi::Buffer_ElementType_Args type{};
	type.buffer = b;
	EXPECT_EQ(must(slot::Buffer_ElementType, type).type, abi::element::f32);
	abi::Buffer_OnDeviceSizeInBytes_Args size{};
	size.buffer = b;
	EXPECT_EQ(must(slot::Buffer_OnDeviceSizeInBytes, size).on_device_size_in_bytes, 24u);
	abi::Buffer_GetMemoryLayout_Args layout{};
	layout.buffer = b;
	must(slot::Buffer_GetMemoryLayout, layout);
	ASSERT_EQ(layout.layout.tiled.minor_to_major_size, 2u);
	EXPECT_EQ(layout.layout.tiled.minor_to_major[0], 1);
	abi::Buffer_Device_Args on{};
	on.buffer = b;
	EXPECT_EQ(must(slot::Buffer_Device, on).device, devices[0]);
	drop(b);
}

TEST_F(Buffer, IsGoneAfterDelete)
{
	buffer *b = put({1, 2});
	EXPECT_FALSE(deleted(b));
	const uint64_t before = devices[0]->account->in_use;
	remove(b);
	remove(b);
	EXPECT_TRUE(deleted(b));
	EXPECT_EQ(devices[0]->account->in_use, before - 8);
	std::vector<float> values;
	const result r = try_get(b, values);
	EXPECT_EQ(r.code, abi::code::invalid_argument);
	EXPECT_EQ(r.message, "copy to the host: the array f32[2] has been deleted or donated");
	drop(b);
}

TEST_F(Buffer, GivesItsAddress)
{
	buffer *b = put({7, 8});
	abi::Buffer_UnsafePointer_Args a{};
	a.buffer = b;
	must(slot::Buffer_UnsafePointer, a);
	EXPECT_EQ(reinterpret_cast<const float *>(a.buffer_pointer)[1], 8);
	remove(b);
	EXPECT_EQ(call(slot::Buffer_UnsafePointer, a).code, abi::code::invalid_argument);
	drop(b);
}

TEST_F(Buffer, CountsExternalReferences)
{
	buffer *b = put({7});
	abi::Buffer_IncreaseExternalReferenceCount_Args up{};
	up.buffer = b;
	abi::Buffer_DecreaseExternalReferenceCount_Args down{};
	down.buffer = b;
	must(slot::Buffer_IncreaseExternalReferenceCount, up);
	EXPECT_FALSE(b->memory()->exclusive());
	must(slot::Buffer_DecreaseExternalReferenceCount, down);
	EXPECT_TRUE(b->memory()->exclusive());
	EXPECT_EQ(call(slot::Buffer_DecreaseExternalReferenceCount, down).code, abi::code::failed_precondition);
	drop(b);
}

TEST_F(Buffer, MemoryStatisticsCount)
{
	abi::Device_MemoryStats_Args a{};
	a.device = devices[0];
	must(slot::Device_MemoryStats, a);
	const int64_t before = a.bytes_in_use, allocations = a.num_allocs;
	buffer *b = put(std::vector<float>(1000));
	must(slot::Device_MemoryStats, a);
	EXPECT_EQ(a.bytes_in_use, before + 4000);
	EXPECT_EQ(a.num_allocs, allocations + 1);
	drop(b);
	must(slot::Device_MemoryStats, a);
	EXPECT_EQ(a.bytes_in_use, before);
	EXPECT_GE(a.peak_bytes_in_use, before + 4000);
	abi::Device_ClearMemoryStats_Args clear{};
	clear.device = devices[0];
	must(slot::Device_ClearMemoryStats, clear);
	must(slot::Device_MemoryStats, a);
	EXPECT_EQ(a.peak_bytes_in_use, before);
}

TEST(MemoryAccount, ScratchCountsOnce)
{
	memory_account account(1000);
	account.take_shared(100);
	account.take_shared(300);
	account.take_shared(200);
	EXPECT_EQ(account.in_use, 300u);
	EXPECT_THROW(account.take_shared(1001), failure);
	EXPECT_EQ(account.in_use, 300u);
	account.give_back_shared(300);
	EXPECT_EQ(account.in_use, 200u);
	account.give_back_shared(100);
	EXPECT_EQ(account.in_use, 200u);
	account.give_back_shared(200);
	EXPECT_EQ(account.in_use, 0u);
	EXPECT_EQ(account.peak, 300u);
}

} // namespace loom::pjrt::test
