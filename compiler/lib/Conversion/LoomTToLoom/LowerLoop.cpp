// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Loops of the sequencer. A fence is the first record of every iteration and
// the first one after the loop, so that no semaphore crosses the loop's edges
// and no iteration meets another. Carried tensors are copied to their places at
// the end of an iteration.

#include "Emitter.h"
#include "LoopSpans.h"
#include "Results.h"

#include "loom_timing.h"

using namespace mlir;
using namespace mlir::loom;

loomt::LoopBeginOp mlir::loom::beginOf(loomt::LoopEndOp end) {
  Operation *op = end->getPrevNode();
  while (!isa<loomt::LoopBeginOp>(op))
    op = op->getPrevNode();
  return cast<loomt::LoopBeginOp>(op);
}

SmallVector<std::pair<Value, Value>>
mlir::loom::computedInPlace(loomt::LoopEndOp end) {
  loomt::LoopBeginOp first = beginOf(end);
  SmallVector<std::pair<Value, Value>> list;
  DenseSet<Value> taken;
  for (auto [next, state] : llvm::zip(end.getNext(), first.getStates())) {
    const loomt::Ref ref = loomt::Ref::of(next);
    Operation *maker = ref.root.getDefiningOp();
    if (maker && isa<loomt::MapOp, loomt::ReduceOp, loomt::ContractOp>(maker) &&
        first->isBeforeInBlock(maker) && ref.isWhole() &&
        mayOverwrite(maker, state) && taken.insert(ref.root).second)
      list.push_back({ref.root, state});
  }
  return list;
}

int64_t mlir::loom::copyBox(Emitter &e, Location loc, const Box &from,
                            const Box &to) {
  int64_t inner = from.elem, bytes = from.elem;
  SmallVector<Layout::Loop> loops;
  for (size_t d = from.n.size(); d-- > 0;) {
    if (from.n[d] == 1)
      continue;
    bytes *= from.n[d];
    const Layout::Loop loop{from.n[d], from.stride[d], to.stride[d]};
    if (loops.empty() && loop.memStride == inner && loop.sramStride == inner)
      inner *= loop.count;
    else
      loops.insert(loops.begin(), loop);
  }
  e.copy(loc, from.mem, to.mem, from.offset, to.offset, inner, loops);
  return bytes;
}

static void layerOf(Emitter &e, Location loc, StringRef kind,
                    const Twine &shape, int64_t bytes) {
  e.layer(
      loc, kind, shape, "-", "memory", 0, 2 * bytes,
      loom_ceil_div(2ull * bytes * 64, loom_mem_bandwidth64(&e.target.mem[0])));
}

static int64_t bytesOf(ValueRange values) {
  int64_t bytes = 0;
  for (Value value : values)
    bytes += cast<RankedTensorType>(value.getType()).getNumElements() *
             elementBytesOf(value.getType());
  return bytes;
}

static void begin(Emitter &e, const Memory &memory, loomt::LoopBeginOp op) {
  layerOf(e, op.getLoc(), "loop", Twine(op.getTrip()) + " times",
          bytesOf(op.getInits()));
  for (auto [init, state] : llvm::zip(op.getInits(), op.getStates())) {
    const Box from = memory.box(init), to = memory.box(state);
    if (from.mem != to.mem || from.offset != to.offset)
      copyBox(e, op.getLoc(), from, to);
  }
  e.beginLoop(op.getLoc(), op.getTrip());
}

static void end(Emitter &e, Memory &memory, loomt::LoopEndOp op) {
  loomt::LoopBeginOp first = beginOf(op);
  SmallVector<std::pair<Value, Value>> moves;
  SmallVector<Value> moved;
  for (auto [next, state, result] :
       llvm::zip(op.getNext(), first.getStates(), op.getResults())) {
    const Box place = memory.box(state);
    memory.set(result, {place.mem, place.offset});
    const Box made = memory.box(next);
    if (made.mem == place.mem && made.offset == place.offset)
      continue;
    moves.push_back({next, state});
    moved.push_back(next);
  }
  if (!moves.empty())
    layerOf(e, op.getLoc(), "carry", Twine(moves.size()) + " tensors",
            bytesOf(moved));
  for (auto [next, state] : moves)
    copyBox(e, op.getLoc(), memory.box(next), memory.box(state));
  e.endLoop(op.getLoc());
}

static Value moved(Emitter &e, Location loc, Value mem, int64_t step) {
  if (!step)
    return mem;
  return npu::MovedOp::create(e.builder, loc, mem.getType(), mem,
                              e.builder.getI64IntegerAttr(step));
}

LogicalResult mlir::loom::lowerLoop(Emitter &e, Memory &memory, Operation *op) {
  if (auto at = dyn_cast<loomt::AtOp>(op)) {
    const Box box = memory.box(at.getRoot());
    memory.set(
        at.getResult(),
        {moved(e, op->getLoc(), box.mem, at.getStep() * box.elem), box.offset});
  } else if (auto put = dyn_cast<loomt::PutOp>(op)) {
    const Box value = memory.box(put.getValue());
    Box place = memory.box(put.getState());
    layerOf(e, op->getLoc(), "put", shapeText(put.getValue().getType()),
            bytesOf(put.getValue()));
    place.mem = moved(e, op->getLoc(), place.mem, put.getStep() * place.elem);
    place.offset += put.getOffset() * place.elem;
    place.n = value.n;
    place.stride.clear();
    for (int64_t stride : put.getStrides())
      place.stride.push_back(stride * place.elem);
    copyBox(e, op->getLoc(), value, place);
  } else if (auto first = dyn_cast<loomt::LoopBeginOp>(op)) {
    begin(e, memory, first);
  } else {
    end(e, memory, cast<loomt::LoopEndOp>(op));
  }
  return success();
}
