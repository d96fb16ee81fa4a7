// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// CPU segments under load: quotas, processes killed in mid-chain, memory that
// changes while it is read, more clients than the engine can serve.
#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <random>
#include <sys/mman.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <xf86drm.h>

#include "cpu_programs.h"

using namespace loom_test;

namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

int number(const char *variable, int otherwise) {
  const char *text = std::getenv(variable);
  return text ? std::atoi(text) : otherwise;
}

// Quanta that compute for about so many milliseconds here.
std::uint32_t quanta_of(double ms) {
  Device dev;
  Parameter all("cpu_quota_pct", "100");
  constexpr std::uint32_t kProbe = 512;
  Runner r(dev, long_program(dev.target(), kProbe));
  EXPECT_EQ(r.run(), 1);
  const double ns = static_cast<double>(fdinfo(dev, "drm-engine-cpu"));
  return std::max(1u, static_cast<std::uint32_t>(ms * 1e6 * kProbe / ns));
}

// --- quota ---

// Keeps two jobs queued for so long; returns the share of one CPU that its
// file used, in percent, once the bucket's first filling is gone.
double share(double seconds, std::uint32_t quanta) {
  Device dev;
  Runner a(dev, long_program(dev.target(), quanta));
  Runner b(dev, long_program(dev.target(), quanta));
  Job ja(a.inst), jb(b.inst);
  ja.signal(a.sync);
  jb.signal(b.sync);
  auto pump = [&](double s) {
    const auto start = Clock::now();
    while (seconds_since(start) < s) {
      EXPECT_EQ(submit(dev, ja), 0);
      EXPECT_EQ(submit(dev, jb), 0);
      EXPECT_EQ(dev.wait(a.sync), 0);
      EXPECT_EQ(dev.wait(b.sync), 0);
    }
  };
  pump(0.3);
  const double before = static_cast<double>(fdinfo(dev, "drm-engine-cpu"));
  const auto start = Clock::now();
  pump(seconds);
  const double used =
      static_cast<double>(fdinfo(dev, "drm-engine-cpu")) - before;
  return used / (seconds_since(start) * 1e9) * 100;
}

TEST(CpuQuota, SaturatingClientGetsItAndNoMore) {
  const Patience patience;
  const std::uint32_t quanta = quanta_of(5);
  const double seconds = number("LOOM_QUOTA_SECONDS", 3);
  // Far less than a CPU is what a busy host may give the guest; in virtual time
  // there is no such host, and cpu_sections.py asks for more.
  const int least = number("LOOM_QUOTA_LEAST", 25);
  for (const int pct : {20, 50}) {
    Parameter quota("cpu_quota_pct", std::to_string(pct));
    const double got = share(seconds, quanta);
    RecordProperty("quota_" + std::to_string(pct), std::to_string(got));
    EXPECT_LE(got, 1.05 * pct);
    EXPECT_GE(got, 0.01 * least * pct);
  }
}

// Who waits for its quota does not keep others from the engine.
TEST(CpuQuota, OthersGoFirst) {
  const Patience patience;
  Parameter quota("cpu_quota_pct", "1");
  Device rich, poor;
  Runner spender(poor, long_program(poor.target(), quanta_of(30)));
  ASSERT_EQ(spender.run(), 1);
  Job job(spender.inst);
  job.signal(spender.sync);
  const auto start = Clock::now();
  ASSERT_EQ(submit(poor, job), 0); // its debt lasts for seconds
  Runner other(rich, long_program(rich.target(), 1));
  EXPECT_EQ(other.run(), 1);
  EXPECT_LT(seconds_since(start), 1.0);
  EXPECT_EQ(poor.fence_status(spender.sync), 0) << "it had no debt";
}

// --- priority ---

