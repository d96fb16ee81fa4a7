// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// DOT and CONV: the golden products of the NPU's array (tests/golden/mxu.txt,
// special_mxu.txt), as they are and as matrix products.
#include "segment.h"
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

std::vector<golden> read_products(const std::string &file) {
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

uint32_t dtype(const golden &g) {
  return g.type == "f32" ? LOOM_F32 : g.type == "bf16" ? LOOM_BF16 : LOOM_I8;
}

uint64_t pad_value(const golden &g) {
  return g.type == "bf16"   ? g.pad << 16
         : g.type == "int8" ? uint32_t(int8_t(g.pad))
                            : g.pad;
}

// Elements lie 4 bytes apart, whatever their type.
operation convolution(world &w, const golden &g) {
  const bool dw = g.mode == "dw";
  const uint32_t oh = uint32_t(g.oh), ow = uint32_t(g.ow), n = uint32_t(g.n);
  operation m;
  m.structure = LOOM_CPU_CONV;
  m.in = {operand(w.slot_of(g.a), dtype(g), {oh, ow, n}, {0, 0, dw ? 4 : 0}),
          operand(w.slot_of(g.b), dtype(g), {oh, ow, n}, {0, 0, 4})};
  m.out = {dense(w.slot(4 * g.out.size()),
                 g.type == "int8" ? LOOM_I32 : LOOM_F32, {oh, ow, n})};
  loom_cpu_conv c{};
  c.n_spatial = 2;
  c.channels = uint32_t(g.kc);
  c.dim[1] = 1;
  const int both[2][6] = {{g.ih, g.kh, g.sy, g.dy, g.py, g.iw * g.kc},
                          {g.iw, g.kw, g.sx, g.dx, g.px, g.kc}};
  for (int j = 0; j < 2; j++) {
    c.size[j] = uint32_t(both[j][0]);
    c.window[j] = uint32_t(both[j][1]);
    c.stride[j] = uint32_t(both[j][2]);
    c.dilation[j] = uint32_t(both[j][3]);
    c.in_dilation[j] = 1;
    c.pad[j] = both[j][4];
  }
  const int channels = dw ? g.n : g.kc;
  c.left[0] = 4 * g.iw * channels;
  c.left[1] = 4 * channels;
  c.right[0] = 4 * g.kw * g.kc * g.n;
  c.right[1] = 4 * g.kc * g.n;
  c.left_channel = 4;
  c.right_channel = 4 * g.n;
  c.pad_value = pad_value(g);
  m.set(c);
  return m;
}

operation product(world &w, const golden &g) {
  const uint32_t rows = uint32_t(g.ow), n = uint32_t(g.n);
  operation m;
  m.structure = LOOM_CPU_DOT;
  m.in = {operand(w.slot_of(g.a), dtype(g), {rows, n}, {4 * g.kc, 0}),
          operand(w.slot_of(g.b), dtype(g), {rows, n}, {0, 4})};
  m.out = {dense(w.slot(4 * g.out.size()),
                 g.type == "int8" ? LOOM_I32 : LOOM_F32, {rows, n})};
  m.set(loom_cpu_dot{1, 0, {uint32_t(g.kc)}, {4}, {4 * g.n}});
  return m;
}

void check_file(const char *file, size_t least) {
  const auto all = read_products(file);
  EXPECT_GE(all.size(), least);
  for (const golden &g : all) {
    world w;
    w.add(convolution(w, g));
    ASSERT_NE(w.run(3), 0u) << w.error.what;
    EXPECT_EQ(w.get<uint32_t>(2), g.out) << g.mode << " " << g.type;
    if (g.mode != "gemm")
      continue;
    world p;
    p.add(product(p, g));
    ASSERT_NE(p.run(3), 0u) << p.error.what;
    EXPECT_EQ(p.get<uint32_t>(2), g.out) << "DOT " << g.type;
  }
}

TEST(cpu_product, the_arrays_golden_products) { check_file("mxu.txt", 54); }
TEST(cpu_product, nan_and_infinity) { check_file("special_mxu.txt", 14); }

} // namespace
} // namespace loom::test
