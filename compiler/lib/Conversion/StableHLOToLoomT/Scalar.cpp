// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// One micro-operation an operation, then whatever brings a 32-bit register back
// to the values of the element type: rounding to bf16 or f16, sign or zero
// extension of 8 and 16 bits.

#include "Scalar.h"

#include "Constants.h"

#include "loom_isa.h"

#include "llvm/ADT/StringSwitch.h"

using namespace mlir;
using namespace mlir::loom;
using loomt::Program;

namespace {
struct Names {
  int32_t onFloat, onSigned, onUnsigned;
  bool rounds; // the float form can leave bf16 or f16
};
} // namespace

static std::optional<Names> lookup(StringRef name) {
  return llvm::StringSwitch<std::optional<Names>>(name)
      .Case("add", Names{LOOM_UOP_FADD, LOOM_UOP_IADD, LOOM_UOP_IADD, true})
      .Case("subtract",
            Names{LOOM_UOP_FSUB, LOOM_UOP_ISUB, LOOM_UOP_ISUB, true})
      .Case("multiply",
            Names{LOOM_UOP_FMUL, LOOM_UOP_IMUL, LOOM_UOP_IMUL, true})
      .Case("divide", Names{LOOM_UOP_FDIV, LOOM_UOP_IDIV, LOOM_UOP_UDIV, true})
      .Case("remainder",
            Names{LOOM_UOP_FREM, LOOM_UOP_IREM, LOOM_UOP_UREM, true})
      .Case("maximum",
            Names{LOOM_UOP_FMAX, LOOM_UOP_IMAX, LOOM_UOP_UMAX, false})
      .Case("minimum",
            Names{LOOM_UOP_FMIN, LOOM_UOP_IMIN, LOOM_UOP_UMIN, false})
      .Case("negate", Names{LOOM_UOP_FNEG, LOOM_UOP_INEG, LOOM_UOP_INEG, false})
      .Case("abs", Names{LOOM_UOP_FABS, LOOM_UOP_IABS, LOOM_UOP_MOV, false})
      .Case("sign", Names{LOOM_UOP_FSIGN, LOOM_UOP_ISIGN, -1, false})
      .Case("exponential", Names{LOOM_UOP_EXP, -1, -1, true})
      .Case("exponential_minus_one", Names{LOOM_UOP_EXPM1, -1, -1, true})
      .Case("log", Names{LOOM_UOP_LOG, -1, -1, true})
      .Case("log_plus_one", Names{LOOM_UOP_LOG1P, -1, -1, true})
      .Case("tanh", Names{LOOM_UOP_TANH, -1, -1, true})
      .Case("logistic", Names{LOOM_UOP_LOGISTIC, -1, -1, true})
      .Case("sine", Names{LOOM_UOP_SIN, -1, -1, true})
      .Case("cosine", Names{LOOM_UOP_COS, -1, -1, true})
      .Case("cbrt", Names{LOOM_UOP_CBRT, -1, -1, true})
      .Case("atan2", Names{LOOM_UOP_ATAN2, -1, -1, true})
      .Case("power", Names{LOOM_UOP_POW, -1, -1, true})
      .Case("sqrt", Names{LOOM_UOP_FSQRT, -1, -1, true})
      .Case("rsqrt", Names{LOOM_UOP_FRSQRT, -1, -1, true})
      .Case("floor", Names{LOOM_UOP_FFLOOR, -1, -1, false})
      .Case("ceil", Names{LOOM_UOP_FCEIL, -1, -1, false})
      .Case("round_nearest_even", Names{LOOM_UOP_FRNE, -1, -1, false})
      .Case("round_nearest_afz", Names{LOOM_UOP_FRAZ, -1, -1, false})
      .Case("and", Names{-1, LOOM_UOP_AND, LOOM_UOP_AND, false})
      .Case("or", Names{-1, LOOM_UOP_OR, LOOM_UOP_OR, false})
      .Case("xor", Names{-1, LOOM_UOP_XOR, LOOM_UOP_XOR, false})
      .Case("not", Names{-1, LOOM_UOP_NOT, LOOM_UOP_NOT, false})
      .Case("shift_left", Names{-1, LOOM_UOP_SHL, LOOM_UOP_SHL, false})
      .Case("shift_right_logical", Names{-1, LOOM_UOP_SHR, LOOM_UOP_SHR, false})
      .Case("shift_right_arithmetic",
            Names{-1, LOOM_UOP_SAR, LOOM_UOP_SAR, false})
      .Case("count_leading_zeros", Names{-1, LOOM_UOP_CLZ, LOOM_UOP_CLZ, false})
      .Case("popcnt", Names{-1, LOOM_UOP_POPC, LOOM_UOP_POPC, false})
      .Default(std::nullopt);
}

