// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Random programs that are valid and whose results do not depend on how queues
// overlap: the generator knows what every record reads and writes and orders
// what conflicts by semaphores, or by a FENCE where it runs short of them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "loom_target.h"
#include "program_builder.h"

namespace loom_random {

struct program {
  uint64_t seed = 0;
  std::string target_name;
  loom_target target{};
  std::vector<uint8_t> file; // the container
  std::vector<uint8_t> code;
  std::vector<loom_prog_segment> segments;
  std::vector<loom_prog_slot> slots;
  std::vector<std::vector<uint8_t>> contents; // of every slot, before the call
};

program generate(uint64_t seed, const std::string &target_name,
                 const loom_target &target);

} // namespace loom_random
