// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Batches of cases in processes of their own, so that a crash costs one case
// and is counted.
#pragma once

#include <functional>
#include <string>

namespace conformance {

struct pool {
  unsigned workers = 1;
  unsigned batch = 64;
  unsigned seconds = 60; // that one case may take
};

// work(n) gives the result of case n as one line; lost(n, why) the line of a
// case whose process died. Results come in any order.
void run_all(
    const pool &how, size_t cases,
    const std::function<std::string(size_t)> &work,
    const std::function<std::string(size_t, const std::string &)> &lost,
    const std::function<void(const std::string &)> &take);

} // namespace conformance
