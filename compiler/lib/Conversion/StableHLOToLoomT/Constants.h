// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Constants under strided references, and the value of a scalar program.

#ifndef LOOM_LIB_CONVERSION_STABLEHLOTOLOOMT_CONSTANTS_H
#define LOOM_LIB_CONVERSION_STABLEHLOTOLOOMT_CONSTANTS_H

#include "loom/Dialect/LoomT/LoomT.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

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

/// Values of a program's operations by loom_num.h: `count` elements of the
/// first operation, then of the next; each input has as many. False if it holds
/// an operation that the folder does not compute.
bool evaluate(const loomt::Program &program, ArrayRef<const uint32_t *> inputs,
              int64_t count, std::vector<uint32_t> &values);

/// A constant in place of a map whose inputs are constants; null, and nothing
/// changed, if they are not or the folder does not know an operation.
Value foldConstantMap(loomt::MapOp op);

/// Elementwise results of constants up to this size are constants at once,
/// whatever it takes: places that later operations ask for.
inline constexpr int64_t kMaxEagerFold = 65536;

/// All of them in a function, but for large ones at the end of which a long
/// chain of operations stands.
void foldConstantMaps(func::FuncOp func);

} // namespace mlir::loom

#endif // LOOM_LIB_CONVERSION_STABLEHLOTOLOOMT_CONSTANTS_H
