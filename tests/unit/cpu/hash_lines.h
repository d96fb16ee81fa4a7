// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// One hash per operation and type: each scalar operation, each conversion, each
// combiner, and each structure over each type, on the same pseudo-random bits.
// Whatever builds or runs the engine, the lines are those of
// tests/golden/cpu_hashes.txt.
#pragma once

#include <cstdio>
#include <functional>

extern "C" {
#include "cpu_ops.h"
}
#include "structures.h"

namespace loom::test {

inline const char *const type_names[] = {"f32", "bf16", "f16", "i32", "u32",
                                         "i16", "u16",  "i8",  "u8",  "i1",
                                         "f64", "i64",  "u64"};
constexpr uint32_t types = 13;

struct random_bits {
  uint64_t state;
  uint64_t next() {
    uint64_t z = state += 0x9e3779b97f4a7c15ull;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ z >> 27) * 0x94d049bb133111ebull;
    return z ^ z >> 31;
  }
};

// Elements of a type: any bits, numbers of everyday size, and special ones.
inline void fill(std::vector<uint8_t> &to, uint32_t dtype, uint64_t seed) {
  random_bits r{seed};
  const uint32_t size = loom_dtype_bytes(dtype);
  static const uint32_t special[] = {0,          0x80000000, 0x7f800000,
                                     0xff800000, 0x7fc00000, 0x7f800001,
                                     1,          0x7f7fffff, 0x3f800000};
  for (size_t at = 0; at + size <= to.size(); at += size) {
    uint64_t v = r.next();
    const uint32_t kind = v & 3;
    v = r.next();
    const uint32_t s = special[v % 9], everyday = 0x3d000000 + v % 0x06000000;
    const uint32_t f = kind ? everyday | (v >> 32 & 1) << 31 : s;
    if (kind != 3 && dtype == LOOM_F32)
      v = f;
    else if (kind != 3 && dtype == LOOM_BF16)
      v = f >> 16;
    else if (kind != 3 && dtype == LOOM_F16)
      v = kind ? 0x2000 + v % 0x3000 : s >> 16;
    else if (kind != 3 && dtype == LOOM_F64)
      v = kind ? 0x3f00000000000000 + (v >> 11) : uint64_t{s} << 32;
    else if (kind == 0)
      v %= 100;
    if (dtype == LOOM_I1)
      v &= 1;
    std::memcpy(&to[at], &v, size);
  }
}

inline std::string of(const char *name, uint32_t dtype) {
  return std::string(name) + " " + type_names[dtype];
}

inline uint32_t wide_type(uint32_t op) {
  return op < 0x200 ? LOOM_F64 : LOOM_I64;
}

inline uint32_t add_of(uint32_t t) {
  const uint32_t form = loom_cpu_form(t);
  return form == LOOM_CPU_FORM_F32   ? uint32_t{LOOM_UOP_FADD}
         : form == LOOM_CPU_FORM_I32 ? uint32_t{LOOM_UOP_IADD}
         : form == LOOM_CPU_FORM_F64 ? uint32_t{LOOM_CPU_FADD64}
                                     : uint32_t{LOOM_CPU_IADD64};
}

class hash_lines {
public:
  // Runs a world's segment, in steps of so many quanta where it has a say.
  using engine = std::function<void(world &, uint32_t quanta)>;
  using sink = std::function<void(const std::string &name, uint64_t hash)>;

  // steps: each line has to be the same in steps of so many quanta.
  hash_lines(engine run, sink line, std::vector<uint32_t> steps)
      : run(std::move(run)), line(std::move(line)), steps(std::move(steps)) {}

  // Whether all steps agreed.
  bool all() {
    scalars();
    conversions();
    strided();
    combiners();
    each_over_types();
    for (const auto &[name, make] : structures)
      whole(name, make);
    return !failed;
  }

private:
  enum slot : uint32_t { A, B, INDEX, OUT, WORK };
  static constexpr uint32_t slot_bytes = 1 << 14;

  uint64_t hash_of(const operation &m, const std::vector<uint32_t> &in_types,
                   uint32_t quanta) {
    world w;
    for (uint32_t s = 0; s <= WORK; s++)
      w.slot(slot_bytes);
    fill(w.memory(A), in_types[0], 1);
    fill(w.memory(B), in_types[1], 2);
    fill(w.memory(INDEX), LOOM_I8, 3);
    w.add(m);
    run(w, quanta);
    return loom_prog_hash(w.memory(OUT).data(), w.memory(OUT).size());
  }

