// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// INST_CREATE, INST_DESTROY, INST_RESET, INST_GET_STATE.
#include <cerrno>
#include <sys/mman.h>

#include "harness.h"

using namespace loom_test;

namespace {

constexpr unsigned kRw = LOOM_RIGHT_READ | LOOM_RIGHT_WRITE;

int reset(const Device &dev, std::uint32_t inst, std::uint32_t flags = 0) {
  drm_loom_inst_reset r{inst, flags};
  return dev.call(DRM_IOCTL_LOOM_INST_RESET, &r);
}

std::uint32_t state_bo(const Device &dev, std::uint32_t inst,
                       std::uint32_t slot, int expected = 0) {
  drm_loom_inst_get_state s{};
  s.inst = inst;
  s.state_bo = slot;
  EXPECT_EQ(dev.call(DRM_IOCTL_LOOM_INST_GET_STATE, &s), expected);
  return s.handle;
}

TEST(Inst, RejectsMalformed) {
  Device dev;
  const std::uint32_t ctx = dev.ctx(),
                      prog = dev.prog(halt_program(dev.target()));
  for (unsigned bit = 0; bit < 32; bit++) {
    drm_loom_inst_create c{ctx, prog, 1u << bit, 0};
    EXPECT_EQ(dev.call(DRM_IOCTL_LOOM_INST_CREATE, &c), EINVAL);
  }
  drm_loom_inst_create c{ctx, 999, 0, 0};
  EXPECT_EQ(dev.call(DRM_IOCTL_LOOM_INST_CREATE, &c), ENOENT);
  c = {999, prog, 0, 0};
  EXPECT_EQ(dev.call(DRM_IOCTL_LOOM_INST_CREATE, &c), ENOENT);

  const std::uint32_t inst = dev.inst(ctx, prog);
  EXPECT_EQ(reset(dev, inst, 1), EINVAL);
  EXPECT_EQ(reset(dev, 999), ENOENT);
  drm_loom_inst_get_state s{};
  s.inst = inst;
  s.state_bo = ~0u;
  s.pad = 1;
  EXPECT_EQ(dev.call(DRM_IOCTL_LOOM_INST_GET_STATE, &s), EINVAL);
  s.pad = 0;
  s.inst = 999;
  EXPECT_EQ(dev.call(DRM_IOCTL_LOOM_INST_GET_STATE, &s), ENOENT);
  state_bo(dev, inst, 0, EINVAL); // it has no slots
  drm_loom_inst_destroy d{inst, 1};
  EXPECT_EQ(dev.call(DRM_IOCTL_LOOM_INST_DESTROY, &d), EINVAL);
  d.pad = 0;
  EXPECT_EQ(dev.call(DRM_IOCTL_LOOM_INST_DESTROY, &d), 0);
  EXPECT_EQ(dev.call(DRM_IOCTL_LOOM_INST_DESTROY, &d), ENOENT);
}

TEST(Inst, OutlivesItsProgramsHandle) {
  Device dev;
  Runner r(dev, halt_program(dev.target()));
  drm_loom_prog_destroy d{r.prog, 0};
  EXPECT_EQ(dev.call(DRM_IOCTL_LOOM_PROG_DESTROY, &d), 0);
  EXPECT_EQ(r.run(), 1);
}

// STATE with INIT begins as the constants, STATE as zeros; both survive calls
// and begin again at a reset; instances do not share them.
struct StateTest : testing::Test {
  StateTest() : consts(dev.bo(4096)) {
    auto *c = static_cast<std::uint32_t *>(dev.map(consts, 4096));
    for (unsigned i = 0; i < 1024; i++)
      c[i] = 1000 + i;
    munmap(c, 4096);
    ProgramBuilder b(dev.target());
    b.constants(4096);
    b.slot(LOOM_SLOT_STATE, kRw, 2048, LOOM_SLOT_INIT, 1024);
    b.slot(LOOM_SLOT_STATE, kRw, 2048);
    b.slot(LOOM_SLOT_SCRATCH, kRw, 4096);
    b.move(0, 1, 2048);
    b.halt();
    b.segment();
    b.entry();
    prog = dev.prog(b, consts);
    ctx = dev.ctx();
  }
  std::uint32_t first_word(std::uint32_t inst, std::uint32_t slot) {
    auto *p =
        static_cast<std::uint32_t *>(dev.map(state_bo(dev, inst, slot), 4096));
    const std::uint32_t v = p[0];
    munmap(p, 4096);
    return v;
  }
  void run(std::uint32_t inst) {
    Job job(inst);
    const std::uint32_t sync = dev.syncobj();
    job.signal(sync);
    ASSERT_EQ(submit(dev, job), 0);
    ASSERT_EQ(dev.wait(sync), 0);
    EXPECT_EQ(dev.fence_status(sync), 1);
  }
  Device dev;
  std::uint32_t consts, prog, ctx;
};

TEST_F(StateTest, BeginsRunsAndIsReset) {
  const std::uint32_t a = dev.inst(ctx, prog), b = dev.inst(ctx, prog);
  EXPECT_EQ(first_word(a, 0), 1000u + 256);
  EXPECT_EQ(first_word(a, 1), 0u);
  run(a);
  EXPECT_EQ(first_word(a, 1), 1000u + 256);
  EXPECT_EQ(first_word(b, 1), 0u) << "instances share state";
  EXPECT_EQ(reset(dev, a), 0);
  EXPECT_EQ(first_word(a, 0), 1000u + 256);
  EXPECT_EQ(first_word(a, 1), 0u);
}

TEST_F(StateTest, OnlyStateSlotsHaveHandles) {
  const std::uint32_t a = dev.inst(ctx, prog);
  EXPECT_NE(state_bo(dev, a, 0), 0u);
  state_bo(dev, a, 2, EINVAL); // scratch
  state_bo(dev, a, 3, EINVAL);
  EXPECT_EQ(state_bo(dev, a, ~0u), 0u);
}

// A job may not write through a binding what its own state aliases.
TEST_F(StateTest, BindingMayNotOverlapState) {
  ProgramBuilder b(dev.target());
  b.slot(LOOM_SLOT_STATE, kRw, 4096);
  b.output(64);
  b.halt();
  b.segment();
  b.entry();
  const std::uint32_t inst = dev.inst(ctx, dev.prog(b));
  Job job(inst);
  job.bind(1, job.use(state_bo(dev, inst, 0), DRM_LOOM_ACCESS_WRITE), 0, 64);
  EXPECT_EQ(submit(dev, job), EINVAL);
}

// --- LOST ---

TEST(Lost, FaultIsNamedAndResetRevives) {
  Device dev;
  Runner r(dev, fault_program(dev.target()));
  EXPECT_EQ(r.run(), -EIO);
  auto s = dev.inst_state(r.inst);
  EXPECT_EQ(s.state, DRM_LOOM_INST_LOST);
  EXPECT_EQ(s.error, unsigned{EIO});
  EXPECT_EQ(s.fault, unsigned{LOOM_FAULT_SLOT_BOUNDS});
  EXPECT_EQ(s.slot, 0u);
  EXPECT_EQ(s.unit, 0u);
  // The access was [4064, 4128).
  EXPECT_GE(s.offset, 4064u);
  EXPECT_LE(s.offset, 4128u);
  EXPECT_EQ(s.limit, 4096u);
  EXPECT_EQ(dev.ctx_state(r.ctx).state, 0u) << "a fault is no hang";

  Job job(r.inst);
  std::uint32_t bad_job = 0;
  EXPECT_EQ(submit(dev, job, &bad_job), EIO);
  EXPECT_EQ(bad_job, 0u);
  ASSERT_EQ(reset(dev, r.inst), 0);
  EXPECT_EQ(dev.inst_state(r.inst).state, 0u);
  EXPECT_EQ(r.run(), -EIO) << "it runs, and faults, again";
}

TEST(Lost, OnlyTheInstanceIsLost) {
  Device dev;
  Runner r(dev, fault_program(dev.target()));
  EXPECT_EQ(r.run(), -EIO);
  const std::uint32_t good =
      dev.inst(r.ctx, dev.prog(halt_program(dev.target())));
  Job job(good);
  job.signal(r.sync);
  ASSERT_EQ(submit(dev, job), 0);
  ASSERT_EQ(dev.wait(r.sync), 0);
  EXPECT_EQ(dev.fence_status(r.sync), 1);
}

TEST(Lost, TrapAndBudget) {
  Device dev;
  ProgramBuilder trap(dev.target());
  trap.trap(1234);
  trap.halt();
  trap.segment();
  trap.entry();
  Runner t(dev, trap);
  EXPECT_EQ(t.run(), -EIO);
  EXPECT_EQ(dev.inst_state(t.inst).fault, unsigned{LOOM_FAULT_TRAP});
  EXPECT_EQ(dev.inst_state(t.inst).aux, 1234u);

  ProgramBuilder endless(dev.target());
  endless.branch(0);
  endless.segment(1000);
  endless.entry();
  Runner e(dev, endless);
  EXPECT_EQ(e.run(), -EIO);
  EXPECT_EQ(dev.inst_state(e.inst).fault, unsigned{LOOM_FAULT_BUDGET_INSNS});

  ProgramBuilder slow(dev.target());
  slow.branch(0);
  slow.segment(1u << 20, 500);
  slow.entry();
  Runner c(dev, slow);
  EXPECT_EQ(c.run(), -EIO);
  EXPECT_EQ(dev.inst_state(c.inst).fault, unsigned{LOOM_FAULT_BUDGET_CYCLES});
}

TEST(Lost, QueuedJobsOfTheInstanceAreCancelled) {
  Device dev;
  ProgramBuilder b(dev.target());
  b.spin(300000);
  b.trap(1);
  b.halt();
  b.segment();
  b.entry();
  Runner r(dev, b);
  const std::uint32_t second = dev.syncobj();
  Job first(r.inst), next(r.inst);
  first.signal(r.sync);
  next.signal(second);
  std::vector<Job> both{first, next};
  ASSERT_EQ(submit(dev, both), 0);
  ASSERT_EQ(dev.wait(second), 0);
  EXPECT_EQ(dev.fence_status(r.sync), -EIO);
  EXPECT_EQ(dev.fence_status(second), -ECANCELED);
  EXPECT_EQ(dev.inst_state(r.inst).aux, 1u);
}

} // namespace
