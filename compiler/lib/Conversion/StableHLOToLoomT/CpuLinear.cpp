// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Factors and triangular systems. Of those the engine knows lower triangles on
// the left alone; strides say the rest.

#include "Cpu.h"

#include "loom/Dialect/StableHLO/Engines.h"

#include "loom_isa.h"

using namespace mlir;
using namespace mlir::loom;
using loomt::Ref;

static RankedTensorType typeOf(Value value) {
  return cast<RankedTensorType>(value.getType());
}

/// The last two dimensions in each other's place.
static void swapLast(Ref &ref) {
  const size_t rank = ref.shape.size();
  std::swap(ref.shape[rank - 1], ref.shape[rank - 2]);
  std::swap(ref.strides[rank - 1], ref.strides[rank - 2]);
}

/// The dimension from its last element on.
static void reverseDim(Ref &ref, size_t dim) {
  ref.offset += (ref.shape[dim] - 1) * ref.strides[dim];
  ref.strides[dim] = -ref.strides[dim];
}

/// The next result, written as the reference goes through it.
static void addResult(CpuForm &form, RankedTensorType type, const Ref &box) {
  form.outs.push_back(loomt::outBox(form.builder, form.results.size(),
                                    type.getElementType(), box.offset,
                                    box.shape, box.strides));
  form.results.push_back(type);
}

/// A root's elements in order, whatever the root.
static Ref wholeOf(RankedTensorType type) {
  return {Value(), 0, SmallVector<int64_t>(type.getShape()),
          loomt::denseStrides(type.getShape())};
}

static bool flag(Operation *op, StringRef name) {
  auto value = stablehlo::attributesOf(op).getAs<BoolAttr>(name);
  return value && value.getValue();
}

static StringRef transposeOf(Operation *op) {
  auto value = stablehlo::attributesOf(op).getAs<StringAttr>("transpose_a");
  return value ? value.getValue() : "NO_TRANSPOSE";
}

/// [batch..., k] as rows of matrices: [batch..., 1, k].
static Ref asRow(Ref ref) {
  const size_t last = ref.shape.size() - 1;
  ref.shape.insert(ref.shape.begin() + last, 1);
  ref.strides.insert(ref.strides.begin() + last, 0);
  return ref;
}

namespace {
/// The boxes of a structure's operands; parts of pairs come one by one.
using Boxes = llvm::function_ref<Ref(Ref, unsigned)>;

struct Factor {
  CpuForm form;
  Operation *op;
  ArrayRef<Ref> inputs;

  Factor(OpBuilder &builder, Operation *op, ArrayRef<Ref> inputs,
         int64_t structure)
      : form(builder, structure), op(op), inputs(inputs) {}

  /// Operands and results, each as `box` has it, numbered inputs first.
  void boxes(Boxes box) {
    unsigned number = 0;
    for (const Ref &input : inputs)
      form.input(
          box(input, number++).materialiseView(form.builder, op->getLoc()));
    for (Value result : op->getResults())
      addResult(form, typeOf(result), box(wholeOf(typeOf(result)), number++));
  }

  void cholesky() {
    boxes([&](Ref ref, unsigned) {
      if (!flag(op, "lower"))
        swapLast(ref);
      return ref;
    });
  }

  void triangularSolve() {
    const unsigned parts = op->getNumResults();
    const bool left = flag(op, "left_side"),
               swapped = (transposeOf(op) == "NO_TRANSPOSE") != left,
               backwards = flag(op, "lower") == swapped;
    boxes([&](Ref ref, unsigned number) {
      const bool isA = number < parts;
      const size_t rank = ref.shape.size();
      if (isA ? swapped : !left)
        swapLast(ref);
      if (backwards)
        reverseDim(ref, rank - 2);
      if (backwards && isA)
        reverseDim(ref, rank - 1);
      return ref;
    });
    const bool conjugate = parts == 2 && transposeOf(op) == "ADJOINT";
    form.params.push_back(
        (flag(op, "unit_diagonal") ? LOOM_CPU_SOLVE_UNIT : 0) |
        (conjugate ? LOOM_CPU_SOLVE_CONJUGATE : 0));
  }

  /// `tau`: which of three values is not a matrix.
  void reflections(unsigned tau) {
    const unsigned parts = (op->getNumOperands() + op->getNumResults()) / 3;
    boxes([&](Ref ref, unsigned number) {
      return number / parts == tau ? asRow(ref) : ref;
    });
  }
};
} // namespace

LogicalResult Converter::cpuFactor(Operation *op) {
  SmallVector<Ref> inputs;
  for (Value operand : op->getOperands())
    inputs.push_back(Ref::of(map.lookup(operand)));
  const StringRef name = stablehlo::routineOf(op);
  auto finish = [&](int64_t structure, auto write) {
    Factor factor(builder, op, inputs, structure);
    write(factor);
    return finishCpu(op, factor.form);
  };
  if (name == "cholesky")
    return finish(LOOM_CPU_CHOLESKY, [](Factor &f) { f.cholesky(); });
  if (name == "triangular_solve")
    return finish(LOOM_CPU_TRIANGULAR_SOLVE,
                  [](Factor &f) { f.triangularSolve(); });
  if (name == "Qr")
    return finish(LOOM_CPU_QR, [](Factor &f) { f.reflections(2); });
  return finish(LOOM_CPU_HOUSEHOLDER, [](Factor &f) { f.reflections(1); });
}
