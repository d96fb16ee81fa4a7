// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Verifiers: contractions, reductions and windowed operations.

#include "VerifyUtils.h"

#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace mlir::loom;
using namespace mlir::loom::stablehlo;

std::optional<int64_t> stablehlo::dilatedSize(int64_t size, int64_t dilation) {
  if (size == 0)
    return 0;
  int64_t result = 0;
  if (llvm::MulOverflow(size - 1, dilation, result) ||
      llvm::AddOverflow(result, int64_t(1), result))
    return std::nullopt;
  return result;
}

std::optional<int64_t>
stablehlo::windowedSize(int64_t base, int64_t baseDilation, int64_t low,
                        int64_t high, int64_t window, int64_t windowDilation,
                        int64_t stride) {
  std::optional<int64_t> size = dilatedSize(base, baseDilation);
  std::optional<int64_t> span = dilatedSize(window, windowDilation);
  int64_t padded = 0;
  if (!size || !span || llvm::AddOverflow(*size, low, padded) ||
      llvm::AddOverflow(padded, high, padded))
    return std::nullopt;
  if (padded <= 0 || padded < *span || *span == 0)
    return 0;
  return (padded - *span) / stride + 1;
}

//===----------------------------------------------------------------------===//
// dot_general
//===----------------------------------------------------------------------===//

/// One side's batching and contracting dimensions; `free` receives the sizes of
/// the others.
static LogicalResult verifyDotSide(Operation *op, RankedTensorType type,
                                   ArrayRef<int64_t> batching,
                                   ArrayRef<int64_t> contracting,
                                   StringRef name,
                                   SmallVectorImpl<int64_t> &free) {
  SmallVector<int64_t> all(batching);
  llvm::append_range(all, contracting);
  if (failed(verifyDims(op, name, all, type.getRank())))
    return failure();
  for (int64_t i = 0; i < type.getRank(); ++i)
    if (!llvm::is_contained(all, i))
      free.push_back(type.getDimSize(i));
  return success();
}

static LogicalResult verifyPairs(Operation *op, RankedTensorType lhs,
                                 RankedTensorType rhs, ArrayRef<int64_t> left,
                                 ArrayRef<int64_t> right, StringRef what) {
  if (left.size() != right.size())
    return op->emitOpError()
           << "lists " << left.size() << " left and " << right.size()
           << " right " << what << " dimensions";
  for (auto [l, r] : llvm::zip(left, right))
    if (lhs.getDimSize(l) != rhs.getDimSize(r))
      return op->emitOpError()
             << what << " dimensions " << l << " and " << r << " have sizes "
             << lhs.getDimSize(l) << " and " << rhs.getDimSize(r);
  return success();
}

static LogicalResult verifyPrecision(Operation *op,
                                     std::optional<ArrayAttr> config) {
  if (!config || config->empty())
    return success();
  if (config->size() != 2)
    return op->emitOpError() << "precision_config must have two entries";
  for (Attribute entry : *config)
    if (!llvm::is_contained({"DEFAULT", "HIGH", "HIGHEST"},
                            cast<StringAttr>(entry).getValue()))
      return op->emitOpError() << "precision_config holds " << entry;
  return success();
}

LogicalResult DotGeneralOp::verify() {
  RankedTensorType lhs = tensorType(getLhs()), rhs = tensorType(getRhs());
  SmallVector<int64_t> left, right, shape;
  if (failed(verifyDotSide(*this, lhs, getLhsBatchingDimensions(),
                           getLhsContractingDimensions(), "lhs dimensions",
                           left)) ||
      failed(verifyDotSide(*this, rhs, getRhsBatchingDimensions(),
                           getRhsContractingDimensions(), "rhs dimensions",
                           right)) ||
      failed(verifyPrecision(*this, getPrecisionConfig())))
    return failure();
  if (!allStatic(*this))
    return success();
  if (failed(verifyPairs(*this, lhs, rhs, getLhsBatchingDimensions(),
                         getRhsBatchingDimensions(), "batching")) ||
      failed(verifyPairs(*this, lhs, rhs, getLhsContractingDimensions(),
                         getRhsContractingDimensions(), "contracting")))
    return failure();
  for (int64_t dim : getLhsBatchingDimensions())
    shape.push_back(lhs.getDimSize(dim));
  llvm::append_range(shape, left);
  llvm::append_range(shape, right);
  return verifyShape(*this, tensorType(getResult()), shape);
}

