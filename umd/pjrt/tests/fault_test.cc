// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A device that fails: what the results say, and that the next run is well.
#include <cstdlib>

#include "buffer.h"
#include "client.h"
#include "harness.h"

namespace loom::pjrt::test {

class Fault : public ::testing::Test {};

namespace {
class failing : public plugin {
public:
	void TestBody() override {}
	using plugin::compile;
	using plugin::drop;
	using plugin::of;
	using plugin::run;
	using plugin::try_get;
	using plugin::try_run;

	buffer *doubles(size_t n)
	{
		const std::vector<double> values(n, 1.5);
		const int64_t dims[] = {static_cast<int64_t>(n)};
		abi::Client_BufferFromHostBuffer_Args a{};
		a.client = of;
		a.data = values.data();
		a.type = abi::element::f64;
		a.dims = dims;
		a.num_dims = 1;
		must(slot::Client_BufferFromHostBuffer, a);
		EXPECT_TRUE(wait(a.done_with_host_buffer));
		return a.buffer;
	}
};
} // namespace

TEST_F(Fault, PoisonsResultsAndWhatIsMadeOfThem)
{
	setenv("LOOM_CPU_FAIL", "0.0", 1);
	failing p;
	unsetenv("LOOM_CPU_FAIL");
	loaded_executable *f = p.compile("sort_wide");
	buffer *x = p.doubles(64);
	buffer *y = p.run(f, {x})[0];
	const result r = wait(y);
	EXPECT_EQ(r.code, abi::code::internal);
	EXPECT_NE(r.message.find("jit_sort_wide"), std::string::npos) << r.message;
	EXPECT_NE(r.message.find("make.py"), std::string::npos) << r.message;
	EXPECT_NE(r.message.find("sort"), std::string::npos) << r.message;
	buffer *z = p.run(f, {y})[0];
	EXPECT_EQ(wait(z).message, r.message);
	std::vector<float> values;
	EXPECT_EQ(p.try_get(z, values).message, r.message);
	buffer *again = p.run(f, {x})[0];
	EXPECT_TRUE(wait(again));
	for (buffer *b : {x, y, z, again})
		p.drop(b);
	p.drop(f);
}

} // namespace loom::pjrt::test
