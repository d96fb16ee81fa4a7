// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A random driver: register accesses, pokes into rings, tables and page lists,
// steps, resets, injections, saving and loading, on a bus of one megabyte that
// starts out with everything in order. The device must stay on the bus it is
// given, come to rest when it is told to halt, and load what it saved.
#include <algorithm>
#include <utility>
#include <vector>

#include "input.h"

extern "C" {
#include "loom_dev.h"
}

namespace {

using loom::fuzz::input;
using loom::fuzz::require;

constexpr uint64_t base = 0x100000, size = 1 << 20;
constexpr uint64_t ring = base, cq = base + 0x1000, table = base + 0x2000,
                   code = base + 0x40000;
constexpr uint32_t entries = 8;

struct bus {
  std::vector<uint8_t> memory = std::vector<uint8_t>(size);
  bool mapped = true;

  template <typename T> void put(uint64_t addr, const T &v) {
    std::memcpy(&memory[addr - base], &v, sizeof(v));
  }
  uint8_t *find(uint64_t addr, uint64_t len) {
    return addr >= base && len <= size && addr - base <= size - len
               ? &memory[addr - base]
               : nullptr;
  }
};

int dma_read(void *o, uint64_t addr, void *buf, uint64_t len) {
  const uint8_t *p = static_cast<bus *>(o)->find(addr, len);
  if (p)
    std::memcpy(buf, p, len);
  return p ? 0 : -1;
}

int dma_write(void *o, uint64_t addr, const void *buf, uint64_t len) {
  uint8_t *p = static_cast<bus *>(o)->find(addr, len);
  if (p)
    std::memcpy(p, buf, len);
  return p ? 0 : -1;
}

void *dma_map(void *o, uint64_t addr, uint64_t len, bool) {
  auto *b = static_cast<bus *>(o);
  return b->mapped ? b->find(addr, len) : nullptr;
}

void unmap(void *) {}

void irq(void *, unsigned vector) { require(vector < LOOM_MSIX_VECTORS); }

loom_dev *make(bus &b) {
  loom_target t;
  require(loom_target_named("npu8", &t));
  const loom_dev_host host = {dma_read, dma_write, dma_map, unmap,
                              irq,      nullptr,   nullptr};
  loom_dev *d = loom_dev_create(&t, &host, &b);
  require(d);
  return d;
}

// Region i: page list at base + 0x10000 + i * 0x2000 (root, leaf), 4 pages of
// data at code + i * 0x4000.
void lay_out(bus &b) {
  for (uint64_t i = 0; i < 4; i++) {
    const uint64_t root = base + 0x10000 + i * 0x2000, leaf = root + 0x1000;
    b.put(root, leaf | LOOM_PTE_VALID);
    for (uint64_t p = 0; p < 4; p++)
      b.put(leaf + p * 8,
            (code + i * 0x4000 + (p ^ 1) * 0x1000) | LOOM_PTE_VALID);
    const loom_region r = {root, 0, 0x4000, LOOM_RIGHT_READ | LOOM_RIGHT_WRITE,
                           uint32_t(i & 1)};
    b.put(table + i * sizeof(r), r);
  }
  loom_dma d = {};
  d.h.op = LOOM_OP_LD_COPY;
  d.h.units = 3;
  d.src = LOOM_ADDR(0, 100);
  d.dst = LOOM_ADDR(1, 200);
  d.inner_bytes = 3000;
  d.n[0] = 4;
  d.n[1] = d.n[2] = d.n[3] = 1;
  d.sstride[0] = d.dstride[0] = 3000;
  loom_seq s = {};
  s.h.op = LOOM_OP_LOOP;
  s.h.units = 1;
  s.target = 4;
  s.imm = 20;
  b.put(code + 0x1000,
        s); // unit 0: the first page of the region is the second in memory
  b.put(code + 0x1020, d);
  s = {};
  s.h.op = LOOM_OP_HALT;
  s.h.units = 1;
  b.put(code + 0x1080, s);
  for (uint32_t i = 0; i < entries; i++) {
    loom_job j = {};
    j.table = table;
    j.n_regions = 4;
    j.seqno = i + 1;
    j.n_units = 5;
    j.insn_budget = 500;
    j.cycle_budget = 400000;
    b.put(ring + i * sizeof(j), j);
  }
}

void enable(loom_dev *d) {
  loom_dev_mmio_write(d, LOOM_REG_RING_BASE, ring, 8);
  loom_dev_mmio_write(d, LOOM_REG_RING_ENTRIES, entries, 4);
  loom_dev_mmio_write(d, LOOM_REG_CQ_BASE, cq, 8);
  loom_dev_mmio_write(d, LOOM_REG_CQ_ENTRIES, entries, 4);
  loom_dev_mmio_write(d, LOOM_REG_IRQ_ENABLE, 3, 4);
  loom_dev_mmio_write(d, LOOM_REG_CONTROL, LOOM_CTL_ENABLE, 4);
}

void poke(input &in, bus &b) {
  static const uint64_t places[] = {
      ring,           cq,           table, base + 0x10000, base + 0x11000,
      base + 0x14000, code + 0x1000};
  const uint64_t at = places[in.below(7)] + in.below(256);
  b.memory[at - base] = in.take<uint8_t>();
}

void migrate(input &in, loom_dev *&d, loom_dev *&spare) {
  std::vector<uint8_t> s(loom_dev_save_bytes(d));
  loom_dev_save(d, s.data());
  const uint32_t damaged = in.below(4) ? 0 : 1 + in.below(3);
  for (uint32_t damage = damaged; damage; damage--)
    s[in.take<uint32_t>() % (in.below(2) ? 512 : s.size())] ^=
        in.take<uint8_t>();
  std::vector<uint8_t> again(s.size());
  if (!loom_dev_load(spare, s.data(), s.size())) {
    loom_dev_save(spare, again.data());
    require(s == again || damaged);
  } else {
    require(damaged);
  }
  std::swap(d, spare);
}

void act(input &in, bus &b, loom_dev *&d, loom_dev *&spare, uint32_t &tail) {
  switch (in.below(12)) {
  case 0:
    loom_dev_mmio_write(d, in.below(0x200), in.take<uint64_t>(),
                        in.below(2) ? 4 : 8);
    break;
  case 1:
    loom_dev_mmio_read(d, in.below(0x200), in.below(2) ? 4 : 8);
    break;
  case 2:
  case 3:
    loom_dev_mmio_write(d, LOOM_REG_DOORBELL, ++tail, 4);
    break;
  case 4:
  case 5:
    poke(in, b);
    break;
  case 6:
    loom_dev_mmio_write(d, LOOM_REG_CONTROL, in.below(8), 4);
    break;
  case 7:
    loom_dev_inject(d, loom_inject(in.below(5)), in.below(40));
    break;
  case 8:
    loom_dev_reset(d, in.below(2));
    enable(d);
    tail = 0;
    break;
  case 9:
    if (in.below(4) == 0)
      migrate(in, d, spare);
    break;
  case 10:
    loom_dev_kick(d);
    break;
  default:
    loom_dev_mmio_write(d, LOOM_REG_CQ_HEAD,
                        uint32_t(loom_dev_mmio_read(d, LOOM_REG_CQ_TAIL, 4)),
                        4);
    break;
  }
  loom_dev_step(d, 1 + in.below(99)); // 0 would be no limit
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
  input in(data, n);
  static bus b;
  static loom_dev *d = make(b), *spare = make(b);
  uint32_t tail = 0;
  std::fill(b.memory.begin(), b.memory.end(), 0);
  b.mapped = in.below(2);
  lay_out(b);
  loom_dev_inject(d, LOOM_INJECT_NONE, 0);
  loom_dev_reset(d, true);
  enable(d);
  for (uint32_t left = in.below(100); left; left--)
    act(in, b, d, spare, tail);
  // Pokes may have given a job a budget of years: it runs for a while, and
  // rests as soon as it is told to.
  for (int steps = 0; steps < 500 && loom_dev_step(d, 64); steps++)
    ;
  loom_dev_mmio_write(d, LOOM_REG_CONTROL, LOOM_CTL_ENABLE | LOOM_CTL_HALT, 4);
  int steps = 0;
  while (loom_dev_step(d, 64))
    require(++steps < 1000);
  return 0;
}