  void tell(const std::string &name, const operation &m, uint32_t a,
            uint32_t b) {
    const uint64_t hash = hash_of(m, {a, b}, ~0u);
    for (uint32_t quanta : steps)
      require(name, hash_of(m, {a, b}, quanta) == hash, quanta);
    line(name, hash);
  }

  void require(const std::string &name, bool same, uint32_t quanta) {
    if (same)
      return;
    std::fprintf(stderr, "%s: steps of %u quanta give other bits\n",
                 name.c_str(), quanta);
    failed = true;
  }

  /* ---- MAP --------------------------------------------------------------- */

  void scalar(const char *name, uint32_t op, bool is_float) {
    const auto info = loom_cpu_scalar_info(op);
    if (info.cls == LOOM_CPU_CLASS_NONE || info.cls == LOOM_CPU_CLASS_V ||
        op <= LOOM_UOP_STORE || op == LOOM_UOP_IOTA)
      return;
    const bool wide = info.cls != LOOM_CPU_CLASS_W;
    const uint32_t narrow = is_float ? LOOM_F32 : LOOM_I32;
    const uint32_t in = wide ? wide_type(op) : narrow;
    const uint32_t out = info.cls == LOOM_CPU_CLASS_P ? uint32_t{LOOM_I32} : in;
    const dims n = {13, 77};
    operation m;
    m.in = {dense(A, in, n), dense(B, in, n), dense(INDEX, LOOM_I32, n)};
    m.out = {dense(OUT, out, n)};
    const bool s = info.cls == LOOM_CPU_CLASS_S;
    m.ops = {load(0, 0), load(1, 1), load(2, 2)};
    m.ops.push_back(uop(op, 4, s ? 2 : 0, info.operands > 1 ? (s ? 0 : 1) : 0,
                        info.operands > 2 ? (s ? 1 : 0) : 0));
    m.ops.push_back(store(0, 4));
    tell(std::string(name) + (wide || is_float ? " f" : " i"), m, in, in);
  }