static Type elementOf(Type type) {
  return cast<RankedTensorType>(type).getElementType();
}

static bool isUnsigned(Type type) {
  return type.isUnsignedInteger() || type.isInteger(1);
}

/// The register's value as one of the element type.
static int32_t normalise(Program &program, int32_t value, Type type) {
  if (type.isBF16())
    return program.emit(LOOM_UOP_FBF16, value);
  if (type.isF16())
    return program.emit(LOOM_UOP_FF16, value);
  if (!type.isInteger() || type.getIntOrFloatBitWidth() >= 32)
    return value;
  const unsigned bits = type.getIntOrFloatBitWidth();
  if (isUnsigned(type))
    return program.emit(LOOM_UOP_AND, value, program.imm((1u << bits) - 1));
  const int32_t shift = program.imm(32 - bits);
  return program.emit(LOOM_UOP_SAR, program.emit(LOOM_UOP_SHL, value, shift),
                      shift);
}

int32_t mlir::loom::emitConvert(Program &program, int32_t value, Type from,
                                Type to) {
  if (from == to)
    return value;
  const bool fromFloat = isa<FloatType>(from), toFloat = isa<FloatType>(to);
  if (to.isInteger(1))
    return program.emit(fromFloat ? LOOM_UOP_FNE : LOOM_UOP_INE, value,
                        program.imm(0));
  if (fromFloat && toFloat)
    return to.isF32() ? value : normalise(program, value, to);
  if (toFloat)
    return normalise(
        program,
        program.emit(isUnsigned(from) ? LOOM_UOP_U2F : LOOM_UOP_I2F, value),
        to);
  if (!fromFloat)
    return normalise(program, value, to);
  const unsigned bits = to.getIntOrFloatBitWidth();
  if (isUnsigned(to)) {
    value = program.emit(LOOM_UOP_F2U, value);
    return bits == 32 ? value
                      : program.emit(LOOM_UOP_UMIN, value,
                                     program.imm((1u << bits) - 1));
  }
  value = program.emit(LOOM_UOP_F2I, value);
  if (bits == 32)
    return value;
  value =
      program.emit(LOOM_UOP_IMIN, value, program.imm((1u << (bits - 1)) - 1));
  return program.emit(LOOM_UOP_IMAX, value,
                      program.imm(uint32_t(-(1 << (bits - 1)))));
}

/// Shifts and counts of bits, of which a register holds more than the type has:
/// what is above them, sign or zeros, must neither count nor come in.
static int32_t emitNarrowBits(Operation *op, ArrayRef<int32_t> v,
                              Program &program, Type type) {
  const unsigned bits = type.getIntOrFloatBitWidth();
  auto asUnsigned = [&](int32_t value) {
    return isUnsigned(type) ? value
                            : program.emit(LOOM_UOP_AND, value,
                                           program.imm((1u << bits) - 1));
  };
  auto asSigned = [&](int32_t value) {
    const int32_t shift = program.imm(32 - bits);
    return isUnsigned(type)
               ? program.emit(LOOM_UOP_SAR,
                              program.emit(LOOM_UOP_SHL, value, shift), shift)
               : value;
  };
  int32_t result;
  if (isa<stablehlo::ClzOp>(op)) {
    result = program.emit(LOOM_UOP_CLZ, asUnsigned(v[0]));
    return program.emit(LOOM_UOP_ISUB, result, program.imm(32 - bits));
  }
  if (isa<stablehlo::PopulationCountOp>(op))
    return program.emit(LOOM_UOP_POPC, asUnsigned(v[0]));
  // A negative distance is a large one: it shifts everything out.
  if (isa<stablehlo::ShiftLeftOp>(op))
    result = program.emit(LOOM_UOP_SHL, v[0], v[1]);
  else if (isa<stablehlo::ShiftRightLogicalOp>(op))
    result = program.emit(LOOM_UOP_SHR, asUnsigned(v[0]), v[1]);
  else
    result = program.emit(LOOM_UOP_SAR, asSigned(v[0]), v[1]);
  return normalise(program, result, type);
}

