// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// One small segment of every structure, for whoever runs them: in steps of
// every size (structures_test.cc), in the kernel (tests/guest/uapi).
#pragma once

#include "loom_cpu_cost.h"
#include "segment.h"
#include <functional>
#include <numeric>
#include <random>

namespace loom::test {

template <typename T> std::vector<T> counted(size_t n, T first = 0) {
  std::vector<T> v(n);
  std::iota(v.begin(), v.end(), first);
  return v;
}

inline std::vector<float> random_floats(size_t n, uint32_t seed) {
  std::mt19937 rng(seed);
  std::uniform_real_distribution<float> d(-4, 4);
  std::vector<float> v(n);
  for (float &x : v)
    x = d(rng);
  return v;
}

inline std::vector<int32_t> random_ints(size_t n, int32_t lo, int32_t hi,
                                        uint32_t seed) {
  std::mt19937 rng(seed);
  std::vector<int32_t> v(n);
  for (int32_t &x : v)
    x = std::uniform_int_distribution<int32_t>(lo, hi)(rng);
  return v;
}

using maker = std::function<void(world &)>;

inline void make_map(world &w) {
  operation m;
  m.in = {dense(w.slot_of(random_floats(7 * 33, 1)), LOOM_F32, {7, 33}),
          operand(w.slot_of(random_floats(33, 2)), LOOM_F32, {7, 33}, {0, 4})};
  m.out = {dense(w.slot(7 * 33 * 2), LOOM_BF16, {7, 33}),
           dense(w.slot(7 * 33 * 8), LOOM_I64, {7, 33})};
  m.ops = {load(0, 0),
           load(1, 1),
           uop(LOOM_UOP_FFMA, 2, 0, 1, LOOM_CPU_IMM(0)),
           uop(LOOM_UOP_EXP, 3, 2),
           store(0, 3),
           uop(LOOM_UOP_IOTA, 4, 1),
           uop(LOOM_CPU_CVT, 5, 4, LOOM_U32, LOOM_I64),
           uop(LOOM_CPU_IMUL64, 5, 5, LOOM_CPU_IMM(1)),
           store(1, 5)};
  m.imms = {0x3f000000, 0x123456789abcdefull};
  w.add(m);
}

inline void make_copy(world &w) {
  const uint32_t in = w.slot_of(counted<uint16_t>(90)), out = w.slot(400);
  const uint32_t fill = w.slot_of(std::vector<uint16_t>{0xabcd});
  operation m;
  m.structure = LOOM_CPU_COPY;
  m.in = {operand(fill, LOOM_U16, {200}, {0}),
          operand(in, LOOM_U16, {5, 18}, {36, -2}, 34)};
  m.out = {dense(out, LOOM_U16, {200}),
           operand(out, LOOM_U16, {5, 18}, {40, 2}, 42)};
  w.add(m);
}

// argmax: NaNs aside, the greater value, then the lower index.
inline void make_region_reduce(world &w, uint32_t lines, uint32_t n) {
  auto v = random_floats(lines * n, 3);
  for (float &x : v)
    x = float(int(x)); // equals occur
  operation m;
  m.structure = LOOM_CPU_REDUCE;
  m.in = {dense(w.slot_of(v), LOOM_F32, {lines, n}),
          operand(w.slot_of(counted<int32_t>(n)), LOOM_I32, {lines, n}, {0, 4}),
          dense(w.slot_of(std::vector<float>{-1e30f}), LOOM_F32, {}),
          dense(w.slot_of(std::vector<int32_t>{-1}), LOOM_I32, {})};
  m.out = {dense(w.slot(lines * 4), LOOM_F32, {lines, 1}),
           dense(w.slot(lines * 4), LOOM_I32, {lines, 1})};
  m.ops = {load(0, 0),
           load(1, 1),
           load(2, 2),
           load(3, 3),
           uop(LOOM_UOP_FGT, 4, 0, 2),
           uop(LOOM_UOP_FEQ, 5, 0, 2),
           uop(LOOM_UOP_ILT, 6, 1, 3),
           uop(LOOM_UOP_AND, 5, 5, 6),
           uop(LOOM_UOP_OR, 4, 4, 5),
           uop(LOOM_UOP_SELECT, 7, 4, 0, 2),
           uop(LOOM_UOP_SELECT, 8, 4, 1, 3),
           store(0, 7),
           store(1, 8)};
  m.set(loom_cpu_reduce{2, 0, 2, 0});
  w.add(m);
}

inline void make_window(world &w) {
  operation m;
  m.structure = LOOM_CPU_WINDOW;
  m.in = {dense(w.slot_of(random_ints(9 * 14, -50, 50, 4)), LOOM_I32, {9, 14})};
  m.out = {dense(w.slot(5 * 7 * 4), LOOM_I32, {5, 7})};
  m.set(loom_cpu_window{
      {3, 3}, {2, 2}, {1, 2}, {1, 1}, {1, 2}, LOOM_UOP_RADD_I, 1, {}});
  w.add(m);
}

inline void make_select_scatter(world &w) {
  operation m;
  m.structure = LOOM_CPU_SELECT_SCATTER;
  m.in = {dense(w.slot_of(random_floats(10 * 10, 5)), LOOM_F32, {10, 10}),
          dense(w.slot_of(random_floats(9 * 9, 6)), LOOM_F32, {9, 9}),
          dense(w.slot_of(std::vector<float>{0}), LOOM_F32, {})};
  m.out = {dense(w.slot(400), LOOM_F32, {10, 10})};
  m.ops = binary(LOOM_UOP_FGE);
  m.set(loom_cpu_select_scatter{
      {2, 2}, {1, 1}, {0, 0}, uint32_t(m.ops.size()), 0});
  const auto add = binary(LOOM_UOP_FADD);
  m.ops.insert(m.ops.end(), add.begin(), add.end());
  w.add(m);
}

inline void make_gather(world &w) {
  operation m;
  m.structure = LOOM_CPU_GATHER;
  // Rows of three of a 20 x 3 table; some indices are out of bounds.
  m.in = {operand(w.slot_of(counted<int16_t>(60)), LOOM_I16, {50, 3}, {0, 2}),
          operand(w.slot_of(random_ints(50, -5, 30, 7)), LOOM_I32, {50, 3},
                  {4, 0})};
  m.out = {dense(w.slot(300), LOOM_I16, {50, 3})};
  m.set(loom_cpu_gather{1, 0, {19}, {6}});
  w.add(m);
}

inline void make_scatter(world &w) {
  operation m;
  m.structure = LOOM_CPU_SCATTER;
  m.in = {dense(w.slot_of(random_floats(300, 8)), LOOM_F32, {100, 3}),
          operand(w.slot_of(random_ints(100, -2, 11, 9)), LOOM_I32, {100, 3},
                  {4, 0})};
  m.out = {
      operand(w.slot_of(random_floats(30, 10)), LOOM_F32, {100, 3}, {0, 4})};
  m.ops = binary(LOOM_UOP_FADD);
  m.set(loom_cpu_scatter{1, 0, 1, {}, {9}, {{12}}});
  w.add(m);
}

// The greatest value of each place, and where it came from: f32 and i64.
inline void make_scatter_of_two(world &w) {
  operation m;
  m.structure = LOOM_CPU_SCATTER;
  m.in = {dense(w.slot_of(random_floats(300, 28)), LOOM_F32, {100, 3}),
          operand(w.slot_of(counted<int64_t>(100)), LOOM_I64, {100, 3}, {8, 0}),
          operand(w.slot_of(random_ints(100, -2, 11, 29)), LOOM_I32, {100, 3},
                  {4, 0})};
  m.out = {operand(w.slot_of(std::vector<float>(30, -9)), LOOM_F32, {100, 3},
                   {0, 4}),
           operand(w.slot_of(std::vector<int64_t>(30, -1)), LOOM_I64, {100, 3},
                   {0, 80})};
  m.ops = {load(0, 0),
           load(1, 1),
           load(2, 2),
           load(3, 3),
           uop(LOOM_UOP_FLT, 4, 0, 2),
           uop(LOOM_UOP_SELECT, 5, 4, 2, 0),
           uop(LOOM_CPU_SELECT64, 6, 4, 3, 1),
           store(0, 5),
           store(1, 6)};
  m.set(loom_cpu_scatter{1, 0, 2, {}, {9}, {{12}, {8}}});
  w.add(m);
}

inline void make_fft(world &w, uint32_t kind, uint32_t n) {
  const uint32_t half = n / 2 + 1, work = loom_cpu_fft_workspace(n);
  const uint32_t in = kind == LOOM_CPU_FFT_IRFFT ? half : n;
  const uint32_t out = kind == LOOM_CPU_FFT_RFFT ? half : n;
  operation m;
  m.structure = LOOM_CPU_FFT;
  m.in.assign(
      kind == LOOM_CPU_FFT_RFFT ? 1 : 2,
      dense(w.slot_of(random_floats(21 * in, 35)), LOOM_F32, {3, in, 7}));
  for (int i = 0; i < (kind == LOOM_CPU_FFT_IRFFT ? 1 : 2); i++)
    m.out.push_back(dense(w.slot(84 * out), LOOM_F32, {3, out, 7}));
  m.out.push_back(dense(w.slot(8 * work), LOOM_F64, {work}));
  m.set(loom_cpu_fft{1, n, uint8_t(kind), {}});
  w.add(m);
}

inline void make_cholesky(world &w) {
  const uint32_t n = 37;
  auto a = random_floats(3 * n * n, 30);
  for (uint32_t i = 0; i < 3 * n; i++)
    a[i / n * n * n + i % n * (n + 1)] += i / n == 1 ? 0 : 80; // one has none
  operation m;
  m.structure = LOOM_CPU_CHOLESKY;
  m.in = {dense(w.slot_of(a), LOOM_F32, {3, n, n})};
  m.out = {dense(w.slot(3 * n * n * 4), LOOM_F32, {3, n, n})};
  w.add(m);
}

inline void make_solve(world &w) {
  const uint32_t n = 34, k = 5;
  operation m;
  m.structure = LOOM_CPU_TRIANGULAR_SOLVE;
  for (uint32_t part = 0; part < 2; part++)
    m.in.push_back(dense(w.slot_of(random_floats(20 * n * n, 31 + part)),
                         LOOM_F32, {20, n, n}));
  for (uint32_t part = 0; part < 2; part++)
    m.in.push_back(dense(w.slot_of(random_floats(20 * n * k, 33 + part)),
                         LOOM_F32, {20, n, k}));
  for (uint32_t part = 0; part < 2; part++)
    m.out.push_back(dense(w.slot(20 * n * k * 4), LOOM_F32, {20, n, k}));
  m.set(loom_cpu_triangular_solve{LOOM_CPU_SOLVE_CONJUGATE, 0});
  w.add(m);
}

// [rows, columns] of each batch; one column of pairs is real and alone.
inline void make_qr(world &w, uint32_t batch, uint32_t m, uint32_t n,
                    uint32_t parts, uint32_t dtype) {
  const uint32_t size = loom_dtype_bytes(dtype), k = std::min(m, n);
  operation op;
  op.structure = LOOM_CPU_QR;
  for (uint32_t part = 0; part < parts; part++) {
    auto a = random_floats(batch * m * n, 36 + part);
    for (uint32_t i = part ? 0 : 1; i < m; i++)
      a[i * n] = 0;
    if (dtype == LOOM_F64)
      op.in.push_back(dense(w.slot_of(std::vector<double>(a.begin(), a.end())),
                            dtype, {batch, m, n}));
    else
      op.in.push_back(dense(w.slot_of(a), dtype, {batch, m, n}));
  }
  for (uint32_t part = 0; part < parts; part++)
    op.out.push_back(
        dense(w.slot(size_t(batch) * m * n * size), dtype, {batch, m, n}));
  for (uint32_t part = 0; part < parts; part++)
    op.out.push_back(
        dense(w.slot(size_t(batch) * k * size), dtype, {batch, 1, k}));
  w.add(op);
}

inline void make_householder(world &w) {
  const uint32_t batch = 3, m = 25, n = 40, k = 23;
  operation op;
  op.structure = LOOM_CPU_HOUSEHOLDER;
  for (uint32_t part = 0; part < 2; part++)
    op.in.push_back(dense(w.slot_of(random_floats(batch * m * n, 38 + part)),
                          LOOM_F32, {batch, m, n}));
  for (uint32_t part = 0; part < 2; part++)
    op.in.push_back(dense(w.slot_of(random_floats(batch * k, 40 + part)),
                          LOOM_F32, {batch, 1, k}));
  for (uint32_t part = 0; part < 2; part++)
    op.out.push_back(dense(w.slot(batch * m * n * 4), LOOM_F32, {batch, m, n}));
  w.add(op);
}

inline void make_sort(world &w, uint32_t n) {
  operation m;
  m.structure = LOOM_CPU_SORT;
  m.in = {dense(w.slot_of(random_ints(3 * n, -9, 9, 11)), LOOM_I32, {3, n}),
          dense(w.slot_of(counted<int64_t>(3 * n)), LOOM_I64, {3, n})};
  m.out = {dense(w.slot(12 * n), LOOM_I32, {3, n}),
           dense(w.slot(24 * n), LOOM_I64, {3, n}),
           dense(w.slot(8 * n), LOOM_U32, {2 * n})};
  m.ops = {load(0, 0), load(1, 2), uop(LOOM_UOP_ILT, 2, 0, 1), store(0, 2)};
  m.set(loom_cpu_sort{1, 2, {}});
  w.add(m);
}

inline void make_scan(world &w) {
  operation m;
  m.structure = LOOM_CPU_SCAN;
  m.in = {
      dense(w.slot_of(random_floats(5 * 20 * 2, 12)), LOOM_F32, {5, 20, 2})};
  m.out = {dense(w.slot(800), LOOM_F32, {5, 20, 2})};
  m.set(loom_cpu_scan{1, LOOM_UOP_RADD_F, 1, 0});
  w.add(m);
}

inline void make_dot(world &w) {
  operation m;
  m.structure = LOOM_CPU_DOT; // [2, 5, 6 x 7] x [2, 6 x 7, 11]
  m.in = {operand(w.slot_of(random_floats(2 * 5 * 42, 13)), LOOM_F32,
                  {2, 5, 11}, {840, 168, 0}),
          operand(w.slot_of(random_floats(2 * 42 * 11, 14)), LOOM_F32,
                  {2, 5, 11}, {1848, 0, 4})};
  m.out = {dense(w.slot(440), LOOM_F32, {2, 5, 11})};
  m.set(loom_cpu_dot{2, 0, {6, 7}, {28, 4}, {308, 44}});
  w.add(m);
}

inline void make_conv(world &w) {
  operation m;
  m.structure = LOOM_CPU_CONV; // [6, 7, 20] by [3, 2, 20, 5]
  m.in = {operand(w.slot_of(random_floats(6 * 7 * 20, 15)), LOOM_F32, {4, 7, 5},
                  {0, 0, 0}),
          operand(w.slot_of(random_floats(3 * 2 * 20 * 5, 16)), LOOM_F32,
                  {4, 7, 5}, {0, 0, 4})};
  m.out = {dense(w.slot(4 * 7 * 5 * 4), LOOM_F32, {4, 7, 5})};
  loom_cpu_conv c{};
  c.n_spatial = 2;
  c.channels = 20;
  c.dim[0] = 0, c.dim[1] = 1;
  c.size[0] = 6, c.size[1] = 7;
  c.window[0] = 3, c.window[1] = 2;
  c.stride[0] = 2, c.stride[1] = 1;
  c.dilation[0] = 1, c.dilation[1] = 2;
  c.in_dilation[0] = c.in_dilation[1] = 1;
  c.pad[0] = c.pad[1] = 1;
  c.left[0] = 7 * 20 * 4, c.left[1] = 20 * 4;
  c.right[0] = 2 * 20 * 5 * 4, c.right[1] = 20 * 5 * 4;
  c.left_channel = 4;
  c.right_channel = 20;
  m.set(c);
  w.add(m);
}

inline const std::vector<std::pair<const char *, maker>> structures = {
    {"map", make_map},
    {"copy", make_copy},
    {"reduce, few outputs", [](world &w) { make_region_reduce(w, 3, 150); }},
    {"reduce, many outputs", [](world &w) { make_region_reduce(w, 70, 9); }},
    {"window", make_window},
    {"select_scatter", make_select_scatter},
    {"gather", make_gather},
    {"scatter", make_scatter},
    {"sort", [](world &w) { make_sort(w, 150); }},
    {"sort of one", [](world &w) { make_sort(w, 1); }},
    {"scan", make_scan},
    {"dot", make_dot},
    {"conv", make_conv},
    {"scatter of two", make_scatter_of_two},
    {"fft", [](world &w) { make_fft(w, LOOM_CPU_FFT_FFT, 256); }},
    {"ifft of 100", [](world &w) { make_fft(w, LOOM_CPU_FFT_IFFT, 100); }},
    {"rfft of 1", [](world &w) { make_fft(w, LOOM_CPU_FFT_RFFT, 1); }},
    {"irfft of 15", [](world &w) { make_fft(w, LOOM_CPU_FFT_IRFFT, 15); }},
    {"cholesky", make_cholesky},
    {"triangular_solve", make_solve},
    {"qr of tall", [](world &w) { make_qr(w, 2, 30, 9, 1, LOOM_F32); }},
    {"qr of wide", [](world &w) { make_qr(w, 70, 5, 8, 2, LOOM_F32); }},
    {"qr of f64", [](world &w) { make_qr(w, 1, 17, 17, 1, LOOM_F64); }},
    {"qr of one", [](world &w) { make_qr(w, 1, 1, 1, 2, LOOM_F32); }},
    {"householder", make_householder},
};

} // namespace loom::test
