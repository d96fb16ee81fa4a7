// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// One case: compiled, run on the model, compared.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "corpus.h"
#include "judge.h"

namespace conformance {

struct verdict {
  std::string status;    // "npu", "cpu", "refused", "wrong", "crash"
  std::string reason;    // of the last three
  std::string operation; // refused: the operation that is
  distance off;
  uint64_t cycles = 0;
};

// A warm compiler and a device, for many cases.
class bench {
public:
  explicit bench(const std::string &target);
  ~bench();
  verdict run(const test_case &c);

private:
  struct state;
  std::unique_ptr<state> s;
};

} // namespace conformance
