// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "device.h"

#include <cstring>

#include "api.h"
#include "loom_npu.h"

namespace loom::pjrt {
namespace {

std::string target_name(const loom_target &target)
{
	loom_target named{};
#define NAME(name, ...)                                                                                                \
	if (loom_target_named(#name, &named) && !std::memcmp(&named, &target, sizeof(named)))                          \
		return #name;
	LOOM_TARGETS(NAME)
#undef NAME
	return "custom";
}

void id(abi::DeviceDescription_Id_Args &a)
{
	a.id = a.device_description->id;
}

void process_index(abi::DeviceDescription_ProcessIndex_Args &a)
{
	a.process_index = 0;
}

void attributes(abi::DeviceDescription_Attributes_Args &a)
{
	a.attributes = a.device_description->attributes.data();
	a.num_attributes = a.device_description->attributes.size();
}

void kind(abi::DeviceDescription_Kind_Args &a)
{
	a.device_kind = a.device_description->kind.data();
	a.device_kind_size = a.device_description->kind.size();
}

void debug_string(abi::DeviceDescription_DebugString_Args &a)
{
	a.debug_string = a.device_description->text.data();
	a.debug_string_size = a.device_description->text.size();
}

void to_string(abi::DeviceDescription_ToString_Args &a)
{
	a.to_string = a.device_description->text.data();
	a.to_string_size = a.device_description->text.size();
}

void get_description(abi::Device_GetDescription_Args &a)
{
	a.device_description = a.device;
}

void is_addressable(abi::Device_IsAddressable_Args &a)
{
	a.is_addressable = true;
}

void local_hardware_id(abi::Device_LocalHardwareId_Args &a)
{
	a.local_hardware_id = a.device->id;
}

void addressable_memories(abi::Device_AddressableMemories_Args &a)
{
	a.memories = &a.device->only_space;
	a.num_memories = 1;
}

void default_memory(abi::Device_DefaultMemory_Args &a)
{
	a.memory = &a.device->space;
}

void memory_stats(abi::Device_MemoryStats_Args &a)
{
	const memory_account &m = *a.device->account;
	a.bytes_in_use = static_cast<int64_t>(m.in_use.load());
	a.peak_bytes_in_use = static_cast<int64_t>(m.peak.load());
	a.num_allocs = static_cast<int64_t>(m.allocations.load());
	a.largest_alloc_size = static_cast<int64_t>(m.largest.load());
	a.bytes_limit = static_cast<int64_t>(m.limit);
	a.peak_bytes_in_use_is_set = a.num_allocs_is_set = a.largest_alloc_size_is_set = a.bytes_limit_is_set = true;
	a.bytes_reserved_is_set = a.peak_bytes_reserved_is_set = a.bytes_reservable_limit_is_set = false;
	a.largest_free_block_bytes_is_set = a.pool_bytes_is_set = a.peak_pool_bytes_is_set = false;
}

void clear_memory_stats(abi::Device_ClearMemoryStats_Args &a)
{
	a.device->account->clear_peak();
}

// The attributes live as long as the device; the deleter must be there all the same.
void keep(abi::device_attributes *) {}

void get_attributes(abi::Device_GetAttributes_Args &a)
{
	a.attributes = a.device->attributes.data();
	a.num_attributes = a.device->attributes.size();
	a.device_attributes = nullptr;
	a.attributes_deleter = keep;
}

} // namespace

device::device(loom_device *handle, int index, uint64_t memory_limit)
	: id(index), handle(handle), in_process(!std::strcmp(loom_device_name(handle), "sim")),
	  account(std::make_shared<memory_account>(memory_limit)), space(this), only_space(&space)
{
	const loom_target &t = *loom_device_target(handle);
	target = target_name(t);
	kind = "Loom " + target;
	text = fmt::format("LoomDevice(id={}, {}, {})", id, loom_device_name(handle), target);
	attributes.add("device", std::string(loom_device_name(handle)));
	attributes.add("target", target);
	attributes.add("array", std::vector<int64_t>{t.rows, t.cols});
	attributes.add("vpu_lanes", int64_t{t.vpu_lanes});
	attributes.add("sram_bytes", int64_t{t.sram_bytes});
	attributes.add("accumulator_bytes", int64_t{t.acc_bytes});
	attributes.add("bytes_per_cycle", int64_t{t.mem[0].bytes_per_cycle});
	attributes.add("clock_khz", int64_t{t.clock_khz});
	attributes.add("features", static_cast<int64_t>(t.features));
}

device::~device()
{
	queue.stop();
	if (!is_forked_child())
		loom_device_close(handle);
}

void bind_device(api_table &table)
{
	table.set<&id>(slot::DeviceDescription_Id);
	table.set<&process_index>(slot::DeviceDescription_ProcessIndex);
	table.set<&attributes>(slot::DeviceDescription_Attributes);
	table.set<&kind>(slot::DeviceDescription_Kind);
	table.set<&debug_string>(slot::DeviceDescription_DebugString);
	table.set<&to_string>(slot::DeviceDescription_ToString);
	table.set<&get_description>(slot::Device_GetDescription);
	table.set<&is_addressable>(slot::Device_IsAddressable);
	table.set<&local_hardware_id>(slot::Device_LocalHardwareId);
	table.set<&addressable_memories>(slot::Device_AddressableMemories);
	table.set<&default_memory>(slot::Device_DefaultMemory);
	table.set<&memory_stats>(slot::Device_MemoryStats);
	table.set<&clear_memory_stats>(slot::Device_ClearMemoryStats);
	table.set<&get_attributes>(slot::Device_GetAttributes);
}

} // namespace loom::pjrt
