// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What fits 32-bit registers is the vector unit's own form, so that the bits
// are the same on both engines. Wider types use the companions of
// loom_cpu_ops.h: the micro-operation's number plus 0x100 for f64, plus 0x200
// for 64-bit integers.

#include "CpuScalar.h"

#include "Scalar.h"
#include "loom/Dialect/StableHLO/Elements.h"

#include "loom_isa.h"
#include "loom_num.h"

using namespace mlir;
using namespace mlir::loom;
using loomt::CpuProgram;
using loomt::Program;
using loomt::Ref;

static constexpr int32_t kFloat64 = 0x100, kInt64 = 0x200;

static Type elementOf(Value value) {
  return cast<RankedTensorType>(value.getType()).getElementType();
}

bool mlir::loom::isWide(Type type) {
  return type.isF64() || type.isInteger(64);
}

static bool isUnsigned(Type type) {
  return type.isUnsignedInteger() || type.isInteger(1);
}

static std::string nameOf(Operation *op) {
  return "'" + op->getName().getStringRef().str() + "'";
}

//===----------------------------------------------------------------------===//
// Constants
//===----------------------------------------------------------------------===//

/// As LOAD converts the bytes of an element.
static uint64_t loadRegister(ArrayRef<char> bytes, Type type) {
  uint64_t raw = 0;
  memcpy(&raw, bytes.data(), std::min<size_t>(8, bytes.size()));
  if (type.isBF16())
    return loom_num_from_bf16(uint16_t(raw));
  if (type.isF16())
    return loom_num_from_f16(uint16_t(raw));
  if (type.isInteger(1))
    return raw & 1;
  if (type.isInteger() && !isUnsigned(type) && bytes.size() < 4)
    return uint32_t(int32_t(raw << (32 - 8 * bytes.size())) >>
                    (32 - 8 * bytes.size()));
  return raw;
}

static std::optional<stablehlo::ElementBytes> bytesOf(Value root) {
  if (auto constant = root.getDefiningOp<loomt::ConstantOp>())
    return stablehlo::ElementBytes::get(constant.getValue());
  return std::nullopt;
}

std::optional<uint64_t> mlir::loom::registerBits(const Ref &ref,
                                                 int64_t index) {
  std::optional<stablehlo::ElementBytes> bytes = bytesOf(ref.root);
  if (!bytes)
    return std::nullopt;
  return loadRegister(bytes->element(index), elementOf(ref.root));
}

std::optional<uint64_t> mlir::loom::splatRegister(const Ref &ref) {
  std::optional<stablehlo::ElementBytes> bytes = bytesOf(ref.root);
  if (!bytes)
    return std::nullopt;
  bool single = bytes->isSplat();
  if (!single) {
    single = true;
    for (auto [n, stride] : llvm::zip(ref.shape, ref.strides))
      single &= n == 1 || stride == 0;
  }
  if (!single)
    return std::nullopt;
  return loadRegister(bytes->element(ref.offset), elementOf(ref.root));
}

//===----------------------------------------------------------------------===//
// Operations
//===----------------------------------------------------------------------===//

/// The companion of a micro-operation for a wide type.
static int32_t companion(int32_t op, Type type) {
  return op + (type.isF64() ? kFloat64 : kInt64);
}

/// Bits of a float as an integer that counts in its total order.
static int32_t orderKey(CpuProgram &program, int32_t value, Type type) {
  const bool wide = type.isF64();
  const int32_t add = wide ? kInt64 : 0;
  const int32_t sign =
      program.emit(LOOM_UOP_SAR + add, value, program.imm(wide ? 63 : 31));
  const int32_t mask =
      program.emit(LOOM_UOP_AND + add, sign,
                   program.imm(wide ? 0x7fffffffffffffffull : 0x7fffffffull));
  return program.emit(LOOM_UOP_XOR + add, value, mask);
}

/// a < b, a <= b and so on of integers in registers.
static int32_t compareIntegers(CpuProgram &program,
                               stablehlo::ComparisonDirection d, int32_t a,
                               int32_t b, bool u, bool wide) {
  using D = stablehlo::ComparisonDirection;
  const int32_t add = wide ? kInt64 : 0;
  if (d == D::EQ || d == D::NE)
    return program.emit((d == D::EQ ? LOOM_UOP_IEQ : LOOM_UOP_INE) + add, a, b);
  const bool strict = d == D::LT || d == D::GT, swap = d == D::GT || d == D::GE;
  const int32_t op = u ? (strict ? LOOM_UOP_ULT : LOOM_UOP_ULE)
                       : (strict ? LOOM_UOP_ILT : LOOM_UOP_ILE);
  return program.emit(op + add, swap ? b : a, swap ? a : b);
}

