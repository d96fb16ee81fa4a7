// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// PJRT_TopologyDescription: the devices of a client.
#pragma once

#include <string>
#include <vector>

#include "named_values.h"

namespace loom::pjrt {

class topology {
public:
	explicit topology(std::vector<device *> devices, std::string version);

	const std::vector<device *> devices;
	const std::string version, text;
	named_values attributes;
};

} // namespace loom::pjrt