// A ready segment of a higher priority waits for the one that runs only.
TEST(CpuPriority, HighGoesFirst) {
  const Patience patience;
  Parameter all("cpu_quota_pct", "100");
  constexpr std::uint64_t kQueued = 24;
  const ProgramBuilder b = long_program(Device().target(), quanta_of(20));
  Device low, high;
  const std::uint32_t inst =
      low.inst(low.ctx(DRM_LOOM_PRIORITY_LOW), low.prog(b));
  const std::uint32_t first =
      high.inst(high.ctx(DRM_LOOM_PRIORITY_HIGH), high.prog(b));
  std::uint32_t timeline = low.syncobj();
  const std::uint32_t sync = high.syncobj();
  std::vector<Job> queue;
  for (std::uint64_t i = 1; i <= kQueued; i++) {
    queue.emplace_back(inst);
    queue.back().signal(timeline, i);
  }
  Job job(first);
  job.signal(sync);
  ASSERT_EQ(submit(low, queue), 0);
  ASSERT_EQ(submit(high, job), 0);
  ASSERT_EQ(high.wait(sync), 0);
  std::uint64_t done = 0;
  ASSERT_EQ(drmSyncobjQuery(low.fd, &timeline, &done, 1), 0);
  EXPECT_LT(done, kQueued) << "it went last";
  EXPECT_EQ(low.wait(timeline, kQueued), 0);
}

// --- processes that die ---

unsigned objects() {
  return debugfs_rows("bos") + debugfs_rows("contexts") +
         debugfs_rows("clients");
}

// What a killed process does: chains to and fro, long CPU segments, a debt.
[[noreturn]] void be_killed(int ready, std::uint32_t quanta) {
  Device dev;
  Runner chain(dev, woven_program(dev.target(), 16));
  Runner longer(dev, long_program(dev.target(), quanta));
  const std::uint64_t bytes = 17 * std::uint64_t{kBlockBytes};
  Job a(chain.inst), b(longer.inst);
  a.bind(0, a.use(dev.bo(bytes), 3), 0, bytes);
  std::vector<Job> jobs{a, b, a, b, a, b};
  for (bool said = false;; said = true) {
    submit(dev, jobs);
    if (!said && write(ready, "x", 1) != 1)
      _exit(1);
    Job last = a;
    last.signal(chain.sync);
    submit(dev, last);
    dev.wait(chain.sync);
  }
}

TEST(CpuKill, InMidChainLeaksNothing) {
  const Patience patience;
  const int rounds = number("LOOM_KILLS", 50);
  const std::uint32_t quanta = quanta_of(8);
  std::mt19937 random(std::random_device{}());
  usleep(100000);
  const unsigned before = objects();
  for (int round = 0; round < rounds; round++) {
    int ready[2];
    ASSERT_EQ(pipe(ready), 0);
    const pid_t child = fork();
    if (!child)
      be_killed(ready[1], quanta);
    char c;
    ASSERT_EQ(read(ready[0], &c, 1), 1);
    usleep(random() % 30000);
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
    close(ready[0]);
    close(ready[1]);
  }
  Device dev;
  Runner r(dev, long_program(dev.target(), 1));
  EXPECT_EQ(r.run(), 1);
  const auto start = Clock::now();
  // Those of this test's own: one client, one context, its state.
  while (objects() > before + 3 && seconds_since(start) < 20)
    usleep(10000);
  EXPECT_LE(objects(), before + 3);
}

// A closed file's segment does not run to its end.
TEST(CpuKill, RunningSegmentIsCancelled) {
  Device watcher;
  const auto before = watcher.stats();
  {
    Device dev;
    Runner r(dev, long_program(dev.target(), 1u << 24));
    Job job(r.inst);
    ASSERT_EQ(submit(dev, job), 0);
    while (watcher.stats().cpu_submitted == before.cpu_submitted)
      usleep(100);
  }
  const auto start = Clock::now();
  while (watcher.stats().cpu_cancelled == before.cpu_cancelled &&
         seconds_since(start) < 5)
    usleep(1000);
  EXPECT_EQ(watcher.stats().cpu_cancelled, before.cpu_cancelled + 1);
}

// --- memory that changes ---

// Indices that user space scribbles on are read once and clamped: a gather
// stays in its slot, a scatter leaves the guard behind it alone.
struct Scribbled {
  static constexpr std::uint32_t n = 256;
  explicit Scribbled(const Device &dev)
      : r(dev, program(dev.target())), bo(dev.bo(4 * 4096)),
        words(static_cast<volatile std::uint32_t *>(dev.map(bo, 4 * 4096))) {}
  ~Scribbled() { munmap(const_cast<std::uint32_t *>(words), 4 * 4096); }

