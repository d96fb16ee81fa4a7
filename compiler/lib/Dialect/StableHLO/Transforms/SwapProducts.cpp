// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "loom/Dialect/StableHLO/Passes.h"
#include "loom/Dialect/StableHLO/StableHLO.h"

#include "mlir/IR/Builders.h"

namespace mlir::loom::stablehlo {
#define GEN_PASS_DEF_SWAPPRODUCTS
#include "loom/Dialect/StableHLO/Passes.h.inc"
} // namespace mlir::loom::stablehlo

using namespace mlir;
using namespace mlir::loom;
using namespace mlir::loom::stablehlo;

/// Whether the permutation puts the right side's dimensions before the left
/// side's, and changes nothing else.
static bool swapsSides(DotGeneralOp dot, ArrayRef<int64_t> permutation) {
  const int64_t batch = dot.getLhsBatchingDimensions().size(),
                rank = permutation.size(),
                left =
                    cast<RankedTensorType>(dot.getLhs().getType()).getRank() -
                    batch - dot.getLhsContractingDimensions().size();
  SmallVector<int64_t> swapped;
  auto add = [&](int64_t first, int64_t end) {
    for (int64_t d = first; d < end; ++d)
      swapped.push_back(d);
  };
  add(0, batch);
  add(batch + left, rank);
  add(batch, batch + left);
  return swapped == permutation;
}

static bool hasOneAlgorithm(DotGeneralOp dot) {
  std::optional<DictionaryAttr> algorithm = dot.getAlgorithm();
  return !algorithm || algorithm->get("lhs_precision_type") ==
                           algorithm->get("rhs_precision_type");
}

static void swapSides(DotGeneralOp dot, TransposeOp transpose) {
  OpBuilder builder(transpose);
  ArrayAttr precision;
  if (auto config = dot.getPrecisionConfigAttr())
    precision = builder.getArrayAttr(
        SmallVector<Attribute>(llvm::reverse(config.getValue())));
  Value swapped = DotGeneralOp::create(
      builder, dot.getLoc(), transpose.getType(), dot.getRhs(), dot.getLhs(),
      dot.getRhsBatchingDimensionsAttr(), dot.getLhsBatchingDimensionsAttr(),
      dot.getRhsContractingDimensionsAttr(),
      dot.getLhsContractingDimensionsAttr(), precision, dot.getAlgorithmAttr());
  transpose.replaceAllUsesWith(swapped);
  transpose.erase();
  dot.erase();
}

namespace {
struct SwapProductsPass : stablehlo::impl::SwapProductsBase<SwapProductsPass> {
  void runOnOperation() override {
    SmallVector<TransposeOp> found;
    getOperation().walk([&](TransposeOp transpose) {
      auto dot = transpose.getOperand().getDefiningOp<DotGeneralOp>();
      if (dot && dot->hasOneUse() && hasOneAlgorithm(dot) &&
          swapsSides(dot, transpose.getPermutation()))
        found.push_back(transpose);
    });
    for (TransposeOp transpose : found)
      swapSides(transpose.getOperand().getDefiningOp<DotGeneralOp>(),
                transpose);
  }
};
} // namespace
