// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Bounded reading of bytes that nobody vouches for. The first error sticks;
// from then on every read gives zero and every loop ends, so callers check
// once.

#ifndef LOOM_FRONTEND_VHLO_CURSOR_H
#define LOOM_FRONTEND_VHLO_CURSOR_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/ADT/Twine.h"

#include <string>

namespace mlir::loom::vhlo {

/// The first thing found wrong, and where in the file.
class ErrorState {
public:
  bool failed() const { return set; }
  void fail(uint64_t at, const llvm::Twine &what,
            llvm::StringRef remedy = "the artifact is damaged, export it "
                                     "again") {
    if (set)
      return;
    set = true;
    offset = at;
    message = what.str();
    this->remedy = remedy.str();
  }
  uint64_t getOffset() const { return offset; }
  const std::string &getMessage() const { return message; }
  const std::string &getRemedy() const { return remedy; }

private:
  bool set = false;
  uint64_t offset = 0;
  std::string message, remedy;
};

class Cursor {
public:
  Cursor(ErrorState &errors, llvm::ArrayRef<uint8_t> bytes, uint64_t fileOffset)
      : errors(&errors), bytes(bytes), start(fileOffset) {}

  bool failed() const { return errors->failed(); }
  bool empty() const { return failed() || at == bytes.size(); }
  uint64_t remaining() const { return failed() ? 0 : bytes.size() - at; }
  uint64_t offset() const { return start + at; }
  void fail(const llvm::Twine &what) { errors->fail(offset(), what); }
  ErrorState &getErrors() { return *errors; }

  uint8_t byte() {
    llvm::ArrayRef<uint8_t> one = take(1);
    return one.empty() ? 0 : one[0];
  }

  llvm::ArrayRef<uint8_t> take(uint64_t size) {
    if (failed())
      return {};
    if (size > bytes.size() - at) {
      fail("truncated: " + llvm::Twine(size) + " bytes expected, " +
           llvm::Twine(bytes.size() - at) + " left");
      return {};
    }
    llvm::ArrayRef<uint8_t> result = bytes.slice(at, size);
    at += size;
    return result;
  }

  /// The number of trailing zero bits of the first byte is the number of bytes
  /// that follow; eight of them mean eight plain bytes.
  uint64_t varint() {
    uint8_t first = byte();
    if (first & 1)
      return first >> 1;
    if (failed())
      return 0;
    unsigned extra = 0;
    while (extra < 8 && !((first >> extra) & 1))
      ++extra;
    uint64_t value = extra == 8 ? 0 : first;
    llvm::ArrayRef<uint8_t> rest = take(extra);
    if (failed())
      return 0;
    for (unsigned i = 0; i < extra; ++i)
      value |= uint64_t(rest[i]) << (8 * (extra == 8 ? i : i + 1));
    return extra == 8 ? value : value >> (extra + 1);
  }

  int64_t signedVarint() {
    uint64_t raw = varint();
    return int64_t(raw >> 1) ^ -int64_t(raw & 1);
  }

  /// A number of things of at least one byte each: it cannot exceed what is
  /// left, so nothing is ever sized by a lie.
  uint64_t count(const char *what) {
    uint64_t number = varint();
    if (number > remaining()) {
      if (!failed())
        fail(llvm::Twine(number) + " " + what + " cannot be in the " +
             llvm::Twine(remaining()) + " bytes left");
      return 0;
    }
    return number;
  }

private:
  ErrorState *errors;
  llvm::ArrayRef<uint8_t> bytes;
  uint64_t start;
  uint64_t at = 0;
};

} // namespace mlir::loom::vhlo

#endif // LOOM_FRONTEND_VHLO_CURSOR_H
