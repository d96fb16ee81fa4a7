// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "api.h"

#include "profiler.h"

#include <utility>

namespace loom::pjrt {
namespace {

const char *const names[] = {
#define NAME(name) #name,
	LOOM_PJRT_SLOTS(NAME)
#undef NAME
};

template <size_t I> error_status *unimplemented(void *)
{
	return new error_status(abi::code::unimplemented, fmt::format("PJRT_{} is not implemented by Loom", names[I]));
}

template <size_t... I> void fill(entry *entries, std::index_sequence<I...>)
{
	((entries[I] = unimplemented<I>), ...);
}

} // namespace

const char *slot_name(slot which)
{
	return names[static_cast<size_t>(which)];
}

api_table::api_table() : raw{}
{
	raw.struct_size = sizeof(raw);
	raw.extension_start = profiler_extension();
	raw.version.struct_size = sizeof(raw.version);
	raw.version.major = abi::api_major;
	raw.version.minor = abi::api_minor;
	fill(raw.entries, std::make_index_sequence<static_cast<size_t>(slot::count)>());
	bind_error(*this);
	bind_plugin(*this);
	bind_event(*this);
	bind_client(*this);
	bind_device(*this);
	bind_memory(*this);
	bind_buffer(*this);
	bind_transfer(*this);
	bind_executable(*this);
	bind_loaded_executable(*this);
	bind_topology(*this);
}

} // namespace loom::pjrt
