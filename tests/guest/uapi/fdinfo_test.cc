// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// /proc/self/fdinfo, and that a closed file's jobs harm nobody.
#include <cerrno>
#include <sstream>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness.h"

using namespace loom_test;

namespace {

std::string field(const Device &dev, const std::string &key) {
  std::istringstream in(
      read_file("/proc/self/fdinfo/" + std::to_string(dev.fd)));
  for (std::string line; std::getline(in, line);)
    if (line.rfind(key + ":", 0) == 0)
      return line.substr(line.find_first_not_of(" \t", key.size() + 1));
  return {};
}

std::uint64_t number(const Device &dev, const std::string &key) {
  const std::string text = field(dev, key);
  EXPECT_FALSE(text.empty()) << key;
  return text.empty() ? 0 : std::stoull(text);
}

TEST(Fdinfo, Identity) {
  Device dev;
  const std::string pci = pci_path();
  EXPECT_EQ(field(dev, "drm-driver"), "loom");
  EXPECT_EQ(field(dev, "drm-pdev"), pci.substr(pci.rfind('/') + 1));
  EXPECT_FALSE(field(dev, "drm-client-id").empty());
}

TEST(Fdinfo, CountsThisClientsJobsOnly) {
  Device dev, other;
  Runner r(dev, spin_program(dev.target(), 1000));
  for (unsigned i = 0; i < 7; i++)
    ASSERT_EQ(r.run(), 1);
  EXPECT_EQ(number(dev, "loom-jobs-npu"), 7u);
  EXPECT_GT(number(dev, "drm-cycles-npu"), 7000u);
  EXPECT_GT(number(dev, "drm-engine-npu"), 0u);
  EXPECT_NE(field(dev, "drm-engine-npu").find(" ns"), std::string::npos);
  EXPECT_EQ(number(other, "loom-jobs-npu"), 0u);
  EXPECT_EQ(number(other, "drm-cycles-npu"), 0u);
}

TEST(Fdinfo, Memory) {
  Device dev;
  dev.bo(1 << 20);
  EXPECT_EQ(field(dev, "drm-total-memory"), "1 MiB");
  EXPECT_EQ(field(dev, "drm-resident-memory"), "0");
  const std::uint32_t bo = dev.bo(1 << 20);
  auto *p = static_cast<unsigned char *>(dev.map(bo, 1 << 20));
  p[0] = 1;
  EXPECT_EQ(field(dev, "drm-total-memory"), "2 MiB");
  EXPECT_EQ(field(dev, "drm-resident-memory"), "1 MiB");
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

// What is queued when its file is closed is cancelled, and says so.
TEST(Close, QueuedJobsAreCancelled) {
  Device watcher;
  const std::uint32_t first = watcher.syncobj(), last = watcher.syncobj();
  {
    Device dev;
    // Long enough to still run when the file is closed, on a busy host too.
    Runner r(dev, spin_program(dev.target(), 20000000));
    const std::uint32_t done = dev.syncobj();
    Job a(r.inst), b(r.inst);
    a.signal(r.sync);
    b.signal(done);
    std::vector<Job> jobs{a, b};
    ASSERT_EQ(submit(dev, jobs), 0);
    usleep(20000); // the first one is running
    auto hand_over = [&](std::uint32_t from, std::uint32_t to) {
      int fd = -1;
      struct {
        __u32 handle, flags;
        __s32 fd;
        __u32 pad;
      } out = {from, 1, -1, 0}, in = {to, 1, 0, 0};
      ASSERT_EQ(dev.call(DRM_IOWR(0xC1, out), &out), 0);
      fd = in.fd = out.fd;
      ASSERT_EQ(watcher.call(DRM_IOWR(0xC2, in), &in), 0);
      close(fd);
    };
    hand_over(r.sync, first);
    hand_over(done, last);
  }
  ASSERT_EQ(watcher.wait(last), 0);
  EXPECT_EQ(watcher.fence_status(first), 1);
  EXPECT_EQ(watcher.fence_status(last), -ECANCELED);
}

} // namespace
