// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

//
// What a compiled entry point is, in tables and as JSON.

#ifndef LOOM_TARGET_REPORT_H
#define LOOM_TARGET_REPORT_H

#include "loom/Target/Encoder.h"

#include <string>

namespace mlir::loom {

/// One row a layer, then totals.
std::string reportTable(const CompiledProgram &program,
                        const std::string &target);

/// The same as one line of JSON.
std::string reportJson(const CompiledProgram &program,
                       const std::string &target, const std::string &output,
                       uint64_t fileBytes);

/// "models.py:3:1: CNN: sort: why" of an operation of the CPU engine.
std::string placementLine(const PlacedOp &op);

/// What runs where, in order, and why not on the NPU.
std::string placementTable(const CompiledProgram &program,
                           const std::string &target);

/// The same as one line of JSON.
std::string placementJson(const CompiledProgram &program,
                          const std::string &target);

} // namespace mlir::loom

#endif // LOOM_TARGET_REPORT_H
