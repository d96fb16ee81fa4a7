// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Where the other threads of this process are, many times a second of wall
// time: each has a timer whose signal notes the place. No part of what is
// measured has to know of it.
#pragma once

#include <csignal>
#include <cstdint>
#include <cstdio>
#include <ctime>
#include <vector>

namespace loom_bench {

class sampler {
public:
  // Starts on every thread but the calling one; they must exist by now.
  explicit sampler(unsigned per_second);
  ~sampler() { stop(); }
  void stop();
  // One line of JSON: seconds, and for each thread {place: times}. A place is
  // an offset into the executable, or -1 where the thread was asleep or in a
  // library that none of the executable's functions had called directly.
  void print(std::FILE *out, double seconds) const;

private:
  std::vector<timer_t> timers;
};

} // namespace loom_bench
