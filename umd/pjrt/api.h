// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The table of entries: each object fills in its own; what none does answers UNIMPLEMENTED with its name.
#pragma once

#include "abi_objects.h"
#include "error.h"

namespace loom::pjrt {

enum class slot : size_t {
#define SLOT(name) name,
	LOOM_PJRT_SLOTS(SLOT)
#undef SLOT
		count
};

const char *slot_name(slot which);

using entry = error_status *(*)(void *);

template <class F> struct args_of;
template <class A> struct args_of<void (*)(A &)> {
	using type = A;
};

// Up to and without the field: what a caller of that size knows.
#define LOOM_PJRT_HAS(args, field)                                                                                     \
	((args).struct_size >= static_cast<size_t>(reinterpret_cast<const char *>(&(args).field) -                     \
						   reinterpret_cast<const char *>(&(args))) +                          \
				       sizeof((args).field))

class api_table {
public:
	api_table();

	void set_raw(slot which, entry function) { raw.entries[static_cast<size_t>(which)] = function; }
	// F is void (Args &) and throws.
	template <auto F> void set(slot which) { set_raw(which, call<F>); }

	struct layout {
		LOOM_PJRT_HEAD;
		struct {
			LOOM_PJRT_HEAD;
			int major, minor;
		} version;
		entry entries[static_cast<size_t>(slot::count)];
	} raw;

private:
	template <auto F> static error_status *call(void *args) noexcept
	{
		try {
			F(*static_cast<typename args_of<decltype(F)>::type *>(args));
			return nullptr;
		} catch (...) {
			return current_error();
		}
	}
};

void bind_plugin(api_table &table);
void bind_event(api_table &table);
void bind_client(api_table &table);
void bind_device(api_table &table);
void bind_memory(api_table &table);
void bind_buffer(api_table &table);
void bind_transfer(api_table &table);
void bind_executable(api_table &table);
void bind_loaded_executable(api_table &table);
void bind_topology(api_table &table);

} // namespace loom::pjrt
