// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Loops that stay loops. The body is converted once, between loop_begin and
// loop_end; slices at the counter are views of a moved root, updates at it are
// writes in place.

#include "Converter.h"

#include "loom/Dialect/StableHLO/CountedLoop.h"

using namespace mlir;
using namespace mlir::loom;
using loomt::Ref;
using stablehlo::Affine;
using stablehlo::DeviceLoop;

void Converter::loopSlice(DeviceLoop &loop, stablehlo::DynamicSliceOp op) {
  Ref ref = Ref::of(map.lookup(op.getOperand()));
  const SmallVector<Affine> starts = *loop.starts(op);
  int64_t step = 0;
  ref.shape.assign(op.getSliceSizes().begin(), op.getSliceSizes().end());
  for (auto [start, stride] : llvm::zip(starts, ref.strides)) {
    ref.offset += start.offset * stride;
    step += start.scale * stride;
  }
  if (auto at = ref.root.getDefiningOp<loomt::AtOp>(); at && step) {
    ref.root = at.getRoot();
    step += at.getStep();
  }
  if (step)
    ref.root = loomt::AtOp::create(builder, op.getLoc(), ref.root.getType(),
                                   ref.root, builder.getI64IntegerAttr(step));
  set(op, ref);
}

void Converter::loopUpdate(DeviceLoop &loop, Value state,
                           stablehlo::DynamicUpdateSliceOp op) {
  auto type = cast<RankedTensorType>(op.getType());
  const SmallVector<int64_t> strides = loomt::denseStrides(type.getShape());
  int64_t offset = 0, step = 0;
  for (auto [start, stride] : llvm::zip(*loop.starts(op), strides)) {
    offset += start.offset * stride;
    step += start.scale * stride;
  }
  loomt::PutOp::create(builder, op.getLoc(), map.lookup(op.getUpdate()), state,
                       builder.getI64IntegerAttr(offset),
                       builder.getI64IntegerAttr(step),
                       builder.getDenseI64ArrayAttr(strides));
}

/// A root of its own for what is carried on as it came, from another state.
Value Converter::carried(Value next, loomt::LoopBeginOp begin) {
  Ref ref = Ref::of(next);
  if (ref.root.getDefiningOp() != begin)
    return next;
  auto type = cast<RankedTensorType>(next.getType());
  return loomt::CopyOp::create(
      builder, next.getLoc(), type, next, builder.getDenseI64ArrayAttr({0}),
      builder.getArrayAttr(
          builder.getDenseI64ArrayAttr(loomt::denseStrides(type.getShape()))),
      nullptr);
}

LogicalResult Converter::whileLoop(stablehlo::WhileOp op) {
  std::optional<DeviceLoop> loop;
  if (op->hasAttr(stablehlo::kDeviceLoopAttr))
    loop = DeviceLoop::of(op);
  if (!loop)
    return refuse(op, "a loop whose count is not a constant is not compiled",
                  "use lax.fori_loop or lax.scan with constant bounds");
  SmallVector<Value> inits;
  SmallVector<Type> types;
  for (unsigned i : loop->states) {
    inits.push_back(map.lookup(op.getOperands()[i]));
    types.push_back(inits.back().getType());
  }
  auto begin =
      loomt::LoopBeginOp::create(builder, op.getLoc(), types, inits,
                                 builder.getI64IntegerAttr(loop->trip));
  Block &body = loop->body();
  for (auto [i, state] : llvm::zip(loop->states, begin.getStates()))
    map[body.getArgument(i)] = state;
  for (unsigned i = 0; i < body.getNumArguments(); ++i)
    if (loop->isInvariant(i)) {
      map[body.getArgument(i)] = map.lookup(op.getOperands()[i]);
      map[op.getResult(i)] = map.lookup(op.getOperands()[i]);
    }
  place = op;
  bool ok = true;
  for (Operation *inner : loop->live) {
    builder.setInsertionPoint(op);
    if (auto slice = dyn_cast<stablehlo::DynamicSliceOp>(inner)) {
      if (map.count(slice.getOperand()))
        loopSlice(*loop, slice);
    } else if (auto update = dyn_cast<stablehlo::DynamicUpdateSliceOp>(inner)) {
      Value state = map.lookup(update.getOperand());
      if (map.count(update.getUpdate()))
        loopUpdate(*loop, state, update);
      map[update.getResult()] = state;
    } else {
      ok &= succeeded(convert(inner));
    }
  }
  place = nullptr;
  if (!ok)
    return failure();
  builder.setInsertionPoint(op);
  SmallVector<Value> next;
  for (auto [i, state] : llvm::zip(loop->states, begin.getStates())) {
    Value value = map.lookup(body.getTerminator()->getOperand(i));
    next.push_back(value == state ? value : carried(value, begin));
  }
  auto end = loomt::LoopEndOp::create(builder, op.getLoc(), types, next);
  for (auto [i, result] : llvm::zip(loop->states, end.getResults()))
    map[op.getResult(i)] = result;
  return success();
}
