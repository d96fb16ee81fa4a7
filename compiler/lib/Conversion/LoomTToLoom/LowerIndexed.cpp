// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Slices and updates at places that loops and data move: the sequencer reads
// an index, clamps it, scales it and adds it to the base register of a copy.

#include "Emitter.h"

#include "loom_timing.h"

using namespace mlir;
using namespace mlir::loom;

static void layerOf(Emitter &e, Operation *op, StringRef kind, Value moved) {
  const int64_t bytes =
      cast<RankedTensorType>(moved.getType()).getNumElements() *
      elementBytesOf(moved.getType());
  e.layer(
      op->getLoc(), kind, shapeText(moved.getType()), "-", "memory", 0,
      2 * bytes,
      loom_ceil_div(2ull * bytes * 64, loom_mem_bandwidth64(&e.target.mem[0])));
}

static SmallVector<int64_t> inBytes(ArrayRef<int64_t> steps, int64_t elem) {
  SmallVector<int64_t> result;
  for (int64_t step : steps)
    result.push_back(step * elem);
  return result;
}

static SmallVector<Emitter::Index>
indicesOf(const Memory &memory, ValueRange values, ArrayRef<int64_t> limits,
          ArrayRef<int64_t> steps, int64_t elem) {
  SmallVector<Emitter::Index> list;
  for (auto [value, limit, step] : llvm::zip(values, limits, steps))
    list.push_back({memory.box(value), limit, step * elem});
  return list;
}

static void lowerAt(Emitter &e, Memory &memory, loomt::AtOp op) {
  const Box box = memory.box(op.getRoot());
  memory.set(op.getResult(), {e.moved(op.getLoc(), box.mem,
                                      inBytes(op.getSteps(), box.elem), {}, 0),
                              box.offset});
}

static void lowerTake(Emitter &e, Memory &memory, loomt::TakeOp op) {
  layerOf(e, op, "take", op.getResult());
  Box from = memory.box(op.getSource());
  from.mem = e.moved(op.getLoc(), from.mem, {},
                     indicesOf(memory, op.getIndices(), op.getLimits(),
                               op.getSteps(), from.elem),
                     0);
  copyBox(e, op.getLoc(), from, memory.box(op.getResult()));
}

static void lowerPut(Emitter &e, Memory &memory, loomt::PutOp op) {
  layerOf(e, op, "put", op.getValue());
  const Box value = memory.box(op.getValue());
  Box place = memory.box(op.getTarget());
  place.mem =
      e.moved(op.getLoc(), place.mem, inBytes(op.getLoopSteps(), place.elem),
              indicesOf(memory, op.getIndices(), op.getLimits(), op.getSteps(),
                        place.elem),
              1);
  place.offset += op.getOffset() * place.elem;
  place.n = value.n;
  place.stride = inBytes(op.getStrides(), place.elem);
  copyBox(e, op.getLoc(), value, place);
}

LogicalResult mlir::loom::lowerIndexed(Emitter &e, Memory &memory,
                                       Operation *op) {
  if (auto at = dyn_cast<loomt::AtOp>(op))
    lowerAt(e, memory, at);
  else if (auto take = dyn_cast<loomt::TakeOp>(op))
    lowerTake(e, memory, take);
  else
    lowerPut(e, memory, cast<loomt::PutOp>(op));
  return success();
}
