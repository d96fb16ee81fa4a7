// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// CPU segments for tests: operations are put together, checked and run.
#pragma once

#include "cpu_engine.h"
#include "loom_regs.h"
#include <cstring>
#include <memory>
#include <string>
#include <vector>

namespace loom::test {

constexpr uint32_t read_write = LOOM_RIGHT_READ | LOOM_RIGHT_WRITE;

using dims = std::vector<uint32_t>;
using strides = std::vector<int64_t>;

inline loom_cpu_operand operand(uint32_t slot, uint32_t dtype, const dims &n,
                                const strides &s, uint64_t offset = 0) {
  loom_cpu_operand o{};
  o.slot = slot;
  o.dtype = uint8_t(dtype);
  o.rank = uint8_t(n.size());
  o.offset = offset;
  for (size_t d = 0; d < n.size(); d++) {
    o.dims[d] = n[d];
    o.strides[d] = s[d];
  }
  return o;
}

// Row-major.
inline loom_cpu_operand dense(uint32_t slot, uint32_t dtype, const dims &n,
                              uint64_t offset = 0) {
  strides s(n.size());
  int64_t step = loom_dtype_bytes(dtype);
  for (size_t d = n.size(); d-- > 0; step *= n[d])
    s[d] = step;
  return operand(slot, dtype, n, s, offset);
}

inline loom_cpu_scalar_op uop(uint32_t op, uint32_t dst, uint32_t a = 0,
                              uint32_t b = 0, uint32_t c = 0) {
  return {uint16_t(op), uint8_t(dst), uint8_t(a), uint8_t(b), uint8_t(c), 0};
}
inline loom_cpu_scalar_op load(uint32_t dst, uint32_t arg) {
  return uop(LOOM_UOP_LOAD, dst, arg);
}
inline loom_cpu_scalar_op store(uint32_t result, uint32_t reg) {
  return uop(LOOM_UOP_STORE, result, reg);
}

// Result 0 is op of two arguments.
inline std::vector<loom_cpu_scalar_op> binary(uint32_t op) {
  return {load(0, 0), load(1, 1), uop(op, 2, 0, 1), store(0, 2)};
}

struct operation {
  uint16_t structure = LOOM_CPU_MAP;
  std::vector<loom_cpu_operand> in, out;
  std::vector<uint8_t> params;
  std::vector<loom_cpu_scalar_op> ops;
  std::vector<uint64_t> imms;

  template <typename T> void set(const T &p) {
    params.resize(sizeof(p));
    std::memcpy(params.data(), &p, sizeof(p));
  }

  // Rows, with the least cost that the check lets pass unless one is given.
  std::vector<uint64_t> encode(uint64_t cost = ~0ull) const {
    std::vector<uint8_t> b(sizeof(loom_cpu_op));
    const auto put = [&b](const void *p, size_t n) {
      const auto *from = static_cast<const uint8_t *>(p);
      b.insert(b.end(), from, from + n);
    };
    put(in.data(), in.size() * sizeof(in[0]));
    put(out.data(), out.size() * sizeof(out[0]));
    put(params.data(), params.size());
    put(ops.data(), ops.size() * sizeof(ops[0]));
    put(imms.data(), imms.size() * sizeof(imms[0]));
    loom_cpu_op h{};
    h.structure = structure;
    h.n_operands = uint8_t(in.size() + out.size());
    h.n_inputs = uint8_t(in.size());
    h.n_scalar_ops = uint16_t(ops.size());
    h.n_imms = uint16_t(imms.size());
    h.bytes = uint32_t(b.size());
    h.cost = cost;
    std::memcpy(b.data(), &h, sizeof(h));
    std::vector<uint64_t> rows((b.size() + 7) / 8);
    std::memcpy(rows.data(), b.data(), b.size());
    auto *op = reinterpret_cast<loom_cpu_op *>(rows.data());
    if (cost == ~0ull)
      op->cost = loom_cpu_cost(op);
    return rows;
  }
};

struct alignas(64) scratch {
  uint8_t bytes[LOOM_CPU_SCRATCH_BYTES];
};

// Slots with memory, and a list of operations over them.
class world {
public:
  uint32_t slot(size_t bytes, uint32_t rights = read_write) {
    memory_.emplace_back(bytes);
    rights_.push_back(rights);
    return uint32_t(memory_.size() - 1);
  }
  template <typename T>
  uint32_t slot_of(const std::vector<T> &v, uint32_t rights = read_write) {
    const uint32_t s = slot(v.size() * sizeof(T), rights);
    std::memcpy(memory_[s].data(), v.data(), memory_[s].size());
    return s;
  }
  template <typename T> std::vector<T> get(uint32_t slot) const {
    std::vector<T> v(memory_[slot].size() / sizeof(T));
    std::memcpy(v.data(), memory_[slot].data(), v.size() * sizeof(T));
    return v;
  }
  std::vector<uint8_t> &memory(uint32_t slot) { return memory_[slot]; }
  std::vector<std::vector<uint8_t>> &all() { return memory_; }

  void add(const operation &op, uint64_t cost = ~0ull) {
    const auto rows = op.encode(cost);
    code.insert(code.end(), rows.begin(), rows.end());
  }

  loom_cpu_status check(uint64_t budget = LOOM_CPU_MAX_COST) {
    slots_.clear();
    for (size_t i = 0; i < memory_.size(); i++)
      slots_.push_back({memory_[i].data(), memory_[i].size(), rights_[i], 0});
    return loom_cpu_check(code.data(), code.size() * 8, slots_.data(),
                          uint32_t(slots_.size()), 1, budget, &segment, &error);
  }

  // Quanta that it took, in steps of so many; 0 if the check refuses.
  uint64_t run(uint32_t quanta = ~0u) {
    if (check() != LOOM_CPU_OK)
      return 0;
    const auto s = std::make_unique<scratch>();
    std::memset(s->bytes, 0xa5, sizeof(s->bytes));
    loom_cpu_cursor c;
    loom_cpu_begin(&c, s->bytes);
    uint64_t steps = 1;
    while (loom_cpu_step(&segment, &c, quanta) == LOOM_CPU_MORE)
      steps++;
    return steps;
  }

  std::vector<uint64_t> code;
  loom_cpu_segment segment{};
  loom_cpu_error error{};

private:
  std::vector<std::vector<uint8_t>> memory_;
  std::vector<uint32_t> rights_;
  std::vector<loom_cpu_slot> slots_;
};

} // namespace loom::test
