// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The front end: scalar records, loops, branches, decoding.
#include "rig.h"

namespace loom::test {
namespace {

constexpr uint32_t out_bytes = 256;

// Runs records that leave results in SRAM words, and returns those words.
class seq : public ::testing::Test {
protected:
  rig r;
  uint32_t out = r.slot(out_bytes);
  loom_completion c{};

  std::vector<int32_t> words(program p) {
    auto &copy = p.store_copy(sram(0), LOOM_ADDR(out, 0), out_bytes);
    (void)copy;
    p.halt();
    c = r.run(p);
    expect_whole(r, c);
    std::vector<int32_t> v(out_bytes / 4);
    std::memcpy(v.data(), r.memory[out].data(), out_bytes);
    return v;
  }
  loom_completion fault_of(const program &p) {
    c = r.run(p);
    expect_whole(r, c);
    return c;
  }
};

int32_t binary(uint8_t op, int64_t a, int64_t b, int64_t imm, uint8_t cond = 0,
               int shift = 0) {
  rig r;
  const uint32_t out = r.slot(64);
  program p;
  p.ldi(1, a);
  p.ldi(2, b);
  p.seq(op, 3, 1, 2, imm, cond);
  p.seq(LOOM_OP_SHR, 3, 3, 0, shift);
  p.store(3, 0);
  p.store_copy(sram(0), LOOM_ADDR(out, 0), 64);
  p.halt();
  const auto c = r.run(p);
  EXPECT_EQ(c.fault, LOOM_FAULT_NONE);
  return r.word<int32_t>(out, 0);
}

TEST_F(seq, null_job_takes_start_halt_and_end) {
  program p;
  p.halt();
  c = r.run(p);
  EXPECT_EQ(c.fault, LOOM_FAULT_NONE);
  EXPECT_EQ(c.seqno, 7u);
  EXPECT_EQ(c.insns, 1u);
  EXPECT_EQ(c.cycles, npu16_start + LOOM_T_SEQ + LOOM_T_JOB_END);
  expect_whole(r, c);
  EXPECT_EQ(r.head().queue[LOOM_Q_SEQ].fill, npu16_start + LOOM_T_JOB_END);
}

TEST(seq_arithmetic, follows_the_opcode_table) {
  EXPECT_EQ(binary(LOOM_OP_ADD, 40, 2, 5), 47);
  EXPECT_EQ(binary(LOOM_OP_SUB, 40, 2, 5), 33);
  EXPECT_EQ(binary(LOOM_OP_MUL, -3, 2, 5), -21);
  EXPECT_EQ(binary(LOOM_OP_SHL, 3, 1, 64), 6)
      << "shift counts are taken mod 64";
  EXPECT_EQ(binary(LOOM_OP_SHR, -16, 1, 1), -4);
  EXPECT_EQ(binary(LOOM_OP_AND, 0xff, 0x30, 0x0c), 0x3c);
  EXPECT_EQ(binary(LOOM_OP_OR, 0xc0, 0x30, 0x0c), 0xfc);
  EXPECT_EQ(binary(LOOM_OP_MIN, -5, 2, 1), -5);
  EXPECT_EQ(binary(LOOM_OP_MAX, -5, 2, 1), 3);
  EXPECT_EQ(binary(LOOM_OP_CLAMP, -5, 10, 1), 0);
  EXPECT_EQ(binary(LOOM_OP_CLAMP, 50, 10, 1), 11);
  EXPECT_EQ(binary(LOOM_OP_CLAMP, 5, 10, 1), 5);
}

TEST(seq_arithmetic, wraps_without_trapping) {
  EXPECT_EQ(binary(LOOM_OP_ADD, INT64_MAX, 1, 0, 0, 63), -1);
  EXPECT_EQ(binary(LOOM_OP_SUB, INT64_MIN, 1, 0, 0, 63), 0);
  EXPECT_EQ(binary(LOOM_OP_MUL, INT64_MIN, -1, 0, 0, 63), -1);
  EXPECT_EQ(binary(LOOM_OP_ADD, 1, INT64_MAX, INT64_MAX), -1);
}

TEST(seq_arithmetic, conditions_are_signed) {
  const struct {
    uint8_t cond;
    int lt, eq, gt;
  } table[] = {{LOOM_COND_ALWAYS, 1, 1, 1}, {LOOM_COND_EQ, 0, 1, 0},
               {LOOM_COND_NE, 1, 0, 1},     {LOOM_COND_LT, 1, 0, 0},
               {LOOM_COND_LE, 1, 1, 0},     {LOOM_COND_GT, 0, 0, 1},
               {LOOM_COND_GE, 0, 1, 1}};
  for (const auto &t : table) {
    EXPECT_EQ(binary(LOOM_OP_CMP, -1, 1, 0, t.cond), t.lt) << int(t.cond);
    EXPECT_EQ(binary(LOOM_OP_CMP, 3, 1, 2, t.cond), t.eq) << int(t.cond);
    EXPECT_EQ(binary(LOOM_OP_CMP, 4, 1, 2, t.cond), t.gt) << int(t.cond);
  }
}

TEST_F(seq, register_zero_stays_zero) {
  program p;
  p.ldi(0, 99);
  p.store(0, 0);
  EXPECT_EQ(words(p)[0], 0);
}

TEST_F(seq, loads_extend_as_their_type_says) {
  program p;
  p.ldi(1, 0x80f0);
  p.store(1, 0);
  p.ldi(2, -2);
  p.store(2, 4);
  p.seq(LOOM_OP_LD, 3, 0, 0, 0, LOOM_SCALAR_I8); // 0xf0
  p.store(3, 8);
  p.seq(LOOM_OP_LD, 4, 0, 0, 4, LOOM_SCALAR_U32);
  p.seq(LOOM_OP_SHR, 4, 4, 0, 16);
  p.store(4, 12);
  p.seq(LOOM_OP_LD, 5, 0, 0, 4, LOOM_SCALAR_I32);
  p.store(5, 16);
  p.seq(LOOM_OP_ST, 0, 0, 1, 23, LOOM_SCALAR_I8);
  const auto w = words(p);
  EXPECT_EQ(w[2], -16);
  EXPECT_EQ(w[3], 0xffff);
  EXPECT_EQ(w[4], -2);
  EXPECT_EQ(uint32_t(w[5]), 0xf0000000u);
}

TEST_F(seq, scalar_access_is_bounded_and_aligned) {
  const int64_t size = r.target.sram_bytes;
  const struct {
    int64_t address;
    uint8_t type;
    int fault;
    int64_t offset;
  } table[] = {{size, LOOM_SCALAR_I8, LOOM_FAULT_SRAM_BOUNDS, size + 1},
               {size - 3, LOOM_SCALAR_I32, LOOM_FAULT_SRAM_BOUNDS, size + 1},
               {-4, LOOM_SCALAR_I32, LOOM_FAULT_SRAM_BOUNDS, -4},
               {INT64_MIN, LOOM_SCALAR_U32, LOOM_FAULT_SRAM_BOUNDS, INT64_MIN},
               {6, LOOM_SCALAR_U32, LOOM_FAULT_ALIGN, 6}};
  for (const auto &t : table) {
    for (uint8_t op : {LOOM_OP_LD, LOOM_OP_ST}) {
      program p;
      p.ldi(1, t.address);
      p.seq(op, op == LOOM_OP_LD ? 2 : 0, 1, op == LOOM_OP_ST ? 2 : 0, 0,
            t.type);
      p.halt();
      fault_of(p);
      EXPECT_EQ(c.fault, t.fault) << t.address;
      EXPECT_EQ(c.slot, LOOM_SLOT_SRAM);
      EXPECT_EQ(int64_t(c.offset), t.offset);
      EXPECT_EQ(c.limit, uint64_t(size));
      EXPECT_EQ(c.unit, 1u);
      EXPECT_EQ(c.loc, 1001u);
      EXPECT_EQ(c.aux, op);
      EXPECT_EQ(c.insns, 1u);
    }
  }
}

TEST_F(seq, loops_nest_and_count) {
  program p;
  p.loop(3, 4, 1); // 0
  p.loop(5, 4, 2); // 1: both end at 4
  p.seq(LOOM_OP_ADD, 3, 3, 0, 1);
  p.seq(LOOM_OP_ADD, 4, 4, 2, 0);
  p.store(3, 0);
  p.store(4, 4);
  p.store(1, 8);
  const auto w = words(p);
  EXPECT_EQ(w[0], 15);
  EXPECT_EQ(w[1], 3 * (0 + 1 + 2 + 3 + 4));
  EXPECT_EQ(w[2], 2);
  EXPECT_EQ(c.insns, 1 + 3 + 30 + 3 + 2u);
}

TEST_F(seq, loop_count_may_come_from_a_register_and_zero_skips) {
  program p;
  p.ldi(1, 4);
  p.seq(LOOM_OP_LOOP, 2, 1, 0, 0, 0, 3);
  p.seq(LOOM_OP_ADD, 3, 3, 0, 1);
  p.loop(0, 5);
  p.seq(LOOM_OP_ADD, 3, 3, 0, 100);
  p.loop(-7, 7);
  p.seq(LOOM_OP_ADD, 3, 3, 0, 100);
  p.store(3, 0);
  EXPECT_EQ(words(p)[0], 4);
}

TEST_F(seq, empty_body_ends_at_once) {
  program p;
  p.loop(INT64_MAX, 1, 5);
  p.seq(LOOM_OP_SHR, 5, 5, 0, 32);
  p.store(5, 0);
  EXPECT_EQ(words(p)[0], 0x7fffffff);
}

TEST_F(seq, branch_out_of_a_loop_leaves_it) {
  program p;
  p.loop(100, 4, 1);                              // 0
  p.seq(LOOM_OP_BR, 0, 1, 0, 3, LOOM_COND_EQ, 5); // 1: i == 3: break
  p.seq(LOOM_OP_ADD, 2, 2, 0, 1);                 // 2
  p.seq(LOOM_OP_ADD, 2, 2, 0, 10);                // 3
  p.seq(LOOM_OP_TRAP);                            // 4
  p.loop(2, 7, 3);                                // 5: nests at depth 1 again
  p.seq(LOOM_OP_ADD, 2, 2, 0, 100);
  p.store(2, 0);
  EXPECT_EQ(words(p)[0], 3 * 11 + 200);
}

TEST_F(seq, branch_to_the_loops_end_leaves_it) {
  program p;
  p.loop(100, 3, 1);
  p.seq(LOOM_OP_BR, 0, 0, 0, 0, LOOM_COND_ALWAYS, 3);
  p.seq(LOOM_OP_ADD, 2, 2, 0, 1);
  p.store(2, 0);
  p.store(1, 4);
  const auto w = words(p);
  EXPECT_EQ(w[0], 0);
  EXPECT_EQ(w[1], 0);
}

TEST_F(seq, loops_nest_four_deep_and_no_deeper) {
  program p;
  for (int i = 0; i < 4; i++)
    p.loop(2, 5);
  p.seq(LOOM_OP_ADD, 1, 1, 0, 1);
  p.store(1, 0);
  EXPECT_EQ(words(p)[0], 16);

  program q;
  for (int i = 0; i < 5; i++)
    q.loop(2, 6);
  q.seq(LOOM_OP_MARK);
  q.halt();
  fault_of(q);
  EXPECT_EQ(c.fault, LOOM_FAULT_LOOP_NEST);
  EXPECT_EQ(c.unit, 4u);
}

TEST_F(seq, targets_outside_the_job_fault) {
  for (uint32_t target : {2u, 100u, 0xffffffffu}) {
    program p;
    p.seq(LOOM_OP_BR, 0, 0, 0, 0, LOOM_COND_NE,
          target); // not taken, refused all the same
    p.halt();
    EXPECT_EQ(fault_of(p).fault, LOOM_FAULT_BRANCH) << target;
    EXPECT_EQ(c.unit, 0u);
  }
  for (uint32_t target :
       {0u, 1u, 3u}) { // not after the loop, or not in the job
    program p;
    p.seq(LOOM_OP_MARK);
    p.loop(1, target);
    p.halt();
    EXPECT_EQ(fault_of(p).fault, LOOM_FAULT_BRANCH) << target;
  }
}

TEST_F(seq, running_past_the_end_is_a_fetch_fault) {
  program p;
  p.seq(LOOM_OP_MARK);
  EXPECT_EQ(fault_of(p).fault, LOOM_FAULT_FETCH);
  EXPECT_EQ(c.unit, 1u);

  program q; // the record's tail is outside
  q.copy(0, sram(0), 64);
  r.n_units = 2;
  EXPECT_EQ(fault_of(q).fault, LOOM_FAULT_FETCH);
  EXPECT_EQ(c.unit, 0u);
}

TEST_F(seq, long_programs_are_fetched_piece_by_piece) {
  program p;
  p.loop(3, 402);
  for (int i = 0; i < 100; i++)
    p.negate(0, 64, 4);
  p.seq(LOOM_OP_ADD, 1, 1, 0, 1);
  p.store(1, 128);
  EXPECT_EQ(words(p)[32], 3);
  EXPECT_EQ(c.insns, 1 + 3 * 101 + 1 + 2u);
}

TEST_F(seq, trap_carries_its_code) {
  program p;
  p.seq(LOOM_OP_TRAP, 0, 0, 0, 0x1234);
  fault_of(p);
  EXPECT_EQ(c.fault, LOOM_FAULT_TRAP);
  EXPECT_EQ(c.aux, 0x1234u);
}

TEST_F(seq, malformed_records_are_refused) {
  const struct {
    const char *what;
    int fault;
    void (*damage)(loom_seq &);
  } table[] = {
      {"opcode 0", LOOM_FAULT_OPCODE, [](loom_seq &s) { s.h.op = 0; }},
      {"opcode between", LOOM_FAULT_OPCODE, [](loom_seq &s) { s.h.op = 0x15; }},
      {"opcode after DMA", LOOM_FAULT_OPCODE,
       [](loom_seq &s) { s.h.op = 0x24; }},
      {"opcode high", LOOM_FAULT_OPCODE, [](loom_seq &s) { s.h.op = 0xff; }},
      {"units 0", LOOM_FAULT_UNITS, [](loom_seq &s) { s.h.units = 0; }},
      {"units 2", LOOM_FAULT_UNITS, [](loom_seq &s) { s.h.units = 2; }},
      {"regsel", LOOM_FAULT_RESERVED, [](loom_seq &s) { s.h.regsel = 1; }},
      {"wait without count", LOOM_FAULT_RESERVED,
       [](loom_seq &s) { s.h.wait[1].sem = 1; }},
      {"wait number", LOOM_FAULT_SEM,
       [](loom_seq &s) {
         s.h.wait[0] = {32, 1};
       }},
      {"signal number", LOOM_FAULT_SEM,
       [](loom_seq &s) {
         s.h.signal[1] = {255, 1};
       }},
      {"ra of LDI", LOOM_FAULT_RESERVED, [](loom_seq &s) { s.ra = 1; }},
      {"rb of LDI", LOOM_FAULT_RESERVED, [](loom_seq &s) { s.rb = 1; }},
      {"cond of LDI", LOOM_FAULT_RESERVED, [](loom_seq &s) { s.cond = 1; }},
      {"target of LDI", LOOM_FAULT_RESERVED, [](loom_seq &s) { s.target = 1; }},
      {"rd 16", LOOM_FAULT_FIELD, [](loom_seq &s) { s.rd = 16; }},
      {"cond 7", LOOM_FAULT_FIELD,
       [](loom_seq &s) { s.h.op = LOOM_OP_CMP, s.cond = 7; }},
      {"type 3", LOOM_FAULT_FIELD,
       [](loom_seq &s) { s.h.op = LOOM_OP_LD, s.cond = 3; }},
      {"imm of HALT", LOOM_FAULT_RESERVED,
       [](loom_seq &s) { s = {s.h, 0, 0, 0, 0, 0, 1}, s.h.op = LOOM_OP_HALT; }},
      {"LOOP with register and count", LOOM_FAULT_RESERVED,
       [](loom_seq &s) {
         s.h.op = LOOM_OP_LOOP, s.ra = 1, s.imm = 1, s.target = 1;
       }},
  };
  for (const auto &t : table) {
    program p;
    t.damage(p.ldi(1, 5));
    p.halt();
    fault_of(p);
    EXPECT_EQ(c.fault, t.fault) << t.what;
    EXPECT_EQ(c.unit, 0u);
    EXPECT_EQ(c.insns, 0u);
    EXPECT_EQ(c.cycles, npu16_start + LOOM_T_SEQ);
  }
}

TEST_F(seq, vpu_and_mxu_lengths_must_fit_their_counts) {
  program p;
  p.negate(0, 64, 4).nops = 10;
  p.halt();
  EXPECT_EQ(fault_of(p).fault, LOOM_FAULT_UNITS);
  program q;
  q.gemm(1, 1, 1, 0, 64, 128).flags |= LOOM_MXU_EPI;
  q.halt();
  EXPECT_EQ(fault_of(q).fault, LOOM_FAULT_UNITS);
}

struct missing {
  unsigned feature;
  void (*add)(program &);
};

TEST(seq_features, absent_features_fault_by_name) {
  const missing table[] = {
      {LOOM_FEAT_LOOP, [](program &p) { p.loop(1, 1); }},
      {LOOM_FEAT_LOOP, [](program &p) { p.seq(LOOM_OP_BR); }},
      {LOOM_FEAT_REG, [](program &p) { p.store(0, 0); }},
      {LOOM_FEAT_REG,
       [](program &p) {
         p.fill(sram(0), 4, 0, 4).h.regsel = LOOM_REGSEL(0, 1, 0, 0);
       }},
      {LOOM_FEAT_VPU, [](program &p) { p.negate(0, 64, 4); }},
      {LOOM_FEAT_GATHER,
       [](program &p) { p.copy(0, sram(0), 4, LOOM_OP_LD_GATHER); }},
      {LOOM_FEAT_SCATTER,
       [](program &p) { p.copy(0, sram(0), 4, LOOM_OP_ST_SCATTER); }},
  };
  for (const auto &m : table) {
    loom_target t = named_target("npu8");
    t.features &= ~(1ull << m.feature);
    rig r(t);
    program p;
    m.add(p);
    p.halt();
    EXPECT_EQ(r.run(p).fault, LOOM_FAULT_FEATURE) << m.feature;
  }
}

TEST_F(seq, sram_is_zero_at_every_start) {
  program p;
  p.ldi(1, -1);
  p.store(1, 0);
  p.fill(sram(4), 60, 0xffffffff, 4);
  EXPECT_EQ(words(p)[0], -1);
  const auto w = words(program());
  EXPECT_EQ(w[0], 0);
  EXPECT_EQ(w[5], 0);
}

TEST_F(seq, unreadable_code_is_a_fault_of_the_code_slot) {
  program p;
  p.halt();
  r.fail_slot = LOOM_NPU_CODE;
  r.fail_with = LOOM_FAULT_PAGE_LIST;
  fault_of(p);
  EXPECT_EQ(c.fault, LOOM_FAULT_PAGE_LIST);
  EXPECT_EQ(c.slot, LOOM_SLOT_CODE);
}

TEST(seq_registers, named_registers_are_captured_at_dispatch) {
  rig r;
  const uint32_t out = r.slot(4096);
  program p;
  p.ldi(1, 11);
  p.store(1, 0);
  p.ldi(1, 256);
  signals(p.store_copy(sram(0), LOOM_ADDR(out, 0), 4), {1, 1}).h.regsel =
      LOOM_REGSEL(0, 1, 0, 0);
  p.ldi(1, 512); // must not move the record that is on its way
  waits(p.store_copy(sram(0), LOOM_ADDR(out, 0), 4), {1, 1}).h.regsel =
      LOOM_REGSEL(0, 1, 0, 0);
  p.halt();
  ASSERT_EQ(r.run(p).fault, LOOM_FAULT_NONE);
  EXPECT_EQ(r.word<int32_t>(out, 256), 11);
  EXPECT_EQ(r.word<int32_t>(out, 512), 11);
}

TEST(seq_retired, host_sees_every_instruction_with_its_time) {
  rig r;
  program p;
  p.seq(LOOM_OP_MARK, 0, 0, 0, 42);
  p.negate(0, 64, 4);
  p.halt();
  ASSERT_EQ(r.run(p).fault, LOOM_FAULT_NONE);
  ASSERT_EQ(r.trace.size(), 3u);
  EXPECT_EQ(r.trace[0].h.op, LOOM_OP_MARK);
  EXPECT_EQ(r.trace[0].e.start, npu16_start);
  EXPECT_EQ(r.trace[0].e.end, npu16_start + 1);
  EXPECT_EQ(r.trace[1].e.queue, unsigned(LOOM_Q_VPU));
  EXPECT_EQ(r.trace[1].e.unit, 1u);
  EXPECT_EQ(r.trace[1].e.ready, npu16_start + 2);
  EXPECT_EQ(std::memcmp(&r.trace[1].e, &r.entry(1), sizeof(loom_report_entry)),
            0);
}

} // namespace
} // namespace loom::test
