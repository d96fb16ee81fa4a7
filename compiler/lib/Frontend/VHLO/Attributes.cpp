// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Shared pieces, and the builtin dialect's attributes and types.

#include "Attributes.h"

#include "loom/Dialect/StableHLO/Elements.h"

#include "mlir/IR/Builders.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace mlir::loom::vhlo;

/// More elements than any machine holds; keeps every later product in range.
static constexpr int64_t kMaxElements = int64_t(1) << 40;

static const char *const kShardyRemedy =
    "switch Shardy off before tracing "
    "(jax.config.update('jax_use_shardy_partitioner', False)), or export with "
    "loom.export";

//===----------------------------------------------------------------------===//
// Resolution
//===----------------------------------------------------------------------===//

bool AttributeReader::enter(Cursor &cursor, bool open) {
  if (cursor.failed())
    return false;
  if (open)
    cursor.fail("an attribute or type refers to itself");
  else if (depth >= kMaxDepth)
    cursor.fail("attributes are nested more than " + Twine(kMaxDepth) +
                " deep");
  return !cursor.failed();
}

Attribute AttributeReader::attributeAt(Cursor &cursor, uint64_t index) {
  if (!cursor.failed() && index >= attributes.size())
    cursor.fail("attribute " + Twine(index) + " of " +
                Twine(attributes.size()));
  if (cursor.failed())
    return {};
  Slot<Attribute> &slot = attributes[index];
  if (slot.value)
    return slot.value;
  if (!enter(cursor, slot.open))
    return {};
  slot.open = true;
  ++depth;
  Attribute value = decodeAttribute(container.attributes[index]);
  --depth;
  slot.open = false;
  if (!value && !cursor.failed())
    cursor.getErrors().fail(container.attributes[index].offset,
                            "an attribute could not be read");
  return slot.value = cursor.failed() ? Attribute() : value;
}

Type AttributeReader::typeAt(Cursor &cursor, uint64_t index) {
  if (!cursor.failed() && index >= types.size())
    cursor.fail("type " + Twine(index) + " of " + Twine(types.size()));
  if (cursor.failed())
    return {};
  Slot<Type> &slot = types[index];
  if (slot.value)
    return slot.value;
  if (!enter(cursor, slot.open))
    return {};
  slot.open = true;
  ++depth;
  Type value = decodeType(container.types[index]);
  --depth;
  slot.open = false;
  if (!value && !cursor.failed())
    cursor.getErrors().fail(container.types[index].offset,
                            "a type could not be read");
  return slot.value = cursor.failed() ? Type() : value;
}

Attribute AttributeReader::readOptionalAttribute(Cursor &cursor) {
  uint64_t index = cursor.varint();
  if (cursor.failed() || index == 0)
    return {};
  if (!(index & 1))
    cursor.fail("an optional attribute has a bad index");
  return attributeAt(cursor, index >> 1);
}

/// Neither `vhlo` nor `builtin`, or in text form: say which and what helps.
static void refuseForeign(ErrorState &errors, const Entry &entry,
                          const char *what) {
  StringRef remedy = entry.dialect == "sdy"
                         ? StringRef(kShardyRemedy)
                         : StringRef("export with loom.export, which writes "
                                     "StableHLO alone");
  errors.fail(entry.offset,
              Twine(what) + " of dialect '" + entry.dialect +
                  "' cannot be read",
              remedy);
}

Attribute AttributeReader::decodeAttribute(const Entry &entry) {
  Cursor cursor(container.getErrors(), entry.bytes, entry.offset);
  if (!entry.isText && entry.dialect == "vhlo")
    return vhloAttribute(cursor);
  if (!entry.isText && entry.dialect == "builtin")
    return builtinAttribute(cursor);
  refuseForeign(cursor.getErrors(), entry, "an attribute");
  return {};
}

Type AttributeReader::decodeType(const Entry &entry) {
  Cursor cursor(container.getErrors(), entry.bytes, entry.offset);
  if (!entry.isText && entry.dialect == "vhlo")
    return vhloType(cursor);
  if (!entry.isText && entry.dialect == "builtin")
    return builtinType(cursor);
  refuseForeign(cursor.getErrors(), entry, "a type");
  return {};
}

