// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// BO_CREATE, BO_MMAP_OFFSET, BO_SET_LABEL, and what DRM core does with buffers.
#include <cerrno>
#include <fcntl.h>
#include <linux/udmabuf.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>
#include <xf86drm.h>

#include "harness.h"

using namespace loom_test;

namespace {

int create(const Device &dev, drm_loom_bo_create c) {
  return dev.call(DRM_IOCTL_LOOM_BO_CREATE, &c);
}

int label(const Device &dev, std::uint32_t handle, const char *text,
          std::uint32_t pad = 0) {
  drm_loom_bo_set_label l{handle, pad, reinterpret_cast<std::uintptr_t>(text)};
  return dev.call(DRM_IOCTL_LOOM_BO_SET_LABEL, &l);
}

std::string debugfs(const std::string &file) {
  const std::string pci = pci_path();
  return read_file("/sys/kernel/debug/accel/" + pci.substr(pci.rfind('/') + 1) +
                   "/" + file);
}

TEST(Bo, RejectsMalformed) {
  Device dev;
  EXPECT_EQ(create(dev, {.size = 0}), EINVAL);
  EXPECT_EQ(create(dev, {.size = 4096, .pad = 1}), EINVAL);
  for (unsigned bit = 1; bit < 32; bit++)
    EXPECT_EQ(create(dev, {.size = 4096, .flags = 1u << bit}), EINVAL);
  EXPECT_EQ(create(dev, {.size = (1ull << 30) + 1}), E2BIG);
  EXPECT_EQ(create(dev, {.size = ~0ull}), E2BIG);
  EXPECT_EQ(create(dev, {.size = 4096, .ctx = 12345}), ENOENT);
}

TEST(Bo, SizeIsRoundedUpAndContentZero) {
  Device dev;
  drm_loom_bo_create c{};
  c.size = 5000;
  ASSERT_EQ(dev.call(DRM_IOCTL_LOOM_BO_CREATE, &c), 0);
  EXPECT_EQ(c.size, 8192u);
  auto *p = static_cast<unsigned char *>(dev.map(c.handle, c.size));
  for (unsigned i = 0; i < c.size; i++)
    ASSERT_EQ(p[i], 0);
  p[4999] = 42;
  EXPECT_EQ(p[4999], 42);
  munmap(p, c.size);
}

// kB of shmem in huge pages; a kernel without them does not count them.
long huge_kb() {
  const std::string info = read_file("/proc/meminfo");
  const std::size_t at = info.find("ShmemHugePages:");
  return at == std::string::npos ? 0 : std::stol(info.substr(at + 15));
}

TEST(Bo, LargeBuffersAreOfHugePages) {
  const bool kernel_has = !access("/sys/kernel/mm/transparent_hugepage", F_OK);
  Device dev;
  const long before = huge_kb();
  const auto touch = [&](std::uint64_t bytes) {
    auto *p = static_cast<char *>(dev.map(dev.bo(bytes), bytes));
    for (std::uint64_t i = 0; i < bytes; i += 4096)
      p[i] = 1;
    munmap(p, bytes);
  };
  touch(1 << 20);
  EXPECT_EQ(huge_kb(), before);
  touch(8 << 20);
  EXPECT_EQ(huge_kb(), before + (kernel_has ? 8192 : 0));
}

TEST(Bo, MmapOffset) {
  Device dev;
  drm_loom_bo_mmap_offset m{dev.bo(4096), 1, 0};
  EXPECT_EQ(dev.call(DRM_IOCTL_LOOM_BO_MMAP_OFFSET, &m), EINVAL);
  m = {999, 0, 0};
  EXPECT_EQ(dev.call(DRM_IOCTL_LOOM_BO_MMAP_OFFSET, &m), ENOENT);
}

TEST(Bo, NoMmapIsNeverMapped) {
  Device dev;
  const std::uint32_t handle = dev.bo(4096, DRM_LOOM_BO_NO_MMAP);
  drm_loom_bo_mmap_offset m{handle, 0, 0};
  EXPECT_EQ(dev.call(DRM_IOCTL_LOOM_BO_MMAP_OFFSET, &m), EPERM);
  // Nor by guessing where its neighbour's offset leads.
  drm_loom_bo_mmap_offset n{dev.bo(4096), 0, 0};
  ASSERT_EQ(dev.call(DRM_IOCTL_LOOM_BO_MMAP_OFFSET, &n), 0);
  for (std::int64_t step = -16; step <= 16; step++) {
    if (!step)
      continue;
    void *p = mmap(nullptr, 4096, PROT_READ, MAP_SHARED, dev.fd,
                   static_cast<off_t>(n.offset) + step * 4096);
    EXPECT_EQ(p, MAP_FAILED) << step;
  }
}

TEST(Bo, Labels) {
  Device dev;
  const std::uint32_t handle = dev.bo(4096);
  EXPECT_EQ(label(dev, handle, "canary-label"), 0);
  EXPECT_NE(debugfs("bos").find("canary-label"), std::string::npos);
  EXPECT_EQ(label(dev, handle, nullptr), 0);
  EXPECT_EQ(debugfs("bos").find("canary-label"), std::string::npos);
  EXPECT_EQ(label(dev, handle, std::string(63, 'x').c_str()), 0);
  EXPECT_EQ(label(dev, handle, std::string(64, 'x').c_str()), E2BIG);
  EXPECT_EQ(label(dev, handle, "a", 1), EINVAL);
  EXPECT_EQ(label(dev, 999, "a"), ENOENT);
  EXPECT_EQ(label(dev, handle, reinterpret_cast<const char *>(8)), EFAULT);
}

TEST(Bo, SelfImportIsTheSameBuffer) {
  Device dev, other;
  const std::uint32_t handle = dev.bo(8192);
  int prime = -1;
  ASSERT_EQ(drmPrimeHandleToFD(dev.fd, handle, DRM_CLOEXEC | DRM_RDWR, &prime),
            0);
  std::uint32_t again = 0, theirs = 0;
  ASSERT_EQ(drmPrimeFDToHandle(dev.fd, prime, &again), 0);
  EXPECT_EQ(again, handle);
  ASSERT_EQ(drmPrimeFDToHandle(other.fd, prime, &theirs), 0);
  auto *a = static_cast<int *>(dev.map(handle, 8192));
  auto *b = static_cast<int *>(other.map(theirs, 8192));
  auto *c = static_cast<int *>(
      mmap(nullptr, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, prime, 0));
  ASSERT_NE(c, MAP_FAILED);
  a[1500] = 77;
  EXPECT_EQ(b[1500], 77);
  EXPECT_EQ(c[1500], 77);
  munmap(a, 8192);
  munmap(b, 8192);
  munmap(c, 8192);
  close(prime);
}

TEST(Bo, PrivateIsNotExported) {
  Device dev;
  const std::uint32_t handle = dev.bo(4096, 0, dev.ctx());
  int prime = -1;
  EXPECT_NE(drmPrimeHandleToFD(dev.fd, handle, DRM_CLOEXEC, &prime), 0);
  EXPECT_EQ(errno, EPERM);
  munmap(dev.map(handle, 4096), 4096);
}

// Data through a buffer, by the device, into another.
void copy_through(const Device &dev, std::uint32_t in, std::uint32_t out,
                  std::uint32_t bytes, int expected_submit = 0) {
  Runner r(dev, copy_program(dev.target(), bytes));
  Job job(r.inst);
  job.bind(0, job.use(in, DRM_LOOM_ACCESS_READ), 0, bytes);
  job.bind(1, job.use(out, DRM_LOOM_ACCESS_WRITE), 0, bytes);
  job.signal(r.sync);
  ASSERT_EQ(submit(dev, job), expected_submit);
  if (expected_submit)
    return;
  ASSERT_EQ(dev.wait(r.sync), 0);
  EXPECT_EQ(dev.fence_status(r.sync), 1);
}

TEST(Bo, TheDeviceReadsAnotherDriversBuffer) {
  const int udmabuf = open("/dev/udmabuf", O_RDWR | O_CLOEXEC);
  if (udmabuf < 0)
    GTEST_SKIP() << "this kernel has no /dev/udmabuf";
  const int memfd = memfd_create("loom", MFD_ALLOW_SEALING);
  ASSERT_EQ(ftruncate(memfd, 16384), 0);
  fcntl(memfd, F_ADD_SEALS, F_SEAL_SHRINK);
  auto *src = static_cast<unsigned char *>(
      mmap(nullptr, 16384, PROT_READ | PROT_WRITE, MAP_SHARED, memfd, 0));
  for (unsigned i = 0; i < 16384; i++)
    src[i] = static_cast<unsigned char>(i * 7 + i / 256);
  udmabuf_create args{};
  args.memfd = static_cast<__u32>(memfd);
  args.size = 16384;
  const int prime = ioctl(udmabuf, UDMABUF_CREATE, &args);
  ASSERT_GE(prime, 0);
  {
    Device dev;
    std::uint32_t in = 0;
    ASSERT_EQ(drmPrimeFDToHandle(dev.fd, prime, &in), 0);
    const std::uint32_t out = dev.bo(16384);
    copy_through(dev, in, out, 16384);
    void *p = dev.map(out, 16384);
    EXPECT_EQ(std::memcmp(p, src, 16384), 0);
    munmap(p, 16384);
  }
  munmap(src, 16384);
  close(prime);
  close(memfd);
  close(udmabuf);
}

TEST(Bo, PrivateBufferOfAnotherContextIsRefused) {
  Device dev;
  const std::uint32_t in = dev.bo(4096, 0, dev.ctx());
  copy_through(dev, in, dev.bo(4096), 4096, EINVAL);
}

TEST(Bo, LargerThanALeafOfThePageList) {
  Device dev;
  const std::uint64_t bytes = 5ull << 20; // three leaves
  const std::uint32_t in = dev.bo(bytes), out = dev.bo(bytes);
  auto *p = static_cast<std::uint32_t *>(dev.map(in, bytes));
  for (unsigned i = 0; i < bytes / 4; i++)
    p[i] = i * 2654435761u;
  ProgramBuilder b(dev.target());
  const unsigned s = b.input(bytes), d = b.output(bytes);
  for (std::uint64_t at = 0; at < bytes; at += 1u << 18)
    b.move(s, d, 1u << 18, at, at);
  b.halt();
  b.segment();
  b.entry();
  Runner r(dev, b);
  Job job(r.inst);
  job.bind(s, job.use(in, DRM_LOOM_ACCESS_READ), 0, bytes);
  job.bind(d, job.use(out, DRM_LOOM_ACCESS_WRITE), 0, bytes);
  job.signal(r.sync);
  ASSERT_EQ(submit(dev, job), 0);
  ASSERT_EQ(dev.wait(r.sync), 0);
  EXPECT_EQ(dev.fence_status(r.sync), 1);
  auto *q = static_cast<std::uint32_t *>(dev.map(out, bytes));
  EXPECT_EQ(std::memcmp(p, q, bytes), 0);
  munmap(p, bytes);
  munmap(q, bytes);
}

} // namespace
