// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The model alone, with a host that trusts it with nothing: every slot lies in
// one arena between canaries, and each access is checked once more.
#include <algorithm>
#include <cstdio>
#include <cstring>
#include <memory>

#include "escape_runs.h"
#include "loom_npu.h"
#include "runner.h"

namespace loom_random {

namespace {

constexpr uint64_t report_bytes =
    sizeof(loom_report) + 32 * sizeof(loom_report_entry);

class arena {
public:
  // Lays the slots, the code and the report of a program between canaries.
  void load(const program &p, bool with_unbound) {
    contents = p.contents;
    code = p.code;
    slots.clear();
    for (const auto &s : p.slots)
      slots.push_back({s.bytes, s.rights, s.mem_class, 0});
    if (with_unbound)
      slots.resize(slots.size() + unbound_slots);
    memory.resize(1024);
    places.clear();
    for (const auto &c : contents)
      places.push_back(lay(c.size()));
    code_at = lay(code.size());
    report_at = lay(report_bytes);
    fill_canary(memory.data(), memory.size());
    for (size_t i = 0; i < contents.size(); i++)
      std::memcpy(&memory[places[i]], contents[i].data(), contents[i].size());
    std::memcpy(&memory[code_at], code.data(), code.size());
    std::memset(&memory[report_at], 0, report_bytes);
    before = memory;
    complaint.clear();
  }
  // Where an access goes, or NULL, with a complaint, if it must not happen.
  uint8_t *access(uint32_t slot, uint64_t offset, uint64_t len, bool write) {
    uint64_t at = 0, bytes = 0;
    bool allowed = true;
    if (slot == LOOM_NPU_CODE || slot == LOOM_NPU_REPORT) {
      allowed = write == (slot == LOOM_NPU_REPORT);
      at = write ? report_at : code_at;
      bytes = write ? report_bytes : code.size();
    } else if (slot < contents.size()) {
      allowed =
          slots[slot].rights & (write ? LOOM_RIGHT_WRITE : LOOM_RIGHT_READ);
      at = places[slot];
      bytes = contents[slot].size();
    }
    if (!allowed || offset > bytes || len > bytes - offset) {
      complaint = "the model " + std::string(write ? "writes" : "reads") +
                  " slot " + std::to_string(slot) + " at " +
                  std::to_string(offset) + ", " + std::to_string(len) +
                  " bytes";
      return nullptr;
    }
    return &memory[at + offset];
  }
  // What is wrong with the memory after a job, or "".
  std::string inspect() const {
    for (size_t i = 0; i < contents.size(); i++)
      if (has_canary(&memory[places[i]], contents[i].size()))
        return "a canary in slot " + std::to_string(i);
    if (has_canary(&memory[report_at], report_bytes))
      return "a canary in the report";
    auto now = memory;
    for (size_t i = 0; i < contents.size(); i++)
      if (slots[i].rights & LOOM_RIGHT_WRITE)
        std::memcpy(&now[places[i]], &before[places[i]], contents[i].size());
    std::memcpy(&now[report_at], &before[report_at], report_bytes);
    return now == before ? "" : "bytes outside the writable slots changed";
  }
  const loom_report &report() const {
    return *reinterpret_cast<const loom_report *>(&memory[report_at]);
  }

  std::vector<loom_npu_slot> slots;
  std::string complaint;

private:
  size_t lay(size_t bytes) {
    const size_t at = memory.size();
    memory.resize((at + bytes + 1024 + 63) / 64 * 64);
    return at;
  }

  std::vector<uint8_t> memory, before, code;
  std::vector<std::vector<uint8_t>> contents;
  std::vector<size_t> places;
  size_t code_at = 0, report_at = 0;
};

int read_arena(void *opaque, uint32_t slot, uint64_t offset, void *buf,
               uint64_t len) {
  const uint8_t *p =
      static_cast<arena *>(opaque)->access(slot, offset, len, false);
  if (!p)
    return LOOM_FAULT_DMA;
  std::memcpy(buf, p, len);
  return LOOM_FAULT_NONE;
}

int write_arena(void *opaque, uint32_t slot, uint64_t offset, const void *buf,
                uint64_t len) {
  uint8_t *p = static_cast<arena *>(opaque)->access(slot, offset, len, true);
  if (!p)
    return LOOM_FAULT_DMA;
  std::memcpy(p, buf, len);
  return LOOM_FAULT_NONE;
}

void *direct_arena(void *opaque, uint32_t slot, uint64_t offset, uint64_t len,
                   bool write) {
  return static_cast<arena *>(opaque)->access(slot, offset, len, write);
}

class machine {
public:
  machine(const loom_target &target, bool direct)
      : bytes_of_memories(target.sram_bytes + target.acc_bytes) {
    const loom_npu_host host = {read_arena, write_arena,
                                direct ? direct_arena : nullptr, nullptr,
                                nullptr};
    npu.reset(loom_npu_create(&target, &host, &memory));
  }
  loom_completion run(const program &p, bool with_unbound) {
    memory.load(p, with_unbound);
    loom_npu_job job{};
    job.seqno = 1;
    job.first_unit = p.segments[0].first;
    job.n_units = p.segments[0].count;
    job.insn_budget = escape_insns;
    job.cycle_budget = escape_cycles;
    job.report_bytes = report_bytes;
    job.n_slots = static_cast<uint32_t>(memory.slots.size());
    job.slots = memory.slots.data();
    loom_completion end{};
    if (loom_npu_start(npu.get(), &job)) {
      memory.complaint = "the model refused the job";
      return end;
    }
    check_cleared();
    loom_npu_run(npu.get(), 0);
    loom_npu_finish(npu.get(), &end);
    return end;
  }

