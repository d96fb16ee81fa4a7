// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "Container.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir::loom::vhlo;
using llvm::ArrayRef;
using llvm::StringRef;
using llvm::Twine;

static constexpr uint64_t kMaxVersion = 6;
/// StableHLO's newest version in the table of operations.
static constexpr unsigned kMaxMajor = 1, kMaxMinor = 20;
static constexpr uint8_t kPaddingByte = 0xCB;

// Bytecode versions at which the encoding changed.
static constexpr uint64_t kHasDialectVersions = 1;
static constexpr uint64_t kHasOpNameCount = 4;
static constexpr uint64_t kHasRegisteredFlag = 5;

static StringRef toString(ArrayRef<uint8_t> bytes) {
  return StringRef(reinterpret_cast<const char *>(bytes.data()), bytes.size());
}

std::pair<SectionKind, Section> mlir::loom::vhlo::readSection(Cursor &cursor) {
  uint8_t id = cursor.byte();
  uint64_t length = cursor.varint();
  if (id & 0x80) {
    uint64_t alignment = cursor.varint();
    if (!cursor.failed() &&
        (!llvm::isPowerOf2_64(alignment) || alignment > (uint64_t(1) << 30)))
      cursor.fail("section alignment " + Twine(alignment) +
                  " is not a power of two");
    while (!cursor.failed() && cursor.offset() % alignment)
      if (cursor.byte() != kPaddingByte && !cursor.failed())
        cursor.fail("bad padding byte before a section");
  }
  if (!cursor.failed() && (id & 0x7F) >= kNumSections)
    cursor.fail("unknown section " + Twine(id & 0x7F));
  Section result;
  result.offset = cursor.offset();
  result.bytes = cursor.take(length);
  result.present = !cursor.failed();
  if (cursor.failed())
    return {SectionKind::String, result};
  return {SectionKind(id & 0x7F), result};
}

Container::Container(ErrorState &errors, ArrayRef<uint8_t> file)
    : errors(errors) {
  readSections(file);
  readStrings();
  readDialects();
  readEntries();
  readProperties();
}

Cursor Container::open(SectionKind kind, const char *name) {
  const Section &found = section(kind);
  if (!errors.failed() && !found.present)
    errors.fail(0, Twine("the ") + name + " section is missing");
  return Cursor(errors, found.bytes, found.offset);
}

void Container::readSections(ArrayRef<uint8_t> file) {
  Cursor cursor(errors, file, 0);
  static constexpr uint8_t magic[] = {0x4D, 0x4C, 0xEF, 0x52};
  if (file.empty()) {
    errors.fail(0, "the file is empty");
    return;
  }
  if (cursor.take(4) != ArrayRef<uint8_t>(magic) && !errors.failed())
    errors.fail(0, "not MLIR bytecode (no 'ML\\xEFR' at the start)",
                "give the artifact that loom.export or jax.export wrote");
  version = cursor.varint();
  if (!errors.failed() && version > kMaxVersion)
    errors.fail(4,
                "bytecode version " + Twine(version) +
                    " is newer than the newest known, " + Twine(kMaxVersion),
                "export for an older StableHLO version");
  uint64_t begin = cursor.offset();
  while (cursor.byte() != 0 && !cursor.failed()) {
  }
  if (errors.failed())
    return;
  producer = toString(file.slice(begin, cursor.offset() - begin - 1));
  checkProducer(begin);
  while (!cursor.empty()) {
    uint64_t at = cursor.offset();
    auto [kind, found] = readSection(cursor);
    if (errors.failed())
      return;
    if (section(kind).present)
      errors.fail(at, "section " + Twine(unsigned(kind)) + " occurs twice");
    section(kind) = found;
  }
  if (!section(SectionKind::IR).present)
    errors.fail(file.size(), "truncated: the operations are missing");
}

/// Artifacts carry the StableHLO version they were written for.
void Container::checkProducer(uint64_t at) {
  StringRef text = producer;
  unsigned major = 0, minor = 0;
  if (!text.consume_front("StableHLO_v") || text.consumeInteger(10, major) ||
      !text.consume_front(".") || text.consumeInteger(10, minor))
    return;
  if (major > kMaxMajor || (major == kMaxMajor && minor > kMaxMinor))
    errors.fail(at,
                "written for StableHLO version " + Twine(major) + "." +
                    Twine(minor) + ", the newest known is " + Twine(kMaxMajor) +
                    "." + Twine(kMaxMinor),
                "export for an older version");
}

