// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a program for several devices says where there is one: `shard_map` and
// `pmap` over one device trace as they do over many.

#include "loom/Dialect/StableHLO/Passes.h"
#include "loom/Dialect/StableHLO/StableHLO.h"

namespace mlir::loom::stablehlo {
#define GEN_PASS_DEF_ONEDEVICE
#include "loom/Dialect/StableHLO/Passes.h.inc"
} // namespace mlir::loom::stablehlo

using namespace mlir;
using namespace mlir::loom;
using namespace mlir::loom::stablehlo;

/// Whether the module is for one partition of one replica, as one that does not
/// say is.
static bool isForOneDevice(ModuleOp module) {
  return llvm::all_of(
      ArrayRef<StringRef>{"mhlo.num_partitions", "mhlo.num_replicas"},
      [&](StringRef name) {
        auto count = module->getAttrOfType<IntegerAttr>(name);
        return !count || count.getValue().isOne();
      });
}

/// Custom calls that name where a value lives among devices.
static bool isShardingCall(Operation *op) {
  static constexpr StringLiteral names[] = {"Sharding", "SPMDFullToShardShape",
                                            "SPMDShardToFullShape"};
  auto call = dyn_cast<CustomCallOp>(op);
  return call && llvm::is_contained(names, call.getCallTargetName());
}

/// Whether a collective's groups, groups x members, have one member each; none
/// at all are one group of all devices.
static bool hasGroupsOfOne(Operation *op, bool single) {
  auto groups = op->getAttrOfType<DenseIntElementsAttr>("replica_groups");
  return groups && groups.getType().getRank() == 2 &&
         (groups.empty() ? single : groups.getType().getDimSize(1) == 1);
}

/// Whether each device's result is its own operand.
static bool givesOperands(Operation *op, bool single) {
  static constexpr StringLiteral names[] = {
      "stablehlo.all_gather", "stablehlo.all_reduce", "stablehlo.all_to_all",
      "stablehlo.collective_broadcast", "stablehlo.reduce_scatter"};
  if (op->getOperandTypes() != op->getResultTypes())
    return false;
  return isShardingCall(op) ||
         (llvm::is_contained(names, op->getName().getStringRef()) &&
          hasGroupsOfOne(op, single));
}

static Value zeros(Operation *op) {
  OpBuilder builder(op);
  auto type = op->getNumResults() == 1
                  ? dyn_cast<RankedTensorType>(op->getResult(0).getType())
                  : RankedTensorType();
  if (!type || !type.hasStaticShape())
    return {};
  auto zero = dyn_cast_or_null<ElementsAttr>(builder.getZeroAttr(type));
  return zero ? ConstantOp::create(builder, op->getLoc(), zero) : Value();
}

/// A value that is sent to nobody arrives as zeros.
static Value permuted(Operation *op) {
  auto pairs = op->getAttrOfType<DenseIntElementsAttr>("source_target_pairs");
  if (!pairs || op->getNumOperands() != 1 ||
      op->getOperandTypes() != op->getResultTypes())
    return {};
  return pairs.empty() ? zeros(op) : op->getOperand(0);
}

/// What an operation gives that depends on the device where it runs, if there
/// is a single one; nothing for other operations.
static Value onSingleDevice(Operation *op) {
  StringRef name = op->getName().getStringRef();
  if (name == "stablehlo.collective_permute")
    return permuted(op);
  if (name == "stablehlo.partition_id" || name == "stablehlo.replica_id")
    return zeros(op);
  return {};
}

namespace {
struct OneDevicePass : stablehlo::impl::OneDeviceBase<OneDevicePass> {
  void runOnOperation() override {
    const bool single = isForOneDevice(getOperation());
    getOperation().walk([single](Operation *op) {
      if (givesOperands(op, single))
        op->replaceAllUsesWith(op->getOperands());
      else if (Value value = single ? onSingleDevice(op) : Value())
        op->replaceAllUsesWith(ValueRange(value));
      else
        return;
      op->erase();
    });
  }
};
} // namespace
