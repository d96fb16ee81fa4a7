// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Scans and tables of the vector unit: values, resumption, refusals, time.
#include "vpu_oracle.h"
#include "vpu_record.h"
#include <gtest/gtest.h>
#include <map>

namespace loom::test {
namespace {

class VpuScan : public testing::TestWithParam<isa> {
protected:
  void SetUp() override {
    if (!loom_kernels_select(GetParam().id))
      GTEST_SKIP() << "this CPU lacks " << GetParam().name;
  }
};

constexpr uint32_t A = 0, B = 16 << 10, OUT = 48 << 10;

bool is_arg(uint32_t op) {
  return op == LOOM_UOP_RARGMIN_F || op == LOOM_UOP_RARGMAX_F;
}

// Every intermediate result, one after the other from p.
std::vector<uint32_t> oracle_scan(uint32_t op, uint32_t p,
                                  const std::vector<uint32_t> &x) {
  std::vector<uint32_t> out;
  uint32_t best = 0;
  for (uint32_t i = 0; i < x.size(); ++i) {
    if (is_arg(op)) {
      const float v = to_float(x[i]), b = to_float(x[best]);
      if (b == b && (v != v || (op == LOOM_UOP_RARGMAX_F ? v > b : v < b)))
        best = i;
      out.push_back(best);
    } else {
      out.push_back(p = oracle(op, p, x[i], 0));
    }
  }
  return out;
}

// A block of 2 x 3 x 1 x 5 x 6 x 20 in row-major order.
constexpr uint16_t shape[6] = {2, 3, 1, 5, 6, 20};
constexpr uint32_t elements = 3600;

std::vector<int32_t> dense() {
  std::vector<int32_t> strides(6);
  int32_t step = 4;
  for (int d = 6; d--; step *= shape[d])
    strides[size_t(d)] = step;
  return strides;
}

vpu_record block(uint32_t mask) {
  vpu_record r(std::vector<uint16_t>(shape, shape + 6));
  return r.mask(LOOM_VPU_SCAN | mask);
}

// The elements of each group in order, for the reduced dimensions of a mask.
std::vector<std::vector<uint32_t>> groups_of(uint32_t mask) {
  std::map<uint32_t, std::vector<uint32_t>> groups;
  for (uint32_t i = 0; i < elements; ++i) {
    uint32_t rest = i, key = 0, scale = 1;
    for (int d = 6; d--; rest /= shape[d], scale *= 32)
      key += mask >> d & 1 ? 0 : rest % shape[d] * scale;
    groups[key].push_back(i);
  }
  std::vector<std::vector<uint32_t>> all;
  for (auto &[key, g] : groups)
    all.push_back(g);
  return all;
}

TEST_P(VpuScan, EveryReducerOverEveryMask) {
  std::mt19937 rng(17);
  for (uint32_t op = LOOM_UOP_RADD_F; op <= LOOM_UOP_RARGMAX_F; ++op)
    for (uint32_t mask = 0; mask < 64; ++mask) {
      machine m(GetParam().id);
      const bool ordinary = rng() % 2, resumes = !is_arg(op) && rng() % 2;
      for (uint32_t i = 0; i < elements; ++i) {
        m.put(A + 4 * i, ordinary ? to_bits(float(int(rng() % 2000)) / 7 - 100)
                                  : awkward_f32(rng));
        m.put(OUT + 4 * i, to_bits(float(int(rng() % 999)) / 8));
      }
      std::vector<uint32_t> before(elements);
      std::memcpy(before.data(), m.sram() + OUT, 4 * elements);
      const uint32_t dtype = op <= LOOM_UOP_RMAX_F ? LOOM_F32 : LOOM_U32;
      vpu_record r = block(mask);
      const uint32_t in = r.view(A, LOOM_U32, dense());
      const uint32_t out =
          r.view(OUT, dtype, dense(),
                 LOOM_VIEW_OUT | (resumes ? LOOM_VIEW_RESUME : 0));
      r.op(LOOM_UOP_LOAD, 2, in).op(op, out, 2);
      ASSERT_EQ(m.run(r.finish()), LOOM_FAULT_NONE);
      for (const auto &g : groups_of(mask)) {
        std::vector<uint32_t> x;
        for (const uint32_t i : g)
          x.push_back(m.get<uint32_t>(A + 4 * i));
        const auto want =
            oracle_scan(op, resumes ? before[g[0]] : oracle_identity(op), x);
        for (size_t k = 0; k < g.size(); ++k)
          ASSERT_EQ(m.get<uint32_t>(OUT + 4 * g[k]), want[k])
              << std::hex << "op " << op << " mask " << mask << " element "
              << g[k];
      }
    }
}

// Backwards, as bf16, with a store of the same chain and a second reducer.
TEST_P(VpuScan, TwoReducersBackwards) {
  machine m(GetParam().id);
  const uint32_t n = 700;
  for (uint32_t i = 0; i < n; ++i)
    m.put(A + 4 * i, float((i * 7919) % 2003) - 1000);
  vpu_record r({uint16_t(n)});
  r.mask(LOOM_VPU_SCAN | 1);
  const uint32_t last = 4 * (n - 1);
  const uint32_t in = r.view(A + last, LOOM_F32, {-4});
  const uint32_t max = r.view(B + 2 * (n - 1), LOOM_BF16, {-2}, LOOM_VIEW_OUT);
  const uint32_t sum = r.view(OUT + last, LOOM_F32, {-4}, LOOM_VIEW_OUT);
  r.op(LOOM_UOP_LOAD, 0, in)
      .op(LOOM_UOP_RMAX_F, max, 0)
      .op(LOOM_UOP_FMUL, 1, 0, 0)
      .op(LOOM_UOP_RADD_F, sum, 1);
  ASSERT_EQ(m.run(r.finish()), LOOM_FAULT_NONE);
  float best = -INFINITY, total = 0;
  for (uint32_t i = n; i--;) {
    const float x = m.get<float>(A + 4 * i);
    best = std::max(best, x);
    total += x * x;
    ASSERT_EQ(m.get<uint16_t>(B + 2 * i),
              oracle_to_bf16_and_back(to_bits(best)) >> 16);
    ASSERT_EQ(m.get<float>(OUT + 4 * i), total);
  }
}

TEST_P(VpuScan, Table) {
  machine m(GetParam().id);
  const uint32_t n = 600, table = 1001;
  for (uint32_t i = 0; i < 256; ++i)
    m.put(table + i, uint8_t(i * 37 + 11));
  for (uint32_t i = 0; i < n; ++i)
    m.put(B + 4 * i, i * 2654435761u);
  vpu_record r({uint16_t(n)});
  const uint32_t in = r.view(B, LOOM_U32, {4});
  const uint32_t out = r.view(OUT, LOOM_I32, {4}, LOOM_VIEW_OUT);
  r.op(LOOM_UOP_LOAD, 0, in)
      .op(LOOM_UOP_LUT8, 0, 0, r.imm(table))
      .op(LOOM_UOP_STORE, out, 0);
  ASSERT_EQ(m.run(r.finish()), LOOM_FAULT_NONE);
  for (uint32_t i = 0; i < n; ++i)
    ASSERT_EQ(m.get<int32_t>(OUT + 4 * i),
              int8_t(uint8_t((i * 2654435761u & 255) * 37 + 11)));
}

INSTANTIATE_TEST_SUITE_P(All, VpuScan, testing::ValuesIn(all_isas),
                         [](const auto &info) { return info.param.name; });

// --- what is refused, and what it costs --------------------------------------

vpu_record scan(uint32_t op, uint32_t dtype, uint32_t flags) {
  vpu_record r({4, 8});
  r.view(0, LOOM_F32, {32, 4});
  r.view(1024, dtype, {32, 4}, LOOM_VIEW_OUT | flags);
  return r.mask(LOOM_VPU_SCAN | 2).op(LOOM_UOP_LOAD, 0, 0).op(op, 1, 0);
}

TEST(VpuScanCheck, Refusals) {
  machine m;
  const auto checked = [&](vpu_record r) { return m.check(r.finish()); };
  EXPECT_EQ(checked(scan(LOOM_UOP_RADD_F, LOOM_F32, 0)), LOOM_FAULT_NONE);
  EXPECT_EQ(checked(scan(LOOM_UOP_RADD_F, LOOM_F32, LOOM_VIEW_RESUME)),
            LOOM_FAULT_NONE);
  EXPECT_EQ(checked(scan(LOOM_UOP_RADD_F, LOOM_BF16, LOOM_VIEW_RESUME)),
            LOOM_FAULT_FIELD)
      << "a resumed scan works in 4 bytes";
  EXPECT_EQ(checked(scan(LOOM_UOP_RADD_F, LOOM_F32, LOOM_VIEW_PARTIAL)),
            LOOM_FAULT_FIELD)
      << "a scan leaves no partial results";
  EXPECT_EQ(checked(scan(LOOM_UOP_RADD_F, LOOM_I32, 0)), LOOM_FAULT_FIELD);
  EXPECT_EQ(checked(scan(LOOM_UOP_RARGMAX_F, LOOM_U32, LOOM_VIEW_RESUME)),
            LOOM_FAULT_FIELD);
  m.target.features &= ~(1ull << LOOM_FEAT_SCAN);
  EXPECT_EQ(checked(scan(LOOM_UOP_RADD_F, LOOM_F32, 0)), LOOM_FAULT_FEATURE);
}

// A scan's view is checked as it is walked: at its last byte, and not by the
// 64 bytes that partial results would take.
TEST(VpuScanCheck, Bounds) {
  machine m;
  const auto at = [&](uint32_t base, uint32_t flags) {
    vpu_record r({4});
    r.view(0, LOOM_F32, {4});
    r.view(base, LOOM_F32, {4}, LOOM_VIEW_OUT | flags);
    r.mask(LOOM_VPU_SCAN | 1).op(LOOM_UOP_LOAD, 0, 0);
    return m.check(r.op(LOOM_UOP_RADD_F, 1, 0).finish());
  };
  for (const uint32_t flags : {0u, LOOM_VIEW_RESUME}) {
    EXPECT_EQ(at(m.target.sram_bytes - 16, flags), LOOM_FAULT_NONE);
    EXPECT_EQ(at(m.target.sram_bytes - 12, flags), LOOM_FAULT_SRAM_BOUNDS);
  }
}

TEST(VpuTableCheck, Refusals) {
  machine m;
  const auto at = [&](uint32_t table, bool immediate = true) {
    vpu_record r({4});
    r.view(0, LOOM_U8, {1});
    r.view(64, LOOM_I8, {1}, LOOM_VIEW_OUT);
    const uint32_t i = r.imm(table);
    return m.check(r.op(LOOM_UOP_LOAD, 0, 0)
                       .op(LOOM_UOP_LUT8, 0, 0, immediate ? i : 0)
                       .op(LOOM_UOP_STORE, 1, 0)
                       .finish());
  };
  const uint32_t end = m.target.sram_bytes;
  EXPECT_EQ(at(end - 256), LOOM_FAULT_NONE);
  EXPECT_EQ(at(end - 255), LOOM_FAULT_SRAM_BOUNDS);
  EXPECT_EQ(m.why.slot, LOOM_SLOT_SRAM);
  EXPECT_EQ(m.why.limit, end);
  EXPECT_EQ(at(0xffffffff), LOOM_FAULT_SRAM_BOUNDS);
  EXPECT_EQ(at(0, false), LOOM_FAULT_FIELD) << "a table by register";
  m.target.features &= ~(1ull << LOOM_FEAT_TRANS);
  EXPECT_EQ(at(0), LOOM_FAULT_FEATURE);
}

TEST(VpuScanCheck, Time) {
  machine m; // 16 lanes
  const auto cycles = [&](uint16_t groups, uint16_t length, uint32_t mask) {
    vpu_record r({groups, length});
    r.view(0, LOOM_F32, {4 * length, 4});
    r.view(128 << 10, LOOM_F32,
           mask & LOOM_VPU_SCAN ? std::vector<int32_t>{4 * length, 4}
                                : std::vector<int32_t>{4, 0},
           LOOM_VIEW_OUT);
    r.mask(mask).op(LOOM_UOP_LOAD, 0, 0).op(LOOM_UOP_RADD_F, 1, 0);
    EXPECT_EQ(m.check(r.finish()), LOOM_FAULT_NONE);
    return m.demand.cost.busy + m.demand.cost.edge;
  };
  EXPECT_EQ(cycles(1, 1000, 2), 2u * 63);
  EXPECT_EQ(cycles(1, 1000, LOOM_VPU_SCAN | 2), 63u + 1000);
  EXPECT_EQ(cycles(16, 100, LOOM_VPU_SCAN | 2), 100u + 100);
  EXPECT_EQ(cycles(17, 100, LOOM_VPU_SCAN | 2), 107u + 200);
}

} // namespace
} // namespace loom::test
