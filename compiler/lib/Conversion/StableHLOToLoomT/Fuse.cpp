// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Rewrites on loomt: constants, scalar programs into each other, and what
// leaves with a product. Those that change a bit are in Epilogue.cpp, and see
// no target.

#include "loom/Conversion/StableHLOToLoomT.h"

#include "Constants.h"
#include "DropDead.h"
#include "Epilogue.h"
#include "loom/Dialect/LoomT/Scopes.h"

#include "loom_isa.h"

using namespace mlir;
using namespace mlir::loom;
using loomt::Program;
using loomt::Ref;
using loomt::Scopes;

//===----------------------------------------------------------------------===//
// Scalar programs into each other
//===----------------------------------------------------------------------===//

/// `outer` names elements of a dense tensor; `inner` gives that tensor's
/// elements (same shape). The reference that names inner's elements directly.
static std::optional<Ref> compose(const Ref &outer, const Ref &inner) {
  if (outer.isWhole())
    if (std::optional<Ref> same = inner.reshaped(outer.shape))
      return same;
  const size_t rank = inner.shape.size();
  SmallVector<int64_t> dense = loomt::denseStrides(inner.shape);
  auto split = [&](int64_t flat) {
    SmallVector<int64_t> index(rank);
    int64_t left = std::abs(flat);
    for (size_t d = 0; d < rank; ++d) {
      index[d] = left / dense[d] * (flat < 0 ? -1 : 1);
      left %= dense[d];
    }
    return index;
  };
  SmallVector<int64_t> lo = split(outer.offset), hi = lo;
  Ref result{inner.root, inner.offset, outer.shape, {}};
  for (size_t d = 0; d < rank; ++d)
    result.offset += lo[d] * inner.strides[d];
  for (auto [n, stride] : llvm::zip(outer.shape, outer.strides)) {
    SmallVector<int64_t> step = split(stride);
    int64_t composed = 0;
    for (size_t d = 0; d < rank; ++d) {
      (step[d] < 0 ? lo : hi)[d] += (n - 1) * step[d];
      composed += step[d] * inner.strides[d];
    }
    result.strides.push_back(composed);
  }
  for (size_t d = 0; d < rank; ++d)
    if (lo[d] < 0 || hi[d] >= inner.shape[d])
      return std::nullopt;
  return result;
}

static bool sameRef(const Ref &a, const Ref &b) {
  return a.root == b.root && a.offset == b.offset && a.strides == b.strides;
}

/// The map behind operand i, if this is its only use. What stands before a loop
/// is not computed again in each iteration.
static loomt::MapOp soleProducer(Value input, Operation *user,
                                 const Scopes &scopes) {
  Value root = input;
  if (auto view = input.getDefiningOp<loomt::ViewOp>()) {
    if (!view.getResult().hasOneUse())
      return nullptr;
    root = view.getRoot();
  }
  auto map = root.getDefiningOp<loomt::MapOp>();
  if (!map || !root.hasOneUse() ||
      Scopes::loopOf(scopes.of(map)) != Scopes::loopOf(scopes.of(user)))
    return nullptr;
  return map;
}

/// Pulls the producer of operand `at` into the consumer's program. New inputs
/// and program, or nothing.
static bool pull(Operation *op, ValueRange inputs, const Program &consumer,
                 size_t at, const Scopes &scopes, SmallVectorImpl<Ref> &refs,
                 Program &merged) {
  loomt::MapOp producer = soleProducer(inputs[at], op, scopes);
  if (!producer)
    return false;
  Ref outer = Ref::of(inputs[at]);
  int64_t count = 1;
  for (int64_t n : outer.shape)
    count *= n;
  if (count > producer.getType().getNumElements())
    return false;
  auto addInput = [&](const Ref &ref) -> int32_t {
    for (auto [i, have] : llvm::enumerate(refs))
      if (sameRef(have, ref))
        return i;
    refs.push_back(ref);
    return refs.size() - 1;
  };
  SmallVector<int32_t> fromProducer, fromConsumer;
  for (Value input : producer.getInputs()) {
    std::optional<Ref> ref = compose(outer, Ref::of(input));
    if (!ref)
      return false;
    fromProducer.push_back(addInput(*ref));
  }
  for (auto [i, input] : llvm::enumerate(inputs))
    fromConsumer.push_back(i == at ? -1 : addInput(Ref::of(input)));
  Program first(producer.getProgram(), producer.getImms());
  auto append = [&](const Program &part, ArrayRef<int32_t> inputMap,
                    int32_t replaced) {
    SmallVector<int32_t> moved;
    auto operand = [&](int32_t v) {
      return v >= 0 ? moved[v] : merged.imm(part.imms[-1 - v]);
    };
    for (const Program::Op &op : part.ops) {
      if (op.op == LOOM_UOP_LOAD) {
        const int32_t input = inputMap[op.a];
        moved.push_back(input < 0 ? replaced : merged.load(input));
        continue;
      }
      const int n = Program::operands(op.op);
      const int32_t a = n > 0 ? operand(op.a) : 0,
                    b = n > 1 ? operand(op.b) : 0,
                    c = n > 2 ? operand(op.c) : 0;
      moved.push_back(merged.emit(op.op, a, b, c));
    }
    return moved.back();
  };
  const int32_t value = append(first, fromProducer, 0);
  const int32_t result = append(consumer, fromConsumer, value);
  if (result != int32_t(merged.ops.size()) - 1)
    merged.emit(LOOM_UOP_MOV, result);
  return merged.fits(refs.size());
}

