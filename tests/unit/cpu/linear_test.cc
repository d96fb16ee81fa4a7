// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Factors and systems against tests/golden/cpu_linear.txt.
// StableHLO's attributes become strides as loom_cpu_ops.h says.
#include "golden.h"
#include "segment.h"
#include <gtest/gtest.h>
#include <set>

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
  for (golden_line &line : read_golden(LOOM_GOLDEN_DIR "/cpu_linear.txt")) {
    record r;
    r.text = line.head;
    r.lists = std::move(line.lists);
    std::istringstream head(line.head);
    head >> r.name >> r.type;
    for (uint32_t v; head >> v;)
      r.n.push_back(v);
    all.push_back(std::move(r));
  }
  return all;
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

// The factor, then Q of it.
void check_qr(const record &r) {
  const uint32_t parts = r.n[0], batch = r.n[1], rows = r.n[2],
                 columns = r.n[3], k = std::min(rows, columns),
                 dtype = r.dtype(), size = loom_dtype_bytes(dtype);
  const matrices a(batch, rows, columns, size), tau(batch, 1, k, size),
      q(batch, rows, k, size);
  matrices some = a; // of whose columns as many as there are reflections
  some.columns = k;
  for (bool in_place : {false, true}) {
    world w;
    operation m, form;
    std::vector<uint32_t> out;
    std::vector<std::vector<uint8_t>> want;
    m.structure = LOOM_CPU_QR;
    form.structure = LOOM_CPU_HOUSEHOLDER;
    const auto result = [&](uint32_t list, uint32_t slot) {
      want.push_back(bytes_of(r.lists[list], size));
      out.push_back(slot);
      w.memory(slot).resize(want.back().size());
    };
    for (uint32_t i = 0; i < parts; i++)
      m.in.push_back(a.in(w.slot_of(bytes_of(r.lists[i], size)), dtype));
    for (uint32_t i = 0; i < parts; i++) {
      result(parts + i, in_place ? m.in[i].slot : w.slot(0));
      m.out.push_back(a.in(out.back(), dtype));
      form.in.push_back(some.in(out.back(), dtype));
    }
    for (uint32_t i = 0; i < parts; i++) {
      result(2 * parts + i, w.slot(0));
      m.out.push_back(tau.in(out.back(), dtype));
      form.in.push_back(m.out.back());
    }
    for (uint32_t i = 0; i < parts; i++) {
      result(3 * parts + i, w.slot(0));
      form.out.push_back(q.in(out.back(), dtype));
    }
    w.add(m);
    expect(w, form, out, want, r);
  }
}

TEST(cpu_linear, golden) {
  std::set<std::string> kinds;
  for (const record &r : read()) {
    if (r.name == "cholesky")
      check_cholesky(r);
    else if (r.name == "qr")
      check_qr(r);
    else
      check_solve(r);
    kinds.insert(r.name + " " + r.type + " " + std::to_string(r.n[0]));
  }
  EXPECT_EQ(kinds.size(), 9u);
}

} // namespace
} // namespace loom::test