//===----------------------------------------------------------------------===//
// convolution
//===----------------------------------------------------------------------===//

static LogicalResult verifyRoles(Operation *op, StringRef name, int64_t first,
                                 int64_t second, ArrayRef<int64_t> spatial,
                                 int64_t rank) {
  SmallVector<int64_t> all{first, second};
  llvm::append_range(all, spatial);
  if (failed(verifySize(op, name, all.size(), rank)))
    return failure();
  return verifyDims(op, name, all, rank);
}

static LogicalResult verifyConvAttributes(ConvolutionOp op, size_t spatial) {
  if (failed(verifySize(op, "window_strides", op.getWindowStrides().size(),
                        spatial)) ||
      failed(verifySize(op, "padding", op.getPadding().size(), 2 * spatial)) ||
      failed(verifySize(op, "lhs_dilation", op.getLhsDilation().size(),
                        spatial)) ||
      failed(verifySize(op, "rhs_dilation", op.getRhsDilation().size(),
                        spatial)) ||
      failed(verifySize(op, "window_reversal", op.getWindowReversal().size(),
                        spatial)) ||
      failed(verifyAtLeast(op, "window_strides", op.getWindowStrides(), 1)) ||
      failed(verifyAtLeast(op, "lhs_dilation", op.getLhsDilation(), 1)) ||
      failed(verifyAtLeast(op, "rhs_dilation", op.getRhsDilation(), 1)))
    return failure();
  int64_t features = op.getFeatureGroupCount();
  int64_t batches = op.getBatchGroupCount();
  if (features < 1 || batches < 1 || (features > 1 && batches > 1))
    return op.emitOpError()
           << "feature_group_count " << features << " and batch_group_count "
           << batches << ": both must be at least 1 and one of them 1";
  return verifyPrecision(op, op.getPrecisionConfig());
}

static LogicalResult verifyConvFeatures(ConvolutionOp op) {
  RankedTensorType lhs = tensorType(op.getLhs()), rhs = tensorType(op.getRhs());
  int64_t groups = op.getFeatureGroupCount();
  int64_t batches = op.getBatchGroupCount();
  int64_t in = lhs.getDimSize(op.getInputFeatureDimension());
  int64_t kernelIn = rhs.getDimSize(op.getKernelInputFeatureDimension());
  int64_t out = rhs.getDimSize(op.getKernelOutputFeatureDimension());
  int64_t batch = lhs.getDimSize(op.getInputBatchDimension());
  if (in % groups || in / groups != kernelIn)
    return op.emitOpError() << "input has " << in << " features in " << groups
                            << " groups, the kernel takes " << kernelIn;
  if (out % groups || out % batches)
    return op.emitOpError() << "kernel's " << out
                            << " output features do not divide into groups";
  if (batch % batches)
    return op.emitOpError() << "batch " << batch << " does not divide into "
                            << batches << " groups";
  return success();
}

