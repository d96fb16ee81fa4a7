// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "client.h"

#include <cstring>

#include "api.h"
#include "counters.h"
#include "plugin.h"

namespace loom::pjrt {
namespace {

void create(abi::Client_Create_Args &a)
{
	refuse_forked_child();
	report_counters_at_exit();
	a.client = new client(client_options::read(a.create_options, a.num_options));
}

void destroy(abi::Client_Destroy_Args &a)
{
	delete a.client;
}

void platform_name(abi::Client_PlatformName_Args &a)
{
	a.platform_name = platform;
	a.platform_name_size = std::strlen(platform);
}

void platform_version(abi::Client_PlatformVersion_Args &a)
{
	a.platform_version = a.client->version.data();
	a.platform_version_size = a.client->version.size();
}

void process_index(abi::Client_ProcessIndex_Args &a)
{
	a.process_index = 0;
}

void topology_description(abi::Client_TopologyDescription_Args &a)
{
	a.topology = a.client->topology.get();
}

void devices(abi::Client_Devices_Args &a)
{
	a.devices = a.client->devices.data();
	a.num_devices = a.client->devices.size();
}

void addressable_devices(abi::Client_AddressableDevices_Args &a)
{
	a.addressable_devices = a.client->devices.data();
	a.num_addressable_devices = a.client->devices.size();
}

void addressable_memories(abi::Client_AddressableMemories_Args &a)
{
	a.addressable_memories = a.client->memories.data();
	a.num_addressable_memories = a.client->memories.size();
}

void lookup_device(abi::Client_LookupDevice_Args &a)
{
	a.device = a.client->find(a.id);
}

void lookup_addressable_device(abi::Client_LookupAddressableDevice_Args &a)
{
	a.addressable_device = a.client->find(a.local_hardware_id);
}

void default_assignment(abi::Client_DefaultDeviceAssignment_Args &a)
{
	const size_t wanted = static_cast<size_t>(a.num_replicas) * static_cast<size_t>(a.num_partitions);
	if (a.num_replicas < 1 || a.num_partitions < 1 || wanted > a.client->devices.size() ||
	    wanted > a.default_assignment_size)
		throw invalid("{} replicas of {} partitions: there are {} devices", a.num_replicas, a.num_partitions,
			      a.client->devices.size());
	for (size_t i = 0; i < wanted; i++)
		a.default_assignment[i] = static_cast<int>(i);
}

} // namespace

client::client(const client_options &options) : version(plugin_version())
{
	for (const std::string &spec : options.devices) {
		loom_device *handle = nullptr;
		loom_error error{};
		check(loom_device_open(spec.empty() ? nullptr : spec.c_str(), &handle, &error), error, "");
		owned.push_back(std::make_unique<device>(handle, static_cast<int>(owned.size()), options.memory_limit));
		devices.push_back(owned.back().get());
		memories.push_back(&owned.back()->space);
	}
	topology = std::make_unique<pjrt::topology>(devices, version);
}

// Work that is under way ends before the devices go.
client::~client()
{
	for (device *d : devices)
		d->queue.stop();
}

device *client::find(int id) const
{
	if (id < 0 || static_cast<size_t>(id) >= devices.size())
		throw failure(abi::code::not_found,
			      fmt::format("no device {}; there are {}, from 0 on", id, devices.size()));
	return devices[static_cast<size_t>(id)];
}

void bind_client(api_table &table)
{
	table.set<&create>(slot::Client_Create);
	table.set<&destroy>(slot::Client_Destroy);
	table.set<&platform_name>(slot::Client_PlatformName);
	table.set<&platform_version>(slot::Client_PlatformVersion);
	table.set<&process_index>(slot::Client_ProcessIndex);
	table.set<&topology_description>(slot::Client_TopologyDescription);
	table.set<&devices>(slot::Client_Devices);
	table.set<&addressable_devices>(slot::Client_AddressableDevices);
	table.set<&addressable_memories>(slot::Client_AddressableMemories);
	table.set<&lookup_device>(slot::Client_LookupDevice);
	table.set<&lookup_addressable_device>(slot::Client_LookupAddressableDevice);
	table.set<&default_assignment>(slot::Client_DefaultDeviceAssignment);
}

} // namespace loom::pjrt
