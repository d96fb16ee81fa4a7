// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Writer of .loom files.

#ifndef LOOM_TARGET_PROGRAM_CONTAINER_H
#define LOOM_TARGET_PROGRAM_CONTAINER_H

#include "loom_program.h"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace mlir::loom::program {

/// A finished file. Constants are named where they lie, not copied: they must
/// outlive it.
class Image {
public:
  struct Piece {
    const uint8_t *data;
    uint64_t bytes;
  };
  /// In order, without gaps: header and tables, then constants.
  const std::vector<Piece> &pieces() const { return list; }
  uint64_t size() const { return total; }
  bool empty() const { return !total; }
  /// A copy in one piece.
  std::vector<uint8_t> bytes() const;

private:
  friend class Container;
  void add(const uint8_t *data, uint64_t bytes) {
    list.push_back({data, bytes});
    total += bytes;
  }
  std::vector<Piece> list;
  std::vector<std::shared_ptr<const std::vector<uint8_t>>> owned;
  uint64_t total = 0;
};

/// Collects the tables of a program, then lays out the file.
class Container {
public:
  explicit Container(const loom_target &target);

  /// Offset of a string in section STRINGS; equal strings share one.
  uint32_t string(const std::string &text);

  /// Appends bytes to the constants, 64-byte aligned; returns their offset, or
  /// that of equal bytes that are there already. They stay where they are until
  /// the file is written.
  uint64_t constant(const void *data, uint64_t bytes);
  /// The same for bytes that nobody else keeps.
  uint64_t constant(std::vector<uint8_t> bytes);

  std::vector<uint8_t> code, cpuCode;
  std::vector<loom_prog_slot> slots;
  std::vector<loom_prog_tensor> tensors;
  std::vector<loom_prog_entry> entries;
  std::vector<loom_prog_segment> segments;
  std::vector<loom_prog_step> steps;
  std::vector<loom_prog_scope> scopes;
  std::vector<loom_prog_loc> locs;
  std::vector<loom_prog_layer> layers;
  std::string producer;

  /// Row of LOCS for a place in the source; equal places share one.
  uint32_t location(const std::string &path, const std::string &file,
                    uint32_t line, uint32_t column, const std::string &op);

  /// The whole file.
  Image finish();

private:
  uint32_t scope(const std::string &path);
  std::optional<uint64_t> findConstant(const void *data, uint64_t bytes,
                                       uint32_t crc);

  struct Stored {
    const void *data;
    uint64_t offset;
  };
  // By size and CRC, so that only likely twins are compared.
  std::multimap<std::pair<uint64_t, uint32_t>, Stored> stored;
  loom_target target;
  std::vector<char> strings{'\0'};
  std::map<std::string, uint32_t> stringIndex;
  std::map<std::string, uint32_t> scopeIndex;
  std::map<std::string, uint32_t> locationIndex;
  std::vector<Image::Piece> constants; // with the gaps between them
  std::vector<std::shared_ptr<const std::vector<uint8_t>>> owned;
  uint64_t constBytes = 0;
};

/// CRC-32 (IEEE 802.3); `before` is that of the bytes in front.
uint32_t crc32(const uint8_t *data, size_t bytes, uint32_t before = 0);

/// Writes beside the final place and renames. An error message, or empty.
std::string writeFileAtomically(const std::string &path, const void *data,
                                size_t bytes);
std::string writeFileAtomically(const std::string &path, const Image &image);

} // namespace mlir::loom::program

#endif // LOOM_TARGET_PROGRAM_CONTAINER_H
