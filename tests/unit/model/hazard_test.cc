// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The hazard checker: what is ordered passes, what is not is named, whatever
// the time at which it happens to run.
#include "rig.h"

namespace loom::test {
namespace {

class hazards : public ::testing::Test {
protected:
  rig r;
  uint32_t in = r.slot(1 << 16), out = r.slot(1 << 16);

  void SetUp() override {
    ASSERT_TRUE(loom_npu_set_hazards(r.npu.get(), true));
  }
  void clean(program &p) {
    p.halt();
    const loom_completion c = r.run(p);
    EXPECT_EQ(c.fault, LOOM_FAULT_NONE)
        << "unit " << c.unit << " against " << c.aux;
  }
  // The record at `second` conflicts with the one at `first`.
  void caught(program &p, uint32_t second, uint32_t first, uint64_t offset,
              uint32_t slot = LOOM_SLOT_SRAM) {
    p.halt();
    const loom_completion c = r.run(p);
    EXPECT_EQ(c.fault, LOOM_FAULT_HAZARD);
    EXPECT_EQ(c.unit, second);
    EXPECT_EQ(c.aux, first);
    EXPECT_EQ(c.slot, slot);
    EXPECT_EQ(c.offset, offset);
    EXPECT_EQ(c.limit, slot == LOOM_SLOT_SRAM ? r.target.sram_bytes : 1 << 16);
  }
};

TEST_F(hazards, a_read_without_a_wait_is_caught) {
  program p;
  p.copy(LOOM_ADDR(in, 0), sram(0), 256);
  p.store_copy(sram(128), LOOM_ADDR(out, 0), 64);
  caught(p, 3, 0, 128);
}

TEST_F(hazards, off_it_says_nothing) {
  loom_npu_set_hazards(r.npu.get(), false);
  program p;
  p.copy(LOOM_ADDR(in, 0), sram(0), 256);
  p.store_copy(sram(128), LOOM_ADDR(out, 0), 64);
  clean(p);
}

TEST_F(hazards, time_orders_nothing) {
  program p;
  p.copy(LOOM_ADDR(in, 0), sram(0), 64);
  for (int i = 0; i < 2000; i++)
    p.ldi(1, i); // the copy is long over
  const uint32_t late = p.pc();
  p.store_copy(sram(0), LOOM_ADDR(out, 0), 64);
  caught(p, late, 0, 0);
}

TEST_F(hazards, a_semaphore_orders) {
  program p;
  signals(p.copy(LOOM_ADDR(in, 0), sram(0), 256), {1, 1});
  waits(p.store_copy(sram(128), LOOM_ADDR(out, 0), 64), {1, 1});
  clean(p);
}

TEST_F(hazards, order_goes_through_a_third_queue) {
  program p;
  signals(p.copy(LOOM_ADDR(in, 0), sram(0), 64), {1, 1});
  signals(waits(p.negate(1024, 2048, 16), {1, 1}), {2, 1});
  waits(p.store_copy(sram(0), LOOM_ADDR(out, 0), 64), {2, 1});
  clean(p);
}

TEST_F(hazards, a_token_of_the_wrong_record_is_not_enough) {
  program p;
  signals(p.copy(LOOM_ADDR(in, 0), sram(0), 64), {1, 1});
  const uint32_t writer = p.pc();
  signals(p.copy(LOOM_ADDR(in, 0), sram(64), 64), {1, 1});
  const uint32_t reader = p.pc();
  waits(p.store_copy(sram(64), LOOM_ADDR(out, 0), 64), {1, 1});
  waits(p.store_copy(sram(0), LOOM_ADDR(out, 64), 64), {1, 1});
  caught(p, reader, writer, 64);
}

TEST_F(hazards, a_fence_orders) {
  program p;
  p.copy(LOOM_ADDR(in, 0), sram(0), 64);
  p.seq(LOOM_OP_FENCE);
  p.store_copy(sram(0), LOOM_ADDR(out, 0), 64);
  clean(p);
}

TEST_F(hazards, a_write_over_what_is_still_read_is_caught) {
  program p;
  p.store_copy(sram(0), LOOM_ADDR(out, 0), 64);
  p.copy(LOOM_ADDR(in, 0), sram(32), 64);
  caught(p, 3, 0, 32);
}

TEST_F(hazards, two_readers_are_fine) {
  program p;
  p.store_copy(sram(0), LOOM_ADDR(out, 0), 64);
  p.negate(0, 1024, 16);
  clean(p);
}

TEST_F(hazards, slots_are_watched_too) {
  program p;
  p.store_copy(sram(0), LOOM_ADDR(out, 0), 64);
  p.copy(LOOM_ADDR(out, 60), sram(1024), 64);
  caught(p, 3, 0, 60, out);
}

TEST_F(hazards, interleaved_columns_do_not_meet) {
  program p;
  auto &left = p.copy(LOOM_ADDR(in, 0), sram(0), 32);
  left.n[3] = 16;
  left.sstride[3] = left.dstride[3] = 64;
  auto &right = p.store_copy(sram(32), LOOM_ADDR(out, 0), 32);
  right.n[3] = 16;
  right.sstride[3] = right.dstride[3] = 64;
  clean(p);
  program q = {};
  auto &again = q.copy(LOOM_ADDR(in, 0), sram(0), 33);
  again.n[3] = 16;
  again.sstride[3] = again.dstride[3] = 64;
  auto &reader = q.store_copy(sram(32), LOOM_ADDR(out, 0), 32);
  reader.n[3] = 16;
  reader.sstride[3] = reader.dstride[3] = 64;
  caught(q, 3, 0, 32);
}

TEST_F(hazards, the_array_and_its_operands) {
  program p;
  signals(p.copy(LOOM_ADDR(in, 0), sram(0), 8 * 8 * 4), {1, 1});
  const uint32_t weights = p.pc();
  p.copy(LOOM_ADDR(in, 0), sram(4096), 8 * 8 * 4);
  const uint32_t product = p.pc();
  waits(p.gemm(8, 8, 8, 0, 4096, 8192), {1, 1});
  caught(p, product, weights, 4096);
}

TEST_F(hazards, a_table_is_read) {
  program p;
  p.copy(LOOM_ADDR(in, 0), sram(4096), 256);
  const uint32_t user = p.pc();
  auto &v = p.negate(0, 1024, 16);
  v.nimms = 1; // in front of the chain, which has room to the unit's end
  uint32_t *words =
      reinterpret_cast<uint32_t *>(reinterpret_cast<loom_view *>(&v + 1) + 2);
  words[0] = 4096;
  words[1] = LOOM_UOP(LOOM_UOP_LOAD, 0, 0, 0, 0);
  words[2] = LOOM_UOP(LOOM_UOP_LUT8, 0, 0, LOOM_UOP_IMM(0), 0);
  words[3] = LOOM_UOP(LOOM_UOP_STORE, 1, 0, 0, 0);
  caught(p, user, 0, 4096);
}

// A scan resumes from one element, not from sixteen partial results.
TEST_F(hazards, a_scan_touches_no_more_than_its_elements) {
  program p;
  auto &v = p.negate(0, 1024, 16);
  v.mask = LOOM_VPU_SCAN | 1 << 5;
  auto *views = reinterpret_cast<loom_view *>(&v + 1);
  views[1].flags = LOOM_VIEW_OUT | LOOM_VIEW_RESUME;
  views[0].dtype = views[1].dtype = LOOM_F32;
  const uint32_t chain[] = {LOOM_UOP(LOOM_UOP_LOAD, 0, 0, 0, 0),
                            LOOM_UOP(LOOM_UOP_RADD_F, 1, 0, 0, 0)};
  std::memcpy(views + 2, chain, sizeof(chain));
  v.nops = 2;
  reinterpret_cast<uint32_t *>(views + 2)[2] = 0;
  p.copy(LOOM_ADDR(in, 0), sram(1024 + 64), 64);
  clean(p);
}

TEST_F(hazards, scalar_loads_need_an_order) {
  program p;
  p.copy(LOOM_ADDR(in, 0), sram(0), 64);
  p.seq(LOOM_OP_LD, 1, 0, 0, 8, LOOM_SCALAR_I32);
  caught(p, 3, 0, 8);
  program q;
  signals(q.copy(LOOM_ADDR(in, 0), sram(0), 64), {1, 1});
  waits(q.seq(LOOM_OP_LD, 1, 0, 0, 8, LOOM_SCALAR_I32), {1, 1});
  clean(q);
}

TEST_F(hazards, dispatch_orders_after_what_seq_did) {
  program p;
  p.ldi(1, 5);
  p.store(1, 0);
  p.store_copy(sram(0), LOOM_ADDR(out, 0), 4);
  clean(p);
  EXPECT_EQ(r.word<uint32_t>(out, 0), 5u);
}

// Two buffers in a loop; without the tokens of empty buffers, the load of the
// third round races with the store of the first.
TEST_F(hazards, double_buffers_in_a_loop) {
  for (const bool whole : {true, false}) {
    program p;
    constexpr uint8_t full = 1, empty = 2;
    p.ldi(0, 0).h.signal[0] = {empty, 2};
    const uint32_t body = p.pc() + 1;
    p.loop(100, body + 8, 1);
    p.seq(LOOM_OP_AND, 2, 1, 0, 1);  // buffer = index & 1
    p.seq(LOOM_OP_SHL, 2, 2, 0, 10); // * 1024
    auto &load = signals(p.copy(LOOM_ADDR(in, 0), sram(0), 1024), {full, 1});
    load.h.regsel = LOOM_REGSEL(0, 2, 0, 0);
    if (whole)
      waits(load, {empty, 1});
    auto &store =
        waits(p.store_copy(sram(0), LOOM_ADDR(out, 0), 1024), {full, 1});
    store.h.regsel = LOOM_REGSEL(2, 0, 0, 0);
    if (whole)
      signals(store, {empty, 1});
    if (!whole) {
      caught(p, body + 2, body + 5, 0);
      continue;
    }
    auto &drain = p.seq(LOOM_OP_FENCE);
    waits(drain, {empty, 2});
    clean(p);
  }
}

TEST_F(hazards, a_job_loaded_in_its_middle_is_checked_from_there) {
  program p;
  signals(p.copy(LOOM_ADDR(in, 0), sram(0), 4096), {1, 1});
  waits(p.store_copy(sram(0), LOOM_ADDR(out, 0), 4096), {1, 1});
  p.seq(LOOM_OP_FENCE); // what runs when the state is saved is not checked
  const uint32_t first = p.pc();
  p.negate(8192, 8192 + 64, 16);
  const uint32_t second = p.pc();
  p.copy(LOOM_ADDR(in, 0), sram(8192 + 64), 64);
  p.halt();
  ASSERT_EQ(r.start(p), LOOM_FAULT_NONE);
  loom_npu_run(r.npu.get(), 1);
  std::vector<uint8_t> state(loom_npu_save_bytes(r.npu.get()));
  loom_npu_save(r.npu.get(), state.data());
  ASSERT_TRUE(loom_npu_load(r.npu.get(), state.data(), state.size(),
                            r.slots.data(), uint32_t(r.slots.size())));
  while (loom_npu_run(r.npu.get(), 0) == LOOM_NPU_RUNNING) {
  }
  const loom_completion c = r.finish();
  EXPECT_EQ(c.fault, LOOM_FAULT_HAZARD);
  EXPECT_EQ(std::min(c.unit, c.aux), first);
  EXPECT_EQ(std::max(c.unit, c.aux), second);
}

} // namespace
} // namespace loom::test
