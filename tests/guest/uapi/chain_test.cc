// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Chains: several segments in one job.
#include <cerrno>
#include <sys/mman.h>

#include "harness.h"

using namespace loom_test;

namespace {

constexpr unsigned kRw = LOOM_RIGHT_READ | LOOM_RIGHT_WRITE;

// Segment k copies word k of the state to word k + 1, so that the last word is
// right only if all ran, in order.
ProgramBuilder ripple(const loom_target &t, unsigned segments,
                      int trap_at = -1) {
  ProgramBuilder b(t);
  b.slot(LOOM_SLOT_ARG, kRw, 64 * (segments + 1));
  for (unsigned k = 0; k < segments; k++) {
    if (trap_at == static_cast<int>(k))
      b.trap(k);
    b.load(0, 64 * k, 0, 64);
    b.fence();
    b.store(0, 0, 64 * (k + 1), 64);
    b.fence();
    b.halt();
    b.segment();
  }
  b.entry();
  return b;
}

struct Ripple {
  Ripple(const Device &dev, unsigned segments, int trap_at = -1)
      : dev(dev), r(dev, ripple(dev.target(), segments, trap_at)),
        bytes(64 * (segments + 1)), report(dev.bo(64 * 4096)),
        bo(dev.bo(bytes)),
        words(static_cast<std::uint32_t *>(dev.map(bo, bytes))) {
    words[0] = 4711;
  }
  ~Ripple() { munmap(words, bytes); }
  int run() {
    Job job(r.inst);
    job.bind(0, job.use(bo, 3), 0, bytes);
    job.use(report, DRM_LOOM_ACCESS_WRITE);
    job.job.report_bo = 2;
    job.job.report_size = 4096;
    job.signal(r.sync);
    const int error = submit(dev, job);
    if (error)
      return -error;
    const int waited = dev.wait(r.sync);
    return waited ? -waited : dev.fence_status(r.sync);
  }
  const Device &dev;
  Runner r;
  std::uint64_t bytes;
  std::uint32_t report, bo;
  std::uint32_t *words;
};

TEST(Chain, SixtyFourSegmentsRunInOrder) {
  Device dev;
  Ripple c(dev, 64);
  const auto before = dev.stats();
  EXPECT_EQ(c.run(), 1);
  for (unsigned k = 0; k <= 64; k++)
    ASSERT_EQ(c.words[16 * k], 4711u) << "segment " << k;
  EXPECT_EQ(dev.stats().jobs_completed, before.jobs_completed + 64);
  auto *p = static_cast<unsigned char *>(dev.map(c.report, 64 * 4096));
  for (unsigned k = 0; k < 64; k++) {
    loom_report report;
    std::memcpy(&report, p + 4096 * k, sizeof(report));
    ASSERT_EQ(report.magic, LOOM_REPORT_MAGIC) << "report of segment " << k;
    EXPECT_EQ(report.insns, 5u);
  }
  munmap(p, 64 * 4096);
}

TEST(Chain, SixtyFiveSegmentsAreRefused) {
  Device dev;
  std::string message;
  EXPECT_EQ(dev.try_prog(ripple(dev.target(), 65).bytes(), &message), ENOEXEC);
  EXPECT_NE(message.find("64"), std::string::npos) << message;
}

TEST(Chain, ErrorInEachSegmentInTurn) {
  Device dev;
  constexpr unsigned kSegments = 5;
  for (unsigned at = 0; at < kSegments; at++) {
    Ripple c(dev, kSegments, static_cast<int>(at));
    const auto before = dev.stats();
    EXPECT_EQ(c.run(), -EIO);
    const auto s = dev.inst_state(c.r.inst);
    EXPECT_EQ(s.state, DRM_LOOM_INST_LOST);
    EXPECT_EQ(s.segment, at);
    EXPECT_EQ(s.aux, at);
    EXPECT_EQ(c.words[16 * at], 4711u) << "earlier ones ran";
    EXPECT_EQ(c.words[16 * (at + 1)], 0u) << "it, or a later one, ran";
    EXPECT_EQ(dev.stats().jobs_submitted, before.jobs_submitted + at + 1);
  }
}

TEST(Chain, EntryPoints) {
  Device dev;
  ProgramBuilder b(dev.target());
  b.halt();
  b.segment();
  b.entry();
  b.trap(1);
  b.halt();
  b.segment();
  b.entry();
  Runner r(dev, b);
  Job job(r.inst);
  job.job.entry = 1;
  job.signal(r.sync);
  EXPECT_EQ(r.run(), 1);
  ASSERT_EQ(submit(dev, job), 0);
  ASSERT_EQ(dev.wait(r.sync), 0);
  EXPECT_EQ(dev.fence_status(r.sync), -EIO);
}

// A job may run some of an entry point's segments.
TEST(Chain, SomeSegments) {
  Device dev;
  Ripple c(dev, 5);
  auto run = [&](unsigned first, unsigned count) {
    Job job(c.r.inst);
    job.job.first_segment = first;
    job.job.n_segments = count;
    job.bind(0, job.use(c.bo, 3), 0, c.bytes);
    job.signal(c.r.sync);
    const int error = submit(dev, job);
    if (error)
      return -error;
    EXPECT_EQ(dev.wait(c.r.sync), 0);
    return dev.fence_status(c.r.sync);
  };
  EXPECT_EQ(run(0, 6), -EINVAL);
  EXPECT_EQ(run(5, 1), -EINVAL);
  EXPECT_EQ(run(~0u, 2), -EINVAL);
  EXPECT_EQ(run(2, ~0u), -EINVAL);
  EXPECT_EQ(run(1, 0), -EINVAL) << "a beginning without a number";
  EXPECT_EQ(run(0, 2), 1);
  EXPECT_EQ(c.words[32], 4711u);
  EXPECT_EQ(c.words[48], 0u) << "segment 2 ran";
  EXPECT_EQ(run(3, 2), 1);
  EXPECT_EQ(c.words[64], 0u) << "segment 2 ran";
  EXPECT_EQ(run(2, 3), 1);
  EXPECT_EQ(c.words[80], 4711u);
}

TEST(Chain, FailedSegmentIsCountedFromTheEntryPoints) {
  Device dev;
  Ripple c(dev, 5, 3);
  Job job(c.r.inst);
  job.job.first_segment = 2;
  job.job.n_segments = 3;
  job.bind(0, job.use(c.bo, 3), 0, c.bytes);
  job.signal(c.r.sync);
  ASSERT_EQ(submit(dev, job), 0);
  ASSERT_EQ(dev.wait(c.r.sync), 0);
  EXPECT_EQ(dev.fence_status(c.r.sync), -EIO);
  EXPECT_EQ(dev.inst_state(c.r.inst).segment, 3u);
}

// A schedule goes round segments; whoever submits runs it.
TEST(Chain, ScheduleIsNotForTheKernel) {
  Device dev;
  ProgramBuilder b(dev.target());
  b.halt();
  b.segment();
  b.entry(1);
  b.steps.push_back({.kind = LOOM_STEP_RUN,
                     .rsvd = {},
                     .first = 0,
                     .count = 1,
                     .cond = 0,
                     .arg = 0});
  Runner r(dev, b);
  EXPECT_EQ(r.run(), -EOPNOTSUPP);
  Job job(r.inst); // one round
  job.job.n_segments = 1;
  job.signal(r.sync);
  ASSERT_EQ(submit(dev, job), 0);
  ASSERT_EQ(dev.wait(r.sync), 0);
  EXPECT_EQ(dev.fence_status(r.sync), 1);
}

} // namespace
