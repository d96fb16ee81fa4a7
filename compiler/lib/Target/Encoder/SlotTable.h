// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The slots of all entry points as one table. Constants are shared by name and
// value, state by name, scratch altogether; arguments are each entry point's
// own.

#ifndef LOOM_LIB_TARGET_ENCODER_SLOTTABLE_H
#define LOOM_LIB_TARGET_ENCODER_SLOTTABLE_H

#include "loom/Dialect/Loom/Loom.h"
#include "loom/Target/Encoder.h"

#include <map>

namespace mlir::loom {

void addTensor(program::Container &container, StringRef name, uint32_t slot,
               unsigned dtype, unsigned role, ArrayRef<int64_t> dims);

class SlotTable {
public:
  explicit SlotTable(program::Container &container) : container(container) {}

  /// Adds a function's slots and gives each its number in the program. `out`
  /// gets the bytes of constants and scratch that the entry point uses.
  LogicalResult add(func::FuncOp func, const std::string &entry,
                    CompiledProgram &out);
  /// Number in the program of the last function's slot `local`.
  uint32_t indexOf(int64_t local) const { return numbers.lookup(local); }
  /// Whether the state in `slot` has this type in all entry points.
  LogicalResult agree(func::FuncOp func, uint32_t slot, StringRef name,
                      unsigned dtype, ArrayRef<int64_t> dims);
  /// A row of TENSORS for every constant, after those of the entry points.
  void addConstantTensors();

private:
  LogicalResult fill(npu::SlotOp slot, loom_prog_slot &row);
  LogicalResult storeValue(npu::SlotOp slot, loom_prog_slot &row);
  uint32_t place(npu::SlotOp slot, const loom_prog_slot &row);

  struct State {
    std::string entry; // that declared it first
    unsigned dtype;
    SmallVector<int64_t> dims;
  };
  program::Container &container;
  std::string current; // entry point
  DenseMap<int64_t, uint32_t> numbers;
  std::map<std::pair<uint32_t, uint64_t>, uint32_t> constants; // name, offset
  std::map<uint32_t, uint32_t> states;                         // by name
  std::map<uint32_t, State> stateTypes;                        // by slot
  std::optional<uint32_t> scratch;
  struct Constant {
    uint32_t slot;
    std::string label;
    RankedTensorType type;
  };
  std::vector<Constant> rows;
};

} // namespace mlir::loom

#endif // LOOM_LIB_TARGET_ENCODER_SLOTTABLE_H
