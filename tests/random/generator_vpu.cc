// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Random records of the vector unit: chains that know which registers hold
// floats and which integers.
#include <array>
#include <bit>
#include <cmath>

#include "emitter.h"

namespace loom_random {

using namespace loom_test;

namespace {

constexpr int max_reducers = 2;

struct uop_info {
  uint8_t op, operands;
  char cls;
};

constexpr uop_info all_uops[] = {
#define INFO(num, name, operands, cls, text) {num, operands, #cls[0]},
    LOOM_UOPS(INFO)
#undef INFO
};

unsigned size_of(unsigned dtype) {
  return dtype == LOOM_F32 || dtype == LOOM_I32 || dtype == LOOM_U32 ? 4
         : dtype >= LOOM_I8                                          ? 1
                                                                     : 2;
}

zone zone_of(rng &r, unsigned dtype) {
  switch (dtype) {
  case LOOM_F32:
    return r.chance(40) ? Z_F32_ODD : Z_F32;
  case LOOM_BF16:
    return r.chance(40) ? Z_BF16_ODD : Z_BF16;
  case LOOM_F16:
    return Z_F16;
  case LOOM_I32:
  case LOOM_U32:
    return Z_I32;
  default:
    return Z_RAW;
  }
}

class chain {
public:
  explicit chain(emitter &e) : e(e), r(e.r) {}
  void emit() {
    choose_dims();
    if (!inputs())
      return;
    body();
    if (outputs())
      finish();
  }

private:
  struct place {
    operand at;
    bool write;
  };