/// Booleans: a sum is "or", a product "and", a difference "xor".
static int32_t onBooleans(Operation *op) {
  if (isa<stablehlo::AddOp>(op))
    return LOOM_UOP_OR;
  if (isa<stablehlo::MulOp>(op))
    return LOOM_UOP_AND;
  if (isa<stablehlo::SubtractOp>(op))
    return LOOM_UOP_XOR;
  return isa<stablehlo::AndOp, stablehlo::OrOp, stablehlo::XorOp,
             stablehlo::MaxOp, stablehlo::MinOp>(op)
             ? lookup(op->getName().stripDialect())->onUnsigned
             : -1;
}

/// A float's bits as an integer of the same order: -NaN, -inf, ..., -0, 0, ...,
/// inf, NaN.
static int32_t totalOrder(Program &program, int32_t value) {
  const int32_t sign = program.emit(LOOM_UOP_SAR, value, program.imm(31));
  return program.emit(
      LOOM_UOP_XOR, value,
      program.emit(LOOM_UOP_AND, sign, program.imm(0x7fffffffu)));
}

static int32_t emitCompare(stablehlo::CompareOp op, ArrayRef<int32_t> operands,
                           Program &program) {
  using D = stablehlo::ComparisonDirection;
  Type type = elementOf(op.getLhs().getType());
  const D d = op.getComparisonDirection();
  SmallVector<int32_t> v(operands);
  const bool total =
      op.getCompareType() == stablehlo::ComparisonType::TOTALORDER;
  if (isa<FloatType>(type) && total)
    for (int32_t &value : v)
      value = totalOrder(program, value);
  if (isa<FloatType>(type) && !total) {
    const int32_t uop = d == D::EQ   ? LOOM_UOP_FEQ
                        : d == D::NE ? LOOM_UOP_FNE
                        : d == D::LT ? LOOM_UOP_FLT
                        : d == D::LE ? LOOM_UOP_FLE
                        : d == D::GT ? LOOM_UOP_FGT
                                     : LOOM_UOP_FGE;
    return program.emit(uop, v[0], v[1]);
  }
  if (d == D::EQ || d == D::NE)
    return program.emit(d == D::EQ ? LOOM_UOP_IEQ : LOOM_UOP_INE, v[0], v[1]);
  const bool strict = d == D::LT || d == D::GT, swap = d == D::GT || d == D::GE;
  const int32_t uop = isUnsigned(type) ? (strict ? LOOM_UOP_ULT : LOOM_UOP_ULE)
                                       : (strict ? LOOM_UOP_ILT : LOOM_UOP_ILE);
  return program.emit(uop, v[swap ? 1 : 0], v[swap ? 0 : 1]);
}

static FailureOr<int32_t> emitClamp(Operation *op, ArrayRef<int32_t> v,
                                    Program &program) {
  Type type = elementOf(op->getResult(0).getType());
  const bool f = isa<FloatType>(type), u = isUnsigned(type);
  const int32_t max = program.emit(f   ? LOOM_UOP_FMAX
                                   : u ? LOOM_UOP_UMAX
                                       : LOOM_UOP_IMAX,
                                   v[1], v[0]);
  return program.emit(f   ? LOOM_UOP_FMIN
                      : u ? LOOM_UOP_UMIN
                          : LOOM_UOP_IMIN,
                      max, v[2]);
}

bool mlir::loom::isBitcastInRegister(Operation *op) {
  Type from = elementOf(op->getOperand(0).getType()),
       to = elementOf(op->getResult(0).getType());
  const unsigned width = to.getIntOrFloatBitWidth();
  return from.getIntOrFloatBitWidth() == width &&
         (width == 32 || (from.isInteger() && to.isInteger()));
}

