// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Puts VPU records together.
#pragma once

#include "machine.h"
#include <cstring>
#include <vector>

namespace loom::test {

class vpu_record {
public:
  explicit vpu_record(std::vector<uint16_t> n) {
    r_.h.op = LOOM_OP_VPU;
    for (int d = 0; d < 6; ++d)
      r_.vpu.n[d] = d < int(n.size()) ? n[size_t(d)] : 1;
  }

  vpu_record &mask(uint32_t bits) {
    r_.vpu.mask = uint8_t(bits);
    return *this;
  }

  vpu_record &base(int view, int64_t value) {
    r_.base[view] = value;
    r_.h.regsel = uint16_t(r_.h.regsel | 1u << (4 * view));
    return *this;
  }

  uint32_t view(uint32_t base, uint32_t dtype,
                const std::vector<int32_t> &strides, uint32_t flags = 0) {
    loom_view v{};
    v.base = base;
    v.dtype = uint8_t(dtype);
    v.flags = uint8_t(flags);
    std::copy(strides.begin(), strides.end(), v.stride);
    views_.push_back(v);
    return uint32_t(views_.size() - 1);
  }

  uint32_t imm(uint32_t bits) {
    imms_.push_back(bits);
    return LOOM_UOP_IMM(uint32_t(imms_.size() - 1));
  }

  vpu_record &op(uint32_t op, uint32_t dst, uint32_t a, uint32_t b = 0,
                 uint32_t c = 0) {
    return word(LOOM_UOP(op, dst, a, b, c));
  }

  vpu_record &word(uint32_t u) {
    ops_.push_back(u);
    return *this;
  }

  loom_dispatched finish() {
    uint8_t *at = r_.bytes + sizeof(loom_vpu);
    const auto append = [&](const void *p, size_t n) {
      if (n)
        std::memcpy(at, p, n);
      at += n;
    };
    r_.vpu.nviews = uint8_t(views_.size());
    r_.vpu.nimms = uint8_t(imms_.size());
    r_.vpu.nops = uint8_t(ops_.size());
    append(views_.data(), views_.size() * sizeof(loom_view));
    append(imms_.data(), imms_.size() * 4);
    append(ops_.data(), ops_.size() * 4);
    r_.h.units =
        uint8_t((at - r_.bytes + LOOM_UNIT_BYTES - 1) / LOOM_UNIT_BYTES);
    return r_;
  }

private:
  loom_dispatched r_{};
  std::vector<loom_view> views_;
  std::vector<uint32_t> imms_, ops_;
};

} // namespace loom::test
