// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Loops with a constant count: kept for the machine's own loop if that pays, or
// straight lines. What an iteration computes from its number alone is folded on
// the way, so that the slices it takes are static.

#include "loom/Dialect/StableHLO/CountedLoop.h"
#include "loom/Dialect/StableHLO/Elements.h"
#include "loom/Dialect/StableHLO/Passes.h"
#include "loom/Dialect/StableHLO/Patterns.h"
#include "loom/Dialect/StableHLO/StableHLO.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/IRMapping.h"

namespace mlir::loom::stablehlo {
#define GEN_PASS_DEF_UNROLLLOOPS
#include "loom/Dialect/StableHLO/Passes.h.inc"
} // namespace mlir::loom::stablehlo

using namespace mlir;
using namespace mlir::loom;
using namespace mlir::loom::stablehlo;

/// What integer arithmetic on constants gives, for the few operations that
/// index computations are made of; wrapping is left to the caller's type.
static std::optional<int64_t> compute(Operation *op, ArrayRef<int64_t> v) {
  if (auto compare = dyn_cast<CompareOp>(op)) {
    using D = ComparisonDirection;
    switch (compare.getComparisonDirection()) {
    case D::EQ:
      return v[0] == v[1];
    case D::NE:
      return v[0] != v[1];
    case D::LT:
      return v[0] < v[1];
    case D::LE:
      return v[0] <= v[1];
    case D::GT:
      return v[0] > v[1];
    case D::GE:
      return v[0] >= v[1];
    }
  }
  if (isa<AddOp>(op))
    return v[0] + v[1];
  if (isa<SubtractOp>(op))
    return v[0] - v[1];
  if (isa<MulOp>(op))
    return v[0] * v[1];
  if (isa<MaxOp>(op))
    return std::max(v[0], v[1]);
  if (isa<MinOp>(op))
    return std::min(v[0], v[1]);
  if (isa<ClampOp>(op))
    return std::min(std::max(v[1], v[0]), v[2]);
  if (isa<SelectOp>(op))
    return v[0] ? v[1] : v[2];
  if (isa<AndOp>(op))
    return v[0] & v[1];
  if (isa<OrOp>(op))
    return v[0] | v[1];
  if (isa<ReshapeOp, BroadcastInDimOp, ConvertOp>(op))
    return v[0];
  return std::nullopt;
}

/// A constant in place of an operation on integer constants of one element.
static bool foldIntegers(Operation *op) {
  if (op->getNumResults() != 1 || !op->getNumOperands())
    return false;
  auto type = dyn_cast<RankedTensorType>(op->getResult(0).getType());
  if (!type || !type.hasStaticShape() || type.getNumElements() != 1 ||
      !type.getElementType().isIntOrIndex())
    return false;
  SmallVector<int64_t> values;
  for (Value operand : op->getOperands()) {
    std::optional<int64_t> value = integerConstant(operand);
    if (!value)
      return false;
    values.push_back(*value);
  }
  std::optional<int64_t> result = compute(op, values);
  std::optional<int64_t> width = elementBytes(type.getElementType());
  if (!result || !width || *width > 8)
    return false;
  if (type.getElementType().isInteger(1))
    *result = *result != 0;
  char raw[8];
  memcpy(raw, &*result, sizeof(raw));
  OpBuilder builder(op);
  Value constant = stablehlo::ConstantOp::create(
      builder, op->getLoc(), makeElements(type, ArrayRef(raw, size_t(*width))));
  op->getResult(0).replaceAllUsesWith(constant);
  op->erase();
  return true;
}

/// A slice whose start has become known is a static one.
static bool foldSlice(Operation *op) {
  auto slice = dyn_cast<DynamicSliceOp>(op);
  if (!slice)
    return false;
  auto type = cast<RankedTensorType>(slice.getOperand().getType());
  SmallVector<int64_t> start, limit, stride;
  for (auto [d, value] : llvm::enumerate(slice.getStartIndices())) {
    std::optional<int64_t> at = integerConstant(value);
    if (!at)
      return false;
    const int64_t size = slice.getSliceSizes()[d];
    start.push_back(std::clamp<int64_t>(*at, 0, type.getDimSize(d) - size));
    limit.push_back(start.back() + size);
    stride.push_back(1);
  }
  OpBuilder builder(op);
  Value fixed =
      SliceOp::create(builder, op->getLoc(), slice.getResult().getType(),
                      slice.getOperand(), start, limit, stride);
  slice.getResult().replaceAllUsesWith(fixed);
  op->erase();
  return true;
}

