// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// One `loomt.cpu` in the making.

#ifndef LOOM_LIB_CONVERSION_STABLEHLOTOLOOMT_CPU_H
#define LOOM_LIB_CONVERSION_STABLEHLOTOLOOMT_CPU_H

#include "Converter.h"
#include "CpuScalar.h"

namespace mlir::loom {

struct CpuForm {
  CpuForm(OpBuilder &builder, int64_t structure)
      : builder(builder), structure(structure) {}

  /// An input as it is.
  void input(Value value) { inputs.push_back(value); }
  /// An input along dimensions of its own; -1: along none.
  void input(Value value, ArrayRef<int64_t> map) {
    inputs.push_back(value);
    maps.resize(inputs.size());
    maps.back() = SmallVector<int64_t>(map);
  }
  /// A result of this type that is written whole, in order, as a box of these
  /// dimensions; those of the type if there are none.
  void result(RankedTensorType type);
  void result(RankedTensorType type, ArrayRef<int64_t> dims,
              ArrayRef<int64_t> strides);

  loomt::CpuOp create(Operation *op, StringRef why);

  OpBuilder &builder;
  int64_t structure;
  SmallVector<Value> inputs;
  SmallVector<Value> inits; // of the results
  SmallVector<int64_t> params;
  SmallVector<std::optional<SmallVector<int64_t>>> maps;
  SmallVector<SmallVector<int64_t>> walks;
  SmallVector<Attribute> outs;
  SmallVector<Type> results;
  loomt::CpuProgram program;
};

} // namespace mlir::loom

#endif // LOOM_LIB_CONVERSION_STABLEHLOTOLOOMT_CPU_H
