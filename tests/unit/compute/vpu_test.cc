// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The vector unit: every micro-operation, storage type, reducer and walk, on
// every kernel set.
#include "elementary_reference.h"
#include "vpu_oracle.h"
#include "vpu_record.h"
#include <gtest/gtest.h>

namespace loom::test {
namespace {

struct uop {
  uint32_t op;
  const char *name;
  int operands;
  char cls;
};

constexpr uop all_uops[] = {
#define LOOM_TEST_UOP(num, name, operands, cls, text)                          \
  {num, #name, operands, #cls[0]},
    LOOM_UOPS(LOOM_TEST_UOP)
#undef LOOM_TEST_UOP
};

class VpuIsa : public testing::TestWithParam<isa> {
protected:
  void SetUp() override {
    if (!loom_kernels_select(GetParam().id))
      GTEST_SKIP() << "this CPU lacks " << GetParam().name;
  }
};

constexpr uint32_t A = 0, B = 16 << 10, C = 32 << 10, OUT = 48 << 10;

uint32_t awkward_word(std::mt19937 &rng, char cls) {
  static constexpr uint32_t ints[] = {
      0,   1,   2,          31,         32,         33,
      127, 128, 0x7fffffff, 0x80000000, 0xffffffff, 0xffffff80};
  if (cls == 'F' || cls == 'T' || rng() % 2)
    return awkward_f32(rng);
  return rng() % 2 ? ints[rng() % std::size(ints)] : rng() >> rng() % 32;
}

TEST_P(VpuIsa, EveryMicroOperationEqualsItsOracle) {
  std::mt19937 rng(11);
  const uint16_t n = 3001;
  int tested = 0;
  for (const uop &u : all_uops) {
    if (u.cls == 'R' || u.op == LOOM_UOP_LUT8 || u.op == LOOM_UOP_LOAD ||
        u.op == LOOM_UOP_STORE || u.op == LOOM_UOP_IOTA)
      continue;
    machine m(GetParam().id);
    for (uint32_t i = 0; i < n; ++i) {
      m.put(A + 4 * i, awkward_word(rng, u.cls));
      m.put(B + 4 * i, u.op == LOOM_UOP_FREDP ? rng() % 10 | rng() % 26 << 8
                                              : awkward_word(rng, u.cls));
      m.put(C + 4 * i, u.op == LOOM_UOP_REQUANT ? uint32_t(int(rng() % 80) - 40)
                                                : awkward_word(rng, u.cls));
    }
    vpu_record r({n});
    const uint32_t va = r.view(A, LOOM_U32, {4}), vb = r.view(B, LOOM_U32, {4}),
                   vc = r.view(C, LOOM_U32, {4});
    const uint32_t out = r.view(OUT, LOOM_U32, {4}, LOOM_VIEW_OUT);
    r.op(LOOM_UOP_LOAD, 1, va)
        .op(LOOM_UOP_LOAD, 2, vb)
        .op(LOOM_UOP_LOAD, 3, vc);
    r.op(u.op, 4, 1, u.operands > 1 ? 2 : 0, u.operands > 2 ? 3 : 0)
        .op(LOOM_UOP_STORE, out, 4);
    ASSERT_EQ(m.run(r.finish()), LOOM_FAULT_NONE) << u.name;
    for (uint32_t i = 0; i < n; ++i) {
      const uint32_t a = m.get<uint32_t>(A + 4 * i),
                     b = m.get<uint32_t>(B + 4 * i),
                     c = m.get<uint32_t>(C + 4 * i);
      const uint32_t got = m.get<uint32_t>(OUT + 4 * i);
      if (u.cls == 'T') {
        const auto want = loom_test::elementary_reference(u.op, a, b);
        ASSERT_TRUE(got == want.low || got == want.high)
            << u.name << std::hex << " of " << a << ", " << b << ": " << got
            << " instead of " << want.low;
        continue;
      }
      ASSERT_EQ(got, oracle(u.op, a, b, c))
          << u.name << std::hex << " of " << a << ", " << b << ", " << c;
    }
    ++tested;
  }
  EXPECT_EQ(tested, 80);
}

// Destination and operands in one register; an immediate as operand.
TEST_P(VpuIsa, RegistersMayBeTheSame) {
  machine m(GetParam().id);
  for (uint32_t i = 0; i < 300; ++i)
    m.put(A + 4 * i, float(i));
  vpu_record r({300});
  const uint32_t in = r.view(A, LOOM_F32, {4}),
                 out = r.view(A, LOOM_F32, {4}, LOOM_VIEW_OUT);
  const uint32_t two = r.imm(to_bits(2.0f));
  r.op(LOOM_UOP_LOAD, 0, in)
      .op(LOOM_UOP_FFMA, 0, 0, two, 0)
      .op(LOOM_UOP_FADD, 0, 0, 0)
      .op(LOOM_UOP_STORE, out, 0);
  ASSERT_EQ(m.run(r.finish()), LOOM_FAULT_NONE);
  for (uint32_t i = 0; i < 300; ++i)
    ASSERT_EQ(m.get<float>(A + 4 * i), float(i) * 6); // and in place
}

uint32_t oracle_load(const machine &m, uint32_t dtype, int64_t at) {
  switch (dtype) {
  case LOOM_BF16: {
    const uint32_t bits = uint32_t(m.get<uint16_t>(at)) << 16;
    return is_nan(bits) ? 0x7fc00000 : bits;
  }
  case LOOM_F16:
    return canonical(half_value(m.get<uint16_t>(at)));
  case LOOM_I16:
    return uint32_t(m.get<int16_t>(at));
  case LOOM_U16:
    return m.get<uint16_t>(at);
  case LOOM_I8:
    return uint32_t(m.get<int8_t>(at));
  case LOOM_U8:
    return m.get<uint8_t>(at);
  case LOOM_I1:
    return m.get<uint8_t>(at) != 0;
  default:
    return m.get<uint32_t>(at);
  }
}

uint32_t oracle_store(uint32_t dtype, uint32_t v) {
  switch (dtype) {
  case LOOM_F32:
    return is_nan(v) ? 0x7fc00000 : v;
  case LOOM_BF16:
    return oracle_to_bf16_and_back(v) >> 16;
  case LOOM_F16:
    return nearest_half(to_float(v));
  case LOOM_I16:
  case LOOM_U16:
    return v & 0xffff;
  case LOOM_I8:
  case LOOM_U8:
    return v & 0xff;
  case LOOM_I1:
    return v != 0;
  default:
    return v;
  }
}

constexpr uint32_t bytes_of[] = {4, 2, 2, 4, 4, 2, 2, 1, 1, 1};

uint32_t raw(const machine &m, uint32_t dtype, int64_t at) {
  return bytes_of[dtype] == 4   ? m.get<uint32_t>(at)
         : bytes_of[dtype] == 2 ? m.get<uint16_t>(at)
                                : m.get<uint8_t>(at);
}

TEST_P(VpuIsa, EveryStorageTypeConvertsBothWays) {
  std::mt19937 rng(5);
  const uint16_t n = 2000;
  for (uint32_t dtype = 0; dtype < LOOM_NUM_NPU_DTYPES; ++dtype) {
    machine m(GetParam().id);
    const int e = int(bytes_of[dtype]);
    for (uint32_t i = 0; i < n; ++i) {
      m.put(A + 4 * i, uint32_t(rng()));
      m.put(B + 4 * i, awkward_word(rng, dtype <= LOOM_F16 ? 'F' : 'I'));
    }
    vpu_record r({n});
    const uint32_t typed = r.view(A, dtype, {e}),
                   words = r.view(B, LOOM_U32, {4});
    const uint32_t loaded = r.view(C, LOOM_U32, {4}, LOOM_VIEW_OUT),
                   stored = r.view(OUT, dtype, {2 * e}, LOOM_VIEW_OUT);
    r.op(LOOM_UOP_LOAD, 0, typed)
        .op(LOOM_UOP_LOAD, 1, words)
        .op(LOOM_UOP_STORE, loaded, 0)
        .op(LOOM_UOP_STORE, stored, 1);
    ASSERT_EQ(m.run(r.finish()), LOOM_FAULT_NONE);
    for (uint32_t i = 0; i < n; ++i) {
      ASSERT_EQ(m.get<uint32_t>(C + 4 * i),
                oracle_load(m, dtype, A + i * uint32_t(e)))
          << "load of type " << dtype;
      ASSERT_EQ(raw(m, dtype, OUT + 2 * i * uint32_t(e)),
                oracle_store(dtype, m.get<uint32_t>(B + 4 * i)))
          << "store of type " << dtype;
    }
  }
}

// A transposing, reversing, repeating walk with the index of every dimension.
TEST_P(VpuIsa, SixDimensionsAndIota) {
  machine m(GetParam().id);
  const uint16_t n[6] = {2, 3, 1, 5, 4, 7};
  for (uint32_t i = 0; i < 4096; ++i)
    m.put(A + 4 * i, i * 2654435761u);
  vpu_record r({2, 3, 1, 5, 4, 7});
  const int32_t in[6] = {4, 8, 4, 96, -480, 0};
  const uint32_t va =
      r.view(A + 2048, LOOM_U32, {in[0], in[1], in[2], in[3], in[4], in[5]});
  const uint32_t out =
      r.view(OUT, LOOM_U32, {1680, 560, 560, 112, 28, 4}, LOOM_VIEW_OUT);
  r.op(LOOM_UOP_LOAD, 0, va);
  for (uint32_t d = 0; d < 6; ++d) {
    const uint32_t weight = r.imm(1u << (4 * d));
    r.op(LOOM_UOP_IOTA, 1, d)
        .op(LOOM_UOP_IMUL, 1, 1, weight)
        .op(LOOM_UOP_IADD, 0, 0, 1);
  }
  r.op(LOOM_UOP_STORE, out, 0);
  ASSERT_EQ(m.run(r.finish()), LOOM_FAULT_NONE);
  uint32_t i[6], at = OUT;
  for (i[0] = 0; i[0] < n[0]; ++i[0])
    for (i[1] = 0; i[1] < n[1]; ++i[1])
      for (i[3] = 0; i[3] < n[3]; ++i[3])
        for (i[4] = 0; i[4] < n[4]; ++i[4])
          for (i[5] = 0; i[5] < n[5]; ++i[5], at += 4) {
            const int64_t src = int64_t(A) + 2048 + int64_t(i[0]) * in[0] +
                                int64_t(i[1]) * in[1] + int64_t(i[3]) * in[3] +
                                int64_t(i[4]) * in[4];
            const uint32_t want = m.get<uint32_t>(src) + i[0] + (i[1] << 4) +
                                  (i[3] << 12) + (i[4] << 16) + (i[5] << 20);
            ASSERT_EQ(m.get<uint32_t>(at), want);
          }
}

// The contract: partial i mod 16, ascending, then the tree.
uint32_t oracle_reduce(uint32_t op, const std::vector<uint32_t> &x) {
  if (op == LOOM_UOP_RARGMIN_F || op == LOOM_UOP_RARGMAX_F) {
    uint32_t best = 0;
    for (uint32_t i = 1; i < x.size(); ++i) {
      const float v = to_float(x[i]), b = to_float(x[best]);
      if (b == b && (v != v || (op == LOOM_UOP_RARGMAX_F ? v > b : v < b)))
        best = i;
    }
    return best;
  }
  uint32_t p[16];
  for (uint32_t &v : p)
    v = oracle_identity(op);
  for (size_t i = 0; i < x.size(); ++i)
    p[i % 16] = oracle(op, p[i % 16], x[i], 0);
  for (size_t half = 8; half; half /= 2)
    for (size_t i = 0; i < half; ++i)
      p[i] = oracle(op, p[i], p[i + half], 0);
  return p[0];
}

bool float_reducer(uint32_t op) { return op <= LOOM_UOP_RMAX_F; }

// Every reducer over every mask of a small block, which takes all walks.
TEST_P(VpuIsa, EveryReducerOverEveryMask) {
  std::mt19937 rng(3);
  const uint16_t n[6] = {2, 3, 1, 5, 6, 20};
  for (uint32_t op = LOOM_UOP_RADD_F; op <= LOOM_UOP_RARGMAX_F; ++op)
    for (uint32_t mask = 0; mask < 64; ++mask) {
      machine m(GetParam().id);
      const bool ordinary = rng() % 2;
      for (uint32_t i = 0; i < 3600; ++i)
        m.put(A + 4 * i, ordinary ? to_bits(float(int(rng() % 2000)) / 7 - 100)
                                  : awkward_f32(rng));
      vpu_record r({n[0], n[1], n[2], n[3], n[4], n[5]});
      r.mask(mask);
      int32_t in[6], out[6];
      int32_t si = 4, so = 4;
      for (int d = 6; d--;) {
        in[d] = si;
        out[d] = mask >> d & 1 ? 0 : so;
        si *= n[d];
        so *= mask >> d & 1 ? 1 : n[d];
      }
      const uint32_t dtype = float_reducer(op) ? LOOM_F32 : LOOM_U32;
      const uint32_t va =
          r.view(A, LOOM_U32, {in[0], in[1], in[2], in[3], in[4], in[5]});
      const uint32_t vo =
          r.view(OUT, dtype, {out[0], out[1], out[2], out[3], out[4], out[5]},
                 LOOM_VIEW_OUT);
      r.op(LOOM_UOP_LOAD, 2, va).op(op, vo, 2);
      ASSERT_EQ(m.run(r.finish()), LOOM_FAULT_NONE);

      std::vector<std::vector<uint32_t>> groups(size_t(so / 4));
      for (uint32_t i = 0; i < 3600; ++i) { // row-major
        uint32_t rest = i, at = 0;
        for (int d = 6; d--; rest /= n[d])
          at += rest % n[d] * uint32_t(out[d]);
        groups[at / 4].push_back(m.get<uint32_t>(A + 4 * i));
      }
      for (size_t g = 0; g < groups.size(); ++g)
        ASSERT_EQ(m.get<uint32_t>(OUT + 4 * int64_t(g)),
                  oracle_reduce(op, groups[g]))
            << std::hex << "op " << op << " mask " << mask << " output " << g;
    }
}

// A sum in two records, by partials left in place, equals the sum in one; the
// second result is stored as bf16.
TEST_P(VpuIsa, ResumedPartialsEqualOneRecord) {
  std::mt19937 rng(9);
  for (const bool by_lanes : {false, true}) {
    machine m(GetParam().id);
    const uint32_t rows = 5, cols = 64 + 37;
    for (uint32_t i = 0; i < rows * cols; ++i)
      m.put(A + 4 * i, to_bits(float(int(rng() % 20001) - 10000) / 333));
    const auto sum = [&](uint32_t first, uint32_t count, uint32_t to,
                         uint32_t dtype, uint32_t pitch, uint32_t flags) {
      vpu_record r(
          by_lanes ? std::vector<uint16_t>{uint16_t(count), uint16_t(rows)}
                   : std::vector<uint16_t>{uint16_t(rows), uint16_t(count)});
      const int32_t row = int32_t(cols) * 4, p = int32_t(pitch);
      r.mask(by_lanes ? 1 : 2);
      const uint32_t in = r.view(A + 4 * first, LOOM_F32,
                                 by_lanes ? std::vector<int32_t>{4, row}
                                          : std::vector<int32_t>{row, 4});
      const uint32_t out = r.view(to, dtype,
                                  by_lanes ? std::vector<int32_t>{0, p}
                                           : std::vector<int32_t>{p, 0},
                                  LOOM_VIEW_OUT | flags);
      r.op(LOOM_UOP_LOAD, 0, in).op(LOOM_UOP_RADD_F, out, 0);
      ASSERT_EQ(m.run(r.finish()), LOOM_FAULT_NONE);
    };
    sum(0, cols, B, LOOM_F32, 4, 0);
    sum(0, 64, OUT, LOOM_F32, 64, LOOM_VIEW_PARTIAL);
    sum(64, 37, OUT, LOOM_F32, 64, LOOM_VIEW_RESUME);
    for (uint32_t i = 0; i < rows; ++i)
      ASSERT_EQ(m.get<uint32_t>(B + 4 * i), m.get<uint32_t>(OUT + 64 * i))
          << "by lanes " << by_lanes;
    sum(0, cols, C, LOOM_BF16, 2, 0);
    for (uint32_t i = 0; i < rows; ++i)
      ASSERT_EQ(m.get<uint16_t>(C + 2 * i),
                oracle_store(LOOM_BF16, m.get<uint32_t>(B + 4 * i)));
  }
}

// Two reducers and a store in one chain: a row's maximum, its place and the row
// negated.
TEST_P(VpuIsa, TwoReducersAndAStore) {
  machine m(GetParam().id);
  for (uint32_t i = 0; i < 7 * 300; ++i)
    m.put(A + 4 * i, float((i * 7919) % 2003));
  vpu_record r({7, 300});
  r.mask(2);
  const uint32_t in = r.view(A, LOOM_F32, {1200, 4}),
                 max = r.view(B, LOOM_F32, {4, 0}, LOOM_VIEW_OUT);
  const uint32_t arg = r.view(C, LOOM_U16, {2, 0}, LOOM_VIEW_OUT),
                 neg = r.view(OUT, LOOM_F32, {1200, 4}, LOOM_VIEW_OUT);
  r.op(LOOM_UOP_LOAD, 0, in)
      .op(LOOM_UOP_RMAX_F, max, 0)
      .op(LOOM_UOP_FNEG, 1, 0)
      .op(LOOM_UOP_RARGMAX_F, arg, 0)
      .op(LOOM_UOP_STORE, neg, 1);
  ASSERT_EQ(m.run(r.finish()), LOOM_FAULT_NONE);
  for (uint32_t i = 0; i < 7; ++i) {
    uint32_t best = 0;
    for (uint32_t j = 0; j < 300; ++j) {
      const float v = m.get<float>(A + 1200 * i + 4 * j);
      ASSERT_EQ(m.get<float>(OUT + 1200 * i + 4 * j), -v);
      if (v > m.get<float>(A + 1200 * i + 4 * best))
        best = j;
    }
    EXPECT_EQ(m.get<uint16_t>(C + 2 * i), best);
    EXPECT_EQ(m.get<float>(B + 4 * i), m.get<float>(A + 1200 * i + 4 * best));
  }
}

INSTANTIATE_TEST_SUITE_P(All, VpuIsa, testing::ValuesIn(all_isas),
                         [](const auto &info) { return info.param.name; });

} // namespace
} // namespace loom::test
