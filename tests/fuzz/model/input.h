// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Numbers from a fuzzer's input, and after its end from a generator seeded by
// it: short inputs go a long way.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace loom::fuzz {

class input {
public:
  input(const uint8_t *data, size_t size) : at_(data), left_(size) {
    for (size_t i = 0; i < size; i++)
      state_ = (state_ ^ data[i]) * 0x100000001b3;
  }

  template <typename T> T take() {
    T v{};
    take(&v, sizeof(v));
    return v;
  }
  void take(void *to, size_t n) {
    const size_t have = n < left_ ? n : left_;
    std::memcpy(to, at_, have);
    at_ += have;
    left_ -= have;
    for (auto *p = static_cast<uint8_t *>(to) + have;
         p < static_cast<uint8_t *>(to) + n; p++)
      *p = next();
  }
  uint32_t below(uint32_t n) { return take<uint16_t>() % n; }

private:
  uint8_t next() { // xorshift64*
    state_ ^= state_ >> 12;
    state_ ^= state_ << 25;
    state_ ^= state_ >> 27;
    return uint8_t(state_ * 0x2545f4914f6cdd1d >> 56);
  }

  uint64_t state_ = 0xcbf29ce484222325;
  const uint8_t *at_;
  size_t left_;
};

inline void require(bool ok) {
  if (!ok)
    __builtin_trap();
}

} // namespace loom::fuzz
