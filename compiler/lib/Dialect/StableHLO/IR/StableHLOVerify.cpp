// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Verifiers: elementwise, shape, gather, scatter and control-flow operations.

#include "VerifyUtils.h"

#include "llvm/ADT/SmallBitVector.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace mlir::loom;
using namespace mlir::loom::stablehlo;

//===----------------------------------------------------------------------===//
// Shared checks
//===----------------------------------------------------------------------===//

bool stablehlo::allStatic(Operation *op) {
  auto isStatic = [](Type type) {
    auto shaped = dyn_cast<ShapedType>(type);
    return !shaped || shaped.hasStaticShape();
  };
  return llvm::all_of(op->getOperandTypes(), isStatic) &&
         llvm::all_of(op->getResultTypes(), isStatic);
}

LogicalResult stablehlo::verifyDims(Operation *op, StringRef name,
                                    ArrayRef<int64_t> dims, int64_t rank) {
  llvm::SmallBitVector seen(rank);
  for (int64_t dim : dims) {
    if (dim < 0 || dim >= rank)
      return op->emitOpError() << name << " holds dimension " << dim
                               << ", not in [0, " << rank << ")";
    if (seen.test(dim))
      return op->emitOpError()
             << name << " holds dimension " << dim << " twice";
    seen.set(dim);
  }
  return success();
}

LogicalResult stablehlo::verifySize(Operation *op, StringRef name, size_t got,
                                    size_t size) {
  if (got == size)
    return success();
  return op->emitOpError() << name << " has " << got << " entries, expected "
                           << size;
}

LogicalResult stablehlo::verifyAtLeast(Operation *op, StringRef name,
                                       ArrayRef<int64_t> values, int64_t low) {
  for (int64_t value : values)
    if (value < low)
      return op->emitOpError()
             << name << " holds " << value << ", expected at least " << low;
  return success();
}

LogicalResult stablehlo::verifyShape(Operation *op, RankedTensorType type,
                                     ArrayRef<int64_t> shape, StringRef what) {
  if (type.getShape() == shape)
    return success();
  InFlightDiagnostic diag = op->emitOpError() << what << " has shape [";
  llvm::interleaveComma(type.getShape(), diag);
  diag << "], expected [";
  llvm::interleaveComma(shape, diag);
  return diag << "]";
}

LogicalResult stablehlo::verifyBlockArgs(Operation *op, Region &region,
                                         TypeRange types, StringRef what) {
  if (region.empty())
    return op->emitOpError() << what << " is empty";
  TypeRange got = region.front().getArgumentTypes();
  if (got == types)
    return success();
  if (got.size() != types.size())
    return op->emitOpError() << what << " takes " << got.size()
                             << " arguments, expected " << types.size();
  for (auto [index, pair] : llvm::enumerate(llvm::zip(got, types)))
    if (std::get<0>(pair) != std::get<1>(pair))
      return op->emitOpError()
             << what << " argument " << index << " has type "
             << std::get<0>(pair) << ", expected " << std::get<1>(pair);
  return success();
}

LogicalResult stablehlo::verifyReturn(Operation *op, Region &region,
                                      TypeRange types, StringRef what) {
  if (!region.hasOneBlock() || region.front().empty())
    return op->emitOpError() << what << " must have one block with a return";
  auto ret = dyn_cast<ReturnOp>(region.front().back());
  if (!ret)
    return op->emitOpError() << what << " must end in stablehlo.return";
  TypeRange got = ret.getOperandTypes();
  if (got == types)
    return success();
  if (got.size() != types.size())
    return op->emitOpError() << what << " returns " << got.size()
                             << " values, expected " << types.size();
  for (auto [index, pair] : llvm::enumerate(llvm::zip(got, types)))
    if (std::get<0>(pair) != std::get<1>(pair))
      return op->emitOpError()
             << what << " returns " << std::get<0>(pair) << " as value "
             << index << ", expected " << std::get<1>(pair);
  return success();
}

//===----------------------------------------------------------------------===//
// Elementwise
//===----------------------------------------------------------------------===//

