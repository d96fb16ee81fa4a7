// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Elementwise operations as scalar programs.

#ifndef LOOM_LIB_CONVERSION_STABLEHLOTOLOOMT_SCALAR_H
#define LOOM_LIB_CONVERSION_STABLEHLOTOLOOMT_SCALAR_H

#include "loom/Dialect/LoomT/LoomT.h"
#include "loom/Dialect/StableHLO/StableHLO.h"

namespace mlir::loom {

/// Appends the scalar form of `op` to the program; operands are the program's
/// values (or immediates). Returns the result's operand number, or why there is
/// none.
FailureOr<int32_t> emitScalar(Operation *op, ArrayRef<int32_t> operands,
                              loomt::Program &program, std::string &why);

/// Appends a conversion; the value's number, its own where nothing is to do.
int32_t emitConvert(loomt::Program &program, int32_t value, Type from, Type to);

/// Whether a register holds a bit cast's operand and result alike, but for what
/// is above a narrow integer.
bool isBitcastInRegister(Operation *op);

/// The same of a region of scalars, a straight line: the numbers of what it
/// returns.
FailureOr<SmallVector<int32_t>> emitRegion(Region &body,
                                           ArrayRef<int32_t> arguments,
                                           loomt::Program &program,
                                           std::string &why);

/// True if emitScalar() may know this operation.
bool isElementwise(Operation *op);

/// The micro-operation of an operation that is one, on registers of this type;
/// -1 if there is none.
int32_t microOperationOf(Operation *op, Type elementType);

/// The reducing micro-operation of a region "(acc, x) -> acc op x"; -1 if it is
/// none.
int32_t reducerOf(Region &body);

/// Bits of the value that leaves every other value unchanged under a reducer.
uint32_t reducerIdentity(int32_t reducer, Type type);

} // namespace mlir::loom

#endif // LOOM_LIB_CONVERSION_STABLEHLOTOLOOMT_SCALAR_H