int32_t mlir::loom::microOperationOf(Operation *op, Type type) {
  std::optional<Names> names = lookup(op->getName().stripDialect());
  if (!names)
    return -1;
  return isa<FloatType>(type) ? names->onFloat
         : isUnsigned(type)   ? names->onUnsigned
                              : names->onSigned;
}

bool mlir::loom::isElementwise(Operation *op) {
  if (auto composite = dyn_cast<stablehlo::CompositeOp>(op))
    return composite.getName() == "chlo.erf";
  return isa<stablehlo::CompareOp, stablehlo::SelectOp, stablehlo::ClampOp,
             stablehlo::ConvertOp, stablehlo::BitcastConvertOp,
             stablehlo::TanOp, stablehlo::IsFiniteOp,
             stablehlo::ReducePrecisionOp>(op) ||
         lookup(op->getName().stripDialect());
}

FailureOr<int32_t> mlir::loom::emitScalar(Operation *op, ArrayRef<int32_t> v,
                                          Program &program, std::string &why) {
  Type type = elementOf(op->getResult(0).getType());
  if (auto compare = dyn_cast<stablehlo::CompareOp>(op))
    return emitCompare(compare, v, program);
  if (isa<stablehlo::SelectOp>(op))
    return program.emit(LOOM_UOP_SELECT, v[0], v[1], v[2]);
  if (isa<stablehlo::ClampOp>(op))
    return emitClamp(op, v, program);
  if (isa<stablehlo::IsFiniteOp>(op))
    return program.emit(LOOM_UOP_FFINITE, v[0]);
  if (isa<stablehlo::ConvertOp>(op))
    return emitConvert(program, v[0], elementOf(op->getOperand(0).getType()),
                       type);
  if (auto precision = dyn_cast<stablehlo::ReducePrecisionOp>(op))
    return normalise(
        program,
        program.emit(LOOM_UOP_FREDP, v[0],
                     program.imm(precision.getExponentBits() |
                                 precision.getMantissaBits() << 8)),
        type);
  if (isa<stablehlo::BitcastConvertOp>(op)) {
    if (isBitcastInRegister(op))
      return normalise(program, v[0], type);
    why = "this bit cast has no micro-operation";
    return failure();
  }
  if (isa<stablehlo::TanOp>(op)) {
    const int32_t sine = program.emit(LOOM_UOP_SIN, v[0]);
    const int32_t cosine = program.emit(LOOM_UOP_COS, v[0]);
    return normalise(program, program.emit(LOOM_UOP_FDIV, sine, cosine), type);
  }
  if (isa<stablehlo::CompositeOp>(op))
    return normalise(program, program.emit(LOOM_UOP_ERF, v[0]), type);
  std::optional<Names> names = lookup(op->getName().stripDialect());
  if (!names) {
    why = "the vector unit has no such operation";
    return failure();
  }
  const bool isFloat = isa<FloatType>(type);
  if (type.isInteger(1)) {
    if (isa<stablehlo::NotOp>(op))
      return program.emit(LOOM_UOP_XOR, v[0], program.imm(1));
    const int32_t uop = onBooleans(op);
    if (uop >= 0)
      return program.emit(uop, v[0], v[1]);
    why = "the vector unit has no such operation on booleans";
    return failure();
  }
  if (!isFloat && type.getIntOrFloatBitWidth() < 32 &&
      isa<stablehlo::ShiftLeftOp, stablehlo::ShiftRightLogicalOp,
          stablehlo::ShiftRightArithmeticOp, stablehlo::PopulationCountOp,
          stablehlo::ClzOp>(op))
    return emitNarrowBits(op, v, program, type);
  if (isa<stablehlo::SignOp>(op) && isUnsigned(type))
    return program.emit(LOOM_UOP_UMIN, v[0], program.imm(1));
  const int32_t uop = isFloat            ? names->onFloat
                      : isUnsigned(type) ? names->onUnsigned
                                         : names->onSigned;
  if (uop < 0) {
    why = "the vector unit has no such operation on this element type";
    return failure();
  }
  const int32_t value = program.emit(uop, v[0], v.size() > 1 ? v[1] : 0);
  if (isFloat && !names->rounds)
    return value;
  return normalise(program, value, type);
}

