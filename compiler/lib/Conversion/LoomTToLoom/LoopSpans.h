// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Which operations of a block stand in a loop, and where that ends.

#ifndef LOOM_LIB_CONVERSION_LOOMTTOLOOM_LOOPSPANS_H
#define LOOM_LIB_CONVERSION_LOOMTTOLOOM_LOOPSPANS_H

#include "loom/Dialect/LoomT/LoomT.h"

namespace mlir::loom {

class LoopSpans {
public:
  explicit LoopSpans(Block &block) {
    Operation *begin = nullptr;
    SmallVector<Operation *> inside;
    for (Operation &op : block) {
      if (isa<loomt::LoopBeginOp>(op))
        begin = &op;
      if (!begin)
        continue;
      inside.push_back(&op);
      if (!isa<loomt::LoopEndOp>(op))
        continue;
      for (Operation *member : inside)
        ends[member] = &op;
      inside.clear();
      begin = nullptr;
    }
  }
  /// Of the loop that an operation stands in; null outside.
  Operation *endOf(Operation *op) const { return ends.lookup(op); }
  /// Of the loop that a user stands in and the maker of its operand does not:
  /// the operand is needed in each iteration.
  Operation *endFor(Operation *user, Operation *maker) const {
    Operation *end = endOf(user);
    return end != endOf(maker) ? end : nullptr;
  }

private:
  DenseMap<Operation *, Operation *> ends;
};

/// The loop's begin, before its end.
loomt::LoopBeginOp beginOf(loomt::LoopEndOp end);

/// What a body may compute right into a carried tensor's place, with that
/// tensor: nothing reads the tensor later, and what reads it meanwhile takes
/// each element before it is written.
SmallVector<std::pair<Value, Value>> computedInPlace(loomt::LoopEndOp end);

} // namespace mlir::loom

#endif // LOOM_LIB_CONVERSION_LOOMTTOLOOM_LOOPSPANS_H
