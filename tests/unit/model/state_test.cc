// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A job's result depends neither on how it is cut into runs nor on being saved
// and loaded in between, and what is loaded is checked.
#include "rig.h"

#include <random>

namespace loom::test {
namespace {

// Fills, copies, products, chains and scalar work that race freely, ordered by
// semaphores only here and there.
program random_program(uint32_t seed) {
  std::mt19937 rng(seed);
  auto below = [&](uint32_t n) { return uint32_t(rng() % n); };
  program p;
  uint32_t given = 0;
  p.ldi(1, below(64) * 64);
  p.loop(2 + below(3), 0, 2);
  for (int i = 0; i < 40; i++) {
    const uint32_t x = below(256) * 64, y = below(256) * 64;
    loom_hdr *h = nullptr;
    switch (below(10)) {
    case 0:
      h = &p.copy(LOOM_ADDR(below(3), x), sram(y), 1 + below(2000)).h;
      break;
    case 1:
      h = &p.store_copy(sram(x), LOOM_ADDR(below(2), y), 1 + below(2000)).h;
      break;
    case 2:
      h = &p.fill(sram(x), 64 * (1 + below(20)), rng(), 4).h;
      h->regsel = LOOM_REGSEL(0, 1, 0, 0);
      break;
    case 3:
      h = &p.gemm(1 + below(20), 1 + below(20), 1 + below(20), x, y,
                  32768 + below(64) * 64)
               .h;
      break;
    case 4:
      h = &p.negate(x, y, 1 + below(300)).h;
      break;
    case 5:
      h = &p.seq(LOOM_OP_LD, 3, 0, 0, x, LOOM_SCALAR_I32).h;
      break;
    case 6:
      h = &p.store(3, y).h;
      break;
    case 7: { // whatever lies there is the list
      auto &d = p.copy(LOOM_ADDR(below(3), x / 4), sram(y), 1 + below(40),
                       below(2) ? LOOM_OP_LD_GATHER : LOOM_OP_ST_GATHER);
      d.n[3] = 1 + below(20);
      d.limit = 1 + below(60);
      d.idx_type = LOOM_U32;
      d.idx_or_fill = below(256) * 64;
      d.sstride[3] = int32_t(below(100));
      d.dstride[3] = int32_t(below(100));
      h = &d.h;
      break;
    }
    case 8: {
      auto &m =
          p.gemm(1 + below(20), 1, 1 + below(20), x, y, 32768 + below(64) * 64);
      m.mode = LOOM_MXU_DW;
      m.kw = uint16_t(1 + below(3));
      m.b_sk = 4 * m.n;
      h = &m.h;
      break;
    }
    default:
      h = &p.seq(LOOM_OP_ADD, 1, 1, 0, 64).h;
      break;
    }
    if (below(3) == 0)
      h->signal[0] = {5, 1}, given++;
    else if (given && below(2))
      h->wait[0] = {5, 1}, given--;
  }
  if (given)
    waits(p.seq(LOOM_OP_FENCE), {5, uint8_t(given)});
  reinterpret_cast<loom_seq *>(p.bytes.data())[1].target = p.pc();
  p.halt();
  return p;
}

struct outcome {
  loom_completion c;
  std::vector<std::vector<uint8_t>> memory;
  std::vector<uint8_t> report;
  bool operator==(const outcome &o) const {
    return !std::memcmp(&c, &o.c, sizeof(c)) && memory == o.memory &&
           report == o.report;
  }
};

void add_slots(rig &r) {
  r.slot(1 << 16);
  r.slot(1 << 16);
  r.slot(1 << 16, LOOM_RIGHT_READ, 1);
}

outcome run_sliced(const program &p, uint64_t slice, bool direct = true) {
  rig r;
  add_slots(r);
  r.allow_direct = direct;
  outcome o;
  o.c = r.run(p, slice);
  o.memory = r.memory;
  o.report = r.report;
  expect_whole(r, o.c);
  return o;
}

// Moves the job to a new NPU after every few instructions.
outcome run_migrating(const program &p, uint64_t slice) {
  auto r = std::make_unique<rig>();
  add_slots(*r);
  EXPECT_EQ(r->start(p), LOOM_FAULT_NONE);
  while (loom_npu_run(r->npu.get(), slice) == LOOM_NPU_RUNNING) {
    std::vector<uint8_t> saved(loom_npu_save_bytes(r->npu.get()));
    loom_npu_save(r->npu.get(), saved.data());
    auto next = std::make_unique<rig>();
    next->slots = r->slots;
    next->memory = r->memory;
    next->code = r->code;
    next->report = r->report;
    EXPECT_TRUE(loom_npu_load(next->npu.get(), saved.data(), saved.size(),
                              next->slots.data(), next->slots.size()));
    EXPECT_EQ(loom_npu_progress(next->npu.get()),
              loom_npu_progress(r->npu.get()));
    r = std::move(next);
  }
  outcome o;
  o.c = r->finish();
  o.memory = r->memory;
  o.report = r->report;
  return o;
}

TEST(slices, do_not_change_anything) {
  int whole = 0;
  for (uint32_t seed = 0; seed < 60; seed++) {
    const program p = random_program(seed);
    const outcome once = run_sliced(p, 0);
    whole += once.c.fault == LOOM_FAULT_NONE;
    for (uint64_t slice : {1, 2, 7, 64})
      ASSERT_TRUE(run_sliced(p, slice) == once)
          << "seed " << seed << " slice " << slice;
    ASSERT_TRUE(run_sliced(p, 3, false) == once)
        << "seed " << seed << " without direct access";
  }
  EXPECT_GT(whole, 30)
      << "most programs must get to the end for this to mean anything";
}

TEST(saved_state, goes_on_as_if_nothing_had_happened) {
  for (uint32_t seed = 0; seed < 12; seed++) {
    const program p = random_program(seed);
    ASSERT_TRUE(run_migrating(p, 5 + seed) == run_sliced(p, 0)) << seed;
  }
}

// Saves the job after so many instructions and loads it elsewhere.
outcome run_moved_once(const program &p, uint64_t after) {
  rig r, next;
  add_slots(r);
  EXPECT_EQ(r.start(p), LOOM_FAULT_NONE);
  EXPECT_EQ(loom_npu_run(r.npu.get(), after), LOOM_NPU_RUNNING) << after;
  std::vector<uint8_t> saved(loom_npu_save_bytes(r.npu.get()));
  loom_npu_save(r.npu.get(), saved.data());
  next.slots = r.slots;
  next.memory = r.memory;
  next.code = r.code;
  next.report = r.report;
  EXPECT_TRUE(loom_npu_load(next.npu.get(), saved.data(), saved.size(),
                            next.slots.data(), next.slots.size()));
  outcome o;
  while (loom_npu_run(next.npu.get(), 0) == LOOM_NPU_RUNNING)
    ;
  o.c = next.finish();
  o.memory = next.memory;
  o.report = next.report;
  return o;
}

// No bit and no cycle, wherever a job is cut.
TEST(saved_state, at_a_hundred_random_moments_changes_nothing) {
  std::mt19937 rng(17);
  int moments = 0;
  for (uint32_t seed = 100; moments < 100; seed++) {
    const program p = random_program(seed);
    const outcome once = run_sliced(p, 0);
    if (once.c.fault != LOOM_FAULT_NONE)
      continue;
    for (int i = 0; i < 10; i++, moments++) {
      const uint64_t after = 1 + rng() % (once.c.insns - 1);
      ASSERT_TRUE(run_moved_once(p, after) == once)
          << "seed " << seed << ", after " << after << " instructions";
    }
  }
}

std::vector<uint8_t> saved_in_the_middle(rig &r) {
  add_slots(r);
  EXPECT_EQ(r.start(random_program(3)), LOOM_FAULT_NONE);
  EXPECT_EQ(loom_npu_run(r.npu.get(), 25), LOOM_NPU_RUNNING);
  std::vector<uint8_t> saved(loom_npu_save_bytes(r.npu.get()));
  loom_npu_save(r.npu.get(), saved.data());
  return saved;
}

TEST(saved_state, of_another_size_target_or_slots_is_refused) {
  rig r;
  const auto saved = saved_in_the_middle(r);
  rig other(named_target("npu8"));
  EXPECT_FALSE(loom_npu_load(other.npu.get(), saved.data(), saved.size(),
                             r.slots.data(), r.slots.size()));
  EXPECT_FALSE(loom_npu_load(r.npu.get(), saved.data(), saved.size() - 1,
                             r.slots.data(), r.slots.size()));
  EXPECT_FALSE(
      loom_npu_load(r.npu.get(), saved.data(), saved.size(), r.slots.data(), 0))
      << "a record that runs names a slot that is gone";
  EXPECT_TRUE(loom_npu_load(r.npu.get(), saved.data(), saved.size(),
                            r.slots.data(), r.slots.size()));
}

// Whatever the bytes, loading and running must stay inside the model. The
// sanitizers are the judges.
TEST(saved_state, with_flipped_bits_is_refused_or_runs_safely) {
  rig r;
  const auto saved = saved_in_the_middle(r);
  const size_t machine =
      saved.size() - r.target.sram_bytes - r.target.acc_bytes;
  std::mt19937 rng(4);
  int refused = 0;
  for (int round = 0; round < 3000; round++) {
    auto damaged = saved;
    for (uint32_t n = 1 + rng() % 3; n; n--)
      damaged[rng() % (round % 2 ? std::min<size_t>(machine, 4096)
                                 : machine)] ^= uint8_t(1u << rng() % 8);
    rig victim;
    victim.damaged = true;
    victim.slots = r.slots;
    victim.memory = r.memory;
    victim.code = r.code;
    const bool ok =
        loom_npu_load(victim.npu.get(), damaged.data(), damaged.size(),
                      victim.slots.data(), victim.slots.size());
    refused += !ok;
    if (ok)
      loom_npu_run(victim.npu.get(), 200);
  }
  EXPECT_GT(refused, 100);
}

} // namespace
} // namespace loom::test
