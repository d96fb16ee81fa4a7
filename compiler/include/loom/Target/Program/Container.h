// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Writer of .loom files.

#ifndef LOOM_TARGET_PROGRAM_CONTAINER_H
#define LOOM_TARGET_PROGRAM_CONTAINER_H

#include "loom_program.h"

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace mlir::loom::program {

/// Collects the tables of a program, then lays out the file.
class Container {
public:
  explicit Container(const loom_target &target);

  /// Offset of a string in section STRINGS; equal strings share one.
  uint32_t string(const std::string &text);

  /// Appends bytes to the constants, 64-byte aligned; returns their offset.
  uint64_t constant(const void *data, uint64_t bytes);

  std::vector<uint8_t> code;
  std::vector<loom_prog_slot> slots;
  std::vector<loom_prog_tensor> tensors;
  std::vector<loom_prog_entry> entries;
  std::vector<loom_prog_segment> segments;
  std::vector<loom_prog_scope> scopes;
  std::vector<loom_prog_loc> locs;
  std::vector<loom_prog_layer> layers;
  std::string producer;

  /// Row of LOCS for a place in the source; equal places share one.
  uint32_t location(const std::string &path, const std::string &file,
                    uint32_t line, uint32_t column, const std::string &op);

  /// The whole file.
  std::vector<uint8_t> finish();

private:
  uint32_t scope(const std::string &path);

  loom_target target;
  std::vector<char> strings{'\0'};
  std::map<std::string, uint32_t> stringIndex;
  std::map<std::string, uint32_t> scopeIndex;
  std::map<std::string, uint32_t> locationIndex;
  std::vector<uint8_t> constants;
};

/// CRC-32 (IEEE 802.3).
uint32_t crc32(const uint8_t *data, size_t bytes);

/// Writes beside the final place and renames. An error message, or empty.
std::string writeFileAtomically(const std::string &path, const void *data,
                                size_t bytes);

} // namespace mlir::loom::program

#endif // LOOM_TARGET_PROGRAM_CONTAINER_H