LogicalResult AbsOp::verify() {
  Type in = tensorType(getOperand()).getElementType();
  Type out = tensorType(getResult()).getElementType();
  Type want = in;
  if (auto complex = dyn_cast<ComplexType>(in))
    want = complex.getElementType();
  if (out != want)
    return emitOpError() << "result has element type " << out << ", expected "
                         << want;
  return success();
}

LogicalResult BitcastConvertOp::verify() {
  RankedTensorType in = tensorType(getOperand());
  RankedTensorType out = tensorType(getResult());
  auto hasWidth = [](Type type) {
    return type.isIntOrFloat() || isa<ComplexType>(type);
  };
  if (!hasWidth(in.getElementType()) || !hasWidth(out.getElementType()))
    return success();
  auto bits = [](Type type) -> int64_t {
    if (auto complex = dyn_cast<ComplexType>(type))
      return 2 * complex.getElementType().getIntOrFloatBitWidth();
    return type.getIntOrFloatBitWidth();
  };
  int64_t inBits = bits(in.getElementType());
  int64_t outBits = bits(out.getElementType());
  RankedTensorType wide = inBits >= outBits ? in : out;
  RankedTensorType narrow = inBits >= outBits ? out : in;
  SmallVector<int64_t> shape(wide.getShape());
  int64_t wideBits = std::max(inBits, outBits);
  int64_t narrowBits = std::min(inBits, outBits);
  if (wideBits % narrowBits)
    return emitOpError() << "bit widths " << inBits << " and " << outBits
                         << " do not divide";
  if (wideBits != narrowBits)
    shape.push_back(wideBits / narrowBits);
  if (!allStatic(*this))
    return success();
  return verifyShape(*this, narrow, shape, "narrower side");
}

LogicalResult SelectOp::verify() {
  RankedTensorType pred = tensorType(getPred());
  if (pred.getRank() == 0 || !allStatic(*this))
    return success();
  return verifyShape(*this, pred, tensorType(getResult()).getShape(), "pred");
}

LogicalResult ClampOp::verify() {
  RankedTensorType type = tensorType(getOperand());
  for (auto [value, name] : {std::pair<Value, StringRef>{getMin(), "min"},
                             std::pair<Value, StringRef>{getMax(), "max"}}) {
    RankedTensorType bound = tensorType(value);
    if (bound.getElementType() != type.getElementType())
      return emitOpError() << name << " has element type "
                           << bound.getElementType() << ", expected "
                           << type.getElementType();
    if (bound.getRank() != 0 && allStatic(*this) &&
        failed(verifyShape(*this, bound, type.getShape(), name)))
      return failure();
  }
  return success();
}

//===----------------------------------------------------------------------===//
// Values and shapes
//===----------------------------------------------------------------------===//

LogicalResult ConstantOp::verify() {
  if (getValue().getShapedType() == getOutput().getType())
    return success();
  return emitOpError() << "value has type " << getValue().getShapedType()
                       << ", result has " << getOutput().getType();
}

LogicalResult IotaOp::verify() {
  RankedTensorType type = tensorType(getOutput());
  int64_t dim = getIotaDimension();
  if (dim < 0 || dim >= type.getRank())
    return emitOpError() << "iota_dimension " << dim << " is not in [0, "
                         << type.getRank() << ")";
  return success();
}

static LogicalResult sameElementType(Operation *op, Value in, Value out) {
  Type from = tensorType(in).getElementType();
  Type to = tensorType(out).getElementType();
  if (from == to)
    return success();
  return op->emitOpError() << "result has element type " << to << ", expected "
                           << from;
}

LogicalResult BroadcastInDimOp::verify() {
  RankedTensorType in = tensorType(getOperand());
  RankedTensorType out = tensorType(getResult());
  ArrayRef<int64_t> dims = getBroadcastDimensions();
  if (failed(sameElementType(*this, getOperand(), getResult())) ||
      failed(verifySize(*this, "broadcast_dimensions", dims.size(),
                        in.getRank())) ||
      failed(verifyDims(*this, "broadcast_dimensions", dims, out.getRank())))
    return failure();
  if (!allStatic(*this))
    return success();
  for (auto [i, dim] : llvm::enumerate(dims)) {
    int64_t size = in.getDimSize(i);
    if (size != 1 && size != out.getDimSize(dim))
      return emitOpError() << "operand dimension " << i << " of size " << size
                           << " does not broadcast to size "
                           << out.getDimSize(dim);
  }
  return success();
}