  arena memory;

private:
  // Nothing of a job is left to the one that has just begun; a saved machine
  // ends with SRAM and the accumulators.
  void check_cleared() {
    saved.resize(loom_npu_save_bytes(npu.get()));
    loom_npu_save(npu.get(), saved.data());
    const auto first = saved.end() - static_cast<ptrdiff_t>(bytes_of_memories);
    const auto left =
        std::find_if(first, saved.end(), [](uint8_t b) { return b; });
    if (left != saved.end() && memory.complaint.empty())
      memory.complaint = "byte " + std::to_string(left - first) +
                         " of SRAM and accumulators outlives its job";
  }

  const size_t bytes_of_memories;
  std::vector<uint8_t> saved;
  struct closer {
    void operator()(loom_npu *n) const { loom_npu_destroy(n); }
  };
  std::unique_ptr<loom_npu, closer> npu;
};

// Faults that are a record's own; offences give theirs a source.
bool names_source(uint32_t fault) {
  return fault != LOOM_FAULT_OPCODE && fault != LOOM_FAULT_FETCH &&
         fault != LOOM_FAULT_SEM_LEFT && fault != LOOM_FAULT_BUDGET_INSNS &&
         fault != LOOM_FAULT_BUDGET_CYCLES;
}

std::string judge(const escape &e, const loom_completion &end,
                  const arena &memory) {
  if (!memory.complaint.empty())
    return memory.complaint;
  if (e.expected != any_fault && end.fault != e.expected)
    return std::string("fault ") + loom_fault_name(end.fault) + ", expected " +
           loom_fault_name(static_cast<uint32_t>(e.expected));
  if (e.expected > 0 && names_source(end.fault) && (end.loc < 1 || end.loc > 3))
    return "the fault names no source";
  if (has_canary(&end, sizeof(end)))
    return "a canary in the completion record";
  if (std::memcmp(&memory.report().end, &end, sizeof(end)))
    return "the report ends differently from the completion record";
  return memory.inspect();
}

// The same program through libloom: the same end, and a message that says it
// all.
std::string judge_message(const escape &e, const loom_completion &direct,
                          const loom_cpp::device &device) {
  const auto o = run(device, e.p.file, {S_IN, S_OUT, S_INOUT},
                     {e.p.contents[0], e.p.contents[1], e.p.contents[2]});
  if (o.result.end.fault != direct.fault || o.result.end.unit != direct.unit ||
      o.result.end.slot != direct.slot || o.result.end.offset != direct.offset)
    return "libloom saw " + std::string(loom_fault_name(o.result.end.fault)) +
           ", the model alone " + loom_fault_name(direct.fault);
  if (!direct.fault)
    return o.result.status ? "status without a fault" : "";
  if (o.result.status != -EIO)
    return "status " + std::to_string(o.result.status) + " instead of -EIO";
  return missing_in_message(o.result.end, o.result.message);
}

} // namespace

int escape_in_process(uint64_t seed, uint64_t count) {
  tally t;
  const loom_cpp::device device("sim:npu8");
  const loom_target &target = device.target();
  machine plain(target, false), direct(target, true);
  const program neighbours[] = {make_neighbour(target, true),
                                make_neighbour(target, false)};
  for (uint64_t i = 0; i < count; i++) {
    const escape e = make_escape(seed, i, "npu8", target);
    machine &m = i % 2 ? direct : plain;
    t.kind(e);
    const auto other = m.run(neighbours[i / 2 % 2], false);
    if (other.fault != LOOM_FAULT_SEM_LEFT)
      t.fail(e, i, "the neighbour did not fill the machine");
    const auto end = m.run(e.p, true);
    t.fault(end.fault);
    std::string why = judge(e, end, m.memory);
    if (why.empty())
      why = judge_message(e, end, device);
    if (!why.empty())
      t.fail(e, i, why);
  }
  return t.close(count >= 10000);
}

} // namespace loom_random
