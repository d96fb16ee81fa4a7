// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "harness.h"

#include <cerrno>
#include <climits>
#include <cstdlib>
#include <ctime>
#include <dirent.h>
#include <fcntl.h>
#include <fstream>
#include <linux/sync_file.h>
#include <sstream>
#include <stdexcept>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>
#include <xf86drm.h>

namespace loom_test {

// The first entry of a folder that begins with prefix, as a path.
static std::string find_in(const std::string &folder, const char *prefix) {
  DIR *dir = opendir(folder.c_str());
  std::string found;
  for (dirent *e = nullptr; dir && found.empty() && (e = readdir(dir));)
    if (!std::strncmp(e->d_name, prefix, std::strlen(prefix)))
      found = folder + "/" + e->d_name;
  if (dir)
    closedir(dir);
  return found;
}

std::string pci_path() {
  char real[PATH_MAX];
  const std::string bound = find_in("/sys/bus/pci/drivers/loom", "0000:");
  return realpath(bound.c_str(), real) ? real : "";
}

// A bound device's number may change: an old one lives while it has users.
std::string node_path() {
  if (const char *path = std::getenv("LOOM_NODE"))
    return path;
  const std::string entry = find_in(pci_path() + "/accel", "accel");
  return entry.empty() ? ""
                       : "/dev/accel/" + entry.substr(entry.rfind('/') + 1);
}

int write_file(const std::string &path, const std::string &text) {
  const int fd = open(path.c_str(), O_WRONLY | O_CLOEXEC);
  if (fd < 0)
    return errno;
  const ssize_t n = write(fd, text.data(), text.size());
  const int error = n < 0 ? errno : 0;
  close(fd);
  return error;
}

std::string read_file(const std::string &path) {
  std::ifstream in(path);
  std::stringstream out;
  out << in.rdbuf();
  return out.str();
}

std::string fdinfo_field(const Device &dev, const std::string &key) {
  std::istringstream in(
      read_file("/proc/self/fdinfo/" + std::to_string(dev.fd)));
  for (std::string line; std::getline(in, line);)
    if (line.rfind(key + ":", 0) == 0)
      return line.substr(line.find_first_not_of(" \t", key.size() + 1));
  return {};
}

std::uint64_t fdinfo(const Device &dev, const std::string &key) {
  const std::string text = fdinfo_field(dev, key);
  EXPECT_FALSE(text.empty()) << key;
  return text.empty() ? 0 : std::stoull(text);
}

Device::Device() : fd(open(node_path().c_str(), O_RDWR | O_CLOEXEC)) {
  if (fd < 0)
    throw std::runtime_error(node_path() + ": " + std::strerror(errno));
}

Device::~Device() {
  if (fd >= 0)
    close(fd);
}

int Device::call(unsigned long request, void *arg) const {
  return drmIoctl(fd, request, arg) ? errno : 0;
}

template <class T>
static int query(const Device &dev, drm_loom_query type, T *out) {
  drm_loom_dev_query q{};
  q.type = type;
  q.size = sizeof(*out);
  q.pointer = reinterpret_cast<std::uintptr_t>(out);
  return dev.call(DRM_IOCTL_LOOM_DEV_QUERY, &q);
}

loom_target Device::target() const {
  drm_loom_hw hw{};
  EXPECT_EQ(query(*this, DRM_LOOM_QUERY_HW, &hw), 0);
  static_assert(sizeof(hw) == sizeof(loom_target));
  loom_target t;
  std::memcpy(&t, &hw, sizeof(t));
  return t;
}

int Device::limits(drm_loom_limits *out) const {
  return query(*this, DRM_LOOM_QUERY_LIMITS, out);
}

drm_loom_stats Device::stats() const {
  drm_loom_stats s{};
  EXPECT_EQ(query(*this, DRM_LOOM_QUERY_STATS, &s), 0);
  return s;
}

std::uint32_t Device::ctx(std::uint32_t priority) const {
  drm_loom_ctx_create c{};
  c.priority = priority;
  EXPECT_EQ(call(DRM_IOCTL_LOOM_CTX_CREATE, &c), 0);
  return c.ctx;
}

std::uint32_t Device::bo(std::uint64_t size, std::uint32_t flags,
                         std::uint32_t ctx) const {
  drm_loom_bo_create c{};
  c.size = size;
  c.flags = flags;
  c.ctx = ctx;
  EXPECT_EQ(call(DRM_IOCTL_LOOM_BO_CREATE, &c), 0);
  return c.handle;
}

int Device::try_prog(const std::vector<std::uint8_t> &meta,
                     std::string *message, std::uint32_t consts_bo) const {
  char text[256] = "";
  drm_loom_prog_create c{};
  c.data = reinterpret_cast<std::uintptr_t>(meta.data());
  c.size = meta.size();
  c.consts_bo = consts_bo;
  c.message = reinterpret_cast<std::uintptr_t>(text);
  c.message_size = sizeof(text);
  const int error = call(DRM_IOCTL_LOOM_PROG_CREATE, &c);
  if (message)
    *message = text;
  return error;
}

std::uint32_t Device::prog(const ProgramBuilder &b, std::uint32_t consts_bo,
                           std::uint64_t consts_offset) const {
  const auto meta = b.bytes();
  char text[256] = "";
  drm_loom_prog_create c{};
  c.data = reinterpret_cast<std::uintptr_t>(meta.data());
  c.size = meta.size();
  c.consts_bo = consts_bo;
  c.consts_offset = consts_offset;
  c.message = reinterpret_cast<std::uintptr_t>(text);
  c.message_size = sizeof(text);
  EXPECT_EQ(call(DRM_IOCTL_LOOM_PROG_CREATE, &c), 0) << text;
  return c.prog;
}

std::uint32_t Device::inst(std::uint32_t ctx, std::uint32_t prog) const {
  drm_loom_inst_create c{};
  c.ctx = ctx;
  c.prog = prog;
  EXPECT_EQ(call(DRM_IOCTL_LOOM_INST_CREATE, &c), 0);
  return c.inst;
}

std::uint32_t Device::syncobj(bool signaled) const {
  std::uint32_t handle = 0;
  EXPECT_EQ(
      drmSyncobjCreate(fd, signaled ? DRM_SYNCOBJ_CREATE_SIGNALED : 0, &handle),
      0);
  return handle;
}

void *Device::map(std::uint32_t handle, std::uint64_t size) const {
  drm_loom_bo_mmap_offset m{};
  m.handle = handle;
  EXPECT_EQ(call(DRM_IOCTL_LOOM_BO_MMAP_OFFSET, &m), 0);
  void *p = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
                 static_cast<off_t>(m.offset));
  EXPECT_NE(p, MAP_FAILED);
  return p;
}

