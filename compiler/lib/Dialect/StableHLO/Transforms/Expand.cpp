// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Operations that no engine has a form of, as others.

#include "BitGenerator.h"

#include "loom/Dialect/StableHLO/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/IRMapping.h"

namespace mlir::loom::stablehlo {
#define GEN_PASS_DEF_EXPAND
#include "loom/Dialect/StableHLO/Passes.h.inc"
} // namespace mlir::loom::stablehlo

using namespace mlir;
using namespace mlir::loom;
using namespace mlir::loom::stablehlo;

namespace {
/// What an ApproxTopK says: (arrays..., start values...) -> the first `size`
/// of each along a dimension, in the comparator's order.
struct TopK {
  ValueRange arrays;
  int64_t dimension;
  func::FuncOp comparator;
};
} // namespace

/// A dictionary has no place in `backend_config` before API version 4: JAX
/// keeps it beside.
static DictionaryAttr configOf(CustomCallOp call) {
  if (auto config = dyn_cast_or_null<DictionaryAttr>(
          call.getBackendConfig().value_or(Attribute())))
    return config;
  return call->getAttrOfType<DictionaryAttr>("mhlo.backend_config");
}

static func::FuncOp comparatorOf(CustomCallOp call, SymbolTable &symbols) {
  ArrayAttr called = call.getCalledComputationsAttr();
  if (!called || called.size() != 1)
    return {};
  auto func = symbols.lookup<func::FuncOp>(
      cast<FlatSymbolRefAttr>(called[0]).getValue());
  return func && func.getBody().hasOneBlock() ? func : func::FuncOp();
}

/// Pairs of scalars of the arrays' types, to one boolean.
static bool compares(func::FuncOp func, ValueRange arrays) {
  SmallVector<Type> expected;
  for (Type array : arrays.getTypes())
    expected.append(2, RankedTensorType::get(
                           {}, cast<RankedTensorType>(array).getElementType()));
  Type flag = RankedTensorType::get({}, IntegerType::get(func.getContext(), 1));
  return TypeRange(func.getArgumentTypes()) == TypeRange(expected) &&
         TypeRange(func.getResultTypes()) == TypeRange(flag);
}

/// Whether one is the first elements of the other along a dimension.
static bool isBeginning(Type part, Type whole, int64_t dim) {
  auto out = dyn_cast<RankedTensorType>(part),
       in = dyn_cast<RankedTensorType>(whole);
  if (!in || !out || !in.hasStaticShape() || !out.hasStaticShape() ||
      in.getElementType() != out.getElementType() || dim < 0 ||
      dim >= in.getRank() || out.getRank() != in.getRank())
    return false;
  SmallVector<int64_t> shape(in.getShape());
  shape[dim] = std::min(shape[dim], out.getDimSize(dim));
  return out.getShape() == ArrayRef(shape);
}

static std::optional<TopK> topKOf(CustomCallOp call, SymbolTable &symbols) {
  const size_t count = call.getNumResults();
  DictionaryAttr config = configOf(call);
  auto dimension =
      config ? config.getAs<IntegerAttr>("reduction_dim") : IntegerAttr();
  func::FuncOp comparator = comparatorOf(call, symbols);
  if (call.getCallTargetName() != "ApproxTopK" || !comparator || !dimension ||
      !count || call.getInputs().size() != 2 * count)
    return std::nullopt;
  ValueRange arrays = call.getInputs().take_front(count);
  for (auto [array, result] : llvm::zip(arrays, call.getResults()))
    if (!isBeginning(result.getType(), array.getType(), dimension.getInt()) ||
        cast<RankedTensorType>(array.getType()).getShape() !=
            cast<RankedTensorType>(arrays[0].getType()).getShape())
      return std::nullopt;
  if (!compares(comparator, arrays))
    return std::nullopt;
  return TopK{arrays, dimension.getInt(), comparator};
}

/// The function's body as a region's.
static void inlineBody(func::FuncOp func, Region &region, OpBuilder &builder) {
  Block &from = func.getBody().front();
  Block *to = builder.createBlock(&region);
  IRMapping mapping;
  for (BlockArgument argument : from.getArguments())
    mapping.map(argument,
                to->addArgument(argument.getType(), argument.getLoc()));
  for (Operation &op : from.without_terminator())
    builder.clone(op, mapping);
  SmallVector<Value> values;
  for (Value value : from.getTerminator()->getOperands())
    values.push_back(mapping.lookup(value));
  stablehlo::ReturnOp::create(builder, func.getLoc(), values);
}

/// All of them in order, then the first: approximate are those that a machine
/// finds faster.
static void expandTopK(CustomCallOp call, TopK &topK) {
  OpBuilder builder(call);
  auto sort = SortOp::create(
      builder, call.getLoc(), topK.arrays.getTypes(), topK.arrays,
      builder.getI64IntegerAttr(topK.dimension), builder.getBoolAttr(true));
  {
    OpBuilder::InsertionGuard guard(builder);
    inlineBody(topK.comparator, sort.getComparator(), builder);
  }
  for (auto [result, sorted] :
       llvm::zip(call.getResults(), sort.getResults())) {
    auto type = cast<RankedTensorType>(result.getType());
    ArrayRef<int64_t> shape = type.getShape();
    const SmallVector<int64_t> begin(shape.size(), 0), step(shape.size(), 1);
    result.replaceAllUsesWith(
        SliceOp::create(builder, call.getLoc(), type, sorted,
                        builder.getDenseI64ArrayAttr(begin),
                        builder.getDenseI64ArrayAttr(shape),
                        builder.getDenseI64ArrayAttr(step)));
  }
  topK.comparator.setPrivate();
}

/// Whether other operations stand for this one now.
static bool expand(Operation *op, SymbolTable &symbols) {
  if (auto generator = dyn_cast<RngBitGeneratorOp>(op))
    return succeeded(expandBitGenerator(generator));
  auto call = dyn_cast<CustomCallOp>(op);
  std::optional<TopK> topK = call ? topKOf(call, symbols) : std::nullopt;
  if (topK)
    expandTopK(call, *topK);
  return topK.has_value();
}

namespace {
struct ExpandPass : stablehlo::impl::ExpandBase<ExpandPass> {
  void runOnOperation() override {
    SymbolTable symbols(getOperation());
    SmallVector<Operation *> expanded;
    getOperation().walk([&](Operation *op) {
      if (expand(op, symbols))
        expanded.push_back(op);
    });
    for (Operation *op : expanded)
      op->erase();
  }
};
} // namespace
