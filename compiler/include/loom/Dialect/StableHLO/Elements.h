// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Constant tensors as plain bytes, whatever attribute holds them.

#ifndef LOOM_DIALECT_STABLEHLO_ELEMENTS_H
#define LOOM_DIALECT_STABLEHLO_ELEMENTS_H

#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/BuiltinTypes.h"

namespace mlir::loom::stablehlo {

/// Constants above this size are DenseResourceElementsAttr: not hashed, not
/// uniqued, and without a copy when they lie in a mapped file.
inline constexpr int64_t kInlineConstantBytes = 4096;

/// Bytes one element takes in a constant: i1 takes one (0 or 1), complex two
/// parts. Nothing for types without a fixed storage width (i4, quantised, ...).
std::optional<int64_t> elementBytes(Type elementType);

/// A constant's elements, little-endian, row-major.
class ElementBytes {
public:
  /// Nothing when the attribute is of no known kind or its size does not fit
  /// its type.
  static std::optional<ElementBytes> get(ElementsAttr attr);

  RankedTensorType getType() const { return type; }
  /// One element; the only one stored when isSplat().
  ArrayRef<char> element(int64_t index) const {
    return bytes().slice(splat ? 0 : index * width, width);
  }
  /// All elements, or one when isSplat().
  ArrayRef<char> bytes() const {
    return owned.empty() ? data : ArrayRef<char>(owned);
  }
  bool isSplat() const { return splat; }
  /// Whether bytes() live in this object, not in the attribute.
  bool isOwned() const { return !owned.empty(); }
  int64_t elementWidth() const { return width; }

private:
  RankedTensorType type;
  ArrayRef<char> data;
  std::vector<char> owned; // i1, unpacked
  int64_t width = 0;
  bool splat = false;
};

/// The constant with these bytes (layout as above; one element for a splat).
/// Large ones are copied into a resource; small ones are uniqued.
ElementsAttr makeElements(RankedTensorType type, ArrayRef<char> bytes,
                          bool splat = false);

/// The constant over bytes that somebody else keeps: no copy when they are
/// large and aligned for the type. `owner` is held as long as the resource
/// lives.
ElementsAttr makeElementsOver(RankedTensorType type, ArrayRef<char> bytes,
                              std::shared_ptr<void> owner, StringRef name);

} // namespace mlir::loom::stablehlo

#endif // LOOM_DIALECT_STABLEHLO_ELEMENTS_H
