// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "npy.h"

#include <cstdlib>
#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace {

using namespace loom_tool;
using testing::HasSubstr;

std::string npy(const std::string &header, size_t data) {
  std::string file("\x93NUMPY\1\0", 8);
  file += static_cast<char>(header.size());
  file += static_cast<char>(header.size() >> 8);
  return file + header + std::string(data, 'x');
}

void refused(const std::string &file, const char *words) {
  try {
    parse_npy(reinterpret_cast<const uint8_t *>(file.data()), file.size(),
              "f.npy");
    ADD_FAILURE() << "took: " << words;
  } catch (const std::runtime_error &e) {
    EXPECT_THAT(e.what(), HasSubstr(words));
    EXPECT_THAT(e.what(), HasSubstr("f.npy"));
  }
}

TEST(Npy, RoundTrip) {
  const auto path = std::filesystem::temp_directory_path() /
                    ("npy_test" + std::to_string(getpid()));
  for (std::vector<uint64_t> shape :
       {std::vector<uint64_t>{}, {3}, {2, 0}, {2, 3, 4}}) {
    array a{"<f4", shape, {}};
    size_t n = 4;
    for (auto d : shape)
      n *= d;
    for (size_t i = 0; i < n; i++)
      a.bytes.push_back(static_cast<uint8_t>(i));
    write_npy(path, a);
    const array b = read_npy(path);
    EXPECT_EQ(b.descr, a.descr);
    EXPECT_EQ(b.shape, a.shape);
    EXPECT_EQ(b.bytes, a.bytes);
  }
  std::filesystem::remove(path);
}

TEST(Npy, RefusesByName) {
  const std::string good =
      "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }\n";
  EXPECT_NO_THROW(
      parse_npy(reinterpret_cast<const uint8_t *>(npy(good, 24).data()),
                npy(good, 24).size(), "f"));
  refused("", "not an .npy file");
  refused("PK\3\4 something else", "not an .npy file");
  refused(npy(good, 23), "needs 24 bytes");
  refused(npy(good, 25), "needs 24 bytes");
  refused(npy(good, 24).substr(0, 30), "cut off");
  refused(npy("{'descr': '<f4', 'fortran_order': True, 'shape': (2, 3), }", 24),
          "Fortran");
  refused(
      npy("{'descr': '>f4', 'fortran_order': False, 'shape': (2, 3), }", 24),
      "little-endian");
  refused(npy("{'descr': '|O', 'fortran_order': False, 'shape': (2, 3), }", 24),
          "little-endian");
  refused(npy("{'fortran_order': False, 'shape': (2, 3), }", 24), "'descr'");
  refused(npy("{'descr': '<f4', 'fortran_order': False, 'shape': (-1,), }", 24),
          "not a list of numbers");
  refused(
      npy("{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999,), }",
          24),
      "2^30");
  refused(
      npy("{'descr': '<f4', 'fortran_order': False, 'shape': (65536, 65536), }",
          24),
      "1 GiB");
  refused(npy("{'descr'", 0), "'descr'");
}

} // namespace
