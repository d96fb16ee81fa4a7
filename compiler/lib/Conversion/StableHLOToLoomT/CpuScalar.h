// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Elementwise operations and regions as scalar programs of the CPU engine.

#ifndef LOOM_LIB_CONVERSION_STABLEHLOTOLOOMT_CPUSCALAR_H
#define LOOM_LIB_CONVERSION_STABLEHLOTOLOOMT_CPUSCALAR_H

#include "loom/Dialect/LoomT/LoomT.h"
#include "loom/Dialect/StableHLO/StableHLO.h"

namespace mlir::loom {

/// Whether registers hold a type in 64 bits.
bool isWide(Type elementType);

/// A constant's element, as a register holds it.
std::optional<uint64_t> registerBits(const loomt::Ref &ref, int64_t index);

/// The one value of a reference whose elements are all alike, likewise.
std::optional<uint64_t> splatRegister(const loomt::Ref &ref);

/// As emitScalar(), for all types that the engine has.
FailureOr<int32_t> emitCpuScalar(Operation *op, ArrayRef<int32_t> operands,
                                 loomt::CpuProgram &program, std::string &why);

/// A region of scalars; `arguments` are its block's. What it returns, or why it
/// is no straight line.
FailureOr<SmallVector<int32_t>> emitRegion(Region &region,
                                           ArrayRef<int32_t> arguments,
                                           loomt::CpuProgram &program,
                                           std::string &why);

/// The combiner of a region "(acc, x) -> acc op x" (enum loom_uop or
/// loom_cpu_reducer); 0 if it is none.
int32_t combinerOf(Region &body);
/// The register's bits that a combiner begins at.
uint64_t combinerIdentity(int32_t combiner, Type elementType);

} // namespace mlir::loom

#endif // LOOM_LIB_CONVERSION_STABLEHLOTOLOOMT_CPUSCALAR_H
