// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "compile.h"

#include <chrono>

#include "cache.h"
#include "counters.h"
#include "plugin.h"

namespace loom::pjrt {
namespace {

struct artifact_deleter {
	void operator()(loom_artifact *a) const { loom_artifact_destroy(a); }
	void operator()(loom_compiled *c) const { loom_compiled_destroy(c); }
};
using artifact_ptr = std::unique_ptr<loom_artifact, artifact_deleter>;
using compiled_ptr = std::unique_ptr<loom_compiled, artifact_deleter>;

class stopwatch {
public:
	~stopwatch()
	{
		const auto spent = std::chrono::steady_clock::now() - begin;
		count().compile_ns +=
			static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(spent).count());
	}

private:
	const std::chrono::steady_clock::time_point begin = std::chrono::steady_clock::now();
};

artifact_ptr read(std::string_view bytes)
{
	loom_artifact *artifact = nullptr;
	loom_error error{};
	check(loom_artifact_read(bytes.data(), bytes.size(), &artifact, &error), error, "");
	return artifact_ptr(artifact);
}

program_ptr run_compiler(loom_artifact &artifact, const loom_target &target)
{
	const stopwatch time;
	std::string messages;
	loom_compile_options options{};
	options.size = sizeof(options);
	options.target = &target;
	options.in_place = 1;
	options.opaque = &messages;
	options.message = [](void *to, const char *text) {
		auto &all = *static_cast<std::string *>(to);
		all += all.empty() ? "" : "\n";
		all += text;
	};
	loom_compiled *compiled = nullptr;
	loom_error error{};
	const int status = loom_artifact_compile(&artifact, &options, &compiled, &error);
	if (status)
		throw failure(code_of_errno(status), fmt::format("{}: {}", loom_artifact_name(&artifact), messages));
	const compiled_ptr owner(compiled);
	count().compiled++;
	return std::make_shared<compiled_program>(*compiled);
}

// What else decides what a module becomes.
std::string key_of(const loom_artifact &artifact, const loom_target &target)
{
	return fmt::format("{}-{:016x}-{:016x}", loom_artifact_fingerprint(&artifact),
			   loom_prog_hash(&target, sizeof(target)),
			   loom_prog_hash(build_id().data(), build_id().size()));
}

} // namespace

program_ptr compile_module(std::string_view bytes, const loom_target &target)
{
	count().compile_requests++;
	const artifact_ptr artifact = read(bytes);
	return program_cache::shared().get(key_of(*artifact, target), [&] { return run_compiler(*artifact, target); });
}

} // namespace loom::pjrt
