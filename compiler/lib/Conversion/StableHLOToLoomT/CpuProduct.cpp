// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Products and convolutions of all types, dilations, groups and dimensions.

#include "Cpu.h"

#include "loom_isa.h"

using namespace mlir;
using namespace mlir::loom;
using loomt::Ref;

static RankedTensorType typeOf(Value value) {
  return cast<RankedTensorType>(value.getType());
}

/// Sums stay in the registers of the operands' kind.
LogicalResult Converter::checkCpuProduct(Operation *op) {
  Type in = typeOf(op->getOperand(0)).getElementType(),
       out = typeOf(op->getResult(0)).getElementType();
  if (isa<FloatType>(in) != isa<FloatType>(out) || isWide(in) != isWide(out))
    return refuseCpu(op, "products of this type do not leave as the result's");
  return success();
}

LogicalResult Converter::cpuDot(stablehlo::DotGeneralOp op) {
  if (failed(checkCpuProduct(op)))
    return failure();
  if (isEmpty(op.getLhs().getType()) || isEmpty(op.getRhs().getType())) {
    map[op.getResult()] = zeros(op.getLoc(), typeOf(op.getResult()));
    return success();
  }
  RankedTensorType type = typeOf(op.getResult()), lhs = typeOf(op.getLhs()),
                   rhs = typeOf(op.getRhs());
  SmallVector<int64_t> left(op.getLhsBatchingDimensions()),
      right(op.getRhsBatchingDimensions());
  auto others = [](int64_t rank, ArrayRef<int64_t> a, ArrayRef<int64_t> b,
                   SmallVectorImpl<int64_t> &into,
                   SmallVectorImpl<int64_t> &other) {
    for (int64_t d = 0; d < rank; ++d)
      if (!llvm::is_contained(a, d) && !llvm::is_contained(b, d)) {
        into.push_back(d);
        other.push_back(-1);
      }
  };
  others(lhs.getRank(), op.getLhsBatchingDimensions(),
         op.getLhsContractingDimensions(), left, right);
  others(rhs.getRank(), op.getRhsBatchingDimensions(),
         op.getRhsContractingDimensions(), right, left);
  CpuForm form(builder, LOOM_CPU_DOT);
  form.input(map.lookup(op.getLhs()), left);
  form.input(map.lookup(op.getRhs()), right);
  form.walks.resize(2);
  SmallVector<int64_t> sizes;
  for (auto [l, r] : llvm::zip(op.getLhsContractingDimensions(),
                               op.getRhsContractingDimensions())) {
    form.walks[0].push_back(l);
    form.walks[1].push_back(r);
    sizes.push_back(lhs.getDimSize(l));
  }
  if (sizes.empty()) { // a product of each with each: one term
    form.walks[0].push_back(-1);
    form.walks[1].push_back(-1);
    sizes.push_back(1);
  }
  form.params.push_back(sizes.size());
  for (size_t d = 0; d < LOOM_CPU_MAX_RANK; ++d)
    form.params.push_back(d < sizes.size() ? sizes[d] : 0);
  form.result(type);
  return finishCpu(op, form);
}

/// A dimension in groups: [groups, size / groups] in its place.
static Ref inGroups(const Ref &ref, int64_t dim, int64_t groups) {
  Ref result{ref.root, ref.offset, {}, {}};
  for (size_t d = 0; d < ref.shape.size(); ++d) {
    if (int64_t(d) == dim) {
      result.shape.push_back(groups);
      result.strides.push_back(ref.strides[d] * (ref.shape[d] / groups));
      result.shape.push_back(ref.shape[d] / groups);
    } else {
      result.shape.push_back(ref.shape[d]);
    }
    result.strides.push_back(ref.strides[d]);
  }
  return result;
}

