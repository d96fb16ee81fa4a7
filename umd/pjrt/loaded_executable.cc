// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "loaded_executable.h"

#include <cstring>

#include "api.h"
#include "compile.h"
#include "counters.h"
#include "executable.h"

namespace loom::pjrt {
namespace {

void compile(abi::Client_Compile_Args &a)
{
	refuse_forked_child();
	const std::string_view format(a.program->format, a.program->format_size);
	if (format != "mlir")
		throw failure(abi::code::unimplemented,
			      fmt::format("a program of format '{}'; Loom takes 'mlir', StableHLO", format));
	std::string options(a.compile_options, a.compile_options_size);
	compile_options::read(options).require_one_device();
	const loom_target &target = *loom_device_target(a.client->devices.front()->handle);
	program_ptr program = compile_module({a.program->code, a.program->code_size}, target);
	a.executable = new loaded_executable(*a.client, std::move(program), std::move(options));
}

void load(abi::Client_Load_Args &a)
{
	refuse_forked_child();
	const std::string options =
		a.compile_options_size ? std::string(a.compile_options, a.compile_options_size) : a.executable->options;
	a.loaded_executable = new loaded_executable(*a.client, a.executable->program, options);
}

// What serialise() gives: options, then the program.
void serialize(abi::Executable_Serialize_Args &a)
{
	auto text = std::make_unique<std::string>();
	const uint64_t size = a.executable->options.size();
	text->append(reinterpret_cast<const char *>(&size), sizeof(size));
	*text += a.executable->options;
	*text += a.executable->program->serialise();
	a.serialized_bytes = text->data();
	a.serialized_bytes_size = text->size();
	a.serialized_executable = reinterpret_cast<abi::serialized *>(text.release());
	a.serialized_executable_deleter = [](abi::serialized *s) { delete reinterpret_cast<std::string *>(s); };
}

void deserialize_and_load(abi::Executable_DeserializeAndLoad_Args &a)
{
	refuse_forked_child();
	std::string_view bytes(a.serialized_executable, a.serialized_executable_size);
	uint64_t size = 0;
	if (bytes.size() < sizeof(size))
		throw invalid("a serialised executable of {} bytes; compile the function again", bytes.size());
	std::memcpy(&size, bytes.data(), sizeof(size));
	bytes.remove_prefix(sizeof(size));
	if (size > bytes.size())
		throw invalid("a serialised executable that is cut off; compile the function again");
	std::string options(bytes.substr(0, size));
	if (LOOM_PJRT_HAS(a, overridden_serialized_compile_options_size) && a.overridden_serialized_compile_options)
		options.assign(a.overridden_serialized_compile_options, a.overridden_serialized_compile_options_size);
	a.loaded_executable = new loaded_executable(*a.client, compiled_program::parse(bytes.substr(size)), options);
}

void get_compile_options(abi::Executable_GetCompileOptions_Args &a)
{
	a.serialized_bytes = a.executable->options.data();
	a.serialized_bytes_size = a.executable->options.size();
	a.serialized_compile_options = nullptr;
	a.serialized_compile_options_deleter = [](abi::serialized *) {};
}

// An executing task keeps what it needs, so this returns at once.
void destroy(abi::LoadedExecutable_Destroy_Args &a)
{
	delete a.executable;
}

void get_executable(abi::LoadedExecutable_GetExecutable_Args &a)
{
	a.executable = new executable(a.loaded_executable->program, a.loaded_executable->options);
}

void get_device_assignment(abi::LoadedExecutable_GetDeviceAssignment_Args &a)
{
	a.serialized_bytes = a.executable->assignment.data();
	a.serialized_bytes_size = a.executable->assignment.size();
	a.serialized_device_assignment = nullptr;
	a.serialized_device_assignment_deleter = [](abi::serialized *) {};
}

void addressable_devices(abi::LoadedExecutable_AddressableDevices_Args &a)
{
	a.addressable_devices = a.executable->devices.data();
	a.num_addressable_devices = a.executable->devices.size();
}

void logical_ids(abi::LoadedExecutable_AddressableDeviceLogicalIds_Args &a)
{
	static abi::logical_ids only{0, 0};
	a.addressable_device_logical_ids = &only;
	a.num_addressable_device_logical_ids = a.executable->devices.size();
}

void remove(abi::LoadedExecutable_Delete_Args &a)
{
	a.executable->remove();
}

void is_deleted(abi::LoadedExecutable_IsDeleted_Args &a)
{
	a.is_deleted = a.executable->deleted.load();
}

void fingerprint(abi::LoadedExecutable_Fingerprint_Args &a)
{
	a.executable_fingerprint = a.executable->program->fingerprint.data();
	a.executable_fingerprint_size = a.executable->program->fingerprint.size();
}

void execute(abi::LoadedExecutable_Execute_Args &a)
{
	a.executable->execute(a);
}

} // namespace

loaded_executable::loaded_executable(client &on, program_ptr what, std::string with)
	: of(on), program(std::move(what)), options(std::move(with))
{
	const compile_options o = compile_options::read(options);
	o.require_one_device();
	if (!o.portable)
		devices.push_back(o.devices.empty() ? of.devices.front() : of.find(static_cast<int>(o.devices[0])));
	assignment = device_assignment(devices.empty() ? 0 : devices.front()->id);
	replaced_by.assign(program->arguments.size(), -1);
	donated.assign(program->arguments.size(), false);
	for (size_t i = 0; i < program->results.size(); i++)
		if (program->results[i].flags & LOOM_VALUE_IN_PLACE)
			replaced_by[program->results[i].same_as] = static_cast<int>(i);
	for (size_t i = 0; i < program->arguments.size(); i++) {
		donated[i] = program->arguments[i].flags & LOOM_VALUE_DONATED;
		any_donated |= donated[i];
	}
	count().executables++;
}

std::shared_ptr<runner> loaded_executable::runner_on(device *on)
{
	std::lock_guard lock(mutex);
	auto &found = runners[on];
	if (!found)
		found = std::make_shared<runner>(on, program);
	return found;
}

void loaded_executable::remove()
{
	deleted = true;
	std::lock_guard lock(mutex);
	runners.clear();
}

void bind_loaded_executable(api_table &table)
{
	table.set<&compile>(slot::Client_Compile);
	table.set<&load>(slot::Client_Load);
	table.set<&serialize>(slot::Executable_Serialize);
	table.set<&deserialize_and_load>(slot::Executable_DeserializeAndLoad);
	table.set<&get_compile_options>(slot::Executable_GetCompileOptions);
	table.set<&destroy>(slot::LoadedExecutable_Destroy);
	table.set<&get_executable>(slot::LoadedExecutable_GetExecutable);
	table.set<&get_device_assignment>(slot::LoadedExecutable_GetDeviceAssignment);
	table.set<&addressable_devices>(slot::LoadedExecutable_AddressableDevices);
	table.set<&logical_ids>(slot::LoadedExecutable_AddressableDeviceLogicalIds);
	table.set<&remove>(slot::LoadedExecutable_Delete);
	table.set<&is_deleted>(slot::LoadedExecutable_IsDeleted);
	table.set<&fingerprint>(slot::LoadedExecutable_Fingerprint);
	table.set<&execute>(slot::LoadedExecutable_Execute);
}

} // namespace loom::pjrt