static int32_t emitCompare(stablehlo::CompareOp op, ArrayRef<int32_t> v,
                           CpuProgram &program) {
  using D = stablehlo::ComparisonDirection;
  Type type = elementOf(op.getLhs());
  const D d = op.getComparisonDirection();
  if (!isa<FloatType>(type))
    return compareIntegers(program, d, v[0], v[1], isUnsigned(type),
                           isWide(type));
  if (op.getCompareType() == stablehlo::ComparisonType::TOTALORDER) {
    const int32_t a = orderKey(program, v[0], type),
                  b = orderKey(program, v[1], type);
    return compareIntegers(program, d, a, b, false, isWide(type));
  }
  const int32_t uop = d == D::EQ   ? LOOM_UOP_FEQ
                      : d == D::NE ? LOOM_UOP_FNE
                      : d == D::LT ? LOOM_UOP_FLT
                      : d == D::LE ? LOOM_UOP_FLE
                      : d == D::GT ? LOOM_UOP_FGT
                                   : LOOM_UOP_FGE;
  return program.emit(isWide(type) ? uop + kFloat64 : uop, v[0], v[1]);
}

/// What 32-bit registers hold, by the vector unit's form.
static FailureOr<int32_t> emitNarrow(Operation *op, ArrayRef<int32_t> v,
                                     CpuProgram &program, std::string &why) {
  Program part;
  SmallVector<int32_t> loads;
  for (size_t i = 0; i < v.size(); ++i)
    loads.push_back(part.load(i));
  FailureOr<int32_t> value = emitScalar(op, loads, part, why);
  if (failed(value))
    return failure();
  if (*value < 0) { // an immediate
    part.emit(LOOM_UOP_MOV, *value);
    return program.splice(part, v);
  }
  if (*value != int32_t(part.ops.size()) - 1)
    part.emit(LOOM_UOP_MOV, *value);
  return program.splice(part, v);
}

static FailureOr<int32_t> emitWide(Operation *op, ArrayRef<int32_t> v,
                                   Type type, CpuProgram &program,
                                   std::string &why) {
  auto wide = [&](int32_t uop) { return companion(uop, type); };
  if (isa<stablehlo::SelectOp>(op))
    return program.emit(LOOM_CPU_SELECT64, v[0], v[1], v[2]);
  const bool u = isUnsigned(type), f = type.isF64();
  if (isa<stablehlo::ClampOp>(op)) {
    const int32_t max = f ? LOOM_UOP_FMAX : u ? LOOM_UOP_UMAX : LOOM_UOP_IMAX;
    const int32_t min = f ? LOOM_UOP_FMIN : u ? LOOM_UOP_UMIN : LOOM_UOP_IMIN;
    return program.emit(wide(min), program.emit(wide(max), v[1], v[0]), v[2]);
  }
  if (u && isa<stablehlo::SignOp>(op))
    return program.emit(LOOM_CPU_UMIN64, v[0], program.imm(1));
  if (u && isa<stablehlo::AbsOp>(op))
    return v[0];
  if (auto precision = dyn_cast<stablehlo::ReducePrecisionOp>(op))
    return program.emit(LOOM_CPU_FREDP64, v[0],
                        program.imm(precision.getExponentBits() |
                                    precision.getMantissaBits() << 8));
  if (isa<stablehlo::CompositeOp>(op))
    return program.emit(LOOM_CPU_ERF64, v[0]);
  if (isa<stablehlo::TanOp>(op))
    return program.emit(wide(LOOM_UOP_FDIV),
                        program.emit(wide(LOOM_UOP_SIN), v[0]),
                        program.emit(wide(LOOM_UOP_COS), v[0]));
  const int32_t uop = microOperationOf(op, type);
  if (uop < 0 || !CpuProgram::exists(wide(uop))) {
    std::string name;
    llvm::raw_string_ostream(name) << type;
    why = nameOf(op) + " has no form in " + name + " on the CPU engine";
    return failure();
  }
  return program.emit(wide(uop), v[0], v.size() > 1 ? v[1] : 0);
}

FailureOr<int32_t> mlir::loom::emitCpuScalar(Operation *op, ArrayRef<int32_t> v,
                                             CpuProgram &program,
                                             std::string &why) {
  if (auto compare = dyn_cast<stablehlo::CompareOp>(op))
    return emitCompare(compare, v, program);
  Type type = elementOf(op->getResult(0));
  Type from = op->getNumOperands() ? elementOf(op->getOperand(0)) : type;
  if (!isWide(type) && !isWide(from))
    return emitNarrow(op, v, program, why);
  if (isa<stablehlo::ConvertOp>(op))
    return from == type
               ? v[0]
               : program.emit(LOOM_CPU_CVT, v[0], *loomt::memoryType(from),
                              *loomt::memoryType(type));
  if (isa<stablehlo::IsFiniteOp>(op))
    return program.emit(LOOM_CPU_FFINITE64, v[0]);
  if (isa<stablehlo::BitcastConvertOp>(op) && isWide(type) && isWide(from))
    return v[0];
  return emitWide(op, v, type, program, why);
}

//===----------------------------------------------------------------------===//
// Regions
//===----------------------------------------------------------------------===//

namespace {
/// Inlines the operations of a region, and of those nested in it.
class RegionEmitter {
public:
  RegionEmitter(CpuProgram &program, std::string &why)
      : program(program), why(why) {}
  FailureOr<SmallVector<int32_t>> run(Block &block,
                                      ArrayRef<int32_t> arguments);

private:
  FailureOr<int32_t> valueOf(Value value);
  LogicalResult emit(Operation &op);
  LogicalResult branch(Operation &op);

