// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// complex64 as two f32: every value of pairs becomes a pair of values.

#include "ComplexMath.h"

#include "loom/Dialect/StableHLO/Elements.h"
#include "loom/Dialect/StableHLO/Engines.h"
#include "loom/Dialect/StableHLO/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/IRMapping.h"

namespace mlir::loom::stablehlo {
#define GEN_PASS_DEF_SPLITCOMPLEX
#include "loom/Dialect/StableHLO/Passes.h.inc"
} // namespace mlir::loom::stablehlo

using namespace mlir;
using namespace mlir::loom;
using namespace mlir::loom::stablehlo;

static bool isPair(Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  auto complex =
      tensor ? dyn_cast<ComplexType>(tensor.getElementType()) : ComplexType();
  return complex && complex.getElementType().isF32() && tensor.hasStaticShape();
}

static RankedTensorType partType(Type type) {
  auto tensor = cast<RankedTensorType>(type);
  return RankedTensorType::get(tensor.getShape(),
                               Float32Type::get(type.getContext()));
}

/// With the parts as a last dimension: how a caller's pairs lie.
static RankedTensorType boundType(Type type) {
  SmallVector<int64_t> shape(cast<RankedTensorType>(type).getShape());
  shape.push_back(2);
  return RankedTensorType::get(shape, Float32Type::get(type.getContext()));
}

static bool touchesPairs(Operation *op) {
  return llvm::any_of(op->getOperandTypes(), isPair) ||
         llvm::any_of(op->getResultTypes(), isPair);
}

namespace {
class Splitter {
public:
  explicit Splitter(func::FuncOp func)
      : func(func), builder(func.getContext()) {}
  /// Whether nothing is left that has pairs.
  bool run();

private:
  void splitBlock(Block &block);
  void splitArguments(Block &block);
  bool split(Operation *op);
  bool elementwise(Operation *op);
  bool productOf(Operation *op);
  bool eachPart(Operation *op);
  bool spread(Operation *op);
  Operation *callOf(Operation *op, ValueRange operands, TypeRange results);
  bool constant(ConstantOp op);
  Value partOf(Operation *op, bool imaginary);
  Value argumentPart(Value bound, RankedTensorType type, int64_t at);
  Value join(Complex parts);
  Complex of(Value value) { return parts.at(value); }
  bool known(Operation *op) {
    return llvm::all_of(op->getOperands(), [&](Value v) {
      return !isPair(v.getType()) || parts.count(v);
    });
  }

  func::FuncOp func;
  OpBuilder builder;
  DenseMap<Value, Complex> parts;
  SmallVector<Operation *> done;
};
} // namespace

/// [..., at] of the caller's tensor.
Value Splitter::argumentPart(Value bound, RankedTensorType type, int64_t at) {
  auto whole = cast<RankedTensorType>(bound.getType());
  SmallVector<int64_t> begin(whole.getRank(), 0), end(whole.getShape()),
      step(whole.getRank(), 1);
  begin.back() = at;
  end.back() = at + 1;
  SmallVector<int64_t> shape(whole.getShape());
  shape.back() = 1;
  Location loc = bound.getLoc();
  Value slice = SliceOp::create(
      builder, loc, RankedTensorType::get(shape, whole.getElementType()), bound,
      builder.getDenseI64ArrayAttr(begin), builder.getDenseI64ArrayAttr(end),
      builder.getDenseI64ArrayAttr(step));
  return ReshapeOp::create(builder, loc, type, slice);
}

/// [..., 2] for the caller.
Value Splitter::join(Complex pair) {
  Location loc = pair.re.getLoc();
  SmallVector<int64_t> shape(
      cast<RankedTensorType>(pair.re.getType()).getShape());
  shape.push_back(1);
  auto line = RankedTensorType::get(shape, builder.getF32Type());
  shape.back() = 2;
  return ConcatenateOp::create(
      builder, loc, RankedTensorType::get(shape, builder.getF32Type()),
      ValueRange{ReshapeOp::create(builder, loc, line, pair.re),
                 ReshapeOp::create(builder, loc, line, pair.im)},
      builder.getI64IntegerAttr(shape.size() - 1));
}

