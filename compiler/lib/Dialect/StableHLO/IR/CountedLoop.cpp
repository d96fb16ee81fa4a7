// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Analysis of counted loops. Index arithmetic is followed as offset + i *
// scale; what depends on the sign of such a number, as the wrapping of negative
// indices does, is decided if it is the same in every iteration.

#include "loom/Dialect/StableHLO/CountedLoop.h"

#include "loom/Dialect/StableHLO/Elements.h"
#include "loom/Dialect/StableHLO/Patterns.h"

#include <algorithm>

using namespace mlir;
using namespace mlir::loom;
using namespace mlir::loom::stablehlo;

/// The constant that a value of either region is, seen through what the loop
/// carries unchanged.
static std::optional<int64_t> invariant(WhileOp loop, Value value) {
  auto argument = dyn_cast<BlockArgument>(value);
  if (!argument)
    return integerConstant(value);
  const unsigned i = argument.getArgNumber();
  Block &body = loop.getBody().front();
  if (argument.getOwner()->getParentOp() != loop ||
      body.getTerminator()->getOperand(i) != body.getArgument(i))
    return std::nullopt;
  return integerConstant(loop.getOperands()[i]);
}

std::optional<Counter> stablehlo::counterOf(WhileOp loop) {
  Block &cond = loop.getCond().front(), &body = loop.getBody().front();
  auto compare = cond.getTerminator()->getOperand(0).getDefiningOp<CompareOp>();
  if (!compare || compare.getComparisonDirection() != ComparisonDirection::LT)
    return std::nullopt;
  auto argument = dyn_cast<BlockArgument>(compare.getLhs());
  if (!argument || argument.getOwner() != &cond)
    return std::nullopt;
  const unsigned i = argument.getArgNumber();
  std::optional<int64_t> begin = integerConstant(loop.getOperands()[i]),
                         end = invariant(loop, compare.getRhs());
  auto next = body.getTerminator()->getOperand(i).getDefiningOp<AddOp>();
  if (!begin || !end || !next)
    return std::nullopt;
  Value one =
      next.getLhs() == body.getArgument(i) ? next.getRhs() : next.getLhs();
  if ((next.getLhs() != body.getArgument(i) &&
       next.getRhs() != body.getArgument(i)) ||
      invariant(loop, one) != 1)
    return std::nullopt;
  return Counter{i, *begin, *end};
}

bool DeviceLoop::isInvariant(unsigned carried) {
  return body().getTerminator()->getOperand(carried) ==
         body().getArgument(carried);
}

static bool isOneInteger(Type type) {
  auto ranked = dyn_cast<RankedTensorType>(type);
  return ranked && ranked.hasStaticShape() && ranked.getNumElements() == 1 &&
         ranked.getElementType().isIntOrIndex();
}

/// One result of comparing lhs with rhs in all iterations.
static std::optional<bool> compareAlways(ComparisonDirection direction,
                                         int64_t first, int64_t last) {
  using D = ComparisonDirection;
  auto same = [&](auto holds) -> std::optional<bool> {
    if (holds(first) == holds(last))
      return holds(first);
    return std::nullopt;
  };
  // A difference that goes one way holds an order throughout if at both ends.
  switch (direction) {
  case D::LT:
    return same([](int64_t v) { return v < 0; });
  case D::LE:
    return same([](int64_t v) { return v <= 0; });
  case D::GT:
    return same([](int64_t v) { return v > 0; });
  case D::GE:
    return same([](int64_t v) { return v >= 0; });
  case D::EQ:
  case D::NE:
    if (first == last)
      return (first == 0) == (direction == D::EQ);
    if ((first < 0 && last < 0) || (first > 0 && last > 0))
      return direction == D::NE;
    return std::nullopt;
  }
  return std::nullopt;
}

std::optional<Affine> DeviceLoop::combine(Operation *op, ArrayRef<Affine> v) {
  auto order = [&](const Affine &a, const Affine &b, bool smaller) {
    const int64_t first = a.at(0) - b.at(0),
                  last = a.at(trip - 1) - b.at(trip - 1);
    if (first <= 0 && last <= 0)
      return std::optional(smaller ? a : b);
    if (first >= 0 && last >= 0)
      return std::optional(smaller ? b : a);
    return std::optional<Affine>();
  };
  if (isa<AddOp>(op))
    return Affine{v[0].scale + v[1].scale, v[0].offset + v[1].offset};
  if (isa<SubtractOp>(op))
    return Affine{v[0].scale - v[1].scale, v[0].offset - v[1].offset};
  if (isa<MulOp>(op)) {
    const Affine &x = v[0].scale ? v[0] : v[1], &k = v[0].scale ? v[1] : v[0];
    if (k.scale)
      return std::nullopt;
    return Affine{x.scale * k.offset, x.offset * k.offset};
  }
  if (isa<MinOp>(op))
    return order(v[0], v[1], true);
  if (isa<MaxOp>(op))
    return order(v[0], v[1], false);
  if (isa<ClampOp>(op)) {
    std::optional<Affine> least = order(v[1], v[0], false);
    return least ? order(*least, v[2], true) : least;
  }
  if (auto compare = dyn_cast<CompareOp>(op)) {
    std::optional<bool> holds =
        compareAlways(compare.getComparisonDirection(), v[0].at(0) - v[1].at(0),
                      v[0].at(trip - 1) - v[1].at(trip - 1));
    if (!holds)
      return std::nullopt;
    return Affine{0, *holds};
  }
  if (isa<SelectOp>(op) && !v[0].scale)
    return v[0].offset ? v[1] : v[2];
  if (isa<ReshapeOp, BroadcastInDimOp, ConvertOp>(op))
    return v[0];
  return std::nullopt;
}

