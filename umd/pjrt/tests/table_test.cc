// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "harness.h"

namespace loom::pjrt::test {

TEST(Table, HasItsSizeAndVersion)
{
	EXPECT_EQ(table().struct_size, 16 + 24 + 8 * 138u);
	EXPECT_EQ(table().version.struct_size, 24u);
	EXPECT_EQ(table().version.major, 0);
	EXPECT_EQ(table().version.minor, 112);
}

TEST(Table, WhatIsNotWrittenSaysSoByName)
{
	struct {
		LOOM_PJRT_HEAD;
		char room[64];
	} args{};
	const result r = call(slot::Client_DmaMap, args);
	EXPECT_EQ(r.code, abi::code::unimplemented);
	EXPECT_EQ(r.message, "PJRT_Client_DmaMap is not implemented by Loom");
}

TEST(Table, EverySlotHasAnEntry)
{
	for (const auto &e : table().entries)
		EXPECT_TRUE(e);
}

// Newer callers read errors through the table that each begins with.
TEST(Error, AnswersThroughItsOwnTable)
{
	auto *e = new error_status(abi::code::not_found, "nothing there");
	const char *text = nullptr;
	size_t size = 0;
	e->table->message(e, &text, &size);
	EXPECT_EQ(std::string(text, size), "nothing there");
	EXPECT_EQ(e->table->get_code(e), abi::code::not_found);
	e->table->for_each_payload(e, nullptr, nullptr);
	e->table->destroy(e);
}

TEST(Plugin, SaysWhichStableHLOItReads)
{
	abi::Plugin_Attributes_Args a{};
	must(slot::Plugin_Attributes, a);
	ASSERT_GE(a.num_attributes, 2u);
	EXPECT_EQ(std::string(a.attributes[0].name, a.attributes[0].name_size), "stablehlo_current_version");
	EXPECT_EQ(a.attributes[0].value_size, 3u);
	EXPECT_EQ(a.attributes[0].int64_array_value[1], 17);
}

} // namespace loom::pjrt::test
