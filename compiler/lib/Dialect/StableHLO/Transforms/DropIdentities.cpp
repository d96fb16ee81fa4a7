// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "loom/Dialect/StableHLO/Passes.h"
#include "loom/Dialect/StableHLO/StableHLO.h"

namespace mlir::loom::stablehlo {
#define GEN_PASS_DEF_DROPIDENTITIES
#include "loom/Dialect/StableHLO/Passes.h.inc"
} // namespace mlir::loom::stablehlo

using namespace mlir;
using namespace mlir::loom;

/// Custom calls that name where a value lives among devices; with one device
/// there is one place.
static bool isShardingCall(stablehlo::CustomCallOp call) {
  static constexpr StringLiteral names[] = {"Sharding", "SPMDFullToShardShape",
                                            "SPMDShardToFullShape"};
  return llvm::is_contained(names, call.getCallTargetName()) &&
         call.getInputs().getTypes() == call.getResultTypes();
}

namespace {
struct DropIdentitiesPass
    : stablehlo::impl::DropIdentitiesBase<DropIdentitiesPass> {
  void runOnOperation() override {
    SmallVector<Operation *> dropped;
    getOperation().walk([&](Operation *op) {
      auto call = dyn_cast<stablehlo::CustomCallOp>(op);
      if ((call && isShardingCall(call)) ||
          isa<stablehlo::OptimizationBarrierOp>(op))
        dropped.push_back(op);
    });
    for (Operation *op : dropped) {
      op->replaceAllUsesWith(op->getOperands());
      op->erase();
    }
  }
};
} // namespace
