// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Operations, regions and values of an artifact.

#include "loom/Frontend/VHLO.h"

#include "Attributes.h"

#include "llvm/Support/Errc.h"
#include "llvm/Support/FormatVariadic.h"

using namespace mlir;
using namespace mlir::loom;
using namespace mlir::loom::vhlo;

namespace {

enum OpMask : uint8_t {
  kHasAttributes = 1 << 0,
  kHasResults = 1 << 1,
  kHasOperands = 1 << 2,
  kHasSuccessors = 1 << 3,
  kHasRegions = 1 << 4,
  kHasUseListOrders = 1 << 5,
  kHasProperties = 1 << 6,
};

// Bytecode versions at which the encoding changed.
constexpr uint64_t kRegionSections = 2;
constexpr uint64_t kUseListOrders = 3;
constexpr uint64_t kOptionalArgLocations = 4;

constexpr unsigned kMaxRegionDepth = 64;

class OperationReader {
public:
  OperationReader(MLIRContext &context, Container &container,
                  AttributeReader &attributes)
      : context(&context), container(container), attributes(attributes) {}

  OwningOpRef<ModuleOp> read();

private:
  /// Values that operands may name, by number, since the last region that is
  /// isolated from above; null before their definition. A region's numbers are
  /// reserved where it begins, so that those of a region nested in it follow
  /// all of its own.
  struct Scope {
    std::vector<Value> values;
    size_t next = 0; // number of the value defined next
  };
  void define(Cursor &cursor, Scope &scope, Value value);

  void readModule(Cursor &cursor, ModuleOp module);
  void readOp(Cursor &cursor, Block &block, Scope &scope);
  const OpName *readName(Cursor &cursor, uint64_t &at);
  void readProperties(Cursor &cursor, const OpName &name,
                      OperationState &state);
  void readResults(Cursor &cursor, OperationState &state);
  void readOperands(Cursor &cursor, OperationState &state, const Scope &scope);
  void skipUseLists(Cursor &cursor, uint64_t numValues);
  void readRegions(Cursor &cursor, Operation *op, bool isolated, Scope &scope);
  void readRegion(Cursor &cursor, Region &region, Scope &scope);
  void readBlockHeader(Cursor &cursor, Block &block, uint64_t &numOps,
                       Scope &scope);
  Type readArgumentType(Cursor &cursor, Location &loc);

  MLIRContext *context;
  Container &container;
  AttributeReader &attributes;
  unsigned depth = 0;
};

} // namespace

OwningOpRef<ModuleOp> OperationReader::read() {
  Cursor cursor = container.irCursor();
  OwningOpRef<ModuleOp> module(ModuleOp::create(UnknownLoc::get(context)));
  uint64_t header = cursor.varint();
  if (!cursor.failed() && header != (1u << 1))
    cursor.fail("the artifact must hold exactly one module");
  readModule(cursor, *module);
  if (!cursor.failed() && !cursor.empty())
    cursor.fail("bytes after the module");
  return module;
}

const OpName *OperationReader::readName(Cursor &cursor, uint64_t &at) {
  at = cursor.offset();
  uint64_t index = cursor.varint();
  if (!cursor.failed() && index >= container.opNames.size())
    cursor.fail("operation name " + Twine(index) + " of " +
                Twine(container.opNames.size()));
  return cursor.failed() ? nullptr : &container.opNames[index];
}

