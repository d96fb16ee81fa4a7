// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef LOOM_DIALECT_STABLEHLO_PASSES_H
#define LOOM_DIALECT_STABLEHLO_PASSES_H

#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/Pass.h"

#include "loom_target.h"

namespace mlir::loom::stablehlo {
#define GEN_PASS_DECL
#define GEN_PASS_REGISTRATION
#include "loom/Dialect/StableHLO/Passes.h.inc"

/// One thing that cannot be compiled.
struct Unsupported {
  Location loc;
  std::string source;    // "models.py:172:24"
  std::string module;    // "SmallCNN/Dense_1"
  std::string operation; // "stablehlo.sort"
  std::string reason, remedy;
  unsigned count = 1; // how often, on this line for this reason

  /// "models.py:172:24: SmallCNN/Dense_1: stablehlo.sort: reason; remedy"
  std::string message() const;
};

/// Everything in the module that cannot be compiled; equal findings are
/// counted. `features`: the target's. `requireNpu`: what only the CPU engine
/// can run counts, too.
SmallVector<Unsupported> findUnsupported(ModuleOp module, uint64_t features,
                                         bool requireNpu = false);

/// Reports findUnsupported() as one error with a note each.
LogicalResult checkLegality(ModuleOp module,
                            uint64_t features = LOOM_FEATURES_IMPLEMENTED,
                            bool requireNpu = false);
} // namespace mlir::loom::stablehlo

#endif // LOOM_DIALECT_STABLEHLO_PASSES_H
