// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Four threads do whatever they like to the same arrays. Each step may fail, for somebody was faster; none may crash,
// and what can be read is a value that some order of the steps explains.
#include <array>
#include <cmath>
#include <mutex>
#include <random>
#include <thread>

#include "buffer.h"
#include "client.h"
#include "harness.h"

namespace loom::pjrt::test {

class Stress : public plugin {
protected:
	Stress() : plugin(2) {}
};

namespace {

// A pool of arrays that threads share; whoever takes one out is alone with its handle.
class pool {
public:
	void put(buffer *b)
	{
		std::lock_guard lock(mutex);
		all.push_back(b);
	}
	buffer *take(std::mt19937 &random)
	{
		std::lock_guard lock(mutex);
		if (all.empty())
			return nullptr;
		std::swap(all[random() % all.size()], all.back());
		buffer *b = all.back();
		all.pop_back();
		return b;
	}

private:
	std::mutex mutex;
	std::vector<buffer *> all;
};

bool explained(const std::vector<float> &values)
{
	for (const float v : values)
		if (v != values[0] || v != std::floor(v))
			return false;
	return values.size() == 4;
}

} // namespace

TEST_F(Stress, InterleavingsAreClean)
{
	loaded_executable *add = compile("add_one"), *update = compile("update"), *same = compile("same");
	pool arrays;
	buffer *one = put({1, 1, 1, 1});
	const auto body = [&](unsigned seed) {
		std::mt19937 random(seed);
		for (int i = 0; i < 1000; i++) {
			buffer *b = arrays.take(random);
			if (!b) {
				arrays.put(put({3, 3, 3, 3}));
				continue;
			}
			std::vector<buffer *> results;
			std::vector<float> values;
			switch (random() % 7) {
			case 0:
				remove(b);
				break;
			case 1:
				try_run(add, {b}, results);
				break;
			case 2:
				if (try_run(update, {b, one}, results)) {
					EXPECT_TRUE(deleted(b));
				}
				break;
			case 3:
				try_run(same, {b}, results);
				break;
			case 4: {
				abi::Buffer_CopyToDevice_Args a{};
				a.buffer = b;
				a.dst_device = devices[1];
				if (call(slot::Buffer_CopyToDevice, a)) {
					EXPECT_TRUE(wait(a.dst_buffer));
					drop(a.dst_buffer);
				}
				break;
			}
			default:
				if (try_get(b, values)) {
					EXPECT_TRUE(explained(values));
				}
			}
			for (size_t r = 0; r < results.size(); r++)
				if (results[r] && r == 0)
					arrays.put(results[r]);
				else if (results[r])
					drop(results[r]);
			if (deleted(b))
				drop(b);
			else
				arrays.put(b);
		}
	};
	std::vector<std::thread> threads;
	for (unsigned t = 0; t < 4; t++)
		threads.emplace_back(body, 17 + t);
	for (std::thread &t : threads)
		t.join();
	std::mt19937 random(1);
	while (buffer *b = arrays.take(random)) {
		std::vector<float> values;
		EXPECT_TRUE(try_get(b, values));
		EXPECT_TRUE(explained(values));
		drop(b);
	}
	drop(one);
	for (loaded_executable *f : {add, update, same})
		drop(f);
	EXPECT_EQ(devices[0]->account->in_use, 0u);
	EXPECT_EQ(devices[1]->account->in_use, 0u);
}

TEST_F(Stress, TenThousandCallsKeepNothing)
{
	loaded_executable *update = compile("update");
	buffer *w = put({0, 0, 0, 0}), *g = put({-1, -1, -1, -1});
	for (int i = 0; i < 10000; i++) {
		const auto y = run(update, {w, g});
		drop(w);
		drop(y[1]);
		w = y[0];
	}
	EXPECT_EQ(get(w), (std::vector<float>{10000, 10000, 10000, 10000}));
	EXPECT_EQ(devices[0]->account->in_use, 32u);
	drop(w);
	drop(g);
	drop(update);
}

// The client goes while a device works: what has not begun is cancelled, nobody hangs.
TEST_F(Stress, TheClientGoesWithWorkInFlight)
{
	abi::Client_Create_Args create{};
	must(slot::Client_Create, create);
	client *own = of;
	of = create.client;
	loaded_executable *slow = compile("slow");
	buffer *x = put(std::vector<float>(128, 0.5f), {}, of->devices[0]);
	std::vector<buffer *> results;
	for (int i = 0; i < 20; i++)
		results.push_back(run(slow, {x})[0]);
	drop(slow);
	abi::Client_Destroy_Args d{};
	d.client = of;
	must(slot::Client_Destroy, d);
	of = own;
	EXPECT_EQ(wait(results.back()).code, abi::code::cancelled);
	for (buffer *b : results)
		drop(b);
	drop(x);
}

} // namespace loom::pjrt::test
