// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>

#include "escapes.h"

namespace loom_random {

// What came of many programs.
class tally {
public:
  void fault(uint32_t code) { faults.at(code)++; }
  void kind(const escape &e) {
    kinds[e.kind]++;
    outside += e.outside;
    count++;
  }
  void fail(const escape &e, uint64_t i, const std::string &why);
  // Prints the histogram and a line of JSON; not 0 if anything failed. whole:
  // every fault that a program can cause has to have occurred.
  int close(bool whole);

private:
  std::array<uint64_t, LOOM_NUM_FAULTS> faults{};
  std::map<std::string, uint64_t> kinds;
  uint64_t count = 0, outside = 0, failures = 0;
};

int escape_in_process(uint64_t seed, uint64_t count);
int escape_on_device(const std::string &node, uint64_t seed, uint64_t count);

// A failed job's message has to name fault, slot and offset, instruction and
// module path; what is missing, or "".
std::string missing_in_message(const loom_completion &end,
                               const std::string &message);

} // namespace loom_random
