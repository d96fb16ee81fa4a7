// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Random records of the array.
#include <bit>
#include <cmath>
#include <limits>

#include "emitter.h"

namespace loom_random {

using namespace loom_test;

namespace {

constexpr unsigned type_bytes[] = {4, 2, 1};

zone float_zone(rng &r, bool half) {
  const bool odd = r.chance(30);
  return half ? (odd ? Z_BF16_ODD : Z_BF16) : (odd ? Z_F32_ODD : Z_F32);
}

// Enough rows and products that the model cuts the record into blocks and
// shares them among threads; B is a band that repeats itself, to be small.
void choose_large(rng &r, loom_mxu &m) {
  m.outer[0] = m.outer[1] = m.sy = m.sx = m.dy = m.dx = 1;
  m.kh = m.kw = 6;
  m.kc = static_cast<uint16_t>(r.between(8, 9));
  m.oh = 8;
  m.ow = 16;
  m.n = 32;
  m.ih = static_cast<uint16_t>(r.between(9, 12));
  m.iw = static_cast<uint16_t>(r.between(16, 18));
  m.py = static_cast<int16_t>(r.between(-1, 3));
  m.px = static_cast<int16_t>(r.between(-1, 3));
}

void choose_shape(rng &r, loom_mxu &m) {
  const bool conv = r.chance(55), big = r.chance(6);
  m.outer[0] = static_cast<uint16_t>(r.chance(78) ? 1 : r.between(2, 3));
  m.outer[1] = static_cast<uint16_t>(r.chance(80) ? 1 : 2);
  m.kh = m.kw = m.sy = m.sx = m.dy = m.dx = m.ih = m.oh = 1;
  m.n = static_cast<uint16_t>(big ? r.between(40, 70) : r.between(1, 20));
  if (!conv) {
    m.kc = static_cast<uint16_t>(big ? r.between(40, 70) : r.between(1, 24));
    m.iw = m.ow =
        static_cast<uint16_t>(big ? r.between(16, 40) : r.between(1, 14));
    return;
  }
  m.kh = static_cast<uint16_t>(r.between(1, 3));
  m.kw = static_cast<uint16_t>(r.between(1, 4));
  m.kc = static_cast<uint16_t>(big ? r.between(8, 20) : r.between(1, 5));
  m.ih = static_cast<uint16_t>(r.between(1, 7));
  m.iw = static_cast<uint16_t>(r.between(1, 8));
  m.sy = static_cast<uint8_t>(r.between(1, 2));
  m.sx = static_cast<uint8_t>(r.between(1, 3));
  m.dy = static_cast<uint8_t>(r.chance(70) ? 1 : 2);
  m.dx = static_cast<uint8_t>(r.chance(78) ? 1 : r.between(2, 3));
  m.py = static_cast<int16_t>(r.between(-1, 2));
  m.px = static_cast<int16_t>(r.between(-1, 3));
  m.oh = static_cast<uint16_t>(r.between(1, 5));
  m.ow = static_cast<uint16_t>(r.between(1, 6));
}

operand operand_a(emitter &e, loom_mxu &m, unsigned size) {
  operand o;
  o.hi = o.align = size;
  o.base = e.any_base();
  const int64_t channels = m.mode == LOOM_MXU_DW ? m.n : m.kc;
  auto s =
      unique_strides(e.r, {m.outer[0], m.outer[1], m.ih, m.iw, channels}, size);
  if (e.r.chance(20)) // broadcast over the batch
    s[0] = s[1] = 0;
  m.a_so[0] = s[0];
  m.a_so[1] = s[1];
  m.a_sh = s[2];
  m.a_sw = s[3];
  m.a_sc = s[4];
  const int64_t counts[] = {m.outer[0], m.outer[1], m.ih, m.iw, channels};
  for (int d = 0; d < 5; d++)
    o.dim(s[static_cast<size_t>(d)], counts[d]);
  return o;
}

operand operand_b(emitter &e, loom_mxu &m, unsigned size, bool large) {
  operand o;
  o.hi = o.align = size;
  o.base = e.any_base();
  const int64_t k = static_cast<int64_t>(m.kh) * m.kw * m.kc;
  auto s = unique_strides(e.r, {m.outer[0], m.outer[1], k, m.n}, size);
  if (e.r.chance(30))
    s[0] = s[1] = 0;
  if (large)
    s[2] = s[3] = static_cast<int32_t>(size);
  m.b_so[0] = s[0];
  m.b_so[1] = s[1];
  m.b_sk = s[2];
  m.b_sn = s[3];
  const int64_t counts[] = {m.outer[0], m.outer[1], k, m.n};
  for (int d = 0; d < 4; d++)
    o.dim(s[static_cast<size_t>(d)], counts[d]);
  return o;
}

operand operand_out(emitter &e, loom_mxu &m) {
  const unsigned size = m.out_type == LOOM_F32 || m.out_type == LOOM_I32 ? 4
                        : m.out_type == LOOM_I8                          ? 1
                                                                         : 2;
  operand o;
  o.hi = o.align = size;
  o.base = e.any_base();
  const auto s =
      unique_strides(e.r, {m.outer[0], m.outer[1], m.oh, m.ow, m.n}, size);
  m.o_so[0] = s[0];
  m.o_so[1] = s[1];
  m.o_sy = s[2];
  m.o_sx = s[3];
  m.o_sn = s[4];
  const int64_t counts[] = {m.outer[0], m.outer[1], m.oh, m.ow, m.n};
  for (int d = 0; d < 5; d++)
    o.dim(s[static_cast<size_t>(d)], counts[d]);
  return o;
}

// An array of n values beside the operands, with fresh data.
bool side_array(emitter &e, std::vector<span> &taken,
                std::vector<std::pair<operand, zone>> &fresh, unsigned align,
                int64_t bytes, zone z, uint32_t &field) {
  operand o;
  o.align = align;
  o.hi = bytes;
  if (!e.place(o, taken))
    return false;
  field = static_cast<uint32_t>(o.field);
  fresh.emplace_back(o, z);
  return true;
}

void clamp_float(rng &r, loom_epi &p) {
  float lo = static_cast<float>(r.between(-6, 0)),
        hi = static_cast<float>(r.between(0, 6));
  if (r.chance(30))
    lo = 0;
  if (r.chance(20))
    hi = std::numeric_limits<float>::infinity();
  p.lo = std::bit_cast<uint32_t>(lo);
  p.hi = std::bit_cast<uint32_t>(hi);
}

bool float_epilogue(emitter &e, loom_mxu &m, loom_epi &p,
                    std::vector<span> &taken,
                    std::vector<std::pair<operand, zone>> &fresh) {
  auto &r = e.r;
  if (r.chance(60)) {
    p.rq = LOOM_RQ_F32;
    if (r.chance(50))
      p.scale_imm = std::bit_cast<uint32_t>(
          r.chance(10) ? odd_float(r)
                       : static_cast<float>(r.between(-30, 30)) / 8);
    else if (!side_array(e, taken, fresh, 4, 4 * m.n, float_zone(r, false),
                         p.scale))
      return false;
  }
  if (r.chance(50)) {
    p.act = LOOM_ACT_CLAMP;
    clamp_float(r, p);
  }
  return true;
}

bool int_epilogue(emitter &e, loom_mxu &m, loom_epi &p,
                  std::vector<span> &taken,
                  std::vector<std::pair<operand, zone>> &fresh) {
  auto &r = e.r;
  p.rq = m.out_type == LOOM_I8
             ? r.pick<uint8_t>({LOOM_RQ_DOUBLE, LOOM_RQ_SINGLE, LOOM_RQ_F32})
             : r.pick<uint8_t>({LOOM_RQ_NONE, LOOM_RQ_NONE, LOOM_RQ_DOUBLE,
                                LOOM_RQ_SINGLE, LOOM_RQ_F32});
  if (p.rq != LOOM_RQ_NONE && r.chance(50)) {
    const bool f = p.rq == LOOM_RQ_F32;
    if (!side_array(e, taken, fresh, 4, (f ? 4 : 8) * m.n,
                    f ? float_zone(r, false) : Z_RQ_PAIRS, p.scale))
      return false;
  } else if (p.rq == LOOM_RQ_F32) {
    p.scale_imm = std::bit_cast<uint32_t>(
        static_cast<float>(r.between(-1000, 1000)) / 32768);
  } else if (p.rq != LOOM_RQ_NONE) {
    p.scale_imm = static_cast<uint32_t>(r.between(1 << 30, INT32_MAX));
    p.shift_imm = static_cast<int8_t>(r.between(-18, 1));
  }
  p.zp = static_cast<int16_t>(m.out_type == LOOM_I8 ? r.between(-128, 127) : 0);
  if (r.chance(60)) {
    p.act = LOOM_ACT_CLAMP;
    p.lo = static_cast<uint32_t>(r.between(-128, 0));
    p.hi = static_cast<uint32_t>(r.between(1, 127));
  }
  return true;
}

bool residual(emitter &e, loom_mxu &m, loom_epi &p, operand &o,
              std::vector<span> &taken) {
  auto &r = e.r;
  const bool integer = m.type == LOOM_MXU_INT8;
  p.res_type = integer ? static_cast<uint8_t>(LOOM_I8)
                       : r.pick<uint8_t>({LOOM_F32, LOOM_BF16, LOOM_F16});
  const unsigned size = integer ? 1 : p.res_type == LOOM_F32 ? 4 : 2;
  o.hi = o.align = size;
  o.base = e.any_base();
  auto s = unique_strides(r, {m.oh, m.ow, m.n}, size);
  if (r.chance(15))
    s[0] = s[1] = 0;
  p.r_sy = s[0];
  p.r_sx = s[1];
  p.r_sn = s[2];
  const int64_t counts[] = {m.oh, m.ow, m.n};
  for (int d = 0; d < 3; d++)
    o.dim(s[static_cast<size_t>(d)], counts[d]);
  if (!e.place(o, taken))
    return false;
  p.residual = static_cast<uint32_t>(o.field);
  if (integer) {
    p.res_zp = static_cast<int16_t>(r.between(-128, 127));
    p.left = static_cast<uint8_t>(r.chance(70) ? 20 : r.between(0, 20));
    for (auto *mul : {&p.m1, &p.m2, &p.mo})
      *mul = static_cast<int32_t>(r.between(1 << 30, INT32_MAX));
    p.s1 = static_cast<int8_t>(r.between(-4, 0));
    p.s2 = static_cast<int8_t>(r.between(-4, 0));
    p.so = static_cast<int8_t>(r.between(-20, -12));
  }
  return true;
}

loom_epi empty_epilogue() {
  loom_epi p{};
  p.bias = p.scale = p.residual = p.lut = LOOM_EPI_NONE;
  return p;
}

} // namespace

void emit_mxu(emitter &e) {
  auto &r = e.r;
  loom_mxu m{};
  loom_epi p = empty_epilogue();
  std::vector<span> taken;
  std::vector<std::pair<operand, zone>> fresh;
  operand out, res;
  bool have_res = false;

  const bool large = r.chance(8);
  if (large)
    choose_large(r, m);
  else
    choose_shape(r, m);
  if (!large && r.chance(22)) {
    m.mode = LOOM_MXU_DW;
    m.kc = 1;
    if (r.chance(15)) { // more channels than the model takes at once
      m.n = static_cast<uint16_t>(r.between(257, 300));
      m.outer[0] = m.outer[1] = 1;
      m.kh = m.oh = m.ih = 1;
      m.kw = static_cast<uint16_t>(r.between(1, 2));
      m.iw = m.ow = static_cast<uint16_t>(r.between(1, 3));
    }
  }
  m.type = r.pick<uint8_t>(
      {LOOM_MXU_F32, LOOM_MXU_BF16, LOOM_MXU_INT8, LOOM_MXU_INT8});
  m.acc = r.pick<uint8_t>(
      {LOOM_ACC_ZERO, LOOM_ACC_ZERO, LOOM_ACC_KEEP, LOOM_ACC_BIAS});
  const bool integer = m.type == LOOM_MXU_INT8, drain = r.chance(80),
             epi = m.acc == LOOM_ACC_BIAS || (drain && r.chance(65));
  m.flags = static_cast<uint8_t>((drain ? LOOM_MXU_DRAIN : 0) |
                                 (epi ? LOOM_MXU_EPI : 0) |
                                 (r.chance(15) ? LOOM_MXU_TRANSPOSE : 0));
  const uint32_t pixels =
      static_cast<uint32_t>(m.outer[0]) * m.outer[1] * m.oh * m.ow;
  m.acc_pitch =
      static_cast<uint16_t>(m.n + (r.chance(40) && !large ? r.below(5) : 0));
  const uint32_t acc_used = (pixels - 1) * m.acc_pitch + m.n;
  if (acc_used > e.accumulators)
    return;
  m.acc_base = static_cast<uint16_t>(
      r.chance(50) ? 0 : r.below((e.accumulators - acc_used) / 16 + 1));
  if (m.py || m.px || m.kh > 1 || m.kw > 1)
    m.pad_value =
        m.type == LOOM_MXU_F32
            ? std::bit_cast<uint32_t>(r.chance(70) ? 0.0f : odd_float(r))
        : m.type == LOOM_MXU_BF16 ? (r.chance(70) ? 0 : r.below(65536))
                                  : r.below(256);

  const unsigned size = type_bytes[m.type];
  operand a = operand_a(e, m, size), b = operand_b(e, m, size, large);
  if (!e.place(a, taken) || !e.place(b, taken))
    return;
  m.a_base = static_cast<uint32_t>(a.field);
  m.b_base = static_cast<uint32_t>(b.field);
  if (r.chance(75))
    fresh.emplace_back(a,
                       integer ? Z_I8 : float_zone(r, m.type == LOOM_MXU_BF16));
  if (r.chance(75))
    fresh.emplace_back(b,
                       integer ? Z_I8 : float_zone(r, m.type == LOOM_MXU_BF16));
  if (drain) {
    m.out_type =
        integer ? (epi && r.chance(65) ? static_cast<uint8_t>(LOOM_I8)
                                       : static_cast<uint8_t>(LOOM_I32))
                : r.pick<uint8_t>({LOOM_F32, LOOM_F32, LOOM_BF16, LOOM_F16});
    if (large && m.out_type == LOOM_F32 && r.chance(60))
      m.out_type = LOOM_BF16;
    out = operand_out(e, m);
    if (!e.place(out, taken))
      return;
    m.out_base = static_cast<uint32_t>(out.field);
  }
  if (epi && (m.acc == LOOM_ACC_BIAS || r.chance(50)) &&
      !side_array(e, taken, fresh, 4, 4 * m.n,
                  integer ? Z_I32 : float_zone(r, false), p.bias))
    return;
  if (epi && drain) {
    if (integer ? !int_epilogue(e, m, p, taken, fresh)
                : !float_epilogue(e, m, p, taken, fresh))
      return;
    if (m.outer[0] == 1 && m.outer[1] == 1 && r.chance(75) &&
        (!integer || m.out_type == LOOM_I8)) {
      have_res = true;
      if (!residual(e, m, p, res, taken))
        return;
      if (r.chance(80))
        fresh.emplace_back(res, integer                   ? Z_I8
                                : p.res_type == LOOM_F32  ? float_zone(r, false)
                                : p.res_type == LOOM_BF16 ? float_zone(r, true)
                                                          : Z_F16);
    }
    if (integer && m.out_type == LOOM_I8 && r.chance(35)) {
      p.act = LOOM_ACT_LUT256;
      p.lo = p.hi = 0;
      if (!side_array(e, taken, fresh, 1, 256, Z_I8, p.lut))
        return;
    }
  }

  std::vector<span> touches = {a.touches(false), b.touches(false)};
  if (drain)
    touches.push_back(out.touches(true));
  if (have_res)
    touches.push_back(res.touches(false));
  for (const auto &[o, z] : fresh) {
    e.refresh(o, z);
    touches.push_back(o.touches(false));
  }
  const unsigned bytes = sizeof(m) + (epi ? sizeof(p) : 0);
  m.h = header(LOOM_OP_MXU, bytes);
  m.h.loc = e.any_loc();
  m.h.regsel = LOOM_REGSEL(a.base.reg, b.base.reg, out.base.reg, res.base.reg);
  std::vector<uint8_t> record(bytes);
  std::memcpy(record.data(), &m, sizeof(m));
  if (epi)
    std::memcpy(record.data() + sizeof(m), &p, sizeof(p));
  e.order.add(record, LOOM_Q_MXU, touches);
}

} // namespace loom_random
