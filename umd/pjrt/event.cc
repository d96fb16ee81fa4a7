// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "event.h"

#include "api.h"

namespace loom::pjrt {

void promise::set(outcome how)
{
	std::vector<std::function<void(const outcome &)>> calls;
	{
		std::lock_guard lock(mutex);
		ended = std::move(how);
		calls.swap(callbacks);
		done.store(true, std::memory_order_release);
		cond.notify_all();
	}
	for (const auto &call : calls)
		call(ended);
}

const outcome &promise::wait() const
{
	if (!ready()) {
		std::unique_lock lock(mutex);
		cond.wait(lock, [&] { return done.load(std::memory_order_relaxed); });
	}
	return ended;
}

void promise::on_ready(std::function<void(const outcome &)> then)
{
	if (!ready()) {
		std::lock_guard lock(mutex);
		if (!done.load(std::memory_order_relaxed)) {
			callbacks.push_back(std::move(then));
			return;
		}
	}
	then(ended);
}

const promise_ptr &kept_promise()
{
	static const promise_ptr *const kept = [] {
		auto *made = new promise_ptr(std::make_shared<promise>());
		(*made)->set(nullptr);
		return made;
	}();
	return *kept;
}

namespace {

void destroy(abi::Event_Destroy_Args &a)
{
	delete a.event;
}

void is_ready(abi::Event_IsReady_Args &a)
{
	a.is_ready = a.event->of->ready();
}

// The two answer with the event's outcome, not with their own.
error_status *Event_Error(void *args)
{
	const promise &of = *static_cast<abi::Event_Error_Args *>(args)->event->of;
	if (!of.ready())
		return new error_status(abi::code::failed_precondition, "PJRT_Event_Error before the event is ready");
	return status_of(of.result());
}

error_status *Event_Await(void *args)
{
	return status_of(static_cast<abi::Event_Await_Args *>(args)->event->of->wait());
}

void on_ready(abi::Event_OnReady_Args &a)
{
	a.event->of->on_ready(
		[call = a.callback, user = a.user_arg](const outcome &how) { call(status_of(how), user); });
}

void create(abi::Event_Create_Args &a)
{
	a.event = new event(std::make_shared<promise>());
}

void set(abi::Event_Set_Args &a)
{
	promise &of = *a.event->of;
	if (of.ready())
		throw failure(abi::code::failed_precondition, "PJRT_Event_Set: the event is set already");
	of.set(a.error_code == abi::code::ok
		       ? nullptr
		       : make_outcome(a.error_code, std::string(a.error_message, a.error_message_size)));
}

} // namespace

void bind_event(api_table &table)
{
	table.set<&destroy>(slot::Event_Destroy);
	table.set<&is_ready>(slot::Event_IsReady);
	table.set_raw(slot::Event_Error, Event_Error);
	table.set_raw(slot::Event_Await, Event_Await);
	table.set<&on_ready>(slot::Event_OnReady);
	table.set<&create>(slot::Event_Create);
	table.set<&set>(slot::Event_Set);
}

} // namespace loom::pjrt
