// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The device, or its driver, goes away or is reset while users hold on to it.
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <xf86drm.h>

#include <linux/dma-buf.h>
#include <linux/sync_file.h>

#include "cpu_programs.h"

using namespace loom_test;

namespace {

using Clock = std::chrono::steady_clock;

std::string bus_id() {
  const std::string pci = pci_path();
  return pci.empty() ? "" : pci.substr(pci.rfind('/') + 1);
}

bool wait_for_node() {
  for (int i = 0; i < 300; i++) {
    const std::string node = node_path();
    if (!node.empty() && access(node.c_str(), R_OK | W_OK) == 0)
      return true;
    usleep(10000);
  }
  return false;
}

// Seconds; faults.py allows more where the kernel is slow.
double unbind_limit() {
  const char *text = std::getenv("LOOM_UNBIND_SECONDS");
  return text ? std::atof(text) : 2.0;
}

struct UnbindTest : testing::Test {
  UnbindTest() : id(bus_id()), pci(pci_path()) {
    if (id.empty())
      throw std::runtime_error("no device is bound to loom");
  }
  ~UnbindTest() override { bind(); }

  double unbind() {
    const auto start = Clock::now();
    EXPECT_EQ(write_file("/sys/bus/pci/drivers/loom/unbind", id), 0);
    return std::chrono::duration<double>(Clock::now() - start).count();
  }
  void bind() {
    write_file("/sys/bus/pci/drivers/loom/bind", id);
    EXPECT_TRUE(wait_for_node());
  }
  void works() {
    Device dev;
    Runner r(dev, halt_program(dev.target()));
    EXPECT_EQ(r.run(), 1);
  }
  std::string id, pci;
};

int sync_status(int sync_fd, sync_fence_info *fence) {
  sync_file_info info{};
  info.num_fences = 1;
  info.sync_fence_info = reinterpret_cast<std::uintptr_t>(fence);
  return ioctl(sync_fd, SYNC_IOC_FILE_INFO, &info) ? -errno : info.status;
}

// Everything of the interface, by number, on a device that is gone.
void expect_gone(const Device &dev) {
  unsigned char arg[256] = {};
  for (unsigned nr = 0; nr <= DRM_LOOM_SUBMIT; nr++)
    EXPECT_EQ(dev.call(DRM_IOWR(DRM_COMMAND_BASE + nr, drm_loom_submit), arg),
              ENODEV)
        << "ioctl " << nr;
}

TEST_F(UnbindTest, OpenHandlesSurvive) {
  auto dev = std::make_unique<Device>();
  Runner r(*dev, halt_program(dev->target()));
  ASSERT_EQ(r.run(), 1);
  const std::uint32_t bo = dev->bo(8192), used = dev->bo(4096);
  auto *p = static_cast<unsigned char *>(dev->map(bo, 8192));
  p[5000] = 42;
  int prime = -1, sync_fd = -1;
  ASSERT_EQ(drmPrimeHandleToFD(dev->fd, bo, DRM_CLOEXEC | DRM_RDWR, &prime), 0);
  ASSERT_EQ(drmSyncobjExportSyncFile(dev->fd, r.sync, &sync_fd), 0);
  { // a buffer that the device has mapped
    Runner c(*dev, copy_program(dev->target(), 4096));
    Job job(c.inst);
    job.bind(0, job.use(bo, 1), 0, 4096);
    job.bind(1, job.use(used, 2), 0, 4096);
    job.signal(c.sync);
    ASSERT_EQ(submit(*dev, job), 0);
    ASSERT_EQ(dev->wait(c.sync), 0);
  }

  EXPECT_LT(unbind(), unbind_limit());
  expect_gone(*dev);
  EXPECT_EQ(p[5000], 42) << "the mapping lost its data";
  p[0] = 1;
  void *again = mmap(nullptr, 8192, PROT_READ, MAP_SHARED, prime, 0);
  ASSERT_NE(again, MAP_FAILED);
  EXPECT_EQ(static_cast<unsigned char *>(again)[5000], 42);
  munmap(again, 8192);
  dev.reset();

  sync_fence_info fence{};
  EXPECT_EQ(sync_status(sync_fd, &fence), 1);
  EXPECT_STREQ(fence.driver_name, "loom");
  EXPECT_NE(syscall(SYS_delete_module, "loom", O_NONBLOCK), 0)
      << "rmmod with a fence alive";
  EXPECT_EQ(p[5000], 42);
  munmap(p, 8192);
  close(prime);
  close(sync_fd);
  bind();
  works();
}

TEST_F(UnbindTest, InMidJob) {
  for (unsigned round = 0; round < 5; round++) {
    Device dev;
    Runner r(dev, spin_program(dev.target(), 1 << 25));
    Job job(r.inst);
    std::vector<std::uint32_t> syncs;
    std::vector<Job> jobs;
    for (unsigned i = 0; i < 4; i++) {
      syncs.push_back(dev.syncobj());
      jobs.push_back(job);
      jobs.back().signal(syncs[i]);
    }
    ASSERT_EQ(submit(dev, jobs), 0);
    std::vector<int> fds(4, -1);
    for (unsigned i = 0; i < 4; i++)
      ASSERT_EQ(drmSyncobjExportSyncFile(dev.fd, syncs[i], &fds[i]), 0);
    usleep(1000 * round);
    EXPECT_LT(unbind(), unbind_limit());
    for (unsigned i = 0; i < 4; i++) {
      sync_fence_info fence{};
      EXPECT_EQ(sync_status(fds[i], &fence), -ENODEV) << "job " << i;
      close(fds[i]);
    }
    expect_gone(dev);
    bind();
    works();
  }
}

// The CPU engine computes for seconds; the driver does not wait for it.
TEST_F(UnbindTest, InMidCpuSegment) {
  for (unsigned round = 0; round < 3; round++) {
    Device dev;
    Runner r(dev, woven_program(dev.target(), 16));
    Runner busy(dev, long_program(dev.target(), 1u << 24));
    const std::uint64_t bytes = 17 * std::uint64_t{kBlockBytes};
    Job chain(r.inst), spin(busy.inst);
    chain.bind(0, chain.use(dev.bo(bytes), 3), 0, bytes);
    chain.wait(busy.sync);
    spin.signal(busy.sync);
    chain.signal(r.sync);
    ASSERT_EQ(submit(dev, spin), 0);
    ASSERT_EQ(submit(dev, chain), 0);
    int first = -1, second = -1;
    ASSERT_EQ(drmSyncobjExportSyncFile(dev.fd, busy.sync, &first), 0);
    ASSERT_EQ(drmSyncobjExportSyncFile(dev.fd, r.sync, &second), 0);
    usleep(20000 * round);
    EXPECT_LT(unbind(), unbind_limit());
    for (const int fd : {first, second}) {
      sync_fence_info fence{};
      EXPECT_EQ(sync_status(fd, &fence), -ENODEV);
      close(fd);
    }
    expect_gone(dev);
    bind();
    works();
    Device again;
    Runner cpu(again, long_program(again.target(), 1));
    EXPECT_EQ(cpu.run(), 1);
  }
}

// vgem's interface, which Debian's libdrm does not install.
struct vgem_fence_attach {
  __u32 handle, flags, out_fence, pad;
};
struct vgem_fence_signal {
  __u32 fence, flags;
};
constexpr __u32 kVgemFenceWrite = 1;
constexpr unsigned long kVgemAttach =
    DRM_IOWR(DRM_COMMAND_BASE + 1, vgem_fence_attach);
constexpr unsigned long kVgemSignal =
    DRM_IOW(DRM_COMMAND_BASE + 2, vgem_fence_signal);

// A fence of another driver: vgem's, which expires after ten seconds.
struct Gate {
  Gate() {
    for (int i = 0; i < 8 && fd < 0; i++) {
      fd = open(("/dev/dri/card" + std::to_string(i)).c_str(), O_RDWR);
      drmVersionPtr v = fd >= 0 ? drmGetVersion(fd) : nullptr;
      if (v && std::string(v->name) != "vgem") {
        close(fd);
        fd = -1;
      }
      drmFreeVersion(v);
    }
    if (fd < 0)
      return;
    drm_mode_create_dumb dumb{};
    dumb.width = 64;
    dumb.height = 64;
    dumb.bpp = 32;
    drmIoctl(fd, DRM_IOCTL_MODE_CREATE_DUMB, &dumb);
    vgem_fence_attach attach{};
    attach.handle = dumb.handle;
    attach.flags = kVgemFenceWrite;
    drmIoctl(fd, kVgemAttach, &attach);
    fence = attach.out_fence;
    int prime = -1;
    drmPrimeHandleToFD(fd, dumb.handle, DRM_CLOEXEC, &prime);
    dma_buf_export_sync_file out{};
    out.flags = DMA_BUF_SYNC_RW;
    if (!ioctl(prime, DMA_BUF_IOCTL_EXPORT_SYNC_FILE, &out))
      sync_fd = out.fd;
    close(prime);
  }
  ~Gate() {
    if (sync_fd >= 0)
      close(sync_fd);
    if (fd >= 0)
      close(fd);
  }
  void open_it() const {
    vgem_fence_signal signal{};
    signal.fence = fence;
    EXPECT_EQ(drmIoctl(fd, kVgemSignal, &signal), 0);
  }
  int fd = -1, sync_fd = -1;
  std::uint32_t fence = 0;
};

TEST_F(UnbindTest, JobThatWaitsForAForeignFence) {
  Gate gate;
  if (gate.sync_fd < 0)
    GTEST_SKIP() << "vgem is not loaded";
  int out = -1;
  {
    Device dev;
    Runner r(dev, halt_program(dev.target()));
    const std::uint32_t wait = dev.syncobj();
    ASSERT_EQ(drmSyncobjImportSyncFile(dev.fd, wait, gate.sync_fd), 0);
    Job job(r.inst);
    job.wait(wait);
    job.signal(r.sync);
    ASSERT_EQ(submit(dev, job), 0);
    ASSERT_EQ(drmSyncobjExportSyncFile(dev.fd, r.sync, &out), 0);
    EXPECT_LT(unbind(), unbind_limit()) << "unbind waited for another driver";
  }
  sync_fence_info fence{};
  EXPECT_EQ(sync_status(out, &fence), 0) << "before the gate opened";
  gate.open_it();
  for (int i = 0; i < 200 && !sync_status(out, &fence); i++)
    usleep(10000);
  EXPECT_EQ(sync_status(out, &fence), -ENODEV);
  close(out);
  bind();
  works();
}

// Submits for as long as it can. 0: all that it saw was success, or a cancelled
// job, and in the end ENODEV. Says through `ready` that it has begun.
int load(int ready) {
  Device dev;
  Runner r(dev, spin_program(dev.target(), 2000));
  Job job(r.inst);
  job.signal(r.sync);
  for (;;) {
    std::vector<Job> jobs(8, job);
    int error = submit(dev, jobs);
    if (error == EIO) { // a reset cancelled its job
      drm_loom_inst_reset reset{r.inst, 0};
      error = dev.call(DRM_IOCTL_LOOM_INST_RESET, &reset);
    } else if (!error) {
      error = dev.wait(r.sync);
    }
    if (error)
      return error == ENODEV ? 0 : error;
    if (ready >= 0 && write(ready, "x", 1) == 1) {
      close(ready);
      ready = -1;
    }
  }
}

// Returns when the first jobs have run.
pid_t start_load() {
  int ready[2];
  char c;
  EXPECT_EQ(pipe(ready), 0);
  const pid_t child = fork();
  if (child) {
    close(ready[1]);
    EXPECT_EQ(read(ready[0], &c, 1), 1) << "the load did not begin";
    close(ready[0]);
    return child;
  }
  try {
    _exit(load(ready[1]));
  } catch (...) {
    _exit(255);
  }
}

int end_of(pid_t child) {
  int status = 0;
  for (int i = 0; i < 1000; i++) {
    if (waitpid(child, &status, WNOHANG) == child)
      return WIFEXITED(status) ? WEXITSTATUS(status) : 256;
    usleep(10000);
  }
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  return 257;
}

TEST_F(UnbindTest, UnderLoad) {
  for (unsigned round = 0; round < 20; round++) {
    const pid_t load = start_load();
    usleep(20000 + 3000 * round);
    EXPECT_LT(unbind(), unbind_limit());
    EXPECT_EQ(end_of(load), 0);
    bind();
  }
  works();
}

TEST_F(UnbindTest, HotplugUnderLoad) {
  for (unsigned round = 0; round < 10; round++) {
    const pid_t load = start_load();
    usleep(30000 + 3000 * round);
    EXPECT_EQ(write_file(pci + "/remove", "1"), 0);
    EXPECT_EQ(end_of(load), 0);
    EXPECT_EQ(write_file("/sys/bus/pci/rescan", "1"), 0);
    ASSERT_TRUE(wait_for_node());
  }
  works();
}

// The running job is cancelled; those behind it, and everybody's next, run.
void resets_under_load(const std::string &file) {
  const pid_t load = start_load();
  usleep(50000);
  for (unsigned round = 0; round < 50; round++) {
    ASSERT_EQ(write_file(file, "1"), 0);
    usleep(5000);
  }
  Device dev;
  Runner r(dev, halt_program(dev.target()));
  EXPECT_EQ(r.run(), 1);
  EXPECT_GE(dev.stats().resets, 50u);
  EXPECT_EQ(waitpid(load, nullptr, WNOHANG), 0) << "the load gave up";
  kill(load, SIGKILL);
  waitpid(load, nullptr, 0);
}

TEST_F(UnbindTest, FunctionLevelResetUnderLoad) {
  resets_under_load(pci + "/reset");
}

TEST_F(UnbindTest, DebugfsResetUnderLoad) {
  resets_under_load("/sys/kernel/debug/accel/" + id + "/reset");
}

} // namespace
