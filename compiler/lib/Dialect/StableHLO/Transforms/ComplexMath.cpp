// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "ComplexMath.h"

#include <limits>

using namespace mlir;
using namespace mlir::loom::stablehlo;

Value ComplexMath::number(Value like, float value) {
  auto type = cast<RankedTensorType>(like.getType());
  return ConstantOp::create(
      b, loc, cast<ElementsAttr>(DenseElementsAttr::get(type, value)));
}

Value ComplexMath::test(Value x, Value y, ComparisonDirection d) {
  auto type = RankedTensorType::get(
      cast<RankedTensorType>(x.getType()).getShape(), b.getI1Type());
  return CompareOp::create(b, loc, type, x, y,
                           ComparisonDirectionAttr::get(b.getContext(), d),
                           ComparisonTypeAttr());
}

Value ComplexMath::select(Value pred, Value x, Value y) {
  return SelectOp::create(b, loc, x.getType(), pred, x, y);
}

Complex ComplexMath::choose(Value pred, Complex x, Complex y) {
  return {select(pred, x.re, y.re), select(pred, x.im, y.im)};
}

Complex ComplexMath::fromReal(Value value, RankedTensorType type) {
  if (value.getType() != type)
    value = ConvertOp::create(b, loc, type, value);
  return {value, number(value, 0)};
}

Value ComplexMath::abs(Complex z) {
  Value x = un<AbsOp>(z.re), y = un<AbsOp>(z.im);
  Value large = bi<MaxOp>(x, y), small = bi<MinOp>(x, y);
  Value ratio = div(small, large);
  Value length = mul(large, un<SqrtOp>(add(number(x, 1), mul(ratio, ratio))));
  // 0 / 0 and infinity / infinity are no ratios.
  Value infinity = number(x, std::numeric_limits<float>::infinity());
  length =
      select(test(large, infinity, ComparisonDirection::EQ), infinity, length);
  return select(isZero(large), large, length);
}

std::optional<Value> ComplexMath::compare(Complex x, Complex y,
                                          ComparisonDirection d) {
  if (d != ComparisonDirection::EQ && d != ComparisonDirection::NE)
    return std::nullopt;
  Value re = test(x.re, y.re, d), im = test(x.im, y.im, d);
  return d == ComparisonDirection::EQ ? both(re, im) : bi<OrOp>(re, im);
}

Complex ComplexMath::multiply(Complex x, Complex y) {
  return {sub(mul(x.re, y.re), mul(x.im, y.im)),
          add(mul(x.re, y.im), mul(x.im, y.re))};
}

/// Smith's way: the smaller part of the divisor over the larger one.
Complex ComplexMath::divide(Complex x, Complex y) {
  Value wide = test(un<AbsOp>(y.re), un<AbsOp>(y.im), ComparisonDirection::GE);
  Value large = select(wide, y.re, y.im), small = select(wide, y.im, y.re);
  Value ratio = div(small, large);
  Value divisor = add(large, mul(small, ratio));
  Value p = select(wide, x.re, x.im), q = select(wide, x.im, x.re);
  Value re = div(add(p, mul(q, ratio)), divisor);
  Value im = div(sub(q, mul(p, ratio)), divisor);
  im = select(wide, im, neg(im));
  return choose(isZero(large), {div(x.re, y.re), div(x.im, y.re)}, {re, im});
}

Value ComplexMath::sinh(Value x) {
  // (e - 1) / 2 + (e - 1) / (2 e), exact near 0
  Value e = un<Expm1Op>(x), half = number(x, 0.5f);
  return mul(half, add(e, div(e, add(e, number(x, 1)))));
}

Value ComplexMath::cosh(Value x) {
  Value half = number(x, 0.5f);
  return mul(half, add(un<ExpOp>(x), un<ExpOp>(neg(x))));
}

Complex ComplexMath::exp(Complex z) {
  Value length = un<ExpOp>(z.re);
  Value im = mul(length, un<SineOp>(z.im));
  return {mul(length, un<CosineOp>(z.im)), select(isZero(z.im), z.im, im)};
}

/// exp(x) cos(y) - 1 as expm1(x) cos(y) - 2 sin(y / 2)^2
Complex ComplexMath::expm1(Complex z) {
  Value s = un<SineOp>(mul(z.im, number(z.im, 0.5f)));
  Value re = sub(mul(un<Expm1Op>(z.re), un<CosineOp>(z.im)),
                 mul(number(s, 2), mul(s, s)));
  return {re, exp(z).im};
}

