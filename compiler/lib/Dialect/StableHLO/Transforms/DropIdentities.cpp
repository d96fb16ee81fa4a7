// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "loom/Dialect/StableHLO/Passes.h"
#include "loom/Dialect/StableHLO/StableHLO.h"

namespace mlir::loom::stablehlo {
#define GEN_PASS_DEF_DROPIDENTITIES
#include "loom/Dialect/StableHLO/Passes.h.inc"
} // namespace mlir::loom::stablehlo

using namespace mlir;
using namespace mlir::loom;

/// What replaces an operation that does nothing; nothing if it does something.
static std::optional<SmallVector<Value>> sameAs(Operation *op) {
  auto isEmpty = [](Value value) {
    auto type = cast<RankedTensorType>(value.getType());
    return type.hasStaticShape() && !type.getNumElements();
  };
  if (isa<stablehlo::OptimizationBarrierOp>(op))
    return SmallVector<Value>(op->getOperands());
  if (auto update = dyn_cast<stablehlo::DynamicUpdateSliceOp>(op))
    if (isEmpty(update.getUpdate()))
      return SmallVector<Value>{update.getOperand()};
  if (auto scatter = dyn_cast<stablehlo::ScatterOp>(op))
    if (isEmpty(scatter.getUpdates().front()))
      return SmallVector<Value>(scatter.getInputs());
  return std::nullopt;
}

namespace {
struct DropIdentitiesPass
    : stablehlo::impl::DropIdentitiesBase<DropIdentitiesPass> {
  void runOnOperation() override {
    SmallVector<Operation *> dropped;
    getOperation().walk([&](Operation *op) {
      if (sameAs(op))
        dropped.push_back(op);
    });
    for (Operation *op : dropped) {
      op->replaceAllUsesWith(*sameAs(op));
      op->erase();
    }
  }
};
} // namespace
