// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What the tests of the array and the vector unit run records on.
#pragma once

#include <cstdint>
#include <cstring>
#include <ostream>
#include <random>
#include <string>
#include <vector>

extern "C" {
#include "exec.h"
#include "kernels.h"
}

namespace loom::test {

struct isa {
  loom_host_isa id;
  const char *name;
};

inline void PrintTo(const isa &i, std::ostream *os) { *os << i.name; }

inline constexpr isa all_isas[] = {{LOOM_HOST_SCALAR, "scalar"},
                                   {LOOM_HOST_AVX2, "avx2"},
                                   {LOOM_HOST_AVX512, "avx512"}};

// SRAM, accumulators and scratch of one target, with everything outside exactly
// as large as promised, so that the address sanitizer sees an access past the
// slack.
class machine {
public:
  explicit machine(loom_host_isa isa = LOOM_HOST_AUTO,
                   uint32_t sram_bytes = 256 << 10,
                   uint32_t acc_bytes = 64 << 10)
      : sram_(sram_bytes + 64), acc_(acc_bytes / 4 + 16) {
    target.isa_major = LOOM_ISA_MAJOR;
    target.features = LOOM_FEATURES_IMPLEMENTED;
    target.rows = target.cols = 16;
    target.sram_bytes = sram_bytes;
    target.acc_bytes = acc_bytes;
    target.vpu_lanes = 16;
    target.int8_div = 1;
    target.bf16_div = 2;
    target.f32_div = 4;
    scratch_.assign(LOOM_EXEC_SCRATCH(&target) + 64, 0xa5);
    exec.target = &target;
    exec.sram = sram_.data();
    exec.acc = acc_.data();
    exec.scratch = reinterpret_cast<uint8_t *>(
        (reinterpret_cast<uintptr_t>(scratch_.data()) + 63) & ~uintptr_t(63));
    exec.kernels = loom_kernels_select(isa);
    exec.host = &host;
  }

  machine(const machine &) = delete;
  machine &operator=(const machine &) = delete;

  bool usable() const { return exec.kernels != nullptr; }
  uint8_t *sram() { return sram_.data(); }
  uint32_t *acc() { return acc_.data(); }

  template <typename T> T get(int64_t address) const {
    T value;
    std::memcpy(&value, sram_.data() + address, sizeof(value));
    return value;
  }

  template <typename T> void put(int64_t address, T value) {
    std::memcpy(sram_.data() + address, &value, sizeof(value));
  }

  int check(const loom_dispatched &r) {
    return r.h.op == LOOM_OP_MXU ? loom_mxu_check(&exec, &r, &demand, &why)
                                 : loom_vpu_check(&exec, &r, &demand, &why);
  }

  // Checks, then executes if the check lets it pass.
  int run(const loom_dispatched &r) {
    const int fault = check(r);
    if (fault == LOOM_FAULT_NONE)
      r.h.op == LOOM_OP_MXU ? loom_mxu_exec(&exec, &r)
                            : loom_vpu_exec(&exec, &r);
    return fault;
  }

  loom_target target{};
  loom_npu_host host{};
  loom_exec exec{};
  loom_demand demand{};
  loom_refusal why{};

private:
  std::vector<uint8_t> sram_;
  std::vector<uint32_t> acc_;
  std::vector<uint8_t> scratch_;
};

// f32 bits that are awkward more often than not.
inline uint32_t awkward_f32(std::mt19937 &rng) {
  static constexpr uint32_t special[] = {
      0,          0x80000000, 1,          0x80000001, 0x007fffff, 0x00800000,
      0x3f800000, 0xbf800000, 0x7f7fffff, 0xff7fffff, 0x7f800000, 0xff800000,
      0x7fc00000, 0xffc12345, 0x7f812345, 0x3f000000, 0x4b000000, 0x4b800001,
      0x4f000000, 0xcf000000, 0x4f800000, 0x33800000, 0x477fe000, 0x477ff000,
      0x38800000, 0x387fffff, 0x33000001};
  switch (rng() % 4) {
  case 0:
    return special[rng() % std::size(special)];
  case 1:
    return rng();
  case 2:
    return (rng() & 0x807fffff) | (120 + rng() % 16) << 23;
  default: {
    const float f = float(int(rng() % 2001) - 1000) / 8;
    uint32_t bits;
    std::memcpy(&bits, &f, sizeof(bits));
    return bits;
  }
  }
}

inline float to_float(uint32_t bits) {
  float f;
  std::memcpy(&f, &bits, sizeof(f));
  return f;
}

inline uint32_t to_bits(float f) {
  uint32_t bits;
  std::memcpy(&bits, &f, sizeof(bits));
  return bits;
}

// Every stored NaN has these bits.
inline uint32_t canonical(float f) { return f != f ? 0x7fc00000u : to_bits(f); }

} // namespace loom::test
