// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What the CPU engine adds to the NPU against numpy and Python's integers
// (tests/golden/cpu_scalar.txt, cpu_structure.txt, by generate_cpu.py).
#include "golden.h"
#include "segment.h"
#include <gtest/gtest.h>
#include <map>
#include <set>

namespace loom::test {
namespace {

const char *const type_names[] = {"f32", "bf16", "f16", "i32", "u32",
                                  "i16", "u16",  "i8",  "u8",  "i1",
                                  "f64", "i64",  "u64"};

uint32_t dtype(const std::string &name) {
  for (uint32_t t = 0; t < std::size(type_names); t++)
    if (name == type_names[t])
      return t;
  ADD_FAILURE() << "no element type " << name;
  return 0;
}

uint32_t opcode(const std::string &name, int &n) {
#define LOOM_TEST_OP(num, text, operands, cls, weight, doc)                    \
  if (name == #text) {                                                         \
    n = operands;                                                              \
    return num;                                                                \
  }
  LOOM_CPU_SCALARS(LOOM_TEST_OP)
#undef LOOM_TEST_OP
  ADD_FAILURE() << "no scalar operation " << name;
  return 0;
}

uint64_t bits(uint64_t v, uint32_t type) {
  const uint32_t n = loom_dtype_bytes(type);
  return n == 8 ? v : v & ((1ull << 8 * n) - 1);
}

struct key {
  std::string op, source, target;
  auto operator<=>(const key &) const = default;
};

struct line {
  uint64_t v[3], result;
};

std::map<key, std::vector<line>> read_scalars() {
  std::map<key, std::vector<line>> all;
  std::ifstream in(LOOM_GOLDEN_DIR "/cpu_scalar.txt");
  for (std::string text; std::getline(in, text);) {
    if (text.empty() || text[0] == '#')
      continue;
    std::istringstream fields(text);
    key k;
    line l{};
    fields >> k.op >> k.source >> k.target >> std::hex >> l.v[0] >> l.v[1] >>
        l.v[2] >> l.result;
    EXPECT_TRUE(bool(fields)) << text;
    all[k].push_back(l);
  }
  return all;
}

void check_scalars(const key &k, const std::vector<line> &lines) {
  int operands = 0;
  const uint32_t op = opcode(k.op, operands), target = dtype(k.target);
  const uint32_t n = uint32_t(lines.size());
  world w;
  operation m;
  for (int i = 0; i < operands; i++) {
    std::vector<uint64_t> in;
    for (const line &l : lines)
      in.push_back(l.v[i]);
    const uint32_t type =
        i && op == LOOM_CPU_SELECT64 ? uint32_t(LOOM_U64) : dtype(k.source);
    m.in.push_back(operand(w.slot_of(in), type, {n}, {8}));
    m.ops.push_back(load(i, i));
  }
  const uint32_t out = w.slot(8 * n);
  m.out = {operand(out, target, {n}, {8})};
  // In place, so that a wider or narrower result is seen to do no harm.
  if (op == LOOM_CPU_CVT)
    m.ops.push_back(uop(op, 0, 0, dtype(k.source), target));
  else
    m.ops.push_back(uop(op, 0, 0, operands > 1 ? 1 : 0, operands > 2 ? 2 : 0));
  m.ops.push_back(store(0, 0));
  w.add(m);
  ASSERT_NE(w.run(), 0u) << k.op << ": " << w.error.what;
  const auto got = w.get<uint64_t>(out);
  for (uint32_t i = 0; i < n; i++)
    EXPECT_EQ(bits(got[i], target), lines[i].result)
        << k.op << " " << k.source << " " << k.target << std::hex << " "
        << lines[i].v[0] << " " << lines[i].v[1] << " " << lines[i].v[2];
}

TEST(cpu_golden, scalar_operations) {
  std::set<std::string> seen;
  for (const auto &[k, lines] : read_scalars()) {
    check_scalars(k, lines);
    seen.insert(k.op == "CVT" ? "CVT " + k.source + " " + k.target : k.op);
  }
  for (const char *name : {"FFMA64", "FREDP64"}) // see num64_test.cc
    seen.insert(name);
#define LOOM_TEST_OP(num, name, operands, cls, weight, doc)                    \
  EXPECT_TRUE(num == LOOM_CPU_CVT ||                                           \
              (num >= LOOM_CPU_EXP64 && num <= LOOM_CPU_POW64) ||              \
              seen.contains(#name))                                            \
      << #name;
  LOOM_CPU_SCALARS(LOOM_TEST_OP)
#undef LOOM_TEST_OP
  for (const char *from : type_names)
    for (const char *to : type_names)
      EXPECT_TRUE(seen.contains(std::string("CVT ") + from + " " + to))
          << from << " to " << to;
}

// ---- structures ----------------------------------------------------------

struct record {
  std::string name;
  uint32_t type, size; // size: bytes of an element
  std::vector<int> n;
  std::vector<std::vector<uint64_t>> lists;
};

std::vector<record> read_structures() {
  std::vector<record> all;
  for (golden_line &line : read_golden(LOOM_GOLDEN_DIR "/cpu_structure.txt")) {
    std::string type;
    record r{};
    std::istringstream head(line.head);
    head >> r.name >> type;
    r.type = dtype(type);
    r.size = loom_dtype_bytes(r.type);
    for (int v; head >> v;)
      r.n.push_back(v);
    r.lists = std::move(line.lists);
    all.push_back(std::move(r));
  }
  return all;
}

// A structure's test: its operation, and how a result is looked at.
class trial {
public:
  explicit trial(const record &record) : r(record) {}

  uint32_t list(size_t i) { return w.slot_of(bytes_of(r.lists[i], r.size)); }
  uint32_t room(size_t elements) { return w.slot(elements * r.size); }
  uint32_t n(size_t i) const { return uint32_t(r.n[i]); }

  void expect(uint32_t slot, size_t list, uint32_t quanta = 1) {
    if (!ran) {
      w.add(m);
      ASSERT_NE(w.run(quanta), 0u)
          << r.name << " " << type_names[r.type] << ": " << w.error.what;
      ran = true;
    }
    const auto got = w.get<uint8_t>(slot);
    const auto want = bytes_of(r.lists[list], r.size);
    ASSERT_EQ(got.size(), want.size());
    for (size_t i = 0; i < want.size(); i += r.size)
      ASSERT_EQ(std::memcmp(&got[i], &want[i], r.size), 0)
          << r.name << " " << type_names[r.type] << " element " << i / r.size;
  }

  const record &r;
  world w;
  operation m;
  bool ran = false;
};

bool is_signed(uint32_t type) {
  return type == LOOM_I32 || type == LOOM_I16 || type == LOOM_I8 ||
         type == LOOM_I64;
}

// Of addition (0) and maximum (1): a scalar operation.
uint32_t scalar_of(uint32_t type, int kind) {
  if (type <= LOOM_F16)
    return kind ? LOOM_UOP_FMAX : LOOM_UOP_FADD;
  if (type == LOOM_F64)
    return kind ? LOOM_CPU_FMAX64 : LOOM_CPU_FADD64;
  const uint32_t w = type >= LOOM_I64 ? 0x200 : 0;
  return w + (!kind             ? LOOM_UOP_IADD
              : is_signed(type) ? LOOM_UOP_IMAX
                                : LOOM_UOP_UMAX);
}

uint16_t combiner_of(uint32_t type, int kind) {
  if (type <= LOOM_F16)
    return kind ? LOOM_UOP_RMAX_F : LOOM_UOP_RADD_F;
  if (type == LOOM_F64)
    return kind ? LOOM_CPU_RMAX_F64 : LOOM_CPU_RADD_F64;
  const uint32_t w = type >= LOOM_I64 ? 0x200 : 0;
  return uint16_t(w + (!kind             ? LOOM_UOP_RADD_I
                       : is_signed(type) ? LOOM_UOP_RMAX_I
                                         : LOOM_UOP_RMAX_U));
}

void check_reduce(const record &r) {
  trial t(r);
  const uint32_t a = t.n(0), b = t.n(1), c = t.n(2);
  const uint32_t in = t.list(0), out = t.room(a * c);
  t.m.structure = LOOM_CPU_REDUCE;
  t.m.in = {dense(in, r.type, {a, b, c})};
  t.m.out = {dense(out, r.type, {a, 1, c})};
  t.m.set(loom_cpu_reduce{2, combiner_of(r.type, r.n[3]), 1, 0});
  t.expect(out, 1);
}

void check_scan(const record &r) {
  trial t(r);
  const dims n = {t.n(0), t.n(1), t.n(2)};
  const uint32_t in = t.list(0), out = t.room(r.lists[0].size());
  t.m.structure = LOOM_CPU_SCAN;
  t.m.in = {dense(in, r.type, n)};
  t.m.out = {dense(out, r.type, n)};
  t.m.set(loom_cpu_scan{1, combiner_of(r.type, r.n[3]), 1, 0});
  t.expect(out, 1);
}

void check_window(const record &r) {
  trial t(r);
  const uint32_t in = t.list(0), out = t.room(t.n(12) * t.n(13));
  t.m.structure = LOOM_CPU_WINDOW;
  t.m.in = {dense(in, r.type, {t.n(0), t.n(1)})};
  t.m.out = {dense(out, r.type, {t.n(12), t.n(13)})};
  t.m.set(loom_cpu_window{{t.n(2), t.n(3)},
                          {t.n(4), t.n(5)},
                          {t.n(6), t.n(7)},
                          {t.n(8), t.n(9)},
                          {r.n[10], r.n[11]},
                          combiner_of(r.type, r.n[14]),
                          1,
                          {}});
  t.expect(out, 1);
}

void check_copy(const record &r) {
  trial t(r);
  const uint32_t a = t.n(0), b = t.n(1);
  const int64_t s = r.size, row = s * b;
  const uint32_t in = t.list(0), fill = t.list(1);
  const uint32_t pad = t.room((a + 3) * (b + 3)), back = t.room(a * b),
                 twice = t.room(2 * a * b);
  const auto all = dense(in, r.type, {a, b});
  t.m.structure = LOOM_CPU_COPY;
  t.m.in = {operand(fill, r.type, {a + 3, b + 3}, {0, 0}), all,
            operand(in, r.type, {a, b}, {-row, s}, (a - 1) * row), all, all};
  t.m.out = {dense(pad, r.type, {a + 3, b + 3}),
             operand(pad, r.type, {a, b}, {s * (b + 3), s}, s * (b + 3 + 3)),
             dense(back, r.type, {a, b}),
             operand(twice, r.type, {a, b}, {2 * row, s}),
             operand(twice, r.type, {a, b}, {2 * row, s}, row)};
  t.expect(pad, 2);
  t.expect(back, 3);
  t.expect(twice, 4);
}

void check_gather(const record &r) {
  trial t(r);
  const uint32_t a = t.n(0), b = t.n(1), k = t.n(2);
  const int64_t s = r.size;
  const uint32_t in = t.list(0);
  const uint32_t index = t.w.slot_of(bytes_of(r.lists[1], 4));
  const uint32_t out = t.room(k * b);
  t.m.structure = LOOM_CPU_GATHER;
  t.m.in = {operand(in, r.type, {k, b}, {0, s}),
            operand(index, LOOM_I32, {k, b}, {4, 0})};
  t.m.out = {dense(out, r.type, {k, b})};
  t.m.set(loom_cpu_gather{1, 0, {a - 1}, {s * b}});
  t.expect(out, 2);
}

void check_scatter(const record &r) {
  trial t(r);
  const uint32_t rows = t.n(0), b = t.n(1), k = t.n(2);
  const int64_t s = r.size;
  const uint32_t table = t.list(0), updates = t.list(1);
  const uint32_t index = t.w.slot_of(bytes_of(r.lists[2], 4));
  t.m.structure = LOOM_CPU_SCATTER;
  t.m.in = {dense(updates, r.type, {k, b}),
            operand(index, LOOM_I32, {k, b}, {4, 0})};
  t.m.out = {operand(table, r.type, {k, b}, {0, s})};
  t.m.ops = binary(scalar_of(r.type, 0));
  t.m.set(loom_cpu_scatter{1, 0, 1, {}, {rows - 1}, {{s * b}}});
  t.expect(table, 3);
}

// Left before right: less, or right alone is a NaN.
std::vector<loom_cpu_scalar_op> before(uint32_t type) {
  if (type == LOOM_F64 || type <= LOOM_F16) {
    const uint32_t w = type == LOOM_F64 ? 0x100 : 0;
    return {load(0, 0),
            load(1, 2),
            uop(w + LOOM_UOP_FLT, 2, 0, 1),
            uop(w + LOOM_UOP_FEQ, 3, 0, 0),
            uop(w + LOOM_UOP_FNE, 4, 1, 1),
            uop(LOOM_UOP_AND, 3, 3, 4),
            uop(LOOM_UOP_OR, 2, 2, 3),
            store(0, 2)};
  }
  const uint32_t w = type >= LOOM_I64 ? 0x200 : 0;
  const uint32_t op = is_signed(type) ? LOOM_UOP_ILT : LOOM_UOP_ULT;
  return {load(0, 0), load(1, 2), uop(w + op, 2, 0, 1), store(0, 2)};
}

void check_sort(const record &r) {
  trial t(r);
  const uint32_t n = t.n(0);
  std::vector<uint32_t> count(n);
  for (uint32_t i = 0; i < n; i++)
    count[i] = i;
  const uint32_t in = t.list(0), numbers = t.w.slot_of(count);
  const uint32_t out = t.room(n), where = t.w.slot(4 * n),
                 work = t.w.slot(8 * n);
  t.m.structure = LOOM_CPU_SORT;
  t.m.in = {dense(in, r.type, {n}), dense(numbers, LOOM_U32, {n})};
  t.m.out = {dense(out, r.type, {n}), dense(where, LOOM_U32, {n}),
             dense(work, LOOM_U32, {2 * n})};
  t.m.ops = before(r.type);
  t.m.set(loom_cpu_sort{0, 2, {}});
  t.expect(out, 1);
  const std::vector<uint32_t> want(r.lists[2].begin(), r.lists[2].end());
  EXPECT_EQ(t.w.get<uint32_t>(where), want) << type_names[r.type] << " " << n;
}

void check_select_scatter(const record &r) {
  trial t(r);
  const uint32_t x = t.list(0), source = t.list(1), first = t.list(2);
  const uint32_t out = t.room(35);
  t.m.structure = LOOM_CPU_SELECT_SCATTER;
  t.m.in = {dense(x, r.type, {5, 7}), dense(source, r.type, {4, 3}),
            dense(first, r.type, {})};
  t.m.out = {dense(out, r.type, {5, 7})};
  // Keep the selected unless the next is greater, which is !(next <= selected).
  const uint32_t op = r.type <= LOOM_F16   ? uint32_t(LOOM_UOP_FLE)
                      : r.type == LOOM_F64 ? uint32_t(LOOM_CPU_FLE64)
                      : r.type >= LOOM_I64 ? 0x200u
                                           : 0u;
  const uint32_t le =
      op == 0 || op == 0x200
          ? op + (is_signed(r.type) ? LOOM_UOP_ILE : LOOM_UOP_ULE)
          : op;
  t.m.ops = {load(0, 1), load(1, 0), uop(le, 2, 0, 1), store(0, 2)};
  t.m.set(loom_cpu_select_scatter{{2, 3}, {1, 2}, {1, 0}, 4, 0});
  for (const auto &u : binary(scalar_of(r.type, 0)))
    t.m.ops.push_back(u);
  t.expect(out, 3);
}

void check_dot(const record &r) {
  trial t(r);
  const uint32_t b = t.n(0), m = t.n(1), k = t.n(2), n = t.n(3);
  const int64_t s = r.size;
  const uint32_t x = t.list(0), y = t.list(1), out = t.room(b * m * n);
  t.m.structure = LOOM_CPU_DOT;
  t.m.in = {operand(x, r.type, {b, m, n}, {m * k * s, k * s, 0}),
            operand(y, r.type, {b, m, n}, {k * n * s, 0, s})};
  t.m.out = {dense(out, r.type, {b, m, n})};
  t.m.set(loom_cpu_dot{1, 0, {k}, {s}, {n * s}});
  t.expect(out, 2);
}

void check_conv(const record &r) {
  trial t(r);
  const uint32_t w = t.n(1), c = t.n(2), n = t.n(3), oh = t.n(4), ow = t.n(5);
  const int64_t s = r.size;
  const uint32_t x = t.list(0), y = t.list(1), out = t.room(oh * ow * n);
  t.m.structure = LOOM_CPU_CONV;
  t.m.in = {operand(x, r.type, {oh, ow, n}, {0, 0, 0}),
            operand(y, r.type, {oh, ow, n}, {0, 0, s})};
  t.m.out = {dense(out, r.type, {oh, ow, n})};
  loom_cpu_conv p{};
  p.n_spatial = 2;
  p.channels = c;
  p.dim[1] = 1;
  p.window[0] = 2, p.window[1] = 3;
  p.left[0] = w * c * s, p.left[1] = c * s;
  p.right[0] = 3 * c * n * s, p.right[1] = c * n * s;
  p.left_channel = s;
  p.right_channel = n * s;
  for (uint32_t j = 0; j < 2; j++) {
    p.size[j] = t.n(j);
    p.stride[j] = t.n(6 + j);
    p.dilation[j] = t.n(8 + j);
    p.in_dilation[j] = t.n(10 + j);
    p.pad[j] = r.n[12 + j];
  }
  t.m.set(p);
  t.expect(out, 2);
}

TEST(cpu_golden, structures) {
  const std::map<std::string, void (*)(const record &)> checks = {
      {"reduce", check_reduce}, {"scan", check_scan},
      {"window", check_window}, {"copy", check_copy},
      {"gather", check_gather}, {"scatter", check_scatter},
      {"sort", check_sort},     {"select_scatter", check_select_scatter},
      {"dot", check_dot},       {"conv", check_conv}};
  std::map<std::string, std::set<uint32_t>> types;
  for (const record &r : read_structures()) {
    checks.at(r.name)(r);
    types[r.name].insert(r.type);
  }
  EXPECT_EQ(types.size(), checks.size());
  for (const auto &[name, seen] : types)
    EXPECT_GE(seen.size(), 12u) << name; // i1 is not added up
}

} // namespace
} // namespace loom::test
