// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// JAX writes cumsum, cumprod, cummax and cummin of n elements as a reduction of
// n windows of n. In blocks these are n windows of a block, and as many
// windows as there are blocks.

#include "loom/Dialect/StableHLO/Passes.h"
#include "loom/Dialect/StableHLO/StableHLO.h"

#include "mlir/IR/Matchers.h"

namespace mlir::loom::stablehlo {
#define GEN_PASS_DEF_BLOCKSCANS
#include "loom/Dialect/StableHLO/Passes.h.inc"
} // namespace mlir::loom::stablehlo

using namespace mlir;
using namespace mlir::loom;
using namespace mlir::loom::stablehlo;

/// Up to so many elements the square costs less than another few records.
static constexpr int64_t kDirect = 128;
/// Elements of a block.
static constexpr int64_t kBlock = 16;

static RankedTensorType typeOf(Value value) {
  return cast<RankedTensorType>(value.getType());
}

/// The region's operation on its two arguments; null if there is more to it.
static Operation *combinerOf(ReduceWindowOp op) {
  Block &block = op.getBody().front();
  if (op.getInputs().size() != 1 || block.getOperations().size() != 2)
    return nullptr;
  Operation *combine = &block.front();
  if (!isa<AddOp, MulOp, MaxOp, MinOp, AndOp, OrOp>(combine) ||
      block.getTerminator()->getOperand(0) != combine->getResult(0))
    return nullptr;
  Value a = combine->getOperand(0), b = combine->getOperand(1);
  const bool both = llvm::is_contained({a, b}, block.getArgument(0)) &&
                    llvm::is_contained({a, b}, block.getArgument(1));
  return both ? combine : nullptr;
}

static bool isIdentity(Operation *combine, const APFloat &value) {
  if (isa<AddOp>(combine))
    return value.isZero();
  if (isa<MulOp>(combine))
    return value.isExactlyValue(1.0);
  return value.isInfinity() && value.isNegative() == isa<MaxOp>(combine);
}

static bool isIdentity(Operation *combine, const APInt &value, bool isSigned) {
  if (isa<MulOp>(combine))
    return value.isOne();
  if (isa<AndOp>(combine))
    return value.isAllOnes();
  if (isa<MaxOp>(combine) && isSigned)
    return value.isMinSignedValue();
  if (isa<MinOp>(combine))
    return isSigned ? value.isMaxSignedValue() : value.isMaxValue();
  return value.isZero();
}

/// Whether the combiner leaves what it meets as it was.
static bool startsAtIdentity(ReduceWindowOp op, Operation *combine) {
  DenseElementsAttr start;
  if (!matchPattern(op.getInitValues()[0], m_Constant(&start)) ||
      !start.isSplat())
    return false;
  Type element = start.getElementType();
  if (isa<FloatType>(element))
    return isIdentity(combine, start.getSplatValue<APFloat>());
  return isa<IntegerType>(element) &&
         isIdentity(combine, start.getSplatValue<APInt>(),
                    element.isSignlessInteger() && !element.isInteger(1));
}

namespace {
/// The reductions of all beginnings of a dimension, or of all its ends.
class Scan {
public:
  static std::optional<Scan> of(ReduceWindowOp op);
  int64_t length() { return typeOf(op.getInputs()[0]).getDimSize(dim); }
  void write();

private:
  Scan(ReduceWindowOp op, Operation *combine, int64_t dim, bool ends)
      : op(op), combine(combine), dim(dim), ends(ends), builder(op),
        loc(op.getLoc()) {}

  Value scan(Value input, int64_t along);
  Value windows(Value input, int64_t along);
  Value blocks(Value input, int64_t along);
  Value before(Value totals, int64_t along);
  Value convert(Value value, Type element);
  Value reshape(Value value, ArrayRef<int64_t> shape);
  Value slice(Value value, int64_t along, int64_t begin, int64_t end);
  Value pad(Value value, int64_t along, int64_t low, int64_t high);

  ReduceWindowOp op;
  Operation *combine;
  int64_t dim;
  bool ends;
  OpBuilder builder;
  Location loc;
  Value start; // the identity
};
} // namespace

std::optional<Scan> Scan::of(ReduceWindowOp op) {
  Operation *combine = combinerOf(op);
  auto isOne = [](int64_t v) { return v == 1; };
  if (!combine || !typeOf(op.getInputs()[0]).hasStaticShape() ||
      !llvm::all_of(op.getWindowStrides(), isOne) ||
      !llvm::all_of(op.getWindowDilations(), isOne) ||
      !llvm::all_of(op.getBaseDilations(), isOne) ||
      !startsAtIdentity(op, combine))
    return std::nullopt;
  std::optional<int64_t> along;
  for (auto [d, size] : llvm::enumerate(op.getWindowDimensions())) {
    ArrayRef<int64_t> padding = op.getPadding().slice(2 * d, 2);
    if (size == 1 && !padding[0] && !padding[1])
      continue;
    if (along || size != typeOf(op.getInputs()[0]).getDimSize(d) ||
        std::min(padding[0], padding[1]) != 0 ||
        std::max(padding[0], padding[1]) != size - 1)
      return std::nullopt;
    along = d;
  }
  if (!along)
    return std::nullopt;
  return Scan(op, combine, *along, op.getPadding()[2 * *along] == 0);
}

Value Scan::convert(Value value, Type element) {
  if (typeOf(value).getElementType() == element)
    return value;
  return ConvertOp::create(builder, loc, typeOf(value).clone(element), value);
}

