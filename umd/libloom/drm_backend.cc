// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The device behind /dev/accel/accelN, over libdrm.
#include <fcntl.h>

#include "drm_instance.h"

namespace loom {
namespace {

using namespace drm;

class drm_device : public device {
public:
	explicit drm_device(const std::string &path) : on(std::make_shared<node>(path))
	{
		name = path;
		check_driver();
		drm_loom_hw hw{};
		static_assert(sizeof(hw) == sizeof(target));
		drm_loom_dev_query query{DRM_LOOM_QUERY_HW, sizeof(hw), reinterpret_cast<uintptr_t>(&hw)};
		on->call(DRM_IOCTL_LOOM_DEV_QUERY, &query, "asking for the hardware");
		std::memcpy(&target, &hw, sizeof(target));
		context = std::make_shared<drm_context>(on);
	}
	std::shared_ptr<buffer> create_buffer(uint64_t bytes) override
	{
		return std::make_shared<drm_buffer>(on, bytes);
	}
	std::shared_ptr<program> adopt(std::shared_ptr<program> checked) override
	{
		return std::make_shared<drm_program>(on, std::move(*checked));
	}
	std::shared_ptr<instance> create_instance(std::shared_ptr<program> of) override
	{
		return std::make_shared<drm_instance>(context, std::move(of));
	}
	loom_device_stats stats() override
	{
		drm_loom_stats s{};
		drm_loom_dev_query query{DRM_LOOM_QUERY_STATS, sizeof(s), reinterpret_cast<uintptr_t>(&s)};
		on->call(DRM_IOCTL_LOOM_DEV_QUERY, &query, "asking for counters");
		return {s.jobs_completed + s.jobs_faulted,	 s.device_jobs, s.jobs_faulted, s.resets, s.cycles,
			s.cpu_completed + context->user_segments};
	}

private:
	void check_driver() const
	{
		drmVersionPtr version = drmGetVersion(on->fd);
		const std::string driver = version ? std::string(version->name, version->name_len) : "";
		const int major = version ? version->version_major : 0;
		drmFreeVersion(version);
		if (driver != "loom")
			throw failure(-ENODEV, fmt::format("{}: its driver is \"{}\", not loom; give a /dev/accel node "
							   "of loom, or use --device sim",
							   name, driver));
		if (major != DRM_LOOM_VERSION_MAJOR)
			throw failure(-ENODEV, fmt::format("{}: driver interface {}, this library speaks {}; install "
							   "matching versions",
							   name, major, DRM_LOOM_VERSION_MAJOR));
	}
	std::shared_ptr<node> on;
	std::shared_ptr<drm_context> context;
};

} // namespace

std::shared_ptr<device> open_drm(const std::string &path)
{
	return std::make_shared<drm_device>(path);
}

std::string find_drm()
{
	for (int i = 0; i < 64; i++) {
		const std::string path = fmt::format("/dev/accel/accel{}", i);
		const int fd = open(path.c_str(), O_RDWR | O_CLOEXEC);
		if (fd < 0)
			continue;
		drmVersionPtr version = drmGetVersion(fd);
		const bool ours = version && std::string(version->name, version->name_len) == "loom";
		drmFreeVersion(version);
		close(fd);
		if (ours)
			return path;
	}
	return {};
}

} // namespace loom
