// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Programs of a corpus in one or several contexts at once: each has to give
// its own bytes and its own cycles, whoever else keeps the device busy.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "corpus.h"
#include "loom/loom.hpp"

namespace loom_random {

// The device that a context uses for a target; null where there is none.
using device_finder =
    std::function<loom_cpp::device *(uint64_t context, const loom_target &)>;

struct load_result {
  std::vector<std::string> wrong; // a line for each mismatch
  std::string hash;               // of all arguments, in the corpus' order
  uint64_t cycles = 0;            // of one context
};

std::string hash(const std::vector<std::vector<uint8_t>> &args);

// Every context runs all entries, each from another one on, so that different
// programs meet; with one context the order is the corpus'.
load_result run_loaded(const std::vector<corpus_entry> &entries,
                       uint64_t contexts, const device_finder &device);

} // namespace loom_random
