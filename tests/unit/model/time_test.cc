// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Fetch, turnaround and banks, on npu16: class 0 has 100 cycles of latency and
// moves 8 bytes a cycle, so that a line of code takes 8 cycles on the bus. The
// numbers are worked out in the comments.
#include "rig.h"

namespace loom::test {
namespace {

constexpr uint64_t S = npu16_start;

class timing : public ::testing::Test {
protected:
  rig r;
  uint32_t a = r.slot(1 << 16), b = r.slot(1 << 16);
  loom_completion c{};

  loom_completion run(const program &p) {
    c = r.run(p);
    EXPECT_EQ(c.fault, LOOM_FAULT_NONE);
    expect_whole(r, c);
    return c;
  }
  // The entry of the record at a unit, in its i-th run.
  loom_report_entry at(uint32_t unit, uint32_t i = 0) {
    for (const auto &t : r.trace)
      if (t.e.unit == unit && !i--)
        return t.e;
    ADD_FAILURE() << "no entry for unit " << unit;
    return {};
  }
  static void marks(program &p, uint32_t end) {
    while (p.pc() < end)
      p.seq(LOOM_OP_MARK);
  }
};

TEST_F(timing, straight_code_is_fetched_four_lines_ahead) {
  program p; // 17 units: lines 0 to 8, two units each; lines 0 to 3 are there
  marks(p, 16);
  p.halt();
  run(p);
  // Line 4 is asked for when unit 0 takes line 0, at S, and so on every second
  // cycle; line 4 comes at 100 + 8, those after it 8 cycles apart. Line 8 is
  // asked for when line 4 is taken, at 108, and comes at 108 + 100 + 8.
  EXPECT_EQ(at(7).end, S + 8);
  EXPECT_EQ(at(8).ready, S + 108);
  EXPECT_EQ(at(9).ready, S + 109);
  EXPECT_EQ(at(10).ready, S + 116);
  EXPECT_EQ(at(12).ready, S + 124);
  EXPECT_EQ(at(14).ready, S + 132);
  EXPECT_EQ(at(16).ready, S + 216);
  EXPECT_EQ(c.cycles, S + 217 + LOOM_T_JOB_END);
  // (108 - 8) + 3 * 6 + (216 - 134)
  EXPECT_EQ(r.head().queue[LOOM_Q_SEQ].wait_mem, 200u);
}

TEST_F(timing, a_record_waits_for_its_last_line) {
  program p;
  marks(p, 6);
  p.copy(LOOM_ADDR(a, 0), sram(0), 64); // units 6 to 8: lines 3 and 4
  p.halt();
  run(p);
  EXPECT_EQ(at(6).ready, S + 108 + LOOM_T_SEQ);
}

TEST_F(timing, a_loop_that_fits_is_fetched_once) {
  program p; // LOOP is unit 0; units 0 to 127 are 64 lines
  p.loop(3, 128);
  marks(p, 128);
  p.halt();
  run(p);
  const uint64_t first = at(127).end;
  EXPECT_GT(first, S + 127 + 100);
  EXPECT_EQ(at(127, 1).end, first + 127);
  EXPECT_EQ(at(127, 2).end, first + 2 * 127);
}

TEST_F(timing, a_loop_that_is_a_line_too_long_is_fetched_again) {
  program p; // units 0 to 129 are 65 lines
  p.loop(2, 130);
  marks(p, 130);
  p.halt();
  run(p);
  // Line 0 is gone: it is asked for at the end of the first pass.
  const uint64_t end = at(129).end;
  EXPECT_EQ(at(1, 1).ready, end + 100 + 8);
  // Lines 1 to 3 were asked for with it.
  EXPECT_EQ(at(2, 1).ready, end + 100 + 16);
  EXPECT_EQ(at(6, 1).ready, end + 100 + 32);
}

TEST_F(timing, a_branch_far_away_begins_anew) {
  program p;
  p.seq(LOOM_OP_BR, 0, 0, 0, 0, LOOM_COND_ALWAYS, 40);
  marks(p, 40);
  p.halt();
  run(p);
  EXPECT_EQ(c.insns, 2u);
  // Line 20 is asked for at S + 1.
  EXPECT_EQ(at(40).ready, S + 1 + 108);
}

TEST_F(timing, a_branch_to_a_line_on_its_way_waits_for_it) {
  program p;
  p.seq(LOOM_OP_BR, 0, 0, 0, 0, LOOM_COND_ALWAYS, 8);
  marks(p, 8);
  p.halt(); // line 4 was asked for at S
  run(p);
  EXPECT_EQ(at(8).ready, S + 108);
}

TEST_F(timing, three_share_a_bus) {
  program p;
  p.copy(LOOM_ADDR(a, 0), sram(0), 8192);
  p.store_copy(sram(16384), LOOM_ADDR(b, 0), 4096);
  marks(p, 13);
  p.halt(); // 14 units: lines 0 to 6
  run(p);
  // LD is dispatched at S + 1 and moves from S + 117 on; ST a cycle later, and
  // the bus turns round: from S + 126 on. Line 6 was asked for at S + 1, when
  // ST's last line was taken, and follows lines 4 and 5, at S + 116. It takes
  // 48 sixths: 6 alone until 117, 3 a cycle until 126, 2 a cycle until 134.
  EXPECT_EQ(at(12).ready, S + 134);
  // LD has 6144 - 27 - 16 left at 134, ST 3072 - 16, 3 a cycle each: ST ends
  // 1019 cycles later, when LD has 3044 left.
  EXPECT_EQ(at(3).end, S + 134 + 1019);
  EXPECT_EQ(at(0).end, S + 134 + 1019 + 508);
  EXPECT_EQ(r.head().queue[LOOM_Q_ST].fill, 116u + LOOM_T_TURN);
}

TEST_F(timing, the_bus_turns_round_between_reads_and_writes) {
  program p;
  const semref done = {0, 1}, next = {1, 1};
  signals(p.copy(LOOM_ADDR(a, 0), sram(0), 64), done);
  signals(waits(p.store_copy(sram(0), LOOM_ADDR(b, 0), 64), done), next);
  waits(p.copy(LOOM_ADDR(a, 0), sram(0), 64), next);
  p.halt();
  run(p);
  EXPECT_EQ(at(0).end - at(0).start, 116u + 8);
  EXPECT_EQ(at(3).end - at(3).start, 116u + 8 + LOOM_T_TURN);
  EXPECT_EQ(at(6).end - at(6).start, 116u + 8 + LOOM_T_TURN);
}

TEST_F(timing, a_copy_within_memory_reads_and_then_writes) {
  program p;
  p.copy(LOOM_ADDR(a, 0), LOOM_ADDR(b, 0), 64);
  p.copy(LOOM_ADDR(a, 0), LOOM_ADDR(b, 0), 64);
  p.halt();
  run(p);
  EXPECT_EQ(at(0).end - at(0).start, 116u + 16);
  EXPECT_EQ(at(3).end - at(3).start, 116u + 16 + LOOM_T_TURN);
}

// Four banks of 16 bytes: of a power of two of 64 and more, the fourth element
// is in the bank of the first.
TEST(banks, factor_is_the_part_of_the_stride_that_the_banks_share) {
  const loom_target t = named_target("npu16");
  const std::pair<int64_t, uint32_t> table[] = {
      {0, 1},  {1, 1},   {4, 1},   {12, 1},   {16, 1},   {24, 1},  {32, 2},
      {48, 1}, {64, 4},  {80, 1},  {96, 2},   {128, 4},  {192, 4}, {224, 2},
      {-4, 1}, {-32, 2}, {-64, 4}, {1000, 1}, {1024, 4}, {68, 1}};
  for (const auto &[stride, factor] : table)
    EXPECT_EQ(loom_bank_factor(&t, stride), factor) << stride;
  loom_target one = t, many = t;
  one.sram_banks = 1;
  many.sram_banks = 64;
  EXPECT_EQ(loom_bank_factor(&one, 4096), 1u);
  EXPECT_EQ(loom_bank_factor(&many, 4096), 64u);
  EXPECT_EQ(loom_bank_factor(&many, 64), 4u);
}

TEST_F(timing, strided_views_hit_the_same_banks) {
  for (const auto &[stride, more] : {std::pair<int32_t, uint64_t>{4, 0},
                                     {32, 4 * 1},
                                     {64, 4 * 3},
                                     {48, 0},
                                     {0, 0}}) {
    program p;
    auto &v = p.negate(0, 16384, 64);
    reinterpret_cast<loom_view *>(&v + 1)[0].stride[5] = stride;
    p.halt();
    run(p);
    // 16 + three passes, three times 64 elements on 16 lanes.
    EXPECT_EQ(at(0).end - at(0).start, 16u + 3 + 3 * 4 + more) << stride;
    EXPECT_EQ(r.head().queue[LOOM_Q_VPU].wait_mem, more);
  }
}

TEST_F(timing, strided_rows_of_dma_hit_the_same_banks) {
  for (const auto &[stride, cycles] : {std::pair<int32_t, uint64_t>{4, 128},
                                       {16, 128}, // 64 cycles of SRAM
                                       {32, 128}, // 128
                                       {64, 256}}) {
    program p;
    auto &d = p.copy(LOOM_ADDR(a, 0), sram(0), 4);
    d.n[3] = 256;
    d.sstride[3] = 4;
    d.dstride[3] = stride;
    p.halt();
    run(p);
    EXPECT_EQ(at(0).end - at(0).start, 116 + cycles) << stride;
  }
  program p; // rows of 64 bytes never conflict
  auto &d = p.copy(LOOM_ADDR(a, 0), sram(0), 64);
  d.n[3] = 16;
  d.sstride[3] = 64;
  d.dstride[3] = 256;
  p.halt();
  run(p);
  EXPECT_EQ(at(0).end - at(0).start, 116u + 128);
}

// 4 x 8 by 8 x 8 in f32: one tile; its rows take 4 * 4 cycles, its weights load
// in 16 * 16 * 4 / 64 = 16; 16 + 16 + 16 + 16 + 16 cycles are fill.
TEST_F(timing, strided_operands_of_the_array_hit_the_same_banks) {
  const auto cycles = [&](auto edit) {
    program p;
    edit(p.gemm(4, 8, 8, 0, 16384, 32768));
    p.halt();
    run(p);
    return at(0).end - at(0).start;
  };
  constexpr uint64_t plain = 80 + 16;
  EXPECT_EQ(cycles([](loom_mxu &) {}), plain);
  // A along k: rows take 4 * 16.
  EXPECT_EQ(cycles([](loom_mxu &m) { m.a_sc = 64, m.a_sw = 512; }),
            plain + 3 * 16);
  // Transposed: A is contiguous along its rows.
  EXPECT_EQ(cycles([](loom_mxu &m) { m.a_sc = 64, m.a_sw = 4; }), plain);
  // B in both directions: weights load in 2 * 16, once before the rows, and the
  // rows are as slow.
  EXPECT_EQ(cycles([](loom_mxu &m) { m.b_sk = 256, m.b_sn = 32; }),
            plain + 16 + 16);
  // OUT: four pixels of one column tile, each three cycles more.
  EXPECT_EQ(cycles([](loom_mxu &m) { m.o_sx = 1024, m.o_sn = 64; }),
            plain + 4 * 3);
}

} // namespace
} // namespace loom::test
