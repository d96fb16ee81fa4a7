// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "Places.h"

#include "Residency.h"

using namespace mlir;
using namespace mlir::loom;
using loomt::Ref;
using loomt::Scope;
using loomt::Scopes;

/// A root that the program may write to.
static bool isOwned(Value root) {
  Operation *maker = root.getDefiningOp();
  return isProducer(maker) ||
         isa_and_nonnull<loomt::PutOp, loomt::LoopBeginOp, loomt::LoopEndOp,
                         loomt::CaseEndOp, loomt::CpuOp>(maker);
}

static bool isInside(Scope *scope, Scope *outer) {
  while (scope && scope != outer)
    scope = scope->parent;
  return scope == outer;
}

//===----------------------------------------------------------------------===//
// What shares a place
//===----------------------------------------------------------------------===//

Places::Places(func::FuncOp func)
    : block(func.getBody().front()), stretches(block) {
  int64_t number = 0;
  for (Operation &op : block)
    numbers[&op] = number++;
  for (Operation &op : block) {
    if (auto put = dyn_cast<loomt::PutOp>(op))
      join(put.getTarget(), put.getResult());
    else if (auto begin = dyn_cast<loomt::LoopBeginOp>(op))
      loop(begin);
    else if (auto end = dyn_cast<loomt::LoopEndOp>(op))
      loop(end);
    else if (isa<loomt::CaseNextOp, loomt::CaseEndOp>(op))
      branch(&op);
  }
}

Value Places::placeOf(Value root) const {
  auto it = leader.find(root);
  return it == leader.end() ? root : it->second;
}

ArrayRef<Value> Places::sharing(Value root) const {
  auto it = members.find(placeOf(root));
  return it == members.end() ? ArrayRef<Value>() : ArrayRef(it->second);
}

void Places::join(Value into, Value other) {
  const Value first = placeOf(into), second = placeOf(other);
  if (first == second)
    return;
  SmallVector<Value> moved(sharing(second));
  if (moved.empty())
    moved.push_back(second);
  members.erase(second);
  SmallVector<Value> &list = members[first];
  if (list.empty())
    list.push_back(first);
  list.append(moved);
  for (Value root : moved)
    leader[root] = first;
}

/// What a loop uses from outside is used until its end.
int64_t Places::lastUse(Value root) const {
  Operation *maker = root.getDefiningOp();
  int64_t last = maker ? numberOf(maker) : 0;
  loomt::forEachUse(root, [&](Operation *user, Value) {
    Operation *end = stretches.endFor(user, root);
    last = std::max(last, numberOf(end ? end : user));
  });
  return last;
}

/// Whether `op`, which uses the value once, may have its root's place: nothing
/// needs the root later, and it is made anew whenever `op` runs.
bool Places::endsAt(Value value, Operation *op) const {
  const Ref ref = Ref::of(value);
  if (!isOwned(ref.root) || !ref.isWhole() ||
      Scopes::loopOf(stretches.ofValue(ref.root)) !=
          Scopes::loopOf(stretches.of(op)))
    return false;
  int64_t uses = 0;
  bool later = false;
  loomt::forEachUse(ref.root, [&](Operation *user, Value) {
    uses += user == op;
    later |= numberOf(user) > numberOf(op);
  });
  return uses == 1 && !later;
}

void Places::loop(loomt::LoopBeginOp begin) {
  Value asked = loomt::askedState(begin);
  for (auto [init, state] : llvm::zip(begin.getInits(), begin.getStates()))
    if (state != asked && endsAt(init, begin))
      join(Ref::of(init).root, state);
}

