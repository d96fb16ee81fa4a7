// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Encoded records and what they touch. Free of MLIR, so that the program
// verifier judges bytes and not the compiler's intentions.

#ifndef LOOM_TARGET_PROGRAM_RECORD_H
#define LOOM_TARGET_PROGRAM_RECORD_H

#include "footprint.h"
#include "loom_isa.h"

#include <array>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

namespace mlir::loom::program {

/// One record as it lies in the code: loom_hdr and the fields of its opcode.
struct Record {
  std::vector<uint8_t> bytes;

  loom_hdr &header() { return *reinterpret_cast<loom_hdr *>(bytes.data()); }
  const loom_hdr &header() const {
    return *reinterpret_cast<const loom_hdr *>(bytes.data());
  }
  template <typename T> const T &as(size_t offset = 0) const {
    return *reinterpret_cast<const T *>(bytes.data() + offset);
  }
  template <typename T> T &as(size_t offset = 0) {
    return *reinterpret_cast<T *>(bytes.data() + offset);
  }
};

/// Queue that an opcode runs in; LOOM_NUM_QUEUES for an unknown opcode.
unsigned queueOf(uint8_t opcode);

/// The record as it is in code that begins at unit `base` of the code at hand:
/// targets of loops and branches count units.
void rebase(Record &record, uint32_t base);

/// Space of an access: a slot number, or one of these.
inline constexpr uint32_t kSramSpace = LOOM_SLOT_SRAM;
inline constexpr uint32_t kAccSpace = LOOM_SPACE_ACC;

/// The bytes that one operand of a record touches: a strided box, the model's.
using Access = ::loom_box;

/// One dimension of a box: how often, and bytes from one to the next.
struct Dim {
  int64_t count;
  int64_t stride;
};

/// A box from a base and any strides.
Access makeAccess(uint32_t space, bool write, int64_t base, int64_t inner,
                  const std::vector<Dim> &dims);

/// False only if no byte is in both.
bool mayOverlap(const Access &a, const Access &b);
/// True only if every byte of `inside` is in `outside`.
bool covers(const Access &outside, const Access &inside);

/// Everything the record reads and writes, with base registers that are 0. The
/// record must have passed checkRecord().
std::vector<Access> accessesOf(const Record &record);

/// Shape of a record: opcode, length, reserved fields, values, caps. Returns an
/// empty string, or what is wrong.
std::string checkRecord(const Record &record);

} // namespace mlir::loom::program

#endif // LOOM_TARGET_PROGRAM_RECORD_H
