// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "loom/Dialect/LoomT/Scopes.h"

using namespace mlir;
using namespace mlir::loom::loomt;

Scopes::Scopes(Block &block) {
  Scope *current = nullptr;
  SmallVector<Operation *> cases; // those that are open
  auto open = [&](Operation *begin) {
    all.push_back({begin, nullptr, current});
    current = &all.back();
  };
  auto close = [&](Operation *end) {
    current->end = end;
    closed[end] = current;
    current = current->parent;
  };
  for (Operation &op : block) {
    if (isa<LoopEndOp>(op)) {
      Operation *begin = current->begin;
      close(&op);
      ends[begin] = &op;
      begins[&op] = begin;
    } else if (isa<CaseNextOp, CaseEndOp>(op)) {
      close(&op);
      begins[&op] = cases.back();
    }
    scopes[&op] = current;
    if (isa<CaseEndOp>(op))
      ends[cases.pop_back_val()] = &op;
    if (isa<CaseBeginOp>(op))
      cases.push_back(&op);
    if (isa<LoopBeginOp, CaseBeginOp, CaseNextOp>(op))
      open(&op);
  }
}

Scope *Scopes::ofUse(Operation *user) const {
  Scope *inside = closed.lookup(user);
  return inside ? inside : of(user);
}

Scope *Scopes::ofValue(Value value) const {
  Operation *maker = value.getDefiningOp();
  if (!maker || isa<ConstantOp>(maker))
    return nullptr;
  if (auto begin = dyn_cast<LoopBeginOp>(maker))
    return closed.lookup(endOf(begin));
  return of(maker);
}

Scope *Scopes::loopOf(Scope *scope) {
  while (scope && !scope->isLoop())
    scope = scope->parent;
  return scope;
}

Operation *Scopes::endFor(Operation *user, Value value) const {
  Scope *home = ofValue(value);
  Operation *end = nullptr;
  for (Scope *scope = ofUse(user); scope && scope != home;
       scope = scope->parent)
    if (scope->isLoop())
      end = scope->end;
  return end;
}

void mlir::loom::loomt::forEachUse(
    Value root, llvm::function_ref<void(Operation *, Value)> take) {
  for (Operation *user : root.getUsers()) {
    if (isa<ViewOp, AtOp>(user))
      forEachUse(user->getResult(0), take);
    else
      take(user, root);
  }
}

Value mlir::loom::loomt::rootOf(Value value) {
  while (Operation *maker = value.getDefiningOp()) {
    if (!isa<ViewOp, AtOp>(maker))
      break;
    value = maker->getOperand(0);
  }
  return value;
}

Value mlir::loom::loomt::askedState(LoopBeginOp begin) {
  if (!begin.getScheduled() || begin.getTrip())
    return Value();
  return cast<LoopTestOp>(begin->getNextNode()).getCondition();
}
