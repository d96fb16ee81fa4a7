// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The CPU engine against the NPU's own golden vectors: what is not the NPU's
// is held to other files.
#include "segment.h"
#include <fstream>
#include <gtest/gtest.h>
#include <map>
#include <sstream>

namespace loom::test {
namespace {

uint32_t dtype(const std::string &name) {
  static const std::map<std::string, uint32_t> all = {
      {"f32", LOOM_F32}, {"bf16", LOOM_BF16}, {"f16", LOOM_F16},
      {"i32", LOOM_I32}, {"u32", LOOM_U32},   {"i16", LOOM_I16},
      {"u16", LOOM_U16}, {"i8", LOOM_I8},     {"u8", LOOM_U8},
      {"i1", LOOM_I1}};
  return all.at(name);
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

struct line {
  uint64_t a, b, c, result;
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

// Bits of an element that lies at the begin of 8 bytes.
uint64_t bits(uint64_t v, uint32_t type) {
  const uint32_t n = loom_dtype_bytes(type);
  return n == 8 ? v : v & ((1ull << 8 * n) - 1);
}

// a has the source type; b and c are words as they are.
void check_lines(const key &k, const std::vector<line> &lines) {
  int operands = 1;
  const bool moves = k.op == "LOAD" || k.op == "STORE";
  const uint32_t op = moves ? uint32_t(LOOM_UOP_MOV) : opcode(k.op, operands);
  const uint32_t source = dtype(k.source), target = dtype(k.target);
  const uint32_t plain = source <= LOOM_F16 ? LOOM_F32 : LOOM_U32;
  const uint32_t n = uint32_t(lines.size());
  std::vector<uint64_t> in[3];
  for (const line &l : lines) {
    in[0].push_back(l.a);
    in[1].push_back(l.b);
    in[2].push_back(l.c);
  }
  world w;
  operation m;
  for (int i = 0; i < operands; i++)
    m.in.push_back(
        operand(w.slot_of(in[i]), i ? uint32_t(LOOM_U32) : source, {n}, {8}));
  if (operands > 1 && plain == LOOM_F32 && k.op != "FREDP")
    for (int i = 1; i < operands; i++)
      m.in[i].dtype = uint8_t(source);
  if (k.op == "SELECT")
    m.in[1].dtype = m.in[2].dtype = uint8_t(LOOM_U32);
  const uint32_t out = w.slot(n * 8);
  m.out.push_back(operand(out, target, {n}, {8}));
  for (int i = 0; i < operands; i++)
    m.ops.push_back(load(i, i));
  m.ops.push_back(uop(op, 3, 0, operands > 1 ? 1 : 0, operands > 2 ? 2 : 0));
  m.ops.push_back(store(0, 3));
  w.add(m);
  ASSERT_NE(w.run(), 0u) << k.op << ": " << w.error.what;
  const auto got = w.get<uint64_t>(out);
  for (uint32_t i = 0; i < n; i++)
    EXPECT_EQ(bits(got[i], target), bits(lines[i].result, target))
        << k.op << " " << k.source << " " << k.target << std::hex << " "
        << lines[i].a << " " << lines[i].b << " " << lines[i].c;
}

void check_file(const std::string &file, size_t least) {
  size_t checked = 0;
  for (const auto &[k, lines] : read_lines(file)) {
    if (k.op == "IOTA" || k.op == "LUT8")
      continue; // an index; not the engine's
    check_lines(k, lines);
    checked += lines.size();
  }
  EXPECT_GE(checked, least);
}

TEST(vpu_golden, operations) { check_file("vpu.txt", 3000); }
TEST(vpu_golden, more) { check_file("more.txt", 900); }
TEST(vpu_golden, special) { check_file("special.txt", 300); }

struct list {
  std::string op;
  bool scan;
  std::vector<uint32_t> in, out;
};

std::vector<list> read_lists(const std::string &file) {
  std::vector<list> all;
  std::ifstream in(LOOM_GOLDEN_DIR "/" + file);
  std::string text;
  while (std::getline(in, text)) {
    if (text.empty() || text[0] == '#')
      continue;
    std::istringstream fields(text);
    list l;
    std::string kind, word;
    fields >> l.op >> kind >> word;
    l.scan = kind == "scan";
    auto *to = &l.in;
    while (fields >> word) {
      if (word == "|")
        to = &l.out;
      else
        to->push_back(uint32_t(std::stoul(word, nullptr, 16)));
    }
    all.push_back(l);
  }
  return all;
}

// The list as columns lines wide, so that lanes are outputs from 16 on.
void check_list(const list &l, uint32_t columns) {
  int operands = 0;
  const uint32_t op = opcode(l.op, operands);
  const uint32_t n = uint32_t(l.in.size());
  const uint32_t type = l.op.ends_with("_F") ? LOOM_F32 : LOOM_I32;
  std::vector<uint32_t> data;
  for (uint32_t v : l.in)
    data.insert(data.end(), columns, v);
  world w;
  const uint32_t in = w.slot_of(data), out = w.slot(4 * data.size());
  operation r;
  r.in = {dense(in, type, {n, columns})};
  if (l.scan) {
    r.structure = LOOM_CPU_SCAN;
    r.out = {dense(out, type, {n, columns})};
    r.set(loom_cpu_scan{0, uint16_t(op), 1, 0});
  } else {
    r.structure = LOOM_CPU_REDUCE;
    r.out = {dense(out, type, {1, columns})};
    r.set(loom_cpu_reduce{1, uint16_t(op), 1, 0});
  }
  w.add(r);
  ASSERT_NE(w.run(), 0u) << l.op << ": " << w.error.what;
  const auto got = w.get<uint32_t>(out);
  for (size_t i = 0; i < l.out.size(); i++)
    for (uint32_t c = 0; c < columns; c++)
      EXPECT_EQ(got[i * columns + c], l.out[i])
          << l.op << (l.scan ? " scan" : "") << " " << n << " x " << columns;
}

TEST(vpu_golden, reducers) {
  size_t checked = 0;
  for (const char *file : {"reduce.txt", "special_reduce.txt"})
    for (const list &l : read_lists(file)) {
      if (l.op.starts_with("RARG"))
        continue; // a scalar program of two arrays
      for (uint32_t columns : {1u, 3u, 16u, 70u})
        check_list(l, columns);
      checked++;
    }
  EXPECT_GE(checked, 150u);
}

} // namespace
} // namespace loom::test
