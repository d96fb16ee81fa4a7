// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Runs a .loom file on the NPU model and the CPU engine, in this process.

#ifndef LOOM_UNITTESTS_TARGET_MODELRUNNER_H
#define LOOM_UNITTESTS_TARGET_MODELRUNNER_H

#include "loom_program.h"
#include "loom_regs.h"

#include <cstdint>
#include <string>
#include <vector>

namespace loom_test {

struct RunResult {
  std::string error;                         // empty: ran to HALT
  loom_completion completion;                // of the last segment on the NPU
  unsigned npuSegments = 0, cpuSegments = 0; // as often as they ran
  unsigned chains = 0;                       // that were submitted
  std::vector<std::vector<uint8_t>> outputs; // in order of the entry's outputs
};

/// `inputs` in order of the entry's inputs (all roles but output).
RunResult runProgram(const std::vector<uint8_t> &file,
                     const std::vector<std::vector<uint8_t>> &inputs);

} // namespace loom_test

#endif // LOOM_UNITTESTS_TARGET_MODELRUNNER_H
