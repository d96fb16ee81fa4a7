// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "queue.h"

#include <atomic>
#include <future>

#include <sys/wait.h>
#include <unistd.h>

#include "harness.h"

namespace loom::pjrt::test {

TEST(Queue, KeepsTheOrder)
{
	queue q;
	std::vector<int> seen;
	for (int i = 0; i < 100; i++)
		q.submit([&, i](const outcome &) { seen.push_back(i); });
	q.stop();
	ASSERT_LE(seen.size(), 100u);
	for (size_t i = 0; i < seen.size(); i++)
		EXPECT_EQ(seen[i], static_cast<int>(i));
}

TEST(Queue, RunsHereOnlyWhenIdle)
{
	queue q;
	const auto here = std::this_thread::get_id();
	bool ran = false;
	EXPECT_TRUE(q.run_here([&](const outcome &) { ran = std::this_thread::get_id() == here; }));
	EXPECT_TRUE(ran);
	std::promise<void> go, begun;
	q.submit([&](const outcome &) {
		begun.set_value();
		go.get_future().wait();
	});
	begun.get_future().wait();
	EXPECT_FALSE(q.run_here([](const outcome &) { FAIL(); }));
	go.set_value();
	q.stop();
}

TEST(Queue, StopCancelsWhatHasNotBegun)
{
	queue q;
	std::promise<void> go, begun;
	std::atomic<int> cancelled{0};
	q.submit([&](const outcome &) {
		begun.set_value();
		go.get_future().wait();
	});
	begun.get_future().wait();
	for (int i = 0; i < 3; i++)
		q.submit([&](const outcome &why) { cancelled += why && why->code == abi::code::cancelled; });
	std::thread stopper([&] { q.stop(); });
	// Late work is cancelled, early work waits until stop() has been seen: both end as cancelled.
	std::this_thread::sleep_for(std::chrono::milliseconds(50));
	go.set_value();
	stopper.join();
	EXPECT_EQ(cancelled, 3);
	q.submit([&](const outcome &why) { cancelled += why != nullptr; });
	EXPECT_EQ(cancelled, 4);
}

TEST(Queue, AForkedChildIsToldSo)
{
	queue q;
	std::promise<void> ran;
	q.submit([&](const outcome &) { ran.set_value(); });
	ran.get_future().wait();
	const pid_t child = fork();
	if (!child) {
		int code = 1;
		try {
			q.submit([](const outcome &) {});
		} catch (const failure &f) {
			code = f.code == abi::code::failed_precondition ? 0 : 2;
		}
		q.stop(); // does not wait for a thread that is not there
		_exit(code);
	}
	int status = -1;
	ASSERT_EQ(waitpid(child, &status, 0), child);
	EXPECT_EQ(status, 0);
}

} // namespace loom::pjrt::test
