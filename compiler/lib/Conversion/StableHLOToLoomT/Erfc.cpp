// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The complementary error function reaches the compiler written out: two
// rational approximations and a select, 61 operations. Where it is part of an
// exact GELU, 1 - erf(x) is as good and one micro-operation of the vector unit.

#include "Erfc.h"

#include "loom/Dialect/StableHLO/Elements.h"

using namespace mlir;
using namespace mlir::loom;
using namespace mlir::loom::stablehlo;

// Highest power first.
static constexpr float kErf[] = {
    7.85386146e-05f, -8.0101937e-04f, 0.00518832775f, -0.0268538129f,
    0.112835854f,    -0.37612626f,    1.12837911f};
static constexpr float kNear[] = {2.326820e-02f, -0.138703942f, 0.368742466f,
                                  -0.582473278f, 0.621000468f,  -0.494451523f,
                                  3.404880e-01f, -0.274112701f, 0.563825965f};
static constexpr float kFar[] = {-10.477664f,   1.297720e+01f, -7.49551868f,
                                 2.92101908f,   -1.01526523f,  0.42184633f,
                                 -0.282076746f, 0.564189494f};
/// Below -log(largest float) the exponential is taken as 0.
static constexpr float kUnderflow = -88.7228394f;

static bool isSplat(Value value, float expected) {
  auto constant = value.getDefiningOp<ConstantOp>();
  if (!constant ||
      !cast<RankedTensorType>(constant.getType()).getElementType().isF32())
    return false;
  std::optional<ElementBytes> bytes = ElementBytes::get(constant.getValue());
  if (!bytes || !(bytes->isSplat() || bytes->bytes().size() == 4))
    return false;
  float got;
  memcpy(&got, bytes->element(0).data(), 4);
  return got == expected;
}

/// The other operand of a commutative operation.
template <typename OpT> static Value other(Value value, Value one) {
  auto op = value.getDefiningOp<OpT>();
  if (!op)
    return Value();
  return op.getLhs() == one   ? op.getRhs()
         : op.getRhs() == one ? op.getLhs()
                              : Value();
}

/// The operand beside a constant.
template <typename OpT> static Value beside(Value value, float constant) {
  auto op = value.getDefiningOp<OpT>();
  if (!op)
    return Value();
  if (isSplat(op.getRhs(), constant))
    return op.getLhs();
  return isSplat(op.getLhs(), constant) ? op.getRhs() : Value();
}

/// Horner's scheme in `x`.
static bool isPolynomial(Value value, Value x, ArrayRef<float> factors) {
  while (factors.size() > 1) {
    Value product = beside<AddOp>(value, factors.back());
    if (!product || !(value = other<MulOp>(product, x)))
      return false;
    factors = factors.drop_back();
  }
  return isSplat(value, factors.front());
}

static bool isLess(Value value, Value left, float right) {
  auto compare = value.getDefiningOp<CompareOp>();
  return compare &&
         compare.getComparisonDirection() == ComparisonDirection::LT &&
         compare.getLhs() == left && isSplat(compare.getRhs(), right);
}

template <typename OpT> static bool isOf(Value value, Value operand) {
  auto op = value.getDefiningOp<OpT>();
  return op && op.getOperand() == operand;
}

/// c / x
static bool isOver(Value value, float c, Value x) {
  auto op = value.getDefiningOp<DivOp>();
  return op && isSplat(op.getLhs(), c) && op.getRhs() == x;
}

/// exp(-x^2) / |x| * P(1 / x^2), 0 where the exponential is.
static bool isTail(Value value, Value x, Value square, Value magnitude) {
  auto flush = value.getDefiningOp<SelectOp>();
  if (!flush || !isSplat(flush.getOnTrue(), 0))
    return false;
  auto small = flush.getPred().getDefiningOp<CompareOp>();
  if (!small || !isLess(small, small.getLhs(), kUnderflow) ||
      !isOf<NegOp>(small.getLhs(), square))
    return false;
  auto product = flush.getOnFalse().getDefiningOp<MulOp>();
  if (!product)
    return false;
  auto decay = product.getLhs().getDefiningOp<MulOp>();
  auto choice = product.getRhs().getDefiningOp<SelectOp>();
  if (!decay || !choice || !isOf<ExpOp>(decay.getLhs(), small.getLhs()) ||
      !isOver(decay.getRhs(), 1, magnitude) ||
      !isLess(choice.getPred(), magnitude, 2))
    return false;
  auto near = choice.getOnTrue().getDefiningOp<AddOp>();
  // The variable of both polynomials is 1 / x^2, a factor of near's product.
  auto step = near ? near.getLhs().getDefiningOp<MulOp>() : MulOp();
  for (Value inverse : step ? step->getOperands() : ValueRange())
    if (isOver(inverse, 1, square) &&
        isPolynomial(choice.getOnTrue(), inverse, kNear) &&
        isPolynomial(choice.getOnFalse(), inverse, kFar))
      return true;
  return false;
}

/// The x of a written-out erfc(x).
static Value erfcArgument(SelectOp root) {
  auto compare = root.getPred().getDefiningOp<CompareOp>();
  auto abs = compare ? compare.getLhs().getDefiningOp<AbsOp>() : AbsOp();
  if (!abs || !isLess(compare, abs, 1))
    return Value();
  Value x = abs.getOperand();
  auto centre = root.getOnTrue().getDefiningOp<SubtractOp>();
  auto sides = root.getOnFalse().getDefiningOp<SelectOp>();
  if (!centre || !sides || !isSplat(centre.getLhs(), 1) ||
      !isLess(sides.getPred(), x, 0))
    return Value();
  auto mirrored = sides.getOnTrue().getDefiningOp<SubtractOp>();
  if (!mirrored || !isSplat(mirrored.getLhs(), 2) ||
      mirrored.getRhs() != sides.getOnFalse())
    return Value();
  Value erf = other<MulOp>(centre.getRhs(), x);
  for (Operation *user : x.getUsers()) {
    auto square = dyn_cast<MulOp>(user);
    if (square && square.getLhs() == x && square.getRhs() == x && erf &&
        isPolynomial(erf, square, kErf) &&
        isTail(sides.getOnFalse(), x, square, abs))
      return x;
  }
  return Value();
}

/// Conversions between float types do not change what a value is about.
static Value source(Value value) {
  while (auto convert = value.getDefiningOp<ConvertOp>())
    value = convert.getOperand();
  return value;
}

Value mlir::loom::geluErfcArgument(SelectOp root) {
  Value x = erfcArgument(root);
  if (!x || !root.getResult().hasOneUse())
    return Value();
  Operation *user = *root.getResult().user_begin();
  if (isa<ConvertOp>(user) && user->getResult(0).hasOneUse())
    user = *user->getResult(0).user_begin();
  // v * c * erfc(-v * d): what is lost far from 0 is lost beside v.
  auto product = dyn_cast<MulOp>(user);
  auto scaled = source(x).getDefiningOp<MulOp>();
  auto negated =
      scaled ? source(scaled.getLhs()).getDefiningOp<NegOp>() : NegOp();
  if (!product || !negated)
    return Value();
  Value v = source(negated.getOperand());
  for (Value factor : product->getOperands()) {
    factor = source(factor);
    if (factor == v)
      return x;
    auto half = factor.getDefiningOp<MulOp>();
    if (half && (source(half.getLhs()) == v || source(half.getRhs()) == v))
      return x;
  }
  return Value();
}
