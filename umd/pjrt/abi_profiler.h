// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The profiler extension's layouts. See abi.h. jaxlib leaves struct_size of the arguments unset, so nobody reads it,
// and it compares the table's with its own for equality.
#pragma once

#include "abi.h"

namespace loom::pjrt {

class profiler;

namespace abi {

struct Profiler_Error_Destroy_Args {
	size_t struct_size;
	void *priv;
	error_status *error;
};
struct Profiler_Error_Message_Args {
	size_t struct_size;
	void *priv;
	const error_status *error;
	const char *message;
	size_t message_size;
};
struct Profiler_Error_GetCode_Args {
	size_t struct_size;
	void *priv;
	const error_status *error;
	abi::code code;
};
struct Profiler_Create_Args {
	size_t struct_size;
	const char *options;
	size_t options_size;
	pjrt::profiler *profiler;
};
struct Profiler_Destroy_Args {
	size_t struct_size;
	pjrt::profiler *profiler;
};
struct Profiler_Start_Args {
	size_t struct_size;
	pjrt::profiler *profiler;
};
struct Profiler_Stop_Args {
	size_t struct_size;
	pjrt::profiler *profiler;
};
// Without a buffer: fills in the profiler's own, and its size. With one: fills it.
struct Profiler_CollectData_Args {
	size_t struct_size;
	pjrt::profiler *profiler;
	uint8_t *buffer;
	size_t buffer_size_in_bytes;
};

struct profiler_table {
	size_t struct_size;
	void *priv;
	void (*error_destroy)(Profiler_Error_Destroy_Args *args);
	void (*error_message)(Profiler_Error_Message_Args *args);
	error_status *(*error_get_code)(Profiler_Error_GetCode_Args *args);
	error_status *(*create)(Profiler_Create_Args *args);
	error_status *(*destroy)(Profiler_Destroy_Args *args);
	error_status *(*start)(Profiler_Start_Args *args);
	error_status *(*stop)(Profiler_Stop_Args *args);
	error_status *(*collect_data)(Profiler_CollectData_Args *args);
};

// In the table of entries: profiler_api. In the arguments of a call: the host's event that the call belongs to.
struct profiler_extension {
	abi::extension base;
	const profiler_table *profiler_api;
	int64_t traceme_context_id;
};

} // namespace abi
} // namespace loom::pjrt
