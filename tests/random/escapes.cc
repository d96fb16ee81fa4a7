// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "escapes.h"

#include <algorithm>
#include <bit>
#include <iterator>

#include "emitter.h"

namespace loom_random {

using namespace loom_test;

namespace {

using builder = program_builder;

struct context {
  builder &b;
  rng &r;
  const loom_target &target;
};

struct offence {
  const char *name;
  bool outside;
  int expected;
  void (*commit)(context &c);
};

uint64_t slot_bytes(const context &c, uint32_t slot) {
  return c.b.slots[slot].bytes;
}

// A record that names one of the sources, so that a fault can name it.
template <class T> void add(context &c, T record) {
  record.h.loc = 1 + c.r.below(3);
  c.b.add(record);
}

loom_dma transfer(context &c, uint64_t src, uint64_t dst, uint32_t bytes) {
  return copy(c.r.pick<uint8_t>({LOOM_OP_LD_COPY, LOOM_OP_ST_COPY}), src, dst,
              bytes);
}

uint64_t sram(int64_t offset) { return LOOM_ADDR(LOOM_SLOT_SRAM, offset); }

// Reads from, or writes to, a place of a slot that it must not.
void touch(context &c, uint32_t slot, uint64_t offset, uint32_t bytes,
           bool write) {
  const uint64_t there = LOOM_ADDR(slot, offset);
  add(c, write ? transfer(c, sram(0), there, bytes)
               : transfer(c, there, sram(0), bytes));
}

loom_mxu small_product(context &c) {
  loom_mxu m{};
  m.h = header(LOOM_OP_MXU, sizeof(m));
  m.type = LOOM_MXU_F32;
  m.flags = LOOM_MXU_DRAIN;
  m.ih = m.kh = m.kw = m.oh = m.sy = m.sx = m.dy = m.dx = 1;
  m.outer[0] = m.outer[1] = 1;
  m.iw = m.ow = static_cast<uint16_t>(c.r.between(1, 8));
  m.kc = static_cast<uint16_t>(c.r.between(1, 8));
  m.n = m.acc_pitch = static_cast<uint16_t>(c.r.between(1, 16));
  m.a_sw = 4 * m.kc;
  m.a_sc = 4;
  m.b_base = 1024;
  m.b_sk = 4 * m.n;
  m.b_sn = 4;
  m.out_base = 4096;
  m.o_sx = 4 * m.n;
  m.o_sn = 4;
  return m;
}

// One view in, one out, moved by the caller.
void vector_record(context &c, uint32_t in, uint32_t out, uint16_t count,
                   int32_t stride, uint32_t op = 0, uint16_t regsel = 0) {
  struct {
    loom_vpu v;
    loom_view views[2];
    uint32_t ops[8];
  } record{};
  record.v.h = header(LOOM_OP_VPU, sizeof(loom_vpu) + 2 * 32 + 8);
  record.v.h.loc = 1;
  record.v.h.regsel = regsel;
  std::fill(record.v.n, record.v.n + 6, 1);
  record.v.n[5] = count;
  record.v.nviews = 2;
  record.v.nops = 2;
  record.views[0].base = in;
  record.views[1].base = out;
  record.views[1].flags = LOOM_VIEW_OUT;
  record.views[0].stride[5] = record.views[1].stride[5] = stride;
  record.ops[0] = LOOM_UOP(LOOM_UOP_LOAD, 0, 0, 0, 0);
  record.ops[1] = op ? op : LOOM_UOP(LOOM_UOP_STORE, 1, 0, 0, 0);
  c.b.add(record);
}

uint32_t far_slot(context &c) {
  return static_cast<uint32_t>(
      c.r.between(S_COUNT + unbound_slots, LOOM_SLOT_REPORT - 1));
}

uint32_t here(context &c) {
  return static_cast<uint32_t>(c.b.code.size() / LOOM_UNIT_BYTES);
}

uint32_t semaphore(context &c) { return c.r.below(LOOM_NUM_SEMS); }

// Everything that a cold machine could still hold of the job before it.
void peek(context &c) {
  for (uint8_t reg = 1; reg < 14; reg++) {
    add(c, seq(LOOM_OP_ST, 0, 0, reg, 8 * reg, LOOM_SCALAR_U32));
    add(c, seq(LOOM_OP_SHR, 15, reg, 0, 32));
    add(c, seq(LOOM_OP_ST, 0, 0, 15, 8 * reg + 4, LOOM_SCALAR_U32));
  }
  const uint32_t from = c.r.below(c.target.sram_bytes - 4096);
  add(c, copy(LOOM_OP_ST_COPY, sram(from), LOOM_ADDR(S_OUT, 0), 4096));
  add(c, seq(LOOM_OP_FENCE));
  auto zero = copy(LOOM_OP_LD_FILL, 0, sram(0), 2048);
  zero.elem = 1;
  c.b.add(zero);
  add(c, seq(LOOM_OP_FENCE));
  auto m = small_product(c);
  m.acc = LOOM_ACC_KEEP; // of accumulators that nobody of this job wrote
  m.acc_base = static_cast<uint16_t>(c.r.below(200));
  add(c, m);
}

const offence offences[] = {
    {"slot: past the end", true, LOOM_FAULT_SLOT_BOUNDS,
     [](context &c) {
       const uint32_t slot = c.r.pick<uint32_t>({S_INOUT, S_SCRATCH, S_STATE});
       const uint32_t n = 1 + c.r.below(200);
       touch(c, slot, slot_bytes(c, slot) - c.r.below(n), n, c.r.chance(50));
     }},
    {"slot: far away", true, LOOM_FAULT_SLOT_BOUNDS,
     [](context &c) {
       const uint64_t offset = c.r.chance(50) ? c.r.next() & 0xffffffffffff
                                              : 1ull << c.r.between(20, 47);
       touch(c, S_INOUT, offset | 1 << 20, 64, c.r.chance(50));
     }},
    {"slot: negative stride", true, LOOM_FAULT_SLOT_BOUNDS,
     [](context &c) {
       auto d = transfer(c, LOOM_ADDR(S_INOUT, 64), sram(0), 16);
       if (c.r.chance(50))
         std::swap(d.src, d.dst);
       const int dim = static_cast<int>(c.r.below(4));
       d.n[dim] = 2 + c.r.below(9);
       const auto stride = static_cast<int32_t>(-65 - c.r.below(1u << 30));
       (LOOM_ADDR_SLOT(d.src) == S_INOUT ? d.sstride : d.dstride)[dim] = stride;
       add(c, d);
     }},
    {"slot: write without right", true, LOOM_FAULT_SLOT_RIGHTS,
     [](context &c) {
       touch(c, c.r.pick<uint32_t>({S_IN, S_CONST}), c.r.below(1000), 64, true);
     }},
    {"slot: read without right", true, LOOM_FAULT_SLOT_RIGHTS,
     [](context &c) { touch(c, S_OUT, c.r.below(1000), 64, false); }},
    {"slot: fill without right", true, LOOM_FAULT_SLOT_RIGHTS,
     [](context &c) {
       auto d = copy(c.r.pick<uint8_t>({LOOM_OP_LD_FILL, LOOM_OP_ST_FILL}), 0,
                     LOOM_ADDR(S_CONST, 0), 64);
       d.elem = 4;
       d.idx_or_fill = static_cast<uint32_t>(c.r.next());
       add(c, d);
     }},
    {"slot: foreign", true, LOOM_FAULT_SLOT,
     [](context &c) { touch(c, far_slot(c), 0, 64, c.r.chance(50)); }},
    {"slot: not bound", true, LOOM_FAULT_SLOT,
     [](context &c) {
       touch(c, S_COUNT + c.r.below(unbound_slots), 0, 64, c.r.chance(50));
     }},
    {"slot: code or report", true, LOOM_FAULT_SLOT,
     [](context &c) {
       touch(c, c.r.pick<uint32_t>({LOOM_SLOT_CODE, LOOM_SLOT_REPORT}), 0, 64,
             c.r.chance(50));
     }},
    {"register: slot address", true, LOOM_FAULT_SLOT_BOUNDS,
     [](context &c) {
       const int64_t value = c.r.chance(50) ? -1 - c.r.between(0, 1ll << 40)
                                            : c.r.between(1ll << 20, INT64_MAX);
       add(c, seq(LOOM_OP_LDI, 15, 0, 0, value));
       auto d = transfer(c, LOOM_ADDR(S_INOUT, 0), sram(0), 64);
       d.h.regsel = LOOM_REGSEL(15, 0, 0, 0);
       add(c, d);
     }},
    {"register: SRAM address of a copy", true, LOOM_FAULT_SRAM_BOUNDS,
     [](context &c) {
       add(c, seq(LOOM_OP_LDI, 15, 0, 0,
                  c.r.chance(50) ? INT64_MIN : -1 - c.r.between(0, 4096)));
       auto d = transfer(c, LOOM_ADDR(S_INOUT, 0), sram(0), 64);
       d.h.regsel = LOOM_REGSEL(0, 15, 0, 0);
       add(c, d);
     }},
    {"register: array operand", true, LOOM_FAULT_SRAM_BOUNDS,
     [](context &c) {
       const unsigned nibble = c.r.below(3);
       add(c, seq(LOOM_OP_LDI, 15, 0, 0,
                  (c.r.chance(50) ? 1 : -1) * (1ll << c.r.between(27, 62))));
       auto m = small_product(c);
       m.h.regsel = static_cast<uint16_t>(15u << 4 * nibble);
       add(c, m);
     }},
    {"register: vector view", true, LOOM_FAULT_SRAM_BOUNDS,
     [](context &c) {
       add(c, seq(LOOM_OP_LDI, 15, 0, 0,
                  (c.r.chance(50) ? 4 : -4) * (1ll << c.r.between(25, 60))));
       vector_record(c, 0, 64, 4, 4, 0, c.r.chance(50) ? 0x000f : 0x00f0);
     }},
    {"SRAM: copy past the end", true, LOOM_FAULT_SRAM_BOUNDS,
     [](context &c) {
       auto d = transfer(c, sram(c.target.sram_bytes - c.r.below(64)),
                         LOOM_ADDR(S_INOUT, 0), 64);
       if (c.r.chance(50))
         std::swap(d.src, d.dst);
       add(c, d);
     }},
    {"SRAM: scalar access", true, LOOM_FAULT_SRAM_BOUNDS,
     [](context &c) {
       const int64_t at = c.r.chance(50)
                              ? c.target.sram_bytes + 4 * c.r.between(0, 1000)
                              : 4 * c.r.between(-(1ll << 40), -1);
       add(c, seq(c.r.pick<uint8_t>({LOOM_OP_LD, LOOM_OP_ST}), 0, 0, 0, at,
                  LOOM_SCALAR_I32));
     }},
    {"SRAM: array input", true, LOOM_FAULT_SRAM_BOUNDS,
     [](context &c) {
       auto m = small_product(c);
       (c.r.chance(50) ? m.a_base : m.b_base) =
           c.target.sram_bytes - 4 * c.r.below(2) +
           (c.r.chance(30) ? 0x7ffff000 : 0);
       m.kc = 4;
       add(c, m);
     }},
    {"SRAM: array output", true, LOOM_FAULT_SRAM_BOUNDS,
     [](context &c) {
       auto m = small_product(c);
       m.ow = m.iw = 2;
       m.o_sx = c.r.chance(50) ? INT32_MAX / 4 * 4 : INT32_MIN;
       add(c, m);
     }},
    {"SRAM: vector input", true, LOOM_FAULT_SRAM_BOUNDS,
     [](context &c) {
       vector_record(c, c.target.sram_bytes - 4, 0, 2,
                     c.r.chance(50) ? 4 : INT32_MAX / 4 * 4);
     }},
    {"SRAM: vector output", true, LOOM_FAULT_SRAM_BOUNDS,
     [](context &c) { vector_record(c, 64, 0, 8, -16); }},
    {"accumulators: past the end", true, LOOM_FAULT_ACC_BOUNDS,
     [](context &c) {
       auto m = small_product(c);
       m.acc = c.r.pick<uint8_t>({LOOM_ACC_ZERO, LOOM_ACC_KEEP});
       m.acc_base = c.r.chance(50)
                        ? static_cast<uint16_t>(c.target.acc_bytes / 64)
                        : 0xffff;
       add(c, m);
     }},
    {"accumulators: pitch", true, LOOM_FAULT_ACC_BOUNDS,
     [](context &c) {
       auto m = small_product(c);
       m.iw = m.ow = 8;
       m.acc_base = static_cast<uint16_t>(c.target.acc_bytes / 64 - 1);
       m.acc_pitch = 1000;
       add(c, m);
     }},
    {"branch outside", true, LOOM_FAULT_BRANCH,
     [](context &c) {
       const uint32_t to = c.r.chance(50)
                               ? here(c) + 100000
                               : static_cast<uint32_t>(c.r.next()) | 1u << 31;
       add(c, seq(LOOM_OP_BR, 0, 0, 0, 0, LOOM_COND_ALWAYS, to));
     }},
    {"loop to before itself", true, LOOM_FAULT_BRANCH,
     [](context &c) {
       add(c, seq(LOOM_OP_LOOP, 0, 0, 0, 2, 0, c.r.below(here(c) + 1)));
     }},
    {"loops too deep", false, LOOM_FAULT_LOOP_NEST,
     [](context &c) {
       for (int i = 0; i < 5; i++)
         add(c, seq(LOOM_OP_LOOP, 0, 0, 0, 2, 0, here(c) + 10));
     }},
    {"into the middle of a record", true, any_fault,
     [](context &c) {
       add(c, seq(LOOM_OP_BR, 0, 0, 0, 0, LOOM_COND_ALWAYS,
                  c.r.below(here(c) + 1)));
     }},
    {"semaphore number", false, LOOM_FAULT_SEM,
     [](context &c) {
       auto s = seq(LOOM_OP_MARK);
       (c.r.chance(50) ? s.h.wait : s.h.signal)[c.r.below(2)] = {
           static_cast<uint8_t>(c.r.between(32, 255)), 1};
       add(c, s);
     }},
    {"semaphore count", false, LOOM_FAULT_SEM,
     [](context &c) {
       for (int i = 0; i < 2; i++) {
         auto s = seq(LOOM_OP_MARK);
         s.h.signal[0] = {7, static_cast<uint8_t>(c.r.between(128, 255))};
         add(c, s);
       }
     }},
    {"semaphore left", false, LOOM_FAULT_SEM_LEFT,
     [](context &c) {
       auto s = seq(LOOM_OP_MARK);
       s.h.signal[0] = {static_cast<uint8_t>(semaphore(c)), 1};
       add(c, s);
     }},
    {"semaphore that nobody signals", false, LOOM_FAULT_DEADLOCK,
     [](context &c) {
       auto d = transfer(c, sram(0), sram(64), 16);
       d.h.wait[c.r.below(2)] = {static_cast<uint8_t>(semaphore(c)), 1};
       add(c, d);
     }},
    {"semaphore that the neighbour left", true, LOOM_FAULT_DEADLOCK,
     [](context &c) {
       auto s = seq(LOOM_OP_MARK);
       s.h.wait[0] = {5, 1};
       add(c, s);
     }},
    {"endless loop", false, LOOM_FAULT_BUDGET_INSNS,
     [](context &c) {
       add(c, seq(LOOM_OP_BR, 0, 0, 0, 0, LOOM_COND_ALWAYS, here(c)));
     }},
    {"endless work", false, LOOM_FAULT_BUDGET_CYCLES,
     [](context &c) {
       const uint32_t at = here(c);
       auto d = copy(LOOM_OP_LD_FILL, 0, sram(0), 16384);
       d.elem = 1;
       add(c, d);
       add(c, seq(LOOM_OP_BR, 0, 0, 0, 0, LOOM_COND_ALWAYS, at));
     }},
    {"trap", false, LOOM_FAULT_TRAP,
     [](context &c) { add(c, seq(LOOM_OP_TRAP, 0, 0, 0, c.r.below(1000))); }},
    {"zeroed record", false, LOOM_FAULT_OPCODE,
     [](context &c) { c.b.add(loom_seq{}); }},
    {"length", false, LOOM_FAULT_UNITS,
     [](context &c) {
       auto m = small_product(c);
       m.h.units = static_cast<uint8_t>(c.r.chance(50) ? 3 : 200);
       add(c, m);
     }},
    {"reserved field", false, LOOM_FAULT_RESERVED,
     [](context &c) {
       auto d = transfer(c, sram(0), sram(64), 16);
       d.limit = 1 + c.r.below(1000);
       add(c, d);
     }},
    {"feature", false, LOOM_FAULT_FEATURE,
     [](context &c) {
       auto d = copy(c.r.chance(50) ? LOOM_OP_LD_COPY : LOOM_OP_ST_COPY,
                     LOOM_ADDR(S_IN, 0), sram(0), 4);
       d.codec = LOOM_CODEC_WEIGHT;
       add(c, d);
     }},
    {"micro-operation", false, LOOM_FAULT_OPCODE,
     [](context &c) { vector_record(c, 0, 64, 4, 4, 0xff); }},
    {"field", false, LOOM_FAULT_FIELD,
     [](context &c) {
       auto m = small_product(c);
       m.type = static_cast<uint8_t>(c.r.between(3, 255));
       add(c, m);
     }},
    {"cap", false, LOOM_FAULT_CAP,
     [](context &c) {
       auto d = transfer(c, sram(0), sram(0), 64);
       d.n[0] = d.n[1] = static_cast<uint32_t>(c.r.next()) | 0x8000;
       add(c, d);
     }},
    {"alignment", false, LOOM_FAULT_ALIGN,
     [](context &c) {
       auto m = small_product(c);
       m.out_base += 1 + c.r.below(3);
       add(c, m);
     }},
    {"what the neighbour left", true, LOOM_FAULT_NONE, peek},
};

// Copies changed code and the small budgets into the container.
void reseal(program &p) {
  loom_prog_header h;
  std::memcpy(&h, p.file.data(), sizeof(h));
  std::memcpy(p.file.data() + h.sections[LOOM_SEC_NPU_CODE].offset,
              p.code.data(), p.code.size());
  for (auto &s : p.segments) {
    s.insn_budget = escape_insns;
    s.cycle_budget = escape_cycles;
  }
  std::memcpy(p.file.data() + h.sections[LOOM_SEC_SEGMENTS].offset,
              p.segments.data(), p.segments.size() * sizeof(p.segments[0]));
  program_builder::seal(p.file, h);
}

// Damage of the code as a whole, for what no list of offences thinks of.
void damage(escape &e, rng &r) {
  auto &code = e.p.code;
  const unsigned how = r.below(4);
  const char *const names[] = {"flipped bits", "random bytes", "random unit",
                               "cut off"};
  e.kind = names[how];
  e.outside = how != 3;
  if (how == 3) { // no HALT: the program counter leaves the code
    const size_t at = code.size() - LOOM_UNIT_BYTES;
    const loom_seq mark = seq(LOOM_OP_MARK);
    std::memcpy(code.data() + at, &mark, sizeof(mark));
    e.expected = LOOM_FAULT_FETCH;
    return;
  }
  for (int64_t n = r.between(1, 12); n > 0; n--) {
    const size_t at = r.below(code.size());
    const size_t unit = at / LOOM_UNIT_BYTES * LOOM_UNIT_BYTES;
    if (how == 0)
      code[at] ^= static_cast<uint8_t>(1u << r.below(8));
    else if (how == 1)
      code[at] = static_cast<uint8_t>(r.next());
    else
      // All but the opcode and the length.
      for (size_t k = 2; k < LOOM_UNIT_BYTES; k++)
        code[unit + k] = static_cast<uint8_t>(r.next());
  }
}

} // namespace

escape make_escape(uint64_t seed, uint64_t i, const std::string &target_name,
                   const loom_target &target) {
  rng r(seed * 7919 + i);
  escape e;
  const size_t pick = r.below(std::size(offences) + 12);
  e.p = generate_around(r.next(), target_name, target,
                        [&](program_builder &b, rng &inner) {
                          context c{b, inner, target};
                          if (pick < std::size(offences))
                            offences[pick].commit(c);
                        });
  if (pick < std::size(offences)) {
    e.kind = offences[pick].name;
    e.outside = offences[pick].outside;
    e.expected = offences[pick].expected;
  } else {
    damage(e, r);
  }
  reseal(e.p);
  return e;
}

namespace {

// One, times a row of the canary: accumulators that hold it.
void fill_accumulators(program_builder &b, const loom_target &target) {
  const auto rows = std::min<uint32_t>(target.acc_bytes / 4 / 16, 1024);
  auto one = copy(LOOM_OP_LD_FILL, 0, LOOM_ADDR(LOOM_SLOT_SRAM, 0), 4);
  one.elem = 4;
  one.idx_or_fill = std::bit_cast<uint32_t>(1.0f);
  one.h.signal[0] = {1, 1};
  b.add(one);
  loom_mxu m{};
  m.h = header(LOOM_OP_MXU, sizeof(m));
  m.h.wait[0] = {1, 1};
  m.ih = m.kh = m.kw = m.kc = m.oh = m.sy = m.sx = m.dy = m.dx = 1;
  m.outer[0] = m.outer[1] = 1;
  m.iw = m.ow = static_cast<uint16_t>(rows);
  m.n = m.acc_pitch = 16;
  m.b_base = 1024;
  m.b_sn = 4;
  b.add(m);
}

} // namespace

program make_neighbour(const loom_target &target, bool with_array) {
  program p;
  program_builder b;
  b.slot("secret", LOOM_SLOT_ARG, target.sram_bytes, LOOM_RIGHT_READ);
  for (uint8_t reg = 1; reg < 16; reg++)
    b.add(seq(LOOM_OP_LDI, reg, 0, 0,
              static_cast<int64_t>(canary_words[1]) << 32 | canary_words[0]));
  for (uint32_t at = 0; at < target.sram_bytes; at += LOOM_CAP_DMA_BYTES)
    b.add(copy(LOOM_OP_LD_COPY, LOOM_ADDR(0, at), LOOM_ADDR(LOOM_SLOT_SRAM, at),
               std::min(LOOM_CAP_DMA_BYTES, target.sram_bytes - at)));
  if (with_array)
    fill_accumulators(b, target);
  auto mark = seq(LOOM_OP_MARK);
  mark.h.signal[0] = {5, 1}; // left behind
  b.add(mark);
  b.add(halt());
  b.segment();
  p.target = target;
  p.contents.emplace_back(target.sram_bytes);
  fill_canary(p.contents[0].data(), p.contents[0].size());
  p.file = b.build(target);
  p.code = b.code;
  p.segments = b.segments;
  p.slots = b.slots;
  return p;
}

bool has_canary(const void *bytes, size_t n) {
  uint8_t both[12];
  std::memcpy(both, canary_words, 8);
  std::memcpy(both + 8, canary_words, 4);
  return memmem(bytes, n, both, 8) || memmem(bytes, n, both + 4, 8);
}

void fill_canary(void *bytes, size_t n) {
  auto *p = static_cast<uint8_t *>(bytes);
  for (size_t i = 0; i < n; i++)
    p[i] = static_cast<uint8_t>(canary_words[i / 4 % 2] >> 8 * (i % 4));
}

} // namespace loom_random
