// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef LOOM_CONVERSION_VHLOTOSTABLEHLO_PASSES_TD
#define LOOM_CONVERSION_VHLOTOSTABLEHLO_PASSES_TD

include "mlir/Pass/PassBase.td"

def ConvertVHLOToStableHLO : Pass<"loom-convert-vhlo", "::mlir::ModuleOp"> {
  let summary = "Turn versioned VHLO operations into stablehlo and func";
  let description = [{
    Strips the version from each name, turns attributes into the form the
    operation has in `stablehlo`, and functions, calls and returns into `func`.
    Operations that `stablehlo` does not define keep their name, so that the
    legality pass can list them. Locations of operations and arguments stay.
  }];
  let dependentDialects = ["::mlir::func::FuncDialect",
                           "::mlir::loom::stablehlo::StableHLODialect"];
}

#endif // LOOM_CONVERSION_VHLOTOSTABLEHLO_PASSES_TD