Value Scan::reshape(Value value, ArrayRef<int64_t> shape) {
  return ReshapeOp::create(builder, loc, typeOf(value).clone(shape), value);
}

Value Scan::slice(Value value, int64_t along, int64_t begin, int64_t end) {
  SmallVector<int64_t> from(typeOf(value).getRank(), 0),
      to(typeOf(value).getShape()), steps(from.size(), 1), shape;
  from[along] = begin;
  to[along] = end;
  shape = to;
  shape[along] = end - begin;
  return SliceOp::create(builder, loc, typeOf(value).clone(shape), value,
                         builder.getDenseI64ArrayAttr(from),
                         builder.getDenseI64ArrayAttr(to),
                         builder.getDenseI64ArrayAttr(steps));
}

Value Scan::pad(Value value, int64_t along, int64_t low, int64_t high) {
  SmallVector<int64_t> lows(typeOf(value).getRank(), 0), highs(lows),
      none(lows), shape(typeOf(value).getShape());
  lows[along] = low;
  highs[along] = high;
  shape[along] += low + high;
  return PadOp::create(builder, loc, typeOf(value).clone(shape), value, start,
                       builder.getDenseI64ArrayAttr(lows),
                       builder.getDenseI64ArrayAttr(highs),
                       builder.getDenseI64ArrayAttr(none));
}

Value Scan::windows(Value input, int64_t along) {
  RankedTensorType type = typeOf(input);
  const int64_t length = type.getDimSize(along);
  SmallVector<int64_t> ones(type.getRank(), 1), sizes(ones),
      padding(2 * type.getRank(), 0);
  sizes[along] = length;
  padding[2 * along + ends] = length - 1;
  auto made = ReduceWindowOp::create(
      builder, loc, TypeRange{type}, ValueRange{input}, ValueRange{start},
      builder.getDenseI64ArrayAttr(sizes), builder.getDenseI64ArrayAttr(ones),
      builder.getDenseI64ArrayAttr(ones), builder.getDenseI64ArrayAttr(ones),
      builder.getDenseI64ArrayAttr(padding));
  OpBuilder::InsertionGuard guard(builder);
  Type scalar = RankedTensorType::get({}, type.getElementType());
  Block *body =
      builder.createBlock(&made.getBody(), {}, {scalar, scalar}, {loc, loc});
  Operation *op = builder.clone(*combine);
  op->setOperands(body->getArguments());
  op->getResult(0).setType(scalar);
  stablehlo::ReturnOp::create(builder, loc, op->getResults());
  return made.getResult(0);
}

/// Of what comes before each block (after it, from the end).
Value Scan::before(Value totals, int64_t along) {
  const int64_t count = typeOf(totals).getDimSize(along);
  Value all = scan(totals, along);
  return ends ? pad(slice(all, along, 1, count), along, 0, 1)
              : pad(slice(all, along, 0, count - 1), along, 1, 0);
}

Value Scan::blocks(Value input, int64_t along) {
  SmallVector<int64_t> shape(typeOf(input).getShape());
  const int64_t length = shape[along], count = llvm::divideCeil(length, kBlock),
                more = count * kBlock - length;
  Value whole =
      more ? pad(input, along, ends ? more : 0, ends ? 0 : more) : input;
  shape[along] = count;
  SmallVector<int64_t> blocked(shape), kept;
  blocked.insert(blocked.begin() + along + 1, kBlock);
  for (int64_t d = 0; d < int64_t(blocked.size()); ++d)
    if (d != along + 1)
      kept.push_back(d);
  Value inside = windows(reshape(whole, blocked), along + 1);
  const int64_t last = ends ? 0 : kBlock - 1;
  Value totals = reshape(slice(inside, along + 1, last, last + 1), shape);
  Value others = BroadcastInDimOp::create(builder, loc, typeOf(inside),
                                          before(totals, along),
                                          builder.getDenseI64ArrayAttr(kept));
  Operation *both = builder.clone(*combine);
  both->setOperands({others, inside});
  both->getResult(0).setType(inside.getType());
  SmallVector<int64_t> flat(typeOf(whole).getShape());
  Value result = reshape(both->getResult(0), flat);
  const int64_t begin = ends ? more : 0;
  return more ? slice(result, along, begin, begin + length) : result;
}

Value Scan::scan(Value input, int64_t along) {
  return typeOf(input).getDimSize(along) <= kDirect ? windows(input, along)
                                                    : blocks(input, along);
}

/// Floats of 16 bits are rounded once, at the end.
void Scan::write() {
  Type element = typeOf(op.getInputs()[0]).getElementType();
  Type between = isa<FloatType>(element) && element.getIntOrFloatBitWidth() < 32
                     ? builder.getF32Type()
                     : element;
  start = convert(op.getInitValues()[0], between);
  Value result = scan(convert(op.getInputs()[0], between), dim);
  op.getResult(0).replaceAllUsesWith(convert(result, element));
  op.erase();
}

namespace {
struct BlockScansPass : stablehlo::impl::BlockScansBase<BlockScansPass> {
  void runOnOperation() override {
    SmallVector<Scan> found;
    getOperation().walk([&](ReduceWindowOp op) {
      std::optional<Scan> scan = Scan::of(op);
      if (scan && scan->length() > kDirect)
        found.push_back(*scan);
    });
    for (Scan &scan : found)
      scan.write();
  }
};
} // namespace
