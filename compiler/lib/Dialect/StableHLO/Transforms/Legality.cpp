// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The list of everything in a program that no engine runs.

#include "loom/Dialect/StableHLO/Engines.h"
#include "loom/Dialect/StableHLO/Passes.h"
#include "loom/Dialect/StableHLO/StableHLO.h"
#include "loom/Frontend/SourceNames.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/MapVector.h"

namespace mlir::loom::stablehlo {
#define GEN_PASS_DEF_CHECKLEGALITY
#include "loom/Dialect/StableHLO/Passes.h.inc"
} // namespace mlir::loom::stablehlo

using namespace mlir;
using namespace mlir::loom;
using namespace mlir::loom::stablehlo;

namespace {
class LegalityChecker {
public:
  LegalityChecker(uint64_t features, bool requireNpu)
      : features(features), requireNpu(requireNpu) {}
  void check(func::FuncOp func);
  SmallVector<Unsupported> take() {
    SmallVector<Unsupported> list;
    for (auto &entry : found)
      list.push_back(std::move(entry.second));
    return list;
  }

private:
  void checkOp(Operation *op);
  void add(Location loc, StringRef operation, const Refusal &why);

  const uint64_t features;
  const bool requireNpu;
  llvm::MapVector<std::string, Unsupported, std::map<std::string, unsigned>>
      found;
};

} // namespace

void LegalityChecker::add(Location loc, StringRef operation,
                          const Refusal &why) {
  Unsupported item{
      loc,        sourceLine(loc), modulePath(loc), operation.str(),
      why.reason, why.remedy};
  auto [at, isNew] = found.insert({item.message(), item});
  if (!isNew)
    ++at->second.count;
}

void LegalityChecker::checkOp(Operation *op) {
  if (auto found = refusal(op, features, requireNpu && !isFree(op)))
    add(op->getLoc(), op->getName().getStringRef(), *found);
}

void LegalityChecker::check(func::FuncOp func) {
  for (auto [index, argument] : llvm::enumerate(func.getArguments())) {
    auto name = func.getArgAttrOfType<StringAttr>(index, "loom.name");
    std::string what = "argument " + std::to_string(index);
    if (name)
      what += " ('" + name.getValue().str() + "')";
    if (func.getArgAttr(index, "jax.global_constant")) {
      add(argument.getLoc(), "main",
          {what + " is the platform's number: the export is for several "
                  "platforms",
           "export for platform 'loom' alone"});
      continue;
    }
    if (auto found = typeRefusal(argument.getType(), what))
      add(argument.getLoc(), func.getName(), *found);
  }
  // Bodies of reductions and the like are judged with the operation they are
  // in; those of loops and branches are programs like any other.
  func.walk<WalkOrder::PreOrder>([&](Operation *op) {
    if (op == func.getOperation() ||
        isa<func::ReturnOp, stablehlo::ReturnOp>(op))
      return WalkResult::advance();
    checkOp(op);
    return op->getNumRegions() && !isa<WhileOp, CaseOp, IfOp>(op)
               ? WalkResult::skip()
               : WalkResult::advance();
  });
}

std::string Unsupported::message() const {
  std::string result;
  for (StringRef part : {StringRef(source), StringRef(module)})
    if (!part.empty())
      result += part.str() + ": ";
  return result + operation + ": " + reason + "; " + remedy;
}

SmallVector<Unsupported> stablehlo::findUnsupported(ModuleOp module,
                                                    uint64_t features,
                                                    bool requireNpu) {
  LegalityChecker checker(features, requireNpu);
  for (auto func : module.getOps<func::FuncOp>())
    checker.check(func);
  return checker.take();
}

LogicalResult stablehlo::checkLegality(ModuleOp module, uint64_t features,
                                       bool requireNpu) {
  SmallVector<Unsupported> list = findUnsupported(module, features, requireNpu);
  if (list.empty())
    return success();
  InFlightDiagnostic error = emitError(module.getLoc())
                             << list.size()
                             << (list.size() == 1 ? " thing" : " things")
                             << " in this program cannot be compiled";
  for (const Unsupported &item : list) {
    Diagnostic &note = error.attachNote(item.loc);
    note << item.message();
    if (item.count > 1)
      note << " (" << item.count << " times)";
  }
  return error;
}

namespace {
struct CheckLegalityPass
    : stablehlo::impl::CheckLegalityBase<CheckLegalityPass> {
  using CheckLegalityBase::CheckLegalityBase;

  void runOnOperation() override {
    if (failed(stablehlo::checkLegality(getOperation(), features, requireNpu)))
      signalPassFailure();
  }
};
} // namespace