  void scalars() {
    // An operation of 32 bits on floats' bits, and on integers.
#define LOOM_HASH(num, name, ...)                                              \
  scalar(#name, num, true);                                                    \
  scalar(#name, num, false);
    LOOM_UOPS(LOOM_HASH)
#undef LOOM_HASH
#define LOOM_HASH(num, name, ...) scalar(#name, num, true);
    LOOM_CPU_SCALARS(LOOM_HASH)
#undef LOOM_HASH
  }

  void conversions() {
    for (uint32_t from = 0; from < types; from++)
      for (uint32_t to = 0; to < types; to++) {
        const dims n = {5, 130};
        operation m;
        m.in = {dense(A, from, n)};
        m.out = {dense(OUT, to, n)};
        m.ops = {load(0, 0), uop(LOOM_CPU_CVT, 1, 0, from, to), store(0, 1)};
        tell(of("CVT", from) + " " + type_names[to], m, from, from);
      }
  }

  // Gaps, repetition and reversal: not the way of dense arrays.
  void strided() {
    for (uint32_t t = 0; t < types; t++) {
      const int64_t e = loom_dtype_bytes(t);
      operation m;
      m.in = {operand(A, t, {5, 3, 40}, {130 * e, 0, 3 * e}),
              operand(A, t, {5, 3, 40}, {0, 0, 0}, 64)};
      m.out = {operand(OUT, t, {5, 3, 40}, {-120 * e, 40 * e, e}, 480 * e),
               dense(OUT, t, {5, 3, 40}, 8000)};
      m.ops = {load(0, 0), load(1, 1), store(0, 0), store(1, 1)};
      tell(of("MAP strided", t), m, t, t);
      m.structure = LOOM_CPU_COPY;
      m.ops.clear();
      tell(of("COPY strided", t), m, t, t);
    }
  }

  /* ---- combiners --------------------------------------------------------- */

  void combined(const std::string &name, uint32_t combiner, uint32_t t) {
    operation m;
    m.structure = LOOM_CPU_REDUCE;
    // All into one, in whole chunks and a rest; lines; columns.
    m.in = {dense(A, t, {1003})};
    m.out = {dense(OUT, t, {1})};
    m.set(loom_cpu_reduce{1, uint16_t(combiner), 1, 0});
    tell(name + " all", m, t, t);
    m.in = {dense(A, t, {3, 5, 70})};
    m.out = {dense(OUT, t, {3, 1, 1})};
    m.set(loom_cpu_reduce{6, uint16_t(combiner), 1, 0});
    tell(name + " lines", m, t, t);
    m.in = {dense(A, t, {30, 40})};
    m.out = {dense(OUT, t, {1, 40})};
    m.set(loom_cpu_reduce{1, uint16_t(combiner), 1, 0});
    tell(name + " columns", m, t, t);
    m.structure = LOOM_CPU_SCAN;
    m.out = {dense(OUT, t, {30, 40})};
    m.set(loom_cpu_scan{1, uint16_t(combiner), 1, 0});
    tell(name + " scan", m, t, t);
    m.structure = LOOM_CPU_WINDOW;
    m.set(loom_cpu_window{
        {3, 2}, {1, 1}, {1, 2}, {1, 1}, {1, 0}, uint16_t(combiner), 1, {}});
    tell(name + " window", m, t, t);
  }

  void combiners() {
    for (uint32_t t = 0; t < types; t++) {
      static const uint32_t all[] = {
          0x70,  0x71,  0x72,  0x73,  0x74,  0x75,  0x76,  0x77,  0x78,
          0x79,  0x7a,  0x7b,  0x7c,  0x170, 0x171, 0x172, 0x173, 0x274,
          0x275, 0x276, 0x277, 0x278, 0x279, 0x27a, 0x27b, 0x27c};
      for (uint32_t c : all) {
        const auto info = loom_cpu_combiner_info(c);
        if (!info.op || info.form != loom_cpu_form(t))
          continue;
        char name[32];
        std::snprintf(name, sizeof(name), "combiner %#x", c);
        combined(of(name, t), c, t);
      }
    }
  }

  /* ---- the other structures ---------------------------------------------- */

  void programs(uint32_t t) {
    operation m;
    m.structure = LOOM_CPU_REDUCE;
    m.in = {dense(A, t, {6, 90}), dense(B, t, {})};
    m.out = {dense(OUT, t, {6, 1})};
    m.ops = binary(add_of(t));
    m.set(loom_cpu_reduce{2, 0, 1, 0});
    tell(of("REDUCE program", t), m, t, t);
  }

  void indexed(uint32_t t) {
    const int64_t e = loom_dtype_bytes(t);
    operation m;
    m.structure = LOOM_CPU_GATHER;
    m.in = {operand(A, t, {150}, {0}), dense(INDEX, LOOM_I8, {150})};
    m.out = {dense(OUT, t, {150})};
    m.set(loom_cpu_gather{1, 0, {99}, {e}});
    tell(of("GATHER", t), m, t, t);
  }

  void sorted(uint32_t t) {
    const uint32_t form = loom_cpu_form(t);
    const uint32_t less = form == LOOM_CPU_FORM_F32   ? uint32_t{LOOM_UOP_FLT}
                          : form == LOOM_CPU_FORM_I32 ? uint32_t{LOOM_UOP_ILT}
                          : form == LOOM_CPU_FORM_F64
                              ? uint32_t{LOOM_CPU_FLT64}
                              : uint32_t{LOOM_CPU_ILT64};
    operation m;
    m.structure = LOOM_CPU_SORT;
    m.in = {dense(A, t, {3, 99})};
    m.out = {dense(OUT, t, {3, 99}), dense(WORK, LOOM_U32, {198})};
    m.ops = binary(less);
    m.set(loom_cpu_sort{1, 1, {}});
    tell(of("SORT", t), m, t, t);
  }

  void products(uint32_t t) {
    const int64_t e = loom_dtype_bytes(t);
    operation m;
    m.structure = LOOM_CPU_DOT;
    m.in = {operand(A, t, {7, 19}, {37 * e, 0}),
            operand(B, t, {7, 19}, {0, e})};
    m.out = {dense(OUT, t, {7, 19})};
    loom_cpu_dot p{};
    p.n_dims = 1;
    p.dims[0] = 37;
    p.left[0] = e;
    p.right[0] = 19 * e;
    m.set(p);
    tell(of("DOT", t), m, t, t);
  }

  void each_over_types() {
    for (uint32_t t = 0; t < types; t++) {
      programs(t);
      indexed(t);
      sorted(t);
      if (t != LOOM_I1)
        products(t);
    }
  }

  // All slots of a segment of structures.h.
  uint64_t hash_of(const maker &make, uint32_t quanta) {
    world w;
    make(w);
    run(w, quanta);
    std::vector<uint8_t> all;
    for (const auto &m : w.all())
      all.insert(all.end(), m.begin(), m.end());
    return loom_prog_hash(all.data(), all.size());
  }

  void whole(const std::string &name, const maker &make) {
    const uint64_t hash = hash_of(make, ~0u);
    if (!steps.empty())
      require(name, hash_of(make, 7) == hash, 7);
    line("structure " + name, hash);
  }

  engine run;
  sink line;
  std::vector<uint32_t> steps;
  bool failed = false;
};

} // namespace loom::test
