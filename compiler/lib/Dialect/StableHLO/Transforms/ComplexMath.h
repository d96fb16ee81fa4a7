// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Functions of complex numbers, written out in operations on their parts.

#ifndef LOOM_LIB_DIALECT_STABLEHLO_COMPLEXMATH_H
#define LOOM_LIB_DIALECT_STABLEHLO_COMPLEXMATH_H

#include "loom/Dialect/StableHLO/StableHLO.h"

#include "mlir/IR/Builders.h"

namespace mlir::loom::stablehlo {

struct Complex {
  Value re, im;
};

class ComplexMath {
public:
  ComplexMath(OpBuilder &builder, Location loc) : b(builder), loc(loc) {}

  /// sqrt(re^2 + im^2), without overflow on the way.
  Value abs(Complex z);
  /// EQ and NE; complex numbers have no order.
  std::optional<Value> compare(Complex x, Complex y, ComparisonDirection d);
  /// A real number of that element type, converted if need be.
  Complex fromReal(Value value, RankedTensorType type);
  /// What an elementwise operation gives; nothing if it is not written out.
  std::optional<Complex> apply(Operation *op, ArrayRef<Complex> z);

private:
  Complex multiply(Complex x, Complex y);
  Complex divide(Complex x, Complex y);
  Complex exp(Complex z);
  Complex expm1(Complex z);
  Complex log(Complex z);
  Complex log1p(Complex z);
  Complex sqrt(Complex z);
  Complex tanh(Complex z);
  Complex sine(Complex z);
  Complex cosine(Complex z);
  Complex power(Complex x, Complex y);
  Complex sign(Complex z);
  Complex choose(Value pred, Complex x, Complex y);

  Value number(Value like, float value);
  Value sinh(Value x);
  Value cosh(Value x);
  Value test(Value x, Value y, ComparisonDirection d);
  Value select(Value pred, Value x, Value y);
  template <typename OpT> Value un(Value x) {
    return OpT::create(b, loc, x.getType(), x);
  }
  template <typename OpT> Value bi(Value x, Value y) {
    return OpT::create(b, loc, x.getType(), x, y);
  }
  Value add(Value x, Value y) { return bi<AddOp>(x, y); }
  Value sub(Value x, Value y) { return bi<SubtractOp>(x, y); }
  Value mul(Value x, Value y) { return bi<MulOp>(x, y); }
  Value div(Value x, Value y) { return bi<DivOp>(x, y); }
  Value neg(Value x) { return un<NegOp>(x); }
  Value isZero(Value x) {
    return test(x, number(x, 0), ComparisonDirection::EQ);
  }
  Value both(Value x, Value y) { return bi<AndOp>(x, y); }

  OpBuilder &b;
  Location loc;
};

} // namespace mlir::loom::stablehlo

#endif // LOOM_LIB_DIALECT_STABLEHLO_COMPLEXMATH_H
