// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The vector unit against results that numpy and Python's integers gave
// (tests/golden: vpu.txt, more.txt, special.txt, reduce.txt,
// special_reduce.txt).
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

std::map<key, std::vector<line>> read_lines(const std::string &file) {
  std::map<key, std::vector<line>> all;
  std::ifstream in(LOOM_GOLDEN_DIR "/" + file);
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
  static const std::map<std::string, uint32_t> all = {
      {"f32", LOOM_F32}, {"bf16", LOOM_BF16}, {"f16", LOOM_F16},
      {"i32", LOOM_I32}, {"u32", LOOM_U32},   {"i16", LOOM_I16},
      {"u16", LOOM_U16}, {"i8", LOOM_I8},     {"u8", LOOM_U8},
      {"i1", LOOM_I1}};
  return all.at(name);
}

uint32_t width(uint32_t type) {
  switch (type) {
  case LOOM_F32:
  case LOOM_I32:
  case LOOM_U32:
    return 4;
  case LOOM_I8:
  case LOOM_U8:
  case LOOM_I1:
    return 1;
  default:
    return 2;
  }
}

constexpr uint32_t table = 5 << 14; // of LUT8: entry i is 37 i + 11

void put_table(machine &m) {
  for (uint32_t i = 0; i < 256; ++i)
    m.sram()[table + i] = uint8_t(i * 37 + 11);
}

class Golden : public testing::TestWithParam<isa> {};

// LOAD and STORE are what the views of a move do.
bool is_storage(const std::string &op) { return op == "LOAD" || op == "STORE"; }

void check_lines(machine &m, const key &k, const std::vector<line> &lines) {
  int operands = 0;
  const uint32_t named = opcode(k.op, operands), in = dtype(k.source),
                 out = dtype(k.target);
  const uint32_t op = is_storage(k.op) ? uint32_t(LOOM_UOP_MOV) : named;
  const uint32_t ie = width(in), oe = width(out);
  vpu_record r({uint16_t(lines.size())});
  const int32_t pitch = int32_t(ie);
  for (uint32_t i = 0; i < 3; ++i)
    r.op(LOOM_UOP_LOAD, i, r.view(i << 14, in, {pitch}));
  const uint32_t to = r.view(3 << 14, out, {int32_t(oe)}, LOOM_VIEW_OUT);
  const uint32_t b = op == LOOM_UOP_LUT8 ? r.imm(table) : operands > 1 ? 1 : 0;
  put_table(m);
  r.op(op, 3, 0, b, operands > 2 ? 2 : 0).op(LOOM_UOP_STORE, to, 3);
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
        << k.op << " " << k.source << " " << k.target << std::hex << " "
        << lines[i].a << " " << lines[i].b << " " << lines[i].c;
  }
}

TEST_P(Golden, VectorUnit) {
  const std::pair<const char *, size_t> files[] = {
      {"vpu.txt", 90}, {"more.txt", 40}, {"special.txt", 40}};
  for (const auto &[file, least] : files) {
    const auto all = read_lines(file);
    ASSERT_GT(all.size(), least) << file;
    for (const auto &[k, lines] : all) {
      machine m(GetParam().id);
      if (!m.usable())
        GTEST_SKIP() << "this CPU lacks " << GetParam().name;
      check_lines(m, k, lines);
    }
  }
}

std::vector<uint32_t> words(std::istream &line) {
  std::string part;
  std::getline(line, part, '|');
  std::istringstream in(part);
  std::vector<uint32_t> all;
  for (uint32_t w; in >> std::hex >> w;)
    all.push_back(w);
  return all;
}

void check_reducer(machine &m, const std::string &text) {
  std::istringstream line(text);
  std::string name, how, bar;
  line >> name >> how >> bar;
  const auto x = words(line), want = words(line);
  ASSERT_FALSE(want.empty()) << text;
  int operands = 0;
  const uint32_t op = opcode(name, operands);
  const bool scan = how == "scan",
             index = op == LOOM_UOP_RARGMIN_F || op == LOOM_UOP_RARGMAX_F;
  vpu_record r({uint16_t(x.size())});
  r.mask(scan ? LOOM_VPU_SCAN | 1 : 1);
  const uint32_t in = r.view(0, LOOM_U32, {4});
  const uint32_t out =
      r.view(8192, op <= LOOM_UOP_RMAX_F && !index ? LOOM_F32 : LOOM_U32,
             {scan ? 4 : 0}, LOOM_VIEW_OUT);
  r.op(LOOM_UOP_LOAD, 0, in).op(op, out, 0);
  std::memcpy(m.sram(), x.data(), 4 * x.size());
  ASSERT_EQ(m.run(r.finish()), LOOM_FAULT_NONE) << text;
  for (size_t i = 0; i < want.size(); ++i)
    EXPECT_EQ(m.get<uint32_t>(uint32_t(8192 + 4 * i)), want[i])
        << text.substr(0, 60) << "... result " << i;
}

TEST_P(Golden, ReducersAndScans) {
  for (const auto &[file, least] :
       {std::pair<const char *, size_t>{"reduce.txt", 100},
        {"special_reduce.txt", 30}}) {
    std::ifstream in(LOOM_GOLDEN_DIR "/" + std::string(file));
    size_t seen = 0;
    for (std::string text; std::getline(in, text);) {
      if (text.empty() || text[0] == '#')
        continue;
      machine m(GetParam().id);
      if (!m.usable())
        GTEST_SKIP() << "this CPU lacks " << GetParam().name;
      check_reducer(m, text);
      ++seen;
    }
    EXPECT_GT(seen, least) << file;
  }
}

INSTANTIATE_TEST_SUITE_P(All, Golden, testing::ValuesIn(all_isas),
                         [](const auto &info) { return info.param.name; });

} // namespace
} // namespace loom::test