Complex ComplexMath::log(Complex z) {
  return {un<LogOp>(abs(z)), bi<Atan2Op>(z.im, z.re)};
}

/// |1 + z|^2 - 1 is x (2 + x) + y^2.
Complex ComplexMath::log1p(Complex z) {
  Value excess = add(mul(z.re, add(number(z.re, 2), z.re)), mul(z.im, z.im));
  return {mul(number(z.re, 0.5f), un<Log1pOp>(excess)),
          bi<Atan2Op>(z.im, add(number(z.re, 1), z.re))};
}

Complex ComplexMath::sqrt(Complex z) {
  Value zero = number(z.re, 0);
  // sqrt((|z| + |x|) / 2), of halves, which do not overflow.
  Value half = number(z.re, 0.5f);
  Value t = un<SqrtOp>(add(mul(half, abs(z)), mul(half, un<AbsOp>(z.re))));
  Value other = div(z.im, add(t, t));
  Value right = test(z.re, zero, ComparisonDirection::GE);
  Value up = test(z.im, zero, ComparisonDirection::LT);
  Complex result{select(right, t, un<AbsOp>(other)),
                 select(right, other, select(up, neg(t), t))};
  return choose(isZero(t), {zero, z.im}, result);
}

Complex ComplexMath::tanh(Complex z) {
  Value t = un<TanhOp>(z.re), u = un<TanOp>(z.im), one = number(t, 1);
  Value tt = mul(t, t), uu = mul(u, u), den = add(one, mul(tt, uu));
  // 1 - tanh^2 would cancel: 1 / cosh^2
  Value c = div(one, cosh(z.re));
  return {div(mul(t, add(one, uu)), den), div(mul(mul(c, c), u), den)};
}

Complex ComplexMath::sine(Complex z) {
  return {mul(un<SineOp>(z.re), cosh(z.im)),
          mul(un<CosineOp>(z.re), sinh(z.im))};
}

Complex ComplexMath::cosine(Complex z) {
  return {mul(un<CosineOp>(z.re), cosh(z.im)),
          neg(mul(un<SineOp>(z.re), sinh(z.im)))};
}

/// exp(y log x); 0 to any power but 0 is 0.
Complex ComplexMath::power(Complex x, Complex y) {
  Complex result = exp(multiply(y, log(x)));
  Value zero = number(x.re, 0);
  Value ofZero = both(isZero(x.re), isZero(x.im)),
        toZero = both(isZero(y.re), isZero(y.im));
  result = choose(ofZero, {zero, zero}, result);
  return choose(toZero, {number(x.re, 1), zero}, result);
}

Complex ComplexMath::sign(Complex z) {
  Value length = abs(z);
  return choose(isZero(length), z, {div(z.re, length), div(z.im, length)});
}

std::optional<Complex> ComplexMath::apply(Operation *op, ArrayRef<Complex> z) {
  if (isa<MulOp>(op))
    return multiply(z[0], z[1]);
  if (isa<DivOp>(op))
    return divide(z[0], z[1]);
  if (isa<PowOp>(op))
    return power(z[0], z[1]);
  if (isa<ExpOp>(op))
    return exp(z[0]);
  if (isa<Expm1Op>(op))
    return expm1(z[0]);
  if (isa<LogOp>(op))
    return log(z[0]);
  if (isa<Log1pOp>(op))
    return log1p(z[0]);
  if (isa<SqrtOp>(op))
    return sqrt(z[0]);
  if (isa<TanhOp>(op))
    return tanh(z[0]);
  if (isa<SineOp>(op))
    return sine(z[0]);
  if (isa<CosineOp>(op))
    return cosine(z[0]);
  if (isa<SignOp>(op))
    return sign(z[0]);
  if (!isa<RsqrtOp, LogisticOp, TanOp>(op))
    return std::nullopt;
  if (isa<TanOp>(op)) { // -i tanh(i z)
    Complex t = tanh({neg(z[0].im), z[0].re});
    return Complex{t.im, neg(t.re)};
  }
  Complex one = {number(z[0].re, 1), number(z[0].re, 0)};
  if (isa<RsqrtOp>(op))
    return divide(one, sqrt(z[0]));
  Complex e = exp({neg(z[0].re), neg(z[0].im)});
  return divide(one, {add(e.re, one.re), e.im});
}
