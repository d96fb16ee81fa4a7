// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "memory.h"

#include <cstring>
#include <utility>

#include "api.h"
#include "device.h"

namespace loom::pjrt {
namespace {

void *get_user_data(memory *m, const void *key)
{
	return m->user_data(key);
}

void set_user_data(memory *m, const void *key, void *data, void (*destroy)(void *))
{
	m->set_user_data(key, data, destroy);
}

const abi::memory_table functions = {sizeof(abi::memory_table), nullptr, sizeof(void *), get_user_data, set_user_data};

void id(abi::Memory_Id_Args &a)
{
	a.id = a.memory->of->id;
}

void kind(abi::Memory_Kind_Args &a)
{
	a.kind = memory::kind;
	a.kind_size = std::strlen(memory::kind);
}

void kind_id(abi::Memory_Kind_Id_Args &a)
{
	a.kind_id = 0;
}

void debug_string(abi::Memory_DebugString_Args &a)
{
	a.debug_string = a.memory->text.data();
	a.debug_string_size = a.memory->text.size();
}

void to_string(abi::Memory_ToString_Args &a)
{
	a.to_string = a.memory->text.data();
	a.to_string_size = a.memory->text.size();
}

void addressable_by(abi::Memory_AddressableByDevices_Args &a)
{
	a.devices = &a.memory->of;
	a.num_devices = 1;
}

} // namespace

memory::memory(device *of) : table(&functions), of(of), text(fmt::format("LoomMemory(id={}, kind=device)", of->id)) {}

memory::~memory()
{
	for (const auto &[key, e] : entries)
		if (e.destroy)
			e.destroy(e.data);
}

void *memory::user_data(const void *key)
{
	std::lock_guard lock(mutex);
	const auto found = entries.find(key);
	return found == entries.end() ? nullptr : found->second.data;
}

void memory::set_user_data(const void *key, void *data, void (*destroy)(void *))
{
	entry old{};
	{
		std::lock_guard lock(mutex);
		old = std::exchange(entries[key], {data, destroy});
	}
	if (old.destroy)
		old.destroy(old.data);
}

void bind_memory(api_table &table)
{
	table.set<&id>(slot::Memory_Id);
	table.set<&kind>(slot::Memory_Kind);
	table.set<&kind_id>(slot::Memory_Kind_Id);
	table.set<&debug_string>(slot::Memory_DebugString);
	table.set<&to_string>(slot::Memory_ToString);
	table.set<&addressable_by>(slot::Memory_AddressableByDevices);
}

} // namespace loom::pjrt