/// The module: attributes, the two optional properties of builtin.module, and
/// one region with one block.
void OperationReader::readModule(Cursor &cursor, ModuleOp module) {
  uint64_t at = 0;
  const OpName *name = readName(cursor, at);
  if (!name)
    return;
  if (name->dialect != "builtin" || name->name != "module") {
    cursor.getErrors().fail(at, "the outermost operation is '" + name->dialect +
                                    "." + name->name + "', not builtin.module");
    return;
  }
  uint8_t mask = cursor.byte();
  LocationAttr loc = attributes.readLocation(cursor);
  if (cursor.failed())
    return;
  module->setLoc(Location(loc));
  if (mask & kHasAttributes)
    if (DictionaryAttr dict = attributes.readDictionary(cursor))
      module->setAttrs(dict);
  if (mask & kHasProperties) {
    uint64_t index = cursor.varint();
    if (!cursor.failed() && index >= container.properties.size())
      cursor.fail("property list " + Twine(index) + " of " +
                  Twine(container.properties.size()));
    if (cursor.failed())
      return;
    const Entry &entry = container.properties[index];
    Cursor props(cursor.getErrors(), entry.bytes, entry.offset);
    Attribute symbol = attributes.readOptionalAttribute(props);
    attributes.readOptionalAttribute(props); // visibility
    if (auto text = dyn_cast_or_null<StringAttr>(symbol))
      module.setSymNameAttr(text);
  }
  if (mask & ~(kHasAttributes | kHasProperties | kHasRegions))
    cursor.fail("a module with operands or results");
  uint64_t regions = cursor.varint();
  if (!cursor.failed() && regions >> 1 != 1)
    cursor.fail("a module of " + Twine(regions >> 1) + " regions");
  if (cursor.failed())
    return;
  module.getBodyRegion().front().erase();
  Scope scope;
  readRegions(cursor, module, regions & 1, scope);
  if (!cursor.failed() && module.getBodyRegion().empty())
    cursor.fail("an empty module");
  if (module.getBodyRegion().empty())
    module.getBodyRegion().emplaceBlock();
}

void OperationReader::readProperties(Cursor &cursor, const OpName &name,
                                     OperationState &state) {
  if (!name.wasRegistered) {
    cursor.fail("operation '" + name.dialect + "." + name.name +
                "' was not registered where the artifact was written");
    return;
  }
  uint64_t index = cursor.varint();
  if (!cursor.failed() && index >= container.properties.size())
    cursor.fail("property list " + Twine(index) + " of " +
                Twine(container.properties.size()));
  if (cursor.failed())
    return;
  const Entry &entry = container.properties[index];
  Cursor props(cursor.getErrors(), entry.bytes, entry.offset);
  std::optional<ArrayRef<StringRef>> names = vhloAttributeNames(name.name);
  for (StringRef attribute : names.value_or(ArrayRef<StringRef>())) {
    Attribute value = attributes.readAttribute(props);
    if (props.failed())
      return;
    state.attributes.set(attribute, value);
  }
  if (!props.empty())
    props.fail("operation '" + name.name +
               "' has more properties than its version");
}

void OperationReader::readResults(Cursor &cursor, OperationState &state) {
  uint64_t number = cursor.count("results");
  for (uint64_t i = 0; i < number && !cursor.failed(); ++i)
    if (Type type = attributes.readType(cursor))
      state.types.push_back(type);
}

void OperationReader::readOperands(Cursor &cursor, OperationState &state,
                                   const Scope &scope) {
  uint64_t number = cursor.count("operands");
  for (uint64_t i = 0; i < number && !cursor.failed(); ++i) {
    uint64_t index = cursor.varint();
    if (cursor.failed())
      return;
    if (index >= scope.values.size())
      cursor.fail("an operand names value " + Twine(index) + ", only " +
                  Twine(scope.values.size()) + " are declared");
    else if (!scope.values[index])
      cursor.fail("an operand names value " + Twine(index) +
                  " before its definition");
    else
      state.operands.push_back(scope.values[index]);
  }
}

void OperationReader::define(Cursor &cursor, Scope &scope, Value value) {
  if (scope.next < scope.values.size())
    scope.values[scope.next++] = value;
  else
    cursor.fail("a region declares " + Twine(scope.values.size()) +
                " values and has more");
}

