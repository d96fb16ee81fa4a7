// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Counted loops, and index arithmetic followed as sums over their counters.

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

bool stablehlo::isInvariant(WhileOp loop, unsigned carried) {
  Block &body = loop.getBody().front();
  Value next = body.getTerminator()->getOperand(carried);
  return next == body.getArgument(carried) ||
         next == loop.getOperands()[carried];
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

static Affine constant(int64_t value) { return {value, {}}; }

static Affine sum(const Affine &a, const Affine &b, int64_t sign) {
  Affine result = a;
  result.offset += sign * b.offset;
  for (auto [loop, scale] : b.scales)
    if (!(result.scales[loop] += sign * scale))
      result.scales.erase(loop);
  return result;
}

const std::optional<Counter> &PlaceAnalysis::counter(WhileOp loop) {
  auto [it, fresh] = counters.try_emplace(loop);
  if (fresh)
    it->second = counterOf(loop);
  return it->second;
}

std::pair<int64_t, int64_t> PlaceAnalysis::range(const Affine &value) {
  int64_t lo = value.offset, hi = value.offset;
  for (auto [loop, scale] : value.scales)
    (scale < 0 ? lo : hi) += scale * (counter(cast<WhileOp>(loop))->trip() - 1);
  return {lo, hi};
}

std::optional<Affine> PlaceAnalysis::combine(Operation *op,
                                             ArrayRef<Affine> v) {
  auto order = [&](const Affine &a, const Affine &b, bool smaller) {
    auto [first, last] = range(sum(a, b, -1));
    if (last <= 0)
      return std::optional(smaller ? a : b);
    if (first >= 0)
      return std::optional(smaller ? b : a);
    return std::optional<Affine>();
  };
  if (isa<AddOp>(op))
    return sum(v[0], v[1], 1);
  if (isa<SubtractOp>(op))
    return sum(v[0], v[1], -1);
  if (isa<MulOp>(op)) {
    const bool moves = !v[0].scales.empty();
    const Affine &factor = moves ? v[1] : v[0];
    Affine result = moves ? v[0] : v[1];
    if (!factor.scales.empty())
      return std::nullopt;
    if (!factor.offset)
      return constant(0);
    result.offset *= factor.offset;
    for (auto &[loop, scale] : result.scales)
      scale *= factor.offset;
    return result;
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
    auto [first, last] = range(sum(v[0], v[1], -1));
    std::optional<bool> holds =
        compareAlways(compare.getComparisonDirection(), first, last);
    return holds ? std::optional(constant(*holds)) : std::nullopt;
  }
  if (isa<SelectOp>(op) && v[0].scales.empty())
    return v[0].offset ? v[1] : v[2];
  if (isa<ReshapeOp, BroadcastInDimOp, ConvertOp>(op))
    return v[0];
  return std::nullopt;
}

std::optional<Affine> PlaceAnalysis::compute(Value value) {
  if (!isOneInteger(value.getType()))
    return std::nullopt;
  if (std::optional<int64_t> number = integerConstant(value))
    return constant(*number);
  if (auto argument = dyn_cast<BlockArgument>(value)) {
    auto loop = dyn_cast<WhileOp>(argument.getOwner()->getParentOp());
    if (!loop)
      return std::nullopt;
    const unsigned i = argument.getArgNumber();
    if (isInvariant(loop, i))
      return evaluate(loop.getOperands()[i]);
    const std::optional<Counter> &count = counter(loop);
    if (!count || count->index != i || !count->trip() ||
        argument.getOwner() != &loop.getBody().front())
      return std::nullopt;
    return Affine{count->begin, {{loop, 1}}};
  }
  Operation *op = value.getDefiningOp();
  if (op->getNumResults() != 1 || op->getNumRegions() || !op->getNumOperands())
    return std::nullopt;
  SmallVector<Affine> operands;
  for (Value operand : op->getOperands()) {
    std::optional<Affine> v = evaluate(operand);
    if (!v)
      return std::nullopt;
    operands.push_back(*v);
  }
  std::optional<Affine> result = combine(op, operands);
  if (!result)
    return std::nullopt;
  // Beyond this the program's own type wraps.
  auto element = dyn_cast<IntegerType>(
      cast<RankedTensorType>(value.getType()).getElementType());
  const unsigned width = element ? std::min(element.getWidth(), 32u) : 32;
  const bool isSigned = width > 1 && !(element && element.isUnsigned());
  const int64_t most = (int64_t(1) << (width - (isSigned ? 1 : 0))) - 1;
  auto [lo, hi] = range(*result);
  if (lo < (isSigned ? -most - 1 : 0) || hi > most)
    return std::nullopt;
  return result;
}

std::optional<Affine> PlaceAnalysis::evaluate(Value value) {
  auto [it, fresh] = known.try_emplace(value, std::nullopt);
  if (!fresh)
    return it->second;
  std::optional<Affine> result = compute(value);
  known[value] = result;
  return result;
}

std::optional<Affine> PlaceAnalysis::start(Value index, int64_t room) {
  if (!room)
    return constant(0);
  std::optional<Affine> at = evaluate(index);
  if (!at)
    return std::nullopt;
  if (at->scales.empty())
    return constant(std::clamp<int64_t>(at->offset, 0, room));
  auto [lo, hi] = range(*at);
  return lo >= 0 && hi <= room ? at : std::nullopt;
}
