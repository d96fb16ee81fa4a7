// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The vector unit against results that numpy and Python's integers gave
// (tests/golden/vpu.txt).
#include "machine.h"
#include "vpu_record.h"
#include <fstream>
#include <gtest/gtest.h>
#include <map>
#include <sstream>

namespace loom::test {
namespace {

struct line {
  uint32_t a, b, c, result;
};

struct key {
  std::string op, source, target;
  auto operator<=>(const key &) const = default;
};

std::map<key, std::vector<line>> read_lines() {
  std::map<key, std::vector<line>> all;
  std::ifstream in(LOOM_GOLDEN_DIR "/vpu.txt");
  std::string text;
  while (std::getline(in, text)) {
    if (text.empty() || text[0] == '#')
      continue;
    std::istringstream fields(text);
    key k;
    line l{};
    fields >> k.op >> k.source >> k.target >> std::hex >> l.a >> l.b >> l.c >>
        l.result;
    EXPECT_TRUE(bool(fields)) << text;
    all[k].push_back(l);
  }
  return all;
}

uint32_t opcode(const std::string &name, int &operands) {
#define LOOM_TEST_UOP(num, text, count, cls, doc)                              \
  if (name == #text) {                                                         \
    operands = count;                                                          \
    return num;                                                                \
  }
  LOOM_UOPS(LOOM_TEST_UOP)
#undef LOOM_TEST_UOP
  ADD_FAILURE() << "no micro-operation " << name;
  return 0;
}

uint32_t dtype(const std::string &name) {
  return name == "f32"    ? LOOM_F32
         : name == "bf16" ? LOOM_BF16
         : name == "f16"  ? LOOM_F16
                          : LOOM_U32;
}

class Golden : public testing::TestWithParam<isa> {};

TEST_P(Golden, VectorUnit) {
  const auto all = read_lines();
  ASSERT_GT(all.size(), 90u);
  for (const auto &[k, lines] : all) {
    machine m(GetParam().id);
    if (!m.usable())
      GTEST_SKIP() << "this CPU lacks " << GetParam().name;
    int operands = 0;
    const uint32_t op = opcode(k.op, operands), in = dtype(k.source),
                   out = dtype(k.target);
    const uint32_t ie = in == LOOM_BF16 || in == LOOM_F16 ? 2 : 4,
                   oe = out == LOOM_BF16 || out == LOOM_F16 ? 2 : 4;
    vpu_record r({uint16_t(lines.size())});
    const int32_t pitch = int32_t(ie);
    for (uint32_t i = 0; i < 3; ++i)
      r.op(LOOM_UOP_LOAD, i, r.view(i << 14, in, {pitch}));
    const uint32_t to = r.view(3 << 14, out, {int32_t(oe)}, LOOM_VIEW_OUT);
    r.op(op, 3, 0, operands > 1 ? 1 : 0, operands > 2 ? 2 : 0)
        .op(LOOM_UOP_STORE, to, 3);
    for (uint32_t i = 0; i < lines.size(); ++i) {
      const uint32_t v[3] = {lines[i].a, lines[i].b, lines[i].c};
      for (uint32_t j = 0; j < 3; ++j)
        std::memcpy(m.sram() + (j << 14) + i * ie, &v[j], ie);
    }
    ASSERT_EQ(m.run(r.finish()), LOOM_FAULT_NONE) << k.op;
    for (uint32_t i = 0; i < lines.size(); ++i) {
      uint32_t got = 0;
      std::memcpy(&got, m.sram() + (3 << 14) + i * oe, oe);
      EXPECT_EQ(got, lines[i].result)
          << k.op << " " << k.source << std::hex << " " << lines[i].a << " "
          << lines[i].b << " " << lines[i].c;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, Golden, testing::ValuesIn(all_isas),
                         [](const auto &info) { return info.param.name; });

} // namespace
} // namespace loom::test
