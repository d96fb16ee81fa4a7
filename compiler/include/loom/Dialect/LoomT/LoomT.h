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

#include "loom_cpu_ops.h"

#include "loom/Dialect/LoomT/LoomTDialect.h.inc"

#define GET_OP_CLASSES
#include "loom/Dialect/LoomT/LoomTOps.h.inc"

namespace mlir::loom::loomt {

/// The NPU's element type (enum loom_dtype) of a tensor's elements.
std::optional<unsigned> npuType(Type elementType);

/// The element type in memory (enum loom_dtype), of whatever engine.
std::optional<unsigned> memoryType(Type elementType);

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

/// Straight-line scalar program of the CPU engine in SSA form, as `cpu` holds
/// it.
struct CpuProgram {
  SmallVector<Program::Op> ops;
  SmallVector<int64_t> imms;

  CpuProgram() = default;
  CpuProgram(ArrayRef<int32_t> words, ArrayRef<int64_t> imms);
  SmallVector<int32_t> words() const;

  int32_t load(int32_t argument);
  int32_t imm(uint64_t bits); // an operand, not a group
  int32_t emit(int32_t op, int32_t a, int32_t b = 0, int32_t c = 0);
  void store(int32_t value, int32_t result);
  /// The groups of a program of the vector unit; `inputs` are the values of its
  /// loads. Its result.
  int32_t splice(const Program &program, ArrayRef<int32_t> inputs);

  /// Number of operands of an operation, -1 if there is none of that name;
  /// numbers in place of operands do not count.
  static int operands(int32_t op);
  static bool exists(int32_t op) { return operands(op) >= 0; }

  /// Encoded, with registers; `first`, `count`: which groups. Nothing if more
  /// values live at once than there are registers.
  std::optional<std::vector<loom_cpu_scalar_op>> encode(size_t first,
                                                        size_t count) const;
  /// Why the engine does not take it, or nothing.
  std::string problem() const;
};

/// Inputs copied into a new root, by the NPU, or by the CPU engine where the
/// NPU lacks the type. Arguments as of `copy`; `fill`: bits.
Value createCopy(OpBuilder &builder, Location loc, RankedTensorType type,
                 ValueRange inputs, ArrayRef<int64_t> offsets,
                 ArrayRef<SmallVector<int64_t>> strides,
                 std::optional<uint32_t> fill = std::nullopt);

/// The same by the CPU engine, because of `why`.
Value createCpuCopy(OpBuilder &builder, Location loc, RankedTensorType type,
                    ValueRange inputs, ArrayRef<int64_t> offsets,
                    ArrayRef<SmallVector<int64_t>> strides,
                    std::optional<uint32_t> fill, StringRef why);

/// [result, type, offset, dims..., strides...] of a box of an output.
DenseI64ArrayAttr outBox(OpBuilder &builder, int64_t result, Type element,
                         int64_t offset, ArrayRef<int64_t> dims,
                         ArrayRef<int64_t> strides);

} // namespace mlir::loom::loomt

#endif // LOOM_DIALECT_LOOMT_LOOMT_H
