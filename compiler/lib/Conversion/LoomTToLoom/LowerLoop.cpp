// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Loops and branches, of the sequencer and of schedules. Wherever control may
// come from two places a fence is the first record, so that no semaphore
// crosses and no iteration meets another. Carried tensors are copied to their
// places at the end of an iteration.

#include "Emitter.h"

#include "loom/Dialect/LoomT/Scopes.h"

#include "loom_timing.h"

using namespace mlir;
using namespace mlir::loom;

void mlir::loom::copyBox(Emitter &e, Location loc, const Box &from,
                         const Box &to) {
  int64_t inner = from.elem;
  SmallVector<Layout::Loop> loops;
  for (size_t d = from.n.size(); d-- > 0;) {
    if (from.n[d] == 1)
      continue;
    const Layout::Loop loop{from.n[d], from.stride[d], to.stride[d]};
    if (loops.empty() && loop.memStride == inner && loop.sramStride == inner)
      inner *= loop.count;
    else
      loops.insert(loops.begin(), loop);
  }
  e.copy(loc, from.mem, to.mem, from.offset, to.offset, inner, loops);
}

namespace {
struct Move {
  Value from, to;
};

class Control {
public:
  Control(Emitter &emitter, Memory &memory, Location loc)
      : e(emitter), memory(memory), loc(loc) {}
  void begin(loomt::LoopBeginOp op);
  void test(loomt::LoopTestOp op);
  void end(loomt::LoopEndOp op);
  void begin(loomt::CaseBeginOp op);
  void next(loomt::CaseNextOp op);
  void end(loomt::CaseEndOp op);
  /// Of schedules.
  void beginRound(loomt::LoopBeginOp op);
  void endRound(loomt::LoopEndOp op);
  void carry(StringRef kind, const Twine &shape, ArrayRef<Move> moves,
             bool cpuFirst);

private:
  /// A layer, whose traffic is what moves.
  void layer(StringRef kind, const Twine &shape, ArrayRef<Move> moves);
  SmallVector<Move> movesOf(ValueRange from, ValueRange to);
  void copyAll(ArrayRef<Move> moves);

  Emitter &e;
  Memory &memory;
  Location loc;
};
} // namespace

void Control::layer(StringRef kind, const Twine &shape, ArrayRef<Move> moves) {
  int64_t bytes = 0;
  for (const Move &move : moves)
    bytes += cast<RankedTensorType>(move.from.getType()).getNumElements() *
             elementBytesOf(move.from.getType());
  e.layer(
      loc, kind, shape, "-", "memory", 0, 2 * bytes,
      loom_ceil_div(2ull * bytes * 64, loom_mem_bandwidth64(&e.target.mem[0])));
}

/// Those that are not in their place already.
SmallVector<Move> Control::movesOf(ValueRange from, ValueRange to) {
  SmallVector<Move> moves;
  for (auto [value, place] : llvm::zip(from, to)) {
    const Box made = memory.box(value), wanted = memory.box(place);
    if (made.mem != wanted.mem || made.offset != wanted.offset ||
        !loomt::Ref::of(value).isWhole())
      moves.push_back({value, place});
  }
  return moves;
}

void Control::copyAll(ArrayRef<Move> moves) {
  for (const Move &move : moves)
    copyBox(e, loc, memory.box(move.from), memory.box(move.to));
}

/// What a schedule carries, on the engine that is at work.
void Control::carry(StringRef kind, const Twine &shape, ArrayRef<Move> moves,
                    bool cpuFirst) {
  if (e.onCpu(cpuFirst)) {
    for (const Move &move : moves)
      e.copyOnCpu(loc, memory.box(move.from), memory.box(move.to));
  } else if (!moves.empty()) {
    layer(kind, shape, moves);
    copyAll(moves);
  }
}

void Control::endRound(loomt::LoopEndOp op) {
  const SmallVector<Move> moves = movesOf(op.getNext(), op.getResults());
  carry("carry", Twine(moves.size()) + " tensors", moves, e.cpuFirst());
  e.endRound(loc);
}

/// Whether the first operation that is one, in inner loops of the schedule as
/// well, is the CPU engine's.
static bool beginsOnCpu(loomt::LoopBeginOp op) {
  for (Operation *at = op->getNextNode(); at; at = at->getNextNode()) {
    auto inner = dyn_cast<loomt::LoopBeginOp>(at);
    if (!isa<loomt::ViewOp, loomt::ConstantOp, loomt::LoopTestOp>(at) &&
        !(inner && inner.getScheduled()))
      return isa<loomt::CpuOp>(at);
  }
  return false;
}

