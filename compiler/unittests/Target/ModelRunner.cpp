// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "ModelRunner.h"

#include "cpu_engine.h"
#include "prog_check.h"
#include "sequencer.h"
extern "C" {
#include "loom_npu.h"
}

#include <array>
#include <cstring>

using namespace loom_test;

namespace {
struct Machine {
  const uint8_t *code;
  std::vector<std::vector<uint8_t>> memory; // by slot
};

uint8_t *at(void *opaque, uint32_t slot, uint64_t offset) {
  auto *machine = static_cast<Machine *>(opaque);
  if (slot == LOOM_NPU_CODE)
    return const_cast<uint8_t *>(machine->code) + offset;
  return machine->memory[slot].data() + offset;
}

int readSlot(void *opaque, uint32_t slot, uint64_t offset, void *buf,
             uint64_t len) {
  memcpy(buf, at(opaque, slot, offset), len);
  return LOOM_FAULT_NONE;
}

int writeSlot(void *opaque, uint32_t slot, uint64_t offset, const void *buf,
              uint64_t len) {
  memcpy(at(opaque, slot, offset), buf, len);
  return LOOM_FAULT_NONE;
}

void *directSlot(void *opaque, uint32_t slot, uint64_t offset, uint64_t, bool) {
  return at(opaque, slot, offset);
}

/// What the kernel would say of the file, 8-byte aligned as that wants it.
std::string checkFile(const std::vector<uint64_t> &file, size_t size,
                      loom_prog_view &view) {
  loom_prog_error error;
  if (loom_prog_check(file.data(), size, &view, &error) == LOOM_PROG_OK)
    return "";
  return std::string(error.section) + " " + std::to_string(error.index) + ": " +
         error.what + " (" + std::to_string(error.value) + ")";
}

std::string runOnNpu(Machine &machine, const loom_target &target,
                     const loom_prog_segment &segment,
                     const std::vector<loom_npu_slot> &slots,
                     loom_completion &completion) {
  loom_npu_host host;
  memset(&host, 0, sizeof(host));
  host.read = readSlot;
  host.write = writeSlot;
  host.direct = directSlot;
  loom_npu *npu = loom_npu_create(&target, &host, &machine);
  if (!npu || !loom_npu_set_hazards(npu, true)) {
    loom_npu_destroy(npu);
    return "the model refuses the target";
  }
  loom_npu_job job;
  memset(&job, 0, sizeof(job));
  job.seqno = 1;
  job.first_unit = segment.first;
  job.n_units = segment.count;
  job.insn_budget = segment.insn_budget;
  job.cycle_budget = segment.cycle_budget;
  job.n_slots = slots.size();
  job.slots = slots.data();
  const int fault = loom_npu_start(npu, &job);
  std::string error;
  if (fault) {
    error = "the job does not start: fault " + std::to_string(fault);
  } else {
    while (loom_npu_run(npu, 0) == LOOM_NPU_RUNNING)
      ;
    loom_npu_finish(npu, &completion);
    if (completion.fault)
      error = "fault " + std::to_string(completion.fault) + " at unit " +
              std::to_string(completion.unit) + " slot " +
              std::to_string(completion.slot) + " offset " +
              std::to_string(completion.offset) + " limit " +
              std::to_string(completion.limit) + " aux " +
              std::to_string(completion.aux);
  }
  loom_npu_destroy(npu);
  return error;
}

std::string runOnCpu(Machine &machine, const uint8_t *code,
                     const loom_prog_segment &segment,
                     const loom_prog_slot *rows, uint32_t locations) {
  std::vector<uint64_t> aligned(segment.count);
  memcpy(aligned.data(), code + segment.first * 8ull, segment.count * 8ull);
  std::vector<loom_cpu_slot> slots;
  for (std::vector<uint8_t> &memory : machine.memory)
    slots.push_back(
        {memory.data(), memory.size(), uint32_t(rows[slots.size()].rights), 0});
  loom_cpu_segment checked;
  loom_cpu_error error;
  if (loom_cpu_check(aligned.data(), segment.count * 8ull, slots.data(),
                     slots.size(), locations, segment.insn_budget, &checked,
                     &error) != LOOM_CPU_OK)
    return "CPU operation " + std::to_string(error.op) + ": " + error.what +
           " (" + std::to_string(error.value) + ")";
  std::vector<std::array<uint8_t, 64>> scratch(LOOM_CPU_SCRATCH_BYTES / 64 + 1);
  const uintptr_t begin = reinterpret_cast<uintptr_t>(scratch.data());
  loom_cpu_cursor cursor;
  loom_cpu_begin(&cursor, reinterpret_cast<void *>((begin + 63) / 64 * 64));
  while (loom_cpu_step(&checked, &cursor, 1024) == LOOM_CPU_MORE)
    ;
  return "";
}
} // namespace

