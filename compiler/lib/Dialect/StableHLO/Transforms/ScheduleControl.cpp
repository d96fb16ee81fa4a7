// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Loops and branches that go round operations of the CPU engine, as loops of a
// schedule.

#include "loom/Dialect/StableHLO/CountedLoop.h"
#include "loom/Dialect/StableHLO/Elements.h"
#include "loom/Dialect/StableHLO/Engines.h"
#include "loom/Dialect/StableHLO/StableHLO.h"

#include "mlir/IR/IRMapping.h"

using namespace mlir;
using namespace mlir::loom;
using namespace mlir::loom::stablehlo;

/// A copy of a region's operations, its arguments being `arguments`; what it
/// returns.
static SmallVector<Value> copied(OpBuilder &builder, Block &block,
                                 ValueRange arguments) {
  IRMapping mapping;
  mapping.map(block.getArguments(), arguments);
  for (Operation &op : block.without_terminator())
    builder.clone(op, mapping);
  SmallVector<Value> values;
  for (Value value : block.getTerminator()->getOperands())
    values.push_back(mapping.lookupOrDefault(value));
  return values;
}

/// A loop without a body that goes on while the last of what it carries is
/// true.
static WhileOp loopOver(OpBuilder &builder, Location loc,
                        ArrayRef<Value> carried) {
  OpBuilder::InsertionGuard guard(builder);
  const SmallVector<Location> locations(carried.size(), loc);
  const ValueRange values(carried);
  auto loop = WhileOp::create(builder, loc, values.getTypes(), values);
  loop->setAttr(kScheduleAttr, builder.getUnitAttr());
  Block *cond =
      builder.createBlock(&loop.getCond(), {}, values.getTypes(), locations);
  stablehlo::ReturnOp::create(builder, loc, cond->getArguments().back());
  return loop;
}

/// The condition is computed before the loop and at the end of its body.
static WhileOp rotate(WhileOp old) {
  OpBuilder builder(old);
  Block &cond = old.getCond().front(), &body = old.getBody().front();
  SmallVector<Value> carried(old.getOperands());
  carried.append(copied(builder, cond, old.getOperands()));
  WhileOp loop = loopOver(builder, old.getLoc(), carried);
  Operation *end = body.getTerminator();
  builder.setInsertionPoint(end);
  end->insertOperands(end->getNumOperands(),
                      copied(builder, cond, end->getOperands()));
  body.addArgument(carried.back().getType(), old.getLoc());
  loop.getBody().takeBody(old.getBody());
  old->replaceAllUsesWith(loop->getResults().drop_back());
  old->erase();
  return loop;
}

static Value constant(OpBuilder &builder, Location loc, Type type,
                      uint64_t value) {
  auto tensor = cast<RankedTensorType>(type);
  char raw[8];
  memcpy(raw, &value, sizeof(raw));
  const size_t width = *elementBytes(tensor.getElementType());
  return stablehlo::ConstantOp::create(
      builder, loc, makeElements(tensor, ArrayRef(raw, width), /*splat=*/true));
}

/// For each branch whether it is the one.
static SmallVector<Value> choices(OpBuilder &builder, Operation *op) {
  Location loc = op->getLoc();
  Value index = op->getOperand(0);
  if (isa<IfOp>(op))
    return {index, NotOp::create(builder, loc, index)};
  auto compare = [&](int64_t with, ComparisonDirection direction) -> Value {
    return CompareOp::create(
        builder, loc, RankedTensorType::get({}, builder.getI1Type()), index,
        constant(builder, loc, index.getType(), uint64_t(with)),
        ComparisonDirectionAttr::get(builder.getContext(), direction), nullptr);
  };
  const int64_t last = op->getNumRegions() - 1;
  SmallVector<Value> flags;
  for (int64_t branch = 0; branch < last; ++branch)
    flags.push_back(compare(branch, ComparisonDirection::EQ));
  flags.push_back(OrOp::create(builder, loc,
                               compare(0, ComparisonDirection::LT),
                               compare(last, ComparisonDirection::GE)));
  return flags;
}

/// Each branch is a loop that its own end stops.
static SmallVector<Operation *> asLoops(Operation *op) {
  OpBuilder builder(op);
  Location loc = op->getLoc();
  SmallVector<Operation *> loops;
  SmallVector<Value> values;
  for (Type type : op->getResultTypes())
    values.push_back(constant(builder, loc, type, 0));
  for (auto [region, flag] :
       llvm::zip_equal(op->getRegions(), choices(builder, op))) {
    SmallVector<Value> carried = values;
    carried.push_back(flag);
    WhileOp loop = loopOver(builder, loc, carried);
    OpBuilder::InsertionGuard guard(builder);
    builder.createBlock(&loop.getBody(), {}, loop->getResultTypes(),
                        SmallVector<Location>(carried.size(), loc));
    SmallVector<Value> given = copied(builder, region.front(), {});
    given.push_back(constant(builder, loc, flag.getType(), 0));
    stablehlo::ReturnOp::create(builder, loc, given);
    values = llvm::to_vector_of<Value>(loop->getResults().drop_back());
    loops.push_back(loop);
  }
  op->replaceAllUsesWith(values);
  op->erase();
  return loops;
}

void stablehlo::scheduleControl(Block &block) {
  DenseSet<Operation *> done;
  auto next = [&] {
    Operation *found = nullptr;
    block.walk<WalkOrder::PreOrder>([&](Operation *op) {
      if (!op->hasAttr(kScheduleAttr) || done.contains(op))
        return WalkResult::advance();
      found = op;
      return WalkResult::interrupt();
    });
    return found;
  };
  while (Operation *op = next()) {
    auto loop = dyn_cast<WhileOp>(op);
    if (loop && counterOf(loop))
      done.insert(op);
    else if (loop)
      done.insert(rotate(loop));
    else
      for (Operation *made : asLoops(op))
        done.insert(made);
  }
}
