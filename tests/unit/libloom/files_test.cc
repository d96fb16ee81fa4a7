// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "files.h"

#include <cstdlib>
#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

namespace {

using namespace loom_tool;
using testing::HasSubstr;
namespace fs = std::filesystem;

class Files : public testing::Test {
protected:
  Files() {
    char name[] = "/tmp/files_test.XXXXXX";
    folder = mkdtemp(name);
  }
  ~Files() override { fs::remove_all(folder); }
  std::string at(const char *name) const { return (folder / name).string(); }
  static std::string text(const std::string &path) {
    const auto bytes = read_file(path);
    return {bytes.begin(), bytes.end()};
  }

  fs::path folder;
};

template <class F> void refused(F &&call, const char *words) {
  try {
    call();
    ADD_FAILURE() << "took what should be refused: " << words;
  } catch (const std::runtime_error &e) {
    EXPECT_THAT(e.what(), HasSubstr(words));
  }
}

TEST_F(Files, AreReplacedAsAWhole) {
  write_file(at("a"), "before", 6);
  write_file(at("a"), "after", 5);
  EXPECT_EQ(text(at("a")), "after");
  EXPECT_EQ(std::distance(fs::directory_iterator(folder), {}), 1);
}

TEST_F(Files, NothingIsLeftOfAFailedWrite) {
  refused([] { write_file("/proc/loom/none", "x", 1); }, "writable place");
  EXPECT_FALSE(fs::exists("/proc/loom/none.part"));
  refused([this] { write_file(folder, "x", 1); }, "Is a directory");
  EXPECT_FALSE(fs::exists(folder.string() + ".part"));
}

TEST_F(Files, LinksAndDevicesStayWhatTheyAre) {
  write_file(at("a"), "x", 1);
  fs::create_symlink("a", folder / "link");
  write_file(at("link"), "through", 7);
  EXPECT_TRUE(fs::is_symlink(folder / "link"));
  EXPECT_EQ(text(at("a")), "through");
  // By a link, so that a mistake does not cost the device.
  fs::create_symlink("/dev/full", folder / "full");
  refused([this] { write_file(at("full"), "x", 1); }, "No space left");
  EXPECT_TRUE(fs::is_symlink(folder / "full"));
  fs::create_symlink("/dev/null", folder / "null");
  EXPECT_NO_THROW(write_file(at("null"), "x", 1));
  EXPECT_TRUE(fs::is_character_file(folder / "null"));
}

TEST_F(Files, ReadOnlyUpToALimit) {
  write_file(at("a"), "12345", 5);
  EXPECT_EQ(read_file(at("a"), 5).size(), 5u);
  refused([this] { read_file(at("a"), 4, "cut it"); }, "cut it");
  refused([this] { read_file(folder); }, "not a regular file; give");
  refused([] { read_file("/dev/zero"); }, "not a regular file; give");
  refused([this] { read_file(at("none")); }, "No such file");
}

TEST_F(Files, PlacesAreCheckedBeforehand) {
  EXPECT_NO_THROW(check_writable("--save", at("new")));
  write_file(at("old"), "x", 1);
  EXPECT_NO_THROW(check_writable("--save", at("old")));
  EXPECT_NO_THROW(check_writable("--save", "/dev/null"));
  EXPECT_FALSE(fs::exists(folder / "new"));
  refused([this] { check_writable("--save", folder); },
          "is a directory; name a file in it");
  refused([this] { check_writable("--save", at("no/where")); },
          "no; create it");
  EXPECT_NO_THROW(check_directory("--output-dir", at("made/later")));
  EXPECT_FALSE(fs::exists(folder / "made"));
  refused([this] { check_directory("--output-dir", at("old/within")); },
          "old is no directory; choose another");
  refused([] { check_directory("--output-dir", "/dev/null"); },
          "/dev/null is no directory");
}

} // namespace