/// The operation on one part of every pair it takes; what is real stays.
Value Splitter::partOf(Operation *op, bool imaginary) {
  IRMapping mapping;
  for (Value operand : op->getOperands())
    if (isPair(operand.getType()))
      mapping.map(operand, imaginary ? of(operand).im : of(operand).re);
  Operation *copy = builder.clone(*op, mapping);
  for (OpResult result : copy->getResults())
    if (isPair(result.getType()))
      result.setType(partType(result.getType()));
  // Bodies that add or pass on do so in each part.
  for (Region &region : copy->getRegions())
    region.walk([](Operation *inner) {
      for (Value value : inner->getResults())
        if (isPair(value.getType()))
          value.setType(partType(value.getType()));
    });
  for (Region &region : copy->getRegions())
    for (Value argument : region.getArguments())
      if (isPair(argument.getType()))
        argument.setType(partType(argument.getType()));
  return copy->getResult(0);
}

/// Operations that move, add or choose pairs: the same on each part.
bool Splitter::eachPart(Operation *op) {
  const bool moves =
      isa<AddOp, SubtractOp, NegOp, SelectOp, BroadcastInDimOp, ReshapeOp,
          TransposeOp, SliceOp, ConcatenateOp, PadOp, ReverseOp, DynamicSliceOp,
          DynamicUpdateSliceOp, GatherOp>(op);
  bool linear = isa<ReduceOp, ReduceWindowOp, ScatterOp>(op);
  for (Region &region : op->getRegions())
    for (Operation &inner : region.front())
      linear &= isa<AddOp, stablehlo::ReturnOp>(inner);
  if ((!moves && !linear) || op->getNumResults() != 1)
    return false;
  Value re = partOf(op, false), im = partOf(op, true);
  parts[op->getResult(0)] = {re, im};
  return true;
}

/// A factor or a system of pairs is a call of a routine of that name on parts.
Operation *Splitter::callOf(Operation *op, ValueRange operands,
                            TypeRange results) {
  const NamedAttribute attributes[] = {
      builder.getNamedAttr(
          "call_target_name",
          builder.getStringAttr("loom." + op->getName().stripDialect())),
      builder.getNamedAttr("backend_config", op->getAttrDictionary())};
  return CustomCallOp::create(builder, op->getLoc(), results, operands,
                              attributes);
}

/// Control flow, sorting, transforms, linear algebra, reductions and updates
/// that do not add: two values for one, in operands, results and bodies alike.
bool Splitter::spread(Operation *op) {
  const bool factors = isa<CholeskyOp, TriangularSolveOp>(op);
  if (!isa<WhileOp, CaseOp, IfOp, SortOp, ReduceOp, ReduceWindowOp, ScatterOp,
           FftOp, OptimizationBarrierOp>(op) &&
      !factors && !isRoutine(op))
    return false;
  SmallVector<Value> operands;
  SmallVector<Type> results;
  for (Value operand : op->getOperands()) {
    if (!isPair(operand.getType())) {
      operands.push_back(operand);
      continue;
    }
    operands.append({of(operand).re, of(operand).im});
  }
  for (Type type : op->getResultTypes())
    results.append(isPair(type) ? 2 : 1, isPair(type) ? partType(type) : type);
  OperationState state(op->getLoc(), op->getName(), operands, results,
                       op->getAttrs());
  for (Region &region : op->getRegions())
    state.addRegion()->takeBody(region);
  Operation *copy =
      factors ? callOf(op, operands, results) : builder.create(state);
  for (Region &region : copy->getRegions())
    for (Block &block : region)
      splitBlock(block);
  unsigned next = 0;
  for (OpResult result : op->getResults()) {
    if (isPair(result.getType())) {
      parts[result] = {copy->getResult(next), copy->getResult(next + 1)};
      next += 2;
    } else {
      result.replaceAllUsesWith(copy->getResult(next++));
    }
  }
  return true;
}

