// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Builds records for the tests of the model.
#pragma once

#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <vector>

extern "C" {
#include "loom_isa.h"
}

namespace loom::test {

struct semref {
  uint8_t sem = 0, n = 0;
};

inline uint64_t sram(uint64_t offset) {
  return LOOM_ADDR(LOOM_SLOT_SRAM, offset);
}

// A program under construction. The records are edited through the references
// that the calls return, which are good until the next call.
class program {
public:
  std::vector<uint8_t> bytes;

  uint32_t pc() const {
    return static_cast<uint32_t>(bytes.size() / LOOM_UNIT_BYTES);
  }

  loom_seq &seq(uint8_t op, uint8_t rd = 0, uint8_t ra = 0, uint8_t rb = 0,
                int64_t imm = 0, uint8_t cond = 0, uint32_t target = 0) {
    auto &r = add<loom_seq>(op, 1);
    r.rd = rd;
    r.ra = ra;
    r.rb = rb;
    r.imm = imm;
    r.cond = cond;
    r.target = target;
    return r;
  }
  loom_seq &halt() { return seq(LOOM_OP_HALT); }
  loom_seq &ldi(uint8_t rd, int64_t imm) {
    return seq(LOOM_OP_LDI, rd, 0, 0, imm);
  }
  loom_seq &loop(int64_t count, uint32_t end, uint8_t rd = 0) {
    return seq(LOOM_OP_LOOP, rd, 0, 0, count, 0, end);
  }
  // Stores a register as i32, where tests look at it.
  loom_seq &store(uint8_t rb, int64_t address) {
    return seq(LOOM_OP_ST, 0, 0, rb, address, LOOM_SCALAR_I32);
  }

  loom_dma &copy(uint64_t src, uint64_t dst, uint32_t bytes,
                 uint8_t op = LOOM_OP_LD_COPY) {
    auto &r = add<loom_dma>(op, 3);
    r.src = src;
    r.dst = dst;
    r.inner_bytes = bytes;
    for (auto &n : r.n)
      n = 1;
    return r;
  }
  loom_dma &store_copy(uint64_t src, uint64_t dst, uint32_t bytes) {
    return copy(src, dst, bytes, LOOM_OP_ST_COPY);
  }
  loom_dma &fill(uint64_t dst, uint32_t bytes, uint32_t pattern, uint8_t elem,
                 uint8_t op = LOOM_OP_LD_FILL) {
    auto &r = copy(0, dst, bytes, op);
    r.elem = elem;
    r.idx_or_fill = pattern;
    return r;
  }

  // A matrix product M x K by K x N of f32 in SRAM, drained.
  loom_mxu &gemm(uint16_t m, uint16_t k, uint16_t n, uint32_t a, uint32_t b,
                 uint32_t out) {
    auto &r = add<loom_mxu>(LOOM_OP_MXU, 4);
    r.flags = LOOM_MXU_DRAIN;
    r.a_base = a;
    r.ih = r.kh = r.kw = r.oh = r.outer[0] = r.outer[1] = 1;
    r.iw = r.ow = m;
    r.a_sw = k * 4;
    r.a_sc = 4;
    r.kc = k;
    r.n = n;
    r.sy = r.sx = r.dy = r.dx = 1;
    r.b_base = b;
    r.b_sk = n * 4;
    r.b_sn = 4;
    r.acc_pitch = n;
    r.out_base = out;
    r.o_sx = n * 4;
    r.o_sn = 4;
    r.out_type = LOOM_F32;
    return r;
  }

  // out[i] = -in[i] for count f32.
  loom_vpu &negate(uint32_t in, uint32_t out, uint16_t count) {
    auto &r = add<loom_vpu>(LOOM_OP_VPU, 4);
    for (auto &n : r.n)
      n = 1;
    r.n[5] = count;
    r.nviews = 2;
    r.nops = 3;
    auto *v = reinterpret_cast<loom_view *>(&r + 1);
    v[0].base = in;
    v[1].base = out;
    v[0].stride[5] = v[1].stride[5] = 4;
    v[1].flags = LOOM_VIEW_OUT;
    const uint32_t ops[] = {LOOM_UOP(LOOM_UOP_LOAD, 0, 0, 0, 0),
                            LOOM_UOP(LOOM_UOP_FNEG, 0, 0, 0, 0),
                            LOOM_UOP(LOOM_UOP_STORE, 1, 0, 0, 0)};
    std::memcpy(v + 2, ops, sizeof(ops));
    return r;
  }

private:
  template <typename T> T &add(uint8_t op, uint8_t units) {
    const size_t at = bytes.size();
    bytes.resize(at + units * LOOM_UNIT_BYTES);
    auto &r = *reinterpret_cast<T *>(bytes.data() + at);
    r.h.op = op;
    r.h.units = units;
    r.h.loc = static_cast<uint32_t>(1000 + at / LOOM_UNIT_BYTES);
    return r;
  }
};

template <typename T> T &waits(T &r, semref a, semref b = {}) {
  r.h.wait[0] = {a.sem, a.n};
  r.h.wait[1] = {b.sem, b.n};
  return r;
}

template <typename T> T &signals(T &r, semref a, semref b = {}) {
  r.h.signal[0] = {a.sem, a.n};
  r.h.signal[1] = {b.sem, b.n};
  return r;
}

} // namespace loom::test
