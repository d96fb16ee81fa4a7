// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What the check refuses, one field at a time: an operation of a structure that
// is sound, and what is done to it.
#pragma once

#include "segment.h"
#include <functional>

namespace loom::test {

// A sound operation of a structure over slots().
operation sound(uint32_t structure);

// Three of 64 KiB: 0 read, 1 read and write, 2 write.
world slots();

struct refusal {
  const char *what;
  uint32_t structure;
  std::function<void(operation &)> damage;
  loom_cpu_status status = LOOM_CPU_MALFORMED;
};

// Of operations as such, their operands and programs; of structures; of those
// of linear algebra.
const std::vector<refusal> &operation_refusals();
const std::vector<refusal> &structure_refusals();
const std::vector<refusal> &linear_refusals();

template <typename T> T &params(operation &m) {
  return *reinterpret_cast<T *>(m.params.data());
}

#define BREAK(...) [](operation &m) { __VA_ARGS__; }
#define PARAM(type, ...)                                                       \
  [](operation &m) {                                                           \
    auto &p = params<type>(m);                                                 \
    __VA_ARGS__;                                                               \
  }

// The structures' names in the tables.
enum : uint32_t {
  MAP = LOOM_CPU_MAP,
  REDUCE = LOOM_CPU_REDUCE,
  WINDOW = LOOM_CPU_WINDOW,
  SELECT = LOOM_CPU_SELECT_SCATTER,
  GATHER = LOOM_CPU_GATHER,
  SCATTER = LOOM_CPU_SCATTER,
  SORT = LOOM_CPU_SORT,
  COPY = LOOM_CPU_COPY,
  SCAN = LOOM_CPU_SCAN,
  DOT = LOOM_CPU_DOT,
  CONV = LOOM_CPU_CONV,
  FFT = LOOM_CPU_FFT,
  CHOLESKY = LOOM_CPU_CHOLESKY,
  SOLVE = LOOM_CPU_TRIANGULAR_SOLVE,
  QR = LOOM_CPU_QR,
  HOUSEHOLDER = LOOM_CPU_HOUSEHOLDER,
};

} // namespace loom::test
