// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// One operation of the CPU engine over large dense arrays, in one go, on one
// thread: loom_cpu_bench OPERATION. Runs it once for every line of its input
// and tells the seconds as a line of JSON. cpu_numpy.py does the same by NumPy.
#include <chrono>
#include <cstdio>
#include <memory>
#include <span>
#include <string>

#include "cpu_engine.h"
#include "cpu_variants.h"
#include "loom/loom.hpp"
#include "segment.h"

namespace {

using namespace loom::test;

constexpr uint32_t count = 1 << 20;
enum slot : uint32_t { A, B, PICK, OUT };

operation map(uint32_t op, uint32_t inputs) {
  operation m;
  for (uint32_t i = 0; i < inputs; i++)
    m.in.push_back(dense(i, LOOM_F32, {count}));
  m.out = {dense(OUT, LOOM_F32, {count})};
  for (uint32_t i = 0; i < inputs; i++)
    m.ops.push_back(load(i, i));
  m.ops.push_back(uop(op, 4, 0, inputs > 1 ? 1 : 0));
  m.ops.push_back(store(0, 4));
  return m;
}

operation compare() {
  operation m = map(LOOM_UOP_FLT, 2);
  m.out = {dense(OUT, LOOM_I1, {count})};
  return m;
}

operation select() {
  operation m;
  m.in = {dense(PICK, LOOM_I1, {count}), dense(A, LOOM_F32, {count}),
          dense(B, LOOM_F32, {count})};
  m.out = {dense(OUT, LOOM_F32, {count})};
  m.ops = {load(0, 0), load(1, 1), load(2, 2), uop(LOOM_UOP_SELECT, 3, 0, 1, 2),
           store(0, 3)};
  return m;
}

operation convert() {
  operation m;
  m.in = {dense(A, LOOM_F32, {count})};
  m.out = {dense(OUT, LOOM_I32, {count})};
  m.ops = {load(0, 0), uop(LOOM_CPU_CVT, 1, 0, LOOM_F32, LOOM_I32),
           store(0, 1)};
  return m;
}

operation reduce(uint16_t combiner) {
  operation m;
  m.structure = LOOM_CPU_REDUCE;
  m.in = {dense(A, LOOM_F32, {count})};
  m.out = {dense(OUT, LOOM_F32, {1})};
  m.set(loom_cpu_reduce{1, combiner, 1, 0});
  return m;
}

operation named(const std::string &name) {
  if (name == "add")
    return map(LOOM_UOP_FADD, 2);
  if (name == "multiply")
    return map(LOOM_UOP_FMUL, 2);
  if (name == "exp")
    return map(LOOM_UOP_EXP, 1);
  if (name == "tanh")
    return map(LOOM_UOP_TANH, 1);
  if (name == "compare")
    return compare();
  if (name == "select")
    return select();
  if (name == "convert")
    return convert();
  if (name == "sum")
    return reduce(LOOM_UOP_RADD_F);
  if (name == "max")
    return reduce(LOOM_UOP_RMAX_F);
  std::fprintf(stderr, "loom_cpu_bench: no operation %s\n", name.c_str());
  std::exit(1);
}

// Memory as libloom lends it to programs.
class memory {
public:
  memory() : device_("sim") {
    for (const uint32_t bytes : {4 * count, 4 * count, count, 4 * count})
      buffers_.emplace_back(device_.get(), bytes);
    auto *a = static_cast<float *>(buffers_[A].data());
    auto *b = static_cast<float *>(buffers_[B].data());
    auto *pick = static_cast<uint8_t *>(buffers_[PICK].data());
    for (uint32_t i = 0; i < count; i++) {
      a[i] = static_cast<float>(i % 4093) / 512.0f - 4.0f;
      b[i] = static_cast<float>(i * 7 % 4099) / 512.0f - 4.0f;
      pick[i] = i * 5 % 3 == 0;
    }
    for (const auto &buffer : buffers_)
      slots_.push_back({buffer.data(), buffer.bytes(), read_write, 0});
  }
  std::span<const loom_cpu_slot> slots() const { return slots_; }

private:
  loom_cpp::device device_;
  std::vector<loom_cpp::buffer> buffers_;
  std::vector<loom_cpu_slot> slots_;
};

double seconds_of(const loom_cpu_variant &v, const loom_cpu_segment &segment,
                  scratch &lent) {
  loom_cpu_cursor cursor;
  const auto begin = std::chrono::steady_clock::now();
  loom_cpu_begin(&cursor, lent.bytes);
  while (v.step(&segment, &cursor, ~0u) == LOOM_CPU_MORE)
    ;
  const std::chrono::duration<double> took =
      std::chrono::steady_clock::now() - begin;
  return took.count();
}

} // namespace

int main(int argc, char **argv) {
  if (argc < 2 || argc > 3) {
    std::fprintf(stderr, "usage: loom_cpu_bench OPERATION [VARIANT]\n");
    return 1;
  }
  const loom_cpu_variant *v =
      argc > 2 ? loom_cpu_variant_named(argv[2]) : loom_cpu_variant_best();
  if (!v) {
    std::fprintf(stderr, "loom_cpu_bench: no variant %s here\n", argv[2]);
    return 1;
  }
  const memory m;
  const auto code = named(argv[1]).encode();
  loom_cpu_segment segment;
  loom_cpu_error error;
  if (loom_cpu_check(code.data(), code.size() * 8, m.slots().data(),
                     static_cast<uint32_t>(m.slots().size()), 1,
                     LOOM_CPU_MAX_COST, &segment, &error) != LOOM_CPU_OK) {
    std::fprintf(stderr, "loom_cpu_bench: %s\n", error.what);
    return 1;
  }
  const auto lent = std::make_unique<scratch>();
  for (int c; (c = std::getchar()) != EOF;) {
    if (c != '\n')
      continue;
    std::printf("{\"seconds\": %.9f, \"variant\": \"%s\"}\n",
                seconds_of(*v, segment, *lent), v->name);
    std::fflush(stdout);
  }
}
