// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// DEV_QUERY.
#include <cerrno>

#include "harness.h"

using namespace loom_test;

namespace {

int query(const Device &dev, std::uint32_t type, void *to,
          std::uint32_t *size) {
  drm_loom_dev_query q{};
  q.type = type;
  q.size = *size;
  q.pointer = reinterpret_cast<std::uintptr_t>(to);
  const int error = dev.call(DRM_IOCTL_LOOM_DEV_QUERY, &q);
  *size = q.size;
  return error;
}

const std::uint32_t kSizes[] = {sizeof(drm_loom_hw), sizeof(drm_loom_limits),
                                sizeof(drm_loom_engines), sizeof(drm_loom_time),
                                sizeof(drm_loom_stats)};

TEST(Query, NullPointerGivesTheSize) {
  Device dev;
  for (std::uint32_t type = 0; type < 5; type++) {
    std::uint32_t size = 0;
    EXPECT_EQ(query(dev, type, nullptr, &size), 0);
    EXPECT_EQ(size, kSizes[type]) << type;
  }
}

TEST(Query, LongBufferIsZeroedBehindTheAnswer) {
  Device dev;
  for (std::uint32_t type = 0; type < 5; type++) {
    std::vector<unsigned char> buf(512, 0xa5);
    std::uint32_t size = 256;
    ASSERT_EQ(query(dev, type, buf.data(), &size), 0);
    EXPECT_EQ(size, kSizes[type]);
    for (unsigned i = kSizes[type]; i < 256; i++)
      ASSERT_EQ(buf[i], 0) << "type " << type << " byte " << i;
    for (unsigned i = 256; i < 512; i++)
      ASSERT_EQ(buf[i], 0xa5) << "written past the buffer";
  }
}

TEST(Query, ShortBufferIsCut) {
  Device dev;
  std::vector<unsigned char> buf(64, 0xa5);
  std::uint32_t size = 12;
  ASSERT_EQ(query(dev, DRM_LOOM_QUERY_HW, buf.data(), &size), 0);
  EXPECT_EQ(size, 12u);
  EXPECT_EQ(buf[12], 0xa5);
}

TEST(Query, UnknownTypeAndBadPointer) {
  Device dev;
  unsigned char buf[256];
  std::uint32_t size = sizeof(buf);
  for (std::uint32_t type : {5u, 100u, ~0u})
    EXPECT_EQ(query(dev, type, buf, &size), EINVAL);
  size = sizeof(buf);
  EXPECT_EQ(query(dev, 0, reinterpret_cast<void *>(8), &size), EFAULT);
}

TEST(Query, HardwareAndLimitsMakeSense) {
  Device dev;
  const loom_target t = dev.target();
  EXPECT_EQ(t.isa_major, unsigned{LOOM_ISA_MAJOR});
  EXPECT_GE(t.rows, 4);
  EXPECT_GE(t.sram_bytes, 16384u);
  EXPECT_TRUE(t.mem_classes == 1 || t.mem_classes == 2);
  EXPECT_GT(t.mem[0].bytes_per_cycle, 0u);
  drm_loom_limits l{};
  ASSERT_EQ(dev.limits(&l), 0);
  EXPECT_EQ(l.max_bo_bytes, 1ull << 30);
  EXPECT_EQ(l.max_segments, 64u);
  EXPECT_EQ(l.max_bos, 256u);
  EXPECT_EQ(l.max_bindings, 4096u);
  EXPECT_EQ(l.max_syncs, 64u);
  EXPECT_EQ(l.priorities, 7u) << "the suite runs as root";
}

TEST(Query, TimeGoesOnAndStatsCountJobs) {
  Device dev;
  drm_loom_time a{}, b{};
  std::uint32_t size = sizeof(a);
  ASSERT_EQ(query(dev, DRM_LOOM_QUERY_TIME, &a, &size), 0);
  const drm_loom_stats before = dev.stats();
  Runner r(dev, halt_program(dev.target()));
  EXPECT_EQ(r.run(), 1);
  const drm_loom_stats after = dev.stats();
  ASSERT_EQ(query(dev, DRM_LOOM_QUERY_TIME, &b, &size), 0);
  EXPECT_GT(b.monotonic_ns, a.monotonic_ns);
  EXPECT_GT(b.busy_cycles, a.busy_cycles);
  EXPECT_EQ(after.jobs_submitted, before.jobs_submitted + 1);
  EXPECT_EQ(after.jobs_completed, before.jobs_completed + 1);
  EXPECT_EQ(after.device_jobs, before.device_jobs + 1);
  EXPECT_GT(after.cycles, before.cycles);
}

} // namespace
