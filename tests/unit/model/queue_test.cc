// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Queues, semaphores, time, budgets, and the report that accounts for them.
#include "rig.h"

namespace loom::test {
namespace {

constexpr uint64_t first =
    npu16_start + LOOM_T_SEQ; // when the first record reaches its queue

class queues : public ::testing::Test {
protected:
  rig r;
  uint32_t a = r.slot(1 << 16), b = r.slot(1 << 16),
           slow = r.slot(1 << 16, LOOM_RIGHT_READ | LOOM_RIGHT_WRITE, 1);
  uint64_t latency = r.target.mem[0].latency,
           rate = r.target.mem[0].bytes_per_cycle;
  loom_completion c{};

  loom_completion run(program &p) {
    c = r.run(p);
    expect_whole(r, c);
    return c;
  }
  // The entry of the record at a unit.
  loom_report_entry at(uint32_t unit) {
    for (uint32_t i = 0; i < r.head().n_entries; i++)
      if (r.entry(i).unit == unit)
        return r.entry(i);
    ADD_FAILURE() << "no entry for unit " << unit;
    return {};
  }
};

TEST_F(queues, records_of_one_queue_run_one_after_the_other) {
  program p;
  p.copy(LOOM_ADDR(a, 0), sram(0), 64);
  p.copy(LOOM_ADDR(a, 64), sram(64), 64);
  p.halt();
  run(p);
  const uint64_t took = LOOM_T_RECORD + latency + 64 / rate;
  EXPECT_EQ(at(0).ready, first);
  EXPECT_EQ(at(0).start, first);
  EXPECT_EQ(at(0).end, first + took);
  EXPECT_EQ(at(3).ready, first + took);
  EXPECT_EQ(at(3).end, first + 2 * took);
  EXPECT_EQ(c.cycles, first + 2 * took + LOOM_T_SEQ + LOOM_T_JOB_END);
}

TEST_F(queues, a_signal_is_seen_two_cycles_later) {
  program p;
  signals(p.copy(LOOM_ADDR(a, 0), sram(0), 64), {3, 2});
  waits(p.store_copy(sram(0), LOOM_ADDR(b, 0), 64), {3, 1}, {3, 1});
  p.halt();
  EXPECT_EQ(run(p).fault, LOOM_FAULT_NONE);
  EXPECT_EQ(at(3).ready, first + 1);
  EXPECT_EQ(at(3).start, at(0).end + LOOM_T_SEM);
  EXPECT_EQ(r.head().queue[LOOM_Q_ST].wait_dep, at(3).start - at(3).ready);
  EXPECT_EQ(std::memcmp(r.memory[a].data(), r.memory[b].data(), 64), 0);
}

TEST_F(queues, front_end_waits_and_signals_too) {
  program p;
  signals(p.copy(LOOM_ADDR(a, 0), sram(0), 64), {0, 1});
  signals(waits(p.seq(LOOM_OP_LD, 1, 0, 0, 0, LOOM_SCALAR_I32), {0, 1}),
          {1, 3});
  waits(p.store(1, 64), {1, 3});
  p.store_copy(sram(64), LOOM_ADDR(b, 0), 4);
  p.halt();
  EXPECT_EQ(run(p).fault, LOOM_FAULT_NONE);
  EXPECT_EQ(at(3).start, at(0).end + LOOM_T_SEM);
  EXPECT_EQ(at(4).start, at(3).end + LOOM_T_SEM);
  EXPECT_EQ(r.word<uint32_t>(b, 0), r.word<uint32_t>(a, 0));
}

TEST_F(queues, effects_come_in_order_of_completion) {
  // The store was dispatched later but ends sooner: the load must see its
  // bytes.
  program p;
  p.copy(LOOM_ADDR(slow, 0), sram(0), 64);
  p.fill(LOOM_ADDR(slow, 0), 64, 0x5a, 1, LOOM_OP_ST_FILL).dst = sram(4096);
  p.seq(LOOM_OP_FENCE);
  p.halt();
  run(p);
  ASSERT_EQ(r.trace.size(), 4u);
  EXPECT_EQ(r.trace[0].e.unit, 3u);
  EXPECT_EQ(r.trace[1].e.unit, 0u);

  // Both end in the same cycle: the lower queue takes effect first, so the
  // upper one's bytes stay.
  program q;
  q.seq(LOOM_OP_MARK);
  q.fill(sram(0), 128, 0x11, 1); // LD: dispatched at first + 1
  q.fill(sram(0), 64, 0x22, 1,
         LOOM_OP_ST_FILL); // ST: one cycle later, one cycle shorter
  q.seq(LOOM_OP_FENCE);
  q.copy(sram(0), LOOM_ADDR(b, 0), 128);
  q.halt();
  run(q);
  EXPECT_EQ(at(1).end, at(4).end);
  EXPECT_EQ(r.memory[b][0], 0x22);
  EXPECT_EQ(r.memory[b][64], 0x11);
}

TEST_F(queues, queues_of_one_class_share_its_bandwidth) {
  program p;
  p.copy(LOOM_ADDR(a, 0), sram(0), 8192);
  p.store_copy(sram(16384), LOOM_ADDR(b, 0), 4096);
  p.halt();
  run(p);
  // LD begins to move; for ST the bus turns round; then both at half speed
  // until ST ends; then LD alone.
  const uint64_t begin = first + LOOM_T_RECORD + latency, ld = 8192 / rate,
                 st = 4096 / rate;
  EXPECT_EQ(at(3).end, begin + 1 + LOOM_T_TURN + 2 * st);
  EXPECT_EQ(at(0).end, begin + ld + st);
  EXPECT_EQ(r.head().queue[LOOM_Q_ST].wait_mem, st);
  EXPECT_EQ(r.head().queue[LOOM_Q_LD].wait_mem, st);
  EXPECT_EQ(r.head().queue[LOOM_Q_LD].busy, ld);
}

TEST_F(queues, classes_and_sram_do_not_share) {
  program p;
  p.copy(LOOM_ADDR(a, 0), sram(0), 8192);
  p.store_copy(sram(16384), LOOM_ADDR(slow, 0), 4096);
  p.halt();
  run(p);
  EXPECT_EQ(r.head().queue[LOOM_Q_LD].wait_mem, 0u);
  EXPECT_EQ(r.head().queue[LOOM_Q_ST].wait_mem, 0u);
  program q;
  q.copy(sram(0), sram(32768), 8192);
  q.store_copy(sram(65536), sram(131072), 8192);
  q.halt();
  run(q);
  EXPECT_EQ(r.head().queue[LOOM_Q_LD].wait_mem, 0u);
  EXPECT_EQ(at(0).end - at(0).start, LOOM_T_RECORD + 128);
}

TEST_F(queues, sharing_with_an_odd_rest_rounds_up) {
  // ST begins in the last but one cycle of LD: half a cycle of LD's work is
  // left over.
  program p;
  p.copy(LOOM_ADDR(a, 0), sram(0), 64); // W = 8
  p.loop(5, 5);                         // six cycles
  p.seq(LOOM_OP_MARK);
  p.store_copy(LOOM_ADDR(b, 0), sram(64), 64); // reads, too: no turning round
  p.halt();
  run(p);
  const uint64_t begin = first + LOOM_T_RECORD + latency;
  // ST moves from begin + 7 on: LD has 1 cycle of work left, takes 2; ST 1
  // cycle done in them, 7 left.
  EXPECT_EQ(at(0).end, begin + 9);
  EXPECT_EQ(at(5).end, begin + 7 + 2 + 7);
  EXPECT_EQ(r.head().queue[LOOM_Q_LD].wait_mem, 1u);
  EXPECT_EQ(r.head().queue[LOOM_Q_ST].wait_mem, 1u);
}

TEST_F(queues, queue_takes_sixteen_records_besides_the_one_at_its_head) {
  program p;
  p.loop(18, 4); // in code that is there
  p.fill(sram(0), 64, 1, 1);
  p.halt();
  run(p);
  const auto &seq = r.head().queue[LOOM_Q_SEQ];
  // The eighteenth waits until the first ends; HALT until the last does.
  const uint64_t begin = first + 1, one = LOOM_T_RECORD + 1, full = begin + 16,
                 gone = begin + one;
  EXPECT_EQ(one, 17u);
  EXPECT_EQ(seq.busy, 20u);
  EXPECT_EQ(seq.wait_dep, (gone - full) + (begin + 18 * one) - (gone + 1));
  EXPECT_EQ(r.entry(2).ready, begin + one);
}

TEST_F(queues, fence_waits_for_all_queues) {
  program p;
  p.copy(LOOM_ADDR(slow, 0), sram(0), 64);
  p.negate(0, 64, 4);
  p.seq(LOOM_OP_FENCE);
  p.halt();
  run(p);
  EXPECT_EQ(at(7).start, at(0).end);
  EXPECT_EQ(at(7).end, at(0).end + 1);
}

TEST_F(queues, deadlock_is_found_at_once_and_names_the_semaphores) {
  program p;
  waits(p.copy(LOOM_ADDR(a, 0), sram(0), 64), {5, 1});
  waits(p.negate(0, 64, 4), {9, 2});
  p.halt();
  run(p);
  EXPECT_EQ(c.fault, LOOM_FAULT_DEADLOCK);
  EXPECT_EQ(c.aux, 1u << 5 | 1u << 9);
  EXPECT_EQ(c.unit, 0u);
  EXPECT_EQ(c.loc, 1000u);
  EXPECT_EQ(c.cycles, first + 1);

  program q; // the second wait of a record is the one that lacks
  signals(waits(q.seq(LOOM_OP_MARK), {}), {1, 1});
  waits(q.seq(LOOM_OP_MARK), {1, 1}, {2, 1});
  q.halt();
  run(q);
  EXPECT_EQ(c.fault, LOOM_FAULT_DEADLOCK);
  EXPECT_EQ(c.aux, 1u << 2);
  EXPECT_EQ(c.unit, 1u);
}

TEST_F(queues, a_full_queue_that_waits_forever_is_a_deadlock) {
  program p;
  for (int i = 0; i < 20; i++)
    waits(p.copy(LOOM_ADDR(a, 0), sram(0), 64), {31, 255});
  p.halt();
  run(p);
  EXPECT_EQ(c.fault, LOOM_FAULT_DEADLOCK);
  EXPECT_EQ(c.aux, 1u << 31);
}

TEST_F(queues, semaphores_count_to_255) {
  program p;
  signals(p.seq(LOOM_OP_MARK), {4, 255});
  waits(p.seq(LOOM_OP_MARK), {4, 200}, {4, 55});
  p.halt();
  EXPECT_EQ(run(p).fault, LOOM_FAULT_NONE);

  program q;
  signals(q.seq(LOOM_OP_MARK), {4, 255});
  signals(q.seq(LOOM_OP_MARK), {4, 1});
  q.halt();
  run(q);
  EXPECT_EQ(c.fault, LOOM_FAULT_SEM);
  EXPECT_EQ(c.unit, 1u);
  EXPECT_EQ(c.insns, 1u);

  program s; // twice the same in one record
  signals(s.seq(LOOM_OP_MARK), {4, 200}, {4, 56});
  s.halt();
  EXPECT_EQ(run(s).fault, LOOM_FAULT_SEM);
}

TEST_F(queues, semaphores_must_be_zero_at_halt) {
  program p;
  signals(p.copy(LOOM_ADDR(a, 0), sram(0), 64), {7, 1});
  p.halt(); // the signal is still in flight
  run(p);
  EXPECT_EQ(c.fault, LOOM_FAULT_SEM_LEFT);
  EXPECT_EQ(c.unit, 3u);
  EXPECT_EQ(c.aux, unsigned(LOOM_OP_HALT));
}

TEST_F(queues, insn_budget_is_exact) {
  program p;
  p.loop(10, 2);
  p.seq(LOOM_OP_ADD, 1, 1, 0, 1);
  p.store(1, 0);
  p.store_copy(sram(0), LOOM_ADDR(b, 0), 4);
  p.halt();
  r.insn_budget = 14;
  EXPECT_EQ(run(p).fault, LOOM_FAULT_NONE);
  EXPECT_EQ(c.insns, 14u);
  r.insn_budget = 13;
  r.memory[b][0] = 0;
  run(p);
  EXPECT_EQ(c.fault, LOOM_FAULT_BUDGET_INSNS);
  EXPECT_EQ(c.insns, 13u);
  EXPECT_EQ(c.unit, 6u);
  r.insn_budget = 12;
  r.memory[b][0] = 0;
  run(p);
  EXPECT_EQ(c.fault, LOOM_FAULT_BUDGET_INSNS);
  EXPECT_EQ(c.unit, 3u);
  EXPECT_EQ(r.memory[b][0], 0) << "the record over budget must have no effect";
}

TEST_F(queues, cycle_budget_is_exact) {
  program p;
  p.copy(LOOM_ADDR(a, 0), sram(0), 64);
  p.halt();
  const uint64_t whole = run(p).cycles;
  r.cycle_budget = whole;
  EXPECT_EQ(run(p).fault, LOOM_FAULT_NONE);
  for (uint64_t budget : {whole - 1, whole - 40, uint64_t(80), uint64_t(65),
                          uint64_t(64), uint64_t(10), uint64_t(1)}) {
    r.cycle_budget = budget;
    run(p);
    EXPECT_EQ(c.fault, LOOM_FAULT_BUDGET_CYCLES) << budget;
    EXPECT_EQ(c.cycles, budget);
  }
}

TEST_F(queues, an_endless_loop_ends_by_either_budget) {
  program p;
  p.seq(LOOM_OP_BR, 0, 0, 0, 0, LOOM_COND_ALWAYS, 0);
  r.insn_budget = 1000;
  EXPECT_EQ(run(p).fault, LOOM_FAULT_BUDGET_INSNS);
  EXPECT_EQ(c.insns, 1000u);
  r.insn_budget = 1 << 20;
  r.cycle_budget = 5000;
  EXPECT_EQ(run(p).fault, LOOM_FAULT_BUDGET_CYCLES);
  EXPECT_EQ(c.insns, 5000u - npu16_start);
}

TEST_F(queues, nothing_takes_effect_after_a_fault) {
  program p;
  p.copy(LOOM_ADDR(a, 0), LOOM_ADDR(b, 0), 4096); // long
  p.seq(LOOM_OP_TRAP);
  p.fill(LOOM_ADDR(b, 8192), 64, 0x77, 1, LOOM_OP_ST_FILL);
  p.halt();
  const auto memory = r.memory;
  run(p);
  EXPECT_EQ(c.fault, LOOM_FAULT_TRAP);
  EXPECT_EQ(r.memory, memory);
}

TEST_F(queues, the_first_fault_in_time_wins) {
  program
      p; // the later record of the stream fails earlier, as its queue is free
  p.copy(LOOM_ADDR(slow, 0), sram(0), 64);
  p.copy(LOOM_ADDR(slow, 1 << 16), sram(0), 64);
  p.store_copy(sram(0), LOOM_ADDR(77, 0), 64);
  p.halt();
  run(p);
  EXPECT_EQ(c.fault, LOOM_FAULT_SLOT);
  EXPECT_EQ(c.unit, 6u);
}

TEST_F(queues, abort_ends_the_job_where_it_is) {
  program p;
  p.seq(LOOM_OP_BR, 0, 0, 0, 0, LOOM_COND_ALWAYS, 0);
  ASSERT_EQ(r.start(p), LOOM_FAULT_NONE);
  EXPECT_EQ(loom_npu_run(r.npu.get(), 10), LOOM_NPU_RUNNING);
  loom_npu_abort(r.npu.get());
  EXPECT_EQ(loom_npu_run(r.npu.get(), 10), LOOM_NPU_DONE);
  c = r.finish();
  expect_whole(r, c);
  EXPECT_EQ(c.fault, LOOM_FAULT_ABORTED);
  EXPECT_EQ(c.insns, 10u);
  EXPECT_EQ(loom_npu_progress(r.npu.get()), 10u);
}

TEST_F(queues, jobs_out_of_range_are_refused) {
  program p;
  p.halt();
  r.slots[0].mem_class = 2;
  EXPECT_EQ(r.start(p), LOOM_FAULT_JOB);
  r.slots[0].mem_class = 0;
  r.slots[0].rights = 4;
  EXPECT_EQ(r.start(p), LOOM_FAULT_JOB);
  r.slots[0].rights = 1;
  r.slots[0].offset_mod64 = 64;
  EXPECT_EQ(r.start(p), LOOM_FAULT_JOB);
  r.slots[0].offset_mod64 = 0;
  r.insn_budget = 0;
  EXPECT_EQ(r.start(p), LOOM_FAULT_JOB);
  r.insn_budget = 1;
  r.cycle_budget = 0;
  EXPECT_EQ(r.start(p), LOOM_FAULT_JOB);
  r.cycle_budget = 1000;
  r.n_units = LOOM_MAX_CODE_UNITS + 1;
  EXPECT_EQ(r.start(p), LOOM_FAULT_JOB);
  r.n_units = 0;
  EXPECT_EQ(run(p).fault, LOOM_FAULT_NONE);
}

TEST_F(queues, report_stays_within_its_bytes) {
  program p;
  p.loop(200, 2);
  p.seq(LOOM_OP_MARK);
  p.halt();
  for (size_t bytes :
       {size_t(0), size_t(63), sizeof(loom_report) - 1, sizeof(loom_report),
        sizeof(loom_report) + 100 * sizeof(loom_report_entry) + 5}) {
    r.report.assign(bytes, 0xcc); // the host callback checks the bounds
    c = r.run(p);
    EXPECT_EQ(c.fault, LOOM_FAULT_NONE);
    if (bytes < sizeof(loom_report)) {
      EXPECT_EQ(r.report, std::vector<uint8_t>(bytes, 0xcc));
      continue;
    }
    const uint32_t room =
        (bytes - sizeof(loom_report)) / sizeof(loom_report_entry);
    EXPECT_EQ(r.head().n_entries, room);
    EXPECT_EQ(r.head().dropped, 202 - room);
    EXPECT_EQ(std::memcmp(&r.head().end, &c, sizeof(c)), 0);
    expect_whole(r, c);
    if (room) {
      EXPECT_EQ(r.report.back(), 0xcc) << "no part of an entry";
      EXPECT_EQ(r.entry(99).end, npu16_start + 100);
    }
  }
}

TEST_F(queues, an_unwritable_report_is_a_fault) {
  program p;
  p.halt();
  r.fail_slot = LOOM_NPU_REPORT;
  c = r.run(p);
  EXPECT_EQ(c.fault, LOOM_FAULT_DMA);
  EXPECT_EQ(c.slot, LOOM_SLOT_REPORT);
  program q;
  q.seq(LOOM_OP_TRAP);
  c = r.run(q);
  EXPECT_EQ(c.fault, LOOM_FAULT_TRAP) << "the job's own fault comes first";
}

TEST_F(queues, report_counts_products_elements_and_bytes) {
  program p;
  signals(p.copy(LOOM_ADDR(slow, 0), sram(0), 4096), {0, 1});
  signals(waits(p.gemm(4, 8, 16, 0, 1024, 8192), {0, 1}), {1, 1});
  signals(waits(p.negate(8192, 12288, 64), {1, 1}), {2, 1});
  waits(p.store_copy(sram(12288), LOOM_ADDR(b, 0), 256), {2, 1});
  p.halt();
  ASSERT_EQ(run(p).fault, LOOM_FAULT_NONE);
  EXPECT_EQ(r.head().macs[LOOM_MXU_F32], 4u * 8 * 16);
  EXPECT_EQ(r.head().bytes_read[1], 4096u);
  EXPECT_EQ(r.head().bytes_written[0], 256u);
  EXPECT_GT(r.head().vpu_elems, 0u);
  const auto &m = r.head().queue[LOOM_Q_MXU];
  EXPECT_EQ(c.mxu_busy, m.busy + m.edge + m.fill);
  const loom_cost cost =
      loom_cost_mxu_dims(&r.target, LOOM_MXU_F32, 1, 4, 8, 16, 1);
  EXPECT_EQ(m.busy, cost.busy);
  EXPECT_EQ(m.edge, cost.edge);
  EXPECT_EQ(m.fill, cost.fill);
}

TEST(targets, named_targets_pass_their_own_check) {
  for (const char *name : {"npu8", "npu16", "npu64", "npu128"}) {
    const loom_target t = named_target(name);
    EXPECT_EQ(loom_target_check(&t), nullptr) << name;
    rig r(t);
    program p;
    p.halt();
    EXPECT_EQ(r.run(p).fault, LOOM_FAULT_NONE);
  }
  loom_target t;
  EXPECT_FALSE(loom_target_named("npu7", &t));
}

TEST(targets, each_knob_is_checked) {
  const std::pair<const char *, void (*)(loom_target &)> table[] = {
      {"ISA", [](loom_target &t) { t.isa_major++; }},
      {"features",
       [](loom_target &t) { t.features |= 1ull << LOOM_FEAT_CODEC; }},
      {"rows", [](loom_target &t) { t.rows = 12; }},
      {"cols", [](loom_target &t) { t.cols = 512; }},
      {"sram_bytes", [](loom_target &t) { t.sram_bytes = 20000; }},
      {"acc_bytes", [](loom_target &t) { t.acc_bytes = 8 << 20; }},
      {"sram_partitions", [](loom_target &t) { t.sram_partitions = 3; }},
      {"vpu_lanes", [](loom_target &t) { t.vpu_lanes = 2; }},
      {"mem_classes", [](loom_target &t) { t.mem_classes = 3; }},
      {"bytes_per_cycle", [](loom_target &t) { t.mem[1].bytes_per_cycle = 0; }},
      {"latency", [](loom_target &t) { t.mem[0].latency = 5000; }},
      {"outstanding", [](loom_target &t) { t.mem[0].outstanding = 0; }},
      {"f32_div", [](loom_target &t) { t.f32_div = 0; }},
      {"clock_khz", [](loom_target &t) { t.clock_khz = 0; }},
      {"reserved", [](loom_target &t) { t.rsvd[1] = 1; }},
  };
  for (const auto &[word, damage] : table) {
    loom_target t = named_target("npu8");
    damage(t);
    const char *wrong = loom_target_check(&t);
    ASSERT_NE(wrong, nullptr) << word;
    EXPECT_NE(std::string(wrong).find(word), std::string::npos) << wrong;
    EXPECT_EQ(loom_npu_create(&t, nullptr, nullptr), nullptr);
  }
}

} // namespace
} // namespace loom::test
