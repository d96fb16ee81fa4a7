// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// loom/compile.h: what is refused, and how; what its programs do on libloom, without PJRT.
#include "loom/compile.h"

#include <cerrno>
#include <cstring>
#include <memory>
#include <thread>

#include "harness.h"

namespace loom::pjrt::test {
namespace {

using floats = std::vector<float>;

struct deleter {
	void operator()(loom_artifact *a) const { loom_artifact_destroy(a); }
	void operator()(loom_compiled *c) const { loom_compiled_destroy(c); }
	void operator()(loom_device *d) const { loom_device_close(d); }
	void operator()(loom_program *p) const { loom_program_destroy(p); }
	void operator()(loom_instance *i) const { loom_instance_destroy(i); }
	void operator()(loom_buffer *b) const { loom_buffer_destroy(b); }
};
template <class T> using owned = std::unique_ptr<T, deleter>;

loom_compile_options plain()
{
	loom_compile_options o{};
	o.size = sizeof(o);
	return o;
}

loom_compile_options as_jax()
{
	loom_compile_options o = plain();
	o.in_place = 1;
	return o;
}

owned<loom_compiled> compiled(const std::string &name, const loom_compile_options &options)
{
	const std::string bytes = fixture(name);
	loom_compiled *made = nullptr;
	loom_error error{};
	EXPECT_EQ(loom_compile(bytes.data(), bytes.size(), &options, &made, &error), 0) << error.message;
	return owned<loom_compiled>(made);
}

struct refusal {
	int code;
	std::string message;
};

refusal refused(const std::string &bytes, const loom_compile_options *options)
{
	loom_compiled *made = reinterpret_cast<loom_compiled *>(&options);
	loom_error error{};
	const int status = loom_compile(bytes.data(), bytes.size(), options, &made, &error);
	EXPECT_FALSE(made);
	EXPECT_EQ(status, error.code);
	EXPECT_EQ(loom_compile(bytes.data(), bytes.size(), options, &made, nullptr), status);
	return {status, error.message};
}

#define EXPECT_SAYS(r, text) EXPECT_NE((r).message.find(text), std::string::npos) << (r).message

// A compiled program on a device in this process, with memory for each of its slots.
class running {
public:
	explicit running(const loom_compiled *what) : what(what)
	{
		loom_error error{};
		loom_device *d = nullptr;
		loom_program *p = nullptr;
		loom_instance *i = nullptr;
		size_t bytes = 0;
		const void *code = loom_compiled_program(what, &bytes);
		EXPECT_EQ(loom_device_open("sim", &d, &error), 0) << error.message;
		device.reset(d);
		EXPECT_EQ(loom_program_load(d, code, bytes, &p, &error), 0) << error.message;
		program.reset(p);
		EXPECT_EQ(loom_instance_create(p, &i, &error), 0) << error.message;
		instance.reset(i);
		for (uint32_t n = 0; const loom_value *v = loom_compiled_argument(what, n); n++)
			bind(*v);
		for (uint32_t n = 0; const loom_value *v = loom_compiled_result(what, n); n++)
			if (!(v->flags & LOOM_VALUE_IN_PLACE))
				bind(*v);
	}
	float *argument(uint32_t n) { return data(loom_compiled_argument(what, n)->slot); }
	floats result(uint32_t n)
	{
		const loom_value *v = loom_compiled_result(what, n);
		return {data(v->slot), data(v->slot) + v->bytes / sizeof(float)};
	}
	void run()
	{
		loom_job_desc job{};
		job.n_bindings = static_cast<uint32_t>(bindings.size());
		job.bindings = bindings.data();
		loom_result result{};
		loom_error error{};
		ASSERT_EQ(loom_run(instance.get(), &job, &result, &error), 0) << error.message;
		EXPECT_EQ(result.status, 0) << result.message;
	}

private:
	void bind(const loom_value &v)
	{
		if (v.slot == LOOM_NO_SLOT)
			return;
		loom_buffer *b = nullptr;
		loom_error error{};
		ASSERT_EQ(loom_buffer_create(device.get(), v.bytes, &b, &error), 0) << error.message;
		buffers.emplace_back(b);
		bindings.push_back({v.slot, 0, b, 0});
	}
	float *data(uint32_t slot)
	{
		for (const loom_binding &b : bindings)
			if (b.slot == slot)
				return static_cast<float *>(loom_buffer_data(b.buffer));
		ADD_FAILURE() << "nothing is bound to slot " << slot;
		return nullptr;
	}

