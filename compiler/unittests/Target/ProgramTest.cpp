// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Strided boxes, semaphores and the program verifier, on hand-made records.

#include "loom/Scheduler/Room.h"
#include "loom/Scheduler/Semaphores.h"
#include "loom/Target/Program/Container.h"
#include "loom/Target/Program/Targets.h"
#include "loom/Target/Program/Verifier.h"

#include "loom_regs.h"

#include <gtest/gtest.h>

#include <random>
#include <set>

using namespace mlir::loom::program;

namespace {
std::set<int64_t> bytesOf(const Access &a, unsigned d = 0, int64_t at = 0) {
  std::set<int64_t> all;
  if (d == a.rank) {
    for (int64_t i = 0; i < a.inner; ++i)
      all.insert(a.lo + at + i);
    return all;
  }
  for (int64_t i = 0; i < a.dims[d].count; ++i)
    all.merge(bytesOf(a, d + 1, at + i * a.dims[d].stride));
  return all;
}

Record dma(uint8_t op, uint32_t srcSlot, uint64_t src, uint32_t dstSlot,
           uint64_t dst, uint32_t bytes) {
  Record record;
  record.bytes.resize(sizeof(loom_dma));
  auto &r = record.as<loom_dma>();
  r.h.op = op;
  r.h.units = 3;
  r.src = LOOM_ADDR(srcSlot, src);
  r.dst = LOOM_ADDR(dstSlot, dst);
  r.inner_bytes = bytes;
  for (unsigned &n : r.n)
    n = 1;
  return record;
}

Record load(uint64_t sram, uint32_t bytes, uint64_t from = 0) {
  return dma(LOOM_OP_LD_COPY, 0, from, LOOM_SLOT_SRAM, sram, bytes);
}

Record store(uint64_t sram, uint32_t bytes, uint64_t to = 0) {
  return dma(LOOM_OP_ST_COPY, LOOM_SLOT_SRAM, sram, 1, to, bytes);
}

Record halt() {
  Record record;
  record.bytes.resize(sizeof(loom_seq));
  record.header().op = LOOM_OP_HALT;
  record.header().units = 1;
  return record;
}

Record fence() {
  Record record = halt();
  record.header().op = LOOM_OP_FENCE;
  return record;
}

/// The records with their semaphores and fences, and a HALT.
std::vector<Record> synchronised(const std::vector<Record> &records) {
  std::vector<Sync> syncs = assignSemaphores(records);
  std::vector<Record> out;
  for (size_t i = 0; i < records.size(); ++i) {
    if (syncs[i].fenceBefore)
      out.push_back(fence());
    out.push_back(records[i]);
    for (size_t k = 0; k < syncs[i].waits.size(); ++k)
      out.back().header().wait[k] = {syncs[i].waits[k].sem,
                                     syncs[i].waits[k].count};
    for (size_t k = 0; k < syncs[i].signals.size(); ++k)
      out.back().header().signal[k] = {syncs[i].signals[k].sem,
                                       syncs[i].signals[k].count};
  }
  out.push_back(halt());
  return out;
}

const std::vector<SlotLimits> kSlots = {
    {"in", 1 << 20, LOOM_RIGHT_READ},
    {"out", 1 << 20, LOOM_RIGHT_READ | LOOM_RIGHT_WRITE}};

loom_target target() {
  loom_target t;
  EXPECT_TRUE(namedTarget("npu8", t));
  return t;
}

std::string problemsOf(const std::vector<Record> &records) {
  std::string text;
  for (const Problem &p : verifyRecords(records, kSlots, target()))
    text += p.text + "\n";
  return text;
}
} // namespace

