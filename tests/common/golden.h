// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Golden files: a record a line, words, then lists of hexadecimal numbers with
// a bar before each; '#' begins a comment.
#pragma once

#include <cstdint>
#include <cstring>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

namespace loom::test {

struct golden_line {
  std::string head; // the words
  std::vector<std::vector<uint64_t>> lists;
};

inline std::vector<golden_line> read_golden(const std::string &path) {
  std::vector<golden_line> all;
  std::ifstream in(path);
  for (std::string text; std::getline(in, text);) {
    if (text.empty() || text[0] == '#')
      continue;
    std::istringstream parts(text);
    golden_line &line = all.emplace_back();
    std::getline(parts, line.head, '|');
    for (std::string part; std::getline(parts, part, '|');) {
      std::istringstream words(part);
      auto &list = line.lists.emplace_back();
      for (uint64_t v; words >> std::hex >> v;)
        list.push_back(v);
    }
  }
  return all;
}

// Numbers as elements of so many bytes.
inline std::vector<uint8_t> bytes_of(const std::vector<uint64_t> &v,
                                     uint32_t size) {
  std::vector<uint8_t> b(v.size() * size);
  for (size_t i = 0; i < v.size(); i++)
    std::memcpy(&b[i * size], &v[i], size);
  return b;
}

} // namespace loom::test
