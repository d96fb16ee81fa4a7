// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// How far an output is from the expected one.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "corpus.h"

namespace conformance {

struct distance {
  std::string mismatch; // what no bound can excuse: an integer, a boolean, the
                        // place of a NaN
  double ulps =
      0; // largest over the elements, in units of each expected element
  double scaled =
      0; // the same, in units of the tensor's largest expected element
  double tolerance =
      0; // smallest t for which |have - want| <= t + t |want| everywhere

  void merge(const distance &other);
};

// Both hold want.bytes bytes.
distance compare(const array &want, const uint8_t *have);

} // namespace conformance