TEST(Footprint, GatherReachesEveryRowBelowTheLimit) {
  for (const bool gather : {true, false}) {
    Record record =
        dma(gather ? LOOM_OP_LD_GATHER : LOOM_OP_LD_SCATTER, 0, 64, 2, 128, 4);
    auto &r = record.as<loom_dma>();
    r.n[3] = 3;
    r.limit = 5;
    r.idx_or_fill = 4096;
    r.sstride[3] = 8;
    r.dstride[3] = 16;
    const auto all = accessesOf(record);
    ASSERT_EQ(all.size(), 3u);
    EXPECT_EQ(all[0].space, uint32_t(LOOM_SLOT_SRAM)); // the list
    EXPECT_FALSE(all[0].write);
    EXPECT_EQ(all[0].lo, 4096);
    EXPECT_EQ(all[0].hi, 4096 + 12);
    EXPECT_EQ(all[1].hi, 64 + (gather ? 4 : 2) * 8 + 4);
    EXPECT_TRUE(all[2].write);
    EXPECT_EQ(all[2].hi, 128 + (gather ? 2 : 4) * 16 + 4);
  }
}

TEST(Footprint, DepthwiseReadsAChannelForEachColumn) {
  Record record;
  record.bytes.resize(sizeof(loom_mxu));
  auto &r = record.as<loom_mxu>();
  r.h.op = LOOM_OP_MXU;
  r.h.units = 4;
  r.mode = LOOM_MXU_DW;
  r.ih = r.iw = r.kh = r.kw = r.kc = r.oh = r.ow = 1;
  r.sy = r.sx = r.dy = r.dx = 1;
  r.outer[0] = r.outer[1] = 1;
  r.n = 7;
  r.a_base = 256;
  r.a_sc = 4;
  EXPECT_EQ(accessesOf(record)[0].lo, 256);
  EXPECT_EQ(accessesOf(record)[0].hi, 256 + 7 * 4);
}

TEST(Footprint, OverlapAgreesWithSetsOfBytes) {
  std::mt19937 random(7);
  auto number = [&](int lo, int hi) {
    return std::uniform_int_distribution<int>(lo, hi)(random);
  };
  int apart = 0, together = 0;
  for (int i = 0; i < 4000; ++i) {
    auto box = [&] {
      std::vector<Access::Dim> dims;
      for (int d = number(0, 3); d > 0; --d)
        dims.push_back({number(1, 4), number(-20, 20)});
      return makeAccess(0, true, number(60, 120), number(1, 5), dims);
    };
    Access a = box(), b = box();
    std::set<int64_t> x = bytesOf(a), y = bytesOf(b), common;
    for (int64_t v : x)
      if (y.count(v))
        common.insert(v);
    // "Maybe" is allowed, "no" must be true.
    if (!mayOverlap(a, b))
      EXPECT_TRUE(common.empty());
    else if (common.empty())
      ++apart;
    together += !common.empty();
    if (covers(a, b)) {
      EXPECT_EQ(common.size(), y.size());
    }
    EXPECT_EQ(*x.begin(), a.lo);
    EXPECT_EQ(*x.rbegin() + 1, a.hi);
  }
  EXPECT_GT(together, 500);
  EXPECT_LT(apart, 400) << "the test says maybe too often to be of use";
}

TEST(Semaphores, OrderEveryConflictAndNoMore) {
  // Two loads into two buffers; each is stored; then the first is loaded again.
  std::vector<Record> records = {load(0, 64),  load(64, 64),
                                 store(0, 64), store(64, 64, 64),
                                 load(0, 64),  store(0, 64, 128)};
  EXPECT_EQ(problemsOf(synchronised(records)), "");
  std::vector<Sync> syncs = assignSemaphores(records);
  EXPECT_TRUE(syncs[0].waits.empty());
  EXPECT_EQ(syncs[4].waits.size(), 1u) << "must wait for the first store";
  EXPECT_TRUE(syncs[1].waits.empty());
}

