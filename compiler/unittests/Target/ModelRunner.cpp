// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "ModelRunner.h"

extern "C" {
#include "loom_npu.h"
}

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
} // namespace

RunResult
loom_test::runProgram(const std::vector<uint8_t> &file,
                      const std::vector<std::vector<uint8_t>> &inputs) {
  RunResult result;
  memset(&result.completion, 0, sizeof(result.completion));
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
  loom_npu_host host;
  memset(&host, 0, sizeof(host));
  host.read = readSlot;
  host.write = writeSlot;
  host.direct = directSlot;
  loom_npu *npu = loom_npu_create(&target, &host, &machine);
  if (!npu || !loom_npu_set_hazards(npu, true)) {
    loom_npu_destroy(npu);
    result.error = "the model refuses the target";
    return result;
  }
  const auto *segment =
      reinterpret_cast<const loom_prog_segment *>(section(LOOM_SEC_SEGMENTS));
  loom_npu_job job;
  memset(&job, 0, sizeof(job));
  job.seqno = 1;
  job.first_unit = segment->first;
  job.n_units = segment->count;
  job.insn_budget = segment->insn_budget;
  job.cycle_budget = segment->cycle_budget;
  job.n_slots = count;
  job.slots = bound.data();
  const int fault = loom_npu_start(npu, &job);
  if (fault) {
    result.error = "the job does not start: fault " + std::to_string(fault);
  } else {
    while (loom_npu_run(npu, 0) == LOOM_NPU_RUNNING)
      ;
    loom_npu_finish(npu, &result.completion);
    if (result.completion.fault)
      result.error = "fault " + std::to_string(result.completion.fault) +
                     " at unit " + std::to_string(result.completion.unit) +
                     " slot " + std::to_string(result.completion.slot) +
                     " offset " + std::to_string(result.completion.offset) +
                     " limit " + std::to_string(result.completion.limit) +
                     " aux " + std::to_string(result.completion.aux);
  }
  loom_npu_destroy(npu);
  for (uint32_t i = 0; i < entry->n_tensors; ++i) {
    const loom_prog_tensor &t = tensors[entry->first_tensor + i];
    if (t.role != LOOM_ROLE_OUTPUT)
      continue;
    const uint8_t *begin = machine.memory[t.slot].data() + t.offset;
    result.outputs.emplace_back(begin, begin + t.bytes);
  }
  return result;
}
