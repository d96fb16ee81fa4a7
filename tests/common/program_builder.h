// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Containers from hand-made records, for tests: the smallest path from an
// instruction to something that runs.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include <zlib.h>

#include "loom_program.h"
#include "loom_regs.h"

namespace loom_test {

inline loom_hdr header(uint8_t op, unsigned bytes) {
  loom_hdr h{};
  h.op = op;
  h.units =
      static_cast<uint8_t>((bytes + LOOM_UNIT_BYTES - 1) / LOOM_UNIT_BYTES);
  return h;
}

inline loom_seq seq(uint8_t op, uint8_t rd = 0, uint8_t ra = 0, uint8_t rb = 0,
                    int64_t imm = 0, uint8_t cond = 0, uint32_t target = 0) {
  loom_seq s{};
  s.h = header(op, sizeof(s));
  s.rd = rd;
  s.ra = ra;
  s.rb = rb;
  s.cond = cond;
  s.target = target;
  s.imm = imm;
  return s;
}

inline loom_seq halt() { return seq(LOOM_OP_HALT); }

// bytes contiguous bytes from src to dst, on the LD or ST queue.
inline loom_dma copy(uint8_t op, uint64_t src, uint64_t dst, uint32_t bytes) {
  loom_dma d{};
  d.h = header(op, sizeof(d));
  d.src = src;
  d.dst = dst;
  d.inner_bytes = bytes;
  for (auto &n : d.n)
    n = 1;
  return d;
}

class program_builder {
public:
  program_builder() {
    strings.push_back('\0');
    scopes.push_back({0, 0});
    locs.push_back({});
  }
  uint32_t string(const std::string &s) {
    const auto at = static_cast<uint32_t>(strings.size());
    strings.insert(strings.end(), s.begin(), s.end());
    strings.push_back('\0');
    return at;
  }
  uint32_t scope(const std::string &name, uint32_t parent = 0) {
    scopes.push_back({parent, string(name)});
    return static_cast<uint32_t>(scopes.size() - 1);
  }
  uint32_t loc(uint32_t scope, const std::string &file, uint32_t line,
               const std::string &op) {
    locs.push_back({scope, string(file), line, 1, string(op), 0});
    return static_cast<uint32_t>(locs.size() - 1);
  }
  uint32_t slot(const std::string &name, uint8_t kind, uint64_t bytes,
                uint8_t rights = LOOM_RIGHT_READ | LOOM_RIGHT_WRITE,
                uint64_t const_offset = 0, uint8_t flags = 0) {
    slots.push_back(
        {string(name), kind, rights, 0, flags, bytes, const_offset});
    return static_cast<uint32_t>(slots.size() - 1);
  }
  // A tensor of rank 0 and one byte; returns its row.
  uint32_t scalar(const std::string &name, uint32_t slot, uint8_t dtype,
                  uint8_t role) {
    loom_prog_tensor t{};
    t.name = string(name);
    t.slot = slot;
    t.dtype = dtype;
    t.role = role;
    t.bytes = 1;
    tensors.push_back(t);
    return static_cast<uint32_t>(tensors.size() - 1);
  }
  // A one-dimensional tensor that fills its slot.
  void tensor(const std::string &name, uint32_t slot, uint8_t dtype,
              uint8_t role, uint32_t elements, uint64_t bytes) {
    loom_prog_tensor t{};
    t.name = string(name);
    t.slot = slot;
    t.dtype = dtype;
    t.rank = 1;
    t.role = role;
    t.bytes = bytes;
    t.dims[0] = elements;
    tensors.push_back(t);
  }
  // Returns the unit of the record.
  template <class T> uint32_t add(const T &record) {
    const auto unit = static_cast<uint32_t>(code.size() / LOOM_UNIT_BYTES);
    const auto *p = reinterpret_cast<const uint8_t *>(&record);
    code.insert(code.end(), p, p + sizeof(record));
    code.resize((code.size() + LOOM_UNIT_BYTES - 1) / LOOM_UNIT_BYTES *
                LOOM_UNIT_BYTES);
    return unit;
  }
  uint32_t add_bytes(const std::vector<uint8_t> &record) {
    const auto unit = static_cast<uint32_t>(code.size() / LOOM_UNIT_BYTES);
    code.insert(code.end(), record.begin(), record.end());
    code.resize((code.size() + LOOM_UNIT_BYTES - 1) / LOOM_UNIT_BYTES *
                LOOM_UNIT_BYTES);
    return unit;
  }
  // Ends a segment: everything added since the last one.
  void segment(uint64_t insn_budget = 1u << 20,
               uint64_t cycle_budget = 1ull << 32) {
    loom_prog_segment s{};
    s.first = units_;
    units_ = static_cast<uint32_t>(code.size() / LOOM_UNIT_BYTES);
    s.count = units_ - s.first;
    s.insn_budget = insn_budget;
    s.cycle_budget = cycle_budget;
    segments.push_back(s);
  }
  // One slot to another through SRAM, as a segment of the NPU.
  void copy_segment(uint32_t from, uint32_t to, uint32_t bytes) {
    auto load = copy(LOOM_OP_LD_COPY, LOOM_ADDR(from, 0),
                     LOOM_ADDR(LOOM_SLOT_SRAM, 0), bytes);
    load.h.signal[0] = {3, 1};
    add(load);
    auto store = copy(LOOM_OP_ST_COPY, LOOM_ADDR(LOOM_SLOT_SRAM, 0),
                      LOOM_ADDR(to, 0), bytes);
    store.h.wait[0] = {3, 1};
    add(store);
    add(halt());
    segment();
  }
  void cpu_segment(const std::vector<uint64_t> &rows,
                   uint64_t budget = 1ull << 40) {
    loom_prog_segment s{};
    s.engine = LOOM_ENGINE_CPU;
    s.first = static_cast<uint32_t>(cpu_code.size());
    s.count = static_cast<uint32_t>(rows.size());
    s.insn_budget = budget;
    cpu_code.insert(cpu_code.end(), rows.begin(), rows.end());
    segments.push_back(s);
  }
  void run(uint32_t first, uint32_t count) {
    steps.push_back({LOOM_STEP_RUN, {}, first, count, 0, 0});
  }
  void loop_while(uint32_t cond, uint32_t body) {
    steps.push_back({LOOM_STEP_WHILE, {}, 0, body, cond, 0});
  }
  void repeat(uint64_t times, uint32_t body) {
    steps.push_back({LOOM_STEP_REPEAT, {}, 0, body, 0, times});
  }
  // Ends an entry point: the tensors, segments and steps added since the last
  // one.
  void entry(const std::string &name) { entries.push_back(entry_row(name)); }
  // With entry_name as the only entry point where entry() named none.
  std::vector<uint8_t> build(const loom_target &target,
                             const std::string &entry_name = "main") {
    std::vector<loom_prog_entry> rows = entries;
    if (rows.empty())
      rows.push_back(entry_row(entry_name));
    header_ = {};
    header_.magic = LOOM_PROG_MAGIC;
    header_.version = LOOM_PROG_VERSION;
    header_.target_hash = loom_prog_hash(&target, sizeof(target));
    file.assign(sizeof(header_), 0);
    section(LOOM_SEC_TARGET, &target, 1, sizeof(target));
    section(LOOM_SEC_STRINGS, strings.data(), strings.size(), 1);
    section(LOOM_SEC_NPU_CODE, code.data(), code.size() / LOOM_UNIT_BYTES,
            LOOM_UNIT_BYTES);
    section(LOOM_SEC_CPU_CODE, cpu_code.data(), cpu_code.size(), 8);
    section(LOOM_SEC_SLOTS, slots.data(), slots.size(), sizeof(slots[0]));
    section(LOOM_SEC_TENSORS, tensors.data(), tensors.size(),
            sizeof(loom_prog_tensor));
    section(LOOM_SEC_ENTRIES, rows.data(), rows.size(), sizeof(rows[0]));
    section(LOOM_SEC_SEGMENTS, segments.data(), segments.size(),
            sizeof(segments[0]));
    section(LOOM_SEC_SCHEDULE, steps.data(), steps.size(), sizeof(steps[0]));
    section(LOOM_SEC_SCOPES, scopes.data(), scopes.size(), sizeof(scopes[0]));
    section(LOOM_SEC_LOCS, locs.data(), locs.size(), sizeof(locs[0]));
    file.resize(round_up(file.size()));
    header_.meta_bytes = file.size();
    file.insert(file.end(), constants.begin(), constants.end());
    file.resize(round_up(file.size()));
    header_.const_bytes = file.size() - header_.meta_bytes;
    header_.file_bytes = file.size();
    seal(file, header_);
    return file;
  }
  // Writes the header with both checksums; for tests that edit a file and want
  // it to pass as undamaged.
  static void seal(std::vector<uint8_t> &file, loom_prog_header h) {
    h.meta_crc = 0;
    h.const_crc = static_cast<uint32_t>(
        crc32(0, file.data() + h.meta_bytes, static_cast<uInt>(h.const_bytes)));
    std::memcpy(file.data(), &h, sizeof(h));
    h.meta_crc = static_cast<uint32_t>(
        crc32(0, file.data(), static_cast<uInt>(h.meta_bytes)));
    std::memcpy(file.data(), &h, sizeof(h));
  }