/// Whether `maker` may write over the place of `state` as it goes: no use comes
/// later in the loop, and its own are element by element.
bool Places::mayOverwrite(Operation *maker, Value state) const {
  Scope *loop = stretches.ofValue(state);
  SmallVector<Value> roots(sharing(state));
  if (roots.empty())
    roots.push_back(state);
  bool may = true;
  for (Value root : roots)
    loomt::forEachUse(root, [&](Operation *user, Value used) {
      if (user == maker)
        may &= isa<loomt::MapOp>(maker) && Ref::of(used).isWhole() &&
               !used.getDefiningOp<loomt::AtOp>();
      else
        may &= !isInside(stretches.ofUse(user), loop) ||
               numberOf(user) < numberOf(maker);
    });
  return may;
}

void Places::loop(loomt::LoopEndOp end) {
  auto begin = cast<loomt::LoopBeginOp>(stretches.beginOf(end));
  for (auto [next, state, result] :
       llvm::zip(end.getNext(), begin.getStates(), end.getResults())) {
    const Ref ref = Ref::of(next);
    Operation *maker = ref.root.getDefiningOp();
    if (isa_and_nonnull<loomt::MapOp, loomt::ReduceOp, loomt::ContractOp>(
            maker) &&
        stretches.of(maker) == stretches.ofUse(end) && ref.isWhole() &&
        !isShared(ref.root) && mayOverwrite(maker, state))
      join(state, ref.root);
    join(state, result);
  }
}

/// A branch makes what it gives where the case's result is.
void Places::branch(Operation *end) {
  auto last = dyn_cast<loomt::CaseEndOp>(end);
  if (!last)
    last = cast<loomt::CaseEndOp>(stretches.endOf(stretches.beginOf(end)));
  Scope *scope = stretches.ofUse(end);
  for (auto [value, result] :
       llvm::zip(end->getOperands(), last.getResults())) {
    const Ref ref = Ref::of(value);
    if (!isOwned(ref.root) || !ref.isWhole())
      continue;
    SmallVector<Value> roots(sharing(ref.root));
    roots.push_back(ref.root);
    if (llvm::all_of(roots, [&](Value root) {
          return isInside(stretches.ofValue(root), scope);
        }))
      join(result, ref.root);
  }
}

/// Whether `op`, the first to touch a place that `old` is in, leaves it whole:
/// a loop that begins with it there, a copy of it to itself, a map that takes
/// each element before it is written.
bool Places::takesOver(Operation *op, Value root, Value old) const {
  bool takes = true;
  for (auto [i, operand] : llvm::enumerate(op->getOperands())) {
    if (loomt::rootOf(operand) != old)
      continue;
    const Ref ref = Ref::of(operand);
    bool same = ref.root == old && ref.isWhole();
    if (auto begin = dyn_cast<loomt::LoopBeginOp>(op))
      same &= placeOf(begin.getStates()[i]) == placeOf(root);
    else if (auto copy = dyn_cast<loomt::CopyOp>(op))
      same &= copy.getInputs().size() == 1 && !copy.getFill() &&
              operand.getType() == copy.getType() && copy.getOffsets()[0] == 0;
    else
      same &= isa<loomt::MapOp>(op);
    takes &= same;
  }
  return takes;
}

bool Places::mayReplace(Value root, Value old) const {
  SmallVector<Value> roots(sharing(root));
  if (roots.empty())
    roots.push_back(root);
  Operation *first = nullptr;
  for (Value member : roots) {
    Operation *maker = member.getDefiningOp();
    if (isa<loomt::CaseEndOp>(maker))
      maker = stretches.beginOf(maker);
    if (!first || numberOf(maker) < numberOf(first))
      first = maker;
  }
  bool may = true;
  loomt::forEachUse(old, [&](Operation *user, Value) {
    Operation *end = stretches.endFor(user, old);
    const int64_t at = numberOf(end ? end : user);
    may &= at < numberOf(first) ||
           (user == first && !end && takesOver(first, root, old));
  });
  return may;
}