//===----------------------------------------------------------------------===//
// Pieces
//===----------------------------------------------------------------------===//

Type AttributeReader::opaque(const Twine &text) {
  return OpaqueType::get(StringAttr::get(context, "vhlo"), text.str());
}

Attribute AttributeReader::i64(int64_t value) {
  return IntegerAttr::get(IntegerType::get(context, 64), value);
}

Attribute
AttributeReader::named(ArrayRef<std::pair<StringRef, Attribute>> fields) {
  NamedAttrList list;
  for (auto [name, value] : fields)
    if (value)
      list.append(name, value);
  return list.getDictionary(context);
}

SmallVector<int64_t> AttributeReader::signedList(Cursor &cursor) {
  SmallVector<int64_t> list;
  uint64_t number = cursor.count("integers");
  for (uint64_t i = 0; i < number && !cursor.failed(); ++i)
    list.push_back(cursor.signedVarint());
  return list;
}

SmallVector<Type> AttributeReader::typeList(Cursor &cursor) {
  SmallVector<Type> list;
  uint64_t number = cursor.count("types");
  for (uint64_t i = 0; i < number && !cursor.failed(); ++i)
    list.push_back(readType(cursor));
  return list;
}

Attribute AttributeReader::array(Cursor &cursor) {
  SmallVector<Attribute> list;
  uint64_t number = cursor.count("attributes");
  for (uint64_t i = 0; i < number && !cursor.failed(); ++i)
    list.push_back(readAttribute(cursor));
  return cursor.failed() ? Attribute() : ArrayAttr::get(context, list);
}

Attribute AttributeReader::dictionary(Cursor &cursor) {
  NamedAttrList list;
  uint64_t number = cursor.count("dictionary entries");
  for (uint64_t i = 0; i < number && !cursor.failed(); ++i) {
    auto name = readAs<StringAttr>(cursor, "name");
    Attribute value = readAttribute(cursor);
    if (cursor.failed())
      return {};
    if (name.empty()) {
      cursor.fail("a dictionary entry without a name");
      return {};
    }
    list.append(name, value);
  }
  if (cursor.failed())
    return {};
  if (std::optional<NamedAttribute> twice = list.findDuplicate()) {
    cursor.fail("dictionary entry '" + twice->getName().getValue() +
                "' occurs twice");
    return {};
  }
  return list.getDictionary(context);
}

std::optional<APInt> AttributeReader::apint(Cursor &cursor, unsigned width) {
  if (width <= 8)
    return APInt(width, cursor.byte(), false, /*implicitTrunc=*/true);
  if (width <= 64)
    return APInt(width, uint64_t(cursor.signedVarint()), false,
                 /*implicitTrunc=*/true);
  uint64_t words = cursor.count("words");
  if (!cursor.failed() && (words == 0 || words > 2))
    cursor.fail("an integer of " + Twine(words) + " words");
  SmallVector<uint64_t> parts;
  for (uint64_t i = 0; i < words && !cursor.failed(); ++i)
    parts.push_back(cursor.signedVarint());
  if (cursor.failed())
    return std::nullopt;
  return APInt(width, parts);
}

Attribute AttributeReader::integer(Cursor &cursor) {
  Type type = readType(cursor);
  if (cursor.failed())
    return {};
  if (!isa<IntegerType, IndexType>(type) ||
      (isa<IntegerType>(type) && type.getIntOrFloatBitWidth() > 64)) {
    cursor.fail("an integer of a type that is none");
    return {};
  }
  unsigned width = isa<IndexType>(type) ? 64 : type.getIntOrFloatBitWidth();
  std::optional<APInt> value = apint(cursor, width);
  return value && !cursor.failed() ? IntegerAttr::get(type, *value)
                                   : Attribute();
}

Attribute AttributeReader::floating(Cursor &cursor) {
  auto type = dyn_cast_or_null<FloatType>(readType(cursor));
  if (!type && !cursor.failed())
    cursor.fail("a float of a type that is none");
  if (cursor.failed())
    return {};
  std::optional<APInt> bits = apint(cursor, type.getWidth());
  if (!bits || cursor.failed())
    return {};
  return FloatAttr::get(type, APFloat(type.getFloatSemantics(), *bits));
}