RunResult
loom_test::runProgram(const std::vector<uint8_t> &file,
                      const std::vector<std::vector<uint8_t>> &inputs) {
  RunResult result;
  memset(&result.completion, 0, sizeof(result.completion));
  std::vector<uint64_t> aligned((file.size() + 7) / 8);
  memcpy(aligned.data(), file.data(), file.size());
  loom_prog_view view;
  result.error = checkFile(aligned, file.size(), view);
  if (!result.error.empty())
    return result;
  loom_prog_header header;
  memcpy(&header, file.data(), sizeof(header));
  auto section = [&](unsigned id) {
    return file.data() + header.sections[id].offset;
  };
  loom_target target;
  memcpy(&target, section(LOOM_SEC_TARGET), sizeof(target));
  Machine machine;
  machine.code = section(LOOM_SEC_NPU_CODE);
  const auto *slots =
      reinterpret_cast<const loom_prog_slot *>(section(LOOM_SEC_SLOTS));
  const uint32_t count = header.sections[LOOM_SEC_SLOTS].count;
  std::vector<loom_npu_slot> bound(count);
  for (uint32_t i = 0; i < count; ++i) {
    machine.memory.emplace_back(slots[i].bytes, 0xa5);
    bound[i] = {slots[i].bytes, slots[i].rights, slots[i].mem_class, 0};
    if (slots[i].kind == LOOM_SLOT_CONST)
      memcpy(machine.memory[i].data(),
             file.data() + header.meta_bytes + slots[i].const_offset,
             slots[i].bytes);
  }
  const auto *tensors =
      reinterpret_cast<const loom_prog_tensor *>(section(LOOM_SEC_TENSORS));
  const auto *entry =
      reinterpret_cast<const loom_prog_entry *>(section(LOOM_SEC_ENTRIES));
  size_t next = 0;
  for (uint32_t i = 0; i < entry->n_tensors; ++i) {
    const loom_prog_tensor &t = tensors[entry->first_tensor + i];
    if (t.role == LOOM_ROLE_OUTPUT)
      continue;
    if (next >= inputs.size() || inputs[next].size() != t.bytes) {
      result.error = "input " + std::to_string(next) + " has a wrong size";
      return result;
    }
    memcpy(machine.memory[t.slot].data() + t.offset, inputs[next].data(),
           t.bytes);
    ++next;
  }
  const auto *segments =
      reinterpret_cast<const loom_prog_segment *>(section(LOOM_SEC_SEGMENTS)) +
      entry->first_segment;
  auto run = [&](const loom_prog_segment &segment) {
    result.cpuSegments += segment.engine == LOOM_ENGINE_CPU;
    result.npuSegments += segment.engine == LOOM_ENGINE_NPU;
    return segment.engine == LOOM_ENGINE_CPU
               ? runOnCpu(machine, section(LOOM_SEC_CPU_CODE), segment, slots,
                          header.sections[LOOM_SEC_LOCS].count)
               : runOnNpu(machine, target, segment, bound, result.completion);
  };
  loom_sequencer sequencer;
  loom_sequencer_begin(&sequencer, &view, 0);
  bool answer = false;
  while (const auto want = loom_sequencer_next(&sequencer, answer)) {
    if (want == LOOM_WANT_CONDITION) {
      const loom_prog_tensor &cond = tensors[sequencer.cond];
      answer = machine.memory[cond.slot][cond.offset];
      continue;
    }
    ++result.chains;
    for (uint32_t i = 0; i < sequencer.count && result.error.empty(); ++i)
      result.error = run(segments[sequencer.first + i]);
    if (!result.error.empty())
      break;
  }
  for (uint32_t i = 0; i < entry->n_tensors; ++i) {
    const loom_prog_tensor &t = tensors[entry->first_tensor + i];
    if (t.role != LOOM_ROLE_OUTPUT)
      continue;
    const uint8_t *begin = machine.memory[t.slot].data() + t.offset;
    result.outputs.emplace_back(begin, begin + t.bytes);
  }
  return result;
}
