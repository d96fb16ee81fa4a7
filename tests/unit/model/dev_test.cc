// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The device: registers, rings, tables, page lists, interrupts, resets,
// injected faults, saved state.
#include "bus.h"

#include <random>
#include <thread>

namespace loom::test {
namespace {

program halt_only() {
  program p;
  p.halt();
  return p;
}

program endless() {
  program p;
  p.seq(LOOM_OP_BR);
  p.halt();
  return p;
}

// Copies slot 0 to slot 1 by way of SRAM.
program mover(uint32_t bytes) {
  program p;
  signals(p.copy(LOOM_ADDR(0, 0), sram(0), bytes), {0, 1});
  waits(p.store_copy(sram(0), LOOM_ADDR(1, 0), bytes), {0, 1});
  p.halt();
  return p;
}

TEST(registers, describe_the_target) {
  bus b;
  loom_target t;
  loom_target_named("npu16", &t);
  EXPECT_EQ(b.reg(LOOM_REG_ID), LOOM_ID);
  EXPECT_EQ(b.reg(LOOM_REG_ISA), LOOM_ISA_MAJOR << 16 | LOOM_ISA_MINOR);
  EXPECT_EQ(b.reg(LOOM_REG_FEATURES, 8), t.features);
  EXPECT_EQ(b.reg(LOOM_REG_FEATURES), t.features & 0xffffffff);
  EXPECT_EQ(b.reg(LOOM_REG_FEATURES + 4), t.features >> 32);
  EXPECT_EQ(b.reg(LOOM_REG_ARRAY), 16u | 16u << 16);
  EXPECT_EQ(b.reg(LOOM_REG_SRAM_BYTES), t.sram_bytes);
  EXPECT_EQ(b.reg(LOOM_REG_SRAM_BANKS), 4u | 4u << 16);
  EXPECT_EQ(b.reg(LOOM_REG_ACC_BYTES), t.acc_bytes);
  EXPECT_EQ(b.reg(LOOM_REG_VPU_LANES), t.vpu_lanes);
  EXPECT_EQ(b.reg(LOOM_REG_MEM_CLASSES), 2u);
  EXPECT_EQ(b.reg(LOOM_REG_CLOCK_KHZ), t.clock_khz);
  EXPECT_EQ(b.reg(LOOM_REG_MXU_RATES), 1u | 2u << 8 | 4u << 16);
  EXPECT_EQ(b.reg(LOOM_REG_MEM0_BANDWIDTH), t.mem[0].bytes_per_cycle);
  EXPECT_EQ(b.reg(LOOM_REG_MEM0_OUTSTANDING), t.mem[0].outstanding);
  EXPECT_EQ(b.reg(LOOM_REG_MEM1_LATENCY), t.mem[1].latency);
  EXPECT_EQ(b.reg(LOOM_REG_MAX_SLOTS), LOOM_MAX_SLOTS);
}

TEST(registers, take_only_the_accesses_they_promise) {
  bus b;
  EXPECT_EQ(b.reg(LOOM_REG_ID, 8), 0u) << "a 32-bit register by 8 bytes";
  EXPECT_EQ(b.reg(LOOM_REG_ID + 2, 4), 0u);
  EXPECT_EQ(b.reg(0x3c), 0u);
  EXPECT_EQ(b.reg(0xfffc), 0u);
  EXPECT_FALSE(b.reg(0x3c, 1, 4));
  b.reg(LOOM_REG_ID, 1, 4);
  EXPECT_EQ(b.reg(LOOM_REG_ID), LOOM_ID);
  b.reg(LOOM_REG_RING_BASE, 0x1234, 4);
  b.reg(LOOM_REG_RING_BASE + 4, 0x56, 4);
  EXPECT_EQ(b.reg(LOOM_REG_RING_BASE, 8), 0x5600001234u);
  b.reg(LOOM_REG_RING_BASE, 0xaaaaaaaabbbbbbbb, 8);
  EXPECT_EQ(b.reg(LOOM_REG_RING_BASE + 4), 0xaaaaaaaau);
  b.reg(LOOM_REG_JOBS_RETIRED, 9, 8);
  EXPECT_EQ(b.reg(LOOM_REG_JOBS_RETIRED, 8), 0u);
}

TEST(registers, rings_are_locked_while_enabled) {
  bus b;
  b.enable();
  EXPECT_EQ(b.reg(LOOM_REG_STATUS), LOOM_STS_READY);
  b.reg(LOOM_REG_RING_BASE, 0, 8);
  b.reg(LOOM_REG_CQ_ENTRIES, 3, 4);
  EXPECT_EQ(b.reg(LOOM_REG_RING_BASE, 8), bus::ring_at);
  EXPECT_EQ(b.reg(LOOM_REG_CQ_ENTRIES), bus::entries);
}

TEST(registers, a_bad_ring_is_a_device_error) {
  const struct {
    uint32_t reg;
    uint64_t value;
    unsigned bytes;
  } table[] = {{LOOM_REG_RING_BASE, bus::ring_at + 32, 8},
               {LOOM_REG_RING_BASE, 0, 8},
               {LOOM_REG_RING_ENTRIES, 0, 4},
               {LOOM_REG_RING_ENTRIES, 12, 4},
               {LOOM_REG_CQ_ENTRIES, 2048, 4},
               {LOOM_REG_CQ_BASE, bus::cq_at + 1, 8}};
  for (const auto &t : table) {
    bus b;
    b.enable();
    b.reg(LOOM_REG_CONTROL, 0, 4);
    b.reg(t.reg, t.value, t.bytes);
    b.reg(LOOM_REG_CONTROL, LOOM_CTL_ENABLE, 4);
    EXPECT_EQ(b.reg(LOOM_REG_CONTROL), 0u);
    EXPECT_EQ(b.reg(LOOM_REG_STATUS), LOOM_STS_ERROR);
    EXPECT_EQ(b.reg(LOOM_REG_ERROR), unsigned(LOOM_DEV_BAD_RING));
    EXPECT_EQ(b.reg(LOOM_REG_IRQ_STATUS), LOOM_IRQ_ADMIN);
    EXPECT_EQ(b.irqs[LOOM_VEC_ADMIN], 1u);
    b.reg(LOOM_REG_CONTROL, LOOM_CTL_RESET, 4);
    EXPECT_EQ(b.reg(LOOM_REG_ERROR), 0u);
  }
}

TEST(jobs, data_moves_through_scattered_pages) {
  for (bool mapped : {true, false}) {
    for (uint64_t offset : {0, 64, 4032}) {
      bus b(mapped);
      const uint32_t bytes = 20000;
      const auto in = b.make_buffer(bytes + 4096),
                 out = b.make_buffer(bytes + 4096, mapped);
      for (uint32_t i = 0; i < bytes + 4096; i++)
        b.byte(in, i) = uint8_t(i * 13 + i / 256), b.byte(out, i) = 0xee;
      b.code(mover(bytes));
      b.region(2, in, offset, bytes, LOOM_RIGHT_READ);
      b.region(3, out, offset, bytes, LOOM_RIGHT_WRITE);
      b.enable();
      const auto c = b.run();
      ASSERT_EQ(c.fault, LOOM_FAULT_NONE);
      EXPECT_EQ(c.seqno, 101u);
      EXPECT_EQ(c.insns, 3u);
      for (uint32_t i = 0; i < bytes + 4096; i++)
        ASSERT_EQ(b.byte(out, i),
                  i >= offset && i < offset + bytes ? b.byte(in, i) : 0xee)
            << i;
      EXPECT_EQ(b.irqs[LOOM_VEC_QUEUE], 1u);
      EXPECT_EQ(b.reg(LOOM_REG_JOBS_RETIRED, 8), 1u);
      EXPECT_EQ(b.reg(LOOM_REG_JOBS_FAULTED, 8), 0u);
      EXPECT_EQ(b.reg(LOOM_REG_BUSY_CYCLES, 8), c.cycles);
      EXPECT_EQ(b.reg(LOOM_REG_PROGRESS, 8), 3u);
      EXPECT_EQ(b.reg(LOOM_REG_PROGRESS_JOB), 0u);
      EXPECT_EQ(b.reg(LOOM_REG_RING_HEAD), 1u);
      EXPECT_EQ(b.reg(LOOM_REG_CQ_TAIL), 1u);
    }
  }
}

TEST(jobs, buffers_may_be_larger_than_one_leaf) {
  // The second leaf is reached although only one page of it exists.
  bus b;
  const auto in = b.make_buffer(4096), out = b.make_buffer(4096);
  const uint64_t leaf = b.page();
  b.at<uint64_t>(in.root + 8) = leaf | LOOM_PTE_VALID;
  b.at<uint64_t>(leaf + 8) = in.pages[0] | LOOM_PTE_VALID;
  b.byte(in, 0) = 0x42;
  b.code(mover(64));
  b.region(2, in, (LOOM_PTE_PER_PAGE + 1) * LOOM_PAGE_BYTES, 64,
           LOOM_RIGHT_READ);
  b.region(3, out, 0, 64, LOOM_RIGHT_WRITE);
  b.enable();
  EXPECT_EQ(b.run().fault, LOOM_FAULT_NONE);
  EXPECT_EQ(b.byte(out, 0), 0x42);
}

TEST(jobs, rings_wrap_and_the_phase_tells) {
  bus b;
  b.code(halt_only());
  b.enable();
  for (uint32_t i = 0; i < 5 * bus::entries; i++) {
    EXPECT_FALSE(b.completion_waits());
    const auto c = b.run();
    ASSERT_EQ(c.seqno, 101 + i);
    ASSERT_EQ(c.fault, LOOM_FAULT_NONE);
  }
  EXPECT_EQ(b.irqs[LOOM_VEC_QUEUE], 5 * bus::entries);
}

TEST(jobs, a_batch_is_taken_with_one_doorbell) {
  bus b;
  b.code(halt_only());
  b.enable();
  for (uint32_t i = 0; i < bus::entries; i++, b.tail++)
    b.next_job();
  b.tail--;
  EXPECT_TRUE(b.doorbell());
  b.work();
  for (uint32_t i = 0; i < bus::entries; i++)
    EXPECT_EQ(b.reap().seqno, 101 + i);
}

TEST(jobs, record_goes_out_after_the_data_and_its_phase_last) {
  bus b(false);
  const auto in = b.make_buffer(4096), out = b.make_buffer(4096),
             report = b.make_buffer(4096);
  b.code(mover(64));
  b.region(1, report, 0, 4096, LOOM_RIGHT_WRITE);
  b.region(2, in, 0, 64, LOOM_RIGHT_READ);
  b.region(3, out, 0, 64, LOOM_RIGHT_WRITE);
  b.enable();
  ASSERT_EQ(b.run().fault, LOOM_FAULT_NONE);
  const auto &w = b.writes;
  ASSERT_GE(w.size(), 4u);
  EXPECT_EQ(w[0].first, out.pages[0]);
  EXPECT_EQ(w[w.size() - 3].first, report.pages[0]) << "the report's head";
  EXPECT_EQ(w[w.size() - 2], (std::pair<uint64_t, uint64_t>(bus::cq_at, 64)));
  EXPECT_EQ(w[w.size() - 1],
            (std::pair<uint64_t, uint64_t>(
                bus::cq_at + offsetof(loom_completion, phase), 4)));
  const auto &r = b.at<loom_report>(report.pages[0]);
  EXPECT_EQ(r.magic, LOOM_REPORT_MAGIC);
  EXPECT_EQ(r.n_entries, 3u);
}

struct bad_job {
  const char *what;
  int fault;
  void (*damage)(bus &, loom_job &);
};

loom_region &table(bus &b, uint32_t i) {
  return b.at<loom_region>(bus::table_at + i * sizeof(loom_region));
}

TEST(jobs, malformed_jobs_and_tables_complete_with_a_fault) {
  const bad_job list[] = {
      {"flags", LOOM_FAULT_JOB, [](bus &, loom_job &j) { j.flags = 1; }},
      {"reserved", LOOM_FAULT_JOB, [](bus &, loom_job &j) { j.rsvd[4] = 1; }},
      {"no regions", LOOM_FAULT_JOB,
       [](bus &, loom_job &j) { j.n_regions = 1; }},
      {"too many regions", LOOM_FAULT_JOB,
       [](bus &, loom_job &j) { j.n_regions = 4099; }},
      {"table misaligned", LOOM_FAULT_JOB,
       [](bus &, loom_job &j) { j.table += 16; }},
      {"table off the bus", LOOM_FAULT_DMA,
       [](bus &, loom_job &j) { j.table = 0x1000; }},
      {"no budget", LOOM_FAULT_JOB,
       [](bus &, loom_job &j) { j.insn_budget = 0; }},
      {"no cycles", LOOM_FAULT_JOB,
       [](bus &, loom_job &j) { j.cycle_budget = 0; }},
      {"no units", LOOM_FAULT_JOB, [](bus &, loom_job &j) { j.n_units = 0; }},
      {"units past the code", LOOM_FAULT_JOB,
       [](bus &, loom_job &j) { j.n_units++; }},
      {"start past the code", LOOM_FAULT_JOB,
       [](bus &, loom_job &j) { j.first_unit = 0xffffffff; }},
      {"code not bound", LOOM_FAULT_JOB,
       [](bus &b, loom_job &) { table(b, 0) = {}; }},
      {"code not readable", LOOM_FAULT_JOB,
       [](bus &b, loom_job &) { table(b, 0).rights = LOOM_RIGHT_WRITE; }},
      {"report not writable", LOOM_FAULT_JOB,
       [](bus &b, loom_job &) {
         table(b, 1) = {table(b, 0).root, 0, 4096, LOOM_RIGHT_READ, 0};
       }},
      {"rights", LOOM_FAULT_JOB,
       [](bus &b, loom_job &) { table(b, 2).rights = 4; }},
      {"class", LOOM_FAULT_JOB,
       [](bus &b, loom_job &) { table(b, 2).mem_class = 2; }},
      {"offset misaligned", LOOM_FAULT_JOB,
       [](bus &b, loom_job &) { table(b, 2).offset = 32; }},
      {"root misaligned", LOOM_FAULT_JOB,
       [](bus &b, loom_job &) { table(b, 2).root |= 1; }},
      {"too long", LOOM_FAULT_JOB,
       [](bus &b, loom_job &) {
         table(b, 2).bytes = LOOM_MAX_BUFFER_BYTES + 1;
       }},
      {"past the page list", LOOM_FAULT_JOB,
       [](bus &b, loom_job &) { table(b, 2).offset = LOOM_MAX_BUFFER_BYTES; }},
      {"wrapping", LOOM_FAULT_JOB,
       [](bus &b, loom_job &) { table(b, 2).offset = ~uint64_t(63); }},
      {"bytes of nothing", LOOM_FAULT_JOB,
       [](bus &b, loom_job &) { table(b, 2).root = 0; }},
      {"page list off the bus", LOOM_FAULT_DMA,
       [](bus &b, loom_job &) { table(b, 2).root = 0x5000; }},
      {"leaf not valid", LOOM_FAULT_PAGE_LIST,
       [](bus &b, loom_job &) { b.at<uint64_t>(table(b, 2).root) = 0; }},
      {"leaf with low bits", LOOM_FAULT_PAGE_LIST,
       [](bus &b, loom_job &) { b.at<uint64_t>(table(b, 2).root) |= 0x10; }},
      {"page not valid", LOOM_FAULT_PAGE_LIST,
       [](bus &b, loom_job &) {
         b.at<uint64_t>(b.at<uint64_t>(table(b, 2).root) & ~1ull) &= ~1ull;
       }},
      {"page off the bus", LOOM_FAULT_DMA,
       [](bus &b, loom_job &) {
         b.at<uint64_t>(b.at<uint64_t>(table(b, 2).root) & ~1ull) = 0x7001;
       }},
      {"code page off the bus", LOOM_FAULT_DMA,
       [](bus &b, loom_job &) {
         b.at<uint64_t>(b.at<uint64_t>(table(b, 0).root) & ~1ull) = 0x7001;
       }},
  };
  for (const auto &t : list) {
    for (bool mapped : {true, false}) {
      bus b(mapped);
      const auto in = b.make_buffer(4096), out = b.make_buffer(4096);
      b.code(mover(64));
      b.region(2, in, 0, 64, LOOM_RIGHT_READ);
      b.region(3, out, 0, 64, LOOM_RIGHT_WRITE);
      b.enable();
      t.damage(b, b.next_job());
      b.doorbell();
      b.work();
      EXPECT_EQ(b.reap().fault, t.fault) << t.what;
      EXPECT_EQ(b.reg(LOOM_REG_JOBS_FAULTED, 8), 1u) << t.what;
      EXPECT_EQ(b.reg(LOOM_REG_ERROR), 0u)
          << "a bad job must not hurt the device: " << t.what;
      b.code(mover(64)); // and the next one runs
      table(b, 1) = {};
      const auto in2 = b.make_buffer(4096);
      b.region(2, in2, 0, 64, LOOM_RIGHT_READ);
      const auto code = b.make_buffer(4096);
      b.put(code, mover(64).bytes);
      b.region(0, code, 0, mover(64).bytes.size(), LOOM_RIGHT_READ);
      EXPECT_EQ(b.run().fault, LOOM_FAULT_NONE) << t.what;
    }
  }
}

TEST(errors, doorbell_past_the_ring) {
  bus b;
  b.code(halt_only());
  b.enable();
  EXPECT_FALSE(b.reg(LOOM_REG_DOORBELL, bus::entries + 1, 4));
  EXPECT_EQ(b.reg(LOOM_REG_ERROR), unsigned(LOOM_DEV_BAD_DOORBELL));
  EXPECT_EQ(b.irqs[LOOM_VEC_ADMIN], 1u);
  b.next_job();
  EXPECT_FALSE(b.doorbell()) << "no more jobs until reset";
  b.work();
  EXPECT_FALSE(b.completion_waits());
  b.reg(LOOM_REG_CONTROL, LOOM_CTL_RESET, 4);
  b.enable();
  EXPECT_EQ(b.run().fault, LOOM_FAULT_NONE);
}

TEST(errors, doorbell_while_disabled_is_dropped) {
  bus b;
  EXPECT_FALSE(b.reg(LOOM_REG_DOORBELL, 5, 4));
  EXPECT_EQ(b.reg(LOOM_REG_ERROR), 0u);
}

TEST(errors, rings_that_cannot_be_reached) {
  for (bool completion : {false, true}) {
    bus b;
    b.code(halt_only());
    b.enable();
    b.next_job();
    b.refuse_from = completion ? bus::cq_at : bus::ring_at;
    b.refuse_to = b.refuse_from + 0x1000;
    b.doorbell();
    b.work();
    EXPECT_EQ(b.reg(LOOM_REG_ERROR),
              unsigned(completion ? LOOM_DEV_CQ_DMA : LOOM_DEV_RING_DMA));
    EXPECT_EQ(b.reg(LOOM_REG_STATUS), LOOM_STS_ERROR);
    EXPECT_EQ(b.irqs[LOOM_VEC_ADMIN], 1u);
    EXPECT_EQ(b.irqs[LOOM_VEC_QUEUE], 0u);
  }
}

TEST(errors, completion_ring_overflow) {
  bus b;
  b.code(halt_only());
  b.enable();
  for (uint32_t i = 0; i < bus::entries; i++) {
    b.next_job();
    b.doorbell();
    b.work();
  }
  EXPECT_EQ(b.reg(LOOM_REG_ERROR), 0u);
  b.next_job();
  b.doorbell();
  b.work();
  EXPECT_EQ(b.reg(LOOM_REG_ERROR), unsigned(LOOM_DEV_CQ_OVERFLOW));
  EXPECT_EQ(b.reap().seqno, 101u) << "the oldest record is untouched";
}

TEST(interrupts, pending_bits_raise_when_enabled) {
  bus b;
  b.code(halt_only());
  b.enable();
  b.reg(LOOM_REG_IRQ_ENABLE, 0, 4);
  b.run();
  EXPECT_EQ(b.irqs[LOOM_VEC_QUEUE], 0u);
  EXPECT_EQ(b.reg(LOOM_REG_IRQ_STATUS), LOOM_IRQ_QUEUE);
  b.reg(LOOM_REG_IRQ_ENABLE, LOOM_IRQ_QUEUE, 4);
  EXPECT_EQ(b.irqs[LOOM_VEC_QUEUE], 1u);
  b.reg(LOOM_REG_IRQ_STATUS, LOOM_IRQ_QUEUE, 4);
  EXPECT_EQ(b.reg(LOOM_REG_IRQ_STATUS), 0u);
}

TEST(control, halt_aborts_the_job_and_holds_the_ring) {
  bus b;
  b.code(endless());
  b.enable();
  b.next_job();
  b.doorbell();
  EXPECT_TRUE(loom_dev_step(b.dev.get(), 100));
  EXPECT_EQ(b.reg(LOOM_REG_STATUS), LOOM_STS_READY | LOOM_STS_RUNNING);
  EXPECT_EQ(b.reg(LOOM_REG_PROGRESS, 8), 100u);
  EXPECT_EQ(b.reg(LOOM_REG_PROGRESS_JOB), 101u);
  EXPECT_TRUE(b.reg(LOOM_REG_CONTROL, LOOM_CTL_ENABLE | LOOM_CTL_HALT, 4));
  b.work();
  EXPECT_EQ(b.reg(LOOM_REG_STATUS), LOOM_STS_READY | LOOM_STS_HALTED);
  const auto c = b.reap();
  EXPECT_EQ(c.fault, LOOM_FAULT_ABORTED);
  EXPECT_EQ(c.insns, 100u);
  b.code(halt_only());
  b.next_job();
  EXPECT_FALSE(b.doorbell());
  b.work();
  EXPECT_FALSE(b.completion_waits());
  EXPECT_TRUE(b.reg(LOOM_REG_CONTROL, LOOM_CTL_ENABLE, 4));
  b.work();
  EXPECT_EQ(b.reap().fault, LOOM_FAULT_NONE);
}

TEST(control, reset_forgets_the_job_but_not_the_counters) {
  bus b;
  b.code(halt_only());
  b.enable();
  b.run();
  b.code(endless());
  b.next_job();
  b.doorbell();
  loom_dev_step(b.dev.get(), 10);
  EXPECT_FALSE(b.reg(LOOM_REG_CONTROL, LOOM_CTL_RESET, 4));
  EXPECT_EQ(b.reg(LOOM_REG_CONTROL), 0u);
  EXPECT_EQ(b.reg(LOOM_REG_RING_BASE, 8), 0u);
  EXPECT_EQ(b.reg(LOOM_REG_RING_HEAD), 0u);
  EXPECT_EQ(b.reg(LOOM_REG_PROGRESS, 8), 0u);
  EXPECT_EQ(b.reg(LOOM_REG_PROGRESS_JOB), 0u);
  EXPECT_EQ(b.reg(LOOM_REG_JOBS_RETIRED, 8), 1u);
  EXPECT_EQ(b.reg(LOOM_REG_RESETS), 1u);
  const auto before = b.memory;
  b.work();
  EXPECT_EQ(b.memory, before) << "nothing is written after a reset";
  loom_dev_reset(b.dev.get(), false);
  EXPECT_EQ(b.reg(LOOM_REG_RESETS), 2u);
  loom_dev_reset(b.dev.get(), true);
  EXPECT_EQ(b.reg(LOOM_REG_RESETS), 0u);
  EXPECT_EQ(b.reg(LOOM_REG_JOBS_RETIRED, 8), 0u);
  std::fill(b.memory.begin() + 0x2000, b.memory.begin() + 0x3000, 0);
  b.code(halt_only());
  b.enable();
  EXPECT_EQ(b.run().fault, LOOM_FAULT_NONE);
}

TEST(control, disabling_lets_the_job_end) {
  bus b;
  program p;
  p.loop(200, 2);
  p.seq(LOOM_OP_MARK);
  p.halt();
  b.code(p);
  b.enable();
  b.next_job();
  b.doorbell();
  loom_dev_step(b.dev.get(), 10);
  b.reg(LOOM_REG_CONTROL, 0, 4);
  b.reg(LOOM_REG_CQ_ENTRIES, 0, 4);
  b.reg(LOOM_REG_RING_BASE, 0, 8);
  b.work();
  EXPECT_EQ(b.reap().fault, LOOM_FAULT_NONE) << "into the ring it came with";
}

TEST(control, kick_ends_a_step) {
  bus b;
  b.code(endless());
  b.enable();
  auto &j = b.next_job();
  j.insn_budget = j.cycle_budget = 1ull << 60;
  b.doorbell();
  loom_dev_kick(b.dev.get());
  EXPECT_TRUE(loom_dev_step(b.dev.get(), 0)) << "a kick from before counts";
  std::atomic<bool> back{false};
  std::thread worker([&] {
    loom_dev_step(b.dev.get(), 0);
    back = true;
  });
  const uint64_t before = b.reg(LOOM_REG_PROGRESS, 8);
  while (b.reg(LOOM_REG_PROGRESS, 8) < before + 1000)
    std::this_thread::yield();
  EXPECT_FALSE(back);
  loom_dev_kick(b.dev.get());
  worker.join();
  EXPECT_TRUE(back);
}

TEST(control, reset_during_a_step_happens_on_the_way_out) {
  bus b;
  b.code(endless());
  b.enable();
  auto &j = b.next_job();
  j.insn_budget = j.cycle_budget = 1ull << 60;
  b.doorbell();
  std::thread worker([&] {
    while (loom_dev_step(b.dev.get(), 0)) {
    }
  });
  while (b.reg(LOOM_REG_PROGRESS, 8) < 1000)
    std::this_thread::yield();
  b.reg(LOOM_REG_CONTROL, LOOM_CTL_RESET, 4);
  while (b.reg(LOOM_REG_CONTROL) & LOOM_CTL_RESET)
    std::this_thread::yield();
  worker.join();
  EXPECT_EQ(b.reg(LOOM_REG_STATUS), LOOM_STS_READY);
  EXPECT_EQ(b.reg(LOOM_REG_RESETS), 1u);
}

TEST(injection, hang_stops_at_the_instruction_until_reset) {
  bus b;
  b.code(endless());
  b.enable();
  loom_dev_inject(b.dev.get(), LOOM_INJECT_HANG, 100);
  b.next_job();
  b.doorbell();
  b.work();
  EXPECT_EQ(b.reg(LOOM_REG_PROGRESS, 8), 100u);
  EXPECT_EQ(b.reg(LOOM_REG_PROGRESS_JOB), 101u);
  EXPECT_EQ(b.reg(LOOM_REG_STATUS), LOOM_STS_READY | LOOM_STS_RUNNING);
  b.reg(LOOM_REG_CONTROL, LOOM_CTL_ENABLE | LOOM_CTL_HALT, 4);
  b.work();
  EXPECT_FALSE(b.completion_waits()) << "a hung device does not answer";
  b.reg(LOOM_REG_CONTROL, LOOM_CTL_RESET, 4);
  b.code(halt_only());
  b.enable();
  EXPECT_EQ(b.run().fault, LOOM_FAULT_NONE) << "one shot";
}

TEST(injection, survives_resets_until_a_job_comes) {
  bus b;
  loom_dev_inject(b.dev.get(), LOOM_INJECT_HANG, 0);
  loom_dev_reset(b.dev.get(), true);
  b.code(halt_only());
  b.enable();
  b.next_job();
  b.doorbell();
  b.work();
  EXPECT_FALSE(b.completion_waits());
  EXPECT_EQ(b.reg(LOOM_REG_PROGRESS, 8), 0u);
}

TEST(injection, lost_interrupts_leave_the_record) {
  bus b;
  b.code(halt_only());
  b.enable();
  loom_dev_inject(b.dev.get(), LOOM_INJECT_LOST_IRQ, 2);
  for (int i = 0; i < 3; i++)
    EXPECT_EQ(b.run().fault, LOOM_FAULT_NONE);
  EXPECT_EQ(b.irqs[LOOM_VEC_QUEUE], 1u);
}

TEST(injection, failed_access_faults_the_job_alone) {
  for (uint64_t nth = 1; nth < 6; nth++) {
    bus b;
    const auto in = b.make_buffer(4096), out = b.make_buffer(4096),
               report = b.make_buffer(4096);
    b.code(mover(64));
    b.region(1, report, 0, 4096, LOOM_RIGHT_WRITE);
    b.region(2, in, 0, 64, LOOM_RIGHT_READ);
    b.region(3, out, 0, 64, LOOM_RIGHT_WRITE);
    b.enable();
    loom_dev_inject(b.dev.get(), LOOM_INJECT_DMA_FAIL, nth);
    // Accesses: code, source, destination, report's entries, report's head.
    const auto c = b.run();
    EXPECT_EQ(c.fault, LOOM_FAULT_DMA) << nth;
    const uint16_t slots[] = {LOOM_SLOT_CODE, 0, 1, LOOM_SLOT_REPORT,
                              LOOM_SLOT_REPORT};
    EXPECT_EQ(c.slot, slots[nth - 1]) << nth;
    EXPECT_EQ(b.run().fault, LOOM_FAULT_NONE);
  }
}

TEST(injection, can_be_disarmed) {
  bus b;
  b.code(halt_only());
  b.enable();
  loom_dev_inject(b.dev.get(), LOOM_INJECT_HANG, 0);
  loom_dev_inject(b.dev.get(), LOOM_INJECT_DMA_FAIL, 1);
  loom_dev_inject(b.dev.get(), LOOM_INJECT_NONE, 0);
  EXPECT_EQ(b.run().fault, LOOM_FAULT_NONE);
}

// --- saved state ---

program long_mover() {
  program p;
  p.loop(50, 7);
  signals(p.copy(LOOM_ADDR(0, 0), sram(0), 3000), {0, 1});
  waits(p.store_copy(sram(0), LOOM_ADDR(1, 0), 3000), {0, 1});
  p.halt();
  return p;
}

void prepare(bus &b) {
  const auto in = b.make_buffer(4096), out = b.make_buffer(4096);
  for (int i = 0; i < 4096; i++)
    b.byte(in, i) = uint8_t(i * 3);
  b.code(long_mover());
  b.region(2, in, 0, 3000, LOOM_RIGHT_READ);
  b.region(3, out, 0, 3000, LOOM_RIGHT_WRITE);
  b.enable();
  b.next_job();
  b.doorbell();
}

std::vector<uint8_t> saved(bus &b) {
  std::vector<uint8_t> s(loom_dev_save_bytes(b.dev.get()));
  loom_dev_save(b.dev.get(), s.data());
  return s;
}

TEST(saved_device, goes_on_elsewhere) {
  bus whole;
  prepare(whole);
  whole.work();
  auto b = std::make_unique<bus>();
  prepare(*b);
  while (loom_dev_step(b->dev.get(), 7)) {
    const auto s = saved(*b);
    auto next = std::make_unique<bus>();
    next->memory = b->memory;
    EXPECT_EQ(loom_dev_load(next->dev.get(), s.data(), s.size()), nullptr);
    EXPECT_EQ(saved(*next), s) << "what was loaded is what was saved";
    for (uint32_t r : {LOOM_REG_STATUS, LOOM_REG_PROGRESS,
                       LOOM_REG_PROGRESS_JOB, LOOM_REG_RING_HEAD})
      EXPECT_EQ(next->reg(r), b->reg(r));
    b = std::move(next);
  }
  EXPECT_EQ(b->memory, whole.memory);
}

TEST(saved_device, keeps_a_hang) {
  bus b;
  prepare(b);
  loom_dev_inject(b.dev.get(), LOOM_INJECT_HANG, 20);
  b.work();
  const auto s = saved(b);
  bus next;
  next.memory = b.memory;
  ASSERT_EQ(loom_dev_load(next.dev.get(), s.data(), s.size()), nullptr);
  EXPECT_FALSE(loom_dev_step(next.dev.get(), 64));
  EXPECT_EQ(next.reg(LOOM_REG_PROGRESS, 8), 20u);
}

TEST(saved_device, damaged_state_is_refused_or_harmless) {
  bus b;
  prepare(b);
  loom_dev_step(b.dev.get(), 30);
  const auto s = saved(b);
  EXPECT_NE(loom_dev_load(b.dev.get(), s.data(), s.size() - 1), nullptr);
  std::mt19937 rng(5);
  int refused = 0;
  bus victim;
  for (int round = 0; round < 1500; round++) {
    auto damaged = s;
    for (uint32_t n = 1 + rng() % 3; n; n--)
      damaged[rng() % (round % 2 ? 500 : 140000)] ^= uint8_t(1u << rng() % 8);
    victim.memory = b.memory;
    if (loom_dev_load(victim.dev.get(), damaged.data(), damaged.size()))
      refused++;
    for (int i = 0; i < 5; i++)
      loom_dev_step(victim.dev.get(), 64);
  }
  EXPECT_GT(refused, 300);
}

} // namespace
} // namespace loom::test
