// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What is at places that data say.

#include "Cpu.h"

#include "loom_isa.h"

using namespace mlir;
using namespace mlir::loom;
using loomt::Ref;

static RankedTensorType typeOf(Value value) {
  return cast<RankedTensorType>(value.getType());
}

/// Component k of index vectors, one for each position of a result: along
/// `alongs[d]` of the indices (of those without their vectors' dimension) as
/// the result goes along its dimension d; -1: not.
static Ref component(const Ref &indices, int64_t vectorDim, int64_t k,
                     ArrayRef<int64_t> shape, ArrayRef<int64_t> alongs) {
  Ref ref{indices.root, indices.offset, SmallVector<int64_t>(shape), {}};
  SmallVector<int64_t> strides(indices.strides);
  if (vectorDim < int64_t(strides.size())) {
    ref.offset += k * strides[vectorDim];
    strides.erase(strides.begin() + vectorDim);
  }
  for (int64_t along : alongs)
    ref.strides.push_back(along < 0 ? 0 : strides[along]);
  return ref;
}

/// GATHER's and SCATTER's parameters; `head`: those before the limits.
static void setLimits(CpuForm &form, ArrayRef<int64_t> head,
                      ArrayRef<int64_t> limits) {
  form.params.assign(head.begin(), head.end());
  for (size_t j = 0; j < LOOM_CPU_MAX_RANK; ++j)
    form.params.push_back(j < limits.size() ? limits[j] : 0);
}

LogicalResult Converter::cpuGather(stablehlo::GatherOp op) {
  RankedTensorType type = typeOf(op.getResult()),
                   source = typeOf(op.getOperand());
  Ref indices = Ref::of(map.lookup(op.getStartIndices()));
  SmallVector<int64_t> offsetDims; // the operand's, in order
  for (int64_t d = 0; d < source.getRank(); ++d)
    if (!llvm::is_contained(op.getCollapsedSliceDims(), d) &&
        !llvm::is_contained(op.getOperandBatchingDims(), d))
      offsetDims.push_back(d);
  // Of each dimension of the result: the operand's, and the indices'.
  SmallVector<int64_t> along(type.getRank(), -1),
      indexAlong(type.getRank(), -1);
  int64_t offset = 0, batch = 0;
  for (int64_t d = 0; d < type.getRank(); ++d) {
    if (llvm::is_contained(op.getOffsetDims(), d)) {
      along[d] = offsetDims[offset++];
      continue;
    }
    indexAlong[d] = batch;
    const int64_t indexDim = batch < int64_t(op.getIndexVectorDim())
                                 ? batch
                                 : batch + 1; // with the vectors' dimension
    auto pair = llvm::find(op.getStartIndicesBatchingDims(), indexDim);
    if (pair != op.getStartIndicesBatchingDims().end())
      along[d] =
          op.getOperandBatchingDims()[pair -
                                      op.getStartIndicesBatchingDims().begin()];
    ++batch;
  }
  CpuForm form(builder, LOOM_CPU_GATHER);
  form.input(map.lookup(op.getOperand()), along);
  SmallVector<int64_t> limits;
  form.walks.emplace_back();
  for (auto [k, d] : llvm::enumerate(op.getStartIndexMap())) {
    form.input(component(indices, op.getIndexVectorDim(), k, type.getShape(),
                         indexAlong)
                   .materialiseView(builder, op.getLoc()));
    limits.push_back(source.getDimSize(d) - op.getSliceSizes()[d]);
    form.walks[0].push_back(d);
  }
  if (limits.empty())
    addZeroIndex(form, op.getLoc(), type.getShape(), limits);
  setLimits(form, {int64_t(limits.size())}, limits);
  form.result(type);
  return finishCpu(op, form);
}

/// Of what begins at 0 everywhere: an index that moves along nothing.
void Converter::addZeroIndex(CpuForm &form, Location loc,
                             ArrayRef<int64_t> shape,
                             SmallVectorImpl<int64_t> &limits) {
  Ref zero =
      Ref::of(splat(loc, RankedTensorType::get({1}, builder.getI32Type()), 0));
  zero.shape.assign(shape.begin(), shape.end());
  zero.strides.assign(shape.size(), 0);
  form.input(zero.materialiseView(builder, loc));
  limits.push_back(0);
  form.walks[0].push_back(-1);
}

/// Start indices as scalars, each along nothing.
void Converter::addStarts(CpuForm &form, Location loc, ValueRange starts,
                          ArrayRef<int64_t> shape, ArrayRef<int64_t> whole,
                          SmallVectorImpl<int64_t> &limits) {
  form.walks.emplace_back();
  for (auto [d, start] : llvm::enumerate(starts)) {
    Ref ref = Ref::of(map.lookup(start));
    ref.shape.assign(shape.begin(), shape.end());
    ref.strides.assign(shape.size(), 0);
    form.input(ref.materialiseView(builder, loc));
    limits.push_back(whole[d] - shape[d]);
    form.walks[0].push_back(d);
  }
}

