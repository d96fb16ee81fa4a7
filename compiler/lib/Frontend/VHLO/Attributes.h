// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Attributes and types, decoded when they are first referred to.

#ifndef LOOM_FRONTEND_VHLO_ATTRIBUTES_H
#define LOOM_FRONTEND_VHLO_ATTRIBUTES_H

#include "Container.h"

#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Location.h"

namespace mlir::loom::vhlo {

class AttributeReader {
public:
  AttributeReader(MLIRContext &context, Container &container,
                  std::shared_ptr<void> owner)
      : context(&context), container(container), owner(std::move(owner)),
        attributes(container.attributes.size()), types(container.types.size()) {
  }

  /// The attribute a varint at the cursor names; null only after an error.
  Attribute readAttribute(Cursor &cursor) {
    return attributeAt(cursor, cursor.varint());
  }
  /// Zero is no attribute; otherwise the index is shifted by a set bit.
  Attribute readOptionalAttribute(Cursor &cursor);
  Type readType(Cursor &cursor) { return typeAt(cursor, cursor.varint()); }
  Type typeAt(Cursor &cursor, uint64_t index);
  LocationAttr readLocation(Cursor &cursor) {
    return readAs<LocationAttr>(cursor, "location");
  }
  DictionaryAttr readDictionary(Cursor &cursor) {
    return readAs<DictionaryAttr>(cursor, "dictionary");
  }

private:
  /// Entries refer to each other; this many levels are enough for any program
  /// (a location has one a Python frame) and few enough for the stack.
  static constexpr unsigned kMaxDepth = 600;

  template <typename T> struct Slot {
    T value;
    bool open = false;
  };

  template <typename T> T readAs(Cursor &cursor, const char *what) {
    Attribute attr = readAttribute(cursor);
    T result = dyn_cast_or_null<T>(attr);
    if (!result && !cursor.failed())
      cursor.fail(Twine("a ") + what + " is expected");
    return result;
  }

  Attribute attributeAt(Cursor &cursor, uint64_t index);
  bool enter(Cursor &cursor, bool open);
  Attribute decodeAttribute(const Entry &entry);
  Type decodeType(const Entry &entry);

  // VHLO's encoding.
  Attribute vhloAttribute(Cursor &cursor);
  Attribute vhloEnum(Cursor &cursor, uint64_t code);
  Attribute vhloTensor(Cursor &cursor);
  Attribute vhloStructure(Cursor &cursor, uint64_t code);
  Type vhloType(Cursor &cursor);
  Type vhloSimpleType(uint64_t code);
  Type vhloTensorType(Cursor &cursor, bool hasEncoding);
  Type vhloQuantised(Cursor &cursor, bool perAxis);

  // The builtin dialect's.
  Attribute builtinAttribute(Cursor &cursor);
  Attribute builtinLocation(Cursor &cursor, uint64_t code);
  Attribute fileRange(Cursor &cursor);
  Type builtinType(Cursor &cursor);

  // Pieces.
  Type tensorOf(Cursor &cursor, ArrayRef<int64_t> shape, Type element);
  Attribute elements(Cursor &cursor, Type type, ArrayRef<uint8_t> bytes);
  Attribute booleans(Cursor &cursor, RankedTensorType type,
                     ArrayRef<uint8_t> bytes);
  Attribute integer(Cursor &cursor);
  Attribute floating(Cursor &cursor);
  std::optional<APInt> apint(Cursor &cursor, unsigned width);
  Attribute array(Cursor &cursor);
  Attribute dictionary(Cursor &cursor);
  SmallVector<int64_t> signedList(Cursor &cursor);
  SmallVector<Type> typeList(Cursor &cursor);
  Type opaque(const Twine &text);
  Attribute named(ArrayRef<std::pair<StringRef, Attribute>> fields);
  Attribute i64(int64_t value);

  MLIRContext *context;
  Container &container;
  std::shared_ptr<void> owner;
  std::vector<Slot<Attribute>> attributes;
  std::vector<Slot<Type>> types;
  unsigned depth = 0;
};

} // namespace mlir::loom::vhlo

#endif // LOOM_FRONTEND_VHLO_ATTRIBUTES_H
