// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Random programs that are valid and whose results do not depend on how queues
// overlap: the generator knows what every record reads and writes and orders
// what conflicts by semaphores, or by a FENCE where it runs short of them.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "loom_target.h"
#include "program_builder.h"
#include "rng.h"

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

// One segment: a few valid records, then whatever `middle` adds, then the usual
// end, which dumps memory and registers. The oracle knows nothing of it.
program generate_around(
    uint64_t seed, const std::string &target_name, const loom_target &target,
    const std::function<void(loom_test::program_builder &, rng &)> &middle);

// Where a copy may go without harm: slots of generated programs.
enum slot_number : uint32_t {
  S_IN,
  S_OUT,
  S_INOUT,
  S_CONST,
  S_SCRATCH,
  S_STATE,
  S_COUNT
};

program generate(uint64_t seed, const std::string &target_name,
                 const loom_target &target);

} // namespace loom_random
