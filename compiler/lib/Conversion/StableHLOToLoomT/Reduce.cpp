// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Reductions along dimensions and over windows, by the vector unit's reducers.

#include "Constants.h"
#include "Converter.h"
#include "Scalar.h"
#include "loom/Dialect/StableHLO/StableHLO.h"

#include "loom_isa.h"

using namespace mlir;
using namespace mlir::loom;
using loomt::Program;
using loomt::Ref;

/// Reduction of a window's trailing dimensions, and the start value if it is
/// not the reducer's own.
Value Converter::emitReduce(Operation *op, const Ref &window, int64_t reduced,
                            int32_t reducer, Value init, Type element) {
  Location loc = op->getLoc();
  Program program;
  program.load(0);
  auto shape = ArrayRef<int64_t>(window.shape).drop_back(reduced);
  auto type = RankedTensorType::get(shape, element);
  Value result = loomt::ReduceOp::create(
      builder, loc, type, window.materialiseView(builder, loc),
      builder.getDenseI32ArrayAttr(program.words()),
      builder.getDenseI32ArrayAttr(program.imms),
      builder.getI32IntegerAttr(reducer), builder.getI64IntegerAttr(reduced));
  Ref start = Ref::of(init);
  std::optional<uint32_t> bits = splatBits(start);
  if (bits && *bits == reducerIdentity(reducer, element))
    return result;
  Program combine;
  SmallVector<Value> inputs{result};
  const int32_t value = combine.load(0);
  int32_t other;
  if (bits) {
    other = combine.imm(*bits);
  } else {
    start.shape.assign(shape.begin(), shape.end());
    start.strides.assign(shape.size(), 0);
    inputs.push_back(start.materialiseView(builder, loc));
    other = combine.load(1);
  }
  std::string why;
  Operation &body = op->getRegion(0).front().front();
  FailureOr<int32_t> out = emitScalar(&body, {other, value}, combine, why);
  if (failed(out))
    return Value();
  return loomt::MapOp::create(builder, loc, type, inputs,
                              builder.getDenseI32ArrayAttr(combine.words()),
                              builder.getDenseI32ArrayAttr(combine.imms));
}

LogicalResult Converter::reduce(stablehlo::ReduceOp op) {
  if (op.getInputs().size() == 2)
    return argReduce(op);
  const int32_t reducer =
      op.getInputs().size() == 1 ? reducerOf(op.getBody()) : -1;
  if (reducer < 0)
    return refuse(op,
                  "its region is not one of add, multiply, maximum, minimum, "
                  "and, or, xor on one operand, nor an argmax or argmin",
                  "compute it outside the model");
  Ref from = Ref::of(map.lookup(op.getInputs()[0]));
  Ref window{from.root, from.offset, {}, {}};
  auto push = [&](bool reduced) {
    for (size_t d = 0; d < from.shape.size(); ++d)
      if (llvm::is_contained(op.getDimensions(), int64_t(d)) == reduced) {
        window.shape.push_back(from.shape[d]);
        window.strides.push_back(from.strides[d]);
      }
  };
  push(false);
  push(true);
  Value init = map.lookup(op.getInitValues()[0]);
  auto type = cast<RankedTensorType>(op.getResult(0).getType());
  if (!product(window.shape)) {
    Ref start = Ref::of(init);
    start.shape.assign(type.getShape().begin(), type.getShape().end());
    start.strides.assign(type.getRank(), 0);
    set(op, start);
    return success();
  }
  int64_t reduced = op.getDimensions().size();
  if (!reduced) { // each element with the start value alone
    window.shape.push_back(1);
    window.strides.push_back(0);
    reduced = 1;
  }
  // Of one element: the element, if the reducer leaves its bits alone.
  std::optional<uint32_t> start = splatBits(Ref::of(init));
  const bool moves = reducer != LOOM_UOP_RADD_F && reducer != LOOM_UOP_RMUL_F;
  if (moves && start &&
      *start == reducerIdentity(reducer, type.getElementType()) &&
      product(window.shape) == type.getNumElements()) {
    set(op, *window.reshaped(type.getShape()));
    return success();
  }
  Value result =
      emitReduce(op, window, reduced, reducer, init, type.getElementType());
  if (!result)
    return refuse(op, "its start value cannot be combined", "use the identity");
  map[op.getResult(0)] = result;
  return success();
}

LogicalResult Converter::reduceWindow(stablehlo::ReduceWindowOp op) {
  const int32_t reducer =
      op.getInputs().size() == 1 ? reducerOf(op.getBody()) : -1;
  if (reducer < 0)
    return refuse(op,
                  "its region is not one of add, multiply, maximum, minimum, "
                  "and, or, xor on one operand",
                  "compute it outside the model");
  Value init = map.lookup(op.getInitValues()[0]);
  Ref from = Ref::of(map.lookup(op.getInputs()[0]));
  const size_t rank = from.shape.size();
  SmallVector<int64_t> low, high, interior;
  bool pads = false;
  for (size_t d = 0; d < rank; ++d) {
    low.push_back(op.getPadding()[2 * d]);
    high.push_back(op.getPadding()[2 * d + 1]);
    interior.push_back(op.getBaseDilations()[d] - 1);
    pads |= low[d] || high[d] || interior[d];
  }
  if (pads)
    from = Ref::of(
        paddedBy(from, low, high, interior, Ref::of(init), op.getLoc()));
  auto type = cast<RankedTensorType>(op.getResult(0).getType());
  Ref window{from.root, from.offset, {}, {}};
  for (size_t d = 0; d < rank; ++d) {
    window.shape.push_back(type.getDimSize(d));
    window.strides.push_back(from.strides[d] * op.getWindowStrides()[d]);
  }
  int64_t reduced = 0;
  for (size_t d = 0; d < rank; ++d)
    if (op.getWindowDimensions()[d] != 1) {
      window.shape.push_back(op.getWindowDimensions()[d]);
      window.strides.push_back(from.strides[d] * op.getWindowDilations()[d]);
      ++reduced;
    }
  if (!reduced) {
    window.shape.push_back(1);
    window.strides.push_back(0);
    reduced = 1;
  }
  Value result =
      emitReduce(op, window, reduced, reducer, init, type.getElementType());
  if (!result)
    return refuse(op, "its start value cannot be combined", "use the identity");
  map[op.getResult(0)] = result;
  return success();
}
