// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The array in every mode and type against exact arithmetic
// (tests/golden/mxu.txt, written by tests/golden/generate_mxu.py).
#include "machine.h"
#include <fstream>
#include <gtest/gtest.h>
#include <map>
#include <sstream>

namespace loom::test {
namespace {

struct golden {
  std::string mode, type;
  int kh, kw, kc, n, ih, iw, oh, ow, sy, sx, dy, dx, py, px;
  uint32_t pad;
  std::vector<uint32_t> a, b, out;
};

std::vector<uint32_t> words(const std::string &text) {
  std::istringstream in(text);
  std::vector<uint32_t> all;
  for (uint32_t w; in >> std::hex >> w;)
    all.push_back(w);
  return all;
}

std::vector<golden> read_products(const std::string &file = "mxu.txt") {
  std::vector<golden> all;
  std::ifstream in(LOOM_GOLDEN_DIR "/" + file);
  for (std::string text; std::getline(in, text);) {
    if (text.empty() || text[0] == '#')
      continue;
    std::istringstream line(text);
    std::string part;
    golden g{};
    std::getline(line, part, '|');
    std::istringstream head(part);
    head >> g.mode >> g.type;
    for (int *f : {&g.kh, &g.kw, &g.kc, &g.n, &g.ih, &g.iw, &g.oh, &g.ow, &g.sy,
                   &g.sx, &g.dy, &g.dx, &g.py, &g.px})
      head >> *f;
    head >> std::hex >> g.pad;
    EXPECT_TRUE(bool(head)) << text;
    for (auto *v : {&g.a, &g.b, &g.out}) {
      std::getline(line, part, '|');
      *v = words(part);
    }
    all.push_back(std::move(g));
  }
  return all;
}

void put_all(machine &m, uint32_t at, const std::vector<uint32_t> &v,
             uint32_t elem) {
  for (const uint32_t w : v) {
    if (elem == 4)
      m.put(at, w);
    else if (elem == 2)
      m.put(at, uint16_t(w));
    else
      m.put(at, uint8_t(w));
    at += elem;
  }
}

loom_dispatched record(const golden &g) {
  static const std::map<std::string, std::pair<int, int>> types = {
      {"f32", {LOOM_MXU_F32, 4}},
      {"bf16", {LOOM_MXU_BF16, 2}},
      {"int8", {LOOM_MXU_INT8, 1}}};
  const auto [type, elem] = types.at(g.type);
  loom_dispatched r{};
  loom_mxu &m = r.mxu;
  m.h.op = LOOM_OP_MXU;
  m.h.units = 4;
  m.mode = g.mode == "dw" ? LOOM_MXU_DW : LOOM_MXU_GEMM;
  m.type = uint8_t(type);
  m.flags = LOOM_MXU_DRAIN;
  m.pad_value = g.pad;
  m.ih = uint16_t(g.ih);
  m.iw = uint16_t(g.iw);
  m.a_sc = elem;
  m.a_sw = (g.mode == "dw" ? g.n : g.kc) * elem;
  m.a_sh = g.iw * m.a_sw;
  m.kh = uint16_t(g.kh);
  m.kw = uint16_t(g.kw);
  m.kc = uint16_t(g.kc);
  m.oh = uint16_t(g.oh);
  m.ow = uint16_t(g.ow);
  m.n = m.acc_pitch = uint16_t(g.n);
  m.sy = uint8_t(g.sy);
  m.sx = uint8_t(g.sx);
  m.dy = uint8_t(g.dy);
  m.dx = uint8_t(g.dx);
  m.py = int16_t(g.py);
  m.px = int16_t(g.px);
  m.b_base = 4096;
  m.b_sn = elem;
  m.b_sk = g.n * elem;
  m.outer[0] = m.outer[1] = 1;
  m.out_base = 16384;
  m.o_sn = 4;
  m.o_sx = 4 * g.n;
  m.o_sy = g.ow * m.o_sx;
  m.out_type = type == LOOM_MXU_INT8 ? LOOM_I32 : LOOM_F32;
  return r;
}

void check_all(const std::vector<golden> &all) {
  for (const golden &g : all) {
    const loom_dispatched r = record(g);
    const auto elem = uint32_t(r.mxu.a_sc);
    for (const auto id : {LOOM_HOST_SCALAR, LOOM_HOST_AVX2, LOOM_HOST_AVX512}) {
      machine m(id);
      if (!m.usable())
        continue;
      put_all(m, 0, g.a, elem);
      put_all(m, 4096, g.b, elem);
      ASSERT_EQ(m.run(r), LOOM_FAULT_NONE);
      ASSERT_EQ(g.out.size(), size_t(g.oh) * g.ow * g.n);
      for (size_t i = 0; i < g.out.size(); i++)
        ASSERT_EQ(m.get<uint32_t>(16384 + 4 * int64_t(i)), g.out[i])
            << g.mode << " " << g.type << " output " << i;
    }
  }
}

TEST(Golden, NanAndInfinityInTheArray) {
  const auto all = read_products("special_mxu.txt");
  EXPECT_GE(all.size(), 14u);
  check_all(all);
}

TEST(Golden, EveryModeAndTypeOfTheArray) {
  const auto all = read_products();
  std::map<std::string, int> seen;
  for (const golden &g : all)
    seen[g.mode + " " + g.type]++;
  check_all(all);
  EXPECT_EQ(seen.size(), 9u);
  for (const auto &[what, times] : seen)
    EXPECT_GE(times, 6) << what;
}

} // namespace
} // namespace loom::test
