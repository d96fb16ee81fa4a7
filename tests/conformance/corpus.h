// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What export.py wrote: cases, and their arrays in mapped files.
#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace conformance {

enum class element {
  i1,
  i8,
  i16,
  i32,
  i64,
  u8,
  u16,
  u32,
  u64,
  f16,
  bf16,
  f32,
  f64,
  c64
};

// Throws std::runtime_error for a name that is none.
element element_of(const std::string &name);
uint64_t bytes_of(element type);

struct array {
  element type;
  const uint8_t *data; // lives as long as the corpus
  uint64_t bytes;
};

struct test_case {
  uint64_t line; // in its index file, counted from 0
  std::string artifact;
  std::vector<array> inputs, outputs;
};

class mapping;

class corpus {
public:
  corpus();
  ~corpus();
  // All cases of one index file that have a program and that no file before it
  // had; throws where it or its arrays are damaged.
  void add(const std::string &index_path);
  const std::vector<test_case> &cases() const { return all; }

private:
  std::vector<std::unique_ptr<mapping>> files;
  std::vector<test_case> all;
  std::set<std::string> seen;
};

} // namespace conformance
