// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The bytecode's outer structure: sections, strings, dialects, operation names,
// and where each attribute, type and property list lies.

#ifndef LOOM_FRONTEND_VHLO_CONTAINER_H
#define LOOM_FRONTEND_VHLO_CONTAINER_H

#include "Cursor.h"

#include "llvm/ADT/SmallVector.h"

#include <array>
#include <vector>

namespace mlir::loom::vhlo {

enum class SectionKind : uint8_t {
  String,
  Dialect,
  AttrType,
  AttrTypeOffset,
  IR,
  Resource,
  ResourceOffset,
  DialectVersions,
  Properties,
};
inline constexpr unsigned kNumSections = 9;

struct Section {
  llvm::ArrayRef<uint8_t> bytes;
  uint64_t offset = 0;
  bool present = false;
};

/// Reads a section header and returns its kind and contents.
std::pair<SectionKind, Section> readSection(Cursor &cursor);

/// One encoded attribute or type.
struct Entry {
  llvm::StringRef dialect;
  llvm::ArrayRef<uint8_t> bytes;
  uint64_t offset = 0;
  bool isText = false;
};

struct OpName {
  llvm::StringRef dialect, name;
  bool wasRegistered = true;
};

class Container {
public:
  /// Reads everything but attributes, types and operations themselves.
  Container(ErrorState &errors, llvm::ArrayRef<uint8_t> file);

  uint64_t version = 0;
  llvm::StringRef producer;
  std::vector<llvm::StringRef> strings;
  std::vector<llvm::StringRef> dialects;
  std::vector<OpName> opNames;
  std::vector<Entry> attributes, types, properties;

  ErrorState &getErrors() { return errors; }

  Cursor irCursor() {
    const Section &ir = section(SectionKind::IR);
    return Cursor(errors, ir.bytes, ir.offset);
  }

  /// The string a varint at the cursor names.
  llvm::StringRef readString(Cursor &cursor);

private:
  Section &section(SectionKind kind) { return sections[unsigned(kind)]; }
  Cursor open(SectionKind kind, const char *name);
  void readSections(llvm::ArrayRef<uint8_t> file);
  void checkProducer(uint64_t at);
  void readStrings();
  void readDialects();
  void readOpNames(Cursor &cursor);
  void readEntries();
  void readProperties();
  llvm::StringRef stringAt(Cursor &cursor, uint64_t index);
  llvm::StringRef readDialect(Cursor &cursor);

  ErrorState &errors;
  std::array<Section, kNumSections> sections;
};

} // namespace mlir::loom::vhlo

#endif // LOOM_FRONTEND_VHLO_CONTAINER_H
