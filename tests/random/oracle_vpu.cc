// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The oracle's vector unit: one element after the other through the whole
// chain.
#include <array>
#include <cstring>

#include "elementary_reference.h"
#include "oracle.h"
#include "oracle_num.h"

namespace loom_random {

namespace {

const char *const dtype_names[] = {"f32", "bf16", "f16", "i32", "u32",
                                   "i16", "u16",  "i8",  "u8",  "i1"};

bool is_float(unsigned dtype) { return dtype <= LOOM_F16; }
unsigned size_of(unsigned dtype) {
  return dtype == LOOM_F32 || dtype == LOOM_I32 || dtype == LOOM_U32 ? 4
         : dtype >= LOOM_I8                                          ? 1
                                                                     : 2;
}
bool is_reducer(unsigned op) {
  return op >= LOOM_UOP_RADD_F && op <= LOOM_UOP_RARGMAX_F;
}
bool is_arg(unsigned op) {
  return op == LOOM_UOP_RARGMIN_F || op == LOOM_UOP_RARGMAX_F;
}

const char *uop_name(unsigned op) {
  switch (op) {
#define NAME(num, name, operands, cls, text)                                   \
  case num:                                                                    \
    return #name;
    LOOM_UOPS(NAME)
#undef NAME
  }
  return "?";
}

uint32_t compute_float(unsigned op, float a, float b, float c) {
  switch (op) {
  case LOOM_UOP_FADD:
    return bits(quiet(a + b));
  case LOOM_UOP_FSUB:
    return bits(quiet(a - b));
  case LOOM_UOP_FMUL:
    return bits(quiet(a * b));
  case LOOM_UOP_FFMA:
    return bits(quiet(std::fmaf(a, b, c)));
  case LOOM_UOP_FNEG:
    return bits(quiet(-a));
  case LOOM_UOP_FABS:
    return bits(quiet(std::fabs(a)));
  case LOOM_UOP_FSIGN:
    return bits(std::isnan(a) || a == 0 ? quiet(a) : std::copysign(1.0f, a));
  case LOOM_UOP_FMIN:
    return bits(minimum(a, b));
  case LOOM_UOP_FMAX:
    return bits(maximum(a, b));
  case LOOM_UOP_FDIV:
    return bits(quiet(a / b));
  case LOOM_UOP_FREM:
    return bits(quiet(std::fmod(a, b)));
  case LOOM_UOP_FSQRT:
    return bits(quiet(std::sqrt(a)));
  case LOOM_UOP_FRSQRT:
    return bits(quiet(1.0f / std::sqrt(a)));
  case LOOM_UOP_FFLOOR:
    return bits(quiet(std::floor(a)));
  case LOOM_UOP_FCEIL:
    return bits(quiet(std::ceil(a)));
  case LOOM_UOP_FRNE:
    return bits(quiet(std::nearbyint(a)));
  case LOOM_UOP_FRAZ:
    return bits(quiet(std::round(a)));
  case LOOM_UOP_FTRUNC:
    return bits(quiet(std::trunc(a)));
  case LOOM_UOP_FFINITE:
    return std::isfinite(a);
  case LOOM_UOP_FREDP: {
    // As in StableHLO: a narrower exponent has no subnormals, binary32's own
    // keeps them.
    const int exponent = bits(b) & 0xff,
              mantissa = static_cast<int>(bits(b) >> 8);
    return bits(quiet(
        static_cast<float>(round_to(a, exponent, mantissa, exponent == 8))));
  }
  case LOOM_UOP_FBF16:
    return bits(from_bf16(to_bf16(a)));
  case LOOM_UOP_FF16:
    return bits(from_f16(to_f16(a)));
  case LOOM_UOP_F2I:
    return static_cast<uint32_t>(to_i32(a));
  case LOOM_UOP_F2U:
    return to_u32(a);
  case LOOM_UOP_FEQ:
    return a == b;
  case LOOM_UOP_FNE:
    return !(a == b);
  case LOOM_UOP_FLT:
    return a < b;
  case LOOM_UOP_FLE:
    return a <= b;
  case LOOM_UOP_FGT:
    return a > b;
  case LOOM_UOP_FGE:
    return a >= b;
  }
  throw bad_program("the oracle does not know micro-operation " +
                    std::to_string(op));
}

bool is_elementary(unsigned op) {
  return op >= LOOM_UOP_EXP && op <= LOOM_UOP_POW;
}

uint32_t compute_elementary(unsigned op, uint32_t a, uint32_t b) {
  const auto v = loom_test::elementary_reference(op, a, b);
  if (!v.one())
    throw undecided(std::string(uop_name(op)) + " of " + std::to_string(a) +
                    ", " + std::to_string(b));
  return v.low;
}

uint32_t compute(unsigned op, uint32_t a, uint32_t b, uint32_t c) {
  const auto sa = static_cast<int32_t>(a), sb = static_cast<int32_t>(b);
  const int64_t wa = sa, wb = sb;
  const auto u = [](auto x) { return static_cast<uint32_t>(x); };
  switch (op) {
  case LOOM_UOP_MOV:
    return a;
  case LOOM_UOP_SELECT:
    return a ? b : c;
  case LOOM_UOP_I2F:
    return bits(static_cast<float>(sa));
  case LOOM_UOP_U2F:
    return bits(static_cast<float>(a));
  case LOOM_UOP_IADD:
    return a + b;
  case LOOM_UOP_ISUB:
    return a - b;
  case LOOM_UOP_IMUL:
    return a * b;
  case LOOM_UOP_IMULH:
    return u(wa * wb >> 32);
  case LOOM_UOP_UMULH:
    return u(static_cast<uint64_t>(a) * b >> 32);
  case LOOM_UOP_IDIV:
    return b ? u(wa / wb) : UINT32_MAX;
  case LOOM_UOP_UDIV:
    return b ? a / b : UINT32_MAX;
  case LOOM_UOP_IREM:
    return b ? u(wa % wb) : a;
  case LOOM_UOP_UREM:
    return b ? a % b : a;
  case LOOM_UOP_IMIN:
    return u(sa < sb ? sa : sb);
  case LOOM_UOP_IMAX:
    return u(sa > sb ? sa : sb);
  case LOOM_UOP_UMIN:
    return a < b ? a : b;
  case LOOM_UOP_UMAX:
    return a > b ? a : b;
  case LOOM_UOP_INEG:
    return 0u - a;
  case LOOM_UOP_IABS:
    return sa < 0 ? 0u - a : a;
  case LOOM_UOP_ISIGN:
    return u((sa > 0) - (sa < 0));
  case LOOM_UOP_AND:
    return a & b;
  case LOOM_UOP_OR:
    return a | b;
  case LOOM_UOP_XOR:
    return a ^ b;
  case LOOM_UOP_NOT:
    return ~a;
  case LOOM_UOP_SHL:
    return b > 31 ? 0 : a << b;
  case LOOM_UOP_SHR:
    return b > 31 ? 0 : a >> b;
  case LOOM_UOP_SAR:
    return u(sa >> (b > 31 ? 31 : b));
  case LOOM_UOP_ROTL:
    return std::rotl(a, static_cast<int>(b & 31));
  case LOOM_UOP_CLZ:
    return u(std::countl_zero(a));
  case LOOM_UOP_POPC:
    return u(std::popcount(a));
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
    return u(requant_single(sa, sb, static_cast<int32_t>(c)));
  case LOOM_UOP_SATI8:
    return u(sa < -128 ? -128 : sa > 127 ? 127 : sa);
  }
  if (is_elementary(op))
    return compute_elementary(op, a, b);
  return compute_float(op, from_bits(a), from_bits(b), from_bits(c));
}

uint32_t identity(unsigned op) {
  switch (op) {
  case LOOM_UOP_RMUL_F:
    return bits(1.0f);
  case LOOM_UOP_RMIN_F:
    return bits(std::numeric_limits<float>::infinity());
  case LOOM_UOP_RMAX_F:
    return bits(-std::numeric_limits<float>::infinity());
  case LOOM_UOP_RMUL_I:
    return 1;
  case LOOM_UOP_RMIN_I:
    return INT32_MAX;
  case LOOM_UOP_RMAX_I:
    return static_cast<uint32_t>(INT32_MIN);
  case LOOM_UOP_RMIN_U:
  case LOOM_UOP_RAND:
    return UINT32_MAX;
  }
  return 0;
}

uint32_t combine(unsigned op, uint32_t p, uint32_t x) {
  static const std::map<unsigned, unsigned> as = {
      {LOOM_UOP_RADD_F, LOOM_UOP_FADD}, {LOOM_UOP_RMUL_F, LOOM_UOP_FMUL},
      {LOOM_UOP_RMIN_F, LOOM_UOP_FMIN}, {LOOM_UOP_RMAX_F, LOOM_UOP_FMAX},
      {LOOM_UOP_RADD_I, LOOM_UOP_IADD}, {LOOM_UOP_RMUL_I, LOOM_UOP_IMUL},
      {LOOM_UOP_RMIN_I, LOOM_UOP_IMIN}, {LOOM_UOP_RMAX_I, LOOM_UOP_IMAX},
      {LOOM_UOP_RMIN_U, LOOM_UOP_UMIN}, {LOOM_UOP_RMAX_U, LOOM_UOP_UMAX},
      {LOOM_UOP_RAND, LOOM_UOP_AND},    {LOOM_UOP_ROR, LOOM_UOP_OR},
      {LOOM_UOP_RXOR, LOOM_UOP_XOR},
  };
  return compute(as.at(op), p, x, 0);
}

// One result of a reducer, as it grows.
struct reduction {
  std::array<uint32_t, LOOM_VPU_PARTIALS> partial;
  uint64_t elements = 0;
  // Arg reducers: the best so far.
  uint32_t best = 0, best_index = 0;

