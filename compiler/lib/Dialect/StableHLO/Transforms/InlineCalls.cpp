// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// MLIR's inliner decides call by call and lets recursion be. Here everything is
// inlined or the program is refused, and its growth is known before it happens.

#include "loom/Dialect/StableHLO/Passes.h"
#include "loom/Dialect/StableHLO/StableHLO.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/IRMapping.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/MathExtras.h"

namespace mlir::loom::stablehlo {
#define GEN_PASS_DEF_INLINECALLS
#include "loom/Dialect/StableHLO/Passes.h.inc"
} // namespace mlir::loom::stablehlo

using namespace mlir;
using namespace mlir::loom;

namespace {
class Inliner {
public:
  Inliner(ModuleOp module, const llvm::StringSet<> &kept, uint64_t limit)
      : symbols(module), kept(kept), limit(limit) {}

  /// Inlines everything `func` calls, callees first.
  LogicalResult run(func::FuncOp func);

private:
  /// The symbol an operation calls; empty when it calls none.
  StringRef calleeOf(Operation *op);
  LogicalResult resolve(Operation *op, func::FuncOp &callee);
  void replace(Operation *call, func::FuncOp callee);

  enum class State { Open, Done };
  SymbolTable symbols;
  const llvm::StringSet<> &kept;
  uint64_t limit;
  DenseMap<Operation *, State> states;
  DenseMap<Operation *, uint64_t> sizes;
};
} // namespace

StringRef Inliner::calleeOf(Operation *op) {
  if (auto call = dyn_cast<func::CallOp>(op))
    return call.getCallee();
  auto composite = dyn_cast<stablehlo::CompositeOp>(op);
  if (composite && !kept.contains(composite.getName()))
    return composite.getDecomposition();
  return {};
}

LogicalResult Inliner::resolve(Operation *op, func::FuncOp &callee) {
  StringRef name = calleeOf(op);
  callee = symbols.lookup<func::FuncOp>(name);
  if (!callee || callee.isExternal())
    return op->emitError() << "calls '" << name
                           << "', which the module does not define";
  auto type = callee.getFunctionType();
  if (type.getInputs() != op->getOperandTypes() ||
      type.getResults() != op->getResultTypes())
    return op->emitError() << "calls '" << name
                           << "' with types that are not its own";
  return success();
}

void Inliner::replace(Operation *call, func::FuncOp callee) {
  Block &body = callee.getBody().front();
  IRMapping mapping;
  mapping.map(body.getArguments(), call->getOperands());
  OpBuilder builder(call);
  for (Operation &op : body.without_terminator()) {
    Operation *copy = builder.clone(op, mapping);
    copy->walk([&](Operation *inner) {
      inner->setLoc(CallSiteLoc::get(inner->getLoc(), call->getLoc()));
    });
  }
  for (auto [result, value] :
       llvm::zip(call->getResults(), body.getTerminator()->getOperands()))
    result.replaceAllUsesWith(mapping.lookupOrDefault(value));
  call->erase();
}

LogicalResult Inliner::run(func::FuncOp func) {
  states[func] = State::Open;
  SmallVector<std::pair<Operation *, func::FuncOp>> calls;
  uint64_t size = 0;
  WalkResult result = func.walk([&](Operation *op) {
    ++size;
    if (calleeOf(op).empty())
      return WalkResult::advance();
    func::FuncOp callee;
    if (failed(resolve(op, callee)))
      return WalkResult::interrupt();
    auto state = states.find(callee);
    if (state != states.end() && state->second == State::Open) {
      op->emitError() << "calls '" << callee.getName()
                      << "', which calls itself; Loom compiles programs "
                         "without recursion";
      return WalkResult::interrupt();
    }
    if (state == states.end() && failed(run(callee)))
      return WalkResult::interrupt();
    size = llvm::SaturatingAdd(size, sizes.lookup(callee));
    calls.push_back({op, callee});
    return WalkResult::advance();
  });
  if (result.wasInterrupted())
    return failure();
  if (size > limit)
    return func.emitError() << "has more than " << limit
                            << " operations after inlining; split the model "
                               "into several entry points";
  for (auto [op, callee] : calls)
    replace(op, callee);
  sizes[func] = size;
  states[func] = State::Done;
  return success();
}

namespace {
struct InlineCallsPass : stablehlo::impl::InlineCallsBase<InlineCallsPass> {
  using InlineCallsBase::InlineCallsBase;

  void runOnOperation() override {
    llvm::StringSet<> kept;
    for (const std::string &name : keepComposites)
      kept.insert(name);
    ModuleOp module = getOperation();
    Inliner inliner(module, kept, maxOperations);
    for (auto func : module.getOps<func::FuncOp>())
      if (func.isPublic() && !func.isExternal() && failed(inliner.run(func)))
        return signalPassFailure();
    llvm::StringSet<> used;
    module.walk(
        [&](stablehlo::CompositeOp op) { used.insert(op.getDecomposition()); });
    for (auto func : llvm::make_early_inc_range(module.getOps<func::FuncOp>()))
      if (!func.isPublic() && !used.contains(func.getName()))
        func.erase();
  }
};
} // namespace