drm_loom_inst_get_state Device::inst_state(std::uint32_t inst) const {
  drm_loom_inst_get_state s{};
  s.inst = inst;
  s.state_bo = ~0u;
  EXPECT_EQ(call(DRM_IOCTL_LOOM_INST_GET_STATE, &s), 0);
  return s;
}

drm_loom_ctx_get_state Device::ctx_state(std::uint32_t ctx) const {
  drm_loom_ctx_get_state s{};
  s.ctx = ctx;
  EXPECT_EQ(call(DRM_IOCTL_LOOM_CTX_GET_STATE, &s), 0);
  return s;
}

int Device::wait(std::uint32_t syncobj, std::uint64_t point,
                 int seconds) const {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  const std::int64_t deadline =
      (now.tv_sec + seconds) * 1000000000ll + now.tv_nsec;
  const int ret = point ? drmSyncobjTimelineWait(fd, &syncobj, &point, 1,
                                                 deadline, 0, nullptr)
                        : drmSyncobjWait(fd, &syncobj, 1, deadline, 0, nullptr);
  return ret < 0 ? -ret : 0;
}

int Device::fence_status(std::uint32_t syncobj) const {
  int sync_fd = -1;
  if (drmSyncobjExportSyncFile(fd, syncobj, &sync_fd))
    return -errno;
  sync_fence_info fence{};
  sync_file_info info{};
  info.num_fences = 1;
  info.sync_fence_info = reinterpret_cast<std::uintptr_t>(&fence);
  const int ret = ioctl(sync_fd, SYNC_IOC_FILE_INFO, &info);
  close(sync_fd);
  EXPECT_EQ(ret, 0);
  return info.status;
}

drm_loom_job &Job::fill() {
  job.bos = array_of(bos);
  job.bindings = array_of(bindings);
  job.waits = array_of(waits);
  job.signals = array_of(signals);
  return job;
}

int submit(const Device &dev, std::vector<Job> &jobs, std::uint32_t *bad_job) {
  std::vector<drm_loom_job> rows;
  for (auto &job : jobs)
    rows.push_back(job.fill());
  drm_loom_submit s{};
  s.jobs = array_of(rows);
  const int error = dev.call(DRM_IOCTL_LOOM_SUBMIT, &s);
  if (bad_job)
    *bad_job = s.bad_job;
  return error;
}

int submit(const Device &dev, Job &job, std::uint32_t *bad_job) {
  std::vector<Job> jobs{job};
  return submit(dev, jobs, bad_job);
}

ProgramBuilder halt_program(const loom_target &t) {
  ProgramBuilder b(t);
  b.halt();
  b.segment();
  b.entry();
  return b;
}

ProgramBuilder copy_program(const loom_target &t, std::uint32_t bytes) {
  ProgramBuilder b(t);
  const unsigned in = b.input(bytes), out = b.output(bytes);
  b.move(in, out, bytes);
  b.halt();
  b.segment();
  b.entry();
  return b;
}

ProgramBuilder fault_program(const loom_target &t) {
  ProgramBuilder b(t);
  const unsigned state =
      b.slot(LOOM_SLOT_STATE, LOOM_RIGHT_READ | LOOM_RIGHT_WRITE, 4096);
  b.store(0, state, 4096 - 32, 64);
  b.fence();
  b.halt();
  b.segment();
  b.entry();
  return b;
}

ProgramBuilder spin_program(const loom_target &t, std::int64_t times) {
  ProgramBuilder b(t);
  b.spin(times);
  b.halt();
  b.segment(1ull << 26, 1ull << 36);
  b.entry();
  return b;
}

Runner::Runner(const Device &dev, const ProgramBuilder &b,
               std::uint32_t consts_bo)
    : dev(dev), ctx(dev.ctx()), prog(dev.prog(b, consts_bo)),
      inst(dev.inst(ctx, prog)), sync(dev.syncobj()) {}

int Runner::run() {
  Job job(inst);
  job.signal(sync);
  const int error = submit(dev, job);
  if (error)
    return -error;
  const int waited = dev.wait(sync);
  if (waited)
    return -waited;
  return dev.fence_status(sync);
}

} // namespace loom_test