	const loom_compiled *what;
	owned<loom_device> device;
	owned<loom_program> program;
	owned<loom_instance> instance;
	std::vector<owned<loom_buffer>> buffers;
	std::vector<loom_binding> bindings;
};

} // namespace

TEST(Compile, BytesBecomeAProgramThatRuns)
{
	const auto made = compiled("update", plain());
	ASSERT_EQ(loom_compiled_num_arguments(made.get()), 2u);
	ASSERT_EQ(loom_compiled_num_results(made.get()), 2u);
	EXPECT_STREQ(loom_compiled_name(made.get()), "jit_update");
	const loom_value &weights = *loom_compiled_argument(made.get(), 0), &sum = *loom_compiled_result(made.get(), 1);
	EXPECT_STREQ(weights.name, "weights");
	EXPECT_EQ(weights.dtype, static_cast<uint32_t>(LOOM_F32));
	EXPECT_EQ(weights.rank, 1u);
	EXPECT_EQ(weights.dims[0], 4);
	EXPECT_EQ(weights.bytes, 16u);
	EXPECT_EQ(weights.flags, LOOM_VALUE_DONATED);
	EXPECT_EQ(sum.rank, 0u);
	EXPECT_EQ(sum.bytes, 4u);
	EXPECT_FALSE(loom_compiled_argument(made.get(), 2));
	EXPECT_FALSE(loom_compiled_result(made.get(), 2));
	EXPECT_NE(std::string(loom_compiled_report(made.get())).find("\"cycles\""), std::string::npos);
	EXPECT_NE(std::string(loom_compiled_placement(made.get())).find("\"target\""), std::string::npos);
	running r(made.get());
	for (int i = 0; i < 4; i++) {
		r.argument(0)[i] = static_cast<float>(i + 1);
		r.argument(1)[i] = 1;
	}
	r.run();
	EXPECT_EQ(r.result(0), (floats{0, 1, 2, 3}));
	EXPECT_EQ(r.result(1), (floats{10}));
	EXPECT_EQ(r.argument(0)[3], 4);
}

TEST(Compile, OptionsMayBeLeftOut)
{
	const std::string bytes = fixture("add_one");
	loom_compiled *made = nullptr;
	ASSERT_EQ(loom_compile(bytes.data(), bytes.size(), nullptr, &made, nullptr), 0);
	const owned<loom_compiled> owner(made);
	running r(made);
	r.argument(0)[2] = 41;
	r.run();
	EXPECT_EQ(r.result(0)[2], 42);
}

// What takes the place of a donated argument is its slot: also where the argument is read until the end.
TEST(Compile, InPlaceSharesTheSlotOfWhatIsDonated)
{
	for (const char *name : {"update", "flip"}) {
		const auto made = compiled(name, as_jax());
		const loom_value &y = *loom_compiled_result(made.get(), 0);
		EXPECT_EQ(y.flags, LOOM_VALUE_IN_PLACE) << name;
		EXPECT_EQ(y.same_as, 0u);
		EXPECT_EQ(y.slot, loom_compiled_argument(made.get(), 0)->slot);
		running r(made.get());
		for (uint32_t a = 0; a < loom_compiled_num_arguments(made.get()); a++)
			for (int i = 0; i < 4; i++)
				r.argument(a)[i] = static_cast<float>(a ? 1 : i + 1);
		r.run();
		EXPECT_EQ(r.result(0), std::string(name) == "flip" ? (floats{4, 3, 2, 1}) : (floats{0, 1, 2, 3}));
	}
}

TEST(Compile, ResultsThatAreThereHaveNoSlot)
{
	const auto made = compiled("twice", as_jax());
	const loom_value &x = *loom_compiled_result(made.get(), 0), &y = *loom_compiled_result(made.get(), 1),
			 &again = *loom_compiled_result(made.get(), 2);
	EXPECT_EQ(x.flags, LOOM_VALUE_ARGUMENT);
	EXPECT_EQ(x.slot, LOOM_NO_SLOT);
	EXPECT_EQ(y.flags, 0u);
	EXPECT_EQ(again.flags, LOOM_VALUE_RESULT);
	EXPECT_EQ(again.same_as, 1u);
	EXPECT_EQ(again.slot, LOOM_NO_SLOT);
	const auto nothing = compiled("same", as_jax());
	size_t bytes = 1;
	EXPECT_FALSE(loom_compiled_program(nothing.get(), &bytes));
	EXPECT_EQ(bytes, 0u);
	const auto apart = compiled("twice", plain());
	running r(apart.get());
	for (int i = 0; i < 4; i++)
		r.argument(0)[i] = static_cast<float>(i);
	r.run();
	EXPECT_EQ(r.result(0), (floats{0, 1, 2, 3}));
	EXPECT_EQ(r.result(1), (floats{1, 2, 3, 4}));
	EXPECT_EQ(r.result(2), r.result(1));
}

TEST(Compile, EnginesAreChosen)
{
	loom_compile_options cpu = plain(), npu = plain();
	cpu.cpu_only = 1;
	npu.require_npu = 1;
	const auto made = compiled("update", cpu);
	running r(made.get());
	for (int i = 0; i < 4; i++)
		r.argument(0)[i] = r.argument(1)[i] = static_cast<float>(i);
	r.run();
	EXPECT_EQ(r.result(1), (floats{14}));
	EXPECT_TRUE(compiled("matmul", npu));
	const refusal wide = refused(fixture("sort_wide"), &npu);
	EXPECT_EQ(wide.code, -ENOTSUP);
	EXPECT_SAYS(wide, "sort");
	EXPECT_SAYS(wide, "make.py:");
}

TEST(Compile, TwoStepsAreOne)
{
	const std::string bytes = fixture("add_one"), elsewhere = fixture("add_one_again");
	loom_artifact *read = nullptr, *other = nullptr;
	ASSERT_EQ(loom_artifact_read(bytes.data(), bytes.size(), &read, nullptr), 0);
	ASSERT_EQ(loom_artifact_read(elsewhere.data(), elsewhere.size(), &other, nullptr), 0);
	const owned<loom_artifact> one(read), two(other);
	EXPECT_STREQ(loom_artifact_name(read), "jit_add_one");
	EXPECT_STREQ(loom_artifact_fingerprint(read), loom_artifact_fingerprint(other));
	EXPECT_EQ(std::strlen(loom_artifact_fingerprint(read)), 64u);
	const loom_compile_options options = plain();
	loom_compiled *made = nullptr, *again = nullptr;
	loom_error error{};
	ASSERT_EQ(loom_artifact_compile(read, &options, &made, &error), 0) << error.message;
	const owned<loom_compiled> owner(made);
	EXPECT_STREQ(loom_compiled_fingerprint(made), loom_artifact_fingerprint(other));
	EXPECT_EQ(loom_artifact_compile(read, &options, &again, &error), -EINVAL);
	EXPECT_FALSE(again);
	EXPECT_NE(std::string(error.message).find("read it again"), std::string::npos) << error.message;
	EXPECT_NE(std::string(loom_compiler_version()), "");
}

TEST(Compile, BadBytesAreMessages)
{
	const loom_compile_options options = plain();
	const std::string good = fixture("update");
	for (const std::string &bytes : {std::string(), std::string("module {}"), good.substr(0, good.size() / 2),
					 good.substr(1), std::string(good.size(), '\xff')}) {
		const refusal r = refused(bytes, &options);
		EXPECT_EQ(r.code, -ENOEXEC) << r.message;
		EXPECT_NE(r.message, "");
	}
	for (size_t at = 0; at < good.size(); at++) {
		std::string damaged = good;
		damaged[at] = static_cast<char>(damaged[at] ^ 0x41);
		loom_compiled *made = nullptr;
		loom_error error{};
		const int status = loom_compile(damaged.data(), damaged.size(), &options, &made, &error);
		EXPECT_EQ(status == 0, made != nullptr) << at;
		EXPECT_EQ(status == 0, !error.message[0]) << at;
		loom_compiled_destroy(made);
	}
}

// Each message goes to the caller whole, the first of them into the error as well.
TEST(Compile, MessagesAreHandedOver)
{
	loom_compile_options options = plain();
	std::vector<std::string> messages;
	options.opaque = &messages;
	options.message = [](void *to, const char *text) {
		static_cast<std::vector<std::string> *>(to)->push_back(text);
	};
	const std::string bytes = fixture("over_limit");
	loom_compiled *made = nullptr;
	loom_error error{};
	EXPECT_EQ(loom_compile(bytes.data(), bytes.size(), &options, &made, &error), -ENOTSUP);
	ASSERT_EQ(messages.size(), 2u); // its argument and its result
	EXPECT_EQ(messages[0] + "\n" + messages[1], error.message);
	messages.clear();
	EXPECT_EQ(loom_compile("?", 1, &options, &made, &error), -ENOEXEC);
	EXPECT_EQ(messages, std::vector<std::string>{error.message});
	EXPECT_EQ(loom_compile("?", 1, &options, &made, nullptr), -ENOEXEC);
	EXPECT_EQ(messages.size(), 2u);
}

// One byte more than a buffer has; and so many that their number does not fit in 64 bits.
TEST(Compile, ArraysBeyondADeviceAreRefused)
{
	const loom_compile_options options = as_jax();
	const refusal over = refused(fixture("over_limit"), &options);
	EXPECT_EQ(over.code, -ENOTSUP);
	EXPECT_SAYS(over, "make.py:");
	EXPECT_SAYS(over, "argument 0 of main has type tensor<268435457xf32>: an array ends at 1 GiB; split it or "
			  "lower the batch");
	EXPECT_SAYS(over, "result 0 of main has type tensor<268435457xf32>");
	const refusal wraps = refused(fixture("over_int64"), &options);
	EXPECT_EQ(wraps.code, -ENOEXEC);
	EXPECT_SAYS(wraps, "a tensor of more than 1099511627776 elements; an array ends at 1 GiB");
}

TEST(Compile, BadOptionsAreNamed)
{
	const std::string good = fixture("add_one");
	loom_compile_options options = plain();
	options.size -= 8;
	EXPECT_SAYS(refused(good, &options), "size or a reserved field");
	options = plain();
	options.rsvd = 1;
	EXPECT_SAYS(refused(good, &options), "size or a reserved field");
	options = plain();
	options.cpu_only = options.require_npu = 1;
	EXPECT_SAYS(refused(good, &options), "cpu_only and require_npu exclude each other");
	loom_target target{};
	options = plain();
	options.target = &target;
	const refusal r = refused(good, &options);
	EXPECT_EQ(r.code, -EINVAL);
	EXPECT_SAYS(r, "loom_compile_options: target: isa_major must be 1");
}

TEST(Compile, NullIsRefused)
{
	const loom_compile_options options = plain();
	const std::string good = fixture("add_one");
	loom_compiled *made = nullptr;
	loom_artifact *read = nullptr;
	loom_error error{};
	EXPECT_EQ(loom_compile(nullptr, 8, &options, &made, &error), -EINVAL);
	EXPECT_STREQ(error.message, "artifact is NULL; give its address");
	EXPECT_EQ(loom_compile(good.data(), good.size(), &options, nullptr, &error), -EINVAL);
	EXPECT_STREQ(error.message, "compiled is NULL; give its address");
	EXPECT_EQ(loom_artifact_read(nullptr, 0, &read, &error), -EINVAL);
	EXPECT_STREQ(error.message, "artifact is NULL; give its address");
	EXPECT_EQ(loom_artifact_read(good.data(), good.size(), nullptr, &error), -EINVAL);
	EXPECT_STREQ(error.message, "read is NULL; give its address");
	EXPECT_EQ(loom_artifact_compile(nullptr, &options, &made, &error), -EINVAL);
	EXPECT_STREQ(error.message, "artifact is NULL; give its address");
	EXPECT_EQ(loom_artifact_compile(nullptr, &options, &made, nullptr), -EINVAL);
	loom_artifact_destroy(nullptr);
	loom_compiled_destroy(nullptr);
}

TEST(Compile, ThreadsDoNotMeet)
{
	std::vector<std::thread> threads;
	std::vector<std::string> reports(8);
	for (size_t t = 0; t < reports.size(); t++)
		threads.emplace_back([&, t] {
			for (int i = 0; i < 3; i++)
				reports[t] = loom_compiled_report(compiled(t % 2 ? "update" : "matmul", plain()).get());
		});
	for (std::thread &t : threads)
		t.join();
	for (size_t t = 2; t < reports.size(); t++)
		EXPECT_EQ(reports[t], reports[t % 2]);
}

} // namespace loom::pjrt::test
