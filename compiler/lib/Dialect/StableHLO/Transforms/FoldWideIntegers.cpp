// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// jax.random counts in 64 bits: an iota, shifted into two words. All of it is
// known here, so that a program that draws numbers has no 64-bit type left:
// few numbers become constants, many their words' own counters.

#include "loom/Dialect/StableHLO/Elements.h"
#include "loom/Dialect/StableHLO/Passes.h"
#include "loom/Dialect/StableHLO/StableHLO.h"

#include "llvm/ADT/TypeSwitch.h"

namespace mlir::loom::stablehlo {
#define GEN_PASS_DEF_FOLDWIDEINTEGERS
#include "loom/Dialect/StableHLO/Passes.h.inc"
} // namespace mlir::loom::stablehlo

using namespace mlir;
using namespace mlir::loom;
using namespace mlir::loom::stablehlo;

/// Elements of a constant that is made here.
static constexpr int64_t kMaxElements = 1 << 22;
/// Elements up to which a counter becomes a constant, not a counter of 32 bits.
static constexpr int64_t kMaxListed = 1 << 16;

static bool isWide(Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  return tensor && tensor.hasStaticShape() &&
         tensor.getElementType().isInteger(64);
}

static ElementsAttr constantOf(Value value) {
  auto constant = value.getDefiningOp<ConstantOp>();
  return constant ? constant.getValue() : ElementsAttr();
}

static ElementsAttr store(RankedTensorType type, ArrayRef<uint64_t> values) {
  ArrayRef<char> bytes(reinterpret_cast<const char *>(values.data()),
                       values.size() * sizeof(uint64_t));
  // One value for all costs nothing where it is used.
  const bool splat = llvm::all_equal(values);
  return makeElements(type, splat ? bytes.take_front(sizeof(uint64_t)) : bytes,
                      splat);
}

static ElementsAttr foldIota(IotaOp op) {
  auto type = cast<RankedTensorType>(op.getType());
  const int64_t count = type.getNumElements(), dim = op.getIotaDimension();
  if (count > kMaxElements || !count)
    return {};
  int64_t inner = 1;
  for (int64_t n : type.getShape().drop_front(dim + 1))
    inner *= n;
  std::vector<uint64_t> values(count);
  for (int64_t i = 0; i < count; ++i)
    values[i] = i / inner % type.getDimSize(dim);
  return store(type, values);
}

using Binary = uint64_t (*)(uint64_t, uint64_t);

static Binary binaryOf(Operation *op) {
  return llvm::TypeSwitch<Operation *, Binary>(op)
      .Case([](AddOp) { return [](uint64_t a, uint64_t b) { return a + b; }; })
      .Case([](SubtractOp) {
        return [](uint64_t a, uint64_t b) { return a - b; };
      })
      .Case([](MulOp) { return [](uint64_t a, uint64_t b) { return a * b; }; })
      .Case([](AndOp) { return [](uint64_t a, uint64_t b) { return a & b; }; })
      .Case([](OrOp) { return [](uint64_t a, uint64_t b) { return a | b; }; })
      .Case([](XorOp) { return [](uint64_t a, uint64_t b) { return a ^ b; }; })
      .Case([](ShiftLeftOp) {
        return [](uint64_t a, uint64_t b) {
          return b > 63 ? uint64_t(0) : a << b;
        };
      })
      .Case([](ShiftRightLogicalOp) {
        return [](uint64_t a, uint64_t b) {
          return b > 63 ? uint64_t(0) : a >> b;
        };
      })
      .Default(Binary(nullptr));
}

static ElementsAttr foldBinary(Operation *op, Binary apply) {
  std::optional<ElementBytes> lhs, rhs;
  if (ElementsAttr attr = constantOf(op->getOperand(0)))
    lhs = ElementBytes::get(attr);
  if (ElementsAttr attr = constantOf(op->getOperand(1)))
    rhs = ElementBytes::get(attr);
  auto type = cast<RankedTensorType>(op->getResult(0).getType());
  if (!lhs || !rhs || type.getNumElements() > kMaxElements ||
      !type.getNumElements())
    return {};
  auto at = [](const ElementBytes &from, int64_t i) {
    uint64_t value;
    memcpy(&value, from.element(i).data(), sizeof(value));
    return value;
  };
  const bool splat = lhs->isSplat() && rhs->isSplat();
  std::vector<uint64_t> values(splat ? 1 : type.getNumElements());
  for (int64_t i = 0; i < int64_t(values.size()); ++i)
    values[i] = apply(at(*lhs, i), at(*rhs, i));
  return store(type, values);
}

