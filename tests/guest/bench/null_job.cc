// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The cost of a job that does nothing, on either engine, next to a 512-byte
// read from a disk of the same machine: each goes through a driver, a ring, a
// device thread, one interrupt and a wait. Prints one line of JSON; ./dev bench
// reads it.
//
//   loom_bench_null DEVICE DISK PAIRS [N]
#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <string>
#include <vector>

#include <fcntl.h>
#include <unistd.h>
#include <xf86drm.h>

#include "drm/loom_accel.h"
#include "loom_cpu_cost.h"
#include "loom_program.h"
#include "loom_regs.h"

namespace {

using clock_type = std::chrono::steady_clock;
constexpr int batch = 64;

double ns_since(clock_type::time_point start) {
  return std::chrono::duration<double, std::nano>(clock_type::now() - start)
      .count();
}

// Appends a section's rows and says in the header where they are.
template <class T>
void add_section(std::vector<uint8_t> &file, loom_prog_section_id id,
                 const T &row, uint32_t stride) {
  file.resize((file.size() + 7) & ~size_t{7});
  const size_t at = file.size();
  file.insert(file.end(), reinterpret_cast<const uint8_t *>(&row),
              reinterpret_cast<const uint8_t *>(&row) + sizeof(T));
  auto *h = reinterpret_cast<loom_prog_header *>(file.data());
  h->sections[id] = {at, static_cast<uint32_t>(sizeof(T) / stride), stride};
}

uint32_t crc32(const std::vector<uint8_t> &bytes) {
  uint32_t crc = 0xffffffffu;
  for (uint8_t b : bytes) {
    crc ^= b;
    for (int i = 0; i < 8; i++)
      crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
  }
  return ~crc;
}

// A CPU operation that copies four bytes of slot 0 onto themselves.
struct null_op {
  loom_cpu_op head;
  loom_cpu_operand operands[2];
};

null_op make_null_op() {
  null_op op{};
  op.head.structure = LOOM_CPU_COPY;
  op.head.n_operands = 2;
  op.head.n_inputs = 1;
  op.head.bytes = sizeof(op);
  for (auto &o : op.operands) {
    o.dtype = LOOM_F32;
    o.rank = 1;
    o.dims[0] = 1;
    o.strides[0] = 4;
  }
  op.head.cost = loom_cpu_op_cost(&op.head);
  return op;
}

// A program of one HALT record, or of one null_op, for exactly this device.
std::vector<uint8_t> null_program(const loom_target &target, bool on_cpu) {
  std::vector<uint8_t> file(sizeof(loom_prog_header));
  const char strings[] = "\0null";
  loom_seq halt{};
  halt.h.op = LOOM_OP_HALT;
  halt.h.units = 1;
  loom_prog_entry entry{};
  entry.name = 1;
  entry.n_segments = 1;
  loom_prog_segment segment{};
  segment.engine = LOOM_ENGINE_NPU;
  segment.count = 1;
  segment.insn_budget = 1;
  segment.cycle_budget = 1 << 20;
  const null_op op = make_null_op();
  loom_prog_slot slot{};
  slot.kind = LOOM_SLOT_SCRATCH;
  slot.rights = LOOM_RIGHT_READ | LOOM_RIGHT_WRITE;
  slot.bytes = 64;
  if (on_cpu) {
    segment.engine = LOOM_ENGINE_CPU;
    segment.count = sizeof(op) / 8;
    segment.insn_budget = op.head.cost;
    segment.cycle_budget = 0;
  }
  const loom_prog_scope scope{0, 1};
  const loom_prog_loc loc{};

  add_section(file, LOOM_SEC_TARGET, target, sizeof(target));
  add_section(file, LOOM_SEC_STRINGS, strings, 1);
  add_section(file, LOOM_SEC_NPU_CODE, halt, LOOM_UNIT_BYTES);
  add_section(file, LOOM_SEC_CPU_CODE, op, 8);
  add_section(file, LOOM_SEC_SLOTS, slot, sizeof(slot));
  add_section(file, LOOM_SEC_ENTRIES, entry, sizeof(entry));
  add_section(file, LOOM_SEC_SEGMENTS, segment, sizeof(segment));
  add_section(file, LOOM_SEC_SCOPES, scope, sizeof(scope));
  add_section(file, LOOM_SEC_LOCS, loc, sizeof(loc));
  file.resize((file.size() + LOOM_PROG_ALIGN - 1) / LOOM_PROG_ALIGN *
              LOOM_PROG_ALIGN);
  auto *h = reinterpret_cast<loom_prog_header *>(file.data());
  h->magic = LOOM_PROG_MAGIC;
  h->version = LOOM_PROG_VERSION;
  h->file_bytes = h->meta_bytes = file.size();
  h->target_hash = loom_prog_hash(&target, sizeof(target));
  h->meta_crc = crc32(file);
  return file;
}

[[noreturn]] void fail(const char *what) {
  throw std::runtime_error(std::string(what) + ": " + strerror(errno));
}

// The driver's interface as it is: what is measured is the kernel's path, with
// nothing allocated between two jobs.
class queue {
public:
  queue(const char *path, bool on_cpu) : fd(open(path, O_RDWR | O_CLOEXEC)) {
    if (fd < 0)
      fail(path);
    drm_loom_hw hw{};
    drm_loom_dev_query query{DRM_LOOM_QUERY_HW, sizeof(hw),
                             reinterpret_cast<uintptr_t>(&hw)};
    call(DRM_IOCTL_LOOM_DEV_QUERY, &query, "asking for the target");
    static_assert(sizeof(hw) == sizeof(loom_target));
    loom_target target;
    std::memcpy(&target, &hw, sizeof(target));
    auto bytes = null_program(target, on_cpu);
    drm_loom_prog_create prog{};
    prog.data = reinterpret_cast<uintptr_t>(bytes.data());
    prog.size = bytes.size();
    call(DRM_IOCTL_LOOM_PROG_CREATE, &prog, "creating the program");
    drm_loom_ctx_create ctx{};
    ctx.priority = DRM_LOOM_PRIORITY_NORMAL;
    call(DRM_IOCTL_LOOM_CTX_CREATE, &ctx, "creating a context");
    drm_loom_inst_create create{ctx.ctx, prog.prog, 0, 0};
    call(DRM_IOCTL_LOOM_INST_CREATE, &create, "creating an instance");
    inst = create.inst;
    if (drmSyncobjCreate(fd, 0, &timeline))
      fail("creating a syncobj");
  }
  ~queue() { close(fd); }

