// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Every refusal of the check, one field at a time; and that none is without a
// test.
#include "refusals.h"
#include <fstream>
#include <gtest/gtest.h>
#include <regex>
#include <set>
#include <sstream>

namespace loom::test {
namespace {

std::vector<refusal> refusals() {
  std::vector<refusal> all = operation_refusals();
  for (const auto *some : {&structure_refusals(), &linear_refusals()})
    all.insert(all.end(), some->begin(), some->end());
  return all;
}

TEST(cpu_check, sound_operations_pass) {
  for (uint32_t s = LOOM_CPU_MAP; s < LOOM_NUM_CPU_STRUCTURES; s++) {
    if (s == LOOM_CPU_TEXT)
      continue;
    world w = slots();
    w.add(sound(s));
    EXPECT_EQ(w.check(), LOOM_CPU_OK) << s << ": " << w.error.what;
    EXPECT_EQ(w.segment.n_ops, 1u);
  }
}

TEST(cpu_check, every_refusal) {
  for (const refusal &r : refusals()) {
    world w = slots();
    operation m = sound(r.structure);
    w.add(sound(LOOM_CPU_MAP)); // so that the number is seen to be right
    r.damage(m);
    w.add(m, 1ull << 55);
    ASSERT_EQ(w.check(), r.status) << r.what;
    EXPECT_STREQ(w.error.what, r.what);
    EXPECT_EQ(w.error.op, 1u) << r.what;
  }
}

// Those that are about the segment, and one field that operations share.
TEST(cpu_check, segments) {
  world w = slots();
  EXPECT_EQ(w.check(), LOOM_CPU_MALFORMED);
  EXPECT_STREQ(w.error.what, "segment is empty or not of whole rows");

  w.add(sound(LOOM_CPU_MAP));
  const auto *op = reinterpret_cast<loom_cpu_op *>(w.code.data());
  const uint64_t cost = op->cost;
  EXPECT_EQ(cost, 1 * 64 * (8 + 4));
  EXPECT_EQ(w.check(cost), LOOM_CPU_OK);
  EXPECT_EQ(w.segment.cost, cost);
  EXPECT_EQ(w.check(cost - 1), LOOM_CPU_TOO_MUCH);
  EXPECT_STREQ(w.error.what, "segment costs more than its budget");

  w.code.resize(w.code.size() + 2);
  EXPECT_EQ(w.check(), LOOM_CPU_MALFORMED);
  EXPECT_STREQ(w.error.what, "segment ends within an operation");
  EXPECT_EQ(w.error.op, 1u);

  w.code.clear();
  w.add(sound(LOOM_CPU_MAP), cost - 1);
  EXPECT_EQ(w.check(), LOOM_CPU_MALFORMED);
  EXPECT_STREQ(w.error.what, "operation costs more than it states");

  w.code.clear();
  w.add(sound(LOOM_CPU_MAP));
  reinterpret_cast<loom_cpu_op *>(w.code.data())->loc = 1;
  EXPECT_EQ(w.check(), LOOM_CPU_MALFORMED);
  EXPECT_STREQ(w.error.what, "source location does not exist");

  w.code.clear();
  w.add(sound(LOOM_CPU_MAP));
  w.code.pop_back();
  EXPECT_EQ(w.check(), LOOM_CPU_MALFORMED);
  EXPECT_STREQ(w.error.what, "bytes are not those of the operation's parts");
}

TEST(cpu_check, segments_of_too_many_operations) {
  world w = slots();
  operation m = sound(LOOM_CPU_COPY);
  const auto rows = m.encode();
  for (uint32_t i = 0; i <= LOOM_CPU_MAX_OPS; i++)
    w.code.insert(w.code.end(), rows.begin(), rows.end());
  EXPECT_EQ(w.check(), LOOM_CPU_TOO_MUCH);
  EXPECT_STREQ(w.error.what, "more than 65536 operations");
}

// A window of 2^24 to the 8th over 2^32 outputs: the product is not wrapped.
TEST(cpu_check, cost_does_not_wrap) {
  world w = slots();
  operation m = sound(LOOM_CPU_WINDOW);
  auto &p = params<loom_cpu_window>(m);
  p.size[0] = p.size[1] = 1 << 24;
  m.out[0] = operand(2, LOOM_F32, {1 << 16, 1 << 16}, {0, 0});
  w.add(m, LOOM_CPU_MAX_COST);
  EXPECT_EQ(w.check(~0ull), LOOM_CPU_MALFORMED);
  EXPECT_STREQ(w.error.what, "operation costs more than it states");
  EXPECT_EQ(w.error.value, ~0ull);
}

// The first and the last byte of a slot may be reached, forwards and backwards.
TEST(cpu_check, boxes_up_to_the_edge) {
  world w = slots();
  operation m = sound(LOOM_CPU_COPY);
  m.in[0].offset = 65536 - 128;
  m.out[0] = operand(2, LOOM_F32, {4, 8}, {-32, -4}, 124);
  w.add(m);
  EXPECT_EQ(w.check(), LOOM_CPU_OK) << w.error.what;
  m.out[0].offset = 123;
  w.code.clear();
  w.add(m);
  EXPECT_EQ(w.check(), LOOM_CPU_MALFORMED);
}

// Texts in the check's sources, but for those made of two (rights).
TEST(cpu_check, no_refusal_is_without_a_test) {
  std::set<std::string> tested = {
      "segment is empty or not of whole rows",
      "segment ends within an operation",
      "segment costs more than its budget",
      "operation costs more than it states",
      "source location does not exist",
      "more than 65536 operations",
      " is not run by this engine",
      "structure ",
  };
  for (const refusal &r : refusals())
    tested.insert(r.what);
  size_t found = 0;
  const std::regex text("\"([^\"]*)\"");
  for (const char *file :
       {"cpu_check.c", "cpu_check_linear.c", "cpu_check_struct.c"}) {
    std::ifstream in(std::string(LOOM_CORE_DIR "/") + file);
    std::stringstream all;
    all << in.rdbuf();
    const std::string source = all.str();
    for (std::sregex_iterator i(source.begin(), source.end(), text), end;
         i != end; ++i) {
      const std::string t = (*i)[1];
      if (t.ends_with(".h"))
        continue;
      EXPECT_TRUE(tested.contains(t)) << file << ": " << t;
      found++;
    }
  }
  EXPECT_GT(found, 60u);
}

} // namespace
} // namespace loom::test
