// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Makes program containers by hand, for tests that need no compiler.
#pragma once

#include <cstdint>
#include <cstring>
#include <iterator>
#include <string>
#include <vector>

#include "loom_isa.h"
#include "loom_program.h"
#include "loom_regs.h"
#include "loom_target.h"

namespace loom_test {

inline loom_hdr header(loom_op op, unsigned units) {
  loom_hdr h{};
  h.op = static_cast<__u8>(op);
  h.units = static_cast<__u8>(units);
  return h;
}

class ProgramBuilder {
public:
  explicit ProgramBuilder(const loom_target &target) : target_(target) {}

  // --- slots ---
  unsigned slot(loom_slot_kind kind, unsigned rights, std::uint64_t bytes,
                unsigned flags = 0, std::uint64_t const_offset = 0) {
    loom_prog_slot s{};
    s.name = string("slot" + std::to_string(slots_.size()));
    s.kind = static_cast<__u8>(kind);
    s.rights = static_cast<__u8>(rights);
    s.flags = static_cast<__u8>(flags);
    s.bytes = bytes;
    s.const_offset = const_offset;
    slots_.push_back(s);
    return static_cast<unsigned>(slots_.size() - 1);
  }
  unsigned input(std::uint64_t bytes) {
    return slot(LOOM_SLOT_ARG, LOOM_RIGHT_READ, bytes);
  }
  unsigned output(std::uint64_t bytes) {
    return slot(LOOM_SLOT_ARG, LOOM_RIGHT_WRITE, bytes);
  }
  void constants(std::uint64_t bytes) { const_bytes_ = bytes; }

  // --- records; each returns the unit it begins at ---
  unsigned halt() { return record(seq(LOOM_OP_HALT)); }
  unsigned fence() { return record(seq(LOOM_OP_FENCE)); }
  unsigned trap(std::int64_t code) {
    loom_seq r = seq(LOOM_OP_TRAP);
    r.imm = code;
    return record(r);
  }
  unsigned load_imm(unsigned rd, std::int64_t imm) {
    loom_seq r = seq(LOOM_OP_LDI);
    r.rd = static_cast<__u8>(rd);
    r.imm = imm;
    return record(r);
  }
  unsigned branch(unsigned target) {
    loom_seq r = seq(LOOM_OP_BR);
    r.cond = LOOM_COND_ALWAYS;
    r.target = target;
    return record(r);
  }
  unsigned loop(std::int64_t times, unsigned end) {
    loom_seq r = seq(LOOM_OP_LOOP);
    r.rd = 1;
    r.target = end;
    r.imm = times;
    return record(r);
  }
  // Runs through `times` instructions, then goes on.
  void spin(std::int64_t times) {
    const unsigned first = units();
    loop(times, first + 2);
    load_imm(2, 1);
  }
  unsigned load(unsigned slot, std::uint64_t offset, std::uint32_t sram,
                std::uint32_t bytes) {
    loom_dma d = copy(LOOM_OP_LD_COPY, bytes);
    d.src = LOOM_ADDR(slot, offset);
    d.dst = LOOM_ADDR(LOOM_SLOT_SRAM, sram);
    return record(d);
  }
  unsigned store(std::uint32_t sram, unsigned slot, std::uint64_t offset,
                 std::uint32_t bytes) {
    loom_dma d = copy(LOOM_OP_ST_COPY, bytes);
    d.src = LOOM_ADDR(LOOM_SLOT_SRAM, sram);
    d.dst = LOOM_ADDR(slot, offset);
    return record(d);
  }
  // slot -> SRAM -> slot, in order
  void move(unsigned from, unsigned to, std::uint32_t bytes,
            std::uint64_t from_offset = 0, std::uint64_t to_offset = 0) {
    load(from, from_offset, 0, bytes);
    fence();
    store(0, to, to_offset, bytes);
    fence();
  }

  // --- segments and entry points ---
  unsigned units() const { return static_cast<unsigned>(code_.size() / 32); }

  // What was recorded since the last segment.
  void segment(std::uint64_t insns = 1u << 20,
               std::uint64_t cycles = 1ull << 32) {
    loom_prog_segment s{};
    s.engine = LOOM_ENGINE_NPU;
    s.first = segment_start_;
    s.count = units() - segment_start_;
    s.insn_budget = insns;
    s.cycle_budget = cycles;
    segments_.push_back(s);
    segment_start_ = units();
  }
  // Rows of CPU operations, one after the other.
  void cpu_segment(const std::vector<std::uint64_t> &rows,
                   std::uint64_t budget = 1ull << 40) {
    loom_prog_segment s{};
    s.engine = LOOM_ENGINE_CPU;
    s.first = static_cast<__u32>(cpu_code_.size());
    s.count = static_cast<__u32>(rows.size());
    s.insn_budget = budget;
    cpu_code_.insert(cpu_code_.end(), rows.begin(), rows.end());
    segments_.push_back(s);
  }
  // Segments recorded since the last entry point.
  void entry(unsigned steps = 0) {
    loom_prog_entry e{};
    e.name = string("entry" + std::to_string(entries_.size()));
    e.first_segment = entry_start_;
    e.n_segments = static_cast<__u32>(segments_.size()) - entry_start_;
    e.n_steps = steps;
    entries_.push_back(e);
    entry_start_ = static_cast<unsigned>(segments_.size());
  }

