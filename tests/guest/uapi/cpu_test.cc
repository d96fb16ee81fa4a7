// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// CPU segments: refusals, errors, and the bits that user space gets from the
// same engine.
#include <cerrno>
#include <chrono>
#include <fcntl.h>
#include <linux/udmabuf.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <thread>
#include <unistd.h>
#include <xf86drm.h>

#include "cpu_programs.h"

using namespace loom_test;

namespace {

using Clock = std::chrono::steady_clock;

int reset(const Device &dev, std::uint32_t inst) {
  drm_loom_inst_reset r{inst, 0};
  return dev.call(DRM_IOCTL_LOOM_INST_RESET, &r);
}

// --- PROG_CREATE ---

struct CpuProg : testing::Test {
  int create(const Rows &rows, std::uint64_t slot_bytes = kBlockBytes,
             unsigned rights = kReadWrite, std::uint64_t budget = 1ull << 40) {
    ProgramBuilder b(dev.target());
    b.slot(LOOM_SLOT_STATE, rights, slot_bytes);
    b.cpu_segment(rows, budget);
    b.entry();
    return dev.try_prog(b.bytes(), &message);
  }
  bool says(const char *text) const {
    return message.find(text) != std::string::npos;
  }
  Device dev;
  std::string message;
};

TEST_F(CpuProg, IsCheckedAgainstItsSlots) {
  const Rows rows = map_op(0, 0, 0, LOOM_UOP_EXP).encode();
  EXPECT_EQ(create(rows), 0) << message;
  EXPECT_EQ(create(rows, kBlockBytes - 1), ENOEXEC);
  EXPECT_TRUE(says("outside its slot")) << message;
  EXPECT_EQ(create(rows, kBlockBytes, LOOM_RIGHT_READ), ENOEXEC);
  EXPECT_TRUE(says("lacks a right")) << message;
  EXPECT_EQ(create(rows, kBlockBytes, LOOM_RIGHT_WRITE), ENOEXEC);
  EXPECT_TRUE(says("must not be read")) << message;
  EXPECT_EQ(create(map_op(1, 0, 0, LOOM_UOP_EXP).encode()), ENOEXEC);
  EXPECT_TRUE(says("slot that does not exist")) << message;
}

TEST_F(CpuProg, StaysWithinItsBudget) {
  const Rows rows = map_op(0, 0, 0, LOOM_UOP_EXP).encode();
  EXPECT_EQ(create(rows, kBlockBytes, kReadWrite, cost_of(rows)), 0) << message;
  EXPECT_EQ(create(rows, kBlockBytes, kReadWrite, cost_of(rows) - 1), ENOEXEC);
  EXPECT_TRUE(says("budget")) << message;
}

TEST_F(CpuProg, UnknownOperationIsNamed) {
  EXPECT_EQ(create(map_op(0, 0, 0, 0x3ff).encode(1)), EOPNOTSUPP);
  EXPECT_TRUE(says("no such scalar operation")) << message;
  EXPECT_TRUE(says("1023")) << message;
}

TEST(CpuSwitch, OffRefusesAndNpuGoesOn) {
  Device dev;
  Runner before(dev, long_program(dev.target(), 1));
  ASSERT_EQ(before.run(), 1);
  drm_loom_engines e{};
  drm_loom_dev_query q{DRM_LOOM_QUERY_ENGINES, sizeof(e),
                       reinterpret_cast<std::uintptr_t>(&e)};
  ASSERT_EQ(dev.call(DRM_IOCTL_LOOM_DEV_QUERY, &q), 0);
  EXPECT_EQ(e.cpu, 1u);
  EXPECT_TRUE(e.cpu_structures & 1ull << LOOM_CPU_MAP);
  EXPECT_FALSE(e.cpu_structures & 1ull << LOOM_CPU_TEXT);
  {
    Parameter off("cpu_engine", "N");
    ASSERT_EQ(dev.call(DRM_IOCTL_LOOM_DEV_QUERY, &q), 0);
    EXPECT_EQ(e.cpu, 0u);
    EXPECT_EQ(e.cpu_structures, 0u);
    std::string message;
    EXPECT_EQ(dev.try_prog(long_program(dev.target(), 1).bytes(), &message),
              EOPNOTSUPP);
    EXPECT_NE(message.find("cpu_engine"), std::string::npos) << message;
    EXPECT_EQ(before.run(), -EOPNOTSUPP) << "an instance from before";
    Runner npu(dev, halt_program(dev.target()));
    EXPECT_EQ(npu.run(), 1);
  }
  EXPECT_EQ(before.run(), 1);
}

// --- a chain that goes to and fro ---

struct Woven {
  Woven(const Device &dev, unsigned segments, int trap_at = -1)
      : dev(dev), r(dev, woven_program(dev.target(), segments, trap_at)),
        segments(segments), bytes((segments + 1) * std::uint64_t{kBlockBytes}),
        bo(dev.bo(offset + bytes)),
        report(dev.bo(segments * std::uint64_t{4096})),
        memory(static_cast<std::uint8_t *>(dev.map(bo, offset + bytes))),
        data(reinterpret_cast<float *>(memory + offset)) {
    for (unsigned i = 0; i < kBlock; i++)
      data[i] = -4.0f + 0.01f * static_cast<float>(i);
  }
  ~Woven() { munmap(memory, offset + bytes); }
  Job job() {
    Job j(r.inst);
    j.bind(0, j.use(bo, 3), offset, bytes);
    j.use(report, DRM_LOOM_ACCESS_WRITE);
    j.job.report_bo = 2;
    j.job.report_size = 4096;
    j.signal(r.sync);
    return j;
  }
  int run() {
    Job j = job();
    const int error = submit(dev, j);
    if (error)
      return -error;
    const int waited = dev.wait(r.sync);
    return waited ? -waited : dev.fence_status(r.sync);
  }
  bool block_is_zero(unsigned k) const {
    for (unsigned i = 0; i < kBlock; i++)
      if (data[k * kBlock + i] != 0.0f)
        return false;
    return true;
  }
  // What all of it should hold.
  std::vector<std::uint8_t> expected() const {
    std::vector<std::uint8_t> all(bytes);
    std::memcpy(all.data(), data, kBlockBytes);
    for (unsigned k = 0; k < segments; k++)
      if (k % 2)
        run_here(exp_twice(0, k, k + 1), all);
      else
        std::memcpy(&all[(k + 1) * kBlockBytes], &all[k * kBlockBytes],
                    kBlockBytes);
    return all;
  }
  const Device &dev;
  Runner r;
  unsigned segments;
  std::uint64_t bytes;
  std::uint32_t bo, report;
  std::uint8_t *memory;
  float *data;
  static constexpr std::uint64_t offset = 4096 + 64; // of the binding
};

TEST(CpuChain, NpuCpuNpuCpuGivesTheBits) {
  Device dev;
  Woven c(dev, 4);
  const auto before = dev.stats();
  ASSERT_EQ(c.run(), 1);
  const auto want = c.expected();
  EXPECT_EQ(std::memcmp(want.data(), c.data, c.bytes), 0);
  EXPECT_FALSE(c.block_is_zero(4));
  const auto after = dev.stats();
  EXPECT_EQ(after.jobs_completed, before.jobs_completed + 2);
  EXPECT_EQ(after.cpu_completed, before.cpu_completed + 2);
  EXPECT_EQ(after.cpu_submitted, before.cpu_submitted + 2);
  EXPECT_GT(after.cpu_ns, before.cpu_ns);
}

TEST(CpuChain, SixtyFourSegments) {
  Device dev;
  Woven c(dev, 64);
  ASSERT_EQ(c.run(), 1);
  const auto want = c.expected();
  EXPECT_EQ(std::memcmp(want.data(), c.data, c.bytes), 0);
}

TEST(CpuChain, ReportsAddUp) {
  Device dev;
  Woven c(dev, 4);
  ASSERT_EQ(c.run(), 1);
  auto *p = static_cast<std::uint8_t *>(dev.map(c.report, 4 * 4096));
  for (unsigned k = 0; k < 4; k++) {
    loom_report r;
    std::memcpy(&r, p + 4096 * k, sizeof(r));
    ASSERT_EQ(r.magic, LOOM_REPORT_MAGIC) << "segment " << k;
    EXPECT_EQ(r.end.fault, 0u);
    EXPECT_EQ(r.end.cycles, r.cycles);
    for (const auto &q : r.queue)
      EXPECT_EQ(q.busy + q.edge + q.fill + q.wait_mem + q.wait_dep + q.idle,
                r.cycles);
    if (k % 2 == 0)
      continue;
    const std::uint64_t cost = cost_of(exp_twice(0, k, k + 1));
    EXPECT_EQ(r.cycles,
              (cost + LOOM_CPU_COST_PER_CYCLE - 1) / LOOM_CPU_COST_PER_CYCLE);
    EXPECT_EQ(r.insns, 2u);
    ASSERT_EQ(r.n_entries, 2u);
    loom_report_entry e[2];
    std::memcpy(e, p + 4096 * k + sizeof(r), sizeof(e));
    EXPECT_EQ(e[0].queue, LOOM_REPORT_QUEUE_CPU);
    EXPECT_EQ(e[0].start, 0u);
    EXPECT_EQ(e[1].unit, 1u);
    EXPECT_EQ(e[1].start, e[0].end);
    EXPECT_EQ(e[1].end, r.cycles);
  }
  munmap(p, 4 * 4096);
}

TEST(CpuChain, StateScratchAndConstants) {
  Device dev;
  const std::uint32_t consts = dev.bo(2 * kBlockBytes);
  auto *c = static_cast<float *>(dev.map(consts, 2 * kBlockBytes));
  for (unsigned i = 0; i < 2 * kBlock; i++)
    c[i] = static_cast<float>(i);
  ProgramBuilder b(dev.target());
  b.constants(2 * kBlockBytes);
  b.slot(LOOM_SLOT_CONST, LOOM_RIGHT_READ, kBlockBytes, 0, kBlockBytes);
  b.slot(LOOM_SLOT_SCRATCH, kReadWrite, kBlockBytes);
  b.slot(LOOM_SLOT_STATE, kReadWrite, kBlockBytes);
  auto first = map_op(0, 0, 0, LOOM_UOP_FADD); // scratch = 2 x constants
  first.out[0].slot = 1;
  auto second = map_op(1, 0, 0, LOOM_UOP_FADD); // state += scratch
  second.in.push_back(loom::test::dense(2, LOOM_F32, {kBlock}));
  second.out[0].slot = 2;
  second.ops = loom::test::binary(LOOM_UOP_FADD);
  Rows rows = first.encode();
  const Rows more = second.encode();
  rows.insert(rows.end(), more.begin(), more.end());
  b.cpu_segment(rows);
  b.entry();
  Runner r(dev, b, consts);
  for (unsigned round = 1; round <= 3; round++) {
    ASSERT_EQ(r.run(), 1);
    drm_loom_inst_get_state s{};
    s.inst = r.inst;
    s.state_bo = 2;
    ASSERT_EQ(dev.call(DRM_IOCTL_LOOM_INST_GET_STATE, &s), 0);
    auto *p = static_cast<float *>(dev.map(s.handle, kBlockBytes));
    for (unsigned i = 0; i < kBlock; i++)
      ASSERT_EQ(p[i], 2.0f * static_cast<float>(round * (kBlock + i)));
    munmap(p, kBlockBytes);
  }
  munmap(c, 2 * kBlockBytes);
}

// --- errors ---

struct Injection {
  explicit Injection(const std::string &what) {
    EXPECT_EQ(write_file(debugfs("cpu_fail"), what), 0);
  }
  ~Injection() { write_file(debugfs("cpu_fail"), "off"); }
};

TEST(CpuError, InjectionIsParsed) {
  Device dev;
  EXPECT_EQ(write_file(debugfs("cpu_fail"), "1"), EINVAL);
  EXPECT_EQ(write_file(debugfs("cpu_fail"), "x y"), EINVAL);
  EXPECT_EQ(write_file(debugfs("cpu_fail"), std::string(40, '1')), EINVAL);
  EXPECT_EQ(write_file(debugfs("cpu_fail"), "1 0"), 0);
  EXPECT_EQ(write_file(debugfs("cpu_fail"), "off\n"), 0);
  Woven c(dev, 4);
  EXPECT_EQ(c.run(), 1) << "off";
}

// NPU segments trap, CPU segments fail by injection.
TEST(CpuError, InEachSegmentInTurn) {
  Device dev;
  for (unsigned at = 0; at < 4; at++) {
    const bool cpu = at % 2;
    Woven c(dev, 4, cpu ? -1 : static_cast<int>(at));
    const auto before = dev.stats();
    Injection fail(cpu ? std::to_string(at) + " 0" : "off");
    EXPECT_EQ(c.run(), -EIO) << "segment " << at;
    const auto s = dev.inst_state(c.r.inst);
    EXPECT_EQ(s.state, DRM_LOOM_INST_LOST);
    EXPECT_EQ(s.error, unsigned{EIO});
    EXPECT_EQ(s.segment, at);
    EXPECT_EQ(s.fault, unsigned{LOOM_FAULT_TRAP});
    for (unsigned k = 1; k <= 4; k++)
      EXPECT_EQ(c.block_is_zero(k), k > at) << "block " << k << ", at " << at;
    const auto after = dev.stats();
    EXPECT_EQ(after.jobs_submitted - before.jobs_submitted, at / 2 + 1);
    EXPECT_EQ(after.cpu_submitted - before.cpu_submitted, (at + 1) / 2);
    EXPECT_EQ(after.cpu_failed - before.cpu_failed, cpu ? 1u : 0u);
    Job again = c.job();
    EXPECT_EQ(submit(dev, again), EIO) << "LOST";
    ASSERT_EQ(reset(dev, c.r.inst), 0);
    if (cpu)
      EXPECT_EQ(c.run(), 1) << "injected once";
    else
      EXPECT_EQ(c.run(), -EIO) << "it traps again";
  }
}

TEST(CpuError, OperationAndLocationAreNamed) {
  Device dev;
  Woven c(dev, 4);
  Injection fail("3 1");
  EXPECT_EQ(c.run(), -EIO);
  const auto s = dev.inst_state(c.r.inst);
  EXPECT_EQ(s.segment, 3u);
  EXPECT_EQ(s.unit, 1u);
  EXPECT_EQ(s.loc, 3u);
  auto *p = static_cast<std::uint8_t *>(dev.map(c.report, 4 * 4096));
  loom_report r;
  std::memcpy(&r, p + 4096 * 3, sizeof(r));
  EXPECT_EQ(r.magic, LOOM_REPORT_MAGIC);
  EXPECT_EQ(r.insns, 1u);
  EXPECT_EQ(r.end.fault, LOOM_FAULT_TRAP);
  EXPECT_EQ(r.end.unit, 1u);
  EXPECT_EQ(r.end.loc, 3u);
  munmap(p, 4 * 4096);
}

TEST(CpuError, QueuedJobsOfTheInstanceAreCancelled) {
  Device dev;
  Woven c(dev, 4);
  Injection fail("1 0");
  const std::uint32_t second = dev.syncobj();
  Job a = c.job(), b = c.job();
  b.signals.clear();
  b.signal(second);
  std::vector<Job> both{a, b};
  ASSERT_EQ(submit(dev, both), 0);
  ASSERT_EQ(dev.wait(second), 0);
  EXPECT_EQ(dev.fence_status(c.r.sync), -EIO);
  EXPECT_EQ(dev.fence_status(second), -ECANCELED);
}

// A segment that computes for longer than hang_ms, or than its budget's cost
// allows, ends with ETIME; nobody else suffers.
void expect_late(const Device &dev) {
  Runner r(dev, long_program(dev.target(), 1u << 22));
  const auto start = Clock::now();
  EXPECT_EQ(r.run(), -ETIME);
  EXPECT_LT(std::chrono::duration<double>(Clock::now() - start).count(), 15.0);
  const auto s = dev.inst_state(r.inst);
  EXPECT_EQ(s.state, DRM_LOOM_INST_LOST);
  EXPECT_EQ(s.error, unsigned{ETIME});
  EXPECT_EQ(s.fault, unsigned{LOOM_FAULT_BUDGET_CYCLES});
  EXPECT_EQ(dev.ctx_state(r.ctx).state, 0u) << "nobody else was harmed";
  EXPECT_EQ(reset(dev, r.inst), 0);
  Runner other(dev, long_program(dev.target(), 1));
  EXPECT_EQ(other.run(), 1);
}

TEST(CpuError, DeadlineOfHang) {
  Device dev;
  Parameter hang("hang_ms", "100");
  expect_late(dev);
}

TEST(CpuError, DeadlineOfCost) {
  Device dev;
  Parameter hang("hang_ms", "100000"), unit("cpu_unit_ns", "0");
  expect_late(dev);
}

TEST(CpuError, ImportedBuffersAreRefused) {
  const int udmabuf = open("/dev/udmabuf", O_RDWR | O_CLOEXEC);
  if (udmabuf < 0)
    GTEST_SKIP() << "this kernel has no /dev/udmabuf";
  Device dev;
  const int memfd = memfd_create("loom", MFD_ALLOW_SEALING);
  ASSERT_EQ(ftruncate(memfd, 1 << 16), 0);
  ASSERT_EQ(fcntl(memfd, F_ADD_SEALS, F_SEAL_SHRINK), 0);
  udmabuf_create args{};
  args.memfd = static_cast<__u32>(memfd);
  args.size = 1 << 16;
  const int prime = ioctl(udmabuf, UDMABUF_CREATE, &args);
  ASSERT_GE(prime, 0);
  std::uint32_t imported = 0;
  ASSERT_EQ(drmPrimeFDToHandle(dev.fd, prime, &imported), 0);

  Woven c(dev, 4);
  Job job(c.r.inst);
  job.bind(0, job.use(imported, 3), 0, c.bytes);
  job.signal(c.r.sync);
  EXPECT_EQ(submit(dev, job), EOPNOTSUPP);
  Job first = job; // the NPU's segment alone
  first.job.n_segments = 1;
  ASSERT_EQ(submit(dev, first), 0);
  ASSERT_EQ(dev.wait(c.r.sync), 0);
  EXPECT_EQ(dev.fence_status(c.r.sync), 1);
  Job report = c.job();
  report.bos[1].handle = imported;
  EXPECT_EQ(submit(dev, report), EOPNOTSUPP);
  EXPECT_EQ(c.run(), 1);

  ProgramBuilder b(dev.target());
  b.constants(kBlockBytes);
  b.slot(LOOM_SLOT_CONST, LOOM_RIGHT_READ, kBlockBytes);
  b.slot(LOOM_SLOT_SCRATCH, kReadWrite, kBlockBytes);
  auto op = map_op(0, 0, 0, LOOM_UOP_EXP);
  op.out[0].slot = 1;
  b.cpu_segment(op.encode());
  b.entry();
  drm_loom_inst_create inst{dev.ctx(), dev.prog(b, imported), 0, 0};
  EXPECT_EQ(dev.call(DRM_IOCTL_LOOM_INST_CREATE, &inst), EOPNOTSUPP);
  close(prime);
  close(memfd);
  close(udmabuf);
}

TEST(CpuFdinfo, CountsThisClientsTimeOnly) {
  Device dev, other;
  Runner r(dev, long_program(dev.target(), 2000));
  for (unsigned i = 0; i < 3; i++)
    ASSERT_EQ(r.run(), 1);
  EXPECT_EQ(fdinfo(dev, "loom-jobs-cpu"), 3u);
  EXPECT_GT(fdinfo(dev, "drm-engine-cpu"), 3u * 2000 * 50);
  EXPECT_NE(fdinfo_field(dev, "drm-engine-cpu").find(" ns"), std::string::npos);
  EXPECT_EQ(fdinfo(other, "loom-jobs-cpu"), 0u);
  EXPECT_EQ(fdinfo(other, "drm-engine-cpu"), 0u);
}

} // namespace
