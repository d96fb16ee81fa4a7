// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// DMA against what Python moved (tests/golden/moves.txt), between slots and
// SRAM in every combination.
#include <fstream>
#include <map>
#include <sstream>

#include "rig.h"

namespace loom::test {
namespace {

struct move {
  std::string name, idx_type;
  uint32_t inner = 0, n[4] = {}, fill = 0, elem = 0, limit = 0;
  int32_t ss[4] = {}, ds[4] = {};
  uint64_t src = 0, dst = 0;
  std::vector<uint32_t> list;
  std::vector<uint8_t> source, before, after;
};

std::vector<uint8_t> bytes_of(const std::string &text) {
  std::istringstream in(text);
  std::string hex;
  in >> hex;
  std::vector<uint8_t> all;
  for (size_t i = 0; i + 1 < hex.size(); i += 2)
    all.push_back(
        static_cast<uint8_t>(std::stoul(hex.substr(i, 2), nullptr, 16)));
  return all;
}

std::vector<move> read_moves() {
  std::vector<move> all;
  std::ifstream in(LOOM_GOLDEN_DIR "/moves.txt");
  for (std::string text; std::getline(in, text);) {
    if (text.empty() || text[0] == '#')
      continue;
    std::istringstream line(text);
    std::string part;
    std::getline(line, part, '|');
    std::istringstream head(part);
    move m;
    head >> m.name >> m.inner;
    for (auto &v : m.n)
      head >> v;
    for (auto &v : m.ss)
      head >> v;
    for (auto &v : m.ds)
      head >> v;
    head >> m.src >> m.dst >> m.fill >> m.elem >> m.idx_type >> m.limit;
    EXPECT_TRUE(bool(head)) << text.substr(0, 80);
    std::getline(line, part, '|');
    std::istringstream list(part);
    for (uint32_t v; list >> std::hex >> v;)
      m.list.push_back(v);
    for (auto *b : {&m.source, &m.before, &m.after}) {
      std::getline(line, part, '|');
      *b = bytes_of(part);
    }
    all.push_back(std::move(m));
  }
  return all;
}

uint8_t opcode(const std::string &name) {
  static const std::map<std::string, uint8_t> all = {
      {"LD_COPY", LOOM_OP_LD_COPY},     {"LD_FILL", LOOM_OP_LD_FILL},
      {"LD_GATHER", LOOM_OP_LD_GATHER}, {"LD_SCATTER", LOOM_OP_LD_SCATTER},
      {"ST_COPY", LOOM_OP_ST_COPY},     {"ST_FILL", LOOM_OP_ST_FILL},
      {"ST_GATHER", LOOM_OP_ST_GATHER}, {"ST_SCATTER", LOOM_OP_ST_SCATTER}};
  return all.at(name);
}

// Runs it with source and destination in slots or in SRAM.
void check(const move &m, bool from_slot, bool to_slot) {
  constexpr uint32_t in_sram = 4096, out_sram = 8192, list_sram = 16384;
  rig r;
  const uint32_t a = r.slot(512), b = r.slot(512), l = r.slot(64),
                 out = r.slot(512);
  std::copy(m.source.begin(), m.source.end(), r.memory[a].begin());
  std::copy(m.before.begin(), m.before.end(), r.memory[b].begin());
  if (!m.list.empty())
    std::memcpy(r.memory[l].data(), m.list.data(), 4 * m.list.size());
  program p;
  p.copy(LOOM_ADDR(a, 0), sram(in_sram), 512);
  p.copy(LOOM_ADDR(b, 0), sram(out_sram), 512);
  p.copy(LOOM_ADDR(l, 0), sram(list_sram), 64);
  p.seq(LOOM_OP_FENCE);
  const uint64_t from = from_slot ? LOOM_ADDR(a, 0) : sram(in_sram),
                 to = to_slot ? LOOM_ADDR(b, 0) : sram(out_sram);
  auto &d =
      p.copy(m.elem ? 0 : from + m.src, to + m.dst, m.inner, opcode(m.name));
  for (int i = 0; i < 4; i++) {
    d.n[i] = m.n[i];
    d.sstride[i] = m.ss[i];
    d.dstride[i] = m.ds[i];
  }
  d.elem = static_cast<uint8_t>(m.elem);
  d.idx_or_fill = m.limit ? list_sram : m.fill;
  d.idx_type = m.idx_type == "i32"   ? LOOM_I32
               : m.idx_type == "u32" ? LOOM_U32
                                     : 0;
  d.limit = m.limit;
  p.seq(LOOM_OP_FENCE);
  p.copy(to, LOOM_ADDR(out, 0), 512);
  p.halt();
  for (const bool direct : {true, false}) {
    r.allow_direct = direct;
    std::copy(m.before.begin(), m.before.end(), r.memory[b].begin());
    ASSERT_EQ(r.run(p).fault, LOOM_FAULT_NONE) << m.name;
    EXPECT_EQ(r.memory[out], m.after)
        << m.name << " from " << (from_slot ? "slot" : "SRAM") << " to "
        << (to_slot ? "slot" : "SRAM");
  }
}

TEST(golden, every_move) {
  std::map<std::string, int> seen;
  for (const auto &m : read_moves()) {
    seen[m.name + " " + m.idx_type]++;
    for (const bool from_slot : {false, true})
      for (const bool to_slot : {false, true})
        check(m, from_slot, to_slot);
  }
  EXPECT_EQ(seen.size(), 12u); // four operations, two of them with two types
  for (const auto &[what, times] : seen)
    EXPECT_GE(times, 4) << what;
}

} // namespace
} // namespace loom::test
