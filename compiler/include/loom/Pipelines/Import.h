// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The front half as one call: a bundle's entry point, or a bare artifact, as
// one flat function in `stablehlo`.

#ifndef LOOM_PIPELINES_IMPORT_H
#define LOOM_PIPELINES_IMPORT_H

#include "loom/Frontend/Bundle.h"
#include "loom_target.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"
#include "mlir/Pass/PassManager.h"
#include "llvm/Support/MemoryBuffer.h"

#include <functional>

namespace mlir::loom {

/// Receives one finished message a problem; notes come as messages of their
/// own.
using DiagnosticSink = std::function<void(llvm::StringRef)>;

struct ImportOptions {
  /// Replace arguments of role "param" by their values; otherwise they stay.
  bool bindParameters = true;
  /// Refuse what the rest of the compiler does not take.
  bool checkLegality = true;
  /// What the target has, for that check.
  uint64_t features = LOOM_FEATURES_IMPLEMENTED;
  /// Write out every loop, also those that the machine can run.
  bool unroll = false;
  /// Refuse also what the CPU engine would run.
  bool requireNpu = false;
};

/// Registers the dialects that import makes.
void registerFrontDialects(DialectRegistry &registry);

/// The passes from stablehlo with calls to stablehlo without: inline, CSE,
/// canonicalise, drop identities. loom-opt knows it as loom-front-pipeline.
void buildFrontPipeline(OpPassManager &passes,
                        uint64_t features = LOOM_FEATURES_IMPLEMENTED,
                        bool unroll = false);
void registerFrontPipelines();

/// One module with one function `main`. Arguments carry `loom.name` (pytree
/// path), `loom.role` (param, state, rng, input), `loom.index` (position in
/// model.json) and, if donated, `tf.aliasing_output`; results carry
/// `loom.name`, `loom.role`; state of either has `loom.init` unless it begins
/// as zeros. Parameters are `stablehlo.constant`s over the
/// mapped file; a constant that was an argument has `loom.name` too. Null after
/// an error, which went to `sink`.
OwningOpRef<ModuleOp> importBundleEntry(MLIRContext &context,
                                        const Bundle &bundle,
                                        llvm::StringRef entry,
                                        const DiagnosticSink &sink,
                                        const ImportOptions &options = {});

/// The same for an artifact without a bundle: names come from argument
/// locations and jax.result_info, every role is "input" or "output".
OwningOpRef<ModuleOp> importArtifact(MLIRContext &context, llvm::StringRef path,
                                     const DiagnosticSink &sink,
                                     const ImportOptions &options = {});

/// The same in two steps, from memory. Reads an artifact that is called `name`
/// in messages, as stablehlo with calls; null after an error.
OwningOpRef<ModuleOp> readArtifact(MLIRContext &context,
                                   std::shared_ptr<llvm::MemoryBuffer> bytes,
                                   llvm::StringRef name,
                                   const DiagnosticSink &sink);

/// Makes of what readArtifact() gave what importArtifact() gives.
LogicalResult importModule(ModuleOp module, llvm::StringRef name,
                           const DiagnosticSink &sink,
                           const ImportOptions &options = {});

} // namespace mlir::loom

#endif // LOOM_PIPELINES_IMPORT_H
