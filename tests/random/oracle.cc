// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The machine: fetch, scalar records, copies. The array and the vector unit are
// in oracle_mxu.cc and oracle_vpu.cc.
#include <algorithm>

#include "oracle.h"

#include <cstring>

#include "oracle_num.h"

namespace loom_random {

namespace {

template <class T> T read(const uint8_t *p) {
  T t;
  std::memcpy(&t, p, sizeof(t));
  return t;
}

const char *op_name(unsigned op) {
#define NAME(x)                                                                \
  { LOOM_OP_##x, #x }
  static const std::map<unsigned, const char *> names = {
      NAME(HALT),      NAME(LDI),       NAME(ADD),        NAME(SUB),
      NAME(MUL),       NAME(SHL),       NAME(SHR),        NAME(AND),
      NAME(OR),        NAME(MIN),       NAME(MAX),        NAME(CLAMP),
      NAME(CMP),       NAME(LD),        NAME(ST),         NAME(LOOP),
      NAME(BR),        NAME(FENCE),     NAME(MARK),       NAME(LD_COPY),
      NAME(LD_FILL),   NAME(ST_COPY),   NAME(ST_FILL),    NAME(MXU),
      NAME(VPU),       NAME(LD_GATHER), NAME(LD_SCATTER), NAME(ST_GATHER),
      NAME(ST_SCATTER)};
#undef NAME
  const auto known = names.find(op);
  return known == names.end() ? "?" : known->second;
}

bool holds(unsigned cond, int64_t a, int64_t b) {
  const bool truth[] = {true, a == b, a != b, a<b, a <= b, a> b, a >= b};
  return truth[cond];
}

} // namespace

void oracle::count(const std::string &what) {
  if (counting)
    ++(*seen)[what];
}

uint8_t *oracle::memory(uint32_t slot, int64_t offset, uint64_t bytes) {
  auto &m = slot == LOOM_SLOT_SRAM ? sram : slots.at(slot);
  if (offset < 0 || static_cast<uint64_t>(offset) + bytes > m.size())
    throw bad_program("unit " + std::to_string(pc) + ": slot " +
                      std::to_string(slot) + ", offset " +
                      std::to_string(offset) + " is outside");
  if (slot == LOOM_SLOT_SRAM && watched >= offset &&
      watched < offset + static_cast<int64_t>(bytes) &&
      (touched.empty() || touched.back() != pc))
    touched.push_back(pc);
  return m.data() + offset;
}

uint64_t oracle::get(int64_t address, unsigned bytes) {
  uint64_t v = 0;
  std::memcpy(&v, at(address, bytes), bytes);
  return v;
}

void oracle::put(int64_t address, uint64_t value, unsigned bytes) {
  std::memcpy(at(address, bytes), &value, bytes);
}

float oracle::get_float(int64_t address, unsigned dtype) {
  if (dtype == LOOM_F32)
    return from_bits(static_cast<uint32_t>(get(address, 4)));
  const auto half = static_cast<uint16_t>(get(address, 2));
  return dtype == LOOM_BF16 ? from_bf16(half) : from_f16(half);
}

void oracle::put_float(int64_t address, unsigned dtype, float value) {
  if (dtype == LOOM_F32)
    put(address, bits(quiet(value)), 4);
  else
    put(address, dtype == LOOM_BF16 ? to_bf16(value) : to_f16(value), 2);
}

void oracle::run(const std::vector<uint8_t> &code, uint32_t first, uint32_t n) {
  sram.assign(target.sram_bytes, 0);
  accumulators.assign(target.acc_bytes / 4, 0);
  std::memset(r, 0, sizeof(r));
  loops.clear();
  halted = false;
  pc = first;
  for (long steps = 0; !halted; steps++) {
    if (pc < first || pc >= first + n || steps > 1000000)
      throw bad_program("the oracle left the code at unit " +
                        std::to_string(pc));
    const uint8_t *p = code.data() + static_cast<size_t>(pc) * LOOM_UNIT_BYTES;
    const auto h = read<loom_hdr>(p);
    counting = seen && executed.insert(pc).second;
    count(std::string("op ") + op_name(h.op));
    if (h.op < LOOM_OP_LD_COPY) {
      scalar(read<loom_seq>(p));
      continue;
    }
    if (h.regsel)
      count("base register");
    if (h.op < LOOM_OP_MXU) {
      dma(read<loom_dma>(p));
    } else if (h.op == LOOM_OP_MXU) {
      const auto m = read<loom_mxu>(p);
      const auto e = h.units == 6 ? read<loom_epi>(p + sizeof(m)) : loom_epi{};
      mxu(m, h.units == 6 ? &e : nullptr);
    } else {
      vpu(p);
    }
    go_on(pc + h.units, false);
  }
}

void oracle::go_on(uint32_t to, bool branch) {
  // A loop goes round when its body ends in sequence; leaving it in any other
  // way ends it.
  while (!loops.empty()) {
    auto &l = loops.back();
    const bool inside = to >= l.start && to < l.end;
    if (inside)
      break;
    if (to == l.end && !branch && --l.left > 0) {
      l.index++;
      if (l.rd)
        r[l.rd] = l.index;
      to = l.start;
      break;
    }
    loops.pop_back();
  }
  pc = to;
}

void oracle::scalar(const loom_seq &s) {
  const auto wrapping = [](uint64_t x) { return static_cast<int64_t>(x); };
  const int64_t a = r[s.ra];
  const int64_t b =
      wrapping(static_cast<uint64_t>(r[s.rb]) + static_cast<uint64_t>(s.imm));
  const auto ua = static_cast<uint64_t>(a), ub = static_cast<uint64_t>(b);
  const int64_t address = wrapping(ua + static_cast<uint64_t>(s.imm));
  int64_t result = 0;
  bool writes = true;

  switch (s.h.op) {
  case LOOM_OP_LDI:
    result = s.imm;
    break;
  case LOOM_OP_ADD:
    result = wrapping(ua + ub);
    break;
  case LOOM_OP_SUB:
    result = wrapping(ua - static_cast<uint64_t>(r[s.rb]) -
                      static_cast<uint64_t>(s.imm));
    break;
  case LOOM_OP_MUL:
    result = wrapping(ua * ub);
    break;
  case LOOM_OP_SHL:
    result = wrapping(ua << (ub & 63));
    break;
  case LOOM_OP_SHR:
    result = a >> (ub & 63);
    break;
  case LOOM_OP_AND:
    result = a & b;
    break;
  case LOOM_OP_OR:
    result = a | b;
    break;
  case LOOM_OP_MIN:
    result = a < b ? a : b;
    break;
  case LOOM_OP_MAX:
    result = a > b ? a : b;
    break;
  case LOOM_OP_CLAMP:
    result = a < 0 ? 0 : a;
    result = result < b ? result : b;
    break;
  case LOOM_OP_CMP:
    count("cond " + std::to_string(s.cond));
    result = holds(s.cond, a, b);
    break;
  case LOOM_OP_LD:
    count("scalar load " + std::to_string(s.cond));
    if (s.cond == LOOM_SCALAR_I8)
      result = static_cast<int8_t>(get(address, 1));
    else if (s.cond == LOOM_SCALAR_I32)
      result = static_cast<int32_t>(get(address, 4));
    else
      result = static_cast<int64_t>(get(address, 4));
    break;
  case LOOM_OP_ST:
    count("scalar store " + std::to_string(s.cond));
    put(address, static_cast<uint64_t>(r[s.rb]),
        s.cond == LOOM_SCALAR_I8 ? 1 : 4);
    writes = false;
    break;
  case LOOM_OP_LOOP: {
    const int64_t times = s.ra ? a : s.imm;
    count(s.ra ? "loop by register" : "loop by immediate");
    if (times > 0) {
      loops.push_back({pc + 1, s.target, times, 0, s.rd});
      if (s.rd)
        r[s.rd] = 0;
      pc++;
    } else {
      go_on(s.target, false);
    }
    return;
  }
  case LOOM_OP_BR:
    count("cond " + std::to_string(s.cond));
    if (holds(s.cond, a, b)) {
      go_on(s.target, true);
      return;
    }
    writes = false;
    break;
  case LOOM_OP_HALT:
    halted = true;
    return;
  case LOOM_OP_FENCE:
  case LOOM_OP_MARK:
    writes = false;
    break;
  default:
    throw bad_program("the oracle does not know opcode " +
                      std::to_string(s.h.op));
  }
  if (writes && s.rd)
    r[s.rd] = result;
  go_on(pc + 1, false);
}

void oracle::dma(const loom_dma &d) {
  const bool fill = d.h.op == LOOM_OP_LD_FILL || d.h.op == LOOM_OP_ST_FILL;
  const auto where = [](uint64_t a) {
    return LOOM_ADDR_SLOT(a) == LOOM_SLOT_SRAM ? "sram" : "memory";
  };
  std::vector<uint8_t> row(d.inner_bytes);
  uint32_t i[4];

  const bool gather =
      d.h.op == LOOM_OP_LD_GATHER || d.h.op == LOOM_OP_ST_GATHER;
  const bool scatter =
      d.h.op == LOOM_OP_LD_SCATTER || d.h.op == LOOM_OP_ST_SCATTER;

  count(std::string(fill ? "fill "
                         : std::string(gather    ? "gather "
                                       : scatter ? "scatter "
                                                 : "copy ") +
                               where(d.src) + " to ") +
        where(d.dst));
  for (i[0] = 0; i[0] < d.n[0]; i[0]++)
    for (i[1] = 0; i[1] < d.n[1]; i[1]++)
      for (i[2] = 0; i[2] < d.n[2]; i[2]++)
        for (i[3] = 0; i[3] < d.n[3]; i[3]++) {
          auto from =
              static_cast<int64_t>(LOOM_ADDR_OFFSET(d.src)) + base(d.h, 0);
          auto to =
              static_cast<int64_t>(LOOM_ADDR_OFFSET(d.dst)) + base(d.h, 1);
          int64_t source = i[3], target_row = i[3];
          if (gather || scatter) {
            const auto word = static_cast<uint32_t>(
                get(static_cast<int64_t>(d.idx_or_fill) + base(d.h, 2) +
                        4 * static_cast<int64_t>(i[3]),
                    4));
            const int64_t named = d.idx_type == LOOM_I32
                                      ? int64_t{static_cast<int32_t>(word)}
                                      : int64_t{word};
            const bool outside = named < 0 || named >= int64_t{d.limit};
            if (outside)
              count(gather ? "gather clamped" : "scatter dropped");
            if (outside && scatter)
              continue;
            (gather ? source : target_row) =
                std::clamp<int64_t>(named, 0, int64_t{d.limit} - 1);
          }
          for (int k = 0; k < 3; k++) {
            from += static_cast<int64_t>(i[k]) * d.sstride[k];
            to += static_cast<int64_t>(i[k]) * d.dstride[k];
          }
          from += source * d.sstride[3];
          to += target_row * d.dstride[3];
          if (fill)
            for (uint32_t b = 0; b < d.inner_bytes; b++)
              row[b] = static_cast<uint8_t>(d.idx_or_fill >> 8 * (b % d.elem));
          else
            std::memcpy(row.data(),
                        memory(LOOM_ADDR_SLOT(d.src), from, row.size()),
                        row.size());
          std::memcpy(memory(LOOM_ADDR_SLOT(d.dst), to, row.size()), row.data(),
                      row.size());
        }
}

} // namespace loom_random
