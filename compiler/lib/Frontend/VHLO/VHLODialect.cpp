// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "loom/Frontend/VHLO.h"

#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringMap.h"

using namespace mlir;
using namespace mlir::loom;

MLIR_DEFINE_EXPLICIT_TYPE_ID(mlir::loom::VHLODialect)

VHLODialect::VHLODialect(MLIRContext *context)
    : Dialect(getDialectNamespace(), context, TypeID::get<VHLODialect>()) {
  allowUnknownOperations();
  allowUnknownTypes();
}

namespace {
using OpTable = llvm::StringMap<SmallVector<StringRef>>;
} // namespace

static OpTable makeOpTable() {
  OpTable table;
  auto add = [&](StringRef name, StringRef attributes) {
    SmallVector<StringRef> names;
    attributes.split(names, ' ', /*MaxSplit=*/-1, /*KeepEmpty=*/false);
    table[name] = std::move(names);
  };
#define VHLO_OP(name, attributes) add(name, attributes);
#include "VHLOOps.inc"
#undef VHLO_OP
  return table;
}

std::optional<ArrayRef<StringRef>>
mlir::loom::vhloAttributeNames(StringRef opVersion) {
  static const OpTable table = makeOpTable();
  auto found = table.find(opVersion);
  if (found == table.end())
    return std::nullopt;
  return ArrayRef<StringRef>(found->second);
}