Type AttributeReader::tensorOf(Cursor &cursor, ArrayRef<int64_t> shape,
                               Type element) {
  if (cursor.failed())
    return {};
  if (!TensorType::isValidElementType(element)) {
    cursor.fail("a tensor of elements that cannot be in one");
    return {};
  }
  int64_t total = 1;
  for (int64_t size : shape) {
    if (ShapedType::isDynamic(size))
      continue;
    if (size < 0) {
      cursor.fail("a tensor dimension of size " + Twine(size) +
                  " makes no sense");
      return {};
    }
    if (llvm::MulOverflow(total, std::max(size, int64_t(1)), total) ||
        total > kMaxElements) {
      cursor.getErrors().fail(cursor.offset(),
                              "a tensor of more than " + Twine(kMaxElements) +
                                  " elements",
                              "an array ends at 1 GiB, so split it or lower "
                              "the batch");
      return {};
    }
  }
  return RankedTensorType::get(shape, element);
}

/// i1 tensors are packed, eight elements a byte; a splat is one byte, 0 or 255.
Attribute AttributeReader::booleans(Cursor &cursor, RankedTensorType type,
                                    ArrayRef<uint8_t> bytes) {
  int64_t number = type.getNumElements();
  bool splat = bytes.size() == 1 && (bytes[0] == 0 || bytes[0] == 0xFF);
  if (!splat && int64_t(bytes.size()) != (number + 7) / 8) {
    cursor.fail(Twine(bytes.size()) + " bytes for " + Twine(number) +
                " booleans");
    return {};
  }
  if (splat)
    return DenseElementsAttr::get(type, bytes[0] != 0);
  std::vector<char> values(number);
  for (int64_t i = 0; i < number; ++i)
    values[i] = bytes[i / 8] >> (i % 8) & 1;
  return stablehlo::makeElements(type, values);
}

Attribute AttributeReader::elements(Cursor &cursor, Type type,
                                    ArrayRef<uint8_t> bytes) {
  auto tensor = dyn_cast_or_null<RankedTensorType>(type);
  if (cursor.failed())
    return {};
  if (!tensor || !tensor.hasStaticShape()) {
    cursor.fail("constant data without a static tensor type");
    return {};
  }
  ArrayRef<char> data(reinterpret_cast<const char *>(bytes.data()),
                      bytes.size());
  Type element = tensor.getElementType();
  if (element.isInteger(1))
    return booleans(cursor, tensor, bytes);
  std::optional<int64_t> width = stablehlo::elementBytes(element);
  if (!width) {
    // Sub-byte elements take a byte each, an index eight.
    bool isIndex = isa<IndexType>(element);
    if (!isIndex &&
        (!element.isIntOrFloat() || element.getIntOrFloatBitWidth() > 8)) {
      cursor.fail("constant data of an element type without a known layout");
      return {};
    }
    width = isIndex ? 8 : 1;
  }
  int64_t number = tensor.getNumElements();
  bool splat = int64_t(bytes.size()) == *width && number != 1;
  if (!splat && int64_t(bytes.size()) != number * *width) {
    cursor.fail(Twine(bytes.size()) + " bytes for " + Twine(number) +
                " elements of " + Twine(*width));
    return {};
  }
  if (number == 0)
    return DenseElementsAttr::get(tensor, ArrayRef<Attribute>());
  if (splat || !stablehlo::elementBytes(element))
    return DenseElementsAttr::getFromRawBuffer(tensor, data);
  return stablehlo::makeElementsOver(tensor, data, owner, "artifact");
}

//===----------------------------------------------------------------------===//
// Builtin attributes
//===----------------------------------------------------------------------===//

Attribute AttributeReader::fileRange(Cursor &cursor) {
  auto name = readAs<StringAttr>(cursor, "file name");
  uint64_t number = cursor.count("positions");
  unsigned at[4] = {};
  if (!cursor.failed() && number > 4)
    cursor.fail("a source range of " + Twine(number) + " positions");
  for (uint64_t i = 0; i < number && !cursor.failed(); ++i)
    at[i] = unsigned(cursor.varint());
  if (cursor.failed())
    return {};
  switch (number) {
  case 0:
    return FileLineColRange::get(name);
  case 1:
    return FileLineColRange::get(name, at[0]);
  case 2:
    return FileLineColRange::get(name, at[0], at[1]);
  case 3:
    return FileLineColRange::get(name, at[0], at[1], at[2]);
  default:
    return FileLineColRange::get(name, at[0], at[1], at[2], at[3]);
  }
}

