// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "Results.h"

#include "LoopSpans.h"
#include "Residency.h"

#include "loom/Dialect/LoomT/LoomT.h"

using namespace mlir;
using namespace mlir::loom;

std::string mlir::loom::nameOf(DictionaryAttr attributes, StringRef fallback,
                               unsigned index) {
  for (StringRef key : {"loom.name", "loom.path"})
    if (attributes)
      if (auto name = attributes.getAs<StringAttr>(key))
        return name.getValue().str();
  return (fallback + Twine(index)).str();
}

std::string mlir::loom::roleOf(DictionaryAttr attributes, StringRef fallback) {
  if (attributes)
    if (auto role = attributes.getAs<StringAttr>("loom.role"))
      return role.getValue().str();
  return fallback.str();
}

/// Every use of a root: the operation that reads it, and by what value.
static void forEachUse(Value root,
                       llvm::function_ref<void(OpOperand &, Value)> visit) {
  for (OpOperand &use : root.getUses()) {
    if (!isa<loomt::ViewOp>(use.getOwner())) {
      visit(use, root);
      continue;
    }
    Value view = use.getOwner()->getResult(0);
    for (OpOperand &next : view.getUses())
      visit(next, view);
  }
}

bool mlir::loom::mayOverwrite(Operation *maker, Value old) {
  bool ok = true;
  forEachUse(old, [&](OpOperand &use, Value used) {
    Operation *user = use.getOwner();
    ok &= user == maker
              ? isa<loomt::MapOp>(maker) && loomt::Ref::of(used).isWhole()
              : user->isBeforeInBlock(maker);
  });
  return ok;
}

/// The same for what a loop carries: it stands in the result's place from the
/// loop's begin on, where `old` may be what it begins with.
static bool mayCarryOver(OpResult carried, Value old) {
  auto first = beginOf(cast<loomt::LoopEndOp>(carried.getOwner()));
  bool ok = true;
  forEachUse(old, [&](OpOperand &use, Value used) {
    ok &= use.getOwner() == first
              ? use.getOperandNumber() == carried.getResultNumber() &&
                    loomt::Ref::of(used).isWhole()
              : use.getOwner()->isBeforeInBlock(first);
  });
  return ok;
}

BlockArgument mlir::loom::replacedBy(func::FuncOp func, unsigned result) {
  DictionaryAttr attributes = func.getResultAttrDict(result);
  if (roleOf(attributes, "output") != "state")
    return {};
  const std::string name = nameOf(attributes, "result", result);
  for (BlockArgument argument : func.getArguments()) {
    const unsigned i = argument.getArgNumber();
    if (roleOf(func.getArgAttrDict(i), "input") == "state" &&
        nameOf(func.getArgAttrDict(i), "arg", i) == name)
      return argument;
  }
  return {};
}

static Value copyOf(OpBuilder &builder, Value value) {
  auto type = cast<RankedTensorType>(value.getType());
  return loomt::createCopy(builder, value.getLoc(), type, value, {0},
                           {loomt::denseStrides(type.getShape())});
}

static bool isKept(Value result, BlockArgument old) {
  loomt::Ref ref = loomt::Ref::of(result);
  return old && ref.root == old && ref.isWhole();
}

void mlir::loom::materialiseResults(func::FuncOp func) {
  Operation *ret = func.getBody().front().getTerminator();
  OpBuilder builder(ret);
  SmallVector<BlockArgument> olds;
  DenseSet<Value> taken;
  for (OpOperand &operand : ret->getOpOperands()) {
    olds.push_back(replacedBy(func, operand.getOperandNumber()));
    if (isKept(operand.get(), olds.back()))
      continue;
    loomt::Ref ref = loomt::Ref::of(operand.get());
    Operation *maker = ref.root.getDefiningOp();
    if ((isProducer(maker) ||
         isa_and_nonnull<loomt::LoopEndOp, loomt::CpuOp>(maker)) &&
        ref.isWhole() && taken.insert(ref.root).second)
      continue;
    operand.set(copyOf(builder, operand.get()));
  }
  // All arguments are read by now, so these may come in any order.
  for (auto [operand, old] : llvm::zip(ret->getOpOperands(), olds)) {
    if (!old || isKept(operand.get(), old))
      continue;
    auto root = cast<OpResult>(loomt::Ref::of(operand.get()).root);
    const bool over = isa<loomt::LoopEndOp>(root.getOwner())
                          ? mayCarryOver(root, old)
                          : mayOverwrite(root.getOwner(), old);
    if (!over)
      operand.set(copyOf(builder, operand.get()));
  }
}
