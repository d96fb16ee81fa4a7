// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef LOOM_CONVERSION_VHLOTOSTABLEHLO_PASSES_H
#define LOOM_CONVERSION_VHLOTOSTABLEHLO_PASSES_H

#include "loom/Dialect/StableHLO/StableHLO.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/Pass.h"

namespace mlir::loom {
#define GEN_PASS_DECL
#define GEN_PASS_REGISTRATION
#include "loom/Conversion/VHLOToStableHLO/Passes.h.inc"
} // namespace mlir::loom

#endif // LOOM_CONVERSION_VHLOTOSTABLEHLO_PASSES_H
