// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The device on a bus with a megabyte of memory, and what a driver does: rings,
// tables, page lists.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>

#include "records.h"

extern "C" {
#include "loom_dev.h"
#include "loom_timing.h"
}

namespace loom::test {

class bus {
public:
  static constexpr uint64_t base = 0x40000000, size = 1 << 20;
  static constexpr uint64_t ring_at = base + 0x1000, cq_at = base + 0x2000,
                            table_at = base + 0x3000;
  static constexpr uint32_t entries = 8;

  explicit bus(bool mapped = true) : memory(size), mapped_(mapped) {
    loom_target t;
    EXPECT_TRUE(loom_target_named("npu16", &t));
    loom_dev_host host = {read,    write, mapped ? map : nullptr, unmap, irq,
                          nullptr, trace};
    dev.reset(loom_dev_create(&t, &host, this));
    next_page = 0x10;
  }

  uint64_t reg(uint32_t offset, unsigned bytes = 4) {
    return loom_dev_mmio_read(dev.get(), offset, bytes);
  }
  bool reg(uint32_t offset, uint64_t value, unsigned bytes) {
    return loom_dev_mmio_write(dev.get(), offset, value, bytes);
  }

  void enable() {
    reg(LOOM_REG_RING_BASE, ring_at, 8);
    reg(LOOM_REG_RING_ENTRIES, entries, 4);
    reg(LOOM_REG_CQ_BASE, cq_at, 8);
    reg(LOOM_REG_CQ_ENTRIES, entries, 4);
    reg(LOOM_REG_IRQ_ENABLE, LOOM_IRQ_QUEUE | LOOM_IRQ_ADMIN, 4);
    reg(LOOM_REG_CONTROL, LOOM_CTL_ENABLE, 4);
    tail = cq_head = 0;
  }

  template <typename T> T &at(uint64_t addr) {
    EXPECT_TRUE(addr >= base && addr + sizeof(T) <= base + size);
    return *reinterpret_cast<T *>(memory.data() + (addr - base));
  }

  uint64_t page() { return base + LOOM_PAGE_BYTES * next_page++; }

  // A buffer of scattered pages (every second one, so that none follow each
  // other); its page list's root.
  struct buffer {
    uint64_t root;
    std::vector<uint64_t> pages;
  };
  buffer make_buffer(size_t bytes, bool scattered = true) {
    buffer b{page(), {}};
    uint64_t leaf = 0;
    for (size_t i = 0; i * LOOM_PAGE_BYTES < bytes; i++) {
      if (i % LOOM_PTE_PER_PAGE == 0) {
        leaf = page();
        at<uint64_t>(b.root + i / LOOM_PTE_PER_PAGE * 8) =
            leaf | LOOM_PTE_VALID;
      }
      b.pages.push_back(page());
      next_page += scattered;
      at<uint64_t>(leaf + i % LOOM_PTE_PER_PAGE * 8) =
          b.pages.back() | LOOM_PTE_VALID;
    }
    return b;
  }
  uint8_t &byte(const buffer &b, uint64_t offset) {
    return at<uint8_t>(b.pages.at(offset / LOOM_PAGE_BYTES) +
                       offset % LOOM_PAGE_BYTES);
  }
  void put(const buffer &b, const std::vector<uint8_t> &bytes,
           uint64_t offset = 0) {
    for (size_t i = 0; i < bytes.size(); i++)
      byte(b, offset + i) = bytes[i];
  }

  void region(uint32_t i, const buffer &b, uint64_t offset, uint64_t bytes,
              uint32_t rights, uint32_t mem_class = 0) {
    at<loom_region>(table_at + i * sizeof(loom_region)) = {
        b.root, offset, bytes, rights, mem_class};
    n_regions = std::max(n_regions, i + 1);
  }

  void code(const program &p) {
    if (!code_.root)
      code_ = make_buffer(3 * LOOM_PAGE_BYTES);
    put(code_, p.bytes);
    n_units = p.pc();
    region(LOOM_REGION_CODE, code_, 0, p.bytes.size(), LOOM_RIGHT_READ);
    n_regions = std::max(n_regions, 2u);
  }

  loom_job &next_job() {
    auto &j = at<loom_job>(ring_at + tail % entries * sizeof(loom_job));
    j = {};
    j.table = table_at;
    j.n_regions = n_regions;
    j.seqno = ++seqno;
    j.n_units = n_units;
    j.insn_budget = 1 << 20;
    j.cycle_budget = 1 << 30;
    return j;
  }
  bool doorbell() { return reg(LOOM_REG_DOORBELL, ++tail, 4); }

  void work() {
    for (int i = 0; loom_dev_step(dev.get(), 64); i++)
      ASSERT_LT(i, 100000) << "the device never comes to rest";
  }

  // Takes the next completion record as a driver does; asserts that there is
  // one.
  loom_completion reap() {
    auto c = at<loom_completion>(cq_at +
                                 cq_head % entries * sizeof(loom_completion));
    EXPECT_EQ(c.phase, (cq_head / entries & 1) ^ 1) << "no record";
    reg(LOOM_REG_CQ_HEAD, ++cq_head, 4);
    return c;
  }
  bool completion_waits() {
    return at<loom_completion>(cq_at +
                               cq_head % entries * sizeof(loom_completion))
               .phase == ((cq_head / entries & 1) ^ 1);
  }

  loom_completion run() {
    next_job();
    doorbell();
    work();
    return reap();
  }

  struct destroyer {
    void operator()(loom_dev *d) const { loom_dev_destroy(d); }
  };
  std::vector<uint8_t> memory;
  std::unique_ptr<loom_dev, destroyer> dev;
  uint32_t tail = 0, cq_head = 0, seqno = 100, n_regions = 0, n_units = 0;
  uint32_t next_page;
  std::atomic<unsigned> irqs[2] = {};
  uint64_t refuse_from = UINT64_MAX, refuse_to = 0; // bus addresses that fail
  unsigned accesses = 0;
  std::vector<std::string> events;
  std::vector<std::pair<uint64_t, uint64_t>> writes;

private:
  uint8_t *find(uint64_t addr, uint64_t len) {
    accesses++;
    if (addr < base || len > size || addr - base > size - len)
      return nullptr;
    if (addr < refuse_to && addr + len > refuse_from)
      return nullptr;
    return memory.data() + (addr - base);
  }
  static int read(void *o, uint64_t addr, void *buf, uint64_t len) {
    const uint8_t *p = static_cast<bus *>(o)->find(addr, len);
    if (p)
      std::memcpy(buf, p, len);
    return p ? 0 : -1;
  }
  static int write(void *o, uint64_t addr, const void *buf, uint64_t len) {
    auto *b = static_cast<bus *>(o);
    uint8_t *p = b->find(addr, len);
    if (p)
      std::memcpy(p, buf, len);
    b->writes.emplace_back(addr, len);
    return p ? 0 : -1;
  }
  static void *map(void *o, uint64_t addr, uint64_t len, bool) {
    return static_cast<bus *>(o)->find(addr, len);
  }
  static void unmap(void *) {}
  static void irq(void *o, unsigned vector) {
    static_cast<bus *>(o)->irqs[vector]++;
  }
  static void trace(void *o, const char *event, uint64_t, uint64_t, uint64_t) {
    static_cast<bus *>(o)->events.push_back(event);
  }

  buffer code_{};
  bool mapped_;
};

} // namespace loom::test
