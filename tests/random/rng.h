// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A small generator of numbers, so that a seed means the same programs with
// every library.
#pragma once

#include <cstdint>
#include <initializer_list>

namespace loom_random {

class rng {
public:
  explicit rng(uint64_t seed)
      : state(seed * 0x9e3779b97f4a7c15ull + 0x1234567) {}
  uint64_t next() {
    uint64_t z = state += 0x9e3779b97f4a7c15ull;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ z >> 27) * 0x94d049bb133111ebull;
    return z ^ z >> 31;
  }
  // 0 to n - 1.
  uint32_t below(uint64_t n) {
    return static_cast<uint32_t>((next() >> 11) % n);
  }
  // lo to hi, both included.
  int64_t between(int64_t lo, int64_t hi) {
    return lo + static_cast<int64_t>((next() >> 1) %
                                     static_cast<uint64_t>(hi - lo + 1));
  }
  bool chance(unsigned percent) { return below(100) < percent; }
  template <class T> T pick(std::initializer_list<T> list) {
    return list.begin()[below(list.size())];
  }

private:
  uint64_t state;
};

} // namespace loom_random
