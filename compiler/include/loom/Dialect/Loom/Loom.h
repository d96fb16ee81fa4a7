// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The `loom` dialect: the one include for its users.

#ifndef LOOM_DIALECT_LOOM_LOOM_H
#define LOOM_DIALECT_LOOM_LOOM_H

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"

#include "loom/Dialect/Loom/LoomDialect.h.inc"

#define GET_TYPEDEF_CLASSES
#include "loom/Dialect/Loom/LoomTypes.h.inc"

#define GET_OP_CLASSES
#include "loom/Dialect/Loom/LoomOps.h.inc"

namespace mlir::loom::program {
struct Record;
}

namespace mlir::loom::npu {

/// Bytes of a buffer or slot.
int64_t bytesOf(Type place);

/// Bytes that the sequencer loads: of a number, or of a truth value.
int64_t scalarBytes(ScalarOp op);

/// True for operations that become a record.
bool isRecord(Operation *op);

/// The record's bytes. Buffers without an offset count as offset 0; `loc` goes
/// into the header.
program::Record encodeRecord(Operation *op, uint32_t loc);

/// The bytes of a CPU operation.
std::vector<uint8_t> encodeCpu(CpuOp op, uint32_t loc);

/// Units of code that the record takes.
uint64_t unitsOf(Operation *op);

} // namespace mlir::loom::npu

#endif // LOOM_DIALECT_LOOM_LOOM_H
