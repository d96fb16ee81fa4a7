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

namespace {
struct WidenProductsPass
    : stablehlo::impl::WidenProductsBase<WidenProductsPass> {
  void runOnOperation() override {
    getOperation().walk([](Operation *op) {
      if (!isa<DotGeneralOp, ConvolutionOp>(op))
        return;
      Type element = elementOf(op->getResult(0));
      if (!element.isF64() && !element.isInteger(64))
        return;
      OpBuilder builder(op);
      for (OpOperand &operand : op->getOpOperands()) {
        auto type = cast<RankedTensorType>(operand.get().getType());
        if (type.getElementType() == element ||
            (isa<FloatType>(type.getElementType()) && !element.isF64()))
          continue;
        operand.set(ConvertOp::create(
            builder, op->getLoc(),
            RankedTensorType::get(type.getShape(), element), operand.get()));
      }
    });
  }
};
} // namespace
