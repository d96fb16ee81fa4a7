// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The back half as one call, and as passes for loom-opt.

#ifndef LOOM_PIPELINES_BACK_H
#define LOOM_PIPELINES_BACK_H

#include "loom/Target/Encoder.h"

#include "mlir/IR/BuiltinOps.h"

namespace mlir::loom {

/// Where compileModule() may stop.
enum class Stage { StableHLO, LoomT, Loom, Program };

struct BackOptions {
  /// Everything runs on the CPU engine: for comparing engines.
  bool cpuOnly = false;
};

void registerBackDialects(DialectRegistry &registry);

struct EntryModule {
  std::string name; // of the entry point
  ModuleOp module;
};

/// Rewrites the function `main` of each module as far as `stage` and makes one
/// program of them. `out` has one report for each; `file`, filled at
/// Stage::Program, names constants of the modules, which must outlive it.
/// Problems are diagnostics.
LogicalResult compileEntries(ArrayRef<EntryModule> entries,
                             const loom_target &target, Stage stage,
                             std::vector<CompiledProgram> &out,
                             program::Image &file,
                             const BackOptions &options = {});

/// Rewrites the module's function `main` as far as `stage`, with a verifier
/// after every level. `out` is filled at Stage::Program. Problems are
/// diagnostics.
LogicalResult compileModule(ModuleOp module, const loom_target &target,
                            const std::string &entry, Stage stage,
                            CompiledProgram &out,
                            const BackOptions &options = {});

/// loom-assign-engine, loom-convert-stablehlo-to-loomt, loom-fuse-loomt,
/// loom-order-engines,
/// loom-convert-loomt-to-loom, loom-allocate-sram, loom-assign-semaphores,
/// loom-verify-records.
void registerBackPasses();

} // namespace mlir::loom

#endif // LOOM_PIPELINES_BACK_H
