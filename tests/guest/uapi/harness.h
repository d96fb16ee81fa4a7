// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A file of the device and what a test makes with it. Calls return 0 or the
// positive errno, so that tests compare with ENOENT and not with text.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "drm/loom_accel.h"
#include "prog_builder.h"

namespace loom_test {

// The device's node and its PCI function's sysfs folder; "" while unbound.
std::string node_path();
std::string pci_path();

class Device {
public:
  Device();
  explicit Device(int fd) : fd(fd) {}
  ~Device();
  Device(const Device &) = delete;
  Device &operator=(const Device &) = delete;

  int call(unsigned long request, void *arg) const;

  loom_target target() const;
  int limits(drm_loom_limits *out) const;
  drm_loom_stats stats() const;

  // Each expects success and returns the handle.
  std::uint32_t ctx(std::uint32_t priority = DRM_LOOM_PRIORITY_NORMAL) const;
  std::uint32_t bo(std::uint64_t size, std::uint32_t flags = 0,
                   std::uint32_t ctx = 0) const;
  std::uint32_t prog(const ProgramBuilder &b, std::uint32_t consts_bo = 0,
                     std::uint64_t consts_offset = 0) const;
  std::uint32_t inst(std::uint32_t ctx, std::uint32_t prog) const;
  std::uint32_t syncobj(bool signaled = false) const;

  int try_prog(const std::vector<std::uint8_t> &meta, std::string *message,
               std::uint32_t consts_bo = 0) const;

  void *map(std::uint32_t handle, std::uint64_t size) const;
  drm_loom_inst_get_state inst_state(std::uint32_t inst) const;
  drm_loom_ctx_get_state ctx_state(std::uint32_t ctx) const;

  // 0 and the fence's error in *status, or errno of the wait itself.
  int wait(std::uint32_t syncobj, std::uint64_t point = 0,
           int seconds = 20) const;
  // 1: signalled; else the fence's negative errno; 0: not signalled.
  int fence_status(std::uint32_t syncobj) const;

  int fd;
};

// One job with its arrays, so that a test changes one field and submits.
struct Job {
  explicit Job(std::uint32_t inst = 0) { job.inst = inst; }

  std::uint32_t use(std::uint32_t handle, std::uint32_t access) {
    bos.push_back({handle, access});
    return static_cast<std::uint32_t>(bos.size() - 1);
  }
  void bind(std::uint32_t slot, std::uint32_t bo_index, std::uint64_t offset,
            std::uint64_t size) {
    bindings.push_back({slot, bo_index, offset, size});
  }
  void wait(std::uint32_t syncobj, std::uint64_t point = 0) {
    waits.push_back({syncobj, point ? DRM_LOOM_SYNC_TIMELINE : 0u, point});
  }
  void signal(std::uint32_t syncobj, std::uint64_t point = 0) {
    signals.push_back({syncobj, point ? DRM_LOOM_SYNC_TIMELINE : 0u, point});
  }
  drm_loom_job &fill();

  drm_loom_job job{};
  std::vector<drm_loom_job_bo> bos;
  std::vector<drm_loom_binding> bindings;
  std::vector<drm_loom_sync> waits, signals;
};

int submit(const Device &dev, std::vector<Job> &jobs,
           std::uint32_t *bad_job = nullptr);
int submit(const Device &dev, Job &job, std::uint32_t *bad_job = nullptr);

template <class T> drm_loom_array array_of(std::vector<T> &rows) {
  if (rows.empty())
    return {};
  return {sizeof(T), static_cast<__u32>(rows.size()),
          reinterpret_cast<std::uintptr_t>(rows.data())};
}

// The programs that tests share.
ProgramBuilder halt_program(const loom_target &t);
ProgramBuilder copy_program(const loom_target &t, std::uint32_t bytes);
ProgramBuilder fault_program(const loom_target &t); // writes past slot 0
ProgramBuilder spin_program(const loom_target &t, std::int64_t times);

// An instance of its own context with everything that one job needs.
struct Runner {
  Runner(const Device &dev, const ProgramBuilder &b,
         std::uint32_t consts_bo = 0);
  int run(); // submits, waits; the fence's status as fence_status()
  const Device &dev;
  std::uint32_t ctx, prog, inst, sync;
};

int write_file(const std::string &path, const std::string &text);
std::string read_file(const std::string &path);

// A key of the file's fdinfo: its text ("" if missing), and as a number.
std::string fdinfo_field(const Device &dev, const std::string &key);
std::uint64_t fdinfo(const Device &dev, const std::string &key);

} // namespace loom_test