/// The order of a value's uses carries no meaning.
void OperationReader::skipUseLists(Cursor &cursor, uint64_t numValues) {
  uint64_t number = numValues > 1 ? cursor.count("use lists") : 1;
  for (uint64_t i = 0; i < number && !cursor.failed(); ++i) {
    if (numValues > 1)
      cursor.varint();
    uint64_t entries = cursor.varint() >> 1;
    for (uint64_t j = 0; j < entries && !cursor.failed(); ++j)
      cursor.varint();
  }
}

static void refuseDialect(ErrorState &errors, uint64_t at, const OpName &name) {
  StringRef remedy =
      name.dialect == "sdy"
          ? "switch Shardy off before tracing "
            "(jax.config.update('jax_use_shardy_partitioner', False)), or "
            "export with loom.export"
          : "export with loom.export, which writes StableHLO alone";
  errors.fail(at,
              "operation '" + name.dialect + "." + name.name +
                  "' is not of dialect vhlo",
              remedy);
}

void OperationReader::readOp(Cursor &cursor, Block &block, Scope &scope) {
  uint64_t at = 0;
  const OpName *name = readName(cursor, at);
  if (!name)
    return;
  if (name->dialect != "vhlo")
    return refuseDialect(cursor.getErrors(), at, *name);
  if (!vhloAttributeNames(name->name)) {
    cursor.getErrors().fail(at,
                            "operation 'vhlo." + name->name +
                                "' is unknown (VHLO 0.9 to 1.20 is read)",
                            "export for an older StableHLO version");
    return;
  }
  uint8_t mask = cursor.byte();
  LocationAttr loc = attributes.readLocation(cursor);
  if (cursor.failed())
    return;
  OperationState state(Location(loc), ("vhlo." + name->name).str());
  if (mask & kHasAttributes)
    if (DictionaryAttr dict = attributes.readDictionary(cursor))
      state.attributes.append(dict.getValue());
  if (mask & kHasProperties)
    readProperties(cursor, *name, state);
  if (mask & kHasResults)
    readResults(cursor, state);
  if (mask & kHasOperands)
    readOperands(cursor, state, scope);
  if ((mask & (kHasSuccessors | 0x80)) && !cursor.failed())
    cursor.fail("operation 'vhlo." + name->name + "' with successors");
  if (mask & kHasUseListOrders)
    skipUseLists(cursor, state.types.size());
  uint64_t regions = mask & kHasRegions ? cursor.varint() : 0;
  if (!cursor.failed() && regions >> 1 > cursor.remaining())
    cursor.fail(Twine(regions >> 1) + " regions cannot be in the " +
                Twine(cursor.remaining()) + " bytes left");
  if (cursor.failed())
    return;
  for (uint64_t i = 0; i < regions >> 1; ++i)
    state.addRegion();
  Operation *op = Operation::create(state);
  block.push_back(op);
  for (Value result : op->getResults())
    define(cursor, scope, result);
  if (regions >> 1)
    readRegions(cursor, op, regions & 1, scope);
}

void OperationReader::readRegions(Cursor &cursor, Operation *op, bool isolated,
                                  Scope &scope) {
  if (++depth > kMaxRegionDepth)
    cursor.fail("regions are nested more than " + Twine(kMaxRegionDepth) +
                " deep");
  if (isolated) {
    Scope inner;
    if (container.version >= kRegionSections) {
      auto [kind, section] = readSection(cursor);
      if (!cursor.failed() && kind != SectionKind::IR)
        cursor.fail("an operation section is expected");
      Cursor body(cursor.getErrors(), section.bytes, section.offset);
      for (Region &region : op->getRegions())
        readRegion(body, region, inner);
      if (!body.failed() && !body.empty())
        body.fail("bytes after the last region");
    } else {
      for (Region &region : op->getRegions())
        readRegion(cursor, region, inner);
    }
  } else {
    for (Region &region : op->getRegions())
      readRegion(cursor, region, scope);
  }
  --depth;
}

