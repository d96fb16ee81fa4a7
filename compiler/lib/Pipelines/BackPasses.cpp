// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The steps of the back half as passes, so that loom-opt reaches each.

#include "loom/Pipelines/Back.h"

#include "loom/Conversion/LoomTToLoom.h"
#include "loom/Conversion/StableHLOToLoomT.h"
#include "loom/Dialect/Loom/Loom.h"
#include "loom/Dialect/LoomT/LoomT.h"
#include "loom/Dialect/StableHLO/Engines.h"
#include "loom/Target/Program/Targets.h"

#include "mlir/Pass/Pass.h"

using namespace mlir;
using namespace mlir::loom;

namespace {
/// A pass over the module's functions, with a target by name.
template <typename Self>
struct FunctionPass : PassWrapper<Self, OperationPass<ModuleOp>> {
  using Base = FunctionPass;
  FunctionPass() = default;
  FunctionPass(const FunctionPass &other)
      : PassWrapper<Self, OperationPass<ModuleOp>>(other) {
    targetName = other.targetName;
  }
  Pass::Option<std::string> targetName{
      *this, "target", llvm::cl::desc("named target, e.g. npu16"),
      llvm::cl::init(LOOM_DEFAULT_TARGET)};

  void getDependentDialects(DialectRegistry &registry) const override {
    registry.insert<loomt::LoomTDialect, npu::LoomDialect>();
  }
  void runOnOperation() override {
    ModuleOp module = this->getOperation();
    loom_target target;
    if (!program::namedTarget(targetName, target)) {
      module.emitError() << "no target is called '" << targetName
                         << "'; there are " << program::targetNames();
      return this->signalPassFailure();
    }
    SmallVector<func::FuncOp> funcs(module.getOps<func::FuncOp>());
    for (func::FuncOp func : funcs)
      if (failed(Self::apply(func, target)))
        return this->signalPassFailure();
  }
};

#define LOOM_BACK_PASS(Class, argument, summary, body)                         \
  struct Class : FunctionPass<Class> {                                         \
    MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(Class)                        \
    StringRef getArgument() const override { return argument; }                \
    StringRef getDescription() const override { return summary; }              \
    static LogicalResult apply(func::FuncOp func, const loom_target &target) { \
      return body;                                                             \
    }                                                                          \
  };

static LogicalResult assignEngines(func::FuncOp func,
                                   const loom_target &target) {
  stablehlo::assignEngines(func.getBody().front(), target.features);
  stablehlo::scheduleControl(func.getBody().front());
  return success();
}

LOOM_BACK_PASS(AssignEngine, "loom-assign-engine",
               "mark what the CPU engine runs, and why",
               assignEngines(func, target))
LOOM_BACK_PASS(ToLoomT, "loom-convert-stablehlo-to-loomt",
               "stablehlo to structural operations",
               convertStableHLOToLoomT(func))
LOOM_BACK_PASS(FuseLoomT, "loom-fuse-loomt",
               "fold constants, fuse scalar programs and epilogues",
               fuseLoomT(func))
LOOM_BACK_PASS(OrderEngines, "loom-order-engines",
               "move to the CPU engine what the target lacks, and put what one "
               "engine runs together",
               mlir::loom::assignEngines(func, target.features))
LOOM_BACK_PASS(ToLoom, "loom-convert-loomt-to-loom",
               "tiles and records for a target",
               convertLoomTToLoom(func, target))
LOOM_BACK_PASS(AllocateSram, "loom-allocate-sram", "give buffers their offsets",
               allocateSram(func, target))
LOOM_BACK_PASS(Semaphores, "loom-assign-semaphores",
               "order the queues by waits and signals", assignSemaphores(func))
LOOM_BACK_PASS(VerifyRecords, "loom-verify-records",
               "judge bounds, rights and order of the records",
               verifyLoom(func, target))
#undef LOOM_BACK_PASS
} // namespace

void mlir::loom::registerBackPasses() {
  PassRegistration<AssignEngine>();
  PassRegistration<ToLoomT>();
  PassRegistration<FuseLoomT>();
  PassRegistration<OrderEngines>();
  PassRegistration<ToLoom>();
  PassRegistration<AllocateSram>();
  PassRegistration<Semaphores>();
  PassRegistration<VerifyRecords>();
}
