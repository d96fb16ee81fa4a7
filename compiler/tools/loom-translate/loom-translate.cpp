// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Files of other kinds into MLIR text.

#include "loom/Dialect/StableHLO/StableHLO.h"
#include "loom/Frontend/VHLO.h"

#include "mlir/Tools/mlir-translate/MlirTranslateMain.h"
#include "mlir/Tools/mlir-translate/Translation.h"
#include "llvm/Support/SourceMgr.h"

using namespace mlir;
using namespace mlir::loom;

static OwningOpRef<Operation *> importVHLO(llvm::SourceMgr &sources,
                                           MLIRContext *context) {
  const llvm::MemoryBuffer *main =
      sources.getMemoryBuffer(sources.getMainFileID());
  std::shared_ptr<llvm::MemoryBuffer> copy =
      llvm::MemoryBuffer::getMemBufferCopy(main->getBuffer());
  llvm::Expected<OwningOpRef<ModuleOp>> module =
      readVHLO(*context, copy, main->getBufferIdentifier());
  if (!module) {
    emitError(UnknownLoc::get(context)) << llvm::toString(module.takeError());
    return {};
  }
  return OwningOpRef<Operation *>(module->release());
}

int main(int argc, char **argv) {
  TranslateToMLIRRegistration vhlo(
      "import-vhlo", "read a StableHLO portable artifact", importVHLO,
      [](DialectRegistry &registry) { registry.insert<VHLODialect>(); });
  return failed(mlirTranslateMain(argc, argv, "Loom translation driver\n"));
}
