// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What each micro-operation must give, from libm, wide integers and double:
// nothing of loom_num.h or the model.
#pragma once

#include "machine.h"
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <limits>

namespace loom::test {

// binary16 by arithmetic: its value, and the nearest one to a float, ties to
// even.
inline float half_value(uint16_t bits) {
  const int exponent = bits >> 10 & 31, mantissa = bits & 1023;
  const float sign = bits >> 15 ? -1.0f : 1.0f;
  if (exponent == 31)
    return mantissa ? NAN : sign * INFINITY;
  return sign * std::ldexp(float(exponent ? mantissa + 1024 : mantissa),
                           (exponent ? exponent : 1) - 25);
}

inline uint16_t nearest_half(float f) {
  const uint16_t sign = std::signbit(f) ? 0x8000 : 0;
  if (f != f)
    return 0x7e00;
  const double v = std::fabs(double(f));
  if (v >= 65520)
    return sign | 0x7c00;
  const int exponent = v < std::ldexp(1.0, -14) ? -14 : std::ilogb(v);
  const int steps = int(std::nearbyint(
      std::ldexp(v, 10 - exponent))); // 1024 and more: normal; a carry is right
  return uint16_t(sign | (((exponent + 14) << 10) + steps));
}

inline double nearest_even(double v) { return std::nearbyint(v); }

// a to e exponent and m mantissa bits: scale so that the last kept place is 1,
// round, scale back.
inline uint32_t oracle_reduce_precision(uint32_t a, uint32_t e, uint32_t m) {
  const double v = to_float(a);
  if (v != v)
    return 0x7fc00000;
  if (std::isinf(v) || v == 0)
    return a;
  e = std::min(std::max(e, 1u), 8u);
  m = std::min(m, 23u);
  const int exponent = std::max(std::ilogb(v), -126);
  double r = std::ldexp(nearest_even(std::ldexp(v, int(m) - exponent)),
                        exponent - int(m));
  if (m == 0 && std::abs(std::ldexp(v, -exponent)) ==
                    1.5) // the last bit kept is the exponent's
    r = std::copysign(
        std::ldexp(1.0, (exponent + 127) % 2 ? exponent + 1 : exponent), v);
  if (e < 8) {
    const int bias = (1 << (e - 1)) - 1;
    if (r != 0 && std::ilogb(r) > bias)
      r = std::copysign(INFINITY, v);
    else if (std::abs(r) < std::ldexp(1.0, 1 - bias))
      r = std::copysign(0.0, v);
  }
  return to_bits(float(r));
}

inline uint32_t oracle_to_f16_and_back(uint32_t a) {
  return canonical(half_value(nearest_half(to_float(a))));
}

inline uint32_t oracle_to_bf16_and_back(uint32_t a) {
  const double v = to_float(a);
  if (v != v)
    return 0x7fc00000;
  if (std::isinf(v) || v == 0)
    return a;
  const int exponent = std::max(std::ilogb(v), -126);
  return to_bits(float(
      std::ldexp(nearest_even(std::ldexp(v, 7 - exponent)), exponent - 7)));
}

inline int64_t saturate(double v, int64_t lo, int64_t hi) {
  return v != v ? 0 : v <= double(lo) ? lo : v >= double(hi) ? hi : int64_t(v);
}

inline uint32_t oracle_requant(int32_t a, int32_t multiplier, int32_t shift) {
  shift = std::min(std::max(shift, -31), 30);
  const __int128 unit = __int128(1) << (31 - shift);
  __int128 v = __int128(a) * multiplier + unit / 2;
  v = v >= 0 ? v / unit : -((-v + unit - 1) / unit);
  return uint32_t(
      int32_t(std::min<__int128>(std::max<__int128>(v, INT32_MIN), INT32_MAX)));
}

inline bool is_nan(uint32_t a) { return to_float(a) != to_float(a); }

// min and max with a NaN winning and -0 below +0.
inline uint32_t oracle_minmax(uint32_t a, uint32_t b, bool want_max) {
  const float x = to_float(a), y = to_float(b);
  if (x != x || y != y)
    return 0x7fc00000;
  const bool a_less = x < y || (x == y && std::signbit(x) && !std::signbit(y));
  return a_less == want_max ? b : a;
}

inline uint32_t oracle_sign(uint32_t a) {
  const float f = to_float(a);
  return f != f ? 0x7fc00000 : f == 0 ? a : to_bits(f < 0 ? -1.0f : 1.0f);
}

inline uint32_t oracle(uint32_t op, uint32_t a, uint32_t b, uint32_t c) {
  const float x = to_float(a), y = to_float(b), z = to_float(c);
  const int32_t sa = int32_t(a), sb = int32_t(b);
  const int64_t la = sa, lb = sb;
  switch (op) {
  case LOOM_UOP_MOV:
    return a;
  case LOOM_UOP_SELECT:
    return a != 0 ? b : c;
  case LOOM_UOP_FADD:
    return canonical(x + y);
  case LOOM_UOP_FSUB:
    return canonical(x - y);
  case LOOM_UOP_FMUL:
    return canonical(float(double(x) * double(y)));
  case LOOM_UOP_FFMA:
    return canonical(std::fmaf(x, y, z));
  case LOOM_UOP_FNEG:
    return canonical(-x);
  case LOOM_UOP_FABS:
    return canonical(std::fabs(x));
  case LOOM_UOP_FSIGN:
    return oracle_sign(a);
  case LOOM_UOP_FMIN:
    return oracle_minmax(a, b, false);
  case LOOM_UOP_FMAX:
    return oracle_minmax(a, b, true);
  case LOOM_UOP_FDIV:
    return canonical(float(double(x) / double(y)));
  case LOOM_UOP_FREM:
    return canonical(std::fmod(x, y));
  case LOOM_UOP_FSQRT:
    return canonical(std::sqrt(x));
  case LOOM_UOP_FRSQRT:
    return canonical(1.0f / std::sqrt(x));
  case LOOM_UOP_FFLOOR:
    return canonical(std::floor(x));
  case LOOM_UOP_FCEIL:
    return canonical(std::ceil(x));
  case LOOM_UOP_FRNE:
    return canonical(std::nearbyint(x));
  case LOOM_UOP_FRAZ:
    return canonical(std::round(x));
  case LOOM_UOP_FTRUNC:
    return canonical(std::trunc(x));
  case LOOM_UOP_FFINITE:
    return std::isfinite(x);
  case LOOM_UOP_FREDP:
    return oracle_reduce_precision(a, b & 0xff, b >> 8);
  case LOOM_UOP_FBF16:
    return oracle_to_bf16_and_back(a);
  case LOOM_UOP_FF16:
    return oracle_to_f16_and_back(a);
  case LOOM_UOP_F2I:
    return uint32_t(saturate(x, INT32_MIN, INT32_MAX));
  case LOOM_UOP_F2U:
    return uint32_t(saturate(x, 0, UINT32_MAX));
  case LOOM_UOP_I2F:
    return to_bits(float(sa));
  case LOOM_UOP_U2F:
    return to_bits(float(a));
  case LOOM_UOP_FEQ:
    return x == y;
  case LOOM_UOP_FNE:
    return !(x == y);
  case LOOM_UOP_FLT:
    return x < y;
  case LOOM_UOP_FLE:
    return x <= y;
  case LOOM_UOP_FGT:
    return x > y;
  case LOOM_UOP_FGE:
    return x >= y;
  case LOOM_UOP_IADD:
    return uint32_t(la + lb);
  case LOOM_UOP_ISUB:
    return uint32_t(la - lb);
  case LOOM_UOP_IMUL:
    return uint32_t(la * lb);
  case LOOM_UOP_IMULH:
    return uint32_t(uint64_t(la * lb) >> 32);
  case LOOM_UOP_UMULH:
    return uint32_t(uint64_t(a) * b >> 32);
  case LOOM_UOP_IDIV:
    return lb == 0 ? ~0u : uint32_t(la / lb);
  case LOOM_UOP_UDIV:
    return b == 0 ? ~0u : a / b;
  case LOOM_UOP_IREM:
    return lb == 0 ? a : uint32_t(la % lb);
  case LOOM_UOP_UREM:
    return b == 0 ? a : a % b;
  case LOOM_UOP_IMIN:
    return uint32_t(std::min(sa, sb));
  case LOOM_UOP_IMAX:
    return uint32_t(std::max(sa, sb));
  case LOOM_UOP_UMIN:
    return std::min(a, b);
  case LOOM_UOP_UMAX:
    return std::max(a, b);
  case LOOM_UOP_INEG:
    return uint32_t(-la);
  case LOOM_UOP_IABS:
    return uint32_t(std::llabs(la));
  case LOOM_UOP_ISIGN:
    return uint32_t((la > 0) - (la < 0));
  case LOOM_UOP_AND:
    return a & b;
  case LOOM_UOP_OR:
    return a | b;
  case LOOM_UOP_XOR:
    return a ^ b;
  case LOOM_UOP_NOT:
    return ~a;
  case LOOM_UOP_SHL:
    return b > 31 ? 0 : uint32_t(uint64_t(a) << b);
  case LOOM_UOP_SHR:
    return b > 31 ? 0 : a >> b;
  case LOOM_UOP_SAR:
    return uint32_t(la >> std::min(b, 31u));
  case LOOM_UOP_ROTL:
    return uint32_t((uint64_t(a) << 32 | a) << (b % 32) >> 32);
  case LOOM_UOP_CLZ:
    return a == 0 ? 32 : 31 - uint32_t(std::ilogb(double(a)));
  case LOOM_UOP_POPC: {
    uint32_t n = 0;
    for (; a; a /= 2)
      n += a % 2;
    return n;
  }
  case LOOM_UOP_IEQ:
    return a == b;
  case LOOM_UOP_INE:
    return a != b;
  case LOOM_UOP_ILT:
    return sa < sb;
  case LOOM_UOP_ILE:
    return sa <= sb;
  case LOOM_UOP_ULT:
    return a < b;
  case LOOM_UOP_ULE:
    return a <= b;
  case LOOM_UOP_REQUANT:
    return oracle_requant(sa, sb, int32_t(c));
  case LOOM_UOP_SATI8:
    return uint32_t(std::min(std::max(sa, -128), 127));
  case LOOM_UOP_RADD_F:
    return canonical(x + y);
  case LOOM_UOP_RMUL_F:
    return canonical(x * y);
  case LOOM_UOP_RMIN_F:
    return oracle_minmax(a, b, false);
  case LOOM_UOP_RMAX_F:
    return oracle_minmax(a, b, true);
  case LOOM_UOP_RADD_I:
    return a + b;
  case LOOM_UOP_RMUL_I:
    return a * b;
  case LOOM_UOP_RMIN_I:
    return uint32_t(std::min(sa, sb));
  case LOOM_UOP_RMAX_I:
    return uint32_t(std::max(sa, sb));
  case LOOM_UOP_RMIN_U:
    return std::min(a, b);
  case LOOM_UOP_RMAX_U:
    return std::max(a, b);
  case LOOM_UOP_RAND:
    return a & b;
  case LOOM_UOP_ROR:
    return a | b;
  case LOOM_UOP_RXOR:
    return a ^ b;
  }
  std::abort(); // a micro-operation without an oracle
}

inline uint32_t oracle_identity(uint32_t op) {
  switch (op) {
  case LOOM_UOP_RMUL_F:
    return to_bits(1.0f);
  case LOOM_UOP_RMIN_F:
    return to_bits(INFINITY);
  case LOOM_UOP_RMAX_F:
    return to_bits(-INFINITY);
  case LOOM_UOP_RMUL_I:
    return 1;
  case LOOM_UOP_RMIN_I:
    return INT32_MAX;
  case LOOM_UOP_RMAX_I:
    return uint32_t(INT32_MIN);
  case LOOM_UOP_RMIN_U:
  case LOOM_UOP_RAND:
    return UINT32_MAX;
  default:
    return 0;
  }
}

} // namespace loom::test
