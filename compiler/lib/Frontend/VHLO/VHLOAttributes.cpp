// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// VHLO's own attributes and types. Enumerations become strings, structures
// dictionaries, types builtin ones; what no builtin type expresses becomes an
// opaque type whose text names it, for the legality pass to refuse.

#include "Attributes.h"

#include "mlir/IR/TypeRange.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;
using namespace mlir::loom::vhlo;

namespace {
struct EnumRow {
  uint64_t code;
  const char *name;
  ArrayRef<const char *> values;
};
} // namespace

static const char *const kDirections[] = {"EQ", "NE", "GE", "GT", "LE", "LT"};
static const char *const kComparisons[] = {"NOTYPE", "FLOAT", "TOTALORDER",
                                           "SIGNED", "UNSIGNED"};
static const char *const kApiVersions[] = {
    "UNSPECIFIED", "ORIGINAL", "STATUS_RETURNING", "STATUS_RETURNING_UNIFIED",
    "TYPED_FFI"};
static const char *const kFftTypes[] = {"FFT", "IFFT", "RFFT", "IRFFT"};
static const char *const kPrecisions[] = {"DEFAULT", "HIGH", "HIGHEST"};
static const char *const kAlgorithms[] = {"DEFAULT", "THREE_FRY", "PHILOX"};
static const char *const kDistributions[] = {nullptr, "UNIFORM", "NORMAL"};
static const char *const kTransposes[] = {nullptr, "NO_TRANSPOSE", "TRANSPOSE",
                                          "ADJOINT"};
static const char *const kAccuracies[] = {"DEFAULT", "HIGHEST", "TOLERANCE"};

static const EnumRow kEnums[] = {
    {3, "comparison direction", kDirections},
    {4, "comparison type", kComparisons},
    {5, "custom call version", kApiVersions},
    {7, "FFT type", kFftTypes},
    {11, "precision", kPrecisions},
    {12, "random number algorithm", kAlgorithms},
    {13, "random number distribution", kDistributions},
    {16, "transpose", kTransposes},
    {19, "result accuracy mode", kAccuracies},
};

Attribute AttributeReader::vhloEnum(Cursor &cursor, uint64_t code) {
  for (const EnumRow &row : kEnums) {
    if (row.code != code)
      continue;
    uint64_t value = cursor.varint();
    if (cursor.failed())
      return {};
    if (value < row.values.size() && row.values[value])
      return StringAttr::get(context, row.values[value]);
    cursor.fail(Twine(row.name) + " " + Twine(value) + " is unknown");
    return {};
  }
  cursor.fail("VHLO attribute kind " + Twine(code) + " is unknown");
  return {};
}

Attribute AttributeReader::vhloTensor(Cursor &cursor) {
  Type type = readType(cursor);
  uint64_t size = cursor.varint();
  uint64_t at = cursor.offset();
  ArrayRef<uint8_t> bytes = cursor.take(size);
  Cursor here(cursor.getErrors(), {}, at);
  return elements(here, type, bytes);
}

