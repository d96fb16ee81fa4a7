// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "Steps.h"

#include <algorithm>

using namespace mlir::loom;

/// Segments that no step runs yet, as many at a time as a chain takes.
void Steps::chain(uint32_t segments) {
  while (chained < segments) {
    const uint32_t count =
        std::min<uint32_t>(segments - chained, LOOM_PROG_MAX_SEGMENTS);
    steps.push_back({LOOM_STEP_RUN, {}, chained, count, 0, 0});
    chained += count;
  }
}

void Steps::begin(loom_prog_step loop, uint32_t segments) {
  chain(segments);
  open.push_back(steps.size());
  steps.push_back(loop);
}

void Steps::begin(uint64_t times, uint32_t segments) {
  begin({LOOM_STEP_REPEAT, {}, 0, 0, 0, times}, segments);
}

void Steps::beginWhile(uint32_t cond, uint32_t segments) {
  conditions = true;
  begin({LOOM_STEP_WHILE, {}, 0, 0, cond, 0}, segments);
}

bool Steps::end(uint32_t segments) {
  chain(segments);
  loom_prog_step &loop = steps[open.back()];
  loop.count = steps.size() - open.back() - 1;
  open.pop_back();
  return loop.count;
}

uint64_t Steps::rounds() const {
  uint64_t times = 1;
  for (size_t loop : open)
    if (steps[loop].kind == LOOM_STEP_REPEAT)
      times *= steps[loop].arg;
  return times;
}

std::vector<loom_prog_step> Steps::take(uint32_t segments) {
  chain(segments);
  if (steps.size() == 1)
    steps.clear();
  return std::move(steps);
}
