// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Loops whose count is known, and places that their counters move.

#ifndef LOOM_DIALECT_STABLEHLO_COUNTEDLOOP_H
#define LOOM_DIALECT_STABLEHLO_COUNTEDLOOP_H

#include "loom/Dialect/StableHLO/StableHLO.h"

#include "llvm/ADT/DenseMap.h"

#include <map>

namespace mlir::loom::stablehlo {

/// A counter: carried value `index`, from `begin` below `end` by one.
struct Counter {
  unsigned index;
  int64_t begin, end;
  int64_t trip() const { return end > begin ? end - begin : 0; }
};

/// Nothing if the loop does not count from one constant to another.
std::optional<Counter> counterOf(WhileOp loop);

/// The carried value goes on as it is.
bool isInvariant(WhileOp loop, unsigned carried);

/// offset + sum over counted loops of scale * iteration, from 0.
struct Affine {
  int64_t offset = 0;
  std::map<Operation *, int64_t> scales; // none is 0
};

/// Index arithmetic over the counters of the loops around. What depends on the
/// sign of a number, as the wrapping of negative indices does, is decided if it
/// is the same in all iterations.
class PlaceAnalysis {
public:
  /// An integer of one element, if counters and constants alone decide it.
  std::optional<Affine> evaluate(Value value);
  /// Lowest and highest value over all iterations.
  std::pair<int64_t, int64_t> range(const Affine &value);
  /// Where a slice begins along a dimension that leaves it `room`, clamped; if
  /// a counter moves it, it never leaves.
  std::optional<Affine> start(Value index, int64_t room);

private:
  std::optional<Affine> compute(Value value);
  std::optional<Affine> combine(Operation *op, ArrayRef<Affine> v);
  const std::optional<Counter> &counter(WhileOp loop);

  llvm::DenseMap<Value, std::optional<Affine>> known;
  llvm::DenseMap<Operation *, std::optional<Counter>> counters;
};

} // namespace mlir::loom::stablehlo

#endif // LOOM_DIALECT_STABLEHLO_COUNTEDLOOP_H
