// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// SUBMIT: what it refuses, and that it is all or nothing.
#include <cerrno>
#include <functional>
#include <sys/mman.h>

#include "harness.h"

using namespace loom_test;

namespace {

constexpr std::uint32_t kRead = DRM_LOOM_ACCESS_READ;
constexpr std::uint32_t kWrite = DRM_LOOM_ACCESS_WRITE;

// A copy program of 4096 bytes with its two buffers.
struct SubmitTest : testing::Test {
  SubmitTest()
      : r(dev, copy_program(dev.target(), 4096)), in(dev.bo(8192)),
        out(dev.bo(8192)) {}

  Job good() {
    Job job(r.inst);
    job.bind(0, job.use(in, kRead), 0, 4096);
    job.bind(1, job.use(out, kWrite), 0, 4096);
    job.signal(r.sync);
    return job;
  }
  // The good job with one thing changed gives this errno, and nothing else.
  void refused(int error, const char *what,
               const std::function<void(Job &)> &change) {
    const auto before = dev.stats().jobs_submitted;
    Job job = good();
    change(job);
    std::uint32_t bad_job = 77;
    EXPECT_EQ(submit(dev, job, &bad_job), error) << what;
    EXPECT_EQ(bad_job, 0u) << what;
    EXPECT_EQ(dev.stats().jobs_submitted, before) << what;
    EXPECT_EQ(dev.fence_status(r.sync), -EINVAL)
        << what << ": the syncobj changed";
  }
  Device dev;
  Runner r;
  std::uint32_t in, out;
};

TEST_F(SubmitTest, CopiesData) {
  auto *a = static_cast<std::uint32_t *>(dev.map(in, 8192));
  auto *b = static_cast<std::uint32_t *>(dev.map(out, 8192));
  for (unsigned i = 0; i < 2048; i++)
    a[i] = i * 2654435761u;
  std::memset(b, 0x5a, 8192);
  Job job = good();
  ASSERT_EQ(submit(dev, job), 0);
  ASSERT_EQ(dev.wait(r.sync), 0);
  EXPECT_EQ(dev.fence_status(r.sync), 1);
  EXPECT_EQ(std::memcmp(a, b, 4096), 0);
  for (unsigned i = 1024; i < 2048; i++)
    ASSERT_EQ(b[i], 0x5a5a5a5au) << "written past the slot";
  munmap(a, 8192);
  munmap(b, 8192);
}

TEST_F(SubmitTest, BindingOffsets) {
  auto *a = static_cast<unsigned char *>(dev.map(in, 8192));
  auto *b = static_cast<unsigned char *>(dev.map(out, 8192));
  for (unsigned i = 0; i < 8192; i++)
    a[i] = static_cast<unsigned char>(i / 64 + i);
  Job job = good();
  job.bindings[0].offset = 64;
  job.bindings[1].offset = 4096;
  ASSERT_EQ(submit(dev, job), 0);
  ASSERT_EQ(dev.wait(r.sync), 0);
  EXPECT_EQ(std::memcmp(a + 64, b + 4096, 4096), 0);
  EXPECT_EQ(b[0], 0);
  munmap(a, 8192);
  munmap(b, 8192);
}

TEST_F(SubmitTest, RefusedJobs) {
  for (unsigned bit = 0; bit < 32; bit++)
    refused(EINVAL, "job flag", [&](Job &j) { j.job.flags = 1u << bit; });
  refused(ENOENT, "instance", [](Job &j) { j.job.inst = 999; });
  refused(ENOENT, "instance 0", [](Job &j) { j.job.inst = 0; });
  refused(EINVAL, "entry point", [](Job &j) { j.job.entry = 1; });
  refused(EINVAL, "entry point", [](Job &j) { j.job.entry = ~0u; });
}

TEST_F(SubmitTest, RefusedBuffers) {
  refused(ENOENT, "handle", [](Job &j) { j.bos[0].handle = 999; });
  refused(EINVAL, "no access", [](Job &j) { j.bos[0].access = 0; });
  for (unsigned bit = 2; bit < 32; bit++)
    refused(EINVAL, "access bit",
            [&](Job &j) { j.bos[0].access |= 1u << bit; });
  refused(EINVAL, "twice", [&](Job &j) { j.use(in, kRead); });
  refused(EINVAL, "read slot, write access",
          [](Job &j) { j.bos[0].access = kWrite; });
  refused(EINVAL, "write slot, read access",
          [](Job &j) { j.bos[1].access = kRead; });
  refused(E2BIG, "too many", [&](Job &j) {
    while (j.bos.size() <= 256)
      j.use(in, kRead);
  });
}

TEST_F(SubmitTest, RefusedBindings) {
  refused(EINVAL, "slot", [](Job &j) { j.bindings[0].slot = 2; });
  refused(EINVAL, "slot", [](Job &j) { j.bindings[0].slot = ~0u; });
  refused(EINVAL, "slot twice", [](Job &j) { j.bindings[0].slot = 1; });
  refused(EINVAL, "one missing", [](Job &j) { j.bindings.pop_back(); });
  refused(EINVAL, "one more", [](Job &j) { j.bind(1, 1, 4096, 4096); });
  refused(EINVAL, "buffer", [](Job &j) { j.bindings[0].bo_index = 2; });
  refused(EINVAL, "buffer", [](Job &j) { j.bindings[0].bo_index = ~0u; });
  refused(EINVAL, "alignment", [](Job &j) { j.bindings[0].offset = 32; });
  refused(EINVAL, "too small", [](Job &j) { j.bindings[0].size = 4095; });
  refused(EINVAL, "past the end", [](Job &j) { j.bindings[0].offset = 4160; });
  refused(EINVAL, "past the end", [](Job &j) { j.bindings[0].size = 8193; });
  refused(EINVAL, "overflow",
          [](Job &j) { j.bindings[0].offset = ~0ull - 63; });
  refused(EINVAL, "overflow", [](Job &j) { j.bindings[0].size = ~0ull; });
}

TEST_F(SubmitTest, WritableBindingOverlapsNone) {
  ProgramBuilder b(dev.target());
  b.output(4096);
  b.output(4096);
  b.input(4096);
  b.halt();
  b.segment();
  b.entry();
  const std::uint32_t inst = dev.inst(r.ctx, dev.prog(b));
  const std::uint32_t bo = dev.bo(16384);
  auto run = [&](std::uint64_t first, std::uint64_t second,
                 std::uint64_t third) {
    Job job(inst);
    job.use(bo, kRead | kWrite);
    job.bind(0, 0, first, 4096);
    job.bind(1, 0, second, 4096);
    job.bind(2, 0, third, 4096);
    return submit(dev, job);
  };
  EXPECT_EQ(run(0, 4096, 8192), 0);
  EXPECT_EQ(run(8192, 0, 4096), 0);
  EXPECT_EQ(run(0, 0, 8192), EINVAL);
  EXPECT_EQ(run(0, 4032, 8192), EINVAL);
  EXPECT_EQ(run(0, 8192, 4032), EINVAL) << "read overlaps write";
  EXPECT_EQ(run(4096, 12288, 4096), EINVAL);
}

TEST_F(SubmitTest, ReadsMayOverlap) {
  ProgramBuilder b(dev.target());
  b.input(4096);
  b.input(4096);
  b.halt();
  b.segment();
  b.entry();
  Job job(dev.inst(r.ctx, dev.prog(b)));
  job.use(in, kRead);
  job.bind(0, 0, 0, 4096);
  job.bind(1, 0, 64, 4096);
  EXPECT_EQ(submit(dev, job), 0);
}

TEST_F(SubmitTest, RefusedReports) {
  refused(EINVAL, "index", [](Job &j) {
    j.job.report_bo = 3;
    j.job.report_size = 4096;
  });
  refused(EINVAL, "not writable", [](Job &j) {
    j.job.report_bo = 1;
    j.job.report_size = 4096;
  });
  refused(EINVAL, "size without buffer",
          [](Job &j) { j.job.report_size = 4096; });
  refused(EINVAL, "offset without buffer",
          [](Job &j) { j.job.report_offset = 64; });
  refused(EINVAL, "no size", [](Job &j) { j.job.report_bo = 2; });
  refused(EINVAL, "alignment", [](Job &j) {
    j.job.report_bo = 2;
    j.job.report_offset = 4096 + 32;
    j.job.report_size = 1024;
  });
  refused(EINVAL, "past the end", [](Job &j) {
    j.job.report_bo = 2;
    j.job.report_offset = 4096;
    j.job.report_size = 4096 + 64;
  });
  refused(EINVAL, "overflow", [](Job &j) {
    j.job.report_bo = 2;
    j.job.report_offset = ~0ull - 63;
    j.job.report_size = 4096;
  });
  refused(EINVAL, "over an output", [](Job &j) {
    j.job.report_bo = 2;
    j.job.report_size = 4096;
  });
}

TEST_F(SubmitTest, ReportIsWritten) {
  auto *p = static_cast<unsigned char *>(dev.map(out, 8192));
  Job job = good();
  job.job.report_bo = 2;
  job.job.report_offset = 4096;
  job.job.report_size = 4096;
  ASSERT_EQ(submit(dev, job), 0);
  ASSERT_EQ(dev.wait(r.sync), 0);
  loom_report report;
  std::memcpy(&report, p + 4096, sizeof(report));
  EXPECT_EQ(report.magic, LOOM_REPORT_MAGIC);
  EXPECT_GT(report.cycles, 0u);
  EXPECT_EQ(report.insns, 5u);
  EXPECT_EQ(report.bytes_read[0], 4096u);
  EXPECT_EQ(report.bytes_written[0], 4096u);
  for (const auto &q : report.queue)
    EXPECT_EQ(q.busy + q.edge + q.fill + q.wait_mem + q.wait_dep + q.idle,
              report.cycles);
  munmap(p, 8192);
}

// --- arrays ---

using ArrayField = drm_loom_array drm_loom_job::*;

TEST_F(SubmitTest, RefusedArrays) {
  const ArrayField fields[] = {&drm_loom_job::bos, &drm_loom_job::bindings,
                               &drm_loom_job::waits, &drm_loom_job::signals};
  const std::uint32_t sizes[] = {8, 24, 16, 16};
  auto run = [&](ArrayField field, drm_loom_array array) {
    Job job = good();
    job.fill().*field = array;
    drm_loom_submit s{};
    s.jobs = {sizeof(drm_loom_job), 1,
              reinterpret_cast<std::uintptr_t>(&job.job)};
    return dev.call(DRM_IOCTL_LOOM_SUBMIT, &s);
  };
  unsigned char rows[4096] = {};
  const auto at = reinterpret_cast<std::uintptr_t>(rows);
  for (unsigned i = 0; i < 4; i++) {
    EXPECT_EQ(run(fields[i], {sizes[i] - 1, 1, at}), EINVAL) << "short row";
    EXPECT_EQ(run(fields[i], {0, 1, at}), EINVAL) << "stride 0";
    EXPECT_EQ(run(fields[i], {sizes[i], 1, 0}), EINVAL) << "NULL";
    EXPECT_EQ(run(fields[i], {sizes[i], 1, 8}), EFAULT);
    EXPECT_EQ(run(fields[i], {sizes[i], 0, 0}), EINVAL) << "stride, no rows";
    EXPECT_EQ(run(fields[i], {0, 0, at}), EINVAL) << "pointer, no rows";
    EXPECT_EQ(run(fields[i], {sizes[i], ~0u, at}), E2BIG);
    EXPECT_EQ(run(fields[i], {sizes[i], 5000, at}), E2BIG);
  }
  std::memset(rows, 0xff, sizeof(rows));
  for (unsigned i = 0; i < 4; i++)
    EXPECT_EQ(run(fields[i], {sizes[i] + 8, 1, at}), E2BIG) << "unknown tail";
}

TEST_F(SubmitTest, RefusedSubmits) {
  Job job = good();
  std::vector<drm_loom_job> rows{job.fill()};
  auto run = [&](drm_loom_array jobs, std::uint32_t flags = 0) {
    drm_loom_submit s{};
    s.jobs = jobs;
    s.flags = flags;
    const int error = dev.call(DRM_IOCTL_LOOM_SUBMIT, &s);
    EXPECT_EQ(s.bad_job, ~0u);
    return error;
  };
  const auto at = reinterpret_cast<std::uintptr_t>(rows.data());
  const __u32 size = sizeof(drm_loom_job);
  for (unsigned bit = 0; bit < 32; bit++)
    EXPECT_EQ(run({size, 1, at}, 1u << bit), EINVAL);
  EXPECT_EQ(run({size - 16, 1, at}), EINVAL);
  EXPECT_EQ(run({size, 1, 0}), EINVAL);
  EXPECT_EQ(run({size, 1, 8}), EFAULT);
  EXPECT_EQ(run({size, 257, at}), E2BIG);
  EXPECT_EQ(run({0, 0, 0}), 0) << "nothing to do";
}

// As user space of version 1.0 passes them, without a choice of segments.
TEST_F(SubmitTest, ShorterRowsAreTaken) {
  Job job = good();
  drm_loom_job &row = job.fill();
  row.first_segment = row.n_segments = ~0u; // is not looked at
  drm_loom_submit s{};
  s.jobs = {offsetof(drm_loom_job, first_segment), 1,
            reinterpret_cast<std::uintptr_t>(&row)};
  EXPECT_EQ(dev.call(DRM_IOCTL_LOOM_SUBMIT, &s), 0);
}

TEST_F(SubmitTest, LongerRowsWithZeroTailsAreTaken) {
  struct Row {
    drm_loom_job job;
    std::uint64_t tail[3];
  };
  Job job = good();
  Row row{job.fill(), {}};
  drm_loom_submit s{};
  s.jobs = {sizeof(Row), 1, reinterpret_cast<std::uintptr_t>(&row)};
  EXPECT_EQ(dev.call(DRM_IOCTL_LOOM_SUBMIT, &s), 0);
  row.tail[1] = 1;
  EXPECT_EQ(dev.call(DRM_IOCTL_LOOM_SUBMIT, &s), E2BIG);
}

// --- all or nothing ---

TEST_F(SubmitTest, LastOfSixteenInvalid) {
  const std::uint32_t timeline = dev.syncobj();
  std::vector<Job> jobs;
  for (unsigned i = 0; i < 16; i++) {
    Job job = good();
    job.signals.clear();
    job.signal(timeline, i + 1);
    jobs.push_back(job);
  }
  const auto before = dev.stats().jobs_submitted;
  jobs[15].bindings[1].offset = 63;
  std::uint32_t bad_job = 0;
  EXPECT_EQ(submit(dev, jobs, &bad_job), EINVAL);
  EXPECT_EQ(bad_job, 15u);
  EXPECT_EQ(dev.stats().jobs_submitted, before);
  EXPECT_EQ(dev.wait(timeline, 1, 0), EINVAL) << "a point appeared";
  jobs[15].bindings[1].offset = 0;
  EXPECT_EQ(submit(dev, jobs, &bad_job), 0);
  EXPECT_EQ(bad_job, ~0u);
  EXPECT_EQ(dev.wait(timeline, 16), 0);
  EXPECT_EQ(dev.stats().jobs_submitted, before + 16);
}

TEST_F(SubmitTest, JobsOfTwoContextsAreRefused) {
  Job a = good(), b = good();
  Runner other(dev, copy_program(dev.target(), 4096));
  b.job.inst = other.inst;
  std::vector<Job> jobs{a, b};
  std::uint32_t bad_job = 0;
  EXPECT_EQ(submit(dev, jobs, &bad_job), EINVAL);
  EXPECT_EQ(bad_job, 1u);
}

TEST_F(SubmitTest, BatchOfManyNullJobs) {
  const std::uint32_t inst =
      dev.inst(r.ctx, dev.prog(halt_program(dev.target())));
  std::vector<Job> jobs(64, Job(inst));
  jobs.back().signal(r.sync);
  for (unsigned round = 0; round < 20; round++) {
    ASSERT_EQ(submit(dev, jobs), 0);
    ASSERT_EQ(dev.wait(r.sync), 0);
    ASSERT_EQ(dev.fence_status(r.sync), 1);
  }
}

TEST(Submit, ManyBindings) {
  Device dev;
  ProgramBuilder b(dev.target());
  constexpr unsigned kSlots = 1600;
  for (unsigned i = 0; i < kSlots; i++)
    b.slot(LOOM_SLOT_ARG, i % 2 ? LOOM_RIGHT_WRITE : LOOM_RIGHT_READ, 64);
  b.move(0, 1599, 64);
  b.halt();
  b.segment();
  b.entry();
  Runner r(dev, b);
  Job job(r.inst);
  for (unsigned i = 0; i < 4; i++)
    job.use(dev.bo(64 * 1024), kRead | kWrite);
  for (unsigned i = 0; i < kSlots; i++)
    job.bind(i, i % 4, i / 4 * 64, 64);
  job.signal(r.sync);
  auto *src = static_cast<std::uint32_t *>(dev.map(job.bos[0].handle, 65536));
  auto *dst = static_cast<std::uint32_t *>(dev.map(job.bos[3].handle, 65536));
  src[0] = 4711;
  ASSERT_EQ(submit(dev, job), 0);
  ASSERT_EQ(dev.wait(r.sync), 0);
  EXPECT_EQ(dev.fence_status(r.sync), 1);
  EXPECT_EQ(dst[1599 / 4 * 16], 4711u);
  munmap(src, 65536);
  munmap(dst, 65536);
}

// Every ioctl number past the fourteen, and wrong sizes of the known ones.
TEST(Submit, UnknownIoctls) {
  Device dev;
  unsigned char arg[256] = {};
  for (unsigned nr = DRM_LOOM_SUBMIT + 1; nr < 0x60; nr++)
    EXPECT_EQ(dev.call(DRM_IOWR(DRM_COMMAND_BASE + nr, drm_loom_submit), arg),
              EINVAL)
        << nr;
}

} // namespace