std::optional<Affine> DeviceLoop::evaluate(Value value) {
  if (!isOneInteger(value.getType()))
    return std::nullopt;
  if (std::optional<int64_t> constant = invariant(loop, value))
    return Affine{0, *constant};
  if (auto argument = dyn_cast<BlockArgument>(value))
    return argument == body().getArgument(counter.index)
               ? std::optional(Affine{1, counter.begin})
               : std::nullopt;
  Operation *op = value.getDefiningOp();
  if (op->getBlock() != &body() || op->getNumResults() != 1 ||
      op->getNumRegions())
    return std::nullopt;
  SmallVector<Affine> operands;
  for (Value operand : op->getOperands()) {
    std::optional<Affine> v = evaluate(operand);
    if (!v)
      return std::nullopt;
    operands.push_back(*v);
  }
  std::optional<Affine> result = combine(op, operands);
  // Beyond this the program's own type might wrap.
  auto fits = [](int64_t v) { return v >= INT32_MIN && v <= INT32_MAX; };
  if (!result || !fits(result->at(0)) || !fits(result->at(trip - 1)))
    return std::nullopt;
  return result;
}

std::optional<SmallVector<Affine>> DeviceLoop::starts(Operation *op) {
  ValueRange indices;
  RankedTensorType whole, part;
  if (auto slice = dyn_cast<DynamicSliceOp>(op)) {
    indices = slice.getStartIndices();
    whole = cast<RankedTensorType>(slice.getOperand().getType());
    part = cast<RankedTensorType>(slice.getResult().getType());
  } else {
    auto update = cast<DynamicUpdateSliceOp>(op);
    indices = update.getStartIndices();
    whole = cast<RankedTensorType>(update.getOperand().getType());
    part = cast<RankedTensorType>(update.getUpdate().getType());
  }
  if (!whole.hasStaticShape() || !part.hasStaticShape())
    return std::nullopt;
  SmallVector<Affine> list;
  for (auto [d, index] : llvm::enumerate(indices)) {
    std::optional<Affine> at = evaluate(index);
    if (!at)
      return std::nullopt;
    const int64_t room = whole.getDimSize(d) - part.getDimSize(d);
    auto inside = [&](int64_t v) { return v >= 0 && v <= room; };
    if (!at->scale)
      at->offset = std::clamp<int64_t>(at->offset, 0, room);
    else if (!inside(at->at(0)) || !inside(at->at(trip - 1)))
      return std::nullopt;
    list.push_back(*at);
  }
  return list;
}

std::optional<unsigned> DeviceLoop::updates(DynamicUpdateSliceOp op) {
  auto argument = dyn_cast<BlockArgument>(op.getOperand());
  if (!argument || argument.getOwner() != &body() || !argument.hasOneUse() ||
      !op.getResult().hasOneUse() ||
      *op.getResult().user_begin() != body().getTerminator() ||
      body().getTerminator()->getOperand(argument.getArgNumber()) !=
          op.getResult())
    return std::nullopt;
  return argument.getArgNumber();
}

bool DeviceLoop::isSupported(Operation *op) {
  if (isa<WhileOp, IfOp, CaseOp, GatherOp, CustomCallOp>(op) ||
      op->getNumResults() != 1)
    return false;
  if (isa<DynamicSliceOp>(op))
    return starts(op).has_value();
  if (auto update = dyn_cast<DynamicUpdateSliceOp>(op))
    return updates(update) && starts(op);
  return true;
}

/// What the next carried values need, without the arithmetic of places.
bool DeviceLoop::findLive() {
  DenseSet<Operation *> needed;
  SmallVector<Value> open;
  bool counts = !loop.getResult(counter.index).use_empty();
  auto carries = [&](unsigned i) {
    return i == counter.index ? counts : !isInvariant(i);
  };
  Operation *yield = body().getTerminator();
  for (unsigned i = 0; i < body().getNumArguments(); ++i)
    if (carries(i))
      open.push_back(yield->getOperand(i));
  while (!open.empty()) {
    Value value = open.pop_back_val();
    if (value == body().getArgument(counter.index) && !counts) {
      counts = true; // as a number, not as a place alone
      open.push_back(yield->getOperand(counter.index));
    }
    Operation *op = value.getDefiningOp();
    if (!op || op->getBlock() != &body() || !needed.insert(op).second)
      continue;
    if (!isSupported(op))
      return false;
    ValueRange operands = op->getOperands();
    if (isa<DynamicSliceOp>(op))
      operands = operands.take_front(1);
    if (isa<DynamicUpdateSliceOp>(op))
      operands = operands.take_front(2);
    llvm::append_range(open, operands);
    WalkResult closed = op->walk([&](Operation *inner) {
      for (Value operand : inner->getOperands())
        if (inner != op &&
            operand.getParentRegion() != inner->getParentRegion())
          return WalkResult::interrupt();
      return WalkResult::advance();
    });
    if (closed.wasInterrupted())
      return false; // a region that looks outside
  }
  for (unsigned i = 0; i < body().getNumArguments(); ++i)
    if (carries(i))
      states.push_back(i);
  for (Operation &op : body())
    if (needed.contains(&op))
      live.push_back(&op);
  return true;
}

std::optional<DeviceLoop> DeviceLoop::of(WhileOp op) {
  std::optional<Counter> counter = counterOf(op);
  if (!counter || counter->end - counter->begin < 2 ||
      counter->end - counter->begin > INT32_MAX)
    return std::nullopt;
  DeviceLoop result;
  result.loop = op;
  result.counter = *counter;
  result.trip = counter->end - counter->begin;
  if (!result.findLive())
    return std::nullopt;
  return result;
}
