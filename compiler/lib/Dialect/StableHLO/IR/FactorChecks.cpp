// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Shapes of factors and systems, of operations and of routines.

#include "FactorChecks.h"

#include "loom/Dialect/StableHLO/StableHLO.h"

#include "loom_cpu_ops.h"

using namespace mlir;
using namespace mlir::loom;
using namespace mlir::loom::stablehlo;

DictionaryAttr stablehlo::attributesOf(Operation *op) {
  auto call = dyn_cast<CustomCallOp>(op);
  if (!call)
    return op->getAttrDictionary();
  auto config = dyn_cast_or_null<DictionaryAttr>(
      call.getBackendConfig().value_or(Attribute()));
  return config ? config : DictionaryAttr::get(op->getContext());
}

/// Types of the parts of one value of pairs, or of a value that has none.
static bool areParts(TypeRange types) {
  return types.size() == 1 ||
         (types.size() == 2 && types[0] == types[1] &&
          cast<RankedTensorType>(types[0]).getElementType().isF32());
}

static bool isSquare(RankedTensorType type) {
  const int64_t rank = type.getRank();
  return rank >= 2 && type.getDimSize(rank - 1) == type.getDimSize(rank - 2);
}

std::optional<Refusal> stablehlo::checkFactor(Operation *op) {
  if (areParts(op->getOperandTypes()) &&
      llvm::equal(op->getOperandTypes(), op->getResultTypes()) &&
      isSquare(cast<RankedTensorType>(op->getOperand(0).getType())))
    return std::nullopt;
  return Refusal{"its operand and its result are not a square matrix",
                 "call jnp.linalg.cholesky"};
}

std::optional<Refusal> stablehlo::checkSystem(Operation *op) {
  const size_t parts = op->getNumResults();
  const TypeRange operands = op->getOperandTypes();
  if (operands.size() == 2 * parts && areParts(operands.take_front(parts)) &&
      llvm::equal(operands.drop_front(parts), op->getResultTypes()) &&
      areParts(op->getResultTypes())) {
    auto a = cast<RankedTensorType>(operands.front()),
         b = cast<RankedTensorType>(operands.back());
    auto left = attributesOf(op).getAs<BoolAttr>("left_side");
    const int64_t rank = b.getRank(), at = left && left.getValue() ? 2 : 1;
    if (isSquare(a) && a.getElementType() == b.getElementType() &&
        rank == a.getRank() &&
        a.getShape().drop_back(2) == b.getShape().drop_back(2) &&
        a.getDimSize(rank - 1) == b.getDimSize(rank - at))
      return std::nullopt;
  }
  return Refusal{"its operands are not a square matrix and a right side of as "
                 "many rows",
                 "call jax.scipy.linalg.solve_triangular"};
}

/// [batch..., m, n] and [batch..., min(m, n)], or without `makes` fewer.
static bool areReflections(RankedTensorType matrix, RankedTensorType taus,
                           bool makes) {
  const int64_t rank = matrix.getRank();
  if (rank < 2 || taus.getRank() != rank - 1 ||
      matrix.getElementType() != taus.getElementType() ||
      matrix.getShape().drop_back(2) != taus.getShape().drop_back())
    return false;
  const int64_t most = std::min(matrix.getDimSize(rank - 2),
                                matrix.getDimSize(rank - 1)),
                count = taus.getDimSize(rank - 2);
  return makes ? count == most : count <= most;
}

std::optional<Refusal> stablehlo::checkReflections(Operation *op) {
  const bool makes = routineOf(op) == "Qr";
  const size_t parts = makes ? op->getNumOperands() : op->getNumResults();
  SmallVector<Type> types(op->getOperandTypes());
  llvm::append_range(types, op->getResultTypes());
  bool sound =
      types.size() == 3 * parts && areParts(TypeRange(types).take_front(parts));
  for (size_t i = 0; sound && i < parts; ++i)
    sound =
        types[i] == types[(makes ? 1 : 2) * parts + i] &&
        areReflections(
            cast<RankedTensorType>(types[i]),
            cast<RankedTensorType>(types[(makes ? 2 : 1) * parts + i]), makes);
  if (!sound)
    return Refusal{"its operands and results are not a matrix and its "
                   "reflections",
                   "call jnp.linalg.qr"};
  auto matrix = cast<RankedTensorType>(types[0]);
  if (matrix.getDimSize(matrix.getRank() - 2) > LOOM_CPU_MAX_EXTENT)
    return Refusal{"its matrix has more than 2^24 rows",
                   "factorise blocks of rows, then their R"};
  return std::nullopt;
}