/// The box of the output is [batch, space..., group, channel of the group].
LogicalResult Converter::cpuConvolution(stablehlo::ConvolutionOp op) {
  if (failed(checkCpuProduct(op)))
    return failure();
  if (isEmpty(op.getLhs().getType()) || isEmpty(op.getRhs().getType())) {
    map[op.getResult()] = zeros(op.getLoc(), typeOf(op.getResult()));
    return success();
  }
  const int64_t n = op.getWindowStrides().size();
  if (n < 1 || n > 4)
    return refuseCpu(op, "it has " + Twine(n) +
                             " spatial dimensions, not one to four");
  Location loc = op.getLoc();
  RankedTensorType type = typeOf(op.getResult());
  const int64_t featureGroups = op.getFeatureGroupCount(),
                batchGroups = op.getBatchGroupCount(),
                groups = featureGroups * batchGroups; // one of them is 1
  // The groups' dimension goes before the one that it splits.
  auto shifted = [](int64_t d, int64_t split) { return d < split ? d : d + 1; };
  Ref lhs = Ref::of(map.lookup(op.getLhs())),
      rhs = Ref::of(map.lookup(op.getRhs()));
  for (int64_t d = 0; d < n; ++d)
    if (op.getWindowReversal()[d]) {
      const int64_t at = op.getKernelSpatialDimensions()[d];
      rhs.offset += (rhs.shape[at] - 1) * rhs.strides[at];
      rhs.strides[at] = -rhs.strides[at];
    }
  const int64_t leftSplit = batchGroups > 1 ? op.getInputBatchDimension()
                                            : op.getInputFeatureDimension();
  lhs = inGroups(lhs, leftSplit, groups);
  const int64_t rightSplit = op.getKernelOutputFeatureDimension();
  rhs = inGroups(rhs, rightSplit, groups);
  auto left = [&](int64_t d) { return shifted(d, leftSplit + 1); };
  auto right = [&](int64_t d) { return shifted(d, rightSplit + 1); };
  // After the split: its first half is the group's number.
  const int64_t leftBatch = op.getInputBatchDimension() == uint64_t(leftSplit)
                                ? leftSplit + 1
                                : left(op.getInputBatchDimension());
  const int64_t leftChannel =
      op.getInputFeatureDimension() == uint64_t(leftSplit)
          ? leftSplit + 1
          : left(op.getInputFeatureDimension());
  SmallVector<int64_t> leftMap{leftBatch}, rightMap{-1};
  leftMap.append(n, -1);
  rightMap.append(n, -1);
  leftMap.append({leftSplit, -1});
  rightMap.append({rightSplit, rightSplit + 1});
  CpuForm form(builder, LOOM_CPU_CONV);
  form.input(lhs.materialiseView(builder, loc), leftMap);
  form.input(rhs.materialiseView(builder, loc), rightMap);
  form.walks.resize(2);
  for (int64_t d = 0; d < n; ++d) {
    form.walks[0].push_back(left(op.getInputSpatialDimensions()[d]));
    form.walks[1].push_back(right(op.getKernelSpatialDimensions()[d]));
  }
  form.walks[0].push_back(leftChannel);
  form.walks[1].push_back(right(op.getKernelInputFeatureDimension()));
  form.params = {n, rhs.shape[right(op.getKernelInputFeatureDimension())]};
  auto field = [&](auto value) {
    for (int64_t d = 0; d < 4; ++d)
      form.params.push_back(d < n ? value(d) : 0);
  };
  field([&](int64_t d) { return 1 + d; });
  field([&](int64_t d) { return lhs.shape[form.walks[0][d]]; });
  field([&](int64_t d) { return rhs.shape[form.walks[1][d]]; });
  field([&](int64_t d) { return op.getWindowStrides()[d]; });
  field([&](int64_t d) { return op.getRhsDilation()[d]; });
  field([&](int64_t d) { return op.getLhsDilation()[d]; });
  field([&](int64_t d) { return op.getPadding()[2 * d]; });
  SmallVector<int64_t> strides = loomt::denseStrides(type.getShape()), boxDims,
                       boxStrides;
  auto along = [&](int64_t d) {
    boxDims.push_back(type.getDimSize(d));
    boxStrides.push_back(strides[d]);
  };
  along(op.getOutputBatchDimension());
  for (int64_t d : op.getOutputSpatialDimensions())
    along(d);
  const int64_t feature = op.getOutputFeatureDimension();
  const int64_t each = type.getDimSize(feature) / groups;
  boxDims.append({groups, each});
  boxStrides.append({each * strides[feature], strides[feature]});
  form.result(type, boxDims, boxStrides);
  return finishCpu(op, form);
}