Attribute AttributeReader::vhloStructure(Cursor &cursor, uint64_t code) {
  auto list = [&] {
    return DenseI64ArrayAttr::get(context, signedList(cursor));
  };
  switch (code) {
  case 10: { // output operand alias
    Attribute outputs = list();
    Attribute operand = i64(cursor.signedVarint());
    return named({{"output_tuple_indices", outputs},
                  {"operand_index", operand},
                  {"operand_tuple_indices", list()}});
  }
  case 18: // type extensions
    return named({{"bounds", list()}});
  case 20: { // result accuracy
    Type f64 = Float64Type::get(context);
    auto bound = [&]() -> Attribute {
      std::optional<APInt> bits = apint(cursor, 64);
      if (!bits || cursor.failed())
        return {};
      return FloatAttr::get(f64, APFloat(APFloat::IEEEdouble(), *bits));
    };
    Attribute atol = bound(), rtol = bound();
    Attribute ulps = i64(cursor.signedVarint());
    return named({{"atol", atol},
                  {"rtol", rtol},
                  {"ulps", ulps},
                  {"mode", readAttribute(cursor)}});
  }
  case 21: { // sub-axis
    Attribute before = i64(cursor.signedVarint());
    return named({{"pre_size", before}, {"size", i64(cursor.signedVarint())}});
  }
  case 22: { // axis reference
    Attribute name = readAttribute(cursor);
    uint64_t has = cursor.varint();
    return named({{"name", name},
                  {"sub_axis", has ? readAttribute(cursor) : Attribute()}});
  }
  case 23: { // replica groups by mesh axes
    Attribute mesh = readAttribute(cursor);
    return named({{"mesh", mesh}, {"axes", readAttribute(cursor)}});
  }
  case 24: { // mesh axis
    Attribute name = readAttribute(cursor);
    return named({{"name", name}, {"size", i64(cursor.signedVarint())}});
  }
  default: { // 25, mesh
    Attribute axes = readAttribute(cursor);
    return named(
        {{"axes", axes}, {"device_ids", readOptionalAttribute(cursor)}});
  }
  }
}

Attribute AttributeReader::vhloAttribute(Cursor &cursor) {
  uint64_t code = cursor.varint();
  if (cursor.failed())
    return {};
  switch (code) {
  case 1:
    return array(cursor);
  case 2:
    return BoolAttr::get(context, cursor.varint() != 0);
  case 6:
    return dictionary(cursor);
  case 8:
    return floating(cursor);
  case 9:
    return integer(cursor);
  case 14:
    return StringAttr::get(context, container.readString(cursor));
  case 15:
    return vhloTensor(cursor);
  case 17: {
    Type type = readType(cursor);
    return cursor.failed() ? Attribute() : TypeAttr::get(type);
  }
  case 10:
  case 18:
  case 20:
  case 21:
  case 22:
  case 23:
  case 24:
  case 25: {
    Attribute result = vhloStructure(cursor, code);
    return cursor.failed() ? Attribute() : result;
  }
  default:
    return vhloEnum(cursor, code);
  }
}

//===----------------------------------------------------------------------===//
// Types
//===----------------------------------------------------------------------===//

Type AttributeReader::vhloSimpleType(uint64_t code) {
  auto integer = [&](unsigned width, bool isUnsigned) -> Type {
    return IntegerType::get(context, width,
                            isUnsigned ? IntegerType::Unsigned
                                       : IntegerType::Signless);
  };
  switch (code) {
  case 0:
    return integer(1, false);
  case 2:
    return BFloat16Type::get(context);
  case 3:
    return Float16Type::get(context);
  case 4:
    return Float32Type::get(context);
  case 5:
    return Float64Type::get(context);
  case 6:
    return Float8E4M3FNType::get(context);
  case 7:
    return Float8E5M2Type::get(context);
  case 9:
    return IndexType::get(context);
  case 10:
  case 11:
  case 12:
  case 13:
  case 14:
    return integer(4u << (code - 10), false);
  case 15:
  case 16:
  case 17:
  case 18:
  case 19:
    return integer(4u << (code - 15), true);
  case 22:
    return opaque("token");
  case 26:
    return opaque("witness");
  case 27:
    return Float8E4M3FNUZType::get(context);
  case 28:
    return Float8E5M2FNUZType::get(context);
  case 29:
    return Float8E4M3B11FNUZType::get(context);
  case 31:
    return integer(2, false);
  case 32:
    return integer(2, true);
  case 33:
    return NoneType::get(context);
  case 34:
    return FloatTF32Type::get(context);
  case 35:
    return Float8E4M3Type::get(context);
  case 36:
    return Float8E3M4Type::get(context);
  case 37:
    return Float4E2M1FNType::get(context);
  case 38:
    return Float6E2M3FNType::get(context);
  case 39:
    return Float6E3M2FNType::get(context);
  case 40:
    return Float8E8M0FNUType::get(context);
  default:
    return {};
  }
}

