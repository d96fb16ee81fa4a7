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

/// The bits of each element of a constant that repeats one.
static std::optional<uint32_t> repeatedBits(Value value) {
  auto constant = value.getDefiningOp<loomt::ConstantOp>();
  auto elements = constant ? dyn_cast<DenseElementsAttr>(constant.getValue())
                           : DenseElementsAttr();
  if (!elements || !elements.isSplat() ||
      !loomt::npuType(elements.getElementType()))
    return std::nullopt;
  if (elements.getElementType().isInteger(1))
    return elements.getSplatValue<bool>();
  const ArrayRef<char> raw = elements.getRawData();
  uint32_t bits = 0;
  if (raw.size() > sizeof(bits))
    return std::nullopt;
  memcpy(&bits, raw.data(), raw.size());
  return bits;
}

/// A result of its own: written where the constant repeats one element, so
/// that the program need not hold it.
static Value resultOf(OpBuilder &builder, Value value) {
  if (std::optional<uint32_t> fill = repeatedBits(value))
    return loomt::createCopy(builder, value.getLoc(),
                             cast<RankedTensorType>(value.getType()), {}, {},
                             {}, fill);
  return copyOf(builder, value);
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
    const Value old = operand.get();
    operand.set(resultOf(builder, old));
    if (old.use_empty() && isa_and_nonnull<loomt::ConstantOp>(maker))
      maker->erase();
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
