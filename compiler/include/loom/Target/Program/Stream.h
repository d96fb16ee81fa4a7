// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the records of a stream touch where base registers and loops move their
// addresses.

#ifndef LOOM_TARGET_PROGRAM_STREAM_H
#define LOOM_TARGET_PROGRAM_STREAM_H

#include "loom/Target/Program/Record.h"

namespace mlir::loom::program {

/// A loop of the stream: records [first, end), run `count` times.
struct LoopSpan {
  size_t first, end;
  int64_t count;
};

/// The loops, outer before inner. `problem` is set if one does not end at a
/// record, or crosses another; `at` then names its record.
std::vector<LoopSpan> loopsOf(const std::vector<Record> &records,
                              std::string &problem, size_t &at);

/// For each record whether a branch goes to it.
std::vector<bool> branchTargets(const std::vector<Record> &records,
                                std::string &problem, size_t &at);

struct Touched {
  std::vector<Access> accesses;
  /// Of each access: nothing bounds what its base register holds, and its
  /// lowest place is given.
  std::vector<bool> open;
};

/// For each record, the bytes that it touches over all iterations of the loops
/// around it and all indices that the program lets pass. The records must have
/// passed checkRecord(), loopsOf() and branchTargets().
std::vector<Touched> touchedBy(const std::vector<Record> &records);

} // namespace mlir::loom::program

#endif // LOOM_TARGET_PROGRAM_STREAM_H