LogicalResult Converter::cpuDynamicSlice(stablehlo::DynamicSliceOp op) {
  RankedTensorType type = typeOf(op.getResult());
  if (!type.getRank())
    return identityOf(op, op.getOperand());
  CpuForm form(builder, LOOM_CPU_GATHER);
  // The source's box is the slice at the least place.
  form.input(map.lookup(op.getOperand()),
             llvm::to_vector(llvm::seq<int64_t>(0, type.getRank())));
  SmallVector<int64_t> limits;
  addStarts(form, op.getLoc(), op.getStartIndices(), type.getShape(),
            typeOf(op.getOperand()).getShape(), limits);
  setLimits(form, {int64_t(limits.size())}, limits);
  form.result(type);
  return finishCpu(op, form);
}

LogicalResult
Converter::cpuDynamicUpdateSlice(stablehlo::DynamicUpdateSliceOp op) {
  RankedTensorType type = typeOf(op.getResult()), part = typeOf(op.getUpdate());
  if (!type.getRank())
    return identityOf(op, op.getUpdate());
  CpuForm form(builder, LOOM_CPU_SCATTER);
  form.inits.push_back(map.lookup(op.getOperand()));
  form.input(map.lookup(op.getUpdate()));
  SmallVector<int64_t> limits;
  addStarts(form, op.getLoc(), op.getStartIndices(), part.getShape(),
            type.getShape(), limits);
  setLimits(form, {int64_t(limits.size()), LOOM_CPU_SCATTER_CLAMP, 1}, limits);
  form.program.store(form.program.load(1), 0);
  form.result(type, part.getShape(), loomt::denseStrides(type.getShape()));
  return finishCpu(op, form);
}

/// A window that is not wholly inside is dropped, as XLA does.
LogicalResult Converter::cpuScatter(stablehlo::ScatterOp op) {
  const int64_t count = op.getInputs().size();
  if (count > int64_t(LOOM_CPU_MAX_COUNT))
    return refuseCpu(op, "it updates more than four arrays together");
  RankedTensorType type = typeOf(op.getResult(0)),
                   updates = typeOf(op.getUpdates()[0]);
  Ref indices = Ref::of(map.lookup(op.getScatterIndices()));
  SmallVector<int64_t> strides = loomt::denseStrides(type.getShape());
  SmallVector<int64_t> windowDims; // the array's, in order
  for (int64_t d = 0; d < type.getRank(); ++d)
    if (!llvm::is_contained(op.getInsertedWindowDims(), d) &&
        !llvm::is_contained(op.getInputBatchingDims(), d))
      windowDims.push_back(d);
  SmallVector<int64_t> along(updates.getRank(), -1),
      boxStrides(updates.getRank(), 0), size(type.getRank(), 1);
  int64_t window = 0, batch = 0;
  for (int64_t d = 0; d < updates.getRank(); ++d) {
    if (llvm::is_contained(op.getUpdateWindowDims(), d)) {
      const int64_t of = windowDims[window++];
      boxStrides[d] = strides[of];
      size[of] = updates.getDimSize(d);
      continue;
    }
    along[d] = batch;
    const int64_t indexDim =
        batch < int64_t(op.getIndexVectorDim()) ? batch : batch + 1;
    auto pair = llvm::find(op.getScatterIndicesBatchingDims(), indexDim);
    if (pair != op.getScatterIndicesBatchingDims().end())
      boxStrides[d] =
          strides[op.getInputBatchingDims()
                      [pair - op.getScatterIndicesBatchingDims().begin()]];
    ++batch;
  }
  CpuForm form(builder, LOOM_CPU_SCATTER);
  for (auto [input, update] : llvm::zip(op.getInputs(), op.getUpdates())) {
    form.inits.push_back(map.lookup(input));
    form.input(map.lookup(update));
  }
  SmallVector<int64_t> limits;
  form.walks.emplace_back();
  for (auto [k, d] : llvm::enumerate(op.getScatterDimsToOperandDims())) {
    form.input(
        component(indices, op.getIndexVectorDim(), k, updates.getShape(), along)
            .materialiseView(builder, op.getLoc()));
    limits.push_back(type.getDimSize(d) - size[d]);
    form.walks[0].push_back(d);
  }
  if (limits.empty())
    addZeroIndex(form, op.getLoc(), updates.getShape(), limits);
  setLimits(form, {int64_t(limits.size()), 0, count}, limits);
  if (failed(cpuRegion(op, op.getUpdateComputation(), 2 * count, form.program)))
    return failure();
  for (Value result : op.getResults())
    form.result(typeOf(result), updates.getShape(), boxStrides);
  return finishCpu(op, form);
}
