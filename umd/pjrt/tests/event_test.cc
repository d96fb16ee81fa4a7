// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <thread>

#include "event.h"
#include "harness.h"

namespace loom::pjrt::test {

static event *make()
{
	abi::Event_Create_Args a{};
	return must(slot::Event_Create, a).event;
}

static result set(event *of, abi::code code, const std::string &text)
{
	abi::Event_Set_Args a{};
	a.event = of;
	a.error_code = code;
	a.error_message = text.data();
	a.error_message_size = text.size();
	return call(slot::Event_Set, a);
}

TEST(Event, IsReadyOnceSet)
{
	event *e = make();
	EXPECT_FALSE(ready(e));
	EXPECT_TRUE(set(e, abi::code::ok, ""));
	EXPECT_TRUE(ready(e));
	EXPECT_EQ(set(e, abi::code::ok, "").code, abi::code::failed_precondition);
	EXPECT_TRUE(wait(e));
}

TEST(Event, GivesItsErrorToEverybody)
{
	event *e = make();
	abi::Event_Error_Args early{};
	early.event = e;
	EXPECT_EQ(call(slot::Event_Error, early).code, abi::code::failed_precondition);
	EXPECT_TRUE(set(e, abi::code::data_loss, "gone"));
	for (int i = 0; i < 2; i++) {
		abi::Event_Error_Args a{};
		a.event = e;
		const result r = call(slot::Event_Error, a);
		EXPECT_EQ(r.code, abi::code::data_loss);
		EXPECT_EQ(r.message, "gone");
	}
	EXPECT_EQ(wait(e).code, abi::code::data_loss);
}

// A callback may do what takes the event's lock: it runs without one.
TEST(Event, CallbacksRunWithoutALock)
{
	event *e = make();
	struct seen {
		event *of;
		int calls = 0;
	} s{e};
	auto callback = [](error_status *error, void *user) {
		auto &s = *static_cast<seen *>(user);
		EXPECT_EQ(take(error).message, "why");
		EXPECT_TRUE(ready(s.of));
		if (++s.calls > 2)
			return;
		abi::Event_OnReady_Args again{};
		again.event = s.of;
		again.user_arg = user;
		again.callback = [](error_status *error, void *user) {
			take(error);
			static_cast<seen *>(user)->calls += 10;
		};
		must(slot::Event_OnReady, again);
	};
	abi::Event_OnReady_Args a{};
	a.event = e;
	a.callback = callback;
	a.user_arg = &s;
	must(slot::Event_OnReady, a);
	EXPECT_EQ(s.calls, 0);
	EXPECT_TRUE(set(e, abi::code::internal, "why"));
	EXPECT_EQ(s.calls, 11);
	EXPECT_FALSE(wait(e));
}

TEST(Event, WakesWhoWaits)
{
	event *e = make();
	std::thread waiter([&] { EXPECT_EQ(wait(new event(e->of)).code, abi::code::aborted); });
	EXPECT_TRUE(set(e, abi::code::aborted, "stop"));
	waiter.join();
	wait(e);
}

} // namespace loom::pjrt::test
