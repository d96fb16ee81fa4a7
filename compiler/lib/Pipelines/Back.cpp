// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "loom/Pipelines/Back.h"

#include "loom/Conversion/LoomTToLoom.h"
#include "loom/Conversion/StableHLOToLoomT.h"
#include "loom/Dialect/Loom/Loom.h"
#include "loom/Dialect/LoomT/LoomT.h"
#include "loom/Dialect/StableHLO/Engines.h"
#include "loom/Dialect/StableHLO/StableHLO.h"

#include "mlir/IR/Verifier.h"

using namespace mlir;
using namespace mlir::loom;

void mlir::loom::registerBackDialects(DialectRegistry &registry) {
  registry.insert<func::FuncDialect, stablehlo::StableHLODialect,
                  loomt::LoomTDialect, npu::LoomDialect>();
}

LogicalResult mlir::loom::compileModule(ModuleOp module,
                                        const loom_target &target,
                                        const std::string &entry, Stage stage,
                                        CompiledProgram &out,
                                        const BackOptions &options) {
  MLIRContext *context = module.getContext();
  context->loadDialect<loomt::LoomTDialect, npu::LoomDialect>();
  auto main = module.lookupSymbol<func::FuncOp>("main");
  if (!main)
    return module.emitError() << "has no function 'main'";
  if (stage == Stage::StableHLO)
    return success();
  stablehlo::assignEngines(main.getBody().front(), target.features);
  if (failed(convertStableHLOToLoomT(main)) || failed(verify(module)) ||
      failed(fuseLoomT(main)) || failed(verify(module)) ||
      failed(assignEngines(main, target.features, options.cpuOnly)) ||
      failed(verify(module)))
    return failure();
  if (stage == Stage::LoomT)
    return success();
  if (failed(convertLoomTToLoom(main, target)))
    return failure();
  main = module.lookupSymbol<func::FuncOp>("main");
  if (failed(allocateSram(main, target)) || failed(assignSemaphores(main)) ||
      failed(verifyLoom(main, target)))
    return failure();
  if (stage == Stage::Loom)
    return success();
  return encodeProgram(main, target, entry, out);
}