  std::vector<uint8_t> constants;
  std::vector<uint8_t> code;
  std::vector<loom_prog_slot> slots;
  std::vector<loom_prog_segment> segments;
  std::vector<loom_prog_step> steps;
  std::vector<uint64_t> cpu_code;

private:
  loom_prog_entry entry_row(const std::string &name) {
    loom_prog_entry e{};
    e.name = string(name);
    if (!entries.empty()) {
      const auto &last = entries.back();
      e.first_tensor = last.first_tensor + last.n_tensors;
      e.first_segment = last.first_segment + last.n_segments;
      e.first_step = last.first_step + last.n_steps;
    }
    e.n_tensors = static_cast<uint32_t>(tensors.size()) - e.first_tensor;
    e.n_segments = static_cast<uint32_t>(segments.size()) - e.first_segment;
    e.n_steps = static_cast<uint32_t>(steps.size()) - e.first_step;
    return e;
  }

  static size_t round_up(size_t n) {
    return (n + LOOM_PROG_ALIGN - 1) / LOOM_PROG_ALIGN * LOOM_PROG_ALIGN;
  }
  void section(int id, const void *rows, size_t count, size_t stride) {
    if (!count)
      return;
    file.resize((file.size() + 7) / 8 * 8);
    header_.sections[id] = {file.size(), static_cast<uint32_t>(count),
                            static_cast<uint32_t>(stride)};
    const auto *p = static_cast<const uint8_t *>(rows);
    file.insert(file.end(), p, p + count * stride);
  }

  uint32_t units_ = 0; // that belong to segments
  loom_prog_header header_{};
  std::vector<uint8_t> file;
  std::vector<char> strings;
  std::vector<loom_prog_tensor> tensors;
  std::vector<loom_prog_entry> entries;
  std::vector<loom_prog_scope> scopes;
  std::vector<loom_prog_loc> locs;
};

} // namespace loom_test