  std::vector<loom_prog_step> steps;
  std::vector<loom_prog_slot> &slots() { return slots_; }
  loom_target &target() { return target_; }

  std::vector<std::uint8_t> bytes() const {
    std::vector<std::uint8_t> out(sizeof(loom_prog_header));
    loom_prog_header h{};
    h.magic = LOOM_PROG_MAGIC;
    h.version = LOOM_PROG_VERSION;
    h.target_hash = loom_prog_hash(&target_, sizeof(target_));
    h.const_bytes = const_bytes_;
    put(h, out, LOOM_SEC_TARGET, &target_, 1, sizeof(target_));
    put(h, out, LOOM_SEC_STRINGS, strings_.data(), strings_.size(), 1);
    put(h, out, LOOM_SEC_NPU_CODE, code_.data(), code_.size() / 32, 32);
    put(h, out, LOOM_SEC_CPU_CODE, cpu_code_.data(), cpu_code_.size(), 8);
    put(h, out, LOOM_SEC_SLOTS, slots_.data(), slots_.size(),
        sizeof(loom_prog_slot));
    put(h, out, LOOM_SEC_ENTRIES, entries_.data(), entries_.size(),
        sizeof(loom_prog_entry));
    put(h, out, LOOM_SEC_SEGMENTS, segments_.data(), segments_.size(),
        sizeof(loom_prog_segment));
    put(h, out, LOOM_SEC_SCHEDULE, steps.data(), steps.size(),
        sizeof(loom_prog_step));
    put(h, out, LOOM_SEC_SCOPES, &scope_, 1, sizeof(scope_));
    put(h, out, LOOM_SEC_LOCS, locs_, std::size(locs_), sizeof(locs_[0]));
    out.resize((out.size() + LOOM_PROG_ALIGN - 1) / LOOM_PROG_ALIGN *
               LOOM_PROG_ALIGN);
    h.meta_bytes = out.size();
    h.file_bytes = h.meta_bytes + h.const_bytes;
    std::memcpy(out.data(), &h, sizeof(h));
    return out;
  }

private:
  static loom_seq seq(loom_op op) {
    loom_seq r{};
    r.h = header(op, 1);
    return r;
  }
  static loom_dma copy(loom_op op, std::uint32_t bytes) {
    loom_dma d{};
    d.h = header(op, 3);
    d.inner_bytes = bytes;
    for (auto &n : d.n)
      n = 1;
    return d;
  }
  template <class T> unsigned record(const T &r) {
    static_assert(sizeof(T) % LOOM_UNIT_BYTES == 0);
    const unsigned at = units();
    const auto *p = reinterpret_cast<const std::uint8_t *>(&r);
    code_.insert(code_.end(), p, p + sizeof(T));
    return at;
  }
  __u32 string(const std::string &s) {
    const auto at = static_cast<__u32>(strings_.size());
    strings_ += s;
    strings_ += '\0';
    return at;
  }
  static void put(loom_prog_header &h, std::vector<std::uint8_t> &out,
                  loom_prog_section_id id, const void *rows, std::size_t count,
                  std::size_t stride) {
    if (!count)
      return;
    out.resize((out.size() + 7) / 8 * 8);
    h.sections[id].offset = out.size();
    h.sections[id].count = static_cast<__u32>(count);
    h.sections[id].stride = static_cast<__u32>(stride);
    const auto *p = static_cast<const std::uint8_t *>(rows);
    out.insert(out.end(), p, p + count * stride);
  }

  loom_target target_;
  std::string strings_ = std::string(1, '\0');
  std::vector<std::uint8_t> code_;
  std::vector<std::uint64_t> cpu_code_;
  loom_prog_scope scope_{};
  loom_prog_loc locs_[8]{};
  std::vector<loom_prog_slot> slots_;
  std::vector<loom_prog_segment> segments_;
  std::vector<loom_prog_entry> entries_;
  std::uint64_t const_bytes_ = 0;
  unsigned segment_start_ = 0, entry_start_ = 0;
};

} // namespace loom_test