  void add(unsigned op, uint32_t x) {
    if (!is_arg(op)) {
      auto &p = partial[elements % LOOM_VPU_PARTIALS];
      p = combine(op, p, x);
    } else if (!elements || beats(op, from_bits(x), from_bits(best))) {
      best = x;
      best_index = static_cast<uint32_t>(elements);
    }
    elements++;
  }
  static bool beats(unsigned op, float x, float than) {
    if (std::isnan(than))
      return false;
    return std::isnan(x) || (op == LOOM_UOP_RARGMIN_F ? x < than : x > than);
  }
  // A scan: partial 0 alone, after every element.
  uint32_t next(unsigned op, uint32_t x) {
    if (is_arg(op)) {
      add(op, x);
      return best_index;
    }
    return partial[0] = combine(op, partial[0], x);
  }
  uint32_t fold(unsigned op) {
    if (is_arg(op))
      return best_index;
    for (unsigned half = LOOM_VPU_PARTIALS / 2; half; half /= 2)
      for (unsigned i = 0; i < half; i++)
        partial[i] = combine(op, partial[i], partial[i + half]);
    return partial[0];
  }
};

} // namespace

void oracle::vpu(const uint8_t *record) {
  loom_vpu v;
  std::memcpy(&v, record, sizeof(v));
  std::vector<loom_view> views(v.nviews);
  std::vector<uint32_t> imms, ops;
  const uint8_t *p = record + sizeof(v);
  std::memcpy(views.data(), p, views.size() * sizeof(loom_view));
  p += views.size() * sizeof(loom_view);
  for (unsigned k = 0; k < v.nimms + v.nops; k++, p += 4) {
    uint32_t word;
    std::memcpy(&word, p, sizeof(word));
    (k < v.nimms ? imms : ops).push_back(word);
  }

  const auto address = [&](unsigned view, const std::array<uint32_t, 6> &i) {
    int64_t a = static_cast<int64_t>(views[view].base) +
                (view < 4 ? base(v.h, view) : 0);
    for (int d = 0; d < 6; d++)
      a += static_cast<int64_t>(i[d]) * views[view].stride[d];
    return a;
  };
  const auto load = [&](unsigned view, int64_t a) -> uint32_t {
    const unsigned t = views[view].dtype;
    if (is_float(t))
      return bits(get_float(a, t));
    const auto raw = static_cast<uint32_t>(get(a, size_of(t)));
    switch (t) {
    case LOOM_I16:
      return static_cast<uint32_t>(static_cast<int16_t>(raw));
    case LOOM_I8:
      return static_cast<uint32_t>(static_cast<int8_t>(raw));
    case LOOM_I1:
      return raw != 0;
    }
    return raw;
  };
  const auto store = [&](unsigned view, int64_t a, uint32_t x) {
    const unsigned t = views[view].dtype;
    if (is_float(t))
      put_float(a, t, from_bits(x));
    else
      put(a, t == LOOM_I1 ? x != 0 : x, size_of(t));
  };

  for (const uint32_t op : ops) {
    const unsigned code = LOOM_UOP_OP(op), dst = LOOM_UOP_DST(op);
    count(std::string("uop ") + uop_name(code));
    if (code == LOOM_UOP_LOAD)
      count(std::string("load ") + dtype_names[views[LOOM_UOP_A(op)].dtype]);
    if (code == LOOM_UOP_STORE)
      count(std::string("store ") + dtype_names[views[dst].dtype]);
    if (is_reducer(code)) {
      count(std::string("reduce to ") + dtype_names[views[dst].dtype]);
      if (v.mask & LOOM_VPU_SCAN)
        count("scan");
      if (views[dst].flags & LOOM_VIEW_RESUME)
        count(v.mask & LOOM_VPU_SCAN ? "scan resume" : "reduce resume");
      if (views[dst].flags & LOOM_VIEW_PARTIAL)
        count("reduce partial");
    }
  }

  std::map<std::pair<size_t, int64_t>, reduction>
      results; // by position in the chain and address, or group of a scan
  std::array<uint32_t, 6> i{};
  std::array<uint32_t, LOOM_VPU_NUM_VREGS> reg{};
  const auto value = [&](unsigned from) {
    return from < 16 ? reg[from] : imms.at(from - 16);
  };
  const auto scan = [&](size_t k, unsigned op, unsigned dst, uint32_t x) {
    auto first = i;
    int64_t group = 0;
    for (unsigned d = 0; d < 6; d++) {
      first[d] = v.mask >> d & 1 ? 0 : i[d];
      group = group * v.n[d] + first[d];
    }
    auto [at, fresh] = results.try_emplace({k, group});
    if (fresh && !is_arg(op))
      at->second.partial[0] =
          views[dst].flags & LOOM_VIEW_RESUME
              ? static_cast<uint32_t>(get(address(dst, first), 4))
              : identity(op);
    store(dst, address(dst, i), at->second.next(op, x));
  };
  const auto step = [&](size_t k) {
    const unsigned op = LOOM_UOP_OP(ops[k]), dst = LOOM_UOP_DST(ops[k]);
    const unsigned a = LOOM_UOP_A(ops[k]), b = LOOM_UOP_B(ops[k]),
                   c = LOOM_UOP_C(ops[k]);
    if (op == LOOM_UOP_LOAD) {
      reg[dst] = load(a, address(a, i));
    } else if (op == LOOM_UOP_STORE) {
      store(dst, address(dst, i), value(a));
    } else if (op == LOOM_UOP_IOTA) {
      reg[dst] = i[a];
    } else if (is_reducer(op) && v.mask & LOOM_VPU_SCAN) {
      scan(k, op, dst, value(a));
    } else if (op == LOOM_UOP_LUT8) {
      reg[dst] = static_cast<uint32_t>(
          static_cast<int8_t>(get(int64_t{value(b)} + (value(a) & 0xff), 1)));
    } else if (is_reducer(op)) {
      const int64_t to = address(dst, i);
      auto [at, fresh] = results.try_emplace({k, to});
      if (fresh && !is_arg(op))
        for (unsigned q = 0; q < LOOM_VPU_PARTIALS; q++)
          at->second.partial[q] =
              views[dst].flags & LOOM_VIEW_RESUME
                  ? static_cast<uint32_t>(get(to + 4 * q, 4))
                  : identity(op);
      at->second.add(op, value(a));
    } else {
      reg[dst] = compute(op, value(a), value(b), value(c));
    }
  };
  for (bool more = true; more;) {
    for (size_t k = 0; k < ops.size(); k++)
      step(k);
    more = false;
    for (int d = 5; d >= 0 && !more; d--) {
      more = ++i[d] < v.n[d];
      if (!more)
        i[d] = 0;
    }
  }
  if (v.mask & LOOM_VPU_SCAN)
    return;
  for (auto &[where, result] : results) {
    const unsigned op = LOOM_UOP_OP(ops[where.first]),
                   dst = LOOM_UOP_DST(ops[where.first]);
    if (!(views[dst].flags & LOOM_VIEW_PARTIAL)) {
      store(dst, where.second, result.fold(op));
      continue;
    }
    for (unsigned q = 0; q < LOOM_VPU_PARTIALS; q++)
      if (op <= LOOM_UOP_RMAX_F)
        put_float(where.second + 4 * q, LOOM_F32, from_bits(result.partial[q]));
      else
        put(where.second + 4 * q, result.partial[q], 4);
  }
}

} // namespace loom_random
