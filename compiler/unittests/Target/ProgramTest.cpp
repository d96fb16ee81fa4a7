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
#include <tuple>

using namespace mlir::loom::program;

namespace {
std::set<int64_t> bytesOf(const Access &a, unsigned d = 0, int64_t at = 0) {
  std::set<int64_t> all;
  if (d == a.rank) {
    for (int64_t i = 0; i < a.inner; ++i)
      all.insert(a.lo + at + i);
    return all;
  }
  for (int64_t i = 0; i < a.dim[d].count; ++i)
    all.merge(bytesOf(a, d + 1, at + i * a.dim[d].stride));
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
    EXPECT_EQ(all[0].hi, 64 + (gather ? 4 : 2) * 8 + 4);
    EXPECT_EQ(all[0].loose, gather);
    EXPECT_TRUE(all[1].write);
    EXPECT_EQ(all[1].loose, !gather);
    EXPECT_EQ(all[1].hi, 128 + (gather ? 2 : 4) * 16 + 4);
    EXPECT_EQ(all[2].space, uint32_t(LOOM_SLOT_SRAM)); // the list
    EXPECT_FALSE(all[2].write);
    EXPECT_EQ(all[2].lo, 4096);
    EXPECT_EQ(all[2].hi, 4096 + 12);
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
      std::vector<Dim> dims;
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

/// Each feature that a record needs is named if the target lacks it.
TEST(Verifier, NamesTheFeatureThatTheTargetLacks) {
  Record product;
  product.bytes.resize(sizeof(loom_mxu));
  product.header().op = LOOM_OP_MXU;
  product.header().units = sizeof(loom_mxu) / LOOM_UNIT_BYTES;
  auto &m = product.as<loom_mxu>();
  m.ih = m.iw = m.kh = m.kw = m.kc = m.oh = m.ow = m.n = 1;
  m.sy = m.sx = m.dy = m.dx = 1;
  m.outer[0] = m.outer[1] = m.acc_pitch = 1;
  Record depthwise = product, transposing = product, strided = product;
  depthwise.as<loom_mxu>().mode = LOOM_MXU_DW;
  transposing.as<loom_mxu>().flags = LOOM_MXU_TRANSPOSE;
  strided.as<loom_mxu>().sx = 2;
  Record gather = dma(LOOM_OP_LD_GATHER, 0, 0, LOOM_SLOT_SRAM, 64, 8);
  gather.as<loom_dma>().idx_type = LOOM_I32;
  gather.as<loom_dma>().limit = 4;
  Record scatter = dma(LOOM_OP_ST_SCATTER, LOOM_SLOT_SRAM, 64, 1, 0, 8);
  scatter.as<loom_dma>().idx_type = LOOM_U32;
  scatter.as<loom_dma>().limit = 4;
  Record chain;
  chain.bytes.resize(3 * LOOM_UNIT_BYTES + LOOM_UNIT_BYTES);
  chain.header().op = LOOM_OP_VPU;
  chain.header().units = 4;
  auto &v = chain.as<loom_vpu>();
  for (auto &n : v.n)
    n = 1;
  v.nviews = 2;
  v.nops = 3;
  chain.as<loom_view>(96 - 32).base = 64;
  chain.as<loom_view>(96 - 32).flags = LOOM_VIEW_OUT;
  auto *ops = &chain.as<uint32_t>(96);
  ops[0] = LOOM_UOP(LOOM_UOP_LOAD, 0, 0, 0, 0);
  ops[1] = LOOM_UOP(LOOM_UOP_EXP, 0, 0, 0, 0);
  ops[2] = LOOM_UOP(LOOM_UOP_STORE, 1, 0, 0, 0);
  Record scan = chain;
  scan.as<loom_vpu>().mask = LOOM_VPU_SCAN;
  scan.as<uint32_t>(96 + 8) = LOOM_UOP(LOOM_UOP_RADD_F, 1, 0, 0, 0);
  const std::tuple<unsigned, Record, const char *> cases[] = {
      {LOOM_FEAT_F32, product, "F32"},
      {LOOM_FEAT_CONV, strided, "CONV"},
      {LOOM_FEAT_DW, depthwise, "DW"},
      {LOOM_FEAT_TRANSPOSE, transposing, "TRANSPOSE"},
      {LOOM_FEAT_GATHER, gather, "GATHER"},
      {LOOM_FEAT_SCATTER, scatter, "SCATTER"},
      {LOOM_FEAT_TRANS, chain, "TRANS"},
      {LOOM_FEAT_SCAN, scan, "SCAN"},
      {LOOM_FEAT_VPU, chain, "VPU"}};
  for (const auto &[feature, record, name] : cases) {
    loom_target less = target();
    EXPECT_EQ(verifyRecords({record, halt()}, kSlots, less).size(), 0u) << name;
    less.features &= ~(1ull << feature);
    const auto problems = verifyRecords({record, halt()}, kSlots, less);
    ASSERT_EQ(problems.size(), 1u) << name;
    EXPECT_NE(problems[0].text.find(std::string("needs feature ") + name + ","),
              std::string::npos)
        << problems[0].text;
  }
}

namespace {
Record scalar(uint8_t op, unsigned rd, unsigned ra, int64_t imm,
              uint32_t end = 0) {
  Record record = halt();
  auto &s = record.as<loom_seq>();
  s.h.op = op;
  s.rd = rd;
  s.ra = ra;
  s.imm = imm;
  s.target = end;
  return record;
}

Record based(Record record, unsigned source, unsigned destination) {
  record.header().regsel = LOOM_REGSEL(source, destination, 0, 0);
  return record;
}

/// Four times: row i of slot 0 goes through SRAM to row i of slot 1. The body
/// ends before unit 9.
std::vector<Record> rowByRow(int64_t step) {
  Record in = based(load(0, 64), 3, 0), out = based(store(0, 64), 0, 3);
  in.header().signal[0] = {5, 1};
  out.header().wait[0] = {5, 1};
  return {scalar(LOOM_OP_LOOP, 2, 0, 4, 9),
          fence(),
          scalar(LOOM_OP_MUL, 3, 2, step),
          in,
          out,
          fence(),
          halt()};
}
} // namespace

TEST(Verifier, JudgesALoopOverAllIterations) {
  EXPECT_EQ(problemsOf(rowByRow(64)), "");
  // Row 3 lies beyond the slot, or before it.
  EXPECT_NE(problemsOf(rowByRow(1 << 19)).find("of slot 0 (in)"),
            std::string::npos);
  EXPECT_NE(problemsOf(rowByRow(-64)).find("touches bytes -192 to 64"),
            std::string::npos);
  auto without = [](size_t index, uint32_t end) {
    std::vector<Record> records = rowByRow(64);
    records.erase(records.begin() + index);
    records[0].as<loom_seq>().target = end;
    return problemsOf(records);
  };
  EXPECT_NE(without(1, 8).find("does not begin with a fence"),
            std::string::npos);
  std::vector<Record> open = rowByRow(64);
  open[5] = scalar(LOOM_OP_MUL, 3, 2, 1);
  EXPECT_NE(problemsOf(open).find("no fence follows"), std::string::npos);
  std::vector<Record> lost = rowByRow(64);
  lost[0].as<loom_seq>().target = 5; // inside a record
  EXPECT_NE(problemsOf(lost).find("no record after it begins"),
            std::string::npos);
  // The store leaves the loop: its wait is for a signal of each iteration.
  std::vector<Record> across = rowByRow(64);
  std::swap(across[4], across[5]);
  across[0].as<loom_seq>().target = 6;
  across[5].header().regsel = 0;
  EXPECT_NE(problemsOf(across).find("across the edge of a loop"),
            std::string::npos);
  // A register that the body left over from the iteration before.
  std::vector<Record> stale = rowByRow(64);
  std::swap(stale[2], stale[3]);
  stale[2].header().regsel = 0;
  std::swap(stale[3], stale[4]);
  EXPECT_NE(problemsOf(stale).find("known only at run time"),
            std::string::npos);
}

namespace {
/// Skips the copy of a row to the place that r3 names, if r1 is 0.
std::vector<Record> guarded(int64_t clamp, int64_t step) {
  Record out = based(store(0, 64), 0, 3);
  Record skip = scalar(LOOM_OP_BR, 0, 1, 0, 8);
  skip.as<loom_seq>().cond = LOOM_COND_EQ;
  return {scalar(LOOM_OP_LD, 1, 0, 0),
          skip,
          scalar(LOOM_OP_CLAMP, 3, 1, clamp),
          scalar(LOOM_OP_MUL, 3, 3, step),
          scalar(LOOM_OP_ADD, 3, 3, 0),
          out,
          fence(),
          halt()};
}
} // namespace

TEST(Verifier, JudgesBranchesAndClampedPlaces) {
  EXPECT_EQ(problemsOf(guarded(3, 64)), "");
  EXPECT_NE(problemsOf(guarded(1 << 20, 64)).find("of slot 1 (out)"),
            std::string::npos);
  EXPECT_NE(problemsOf(guarded(3, -64)).find("touches bytes -192 to 64"),
            std::string::npos);
  std::vector<Record> open = guarded(3, 64);
  open[2] = scalar(LOOM_OP_MUL, 3, 1, 1);
  EXPECT_NE(problemsOf(open).find("nothing clamps it"), std::string::npos);
  std::vector<Record> lost = guarded(3, 64);
  lost[1].as<loom_seq>().target = 7;
  EXPECT_NE(problemsOf(lost).find("where no record begins"), std::string::npos);
  std::vector<Record> bare = guarded(3, 64);
  bare[1].as<loom_seq>().target = 4;
  bare[5].header().regsel = 0;
  EXPECT_NE(problemsOf(bare).find("is where a branch goes, and no fence"),
            std::string::npos);
  // What a branch may have left in a register is not known.
  std::vector<Record> met = guarded(3, 64);
  met[1].as<loom_seq>().target = 4;
  met[4] = fence();
  EXPECT_NE(problemsOf(met).find("nothing clamps it"), std::string::npos);
}

TEST(Semaphores, StayInsideALoop) {
  Record in = based(load(0, 64), 3, 0), out = based(store(0, 64), 0, 3);
  const std::vector<Record> records = {
      load(0, 64), scalar(LOOM_OP_LOOP, 2, 0, 4, 12),
      fence(),     scalar(LOOM_OP_MUL, 3, 2, 64),
      in,          out,
      fence(),     store(0, 64, 1024)};
  EXPECT_EQ(problemsOf(synchronised(records)), "");
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
  t.rows = 12; // no power of two is asked for
  t.cols = 20;
  t.sram_bytes = 384 << 10;
  EXPECT_EQ(checkTarget(t), "");
  const std::pair<const char *, void (*)(loom_target &)> damages[] = {
      {"rows", [](loom_target &t) { t.rows = 3; }},
      {"cols", [](loom_target &t) { t.cols = 257; }},
      {"features",
       [](loom_target &t) { t.features |= 1ull << LOOM_FEAT_CODEC; }},
      {"sram_bytes", [](loom_target &t) { t.sram_bytes = 20000; }},
      {"acc_bytes", [](loom_target &t) { t.acc_bytes = 8 << 20; }},
      {"sram_banks", [](loom_target &t) { t.sram_banks = 3; }},
      {"lanes", [](loom_target &t) { t.vpu_lanes = 2; }},
      {"bytes_per_cycle", [](loom_target &t) { t.mem[0].bytes_per_cycle = 0; }},
      {"latency", [](loom_target &t) { t.mem[0].latency = 5000; }},
      {"outstanding", [](loom_target &t) { t.mem[1].outstanding = 0; }},
      {"f32_div", [](loom_target &t) { t.f32_div = 65; }},
      {"clock_khz", [](loom_target &t) { t.clock_khz = 0; }},
  };
  for (const auto &[word, damage] : damages) {
    loom_target bad = t;
    damage(bad);
    EXPECT_NE(checkTarget(bad).find(word), std::string::npos)
        << word << ": " << checkTarget(bad);
  }
}
