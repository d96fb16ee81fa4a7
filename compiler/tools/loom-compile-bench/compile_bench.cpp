// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Compiles one bundle again and again in one process: reads a line, compiles
// into memory, prints the seconds that it took. ./dev bench runs it; what a
// process that keeps the compiler pays for one more operation.
//
//   loom_compile_bench BUNDLE TARGET

#include "loom/Pipelines/Back.h"
#include "loom/Pipelines/Import.h"
#include "loom/Target/Program/Targets.h"

#include "mlir/IR/MLIRContext.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/raw_ostream.h"

#include <chrono>
#include <iostream>
#include <string>

using namespace mlir;
using namespace mlir::loom;

static void sayError(llvm::StringRef message) {
  llvm::errs() << "loom_compile_bench: " << message << "\n";
}

/// From the files of the bundle to the bytes of the program; every time with a
/// context of its own, so that nothing is left over from the time before.
static bool compileOnce(const DialectRegistry &registry, const char *path,
                        const loom_target &target, size_t &bytes) {
  MLIRContext context(registry, MLIRContext::Threading::DISABLED);
  llvm::Expected<Bundle> bundle = Bundle::open(path);
  if (!bundle) {
    sayError(llvm::toString(bundle.takeError()));
    return false;
  }
  ImportOptions options;
  options.features = target.features;
  OwningOpRef<ModuleOp> module = importBundleEntry(
      context, *bundle, bundle->entryPoints().front().name, sayError, options);
  CompiledProgram compiled;
  if (!module ||
      failed(compileModule(*module, target, bundle->entryPoints().front().name,
                           Stage::Program, compiled)))
    return false;
  bytes = compiled.file.size();
  return true;
}

int main(int argc, char **argv) {
  loom_target target;
  if (argc != 3 || !program::namedTarget(argv[2], target)) {
    sayError("usage: loom_compile_bench BUNDLE TARGET, where TARGET is one "
             "of " +
             program::targetNames());
    return 2;
  }
  DialectRegistry registry;
  registerFrontDialects(registry);
  registerBackDialects(registry);
  for (std::string line; std::getline(std::cin, line);) {
    size_t bytes = 0;
    const auto start = std::chrono::steady_clock::now();
    if (!compileOnce(registry, argv[1], target, bytes))
      return 1;
    const std::chrono::duration<double> took =
        std::chrono::steady_clock::now() - start;
    llvm::outs() << "{\"seconds\": " << llvm::format("%.9f", took.count())
                 << ", \"bytes\": " << bytes << "}\n";
    llvm::outs().flush();
  }
  return 0;
}
