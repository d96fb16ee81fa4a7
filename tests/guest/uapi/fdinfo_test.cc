// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// /proc/self/fdinfo, and that a closed file's jobs harm nobody.
#include <cerrno>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness.h"

using namespace loom_test;

namespace {

TEST(Fdinfo, Identity) {
  Device dev;
  const std::string pci = pci_path();
  EXPECT_EQ(fdinfo_field(dev, "drm-driver"), "loom");
  EXPECT_EQ(fdinfo_field(dev, "drm-pdev"), pci.substr(pci.rfind('/') + 1));
  EXPECT_FALSE(fdinfo_field(dev, "drm-client-id").empty());
}

TEST(Fdinfo, CountsThisClientsJobsOnly) {
  Device dev, other;
  Runner r(dev, spin_program(dev.target(), 1000));
  for (unsigned i = 0; i < 7; i++)
    ASSERT_EQ(r.run(), 1);
  EXPECT_EQ(fdinfo(dev, "loom-jobs-npu"), 7u);
  EXPECT_GT(fdinfo(dev, "drm-cycles-npu"), 7000u);
  EXPECT_GT(fdinfo(dev, "drm-engine-npu"), 0u);
  EXPECT_NE(fdinfo_field(dev, "drm-engine-npu").find(" ns"), std::string::npos);
  EXPECT_EQ(fdinfo(other, "loom-jobs-npu"), 0u);
  EXPECT_EQ(fdinfo(other, "drm-cycles-npu"), 0u);
}

TEST(Fdinfo, Memory) {
  Device dev;
  dev.bo(1 << 20);
  EXPECT_EQ(fdinfo_field(dev, "drm-total-memory"), "1 MiB");
  EXPECT_EQ(fdinfo_field(dev, "drm-resident-memory"), "0");
  const std::uint32_t bo = dev.bo(1 << 20);
  auto *p = static_cast<unsigned char *>(dev.map(bo, 1 << 20));
  p[0] = 1;
  EXPECT_EQ(fdinfo_field(dev, "drm-total-memory"), "2 MiB");
  EXPECT_EQ(fdinfo_field(dev, "drm-resident-memory"), "1 MiB");
  munmap(p, 1 << 20);
}

// A process that dies with work queued leaves a device that works.
TEST(Close, KilledInMidJob) {
  for (unsigned round = 0; round < 10; round++) {
    int ready[2];
    ASSERT_EQ(pipe(ready), 0);
    const pid_t child = fork();
    if (!child) {
      Device dev;
      Runner r(dev, spin_program(dev.target(), 300000));
      std::vector<Job> jobs(16, Job(r.inst));
      submit(dev, jobs);
      write(ready[1], "x", 1);
      pause();
      _exit(0);
    }
    char c;
    ASSERT_EQ(read(ready[0], &c, 1), 1);
    usleep(1000 * round);
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
    close(ready[0]);
    close(ready[1]);
    Device dev;
    Runner r(dev, halt_program(dev.target()));
    EXPECT_EQ(r.run(), 1);
  }
}

// Hands the fence of a syncobj of one file to another file's.
void hand_over(const Device &from, std::uint32_t syncobj, const Device &to,
               std::uint32_t other) {
  struct {
    __u32 handle, flags;
    __s32 fd;
    __u32 pad;
  } out = {syncobj, 1, -1, 0}, in = {other, 1, 0, 0};
  ASSERT_EQ(from.call(DRM_IOWR(0xC1, out), &out), 0);
  in.fd = out.fd;
  ASSERT_EQ(to.call(DRM_IOWR(0xC2, in), &in), 0);
  close(in.fd);
}

// Closes a file while its first job runs, which takes `times` instructions, and
// the last is queued. False: the first one was faster than the close.
bool close_while_running(const Device &watcher, std::int64_t times,
                         std::uint32_t first, std::uint32_t last) {
  {
    Device dev;
    Runner r(dev, spin_program(dev.target(), times));
    const std::uint32_t done = dev.syncobj();
    Job a(r.inst), b(r.inst);
    a.signal(r.sync);
    b.signal(done);
    std::vector<Job> jobs{a, b};
    const auto before = dev.stats().jobs_submitted;
    EXPECT_EQ(submit(dev, jobs), 0);
    hand_over(dev, r.sync, watcher, first);
    hand_over(dev, done, watcher, last);
    while (dev.stats().jobs_submitted == before)
      usleep(100);
  }
  return watcher.fence_status(first) == 0;
}

// What is queued when its file is closed is cancelled, and says so; what runs
// ends by itself.
TEST(Close, QueuedJobsAreCancelled) {
  Device watcher;
  const std::uint32_t first = watcher.syncobj(), last = watcher.syncobj();
  std::int64_t times = 100000;
  // On a busy host the device may be far ahead of this program.
  while (!close_while_running(watcher, times, first, last))
    ASSERT_LE(times *= 4, 30000000) << "the device is always faster";
  ASSERT_EQ(watcher.wait(last), 0);
  EXPECT_EQ(watcher.fence_status(first), 1);
  EXPECT_EQ(watcher.fence_status(last), -ECANCELED);
}

} // namespace
