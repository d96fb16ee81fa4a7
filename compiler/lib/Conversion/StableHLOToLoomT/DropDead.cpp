// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What is needed is marked from the function's results backwards; a carried
// tensor needs its next value, and that of a loop the test that ends it. A
// counter that only named places is gone then.

#include "DropDead.h"

#include "loom/Dialect/LoomT/Scopes.h"

using namespace mlir;
using namespace mlir::loom;
using namespace mlir::loom::loomt;

namespace {
class Marker {
public:
  explicit Marker(func::FuncOp func)
      : block(func.getBody().front()), scopes(block) {}
  void run();

private:
  void need(Value value) {
    if (live.insert(value).second)
      open.push_back(value);
  }
  void needAll(ValueRange values) {
    for (Value value : values)
      need(value);
  }
  void enter(Scope *scope);
  void follow(Value value);
  void shrink(LoopBeginOp begin);
  void shrink(CaseBeginOp begin);

  Block &block;
  Scopes scopes;
  DenseSet<Value> live;
  DenseSet<Operation *> entered; // loop_begin, case_begin
  SmallVector<Value> open;
  DenseMap<Operation *, SmallVector<Operation *>> tests, branches; // by begin
};
} // namespace

/// Something in a stretch is needed, and with it what decides whether that
/// runs.
void Marker::enter(Scope *scope) {
  for (; scope; scope = scope->parent) {
    Operation *begin = scope->begin;
    if (!scope->isLoop())
      begin = scopes.beginOf(scope->end);
    if (!entered.insert(begin).second)
      continue;
    if (auto choice = dyn_cast<CaseBeginOp>(begin))
      need(choice.getIndex());
    for (Operation *test : tests.lookup(begin))
      need(test->getOperand(0));
  }
}

void Marker::follow(Value value) {
  Operation *maker = value.getDefiningOp();
  if (!maker)
    return;
  const unsigned i =
      isa<OpResult>(value) ? cast<OpResult>(value).getResultNumber() : 0;
  enter(scopes.of(maker));
  if (auto begin = dyn_cast<LoopBeginOp>(maker)) {
    auto end = cast<LoopEndOp>(scopes.endOf(begin));
    enter(scopes.ofUse(end));
    needAll({begin.getInits()[i], end.getNext()[i], end.getResults()[i]});
  } else if (isa<LoopEndOp>(maker)) {
    need(cast<LoopBeginOp>(scopes.beginOf(maker)).getStates()[i]);
  } else if (isa<CaseEndOp>(maker)) {
    enter(scopes.ofUse(maker));
    for (Operation *branch : branches.lookup(scopes.beginOf(maker)))
      need(branch->getOperand(i));
  } else {
    needAll(maker->getOperands());
  }
}

/// The values at live places.
static SmallVector<Value> kept(ValueRange values, ArrayRef<unsigned> places) {
  SmallVector<Value> list;
  for (unsigned i : places)
    list.push_back(values[i]);
  return list;
}

static void replace(ResultRange old, ResultRange now,
                    ArrayRef<unsigned> places) {
  for (auto [at, i] : llvm::enumerate(places))
    old[i].replaceAllUsesWith(now[at]);
}

void Marker::shrink(LoopBeginOp begin) {
  auto end = cast<LoopEndOp>(scopes.endOf(begin));
  SmallVector<unsigned> places;
  for (auto [i, state] : llvm::enumerate(begin.getStates()))
    if (live.contains(state))
      places.push_back(i);
  if (places.size() == begin.getStates().size() && entered.contains(begin))
    return;
  if (entered.contains(begin)) {
    OpBuilder builder(begin);
    SmallVector<Value> inits = kept(begin.getInits(), places),
                       next = kept(end.getNext(), places);
    auto types = TypeRange(ValueRange(inits));
    auto first = LoopBeginOp::create(builder, begin.getLoc(), types, inits,
                                     begin.getTripAttr(), begin.getScheduled());
    builder.setInsertionPoint(end);
    auto last = LoopEndOp::create(builder, end.getLoc(), types, next);
    replace(begin.getStates(), first.getStates(), places);
    replace(end.getResults(), last.getResults(), places);
  }
  for (Operation *test : tests.lookup(begin))
    if (!entered.contains(begin))
      test->erase();
  // What is left between them uses itself alone.
  end->dropAllReferences();
  begin->dropAllUses();
  end->dropAllUses();
  end->erase();
  begin->erase();
}

void Marker::shrink(CaseBeginOp begin) {
  auto end = cast<CaseEndOp>(scopes.endOf(begin));
  SmallVector<unsigned> places;
  for (auto [i, result] : llvm::enumerate(end.getResults()))
    if (live.contains(result))
      places.push_back(i);
  const bool runs = entered.contains(begin);
  if (runs && places.size() == end.getResults().size())
    return;
  for (Operation *branch : branches.lookup(begin)) {
    SmallVector<Value> values = kept(branch->getOperands(), places);
    if (runs && branch != end)
      branch->setOperands(values);
    else if (branch != end)
      branch->erase();
  }
  if (runs) {
    OpBuilder builder(end);
    SmallVector<Value> values = kept(end.getValues(), places);
    auto last = CaseEndOp::create(builder, end.getLoc(),
                                  TypeRange(ValueRange(values)), values);
    replace(end.getResults(), last.getResults(), places);
  }
  end->dropAllUses();
  end->erase();
  if (!runs)
    begin->erase();
}

void Marker::run() {
  SmallVector<LoopBeginOp> loops;
  SmallVector<CaseBeginOp> cases;
  for (Operation &op : block) {
    if (auto begin = dyn_cast<LoopBeginOp>(op))
      loops.push_back(begin);
    if (auto begin = dyn_cast<CaseBeginOp>(op))
      cases.push_back(begin);
    if (isa<LoopTestOp>(op))
      tests[Scopes::loopOf(scopes.of(&op))->begin].push_back(&op);
    if (isa<CaseNextOp, CaseEndOp>(op))
      branches[scopes.beginOf(&op)].push_back(&op);
  }
  needAll(block.getTerminator()->getOperands());
  while (!open.empty())
    follow(open.pop_back_val());
  SmallVector<Operation *> dead;
  for (Operation &op : block.without_terminator())
    if (op.getNumResults() && !isa<LoopBeginOp, LoopEndOp, CaseEndOp>(op) &&
        llvm::none_of(op.getResults(),
                      [&](Value result) { return live.contains(result); }))
      dead.push_back(&op);
  for (LoopBeginOp begin : loops)
    shrink(begin);
  for (CaseBeginOp begin : cases)
    shrink(begin);
  for (Operation *op : llvm::reverse(dead)) {
    op->dropAllUses();
    op->erase();
  }
}

void mlir::loom::dropDead(func::FuncOp func) { Marker(func).run(); }
