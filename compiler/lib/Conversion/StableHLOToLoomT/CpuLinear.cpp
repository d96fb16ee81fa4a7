// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Factors and triangular systems. The engine knows lower triangles on the left
// alone; strides say the rest.

#include "Cpu.h"

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

/// The result, written as the reference goes through it.
static void addResult(CpuForm &form, RankedTensorType type, const Ref &box) {
  form.outs.push_back(loomt::outBox(form.builder, 0, type.getElementType(),
                                    box.offset, box.shape, box.strides));
  form.results.push_back(type);
}

/// A root's elements in order, whatever the root.
static Ref wholeOf(RankedTensorType type) {
  return {Value(), 0, SmallVector<int64_t>(type.getShape()),
          loomt::denseStrides(type.getShape())};
}

LogicalResult Converter::cpuCholesky(stablehlo::CholeskyOp op) {
  CpuForm form(builder, LOOM_CPU_CHOLESKY);
  Ref in = Ref::of(map.lookup(op.getA())),
      out = wholeOf(typeOf(op.getResult()));
  if (!op.getLower()) {
    swapLast(in);
    swapLast(out);
  }
  form.input(in.materialiseView(builder, op.getLoc()));
  addResult(form, typeOf(op.getResult()), out);
  return finishCpu(op, form);
}

LogicalResult Converter::cpuTriangularSolve(stablehlo::TriangularSolveOp op) {
  CpuForm form(builder, LOOM_CPU_TRIANGULAR_SOLVE);
  Ref a = Ref::of(map.lookup(op.getA())), b = Ref::of(map.lookup(op.getB())),
      x = wholeOf(typeOf(op.getResult()));
  const bool asIs = op.getTransposeA() == "NO_TRANSPOSE";
  bool lower = op.getLower();
  if (!op.getLeftSide()) {
    swapLast(b);
    swapLast(x);
  }
  if (asIs != op.getLeftSide()) {
    swapLast(a);
    lower = !lower;
  }
  if (!lower) {
    const size_t rank = a.shape.size();
    reverseDim(a, rank - 1);
    reverseDim(a, rank - 2);
    reverseDim(b, rank - 2);
    reverseDim(x, rank - 2);
  }
  form.input(a.materialiseView(builder, op.getLoc()));
  form.input(b.materialiseView(builder, op.getLoc()));
  form.params.push_back(op.getUnitDiagonal() ? LOOM_CPU_SOLVE_UNIT : 0);
  addResult(form, typeOf(op.getResult()), x);
  return finishCpu(op, form);
}
