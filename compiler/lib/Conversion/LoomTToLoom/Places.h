// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Roots that have one place: what a loop carries, what is updated in part, what
// the branches of a case give.

#ifndef LOOM_LIB_CONVERSION_LOOMTTOLOOM_PLACES_H
#define LOOM_LIB_CONVERSION_LOOMTTOLOOM_PLACES_H

#include "loom/Dialect/LoomT/Scopes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace mlir::loom {

/// Drops copies that only save an operand of `put` which nothing needs later,
/// and adds those without which a loop would overwrite what it still carries.
/// Before Places.
void prepareUpdates(func::FuncOp func);

class Places {
public:
  explicit Places(func::FuncOp func);

  /// One root for all that share its place.
  Value placeOf(Value root) const;
  bool isShared(Value root) const { return members.count(placeOf(root)); }

  /// Whether the place of `root` may be that of `old`, an argument, all the
  /// time: nothing reads the argument once something else may stand there.
  bool mayReplace(Value root, Value old) const;

  /// First and last operation, by number, that a place is needed at.
  struct Range {
    int64_t first, last;
  };
  struct Place {
    Value root; // as placeOf() gives it
    Range range;
  };
  /// Of all roots that operations make, in order of their first.
  std::vector<Place> ranges() const;

  const loomt::Scopes &scopes() const { return stretches; }

private:
  void join(Value into, Value other);
  ArrayRef<Value> sharing(Value root) const;
  int64_t numberOf(Operation *op) const { return numbers.lookup(op); }
  int64_t lastUse(Value root) const;
  bool endsAt(Value value, Operation *op) const;
  bool takesOver(Operation *op, Value root, Value old) const;
  void loop(loomt::LoopBeginOp begin);
  void loop(loomt::LoopEndOp end);
  void branch(Operation *end);
  bool mayOverwrite(Operation *maker, Value state) const;

  Block &block;
  loomt::Scopes stretches;
  DenseMap<Operation *, int64_t> numbers;
  DenseMap<Value, Value> leader;
  DenseMap<Value, SmallVector<Value>> members; // of places that are shared
};

} // namespace mlir::loom

#endif // LOOM_LIB_CONVERSION_LOOMTTOLOOM_PLACES_H
