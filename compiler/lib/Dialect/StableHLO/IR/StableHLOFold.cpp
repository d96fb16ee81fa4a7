// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Folders. They move bytes and convert single values; arithmetic on floats is
// left to the engines, whose order and rounding the program fixes.

#include "loom/Dialect/StableHLO/Elements.h"
#include "loom/Dialect/StableHLO/StableHLO.h"

#include "loom_num.h"

#include "mlir/IR/BuiltinDialect.h"
#include "mlir/IR/DialectResourceBlobManager.h"
#include "llvm/ADT/APSInt.h"

using namespace mlir;
using namespace mlir::loom::stablehlo;

/// Results no larger than their operand may be this large (parameters are
/// converted and transposed once, at compile time) ...
static constexpr int64_t kMaxMoveBytes = int64_t(1) << 30;
/// ... those that grow only this large.
static constexpr int64_t kMaxGrowBytes = 64 * 1024;

static std::optional<ElementBytes> bytesOf(Attribute attr) {
  auto elements = dyn_cast_or_null<ElementsAttr>(attr);
  if (!elements)
    return std::nullopt;
  return ElementBytes::get(elements);
}

/// Bytes of a tensor when it may be folded into, else nothing.
static std::optional<int64_t> foldableBytes(RankedTensorType type,
                                            int64_t limit) {
  std::optional<int64_t> width = elementBytes(type.getElementType());
  if (!width || !type.hasStaticShape())
    return std::nullopt;
  int64_t size = type.getNumElements() * *width;
  if (size > limit)
    return std::nullopt;
  return size;
}

static SmallVector<int64_t> rowMajorStrides(ArrayRef<int64_t> shape) {
  SmallVector<int64_t> strides(shape.size(), 1);
  for (int64_t i = int64_t(shape.size()) - 2; i >= 0; --i)
    strides[i] = strides[i + 1] * shape[i + 1];
  return strides;
}

/// Fills a tensor of `type` from source elements at base + sum(index * stride).
static ElementsAttr gatherStrided(const ElementBytes &from,
                                  RankedTensorType type, int64_t base,
                                  ArrayRef<int64_t> strides) {
  if (from.isSplat())
    return makeElements(type, from.element(0), /*splat=*/true);
  int64_t count = type.getNumElements(), width = from.elementWidth();
  std::vector<char> out(count * width);
  SmallVector<int64_t> index(type.getRank(), 0);
  int64_t at = base;
  for (int64_t i = 0; i < count; ++i) {
    memcpy(out.data() + i * width, from.element(at).data(), width);
    for (int64_t d = type.getRank() - 1; d >= 0; --d) {
      at += strides[d];
      if (++index[d] < type.getDimSize(d))
        break;
      at -= index[d] * strides[d];
      index[d] = 0;
    }
  }
  return makeElements(type, out);
}

//===----------------------------------------------------------------------===//
// Values and shapes
//===----------------------------------------------------------------------===//

OpFoldResult ConstantOp::fold(FoldAdaptor) { return getValue(); }

OpFoldResult ReshapeOp::fold(FoldAdaptor adaptor) {
  if (getOperand().getType() == getResult().getType())
    return getOperand();
  auto type = cast<RankedTensorType>(getResult().getType());
  if (auto inner = getOperand().getDefiningOp<ReshapeOp>()) {
    getOperandMutable().assign(inner.getOperand());
    return getResult();
  }
  if (!type.hasStaticShape())
    return {};
  if (auto resource =
          dyn_cast_or_null<DenseResourceElementsAttr>(adaptor.getOperand()))
    return DenseResourceElementsAttr::get(type, resource.getRawHandle());
  if (auto dense = dyn_cast_or_null<DenseElementsAttr>(adaptor.getOperand()))
    return dense.reshape(type);
  return {};
}

/// Bits that come back as what they were.
OpFoldResult BitcastConvertOp::fold(FoldAdaptor) {
  Value from = getOperand();
  if (auto inner = from.getDefiningOp<BitcastConvertOp>())
    from = inner.getOperand();
  return from.getType() == getResult().getType() ? from : OpFoldResult();
}

OpFoldResult BroadcastInDimOp::fold(FoldAdaptor adaptor) {
  auto in = cast<RankedTensorType>(getOperand().getType());
  auto out = cast<RankedTensorType>(getResult().getType());
  ArrayRef<int64_t> dims = getBroadcastDimensions();
  bool identity = true;
  for (auto [i, dim] : llvm::enumerate(dims))
    identity &= int64_t(i) == dim;
  if (in == out && identity)
    return getOperand();
  // Only a single value spreads: a broadcast vector is a bias or a scale, and
  // as such costs nothing where it is used.
  std::optional<ElementBytes> from = bytesOf(adaptor.getOperand());
  if (!from || !out.hasStaticShape() || out.getNumElements() == 0)
    return {};
  if (from->isSplat() || from->getType().getNumElements() == 1)
    return makeElements(out, from->element(0), /*splat=*/true);
  return {};
}

