// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// An NPU with plain memory around it.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "records.h"

extern "C" {
#include "loom_npu.h"
#include "loom_timing.h"
}

namespace loom::test {

inline loom_target named_target(const char *name) {
  loom_target t;
  EXPECT_TRUE(loom_target_named(name, &t));
  return t;
}

// When the first record is looked at on npu16: the request, 100 cycles of
// latency, four lines of 64 bytes at 8 a cycle.
constexpr uint64_t npu16_start = LOOM_T_JOB_START + 100 + 4 * 64 / 8;

struct retired {
  loom_hdr h;
  loom_report_entry e;
};

class rig {
public:
  explicit rig(const loom_target &t = named_target("npu16")) : target(t) {
    const loom_npu_host host = {read, write, direct, nullptr, retire};
    npu.reset(loom_npu_create(&target, &host, this));
    report.assign(1 << 16, 0xee);
  }

  // Adds a slot and returns its number.
  uint32_t slot(size_t bytes,
                uint32_t rights = LOOM_RIGHT_READ | LOOM_RIGHT_WRITE,
                uint32_t mem_class = 0, uint32_t mod64 = 0) {
    memory.emplace_back(bytes);
    for (size_t i = 0; i < bytes; i++)
      memory.back()[i] =
          static_cast<uint8_t>(i * 7 + i / 251 + memory.size() * 31);
    slots.push_back({bytes, rights, mem_class, mod64});
    return static_cast<uint32_t>(slots.size() - 1);
  }

  int start(const program &p) {
    code = p.bytes;
    job = {};
    job.seqno = 7;
    job.n_units = n_units ? n_units : p.pc();
    job.insn_budget = insn_budget;
    job.cycle_budget = cycle_budget;
    job.report_bytes = report.size();
    job.n_slots = static_cast<uint32_t>(slots.size());
    job.slots = slots.data();
    trace.clear();
    return loom_npu_start(npu.get(), &job);
  }

  loom_completion finish() {
    loom_completion c;
    std::memset(&c, 0xff, sizeof(c));
    loom_npu_finish(npu.get(), &c);
    return c;
  }

  loom_completion run(const program &p, uint64_t slice = 0) {
    EXPECT_EQ(start(p), LOOM_FAULT_NONE);
    while (loom_npu_run(npu.get(), slice) == LOOM_NPU_RUNNING) {
    }
    return finish();
  }

  const loom_report &head() const {
    return *reinterpret_cast<const loom_report *>(report.data());
  }
  const loom_report_entry &entry(size_t i) const {
    return reinterpret_cast<const loom_report_entry *>(report.data() +
                                                       sizeof(loom_report))[i];
  }

  // The word that a program stored to SRAM and then copied out.
  template <typename T> T word(uint32_t s, size_t at) const {
    T v;
    std::memcpy(&v, memory[s].data() + at, sizeof(v));
    return v;
  }

  loom_target target;
  struct destroyer {
    void operator()(loom_npu *n) const { loom_npu_destroy(n); }
  };
  std::unique_ptr<loom_npu, destroyer> npu;
  std::vector<uint8_t> code, report;
  std::vector<std::vector<uint8_t>> memory;
  std::vector<loom_npu_slot> slots;
  std::vector<retired> trace;
  loom_npu_job job = {};
  uint32_t n_units = 0;
  uint64_t insn_budget = 1 << 20, cycle_budget = 1ull << 40;
  bool allow_direct = true;
  uint64_t fail_slot = UINT64_MAX; // accesses of this slot fail
  int fail_with = LOOM_FAULT_DMA;
  bool damaged =
      false; // a damaged job may name code and report beyond what there is

private:
  std::vector<uint8_t> &at(uint32_t slot) {
    return slot == LOOM_NPU_CODE     ? code
           : slot == LOOM_NPU_REPORT ? report
                                     : memory.at(slot);
  }
  static bool fits(const std::vector<uint8_t> &m, uint64_t offset,
                   uint64_t len) {
    return offset <= m.size() && len <= m.size() - offset;
  }
  static int read(void *o, uint32_t slot, uint64_t offset, void *buf,
                  uint64_t len) {
    auto *r = static_cast<rig *>(o);
    if (slot == r->fail_slot)
      return r->fail_with;
    if (r->damaged && slot >= LOOM_NPU_CODE && !fits(r->at(slot), offset, len))
      return LOOM_FAULT_DMA;
    EXPECT_TRUE(fits(r->at(slot), offset, len))
        << "read of slot " << slot << " at " << offset;
    std::memcpy(buf, r->at(slot).data() + offset, len);
    return 0;
  }
  static int write(void *o, uint32_t slot, uint64_t offset, const void *buf,
                   uint64_t len) {
    auto *r = static_cast<rig *>(o);
    if (slot == r->fail_slot)
      return r->fail_with;
    if (r->damaged && slot >= LOOM_NPU_CODE && !fits(r->at(slot), offset, len))
      return LOOM_FAULT_DMA;
    EXPECT_TRUE(fits(r->at(slot), offset, len))
        << "write of slot " << slot << " at " << offset;
    std::memcpy(r->at(slot).data() + offset, buf, len);
    return 0;
  }
  static void *direct(void *o, uint32_t slot, uint64_t offset, uint64_t len,
                      bool) {
    auto *r = static_cast<rig *>(o);
    if (!r->allow_direct || slot == r->fail_slot)
      return nullptr;
    EXPECT_TRUE(fits(r->at(slot), offset, len))
        << "direct access of slot " << slot << " at " << offset;
    return r->at(slot).data() + offset;
  }
  static void retire(void *o, const loom_hdr *h, const loom_report_entry *e) {
    static_cast<rig *>(o)->trace.push_back({*h, *e});
  }
};

inline uint64_t sum(const loom_queue_report &q) {
  return q.busy + q.edge + q.fill + q.wait_mem + q.wait_dep + q.idle;
}

// The promise of the report: every queue's parts add up to the job's cycles.
inline void expect_whole(const rig &r, const loom_completion &c) {
  EXPECT_EQ(r.head().magic, LOOM_REPORT_MAGIC);
  EXPECT_EQ(r.head().cycles, c.cycles);
  for (unsigned q = 0; q < LOOM_NUM_QUEUES; q++)
    EXPECT_EQ(sum(r.head().queue[q]), c.cycles) << "queue " << q;
}

} // namespace loom::test
