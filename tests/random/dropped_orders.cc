// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Compiled programs with one wait or one signal less. The hazard checker or the
// machine has to notice (HAZARD, DEADLOCK), unless the order is there without
// it: then the program must give the same bytes under every timing tried.
//
//   dropped_orders [--seed N] [--each N] PROGRAM.loom ...
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <vector>

extern "C" {
#include "loom_npu.h"
#include "prog_check.h"
}

#include "rng.h"

using loom_random::rng;

namespace {

// Memory latency and bandwidth, in per cent of the target's own.
constexpr struct {
  uint32_t latency, bandwidth;
} timings[] = {{100, 100}, {0, 400}, {1000, 100}, {300, 25}};

// More than any program here needs whose data do not keep it going.
constexpr uint64_t most_insns = 1 << 17;

struct file {
  std::string name;
  std::vector<uint64_t> bytes; // aligned as the checker wants them
  loom_prog_view view{};

  const uint8_t *at(uint64_t offset) const {
    return reinterpret_cast<const uint8_t *>(bytes.data()) + offset;
  }
};

std::optional<file> read(const char *name) {
  std::ifstream in(name, std::ios::binary);
  const std::vector<char> raw((std::istreambuf_iterator<char>(in)), {});
  file f;
  loom_prog_header head{};
  loom_prog_error e{};
  f.name = name;
  f.bytes.resize((raw.size() + 7) / 8);
  std::memcpy(f.bytes.data(), raw.data(), raw.size());
  if (raw.size() < sizeof(head))
    return {};
  std::memcpy(&head, raw.data(), sizeof(head));
  if (head.meta_bytes > raw.size() ||
      loom_prog_check(f.bytes.data(), head.meta_bytes, &f.view, &e))
    return {};
  return f;
}

// The slots of a program and its code, as one job sees them.
struct memory {
  std::vector<std::vector<uint8_t>> slot, fresh;
  std::vector<loom_npu_slot> bound;
  std::vector<uint8_t> code;
};

memory memory_of(const file &f, rng &r) {
  memory m;
  const uint8_t *consts = f.at(f.view.header->meta_bytes);
  for (uint32_t i = 0; i < f.view.n_slots; i++) {
    const loom_prog_slot &s = f.view.slots[i];
    std::vector<uint8_t> bytes(s.bytes);
    if (s.kind == LOOM_SLOT_CONST)
      std::memcpy(bytes.data(), consts + s.const_offset, s.bytes);
    else
      for (uint64_t at = 0; at + 4 <= s.bytes; at += 4) {
        const float v = float(int64_t(r.below(2001)) - 1000) / 1000;
        std::memcpy(&bytes[at], &v, 4);
      }
    m.fresh.push_back(std::move(bytes));
    m.bound.push_back({s.bytes, s.rights, s.mem_class, 0});
  }
  const size_t bytes = size_t{f.view.n_units} * LOOM_UNIT_BYTES;
  m.code.assign(f.view.npu_code, f.view.npu_code + bytes);
  return m;
}

std::vector<uint8_t> *place(void *o, uint32_t slot) {
  auto *m = static_cast<memory *>(o);
  return slot == LOOM_NPU_CODE ? &m->code : &m->slot.at(slot);
}

int read_slot(void *o, uint32_t slot, uint64_t at, void *to, uint64_t len) {
  std::memcpy(to, place(o, slot)->data() + at, len);
  return 0;
}

int write_slot(void *o, uint32_t slot, uint64_t at, const void *from,
               uint64_t len) {
  std::memcpy(place(o, slot)->data() + at, from, len);
  return 0;
}

void *direct_slot(void *o, uint32_t slot, uint64_t at, uint64_t, bool) {
  return place(o, slot)->data() + at;
}

class machine {
public:
  machine(const loom_target &target, memory &m, bool hazards) : m(m) {
    const loom_npu_host host = {read_slot, write_slot, direct_slot, nullptr,
                                nullptr};
    npu.reset(loom_npu_create(&target, &host, &m));
    if (!npu || !loom_npu_set_hazards(npu.get(), hazards)) {
      std::fprintf(stderr, "no NPU of this target\n");
      std::exit(2);
    }
  }
  loom_completion run(const loom_prog_segment &s) {
    loom_npu_job job{};
    loom_completion c{};
    m.slot = m.fresh;
    job.seqno = 1;
    job.first_unit = s.first;
    job.n_units = s.count;
    job.insn_budget = std::min<uint64_t>(s.insn_budget, most_insns);
    job.cycle_budget = s.cycle_budget * 100; // slower memory takes longer
    job.n_slots = uint32_t(m.bound.size());
    job.slots = m.bound.data();
    loom_npu_start(npu.get(), &job);
    loom_npu_run(npu.get(), 0);
    loom_npu_finish(npu.get(), &c);
    return c;
  }

private:
  struct closer {
    void operator()(loom_npu *n) const { loom_npu_destroy(n); }
  };
  memory &m;
  std::unique_ptr<loom_npu, closer> npu;
};

// Where a semaphore is named that counts.
std::vector<size_t> references(const memory &m, const loom_prog_segment &s) {
  std::vector<size_t> found;
  const size_t end = size_t{s.first + s.count} * LOOM_UNIT_BYTES;
  for (size_t at = size_t{s.first} * LOOM_UNIT_BYTES; at < end;) {
    loom_hdr h;
    std::memcpy(&h, &m.code[at], sizeof(h));
    for (size_t i = 0; i < 4; i++) {
      const size_t ref =
          at + offsetof(loom_hdr, wait) + i * sizeof(loom_semref);
      if (m.code[ref + offsetof(loom_semref, n)])
        found.push_back(ref);
    }
    at += size_t{h.units} * LOOM_UNIT_BYTES;
  }
  return found;
}

struct tally {
  uint64_t references = 0, tried = 0, hazard = 0, deadlock = 0, redundant = 0,
           missed = 0, broken = 0;
};

// Within what a target may be.
loom_target scaled(loom_target t, uint32_t latency, uint32_t bandwidth) {
  for (auto &mem : t.mem) {
    mem.latency = std::min(4096u, mem.latency * latency / 100);
    mem.bytes_per_cycle = std::max(1u, mem.bytes_per_cycle * bandwidth / 100);
  }
  return t;
}

bool same_under_every_timing(const loom_target &target, memory &m,
                             const loom_prog_segment &s,
                             const std::vector<std::vector<uint8_t>> &right) {
  for (const auto &timing : timings) {
    machine slow(scaled(target, timing.latency, timing.bandwidth), m, false);
    const loom_completion c = slow.run(s);
    if ((c.fault && c.fault != LOOM_FAULT_SEM_LEFT) || m.slot != right)
      return false;
  }
  return true;
}

void judge(const file &f, memory &m, const loom_prog_segment &s, size_t ref,
           machine &checked, const std::vector<std::vector<uint8_t>> &right,
           tally &t) {
  const uint8_t sem = m.code[ref], n = m.code[ref + 1];
  m.code[ref] = m.code[ref + 1] = 0;
  const loom_completion c = checked.run(s);
  t.tried++;
  if (c.fault == LOOM_FAULT_HAZARD && c.unit != c.aux) {
    t.hazard++;
  } else if (c.fault == LOOM_FAULT_DEADLOCK && c.aux) {
    t.deadlock++;
  } else if (same_under_every_timing(*f.view.target, m, s, right)) {
    t.redundant++;
  } else {
    t.missed++;
    std::printf("%s: %s of unit %zu (semaphore %u, %u): fault %u, and other "
                "bytes under another timing\n",
                f.name.c_str(), ref % LOOM_UNIT_BYTES < 12 ? "wait" : "signal",
                ref / LOOM_UNIT_BYTES, sem, n, c.fault);
  }
  m.code[ref] = sem;
  m.code[ref + 1] = n;
}

void drop(const file &f, uint64_t each, rng &r, tally &t) {
  memory m = memory_of(f, r);
  for (uint32_t i = 0; i < f.view.n_segments; i++) {
    const loom_prog_segment &s = f.view.segments[i];
    if (s.engine == LOOM_ENGINE_CPU) // one operation after the other
      continue;
    machine checked(*f.view.target, m, true);
    const loom_completion whole = checked.run(s);
    // Data decide how often its loop runs, and these do not end it.
    if (whole.fault == LOOM_FAULT_BUDGET_INSNS &&
        s.insn_budget == LOOM_MAX_INSN_BUDGET)
      return;
    if (whole.fault) {
      t.broken++;
      std::printf("%s: fault %u at unit %u with nothing dropped\n",
                  f.name.c_str(), whole.fault, whole.unit);
      return;
    }
    const auto right = m.slot;
    const auto refs = references(m, s);
    t.references += refs.size();
    for (uint64_t k = 0; k < std::min<uint64_t>(each, refs.size()); k++)
      judge(f, m, s, refs[r.below(refs.size())], checked, right, t);
  }
}

} // namespace

