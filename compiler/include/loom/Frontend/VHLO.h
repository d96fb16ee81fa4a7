// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Reader of StableHLO portable artifacts (MLIR bytecode of VHLO).

#ifndef LOOM_FRONTEND_VHLO_H
#define LOOM_FRONTEND_VHLO_H

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OwningOpRef.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/MemoryBuffer.h"

namespace mlir::loom {

/// Holds `vhlo.*` operations, all of them unregistered, and types that no
/// builtin type expresses (tokens, quantised elements) as opaque ones.
class VHLODialect : public Dialect {
public:
  explicit VHLODialect(MLIRContext *context);
  static StringRef getDialectNamespace() { return "vhlo"; }
};

/// True when the bytes start like MLIR bytecode.
bool isBytecode(StringRef bytes);

/// Reads an artifact into a module of `vhlo.*` operations. Attributes and types
/// are builtin ones, enumerations strings. Never crashes: whatever is wrong
/// with the bytes becomes one error that names file, offset, finding and
/// remedy. Constants above 4 KiB stay in `buffer`, which the module keeps
/// alive.
llvm::Expected<OwningOpRef<ModuleOp>>
readVHLO(MLIRContext &context, std::shared_ptr<llvm::MemoryBuffer> buffer,
         StringRef fileName);

/// The attributes an operation version ("add_v1") carries, in wire order;
/// nothing when the version is unknown.
std::optional<ArrayRef<StringRef>> vhloAttributeNames(StringRef opVersion);

} // namespace mlir::loom

MLIR_DECLARE_EXPLICIT_TYPE_ID(mlir::loom::VHLODialect)

#endif // LOOM_FRONTEND_VHLO_H