void OperationReader::readRegion(Cursor &cursor, Region &region, Scope &scope) {
  if (cursor.failed())
    return;
  uint64_t blocks = cursor.varint();
  if (cursor.failed() || blocks == 0)
    return;
  if (blocks != 1) {
    cursor.fail("a region of " + Twine(blocks) +
                " blocks (StableHLO has one a region)");
    return;
  }
  uint64_t numValues = cursor.varint();
  if (!cursor.failed() && numValues > cursor.remaining())
    cursor.fail(Twine(numValues) + " values cannot be in the " +
                Twine(cursor.remaining()) + " bytes left");
  if (cursor.failed())
    return;
  const size_t first = scope.values.size(), outer = scope.next;
  scope.values.resize(first + numValues);
  scope.next = first;
  Block &block = region.emplaceBlock();
  uint64_t numOps = 0;
  readBlockHeader(cursor, block, numOps, scope);
  for (uint64_t i = 0; i < numOps && !cursor.failed(); ++i)
    readOp(cursor, block, scope);
  if (!cursor.failed() && scope.next != scope.values.size())
    cursor.fail("a region declares " + Twine(numValues) + " values and has " +
                Twine(scope.next - first));
  scope.values.resize(first);
  scope.next = outer;
}

Type OperationReader::readArgumentType(Cursor &cursor, Location &loc) {
  LocationAttr attr;
  Type type;
  if (container.version >= kOptionalArgLocations) {
    uint64_t typeAndFlag = cursor.varint();
    type = attributes.typeAt(cursor, typeAndFlag >> 1);
    if (typeAndFlag & 1)
      attr = attributes.readLocation(cursor);
  } else {
    type = attributes.readType(cursor);
    attr = attributes.readLocation(cursor);
  }
  if (attr)
    loc = Location(attr);
  return cursor.failed() ? Type() : type;
}

void OperationReader::readBlockHeader(Cursor &cursor, Block &block,
                                      uint64_t &numOps, Scope &scope) {
  uint64_t header = cursor.varint();
  numOps = header >> 1;
  if (!cursor.failed() && numOps > cursor.remaining())
    cursor.fail(Twine(numOps) + " operations cannot be in the " +
                Twine(cursor.remaining()) + " bytes left");
  if (cursor.failed() || !(header & 1))
    return;
  uint64_t number = cursor.count("block arguments");
  for (uint64_t i = 0; i < number && !cursor.failed(); ++i) {
    Location loc = UnknownLoc::get(context);
    if (Type type = readArgumentType(cursor, loc))
      define(cursor, scope, block.addArgument(type, loc));
  }
  if (container.version >= kUseListOrders && cursor.byte() != 0)
    skipUseLists(cursor, number);
}

//===----------------------------------------------------------------------===//
// Entry
//===----------------------------------------------------------------------===//

bool mlir::loom::isBytecode(StringRef bytes) {
  return bytes.starts_with("ML\xEFR");
}

llvm::Expected<OwningOpRef<ModuleOp>>
mlir::loom::readVHLO(MLIRContext &context,
                     std::shared_ptr<llvm::MemoryBuffer> buffer,
                     StringRef fileName) {
  context.getOrLoadDialect<VHLODialect>();
  ErrorState errors;
  ArrayRef<uint8_t> file(
      reinterpret_cast<const uint8_t *>(buffer->getBufferStart()),
      buffer->getBufferSize());
  Container container(errors, file);
  AttributeReader attributes(context, container, buffer);
  OwningOpRef<ModuleOp> module;
  if (!errors.failed())
    module = OperationReader(context, container, attributes).read();
  if (!errors.failed())
    return module;
  return llvm::createStringError(
      llvm::errc::illegal_byte_sequence,
      llvm::formatv("{0}: offset {1}: {2}; {3}", fileName, errors.getOffset(),
                    errors.getMessage(), errors.getRemedy())
          .str());
}