LogicalResult ReshapeOp::verify() {
  if (failed(sameElementType(*this, getOperand(), getResult())))
    return failure();
  if (!allStatic(*this))
    return success();
  int64_t in = tensorType(getOperand()).getNumElements();
  int64_t out = tensorType(getResult()).getNumElements();
  if (in == out)
    return success();
  return emitOpError() << "operand has " << in << " elements, result " << out;
}

LogicalResult TransposeOp::verify() {
  RankedTensorType in = tensorType(getOperand());
  ArrayRef<int64_t> perm = getPermutation();
  if (failed(sameElementType(*this, getOperand(), getResult())) ||
      failed(verifySize(*this, "permutation", perm.size(), in.getRank())) ||
      failed(verifyDims(*this, "permutation", perm, in.getRank())))
    return failure();
  SmallVector<int64_t> shape;
  for (int64_t dim : perm)
    shape.push_back(in.getDimSize(dim));
  return verifyShape(*this, tensorType(getResult()), shape);
}

LogicalResult SliceOp::verify() {
  RankedTensorType in = tensorType(getOperand());
  size_t rank = in.getRank();
  ArrayRef<int64_t> start = getStartIndices(), limit = getLimitIndices(),
                    strides = getStrides();
  if (failed(sameElementType(*this, getOperand(), getResult())) ||
      failed(verifySize(*this, "start_indices", start.size(), rank)) ||
      failed(verifySize(*this, "limit_indices", limit.size(), rank)) ||
      failed(verifySize(*this, "strides", strides.size(), rank)) ||
      failed(verifyAtLeast(*this, "start_indices", start, 0)) ||
      failed(verifyAtLeast(*this, "strides", strides, 1)))
    return failure();
  if (!allStatic(*this))
    return success();
  SmallVector<int64_t> shape;
  for (size_t i = 0; i < rank; ++i) {
    if (start[i] > limit[i] || limit[i] > in.getDimSize(i))
      return emitOpError() << "dimension " << i << ": [" << start[i] << ", "
                           << limit[i] << ") is not within size "
                           << in.getDimSize(i);
    int64_t size = limit[i] - start[i];
    shape.push_back(size / strides[i] + (size % strides[i] != 0));
  }
  return verifyShape(*this, tensorType(getResult()), shape);
}

LogicalResult ConcatenateOp::verify() {
  if (getInputs().empty())
    return emitOpError() << "needs at least one operand";
  RankedTensorType out = tensorType(getResult());
  int64_t dim = getDimension();
  if (dim < 0 || dim >= out.getRank())
    return emitOpError() << "dimension " << dim << " is not in [0, "
                         << out.getRank() << ")";
  int64_t total = 0;
  for (Value input : getInputs()) {
    if (tensorType(input).getRank() != out.getRank())
      return emitOpError() << "operands and result differ in rank";
    if (failed(sameElementType(*this, input, getResult())))
      return failure();
    total += tensorType(input).getDimSize(dim);
  }
  if (!allStatic(*this))
    return success();
  SmallVector<int64_t> shape(out.getShape());
  for (Value input : getInputs()) {
    shape[dim] = tensorType(input).getDimSize(dim);
    if (failed(verifyShape(*this, tensorType(input), shape, "operand")))
      return failure();
  }
  shape[dim] = total;
  return verifyShape(*this, out, shape);
}

