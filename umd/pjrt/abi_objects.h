// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The rest of the interface's layouts: executables, buffers, topologies. See abi.h.
#pragma once

#include "abi.h"

namespace loom::pjrt::abi {

// Executable
struct Executable_Destroy_Args {
	LOOM_PJRT_HEAD;
	pjrt::executable *executable;
};
struct Executable_Name_Args {
	LOOM_PJRT_HEAD;
	pjrt::executable *executable;
	const char *executable_name;
	size_t executable_name_size;
};
struct Executable_NumReplicas_Args {
	LOOM_PJRT_HEAD;
	pjrt::executable *executable;
	size_t num_replicas;
};
struct Executable_NumPartitions_Args {
	LOOM_PJRT_HEAD;
	pjrt::executable *executable;
	size_t num_partitions;
};
struct Executable_NumOutputs_Args {
	LOOM_PJRT_HEAD;
	pjrt::executable *executable;
	size_t num_outputs;
};
struct Executable_SizeOfGeneratedCodeInBytes_Args {
	LOOM_PJRT_HEAD;
	pjrt::executable *executable;
	int64_t size_in_bytes;
};
struct Executable_Fingerprint_Args {
	LOOM_PJRT_HEAD;
	pjrt::executable *executable;
	const char *executable_fingerprint;
	size_t executable_fingerprint_size;
};
struct Executable_OptimizedProgram_Args {
	LOOM_PJRT_HEAD;
	pjrt::executable *executable;
	program_text *program;
};
struct Executable_GetCostAnalysis_Args {
	LOOM_PJRT_HEAD;
	pjrt::executable *executable;
	size_t num_properties;
	const named_value *properties;
};
struct Executable_GetCompiledMemoryStats_Args {
	LOOM_PJRT_HEAD;
	pjrt::executable *executable;
	int64_t generated_code_size_in_bytes;
	int64_t argument_size_in_bytes;
	int64_t output_size_in_bytes;
	int64_t alias_size_in_bytes;
	int64_t temp_size_in_bytes;
	int64_t host_generated_code_size_in_bytes;
	int64_t host_argument_size_in_bytes;
	int64_t host_output_size_in_bytes;
	int64_t host_alias_size_in_bytes;
	int64_t host_temp_size_in_bytes;
	int64_t peak_memory_in_bytes;
	int64_t total_size_in_bytes;
	int64_t total_allocation_bytes;
	int64_t indefinite_allocations;
	int64_t peak_unpadded_heap_bytes;
};
struct Executable_OutputElementTypes_Args {
	LOOM_PJRT_HEAD;
	pjrt::executable *executable;
	element *output_types;
	size_t num_output_types;
};
struct Executable_OutputDimensions_Args {
	LOOM_PJRT_HEAD;
	pjrt::executable *executable;
	size_t num_outputs;
	const int64_t *dims;
	const size_t *dim_sizes;
};
struct Executable_ParameterMemoryKinds_Args {
	LOOM_PJRT_HEAD;
	pjrt::executable *executable;
	size_t num_parameters;
	const char *const *memory_kinds;
	const size_t *memory_kind_sizes;
};
struct Executable_OutputMemoryKinds_Args {
	LOOM_PJRT_HEAD;
	pjrt::executable *executable;
	size_t num_outputs;
	const char *const *memory_kinds;
	const size_t *memory_kind_sizes;
};
struct serialized;
struct Executable_Serialize_Args {
	LOOM_PJRT_HEAD;
	const pjrt::executable *executable;
	const char *serialized_bytes;
	size_t serialized_bytes_size;
	serialized *serialized_executable;
	void (*serialized_executable_deleter)(serialized *bytes);
};
struct Executable_GetCompileOptions_Args {
	LOOM_PJRT_HEAD;
	pjrt::executable *executable;
	const char *serialized_bytes;
	size_t serialized_bytes_size;
	serialized *serialized_compile_options;
	void (*serialized_compile_options_deleter)(serialized *bytes);
};
struct Executable_DeserializeAndLoad_Args {
	LOOM_PJRT_HEAD;
	pjrt::client *client;
	const char *serialized_executable;
	size_t serialized_executable_size;
	pjrt::loaded_executable *loaded_executable;
	const char *overridden_serialized_compile_options;
	size_t overridden_serialized_compile_options_size;
	void *load_options;
};

// LoadedExecutable
struct LoadedExecutable_Destroy_Args {
	LOOM_PJRT_HEAD;
	loaded_executable *executable;
};
struct LoadedExecutable_GetExecutable_Args {
	LOOM_PJRT_HEAD;
	pjrt::loaded_executable *loaded_executable;
	pjrt::executable *executable;
};
struct LoadedExecutable_GetDeviceAssignment_Args {
	LOOM_PJRT_HEAD;
	loaded_executable *executable;
	const char *serialized_bytes;
	size_t serialized_bytes_size;
	serialized *serialized_device_assignment;
	void (*serialized_device_assignment_deleter)(serialized *bytes);
};
struct LoadedExecutable_AddressableDevices_Args {
	LOOM_PJRT_HEAD;
	loaded_executable *executable;
	device *const *addressable_devices;
	size_t num_addressable_devices;
};
struct logical_ids {
	int replica;
	int partition;
};
struct LoadedExecutable_AddressableDeviceLogicalIds_Args {
	LOOM_PJRT_HEAD;
	loaded_executable *executable;
	logical_ids *addressable_device_logical_ids;
	size_t num_addressable_device_logical_ids;
};
struct LoadedExecutable_Delete_Args {
	LOOM_PJRT_HEAD;
	loaded_executable *executable;
};
struct LoadedExecutable_IsDeleted_Args {
	LOOM_PJRT_HEAD;
	loaded_executable *executable;
	bool is_deleted;
};
struct LoadedExecutable_Fingerprint_Args {
	LOOM_PJRT_HEAD;
	loaded_executable *executable;
	const char *executable_fingerprint;
	size_t executable_fingerprint_size;
};
struct execute_options {
	LOOM_PJRT_HEAD;
	void **send_callbacks;
	void **recv_callbacks;
	size_t num_send_ops;
	size_t num_recv_ops;
	int launch_id;
	const int64_t *non_donatable_input_indices;
	size_t num_non_donatable_input_indices;
	void *context;
	const char *call_location;
	size_t num_tasks;
	int *task_ids;
	int64_t *incarnation_ids;
	void *multi_slice_config;
};
struct LoadedExecutable_Execute_Args {
	LOOM_PJRT_HEAD;
	loaded_executable *executable;
	execute_options *options;
	buffer *const *const *argument_lists;
	size_t num_devices;
	size_t num_args;
	buffer **const *output_lists;
	event **device_complete_events;
	device *execute_device;
};

// Buffer
struct Buffer_Destroy_Args {
	LOOM_PJRT_HEAD;
	pjrt::buffer *buffer;
};
struct Buffer_ElementType_Args {
	LOOM_PJRT_HEAD;
	pjrt::buffer *buffer;
	element type;
};
struct Buffer_Dimensions_Args {
	LOOM_PJRT_HEAD;
	pjrt::buffer *buffer;
	const int64_t *dims;
	size_t num_dims;
};
struct Buffer_UnpaddedDimensions_Args {
	LOOM_PJRT_HEAD;
	pjrt::buffer *buffer;
	const int64_t *unpadded_dims;
	size_t num_dims;
};
struct Buffer_DynamicDimensionIndices_Args {
	LOOM_PJRT_HEAD;
	pjrt::buffer *buffer;
	const size_t *dynamic_dim_indices;
	size_t num_dynamic_dims;
};
struct Buffer_GetMemoryLayout_Args {
	LOOM_PJRT_HEAD;
	pjrt::buffer *buffer;
	memory_layout layout;
};
struct Buffer_ToHostBuffer_Args {
	LOOM_PJRT_HEAD;
	buffer *src;
	memory_layout *host_layout;
	void *dst;
	size_t dst_size;
	pjrt::event *event;
};
struct Buffer_OnDeviceSizeInBytes_Args {
	LOOM_PJRT_HEAD;
	pjrt::buffer *buffer;
	size_t on_device_size_in_bytes;
};
struct Buffer_Delete_Args {
	LOOM_PJRT_HEAD;
	pjrt::buffer *buffer;
};
struct Buffer_IsDeleted_Args {
	LOOM_PJRT_HEAD;
	pjrt::buffer *buffer;
	bool is_deleted;
};
struct Buffer_CopyRawToHost_Args {
	LOOM_PJRT_HEAD;
	pjrt::buffer *buffer;
	void *dst;
	int64_t offset;
	int64_t transfer_size;
	pjrt::event *event;
};
struct Buffer_CopyToDevice_Args {
	LOOM_PJRT_HEAD;
	pjrt::buffer *buffer;
	device *dst_device;
	pjrt::buffer *dst_buffer;
};
struct Buffer_CopyToMemory_Args {
	LOOM_PJRT_HEAD;
	pjrt::buffer *buffer;
	memory *dst_memory;
	pjrt::buffer *dst_buffer;
};
struct Buffer_IsOnCpu_Args {
	LOOM_PJRT_HEAD;
	pjrt::buffer *buffer;
	bool is_on_cpu;
};
struct Buffer_Device_Args {
	LOOM_PJRT_HEAD;
	pjrt::buffer *buffer;
	pjrt::device *device;
};
struct Buffer_Memory_Args {
	LOOM_PJRT_HEAD;
	pjrt::buffer *buffer;
	pjrt::memory *memory;
};
struct Buffer_ReadyEvent_Args {
	LOOM_PJRT_HEAD;
	pjrt::buffer *buffer;
	pjrt::event *event;
};
struct Buffer_UnsafePointer_Args {
	LOOM_PJRT_HEAD;
	pjrt::buffer *buffer;
	uintptr_t buffer_pointer;
};
struct Buffer_IncreaseExternalReferenceCount_Args {
	LOOM_PJRT_HEAD;
	pjrt::buffer *buffer;
};
struct Buffer_DecreaseExternalReferenceCount_Args {
	LOOM_PJRT_HEAD;
	pjrt::buffer *buffer;
};
struct Buffer_OpaqueDeviceMemoryDataPointer_Args {
	LOOM_PJRT_HEAD;
	pjrt::buffer *buffer;
	void *device_memory_ptr;
};

// TopologyDescription
struct TopologyDescription_Destroy_Args {
	LOOM_PJRT_HEAD;
	pjrt::topology *topology;
};
struct TopologyDescription_PlatformName_Args {
	LOOM_PJRT_HEAD;
	pjrt::topology *topology;
	const char *platform_name;
	size_t platform_name_size;
};
struct TopologyDescription_PlatformVersion_Args {
	LOOM_PJRT_HEAD;
	pjrt::topology *topology;
	const char *platform_version;
	size_t platform_version_size;
};
struct TopologyDescription_GetDeviceDescriptions_Args {
	LOOM_PJRT_HEAD;
	pjrt::topology *topology;
	device *const *descriptions;
	size_t num_descriptions;
};
struct TopologyDescription_Attributes_Args {
	LOOM_PJRT_HEAD;
	pjrt::topology *topology;
	const named_value *attributes;
	size_t num_attributes;
};
struct TopologyDescription_Serialize_Args {
	LOOM_PJRT_HEAD;
	pjrt::topology *topology;
	const char *serialized_bytes;
	size_t serialized_bytes_size;
	serialized *serialized_topology;
	void (*serialized_topology_deleter)(serialized *bytes);
};
struct TopologyDescription_Fingerprint_Args {
	LOOM_PJRT_HEAD;
	pjrt::topology *topology;
	uint64_t fingerprint;
};

} // namespace loom::pjrt::abi
