// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "loom/Dialect/StableHLO/Passes.h"
#include "loom/Dialect/StableHLO/StableHLO.h"

#include "mlir/IR/Builders.h"

namespace mlir::loom::stablehlo {
#define GEN_PASS_DEF_WIDENPRODUCTS
#include "loom/Dialect/StableHLO/Passes.h.inc"
} // namespace mlir::loom::stablehlo

using namespace mlir;
using namespace mlir::loom;
using namespace mlir::loom::stablehlo;

static Type elementOf(Value value) {
  return cast<RankedTensorType>(value.getType()).getElementType();
}

static RankedTensorType withElement(Value value, Type element) {
  return RankedTensorType::get(
      cast<RankedTensorType>(value.getType()).getShape(), element);
}

/// Sums of 64 bits have factors of 64 bits.
static void widenProduct(Operation *op) {
  Type element = elementOf(op->getResult(0));
  if (!element.isF64() && !element.isInteger(64))
    return;
  OpBuilder builder(op);
  for (OpOperand &operand : op->getOpOperands()) {
    Type from = elementOf(operand.get());
    if (from == element || (isa<FloatType>(from) && !element.isF64()))
      continue;
    operand.set(ConvertOp::create(builder, op->getLoc(),
                                  withElement(operand.get(), element),
                                  operand.get()));
  }
}

/// Linear algebra of bf16 is in f32; results are rounded once.
static void widenFactor(Operation *op) {
  Type narrow = elementOf(op->getResult(0));
  if (!narrow.isBF16())
    return;
  OpBuilder builder(op);
  Type wide = builder.getF32Type();
  for (OpOperand &operand : op->getOpOperands())
    operand.set(ConvertOp::create(builder, op->getLoc(),
                                  withElement(operand.get(), wide),
                                  operand.get()));
  builder.setInsertionPointAfter(op);
  for (OpResult result : op->getResults()) {
    Type type = result.getType();
    result.setType(withElement(result, wide));
    auto back = ConvertOp::create(builder, op->getLoc(), type, result);
    result.replaceAllUsesExcept(back.getResult(), back);
  }
}

namespace {
struct WidenProductsPass
    : stablehlo::impl::WidenProductsBase<WidenProductsPass> {
  void runOnOperation() override {
    getOperation().walk([](Operation *op) {
      if (isa<DotGeneralOp, ConvolutionOp>(op))
        widenProduct(op);
      else if (isa<CholeskyOp, TriangularSolveOp>(op))
        widenFactor(op);
    });
  }
};
} // namespace