  void choose_dims() {
    int64_t total = 1;
    for (auto &n : v.n) {
      n = static_cast<uint16_t>(r.chance(45) ? 1 : r.between(1, 6));
      if (r.chance(6))
        n = static_cast<uint16_t>(r.between(7, 70));
      if (total * n > 900)
        n = 1;
      total *= n;
    }
    reduces = r.chance(65);
    if (reduces)
      for (unsigned d = 0; d < 6; d++)
        if (r.chance(55))
          v.mask |= static_cast<uint8_t>(1u << d);
    if (reduces && r.chance(25))
      v.mask |= LOOM_VPU_SCAN;
  }
  std::vector<int64_t> counts(unsigned without = 0) const {
    std::vector<int64_t> c;
    for (unsigned d = 0; d < 6; d++)
      c.push_back(without >> d & 1 ? 1 : v.n[d]);
    return c;
  }
  // Adds a view of the given layout; false if there is no room for it.
  bool add_view(uint8_t dtype, uint8_t flags,
                const std::vector<int32_t> &strides, unsigned bytes,
                unsigned align) {
    loom_view w{};
    operand o;
    o.hi = bytes;
    o.align = align;
    if (views.size() < 4)
      o.base = e.any_base();
    w.dtype = dtype;
    w.flags = flags;
    for (unsigned d = 0; d < 6; d++) {
      w.stride[d] = strides[d];
      o.dim(strides[d], v.n[d]);
    }
    if (!e.place(o, taken))
      return false;
    w.base = static_cast<uint32_t>(o.field);
    views.push_back(w);
    places.push_back({o, (flags & LOOM_VIEW_OUT) != 0});
    return true;
  }
  bool inputs() {
    const int n = static_cast<int>(r.between(1, 3));
    for (int i = 0; i < n; i++) {
      const auto dtype =
          static_cast<uint8_t>(r.chance(35) ? static_cast<unsigned>(LOOM_F32)
                                            : r.below(LOOM_NUM_NPU_DTYPES));
      auto strides = unique_strides(r, counts(), size_of(dtype));
      for (auto &s : strides)
        if (r.chance(12))
          s = 0;
      if (!add_view(dtype, 0, strides, size_of(dtype), size_of(dtype)))
        return false;
      if (r.chance(85))
        fresh.emplace_back(places.back().at, zone_of(r, dtype));
      const auto reg = static_cast<unsigned>(i);
      op(LOOM_UOP_LOAD, reg, static_cast<unsigned>(i));
      kinds[reg] = dtype <= LOOM_F16 ? 'F' : 'I';
    }
    return true;
  }
  void op(unsigned code, unsigned dst, unsigned a = 0, unsigned b = 0,
          unsigned c = 0) {
    ops.push_back(LOOM_UOP(code, dst, a, b, c));
  }
  unsigned immediate(uint32_t value) {
    for (unsigned i = 0; i < imms.size(); i++)
      if (imms[i] == value)
        return LOOM_UOP_IMM(i);
    if (imms.size() == LOOM_VPU_MAX_IMMS)
      return LOOM_UOP_IMM(r.below(imms.size()));
    imms.push_back(value);
    return LOOM_UOP_IMM(imms.size() - 1);
  }
  uint32_t constant(char kind) {
    if (kind == 'F')
      return std::bit_cast<uint32_t>(
          r.chance(20) ? odd_float(r)
                       : static_cast<float>(r.between(-40, 40)) / 4);
    return r.chance(60) ? static_cast<uint32_t>(r.between(-40, 40))
                        : static_cast<uint32_t>(r.next());
  }
  // A register of the kind, or an immediate; rarely a register of the other
  // kind, which is read by its bits.
  unsigned source(char kind) {
    if (r.chance(20))
      return immediate(constant(kind));
    std::vector<unsigned> fit;
    for (unsigned i = 0; i < kinds.size(); i++)
      if (kinds[i] == kind || (kinds[i] && r.chance(4)))
        fit.push_back(i);
    return fit.empty() ? immediate(constant(kind)) : fit[r.below(fit.size())];
  }
  void body() {
    const int n = static_cast<int>(r.between(3, 22));
    for (int i = 0; i < n; i++) {
      const auto &u = all_uops[r.below(std::size(all_uops))];
      const unsigned dst = r.below(LOOM_VPU_NUM_VREGS);
      if (u.cls == 'R' || u.op == LOOM_UOP_LOAD || u.op == LOOM_UOP_STORE)
        continue;
      kinds[dst] = one(u, dst);
    }
  }
  char one(const uop_info &u, unsigned dst) {
    switch (u.op) {
    case LOOM_UOP_IOTA:
      op(u.op, dst, r.below(6));
      return 'I';
    case LOOM_UOP_MOV: {
      const char kind = r.chance(50) ? 'F' : 'I';
      op(u.op, dst, source(kind));
      return kind;
    }
    case LOOM_UOP_SELECT: {
      const char kind = r.chance(50) ? 'F' : 'I';
      op(u.op, dst, source('I'), source(kind), source(kind));
      return kind;
    }
    case LOOM_UOP_FREDP: {
      const auto widths =
          static_cast<uint32_t>(r.between(2, 8) | r.between(1, 23) << 8);
      const unsigned b = immediate(widths);
      if (imms[b - 16] != widths) // no room for another
        return kinds[dst];
      op(u.op, dst, source('F'), b);
      return 'F';
    }
    case LOOM_UOP_REQUANT: {
      const auto m = static_cast<uint32_t>(r.between(1 << 30, INT32_MAX));
      const auto shift = static_cast<uint32_t>(r.between(-20, 2));
      const unsigned c = immediate(shift), b = immediate(m);
      if (imms[c - 16] != shift || imms[b - 16] != m)
        return kinds[dst];
      op(u.op, dst, source('I'), b, c);
      return 'I';
    }
    case LOOM_UOP_LUT8: {
      const unsigned b = table();
      if (!b)
        return kinds[dst];
      op(u.op, dst, source('I'), b);
      return 'I';
    }
    case LOOM_UOP_F2I:
    case LOOM_UOP_F2U:
      op(u.op, dst, source('F'));
      return 'I';
    case LOOM_UOP_I2F:
    case LOOM_UOP_U2F:
      op(u.op, dst, source('I'));
      return 'F';
    }
    const bool compares_floats =
        u.cls == 'C' && (u.op == LOOM_UOP_FFINITE || u.op <= LOOM_UOP_FGE);
    const bool floats = u.cls == 'F' || u.cls == 'T';
    const char kind = floats || compares_floats ? 'F' : 'I';
    op(u.op, dst, source(kind), u.operands > 1 ? source(kind) : 0,
       u.operands > 2 ? source(kind) : 0);
    return floats ? 'F' : 'I';
  }
  // The immediate that names a table of 256 bytes; 0 if there is no room.
  unsigned table() {
    operand o;
    o.hi = 256;
    if (imms.size() == LOOM_VPU_MAX_IMMS || !e.place(o, taken))
      return 0;
    if (r.chance(85))
      fresh.emplace_back(o, Z_RAW);
    tables.push_back(o);
    imms.push_back(static_cast<uint32_t>(o.field));
    return LOOM_UOP_IMM(imms.size() - 1);
  }
  bool outputs() {
    const int n = static_cast<int>(r.between(1, 3));
    for (int i = 0; i < n && views.size() < LOOM_VPU_MAX_VIEWS; i++)
      if (!(reduces && i < max_reducers && (i == 0 || r.chance(60)) ? reducer()
                                                                    : store()))
        return false;
    return true;
  }
  bool store() {
    const bool f = r.chance(50);
    const char kind = f ? 'F' : 'I';
    const auto dtype = static_cast<uint8_t>(
        f ? r.pick<unsigned>({LOOM_F32, LOOM_F32, LOOM_BF16, LOOM_F16})
          : static_cast<unsigned>(r.between(LOOM_I32, LOOM_I1)));
    const unsigned size = size_of(dtype);
    if (!in_place(dtype) &&
        !add_view(dtype, LOOM_VIEW_OUT, unique_strides(r, counts(), size), size,
                  size))
      return false;
    op(LOOM_UOP_STORE, static_cast<unsigned>(views.size() - 1), source(kind));
    return true;
  }
  // Now and then the result takes the place of an input, element by element.
  bool in_place(uint8_t dtype) {
    if (!r.chance(20) || used_in_place)
      return false;
    for (size_t i = 0; i < views.size() && i < 3; i++) {
      const auto &in = views[i];
      bool dense =
          !(in.flags & LOOM_VIEW_OUT) && size_of(in.dtype) == size_of(dtype);
      for (unsigned d = 0; d < 6; d++)
        dense &= v.n[d] == 1 || in.stride[d] != 0;
      if (!dense || (views.size() >= 4 && places[i].at.base.reg))
        continue;
      loom_view out = in;
      out.dtype = dtype;
      out.flags = LOOM_VIEW_OUT;
      views.push_back(out);
      places.push_back({places[i].at, true});
      return used_in_place = true;
    }
    return false;
  }
  bool reducer() {
    const auto code =
        static_cast<unsigned>(r.between(LOOM_UOP_RADD_F, LOOM_UOP_RARGMAX_F));
    const bool arg = code >= LOOM_UOP_RARGMIN_F, f = code <= LOOM_UOP_RMAX_F;
    uint8_t flags = LOOM_VIEW_OUT;
    if (!arg && r.chance(25))
      flags |= LOOM_VIEW_RESUME;
    const bool scans = v.mask & LOOM_VPU_SCAN;
    if (!arg && !scans && r.chance(25))
      flags |= LOOM_VIEW_PARTIAL;
    const bool wide = flags & (LOOM_VIEW_RESUME | LOOM_VIEW_PARTIAL);
    auto dtype = static_cast<uint8_t>(
        f ? r.pick<unsigned>({LOOM_F32, LOOM_F32, LOOM_BF16, LOOM_F16})
          : r.pick<unsigned>({LOOM_I32, LOOM_U32, LOOM_I32, LOOM_I8, LOOM_U8,
                              LOOM_I16, LOOM_U16}));
    if (wide || arg)
      dtype = static_cast<uint8_t>(f ? LOOM_F32 : LOOM_I32);
    const unsigned size =
        wide && !scans ? 4 * LOOM_VPU_PARTIALS : size_of(dtype);
    auto strides = unique_strides(r, counts(scans ? 0 : v.mask), size);
    for (unsigned d = 0; d < 6; d++)
      if (v.mask >> d & 1 && !scans)
        strides[d] = 0;
    if (!add_view(dtype, flags, strides, size, size_of(dtype)))
      return false;
    if (flags & LOOM_VIEW_RESUME && r.chance(80))
      fresh.emplace_back(places.back().at, zone_of(r, dtype));
    op(code, static_cast<unsigned>(views.size() - 1),
       source(f || arg ? 'F' : 'I'));
    return true;
  }
  void finish() {
    std::vector<span> touches;
    unsigned base[4] = {};
    for (size_t i = 0; i < places.size(); i++) {
      touches.push_back(places[i].at.touches(places[i].write));
      if (i < 4)
        base[i] = places[i].at.base.reg;
    }
    for (const auto &o : tables)
      touches.push_back(o.touches(false));
    for (const auto &[o, z] : fresh)
      e.refresh(o, z);
    v.nviews = static_cast<uint8_t>(views.size());
    v.nops = static_cast<uint8_t>(ops.size());
    v.nimms = static_cast<uint8_t>(imms.size());
    const unsigned bytes =
        static_cast<unsigned>(sizeof(v) + views.size() * sizeof(loom_view) +
                              4 * (imms.size() + ops.size()));
    v.h = header(LOOM_OP_VPU, bytes);
    v.h.loc = e.any_loc();
    v.h.regsel = LOOM_REGSEL(base[0], base[1], base[2], base[3]);
    std::vector<uint8_t> record(bytes);
    uint8_t *p = record.data();
    const auto put = [&](const void *from, size_t n) {
      std::memcpy(p, from, n);
      p += n;
    };
    put(&v, sizeof(v));
    put(views.data(), views.size() * sizeof(loom_view));
    if (!imms.empty())
      put(imms.data(), imms.size() * 4);
    put(ops.data(), ops.size() * 4);
    e.order.add(record, LOOM_Q_VPU, touches);
  }

  emitter &e;
  rng &r;
  loom_vpu v{};
  bool reduces = false, used_in_place = false;
  std::vector<loom_view> views;
  std::vector<place> places;
  std::vector<std::pair<operand, zone>> fresh;
  std::vector<operand> tables;
  std::vector<span> taken;
  std::vector<uint32_t> imms, ops;
  std::array<char, LOOM_VPU_NUM_VREGS> kinds{};
};

} // namespace

void emit_vpu(emitter &e) { chain(e).emit(); }

} // namespace loom_random
