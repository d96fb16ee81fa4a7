// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Segments: some wholly random, most of operations that are nearly sound, with
// some fields damaged. What the check lets pass is run, with slots exactly as
// large as they say: in one go, in small steps (the same bits), and while the
// slots change under it. Canaries lie in slots that must not be written.
#include <algorithm>

#include "input.h"
#include "loom_cpu_cost.h"
#include "segment.h"

namespace {

using loom::fuzz::input;
using loom::fuzz::require;
using namespace loom::test;

constexpr uint64_t max_quanta = 3000;
constexpr uint32_t slot_bytes = 2048, space_bytes = 8192;
constexpr uint32_t read_only = 0, both = 1, write_only = 2, space = 3;

dims small_dims(input &in) {
  dims n(in.below(4));
  for (uint32_t &d : n)
    d = 1 + in.below(in.below(4) ? 5 : 40);
  return n;
}

loom_cpu_operand any_operand(input &in, uint32_t slot, uint32_t dtype,
                             const dims &n) {
  loom_cpu_operand o = dense(in.below(64) ? slot : in.below(5), dtype, n,
                             in.below(8) ? 0 : in.below(300));
  if (in.below(4) == 0)
    for (size_t d = 0; d < n.size(); d++)
      if (in.below(2))
        o.strides[d] = in.below(2) ? 0 : int8_t(in.below(256));
  return o;
}

// A program over args of given widths that mostly keeps to the rules: 32-bit
// registers in 0 to 31, 64-bit ones above.
void any_program(input &in, operation &m, const std::vector<bool> &args,
                 const std::vector<bool> &results, bool iota) {
  m.ops.push_back(uop(LOOM_UOP_MOV, 0, LOOM_CPU_IMM(0)));
  m.ops.push_back(uop(LOOM_CPU_MOV64, 32, LOOM_CPU_IMM(1)));
  if (iota)
    m.ops.push_back(uop(LOOM_UOP_IOTA, 1, in.below(2)));
  for (uint32_t i = 0; i < args.size() && i < 16; i++)
    m.ops.push_back(load(args[i] ? 32 + i : i, i));
  static const uint32_t wide[] = {
#define LOOM_FUZZ_OP(num, name, operands, cls, weight, text) num,
      LOOM_CPU_SCALARS(LOOM_FUZZ_OP)
#undef LOOM_FUZZ_OP
  };
  const uint32_t count = in.below(6);
  for (uint32_t i = 0; i < count; i++) {
    const bool is_wide = in.below(2);
    const uint32_t op =
        is_wide ? wide[in.below(std::size(wide))] : 3 + in.below(0x8c);
    if (op == LOOM_UOP_IOTA)
      continue;
    const uint32_t have = std::max<uint32_t>(1, uint32_t(args.size()));
    const uint32_t r = (is_wide ? 32 : 0) + in.below(have);
    loom_cpu_scalar_op u = uop(op, r, (is_wide ? 32 : 0) + in.below(have));
    if (op == LOOM_CPU_CVT) {
      u.b = uint8_t(in.below(13));
      u.c = uint8_t(in.below(13));
      u.a = uint8_t(u.b >= 10 ? 32 : 0);
      u.dst = uint8_t(u.c >= 10 ? 32 : 0);
    } else if (in.below(2)) {
      u.b = u.a;
    }
    m.ops.push_back(u);
  }
  for (uint32_t i = 0; i < results.size() && i < 16; i++)
    m.ops.push_back(store(i, results[i] ? 32 : 0));
}

bool is_wide(const loom_cpu_operand &o) { return o.dtype >= LOOM_F64; }

uint32_t any_type(input &in) {
  return in.below(64) ? in.below(13) : in.below(256);
}

uint32_t same_form(input &in, uint32_t dtype) {
  const uint32_t first = dtype < 3 ? 0 : dtype < 10 ? 3 : dtype == 10 ? 10 : 11;
  const uint32_t n = dtype < 3 ? 3 : dtype < 10 ? 7 : dtype == 10 ? 1 : 2;
  return in.below(2) ? dtype : first + in.below(n);
}

void region(input &in, operation &m, uint32_t n, uint32_t extra = 0) {
  std::vector<bool> wide(n);
  for (uint32_t i = 0; i < n; i++)
    wide[i] = is_wide(m.in[i]);
  std::vector<bool> args = wide;
  args.insert(args.end(), wide.begin(), wide.end());
  any_program(in, m, args, extra ? std::vector<bool>{false} : wide, false);
}

uint32_t any_combiner(input &in) {
  static const uint32_t base[] = {0x70, 0x170, 0x270};
  return base[in.below(3)] + in.below(13);
}

void reduce_like(input &in, operation &m, uint32_t combiner, uint32_t count,
                 const dims &n, const dims &out, bool inits) {
  for (uint32_t i = 0; i < count; i++)
    m.in.push_back(any_operand(in, read_only, any_type(in), n));
  for (uint32_t i = 0; i < count && inits && !combiner; i++)
    m.in.push_back(
        any_operand(in, read_only, same_form(in, m.in[i].dtype), {}));
  for (uint32_t i = 0; i < count; i++)
    m.out.push_back(
        any_operand(in, write_only, same_form(in, m.in[i].dtype), out));
  if (!combiner)
    region(in, m, count);
}

template <size_t N>
void any_extents(input &in, uint32_t (&v)[N], size_t n, uint32_t max) {
  for (size_t i = 0; i < n && i < N; i++)
    v[i] = 1 + in.below(max);
}

void make_gather(input &in, operation &m) {
  const dims n = small_dims(in);
  const uint32_t type = any_type(in), count = 1 + in.below(2);
  m.in = {any_operand(in, read_only, type, n)};
  for (uint32_t j = 0; j < count; j++)
    m.in.push_back(any_operand(in, read_only, LOOM_I32 + in.below(7), n));
  m.out = {any_operand(in, write_only, type, n)};
  loom_cpu_gather p{};
  p.n_index = count;
  for (uint32_t j = 0; j < count; j++) {
    p.limit[j] = in.below(30);
    p.stride[j] = int8_t(in.below(256));
  }
  m.set(p);
}

void make_scatter(input &in, operation &m) {
  const dims n = small_dims(in);
  loom_cpu_scatter p{};
  p.n_index = 1 + in.below(2);
  p.flags = in.below(2);
  p.count = uint8_t(1 + in.below(3));
  for (uint32_t i = 0; i < p.count; i++)
    m.in.push_back(any_operand(in, read_only, any_type(in), n));
  for (uint32_t i = 0; i < p.count; i++)
    m.out.push_back(any_operand(in, both, same_form(in, m.in[i].dtype), n));
  for (uint32_t j = 0; j < p.n_index; j++) {
    m.in.push_back(any_operand(in, read_only, LOOM_I32 + in.below(7), n));
    p.limit[j] = in.below(30);
    for (uint32_t i = 0; i < p.count; i++)
      p.stride[i][j] = int8_t(in.below(256));
  }
  m.set(p);
  region(in, m, p.count);
}

void make_fft(input &in, operation &m) {
  dims n = small_dims(in);
  n.push_back(1 + in.below(9));
  const uint32_t type = in.below(2) ? LOOM_F32 : LOOM_F64, kind = in.below(4);
  const uint32_t dim = in.below(uint32_t(n.size())), length = n[dim];
  const uint32_t work = loom_cpu_fft_workspace(length);
  dims half = n;
  half[dim] = length / 2 + 1;
  for (uint32_t i = kind == LOOM_CPU_FFT_RFFT; i < 2; i++)
    m.in.push_back(any_operand(in, read_only, type, kind == 3 ? half : n));
  for (uint32_t i = kind == LOOM_CPU_FFT_IRFFT; i < 2; i++)
    m.out.push_back(any_operand(in, write_only, type, kind == 2 ? half : n));
  m.out.push_back(dense(space, LOOM_F64, {work}, in.below(300)));
  m.imms.clear();
  m.set(loom_cpu_fft{dim, length, uint8_t(kind), {}});
}

void make_linear(input &in, operation &m) {
  const bool solve = m.structure == LOOM_CPU_TRIANGULAR_SOLVE;
  const uint32_t parts = 1 + in.below(2);
  const uint32_t type = parts == 1 && in.below(2) ? LOOM_F64 : LOOM_F32;
  const uint32_t n = 1 + in.below(in.below(4) ? 4 : 18);
  dims a(in.below(2), 1 + in.below(3)), b = a;
  a.insert(a.end(), {n, n});
  b.insert(b.end(), {n, 1 + in.below(5)});
  for (uint32_t i = 0; i < parts; i++)
    m.in.push_back(any_operand(in, read_only, type, a));
  for (uint32_t i = 0; i < parts && solve; i++)
    m.in.push_back(any_operand(in, read_only, type, b));
  for (uint32_t i = 0; i < parts; i++)
    m.out.push_back(any_operand(in, both, type, solve ? b : a));
  m.imms.clear();
  if (solve)
    m.set(loom_cpu_triangular_solve{in.below(parts * 2), 0});
}

void make_reflections(input &in, operation &m) {
  const bool makes = m.structure == LOOM_CPU_QR;
  const uint32_t parts = 1 + in.below(2);
  const uint32_t type = parts == 1 && in.below(2) ? LOOM_F64 : LOOM_F32;
  const uint32_t rows = 1 + in.below(in.below(4) ? 5 : 12);
  const uint32_t columns = 1 + in.below(in.below(4) ? 5 : 12);
  const uint32_t k = std::min(rows, columns);
  dims a(in.below(2), 1 + in.below(3)), tau = a;
  a.insert(a.end(), {rows, columns});
  tau.insert(tau.end(), {1, makes ? k : 1 + in.below(k)});
  const auto all = [&](std::vector<loom_cpu_operand> &to, uint32_t slot,
                       const dims &n) {
    for (uint32_t i = 0; i < parts; i++)
      to.push_back(any_operand(in, slot, type, n));
  };
  all(m.in, read_only, a);
  if (!makes)
    all(m.in, read_only, tau);
  all(m.out, both, a);
  if (makes)
    all(m.out, both, tau);
  m.imms.clear();
}

void make_sort(input &in, operation &m) {
  dims n = small_dims(in);
  n.push_back(1 + in.below(80));
  const uint32_t count = 1 + in.below(3), dim = in.below(uint32_t(n.size()));
  for (uint32_t i = 0; i < count; i++)
    m.in.push_back(any_operand(in, read_only, any_type(in), n));
  for (uint32_t i = 0; i < count; i++)
    m.out.push_back(any_operand(in, write_only, m.in[i].dtype, n));
  m.out.push_back(dense(both, LOOM_U32, {2 * n[dim]}));
  region(in, m, count, 1);
  m.set(loom_cpu_sort{dim, uint8_t(count), {}});
}

void make_product(input &in, operation &m, bool conv) {
  dims n = small_dims(in);
  n.push_back(1 + in.below(9));
  const uint32_t type = any_type(in);
  m.in = {any_operand(in, read_only, same_form(in, type), n),
          any_operand(in, read_only, same_form(in, type), n)};
  m.out = {any_operand(in, write_only, type, n)};
  if (!conv) {
    loom_cpu_dot p{};
    p.n_dims = 1 + in.below(3);
    any_extents(in, p.dims, p.n_dims, 7);
    for (uint32_t d = 0; d < p.n_dims; d++) {
      p.left[d] = int8_t(in.below(256));
      p.right[d] = int8_t(in.below(256));
    }
    m.set(p);
    return;
  }
  loom_cpu_conv p{};
  p.n_spatial = 1 + in.below(2);
  p.channels = 1 + in.below(20);
  any_extents(in, p.size, p.n_spatial, 9);
  any_extents(in, p.window, p.n_spatial, 4);
  any_extents(in, p.stride, p.n_spatial, 3);
  any_extents(in, p.dilation, p.n_spatial, 3);
  any_extents(in, p.in_dilation, p.n_spatial, 3);
  for (uint32_t j = 0; j < p.n_spatial; j++) {
    p.dim[j] = in.below(uint32_t(n.size()));
    p.pad[j] = int32_t(in.below(7)) - 3;
    p.left[j] = int8_t(in.below(256));
    p.right[j] = int8_t(in.below(256));
  }
  p.left_channel = int8_t(in.below(256));
  p.right_channel = int8_t(in.below(256));
  p.pad_value = in.take<uint64_t>();
  m.set(p);
}

void make_window(input &in, operation &m) {
  const dims n = small_dims(in);
  dims out = n;
  for (uint32_t &d : out)
    d = 1 + in.below(8);
  const uint32_t combiner = in.below(2) ? any_combiner(in) : 0;
  const uint32_t count = combiner ? 1 : 1 + in.below(3);
  reduce_like(in, m, combiner, count, n, out, true);
  loom_cpu_window p{};
  any_extents(in, p.size, n.size(), 4);
  any_extents(in, p.stride, n.size(), 3);
  any_extents(in, p.dilation, n.size(), 3);
  any_extents(in, p.in_dilation, n.size(), 3);
  for (size_t d = 0; d < n.size(); d++)
    p.pad[d] = int32_t(in.below(7)) - 3;
  p.combiner = uint16_t(combiner);
  p.count = uint8_t(count);
  m.set(p);
}

void make_select(input &in, operation &m) {
  const dims n = small_dims(in);
  dims source = n;
  for (uint32_t &d : source)
    d = 1 + in.below(8);
  const uint32_t type = any_type(in);
  m.in = {any_operand(in, read_only, type, n),
          any_operand(in, read_only, type, source),
          any_operand(in, read_only, type, {})};
  m.out = {any_operand(in, both, type, n)};
  region(in, m, 1, 1);
  loom_cpu_select_scatter p{};
  p.n_select = uint32_t(m.ops.size());
  region(in, m, 1);
  any_extents(in, p.size, n.size(), 4);
  any_extents(in, p.stride, n.size(), 3);
  for (size_t d = 0; d < n.size(); d++)
    p.pad[d] = int32_t(in.below(5)) - 2;
  m.set(p);
}

void make_reduce(input &in, operation &m) {
  dims n = small_dims(in);
  n.push_back(1 + in.below(40));
  const uint32_t mask = 1 + in.below((1u << n.size()) - 1);
  dims out = n;
  for (size_t d = 0; d < n.size(); d++)
    if (mask >> d & 1)
      out[d] = 1;
  const uint32_t combiner = in.below(2) ? any_combiner(in) : 0;
  const uint32_t count = combiner ? 1 : 1 + in.below(4);
  reduce_like(in, m, combiner, count, n, out, true);
  m.set(loom_cpu_reduce{mask, uint16_t(combiner), uint8_t(count), 0});
}

void make_scan(input &in, operation &m) {
  dims n = small_dims(in);
  n.push_back(1 + in.below(40));
  const uint32_t combiner = in.below(2) ? any_combiner(in) : 0;
  const uint32_t count = combiner ? 1 : 1 + in.below(4);
  reduce_like(in, m, combiner, count, n, n, false);
  m.set(loom_cpu_scan{in.below(uint32_t(n.size())), uint16_t(combiner),
                      uint8_t(count), 0});
}

void make_map(input &in, operation &m) {
  const dims n = small_dims(in);
  std::vector<bool> args, results;
  for (uint32_t i = in.below(4); i-- > 0;)
    m.in.push_back(any_operand(in, read_only, any_type(in), n));
  for (uint32_t i = 1 + in.below(3); i-- > 0;)
    m.out.push_back(
        any_operand(in, in.below(2) ? both : write_only, any_type(in), n));
  for (const auto &o : m.in)
    args.push_back(is_wide(o));
  for (const auto &o : m.out)
    results.push_back(is_wide(o));
  any_program(in, m, args, results, in.below(2));
}

operation any_operation(input &in) {
  operation m;
  m.structure = uint16_t(1 + in.below(LOOM_NUM_CPU_STRUCTURES - 2));
  if (m.structure >= LOOM_CPU_TEXT)
    m.structure++;
  m.imms = {in.take<uint64_t>(), in.take<uint64_t>()};
  switch (m.structure) {
  case LOOM_CPU_REDUCE:
    make_reduce(in, m);
    break;
  case LOOM_CPU_WINDOW:
    make_window(in, m);
    break;
  case LOOM_CPU_SELECT_SCATTER:
    make_select(in, m);
    break;
  case LOOM_CPU_GATHER:
    make_gather(in, m);
    break;
  case LOOM_CPU_SCATTER:
    make_scatter(in, m);
    break;
  case LOOM_CPU_FFT:
    make_fft(in, m);
    break;
  case LOOM_CPU_CHOLESKY:
  case LOOM_CPU_TRIANGULAR_SOLVE:
    make_linear(in, m);
    break;
  case LOOM_CPU_QR:
  case LOOM_CPU_HOUSEHOLDER:
    make_reflections(in, m);
    break;
  case LOOM_CPU_SORT:
    make_sort(in, m);
    break;
  case LOOM_CPU_COPY: {
    const dims n = small_dims(in);
    const uint32_t type = any_type(in);
    m.in = {any_operand(in, read_only, type, n)};
    m.out = {any_operand(in, write_only, type, n)};
    break;
  }
  case LOOM_CPU_SCAN:
    make_scan(in, m);
    break;
  case LOOM_CPU_DOT:
  case LOOM_CPU_CONV:
    make_product(in, m, m.structure == LOOM_CPU_CONV);
    break;
  default:
    make_map(in, m);
  }
  if (m.ops.empty())
    m.imms.clear();
  return m;
}

// The cost that would do, if the fields are sound enough to count it.
uint64_t stated_cost(input &in) {
  return in.below(16) ? 1ull << 40 : in.below(99);
}

void build(input &in, world &w) {
  w.slot(slot_bytes, LOOM_RIGHT_READ);
  w.slot(slot_bytes, read_write);
  w.slot(slot_bytes, LOOM_RIGHT_WRITE);
  w.slot(space_bytes, read_write);
  if (in.below(16) == 0) {
    w.code.resize(1 + in.below(80));
    for (uint64_t &row : w.code)
      row = in.take<uint64_t>();
  } else {
    for (uint32_t i = 1 + in.below(3); i-- > 0;)
      w.add(any_operation(in), stated_cost(in));
    if (in.below(4) == 0)
      for (uint32_t i = in.below(4); i-- > 0;)
        reinterpret_cast<uint8_t *>(
            w.code.data())[in.below(uint32_t(w.code.size() * 8))] =
            in.take<uint8_t>();
  }
  for (auto &m : w.all())
    in.take(m.data(), m.size());
}

uint64_t total_quanta(const loom_cpu_segment &seg) {
  uint64_t total = 0, at = 0;
  for (uint32_t i = 0; i < seg.n_ops; i++) {
    const auto *op = reinterpret_cast<const loom_cpu_op *>(
        static_cast<const uint8_t *>(seg.code) + at);
    total += std::min<uint64_t>(loom_cpu_quanta(op), max_quanta + 1);
    at += op->bytes;
  }
  return total;
}

// While the slots that the engine reads change, it must end as it always does.
void run_disturbed(input &in, world &w, uint64_t quanta) {
  require(w.check() == LOOM_CPU_OK);
  static scratch s;
  loom_cpu_cursor c;
  loom_cpu_begin(&c, s.bytes);
  uint64_t steps = 1;
  for (; loom_cpu_step(&w.segment, &c, 1) == LOOM_CPU_MORE; steps++)
    for (auto &m : w.all())
      m[in.below(uint32_t(m.size()))] = in.take<uint8_t>();
  require(steps == quanta);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  input in(data, size);
  const uint32_t step = 1 + in.below(9);
  world whole;
  build(in, whole);
  if (whole.check() != LOOM_CPU_OK) {
    require(whole.error.what && *whole.error.what);
    return 0;
  }
  const uint64_t quanta = total_quanta(whole.segment);
  if (quanta > max_quanta)
    return 0;
  world pieces = whole, disturbed = whole;
  const auto before = whole.all()[read_only];
  require(whole.run() == 1);
  require(pieces.run(step) == (quanta + step - 1) / step);
  require(whole.all() == pieces.all());
  require(whole.all()[read_only] == before);
  run_disturbed(in, disturbed, quanta);
  return 0;
}
