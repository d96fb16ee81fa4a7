// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Programs as a whole: slots and their data, segments, scalar code, loops and
// branches, copies.
#include "generator.h"

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "emitter.h"

namespace loom_random {

using namespace loom_test;

namespace {

constexpr int64_t side_bytes = 4096; // of the slots that copies may touch

uint8_t to_bf16_bits(float x, int byte) {
  return static_cast<uint8_t>(std::bit_cast<uint32_t>(x) >> (16 + 8 * byte));
}

float plain_float(rng &r) {
  const float m =
      static_cast<float>(r.between(-(1 << 20), 1 << 20)) / (1 << 20);
  return std::ldexp(m, static_cast<int>(r.between(-4, 4)));
}

uint32_t any_int(rng &r) {
  switch (r.below(6)) {
  case 0:
    return static_cast<uint32_t>(r.between(-8, 8));
  case 1:
    return static_cast<uint32_t>(r.between(-100000, 100000));
  case 2:
    return r.pick({0x7fffffffu, 0x80000000u, 0u, 1u, 0xffffffffu, 0x7ffffffeu,
                   0x80000001u, 255u, 128u});
  default:
    return static_cast<uint32_t>(r.next());
  }
}

template <class T> void put(std::vector<uint8_t> &v, T x) {
  const auto *p = reinterpret_cast<const uint8_t *>(&x);
  v.insert(v.end(), p, p + sizeof(x));
}

void fill_zone(rng &r, std::vector<uint8_t> &v, int z) {
  const size_t end = v.size() + zone_bytes;
  while (v.size() < end) {
    const float x = (z == Z_F32_ODD || z == Z_BF16_ODD) && r.chance(12)
                        ? odd_float(r)
                        : plain_float(r);
    switch (z) {
    case Z_F32:
    case Z_F32_ODD:
      put(v, x);
      break;
    case Z_BF16:
    case Z_BF16_ODD:
      v.push_back(to_bf16_bits(x, 0));
      v.push_back(to_bf16_bits(x, 1));
      break;
    case Z_I32:
      put(v, any_int(r));
      break;
    case Z_INDEX: // mostly within a list's limit
      put(v, static_cast<int32_t>(r.chance(5) ? r.between(INT32_MIN, INT32_MAX)
                                              : r.between(-1, 7)));
      break;
    case Z_RQ_PAIRS:
      put(v, static_cast<int32_t>(r.between(1 << 30, INT32_MAX)));
      put(v, static_cast<int32_t>(r.between(-16, 1)));
      break;
    default:
      v.push_back(static_cast<uint8_t>(r.next()));
    }
  }
}

std::vector<uint8_t> random_bytes(rng &r, int64_t n) {
  std::vector<uint8_t> v;
  while (v.size() < static_cast<size_t>(n))
    fill_zone(r, v, static_cast<int>(r.below(Z_COUNT)));
  v.resize(static_cast<size_t>(n));
  return v;
}

// --- scalar code: r1 to r5 hold anything; r6 to r9 index loops, r10 to r13 are
// that scaled, r14 is a constant, r15 a count

constexpr unsigned data_registers = 5, first_index = 6, first_scaled = 10;

unsigned data_register(rng &r) { return 1 + r.below(data_registers); }

void emit_scalar_memory(emitter &e) {
  const bool store = e.r.chance(50);
  const unsigned type = e.r.below(LOOM_NUM_SCALAR_TYPES), size = type ? 4 : 1;
  operand o;
  o.hi = size;
  o.align = size;
  o.base = e.any_base();
  std::vector<span> none;
  if (!e.place(o, none))
    return;
  auto s =
      seq(store ? LOOM_OP_ST : LOOM_OP_LD, 0, static_cast<uint8_t>(o.base.reg),
          0, o.field, static_cast<uint8_t>(type));
  (store ? s.rb : s.rd) = static_cast<uint8_t>(data_register(e.r));
  e.order.add(s, LOOM_Q_SEQ, {o.touches(store)});
}

void emit_arithmetic(emitter &e) {
  auto &r = e.r;
  const auto op =
      static_cast<uint8_t>(r.chance(20) ? int64_t{LOOM_OP_CMP}
                                        : r.between(LOOM_OP_LDI, LOOM_OP_CMP));
  auto s = seq(op, static_cast<uint8_t>(r.chance(5) ? 0 : data_register(r)));
  if (op != LOOM_OP_LDI) {
    s.ra = static_cast<uint8_t>(r.below(16));
    s.rb = static_cast<uint8_t>(r.chance(30) ? 0 : r.below(16));
  }
  if (op == LOOM_OP_CMP)
    s.cond = static_cast<uint8_t>(r.below(LOOM_NUM_CONDS));
  s.imm = r.chance(50)   ? r.between(-70, 70)
          : r.chance(50) ? r.between(-(1 << 30), 1 << 30)
                         : static_cast<int64_t>(r.next());
  e.order.add_scalar(s);
}

void emit_scalar(emitter &e) {
  for (int64_t n = e.r.between(1, 4); n > 0; n--)
    if (e.r.chance(5))
      e.order.add_scalar(
          seq(LOOM_OP_MARK, 0, 0, 0, static_cast<int64_t>(e.r.next())));
    else if (e.r.chance(35))
      emit_scalar_memory(e);
    else
      emit_arithmetic(e);
}

// --- control flow: what is inside waits for nothing outside, and ends with a
// fence -------------------------

void emit_block(emitter &e, int records, int depth);

void patch_target(emitter &e, uint32_t unit, uint32_t target) {
  std::memcpy(e.b.code.data() + static_cast<size_t>(unit) * LOOM_UNIT_BYTES +
                  offsetof(loom_seq, target),
              &target, 4);
}

uint32_t here(emitter &e) {
  return static_cast<uint32_t>(e.b.code.size() / LOOM_UNIT_BYTES);
}

void close_block(emitter &e) {
  e.order.settle();
  e.order.fence();
}

// A base register that moves with a loop's index, for the records of its body.
void emit_index_base(emitter &e, unsigned index, int64_t times, unsigned to) {
  const int64_t shift = e.r.between(6, 8);
  e.b.add(seq(LOOM_OP_SHL, static_cast<uint8_t>(to),
              static_cast<uint8_t>(index), 0, shift));
  e.bases.push_back({to, 0, (times - 1) << shift});
}

void emit_loop(emitter &e, int depth) {
  auto &r = e.r;
  const int64_t times = depth > 1 ? r.between(1, 2) : r.between(0, 4);
  const unsigned index = first_index + static_cast<unsigned>(depth),
                 scaled = first_scaled + static_cast<unsigned>(depth);
  const bool by_register = r.chance(40), breaks = r.chance(25);
  e.order.settle();
  e.order.fence();
  const auto known = e.bases;
  if (by_register)
    e.b.add(seq(LOOM_OP_LDI, 15, 0, 0, times));
  const uint32_t at =
      e.b.add(seq(LOOM_OP_LOOP, static_cast<uint8_t>(index),
                  by_register ? 15 : 0, 0, by_register ? 0 : times));
  emit_index_base(e, index, std::max<int64_t>(times, 1), scaled);
  emit_block(e, static_cast<int>(r.between(1, 3)), depth + 1);
  close_block(e);
  uint32_t leave = 0;
  if (breaks) {
    leave = e.b.add(
        seq(LOOM_OP_BR, 0, static_cast<uint8_t>(data_register(r)), 0,
            r.between(-5, 5),
            static_cast<uint8_t>(r.between(LOOM_COND_EQ, LOOM_COND_GE))));
    e.b.add(seq(LOOM_OP_MARK, 0, 0, 0, 1));
  }
  patch_target(e, at, here(e));
  if (breaks)
    patch_target(e, leave, here(e));
  e.bases = known;
}

// Records that a branch may skip.
void emit_skip(emitter &e, int depth) {
  auto &r = e.r;
  e.order.settle();
  e.order.fence();
  const uint32_t at =
      e.b.add(seq(LOOM_OP_BR, 0, static_cast<uint8_t>(r.below(8)),
                  static_cast<uint8_t>(r.below(8)), r.between(-5, 5),
                  static_cast<uint8_t>(r.below(LOOM_NUM_CONDS))));
  emit_block(e, static_cast<int>(r.between(1, 3)), depth + 1);
  close_block(e);
  patch_target(e, at, here(e));
}

// A branch backward, a counted number of times.
void emit_repeat(emitter &e, int depth) {
  auto &r = e.r;
  const auto counter = static_cast<uint8_t>(first_index + depth);
  e.order.settle();
  e.order.fence();
  e.b.add(seq(LOOM_OP_LDI, counter, 0, 0, r.between(1, 3)));
  const uint32_t start = here(e);
  emit_block(e, static_cast<int>(r.between(1, 2)), depth + 1);
  close_block(e);
  e.b.add(seq(LOOM_OP_SUB, counter, counter, 0, 1));
  e.b.add(seq(LOOM_OP_BR, 0, counter, 0, 0, LOOM_COND_GT, start));
}

void emit_one(emitter &e, int depth) {
  const unsigned k = e.r.below(100);
  if (k < 27)
    emit_mxu(e);
  else if (k < 56)
    emit_vpu(e);
  else if (k < 73)
    emit_dma(e);
  else if (k < 89 || depth > 3)
    emit_scalar(e);
  else if (k < 92)
    emit_loop(e, depth);
  else if (k < 96)
    emit_skip(e, depth);
  else if (k < 98)
    emit_repeat(e, depth);
  else
    e.order.fence();
}

void emit_block(emitter &e, int records, int depth) {
  while (records-- > 0)
    emit_one(e, depth);
}

// --- segments
// ----------------------------------------------------------------------------------------------------

void emit_start(emitter &e, bool first) {
  e.order.new_segment();
  e.bases.clear();
  if (first) { // scratch is undefined before the program writes it
    auto fill = copy(LOOM_OP_LD_FILL, 0, LOOM_ADDR(S_SCRATCH, 0), side_bytes);
    fill.elem = 4;
    fill.idx_or_fill = static_cast<uint32_t>(e.r.next());
    e.order.add(fill, LOOM_Q_LD, {{S_SCRATCH, 0, side_bytes, true}});
  }
  const int64_t value = 64 * e.r.between(-8, 32);
  e.b.add(seq(LOOM_OP_LDI, 14, 0, 0, value));
  e.bases.push_back({14, value, value});
  for (unsigned reg = 1; reg <= data_registers; reg++)
    if (e.r.chance(70))
      e.b.add(seq(LOOM_OP_LDI, static_cast<uint8_t>(reg), 0, 0,
                  e.r.chance(60) ? e.r.between(-8, 8)
                                 : static_cast<int64_t>(e.r.next())));
}

void emit_end(emitter &e, int64_t dump_at) {
  // The registers first, so that they are in the dump.
  for (uint8_t reg = 1; reg < 16; reg++)
    e.order.add(seq(LOOM_OP_ST, 0, 0, reg, 4 * reg, LOOM_SCALAR_U32),
                LOOM_Q_SEQ, {{LOOM_SLOT_SRAM, 4 * reg, 4 * reg + 4, true}});
  e.order.settle();
  e.order.add(copy(LOOM_OP_ST_COPY, LOOM_ADDR(LOOM_SLOT_SRAM, 0),
                   LOOM_ADDR(S_OUT, dump_at), window),
              LOOM_Q_ST,
              {{LOOM_SLOT_SRAM, 0, window, false},
               {S_OUT, dump_at, dump_at + window, true}});
  for (const uint32_t from : {S_SCRATCH, S_STATE}) {
    const int64_t to = dump_at + window + (from == S_STATE ? side_bytes : 0);
    e.order.add(
        copy(LOOM_OP_LD_COPY, LOOM_ADDR(from, 0), LOOM_ADDR(S_OUT, to),
             side_bytes),
        LOOM_Q_LD,
        {{from, 0, side_bytes, false}, {S_OUT, to, to + side_bytes, true}});
  }
  e.b.add(halt());
  e.b.segment();
}

} // namespace

float odd_float(rng &r) {
  const float inf = std::numeric_limits<float>::infinity();
  const float sign = r.chance(50) ? -1.0f : 1.0f;
  switch (r.below(8)) {
  case 0:
    return std::bit_cast<float>(0x7f800001u + (r.below(0x7fffff)) +
                                (r.chance(50) ? 0x80000000u : 0));
  case 1:
    return sign * inf;
  case 2:
    return sign * std::bit_cast<float>(1 + r.below(0x7fffff)); // subnormal
  case 3:
    return sign * 0.0f;
  case 4:
    return sign * std::numeric_limits<float>::max();
  case 5:
    return sign * std::numeric_limits<float>::min();
  case 6:
    return std::ldexp(sign * static_cast<float>(1 + r.below(1 << 12)),
                      static_cast<int>(r.between(-30, 40)));
  default:
    return sign * (static_cast<float>(r.below(300)) + 0.5f);
  }
}

namespace {

// Slots and their declarations; the constants behind them.
void declare(program_builder &b, rng &r, int64_t out_bytes) {
  b.constants = random_bytes(r, 2 * side_bytes);
  b.slot("in", LOOM_SLOT_ARG, Z_COUNT * zone_bytes, LOOM_RIGHT_READ);
  b.slot("out", LOOM_SLOT_ARG, static_cast<uint64_t>(out_bytes),
         LOOM_RIGHT_WRITE);
  b.slot("inout", LOOM_SLOT_ARG, side_bytes);
  b.slot("const", LOOM_SLOT_CONST, side_bytes, LOOM_RIGHT_READ, 0);
  b.slot("scratch", LOOM_SLOT_SCRATCH, side_bytes);
  b.slot("state", LOOM_SLOT_STATE, side_bytes,
         LOOM_RIGHT_READ | LOOM_RIGHT_WRITE, side_bytes, LOOM_SLOT_INIT);
  b.tensor("in", S_IN, LOOM_U8, LOOM_ROLE_INPUT, Z_COUNT * zone_bytes,
           Z_COUNT * zone_bytes);
  b.tensor("out", S_OUT, LOOM_U8, LOOM_ROLE_OUTPUT,
           static_cast<uint32_t>(out_bytes), static_cast<uint64_t>(out_bytes));
  for (uint32_t line = 1; line < 4; line++)
    b.loc(b.scope("Block_" + std::to_string(line)), "random.py", line,
          "random");
  if (r.chance(30))
    b.slots[S_CONST].mem_class = 1;
}

program finish(program_builder &b, rng &r, int64_t out_bytes) {
  program p;
  std::vector<uint8_t> in;
  for (int z = 0; z < Z_COUNT; z++)
    fill_zone(r, in, z);
  const auto constants = b.constants.begin();
  p.contents = {in, std::vector<uint8_t>(static_cast<size_t>(out_bytes)),
                random_bytes(r, side_bytes)};
  p.contents.emplace_back(constants, constants + side_bytes);
  p.contents.emplace_back(side_bytes);
  p.contents.emplace_back(constants + side_bytes, constants + 2 * side_bytes);
  p.code = b.code;
  p.segments = b.segments;
  p.slots = b.slots;
  return p;
}

constexpr int64_t dump_bytes = window + 2 * side_bytes; // after each segment

} // namespace

program generate(uint64_t seed, const std::string &target_name,
                 const loom_target &target) {
  rng r(seed);
  program_builder b;
  const int n_segments = r.chance(60) ? 1 : static_cast<int>(r.between(2, 5));
  const int64_t out_bytes = side_bytes + n_segments * dump_bytes;
  emitter e(b, r, target);

  declare(b, r, out_bytes);
  for (int s = 0; s < n_segments; s++) {
    emit_start(e, s == 0);
    emit_block(
        e,
        static_cast<int>(n_segments > 1 ? r.between(3, 10) : r.between(8, 24)),
        0);
    emit_end(e, side_bytes + s * dump_bytes);
  }
  program p = finish(b, r, out_bytes);
  p.seed = seed;
  p.target_name = target_name;
  p.target = target;
  p.file = b.build(target);
  return p;
}

program
generate_around(uint64_t seed, const std::string &target_name,
                const loom_target &target,
                const std::function<void(program_builder &, rng &)> &middle) {
  rng r(seed);
  program_builder b;
  const int64_t out_bytes = side_bytes + dump_bytes;
  emitter e(b, r, target);

  declare(b, r, out_bytes);
  emit_start(e, true);
  emit_block(e, static_cast<int>(r.between(0, 3)), 0);
  close_block(e);
  middle(b, r);
  e.order.fence();
  emit_end(e, side_bytes);
  program p = finish(b, r, out_bytes);
  p.seed = seed;
  p.target_name = target_name;
  p.target = target;
  p.file = b.build(target);
  return p;
}

// --- copies and fills
// --------------------------------------------------------------------------------------------

namespace {

struct end_point {
  uint64_t address;
  span touches;
  base_register base;
  int32_t stride[4];
};

// One side of a transfer, somewhere in SRAM or a slot.
std::optional<end_point> any_end(emitter &e, const loom_dma &d, bool write,
                                 bool indexed) {
  auto &r = e.r;
  end_point p{};
  const uint32_t slot =
      r.chance(50) ? LOOM_SLOT_SRAM
      : write      ? r.pick<uint32_t>({S_OUT, S_INOUT, S_SCRATCH, S_STATE})
              : r.pick<uint32_t>({S_IN, S_INOUT, S_CONST, S_SCRATCH, S_STATE});
  const int64_t size = slot == LOOM_SLOT_SRAM ? window
                       : slot == S_IN         ? Z_COUNT * zone_bytes
                                              : side_bytes;
  operand o;
  o.hi = d.inner_bytes;
  o.base = e.any_base();
  int64_t dense = d.inner_bytes;
  for (int k = 3; k >= 0; k--) {
    const int64_t s = r.chance(50)   ? dense
                      : r.chance(15) ? 0
                                     : r.between(-150, 150);
    p.stride[k] = static_cast<int32_t>(s);
    const int64_t rows = indexed && k == 3 ? d.limit : d.n[k];
    dense *= rows;
    o.dim(s, rows);
  }
  const int64_t least = std::max<int64_t>(0, -(o.lo + o.base.lo)),
                most = size - (o.hi + o.base.hi);
  if (most < least)
    return {};
  o.field = r.chance(10) ? least : r.chance(10) ? most : r.between(least, most);
  p.address = LOOM_ADDR(slot, o.field);
  p.touches = o.touches(write);
  p.touches.space = slot;
  p.base = o.base;
  return p;
}

} // namespace

void emit_dma(emitter &e) {
  auto &r = e.r;
  const bool st = r.chance(50), fill = r.chance(35);
  const bool indexed = !fill && r.chance(45), gather = r.chance(50);
  loom_dma d{};
  d.h = header(
      static_cast<uint8_t>(fill ? (st ? LOOM_OP_ST_FILL : LOOM_OP_LD_FILL)
                                : (st ? LOOM_OP_ST_COPY : LOOM_OP_LD_COPY) +
                                      (indexed ? (gather ? 2 : 3) : 0)),
      sizeof(d));
  d.h.loc = e.any_loc();
  d.elem = fill ? r.pick<uint8_t>({1, 2, 4}) : 0;
  for (auto &n : d.n)
    n = r.chance(50) ? 1 : 1 + r.below(5);
  d.inner_bytes = r.chance(15) ? 1 + r.below(700) : 1 + r.below(40);
  if (fill)
    d.inner_bytes = (d.inner_bytes + d.elem - 1) / d.elem * d.elem;
  d.idx_or_fill = fill ? static_cast<uint32_t>(r.next()) &
                             (d.elem == 4 ? ~0u : (1u << 8 * d.elem) - 1)
                       : 0;

  std::vector<span> touches, taken;
  operand list;
  if (indexed) {
    d.n[3] = 1 + r.below(6);
    d.limit = 1 + r.below(7);
    d.idx_type = r.pick<uint8_t>({LOOM_I32, LOOM_U32});
    list.hi = 4 * d.n[3];
    list.base = e.any_base();
    if (!e.place(list, taken))
      return;
    d.idx_or_fill = static_cast<uint32_t>(list.field);
  }
  const auto to = any_end(e, d, true, indexed && !gather);
  const auto from = any_end(e, d, false, indexed && gather);
  if (!to || (!fill && !from))
    return;
  d.dst = to->address;
  std::copy(to->stride, to->stride + 4, d.dstride);
  touches.push_back(to->touches);
  if (!fill) {
    d.src = from->address;
    std::copy(from->stride, from->stride + 4, d.sstride);
    touches.push_back(from->touches);
  }
  if (indexed) {
    e.refresh(list, Z_INDEX);
    touches.push_back(list.touches(false));
  }
  d.h.regsel =
      LOOM_REGSEL(fill ? 0 : from->base.reg, to->base.reg, list.base.reg, 0);
  e.order.add(d, st ? LOOM_Q_ST : LOOM_Q_LD, touches);
}

} // namespace loom_random
