// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The `loomt` dialect and the strided references that its users think in.

#ifndef LOOM_DIALECT_LOOMT_LOOMT_H
#define LOOM_DIALECT_LOOMT_LOOMT_H

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include "loom/Dialect/LoomT/LoomTDialect.h.inc"

#define GET_OP_CLASSES
#include "loom/Dialect/LoomT/LoomTOps.h.inc"

namespace mlir::loom::loomt {

/// The NPU's element type (enum loom_dtype) of a tensor's elements.
std::optional<unsigned> npuType(Type elementType);

/// Row-major strides, in elements.
SmallVector<int64_t> denseStrides(ArrayRef<int64_t> shape);

/// Elements of a root, by offset and strides.
struct Ref {
  Value root;
  int64_t offset = 0;
  SmallVector<int64_t> shape;
  SmallVector<int64_t> strides;

  /// What a value names: itself, or what its view names.
  static Ref of(Value value);
  /// All of the root, in order (whatever its shape).
  bool isWhole() const;
  /// The same elements in another shape, if strides can say so.
  std::optional<Ref> reshaped(ArrayRef<int64_t> shape) const;
  /// The root itself, or a view of it.
  Value materialiseView(OpBuilder &builder, Location loc) const;
};

/// Straight-line scalar program in SSA form, as `map` and `reduce` hold it.
struct Program {
  struct Op {
    int32_t op, a = 0, b = 0, c = 0;
  };
  SmallVector<Op> ops;
  SmallVector<int32_t> imms;

  Program() = default;
  Program(ArrayRef<int32_t> words, ArrayRef<int32_t> imms);
  SmallVector<int32_t> words() const;

  int32_t load(int32_t input);
  int32_t imm(uint32_t bits); // an operand, not a group
  int32_t emit(int32_t op, int32_t a, int32_t b = 0, int32_t c = 0);

  /// Number of operands of a micro-operation, -1 if there is none of that name.
  static int operands(int32_t op);
  static StringRef name(int32_t op);

  /// Register of each group for the vector unit's 16, or nothing if too many
  /// values live at once.
  std::optional<SmallVector<int32_t>> registers() const;
  /// Whether one VPU record can hold the program with this many inputs.
  bool fits(unsigned inputs) const;
};

} // namespace mlir::loom::loomt

#endif // LOOM_DIALECT_LOOMT_LOOMT_H
