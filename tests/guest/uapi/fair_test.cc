// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Who gets the NPU when two contexts always want it: by cycles, as fdinfo
// counts them, which no load of the host changes.
#include <poll.h>
#include <unistd.h>
#include <xf86drm.h>

#include "harness.h"

using namespace loom_test;

namespace {

constexpr std::int64_t kLong = 20000, kShort = kLong / 10;
constexpr unsigned kLead = 30, kUntil = 30; // in long jobs
constexpr unsigned kBatches = 10; // of 256: nobody runs dry before the end

// A context in a file of its own, with jobs of one length.
class Load {
public:
  Load(std::int64_t times, std::uint32_t priority = DRM_LOOM_PRIORITY_NORMAL)
      : times_(times),
        inst_(dev_.inst(dev_.ctx(priority),
                        dev_.prog(spin_program(dev_.target(), times)))),
        end_(dev_.syncobj(true)) {}
  // The tests that follow find an idle device.
  ~Load() {
    pollfd end = {-1, POLLIN, 0};
    EXPECT_EQ(drmSyncobjExportSyncFile(dev_.fd, end_, &end.fd), 0);
    close(dev_.fd);
    dev_.fd = -1;
    EXPECT_EQ(poll(&end, 1, 60000), 1) << "queued jobs are not cancelled";
    close(end.fd);
  }

  // Many more jobs than run; says when those worth `longs` have.
  std::uint32_t queue(unsigned longs) {
    const std::uint32_t mark = dev_.syncobj();
    const std::uint64_t marked = longs * kLong / times_ - 1;
    for (unsigned batch = 0; batch < kBatches; batch++) {
      std::vector<Job> jobs(256, Job(inst_));
      if (marked / 256 == batch)
        jobs[marked % 256].signal(mark);
      if (batch == kBatches - 1)
        jobs.back().signal(end_);
      EXPECT_EQ(submit(dev_, jobs), 0);
    }
    return mark;
  }
  void wait(std::uint32_t mark) const { ASSERT_EQ(dev_.wait(mark, 0, 60), 0); }
  std::uint64_t cycles() const { return fdinfo(dev_, "drm-cycles-npu"); }
  bool dry() const {
    return fdinfo(dev_, "loom-jobs-npu") == kBatches * 256ull;
  }

private:
  Device dev_;
  std::int64_t times_;
  std::uint32_t inst_, end_;
};

// The share of b, which begins when a has run alone for kLead long jobs.
double share_of_second(Load &a, Load &b) {
  a.wait(a.queue(kLead));
  const std::uint32_t until = b.queue(kUntil);
  const std::uint64_t a0 = a.cycles(), b0 = b.cycles();
  b.wait(until);
  const double da = a.cycles() - a0, db = b.cycles() - b0;
  EXPECT_GT(db, 0);
  return db / (da + db);
}

TEST(Fair, LongAndShortJobsShareCycles) {
  for (const bool long_first : {true, false}) {
    Load a(long_first ? kLong : kShort), b(long_first ? kShort : kLong);
    const double share = share_of_second(a, b);
    RecordProperty(long_first ? "short" : "long", std::to_string(share));
    EXPECT_GE(share, 0.4) << (long_first ? "short" : "long") << " jobs";
    EXPECT_LE(share, 0.6) << (long_first ? "short" : "long") << " jobs";
    EXPECT_FALSE(a.dry());
    EXPECT_FALSE(b.dry());
  }
}

// Priorities are strict: fairness is among equals.
TEST(Fair, HigherPriorityDoesNotShare) {
  Load low(kShort, DRM_LOOM_PRIORITY_LOW), normal(kLong);
  EXPECT_GE(share_of_second(low, normal), 0.9);
  Load high(kShort, DRM_LOOM_PRIORITY_HIGH);
  const std::uint32_t until = high.queue(kUntil);
  const std::uint64_t n0 = normal.cycles(), h0 = high.cycles();
  high.wait(until);
  EXPECT_GE(high.cycles() - h0, 9 * (normal.cycles() - n0));
}

} // namespace
