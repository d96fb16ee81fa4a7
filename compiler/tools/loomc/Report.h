// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef LOOM_TOOLS_LOOMC_REPORT_H
#define LOOM_TOOLS_LOOMC_REPORT_H

#include "loom/Target/Encoder.h"

#include <string>

/// One row a layer, then totals.
std::string reportTable(const mlir::loom::CompiledProgram &program,
                        const std::string &target);

/// The same as one line of JSON.
std::string reportJson(const mlir::loom::CompiledProgram &program,
                       const std::string &target, const std::string &output,
                       uint64_t fileBytes);

/// "models.py:3:1: CNN: sort: why" of an operation of the CPU engine.
std::string placementLine(const mlir::loom::PlacedOp &op);

/// What runs where, in order, and why not on the NPU.
std::string placementTable(const mlir::loom::CompiledProgram &program,
                           const std::string &target);

/// The same as one line of JSON.
std::string placementJson(const mlir::loom::CompiledProgram &program,
                          const std::string &target);

#endif // LOOM_TOOLS_LOOMC_REPORT_H
