// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// FFT against numpy (tests/golden/cpu_fft.txt), and lengths that no file should
// hold against sums of sines.
#include "golden.h"
#include "loom_cpu_cost.h"
#include "segment.h"
#include <cmath>
#include <gtest/gtest.h>
#include <random>
#include <set>

namespace loom::test {
namespace {

const char *const kinds[] = {"FFT", "IFFT", "RFFT", "IRFFT"};

struct record {
  uint32_t kind = 0, dtype = LOOM_F32, lines = 0, length = 0;
  std::vector<std::vector<uint64_t>> lists;
  std::string text;

  uint32_t in() const { return kind == 2 ? 1 : 2; }
  uint32_t out() const { return kind == 3 ? 1 : 2; }
};

std::vector<record> read() {
  std::vector<record> all;
  for (golden_line &line : read_golden(LOOM_GOLDEN_DIR "/cpu_fft.txt")) {
    std::string kind, type;
    record r;
    r.text = line.head;
    r.lists = std::move(line.lists);
    std::istringstream head(r.text);
    head >> kind >> type >> r.lines >> r.length;
    while (r.kind < 4 && kind != kinds[r.kind])
      r.kind++;
    r.dtype = type == "f64" ? LOOM_F64 : LOOM_F32;
    all.push_back(std::move(r));
  }
  return all;
}

double value(const uint8_t *at, uint32_t dtype) {
  float f;
  double d;
  std::memcpy(&d, at, dtype == LOOM_F64 ? 8 : 0);
  std::memcpy(&f, at, 4);
  return dtype == LOOM_F64 ? d : double(f);
}

// Parts over slots of their own, lines along the last dimension or, with
// columns, along the first.
struct transform {
  world w;
  operation m;
  std::vector<uint32_t> in, out;

  transform(uint32_t kind, uint32_t dtype, uint32_t lines, uint32_t n,
            bool columns = false) {
    const uint32_t half = n / 2 + 1, size = loom_dtype_bytes(dtype);
    const uint32_t ins = kind == LOOM_CPU_FFT_IRFFT ? half : n;
    const uint32_t outs = kind == LOOM_CPU_FFT_RFFT ? half : n;
    const auto box = [&](uint32_t length) {
      const uint32_t slot = w.slot(size_t(lines) * length * size);
      return columns ? dense(slot, dtype, {length, lines})
                     : dense(slot, dtype, {lines, length});
    };
    m.structure = LOOM_CPU_FFT;
    for (int i = 0; i < (kind == LOOM_CPU_FFT_RFFT ? 1 : 2); i++) {
      m.in.push_back(box(ins));
      in.push_back(m.in.back().slot);
    }
    for (int i = 0; i < (kind == LOOM_CPU_FFT_IRFFT ? 1 : 2); i++) {
      m.out.push_back(box(outs));
      out.push_back(m.out.back().slot);
    }
    const uint32_t work = loom_cpu_fft_workspace(n);
    m.out.push_back(dense(w.slot(size_t(work) * 8), LOOM_F64, {work}));
    m.set(loom_cpu_fft{columns ? 0u : 1u, n, uint8_t(kind), {}});
    w.add(m);
  }
};

// Half a unit of f32, and what f64 loses on the way.
double tolerance(uint32_t dtype, double want, double norm) {
  return (dtype == LOOM_F32 ? std::abs(want) * 0x1p-24 + 0x1p-150 : 0) +
         norm * 2e-15;
}

TEST(cpu_fft, golden) {
  std::set<uint32_t> seen;
  for (const record &r : read()) {
    transform t(r.kind, r.dtype, r.lines, r.length);
    const uint32_t size = loom_dtype_bytes(r.dtype);
    for (uint32_t i = 0; i < r.in(); i++)
      t.w.memory(t.in[i]) = bytes_of(r.lists[i], size);
    world steps = t.w;
    ASSERT_EQ(t.w.run(), 1u) << r.text << t.w.error.what;
    ASSERT_NE(steps.run(3), 0u);
    const double norm = r.kind % 2 ? 1 : std::sqrt(r.length) + 1;
    for (uint32_t i = 0; i < r.out(); i++) {
      const auto &got = t.w.memory(t.out[i]);
      const auto &want = r.lists[r.in() + i];
      EXPECT_EQ(got, steps.memory(t.out[i]));
      ASSERT_EQ(got.size(), want.size() * size);
      for (size_t k = 0; k < want.size(); k++) {
        double d;
        std::memcpy(&d, &want[k], 8);
        EXPECT_NEAR(value(&got[k * size], r.dtype), d,
                    tolerance(r.dtype, d, norm))
            << r.text << i << " " << k;
      }
    }
    seen.insert(r.kind * 2 + (r.dtype == LOOM_F64));
  }
  EXPECT_EQ(seen.size(), 8u);
}

// A wave of each of a few frequencies: lines along columns, in place, large
// lengths with and without factors.
TEST(cpu_fft, waves) {
  for (uint32_t n : {1024u, 1000u, 1009u, 4096u, 6561u}) {
    transform t(LOOM_CPU_FFT_FFT, LOOM_F32, 3, n, true);
    for (int i = 0; i < 2; i++)
      t.m.out[i] = t.m.in[i];
    t.w.code.clear();
    t.w.add(t.m);
    const uint32_t frequency[3] = {0, 7, n - 1};
    std::vector<float> x[2];
    for (uint32_t j = 0; j < n; j++)
      for (uint32_t f : frequency) {
        const uint64_t turn = uint64_t(j) * f % n;
        x[0].push_back(float(std::cos(2 * M_PI * double(turn) / n)));
        x[1].push_back(float(std::sin(2 * M_PI * double(turn) / n)));
      }
    for (int i = 0; i < 2; i++)
      std::memcpy(t.w.memory(t.in[i]).data(), x[i].data(), 12 * n);
    ASSERT_EQ(t.w.run(), 1u) << t.w.error.what;
    const auto re = t.w.get<float>(t.in[0]), im = t.w.get<float>(t.in[1]);
    for (uint32_t k = 0; k < n; k++)
      for (uint32_t line = 0; line < 3; line++) {
        EXPECT_NEAR(re[k * 3 + line], k == frequency[line] ? n : 0, n * 1e-8)
            << n << " " << k;
        EXPECT_NEAR(im[k * 3 + line], 0, n * 1e-8) << n << " " << k;
      }
  }
}

// There and back.
TEST(cpu_fft, inverse) {
  std::mt19937 rng(3);
  std::uniform_real_distribution<double> d(-1, 1);
  for (uint32_t n : {2u, 31u, 512u, 1021u}) {
    transform there(LOOM_CPU_FFT_RFFT, LOOM_F64, 2, n),
        back(LOOM_CPU_FFT_IRFFT, LOOM_F64, 2, n);
    std::vector<double> x(2 * n);
    for (double &v : x)
      v = d(rng);
    std::memcpy(there.w.memory(there.in[0]).data(), x.data(), 16 * n);
    ASSERT_EQ(there.w.run(), 1u) << there.w.error.what;
    for (int i = 0; i < 2; i++)
      back.w.memory(back.in[i]) = there.w.memory(there.out[i]);
    ASSERT_EQ(back.w.run(), 1u) << back.w.error.what;
    const auto y = back.w.get<double>(back.out[0]);
    for (uint32_t i = 0; i < 2 * n; i++)
      EXPECT_NEAR(y[i], x[i], 3e-14) << n;
  }
}

} // namespace
} // namespace loom::test
