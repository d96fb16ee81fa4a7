// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The loops and branches of a block: which stretch an operation stands in, and
// how long a value is needed.

#ifndef LOOM_DIALECT_LOOMT_SCOPES_H
#define LOOM_DIALECT_LOOMT_SCOPES_H

#include "loom/Dialect/LoomT/LoomT.h"

#include <deque>

namespace mlir::loom::loomt {

/// A loop's body, or one branch of a case.
struct Scope {
  Operation *begin = nullptr; // loop_begin; case_begin or case_next
  Operation *end = nullptr;   // loop_end; case_next or case_end
  Scope *parent = nullptr;
  bool isLoop() const { return isa<LoopBeginOp>(begin); }
};

class Scopes {
public:
  explicit Scopes(Block &block);

  /// The stretch that an operation stands in; null outside. What opens or
  /// closes one stands in the stretch around.
  Scope *of(Operation *op) const { return scopes.lookup(op); }
  /// Where a value is needed: what ends a stretch reads inside it.
  Scope *ofUse(Operation *user) const;
  /// Where a value is made: carried tensors in the loop. Arguments and
  /// constants are outside of all.
  Scope *ofValue(Value value) const;
  /// The innermost loop of a stretch, itself included.
  static Scope *loopOf(Scope *scope);
  /// The end of the outermost loop that a user stands in and the value is not
  /// made in: the value is needed in each iteration. Null if there is none.
  Operation *endFor(Operation *user, Value value) const;
  /// Each loop_begin's loop_end.
  Operation *endOf(Operation *begin) const { return ends.lookup(begin); }
  /// Each end's begin: the case_begin of a case_next, too.
  Operation *beginOf(Operation *end) const { return begins.lookup(end); }

private:
  std::deque<Scope> all;
  DenseMap<Operation *, Scope *> scopes, closed;
  DenseMap<Operation *, Operation *> ends, begins;
};

/// Every use of a root, through views and moved roots: (user, the operand as it
/// names the root).
void forEachUse(Value root, llvm::function_ref<void(Operation *, Value)> take);

/// The root behind views and moved roots.
Value rootOf(Value value);

/// The state that a schedule reads before each iteration; null if it does not.
Value askedState(LoopBeginOp begin);

} // namespace mlir::loom::loomt

#endif // LOOM_DIALECT_LOOMT_SCOPES_H