  // Submits count jobs at once, the last of which moves the timeline on.
  void submit(int count) {
    drm_loom_sync signal{timeline, DRM_LOOM_SYNC_TIMELINE, ++point};
    std::vector<drm_loom_job> &jobs = scratch;
    jobs.assign(count, drm_loom_job{});
    for (auto &j : jobs)
      j.inst = inst;
    jobs.back().signals = {sizeof(signal), 1,
                           reinterpret_cast<uintptr_t>(&signal)};
    drm_loom_submit s{};
    s.jobs = {sizeof(drm_loom_job), static_cast<uint32_t>(count),
              reinterpret_cast<uintptr_t>(jobs.data())};
    call(DRM_IOCTL_LOOM_SUBMIT, &s, "submitting");
  }
  void wait() {
    if (drmSyncobjTimelineWait(fd, &timeline, &point, 1, INT64_MAX, 0, nullptr))
      fail("waiting for a job");
  }
  // A job that failed would be a fast one.
  void check() const {
    drm_loom_inst_get_state state{};
    state.inst = inst;
    state.state_bo = ~0u;
    call(DRM_IOCTL_LOOM_INST_GET_STATE, &state,
         "asking for the instance's state");
    if (state.state || state.error)
      throw std::runtime_error("a null job failed: " +
                               std::string(strerror(state.error)));
  }

private:
  void call(unsigned long request, void *arg, const char *what) const {
    if (drmIoctl(fd, request, arg))
      fail(what);
  }
  int fd;
  uint32_t inst = 0, timeline = 0;
  uint64_t point = 0;
  std::vector<drm_loom_job> scratch;
};

// Nanoseconds a job, submitted and waited for one by one.
double null_jobs(queue &q, int n) {
  const auto start = clock_type::now();
  for (int i = 0; i < n; i++) {
    q.submit(1);
    q.wait();
  }
  return ns_since(start) / n;
}

// Nanoseconds a job with `batch` of them to a SUBMIT.
double batched_jobs(queue &q, int n) {
  const int rounds = (n + batch - 1) / batch;
  const auto start = clock_type::now();
  for (int i = 0; i < rounds; i++) {
    q.submit(batch);
    q.wait();
  }
  return ns_since(start) / (rounds * batch);
}

// Nanoseconds a 512-byte read at depth 1, past the page cache.
double disk_reads(int fd, void *buffer, int n) {
  const auto start = clock_type::now();
  for (int i = 0; i < n; i++)
    if (pread(fd, buffer, 512, off_t{i % 1024} * 512) != 512)
      fail("reading the disk");
  return ns_since(start) / n;
}

void print_list(const char *name, const std::vector<double> &values,
                const char *end) {
  std::printf("\"%s\": [", name);
  for (size_t i = 0; i < values.size(); i++)
    std::printf("%s%.1f", i ? ", " : "", values[i]);
  std::printf("]%s", end);
}

int run(const char *device_name, const char *disk, int pairs, int n) {
  queue q(device_name, false), cpu(device_name, true);
  const int fd = open(disk, O_RDONLY | O_DIRECT | O_CLOEXEC);
  void *buffer = nullptr;
  if (fd < 0)
    fail(disk);
  if (posix_memalign(&buffer, 4096, 4096))
    throw std::runtime_error("no memory");
  std::vector<double> jobs, reads, batches, cpu_jobs;

  null_jobs(q, n); // all paths warm
  null_jobs(cpu, n);
  disk_reads(fd, buffer, n);
  for (int i = 0; i < pairs; i++) {
    // The order changes from pair to pair, so that drift favours neither.
    if (i % 2)
      reads.push_back(disk_reads(fd, buffer, n));
    jobs.push_back(null_jobs(q, n));
    if (i % 2 == 0)
      reads.push_back(disk_reads(fd, buffer, n));
    cpu_jobs.push_back(null_jobs(cpu, n));
    batches.push_back(batched_jobs(q, n));
  }
  q.check();
  cpu.check();
  std::printf("{");
  print_list("job_ns", jobs, ", ");
  print_list("read_ns", reads, ", ");
  print_list("cpu_job_ns", cpu_jobs, ", ");
  print_list("batched_ns", batches, "}\n");
  free(buffer);
  close(fd);
  return 0;
}

} // namespace

int main(int argc, char **argv) {
  if (argc < 4) {
    std::fprintf(stderr, "usage: %s DEVICE DISK PAIRS [N]\n", argv[0]);
    return 2;
  }
  try {
    return run(argv[1], argv[2], std::max(1, atoi(argv[3])),
               argc > 4 ? std::max(1, atoi(argv[4])) : 256);
  } catch (const std::exception &e) {
    std::fprintf(stderr, "%s: %s\n", argv[0], e.what());
    return 1;
  }
}
