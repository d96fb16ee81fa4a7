// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Scalar programs in SSA form, and their registers.

#include "loom/Dialect/LoomT/LoomT.h"

#include "loom_isa.h"

using namespace mlir;
using namespace mlir::loom::loomt;

Program::Program(ArrayRef<int32_t> words, ArrayRef<int32_t> immediates)
    : imms(immediates) {
  for (size_t i = 0; i + 3 < words.size(); i += 4)
    ops.push_back({words[i], words[i + 1], words[i + 2], words[i + 3]});
}

SmallVector<int32_t> Program::words() const {
  SmallVector<int32_t> out;
  for (const Op &op : ops)
    out.append({op.op, op.a, op.b, op.c});
  return out;
}

int32_t Program::load(int32_t input) { return emit(LOOM_UOP_LOAD, input); }

int32_t Program::imm(uint32_t bits) {
  for (auto [i, have] : llvm::enumerate(imms))
    if (uint32_t(have) == bits)
      return -1 - int32_t(i);
  imms.push_back(int32_t(bits));
  return -int32_t(imms.size());
}

int32_t Program::emit(int32_t op, int32_t a, int32_t b, int32_t c) {
  ops.push_back({op, a, b, c});
  return int32_t(ops.size()) - 1;
}

int Program::operands(int32_t op) {
  switch (op) {
#define LOOM_CASE(num, name, count, cls, text)                                 \
  case num:                                                                    \
    return count;
    LOOM_UOPS(LOOM_CASE)
#undef LOOM_CASE
  default:
    return -1;
  }
}

StringRef Program::name(int32_t op) {
  switch (op) {
#define LOOM_CASE(num, name, count, cls, text)                                 \
  case num:                                                                    \
    return #name;
    LOOM_UOPS(LOOM_CASE)
#undef LOOM_CASE
  default:
    return "?";
  }
}

std::optional<SmallVector<int32_t>> Program::registers() const {
  SmallVector<int32_t> lastUse(ops.size(), -1), result(ops.size(), -1);
  for (auto [i, op] : llvm::enumerate(ops)) {
    if (op.op == LOOM_UOP_LOAD || op.op == LOOM_UOP_IOTA)
      continue;
    const int32_t args[3] = {op.a, op.b, op.c};
    for (int k = 0; k < operands(op.op); ++k)
      if (args[k] >= 0)
        lastUse[args[k]] = i;
  }
  if (!ops.empty())
    lastUse.back() = ops.size();
  SmallVector<int32_t> owner(LOOM_VPU_NUM_VREGS, -1);
  for (size_t i = 0; i < ops.size(); ++i) {
    int32_t chosen = -1;
    for (unsigned r = 0; r < LOOM_VPU_NUM_VREGS && chosen < 0; ++r)
      if (owner[r] < 0 || lastUse[owner[r]] <= int32_t(i))
        chosen = r;
    if (chosen < 0)
      return std::nullopt;
    owner[chosen] = i;
    result[i] = chosen;
  }
  return result;
}

bool Program::fits(unsigned inputs) const {
  // One more group stores or reduces, one more view takes the result.
  return inputs + 1 <= LOOM_VPU_MAX_VIEWS &&
         ops.size() + 1 <= LOOM_VPU_MAX_OPS &&
         imms.size() <= LOOM_VPU_MAX_IMMS && registers().has_value();
}