template <typename OpT> static OpT fuseProducers(OpT op, const Scopes &scopes) {
  for (size_t i = 0; i < op.getInputs().size();) {
    SmallVector<Ref> refs;
    Program merged;
    if (!pull(op, op.getInputs(), Program(op.getProgram(), op.getImms()), i,
              scopes, refs, merged)) {
      ++i;
      continue;
    }
    OpBuilder builder(op);
    SmallVector<Value> inputs;
    for (const Ref &ref : refs)
      inputs.push_back(ref.materialiseView(builder, op.getLoc()));
    Operation *view = op.getInputs()[i].getDefiningOp();
    op.getInputsMutable().assign(inputs);
    op.setProgram(merged.words());
    op.setImms(merged.imms);
    // The old view and map are unused now.
    Operation *producer = view;
    if (auto v = dyn_cast<loomt::ViewOp>(view)) {
      producer = v.getRoot().getDefiningOp();
      v.erase();
    }
    producer->erase();
    i = 0;
  }
  return op;
}

/// The map that alone uses a product's result, perhaps through one view.
static loomt::MapOp soleMap(Operation *product) {
  Value value = product->getResult(0);
  if (!value.hasOneUse())
    return nullptr;
  Operation *user = *value.user_begin();
  if (auto view = dyn_cast<loomt::ViewOp>(user)) {
    if (!view.getResult().hasOneUse())
      return nullptr;
    user = *view.getResult().user_begin();
  }
  return dyn_cast<loomt::MapOp>(user);
}

/// A root with a view's elements in order.
static Value denseRoot(OpBuilder &builder, Value view) {
  Ref ref = Ref::of(view);
  if (ref.isWhole())
    return ref.root;
  auto type = cast<RankedTensorType>(view.getType());
  return loomt::createCopy(builder, view.getLoc(), type, view, {0},
                           {loomt::denseStrides(type.getShape())});
}

/// A view whose root was replaced by a view: a view of the first root again.
static void flattenViews(func::FuncOp func) {
  for (auto at : func.getOps<loomt::AtOp>())
    if (at.getRoot().getDefiningOp<loomt::ViewOp>()) {
      OpBuilder builder(at);
      at.getRootMutable().assign(denseRoot(builder, at.getRoot()));
    }
  for (auto view : llvm::make_early_inc_range(func.getOps<loomt::ViewOp>())) {
    auto inner = view.getRoot().getDefiningOp<loomt::ViewOp>();
    if (!inner)
      continue;
    OpBuilder builder(view);
    std::optional<Ref> ref = compose(Ref::of(view), Ref::of(inner));
    Ref result;
    if (ref) {
      result = *ref;
    } else {
      result = Ref::of(view);
      result.root = denseRoot(builder, inner);
    }
    view.getResult().replaceAllUsesWith(
        result.materialiseView(builder, view.getLoc()));
    view.erase();
  }
}

template <typename OpT> static void fuseAll(func::FuncOp func) {
  const Scopes scopes(func.getBody().front());
  for (auto op : llvm::make_early_inc_range(func.getOps<OpT>()))
    fuseProducers(op, scopes);
  dropDead(func);
}

/// What leaves with a product, in the stretch that the product stands in.
static void fuseEpilogues(func::FuncOp func) {
  const Scopes scopes(func.getBody().front());
  SmallVector<Operation *> products;
  for (Operation &op : func.getBody().front())
    if (isa<loomt::ConvOp, loomt::ContractOp>(op))
      products.push_back(&op);
  for (Operation *product : products)
    if (loomt::MapOp map = soleMap(product);
        map && scopes.of(map) == scopes.of(product))
      fuseEpilogue(product, map);
}

LogicalResult mlir::loom::fuseLoomT(func::FuncOp func) {
  foldConstantMaps(func);
  dropDead(func);
  fuseAll<loomt::MapOp>(func);
  fuseEpilogues(func);
  flattenViews(func);
  dropDead(func);
  fuseAll<loomt::MapOp>(func);
  fuseAll<loomt::ReduceOp>(func);
  return success();
}
