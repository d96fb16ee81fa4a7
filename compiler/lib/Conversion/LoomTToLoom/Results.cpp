// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "Results.h"

#include "Places.h"
#include "Residency.h"

#include "loom/Conversion/LoomTToLoom.h"
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

BlockArgument mlir::loom::replacedBy(func::FuncOp func, unsigned result) {
  DictionaryAttr attributes = func.getResultAttrDict(result);
  if (attributes)
    if (auto index = attributes.getAs<IntegerAttr>(kReplacesAttr))
      return func.getArgument(index.getInt());
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
         isa_and_nonnull<loomt::PutOp, loomt::LoopEndOp, loomt::CaseEndOp,
                         loomt::CpuOp>(maker)) &&
        ref.isWhole() && taken.insert(ref.root).second)
      continue;
    operand.set(copyOf(builder, operand.get()));
  }
}

/// Copies new state at the end that would be computed over what is still read.
static bool keepOldState(func::FuncOp func) {
  const Places places(func);
  Operation *ret = func.getBody().front().getTerminator();
  OpBuilder builder(ret);
  bool copied = false;
  for (OpOperand &operand : ret->getOpOperands()) {
    BlockArgument old = replacedBy(func, operand.getOperandNumber());
    if (!old || isKept(operand.get(), old) ||
        places.mayReplace(loomt::Ref::of(operand.get()).root, old))
      continue;
    operand.set(copyOf(builder, operand.get()));
    copied = true;
  }
  return copied;
}

void mlir::loom::settleState(func::FuncOp func) {
  while (keepOldState(func))
    ;
}
