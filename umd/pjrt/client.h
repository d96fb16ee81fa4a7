// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// PJRT_Client: the devices, and what was compiled for them.
#pragma once

#include <memory>
#include <vector>

#include "device.h"
#include "options.h"
#include "topology.h"

namespace loom::pjrt {

class client {
public:
	explicit client(const client_options &options);
	~client();

	std::vector<std::unique_ptr<device>> owned;
	std::vector<device *> devices;
	std::vector<memory *> memories;
	const std::string version;
	std::unique_ptr<pjrt::topology> topology;

	// Throws NOT_FOUND.
	device *find(int id) const;
};

} // namespace loom::pjrt
