// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <cstdlib>

#include "client.h"
#include "harness.h"

namespace loom::pjrt::test {

class Client : public plugin {
protected:
	Client() : plugin(2) {}
};

TEST_F(Client, HasItsDevices)
{
	abi::Client_Devices_Args a{};
	a.client = of;
	must(slot::Client_Devices, a);
	ASSERT_EQ(a.num_devices, 2u);
	abi::Client_LookupDevice_Args look{};
	look.client = of;
	look.id = 1;
	EXPECT_EQ(must(slot::Client_LookupDevice, look).device, a.devices[1]);
	look.id = 2;
	const result r = call(slot::Client_LookupDevice, look);
	EXPECT_EQ(r.code, abi::code::not_found);
	EXPECT_EQ(r.message, "no device 2; there are 2, from 0 on");
}

TEST_F(Client, DescribesADevice)
{
	abi::Device_GetAttributes_Args a{};
	a.device = devices[0];
	must(slot::Device_GetAttributes, a);
	ASSERT_TRUE(a.attributes_deleter);
	a.attributes_deleter(a.device_attributes);
	ASSERT_GE(a.num_attributes, 2u);
	EXPECT_EQ(std::string(a.attributes[1].string_value, a.attributes[1].value_size), "npu64");
	abi::DeviceDescription_ToString_Args text{};
	text.device_description = devices[1];
	must(slot::DeviceDescription_ToString, text);
	EXPECT_EQ(std::string(text.to_string, text.to_string_size), "LoomDevice(id=1, sim, npu64)");
}

TEST_F(Client, AMemoryKeepsWhatItsUserHangsOnIt)
{
	static int destroyed;
	destroyed = 0;
	memory &m = devices[0]->space;
	int first = 1, second = 2;
	const auto count = [](void *p) { destroyed += *static_cast<int *>(p); };
	EXPECT_EQ(m.table->get_user_data(&m, &first), nullptr);
	m.table->set_user_data(&m, &first, &first, count);
	EXPECT_EQ(m.table->get_user_data(&m, &first), &first);
	m.table->set_user_data(&m, &first, &second, nullptr);
	EXPECT_EQ(destroyed, 1);
}

TEST_F(Client, AssignsReplicasToDevices)
{
	int ids[2] = {-1, -1};
	abi::Client_DefaultDeviceAssignment_Args a{};
	a.client = of;
	a.num_replicas = 2;
	a.num_partitions = 1;
	a.default_assignment = ids;
	a.default_assignment_size = 2;
	must(slot::Client_DefaultDeviceAssignment, a);
	EXPECT_EQ(ids[1], 1);
	a.num_partitions = 2;
	EXPECT_EQ(call(slot::Client_DefaultDeviceAssignment, a).code, abi::code::invalid_argument);
}

static result create()
{
	abi::Client_Create_Args a{};
	const result r = call(slot::Client_Create, a);
	if (r) {
		abi::Client_Destroy_Args d{};
		d.client = a.client;
		must(slot::Client_Destroy, d);
	}
	return r;
}

class Environment : public ::testing::Test {
protected:
	Environment()
	{
		for (const char *name : {"LOOM_DEVICE", "LOOM_SIM_DEVICES", "LOOM_MEMORY_LIMIT", "LOOM_TARGET"})
			unsetenv(name);
	}
	~Environment() override
	{
		for (const char *name : {"LOOM_SIM_DEVICES", "LOOM_MEMORY_LIMIT", "LOOM_TARGET"})
			unsetenv(name);
	}
};

TEST_F(Environment, BadChoicesAreNamed)
{
	setenv("LOOM_DEVICE", "sim:npu7", 1);
	result r = create();
	EXPECT_EQ(r.code, abi::code::invalid_argument);
	EXPECT_NE(r.message.find("sim:npu7: no target of that name"), std::string::npos) << r.message;
	setenv("LOOM_DEVICE", "/dev/null", 1);
	r = create();
	EXPECT_FALSE(r);
	EXPECT_NE(r.message.find("/dev/null"), std::string::npos) << r.message;
	setenv("LOOM_DEVICE", "/dev/accel/accel999", 1);
	EXPECT_EQ(create().code, abi::code::not_found);
	setenv("LOOM_DEVICE", "sim", 1);
	for (const char *bad : {"0", "-1", "many", "65"}) {
		setenv("LOOM_SIM_DEVICES", bad, 1);
		r = create();
		EXPECT_EQ(r.code, abi::code::invalid_argument);
		EXPECT_EQ(r.message, fmt::format("LOOM_SIM_DEVICES={}: use a number from 1 to 64", bad));
	}
	setenv("LOOM_DEVICE", "/dev/accel/accel0", 1);
	setenv("LOOM_SIM_DEVICES", "2", 1);
	EXPECT_NE(create().message.find("leave one of them out"), std::string::npos);
	setenv("LOOM_TARGET", "npu8", 1);
	EXPECT_NE(create().message.find("has a target of its own"), std::string::npos);
}

TEST_F(Environment, ChoosesTheTarget)
{
	setenv("LOOM_TARGET", "npu8", 1);
	abi::Client_Create_Args a{};
	must(slot::Client_Create, a);
	EXPECT_EQ(a.client->devices[0]->kind, "Loom npu8");
	abi::Client_Destroy_Args d{};
	d.client = a.client;
	must(slot::Client_Destroy, d);
}

TEST_F(Environment, OptionsOfTheCallAreNamedIfUnknown)
{
	named_values options;
	options.add("colour", std::string("blue"));
	abi::Client_Create_Args a{};
	a.create_options = options.data();
	a.num_options = options.size();
	const result r = call(slot::Client_Create, a);
	EXPECT_EQ(r.code, abi::code::invalid_argument);
	EXPECT_NE(r.message.find("'colour'"), std::string::npos) << r.message;
}

} // namespace loom::pjrt::test
