// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "executable.h"

#include <thread>

#include "harness.h"
#include "loaded_executable.h"

namespace loom::pjrt::test {

class Executable : public plugin {
protected:
	executable *of_loaded(loaded_executable *f)
	{
		abi::LoadedExecutable_GetExecutable_Args a{};
		a.loaded_executable = f;
		return must(slot::LoadedExecutable_GetExecutable, a).executable;
	}
	void drop_executable(executable *e)
	{
		abi::Executable_Destroy_Args a{};
		a.executable = e;
		must(slot::Executable_Destroy, a);
	}
};

TEST_F(Executable, DescribesItself)
{
	loaded_executable *f = compile("update");
	executable *e = of_loaded(f);
	abi::Executable_Name_Args name{};
	name.executable = e;
	must(slot::Executable_Name, name);
	EXPECT_EQ(std::string(name.executable_name, name.executable_name_size), "jit_update");
	abi::Executable_OutputDimensions_Args dims{};
	dims.executable = e;
	must(slot::Executable_OutputDimensions, dims);
	ASSERT_EQ(dims.num_outputs, 2u);
	EXPECT_EQ(dims.dim_sizes[0], 1u);
	EXPECT_EQ(dims.dim_sizes[1], 0u);
	EXPECT_EQ(dims.dims[0], 4);
	abi::Executable_OutputElementTypes_Args types{};
	types.executable = e;
	must(slot::Executable_OutputElementTypes, types);
	EXPECT_EQ(types.output_types[1], abi::element::f32);
	abi::Executable_GetCompiledMemoryStats_Args memory{};
	memory.executable = e;
	must(slot::Executable_GetCompiledMemoryStats, memory);
	EXPECT_EQ(memory.argument_size_in_bytes, 32);
	EXPECT_EQ(memory.output_size_in_bytes, 20);
	EXPECT_EQ(memory.alias_size_in_bytes, 16);
	drop_executable(e);
	drop(f);
}

TEST_F(Executable, KnowsItsCosts)
{
	loaded_executable *f = compile("matmul");
	executable *e = of_loaded(f);
	abi::Executable_GetCostAnalysis_Args a{};
	a.executable = e;
	must(slot::Executable_GetCostAnalysis, a);
	ASSERT_GE(a.num_properties, 3u);
	EXPECT_EQ(std::string(a.properties[0].name), "flops");
	EXPECT_EQ(a.properties[0].float_value, 2 * 8 * 16 * 4);
	EXPECT_GT(a.properties[2].float_value, 0);
	drop_executable(e);
	drop(f);
}

TEST_F(Executable, HasNoTextAndSaysWhereToLook)
{
	loaded_executable *f = compile("update");
	executable *e = of_loaded(f);
	abi::program_text program{};
	program.struct_size = sizeof(program);
	abi::Executable_OptimizedProgram_Args a{};
	a.executable = e;
	a.program = &program;
	const result r = call(slot::Executable_OptimizedProgram, a);
	EXPECT_EQ(r.code, abi::code::unimplemented);
	EXPECT_EQ(r.message,
		  "jit_update: a program of Loom has no HLO; loom.report(f, *args) and loom.placement(f, *args) "
		  "say what it is made of");
	drop_executable(e);
	drop(f);
}

TEST_F(Executable, GoesThroughBytes)
{
	loaded_executable *f = compile("update");
	executable *e = of_loaded(f);
	abi::Executable_Serialize_Args s{};
	s.executable = e;
	must(slot::Executable_Serialize, s);
	std::string bytes(s.serialized_bytes, s.serialized_bytes_size);
	s.serialized_executable_deleter(s.serialized_executable);
	drop_executable(e);
	drop(f);
	abi::Executable_DeserializeAndLoad_Args d{};
	d.client = of;
	d.serialized_executable = bytes.data();
	d.serialized_executable_size = bytes.size();
	must(slot::Executable_DeserializeAndLoad, d);
	buffer *w = put({1, 2, 3, 4}), *g = put({1, 1, 1, 1});
	const auto y = run(d.loaded_executable, {w, g});
	EXPECT_EQ(get(y[0]), (std::vector<float>{0, 1, 2, 3}));
	for (buffer *b : {w, g, y[0], y[1]})
		drop(b);
	drop(d.loaded_executable);
	// No byte may change, none may be missing.
	for (size_t at = 0; at < bytes.size(); at += 97) {
		std::string damaged = bytes;
		damaged[at] = static_cast<char>(damaged[at] ^ 0x55);
		d.serialized_executable = damaged.data();
		EXPECT_EQ(call(slot::Executable_DeserializeAndLoad, d).code, abi::code::invalid_argument) << at;
		d.serialized_executable = bytes.data();
		d.serialized_executable_size = at;
		EXPECT_EQ(call(slot::Executable_DeserializeAndLoad, d).code, abi::code::invalid_argument) << at;
		d.serialized_executable_size = bytes.size();
	}
}

TEST_F(Executable, BadArtifactsAreMessages)
{
	loaded_executable *f = nullptr;
	EXPECT_EQ(try_compile("", f).code, abi::code::invalid_argument);
	EXPECT_EQ(try_compile("module {}", f).code, abi::code::invalid_argument);
	const std::string good = fixture("update");
	for (size_t n = 0; n < good.size(); n += 13) {
		const result r = try_compile(good.substr(0, n), f);
		EXPECT_FALSE(r);
		EXPECT_FALSE(r.message.empty());
	}
	const std::string two_replicas("\x1a\x02\x20\x02", 4), nonsense("\xff\xff\xff", 3);
	result r = try_compile(good, f, two_replicas);
	EXPECT_EQ(r.code, abi::code::unimplemented);
	EXPECT_NE(r.message.find("2 replicas"), std::string::npos) << r.message;
	EXPECT_EQ(try_compile(good, f, nonsense).code, abi::code::invalid_argument);
}

TEST_F(Executable, ThreadsCompileAtOnce)
{
	std::vector<std::thread> threads;
	for (const char *name : {"add_one", "update", "twice", "matmul"})
		threads.emplace_back([this, name] {
			for (int i = 0; i < 5; i++)
				drop(compile(name));
		});
	for (std::thread &t : threads)
		t.join();
}

} // namespace loom::pjrt::test
