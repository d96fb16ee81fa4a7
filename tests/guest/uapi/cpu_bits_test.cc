// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Operations of every structure, in the kernel and in user space: the same
// bits in all of their memory.
#include <sys/mman.h>

#include <sstream>

#include "cpu_hashes.h"
#include "cpu_programs.h"
#include "hash_lines.h"
#include "structures.h"

using namespace loom_test;
using loom::test::dense;
using loom::test::load;
using loom::test::operand;
using loom::test::operation;
using loom::test::random_floats;
using loom::test::store;
using loom::test::uop;
using loom::test::world;

namespace {

// A world's operations as a CPU segment, its slots as arguments in one buffer.
struct Kernel {
  Kernel(const Device &dev, world &w) : dev(dev), r(dev, program(dev, w)) {
    for (const auto &m : w.all())
      bytes += padded(m.size());
    bo = dev.bo(bytes);
    data = static_cast<std::uint8_t *>(dev.map(bo, bytes));
  }
  ~Kernel() { munmap(data, bytes); }

  static std::uint64_t padded(std::uint64_t n) { return (n + 63) / 64 * 64; }
  static ProgramBuilder program(const Device &dev, world &w) {
    ProgramBuilder b(dev.target());
    for (const auto &m : w.all())
      b.slot(LOOM_SLOT_ARG, kReadWrite, m.size());
    b.cpu_segment(w.code);
    b.entry();
    return b;
  }
  // Memory afterwards, slot by slot.
  std::vector<std::vector<std::uint8_t>> run(world &w) {
    Job job(r.inst);
    const std::uint32_t index = job.use(bo, 3);
    std::vector<std::vector<std::uint8_t>> out = w.all();
    std::uint64_t at = 0;
    for (unsigned i = 0; i < out.size(); i++, at += padded(out[i - 1].size())) {
      std::memcpy(data + at, out[i].data(), out[i].size());
      job.bind(i, index, at, out[i].size());
    }
    job.signal(r.sync);
    EXPECT_EQ(submit(dev, job), 0);
    EXPECT_EQ(dev.wait(r.sync), 0);
    EXPECT_EQ(dev.fence_status(r.sync), 1);
    at = 0;
    for (auto &m : out) {
      std::memcpy(m.data(), data + at, m.size());
      at += padded(m.size());
    }
    return out;
  }
  const Device &dev;
  Runner r;
  std::uint64_t bytes = 0;
  std::uint32_t bo = 0;
  std::uint8_t *data = nullptr;
};

void expect_equal_bits(const Device &dev, world &w, const char *name) {
  Kernel k(dev, w);
  const auto got = k.run(w);
  ASSERT_NE(w.run(), 0u) << name << ": " << w.error.what;
  EXPECT_EQ(got, w.all()) << name;
}

TEST(CpuBits, EachStructure) {
  const Patience patience;
  Device dev;
  for (const auto &[name, make] : loom::test::structures) {
    world w;
    make(w);
    expect_equal_bits(dev, w, name);
  }
}

// Each operation and type: the hashes of every other build, in the order of
// tests/golden/cpu_hashes.txt.
TEST(KernelHashes, EachOperationAndType) {
  const Patience patience;
  std::istringstream golden(kCpuHashes);
  unsigned lines = 0;
  const auto run = [](world &w, std::uint32_t) {
    Device dev; // a file has room for some hundred contexts, not for all
    Kernel k(dev, w);
    w.all() = k.run(w);
  };
  const auto line = [&](const std::string &name, std::uint64_t hash) {
    char text[32];
    std::snprintf(text, sizeof(text), " %016llx",
                  static_cast<unsigned long long>(hash));
    std::string wanted;
    std::getline(golden, wanted);
    EXPECT_EQ(name + text, wanted);
    lines++;
  };
  loom::test::hash_lines(run, line, {}).all();
  EXPECT_GT(lines, 900u);
  std::string rest;
  EXPECT_FALSE(std::getline(golden, rest)) << rest << " is not computed";
}

// --- larger ones: sections in mid-operation, one operation after another ---

void add_map(world &w, unsigned op, std::uint32_t n) {
  operation m;
  m.in = {dense(w.slot_of(random_floats(n, op)), LOOM_F32, {n})};
  m.out = {dense(w.slot(n * 4), LOOM_F32, {n})};
  m.ops = {load(0, 0), uop(op, 1, 0), store(0, 1)};
  w.add(m);
}

void add_reduce(world &w, std::uint32_t lines, std::uint32_t n) {
  operation m;
  m.structure = LOOM_CPU_REDUCE;
  m.in = {dense(w.slot_of(random_floats(lines * n, 5)), LOOM_F32, {lines, n})};
  m.out = {dense(w.slot(lines * 4), LOOM_F32, {lines, 1})};
  m.set(loom_cpu_reduce{2, LOOM_UOP_RADD_F, 1, 0});
  w.add(m);
}

void add_sort(world &w, std::uint32_t n) {
  operation m;
  m.structure = LOOM_CPU_SORT;
  m.in = {dense(w.slot_of(random_floats(n, 6)), LOOM_F32, {n})};
  m.out = {dense(w.slot(4 * n), LOOM_F32, {n}),
           dense(w.slot(8 * n), LOOM_U32, {2 * n})};
  m.ops = {load(0, 0), load(1, 1), uop(LOOM_UOP_FLT, 2, 0, 1), store(0, 2)};
  m.set(loom_cpu_sort{0, 1, {}});
  w.add(m);
}

void add_dot(world &w, std::uint32_t m, std::uint32_t k, std::uint32_t n) {
  operation d;
  d.structure = LOOM_CPU_DOT;
  d.in = {
      operand(w.slot_of(random_floats(m * k, 7)), LOOM_F32, {m, n}, {4 * k, 0}),
      operand(w.slot_of(random_floats(k * n, 8)), LOOM_F32, {m, n}, {0, 4})};
  d.out = {dense(w.slot(m * n * 4), LOOM_F32, {m, n})};
  d.set(loom_cpu_dot{1, 0, {k}, {4}, {4 * n}});
  w.add(d);
}

void add_scan(world &w, std::uint32_t lines, std::uint32_t n) {
  operation m;
  m.structure = LOOM_CPU_SCAN;
  m.in = {dense(w.slot_of(random_floats(lines * n, 9)), LOOM_F32, {lines, n})};
  m.out = {dense(w.slot(lines * n * 4), LOOM_F32, {lines, n})};
  m.set(loom_cpu_scan{1, LOOM_UOP_RADD_F, 1, 0});
  w.add(m);
}

// Light operations before heavy ones, so that what a section took of the one
// says nothing of the next.
TEST(CpuSections, LightThenHeavy) {
  const Patience patience;
  Device dev;
  world w;
  for (int round = 0; round < 3; round++) {
    add_map(w, LOOM_UOP_FNEG, 40000);
    add_map(w, LOOM_UOP_SIN, 8000);
    add_reduce(w, 100, 300);
    add_dot(w, 24, 64, 64);
    add_map(w, LOOM_UOP_FABS, 20000);
    add_sort(w, 1500);
    add_scan(w, 64, 200);
    add_map(w, LOOM_UOP_TANH, 4000);
  }
  expect_equal_bits(dev, w, "light then heavy");
}

} // namespace
