// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The schedule of an entry point: chains of its segments, and loops round them.

#ifndef LOOM_LIB_TARGET_ENCODER_STEPS_H
#define LOOM_LIB_TARGET_ENCODER_STEPS_H

#include "loom_program.h"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace mlir::loom {

class Steps {
public:
  /// A loop begins behind the first `segments` of the entry point.
  void begin(uint64_t times, uint32_t segments);
  void beginWhile(uint32_t cond, uint32_t segments);
  /// False if there is nothing in the loop.
  bool end(uint32_t segments);
  /// Loops around what comes next: how many, and how often they run it, once
  /// for those that data end.
  uint32_t depth() const { return open.size(); }
  uint64_t rounds() const;
  bool asks() const { return conditions; }
  /// All steps; none if the segments are one chain.
  std::vector<loom_prog_step> take(uint32_t segments);

private:
  void begin(loom_prog_step loop, uint32_t segments);
  void chain(uint32_t segments);

  std::vector<loom_prog_step> steps;
  std::vector<size_t> open; // loops
  uint32_t chained = 0;     // segments
  bool conditions = false;
};

} // namespace mlir::loom

#endif // LOOM_LIB_TARGET_ENCODER_STEPS_H
