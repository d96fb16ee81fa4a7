// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The oracle's array: one accumulator after the other, products in the order of
// the formula.
#include <array>

#include "oracle.h"
#include "oracle_num.h"

namespace loom_random {

namespace {

const char *const type_names[] = {"f32", "bf16", "int8"};
const char *const dtype_names[] = {"f32", "bf16", "f16", "i32", "u32",
                                   "i16", "u16",  "i8",  "u8",  "i1"};

float operand(uint32_t raw, unsigned type) {
  return type == LOOM_MXU_F32 ? from_bits(raw)
                              : from_bf16(static_cast<uint16_t>(raw));
}

} // namespace

void oracle::cover_mxu(const loom_mxu &m, const loom_epi *e) {
  const std::string t = type_names[m.type];
  const bool conv = m.kh > 1 || m.kw > 1 || m.py || m.px;
  count("mxu " + t +
        (m.mode == LOOM_MXU_DW ? " depthwise"
         : conv                ? " conv"
                               : " gemm"));
  if (m.mode == LOOM_MXU_DW && m.n > 256)
    count("mxu depthwise chunks");
  if (m.flags & LOOM_MXU_TRANSPOSE)
    count("mxu " + t + " transposing loads");
  count("mxu " + t + " acc " + std::to_string(m.acc));
  if (m.oh * m.ow > 96 && m.oh * m.ow * m.n >= 4096 && m.kh * m.kw * m.kc > 256)
    count("mxu large");
  if (m.outer[0] > 1 || m.outer[1] > 1)
    count("mxu outer");
  if (m.dy > 1 || m.dx > 1)
    count("mxu dilation");
  if (m.sy > 1 || m.sx > 1)
    count("mxu stride");
  if (m.flags & LOOM_MXU_DRAIN)
    count("mxu " + t + " out " + dtype_names[m.out_type]);
  else
    count("mxu " + t + " no drain");
  if (!e || !(m.flags & LOOM_MXU_DRAIN))
    return;
  const std::string kind = m.type == LOOM_MXU_INT8 ? "epi int " : "epi float ";
  count(kind + "rq " + std::to_string(e->rq) +
        (e->scale == LOOM_EPI_NONE ? " imm" : " channel"));
  count(kind + "act " + std::to_string(e->act));
  count(kind + (e->bias == LOOM_EPI_NONE ? "no bias" : "bias"));
  count(kind + (e->residual == LOOM_EPI_NONE
                    ? std::string("no residual")
                    : std::string("residual ") + dtype_names[e->res_type]));
}

void oracle::mxu(const loom_mxu &m, const loom_epi *e) {
  const unsigned size = m.type == LOOM_MXU_F32    ? 4
                        : m.type == LOOM_MXU_BF16 ? 2
                                                  : 1;
  const int64_t a_base = static_cast<int64_t>(m.a_base) + base(m.h, 0);
  const int64_t b_base = static_cast<int64_t>(m.b_base) + base(m.h, 1);
  const bool depthwise = m.mode == LOOM_MXU_DW;
  int64_t i[5]; // o0, o1, oy, ox, n
  std::vector<std::pair<uint32_t, std::array<int64_t, 5>>> done;

  cover_mxu(m, e);
  for (i[0] = 0; i[0] < m.outer[0]; i[0]++)
    for (i[1] = 0; i[1] < m.outer[1]; i[1]++)
      for (i[2] = 0; i[2] < m.oh; i[2]++)
        for (i[3] = 0; i[3] < m.ow; i[3]++)
          for (i[4] = 0; i[4] < m.n; i[4]++) {
            const auto pixel = static_cast<uint32_t>(
                ((i[0] * m.outer[1] + i[1]) * m.oh + i[2]) * m.ow + i[3]);
            const uint32_t where = m.acc_base * 16u + pixel * m.acc_pitch +
                                   static_cast<uint32_t>(i[4]);
            uint32_t acc = accumulators.at(where);
            if (m.acc == LOOM_ACC_ZERO)
              acc = 0;
            else if (m.acc == LOOM_ACC_BIAS)
              acc = static_cast<uint32_t>(get(e->bias + 4 * i[4], 4));
            for (int64_t ky = 0; ky < m.kh; ky++)
              for (int64_t kx = 0; kx < m.kw; kx++)
                for (int64_t c = 0; c < m.kc; c++) {
                  const int64_t iy = i[2] * m.sy + ky * m.dy - m.py,
                                ix = i[3] * m.sx + kx * m.dx - m.px;
                  const bool pad = iy < 0 || iy >= m.ih || ix < 0 || ix >= m.iw;
                  const auto a =
                      pad ? m.pad_value
                          : static_cast<uint32_t>(get(
                                a_base + i[0] * m.a_so[0] + i[1] * m.a_so[1] +
                                    iy * m.a_sh + ix * m.a_sw +
                                    (depthwise ? i[4] : c) * m.a_sc,
                                size));
                  const auto b = static_cast<uint32_t>(
                      get(b_base + i[0] * m.b_so[0] + i[1] * m.b_so[1] +
                              ((ky * m.kw + kx) * m.kc + c) * m.b_sk +
                              i[4] * m.b_sn,
                          size));
                  if (m.type == LOOM_MXU_INT8)
                    acc += static_cast<uint32_t>(static_cast<int8_t>(a) *
                                                 static_cast<int8_t>(b));
                  else
                    acc = bits(
                        quiet(std::fmaf(operand(a, m.type), operand(b, m.type),
                                        from_bits(acc))));
                }
            accumulators.at(where) = acc;
            done.push_back({acc, {i[0], i[1], i[2], i[3], i[4]}});
          }
  if (m.flags & LOOM_MXU_DRAIN)
    for (const auto &[acc, index] : done)
      drain(m, e, index.data(), acc);
}

void oracle::drain(const loom_mxu &m, const loom_epi *e, const int64_t *i,
                   uint32_t acc) {
  const auto n = static_cast<unsigned>(i[4]);
  const bool bias = e && e->bias != LOOM_EPI_NONE && m.acc != LOOM_ACC_BIAS;
  int64_t out = static_cast<int64_t>(m.out_base) + base(m.h, 2);
  int64_t residual = -1;

  out += i[0] * m.o_so[0] + i[1] * m.o_so[1] + i[2] * m.o_sy + i[3] * m.o_sx +
         i[4] * m.o_sn;
  if (e && e->residual != LOOM_EPI_NONE)
    residual = e->residual + base(m.h, 3) + i[2] * e->r_sy + i[3] * e->r_sx +
               i[4] * e->r_sn;
  if (m.type != LOOM_MXU_INT8) {
    const float x = from_bits(acc);
    put_float(out, m.out_type, e ? drain_float(*e, bias, n, residual, x) : x);
    return;
  }
  const int32_t x =
      e ? drain_int(m, *e, bias, n, residual, static_cast<int32_t>(acc))
        : static_cast<int32_t>(acc);
  put(out, static_cast<uint32_t>(x), m.out_type == LOOM_I8 ? 1 : 4);
}

float oracle::drain_float(const loom_epi &e, bool bias, unsigned n,
                          int64_t residual, float x) {
  if (bias)
    x = x + get_float(e.bias + 4 * n, LOOM_F32);
  if (e.rq == LOOM_RQ_F32)
    x = x * (e.scale == LOOM_EPI_NONE ? from_bits(e.scale_imm)
                                      : get_float(e.scale + 4 * n, LOOM_F32));
  if (residual >= 0)
    x = x + get_float(residual, e.res_type);
  if (e.act == LOOM_ACT_CLAMP)
    x = minimum(maximum(x, from_bits(e.lo)), from_bits(e.hi));
  return x;
}

int32_t oracle::drain_int(const loom_mxu &m, const loom_epi &e, bool bias,
                          unsigned n, int64_t residual, int32_t x) {
  if (bias)
    x = wrap(static_cast<__int128>(x) +
             static_cast<int32_t>(get(e.bias + 4 * n, 4)));
  if (e.rq == LOOM_RQ_F32) {
    const float s = e.scale == LOOM_EPI_NONE
                        ? from_bits(e.scale_imm)
                        : get_float(e.scale + 4 * n, LOOM_F32);
    x = to_i32(std::nearbyintf(static_cast<float>(x) * s));
  } else if (e.rq != LOOM_RQ_NONE) {
    const bool imm = e.scale == LOOM_EPI_NONE;
    const auto mul =
        static_cast<int32_t>(imm ? e.scale_imm : get(e.scale + 8 * n, 4));
    const auto shift =
        imm ? e.shift_imm : static_cast<int32_t>(get(e.scale + 8 * n + 4, 4));
    x = e.rq == LOOM_RQ_DOUBLE ? requant_double(x, mul, shift)
                               : requant_single(x, mul, shift);
  }
  if (residual >= 0) {
    const auto other = static_cast<int8_t>(get(residual, 1));
    const int32_t p =
        requant_double(wrap(static_cast<__int128>(x) << e.left), e.m1, e.s1);
    const int32_t q = requant_double(
        wrap(static_cast<__int128>(other - e.res_zp) << e.left), e.m2, e.s2);
    x = requant_double(wrap(static_cast<__int128>(p) + q), e.mo, e.so);
  }
  x = wrap(static_cast<__int128>(x) + e.zp);
  if (e.act == LOOM_ACT_CLAMP) {
    const auto lo = static_cast<int32_t>(e.lo), hi = static_cast<int32_t>(e.hi);
    x = x < lo ? lo : x;
    x = x > hi ? hi : x;
  }
  if (m.out_type == LOOM_I8)
    x = x < -128 ? -128 : x > 127 ? 127 : x;
  if (e.act == LOOM_ACT_LUT256)
    x = static_cast<int8_t>(get(e.lut + static_cast<uint32_t>(x + 128), 1));
  return x;
}

} // namespace loom_random
