// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Names of a program's places, and of what the CPU engine's operations are.
#include <cstring>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "loom/loom.hpp"
#include "loom_cpu_ops.h"
#include "prog_check.h"
#include "program_builder.h"

namespace {

using namespace loom_test;

class ModulePath : public testing::Test {
protected:
  ModulePath() {
    program_builder b;
    const uint32_t outer = b.scope("encoder"), unnamed = b.scope("", outer);
    leaf = b.loc(b.scope("Dense_0", unnamed), "m.py", 3, "add");
    no_module = b.loc(0, "m.py", 4, "mul");
    b.add(halt());
    b.segment();
    file = b.build(device.target());
    program.emplace(device.get(), file.data(), file.size());
  }
  size_t path(uint32_t loc, char *text, size_t size) const {
    return loom_program_module_path(&program->view(), loc, text, size);
  }
  const std::string whole = "encoder/Dense_0";
  loom_cpp::device device{"sim:npu16"};
  std::vector<uint8_t> file;
  std::optional<loom_cpp::program> program;
  uint32_t leaf = 0, no_module = 0;
};

TEST_F(ModulePath, NamesScopesFromTheOutermost) {
  char text[64];
  EXPECT_EQ(path(leaf, text, sizeof(text)), whole.size());
  EXPECT_EQ(text, whole);
  EXPECT_EQ(loom_cpp::module_path(program->view(), leaf), whole);
  EXPECT_EQ(program->describe_loc(leaf), whole + " (m.py:3, add)");
}

TEST_F(ModulePath, IsEmptyOutsideOfModules) {
  char text[] = "old";
  EXPECT_EQ(path(no_module, text, sizeof(text)), 0u);
  EXPECT_STREQ(text, "");
  EXPECT_EQ(loom_cpp::module_path(program->view(), no_module), "");
  EXPECT_EQ(program->describe_loc(no_module), "m.py:4, mul");
}

TEST_F(ModulePath, IsEmptyForAnUnknownIndex) {
  for (uint32_t loc : {program->view().n_locs, ~0u}) {
    char text[] = "old";
    EXPECT_EQ(path(loc, text, sizeof(text)), 0u);
    EXPECT_STREQ(text, "");
    EXPECT_EQ(path(loc, nullptr, 0), 0u);
    EXPECT_EQ(loom_cpp::module_path(program->view(), loc), "");
  }
}

// Every size cuts somewhere else: in a name, at a separator, before it.
TEST_F(ModulePath, CutsAtTheEndOfTheText) {
  EXPECT_EQ(path(leaf, nullptr, 0), whole.size());
  for (size_t size = 1; size <= whole.size() + 2; size++) {
    char text[32];
    std::memset(text, '#', sizeof(text));
    EXPECT_EQ(path(leaf, text, size), whole.size());
    EXPECT_EQ(text, whole.substr(0, size - 1)) << size;
    EXPECT_EQ(text[size], '#') << size;
  }
}

TEST(CpuStructureName, IsEachOnesOwn) {
  EXPECT_STREQ(loom_cpu_structure_name(LOOM_CPU_MAP), "MAP");
  EXPECT_STREQ(loom_cpu_structure_name(LOOM_CPU_HOUSEHOLDER), "HOUSEHOLDER");
  std::set<std::string> names;
  for (uint32_t s = LOOM_CPU_MAP; s < LOOM_NUM_CPU_STRUCTURES; s++)
    names.insert(loom_cpu_structure_name(s));
  EXPECT_EQ(names.size(), size_t{LOOM_NUM_CPU_STRUCTURES} - 1);
  EXPECT_FALSE(names.count("?"));
}

TEST(CpuStructureName, SaysThatItKnowsNoOther) {
  for (uint32_t s : {0u, uint32_t{LOOM_NUM_CPU_STRUCTURES}, 0x10001u, ~0u})
    EXPECT_STREQ(loom_cpu_structure_name(s), "?") << s;
}

} // namespace
