// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Random programs: mostly sound records, so that much is executed, some damaged
// and some wholly random. For each program the job must stay inside its slots,
// must give the same bits and cycles in one piece and in slices with a move to
// another NPU, and its report must add up. Memory that belongs to nobody, read
// or write-only, is full of a canary that must not turn up in anything that can
// be read.
#include <algorithm>
#include <utility>
#include <vector>

#include "input.h"

extern "C" {
#include "loom_npu.h"
}

namespace {

using loom::fuzz::input;
using loom::fuzz::require;

constexpr uint64_t canary = 0xc3a5f19b7e2d4681;
constexpr uint32_t slot_bytes = 4096, n_slots = 4, gap = 4096;
constexpr uint32_t report_at = n_slots * (slot_bytes + gap) + gap,
                   report_bytes = 4096;
constexpr uint32_t arena_bytes = report_at + report_bytes + gap;
enum : uint32_t { both, read_only, write_only, unbound };

// Slots in one block with a canary before, between and behind; slots that may
// not be read hold it too.
struct world {
  std::vector<uint8_t> arena = std::vector<uint8_t>(arena_bytes);
  std::vector<uint8_t> code;
  loom_npu_slot slots[n_slots] = {
      {slot_bytes, LOOM_RIGHT_READ | LOOM_RIGHT_WRITE, 0, 0},
      {slot_bytes, LOOM_RIGHT_READ, 1, 0},
      {slot_bytes, LOOM_RIGHT_WRITE, 0, 0},
      {0, 0, 0, 0}};
  bool direct_allowed = true;

  world() {
    for (size_t i = 0; i < arena.size(); i += 8)
      std::memcpy(&arena[i], &canary, 8);
    for (uint32_t s : {both, read_only})
      for (uint32_t i = 0; i < slot_bytes; i++)
        arena[at(s) + i] = uint8_t(i % 64);
    std::fill_n(&arena[report_at], report_bytes, 0);
  }
  static uint32_t at(uint32_t slot) {
    return slot == LOOM_NPU_REPORT ? report_at
                                   : gap + slot * (slot_bytes + gap);
  }

