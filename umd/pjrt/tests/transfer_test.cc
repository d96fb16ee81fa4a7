// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <cstdlib>
#include <numeric>

#include "buffer.h"
#include "client.h"
#include "harness.h"

namespace loom::pjrt::test {

class Transfer : public plugin {
protected:
	Transfer() : plugin(2) {}

	abi::Client_BufferFromHostBuffer_Args upload(const void *data, abi::element type,
						     const std::vector<int64_t> &dims,
						     const std::vector<int64_t> &strides = {})
	{
		abi::Client_BufferFromHostBuffer_Args a{};
		a.client = of;
		a.data = data;
		a.type = type;
		a.dims = dims.data();
		a.num_dims = dims.size();
		a.byte_strides = strides.empty() ? nullptr : strides.data();
		a.num_byte_strides = strides.size();
		a.device = devices[0];
		return a;
	}
};

TEST_F(Transfer, TakesAnyStrides)
{
	// The transpose of 2 x 3, and a negative step.
	const float values[] = {1, 2, 3, 4, 5, 6};
	const std::vector<int64_t> dims{3, 2}, strides{4, 12}, backwards{-8, 4};
	auto a = upload(values, abi::element::f32, dims, strides);
	must(slot::Client_BufferFromHostBuffer, a);
	EXPECT_EQ(get(a.buffer), (std::vector<float>{1, 4, 2, 5, 3, 6}));
	EXPECT_TRUE(wait(a.done_with_host_buffer));
	drop(a.buffer);
	a = upload(values + 4, abi::element::f32, dims, backwards);
	must(slot::Client_BufferFromHostBuffer, a);
	EXPECT_EQ(get(a.buffer), (std::vector<float>{5, 6, 3, 4, 1, 2}));
	EXPECT_TRUE(wait(a.done_with_host_buffer));
	drop(a.buffer);
}

TEST_F(Transfer, GivesAnyLayout)
{
	buffer *b = put({1, 2, 3, 4, 5, 6}, {2, 3});
	const int64_t column_major[] = {0, 1};
	abi::memory_layout layout{};
	layout.type = abi::layout_tiled;
	layout.tiled.minor_to_major = column_major;
	layout.tiled.minor_to_major_size = 2;
	float out[6];
	abi::Buffer_ToHostBuffer_Args a{};
	a.src = b;
	a.host_layout = &layout;
	a.dst = out;
	a.dst_size = sizeof(out);
	must(slot::Buffer_ToHostBuffer, a);
	EXPECT_TRUE(wait(a.event));
	EXPECT_EQ(std::vector<float>(out, out + 6), (std::vector<float>{1, 4, 2, 5, 3, 6}));
	const int64_t twice[] = {0, 0};
	layout.tiled.minor_to_major = twice;
	EXPECT_EQ(call(slot::Buffer_ToHostBuffer, a).code, abi::code::invalid_argument);
	a.host_layout = nullptr;
	a.dst_size = 20;
	const result r = call(slot::Buffer_ToHostBuffer, a);
	EXPECT_EQ(r.message, "f32[2,3] needs 24 bytes of host memory, there are 20");
	drop(b);
}

TEST_F(Transfer, BorrowsAlignedMemoryUntilTheArrayGoes)
{
	auto *host = static_cast<float *>(std::aligned_alloc(64, 65536));
	std::iota(host, host + 16384, 0.0f);
	const std::vector<int64_t> dims{16384};
	auto a = upload(host, abi::element::f32, dims);
	a.host_buffer_semantics = abi::host_semantics::immutable_zero_copy;
	must(slot::Client_BufferFromHostBuffer, a);
	EXPECT_FALSE(ready(a.done_with_host_buffer));
	EXPECT_EQ(a.buffer->memory()->data(), reinterpret_cast<uint8_t *>(host));
	EXPECT_FALSE(a.buffer->memory()->exclusive());
	EXPECT_EQ(get(a.buffer)[16383], 16383);
	drop(a.buffer);
	EXPECT_TRUE(ready(a.done_with_host_buffer));
	EXPECT_TRUE(wait(a.done_with_host_buffer));
	// Four bytes further it is not aligned, and copied.
	const std::vector<int64_t> fewer{16000};
	a = upload(host + 1, abi::element::f32, fewer);
	a.host_buffer_semantics = abi::host_semantics::immutable_zero_copy;
	must(slot::Client_BufferFromHostBuffer, a);
	EXPECT_TRUE(wait(a.done_with_host_buffer));
	std::free(host);
	EXPECT_EQ(get(a.buffer)[0], 1);
	drop(a.buffer);
}

TEST_F(Transfer, EmptyAndScalarArrays)
{
	const float value = 5;
	for (const std::vector<int64_t> &dims : {std::vector<int64_t>{}, std::vector<int64_t>{0, 4}}) {
		auto a = upload(&value, abi::element::f32, dims);
		must(slot::Client_BufferFromHostBuffer, a);
		EXPECT_TRUE(wait(a.done_with_host_buffer));
		EXPECT_EQ(get(a.buffer).size(), dims.empty() ? 1u : 0u);
		drop(a.buffer);
	}
}

TEST_F(Transfer, RefusesTypesByName)
{
	const std::vector<int64_t> dims{1};
	const double pair[2] = {1, 2};
	auto a = upload(pair, abi::element::c128, dims);
	const result r = call(slot::Client_BufferFromHostBuffer, a);
	EXPECT_EQ(r.code, abi::code::unimplemented);
	EXPECT_NE(r.message.find("element type 15"), std::string::npos) << r.message;
	const std::vector<int64_t> negative{-1}, huge{int64_t{1} << 40, int64_t{1} << 40};
	a = upload(pair, abi::element::f32, negative);
	EXPECT_EQ(call(slot::Client_BufferFromHostBuffer, a).code, abi::code::invalid_argument);
	a = upload(pair, abi::element::f32, huge);
	EXPECT_EQ(call(slot::Client_BufferFromHostBuffer, a).code, abi::code::invalid_argument);
}

TEST_F(Transfer, CopiesBetweenDevices)
{
	buffer *b = put({1, 2, 3});
	abi::Buffer_CopyToDevice_Args a{};
	a.buffer = b;
	a.dst_device = devices[1];
	must(slot::Buffer_CopyToDevice, a);
	drop(b);
	EXPECT_EQ(get(a.dst_buffer), (std::vector<float>{1, 2, 3}));
	EXPECT_EQ(a.dst_buffer->on, devices[1]);
	drop(a.dst_buffer);
}

TEST_F(Transfer, RawBytesWithinTheArray)
{
	buffer *b = put({1, 2, 3});
	float out = 0;
	abi::Buffer_CopyRawToHost_Args a{};
	a.buffer = b;
	a.dst = &out;
	a.offset = 8;
	a.transfer_size = 4;
	must(slot::Buffer_CopyRawToHost, a);
	EXPECT_TRUE(wait(a.event));
	EXPECT_EQ(out, 3);
	a.transfer_size = 5;
	EXPECT_EQ(call(slot::Buffer_CopyRawToHost, a).message, "bytes 8 to 13 of f32[3], which has 12");
	drop(b);
}

TEST_F(Transfer, PastTheLimitIsResourceExhausted)
{
	setenv("LOOM_MEMORY_LIMIT", "1000", 1);
	abi::Client_Create_Args create{};
	must(slot::Client_Create, create);
	unsetenv("LOOM_MEMORY_LIMIT");
	const std::vector<float> values(200);
	const std::vector<int64_t> dims{200};
	auto a = upload(values.data(), abi::element::f32, dims);
	a.device = create.client->devices[0];
	must(slot::Client_BufferFromHostBuffer, a);
	EXPECT_TRUE(wait(a.done_with_host_buffer));
	buffer *first = a.buffer;
	const result r = call(slot::Client_BufferFromHostBuffer, a);
	EXPECT_EQ(r.code, abi::code::resource_exhausted);
	EXPECT_NE(r.message.find("800 bytes asked for, 800 of 1000 in use"), std::string::npos) << r.message;
	drop(first);
	abi::Client_Destroy_Args d{};
	d.client = create.client;
	must(slot::Client_Destroy, d);
}

TEST_F(Transfer, AnErrorBufferCarriesItsError)
{
	abi::Client_CreateErrorBuffer_Args a{};
	a.client = of;
	a.error_code = abi::code::aborted;
	a.error_message = "never came";
	a.error_message_size = 10;
	a.shape_element_type = abi::element::f32;
	a.memory = &devices[0]->space;
	must(slot::Client_CreateErrorBuffer, a);
	EXPECT_EQ(wait(a.buffer).message, "never came");
	std::vector<float> values;
	EXPECT_EQ(try_get(a.buffer, values).code, abi::code::aborted);
	abi::Buffer_CopyToDevice_Args copy{};
	copy.buffer = a.buffer;
	copy.dst_device = devices[1];
	must(slot::Buffer_CopyToDevice, copy);
	EXPECT_EQ(wait(copy.dst_buffer).code, abi::code::aborted);
	drop(copy.dst_buffer);
	drop(a.buffer);
}

} // namespace loom::pjrt::test