OpFoldResult TransposeOp::fold(FoldAdaptor adaptor) {
  auto in = cast<RankedTensorType>(getOperand().getType());
  auto out = cast<RankedTensorType>(getResult().getType());
  if (llvm::is_sorted(getPermutation()))
    return getOperand();
  std::optional<ElementBytes> from = bytesOf(adaptor.getOperand());
  if (!from || !foldableBytes(out, kMaxMoveBytes))
    return {};
  SmallVector<int64_t> source = rowMajorStrides(in.getShape()), strides;
  for (int64_t dim : getPermutation())
    strides.push_back(source[dim]);
  return gatherStrided(*from, out, 0, strides);
}

OpFoldResult SliceOp::fold(FoldAdaptor adaptor) {
  auto in = cast<RankedTensorType>(getOperand().getType());
  auto out = cast<RankedTensorType>(getResult().getType());
  if (in == out && in.hasStaticShape())
    return getOperand();
  std::optional<ElementBytes> from = bytesOf(adaptor.getOperand());
  if (!from || !foldableBytes(out, kMaxMoveBytes))
    return {};
  SmallVector<int64_t> source = rowMajorStrides(in.getShape()), strides;
  int64_t base = 0;
  for (int64_t i = 0; i < in.getRank(); ++i) {
    base += getStartIndices()[i] * source[i];
    strides.push_back(getStrides()[i] * source[i]);
  }
  if (out.getNumElements() == 0)
    return {};
  return gatherStrided(*from, out, base, strides);
}

OpFoldResult ConcatenateOp::fold(FoldAdaptor adaptor) {
  auto out = cast<RankedTensorType>(getResult().getType());
  if (getInputs().size() == 1 && getInputs().front().getType() == out)
    return getInputs().front();
  std::optional<int64_t> size = foldableBytes(out, kMaxGrowBytes);
  if (!size || *size == 0)
    return {};
  SmallVector<ElementBytes> parts;
  for (Attribute input : adaptor.getInputs()) {
    std::optional<ElementBytes> part = bytesOf(input);
    if (!part)
      return {};
    parts.push_back(std::move(*part));
  }
  int64_t outer = 1, dim = getDimension();
  for (int64_t i = 0; i < dim; ++i)
    outer *= out.getDimSize(i);
  std::vector<char> bytes;
  bytes.reserve(*size);
  for (int64_t o = 0; o < outer; ++o)
    for (const ElementBytes &part : parts) {
      int64_t run = part.getType().getNumElements() / outer;
      for (int64_t i = 0; i < run; ++i)
        llvm::append_range(bytes, part.element(o * run + i));
    }
  return makeElements(out, bytes);
}

OpFoldResult PadOp::fold(FoldAdaptor adaptor) {
  auto in = cast<RankedTensorType>(getOperand().getType());
  auto out = cast<RankedTensorType>(getResult().getType());
  auto zero = [](int64_t value) { return value == 0; };
  if (in == out && llvm::all_of(getEdgePaddingLow(), zero) &&
      llvm::all_of(getEdgePaddingHigh(), zero) &&
      llvm::all_of(getInteriorPadding(), zero))
    return getOperand();
  std::optional<ElementBytes> from = bytesOf(adaptor.getOperand());
  std::optional<ElementBytes> value = bytesOf(adaptor.getPaddingValue());
  std::optional<int64_t> size = foldableBytes(out, kMaxGrowBytes);
  if (!from || !value || !size || *size == 0)
    return {};
  int64_t width = from->elementWidth();
  std::vector<char> bytes;
  bytes.reserve(*size);
  for (int64_t i = 0; i < out.getNumElements(); ++i)
    llvm::append_range(bytes, value->element(0));
  SmallVector<int64_t> strides = rowMajorStrides(out.getShape());
  SmallVector<int64_t> index(in.getRank(), 0);
  for (int64_t i = 0, e = in.getNumElements(); i < e; ++i) {
    int64_t at = 0;
    bool inside = true;
    for (int64_t d = 0; d < in.getRank(); ++d) {
      int64_t pos =
          getEdgePaddingLow()[d] + index[d] * (getInteriorPadding()[d] + 1);
      inside &= pos >= 0 && pos < out.getDimSize(d);
      at += pos * strides[d];
    }
    if (inside)
      memcpy(bytes.data() + at * width, from->element(i).data(), width);
    for (int64_t d = in.getRank() - 1; d >= 0; --d) {
      if (++index[d] < in.getDimSize(d))
        break;
      index[d] = 0;
    }
  }
  return makeElements(out, bytes);
}

