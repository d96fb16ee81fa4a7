// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "loom/Pipelines/Back.h"

#include "loom/Conversion/LoomTToLoom.h"
#include "loom/Conversion/StableHLOToLoomT.h"
#include "loom/Dialect/Loom/Loom.h"
#include "loom/Dialect/LoomT/LoomT.h"
#include "loom/Dialect/StableHLO/Engines.h"
#include "loom/Dialect/StableHLO/StableHLO.h"

#include "loom_isa.h"

#include "mlir/IR/Verifier.h"

using namespace mlir;
using namespace mlir::loom;

void mlir::loom::registerBackDialects(DialectRegistry &registry) {
  registry.insert<func::FuncDialect, stablehlo::StableHLODialect,
                  loomt::LoomTDialect, npu::LoomDialect>();
}

/// Rewrites `main` as far as `stage`, at most to records.
static LogicalResult lowerModule(ModuleOp module, const loom_target &target,
                                 Stage stage, const BackOptions &options) {
  MLIRContext *context = module.getContext();
  context->loadDialect<loomt::LoomTDialect, npu::LoomDialect>();
  auto main = module.lookupSymbol<func::FuncOp>("main");
  if (!main)
    return module.emitError() << "has no function 'main'";
  if (stage == Stage::StableHLO)
    return success();
  // Slices and updates at run-time places, loops and sorts are the NPU's, or
  // CPU operations from here on.
  const uint64_t without =
      options.cpuOnly ? 1ull << LOOM_FEAT_REG | 1ull << LOOM_FEAT_VPU : 0;
  stablehlo::assignEngines(main.getBody().front(), target.features & ~without);
  stablehlo::scheduleControl(main.getBody().front());
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
  return success(succeeded(allocateSram(main, target)) &&
                 succeeded(assignSemaphores(main)) &&
                 succeeded(verifyLoom(main, target)));
}

LogicalResult mlir::loom::compileEntries(ArrayRef<EntryModule> entries,
                                         const loom_target &target, Stage stage,
                                         std::vector<CompiledProgram> &out,
                                         program::Image &file,
                                         const BackOptions &options) {
  std::vector<EntryFunction> functions;
  for (EntryModule entry : entries) {
    if (failed(lowerModule(entry.module, target, stage, options)))
      return entries.size() == 1
                 ? failure()
                 : LogicalResult(entry.module.emitError()
                                 << "entry point '" << entry.name
                                 << "' does not compile; choose others, or "
                                    "export the bundle without it");
    functions.push_back(
        {entry.name, entry.module.lookupSymbol<func::FuncOp>("main")});
  }
  out.clear();
  out.resize(entries.size());
  if (stage != Stage::Program)
    return success();
  return encodeEntries(functions, target, out, file);
}

LogicalResult mlir::loom::compileModule(ModuleOp module,
                                        const loom_target &target,
                                        const std::string &entry, Stage stage,
                                        CompiledProgram &out,
                                        const BackOptions &options) {
  std::vector<CompiledProgram> reports;
  program::Image file;
  if (failed(compileEntries(EntryModule{entry, module}, target, stage, reports,
                            file, options)))
    return failure();
  out = std::move(reports.front());
  out.file = std::move(file);
  return success();
}
