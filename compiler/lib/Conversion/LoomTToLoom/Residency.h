// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Which tensors between layers stay in SRAM, and where.

#ifndef LOOM_LIB_CONVERSION_LOOMTTOLOOM_RESIDENCY_H
#define LOOM_LIB_CONVERSION_LOOMTTOLOOM_RESIDENCY_H

#include "Emitter.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace mlir::loom {

struct Residents {
  /// SRAM offset of each root that never goes to memory. Two may share a place:
  /// then one is written over the other by the operation that reads it last.
  DenseMap<Value, int64_t> offsets;
  /// What is left for the buffers of an operation; all of SRAM if not named.
  DenseMap<Operation *, Room> rooms;
};

/// Live ranges in program order, the one that saves most traffic for its bytes
/// and time first. A tensor stays if the layers of its live range together take
/// less with it than without it. `fixed` roots are in memory.
Residents chooseResidents(func::FuncOp func, const loom_target &target,
                          TilingCache &tilings, const DenseSet<Value> &fixed);

/// An operation that writes a root of its own.
bool isProducer(Operation *op);

/// SRAM that the places of an operation without tiles take: buffers in pairs,
/// each of at most this share of the room.
inline constexpr int64_t kRowsShare = 4;

} // namespace mlir::loom

#endif // LOOM_LIB_CONVERSION_LOOMTTOLOOM_RESIDENCY_H
