// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "loom/Dialect/StableHLO/Patterns.h"

#include "loom/Dialect/StableHLO/Elements.h"

using namespace mlir;
using namespace mlir::loom::stablehlo;

bool mlir::loom::stablehlo::isRowGather(GatherOp op) {
  auto table = cast<RankedTensorType>(op.getOperand().getType());
  auto indices = cast<RankedTensorType>(op.getStartIndices().getType());
  auto result = cast<RankedTensorType>(op.getResult().getType());
  const int64_t rank = table.getRank(), vector = op.getIndexVectorDim();
  if (rank < 1 || op.getCollapsedSliceDims() != ArrayRef<int64_t>{0} ||
      op.getStartIndexMap() != ArrayRef<int64_t>{0} ||
      !op.getOperandBatchingDims().empty())
    return false;
  // Each index is a scalar, or a vector of one.
  int64_t batch = indices.getRank();
  if (vector < batch) {
    if (vector != batch - 1 || indices.getDimSize(vector) != 1)
      return false;
    --batch;
  }
  if (result.getRank() != batch + rank - 1 || op.getSliceSizes()[0] != 1)
    return false;
  for (int64_t d = 1; d < rank; ++d)
    if (op.getSliceSizes()[d] != table.getDimSize(d) ||
        op.getOffsetDims()[d - 1] != batch + d - 1)
      return false;
  return true;
}

std::optional<int64_t> mlir::loom::stablehlo::integerConstant(Value value) {
  auto constant = value.getDefiningOp<ConstantOp>();
  if (!constant)
    return std::nullopt;
  auto type = cast<RankedTensorType>(constant.getType());
  auto integer = dyn_cast<IntegerType>(type.getElementType());
  if (!integer || type.getNumElements() != 1)
    return std::nullopt;
  std::optional<ElementBytes> bytes = ElementBytes::get(constant.getValue());
  if (!bytes || bytes->elementWidth() > 8)
    return std::nullopt;
  uint64_t raw = 0;
  memcpy(&raw, bytes->element(0).data(), bytes->elementWidth());
  if (integer.getWidth() == 1 || integer.isUnsigned())
    return int64_t(raw);
  const unsigned unused = 64 - 8 * bytes->elementWidth();
  return int64_t(raw << unused) >> unused;
}