/// One iteration's operations before the loop; the carried values after it.
static SmallVector<Value> writeOut(OpBuilder &builder, Block &body,
                                   ArrayRef<Value> carried) {
  IRMapping mapping;
  mapping.map(body.getArguments(), carried);
  for (Operation &op : body.without_terminator()) {
    Operation *copy = builder.clone(op, mapping);
    // The mapping holds the copy's results, which folding replaces.
    Operation *before = copy->getPrevNode();
    if (!foldIntegers(copy) && !foldSlice(copy))
      continue;
    Operation *now =
        before ? before->getNextNode() : &builder.getInsertionBlock()->front();
    mapping.map(op.getResults(), now->getResults());
  }
  SmallVector<Value> next;
  for (Value value : body.getTerminator()->getOperands())
    next.push_back(mapping.lookupOrDefault(value));
  return next;
}

static bool unroll(WhileOp loop, uint64_t limit) {
  std::optional<Counter> counter = counterOf(loop);
  if (!counter)
    return false;
  Block &body = loop.getBody().front();
  uint64_t size = 0;
  body.walk([&](Operation *) { ++size; });
  const uint64_t count = counter->trip();
  if (count > limit / std::max<uint64_t>(1, size))
    return false;
  OpBuilder builder(loop);
  SmallVector<Value> carried(loop.getOperands());
  for (uint64_t i = 0; i < count; ++i)
    carried = writeOut(builder, body, carried);
  loop->replaceAllUsesWith(carried);
  loop->erase();
  return true;
}

/// Below this many iterations a straight line is short enough.
static constexpr int64_t kMinTrip = 4;

/// Operations that a loop may become where the machine could run it as one.
static constexpr uint64_t kMaxWritten = 20000;

/// Moves what is the same in every iteration before the loop, and takes the
/// places of carried values that do not change.
static void hoist(WhileOp loop) {
  Block &body = loop.getBody().front(), &cond = loop.getCond().front();
  for (auto [i, start] : llvm::enumerate(loop.getOperands())) {
    if (!isInvariant(loop, i))
      continue;
    cond.getArgument(i).replaceAllUsesWith(start);
    body.getArgument(i).replaceUsesWithIf(start, [&](OpOperand &use) {
      return use.getOwner() != body.getTerminator();
    });
  }
  for (Operation &op : llvm::make_early_inc_range(body.without_terminator())) {
    if (isa<WhileOp, CaseOp, IfOp>(op))
      continue; // runs only if it is reached
    WalkResult inside = op.walk([&](Operation *nested) {
      for (Value operand : nested->getOperands())
        if (loop.getBody().isAncestor(operand.getParentRegion()) &&
            !op.isProperAncestor(operand.getParentRegion()->getParentOp()) &&
            operand.getParentRegion()->getParentOp() != &op)
          return WalkResult::interrupt();
      return WalkResult::advance();
    });
    if (!inside.wasInterrupted() && isMemoryEffectFree(&op))
      op.moveBefore(loop);
  }
}

/// Products are what a loop is worth its fences for; chains of scalar
/// operations become fewer records when written out.
static bool keep(WhileOp loop) {
  std::optional<Counter> counter = counterOf(loop);
  if (!counter || counter->trip() < kMinTrip)
    return false;
  return loop
      .walk([](Operation *op) {
        return isa<DotGeneralOp, ConvolutionOp>(op) ? WalkResult::interrupt()
                                                    : WalkResult::advance();
      })
      .wasInterrupted();
}

namespace {
struct UnrollLoopsPass : stablehlo::impl::UnrollLoopsBase<UnrollLoopsPass> {
  using UnrollLoopsBase::UnrollLoopsBase;

  void runOnOperation() override {
    // Inner loops first: their bodies are then straight lines.
    getOperation().walk<WalkOrder::PostOrder>([&](WhileOp loop) {
      if (keepLoops && keep(loop))
        hoist(loop);
      else if (!unroll(loop, keepLoops ? kMaxWritten : maxOperations))
        hoist(loop);
      return WalkResult::advance();
    });
    // Index arithmetic outside of loops, in the order of the program.
    for (auto func : getOperation().getOps<func::FuncOp>())
      for (Operation &op : llvm::make_early_inc_range(func.getBody().front()))
        if (!foldIntegers(&op))
          foldSlice(&op);
  }
};
} // namespace