bool Splitter::constant(ConstantOp op) {
  std::optional<ElementBytes> bytes = ElementBytes::get(op.getValue());
  if (!bytes)
    return false;
  ArrayRef<char> all = bytes->bytes();
  SmallVector<char> each[2];
  for (size_t at = 0; at < all.size(); at += 4)
    each[at / 4 % 2].append(all.begin() + at, all.begin() + at + 4);
  Value values[2];
  for (int p = 0; p < 2; ++p)
    values[p] = ConstantOp::create(
        builder, op.getLoc(),
        makeElements(partType(op.getType()), each[p], bytes->isSplat()));
  parts[op.getResult()] = {values[0], values[1]};
  return true;
}

/// (a + bi)(c + di), each of the four a product of reals.
bool Splitter::productOf(Operation *op) {
  if (!isa<DotGeneralOp, ConvolutionOp>(op) ||
      !isPair(op->getOperand(0).getType()) ||
      !isPair(op->getOperand(1).getType()))
    return false;
  auto type = partType(op->getResult(0).getType());
  Complex a = of(op->getOperand(0)), b = of(op->getOperand(1));
  auto multiply = [&](Value x, Value y) {
    IRMapping mapping;
    mapping.map(op->getOperand(0), x);
    Operation *copy = builder.clone(*op, mapping);
    copy->setOperand(0, x);
    copy->setOperand(1, y);
    copy->getResult(0).setType(type);
    return copy->getResult(0);
  };
  Value re = SubtractOp::create(builder, op->getLoc(), type,
                                multiply(a.re, b.re), multiply(a.im, b.im));
  Value im = AddOp::create(builder, op->getLoc(), type, multiply(a.re, b.im),
                           multiply(a.im, b.re));
  parts[op->getResult(0)] = {re, im};
  return true;
}

bool Splitter::elementwise(Operation *op) {
  ComplexMath math(builder, op->getLoc());
  auto operand = [&](unsigned i) { return of(op->getOperand(i)); };
  auto real = [&](Value value) {
    op->getResult(0).replaceAllUsesWith(value);
    return true;
  };
  if (isa<RealOp>(op))
    return real(operand(0).re);
  if (isa<ImagOp>(op))
    return real(operand(0).im);
  if (isa<AbsOp>(op))
    return real(math.abs(operand(0)));
  if (isa<BitcastConvertOp>(op) &&
      op->getOperand(0).getType() == op->getResult(0).getType()) {
    parts[op->getResult(0)] = operand(0);
    return true;
  }
  if (auto compare = dyn_cast<CompareOp>(op)) {
    std::optional<Value> value =
        math.compare(operand(0), operand(1), compare.getComparisonDirection());
    return value && real(*value);
  }
  if (auto pair = dyn_cast<ComplexOp>(op)) {
    parts[pair.getResult()] = {pair.getLhs(), pair.getRhs()};
    return true;
  }
  if (isa<ConvertOp>(op)) {
    const bool from = isPair(op->getOperand(0).getType());
    if (!isPair(op->getResult(0).getType()))
      return real(ConvertOp::create(builder, op->getLoc(),
                                    op->getResult(0).getType(), operand(0).re));
    parts[op->getResult(0)] =
        from ? operand(0)
             : math.fromReal(op->getOperand(0),
                             partType(op->getResult(0).getType()));
    return true;
  }
  if (auto iota = dyn_cast<IotaOp>(op)) {
    auto type = partType(iota.getType());
    Value counts = IotaOp::create(builder, op->getLoc(), type,
                                  iota.getIotaDimensionAttr());
    parts[iota.getResult()] = math.fromReal(counts, type);
    return true;
  }
  SmallVector<Complex> operands;
  for (unsigned i = 0; i < op->getNumOperands(); ++i) {
    if (!isPair(op->getOperand(i).getType()))
      return false;
    operands.push_back(operand(i));
  }
  std::optional<Complex> result = math.apply(op, operands);
  if (result)
    parts[op->getResult(0)] = *result;
  return result.has_value();
}

bool Splitter::split(Operation *op) {
  builder.setInsertionPoint(op);
  if (auto value = dyn_cast<ConstantOp>(op))
    return constant(value);
  return eachPart(op) || productOf(op) || spread(op) || elementwise(op);
}

