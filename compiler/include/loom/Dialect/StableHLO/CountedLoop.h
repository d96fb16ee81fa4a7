// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Loops whose count is known: the counter, and whether the machine can run the
// body as a loop of its own.

#ifndef LOOM_DIALECT_STABLEHLO_COUNTEDLOOP_H
#define LOOM_DIALECT_STABLEHLO_COUNTEDLOOP_H

#include "loom/Dialect/StableHLO/StableHLO.h"

#include "llvm/ADT/DenseSet.h"

namespace mlir::loom::stablehlo {

/// On a `while` that stays a loop.
inline constexpr llvm::StringLiteral kDeviceLoopAttr = "loom.device_loop";

/// A counter: carried value `index`, from `begin` below `end` by one.
struct Counter {
  unsigned index;
  int64_t begin, end;
};

/// Nothing if the loop does not count from one constant to another.
std::optional<Counter> counterOf(WhileOp loop);

/// offset + i * scale, where i counts iterations from 0.
struct Affine {
  int64_t scale = 0, offset = 0;
  int64_t at(int64_t i) const { return offset + i * scale; }
};

/// A loop that can be kept: every slice at the counter is at an affine place,
/// and what is updated in parts is not read.
class DeviceLoop {
public:
  static std::optional<DeviceLoop> of(WhileOp loop);

  WhileOp loop;
  Counter counter;
  int64_t trip = 0;
  /// Carried values that need a place; the others do not change, or count.
  SmallVector<unsigned> states;
  /// Operations of the body that matter, in order.
  SmallVector<Operation *> live;

  Block &body() { return loop.getBody().front(); }
  /// The carried value goes on as it is.
  bool isInvariant(unsigned carried);
  /// Places of a dynamic slice or update in each dimension.
  std::optional<SmallVector<Affine>> starts(Operation *op);
  /// The carried value that an update writes to in place, if it does.
  std::optional<unsigned> updates(DynamicUpdateSliceOp op);

private:
  std::optional<Affine> evaluate(Value value);
  std::optional<Affine> combine(Operation *op, ArrayRef<Affine> v);
  bool findLive();
  bool isSupported(Operation *op);
};

} // namespace mlir::loom::stablehlo

#endif // LOOM_DIALECT_STABLEHLO_COUNTEDLOOP_H
