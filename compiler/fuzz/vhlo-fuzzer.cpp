// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Any bytes: an error or a module, and of the module a conversion or an error.

#include "loom/Conversion/VHLOToStableHLO/Passes.h"
#include "loom/Frontend/VHLO.h"

#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/Pass/PassManager.h"

using namespace mlir;
using namespace mlir::loom;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  MLIRContext context(MLIRContext::Threading::DISABLED);
  ScopedDiagnosticHandler quiet(&context,
                                [](Diagnostic &) { return success(); });
  std::shared_ptr<llvm::MemoryBuffer> buffer =
      llvm::MemoryBuffer::getMemBufferCopy(
          StringRef(reinterpret_cast<const char *>(data), size));
  llvm::Expected<OwningOpRef<ModuleOp>> module =
      readVHLO(context, buffer, "fuzz");
  if (!module) {
    // An error without a place would be of no use to anybody.
    std::string message = llvm::toString(module.takeError());
    if (!StringRef(message).starts_with("fuzz: offset "))
      __builtin_trap();
    return 0;
  }
  PassManager passes(&context);
  passes.addPass(createConvertVHLOToStableHLO());
  (void)passes.run(**module);
  return 0;
}
