// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Waits and signals of SUBMIT: binary and timeline syncobjs.
#include <cerrno>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <xf86drm.h>

#include "harness.h"

using namespace loom_test;

namespace {

struct SyncTest : testing::Test {
  SyncTest() : r(dev, halt_program(dev.target())) {}
  int run(std::vector<drm_loom_sync> waits,
          std::vector<drm_loom_sync> signals) {
    Job job(r.inst);
    job.waits = std::move(waits);
    job.signals = std::move(signals);
    return submit(dev, job);
  }
  Device dev;
  Runner r;
};

constexpr std::uint32_t kTimeline = DRM_LOOM_SYNC_TIMELINE;

TEST_F(SyncTest, RejectsMalformed) {
  const std::uint32_t s = dev.syncobj(true);
  for (unsigned bit = 1; bit < 32; bit++) {
    EXPECT_EQ(run({{s, 1u << bit, 0}}, {}), EINVAL);
    EXPECT_EQ(run({}, {{s, 1u << bit, 0}}), EINVAL);
  }
  EXPECT_EQ(run({{s, 0, 1}}, {}), EINVAL) << "binary with a point";
  EXPECT_EQ(run({}, {{s, 0, 1}}), EINVAL);
  EXPECT_EQ(run({{999, 0, 0}}, {}), ENOENT);
  EXPECT_EQ(run({}, {{999, 0, 0}}), ENOENT);
  EXPECT_EQ(run({}, {{s, kTimeline, 0}}), EINVAL) << "point 0 does not grow";
  std::vector<drm_loom_sync> many(65, drm_loom_sync{s, 0, 0});
  EXPECT_EQ(run(many, {}), E2BIG);
  EXPECT_EQ(run({}, many), E2BIG);
  many.resize(64);
  EXPECT_EQ(run(many, many), 0);
}

TEST_F(SyncTest, WaitForNothingSubmitted) {
  const std::uint32_t empty = dev.syncobj();
  EXPECT_EQ(run({{empty, 0, 0}}, {}), EINVAL);
  EXPECT_EQ(run({{empty, kTimeline, 1}}, {}), EINVAL);
  EXPECT_EQ(run({}, {{empty, kTimeline, 5}}), 0);
  EXPECT_EQ(run({{empty, kTimeline, 5}}, {}), 0);
  EXPECT_EQ(run({{empty, kTimeline, 6}}, {}), EINVAL);
}

TEST_F(SyncTest, PointsHave64BitsAndGrow) {
  const std::uint32_t s = dev.syncobj();
  for (std::uint64_t point : {1ull, (1ull << 32) + 1, 1ull << 63}) {
    EXPECT_EQ(run({}, {{s, kTimeline, point}}), 0);
    EXPECT_EQ(dev.wait(s, point), 0) << point;
    EXPECT_EQ(run({{s, kTimeline, point}}, {}), 0);
    EXPECT_EQ(run({{s, kTimeline, point + (1ull << 32)}}, {}), EINVAL)
        << "nobody has submitted it";
    EXPECT_EQ(run({}, {{s, kTimeline, point}}), EINVAL) << "again";
    EXPECT_EQ(run({}, {{s, kTimeline, point - 1}}), EINVAL) << "backwards";
    std::uint64_t now = 0;
    std::uint32_t handle = s;
    ASSERT_EQ(drmSyncobjQuery(dev.fd, &handle, &now, 1), 0);
    EXPECT_EQ(now, point);
  }
}

TEST_F(SyncTest, PointsGrowWithinASubmit) {
  const std::uint32_t s = dev.syncobj();
  EXPECT_EQ(run({}, {{s, kTimeline, 2}, {s, kTimeline, 1}}), EINVAL);
  EXPECT_EQ(run({}, {{s, kTimeline, 2}, {s, kTimeline, 2}}), EINVAL);
  EXPECT_EQ(run({}, {{s, kTimeline, 1}, {s, kTimeline, 2}}), 0);
  EXPECT_EQ(dev.wait(s, 2), 0);
}

// A job waits for a fence that another context's long job signals.
TEST_F(SyncTest, OrderAcrossContexts) {
  Runner slow(dev, spin_program(dev.target(), 400000));
  const std::uint32_t gate = dev.syncobj(), after = dev.syncobj();
  Job first(slow.inst);
  first.signal(gate, 7);
  ASSERT_EQ(submit(dev, first), 0);
  ASSERT_EQ(run({{gate, kTimeline, 7}}, {{after, 0, 0}}), 0);
  ASSERT_EQ(dev.wait(after), 0);
  EXPECT_EQ(dev.wait(gate, 7, 0), 0) << "the gate was not open";
}

TEST_F(SyncTest, SyncFileAndEventfd) {
  Runner slow(dev, spin_program(dev.target(), 200000));
  Job job(slow.inst);
  job.signal(slow.sync);
  ASSERT_EQ(submit(dev, job), 0);
  const int ev = eventfd(0, EFD_CLOEXEC);
  struct {
    __u32 handle, flags;
    __u64 point;
    __s32 fd;
    __u32 pad;
  } arg = {slow.sync, 0, 0, ev, 0};
  ASSERT_EQ(dev.call(DRM_IOWR(0xCF, arg), &arg), 0);
  int sync_fd = -1;
  ASSERT_EQ(drmSyncobjExportSyncFile(dev.fd, slow.sync, &sync_fd), 0);
  pollfd fds[2] = {{ev, POLLIN, 0}, {sync_fd, POLLIN, 0}};
  for (auto &f : fds)
    EXPECT_EQ(poll(&f, 1, 20000), 1);
  EXPECT_EQ(dev.fence_status(slow.sync), 1);
  close(ev);
  close(sync_fd);
}

TEST_F(SyncTest, FencesNameTheDriver) {
  ASSERT_EQ(run({}, {{r.sync, 0, 0}}), 0);
  ASSERT_EQ(dev.wait(r.sync), 0);
  int sync_fd = -1;
  ASSERT_EQ(drmSyncobjExportSyncFile(dev.fd, r.sync, &sync_fd), 0);
  // struct sync_fence_info and sync_file_info, see linux/sync_file.h
  struct {
    char obj_name[32], driver_name[32];
    __s32 status;
    __u32 flags;
    __u64 timestamp_ns;
  } fence{};
  struct {
    char name[32];
    __s32 status;
    __u32 flags, num_fences, pad;
    __u64 sync_fence_info;
  } info{};
  info.num_fences = 1;
  info.sync_fence_info = reinterpret_cast<std::uintptr_t>(&fence);
  ASSERT_EQ(ioctl(sync_fd, _IOWR('>', 4, decltype(info)), &info), 0);
  EXPECT_STREQ(fence.driver_name, "loom");
  EXPECT_STREQ(fence.obj_name, "loom.job");
  close(sync_fd);
}

} // namespace