/// What the caller binds stays one argument; of a body's, each part is one. A
/// sort's body has two arguments an operand, which stay neighbours.
void Splitter::splitArguments(Block &block) {
  const bool entry = block.getParentOp() == func,
             sorts = isa<SortOp>(block.getParentOp());
  SmallVector<BlockArgument> pairs;
  for (BlockArgument argument : block.getArguments())
    if (isPair(argument.getType()))
      pairs.push_back(argument);
  auto insert = [&](BlockArgument after, unsigned distance, Type type) {
    return block.insertArgument(after.getArgNumber() + distance, type,
                                after.getLoc());
  };
  for (size_t i = 0; i < pairs.size(); ++i) {
    BlockArgument argument = pairs[i];
    const RankedTensorType type = partType(argument.getType());
    if (entry) {
      Value bound = insert(argument, 1, boundType(argument.getType()));
      parts[argument] = {argumentPart(bound, type, 0),
                         argumentPart(bound, type, 1)};
    } else if (sorts) {
      BlockArgument other = pairs[++i];
      Value re = insert(other, 1, type), otherRe = insert(other, 2, type),
            im = insert(other, 3, type), otherIm = insert(other, 4, type);
      parts[argument] = {re, im};
      parts[other] = {otherRe, otherIm};
    } else {
      Value re = insert(argument, 1, type), im = insert(argument, 2, type);
      parts[argument] = {re, im};
    }
  }
}

void Splitter::splitBlock(Block &block) {
  builder.setInsertionPointToStart(&block);
  splitArguments(block);
  for (Operation &op : llvm::make_early_inc_range(block.without_terminator())) {
    if (touchesPairs(&op)) {
      if (known(&op) && split(&op))
        done.push_back(&op);
      continue;
    }
    for (Region &region : op.getRegions())
      for (Block &inner : region)
        splitBlock(inner);
  }
  Operation *end = block.getTerminator();
  builder.setInsertionPoint(end);
  SmallVector<Value> values;
  for (Value value : end->getOperands()) {
    if (!isPair(value.getType()) || !parts.count(value))
      values.push_back(value);
    else if (block.getParentOp() == func)
      values.push_back(join(of(value)));
    else
      values.append({of(value).re, of(value).im});
  }
  end->setOperands(values);
}

static bool bindsPairs(func::FuncOp func) {
  return llvm::any_of(func.getArgumentTypes(), isPair);
}

static bool hasPairs(func::FuncOp func) {
  return func
      .walk([](Operation *op) {
        return touchesPairs(op) ? WalkResult::interrupt()
                                : WalkResult::advance();
      })
      .wasInterrupted();
}

/// Operations that were split go, last first; arguments of pairs with them.
bool Splitter::run() {
  Block &block = func.getBody().front();
  splitBlock(block);
  for (Operation *op : llvm::reverse(done))
    if (op->use_empty())
      op->erase();
  func.walk([](Block *inner) {
    inner->eraseArguments([](BlockArgument argument) {
      return isPair(argument.getType()) && argument.use_empty();
    });
  });
  auto mark = builder.getUnitAttr();
  for (auto [i, type] : llvm::enumerate(func.getArgumentTypes()))
    if (isPair(type) && block.getArgument(i).getType() != type)
      func.setArgAttr(i, kComplexAttr, mark);
  for (auto [i, type] : llvm::enumerate(func.getResultTypes()))
    if (isPair(type) && block.getTerminator()->getOperand(i).getType() != type)
      func.setResultAttr(i, kComplexAttr, mark);
  func.setType(FunctionType::get(func.getContext(), block.getArgumentTypes(),
                                 block.getTerminator()->getOperandTypes()));
  return !hasPairs(func);
}

namespace {
struct SplitComplexPass : stablehlo::impl::SplitComplexBase<SplitComplexPass> {
  /// All of a function or nothing: what cannot be split is named as it was.
  void runOnOperation() override {
    for (auto func :
         llvm::make_early_inc_range(getOperation().getOps<func::FuncOp>())) {
      if (!func.getBody().hasOneBlock() ||
          !(hasPairs(func) || bindsPairs(func)))
        continue;
      auto copy = cast<func::FuncOp>(func->clone());
      if (!Splitter(copy).run()) {
        copy->erase();
        continue;
      }
      OpBuilder(func).insert(copy);
      func->erase();
    }
  }
};
} // namespace