TEST(Semaphores, EveryWaitIsNeeded) {
  std::vector<Record> records;
  for (int i = 0; i < 40; ++i) {
    records.push_back(load(64 * (i % 4), 64, 64 * i));
    records.push_back(store(64 * (i % 4), 64, 64 * i));
  }
  const std::vector<Record> good = synchronised(records);
  ASSERT_EQ(problemsOf(good), "");
  int mutants = 0;
  for (size_t i = 0; i < good.size(); ++i)
    for (int k = 0; k < 2; ++k) {
      if (!good[i].header().wait[k].n)
        continue;
      std::vector<Record> bad = good;
      bad[i].header().wait[k] = {0, 0};
      EXPECT_NE(problemsOf(bad), "") << "wait of record " << i;
      ++mutants;
    }
  EXPECT_GT(mutants, 40);
}

TEST(Semaphores, CountsStayInRange) {
  // 600 loads that nothing holds back, then 600 stores of them.
  std::vector<Record> records;
  for (int i = 0; i < 600; ++i)
    records.push_back(load(64 * i, 64));
  for (int i = 0; i < 600; ++i)
    records.push_back(store(64 * i, 64, 64 * i));
  EXPECT_EQ(problemsOf(synchronised(records)), "");
}

TEST(Verifier, NamesWhatIsWrong) {
  EXPECT_NE(problemsOf({load(65536 - 32, 64), halt()}).find("of SRAM"),
            std::string::npos);
  EXPECT_NE(
      problemsOf({load(0, 64, (1 << 20) - 8), halt()}).find("slot 0 (in)"),
      std::string::npos);
  Record foreign = dma(LOOM_OP_LD_COPY, 9, 0, LOOM_SLOT_SRAM, 0, 8);
  EXPECT_NE(problemsOf({foreign, halt()}).find("not declared"),
            std::string::npos);
  Record write = dma(LOOM_OP_ST_COPY, LOOM_SLOT_SRAM, 0, 0, 0, 8);
  EXPECT_NE(problemsOf({write, halt()}).find("without the right"),
            std::string::npos);
  EXPECT_NE(problemsOf({load(0, 64), store(0, 64), halt()}).find("not ordered"),
            std::string::npos);
  Record stuck = load(0, 64);
  stuck.header().wait[0] = {3, 1};
  EXPECT_NE(problemsOf({stuck, halt()}).find("deadlock"), std::string::npos);
  Record left = load(0, 64);
  left.header().signal[0] = {3, 1};
  EXPECT_NE(problemsOf({left, halt()}).find("left at 1"), std::string::npos);
  EXPECT_NE(problemsOf({load(0, 64)}).find("HALT"), std::string::npos);
  Record large = load(0, 64);
  large.as<loom_dma>().n[0] = 1 << 20;
  EXPECT_NE(problemsOf({large, halt()}).find("1 MiB"), std::string::npos);
}

TEST(Tiling, LargeProductsFillTheArray) {
  for (const char *name : {"npu8", "npu16", "npu64"}) {
    loom_target t;
    ASSERT_TRUE(namedTarget(name, t));
    ProductShape s;
    s.type = LOOM_MXU_F32;
    s.w = s.ow = s.c = s.n = 1024;
    s.aRun = s.bRun = 4096;
    ProductTiling tiling;
    ASSERT_TRUE(tileProduct(s, t, t.sram_bytes, tiling));
    const double ideal = double(s.macs()) * t.f32_div / (t.rows * t.cols);
    EXPECT_GT(ideal / double(tiling.cycles), 0.85)
        << name << " " << tiling.text(s);
    EXPECT_LE(tiling.aBufs * tiling.aBytes + tiling.bBufs * tiling.bBytes +
                  tiling.outBufs * tiling.outBytes,
              t.sram_bytes);
  }
}

TEST(Tiling, RefusesWhatCannotFit) {
  loom_target t = target();
  ProductShape s;
  s.h = s.w = 4096;
  s.kh = s.kw = 4000;
  s.oh = s.ow = 1;
  s.dy = s.dx = 1;
  ProductTiling tiling;
  EXPECT_FALSE(tileProduct(s, t, t.sram_bytes, tiling));
}

