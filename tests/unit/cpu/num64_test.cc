// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Elementary functions of f64 against mpmath, FFMA64 and FREDP64 against
// fractions (tests/golden/cpu_num64.txt), and what the bits of parts of a turn
// are.
#include "loom_num64.h"
#include "segment.h"
#include <cmath>
#include <fstream>
#include <gtest/gtest.h>
#include <map>
#include <sstream>

namespace loom::test {
namespace {

struct operation_info {
  uint32_t op, operands;
};

// By how many units results may differ from the nearest f64, where not by one.
const std::map<std::string, uint64_t> bounds = {
    {"FFMA64", 0}, {"FREDP64", 0}, {"TANH64", 2}, {"LOGISTIC64", 2}};

operation_info info_of(const std::string &name) {
#define LOOM_TEST_OP(num, text, operands, cls, weight, doc)                    \
  if (name == #text)                                                           \
    return {num, operands};
  LOOM_CPU_SCALARS(LOOM_TEST_OP)
#undef LOOM_TEST_OP
  ADD_FAILURE() << "no scalar operation " << name;
  return {0, 0};
}

struct line {
  uint64_t v[3], result;
};

std::map<std::string, std::vector<line>> read() {
  std::map<std::string, std::vector<line>> all;
  std::ifstream in(LOOM_GOLDEN_DIR "/cpu_num64.txt");
  for (std::string text; std::getline(in, text);) {
    if (text.empty() || text[0] == '#')
      continue;
    std::istringstream fields(text);
    std::string name;
    line l{};
    fields >> name >> std::hex >> l.v[0] >> l.v[1] >> l.v[2] >> l.result;
    EXPECT_TRUE(bool(fields)) << text;
    all[name].push_back(l);
  }
  return all;
}

// Units in the last place between two numbers; a lot between what has no such
// distance.
uint64_t units(uint64_t a, uint64_t b) {
  const uint64_t sign = 1ull << 63, infinity = 0x7ffull << 52;
  if (a == b)
    return 0;
  if (((a ^ b) & sign) || (a & ~sign) > infinity || (b & ~sign) > infinity)
    return ~0ull;
  return a > b ? a - b : b - a;
}

void check(const std::string &name, const std::vector<line> &lines) {
  const operation_info info = info_of(name);
  const uint32_t n = uint32_t(lines.size());
  const uint64_t bound = bounds.contains(name) ? bounds.at(name) : 1;
  world w;
  operation m;
  for (uint32_t i = 0; i < info.operands; i++) {
    std::vector<uint64_t> in;
    for (const line &l : lines)
      in.push_back(l.v[i]);
    m.in.push_back(dense(w.slot_of(in), i ? LOOM_U64 : LOOM_F64, {n}));
    m.ops.push_back(load(i, i));
  }
  if (name == "FFMA64" || name == "ATAN264" || name == "POW64")
    for (auto &o : m.in)
      o.dtype = LOOM_F64;
  const uint32_t out = w.slot(8 * n);
  m.out = {dense(out, LOOM_F64, {n})};
  m.ops.push_back(
      uop(info.op, 0, 0, info.operands > 1 ? 1 : 0, info.operands > 2 ? 2 : 0));
  m.ops.push_back(store(0, 0));
  w.add(m);
  ASSERT_NE(w.run(), 0u) << name << ": " << w.error.what;
  const auto got = w.get<uint64_t>(out);
  for (uint32_t i = 0; i < n; i++)
    EXPECT_LE(units(got[i], lines[i].result), bound)
        << name << std::hex << " " << lines[i].v[0] << " " << lines[i].v[1]
        << " " << lines[i].v[2] << ": " << got[i] << " not " << lines[i].result;
}

TEST(cpu_num64, golden) {
  const auto all = read();
  for (const auto &[name, lines] : all)
    check(name, lines);
#define LOOM_TEST_OP(num, name, operands, cls, weight, doc)                    \
  if (num == LOOM_CPU_FFMA64 || num == LOOM_CPU_FREDP64 ||                     \
      (num >= LOOM_CPU_EXP64 && num <= LOOM_CPU_POW64)) {                      \
    EXPECT_GE(all.count(#name) ? all.at(#name).size() : 0, 80u) << #name;      \
  }
  LOOM_CPU_SCALARS(LOOM_TEST_OP)
#undef LOOM_TEST_OP
}

// Quarters are exact, eighths mirror each other, and the rest lies on a circle.
TEST(cpu_num64, turns) {
  const double exact[4][2] = {{1, 0}, {0, 1}, {-1, 0}, {0, -1}};
  for (uint64_t den : {4ull, 12ull, 1000ull, 1ull << 20}) {
    for (uint64_t num = 0; num < den; num += 1 + den / 4096) {
      double c, s, c2, s2;
      loom_num_turn64(num, den, &c, &s);
      EXPECT_NEAR(c * c + s * s, 1, 4e-16);
      if (num && (8 * num % den || 4 * num % den == 0)) {
        loom_num_turn64(den - num, den, &c2, &s2);
        EXPECT_EQ(c, c2);
        EXPECT_EQ(s, -s2);
      }
      if (4 * num % den == 0) {
        EXPECT_EQ(c, exact[4 * num / den][0]);
        EXPECT_EQ(s, exact[4 * num / den][1]);
      }
      EXPECT_NEAR(c, std::cos(2 * M_PI * double(num) / double(den)), 1e-15);
      EXPECT_NEAR(s, std::sin(2 * M_PI * double(num) / double(den)), 1e-15);
    }
  }
}

} // namespace
} // namespace loom::test
