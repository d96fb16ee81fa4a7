// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Who gets the NPU when two contexts always want it: by cycles, as fdinfo
// counts them, which no load of the host changes.
#include <atomic>
#include <poll.h>
#include <thread>
#include <unistd.h>
#include <xf86drm.h>

#include "harness.h"

using namespace loom_test;

namespace {

constexpr std::int64_t kLong = 500000, kShort = kLong / 10; // instructions
constexpr std::uint64_t kCycles = 10 * kLong; // measured, a context; one an
                                              // instruction at the least
constexpr unsigned kBatch = 64, kBatches = 4; // jobs in flight

// A context in a file of its own, that always has jobs, of one length, queued.
class Load {
public:
  Load(std::int64_t times, std::uint32_t priority = DRM_LOOM_PRIORITY_NORMAL)
      : inst_(dev_.inst(dev_.ctx(priority),
                        dev_.prog(spin_program(dev_.target(), times)))) {
    for (auto &end : ends_)
      end = dev_.syncobj(true);
  }
  // The tests that follow find an idle device.
  ~Load() {
    stop_ = true;
    feeder_.join();
    pollfd end = {-1, POLLIN, 0};
    EXPECT_EQ(drmSyncobjExportSyncFile(dev_.fd, ends_[last_], &end.fd), 0);
    close(dev_.fd);
    dev_.fd = -1;
    EXPECT_EQ(poll(&end, 1, 60000), 1) << "queued jobs are not cancelled";
    close(end.fd);
  }

  void start() {
    for (unsigned batch = 0; batch < kBatches; batch++)
      submit_batch(batch);
    feeder_ = std::thread([this] {
      for (unsigned batch = 0; !stop_; batch = (batch + 1) % kBatches)
        submit_batch(batch);
    });
  }
  std::uint64_t cycles() const { return fdinfo(dev_, "drm-cycles-npu"); }

private:
  // After the one that had its place has run.
  void submit_batch(unsigned batch) {
    EXPECT_EQ(dev_.wait(ends_[batch], 0, 60), 0);
    std::vector<Job> jobs(kBatch, Job(inst_));
    jobs.back().signal(ends_[batch]);
    EXPECT_EQ(submit(dev_, jobs), 0);
    last_ = batch;
  }

  Device dev_;
  std::uint32_t inst_, ends_[kBatches];
  unsigned last_ = 0;
  std::atomic<bool> stop_ = false;
  std::thread feeder_;
};

struct Cycles {
  std::uint64_t a, b;
};

// Of one moment: a reading in which a job of a ended is repeated.
Cycles cycles_of(const Load &a, const Load &b) {
  Cycles c{a.cycles(), 0};
  for (std::uint64_t before = ~c.a; before != c.a;) {
    before = c.a;
    c.b = b.cycles();
    c.a = a.cycles();
  }
  return c;
}

// The share of b, which begins now, while a has the device.
double share_of_second(const Load &a, Load &b) {
  b.start();
  const Cycles start = cycles_of(a, b);
  Cycles now = start;
  while (now.a + now.b < start.a + start.b + 2 * kCycles) {
    usleep(1000);
    now = cycles_of(a, b);
  }
  const double of_a = now.a - start.a, of_b = now.b - start.b;
  return of_b / (of_a + of_b);
}

void run_alone(Load &a) {
  a.start();
  while (a.cycles() < kCycles)
    usleep(1000);
}

TEST(Fair, LongAndShortJobsShareCycles) {
  for (const bool long_first : {true, false}) {
    Load a(long_first ? kLong : kShort), b(long_first ? kShort : kLong);
    run_alone(a); // what b did not use until now, it has not saved up
    const double share = share_of_second(a, b);
    RecordProperty(long_first ? "short" : "long", std::to_string(share));
    EXPECT_GE(share, 0.4) << (long_first ? "short" : "long") << " jobs";
    EXPECT_LE(share, 0.6) << (long_first ? "short" : "long") << " jobs";
  }
}

// Priorities are strict: fairness is among equals.
TEST(Fair, HigherPriorityDoesNotShare) {
  Load low(kShort, DRM_LOOM_PRIORITY_LOW), normal(kLong),
      high(kLong, DRM_LOOM_PRIORITY_HIGH);
  run_alone(low);
  EXPECT_GE(share_of_second(low, normal), 0.9);
  EXPECT_GE(share_of_second(normal, high), 0.9);
}

} // namespace
