// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <cmath>
#include <cstdlib>

#include "buffer.h"
#include "client.h"
#include "counters.h"
#include "harness.h"
#include "loaded_executable.h"

namespace loom::pjrt::test {

using floats = std::vector<float>;

class Execute : public plugin {
protected:
	Execute() : plugin(2) {}
	~Execute() override
	{
		for (buffer *b : mine)
			drop(b);
	}
	buffer *in(const floats &values, std::vector<int64_t> dims = {}, device *to = nullptr)
	{
		return mine.emplace_back(put(values, std::move(dims), to));
	}
	std::vector<buffer *> out(loaded_executable *what, const std::vector<buffer *> &arguments)
	{
		std::vector<buffer *> results = run(what, arguments);
		mine.insert(mine.end(), results.begin(), results.end());
		return results;
	}
	std::vector<buffer *> mine;
};

TEST_F(Execute, RunsAProgram)
{
	loaded_executable *f = compile("add_one");
	buffer *x = in({1, 2, 3, 4});
	const auto y = out(f, {x});
	EXPECT_EQ(get(y[0]), (floats{2, 3, 4, 5}));
	EXPECT_EQ(get(out(f, y)[0]), (floats{3, 4, 5, 6}));
	EXPECT_EQ(get(x), (floats{1, 2, 3, 4}));
	drop(f);
}

// 20,000 rounds are no work for the caller: it has its results, not yet ready, at once; what it asks then comes after.
TEST_F(Execute, ReturnsBeforeTheWork)
{
	loaded_executable *f = compile("slow");
	buffer *x = in(floats(128, 0.5f));
	event *done = nullptr;
	std::vector<buffer *> y;
	EXPECT_TRUE(try_run(f, {x}, y, {}, &done));
	EXPECT_FALSE(ready(done));
	drop(x); // in flight: its memory stays until then
	mine.pop_back();
	drop(f);
	const auto values = get(y[0]);
	EXPECT_TRUE(ready(done));
	EXPECT_TRUE(wait(done));
	EXPECT_NEAR(values[0], std::tanh(values[0]) + 0.5f, 1e-5f); // the fixed point
	drop(y[0]);
}

TEST_F(Execute, ResultsThatAreArgumentsShareThem)
{
	loaded_executable *f = compile("twice");
	buffer *x = in({1, 2, 3, 4});
	const auto y = out(f, {x});
	ASSERT_EQ(y.size(), 3u);
	EXPECT_EQ(y[0]->memory(), x->memory());
	EXPECT_EQ(y[1]->memory(), y[2]->memory());
	EXPECT_EQ(get(y[0]), (floats{1, 2, 3, 4}));
	EXPECT_EQ(get(y[2]), (floats{2, 3, 4, 5}));
	remove(x);
	EXPECT_EQ(get(y[0]), (floats{1, 2, 3, 4}));
	drop(f);
}

TEST_F(Execute, NothingToRunIsNoRun)
{
	loaded_executable *f = compile("same");
	EXPECT_TRUE(f->program->code.empty());
	buffer *x = in({1, 2, 3, 4});
	const uint64_t before = count().executions;
	EXPECT_EQ(out(f, {x})[0]->memory(), x->memory());
	EXPECT_EQ(count().executions, before);
	drop(f);
}

TEST_F(Execute, ADonatedArgumentBecomesItsResult)
{
	loaded_executable *f = compile("update");
	buffer *w = in({1, 2, 3, 4}), *g = in({1, 1, 1, 1});
	const uint8_t *place = w->memory()->data();
	const uint64_t before = devices[0]->account->in_use;
	const auto y = out(f, {w, g});
	EXPECT_TRUE(deleted(w));
	EXPECT_FALSE(deleted(g));
	EXPECT_EQ(y[0]->memory()->data(), place);
	EXPECT_EQ(get(y[0]), (floats{0, 1, 2, 3}));
	EXPECT_EQ(get(y[1]), (floats{10}));
	EXPECT_EQ(devices[0]->account->in_use, before + 4);
	std::vector<buffer *> none;
	const result r = try_run(f, {w, g}, none);
	EXPECT_EQ(r.code, abi::code::invalid_argument);
	EXPECT_NE(r.message.find("argument 0 (weights): the array f32[4] has been deleted or donated"),
		  std::string::npos)
		<< r.message;
	drop(f);
}

TEST_F(Execute, KeepsWhatMayNotBeDonated)
{
	loaded_executable *f = compile("update");
	buffer *w = in({1, 2, 3, 4}), *g = in({1, 1, 1, 1});
	std::vector<buffer *> y;
	EXPECT_TRUE(try_run(f, {w, g}, y, {0}));
	mine.insert(mine.end(), y.begin(), y.end());
	EXPECT_FALSE(deleted(w));
	EXPECT_EQ(get(w), (floats{1, 2, 3, 4}));
	EXPECT_EQ(get(y[0]), (floats{0, 1, 2, 3}));
	drop(f);
}

// Another array has the same memory, or somebody its address: donation may not write there.
TEST_F(Execute, DonationLeavesOthersAlone)
{
	loaded_executable *f = compile("update"), *same = compile("same");
	buffer *w = in({1, 2, 3, 4}), *g = in({1, 1, 1, 1});
	buffer *other = out(same, {w})[0];
	EXPECT_EQ(get(out(f, {w, g})[0]), (floats{0, 1, 2, 3}));
	EXPECT_TRUE(deleted(w));
	EXPECT_EQ(get(other), (floats{1, 2, 3, 4}));
	other->hold();
	const float *seen = reinterpret_cast<const float *>(other->memory()->data());
	const storage_ptr kept = other->memory();
	EXPECT_EQ(get(out(f, {other, g})[0]), (floats{0, 1, 2, 3}));
	EXPECT_EQ(seen[3], 4);
	drop(f);
	drop(same);
}

// Arrays that share their memory, donated together: one result stays there.
TEST_F(Execute, DonatedTogetherOneTakesTheMemory)
{
	loaded_executable *two = compile("twice"), *f = compile("update_both");
	buffer *x = in({1, 2, 3, 4});
	const auto y = out(two, {x});
	ASSERT_EQ(y[1]->memory(), y[2]->memory());
	const uint8_t *place = y[1]->memory()->data();
	out(f, {in({0, 0, 0, 0}), in({0, 0, 0, 0})}); // the program has its scratch
	const uint64_t before = devices[0]->account->in_use;
	const auto z = out(f, {y[1], y[2]});
	EXPECT_TRUE(z[0]->memory()->data() == place || z[1]->memory()->data() == place);
	EXPECT_NE(z[0]->memory(), z[1]->memory());
	EXPECT_EQ(devices[0]->account->in_use, before + 16);
	EXPECT_EQ(get(z[0]), (floats{3, 4, 5, 6}));
	EXPECT_EQ(get(z[1]), (floats{0, 0, 0, 0}));

	const auto again = out(two, {x});
	std::vector<buffer *> kept;
	EXPECT_TRUE(try_run(f, {again[1], again[2]}, kept, {1}));
	mine.insert(mine.end(), kept.begin(), kept.end());
	EXPECT_EQ(get(again[2]), (floats{2, 3, 4, 5})); // not donated, so not overwritten
	EXPECT_EQ(get(kept[0]), (floats{3, 4, 5, 6}));
	drop(f);
	drop(two);
}

TEST_F(Execute, DonatedAndNotIsRefused)
{
	loaded_executable *f = compile("update");
	buffer *w = in({1, 2, 3, 4});
	std::vector<buffer *> none;
	const result r = try_run(f, {w, w}, none);
	EXPECT_EQ(r.code, abi::code::invalid_argument);
	EXPECT_NE(r.message.find("donated as argument 0 (weights) and is argument 1 (gradient) as well"),
		  std::string::npos)
		<< r.message;
	EXPECT_FALSE(deleted(w));
	EXPECT_EQ(get(w), (floats{1, 2, 3, 4}));
	drop(f);
}

TEST_F(Execute, ArgumentsMustFit)
{
	loaded_executable *f = compile("update");
	buffer *w = in({1, 2, 3, 4}), *wrong = in({1, 2}), *far = in({1, 2, 3, 4}, {}, devices[1]);
	std::vector<buffer *> none;
	EXPECT_NE(try_run(f, {w}, none).message.find("1 arguments, it takes 2"), std::string::npos);
	result r = try_run(f, {w, wrong}, none);
	EXPECT_NE(r.message.find("argument 1 (gradient) is f32[2], it must be f32[4]"), std::string::npos) << r.message;
	EXPECT_FALSE(deleted(w)); // given back
	EXPECT_EQ(get(w), (floats{1, 2, 3, 4}));
	r = try_run(f, {w, far}, none);
	EXPECT_NE(r.message.find("is on LoomDevice(id=1"), std::string::npos) << r.message;
	drop(f);
}

TEST_F(Execute, RunsOnTheDeviceItIsAssigned)
{
	// xla.CompileOptionsProto { executable_build_options { device_assignment { ... 1 } } }
	const std::string assigned = device_assignment(1);
	const std::string build = std::string("\x4a") + static_cast<char>(assigned.size()) + assigned;
	const std::string options = std::string("\x1a") + static_cast<char>(build.size()) + build;
	loaded_executable *f = nullptr;
	ASSERT_TRUE(try_compile(fixture("add_one"), f, options));
	EXPECT_EQ(f->devices, std::vector<device *>{devices[1]});
	buffer *x = in({1, 2, 3, 4}, {}, devices[1]);
	EXPECT_EQ(get(out(f, {x})[0]), (floats{2, 3, 4, 5}));
	drop(f);
}

TEST_F(Execute, ADeletedExecutableDoesNotRun)
{
	loaded_executable *f = compile("add_one");
	abi::LoadedExecutable_Delete_Args a{};
	a.executable = f;
	must(slot::LoadedExecutable_Delete, a);
	abi::LoadedExecutable_IsDeleted_Args is{};
	is.executable = f;
	EXPECT_TRUE(must(slot::LoadedExecutable_IsDeleted, is).is_deleted);
	std::vector<buffer *> none;
	EXPECT_EQ(try_run(f, {in({1, 2, 3, 4})}, none).code, abi::code::failed_precondition);
	drop(f);
}

TEST_F(Execute, WithoutMemoryNothingHasChanged)
{
	setenv("LOOM_MEMORY_LIMIT", "36", 1);
	abi::Client_Create_Args create{};
	must(slot::Client_Create, create);
	unsetenv("LOOM_MEMORY_LIMIT");
	client *own = of;
	of = create.client;
	loaded_executable *f = compile("update");
	buffer *w = put({1, 2, 3, 4}, {}, of->devices[0]), *g = put({1, 1, 1, 1}, {}, of->devices[0]);
	buffer *rest = put({1}, {}, of->devices[0]);
	std::vector<buffer *> none;
	const result r = try_run(f, {w, g}, none);
	EXPECT_EQ(r.code, abi::code::resource_exhausted) << r.message;
	EXPECT_FALSE(deleted(w));
	EXPECT_EQ(get(w), (floats{1, 2, 3, 4}));
	drop(rest);
	const auto y = run(f, {w, g});
	EXPECT_EQ(get(y[0]), (floats{0, 1, 2, 3}));
	for (buffer *b : {w, g, y[0], y[1]})
		drop(b);
	drop(f);
	abi::Client_Destroy_Args d{};
	d.client = of;
	must(slot::Client_Destroy, d);
	of = own;
}

} // namespace loom::pjrt::test