LogicalResult PadOp::verify() {
  RankedTensorType in = tensorType(getOperand());
  size_t rank = in.getRank();
  ArrayRef<int64_t> low = getEdgePaddingLow(), high = getEdgePaddingHigh(),
                    interior = getInteriorPadding();
  if (failed(sameElementType(*this, getOperand(), getResult())) ||
      failed(sameElementType(*this, getOperand(), getPaddingValue())) ||
      failed(verifySize(*this, "edge_padding_low", low.size(), rank)) ||
      failed(verifySize(*this, "edge_padding_high", high.size(), rank)) ||
      failed(verifySize(*this, "interior_padding", interior.size(), rank)) ||
      failed(verifyAtLeast(*this, "interior_padding", interior, 0)))
    return failure();
  if (tensorType(getPaddingValue()).getRank() != 0)
    return emitOpError() << "padding_value must be a scalar";
  if (!allStatic(*this))
    return success();
  SmallVector<int64_t> shape;
  for (size_t i = 0; i < rank; ++i) {
    std::optional<int64_t> size;
    int64_t step = 0, sum = 0;
    if (!llvm::AddOverflow(interior[i], int64_t(1), step))
      size = dilatedSize(in.getDimSize(i), step);
    if (!size || llvm::AddOverflow(*size, low[i], sum) ||
        llvm::AddOverflow(sum, high[i], sum) || sum < 0)
      return emitOpError() << "dimension " << i
                           << " has no valid size after padding";
    shape.push_back(sum);
  }
  return verifyShape(*this, tensorType(getResult()), shape);
}

LogicalResult ReverseOp::verify() {
  return verifyDims(*this, "dimensions", getDimensions(),
                    tensorType(getOperand()).getRank());
}

static LogicalResult verifyStartScalars(Operation *op, OperandRange indices,
                                        int64_t rank) {
  if (failed(stablehlo::verifySize(op, "start_indices", indices.size(), rank)))
    return failure();
  for (Value index : indices)
    if (tensorType(index).getRank() != 0)
      return op->emitOpError() << "start_indices must be scalars";
  return success();
}

LogicalResult DynamicSliceOp::verify() {
  RankedTensorType in = tensorType(getOperand());
  ArrayRef<int64_t> sizes = getSliceSizes();
  if (failed(sameElementType(*this, getOperand(), getResult())) ||
      failed(verifyStartScalars(*this, getStartIndices(), in.getRank())) ||
      failed(verifySize(*this, "slice_sizes", sizes.size(), in.getRank())) ||
      failed(verifyAtLeast(*this, "slice_sizes", sizes, 0)))
    return failure();
  if (!allStatic(*this))
    return success();
  for (auto [i, size] : llvm::enumerate(sizes))
    if (size > in.getDimSize(i))
      return emitOpError() << "slice size " << size << " exceeds dimension "
                           << i << " of size " << in.getDimSize(i);
  return verifyShape(*this, tensorType(getResult()), sizes);
}

LogicalResult DynamicUpdateSliceOp::verify() {
  RankedTensorType in = tensorType(getOperand());
  RankedTensorType update = tensorType(getUpdate());
  if (failed(sameElementType(*this, getUpdate(), getOperand())) ||
      failed(verifyStartScalars(*this, getStartIndices(), in.getRank())))
    return failure();
  if (update.getRank() != in.getRank())
    return emitOpError() << "update and operand differ in rank";
  if (!allStatic(*this))
    return success();
  for (int64_t i = 0; i < in.getRank(); ++i)
    if (update.getDimSize(i) > in.getDimSize(i))
      return emitOpError() << "update exceeds dimension " << i;
  return success();
}

//===----------------------------------------------------------------------===//
// Gather and scatter
//===----------------------------------------------------------------------===//

/// Number of index components, checked against the map from components to
/// operand dimensions.
static LogicalResult verifyIndexVector(Operation *op, RankedTensorType indices,
                                       int64_t vectorDim, size_t components,
                                       StringRef mapName) {
  if (vectorDim < 0 || vectorDim > indices.getRank())
    return op->emitOpError() << "index_vector_dim " << vectorDim
                             << " is not in [0, " << indices.getRank() << "]";
  int64_t size =
      vectorDim == indices.getRank() ? 1 : indices.getDimSize(vectorDim);
  if (ShapedType::isDynamic(size) || size == int64_t(components))
    return success();
  return op->emitOpError() << mapName << " has " << components
                           << " entries, the indices hold " << size
                           << " components";
}

