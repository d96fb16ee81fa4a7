// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What the parts of the generator share: where operands lie, and data of the
// right kind for them.
#pragma once

#include <algorithm>
#include <numeric>
#include <optional>

#include "generator.h"
#include "rng.h"
#include "tracker.h"

namespace loom_random {

constexpr int64_t window =
    24 << 10; // bytes of SRAM that programs use; dumped after every segment
constexpr int64_t zone_bytes = 4096;

// Slot "in" is made of zones, each of one kind of data.
enum zone {
  Z_F32,
  Z_F32_ODD,
  Z_BF16,
  Z_BF16_ODD,
  Z_F16,
  Z_I8,
  Z_I32,
  Z_RQ_PAIRS,
  Z_RAW,
  Z_INDEX,
  Z_COUNT
};

struct base_register {
  unsigned reg = 0;
  int64_t lo = 0, hi = 0; // of its value
};

// The bytes that an operand covers around its address.
struct operand {
  int64_t lo = 0, hi = 0;
  unsigned align = 1;
  base_register base;
  int64_t field = 0; // the address in the record
  span touches(bool write) const {
    return {LOOM_SLOT_SRAM, field + lo + base.lo, field + hi + base.hi, write};
  }
  void dim(int64_t stride, int64_t count) {
    lo += std::min<int64_t>(0, stride * (count - 1));
    hi += std::max<int64_t>(0, stride * (count - 1));
  }
};

class emitter {
public:
  emitter(loom_test::program_builder &b, rng &r, const loom_target &target)
      : b(b), r(r), order(b, r), accumulators(target.acc_bytes / 4) {}

  base_register any_base() {
    if (bases.empty() || r.chance(65))
      return {};
    return bases[r.below(bases.size())];
  }
  // Places the operand so that it is inside the window and apart from what is
  // taken; then takes it.
  bool place(operand &o, std::vector<span> &taken) {
    const int64_t least = std::max<int64_t>(0, -(o.lo + o.base.lo)),
                  most = window - (o.hi + o.base.hi);
    for (int tries = 0; tries < 30 && most >= least; tries++) {
      o.field = r.between(least, most) / o.align * o.align;
      if (o.field < least)
        continue;
      const span s = o.touches(true);
      if (std::none_of(taken.begin(), taken.end(),
                       [&](const span &t) { return overlap(s, t); })) {
        taken.push_back(s);
        return true;
      }
    }
    return false;
  }
  // Fresh data of a kind for an operand.
  void refresh(const operand &o, zone z) {
    const span s = o.touches(true);
    const int64_t bytes = std::min<int64_t>(s.hi - s.lo, zone_bytes);
    const int64_t from =
        z * zone_bytes + r.between(0, zone_bytes - bytes) / 8 * 8;
    const bool st = r.chance(25);
    auto d = loom_test::copy(
        st ? LOOM_OP_ST_COPY : LOOM_OP_LD_COPY, LOOM_ADDR(S_IN, from),
        LOOM_ADDR(LOOM_SLOT_SRAM, s.lo), static_cast<uint32_t>(bytes));
    d.h.loc = any_loc();
    order.add(d, st ? LOOM_Q_ST : LOOM_Q_LD,
              {{S_IN, from, from + bytes, false},
               {LOOM_SLOT_SRAM, s.lo, s.lo + bytes, true}});
  }
  uint32_t any_loc() { return r.below(4); }

  loom_test::program_builder &b;
  rng &r;
  tracker order;
  const uint32_t accumulators;      // elements
  std::vector<base_register> bases; // with known values, multiples of 64
};

// Random strides that give every index its own element: a permuted dense layout
// with gaps. counts[d] is 1 or more.
inline std::vector<int32_t>
unique_strides(rng &r, const std::vector<int64_t> &counts, int64_t elem) {
  std::vector<size_t> at(counts.size());
  std::iota(at.begin(), at.end(), 0);
  if (r.chance(50))
    for (size_t i = 0; i < at.size(); i++)
      std::swap(at[i], at[i + r.below(at.size() - i)]);
  std::vector<int32_t> strides(counts.size());
  int64_t step = elem;
  for (size_t i = at.size(); i--;) {
    strides[at[i]] = static_cast<int32_t>(r.chance(8) ? -step : step);
    step = step * counts[at[i]] + (r.chance(15) ? elem * r.below(4) : 0);
  }
  return strides;
}

float odd_float(rng &r);
void emit_dma(emitter &e);
void emit_mxu(emitter &e);
void emit_vpu(emitter &e);

} // namespace loom_random