int main(int argc, char **argv) {
  uint64_t seed = 1, each = 20, programs = 0;
  tally t;
  int i = 1;
  for (; i + 1 < argc && argv[i][0] == '-'; i += 2)
    (std::string(argv[i]) == "--seed" ? seed : each) =
        std::strtoull(argv[i + 1], nullptr, 0);
  rng r(seed);
  for (; i < argc; i++) {
    const auto f = read(argv[i]);
    if (!f) {
      std::fprintf(stderr, "%s is not a program\n", argv[i]);
      return 2;
    }
    drop(*f, each, r, t);
    programs++;
  }
  std::printf("%llu programs, %llu waits and signals, %llu dropped one at a "
              "time: %llu races, %llu deadlocks, %llu redundant, %llu missed\n",
              (unsigned long long)programs, (unsigned long long)t.references,
              (unsigned long long)t.tried, (unsigned long long)t.hazard,
              (unsigned long long)t.deadlock, (unsigned long long)t.redundant,
              (unsigned long long)t.missed);
  const uint64_t wrong = t.missed + t.broken;
  std::printf("%llu passed, %llu failed\n",
              (unsigned long long)(t.tried - t.missed),
              (unsigned long long)wrong);
  return !t.tried || t.broken || 100 * t.missed > t.tried;
}