LogicalResult ConvolutionOp::verify() {
  RankedTensorType lhs = tensorType(getLhs()), rhs = tensorType(getRhs()),
                   out = tensorType(getResult());
  int64_t rank = lhs.getRank();
  if (rank < 2 || rhs.getRank() != rank || out.getRank() != rank)
    return emitOpError() << "operands and result need one rank of at least 2";
  size_t spatial = rank - 2;
  if (failed(verifyConvAttributes(*this, spatial)) ||
      failed(verifyRoles(*this, "input dimensions", getInputBatchDimension(),
                         getInputFeatureDimension(),
                         getInputSpatialDimensions(), rank)) ||
      failed(verifyRoles(*this, "kernel dimensions",
                         getKernelInputFeatureDimension(),
                         getKernelOutputFeatureDimension(),
                         getKernelSpatialDimensions(), rank)) ||
      failed(verifyRoles(*this, "output dimensions", getOutputBatchDimension(),
                         getOutputFeatureDimension(),
                         getOutputSpatialDimensions(), rank)))
    return failure();
  if (!allStatic(*this))
    return success();
  if (failed(verifyConvFeatures(*this)))
    return failure();
  SmallVector<int64_t> shape(rank);
  shape[getOutputBatchDimension()] =
      lhs.getDimSize(getInputBatchDimension()) / int64_t(getBatchGroupCount());
  shape[getOutputFeatureDimension()] =
      rhs.getDimSize(getKernelOutputFeatureDimension());
  for (size_t i = 0; i < spatial; ++i) {
    std::optional<int64_t> size = windowedSize(
        lhs.getDimSize(getInputSpatialDimensions()[i]), getLhsDilation()[i],
        getPadding()[2 * i], getPadding()[2 * i + 1],
        rhs.getDimSize(getKernelSpatialDimensions()[i]), getRhsDilation()[i],
        getWindowStrides()[i]);
    if (!size)
      return emitOpError() << "spatial dimension " << i << " overflows";
    shape[getOutputSpatialDimensions()[i]] = *size;
  }
  return verifyShape(*this, out, shape);
}

//===----------------------------------------------------------------------===//
// Reductions
//===----------------------------------------------------------------------===//

/// The body takes accumulators and elements and returns accumulators; the
/// accumulators' element types are the results'.
template <typename OpT> static LogicalResult verifyReducer(OpT op) {
  if (op.getInputs().empty())
    return op.emitOpError() << "needs at least one operand";
  if (op.getResults().size() != op.getInputs().size())
    return op.emitOpError()
           << "has " << op.getInputs().size() << " operands and "
           << op.getResults().size() << " results";
  SmallVector<Type> scalars;
  for (Value value : op.getResults())
    scalars.push_back(
        RankedTensorType::get({}, tensorType(value).getElementType()));
  for (Value value : op.getInitValues())
    if (tensorType(value).getRank() != 0)
      return op.emitOpError() << "init_values must be scalars";
  SmallVector<Type> arguments(scalars);
  arguments.append(scalars);
  ArrayRef<int64_t> shape = tensorType(op.getInputs().front()).getShape();
  for (Value value : op.getInputs())
    if (allStatic(op) &&
        failed(verifyShape(op, tensorType(value), shape, "operand")))
      return failure();
  if (failed(verifyBlockArgs(op, op.getBody(), arguments, "body")))
    return failure();
  return verifyReturn(op, op.getBody(), scalars, "body");
}

LogicalResult ReduceOp::verify() {
  if (failed(verifyReducer(*this)))
    return failure();
  RankedTensorType in = tensorType(getInputs().front());
  if (failed(verifyDims(*this, "dimensions", getDimensions(), in.getRank())))
    return failure();
  if (!allStatic(*this))
    return success();
  SmallVector<int64_t> shape;
  for (int64_t i = 0; i < in.getRank(); ++i)
    if (!llvm::is_contained(getDimensions(), i))
      shape.push_back(in.getDimSize(i));
  for (Value result : getResults())
    if (failed(verifyShape(*this, tensorType(result), shape)))
      return failure();
  return success();
}