//===----------------------------------------------------------------------===//
// convert
//===----------------------------------------------------------------------===//

namespace {
/// Converts one element. A NaN, or a float outside the integer's range, is not
/// converted here: what it gives is the engine's affair.
class ElementConverter {
public:
  ElementConverter(Type from, Type to) : from(from), to(to) {}

  bool convert(ArrayRef<char> in, char *out) const {
    uint64_t raw = 0;
    memcpy(&raw, in.data(), in.size());
    std::optional<APInt> bits =
        isa<FloatType>(from) ? fromFloat(raw) : fromInteger(raw);
    if (!bits)
      return false;
    uint64_t value = bits->getZExtValue();
    memcpy(out, &value, to.isInteger(1) ? 1 : bits->getBitWidth() / 8);
    return true;
  }

private:
  bool isUnsigned(Type type) const {
    return type.isUnsignedInteger() || type.isInteger(1);
  }

  std::optional<APInt> fromFloat(uint64_t raw) const {
    auto type = cast<FloatType>(from);
    APFloat value(type.getFloatSemantics(), APInt(type.getWidth(), raw));
    if (value.isNaN())
      return std::nullopt;
    if (auto target = dyn_cast<FloatType>(to))
      return toFloat(value, target);
    if (to.isInteger(1))
      return APInt(1, !value.isZero());
    llvm::APSInt result(to.getIntOrFloatBitWidth(), isUnsigned(to));
    bool exact;
    if (value.convertToInteger(result, APFloat::rmTowardZero, &exact) &
        APFloat::opInvalidOp)
      return std::nullopt;
    return result;
  }

  std::optional<APInt> fromInteger(uint64_t raw) const {
    unsigned width = from.getIntOrFloatBitWidth();
    APInt value(width, raw, /*isSigned=*/false, /*implicitTrunc=*/true);
    if (auto target = dyn_cast<FloatType>(to)) {
      APFloat result(target.getFloatSemantics());
      result.convertFromAPInt(value, !isUnsigned(from),
                              APFloat::rmNearestTiesToEven);
      return result.bitcastToAPInt();
    }
    if (to.isInteger(1))
      return APInt(1, !value.isZero());
    unsigned bits = to.getIntOrFloatBitWidth();
    return isUnsigned(from) ? value.zextOrTrunc(bits) : value.sextOrTrunc(bits);
  }

  static std::optional<APInt> toFloat(APFloat value, FloatType target) {
    bool lossy;
    value.convert(target.getFloatSemantics(), APFloat::rmNearestTiesToEven,
                  &lossy);
    return value.bitcastToAPInt();
  }

  Type from, to;
};
} // namespace

OpFoldResult ConvertOp::fold(FoldAdaptor adaptor) {
  auto in = cast<RankedTensorType>(getOperand().getType());
  auto out = cast<RankedTensorType>(getResult().getType());
  if (in == out)
    return getOperand();
  std::optional<ElementBytes> from = bytesOf(adaptor.getOperand());
  if (!from || !in.getElementType().isIntOrFloat() ||
      !out.getElementType().isIntOrFloat() ||
      !foldableBytes(out, kMaxMoveBytes))
    return {};
  int64_t count = from->isSplat() ? 1 : out.getNumElements();
  int64_t width = *elementBytes(out.getElementType());
  ElementConverter converter(in.getElementType(), out.getElementType());
  std::vector<char> bytes(count * width);
  // Parameters that a bf16 model keeps as f32: millions of them.
  const bool narrow =
      in.getElementType().isF32() && out.getElementType().isBF16();
  for (int64_t i = 0; i < count; ++i) {
    char *to = bytes.data() + i * width;
    if (narrow) {
      uint32_t bits;
      memcpy(&bits, from->bytes().data() + 4 * i, 4);
      if ((bits & 0x7fffffff) <= 0x7f800000) { // not a NaN
        const uint16_t half = loom_num_to_bf16(bits);
        memcpy(to, &half, 2);
        continue;
      }
    }
    if (!converter.convert(from->element(i), to))
      return {};
  }
  return makeElements(out, bytes, from->isSplat());
}