std::vector<Places::Place> Places::ranges() const {
  std::vector<Place> list;
  DenseMap<Value, size_t> index;
  auto add = [&](Value root, int64_t first) {
    auto [it, fresh] = index.try_emplace(placeOf(root), list.size());
    if (fresh)
      list.push_back({placeOf(root), {first, first}});
    Range &range = list[it->second].range;
    range.first = std::min(range.first, first);
    range.last = std::max(range.last, lastUse(root));
  };
  for (Operation &op : block) {
    int64_t first = numberOf(&op);
    if (isa<loomt::CaseEndOp>(op))
      first = numberOf(stretches.beginOf(&op));
    for (Value result : op.getResults())
      if (isOwned(result))
        add(result, first);
  }
  llvm::stable_sort(list, [](const Place &a, const Place &b) {
    return a.range.first < b.range.first;
  });
  return list;
}

//===----------------------------------------------------------------------===//
// Copies that go, and copies that come
//===----------------------------------------------------------------------===//

static Value copyOf(OpBuilder &builder, Value value) {
  auto type = cast<RankedTensorType>(value.getType());
  return loomt::createCopy(builder, value.getLoc(), type, value, {0},
                           {loomt::denseStrides(type.getShape())});
}

/// The root that a copy repeats, if that is all it does.
static Value repeated(loomt::CopyOp copy) {
  if (!copy || copy.getInputs().size() != 1 || copy.getFill() ||
      !copy.getResult().hasOneUse() || copy.getOffsets()[0] != 0)
    return Value();
  const Ref ref = Ref::of(copy.getInputs()[0]);
  auto strides = cast<DenseI64ArrayAttr>(copy.getStrides()[0]).asArrayRef();
  if (!ref.isWhole() || ref.root.getType() != copy.getType() ||
      strides !=
          ArrayRef<int64_t>(loomt::denseStrides(copy.getType().getShape())))
    return Value();
  return ref.root;
}

/// Whether nothing needs the root after the copy, in the loop that both are in.
static bool diesAt(Value root, Operation *copy, const Scopes &scopes) {
  if (!isOwned(root) ||
      Scopes::loopOf(scopes.ofValue(root)) != Scopes::loopOf(scopes.of(copy)))
    return false;
  bool dies = true;
  loomt::forEachUse(root, [&](Operation *user, Value) {
    dies &= user == copy || user->isBeforeInBlock(copy);
  });
  return dies;
}

/// Next values that would be read from the place of a tensor that has got its
/// own by then.
static bool separate(func::FuncOp func) {
  const Places places(func);
  SmallVector<OpOperand *> found;
  for (auto end : func.getOps<loomt::LoopEndOp>()) {
    auto begin = cast<loomt::LoopBeginOp>(places.scopes().beginOf(end));
    auto isAt = [&](Value next, Value state) {
      return places.placeOf(loomt::rootOf(next)) == places.placeOf(state);
    };
    auto stays = [&](Value next, Value state) {
      const Ref ref = Ref::of(next);
      return places.placeOf(ref.root) == places.placeOf(state) && ref.isWhole();
    };
    for (OpOperand &operand : end->getOpOperands())
      if (llvm::any_of(
              llvm::zip(begin.getStates(), end.getNext()), [&](auto pair) {
                auto [state, next] = pair;
                return isAt(operand.get(), state) && !stays(next, state);
              }))
        found.push_back(&operand);
  }
  for (OpOperand *operand : found) {
    OpBuilder builder(operand->getOwner());
    operand->set(copyOf(builder, operand->get()));
  }
  return !found.empty();
}

void mlir::loom::prepareUpdates(func::FuncOp func) {
  {
    const Scopes scopes(func.getBody().front());
    for (auto put : llvm::make_early_inc_range(func.getOps<loomt::PutOp>())) {
      auto copy = put.getTarget().getDefiningOp<loomt::CopyOp>();
      Value root = repeated(copy);
      if (!root || !diesAt(root, copy, scopes))
        continue;
      put.getTargetMutable().assign(root);
      copy.erase();
    }
  }
  while (separate(func))
    ;
}
