// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Arguments and results of main, and which of them share memory.

#ifndef LOOM_LIB_CAPI_SIGNATURE_H
#define LOOM_LIB_CAPI_SIGNATURE_H

#include "loom/Pipelines/Import.h"
#include "loom/compile.h"

#include "loom_program.h"

#include <string>
#include <vector>

namespace mlir::loom {

/// Arguments and results in their order; names point into `names`.
struct Signature {
  std::vector<loom_value> arguments, results;
  std::vector<std::unique_ptr<std::string>> names;
};

/// Types and donations, as the caller sees them: before importModule().
LogicalResult readSignature(ModuleOp module, Signature &signature,
                            const DiagnosticSink &sink);

/// After importModule(): takes results away that are arguments, or results
/// already there, and lets results take the place of donated arguments.
void shareResults(ModuleOp module, Signature &signature);

/// Names, which importModule() has found.
void nameValues(ModuleOp module, Signature &signature);

/// True if a result is left that something must compute.
bool hasWork(ModuleOp module);

/// Slots of the finished program's only entry point.
void findSlots(const std::vector<uint8_t> &program, Signature &signature);

} // namespace mlir::loom

#endif // LOOM_LIB_CAPI_SIGNATURE_H
