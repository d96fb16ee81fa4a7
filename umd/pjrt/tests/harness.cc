// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "harness.h"

#include <cstdlib>
#include <fstream>

#include "client.h"
#include "loaded_executable.h"

extern "C" const void *GetPjrtApi();

namespace loom::pjrt::test {

const api_table::layout &table()
{
	return *static_cast<const api_table::layout *>(GetPjrtApi());
}

result take(error_status *error)
{
	if (!error)
		return {};
	abi::Error_GetCode_Args code{};
	code.error = error;
	abi::Error_Message_Args text{};
	text.error = error;
	EXPECT_FALSE(table().entries[static_cast<size_t>(slot::Error_GetCode)](&code));
	EXPECT_FALSE(table().entries[static_cast<size_t>(slot::Error_Message)](&text));
	result r{code.code, std::string(text.message, text.message_size)};
	abi::Error_Destroy_Args destroy{};
	destroy.error = error;
	table().entries[static_cast<size_t>(slot::Error_Destroy)](&destroy);
	return r;
}

std::string fixture(const std::string &name)
{
	std::ifstream in(std::string(LOOM_PJRT_FIXTURES) + "/" + name + ".vhlo.bc", std::ios::binary);
	std::string bytes{std::istreambuf_iterator<char>(in), {}};
	EXPECT_FALSE(bytes.empty()) << name;
	return bytes;
}

scratch_folder::scratch_folder()
{
	std::string pattern = (std::filesystem::temp_directory_path() / "loom-pjrt-XXXXXX").string();
	path = mkdtemp(pattern.data());
}

scratch_folder::~scratch_folder()
{
	std::error_code ignored;
	std::filesystem::remove_all(path, ignored);
}

result wait(event *of)
{
	abi::Event_Await_Args a{};
	a.event = of;
	const result r = call(slot::Event_Await, a);
	abi::Event_Destroy_Args d{};
	d.event = of;
	must(slot::Event_Destroy, d);
	return r;
}

bool ready(event *of)
{
	abi::Event_IsReady_Args a{};
	a.event = of;
	return must(slot::Event_IsReady, a).is_ready;
}

result wait(buffer *of)
{
	abi::Buffer_ReadyEvent_Args a{};
	a.buffer = of;
	return wait(must(slot::Buffer_ReadyEvent, a).event);
}

plugin::plugin(int count)
{
	setenv("LOOM_DEVICE", "sim", 1);
	setenv("LOOM_SIM_DEVICES", std::to_string(count).c_str(), 1);
	setenv("LOOM_CACHE_DIR", "", 1);
	abi::Client_Create_Args a{};
	of = must(slot::Client_Create, a).client;
	devices = of->devices;
}

plugin::~plugin()
{
	abi::Client_Destroy_Args a{};
	a.client = of;
	must(slot::Client_Destroy, a);
}

buffer *plugin::put(const std::vector<float> &values, std::vector<int64_t> dims, device *to)
{
	if (dims.empty())
		dims = {static_cast<int64_t>(values.size())};
	abi::Client_BufferFromHostBuffer_Args a{};
	a.client = of;
	a.data = values.data();
	a.type = abi::element::f32;
	a.dims = dims.data();
	a.num_dims = dims.size();
	a.host_buffer_semantics = abi::host_semantics::immutable_only_during_call;
	a.device = to ? to : devices.front();
	must(slot::Client_BufferFromHostBuffer, a);
	EXPECT_TRUE(wait(a.done_with_host_buffer));
	return a.buffer;
}

result plugin::try_get(buffer *from, std::vector<float> &to)
{
	abi::Buffer_ToHostBuffer_Args a{};
	a.src = from;
	must(slot::Buffer_ToHostBuffer, a);
	to.assign(a.dst_size / sizeof(float), -1);
	float none; // a null pointer would ask for the size again
	a.dst = to.empty() ? &none : to.data();
	if (const result r = call(slot::Buffer_ToHostBuffer, a); !r)
		return r;
	return wait(a.event);
}

std::vector<float> plugin::get(buffer *from)
{
	std::vector<float> values;
	const result r = try_get(from, values);
	EXPECT_TRUE(r) << r.message;
	return values;
}

result plugin::try_compile(const std::string &artifact, loaded_executable *&to, const std::string &options)
{
	std::string code = artifact;
	abi::program_text program{};
	program.struct_size = sizeof(program);
	program.code = code.data();
	program.code_size = code.size();
	program.format = "mlir";
	program.format_size = 4;
	abi::Client_Compile_Args a{};
	a.client = of;
	a.program = &program;
	a.compile_options = options.data();
	a.compile_options_size = options.size();
	const result r = call(slot::Client_Compile, a);
	to = a.executable;
	return r;
}

loaded_executable *plugin::compile(const std::string &name)
{
	loaded_executable *made = nullptr;
	const result r = try_compile(fixture(name), made);
	EXPECT_TRUE(r) << r.message;
	return made;
}

result plugin::try_run(loaded_executable *what, const std::vector<buffer *> &arguments, std::vector<buffer *> &results,
		       const std::vector<int64_t> &not_donatable, event **done)
{
	abi::execute_options options{};
	options.struct_size = sizeof(options);
	options.non_donatable_input_indices = not_donatable.data();
	options.num_non_donatable_input_indices = not_donatable.size();
	results.assign(what->program->results.size(), nullptr);
	buffer *const *inputs = arguments.data();
	buffer **outputs = results.data();
	abi::LoadedExecutable_Execute_Args a{};
	a.executable = what;
	a.options = &options;
	a.argument_lists = &inputs;
	a.num_devices = 1;
	a.num_args = arguments.size();
	a.output_lists = &outputs;
	a.device_complete_events = done;
	return call(slot::LoadedExecutable_Execute, a);
}

std::vector<buffer *> plugin::run(loaded_executable *what, const std::vector<buffer *> &arguments)
{
	std::vector<buffer *> results;
	const result r = try_run(what, arguments, results);
	EXPECT_TRUE(r) << r.message;
	return results;
}

void plugin::drop(buffer *what)
{
	abi::Buffer_Destroy_Args a{};
	a.buffer = what;
	must(slot::Buffer_Destroy, a);
}

void plugin::drop(loaded_executable *what)
{
	abi::LoadedExecutable_Destroy_Args a{};
	a.executable = what;
	must(slot::LoadedExecutable_Destroy, a);
}

bool plugin::deleted(buffer *what)
{
	abi::Buffer_IsDeleted_Args a{};
	a.buffer = what;
	return must(slot::Buffer_IsDeleted, a).is_deleted;
}

void plugin::remove(buffer *what)
{
	abi::Buffer_Delete_Args a{};
	a.buffer = what;
	must(slot::Buffer_Delete, a);
}

} // namespace loom::pjrt::test
