// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// mlir-opt with Loom's dialects and passes.

#include "loom/Conversion/VHLOToStableHLO/Passes.h"
#include "loom/Frontend/VHLO.h"

#include "mlir/Tools/mlir-opt/MlirOptMain.h"
#include "mlir/Transforms/Passes.h"

int main(int argc, char **argv) {
  mlir::DialectRegistry registry;
  registry.insert<mlir::func::FuncDialect, mlir::loom::VHLODialect,
                  mlir::loom::stablehlo::StableHLODialect>();
  mlir::registerTransformsPasses();
  mlir::loom::registerVHLOToStableHLOPasses();
  return mlir::asMainReturnCode(
      mlir::MlirOptMain(argc, argv, "Loom optimizer driver\n", registry));
}