LogicalResult GatherOp::verify() {
  RankedTensorType in = tensorType(getOperand());
  RankedTensorType indices = tensorType(getStartIndices());
  RankedTensorType out = tensorType(getResult());
  ArrayRef<int64_t> sizes = getSliceSizes();
  SmallVector<int64_t> dropped(getCollapsedSliceDims());
  llvm::append_range(dropped, getOperandBatchingDims());
  if (failed(sameElementType(*this, getOperand(), getResult())) ||
      failed(verifyIndexVector(*this, indices, getIndexVectorDim(),
                               getStartIndexMap().size(), "start_index_map")) ||
      failed(verifyDims(*this, "start_index_map", getStartIndexMap(),
                        in.getRank())) ||
      failed(verifyDims(*this, "collapsed_slice_dims, operand_batching_dims",
                        dropped, in.getRank())) ||
      failed(verifyDims(*this, "start_indices_batching_dims",
                        getStartIndicesBatchingDims(), indices.getRank())) ||
      failed(verifySize(*this, "start_indices_batching_dims",
                        getStartIndicesBatchingDims().size(),
                        getOperandBatchingDims().size())) ||
      failed(
          verifyDims(*this, "offset_dims", getOffsetDims(), out.getRank())) ||
      failed(verifySize(*this, "slice_sizes", sizes.size(), in.getRank())) ||
      failed(verifyAtLeast(*this, "slice_sizes", sizes, 0)) ||
      failed(verifySize(*this, "offset_dims", getOffsetDims().size(),
                        in.getRank() - dropped.size())))
    return failure();
  if (!allStatic(*this))
    return success();
  SmallVector<int64_t> window, batch;
  for (auto [i, size] : llvm::enumerate(sizes)) {
    if (size > in.getDimSize(i))
      return emitOpError() << "slice size " << size << " exceeds dimension "
                           << i << " of size " << in.getDimSize(i);
    if (!llvm::is_contained(dropped, int64_t(i)))
      window.push_back(size);
    else if (size > 1)
      return emitOpError() << "slice size of dropped dimension " << i
                           << " must be at most 1";
  }
  for (int64_t i = 0; i < indices.getRank(); ++i)
    if (i != int64_t(getIndexVectorDim()))
      batch.push_back(indices.getDimSize(i));
  if (size_t(out.getRank()) != window.size() + batch.size())
    return emitOpError() << "result has rank " << out.getRank() << ", expected "
                         << window.size() + batch.size();
  SmallVector<int64_t> shape;
  size_t nextBatch = 0, nextWindow = 0;
  for (int64_t i = 0; i < out.getRank(); ++i)
    shape.push_back(llvm::is_contained(getOffsetDims(), i)
                        ? window[nextWindow++]
                        : batch[nextBatch++]);
  return verifyShape(*this, out, shape);
}

LogicalResult ScatterOp::verify() {
  if (getInputs().empty())
    return emitOpError() << "needs at least one operand";
  RankedTensorType in = tensorType(getInputs().front());
  RankedTensorType indices = tensorType(getScatterIndices());
  RankedTensorType update = tensorType(getUpdates().front());
  SmallVector<int64_t> inserted(getInsertedWindowDims());
  llvm::append_range(inserted, getInputBatchingDims());
  if (getResultTypes() != getInputs().getTypes())
    return emitOpError() << "results must have the operands' types";
  if (failed(verifyIndexVector(*this, indices, getIndexVectorDim(),
                               getScatterDimsToOperandDims().size(),
                               "scatter_dims_to_operand_dims")) ||
      failed(verifyDims(*this, "scatter_dims_to_operand_dims",
                        getScatterDimsToOperandDims(), in.getRank())) ||
      failed(verifyDims(*this, "inserted_window_dims, input_batching_dims",
                        inserted, in.getRank())) ||
      failed(verifyDims(*this, "scatter_indices_batching_dims",
                        getScatterIndicesBatchingDims(), indices.getRank())) ||
      failed(verifyDims(*this, "update_window_dims", getUpdateWindowDims(),
                        update.getRank())) ||
      failed(verifySize(*this, "update_window_dims",
                        getUpdateWindowDims().size(),
                        in.getRank() - inserted.size())))
    return failure();
  SmallVector<Type> scalars;
  for (ValueRange side : {ValueRange(getInputs()), ValueRange(getUpdates())})
    for (Value value : side)
      scalars.push_back(
          RankedTensorType::get({}, tensorType(value).getElementType()));
  if (failed(verifyBlockArgs(*this, getUpdateComputation(), scalars,
                             "update_computation")))
    return failure();
  return verifyReturn(*this, getUpdateComputation(),
                      TypeRange(scalars).take_front(getInputs().size()),
                      "update_computation");
}