FailureOr<SmallVector<int32_t>>
mlir::loom::emitRegion(Region &body, ArrayRef<int32_t> arguments,
                       Program &program, std::string &why) {
  Block &block = body.front();
  DenseMap<Value, int32_t> values;
  for (auto [argument, number] : llvm::zip(block.getArguments(), arguments))
    values[argument] = number;
  for (Operation &op : block.without_terminator()) {
    if (auto constant = dyn_cast<stablehlo::ConstantOp>(op))
      if (std::optional<uint32_t> bits = splatBits(constant.getValue())) {
        values[constant] = program.imm(*bits);
        continue;
      }
    SmallVector<int32_t> operands;
    for (Value operand : op.getOperands()) {
      auto value = values.find(operand);
      if (value == values.end()) {
        why = "its region uses a value from outside";
        return failure();
      }
      operands.push_back(value->second);
    }
    if (op.getNumResults() != 1 || !isElementwise(&op)) {
      why = "its region holds " + op.getName().getStringRef().str();
      return failure();
    }
    FailureOr<int32_t> value = emitScalar(&op, operands, program, why);
    if (failed(value))
      return failure();
    values[op.getResult(0)] = *value;
  }
  SmallVector<int32_t> results;
  for (Value operand : block.getTerminator()->getOperands()) {
    if (!values.count(operand)) {
      why = "its region uses a value from outside";
      return failure();
    }
    results.push_back(values[operand]);
  }
  return results;
}

int32_t mlir::loom::reducerOf(Region &body) {
  Block &block = body.front();
  if (block.getNumArguments() != 2 || block.getOperations().size() != 2)
    return -1;
  Operation &op = block.front();
  if (op.getNumOperands() != 2 || op.getNumResults() != 1 ||
      block.getTerminator()->getOperand(0) != op.getResult(0))
    return -1;
  Value a = op.getOperand(0), b = op.getOperand(1);
  Value x = block.getArgument(0), y = block.getArgument(1);
  if (!(a == x && b == y) && !(a == y && b == x))
    return -1;
  Type type = elementOf(op.getResult(0).getType());
  const bool f = isa<FloatType>(type), u = isUnsigned(type);
  if (type.isInteger(1) && isa<stablehlo::AddOp, stablehlo::MulOp>(op))
    return isa<stablehlo::AddOp>(op) ? LOOM_UOP_ROR : LOOM_UOP_RAND;
  if (isa<stablehlo::AddOp>(op))
    return f ? LOOM_UOP_RADD_F : LOOM_UOP_RADD_I;
  if (isa<stablehlo::MulOp>(op))
    return f ? LOOM_UOP_RMUL_F : LOOM_UOP_RMUL_I;
  if (isa<stablehlo::MaxOp>(op))
    return f ? LOOM_UOP_RMAX_F : u ? LOOM_UOP_RMAX_U : LOOM_UOP_RMAX_I;
  if (isa<stablehlo::MinOp>(op))
    return f ? LOOM_UOP_RMIN_F : u ? LOOM_UOP_RMIN_U : LOOM_UOP_RMIN_I;
  if (isa<stablehlo::AndOp>(op))
    return LOOM_UOP_RAND;
  if (isa<stablehlo::OrOp>(op))
    return LOOM_UOP_ROR;
  if (isa<stablehlo::XorOp>(op))
    return LOOM_UOP_RXOR;
  return -1;
}

uint32_t mlir::loom::reducerIdentity(int32_t reducer, Type type) {
  const unsigned bits = type.getIntOrFloatBitWidth();
  switch (reducer) {
  case LOOM_UOP_RMUL_F:
    return 0x3f800000u;
  case LOOM_UOP_RMUL_I:
    return 1;
  case LOOM_UOP_RMIN_F:
    return 0x7f800000u;
  case LOOM_UOP_RMAX_F:
    return 0xff800000u;
  case LOOM_UOP_RMIN_I:
    return (1u << (bits - 1)) - 1;
  case LOOM_UOP_RMAX_I:
    return uint32_t(-(int64_t(1) << (bits - 1)));
  case LOOM_UOP_RMIN_U:
  case LOOM_UOP_RAND:
    return bits == 32 ? ~0u : (1u << bits) - 1;
  default:
    return 0;
  }
}
