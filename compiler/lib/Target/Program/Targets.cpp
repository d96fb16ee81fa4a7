// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "loom/Target/Program/Targets.h"

#include <cstring>

using namespace mlir::loom;

namespace {
struct Named {
  const char *name;
  uint16_t rows, cols;
  uint32_t sramKib, accKib, bytesPerCycle, latency, outstanding, lanes;
};
#define LOOM_NAMED(name, rows, cols, sram, acc, bytes, latency, out, lanes)    \
  {#name, rows, cols, sram, acc, bytes, latency, out, lanes},
constexpr Named kTargets[] = {LOOM_TARGETS(LOOM_NAMED)};
#undef LOOM_NAMED
} // namespace

bool program::namedTarget(const std::string &name, loom_target &t) {
  for (const Named &n : kTargets) {
    if (name != n.name)
      continue;
    memset(&t, 0, sizeof(t));
    t.isa_major = LOOM_ISA_MAJOR;
    t.isa_minor = LOOM_ISA_MINOR;
    t.features = LOOM_FEATURES_IMPLEMENTED;
    t.rows = n.rows;
    t.cols = n.cols;
    t.sram_bytes = n.sramKib << 10;
    t.acc_bytes = n.accKib << 10;
    t.sram_partitions = 4;
    t.sram_banks = 4;
    t.vpu_lanes = n.lanes;
    t.mem_classes = 2;
    t.clock_khz = 1000000;
    t.int8_div = 1;
    t.bf16_div = 2;
    t.f32_div = 4;
    t.mem[0] = {n.bytesPerCycle, n.latency, n.outstanding, 0};
    t.mem[1] = {n.bytesPerCycle / 8 ? n.bytesPerCycle / 8 : 1, n.latency * 4,
                n.outstanding, 0};
    return true;
  }
  return false;
}

std::string program::targetNames() {
  std::string names;
  for (const Named &n : kTargets)
    names += std::string(names.empty() ? "" : ", ") + n.name;
  return names;
}

std::string program::nameOfTarget(const loom_target &target) {
  for (const Named &n : kTargets)
    if (loom_target named;
        namedTarget(n.name, named) && !memcmp(&named, &target, sizeof(named)))
      return n.name;
  return "custom";
}

/// The same limits as the device's own check, in the same words where a person
/// can meet them: a program for a target that no device can be would be of no
/// use.
std::string program::checkTarget(const loom_target &t) {
  auto within = [](uint32_t v, uint32_t lo, uint32_t hi) {
    return v >= lo && v <= hi;
  };
  auto power = [&](uint32_t v, uint32_t lo, uint32_t hi) {
    return within(v, lo, hi) && !(v & (v - 1));
  };
  if (t.isa_major != LOOM_ISA_MAJOR)
    return "isa_major must be " + std::to_string(LOOM_ISA_MAJOR);
  if (t.features & ~LOOM_FEATURES_IMPLEMENTED)
    return "features has a bit that this release does not implement; use " +
           std::to_string(LOOM_FEATURES_IMPLEMENTED) + " or part of it";
  if (!within(t.rows, 4, 256) || !within(t.cols, 4, 256))
    return "rows and cols must be 4 to 256";
  if (t.sram_bytes % 4096 || !within(t.sram_bytes, 16 << 10, 64 << 20))
    return "sram_bytes must be a multiple of 4096 from 16 KiB to 64 MiB";
  if (t.acc_bytes % 64 || !within(t.acc_bytes, 1 << 10, 4 << 20))
    return "acc_bytes must be a multiple of 64 from 1 KiB to 4 MiB";
  if (!power(t.sram_partitions, 1, 64) || !power(t.sram_banks, 1, 64))
    return "sram_partitions and sram_banks must be powers of two from 1 to 64";
  if (!within(t.vpu_lanes, 4, 1024))
    return "lanes must be 4 to 1024";
  if (!within(t.mem_classes, 1, LOOM_MAX_MEM_CLASSES))
    return "mem_classes must be 1 or 2";
  for (unsigned i = 0; i < t.mem_classes; ++i) {
    if (!within(t.mem[i].bytes_per_cycle, 1, 4096))
      return "bytes_per_cycle must be 1 to 4096";
    if (t.mem[i].latency > 4096)
      return "latency must be 0 to 4096 cycles";
    if (!within(t.mem[i].outstanding, 1, 65536))
      return "outstanding must be 1 to 65536 bursts";
  }
  if (!within(t.int8_div, 1, 64) || !within(t.bf16_div, 1, 64) ||
      !within(t.f32_div, 1, 64))
    return "int8_div, bf16_div and f32_div must be 1 to 64";
  if (!t.clock_khz)
    return "clock_khz must not be 0";
  return "";
}
