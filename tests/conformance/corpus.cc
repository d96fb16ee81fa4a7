// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "corpus.h"

#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <map>
#include <stdexcept>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

namespace conformance {

element element_of(const std::string &name) {
  static const std::map<std::string, element> types = {
      {"i1", element::i1},   {"i8", element::i8},     {"i16", element::i16},
      {"i32", element::i32}, {"i64", element::i64},   {"u8", element::u8},
      {"u16", element::u16}, {"u32", element::u32},   {"u64", element::u64},
      {"f16", element::f16}, {"bf16", element::bf16}, {"f32", element::f32},
      {"f64", element::f64}, {"c64", element::c64},
  };
  const auto at = types.find(name);
  if (at == types.end())
    throw std::runtime_error("'" + name + "' is no element type");
  return at->second;
}

uint64_t bytes_of(element type) {
  switch (type) {
  case element::i1:
  case element::i8:
  case element::u8:
    return 1;
  case element::i16:
  case element::u16:
  case element::f16:
  case element::bf16:
    return 2;
  case element::i32:
  case element::u32:
  case element::f32:
    return 4;
  default:
    return 8;
  }
}

// A file in memory, read-only.
class mapping {
public:
  explicit mapping(const std::string &path) {
    const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    struct stat st {};
    if (fd < 0 || fstat(fd, &st))
      throw std::runtime_error(path +
                               " cannot be read; export the corpus again");
    size = static_cast<uint64_t>(st.st_size);
    if (size)
      base = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd, 0);
    close(fd);
    if (base == MAP_FAILED)
      throw std::runtime_error(path + " cannot be mapped");
  }
  mapping(const mapping &) = delete;
  ~mapping() {
    if (size)
      munmap(base, size);
  }
  const uint8_t *at(uint64_t offset, uint64_t bytes) const {
    if (offset > size || bytes > size - offset)
      throw std::runtime_error(
          "an array lies past the end of its file; export the corpus again");
    return static_cast<const uint8_t *>(base) + offset;
  }

private:
  void *base = nullptr;
  uint64_t size = 0;
};

corpus::corpus() = default;
corpus::~corpus() = default;

static std::vector<array> arrays_of(const nlohmann::json &rows,
                                    const mapping &file) {
  std::vector<array> arrays;
  for (const auto &row : rows) {
    const uint64_t bytes = row.at("bytes");
    arrays.push_back(
        {element_of(row.at("type")), file.at(row.at("at"), bytes), bytes});
  }
  return arrays;
}

void corpus::add(const std::string &index_path) {
  const std::filesystem::path path(index_path);
  std::ifstream index(path);
  if (!index)
    throw std::runtime_error(index_path +
                             " cannot be read; export the corpus again");
  files.push_back(std::make_unique<mapping>(
      std::filesystem::path(path).replace_extension(".bin")));
  std::string line;
  for (uint64_t n = 0; std::getline(index, line); n++) {
    const auto row = nlohmann::json::parse(line);
    if (!row.contains("artifact") ||
        !seen.insert(row.at("key").get<std::string>()).second)
      continue;
    const std::string artifact = row.at("artifact");
    all.push_back({n, path.parent_path() / artifact,
                   arrays_of(row.at("inputs"), *files.back()),
                   arrays_of(row.at("outputs"), *files.back())});
  }
}

} // namespace conformance
