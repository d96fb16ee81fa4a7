// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "escape_runs.h"

#include <cstdio>

#include "loom/loom.hpp"

namespace loom_random {

namespace {

// Causes outside the program: bus, page lists, the job ring, and a code that
// this release does not have. Tests of the device cause those.
bool by_program(uint32_t fault) {
  return fault != LOOM_FAULT_DMA && fault != LOOM_FAULT_PAGE_LIST &&
         fault != LOOM_FAULT_CODEC && fault != LOOM_FAULT_JOB &&
         fault != LOOM_FAULT_ABORTED &&
         fault != LOOM_FAULT_HAZARD; // the checker's
}

} // namespace

void tally::fail(const escape &e, uint64_t i, const std::string &why) {
  if (++failures <= 40)
    std::printf("program %llu (%s): %s\n", static_cast<unsigned long long>(i),
                e.kind.c_str(), why.c_str());
}

int tally::close(bool whole) {
  for (const auto &[kind, n] : kinds)
    std::printf("%8llu  %s\n", static_cast<unsigned long long>(n),
                kind.c_str());
  uint64_t absent = 0;
  for (uint32_t f = 0; f < LOOM_NUM_FAULTS; f++) {
    std::printf("%8llu  fault %u %s%s\n",
                static_cast<unsigned long long>(faults[f]), f,
                loom_fault_name(f), by_program(f) ? "" : " (not by a program)");
    if (whole && by_program(f) && !faults[f]) {
      std::printf("fault %s did not occur\n", loom_fault_name(f));
      absent++;
    }
  }
  if (2 * outside < count) {
    std::printf("less than half of the programs aim outside\n");
    absent++;
  }
  std::printf("{\"count\": %llu, \"outside\": %llu, \"failures\": %llu, "
              "\"absent\": %llu}\n",
              static_cast<unsigned long long>(count),
              static_cast<unsigned long long>(outside),
              static_cast<unsigned long long>(failures),
              static_cast<unsigned long long>(absent));
  return failures || absent;
}

std::string missing_in_message(const loom_completion &end,
                               const std::string &message) {
  const auto has = [&](const std::string &s) {
    return message.find(s) != std::string::npos;
  };
  const bool memory = end.fault == LOOM_FAULT_SRAM_BOUNDS ||
                      end.fault == LOOM_FAULT_SLOT_BOUNDS;
  const bool slot = end.fault == LOOM_FAULT_SLOT ||
                    end.fault == LOOM_FAULT_SLOT_BOUNDS ||
                    end.fault == LOOM_FAULT_SLOT_RIGHTS;
  std::string lacks;
  if (!has(loom_fault_name(end.fault)))
    lacks = "the fault's name";
  else if (!has("instruction " + std::to_string(end.unit)))
    lacks = "the instruction";
  else if (end.loc > 0 && end.loc < 4 &&
           !has("Block_" + std::to_string(end.loc) +
                " (random.py:" + std::to_string(end.loc)))
    lacks = "the module path";
  else if (slot && !has("slot " + std::to_string(end.slot)))
    lacks = "the slot";
  else if (memory && !has("0x"))
    lacks = "the offset";
  return lacks.empty() ? "" : "the message lacks " + lacks + ": " + message;
}

} // namespace loom_random
