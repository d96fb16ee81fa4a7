// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Loops and branches. A body is converted once, between marks in the one block;
// what is needed of it is found when all of it is there.

#include "Converter.h"

#include "loom/Dialect/StableHLO/Engines.h"

#include "loom_isa.h"

using namespace mlir;
using namespace mlir::loom;
using loomt::Program;
using loomt::Ref;
using stablehlo::Counter;

/// Operations of a region, at the place of the outermost loop or case.
LogicalResult Converter::region(Operation *around, Block &block) {
  Operation *outer = place;
  if (!place)
    place = around;
  bool ok = true;
  for (Operation &inner : block.without_terminator())
    ok &= succeeded(convert(&inner));
  builder.setInsertionPoint(place);
  place = outer;
  return success(ok);
}

/// Values that a region gives; nothing if one was not converted.
std::optional<SmallVector<Value>> Converter::given(Block &block) {
  SmallVector<Value> values;
  for (Value value : block.getTerminator()->getOperands()) {
    values.push_back(map.lookup(value));
    if (!values.back())
      return std::nullopt;
  }
  return values;
}

LogicalResult Converter::whileLoop(stablehlo::WhileOp op) {
  Block &cond = op.getCond().front(), &body = op.getBody().front();
  const bool scheduled = op->hasAttr(stablehlo::kScheduleAttr);
  std::optional<Counter> counter = stablehlo::counterOf(op);
  if (counter && !counter->trip())
    return identity(op);
  // The machine counts this many loops in each other; others test a number.
  if (!scheduled && counter && llvm::count_if(loops, [](Operation *loop) {
                                 return loop != nullptr;
                               }) == LOOM_MAX_LOOP_NEST)
    counter.reset();
  // What a schedule asks for has a place of its own.
  const unsigned asked =
      scheduled && !counter ? body.getNumArguments() - 1 : ~0u;
  SmallVector<unsigned> carried;
  SmallVector<Value> inits;
  SmallVector<Type> types;
  for (unsigned i = 0; i < body.getNumArguments(); ++i) {
    Value init = map.lookup(op.getOperands()[i]);
    map[cond.getArgument(i)] = map[body.getArgument(i)] = init;
    map[op.getResult(i)] = init;
    if (i != asked && stablehlo::isInvariant(op, i))
      continue;
    carried.push_back(i);
    inits.push_back(init);
    types.push_back(init.getType());
  }
  auto begin = loomt::LoopBeginOp::create(
      builder, op.getLoc(), types, inits,
      counter ? builder.getI64IntegerAttr(counter->trip()) : IntegerAttr(),
      scheduled);
  for (auto [i, state] : llvm::zip(carried, begin.getStates()))
    map[cond.getArgument(i)] = map[body.getArgument(i)] = state;
  // Only a loop of the machine's own has a counter to move places by.
  loops.push_back(counter && !scheduled ? op.getOperation() : nullptr);
  onNpu += !scheduled;
  bool ok = true;
  if (!counter) {
    ok = succeeded(region(op, cond));
    std::optional<SmallVector<Value>> test = given(cond);
    if (ok && test)
      loomt::LoopTestOp::create(builder, op.getLoc(), test->front());
  }
  ok &= succeeded(region(op, body));
  loops.pop_back();
  onNpu -= !scheduled;
  std::optional<SmallVector<Value>> values = given(body);
  if (!ok || !values)
    return failure();
  SmallVector<Value> next;
  for (unsigned i : carried)
    next.push_back((*values)[i]);
  auto end = loomt::LoopEndOp::create(builder, op.getLoc(), types, next);
  for (auto [i, result] : llvm::zip(carried, end.getResults()))
    map[op.getResult(i)] = result;
  return success();
}

/// One number as the i32 that the sequencer reads.
Value Converter::indexNumber(Value value, Location loc) {
  auto type = cast<RankedTensorType>(value.getType());
  if (type.getElementType().isSignlessInteger(32))
    return value;
  Program program;
  const int32_t loaded = program.load(0);
  if (type.getElementType().isUnsignedInteger(32)) // beyond any limit anyway
    program.emit(LOOM_UOP_UMIN, loaded, program.imm(INT32_MAX));
  auto number = RankedTensorType::get(type.getShape(), builder.getI32Type());
  return loomt::MapOp::create(builder, loc, number, value,
                              builder.getDenseI32ArrayAttr(program.words()),
                              builder.getDenseI32ArrayAttr(program.imms));
}

LogicalResult Converter::branches(Operation *op, Value index,
                                  MutableArrayRef<Region> regions) {
  loomt::CaseBeginOp::create(builder, op->getLoc(), index,
                             builder.getI64IntegerAttr(regions.size()));
  bool ok = true;
  for (Region &branch : regions) {
    Block &block = branch.front();
    ++onNpu;
    ok &= succeeded(region(op, block));
    --onNpu;
    std::optional<SmallVector<Value>> values = given(block);
    if (!ok || !values)
      return failure();
    if (&branch != &regions.back()) {
      loomt::CaseNextOp::create(builder, op->getLoc(), *values);
      continue;
    }
    auto end = loomt::CaseEndOp::create(builder, op->getLoc(),
                                        op->getResultTypes(), *values);
    for (auto [result, value] : llvm::zip(op->getResults(), end.getResults()))
      map[result] = value;
  }
  return success();
}

/// One branch alone: a known choice.
LogicalResult Converter::onlyBranch(Operation *op, Region &branch) {
  if (failed(region(op, branch.front())))
    return failure();
  std::optional<SmallVector<Value>> values = given(branch.front());
  if (!values)
    return failure();
  for (auto [result, value] : llvm::zip(op->getResults(), *values))
    map[result] = value;
  return success();
}

LogicalResult Converter::caseOf(stablehlo::CaseOp op) {
  const int64_t count = op->getNumRegions();
  std::optional<int64_t> known = stablehlo::integerConstant(op.getIndex());
  if (known || count == 1)
    return onlyBranch(op, op->getRegion(known && *known >= 0 && *known < count
                                            ? *known
                                            : count - 1));
  return branches(op, indexNumber(map.lookup(op.getIndex()), op.getLoc()),
                  op->getRegions());
}

LogicalResult Converter::ifOf(stablehlo::IfOp op) {
  if (std::optional<int64_t> known = stablehlo::integerConstant(op.getPred()))
    return onlyBranch(op, op->getRegion(*known ? 0 : 1));
  // The first region is that of true.
  Value pred = map.lookup(op.getPred());
  Program program;
  program.emit(LOOM_UOP_IEQ, program.load(0), program.imm(0));
  auto number = RankedTensorType::get(
      cast<RankedTensorType>(pred.getType()).getShape(), builder.getI32Type());
  Value index =
      loomt::MapOp::create(builder, op.getLoc(), number, pred,
                           builder.getDenseI32ArrayAttr(program.words()),
                           builder.getDenseI32ArrayAttr(program.imms));
  return branches(op, index, op->getRegions());
}