//===----------------------------------------------------------------------===//
// Control flow
//===----------------------------------------------------------------------===//

LogicalResult WhileOp::verify() {
  TypeRange carried = getOperandTypes();
  Type pred = RankedTensorType::get({}, IntegerType::get(getContext(), 1));
  if (getResultTypes() != carried)
    return emitOpError() << "results must have the operands' types";
  return success(
      succeeded(verifyBlockArgs(*this, getCond(), carried, "cond")) &&
      succeeded(verifyReturn(*this, getCond(), pred, "cond")) &&
      succeeded(verifyBlockArgs(*this, getBody(), carried, "body")) &&
      succeeded(verifyReturn(*this, getBody(), carried, "body")));
}

LogicalResult CaseOp::verify() {
  if (tensorType(getIndex()).getRank() != 0)
    return emitOpError() << "index must be a scalar";
  if (getBranches().empty())
    return emitOpError() << "needs at least one branch";
  for (Region &branch : getBranches())
    if (failed(verifyBlockArgs(*this, branch, {}, "branch")) ||
        failed(verifyReturn(*this, branch, getResultTypes(), "branch")))
      return failure();
  return success();
}

LogicalResult IfOp::verify() {
  if (tensorType(getPred()).getRank() != 0)
    return emitOpError() << "pred must be a scalar";
  for (Region *branch : {&getTrueBranch(), &getFalseBranch()})
    if (failed(verifyBlockArgs(*this, *branch, {}, "branch")) ||
        failed(verifyReturn(*this, *branch, getResultTypes(), "branch")))
      return failure();
  return success();
}

LogicalResult OptimizationBarrierOp::verify() {
  if (getOperandTypes() == getResultTypes())
    return success();
  return emitOpError() << "results must have the operands' types";
}

//===----------------------------------------------------------------------===//
// Transforms
//===----------------------------------------------------------------------===//

/// One tensor of floats; or one of complex numbers, or both their parts.
static bool isOneNumber(ValueRange values, bool real) {
  if (values.empty() || values.size() > 2)
    return false;
  RankedTensorType type = tensorType(values[0]);
  if (values.size() == 2)
    return !real && isa<FloatType>(type.getElementType()) &&
           values[1].getType() == type;
  return real ? isa<FloatType>(type.getElementType())
              : isa<ComplexType>(type.getElementType());
}

LogicalResult FftOp::verify() {
  const bool fromReal = getFftType() == "RFFT",
             toReal = getFftType() == "IRFFT";
  if (!isOneNumber(getOperands(), fromReal) ||
      !isOneNumber(getResults(), toReal))
    return emitOpError() << "of type " << getFftType() << " takes "
                         << (fromReal ? "real" : "complex")
                         << " numbers and gives "
                         << (toReal ? "real" : "complex") << " ones";
  RankedTensorType from = tensorType(getOperands()[0]),
                   to = tensorType(getResults()[0]);
  ArrayRef<int64_t> lengths = getFftLength();
  const int64_t rank = from.getRank(), count = lengths.size();
  if (count < 1 || count > 3 || count > rank)
    return emitOpError() << "has " << count << " lengths for a tensor of rank "
                         << rank << "; there are 1 to 3";
  if (failed(verifyAtLeast(*this, "fft_length", lengths, 1)))
    return failure();
  if (!allStatic(*this))
    return success();
  SmallVector<int64_t> in(from.getShape()), out;
  for (int64_t i = 0; i < count; ++i)
    in[rank - count + i] = lengths[i];
  out = in;
  const int64_t half = lengths.back() / 2 + 1;
  if (fromReal)
    out.back() = half;
  if (toReal)
    in.back() = half;
  // Of no elements there is nothing to transform, whatever the lengths.
  if (!from.getNumElements() && !to.getNumElements())
    return success();
  return success(succeeded(verifyShape(*this, from, in, "operand")) &&
                 succeeded(verifyShape(*this, to, out)));
}
