// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The container validator, CPU code and schedules with it, and everything that
// leans on a program it let pass: names, disassembly, a run.
#include <cstring>

#include "loom/loom.hpp"
#include "prog_check.h"
#include "program_builder.h"
#include "segment.h"

namespace {

loom_cpp::device &device() {
  static loom_cpp::device d("sim:npu8");
  return d;
}

// state = weights + weights, then its sum.
void cpu_segments(loom_test::program_builder &b) {
  using namespace loom::test;
  operation twice, sum;
  twice.in = {dense(0, LOOM_F32, {4, 4})};
  twice.out = {dense(1, LOOM_F32, {4, 4})};
  twice.ops = {load(0, 0), uop(LOOM_UOP_FADD, 1, 0, LOOM_CPU_IMM(0)),
               store(0, 1)};
  twice.imms = {0x3f800000};
  sum.structure = LOOM_CPU_REDUCE;
  sum.in = {dense(1, LOOM_F32, {4, 4})};
  sum.out = {dense(1, LOOM_F32, {1, 1})};
  sum.set(loom_cpu_reduce{3, LOOM_UOP_RADD_F, 1, 0});
  auto rows = twice.encode();
  const auto more = sum.encode();
  rows.insert(rows.end(), more.begin(), more.end());
  b.cpu_segment(rows, 100000);
}

// A small program as the first half of the input edits it; so that most inputs
// get past the header.
std::vector<uint8_t> edited(const uint8_t *data, size_t size) {
  loom_test::program_builder b;
  b.constants.assign(256, 1);
  b.slot("w", LOOM_SLOT_CONST, 128, LOOM_RIGHT_READ);
  b.slot("s", LOOM_SLOT_STATE, 64);
  b.tensor("w", 0, LOOM_F32, LOOM_ROLE_PARAM, 32, 128);
  b.loc(b.scope("Dense_0"), "m.py", 3, "add");
  b.add(loom_test::copy(LOOM_OP_LD_COPY, LOOM_ADDR(0, 0),
                        LOOM_ADDR(LOOM_SLOT_SRAM, 0), 64));
  b.add(loom_test::halt());
  b.segment(1000, 100000);
  cpu_segments(b);
  if (size > 1 && data[1] & 1) {
    b.repeat(2, 1);
    b.run(0, 2);
  }
  auto file = b.build(device().target());
  for (size_t i = 0; i + 3 <= size; i += 3) {
    const size_t at = data[i] | data[i + 1] << 8;
    if (at < file.size())
      file[at] = data[i + 2];
  }
  loom_prog_header h;
  std::memcpy(&h, file.data(), sizeof(h));
  if (h.meta_bytes <= file.size() &&
      h.const_bytes <= file.size() - h.meta_bytes)
    loom_test::program_builder::seal(file, h);
  return file;
}

void use(loom_program *p) {
  const loom_prog_view &v = *loom_program_get_view(p);
  char text[4096];
  for (uint32_t i = 0; i < v.n_locs + 2; i++) {
    loom_program_describe_loc(p, i, text, sizeof(text));
    loom_program_module_path(&v, i, text, i % 16);
  }
  for (uint32_t unit = 0; unit < v.n_units;) {
    const unsigned n =
        loom_disassemble(v.npu_code + size_t{unit} * LOOM_UNIT_BYTES,
                         v.n_units - unit, text, sizeof(text));
    if (!n)
      break;
    unit += n;
  }
  for (uint32_t i = 0; i < v.n_segments; i++)
    if (v.segments[i].insn_budget > 1000000 ||
        v.segments[i].cycle_budget > 100000000)
      return;
  for (uint32_t i = 0; i < v.n_steps; i++)
    if (v.steps[i].kind == LOOM_STEP_WHILE || v.steps[i].arg > 4)
      return;
  for (uint32_t i = 0; i < v.n_slots; i++)
    if (v.slots[i].kind == LOOM_SLOT_ARG || v.slots[i].bytes > 1 << 20)
      return;
  loom_instance *inst = nullptr;
  if (loom_instance_create(p, &inst, nullptr))
    return;
  loom_job_desc desc{};
  loom_event *event = nullptr;
  if (!loom_submit(inst, &desc, &event, nullptr)) {
    loom_result r;
    loom_event_wait(event, -1, &r);
  }
  loom_event_destroy(event);
  loom_instance_destroy(inst);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  loom_program *p = nullptr;
  loom_error e;
  if (size && data[0] & 1) {
    loom_program_load(device().get(), data + 1, size - 1, &p, &e);
  } else {
    const auto file = edited(data, size);
    if (!loom_program_load(device().get(), file.data(), file.size(), &p, &e))
      use(p);
  }
  loom_program_destroy(p);
  return 0;
}