void Container::readStrings() {
  Cursor cursor = open(SectionKind::String, "string");
  uint64_t number = cursor.count("strings");
  std::vector<uint64_t> sizes;
  uint64_t total = 0;
  for (uint64_t i = 0; i < number && !cursor.failed(); ++i) {
    sizes.push_back(cursor.varint());
    if (sizes.back() == 0 || sizes.back() > cursor.remaining() - total)
      cursor.fail("string length " + Twine(sizes.back()) +
                  " does not fit its section");
    else
      total += sizes.back();
  }
  if (!cursor.failed() && total != cursor.remaining())
    cursor.fail("string lengths do not add up to the section's size");
  // The lengths come last string first.
  for (uint64_t size : llvm::reverse(sizes)) {
    ArrayRef<uint8_t> bytes = cursor.take(size);
    if (cursor.failed())
      return;
    if (bytes.back() != 0)
      cursor.fail("string without a terminator");
    strings.push_back(toString(bytes.drop_back()));
  }
}

StringRef Container::stringAt(Cursor &cursor, uint64_t index) {
  if (cursor.failed())
    return {};
  if (index < strings.size())
    return strings[index];
  cursor.fail("string " + Twine(index) + " of " + Twine(strings.size()));
  return {};
}

StringRef Container::readString(Cursor &cursor) {
  return stringAt(cursor, cursor.varint());
}

StringRef Container::readDialect(Cursor &cursor) {
  uint64_t index = cursor.varint();
  if (cursor.failed())
    return {};
  if (index < dialects.size())
    return dialects[index];
  cursor.fail("dialect " + Twine(index) + " of " + Twine(dialects.size()));
  return {};
}

void Container::readDialects() {
  Cursor cursor = open(SectionKind::Dialect, "dialect");
  uint64_t number = cursor.count("dialects");
  for (uint64_t i = 0; i < number && !cursor.failed(); ++i) {
    uint64_t index = cursor.varint();
    if (version < kHasDialectVersions) {
      dialects.push_back(stringAt(cursor, index));
      continue;
    }
    dialects.push_back(stringAt(cursor, index >> 1));
    if ((index & 1) && !cursor.failed() &&
        readSection(cursor).first != SectionKind::DialectVersions)
      cursor.fail("a dialect's version section is expected");
  }
  if (version >= kHasOpNameCount)
    cursor.count("operation names");
  while (!cursor.empty())
    readOpNames(cursor);
}

void Container::readOpNames(Cursor &cursor) {
  StringRef dialect = readDialect(cursor);
  uint64_t number = cursor.count("operation names");
  for (uint64_t i = 0; i < number && !cursor.failed(); ++i) {
    uint64_t index = cursor.varint();
    bool registered = true;
    if (version >= kHasRegisteredFlag) {
      registered = index & 1;
      index >>= 1;
    }
    opNames.push_back({dialect, stringAt(cursor, index), registered});
  }
}

void Container::readEntries() {
  Cursor cursor = open(SectionKind::AttrTypeOffset, "attribute offset");
  Cursor data = open(SectionKind::AttrType, "attribute");
  uint64_t numAttributes = cursor.count("attributes");
  uint64_t numTypes = cursor.count("types");
  for (auto [list, total] :
       {std::pair{&attributes, numAttributes}, std::pair{&types, numTypes}}) {
    while (list->size() < total && !cursor.failed()) {
      StringRef dialect = readDialect(cursor);
      uint64_t number = cursor.count("entries");
      if (!cursor.failed() && (number == 0 || number > total - list->size()))
        cursor.fail("a group of " + Twine(number) + " entries");
      for (uint64_t i = 0; i < number && !cursor.failed(); ++i) {
        uint64_t sizeAndFlag = cursor.varint();
        uint64_t at = data.offset();
        list->push_back(
            {dialect, data.take(sizeAndFlag >> 1), at, !(sizeAndFlag & 1)});
      }
    }
  }
  if (!cursor.failed() && !cursor.empty())
    cursor.fail("bytes after the last attribute offset");
}

void Container::readProperties() {
  const Section &found = section(SectionKind::Properties);
  if (errors.failed() || !found.present || found.bytes.empty())
    return;
  Cursor cursor(errors, found.bytes, found.offset);
  uint64_t number = cursor.count("property lists");
  for (uint64_t i = 0; i < number && !cursor.failed(); ++i) {
    uint64_t size = cursor.varint();
    uint64_t at = cursor.offset();
    properties.push_back({{}, cursor.take(size), at, false});
  }
}