TEST(Tiling, TakesWhatIsHereAsItLies) {
  const loom_target t = target();
  ProductShape s;
  s.type = LOOM_MXU_F32;
  s.w = s.ow = s.c = s.n = 256;
  s.aRun = s.bRun = 1024;
  ProductTiling moved, here;
  ASSERT_TRUE(tileProduct(s, t, t.sram_bytes, moved));
  s.aHere = s.outHere = true;
  ASSERT_TRUE(tileProduct(s, t, 64 << 10, here));
  EXPECT_EQ(here.aBytes, 0);
  EXPECT_EQ(here.outBytes, 0);
  EXPECT_EQ(here.bytes, 256u * 256 * 4) << "B once, and nothing else";
  EXPECT_LT(here.bytes, moved.bytes);
  int64_t total = 0;
  for (int64_t size : here.buffers(s))
    total += size;
  EXPECT_LE(total, 64 << 10);
  s.bHere = true;
  ASSERT_TRUE(tileProduct(s, t, 0, here)) << "nothing needs a buffer";
  EXPECT_TRUE(here.buffers(s).empty());
}

TEST(Room, GivesEachSizeAPieceOfItsOwn) {
  Room room = Room::all(1024);
  room.take(256, 128);
  EXPECT_EQ(room.bytes(), 896);
  EXPECT_EQ(room.pieces(), (std::vector<Room::Piece>{{0, 256}, {384, 640}}));
  // The tightest piece first, so that a large one stays whole.
  EXPECT_EQ(room.pack({256, 640}), (std::vector<int64_t>{0, 384}));
  EXPECT_EQ(room.pack({320, 320, 256}), (std::vector<int64_t>{384, 704, 0}));
  EXPECT_FALSE(room.pack({704}));
  EXPECT_FALSE(room.pack({640, 256, 64}));
  room.take(960, 64);
  room.take(0, 64);
  EXPECT_EQ(room.pieces(), (std::vector<Room::Piece>{{64, 192}, {384, 576}}));
  Room other = Room::all(512);
  EXPECT_EQ(room.common(other).pieces(),
            (std::vector<Room::Piece>{{64, 192}, {384, 128}}));
  EXPECT_TRUE(room.pack({}));
}

TEST(Room, TilingsFitIntoPieces) {
  const loom_target t = target();
  TilingCache tilings(t);
  ProductShape s;
  s.type = LOOM_MXU_F32;
  s.w = s.ow = s.c = s.n = 1024;
  s.aRun = s.bRun = 4096;
  Room room = Room::all(t.sram_bytes);
  const ProductTiling *whole = tilings.find(s, room);
  ASSERT_TRUE(whole);
  // Half of it in eight pieces: no buffer may be larger than one.
  const int64_t piece = t.sram_bytes / 16;
  for (int64_t at = 0; at < int64_t(t.sram_bytes); at += 2 * piece)
    room.take(at, piece);
  const ProductTiling *pieces = tilings.find(s, room);
  ASSERT_TRUE(pieces);
  EXPECT_TRUE(room.pack(pieces->buffers(s)));
  EXPECT_LE(pieces->buffers(s).front(), piece);
  EXPECT_GE(pieces->cycles, whole->cycles);
  EXPECT_FALSE(tilings.find(s, Room()));
}

TEST(Container, CrcIsTheCommonOne) {
  const std::string text = "123456789";
  EXPECT_EQ(crc32(reinterpret_cast<const uint8_t *>(text.data()), text.size()),
            0xcbf43926u);
}

TEST(Targets, NamesAndLimits) {
  loom_target t;
  EXPECT_FALSE(namedTarget("npu17", t));
  ASSERT_TRUE(namedTarget("npu16", t));
  EXPECT_EQ(checkTarget(t), "");
  t.rows = 17;
  EXPECT_NE(checkTarget(t), "");
}
