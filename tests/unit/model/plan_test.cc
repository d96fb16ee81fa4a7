// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A plan is a run without data: the same clock, and nothing else.
#include "plan.h"
#include "rig.h"

namespace loom::test {
namespace {

class plans : public ::testing::Test {
protected:
  rig r;
  uint32_t a = r.slot(1 << 16), b = r.slot(1 << 16);
  std::vector<loom_plan_record> records;
  loom_report report{};
  uint64_t budget = 1 << 20;

  loom_completion plan(const program &p) {
    loom_plan how{};
    how.code = p.bytes.data();
    how.n_units = p.pc();
    how.insn_budget = budget;
    how.slots = r.slots.data();
    how.n_slots = static_cast<uint32_t>(r.slots.size());
    how.retired = [](void *o, const loom_plan_record *record) {
      static_cast<plans *>(o)->records.push_back(*record);
    };
    how.opaque = this;
    EXPECT_TRUE(loom_plan_run(&r.target, &how, &report));
    return report.end;
  }
};

program loops(uint32_t a, uint32_t b) {
  program p;
  p.loop(5, 20, 3);
  p.seq(LOOM_OP_MUL, 4, 3, 0, 640);
  signals(p.copy(LOOM_ADDR(a, 0), sram(0), 600), {0, 1}).h.regsel = 0x4;
  signals(waits(p.gemm(4, 8, 8, 0, 256, 1024), {0, 1}), {1, 1});
  waits(p.store_copy(sram(1024), LOOM_ADDR(b, 0), 128), {1, 1});
  p.negate(2048, 4096, 100);
  p.seq(LOOM_OP_FENCE);
  while (p.pc() < 20)
    p.seq(LOOM_OP_MARK);
  p.halt();
  return p;
}

TEST_F(plans, take_the_time_of_a_run) {
  const program p = loops(a, b);
  const loom_completion ran = r.run(p), planned = plan(p);
  EXPECT_EQ(ran.fault, LOOM_FAULT_NONE);
  EXPECT_EQ(planned.cycles, ran.cycles);
  EXPECT_EQ(planned.insns, ran.insns);
  EXPECT_EQ(std::memcmp(report.queue, r.head().queue, sizeof(report.queue)), 0);
  ASSERT_EQ(records.size(), r.trace.size());
  for (size_t i = 0; i < records.size(); i++)
    EXPECT_EQ(std::memcmp(&records[i].at, &r.trace[i].e, sizeof(r.trace[i].e)),
              0)
        << "record " << i;
}

TEST_F(plans, tell_what_each_record_spent) {
  plan(loops(a, b));
  uint64_t bus = 0;
  for (const auto &record : records) {
    const auto &s = record.spent;
    EXPECT_EQ(s.busy + s.edge + s.fill + s.wait_mem + s.wait_dep,
              record.at.end - record.at.ready)
        << "unit " << record.at.unit;
    bus += record.bus_bytes;
  }
  // 600 bytes from a multiple of 64 on are ten bursts; 128 are two.
  EXPECT_EQ(bus, 5 * (640 + 128));
}

TEST_F(plans, scalars_from_memory_are_zero_and_stores_do_nothing) {
  program p;
  p.ldi(1, 3);
  p.ldi(2, 9);
  p.store(1, 64);
  p.seq(LOOM_OP_LD, 2, 0, 0, 64, LOOM_SCALAR_I32);
  auto &loop = p.loop(0, 7);
  loop.ra = 2;
  p.seq(LOOM_OP_MARK);
  p.seq(LOOM_OP_MARK);
  p.halt();
  EXPECT_EQ(r.run(p).insns, 12u);
  EXPECT_EQ(plan(p).insns, 6u);
}

TEST_F(plans, end_with_the_fault_of_a_run) {
  program p;
  p.copy(LOOM_ADDR(9, 0), sram(0), 64);
  p.halt();
  EXPECT_EQ(plan(p).fault, LOOM_FAULT_SLOT);
  program q;
  q.seq(LOOM_OP_BR, 0, 0, 0, 0, LOOM_COND_ALWAYS, 0);
  budget = 1000;
  EXPECT_EQ(plan(q).fault, LOOM_FAULT_BUDGET_INSNS);
  EXPECT_EQ(report.end.insns, 1000u);
}

TEST_F(plans, refuse_a_bad_target_and_a_plan_without_code) {
  loom_plan how{};
  how.insn_budget = 1;
  EXPECT_FALSE(loom_plan_run(&r.target, &how, &report));
  loom_target wrong = r.target;
  wrong.rows = 3;
  how.n_units = 1;
  EXPECT_FALSE(loom_plan_run(&wrong, &how, &report));
}

} // namespace
} // namespace loom::test
