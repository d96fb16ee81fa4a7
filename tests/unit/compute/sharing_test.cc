// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Records that threads share: whatever part comes first, the bits are those of
// one thread; and what may be shared is.
#include "vpu_record.h"

#include <gtest/gtest.h>
#include <set>

extern "C" {
#include "apart.h"
#include "vpu.h"
}

namespace loom::test {
namespace {

// Runs parts from the last to the first, and counts the records that have any.
class backwards : public machine {
public:
  backwards() : machine(LOOM_HOST_AUTO, 1 << 20) {
    host.parallel_for = [](void *opaque, unsigned n,
                           void (*fn)(void *, unsigned), void *arg) {
      ++*static_cast<unsigned *>(opaque);
      for (unsigned i = n; i--;)
        fn(arg, i);
    };
    exec.opaque = &shared;
  }
  unsigned shared = 0;
};

class in_order : public machine {
public:
  in_order() : machine(LOOM_HOST_AUTO, 1 << 20) {}
};

// Two machines that hold the same numbers.
struct pair {
  explicit pair(std::mt19937 &rng) {
    for (uint32_t at = 0; at < one.target.sram_bytes; at += 4)
      one.put(at, float(int(rng() % 2001) - 1000) / 8);
    std::memcpy(many.sram(), one.sram(), one.target.sram_bytes);
  }
  bool same() {
    return !std::memcmp(one.sram(), many.sram(), one.target.sram_bytes);
  }
  in_order one;
  backwards many;
};

bool share_no_byte(unsigned dims, const uint64_t *n, const int64_t *stride,
                   int64_t bytes) {
  std::vector<int64_t> places{0};
  for (unsigned d = 0; d < dims; ++d) {
    std::vector<int64_t> next;
    for (uint64_t i = 0; i < n[d]; ++i)
      for (int64_t at : places)
        next.push_back(at + int64_t(i) * stride[d]);
    places = std::move(next);
  }
  std::set<int64_t> seen;
  for (int64_t at : places)
    for (int64_t b = 0; b < bytes; ++b)
      if (!seen.insert(at + b).second)
        return false;
  return true;
}

TEST(PlacesApart, NeverWhereTwoShareAByte) {
  std::mt19937 rng(1);
  int apart = 0, shared = 0;
  for (int i = 0; i < 20000; ++i) {
    uint64_t n[3];
    int64_t stride[3];
    for (int d = 0; d < 3; ++d) {
      n[d] = 1 + rng() % 4;
      stride[d] = int64_t(rng() % 97) - 48;
    }
    const int64_t bytes = 1 << rng() % 4;
    const bool truth = share_no_byte(3, n, stride, bytes);
    const bool told = loom_places_apart(3, n, stride, bytes);
    ASSERT_TRUE(truth || !told)
        << n[0] << ' ' << n[1] << ' ' << n[2] << ": " << stride[0] << ' '
        << stride[1] << ' ' << stride[2] << " of " << bytes;
    apart += told;
    shared += !truth;
  }
  EXPECT_GT(apart, 2000);
  EXPECT_GT(shared, 2000);
}

TEST(PlacesApart, NestedInAnyOrderEitherWay) {
  const uint64_t n[] = {3, 5, 1, 7};
  const int64_t s[] = {4, -12, 0, 60};
  EXPECT_TRUE(loom_places_apart(4, n, s, 4));
  EXPECT_FALSE(loom_places_apart(4, n, s, 5));
}

// Views of a record of n, at random places and in random orders of dimensions,
// so that they lie apart, in each other's place, or across each other.
loom_dispatched random_record(std::mt19937 &rng) {
  const uint16_t rows = uint16_t(40 + rng() % 40),
                 mid = uint16_t(1 + rng() % 4),
                 cols = uint16_t(100 + rng() % 200);
  const uint32_t plane = uint32_t(mid) * cols * 4, all = rows * plane;
  const std::vector<int32_t> straight{int32_t(plane), int32_t(cols * 4), 4};
  const std::vector<int32_t> turned{4, int32_t(rows) * cols * 4,
                                    int32_t(rows) * 4};
  const uint32_t a = 4096, far = a + all + 4096 * (rng() % 2);
  const uint32_t near = a + 4 * (rng() % 3) + plane * (rng() % 3);
  vpu_record r({rows, mid, cols});
  const uint32_t mask = rng() % 8;
  const bool scan = mask && rng() % 4 == 0;
  r.mask(mask | (scan ? LOOM_VPU_SCAN : 0));
  const uint32_t in = r.view(a, LOOM_F32, rng() % 4 ? straight : turned);
  const uint32_t other = r.view(near, LOOM_F32, straight);
  const uint32_t out =
      r.view(rng() % 3 ? far : near, LOOM_F32,
             rng() % 6 == 0 ? turned : straight, LOOM_VIEW_OUT);
  r.op(LOOM_UOP_LOAD, 0, in)
      .op(LOOM_UOP_LOAD, 1, other)
      .op(LOOM_UOP_FADD, 2, 0, 1)
      .op(LOOM_UOP_STORE, out, 2);
  if (!mask)
    return r.finish();
  std::vector<int32_t> kept = straight;
  for (int d = 0; d < 3 && !scan; ++d)
    if (mask >> d & 1)
      kept[size_t(d)] = 0;
  const uint32_t at = rng() % 4 ? far + all + 4096 : near;
  const uint32_t sum = r.view(at, LOOM_F32, kept, LOOM_VIEW_OUT);
  return r.op(LOOM_UOP_RADD_F, sum, 2).finish();
}

TEST(Sharing, VectorRecordsKeepTheirBits) {
  std::mt19937 rng(2);
  unsigned ran = 0, shared = 0;
  for (int i = 0; i < 200; ++i) {
    const loom_dispatched r = random_record(rng);
    pair p(rng);
    const int fault = p.one.run(r);
    ASSERT_EQ(p.many.run(r), fault);
    if (fault)
      continue;
    ++ran;
    shared += p.many.shared;
    ASSERT_TRUE(p.same()) << "record " << i;
  }
  EXPECT_GT(ran, 100u);
  EXPECT_GT(shared, ran / 8) << "few records were shared";
  EXPECT_LT(shared, ran) << "no record had an order";
}

// A table that the record itself writes is part of what has an order.
TEST(Sharing, TablesAreRead) {
  vpu_record r({64, 256});
  const uint32_t in = r.view(4096, LOOM_I8, {256, 1}),
                 out = r.view(65536, LOOM_I8, {256, 1}, LOOM_VIEW_OUT);
  r.op(LOOM_UOP_LOAD, 0, in)
      .op(LOOM_UOP_LUT8, 1, 0, r.imm(65536))
      .op(LOOM_UOP_STORE, out, 1);
  const loom_dispatched record = r.finish();
  EXPECT_FALSE(loom_vpu_outputs_apart(&record));
}

// 256 x 64 by 64 x 64 in f32, with OUT at an address.
loom_dispatched product(uint32_t out, uint32_t residual) {
  loom_dispatched r{};
  loom_mxu &m = r.mxu;
  m.h.op = LOOM_OP_MXU;
  m.h.units = 6;
  m.type = LOOM_MXU_F32;
  m.flags = LOOM_MXU_DRAIN | LOOM_MXU_EPI;
  m.ih = m.oh = m.kh = m.kw = m.sy = m.sx = m.dy = m.dx = 1;
  m.iw = m.ow = 256;
  m.kc = m.n = 64;
  m.outer[0] = m.outer[1] = 1;
  m.a_base = 65536;
  m.a_sw = 256;
  m.a_sc = 4;
  m.b_base = 262144;
  m.b_sk = 256;
  m.b_sn = 4;
  m.acc_pitch = 64;
  m.out_base = out;
  m.o_sx = 256;
  m.o_sn = 4;
  auto &e = *reinterpret_cast<loom_epi *>(r.bytes + sizeof(m));
  e.bias = 300000;
  e.scale = e.lut = LOOM_EPI_NONE;
  e.residual = residual;
  if (residual != LOOM_EPI_NONE) {
    e.r_sx = 256;
    e.r_sn = 4;
  }
  return r;
}

// In A's place, across it, over B, over the bias, beside all; with a residual
// in OUT's place, across it or beside it.
TEST(Sharing, ProductsKeepTheirBits) {
  std::mt19937 rng(4);
  unsigned shared = 0;
  for (uint32_t out :
       {65536u, 65536u + 128 * 256, 262144u - 4096, 299008u, 400000u})
    for (uint32_t residual : {LOOM_EPI_NONE, out, out + 256 * 8, 700000u}) {
      const loom_dispatched r = product(out, residual);
      pair p(rng);
      ASSERT_EQ(p.one.run(r), LOOM_FAULT_NONE) << p.one.why.fault;
      ASSERT_EQ(p.many.run(r), LOOM_FAULT_NONE);
      EXPECT_TRUE(p.same()) << "OUT at " << out << ", residual at " << residual;
      shared += p.many.shared;
    }
  EXPECT_EQ(shared, 20u) << "each is shared once at least, and drained with it";
}

// Few rows by many columns, in two repetitions: threads share columns, which
// are no whole number of tiles. B's rows or its columns are contiguous.
loom_dispatched wide_product(uint32_t n, bool columns) {
  loom_dispatched r = product(700000, LOOM_EPI_NONE);
  loom_mxu &m = r.mxu;
  m.iw = m.ow = 23;
  m.n = n;
  m.outer[0] = 2;
  m.a_so[0] = 23 * 256;
  m.b_so[0] = 4096;
  m.b_sk = columns ? 4 : int32_t(n) * 4;
  m.b_sn = columns ? 256 : 4;
  m.acc_pitch = (n + 15) / 16 * 16;
  m.o_sx = int32_t(n) * 4;
  m.o_so[0] = 23 * int32_t(n) * 4;
  return r;
}

TEST(Sharing, WideProductsKeepTheirBits) {
  std::mt19937 rng(5);
  for (uint32_t n : {256u, 257u, 300u, 319u, 320u})
    for (bool columns : {false, true}) {
      const loom_dispatched r = wide_product(n, columns);
      pair p(rng);
      ASSERT_EQ(p.one.run(r), LOOM_FAULT_NONE) << p.one.why.fault;
      ASSERT_EQ(p.many.run(r), LOOM_FAULT_NONE);
      EXPECT_TRUE(p.same()) << n << " columns";
      EXPECT_GT(p.many.shared, 0u) << n << " columns";
    }
}

loom_dispatched random_copy(std::mt19937 &rng) {
  loom_dispatched r{};
  loom_dma &d = r.dma;
  const uint32_t len = 64 * (1 + rng() % 8), rows = 64 + rng() % 64,
                 planes = 1 + rng() % 6;
  const bool one_row = rng() % 8 == 0;
  d.h.op = LOOM_OP_LD_COPY;
  d.h.units = sizeof(d) / LOOM_UNIT_BYTES;
  d.inner_bytes = one_row ? 100000 + rng() % 1000 : len;
  d.n[0] = 1;
  d.n[1] = one_row ? 1 : planes;
  d.n[2] = one_row ? 1 : rows;
  d.n[3] = 1;
  const int32_t pitch = int32_t(len + 64 * (rng() % 3)) - 64 * (rng() % 4 == 0);
  d.sstride[1] = pitch * int32_t(rows);
  d.sstride[2] = pitch;
  d.dstride[1] = rng() % 3 ? int32_t(len * rows) : int32_t(len);
  d.dstride[2] = rng() % 3 ? int32_t(len) : int32_t(len * planes);
  d.src = LOOM_ADDR(LOOM_SLOT_SRAM, 4096u);
  d.dst =
      LOOM_ADDR(LOOM_SLOT_SRAM, rng() % 3 ? 600000u : 4096u + 64 * (rng() % 4));
  return r;
}

TEST(Sharing, CopiesKeepTheirBits) {
  std::mt19937 rng(3);
  unsigned ran = 0, shared = 0;
  for (int i = 0; i < 200; ++i) {
    const loom_dispatched r = random_copy(rng);
    pair p(rng);
    loom_demand d;
    loom_refusal why;
    if (loom_dma_check(&p.one.exec, &r, &d, &why))
      continue;
    ++ran;
    ASSERT_EQ(loom_dma_exec(&p.one.exec, &r, &why), LOOM_FAULT_NONE);
    ASSERT_EQ(loom_dma_exec(&p.many.exec, &r, &why), LOOM_FAULT_NONE);
    shared += p.many.shared;
    ASSERT_TRUE(p.same()) << "record " << i;
  }
  EXPECT_GT(ran, 100u);
  EXPECT_GT(shared, ran / 8);
  EXPECT_LT(shared, ran);
}

} // namespace
} // namespace loom::test
