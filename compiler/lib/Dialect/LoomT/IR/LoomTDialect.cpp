// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "loom/Dialect/LoomT/LoomT.h"

#include "loom_isa.h"

using namespace mlir;
using namespace mlir::loom;

#include "loom/Dialect/LoomT/LoomTDialect.cpp.inc"

#define GET_OP_CLASSES
#include "loom/Dialect/LoomT/LoomTOps.cpp.inc"

void loomt::LoomTDialect::initialize() {
  addOperations<
#define GET_OP_LIST
#include "loom/Dialect/LoomT/LoomTOps.cpp.inc"
      >();
}

std::optional<unsigned> loomt::npuType(Type type) {
  if (type.isF32())
    return LOOM_F32;
  if (type.isBF16())
    return LOOM_BF16;
  if (type.isF16())
    return LOOM_F16;
  auto integer = dyn_cast<IntegerType>(type);
  if (!integer)
    return std::nullopt;
  const bool isUnsigned = integer.isUnsigned();
  switch (integer.getWidth()) {
  case 1:
    return LOOM_I1;
  case 8:
    return isUnsigned ? LOOM_U8 : LOOM_I8;
  case 16:
    return isUnsigned ? LOOM_U16 : LOOM_I16;
  case 32:
    return isUnsigned ? LOOM_U32 : LOOM_I32;
  default:
    return std::nullopt;
  }
}

std::optional<unsigned> loomt::memoryType(Type type) {
  if (std::optional<unsigned> npu = npuType(type))
    return npu;
  if (type.isF64())
    return LOOM_F64;
  auto integer = dyn_cast<IntegerType>(type);
  if (!integer || integer.getWidth() != 64)
    return std::nullopt;
  return integer.isUnsigned() ? LOOM_U64 : LOOM_I64;
}