/// What moves or converts folds by itself.
static ElementsAttr foldOther(Operation *op) {
  SmallVector<Attribute> operands;
  for (Value operand : op->getOperands()) {
    operands.push_back(constantOf(operand));
    if (!operands.back())
      return {};
  }
  SmallVector<OpFoldResult> results;
  if (operands.empty() || failed(op->fold(operands, results)) ||
      results.size() != 1)
    return {};
  return dyn_cast_or_null<ElementsAttr>(dyn_cast<Attribute>(results[0]));
}

//===----------------------------------------------------------------------===//
// Counters
//===----------------------------------------------------------------------===//

namespace {
/// offset + the sum of index[d] * scales[d], modulo 2^64.
struct Counter {
  uint64_t offset = 0;
  SmallVector<uint64_t> scales;

  bool isOne() const {
    return llvm::all_of(scales, [](auto s) { return !s; });
  }
  /// Its largest value, if no element wraps.
  std::optional<uint64_t> most(ArrayRef<int64_t> shape) const {
    uint64_t sum = offset;
    for (auto [n, scale] : llvm::zip_equal(shape, scales)) {
      uint64_t span;
      if (n < 1 || __builtin_mul_overflow(scale, uint64_t(n - 1), &span) ||
          __builtin_add_overflow(sum, span, &sum))
        return std::nullopt;
    }
    return sum;
  }
};

/// Which 64-bit values count.
class Counters {
public:
  std::optional<Counter> of(Value value) {
    auto [it, fresh] = known.try_emplace(value, std::nullopt);
    if (!fresh)
      return it->second;
    std::optional<Counter> counter = compute(value);
    known[value] = counter;
    return counter;
  }

private:
  std::optional<Counter> compute(Value value);
  std::optional<Counter> combine(Operation *op);

  DenseMap<Value, std::optional<Counter>> known;
};
} // namespace

static Counter scaled(Counter counter, uint64_t by) {
  counter.offset *= by;
  for (uint64_t &scale : counter.scales)
    scale *= by;
  return counter;
}

static Counter sum(Counter counter, const Counter &other) {
  counter.offset += other.offset;
  for (auto [scale, more] : llvm::zip_equal(counter.scales, other.scales))
    scale += more;
  return counter;
}

std::optional<Counter> Counters::combine(Operation *op) {
  std::optional<Counter> lhs = of(op->getOperand(0)),
                         rhs = of(op->getOperand(1));
  if (!lhs || !rhs)
    return std::nullopt;
  if (isa<AddOp>(op))
    return sum(*lhs, *rhs);
  if (isa<SubtractOp>(op))
    return sum(*lhs, scaled(*rhs, ~uint64_t(0)));
  if (isa<MulOp>(op) && (lhs->isOne() || rhs->isOne()))
    return lhs->isOne() ? scaled(*rhs, lhs->offset) : scaled(*lhs, rhs->offset);
  if (!isa<ShiftRightLogicalOp>(op) || !rhs->isOne() || rhs->offset > 63)
    return std::nullopt;
  // A high word: the same of all elements, or nothing that counts.
  const std::optional<uint64_t> most =
      lhs->most(cast<RankedTensorType>(op->getResult(0).getType()).getShape());
  const uint64_t by = rhs->offset, least = lhs->offset >> by;
  if (!most || *most >> by != least)
    return std::nullopt;
  rhs->offset = least;
  return rhs;
}

