// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "topology.h"

#include <cstring>

#include "api.h"
#include "device.h"
#include "loom_program.h"
#include "plugin.h"

namespace loom::pjrt {
namespace {

std::string describe(const std::vector<device *> &devices)
{
	std::string text;
	for (const device *d : devices)
		text += d->text + "\n";
	return text;
}

// The client's own lives with it; nobody makes another.
void destroy(abi::TopologyDescription_Destroy_Args &) {}

void platform_name(abi::TopologyDescription_PlatformName_Args &a)
{
	a.platform_name = platform;
	a.platform_name_size = std::strlen(platform);
}

void platform_version(abi::TopologyDescription_PlatformVersion_Args &a)
{
	a.platform_version = a.topology->version.data();
	a.platform_version_size = a.topology->version.size();
}

void device_descriptions(abi::TopologyDescription_GetDeviceDescriptions_Args &a)
{
	a.descriptions = a.topology->devices.data();
	a.num_descriptions = a.topology->devices.size();
}

void attributes(abi::TopologyDescription_Attributes_Args &a)
{
	a.attributes = a.topology->attributes.data();
	a.num_attributes = a.topology->attributes.size();
}

void keep(abi::serialized *) {}

void serialize(abi::TopologyDescription_Serialize_Args &a)
{
	a.serialized_bytes = a.topology->text.data();
	a.serialized_bytes_size = a.topology->text.size();
	a.serialized_topology = nullptr;
	a.serialized_topology_deleter = keep;
}

void fingerprint(abi::TopologyDescription_Fingerprint_Args &a)
{
	a.fingerprint = loom_prog_hash(a.topology->text.data(), a.topology->text.size());
}

} // namespace

topology::topology(std::vector<device *> of, std::string version)
	: devices(std::move(of)), version(std::move(version)), text(describe(devices))
{
	attributes.add("devices", static_cast<int64_t>(devices.size()));
}

void bind_topology(api_table &table)
{
	table.set<&destroy>(slot::TopologyDescription_Destroy);
	table.set<&platform_name>(slot::TopologyDescription_PlatformName);
	table.set<&platform_version>(slot::TopologyDescription_PlatformVersion);
	table.set<&device_descriptions>(slot::TopologyDescription_GetDeviceDescriptions);
	table.set<&attributes>(slot::TopologyDescription_Attributes);
	table.set<&serialize>(slot::TopologyDescription_Serialize);
	table.set<&fingerprint>(slot::TopologyDescription_Fingerprint);
}

} // namespace loom::pjrt
