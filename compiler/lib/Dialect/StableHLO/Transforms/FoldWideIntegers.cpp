// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// jax.random counts in 64 bits: an iota, shifted into two words. All of it is
// known here, so that a program that draws numbers has no 64-bit type left.

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
