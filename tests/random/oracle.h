// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A second, scalar reading of the instruction set. It shares the record layouts
// with the model and nothing else: neither its code nor loom_num.h. Records
// take effect one after the other in program order, which is a legal schedule
// of every program that the generator makes.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "loom_program.h"
#include "loom_target.h"

namespace loom_random {

// How often what was used; names like "op LD_COPY", "uop FADD", "load f16".
using coverage = std::map<std::string, uint64_t>;

struct bad_program : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// The contract leaves a result open, so that no comparison is fair: two
// arguments of an elementary function whose exact value is too near to where
// the result changes.
struct undecided : std::runtime_error {
  using std::runtime_error::runtime_error;
};

class oracle {
public:
  oracle(const loom_target &target, std::vector<std::vector<uint8_t>> slots,
         coverage *seen)
      : slots(std::move(slots)), target(target), seen(seen) {}
  // Runs one segment of code from a cold machine.
  void run(const std::vector<uint8_t> &code, uint32_t first, uint32_t count);

  std::vector<std::vector<uint8_t>> slots;
  // Units whose records touched this byte of SRAM, for whoever looks for the
  // cause of a difference.
  int64_t watched = -1;
  std::vector<uint32_t> touched;

private:
  struct loop {
    uint32_t start, end;
    int64_t left, index;
    unsigned rd;
  };

  void count(const std::string &what);
  uint8_t *memory(uint32_t slot, int64_t offset, uint64_t bytes);
  uint8_t *at(int64_t address, uint64_t bytes) {
    return memory(LOOM_SLOT_SRAM, address, bytes);
  }
  uint64_t get(int64_t address, unsigned bytes);
  void put(int64_t address, uint64_t value, unsigned bytes);
  float get_float(int64_t address, unsigned dtype);
  void put_float(int64_t address, unsigned dtype, float value);

  void scalar(const loom_seq &s);
  void go_on(uint32_t to, bool branch);
  void dma(const loom_dma &d);
  void mxu(const loom_mxu &m, const loom_epi *e);
  void drain(const loom_mxu &m, const loom_epi *e, const int64_t *index,
             uint32_t acc);
  float drain_float(const loom_epi &e, bool bias, unsigned n, int64_t residual,
                    float x);
  int32_t drain_int(const loom_mxu &m, const loom_epi &e, bool bias, unsigned n,
                    int64_t residual, int32_t x);
  void vpu(const uint8_t *record);
  int64_t base(const loom_hdr &h, unsigned nibble) const {
    return r[h.regsel >> 4 * nibble & 15];
  }
  void cover_mxu(const loom_mxu &m, const loom_epi *e);

  const loom_target target;
  coverage *seen;
  bool counting = false; // this record runs for the first time
  std::set<uint32_t> executed;
  std::vector<uint8_t> sram;
  std::vector<uint32_t> accumulators;
  int64_t r[LOOM_NUM_REGS] = {};
  uint32_t pc = 0;
  bool halted = false;
  std::vector<loop> loops;
};

} // namespace loom_random
