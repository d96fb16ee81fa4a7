// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Forms of operations that more than one pass asks for.

#ifndef LOOM_DIALECT_STABLEHLO_PATTERNS_H
#define LOOM_DIALECT_STABLEHLO_PATTERNS_H

#include "loom/Dialect/StableHLO/StableHLO.h"

namespace mlir::loom::stablehlo {

/// Whether every index picks one whole row of the operand's first dimension,
/// as an embedding does: result = [indices..., row...].
bool isRowGather(GatherOp op);

/// How a gather or a scatter names rows of its operand: some dimensions by an
/// index or by the place of the index, all others whole.
struct RowAccess {
  /// Operand dimensions that say which row: batching ones, then indexed ones.
  SmallVector<int64_t> rowDims;
  /// Of a batching dimension its partner among the indices' batch dimensions,
  /// of an indexed one the component of the index vector.
  SmallVector<int64_t> from;
  size_t batching = 0;             // how many of them are batching ones
  SmallVector<int64_t> window;     // operand dimensions of a row
  SmallVector<int64_t> batchShape; // of the indices, without the vector
};

/// Nothing where a slice is less than a row.
std::optional<RowAccess> rowAccessOf(GatherOp op);
std::optional<RowAccess> rowAccessOf(ScatterOp op);

/// Whether rows are updated once a batch (a label's gradient), or not at all:
/// a map, in which each element asks whether it is meant.
bool isOneUpdate(ScatterOp op);

/// The value of an integer or boolean constant of one element, sign-extended
/// where its type is signless; nothing for anything else.
std::optional<int64_t> integerConstant(Value value);

/// A sort of numbers and their places of which the first few are taken.
struct Top {
  int64_t count;
  /// Elements of the blocks of a line that are compared first; 0: none, the
  /// line is short.
  int64_t block;
  bool ascending;
};
/// Nothing if the sort is another, or takes so many of so much that picking
/// them one by one is no better than sorting all.
std::optional<Top> topOf(SortOp op);

} // namespace mlir::loom::stablehlo

#endif // LOOM_DIALECT_STABLEHLO_PATTERNS_H
