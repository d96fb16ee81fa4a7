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

namespace {
/// What gathers and scatters have in common.
struct Numbers {
  RankedTensorType operand, indices;
  ArrayRef<int64_t> collapsed, batching, partners, indexed;
  int64_t vector;
};
} // namespace

/// `sliceOf`: the size of a slice along an operand dimension.
static std::optional<RowAccess>
rowAccess(const Numbers &n, llvm::function_ref<int64_t(int64_t)> sliceOf) {
  RowAccess access;
  for (int64_t d = 0; d < n.indices.getRank(); ++d)
    if (d != n.vector)
      access.batchShape.push_back(n.indices.getDimSize(d));
  for (auto [d, partner] : llvm::zip(n.batching, n.partners)) {
    access.rowDims.push_back(d);
    access.from.push_back(partner - (partner > n.vector));
  }
  access.batching = access.rowDims.size();
  for (int64_t d = 0; d < n.operand.getRank(); ++d) {
    if (llvm::is_contained(n.batching, d))
      continue;
    const auto *at = llvm::find(n.indexed, d);
    const bool isIndexed = at != n.indexed.end(),
               isCollapsed = llvm::is_contained(n.collapsed, d);
    if (isIndexed && isCollapsed) {
      access.rowDims.push_back(d);
      access.from.push_back(at - n.indexed.begin());
    } else if (isIndexed || sliceOf(d) != n.operand.getDimSize(d)) {
      return std::nullopt;
    } else if (!isCollapsed) {
      access.window.push_back(d);
    }
  }
  return access;
}

std::optional<RowAccess> mlir::loom::stablehlo::rowAccessOf(GatherOp op) {
  const Numbers numbers{cast<RankedTensorType>(op.getOperand().getType()),
                        cast<RankedTensorType>(op.getStartIndices().getType()),
                        op.getCollapsedSliceDims(),
                        op.getOperandBatchingDims(),
                        op.getStartIndicesBatchingDims(),
                        op.getStartIndexMap(),
                        int64_t(op.getIndexVectorDim())};
  return rowAccess(numbers, [&](int64_t d) { return op.getSliceSizes()[d]; });
}

std::optional<RowAccess> mlir::loom::stablehlo::rowAccessOf(ScatterOp op) {
  if (op.getInputs().size() != 1)
    return std::nullopt;
  const Numbers numbers{
      cast<RankedTensorType>(op.getInputs()[0].getType()),
      cast<RankedTensorType>(op.getScatterIndices().getType()),
      op.getInsertedWindowDims(),
      op.getInputBatchingDims(),
      op.getScatterIndicesBatchingDims(),
      op.getScatterDimsToOperandDims(),
      int64_t(op.getIndexVectorDim())};
  auto updates = cast<RankedTensorType>(op.getUpdates()[0].getType());
  return rowAccess(numbers, [&](int64_t d) -> int64_t {
    if (llvm::is_contained(numbers.collapsed, d))
      return 1;
    int64_t at = 0; // among the dimensions of a window
    for (int64_t before = 0; before < d; ++before)
      at += !llvm::is_contained(numbers.collapsed, before) &&
            !llvm::is_contained(numbers.batching, before);
    return updates.getDimSize(op.getUpdateWindowDims()[at]);
  });
}

bool mlir::loom::stablehlo::isOneUpdate(ScatterOp op) {
  const std::optional<RowAccess> access = rowAccessOf(op);
  if (!access || access->rowDims.size() - access->batching > 1)
    return false;
  int64_t updates = 1, batches = 1;
  for (int64_t size : access->batchShape)
    updates *= size;
  auto operand = cast<RankedTensorType>(op.getInputs()[0].getType());
  for (size_t k = 0; k < access->batching; ++k)
    batches *= operand.getDimSize(access->rowDims[k]);
  return updates == batches;
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

/// How many elements are ever taken of a sort; all if not slices alone use it.
static int64_t takenOf(SortOp op) {
  int64_t most = 0;
  for (Operation *user : op->getUsers()) {
    auto slice = dyn_cast<SliceOp>(user);
    if (!slice)
      return INT64_MAX;
    most = std::max<int64_t>(most, slice.getLimitIndices()[op.getDimension()]);
  }
  return most;
}

/// A line is read as often as one is picked of it; in two steps its blocks are,
/// and those of them that are taken: least where there are as many blocks as
/// `count` blocks have elements.
static int64_t blockOf(int64_t length, int64_t count) {
  constexpr int64_t kMinCount = 4, kMinLength = 32;
  if (count < kMinCount || length < kMinLength * count)
    return 0;
  int64_t block = 8;
  while (4 * block * block * count <= length)
    block *= 2;
  return block;
}

std::optional<Top> mlir::loom::stablehlo::topOf(SortOp op) {
  // Each one that is picked is two reductions; beyond these the program is what
  // takes long.
  constexpr int64_t kMaxCount = 128, kMaxRead = 1 << 30;
  using D = ComparisonDirection;
  Block &block = op.getComparator().front();
  auto compare =
      block.getTerminator()->getOperand(0).getDefiningOp<CompareOp>();
  auto numbers = op.getInputs().size() == 2
                     ? op.getInputs()[1].getDefiningOp<IotaOp>()
                     : nullptr;
  if (!compare || !numbers ||
      int64_t(numbers.getIotaDimension()) != int64_t(op.getDimension()) ||
      compare.getLhs() != block.getArgument(0) ||
      compare.getRhs() != block.getArgument(1) ||
      (compare.getComparisonDirection() != D::GT &&
       compare.getComparisonDirection() != D::LT))
    return std::nullopt;
  // Narrow floats may lose a NaN's bits on their way; without an order of all
  // values a NaN has no place.
  auto type = cast<RankedTensorType>(op.getInputs()[0].getType());
  if (isa<FloatType>(type.getElementType()) &&
      (!type.getElementType().isF32() ||
       compare.getCompareType() != ComparisonType::TOTALORDER))
    return std::nullopt;
  const int64_t count = takenOf(op);
  if (count < 1 || count > kMaxCount || !type.getNumElements())
    return std::nullopt;
  const int64_t length = type.getDimSize(op.getDimension()),
                part = blockOf(length, count),
                looked = part ? length / part + count * part : length;
  if (type.getNumElements() / length > kMaxRead / (count * looked))
    return std::nullopt;
  return Top{count, part, compare.getComparisonDirection() == D::LT};
}
