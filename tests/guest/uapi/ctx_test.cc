// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// CTX_CREATE, CTX_DESTROY, CTX_GET_STATE.
#include <cerrno>
#include <sys/wait.h>
#include <unistd.h>

#include "harness.h"

using namespace loom_test;

namespace {

int create(const Device &dev, drm_loom_ctx_create c) {
  return dev.call(DRM_IOCTL_LOOM_CTX_CREATE, &c);
}

int destroy(const Device &dev, std::uint32_t ctx, std::uint32_t pad = 0) {
  drm_loom_ctx_destroy d{ctx, pad};
  return dev.call(DRM_IOCTL_LOOM_CTX_DESTROY, &d);
}

TEST(Ctx, RejectsMalformed) {
  Device dev;
  EXPECT_EQ(create(dev, {.priority = 3}), EINVAL);
  EXPECT_EQ(create(dev, {.priority = ~0u}), EINVAL);
  for (unsigned bit = 0; bit < 32; bit++)
    EXPECT_EQ(create(dev, {.priority = 1, .flags = 1u << bit}), EINVAL);
  EXPECT_EQ(create(dev, {.priority = 1, .pad = 1}), EINVAL);
  const std::uint32_t ctx = dev.ctx();
  EXPECT_EQ(destroy(dev, ctx, 1), EINVAL);
  EXPECT_EQ(destroy(dev, ctx), 0);
}

TEST(Ctx, UnknownHandles) {
  Device dev, other;
  const std::uint32_t theirs = other.ctx();
  ASSERT_NE(theirs, 0u);
  for (std::uint32_t handle : {0u, theirs, 77777u, ~0u}) {
    EXPECT_EQ(destroy(dev, handle), ENOENT);
    drm_loom_ctx_get_state s{};
    s.ctx = handle;
    EXPECT_EQ(dev.call(DRM_IOCTL_LOOM_CTX_GET_STATE, &s), ENOENT);
  }
  EXPECT_EQ(destroy(other, theirs), 0);
  EXPECT_EQ(destroy(other, theirs), ENOENT);
}

TEST(Ctx, LimitIsNamedAndHandlesComeBack) {
  Device dev;
  drm_loom_limits l{};
  ASSERT_EQ(dev.limits(&l), 0);
  std::vector<std::uint32_t> all;
  for (unsigned i = 0; i < l.max_ctx; i++)
    all.push_back(dev.ctx());
  EXPECT_EQ(create(dev, {.priority = 1}), ENOSPC);
  EXPECT_EQ(destroy(dev, all[5]), 0);
  EXPECT_EQ(create(dev, {.priority = 1}), 0);
}

TEST(Ctx, HighPriorityNeedsTheCapability) {
  const pid_t child = fork();
  if (!child) {
    Device dev;
    drm_loom_limits l{};
    int bad = setuid(1000);
    bad |= create(dev, {.priority = DRM_LOOM_PRIORITY_HIGH}) != EACCES;
    bad |= create(dev, {.priority = DRM_LOOM_PRIORITY_NORMAL}) != 0;
    bad |= dev.limits(&l) || l.priorities != 3;
    _exit(bad ? 1 : 0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  Device dev;
  EXPECT_EQ(create(dev, {.priority = DRM_LOOM_PRIORITY_HIGH}), 0);
}

TEST(Ctx, FreshStateIsInnocent) {
  Device dev;
  const auto s = dev.ctx_state(dev.ctx());
  EXPECT_EQ(s.state, 0u);
  EXPECT_EQ(s.resets_guilty, 0u);
  EXPECT_EQ(s.resets_innocent, 0u);
}

TEST(Ctx, DestroyTakesInstancesAndLetsJobsEnd) {
  Device dev;
  Runner r(dev, spin_program(dev.target(), 200000));
  Job job(r.inst);
  job.signal(r.sync);
  ASSERT_EQ(submit(dev, job), 0);
  EXPECT_EQ(destroy(dev, r.ctx), 0);
  drm_loom_inst_destroy d{r.inst, 0};
  EXPECT_EQ(dev.call(DRM_IOCTL_LOOM_INST_DESTROY, &d), ENOENT);
  EXPECT_EQ(dev.wait(r.sync), 0);
  EXPECT_EQ(dev.fence_status(r.sync), 1);
}

} // namespace
