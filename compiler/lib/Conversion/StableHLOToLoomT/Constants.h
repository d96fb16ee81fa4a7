// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Constants under strided references, and the value of a scalar program.

#ifndef LOOM_LIB_CONVERSION_STABLEHLOTOLOOMT_CONSTANTS_H
#define LOOM_LIB_CONVERSION_STABLEHLOTOLOOMT_CONSTANTS_H

#include "loom/Dialect/LoomT/LoomT.h"

namespace mlir::loom {

/// The one value of a reference to a constant whose elements are all alike, as
/// a vector register holds it (f32 bits for floats, extended integers), or as
/// memory does with `storage`.
std::optional<uint32_t> splatBits(const loomt::Ref &ref, bool storage = false);

/// The same of a constant's value.
std::optional<uint32_t> splatBits(ElementsAttr value);

/// Counts along a dimension; nothing above 2^22 elements.
std::optional<ElementsAttr> iotaElements(RankedTensorType type, int64_t dim);

/// All elements of a reference to a constant, as registers hold them. Nothing
/// if it is not a constant or has more than `limit` elements.
std::optional<std::vector<uint32_t>> constantValues(const loomt::Ref &ref,
                                                    int64_t limit);

/// The constant with these register values, converted as STORE does.
ElementsAttr storeElements(RankedTensorType type, ArrayRef<uint32_t> values);

/// Result of a program on given inputs, by loom_num.h. Nothing if it holds an
/// operation that the folder does not compute.
std::optional<uint32_t> evaluate(const loomt::Program &program,
                                 ArrayRef<uint32_t> inputs,
                                 SmallVectorImpl<uint32_t> &scratch);

/// A constant in place of a map whose inputs are constants; null, and nothing
/// changed, if they are not or the folder does not know an operation.
Value foldConstantMap(loomt::MapOp op);

} // namespace mlir::loom

#endif // LOOM_LIB_CONVERSION_STABLEHLOTOLOOMT_CONSTANTS_H
