// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// CPU segments run by this process: the in-process device's, and with LOOM_CPU=user those of /dev/accel devices.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "cpu_engine.h"
#include "cpu_variants.h"
#include "loom_regs.h"
#include "objects.h"

namespace loom {

class cpu_runner {
public:
	cpu_runner();
	// Runs segment number `index` of an entry point over slots; report is filled as the kernel's engine does.
	// Returns 0 or a negative errno; end says how the segment ended.
	int run(const program &p, const loom_prog_segment &seg, uint32_t index, const std::vector<loom_cpu_slot> &slots,
		std::vector<uint8_t> &report, loom_completion &end);

private:
	// Segment and operation that end with fault TRAP, once.
	struct injected {
		uint32_t segment, operation;
	};
	bool hits(uint32_t segment, uint32_t operation);

	struct alignas(64) scratch {
		uint8_t bytes[LOOM_CPU_SCRATCH_BYTES];
	};
	std::unique_ptr<scratch> memory = std::make_unique<scratch>();
	std::optional<injected> fail;	 // LOOM_CPU_FAIL
	const loom_cpu_variant *variant; // LOOM_ISA
};

} // namespace loom
