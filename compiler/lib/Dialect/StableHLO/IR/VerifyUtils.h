// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Checks shared by the verifiers. All of them take values from files: sizes may
// be anything an int64 can hold.

#ifndef LOOM_DIALECT_STABLEHLO_VERIFYUTILS_H
#define LOOM_DIALECT_STABLEHLO_VERIFYUTILS_H

#include "loom/Dialect/StableHLO/StableHLO.h"

namespace mlir::loom::stablehlo {

inline RankedTensorType tensorType(Value value) {
  return cast<RankedTensorType>(value.getType());
}

/// True when every tensor among operands and results has static dimensions;
/// shapes are compared only then (the legality pass refuses the others).
bool allStatic(Operation *op);

/// Each dimension is in [0, rank) and occurs once.
LogicalResult verifyDims(Operation *op, StringRef name, ArrayRef<int64_t> dims,
                         int64_t rank);

/// `values` has `size` entries.
LogicalResult verifySize(Operation *op, StringRef name, size_t got,
                         size_t size);

/// Every entry is at least `low`.
LogicalResult verifyAtLeast(Operation *op, StringRef name,
                            ArrayRef<int64_t> values, int64_t low);

/// The result type has exactly this shape.
LogicalResult verifyShape(Operation *op, RankedTensorType type,
                          ArrayRef<int64_t> shape, StringRef what = "result");

/// The block's arguments have these types.
LogicalResult verifyBlockArgs(Operation *op, Region &region, TypeRange types,
                              StringRef what);

/// The region has one block that ends in `stablehlo.return` of these types.
LogicalResult verifyReturn(Operation *op, Region &region, TypeRange types,
                           StringRef what);

/// Size of a dimension after dilation by `dilation` (0 stays 0); nothing when
/// it overflows.
std::optional<int64_t> dilatedSize(int64_t size, int64_t dilation);

/// Number of window positions; nothing when the arithmetic overflows.
std::optional<int64_t> windowedSize(int64_t base, int64_t baseDilation,
                                    int64_t low, int64_t high, int64_t window,
                                    int64_t windowDilation, int64_t stride);

} // namespace mlir::loom::stablehlo

#endif // LOOM_DIALECT_STABLEHLO_VERIFYUTILS_H