  CpuProgram &program;
  std::string &why;
  DenseMap<Value, int32_t> values;
};
} // namespace

/// Values from outside have to be constants.
FailureOr<int32_t> RegionEmitter::valueOf(Value value) {
  auto it = values.find(value);
  if (it != values.end())
    return it->second;
  auto constant = value.getDefiningOp<stablehlo::ConstantOp>();
  std::optional<stablehlo::ElementBytes> bytes =
      constant ? stablehlo::ElementBytes::get(constant.getValue())
               : std::nullopt;
  if (!bytes || !(bytes->isSplat() ||
                  cast<RankedTensorType>(value.getType()).getRank() == 0)) {
    why = "its region uses a value from outside";
    return failure();
  }
  return program.imm(loadRegister(bytes->element(0), elementOf(value)));
}

/// Both branches, then a choice: nothing in them can fail.
LogicalResult RegionEmitter::branch(Operation &op) {
  FailureOr<int32_t> which = valueOf(op.getOperand(0));
  if (failed(which))
    return failure();
  SmallVector<SmallVector<int32_t>> results;
  for (Region &region : op.getRegions()) {
    FailureOr<SmallVector<int32_t>> part = run(region.front(), {});
    if (failed(part))
      return failure();
    results.push_back(*part);
  }
  const bool isCase = isa<stablehlo::CaseOp>(op);
  for (auto [i, result] : llvm::enumerate(op.getResults())) {
    const int32_t select = isWide(elementOf(result))
                               ? int32_t(LOOM_CPU_SELECT64)
                               : LOOM_UOP_SELECT;
    int32_t value = results.back()[i];
    for (size_t b = results.size() - 1; b-- > 0;) {
      const int32_t here =
          isCase ? program.emit(LOOM_UOP_IEQ, *which, program.imm(b)) : *which;
      value = program.emit(select, here, results[b][i], value);
    }
    values[result] = value;
  }
  return success();
}

LogicalResult RegionEmitter::emit(Operation &op) {
  if (isa<stablehlo::ConstantOp>(op))
    return success();
  if (isa<stablehlo::IfOp, stablehlo::CaseOp>(op))
    return branch(op);
  SmallVector<int32_t> operands;
  for (Value operand : op.getOperands()) {
    FailureOr<int32_t> value = valueOf(operand);
    if (failed(value))
      return failure();
    operands.push_back(*value);
  }
  if (isa<stablehlo::OptimizationBarrierOp, stablehlo::ReshapeOp,
          stablehlo::BroadcastInDimOp>(op)) {
    for (auto [result, value] : llvm::zip(op.getResults(), operands)) {
      if (cast<RankedTensorType>(result.getType()).getRank()) {
        why = "its region computes with arrays";
        return failure();
      }
      values[result] = value;
    }
    return success();
  }
  if (!isElementwise(&op)) {
    why = "its region holds " + nameOf(&op);
    return failure();
  }
  FailureOr<int32_t> value = emitCpuScalar(&op, operands, program, why);
  if (failed(value))
    return failure();
  values[op.getResult(0)] = *value;
  return success();
}

FailureOr<SmallVector<int32_t>>
RegionEmitter::run(Block &block, ArrayRef<int32_t> arguments) {
  for (auto [argument, value] : llvm::zip(block.getArguments(), arguments))
    values[argument] = value;
  for (Operation &op : block.without_terminator())
    if (failed(emit(op)))
      return failure();
  SmallVector<int32_t> results;
  for (Value value : block.getTerminator()->getOperands()) {
    FailureOr<int32_t> result = valueOf(value);
    if (failed(result))
      return failure();
    results.push_back(*result);
  }
  return results;
}

FailureOr<SmallVector<int32_t>>
mlir::loom::emitRegion(Region &region, ArrayRef<int32_t> arguments,
                       CpuProgram &program, std::string &why) {
  return RegionEmitter(program, why).run(region.front(), arguments);
}

//===----------------------------------------------------------------------===//
// Combiners
//===----------------------------------------------------------------------===//

int32_t mlir::loom::combinerOf(Region &body) {
  const int32_t narrow = reducerOf(body);
  if (narrow < 0)
    return 0;
  Type type = elementOf(body.front().getArgument(0));
  if (!isWide(type))
    return narrow;
  // A companion's number is the reducer's, plus its type's.
  const int32_t wide = narrow + (type.isF64() ? kFloat64 : kInt64);
#define LOOM_FIND(num, name, op, identity, text)                               \
  if (wide == (num))                                                           \
    return num;
  LOOM_CPU_REDUCERS(LOOM_FIND)
#undef LOOM_FIND
  return 0;
}

uint64_t mlir::loom::combinerIdentity(int32_t combiner, Type type) {
  switch (combiner) {
#define LOOM_CASE(num, name, op, identity, text)                               \
  case num:                                                                    \
    return identity;
    LOOM_CPU_REDUCERS(LOOM_CASE)
#undef LOOM_CASE
  default:
    return reducerIdentity(combiner, type);
  }
}
