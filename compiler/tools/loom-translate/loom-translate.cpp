// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Artifacts and bundles into MLIR text:
//   loom-translate --import-vhlo model.vhlo.bc      versioned operations
//   loom-translate --import-artifact model.vhlo.bc  flat stablehlo
//   loom-translate --import-bundle DIR/model.json --entry __call__

#include "loom/Frontend/VHLO.h"
#include "loom/Pipelines/Import.h"

#include "mlir/Tools/mlir-translate/MlirTranslateMain.h"
#include "mlir/Tools/mlir-translate/Translation.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/SourceMgr.h"

using namespace mlir;
using namespace mlir::loom;

static llvm::cl::opt<std::string>
    entryName("entry", llvm::cl::desc("entry point of the bundle"),
              llvm::cl::init("__call__"));
static llvm::cl::opt<bool>
    keepParameters("keep-parameters",
                   llvm::cl::desc("leave parameters as arguments"));
static llvm::cl::opt<bool>
    anyOperation("any-operation",
                 llvm::cl::desc("let through what cannot be compiled"));

static llvm::cl::opt<bool>
    requireNpu("require-npu",
               llvm::cl::desc("refuse what only the CPU engine can run"));

static void toStderr(llvm::StringRef message) {
  llvm::errs() << "error: " << message << "\n";
}

static const llvm::MemoryBuffer *mainBuffer(llvm::SourceMgr &sources) {
  return sources.getMemoryBuffer(sources.getMainFileID());
}

static ImportOptions options() {
  ImportOptions result;
  result.bindParameters = !keepParameters;
  result.checkLegality = !anyOperation;
  result.requireNpu = requireNpu;
  return result;
}

static OwningOpRef<Operation *> importVHLO(llvm::SourceMgr &sources,
                                           MLIRContext *context) {
  const llvm::MemoryBuffer *main = mainBuffer(sources);
  std::shared_ptr<llvm::MemoryBuffer> copy =
      llvm::MemoryBuffer::getMemBufferCopy(main->getBuffer());
  llvm::Expected<OwningOpRef<ModuleOp>> module =
      readVHLO(*context, copy, main->getBufferIdentifier());
  if (module)
    return OwningOpRef<Operation *>(module->release());
  toStderr(llvm::toString(module.takeError()));
  return {};
}

static OwningOpRef<Operation *> importFile(llvm::SourceMgr &sources,
                                           MLIRContext *context) {
  OwningOpRef<ModuleOp> module =
      importArtifact(*context, mainBuffer(sources)->getBufferIdentifier(),
                     toStderr, options());
  return OwningOpRef<Operation *>(module.release());
}

static OwningOpRef<Operation *> importBundle(llvm::SourceMgr &sources,
                                             MLIRContext *context) {
  llvm::Expected<Bundle> bundle =
      Bundle::open(mainBuffer(sources)->getBufferIdentifier());
  if (!bundle) {
    toStderr(llvm::toString(bundle.takeError()));
    return {};
  }
  OwningOpRef<ModuleOp> module =
      importBundleEntry(*context, *bundle, entryName, toStderr, options());
  return OwningOpRef<Operation *>(module.release());
}

int main(int argc, char **argv) {
  TranslateToMLIRRegistration vhlo("import-vhlo",
                                   "read a StableHLO portable artifact",
                                   importVHLO, registerFrontDialects);
  TranslateToMLIRRegistration artifact("import-artifact",
                                       "read an artifact into flat stablehlo",
                                       importFile, registerFrontDialects);
  TranslateToMLIRRegistration bundle(
      "import-bundle", "read an entry point of a bundle into flat stablehlo",
      importBundle, registerFrontDialects);
  return failed(mlirTranslateMain(argc, argv, "Loom translation driver\n"));
}
