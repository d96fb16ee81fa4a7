// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The part of the PJRT C interface that this plugin implements, declared after the interface's layouts: names,
// order, sizes and types are facts that both sides of the boundary share. tests/abi_check.cc compares them with a
// pjrt_c_api.h where there is one.
#pragma once

#include <cstddef>
#include <cstdint>

#include "slots.h"

namespace loom::pjrt {

class error_status;
class event;
class client;
class device;
class memory;
class executable;
class loaded_executable;
class buffer;
class topology;

namespace abi {

constexpr int api_major = 0;
constexpr int api_minor = 112;

struct extension {
	size_t struct_size;
	int type;
	extension *next;
};

constexpr int extension_profiler = 1;

// Every structure begins with these.
#define LOOM_PJRT_HEAD                                                                                                 \
	size_t struct_size;                                                                                            \
	abi::extension *extension_start

enum class code : int {
	ok = 0,
	cancelled = 1,
	unknown = 2,
	invalid_argument = 3,
	deadline_exceeded = 4,
	not_found = 5,
	already_exists = 6,
	permission_denied = 7,
	resource_exhausted = 8,
	failed_precondition = 9,
	aborted = 10,
	out_of_range = 11,
	unimplemented = 12,
	internal = 13,
	unavailable = 14,
	data_loss = 15,
	unauthenticated = 16,
};

enum class element : int {
	invalid,
	pred,
	s8,
	s16,
	s32,
	s64,
	u8,
	u16,
	u32,
	u64,
	f16,
	f32,
	f64,
	bf16,
	c64,
	c128,
	count_known,
};

enum class host_semantics : int {
	immutable_only_during_call,
	immutable_until_transfer_completes,
	immutable_zero_copy,
	mutable_zero_copy,
};

enum class value_type : int { string, int64, int64_list, float32, boolean };

struct named_value {
	LOOM_PJRT_HEAD;
	const char *name;
	size_t name_size;
	value_type type;
	union {
		const char *string_value;
		int64_t int64_value;
		const int64_t *int64_array_value;
		float float_value;
		bool bool_value;
	};
	size_t value_size;
};

struct tiled_layout {
	LOOM_PJRT_HEAD;
	const int64_t *minor_to_major;
	size_t minor_to_major_size;
	const int64_t *tile_dims;
	const size_t *tile_dim_sizes;
	size_t num_tiles;
};

struct strides_layout {
	LOOM_PJRT_HEAD;
	const int64_t *byte_strides;
	size_t num_byte_strides;
};

constexpr int layout_tiled = 0;
constexpr int layout_strides = 1;

struct memory_layout {
	LOOM_PJRT_HEAD;
	union {
		tiled_layout tiled;
		strides_layout strides;
	};
	int type;
};

// Error
using payload_visitor = void (*)(const char *key, size_t key_size, const char *value, size_t value_size, void *user);

struct error_table {
	size_t struct_size;
	size_t instance_size;
	abi::extension *extension_start;
	void (*destroy)(error_status *error);
	void (*message)(const error_status *error, const char **message, size_t *message_size);
	abi::code (*get_code)(const error_status *error);
	void (*for_each_payload)(const error_status *error, payload_visitor visitor, void *user);
};

struct Error_Destroy_Args {
	LOOM_PJRT_HEAD;
	error_status *error;
};
struct Error_Message_Args {
	LOOM_PJRT_HEAD;
	const error_status *error;
	const char *message;
	size_t message_size;
};
struct Error_GetCode_Args {
	LOOM_PJRT_HEAD;
	const error_status *error;
	abi::code code;
};
struct Error_ForEachPayload_Args {
	LOOM_PJRT_HEAD;
	const error_status *error;
	payload_visitor visitor;
	void *user_arg;
};

// Plugin
struct Plugin_Initialize_Args {
	LOOM_PJRT_HEAD;
};
struct Plugin_Attributes_Args {
	LOOM_PJRT_HEAD;
	const named_value *attributes;
	size_t num_attributes;
};

// Event
using ready_callback = void (*)(error_status *error, void *user);

struct Event_Destroy_Args {
	LOOM_PJRT_HEAD;
	pjrt::event *event;
};
struct Event_IsReady_Args {
	LOOM_PJRT_HEAD;
	pjrt::event *event;
	bool is_ready;
};
struct Event_Error_Args {
	LOOM_PJRT_HEAD;
	pjrt::event *event;
};
struct Event_Await_Args {
	LOOM_PJRT_HEAD;
	pjrt::event *event;
};
struct Event_OnReady_Args {
	LOOM_PJRT_HEAD;
	pjrt::event *event;
	ready_callback callback;
	void *user_arg;
};
struct Event_Create_Args {
	LOOM_PJRT_HEAD;
	pjrt::event *event;
};
struct Event_Set_Args {
	LOOM_PJRT_HEAD;
	pjrt::event *event;
	abi::code error_code;
	const char *error_message;
	size_t error_message_size;
};

// Client
struct Client_Create_Args {
	LOOM_PJRT_HEAD;
	const named_value *create_options;
	size_t num_options;
	void *kv_get_callback;
	void *kv_get_user_arg;
	void *kv_put_callback;
	void *kv_put_user_arg;
	pjrt::client *client;
	void *kv_try_get_callback;
	void *kv_try_get_user_arg;
};
struct Client_Destroy_Args {
	LOOM_PJRT_HEAD;
	pjrt::client *client;
};
struct Client_PlatformName_Args {
	LOOM_PJRT_HEAD;
	pjrt::client *client;
	const char *platform_name;
	size_t platform_name_size;
};
struct Client_ProcessIndex_Args {
	LOOM_PJRT_HEAD;
	pjrt::client *client;
	int process_index;
};
struct Client_PlatformVersion_Args {
	LOOM_PJRT_HEAD;
	pjrt::client *client;
	const char *platform_version;
	size_t platform_version_size;
};
struct Client_TopologyDescription_Args {
	LOOM_PJRT_HEAD;
	pjrt::client *client;
	pjrt::topology *topology;
};
struct Client_Devices_Args {
	LOOM_PJRT_HEAD;
	pjrt::client *client;
	device *const *devices;
	size_t num_devices;
};
struct Client_AddressableDevices_Args {
	LOOM_PJRT_HEAD;
	pjrt::client *client;
	device *const *addressable_devices;
	size_t num_addressable_devices;
};
struct Client_LookupDevice_Args {
	LOOM_PJRT_HEAD;
	pjrt::client *client;
	int id;
	pjrt::device *device;
};
struct Client_LookupAddressableDevice_Args {
	LOOM_PJRT_HEAD;
	pjrt::client *client;
	int local_hardware_id;
	device *addressable_device;
};
struct Client_AddressableMemories_Args {
	LOOM_PJRT_HEAD;
	pjrt::client *client;
	memory *const *addressable_memories;
	size_t num_addressable_memories;
};
struct program_text {
	LOOM_PJRT_HEAD;
	char *code;
	size_t code_size;
	const char *format;
	size_t format_size;
};
struct Client_Compile_Args {
	LOOM_PJRT_HEAD;
	pjrt::client *client;
	const program_text *program;
	const char *compile_options;
	size_t compile_options_size;
	loaded_executable *executable;
};
struct Client_Load_Args {
	LOOM_PJRT_HEAD;
	pjrt::client *client;
	pjrt::executable *executable;
	const char *compile_options;
	size_t compile_options_size;
	pjrt::loaded_executable *loaded_executable;
};
struct Client_DefaultDeviceAssignment_Args {
	LOOM_PJRT_HEAD;
	pjrt::client *client;
	int num_replicas;
	int num_partitions;
	size_t default_assignment_size;
	int *default_assignment;
};
struct Client_BufferFromHostBuffer_Args {
	LOOM_PJRT_HEAD;
	pjrt::client *client;
	const void *data;
	element type;
	const int64_t *dims;
	size_t num_dims;
	const int64_t *byte_strides;
	size_t num_byte_strides;
	abi::host_semantics host_buffer_semantics;
	pjrt::device *device;
	pjrt::memory *memory;
	memory_layout *device_layout;
	event *done_with_host_buffer;
	pjrt::buffer *buffer;
};
struct Client_CreateUninitializedBuffer_Args {
	LOOM_PJRT_HEAD;
	pjrt::client *client;
	const int64_t *shape_dims;
	size_t shape_num_dims;
	element shape_element_type;
	memory_layout *shape_layout;
	pjrt::device *device;
	pjrt::memory *memory;
	pjrt::buffer *buffer;
};
struct Client_CreateErrorBuffer_Args {
	LOOM_PJRT_HEAD;
	pjrt::client *client;
	abi::code error_code;
	const char *error_message;
	size_t error_message_size;
	const int64_t *shape_dims;
	size_t shape_num_dims;
	element shape_element_type;
	memory_layout *shape_layout;
	pjrt::memory *memory;
	pjrt::buffer *buffer;
	const named_value *payload;
	size_t num_payload;
};

// DeviceDescription: the device describes itself
struct DeviceDescription_Id_Args {
	LOOM_PJRT_HEAD;
	device *device_description;
	int id;
};
struct DeviceDescription_ProcessIndex_Args {
	LOOM_PJRT_HEAD;
	device *device_description;
	int process_index;
};
struct DeviceDescription_Attributes_Args {
	LOOM_PJRT_HEAD;
	device *device_description;
	size_t num_attributes;
	const named_value *attributes;
};
struct DeviceDescription_Kind_Args {
	LOOM_PJRT_HEAD;
	device *device_description;
	const char *device_kind;
	size_t device_kind_size;
};
struct DeviceDescription_DebugString_Args {
	LOOM_PJRT_HEAD;
	device *device_description;
	const char *debug_string;
	size_t debug_string_size;
};
struct DeviceDescription_ToString_Args {
	LOOM_PJRT_HEAD;
	device *device_description;
	const char *to_string;
	size_t to_string_size;
};

// Device
struct Device_GetDescription_Args {
	LOOM_PJRT_HEAD;
	pjrt::device *device;
	pjrt::device *device_description;
};
struct Device_IsAddressable_Args {
	LOOM_PJRT_HEAD;
	pjrt::device *device;
	bool is_addressable;
};
struct Device_LocalHardwareId_Args {
	LOOM_PJRT_HEAD;
	pjrt::device *device;
	int local_hardware_id;
};
struct Device_AddressableMemories_Args {
	LOOM_PJRT_HEAD;
	pjrt::device *device;
	memory *const *memories;
	size_t num_memories;
};
struct Device_DefaultMemory_Args {
	LOOM_PJRT_HEAD;
	pjrt::device *device;
	pjrt::memory *memory;
};
struct Device_MemoryStats_Args {
	LOOM_PJRT_HEAD;
	pjrt::device *device;
	int64_t bytes_in_use;
	int64_t peak_bytes_in_use;
	bool peak_bytes_in_use_is_set;
	int64_t num_allocs;
	bool num_allocs_is_set;
	int64_t largest_alloc_size;
	bool largest_alloc_size_is_set;
	int64_t bytes_limit;
	bool bytes_limit_is_set;
	int64_t bytes_reserved;
	bool bytes_reserved_is_set;
	int64_t peak_bytes_reserved;
	bool peak_bytes_reserved_is_set;
	int64_t bytes_reservable_limit;
	bool bytes_reservable_limit_is_set;
	int64_t largest_free_block_bytes;
	bool largest_free_block_bytes_is_set;
	int64_t pool_bytes;
	bool pool_bytes_is_set;
	int64_t peak_pool_bytes;
	bool peak_pool_bytes_is_set;
};
struct Device_ClearMemoryStats_Args {
	LOOM_PJRT_HEAD;
	pjrt::device *device;
};
struct device_attributes;
struct Device_GetAttributes_Args {
	LOOM_PJRT_HEAD;
	pjrt::device *device;
	const named_value *attributes;
	size_t num_attributes;
	abi::device_attributes *device_attributes;
	void (*attributes_deleter)(abi::device_attributes *attributes);
};

// Memory
struct memory_table {
	LOOM_PJRT_HEAD;
	size_t instance_struct_size;
	void *(*get_user_data)(pjrt::memory *memory, const void *key);
	void (*set_user_data)(pjrt::memory *memory, const void *key, void *data, void (*destroy)(void *));
};
struct Memory_Id_Args {
	LOOM_PJRT_HEAD;
	pjrt::memory *memory;
	int id;
};
struct Memory_Kind_Args {
	LOOM_PJRT_HEAD;
	pjrt::memory *memory;
	const char *kind;
	size_t kind_size;
};
struct Memory_Kind_Id_Args {
	LOOM_PJRT_HEAD;
	pjrt::memory *memory;
	int kind_id;
};
struct Memory_DebugString_Args {
	LOOM_PJRT_HEAD;
	pjrt::memory *memory;
	const char *debug_string;
	size_t debug_string_size;
};
struct Memory_ToString_Args {
	LOOM_PJRT_HEAD;
	pjrt::memory *memory;
	const char *to_string;
	size_t to_string_size;
};
struct Memory_AddressableByDevices_Args {
	LOOM_PJRT_HEAD;
	pjrt::memory *memory;
	device *const *devices;
	size_t num_devices;
};

} // namespace abi
} // namespace loom::pjrt
