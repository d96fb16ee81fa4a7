// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Programs with CPU segments, what they compute by the same engine in user
// space, and the switches that tests of them turn.
#pragma once

#include <cmath>

#include "harness.h"
#include "segment.h"

namespace loom_test {

constexpr unsigned kReadWrite = LOOM_RIGHT_READ | LOOM_RIGHT_WRITE;
constexpr std::uint32_t kBlock = 1024; // elements of f32
constexpr std::uint32_t kBlockBytes = 4 * kBlock;
using Rows = std::vector<std::uint64_t>;

// Elements at byte `from` of a slot to byte `to`: op of an element and itself.
inline loom::test::operation map_op(unsigned slot, std::uint64_t from,
                                    std::uint64_t to, std::uint32_t uop,
                                    std::uint32_t n = kBlock) {
  loom::test::operation op;
  op.in = {loom::test::dense(slot, LOOM_F32, {n}, from)};
  op.out = {loom::test::dense(slot, LOOM_F32, {n}, to)};
  op.ops = {loom::test::load(0, 0), loom::test::uop(uop, 1, 0, 0),
            loom::test::store(0, 1)};
  return op;
}

// Two operations: block `from` through exp, then plus itself, to block `to`.
inline Rows exp_twice(unsigned slot, unsigned from, unsigned to,
                      std::uint32_t loc = 0) {
  Rows rows =
      map_op(slot, from * kBlockBytes, to * kBlockBytes, LOOM_UOP_EXP).encode();
  Rows second =
      map_op(slot, to * kBlockBytes, to * kBlockBytes, LOOM_UOP_FADD).encode();
  reinterpret_cast<loom_cpu_op *>(second.data())->loc = loc;
  rows.insert(rows.end(), second.begin(), second.end());
  return rows;
}

// Runs rows over one slot's memory in user space.
inline void run_here(const Rows &rows, std::vector<std::uint8_t> &memory) {
  loom::test::world w;
  w.memory(w.slot(memory.size())) = memory;
  w.code = rows;
  ASSERT_NE(w.run(), 0u) << w.error.what;
  memory = w.memory(0);
}

inline std::uint64_t cost_of(const Rows &rows) {
  std::uint64_t cost = 0;
  for (std::size_t at = 0; at < rows.size();) {
    const auto *op = reinterpret_cast<const loom_cpu_op *>(&rows[at]);
    cost += op->cost;
    at += op->bytes / 8;
  }
  return cost;
}

// A MAP of 64-fold repeated rows: so many quanta of the weight of exp, in a
// slot of one block.
inline Rows long_map(unsigned slot, std::uint32_t quanta) {
  loom::test::operation op = map_op(slot, 0, 0, LOOM_UOP_EXP, 64);
  for (auto *o : {&op.in[0], &op.out[0]}) {
    o->rank = 2;
    o->dims[0] = quanta;
    o->dims[1] = 64;
    o->strides[0] = 0;
    o->strides[1] = 4;
  }
  return op.encode();
}

// One CPU segment over one block of state.
inline ProgramBuilder long_program(const loom_target &t, std::uint32_t quanta) {
  ProgramBuilder b(t);
  const unsigned s = b.slot(LOOM_SLOT_STATE, kReadWrite, kBlockBytes);
  b.cpu_segment(long_map(s, quanta));
  b.entry();
  return b;
}

// NPU, CPU, NPU, CPU and so on: each from block k to block k + 1 of slot 0.
inline ProgramBuilder woven_program(const loom_target &t, unsigned segments,
                                    int trap_at = -1) {
  ProgramBuilder b(t);
  const unsigned s = b.slot(LOOM_SLOT_ARG, kReadWrite,
                            (segments + 1) * std::uint64_t{kBlockBytes});
  for (unsigned k = 0; k < segments; k++) {
    if (k % 2) {
      b.cpu_segment(exp_twice(s, k, k + 1, k % 8));
      continue;
    }
    if (trap_at == static_cast<int>(k))
      b.trap(k);
    b.move(s, s, kBlockBytes, std::uint64_t{k} * kBlockBytes,
           std::uint64_t{k + 1} * kBlockBytes);
    b.halt();
    b.segment();
  }
  b.entry();
  return b;
}

// A module parameter, as it was again at the end.
struct Parameter {
  Parameter(const std::string &name, const std::string &value)
      : path("/sys/module/loom/parameters/" + name), old(read_file(path)) {
    EXPECT_EQ(write_file(path, value), 0) << path;
  }
  ~Parameter() { write_file(path, old); }
  void set(const std::string &value) {
    EXPECT_EQ(write_file(path, value), 0) << path;
  }
  std::string path, old;
};

// Where the guest's CPUs stand still, because the host is busy, time goes on: a
// deadline of a long segment is then no error of the driver's.
struct Patience : Parameter {
  Patience() : Parameter("hang_ms", "10000") {}
};

inline std::string debugfs(const std::string &file) {
  const std::string pci = pci_path();
  return "/sys/kernel/debug/accel" + pci.substr(pci.rfind('/')) + "/" + file;
}

// Lines of a debugfs table, without its head.
inline unsigned debugfs_rows(const std::string &file) {
  const std::string text = read_file(debugfs(file));
  unsigned lines = 0;
  for (const char c : text)
    lines += c == '\n';
  return lines ? lines - 1 : 0;
}

} // namespace loom_test
