// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// mlir-opt with Loom's dialects and passes.

#include "loom/Conversion/VHLOToStableHLO/Passes.h"
#include "loom/Dialect/StableHLO/Passes.h"
#include "loom/Pipelines/Back.h"
#include "loom/Pipelines/Import.h"

#include "mlir/Tools/mlir-opt/MlirOptMain.h"
#include "mlir/Transforms/Passes.h"

int main(int argc, char **argv) {
  mlir::DialectRegistry registry;
  mlir::loom::registerFrontDialects(registry);
  mlir::loom::registerBackDialects(registry);
  mlir::registerTransformsPasses();
  mlir::loom::registerVHLOToStableHLOPasses();
  mlir::loom::stablehlo::registerStableHLOPasses();
  mlir::loom::registerFrontPipelines();
  mlir::loom::registerBackPasses();
  return mlir::asMainReturnCode(
      mlir::MlirOptMain(argc, argv, "Loom optimizer driver\n", registry));
}