  uint8_t *access(uint32_t slot, uint64_t offset, uint64_t len,
                  uint32_t right) {
    const uint64_t limit = slot == LOOM_NPU_REPORT ? report_bytes : slot_bytes;
    if (slot == LOOM_NPU_REPORT) {
      require(right == LOOM_RIGHT_WRITE);
    } else {
      require(slot < n_slots && slots[slot].bytes &&
              slots[slot].rights & right);
    }
    require(offset <= limit && len <= limit - offset);
    return &arena[at(slot) + offset];
  }
};

int host_read(void *o, uint32_t slot, uint64_t offset, void *buf,
              uint64_t len) {
  auto *w = static_cast<world *>(o);
  if (slot == LOOM_NPU_CODE) {
    require(offset <= w->code.size() && len <= w->code.size() - offset);
    std::memcpy(buf, w->code.data() + offset, len);
  } else {
    std::memcpy(buf, w->access(slot, offset, len, LOOM_RIGHT_READ), len);
  }
  return LOOM_FAULT_NONE;
}

int host_write(void *o, uint32_t slot, uint64_t offset, const void *buf,
               uint64_t len) {
  std::memcpy(
      static_cast<world *>(o)->access(slot, offset, len, LOOM_RIGHT_WRITE), buf,
      len);
  return LOOM_FAULT_NONE;
}

void *host_direct(void *o, uint32_t slot, uint64_t offset, uint64_t len,
                  bool write) {
  auto *w = static_cast<world *>(o);
  return w->direct_allowed
             ? w->access(slot, offset, len,
                         write ? LOOM_RIGHT_WRITE : LOOM_RIGHT_READ)
             : nullptr;
}

loom_target target() {
  loom_target t;
  require(loom_target_named("npu8", &t));
  return t;
}

struct machine {
  world w;
  loom_npu *npu = nullptr;
  machine() {
    const loom_target t = target();
    const loom_npu_host host = {host_read, host_write, host_direct, nullptr,
                                nullptr};
    npu = loom_npu_create(&t, &host, &w);
    require(npu);
  }
  ~machine() { loom_npu_destroy(npu); }
};

// One time in 32 anywhere, else where the bytes probably fit.
uint64_t address(input &in, uint32_t right) {
  if (in.below(32) == 0)
    return LOOM_ADDR(in.below(6),
                     in.below(2) ? in.below(4200) : in.take<uint32_t>());
  if (in.below(2))
    return LOOM_ADDR(LOOM_SLOT_SRAM, 8192 + in.below(32768));
  return LOOM_ADDR(in.below(2)                ? uint32_t(both)
                   : right == LOOM_RIGHT_READ ? read_only
                                              : write_only,
                   in.below(1024));
}

void sound_dma(input &in, loom_dma &d, bool fill) {
  d.h.units = 3;
  d.dst = address(in, LOOM_RIGHT_WRITE);
  d.inner_bytes = 4 * (1 + in.below(12));
  int32_t step = int32_t(d.inner_bytes);
  for (int k = 3; k >= 0; k--) {
    d.n[k] = 1 + in.below(3);
    d.dstride[k] = in.below(2) ? step : int16_t(in.below(256) - 32);
    d.sstride[k] = fill ? 0 : d.dstride[k];
    step *= int32_t(d.n[k]);
  }
  if (fill) {
    d.elem = 4;
    d.idx_or_fill = in.take<uint32_t>();
  } else {
    d.src = address(in, LOOM_RIGHT_READ);
  }
}

void sound_mxu(input &in, loom_mxu &m) {
  m.h.units = 4;
  m.type = uint8_t(in.below(3));
  const int elem = m.type == LOOM_MXU_F32 ? 4 : m.type == LOOM_MXU_BF16 ? 2 : 1;
  m.flags = LOOM_MXU_DRAIN;
  m.kc = uint16_t(1 + in.below(40));
  m.n = uint16_t(1 + in.below(40));
  m.ih = m.iw = uint16_t(1 + in.below(8));
  m.kh = m.kw = uint16_t(1 + in.below(3));
  m.oh = m.ow = m.ih;
  m.px = m.py = int16_t((m.kh - 1) / 2);
  m.sy = m.sx = m.dy = m.dx = 1;
  m.outer[0] = m.outer[1] = 1;
  m.a_sc = elem;
  m.a_sw = m.kc * elem;
  m.a_sh = m.iw * m.a_sw;
  m.b_base = in.below(200) * 64;
  m.b_sn = elem;
  m.b_sk = m.n * elem;
  m.acc_pitch = m.n;
  m.out_base = 16384 + in.below(256) * 64;
  m.out_type = m.type == LOOM_MXU_INT8 ? LOOM_I32 : LOOM_F32;
  m.o_sn = 4;
  m.o_sx = m.n * 4;
  m.o_sy = m.ow * m.o_sx;
}

void sound_vpu(input &in, uint8_t *bytes) {
  auto &v = *reinterpret_cast<loom_vpu *>(bytes);
  for (auto &n : v.n)
    n = uint16_t(1 + in.below(4));
  v.nviews = 2;
  v.nops = 3;
  v.h.units = 4;
  auto *view = reinterpret_cast<loom_view *>(&v + 1);
  for (int i = 0; i < 2; i++) {
    view[i].base = in.below(512) * 64;
    view[i].dtype = uint8_t(in.below(LOOM_NUM_NPU_DTYPES));
    for (auto &s : view[i].stride)
      s = int32_t(in.below(16)) * 4;
  }
  view[1].flags = LOOM_VIEW_OUT;
#define UOP(num, name, operands, cls, text) num,
  static const uint8_t known[] = {LOOM_UOPS(UOP)};
#undef UOP
  const uint32_t any = known[in.below(sizeof(known))],
                 op = any < LOOM_UOP_RADD_F || in.below(16) == 0 ? any : 0x10u;
  const uint32_t ops[] = {LOOM_UOP(LOOM_UOP_LOAD, 0, 0, 0, 0),
                          in.below(16) ? op : in.take<uint32_t>(),
                          LOOM_UOP(LOOM_UOP_STORE, 1, 0, 0, 0)};
  std::memcpy(view + 2, ops, sizeof(ops));
}

void sound_seq(input &in, loom_seq &s, uint32_t pc) {
  s.h.units = 1;
  s.rd = uint8_t(in.below(16));
  s.ra = uint8_t(in.below(16));
  s.rb = uint8_t(in.below(16));
  s.imm = in.below(2) ? in.below(4096) : in.take<int64_t>();
  if (s.h.op == LOOM_OP_LDI || s.h.op == LOOM_OP_LOOP)
    s.ra = s.rb = 0;
  else if (s.h.op == LOOM_OP_LD || s.h.op == LOOM_OP_ST)
    s.ra = uint8_t(in.below(16) ? 0 : s.ra), s.imm = in.below(16384) * 4;
  else if (s.h.op == LOOM_OP_FENCE)
    s.rd = s.ra = s.rb = 0, s.imm = 0;
  if (s.h.op == LOOM_OP_LOOP) {
    s.target = pc + 1 + in.below(8);
    s.imm = in.below(10);
  } else if (s.h.op == LOOM_OP_ST) {
    s.rd = 0;
  } else if (s.h.op == LOOM_OP_LD) {
    s.rb = 0;
  }
}

std::vector<uint8_t> program(input &in) {
  static const uint8_t ops[] = {
      LOOM_OP_LDI, LOOM_OP_ADD,     LOOM_OP_MUL,     LOOM_OP_LD,
      LOOM_OP_ST,  LOOM_OP_LOOP,    LOOM_OP_FENCE,   LOOM_OP_LD_COPY,
      LOOM_OP_VPU, LOOM_OP_LD_FILL, LOOM_OP_ST_COPY, LOOM_OP_ST_FILL,
      LOOM_OP_MXU, LOOM_OP_VPU};
  std::vector<uint8_t> code;
  uint32_t given = 0;
  for (uint32_t left = in.below(60); left; left--) {
    alignas(8) uint8_t r[LOOM_MAX_RECORD_BYTES] = {};
    auto &h = *reinterpret_cast<loom_hdr *>(r);
    const bool sound = in.below(64);
    uint32_t bytes;
    if (!sound) {
      in.take(r, 32 * (1 + in.below(6)));
      h.units &= 31;
      bytes = 32u * std::max<uint32_t>(h.units, 1);
    } else {
      h.op = ops[in.below(sizeof(ops))];
      if (h.op >= LOOM_OP_LD_COPY && h.op <= LOOM_OP_ST_SCATTER)
        sound_dma(in, *reinterpret_cast<loom_dma *>(r), h.op & 1);
      else if (h.op == LOOM_OP_MXU)
        sound_mxu(in, *reinterpret_cast<loom_mxu *>(r));
      else if (h.op == LOOM_OP_VPU)
        sound_vpu(in, r);
      else
        sound_seq(in, *reinterpret_cast<loom_seq *>(r),
                  uint32_t(code.size() / 32));
      if (in.below(4) == 0)
        h.signal[0] = {1, 1}, given++;
      else if (given && in.below(2))
        h.wait[0] = {1, 1}, given--;
      if (in.below(64) == 0)
        h.wait[1] = {uint8_t(in.below(4)), 1};
      if (h.op >= LOOM_OP_LD_COPY && in.below(16) == 0)
        h.regsel = h.op & 1 ? LOOM_REGSEL(0, in.below(16), 0, 0)
                            : LOOM_REGSEL(in.below(16), in.below(16), 0, 0);
      bytes = 32u * h.units;
      for (uint32_t damage = in.below(64) == 0 ? 1 + in.below(3) : 0; damage;
           damage--)
        r[in.below(bytes)] = in.take<uint8_t>();
    }
    code.insert(code.end(), r, r + bytes);
  }
  alignas(8) loom_seq halt = {};
  halt.h.op = LOOM_OP_HALT;
  halt.h.units = 1;
  if (given && in.below(16))
    halt.h.wait[0] = {1, uint8_t(given)};
  code.resize(code.size() + 32);
  std::memcpy(&code[code.size() - 32], &halt, sizeof(halt));
  return code;
}

loom_npu_job job_of(world &w) {
  loom_npu_job j = {};
  j.seqno = 1;
  j.n_units = uint32_t(w.code.size() / 32);
  j.insn_budget = 300;
  j.cycle_budget = 300000; // bounds the work as well
  j.report_bytes = report_bytes;
  j.n_slots = n_slots;
  j.slots = w.slots;
  return j;
}

void check_report(const world &w, const loom_completion &c) {
  loom_report r;
  std::memcpy(&r, &w.arena[report_at], sizeof(r));
  for (const auto &q : r.queue)
    require(q.busy + q.edge + q.fill + q.wait_mem + q.wait_dep + q.idle ==
            c.cycles);
  require(r.insns == r.n_entries + r.dropped);
}

void check_canary(const world &w) {
  auto is_foreign = [&](size_t i) { // by eights: nobody's memory
    for (uint32_t s :
         {uint32_t(both), uint32_t(read_only), uint32_t(write_only)})
      if (i >= world::at(s) && i < world::at(s) + slot_bytes)
        return false;
    return i < report_at || i >= report_at + report_bytes;
  };
  for (size_t i = 0; i + 8 <= w.arena.size(); i++) {
    uint64_t v;
    std::memcpy(&v, &w.arena[i], 8);
    if (i % 8 == 0 && is_foreign(i))
      require(v == canary);
    const bool readable =
        (i >= world::at(both) && i + 8 <= world::at(both) + slot_bytes) ||
        (i >= report_at && i + 8 <= report_at + report_bytes);
    if (readable)
      require(v != canary);
  }
  for (uint32_t i = 0; i < slot_bytes; i++)
    require(w.arena[world::at(read_only) + i] == uint8_t(i % 64));
}

loom_completion finish(machine &m) {
  loom_completion c;
  loom_npu_finish(m.npu, &c);
  return c;
}

// With the hazard checker, which may end the job earlier and changes nothing
// else.
void run_checked(machine &m, const loom_completion &plain) {
  const auto job = job_of(m.w);
  require(loom_npu_set_hazards(m.npu, true));
  require(loom_npu_start(m.npu, &job) == LOOM_FAULT_NONE);
  loom_npu_run(m.npu, 0);
  const loom_completion c = finish(m);
  require(c.fault == LOOM_FAULT_HAZARD ? c.cycles <= plain.cycles
                                       : !std::memcmp(&c, &plain, sizeof(c)));
  require(loom_npu_set_hazards(m.npu, false));
}

// In slices, by the slow path, changing the NPU on the way.
loom_completion run_in_pieces(machine *&m, machine *&spare, uint64_t slice) {
  m->w.direct_allowed = false;
  const auto job = job_of(m->w);
  require(loom_npu_start(m->npu, &job) == LOOM_FAULT_NONE);
  bool moved = false;
  while (loom_npu_run(m->npu, slice) == LOOM_NPU_RUNNING) {
    if (moved)
      continue;
    moved = true;
    std::vector<uint8_t> saved(loom_npu_save_bytes(m->npu));
    loom_npu_save(m->npu, saved.data());
    spare->w = m->w;
    require(loom_npu_load(spare->npu, saved.data(), saved.size(),
                          spare->w.slots, n_slots));
    loom_npu_abort(m->npu);
    finish(*m);
    std::swap(m, spare);
  }
  return finish(*m);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  input in(data, size);
  const uint64_t slice = 1 + in.below(20);
  static machine whole;
  whole.w = world();
  whole.w.code = program(in);
  const auto job = job_of(whole.w);
  require(loom_npu_start(whole.npu, &job) == LOOM_FAULT_NONE);
  loom_npu_run(whole.npu, 0);
  const loom_completion c = finish(whole);
  require(c.fault < LOOM_NUM_FAULTS && c.cycles <= job.cycle_budget &&
          c.insns <= job.insn_budget);
  check_report(whole.w, c);
  check_canary(whole.w);

  static auto *pieces = new machine, *spare = new machine;
  pieces->w = world();
  pieces->w.code = whole.w.code;
  const loom_completion p = run_in_pieces(pieces, spare, slice);
  require(!std::memcmp(&c, &p, sizeof(c)));
  require(whole.w.arena == pieces->w.arena);

  whole.w = world();
  whole.w.code = pieces->w.code;
  run_checked(whole, c);
  return 0;
}