LogicalResult ReduceWindowOp::verify() {
  if (failed(verifyReducer(*this)))
    return failure();
  RankedTensorType in = tensorType(getInputs().front());
  size_t rank = in.getRank();
  auto check = [&](StringRef name, ArrayRef<int64_t> values) {
    return success(succeeded(verifySize(*this, name, values.size(), rank)) &&
                   succeeded(verifyAtLeast(*this, name, values, 1)));
  };
  if (failed(check("window_dimensions", getWindowDimensions())) ||
      failed(check("window_strides", getWindowStrides())) ||
      failed(check("base_dilations", getBaseDilations())) ||
      failed(check("window_dilations", getWindowDilations())) ||
      failed(verifySize(*this, "padding", getPadding().size(), 2 * rank)))
    return failure();
  if (!allStatic(*this))
    return success();
  SmallVector<int64_t> shape;
  for (size_t i = 0; i < rank; ++i) {
    std::optional<int64_t> size = windowedSize(
        in.getDimSize(i), getBaseDilations()[i], getPadding()[2 * i],
        getPadding()[2 * i + 1], getWindowDimensions()[i],
        getWindowDilations()[i], getWindowStrides()[i]);
    if (!size)
      return emitOpError() << "dimension " << i << " overflows";
    shape.push_back(*size);
  }
  for (Value result : getResults())
    if (failed(verifyShape(*this, tensorType(result), shape)))
      return failure();
  return success();
}

LogicalResult SelectAndScatterOp::verify() {
  RankedTensorType in = tensorType(getOperand());
  size_t rank = in.getRank();
  Type scalar = RankedTensorType::get({}, in.getElementType());
  Type pred = RankedTensorType::get({}, IntegerType::get(getContext(), 1));
  if (getResult().getType() != getOperand().getType())
    return emitOpError() << "result must have the operand's type";
  if (failed(verifySize(*this, "window_dimensions",
                        getWindowDimensions().size(), rank)) ||
      failed(verifySize(*this, "window_strides", getWindowStrides().size(),
                        rank)) ||
      failed(verifySize(*this, "padding", getPadding().size(), 2 * rank)) ||
      failed(verifyAtLeast(*this, "window_dimensions", getWindowDimensions(),
                           1)) ||
      failed(verifyAtLeast(*this, "window_strides", getWindowStrides(), 1)) ||
      failed(verifyBlockArgs(*this, getSelect(), {scalar, scalar}, "select")) ||
      failed(verifyReturn(*this, getSelect(), pred, "select")) ||
      failed(
          verifyBlockArgs(*this, getScatter(), {scalar, scalar}, "scatter")) ||
      failed(verifyReturn(*this, getScatter(), scalar, "scatter")))
    return failure();
  if (!allStatic(*this))
    return success();
  SmallVector<int64_t> shape;
  for (size_t i = 0; i < rank; ++i) {
    std::optional<int64_t> size = windowedSize(
        in.getDimSize(i), 1, getPadding()[2 * i], getPadding()[2 * i + 1],
        getWindowDimensions()[i], 1, getWindowStrides()[i]);
    if (!size)
      return emitOpError() << "dimension " << i << " overflows";
    shape.push_back(*size);
  }
  return verifyShape(*this, tensorType(getSource()), shape, "source");
}

LogicalResult SortOp::verify() {
  if (getInputs().empty())
    return emitOpError() << "needs at least one operand";
  int64_t rank = tensorType(getInputs().front()).getRank();
  int64_t dim = getDimension();
  if (dim < 0 || dim >= rank)
    return emitOpError() << "dimension " << dim << " is not in [0, " << rank
                         << ")";
  if (getResultTypes() != getInputs().getTypes())
    return emitOpError() << "results must have the operands' types";
  SmallVector<Type> scalars;
  for (Value value : getInputs())
    for (int i = 0; i < 2; ++i)
      scalars.push_back(
          RankedTensorType::get({}, tensorType(value).getElementType()));
  if (failed(verifyBlockArgs(*this, getComparator(), scalars, "comparator")))
    return failure();
  return verifyReturn(
      *this, getComparator(),
      RankedTensorType::get({}, IntegerType::get(getContext(), 1)),
      "comparator");
}