void Control::beginRound(loomt::LoopBeginOp op) {
  const SmallVector<Move> moves = movesOf(op.getInits(), op.getStates());
  Value asked = loomt::askedState(op);
  const bool cpuFirst = beginsOnCpu(op);
  if (asked)
    carry("while", Twine(op.getStates().size()) + " tensors", moves, cpuFirst);
  else
    carry("loop", Twine(*op.getTrip()) + " times", moves, cpuFirst);
  e.beginRound(loc, op.getTrip(), asked ? memory.box(asked).mem : Value(),
               cpuFirst);
}

void Control::begin(loomt::LoopBeginOp op) {
  const SmallVector<Move> moves = movesOf(op.getInits(), op.getStates());
  if (std::optional<uint64_t> trip = op.getTrip())
    layer("loop", Twine(*trip) + " times", moves);
  else
    layer("while", Twine(op.getStates().size()) + " tensors", moves);
  copyAll(moves);
  e.beginLoop(loc, op.getTrip());
  if (op.getTrip())
    return;
  e.open.push_back({e.newLabel(), e.newLabel(), 0});
  e.label(loc, e.open.back().here);
}

void Control::test(loomt::LoopTestOp op) {
  layer("test", "1", {});
  e.readNumber(loc, memory.box(op.getCondition()));
  e.branch(loc, e.open.back().end, LOOM_COND_EQ, 0);
}

void Control::end(loomt::LoopEndOp op) {
  const SmallVector<Move> moves = movesOf(op.getNext(), op.getResults());
  const bool counted = e.isCounted();
  if (!moves.empty())
    layer("carry", Twine(moves.size()) + " tensors", moves);
  copyAll(moves);
  if (!counted) {
    e.branch(loc, e.open.back().here, LOOM_COND_ALWAYS, 0);
    e.label(loc, e.open.back().end);
    e.open.pop_back();
  }
  e.endLoop(loc);
}

/// Branch k is skipped unless the number is k; the last takes what is left.
void Control::begin(loomt::CaseBeginOp op) {
  layer("case", Twine(op.getBranches()) + " branches", {});
  e.readNumber(loc, memory.box(op.getIndex()));
  e.open.push_back({e.newLabel(), e.newLabel(), int64_t(op.getBranches())});
  if (op.getBranches() > 1)
    e.branch(loc, e.open.back().here, LOOM_COND_NE, 0);
}

static loomt::CaseEndOp endOf(loomt::CaseNextOp op) {
  int64_t depth = 0;
  for (Operation *at = op->getNextNode();; at = at->getNextNode()) {
    if (auto end = dyn_cast<loomt::CaseEndOp>(at); end && depth-- == 0)
      return end;
    depth += isa<loomt::CaseBeginOp>(at);
  }
}

void Control::next(loomt::CaseNextOp op) {
  const SmallVector<Move> moves =
      movesOf(op.getValues(), endOf(op).getResults());
  if (!moves.empty())
    layer("give", Twine(moves.size()) + " tensors", moves);
  copyAll(moves);
  Emitter::Open &open = e.open.back();
  e.branch(loc, open.end, LOOM_COND_ALWAYS, 0);
  layer("branch", Twine(open.branch + 1), {});
  e.label(loc, open.here);
  ++open.branch;
  if (open.branch + 1 == open.branches)
    return;
  open.here = e.newLabel();
  e.branch(loc, open.here, LOOM_COND_NE, open.branch);
}

void Control::end(loomt::CaseEndOp op) {
  const SmallVector<Move> moves = movesOf(op.getValues(), op.getResults());
  layer("give", Twine(moves.size()) + " tensors", moves);
  copyAll(moves);
  e.label(loc, e.open.back().end);
  e.open.pop_back();
}

LogicalResult mlir::loom::lowerControl(Emitter &e, Memory &memory,
                                       Operation *op) {
  Control control(e, memory, op->getLoc());
  if (auto begin = dyn_cast<loomt::LoopBeginOp>(op))
    begin.getScheduled() ? control.beginRound(begin) : control.begin(begin);
  else if (auto test = dyn_cast<loomt::LoopTestOp>(op); test && !e.inRound())
    control.test(test);
  else if (test)
    return success(); // who submits asks
  else if (auto end = dyn_cast<loomt::LoopEndOp>(op))
    e.inRound() ? control.endRound(end) : control.end(end);
  else if (auto choice = dyn_cast<loomt::CaseBeginOp>(op))
    control.begin(choice);
  else if (auto next = dyn_cast<loomt::CaseNextOp>(op))
    control.next(next);
  else
    control.end(cast<loomt::CaseEndOp>(op));
  return success();
}
