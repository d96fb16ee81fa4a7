// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "loom/Dialect/StableHLO/Elements.h"

#include "mlir/IR/AsmState.h"
#include "mlir/IR/BuiltinDialect.h"
#include "mlir/IR/DialectResourceBlobManager.h"

using namespace mlir;
using namespace mlir::loom;

static constexpr size_t kResourceAlign = 64;

std::optional<int64_t> stablehlo::elementBytes(Type type) {
  if (auto complex = dyn_cast<ComplexType>(type)) {
    std::optional<int64_t> part = elementBytes(complex.getElementType());
    if (!part)
      return std::nullopt;
    return 2 * *part;
  }
  if (!type.isIntOrFloat())
    return std::nullopt;
  unsigned bits = type.getIntOrFloatBitWidth();
  if (bits == 1)
    return 1;
  if (bits % 8 || bits > 64)
    return std::nullopt;
  return bits / 8;
}

static bool isPacked(Type elementType) { return elementType.isInteger(1); }

std::optional<stablehlo::ElementBytes>
stablehlo::ElementBytes::get(ElementsAttr attr) {
  auto type = dyn_cast<RankedTensorType>(attr.getShapedType());
  if (!type || !type.hasStaticShape())
    return std::nullopt;
  std::optional<int64_t> width = elementBytes(type.getElementType());
  if (!width)
    return std::nullopt;
  ElementBytes result;
  result.type = type;
  result.width = *width;
  int64_t count = type.getNumElements();
  if (auto resource = dyn_cast<DenseResourceElementsAttr>(attr)) {
    AsmResourceBlob *blob = resource.getRawHandle().getBlob();
    if (!blob || int64_t(blob->getData().size()) != count * *width)
      return std::nullopt;
    result.data = blob->getData();
    return result;
  }
  auto dense = dyn_cast<DenseIntOrFPElementsAttr>(attr);
  if (!dense)
    return std::nullopt;
  result.splat = dense.isSplat();
  if (isPacked(type.getElementType())) {
    for (bool bit : dense.getValues<bool>()) {
      result.owned.push_back(bit);
      if (result.splat)
        break;
    }
    return result;
  }
  result.data = dense.getRawData();
  if (int64_t(result.data.size()) != (result.splat ? 1 : count) * *width)
    return std::nullopt;
  return result;
}

static ElementsAttr makeResource(RankedTensorType type, AsmResourceBlob blob,
                                 StringRef name) {
  auto &manager =
      DenseResourceElementsHandle::getManagerInterface(type.getContext());
  return DenseResourceElementsAttr::get(type,
                                        manager.insert(name, std::move(blob)));
}

ElementsAttr stablehlo::makeElements(RankedTensorType type,
                                     ArrayRef<char> bytes, bool splat) {
  if (isPacked(type.getElementType()) &&
      (splat || int64_t(bytes.size()) <= kInlineConstantBytes)) {
    SmallVector<bool> bits;
    for (char byte : bytes)
      bits.push_back(byte != 0);
    return DenseElementsAttr::get(type, bits);
  }
  if (splat || int64_t(bytes.size()) <= kInlineConstantBytes)
    return DenseElementsAttr::getFromRawBuffer(type, bytes);
  return makeResource(
      type,
      HeapAsmResourceBlob::allocateAndCopyWithAlign(bytes, kResourceAlign),
      "folded");
}

ElementsAttr stablehlo::makeElementsOver(RankedTensorType type,
                                         ArrayRef<char> bytes,
                                         std::shared_ptr<void> owner,
                                         StringRef name) {
  if (int64_t(bytes.size()) <= kInlineConstantBytes)
    return makeElements(type, bytes);
  size_t align = std::min<size_t>(
      elementBytes(type.getElementType()).value_or(1), sizeof(uint64_t));
  if (reinterpret_cast<uintptr_t>(bytes.data()) % align)
    return makeResource(
        type,
        HeapAsmResourceBlob::allocateAndCopyWithAlign(bytes, kResourceAlign),
        name);
  return makeResource(
      type,
      UnmanagedAsmResourceBlob::allocateWithAlign(
          bytes, align,
          [owner](void *, size_t, size_t) mutable { owner.reset(); }),
      name);
}