  static ProgramBuilder program(const loom_target &t) {
    ProgramBuilder b(t);
    b.slot(LOOM_SLOT_ARG, LOOM_RIGHT_READ, 4 * n); // indices
    b.slot(LOOM_SLOT_ARG, kReadWrite, 4 * n);      // data
    loom_cpu_gather g{};
    g.n_index = 1;
    g.limit[0] = n - 1;
    g.stride[0] = 4;
    loom::test::operation op;
    op.structure = LOOM_CPU_GATHER;
    op.in = {loom::test::operand(1, LOOM_I32, {n}, {0}),
             loom::test::dense(0, LOOM_I32, {n})};
    op.out = {loom::test::dense(1, LOOM_I32, {n})};
    op.set(g);
    Rows rows;
    for (unsigned i = 0; i < 32; i++) {
      const Rows one = op.encode();
      rows.insert(rows.end(), one.begin(), one.end());
    }
    b.cpu_segment(rows);
    b.entry();
    return b;
  }
  Job job() {
    Job j(r.inst);
    const std::uint32_t i = j.use(bo, 3);
    j.bind(0, i, 0, 4 * n);
    j.bind(1, i, 4096, 4 * n);
    j.signal(r.sync);
    return j;
  }
  Runner r;
  std::uint32_t bo;
  volatile std::uint32_t *words;
};

TEST(CpuScribble, IndicesAreReadOnceAndClamped) {
  Device dev;
  Scribbled s(dev);
  for (unsigned i = 0; i < 4096; i++)
    s.words[i] = 0x5a5a5a5a;
  for (unsigned i = 0; i < Scribbled::n; i++)
    s.words[1024 + i] = 1000 + i;
  std::jthread scribbler([&](const std::stop_token &stop) {
    std::mt19937 random(1);
    while (!stop.stop_requested())
      s.words[random() % Scribbled::n] = random();
  });
  for (unsigned round = 0; round < 50; round++) {
    Job job = s.job();
    ASSERT_EQ(submit(dev, job), 0);
    ASSERT_EQ(dev.wait(s.r.sync), 0);
    ASSERT_EQ(dev.fence_status(s.r.sync), 1);
  }
  scribbler.request_stop();
  scribbler.join();
  for (unsigned i = 0; i < Scribbled::n; i++) {
    const std::uint32_t v = s.words[1024 + i];
    ASSERT_TRUE(v >= 1000 && v < 1000 + Scribbled::n) << v;
  }
  for (unsigned i = 1024 + Scribbled::n; i < 4096; i++)
    ASSERT_EQ(s.words[i], 0x5a5a5a5au) << "outside the slots";
}

// --- too many ---

TEST(CpuClients, EightSaturateWithoutLockup) {
  const Patience patience;
  // Seconds without a schedule that the kernel takes for a lockup, halved.
  const std::string thresh = "/proc/sys/kernel/watchdog_thresh";
  const std::string old = read_file(thresh);
  write_file(thresh, "3");
  constexpr int kClients = 8;
  const int seconds = number("LOOM_CLIENT_SECONDS", 8);
  const std::uint32_t quanta = quanta_of(20);
  const auto before = Device().stats();
  std::vector<pid_t> children;
  for (int i = 0; i < kClients; i++) {
    const pid_t child = fork();
    if (child) {
      children.push_back(child);
      continue;
    }
    Device dev;
    Runner r(dev, long_program(dev.target(), quanta));
    const auto start = Clock::now();
    int jobs = 0;
    while (seconds_since(start) < seconds && r.run() == 1)
      jobs++;
    _exit(jobs >= 2 ? 0 : 1);
  }
  for (const pid_t child : children) {
    int status = 0;
    waitpid(child, &status, 0);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0)
        << "a client got next to nothing";
  }
  write_file(thresh, old);
  EXPECT_GT(Device().stats().cpu_completed,
            before.cpu_completed + 2 * kClients);
}

} // namespace