Type AttributeReader::vhloTensorType(Cursor &cursor, bool hasEncoding) {
  Attribute encoding = hasEncoding ? readAttribute(cursor) : Attribute();
  SmallVector<int64_t> shape = signedList(cursor);
  Type element = readType(cursor);
  // Bounds of dynamic dimensions are the only encoding; a bounded dimension is
  // still dynamic, so the bounds change nothing here.
  (void)encoding;
  return tensorOf(cursor, shape, element);
}

/// quant<i8:f32, scale:zero> or quant<i8:f32:axis, {scale:zero, ...}>, the
/// storage range in angle brackets as the quant dialect prints it.
Type AttributeReader::vhloQuantised(Cursor &cursor, bool perAxis) {
  uint64_t flags = cursor.varint();
  Type storage = readType(cursor), expressed = readType(cursor);
  uint64_t axis = perAxis ? cursor.varint() : 0;
  auto scale = [&] {
    std::optional<APInt> bits = apint(cursor, 64);
    SmallString<24> text;
    if (bits && !cursor.failed())
      APFloat(APFloat::IEEEdouble(), *bits).toString(text);
    return text;
  };
  SmallVector<SmallString<24>> scales;
  SmallVector<int64_t> zeros;
  int64_t low = 0, high = 0;
  if (!perAxis) {
    scales.push_back(scale());
    zeros.push_back(cursor.signedVarint());
    low = cursor.signedVarint();
    high = cursor.signedVarint();
  } else {
    low = cursor.signedVarint();
    high = cursor.signedVarint();
    uint64_t number = cursor.count("scales");
    for (uint64_t i = 0; i < number && !cursor.failed(); ++i)
      scales.push_back(scale());
    zeros = signedList(cursor);
  }
  if (!cursor.failed() && zeros.size() != scales.size())
    cursor.fail(Twine(scales.size()) + " scales and " + Twine(zeros.size()) +
                " zero points");
  if (cursor.failed())
    return {};
  std::string text;
  llvm::raw_string_ostream os(text);
  os << "quant<" << (flags & 1 ? "" : "unsigned ") << storage << "<" << low
     << ":" << high << ">:" << expressed;
  if (perAxis)
    os << ":" << axis;
  for (auto [s, z] : llvm::zip(scales, zeros))
    os << ", " << s << ":" << z;
  os << ">";
  return opaque(text);
}

Type AttributeReader::vhloType(Cursor &cursor) {
  uint64_t code = cursor.varint();
  if (cursor.failed())
    return {};
  if (Type simple = vhloSimpleType(code))
    return simple;
  switch (code) {
  case 1: {
    auto part = dyn_cast_or_null<FloatType>(readType(cursor));
    if (!part && !cursor.failed())
      cursor.fail("a complex type of parts that are not floats");
    return cursor.failed() ? Type() : ComplexType::get(part);
  }
  case 8: {
    SmallVector<Type> inputs = typeList(cursor), results = typeList(cursor);
    return cursor.failed() ? Type()
                           : FunctionType::get(context, inputs, results);
  }
  case 20:
    return vhloTensorType(cursor, /*hasEncoding=*/false);
  case 21:
    return vhloTensorType(cursor, /*hasEncoding=*/true);
  case 23: {
    SmallVector<Type> parts = typeList(cursor);
    return cursor.failed() ? Type() : TupleType::get(context, parts);
  }
  case 24:
    return vhloQuantised(cursor, /*perAxis=*/false);
  case 25: {
    Type element = readType(cursor);
    if (cursor.failed())
      return {};
    if (!TensorType::isValidElementType(element)) {
      cursor.fail("a tensor of elements that cannot be in one");
      return {};
    }
    return UnrankedTensorType::get(element);
  }
  case 30:
    return vhloQuantised(cursor, /*perAxis=*/true);
  case 41: {
    signedList(cursor);
    readType(cursor);
    return cursor.failed() ? Type() : opaque("buffer");
  }
  case 42:
    typeList(cursor);
    return cursor.failed() ? Type() : opaque("future");
  default:
    cursor.fail("VHLO type kind " + Twine(code) + " is unknown");
    return {};
  }
}
