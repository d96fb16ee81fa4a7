// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "profiler.h"

#include <chrono>
#include <cstring>

#include <protozero/pbf_message.hpp>

#include "abi_profiler.h"
#include "error.h"
#include "queue.h"
#include "xspace.h"

namespace loom::pjrt {
namespace {

enum class ProfileOptions : uint32_t { device_tracer_level = 3, version = 5 };

// Whoever sets no version sets no levels either.
bool wants_devices(std::string_view options)
{
	uint32_t version = 0, level = 0;
	try {
		protozero::pbf_message<ProfileOptions> message(options.data(), options.size());
		while (message.next())
			switch (message.tag()) {
			case ProfileOptions::device_tracer_level:
				level = message.get_uint32();
				break;
			case ProfileOptions::version:
				version = message.get_uint32();
				break;
			default:
				message.skip();
			}
	} catch (const protozero::exception &e) {
		throw invalid("{} bytes that are no serialised ProfileOptions: {}", options.size(), e.what());
	}
	return !version || level;
}

failure wrong_state(const char *what)
{
	return {abi::code::failed_precondition, what};
}

profiler &of(profiler *handle)
{
	if (!handle)
		throw invalid("no profiler; create one first");
	return *handle;
}

void create(abi::Profiler_Create_Args &a)
{
	a.profiler = new profiler({a.options, a.options_size});
}

void destroy(abi::Profiler_Destroy_Args &a)
{
	delete a.profiler;
}

void start(abi::Profiler_Start_Args &a)
{
	of(a.profiler).start();
}

void stop(abi::Profiler_Stop_Args &a)
{
	of(a.profiler).stop();
}

void collect_data(abi::Profiler_CollectData_Args &a)
{
	const std::string &bytes = of(a.profiler).collect();
	// jaxlib reads what the first call leaves here; others come again with memory of their own.
	if (a.buffer)
		std::memcpy(a.buffer, bytes.data(), bytes.size());
	else
		a.buffer = reinterpret_cast<uint8_t *>(const_cast<char *>(bytes.data()));
	a.buffer_size_in_bytes = bytes.size();
}

template <auto F, class A> error_status *call(A *args) noexcept
{
	try {
		F(*args);
		return nullptr;
	} catch (...) {
		return current_error();
	}
}

void error_destroy(abi::Profiler_Error_Destroy_Args *a)
{
	delete a->error;
}

void error_message(abi::Profiler_Error_Message_Args *a)
{
	a->message = a->error->message.data();
	a->message_size = a->error->message.size();
}

error_status *error_get_code(abi::Profiler_Error_GetCode_Args *a)
{
	a->code = a->error->code;
	return nullptr;
}

constexpr abi::profiler_table functions = {
	sizeof(abi::profiler_table),
	nullptr,
	error_destroy,
	error_message,
	error_get_code,
	call<&create, abi::Profiler_Create_Args>,
	call<&destroy, abi::Profiler_Destroy_Args>,
	call<&start, abi::Profiler_Start_Args>,
	call<&stop, abi::Profiler_Stop_Args>,
	call<&collect_data, abi::Profiler_CollectData_Args>,
};

} // namespace

profiler::profiler(std::string_view options) : wanted(wants_devices(options)) {}

// In a forked child the locks may be held by threads that are not there.
profiler::~profiler()
{
	if (now == state::running && recorded && !is_forked_child())
		trace::stop(*recorded);
}

void profiler::start()
{
	refuse_forked_child();
	std::lock_guard lock(mutex);
	if (now == state::running)
		throw wrong_state("this profiler has been started already; stop it first");
	const auto time = std::chrono::system_clock::now().time_since_epoch();
	auto fresh = wanted ? std::make_shared<trace>() : nullptr;
	if (fresh)
		trace::start(fresh);
	recorded = std::move(fresh);
	start_ns = std::chrono::duration_cast<std::chrono::nanoseconds>(time).count();
	bytes.clear();
	now = state::running;
}

void profiler::stop()
{
	refuse_forked_child();
	std::lock_guard lock(mutex);
	if (now != state::running)
		throw wrong_state("this profiler is not running; start it first");
	if (recorded)
		trace::stop(*recorded);
	now = state::stopped;
}

const std::string &profiler::collect()
{
	refuse_forked_child();
	std::lock_guard lock(mutex);
	if (now != state::stopped)
		throw wrong_state(now == state::running ? "this profiler is running; stop it before collecting its data"
							: "this profiler has no data; start and stop it first");
	if (recorded) {
		bytes = encode_xspace(recorded->devices(), start_ns);
		recorded = nullptr;
	}
	return bytes;
}

abi::extension *profiler_extension()
{
	static abi::profiler_extension one = {{sizeof(one), abi::extension_profiler, nullptr}, &functions, -1};
	return &one.base;
}

} // namespace loom::pjrt