std::optional<Counter> Counters::compute(Value value) {
  Operation *op = value.getDefiningOp();
  if (!op || !isWide(value.getType()))
    return std::nullopt;
  auto type = cast<RankedTensorType>(value.getType());
  Counter counter{0, SmallVector<uint64_t>(type.getRank(), 0)};
  if (ElementsAttr attr = constantOf(value)) {
    std::optional<ElementBytes> bytes = ElementBytes::get(attr);
    if (!bytes || (!bytes->isSplat() && type.getNumElements() != 1))
      return std::nullopt;
    memcpy(&counter.offset, bytes->element(0).data(), sizeof(uint64_t));
    return counter;
  }
  if (auto iota = dyn_cast<IotaOp>(op)) {
    counter.scales[iota.getIotaDimension()] = 1;
    return counter;
  }
  if (auto spread = dyn_cast<BroadcastInDimOp>(op)) {
    std::optional<Counter> from = of(spread.getOperand());
    if (!from)
      return std::nullopt;
    counter.offset = from->offset;
    auto shape = cast<RankedTensorType>(spread.getOperand().getType());
    for (auto [i, d] : llvm::enumerate(spread.getBroadcastDimensions()))
      if (shape.getDimSize(i) != 1)
        counter.scales[d] = from->scales[i];
    return counter;
  }
  if (isa<ConvertOp>(op)) // signed or not: the same bits
    return of(op->getOperand(0));
  return op->getNumOperands() == 2 ? combine(op) : std::nullopt;
}

/// A counter's low word.
static Value lowWord(OpBuilder &builder, Location loc, const Counter &counter,
                     RankedTensorType type) {
  auto number = [&](uint64_t value) -> Value {
    const auto word = uint32_t(value);
    return ConstantOp::create(
        builder, loc,
        makeElements(type, {reinterpret_cast<const char *>(&word), sizeof word},
                     /*splat=*/true));
  };
  Value total;
  auto add = [&](Value term) {
    total = total ? AddOp::create(builder, loc, type, total, term) : term;
  };
  for (auto [d, scale] : llvm::enumerate(counter.scales)) {
    if (!uint32_t(scale) || type.getDimSize(d) == 1)
      continue;
    Value index = IotaOp::create(builder, loc, type, d);
    add(uint32_t(scale) == 1
            ? index
            : MulOp::create(builder, loc, type, index, number(scale)));
  }
  if (!total || uint32_t(counter.offset))
    add(number(counter.offset));
  return total;
}

/// Large counters whose low words alone are taken.
static void narrowCounters(ModuleOp module) {
  Counters counters;
  SmallVector<Operation *> wide;
  module.walk([&](Operation *op) {
    if (llvm::any_of(op->getResultTypes(), isWide))
      wide.push_back(op);
    auto convert = dyn_cast<ConvertOp>(op);
    if (!convert || !isWide(convert.getOperand().getType()))
      return;
    auto type = cast<RankedTensorType>(convert.getType());
    if (!type.getElementType().isInteger(32) ||
        type.getNumElements() <= kMaxListed)
      return;
    if (std::optional<Counter> counter = counters.of(convert.getOperand())) {
      OpBuilder builder(op);
      convert.getResult().replaceAllUsesWith(
          lowWord(builder, op->getLoc(), *counter, type));
      wide.push_back(op);
    }
  });
  for (Operation *op : llvm::reverse(wide))
    if (isOpTriviallyDead(op))
      op->erase();
}

//===----------------------------------------------------------------------===//
// The pass
//===----------------------------------------------------------------------===//

static ElementsAttr foldWide(Operation *op) {
  if (op->getNumResults() != 1 || op->getNumRegions() || isa<ConstantOp>(op))
    return {};
  if (!isWide(op->getResult(0).getType()) &&
      !llvm::any_of(op->getOperandTypes(), isWide))
    return {};
  if (auto iota = dyn_cast<IotaOp>(op))
    return foldIota(iota);
  if (Binary apply = binaryOf(op); apply && isWide(op->getResult(0).getType()))
    return foldBinary(op, apply);
  return foldOther(op);
}

namespace {
struct FoldWideIntegersPass
    : stablehlo::impl::FoldWideIntegersBase<FoldWideIntegersPass> {
  void runOnOperation() override {
    narrowCounters(getOperation());
    getOperation().walk([&](Operation *op) {
      ElementsAttr value = foldWide(op);
      if (!value)
        return;
      OpBuilder builder(op);
      auto constant = ConstantOp::create(builder, op->getLoc(), value);
      op->getResult(0).replaceAllUsesWith(constant);
      op->erase();
    });
    // Large constants that nothing uses any more.
    getOperation().walk([](ConstantOp op) {
      if (op.use_empty() && isWide(op.getType()))
        op.erase();
    });
  }
};
} // namespace
