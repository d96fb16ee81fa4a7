// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// loomt -> loom: memory, tiles, records; then SRAM offsets and semaphores.

#ifndef LOOM_CONVERSION_LOOMTTOLOOM_H
#define LOOM_CONVERSION_LOOMTTOLOOM_H

#include "loom_target.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Support/LogicalResult.h"

namespace mlir::loom {

/// Attribute of a lowered function: its named tensors, an array of dictionaries
/// {slot, dtype, role ("input", "output", ...), name, dims}.
inline constexpr llvm::StringLiteral kTensorsAttr = "loom.tensors";

/// Attribute of a result: number of the donated argument in whose place it is
/// computed, or copied at the end where the argument is read until then.
inline constexpr llvm::StringLiteral kReplacesAttr = "loom.replaces";

/// Replaces a loomt function by a loom one of the same name, without arguments
/// or results. Layers that do not fit the target are reported with the reason.
LogicalResult convertLoomTToLoom(func::FuncOp func, const loom_target &target);

/// Gives every buffer its place.
LogicalResult allocateSram(func::FuncOp func, const loom_target &target);

/// Refuses more code than a program may have, and names the layer that takes
/// most of it. Lowering stops there: a program may be judged unfinished.
LogicalResult checkCodeSize(func::FuncOp func);

/// Adds waits, signals and fences.
LogicalResult assignSemaphores(func::FuncOp func);

/// Judges the encoded records: bounds, rights, order, balance.
LogicalResult verifyLoom(func::FuncOp func, const loom_target &target);

} // namespace mlir::loom

#endif // LOOM_CONVERSION_LOOMTTOLOOM_H
