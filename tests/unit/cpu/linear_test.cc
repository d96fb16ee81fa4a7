// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// CHOLESKY and TRIANGULAR_SOLVE against tests/golden/cpu_linear.txt.
// StableHLO's attributes become strides as loom_cpu_ops.h says.
#include "segment.h"
#include <fstream>
#include <gtest/gtest.h>
#include <set>
#include <sstream>

namespace loom::test {
namespace {

struct record {
  std::string name, type;
  std::vector<uint32_t> n; // parts, batch, ...
  std::vector<std::vector<uint64_t>> lists;
  std::string text;

  uint32_t dtype() const { return type == "f64" ? LOOM_F64 : LOOM_F32; }
};

std::vector<record> read() {
  std::vector<record> all;
  std::ifstream in(LOOM_GOLDEN_DIR "/cpu_linear.txt");
  for (std::string text; std::getline(in, text);) {
    if (text.empty() || text[0] == '#')
      continue;
    std::istringstream line(text);
    std::string part;
    std::getline(line, part, '|');
    record r;
    r.text = part;
    std::istringstream head(part);
    head >> r.name >> r.type;
    for (uint32_t v; head >> v;)
      r.n.push_back(v);
    while (std::getline(line, part, '|')) {
      std::istringstream words(part);
      auto &list = r.lists.emplace_back();
      for (uint64_t v; words >> std::hex >> v;)
        list.push_back(v);
    }
    all.push_back(std::move(r));
  }
  return all;
}

std::vector<uint8_t> bytes_of(const std::vector<uint64_t> &v, uint32_t size) {
  std::vector<uint8_t> b(v.size() * size);
  for (size_t i = 0; i < v.size(); i++)
    std::memcpy(&b[i * size], &v[i], size);
  return b;
}

// A batch of dense matrices whose last two dimensions can be looked at
// otherwise.
struct matrices {
  uint32_t batch, rows, columns;
  int64_t step, row, column, first = 0;

  matrices(uint32_t batch, uint32_t rows, uint32_t columns, uint32_t size)
      : batch(batch), rows(rows), columns(columns),
        step(int64_t(rows) * columns * size), row(int64_t(columns) * size),
        column(size) {}
  void transpose() {
    std::swap(rows, columns);
    std::swap(row, column);
  }
  void reverse_rows() {
    first += int64_t(rows - 1) * row;
    row = -row;
  }
  void reverse_columns() {
    transpose();
    reverse_rows();
    transpose();
  }
  loom_cpu_operand in(uint32_t slot, uint32_t dtype) const {
    return operand(slot, dtype, {batch, rows, columns}, {step, row, column},
                   uint64_t(first));
  }
};

// The same bits, whatever the quanta.
void expect(world w, const operation &m, const std::vector<uint32_t> &out,
            const std::vector<std::vector<uint8_t>> &want, const record &r) {
  w.add(m);
  for (uint32_t quanta : {~0u, 1u, 3u}) {
    world copy = w;
    ASSERT_NE(copy.run(quanta), 0u) << r.text << copy.error.what;
    for (size_t i = 0; i < out.size(); i++)
      EXPECT_EQ(copy.memory(out[i]), want[i]) << r.text << quanta;
  }
}

void check_cholesky(const record &r) {
  const uint32_t parts = r.n[0], n = r.n[2], dtype = r.dtype();
  matrices a(r.n[1], n, n, loom_dtype_bytes(dtype));
  if (r.n[3])
    a.transpose();
  world w;
  operation m;
  std::vector<uint32_t> out;
  std::vector<std::vector<uint8_t>> want;
  m.structure = LOOM_CPU_CHOLESKY;
  for (uint32_t i = 0; i < parts; i++) {
    const auto bytes = bytes_of(r.lists[i], loom_dtype_bytes(dtype));
    m.in.push_back(a.in(w.slot_of(bytes), dtype));
    out.push_back(w.slot(bytes.size()));
    m.out.push_back(a.in(out.back(), dtype));
    want.push_back(bytes_of(r.lists[parts + i], loom_dtype_bytes(dtype)));
  }
  expect(w, m, out, want, r);
}

void check_solve(const record &r) {
  const uint32_t parts = r.n[0], batch = r.n[1], n = r.n[2], k = r.n[3];
  const bool left = r.n[4], transpose = (r.n[6] != 0) == left;
  const uint32_t dtype = r.dtype(), size = loom_dtype_bytes(dtype);
  matrices a(batch, n, n, size), b(batch, left ? n : k, left ? k : n, size);
  bool lower = r.n[5];
  if (transpose) {
    a.transpose();
    lower = !lower;
  }
  if (!left)
    b.transpose();
  if (!lower) {
    a.reverse_rows();
    a.reverse_columns();
    b.reverse_rows();
  }
  for (bool in_place : {false, true}) {
    world w;
    operation m;
    std::vector<uint32_t> out;
    std::vector<std::vector<uint8_t>> want;
    m.structure = LOOM_CPU_TRIANGULAR_SOLVE;
    for (uint32_t i = 0; i < parts; i++)
      m.in.push_back(a.in(w.slot_of(bytes_of(r.lists[i], size)), dtype));
    for (uint32_t i = 0; i < parts; i++) {
      const uint32_t slot = w.slot_of(bytes_of(r.lists[parts + i], size));
      m.in.push_back(b.in(slot, dtype));
      want.push_back(bytes_of(r.lists[2 * parts + i], size));
      out.push_back(in_place ? slot : w.slot(want.back().size()));
      m.out.push_back(b.in(out.back(), dtype));
    }
    m.set(loom_cpu_triangular_solve{
        (r.n[7] ? LOOM_CPU_SOLVE_UNIT : 0) |
            (r.n[6] == 2 && parts == 2 ? LOOM_CPU_SOLVE_CONJUGATE : 0),
        0});
    expect(w, m, out, want, r);
  }
}

TEST(cpu_linear, golden) {
  std::set<std::string> kinds;
  for (const record &r : read()) {
    if (r.name == "cholesky")
      check_cholesky(r);
    else
      check_solve(r);
    kinds.insert(r.name + " " + r.type + " " + std::to_string(r.n[0]));
  }
  EXPECT_EQ(kinds.size(), 6u);
}

} // namespace
} // namespace loom::test
