// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// DMA records: what they move, what they refuse, what they cost.
#include "rig.h"

#include <random>

namespace loom::test {
namespace {

// Moves bytes one at a time, as the instruction set describes it.
struct reference {
  static void copy(const loom_dma &d, const std::vector<uint8_t> &src,
                   std::vector<uint8_t> &dst) {
    std::vector<uint8_t> row(d.inner_bytes);
    for (uint32_t a = 0; a < d.n[0]; a++)
      for (uint32_t b = 0; b < d.n[1]; b++)
        for (uint32_t c = 0; c < d.n[2]; c++)
          for (uint32_t e = 0; e < d.n[3]; e++) {
            const int64_t s =
                int64_t(LOOM_ADDR_OFFSET(d.src)) + int64_t(a) * d.sstride[0] +
                int64_t(b) * d.sstride[1] + int64_t(c) * d.sstride[2] +
                int64_t(e) * d.sstride[3];
            const int64_t t =
                int64_t(LOOM_ADDR_OFFSET(d.dst)) + int64_t(a) * d.dstride[0] +
                int64_t(b) * d.dstride[1] + int64_t(c) * d.dstride[2] +
                int64_t(e) * d.dstride[3];
            for (uint32_t i = 0; i < d.inner_bytes; i++)
              row[i] = d.elem ? uint8_t(d.idx_or_fill >> 8 * (i % d.elem))
                              : src.at(s + i);
            for (uint32_t i = 0; i < d.inner_bytes; i++)
              dst.at(t + i) = row[i];
          }
  }
  // Whole bursts, run by run.
  static uint64_t bus(const loom_dma &d, uint64_t at, const int32_t *stride) {
    struct run {
      int64_t at;
      uint64_t len;
    };
    std::vector<run> rows{{int64_t(at), d.inner_bytes}};
    bool whole = true;
    uint64_t len = d.inner_bytes;
    for (int k = 3; k >= 0; k--) {
      if (d.n[k] == 1)
        continue;
      if (whole && stride[k] == int64_t(len)) {
        len *= d.n[k];
        for (auto &r : rows)
          r.len = len;
        continue;
      }
      whole = false;
      std::vector<run> next;
      for (uint32_t i = 0; i < d.n[k]; i++)
        for (const auto &r : rows)
          next.push_back({r.at + int64_t(i) * stride[k], r.len});
      rows = std::move(next);
    }
    uint64_t bursts = 0;
    for (const auto &r : rows)
      bursts += uint64_t((r.at + int64_t(r.len) - 1) / 64 - r.at / 64 + 1);
    return bursts * 64;
  }
};

loom_completion run_one(rig &r, const loom_dma &d) {
  program p;
  auto &c = p.copy(0, 0, 1);
  const auto h = c.h;
  c = d;
  c.h.units = h.units;
  p.halt();
  return r.run(p);
}

loom_dma dma(uint8_t op, uint64_t src, uint64_t dst, uint32_t bytes) {
  program p;
  return p.copy(src, dst, bytes, op);
}

TEST(dma, random_strided_copies_equal_the_reference) {
  std::mt19937 rng(1);
  auto below = [&](uint32_t n) { return uint32_t(rng() % n); };
  for (int round = 0; round < 400; round++) {
    rig r;
    r.allow_direct = round % 3 != 0;
    const uint32_t a = r.slot(160000), b = round % 5 ? r.slot(160000) : a;
    auto d = dma(round % 2 ? LOOM_OP_LD_COPY : LOOM_OP_ST_COPY,
                 LOOM_ADDR(a, 80000 + below(8000)),
                 LOOM_ADDR(b, 80000 + below(8000)), 1 + below(20));
    const bool fill = round % 7 == 0;
    if (fill) {
      d.h.op = LOOM_OP_ST_FILL;
      d.src = 0;
      d.elem = uint8_t(1u << below(3));
      d.inner_bytes = d.elem * (1 + below(20));
      d.idx_or_fill = rng() & (d.elem == 4 ? ~0u : (1u << 8 * d.elem) - 1);
    }
    int64_t sstep = d.inner_bytes, dstep = d.inner_bytes;
    for (int k = 3; k >= 0; k--) {
      d.n[k] = 1 + below(5);
      // Contiguous often, so that merging is seen; else anything, also
      // overlapping and backward.
      d.sstride[k] = fill       ? 0
                     : below(2) ? int32_t(sstep)
                                : int32_t(below(160)) - 80;
      d.dstride[k] = below(2) ? int32_t(dstep) : int32_t(below(160)) - 80;
      sstep = int64_t(d.sstride[k]) * d.n[k];
      dstep = int64_t(d.dstride[k]) * d.n[k];
    }
    auto memory = r.memory;
    std::vector<uint8_t> src = memory[a];
    if (a == b)
      for (auto &m : memory) { // rows in order, each read whole: the reference
                               // works in place
        std::vector<uint8_t> &s = m;
        reference::copy(d, s, s);
      }
    else
      reference::copy(d, src, memory[b]);
    const auto c = run_one(r, d);
    ASSERT_EQ(c.fault, LOOM_FAULT_NONE) << round;
    ASSERT_EQ(r.memory, memory) << round;
    expect_whole(r, c);
  }
}

TEST(dma, cost_counts_whole_bursts_of_runs) {
  std::mt19937 rng(2);
  for (int round = 0; round < 2000; round++) {
    loom_dma d{};
    d.inner_bytes = 1 + rng() % 200;
    int64_t step = d.inner_bytes;
    for (int k = 3; k >= 0; k--) {
      d.n[k] = 1 + rng() % 6;
      d.sstride[k] = rng() % 2 ? int32_t(step) : int32_t(rng() % 400) - 200;
      step = int64_t(d.sstride[k]) * d.n[k];
    }
    const uint64_t at = (1 << 20) + rng() % 64;
    ASSERT_EQ(
        loom_dma_bus_bytes(uint32_t(at % 64), d.n, d.sstride, d.inner_bytes),
        reference::bus(d, at, d.sstride))
        << round;
  }
}

// Stand-alone time of one record, from its report.
loom_report_entry timed(rig &r, const loom_dma &d) {
  EXPECT_EQ(run_one(r, d).fault, LOOM_FAULT_NONE);
  return r.entry(0);
}

TEST(dma, aligned_copy_takes_latency_and_bytes) {
  rig r;
  const uint32_t a = r.slot(8192), slow = r.slot(8192, LOOM_RIGHT_READ, 1),
                 odd = r.slot(8192, LOOM_RIGHT_READ, 0, 60);
  const auto &m = r.target.mem;
  auto e = timed(r, dma(LOOM_OP_LD_COPY, LOOM_ADDR(a, 0), sram(0), 4096));
  EXPECT_EQ(e.end - e.start,
            LOOM_T_RECORD + m[0].latency + 4096 / m[0].bytes_per_cycle);
  e = timed(r, dma(LOOM_OP_LD_COPY, LOOM_ADDR(slow, 0), sram(0), 4096));
  EXPECT_EQ(e.end - e.start,
            LOOM_T_RECORD + m[1].latency + 4096 / m[1].bytes_per_cycle);
  // 64 bytes at 60 mod 64 touch two bursts.
  e = timed(r, dma(LOOM_OP_LD_COPY, LOOM_ADDR(odd, 0), sram(0), 64));
  EXPECT_EQ(e.end - e.start,
            LOOM_T_RECORD + m[0].latency + 128 / m[0].bytes_per_cycle);
  EXPECT_EQ(r.head().queue[LOOM_Q_LD].edge, 64 / m[0].bytes_per_cycle);
  // SRAM to SRAM: 64 bytes a cycle, no latency.
  e = timed(r, dma(LOOM_OP_LD_COPY, sram(0), sram(8192), 6400));
  EXPECT_EQ(e.end - e.start, LOOM_T_RECORD + 100);
}

TEST(dma, memory_to_memory_uses_the_slower_class_for_both_sides) {
  rig r;
  const uint32_t a = r.slot(8192),
                 slow = r.slot(8192, LOOM_RIGHT_READ | LOOM_RIGHT_WRITE, 1);
  const auto e =
      timed(r, dma(LOOM_OP_LD_COPY, LOOM_ADDR(a, 0), LOOM_ADDR(slow, 0), 1024));
  EXPECT_EQ(e.end - e.start, LOOM_T_RECORD + r.target.mem[1].latency +
                                 2048 / r.target.mem[1].bytes_per_cycle);
  EXPECT_EQ(r.head().bytes_read[0], 1024u);
  EXPECT_EQ(r.head().bytes_written[1], 1024u);
  EXPECT_EQ(r.head().bytes_read[1], 0u);
}

struct refused {
  const char *what;
  int fault;
  void (*damage)(loom_dma &);
};

TEST(dma, malformed_copies_are_refused) {
  const refused table[] = {
      {"elem", LOOM_FAULT_RESERVED, [](loom_dma &d) { d.elem = 1; }},
      {"codec weight", LOOM_FAULT_FEATURE,
       [](loom_dma &d) { d.codec = LOOM_CODEC_WEIGHT; }},
      {"codec 2", LOOM_FAULT_FIELD, [](loom_dma &d) { d.codec = 2; }},
      {"oob", LOOM_FAULT_RESERVED, [](loom_dma &d) { d.oob = 1; }},
      {"index type", LOOM_FAULT_RESERVED, [](loom_dma &d) { d.idx_type = 1; }},
      {"fill", LOOM_FAULT_RESERVED, [](loom_dma &d) { d.idx_or_fill = 1; }},
      {"limit", LOOM_FAULT_RESERVED, [](loom_dma &d) { d.limit = 1; }},
      {"third register", LOOM_FAULT_RESERVED,
       [](loom_dma &d) { d.h.regsel = 0x100; }},
      {"inner 0", LOOM_FAULT_FIELD, [](loom_dma &d) { d.inner_bytes = 0; }},
      {"count 0", LOOM_FAULT_FIELD, [](loom_dma &d) { d.n[2] = 0; }},
      {"cap", LOOM_FAULT_CAP, [](loom_dma &d) { d.n[0] = (1 << 20) / 64 + 1; }},
      {"cap overflow", LOOM_FAULT_CAP,
       [](loom_dma &d) {
         d.n[0] = d.n[1] = d.n[2] = d.n[3] = d.inner_bytes = 0xffffffff;
       }},
      {"fill with source", LOOM_FAULT_RESERVED,
       [](loom_dma &d) { d.h.op = LOOM_OP_LD_FILL, d.elem = 4; }},
      {"fill of 3 bytes", LOOM_FAULT_FIELD,
       [](loom_dma &d) { d.h.op = LOOM_OP_LD_FILL, d.src = 0, d.elem = 3; }},
      {"fill by halves", LOOM_FAULT_FIELD,
       [](loom_dma &d) {
         d.h.op = LOOM_OP_LD_FILL, d.src = 0, d.elem = 4, d.inner_bytes = 6;
       }},
      {"fill wider than elem", LOOM_FAULT_FIELD,
       [](loom_dma &d) {
         d.h.op = LOOM_OP_LD_FILL, d.src = 0, d.elem = 1, d.idx_or_fill = 256;
       }},
      {"fill with source stride", LOOM_FAULT_RESERVED,
       [](loom_dma &d) {
         d.h.op = LOOM_OP_LD_FILL, d.src = 0, d.elem = 4, d.sstride[1] = 4;
       }},
  };
  for (const auto &t : table) {
    rig r;
    r.slot(64);
    const uint32_t s = r.slot(4096);
    auto d = dma(LOOM_OP_LD_COPY, LOOM_ADDR(s, 0), sram(0), 64);
    t.damage(d);
    const auto c = run_one(r, d);
    EXPECT_EQ(c.fault, t.fault) << t.what;
    expect_whole(r, c);
  }
}

// --- gather and scatter ---------------------------------------------------

// 4 rows of 8 bytes by the list {2, -1, 9, 0}, of 5 rows 64 bytes apart.
loom_dma by_list(uint8_t op, uint64_t src, uint64_t dst) {
  auto d = dma(op, src, dst, 8);
  const bool gather = op == LOOM_OP_LD_GATHER || op == LOOM_OP_ST_GATHER;
  d.n[3] = 4;
  d.limit = 5;
  d.idx_type = LOOM_I32;
  d.idx_or_fill = 4096;
  d.sstride[3] = gather ? 64 : 8;
  d.dstride[3] = gather ? 8 : 64;
  return d;
}

loom_completion run_listed(rig &r, const loom_dma &d,
                           std::vector<uint32_t> list = {2, 0xffffffff, 9, 0}) {
  program p;
  for (uint32_t i = 0; i < list.size(); i++)
    p.fill(sram(4096 + 4 * i), 4, list[i], 4);
  auto &c = p.copy(0, 0, 1);
  const auto h = c.h;
  c = d;
  c.h.units = h.units;
  p.halt();
  return r.run(p);
}

std::vector<uint8_t> row(const std::vector<uint8_t> &v, size_t at) {
  return {v.begin() + long(at), v.begin() + long(at) + 8};
}

TEST(gather, clamps_every_index) {
  for (const bool direct : {false, true})
    for (const uint8_t type : {LOOM_I32, LOOM_U32}) {
      rig r;
      r.allow_direct = direct;
      const uint32_t a = r.slot(4096), b = r.slot(4096);
      for (size_t i = 0; i < 4096; i++)
        r.memory[a][i] = uint8_t(i * 7 + i / 256);
      auto d = by_list(LOOM_OP_LD_GATHER, LOOM_ADDR(a, 128), LOOM_ADDR(b, 0));
      d.idx_type = type;
      const auto c = run_listed(r, d);
      ASSERT_EQ(c.fault, LOOM_FAULT_NONE);
      // Below zero: the first row; as u32, the same bits are far above.
      const size_t want[] = {2, type == LOOM_I32 ? 0u : 4u, 4, 0};
      for (size_t i = 0; i < 4; i++)
        EXPECT_EQ(row(r.memory[b], 8 * i), row(r.memory[a], 128 + 64 * want[i]))
            << i;
      expect_whole(r, c);
    }
}

TEST(scatter, drops_what_is_outside_and_the_last_of_equals_stays) {
  rig r;
  const uint32_t a = r.slot(4096), b = r.slot(4096);
  for (size_t i = 0; i < 4096; i++)
    r.memory[a][i] = uint8_t(i + 1);
  const auto d =
      by_list(LOOM_OP_ST_SCATTER, LOOM_ADDR(a, 0), LOOM_ADDR(b, 128));
  auto want = r.memory[b];
  const auto c = run_listed(r, d, {3, 0xffffffff, 5, 3});
  ASSERT_EQ(c.fault, LOOM_FAULT_NONE);
  std::copy_n(r.memory[a].begin() + 24, 8, want.begin() + 128 + 3 * 64);
  EXPECT_EQ(r.memory[b], want);
  expect_whole(r, c);
}

TEST(gather, takes_the_list_from_a_base_register) {
  rig r;
  const uint32_t a = r.slot(4096), b = r.slot(4096);
  for (size_t i = 0; i < 4096; i++)
    r.memory[a][i] = uint8_t(i / 8);
  auto d = by_list(LOOM_OP_LD_GATHER, LOOM_ADDR(a, 0), LOOM_ADDR(b, 0));
  program p;
  p.fill(sram(4096), 16, 1, 4);
  p.ldi(1, 4000);
  d.idx_or_fill = 96;
  d.h.regsel = LOOM_REGSEL(0, 0, 1, 0);
  auto &c = p.copy(0, 0, 1);
  const auto h = c.h;
  c = d;
  c.h.units = h.units;
  p.halt();
  ASSERT_EQ(r.run(p).fault, LOOM_FAULT_NONE);
  for (size_t i = 0; i < 4; i++)
    EXPECT_EQ(row(r.memory[b], 8 * i), row(r.memory[a], 64));
}

// Cycles are those of the worst place that a row can begin at, not of the
// places that this list names.
TEST(gather, time_is_that_of_a_burst_or_two_a_row_whatever_the_list) {
  const struct {
    int32_t stride;
    uint32_t bytes, bursts;
  } table[] = {{64, 8, 1},  {64, 64, 1},  {64, 65, 2}, {32, 32, 1},
               {32, 33, 2}, {48, 16, 1},  {48, 17, 2}, {-64, 64, 1},
               {4, 4, 1},   {4, 5, 2},    {1, 1, 1},   {1, 2, 2},
               {1, 66, 3},  {128, 200, 4}};
  for (const auto &t : table)
    for (const auto &list : {std::vector<uint32_t>{0, 0, 0, 0},
                             std::vector<uint32_t>{4, 1, 3, 2}}) {
      rig r;
      const uint32_t a = r.slot(8192);
      auto d = by_list(LOOM_OP_LD_GATHER, LOOM_ADDR(a, 4096), sram(0));
      d.sstride[3] = t.stride;
      d.dstride[3] = 256;
      d.inner_bytes = t.bytes;
      ASSERT_EQ(run_listed(r, d, list).fault, LOOM_FAULT_NONE);
      const auto e = r.entry(4);
      const auto &m = r.target.mem[0];
      EXPECT_EQ(e.end - e.start, LOOM_T_RECORD + m.latency + 1 +
                                     4 * 64 * t.bursts / m.bytes_per_cycle)
          << t.stride << " " << t.bytes;
    }
  // Within SRAM a row is a burst, too: 100 rows of a byte, 7 bursts of list.
  rig r;
  auto d = by_list(LOOM_OP_LD_GATHER, sram(0), sram(16384));
  d.inner_bytes = 1;
  d.n[3] = 100;
  ASSERT_EQ(run_listed(r, d).fault, LOOM_FAULT_NONE);
  const auto e = r.entry(4);
  EXPECT_EQ(e.end - e.start, LOOM_T_RECORD + 7 + 100);
}

TEST(gather, malformed_lists_are_refused) {
  const refused table[] = {
      {"no limit", LOOM_FAULT_FIELD, [](loom_dma &d) { d.limit = 0; }},
      {"type f32", LOOM_FAULT_FIELD,
       [](loom_dma &d) { d.idx_type = LOOM_F32; }},
      {"type i16", LOOM_FAULT_FIELD,
       [](loom_dma &d) { d.idx_type = LOOM_I16; }},
      {"elem", LOOM_FAULT_RESERVED, [](loom_dma &d) { d.elem = 4; }},
      {"oob", LOOM_FAULT_RESERVED, [](loom_dma &d) { d.oob = 1; }},
      {"codec", LOOM_FAULT_FEATURE,
       [](loom_dma &d) { d.codec = LOOM_CODEC_WEIGHT; }},
      {"fourth register", LOOM_FAULT_RESERVED,
       [](loom_dma &d) { d.h.regsel = 0x1000; }},
      {"list past SRAM", LOOM_FAULT_SRAM_BOUNDS,
       [](loom_dma &d) {
         d.idx_or_fill = named_target("npu16").sram_bytes - 15;
       }},
      {"row past the slot, never named", LOOM_FAULT_SLOT_BOUNDS,
       [](loom_dma &d) { d.limit = 65; }},
      {"limit and stride as large as they come", LOOM_FAULT_SLOT_BOUNDS,
       [](loom_dma &d) { d.limit = 0xffffffff, d.sstride[3] = INT32_MAX; }},
      {"and backward", LOOM_FAULT_SLOT_BOUNDS,
       [](loom_dma &d) { d.limit = 0xffffffff, d.sstride[3] = INT32_MIN; }},
  };
  for (const auto &t : table) {
    rig r;
    const uint32_t a = r.slot(4096);
    auto d = by_list(LOOM_OP_LD_GATHER, LOOM_ADDR(a, 0), sram(0));
    t.damage(d);
    const auto c = run_listed(r, d);
    EXPECT_EQ(c.fault, t.fault) << t.what;
    expect_whole(r, c);
  }
  // The last byte that fits: 64 rows of 64, list at the end of SRAM.
  rig r;
  const uint32_t a = r.slot(4096);
  auto d = by_list(LOOM_OP_LD_GATHER, LOOM_ADDR(a, 56), sram(0));
  d.limit = 64;
  d.idx_or_fill = r.target.sram_bytes - 16;
  EXPECT_EQ(run_listed(r, d).fault, LOOM_FAULT_NONE);
}

struct outside {
  const char *what;
  int fault;
  uint32_t slot;
  int64_t offset;
  uint64_t limit;
  void (*aim)(loom_dma &);
};

// Slots: 0 read-only of 4096, 1 write-only of 4096, 2 not bound, 3 both.
TEST(dma, access_outside_names_slot_offset_and_limit) {
  constexpr uint32_t S = LOOM_SLOT_SRAM;
  const uint64_t size = named_target("npu16").sram_bytes;
  const outside table[] = {
      {"past the slot", LOOM_FAULT_SLOT_BOUNDS, 0, 4097, 4096,
       [](loom_dma &d) { d.src += 4096 - 63; }},
      {"stride past the slot", LOOM_FAULT_SLOT_BOUNDS, 0, 4160, 4096,
       [](loom_dma &d) { d.n[1] = 65, d.sstride[1] = 64, d.dstride[1] = 64; }},
      {"before the slot", LOOM_FAULT_SLOT_BOUNDS, 0, -8, 4096,
       [](loom_dma &d) { d.n[0] = 2, d.sstride[0] = -8; }},
      {"far", LOOM_FAULT_SLOT_BOUNDS, 0, 0x1000000000040ll - 1, 4096,
       [](loom_dma &d) { d.src = LOOM_ADDR(0, 0xffffffffffffull); }},
      {"write of read-only", LOOM_FAULT_SLOT_RIGHTS, 0, 0, 4096,
       [](loom_dma &d) { d.dst = LOOM_ADDR(0, 0); }},
      {"read of write-only", LOOM_FAULT_SLOT_RIGHTS, 1, 0, 4096,
       [](loom_dma &d) { d.src = LOOM_ADDR(1, 0); }},
      {"not bound", LOOM_FAULT_SLOT, 2, 16, 0,
       [](loom_dma &d) { d.src = LOOM_ADDR(2, 16); }},
      {"no such slot", LOOM_FAULT_SLOT, 4, 0, 0,
       [](loom_dma &d) { d.src = LOOM_ADDR(4, 0); }},
      {"foreign slot", LOOM_FAULT_SLOT, LOOM_SLOT_CODE, 0, 0,
       [](loom_dma &d) { d.src = LOOM_ADDR(LOOM_SLOT_CODE, 0); }},
      {"past SRAM", LOOM_FAULT_SRAM_BOUNDS, S, int64_t(size) + 1, size,
       [](loom_dma &d) {
         d.dst = sram(named_target("npu16").sram_bytes - 63);
       }},
      {"negative register", LOOM_FAULT_SRAM_BOUNDS, S, -1, size,
       [](loom_dma &d) { d.h.regsel = LOOM_REGSEL(0, 1, 0, 0); }},
      {"least register", LOOM_FAULT_SLOT_BOUNDS, 0, -(1ll << 62), 4096,
       [](loom_dma &d) { d.h.regsel = LOOM_REGSEL(2, 0, 0, 0); }},
      {"greatest register", LOOM_FAULT_SLOT_BOUNDS, 0, (1ll << 62) + 64, 4096,
       [](loom_dma &d) { d.h.regsel = LOOM_REGSEL(3, 0, 0, 0); }},
  };
  for (const auto &t : table) {
    for (bool direct : {true, false}) {
      rig r;
      r.allow_direct = direct;
      r.slot(4096, LOOM_RIGHT_READ);
      r.slot(4096, LOOM_RIGHT_WRITE);
      r.slot(0);
      r.slot(4096);
      const auto memory = r.memory;
      program p;
      p.ldi(1, -1);
      p.ldi(2, INT64_MIN);
      p.ldi(3, INT64_MAX);
      t.aim(p.copy(LOOM_ADDR(0, 0), sram(0), 64));
      p.halt();
      const auto c = r.run(p);
      EXPECT_EQ(c.fault, t.fault) << t.what;
      EXPECT_EQ(c.slot, t.slot) << t.what;
      EXPECT_EQ(int64_t(c.offset), t.offset) << t.what;
      EXPECT_EQ(c.limit, t.limit) << t.what;
      EXPECT_EQ(c.unit, 3u);
      EXPECT_EQ(c.loc, 1003u);
      EXPECT_EQ(c.aux, unsigned(LOOM_OP_LD_COPY));
      EXPECT_EQ(r.memory, memory) << t.what;
      expect_whole(r, c);
    }
  }
}

TEST(dma, whole_slot_and_last_byte_are_inside) {
  rig r;
  const uint32_t s = r.slot(1000);
  EXPECT_EQ(
      run_one(r, dma(LOOM_OP_LD_COPY, LOOM_ADDR(s, 0), sram(0), 1000)).fault,
      LOOM_FAULT_NONE);
  EXPECT_EQ(run_one(r, dma(LOOM_OP_LD_COPY, LOOM_ADDR(s, 999),
                           sram(r.target.sram_bytes - 1), 1))
                .fault,
            LOOM_FAULT_NONE);
  EXPECT_EQ(
      run_one(r, dma(LOOM_OP_LD_COPY, LOOM_ADDR(s, 1000), sram(0), 1)).fault,
      LOOM_FAULT_SLOT_BOUNDS);
}

TEST(dma, failing_bus_ends_the_job_at_the_slot) {
  for (int fault : {LOOM_FAULT_DMA, LOOM_FAULT_PAGE_LIST}) {
    for (int side = 0; side < 2; side++) {
      rig r;
      const uint32_t a = r.slot(4096), b = r.slot(4096);
      r.fail_slot = side ? b : a;
      r.fail_with = fault;
      program p;
      p.copy(LOOM_ADDR(a, 128), LOOM_ADDR(b, 256), 64);
      p.seq(LOOM_OP_FENCE);
      p.halt();
      const auto c = r.run(p);
      EXPECT_EQ(c.fault, fault);
      EXPECT_EQ(c.slot, side ? b : a);
      EXPECT_EQ(c.offset, side ? 256u : 128u);
      EXPECT_EQ(c.limit, 4096u);
      EXPECT_EQ(c.insns, 0u);
      expect_whole(r, c);
    }
  }
}

} // namespace
} // namespace loom::test
