// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "options.h"

#include "harness.h"

namespace loom::pjrt::test {

TEST(CompileOptions, ReadsWhatMatters)
{
	// executable_build_options { device_ordinal: 3, num_replicas: 1, num_partitions: 2 }, and a field to skip.
	const std::string proto("\x1a\x06\x08\x03\x20\x01\x28\x02\x2a\x03xyz", 13);
	const compile_options o = compile_options::read(proto);
	EXPECT_EQ(o.devices, std::vector<int64_t>{3});
	EXPECT_EQ(o.replicas, 1);
	EXPECT_EQ(o.partitions, 2);
	EXPECT_FALSE(o.portable);
}

TEST(CompileOptions, APortableProgramHasNoDevice)
{
	const std::string proto("\x1a\x02\x08\x01\x20\x01", 6);
	const compile_options o = compile_options::read(proto);
	EXPECT_TRUE(o.portable);
	EXPECT_TRUE(o.devices.empty());
}

TEST(CompileOptions, DamagedBytesAreAnError)
{
	for (const std::string &bad : {std::string("\x1a\x20", 2), std::string("\x80", 1), std::string("\x0f", 1),
				       std::string("\x1a\x02\x4a\x09", 4)})
		EXPECT_THROW(compile_options::read(bad), failure);
}

TEST(CompileOptions, AnAssignmentReadsBack)
{
	for (const int64_t id : {0, 1, 127, 300}) {
		const std::string assignment = device_assignment(id);
		const std::string build = std::string("\x4a") + static_cast<char>(assignment.size()) + assignment;
		const std::string proto = std::string("\x1a") + static_cast<char>(build.size()) + build;
		EXPECT_EQ(compile_options::read(proto).devices, std::vector<int64_t>{id});
	}
}

} // namespace loom::pjrt::test