Attribute AttributeReader::builtinLocation(Cursor &cursor, uint64_t code) {
  if (code == 10) {
    LocationAttr callee = readLocation(cursor);
    LocationAttr caller = readLocation(cursor);
    return cursor.failed()
               ? Attribute()
               : CallSiteLoc::get(Location(callee), Location(caller));
  }
  if (code == 11) {
    auto name = readAs<StringAttr>(cursor, "file name");
    unsigned line = unsigned(cursor.varint());
    unsigned column = unsigned(cursor.varint());
    return cursor.failed() ? Attribute()
                           : FileLineColLoc::get(name, line, column);
  }
  if (code == 14) {
    auto name = readAs<StringAttr>(cursor, "name");
    LocationAttr child = readLocation(cursor);
    return cursor.failed() ? Attribute() : NameLoc::get(name, Location(child));
  }
  // Fused: parts, then metadata that nothing here reads.
  SmallVector<Location> parts;
  uint64_t number = cursor.count("locations");
  for (uint64_t i = 0; i < number && !cursor.failed(); ++i)
    if (LocationAttr part = readLocation(cursor))
      parts.push_back(Location(part));
  return cursor.failed() ? Attribute()
                         : Attribute(FusedLoc::get(context, parts));
}

Attribute AttributeReader::builtinAttribute(Cursor &cursor) {
  uint64_t code = cursor.varint();
  if (cursor.failed())
    return {};
  switch (code) {
  case 0:
    return array(cursor);
  case 1:
    return dictionary(cursor);
  case 2:
    return StringAttr::get(context, container.readString(cursor));
  case 4: {
    auto name = readAs<StringAttr>(cursor, "symbol name");
    return cursor.failed() ? Attribute() : FlatSymbolRefAttr::get(name);
  }
  case 6: {
    Type type = readType(cursor);
    return cursor.failed() ? Attribute() : TypeAttr::get(type);
  }
  case 7:
    return UnitAttr::get(context);
  case 8:
    return integer(cursor);
  case 9:
    return floating(cursor);
  case 10:
  case 11:
  case 12:
  case 13:
  case 14:
    return builtinLocation(cursor, code);
  case 15:
    return UnknownLoc::get(context);
  case 18: {
    Type type = readType(cursor);
    return elements(cursor, type, cursor.take(cursor.varint()));
  }
  case 22:
    return fileRange(cursor);
  default:
    cursor.fail("builtin attribute kind " + Twine(code) +
                " does not occur in StableHLO artifacts");
    return {};
  }
}

Type AttributeReader::builtinType(Cursor &cursor) {
  uint64_t code = cursor.varint();
  if (cursor.failed())
    return {};
  switch (code) {
  case 0: {
    uint64_t value = cursor.varint();
    uint64_t width = value >> 2, sign = value & 3;
    if (cursor.failed())
      return {};
    if (width == 0 || width > 64 || sign > 2) {
      cursor.fail("an integer type of " + Twine(width) + " bits");
      return {};
    }
    return IntegerType::get(context, unsigned(width),
                            IntegerType::SignednessSemantics(sign));
  }
  case 1:
    return IndexType::get(context);
  case 2: {
    SmallVector<Type> inputs = typeList(cursor), results = typeList(cursor);
    return cursor.failed() ? Type()
                           : FunctionType::get(context, inputs, results);
  }
  case 3:
    return BFloat16Type::get(context);
  case 4:
    return Float16Type::get(context);
  case 5:
    return Float32Type::get(context);
  case 6:
    return Float64Type::get(context);
  case 12:
    return NoneType::get(context);
  case 13: {
    SmallVector<int64_t> shape = signedList(cursor);
    return tensorOf(cursor, shape, readType(cursor));
  }
  default:
    cursor.fail("builtin type kind " + Twine(code) +
                " does not occur in StableHLO artifacts");
    return {};
  }
}
