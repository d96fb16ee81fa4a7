// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The last verifier: a whole NPU stream, from its bytes alone.

#ifndef LOOM_TARGET_PROGRAM_VERIFIER_H
#define LOOM_TARGET_PROGRAM_VERIFIER_H

#include "loom/Target/Program/Record.h"
#include "loom_target.h"

namespace mlir::loom::program {

struct SlotLimits {
  std::string name;
  uint64_t bytes = 0;
  uint32_t rights = 0; // LOOM_RIGHT_*
};

struct Problem {
  uint32_t unit = 0;  // of the record
  uint32_t other = 0; // unordered conflicts: of the earlier record
  std::string text;
};

/// Splits a stream into records. False if a length leaves the stream.
bool splitRecords(const uint8_t *code, size_t bytes,
                  std::vector<Record> &records);

/// Shape of each record; bounds of every footprint against slots, SRAM and
/// accumulators; rights; features; every semaphore balanced, within its range
/// and free of deadlock; every conflict between two queues ordered. At most
/// `limit` problems.
std::vector<Problem> verifyRecords(const std::vector<Record> &records,
                                   const std::vector<SlotLimits> &slots,
                                   const loom_target &target,
                                   size_t limit = 20);

} // namespace mlir::loom::program

#endif // LOOM_TARGET_PROGRAM_VERIFIER_H
