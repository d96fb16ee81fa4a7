// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Rows by index and updates of slices.

#include "Constants.h"
#include "Converter.h"
#include "loom/Dialect/StableHLO/Patterns.h"

using namespace mlir;
using namespace mlir::loom;
using loomt::Ref;

/// Rows whose places are known are copied one by one up to this many.
static constexpr int64_t kMaxStaticRows = 4096;

Converter::Start Converter::startOf(ValueRange starts, ArrayRef<int64_t> whole,
                                    ArrayRef<int64_t> part,
                                    ArrayRef<int64_t> strides, Location loc) {
  Start result;
  SmallVector<int64_t> moved(loops.size(), 0);
  for (auto [d, index] : llvm::enumerate(starts)) {
    const int64_t room = whole[d] - part[d];
    std::optional<stablehlo::Affine> at = places.start(index, room);
    for (auto [loop, scale] : at ? at->scales : decltype(at->scales)())
      if (!llvm::is_contained(loops, loop))
        at.reset(); // counted by a number: too many are around
    if (!at) {
      result.indices.push_back(indexNumber(map.lookup(index), loc));
      result.limits.push_back(room);
      result.steps.push_back(strides[d]);
      continue;
    }
    result.offset += at->offset * strides[d];
    for (auto [loop, scale] : at->scales)
      moved[llvm::find(loops, loop) - loops.begin()] += scale * strides[d];
  }
  if (llvm::any_of(moved, [](int64_t step) { return step != 0; }))
    result.loopSteps = moved;
  return result;
}

/// A view where counters and constants say the place, a copy where data do.
LogicalResult Converter::dynamicSlice(stablehlo::DynamicSliceOp op) {
  Ref ref = Ref::of(map.lookup(op.getOperand()));
  const Start start = startOf(op.getStartIndices(), ref.shape,
                              op.getSliceSizes(), ref.strides, op.getLoc());
  ref.shape.assign(op.getSliceSizes().begin(), op.getSliceSizes().end());
  ref.offset += start.offset;
  SmallVector<int64_t> steps = start.loopSteps;
  if (auto at = ref.root.getDefiningOp<loomt::AtOp>(); at && !steps.empty()) {
    // Of loops around this one, or of this one.
    for (auto [i, step] : llvm::enumerate(at.getSteps()))
      steps[i] += step;
    ref.root = at.getRoot();
  }
  if (llvm::any_of(steps, [](int64_t step) { return step != 0; }))
    ref.root =
        loomt::AtOp::create(builder, op.getLoc(), ref.root.getType(), ref.root,
                            builder.getDenseI64ArrayAttr(steps));
  if (start.indices.empty()) {
    set(op, ref);
    return success();
  }
  Value source = ref.materialiseView(builder, op.getLoc());
  map[op.getResult()] = loomt::TakeOp::create(
      builder, op.getLoc(), source.getType(), source, start.indices,
      builder.getDenseI64ArrayAttr(start.limits),
      builder.getDenseI64ArrayAttr(start.steps));
  return success();
}

/// A root of its own with the value's elements.
Value Converter::freshCopy(Value value, Location loc) {
  auto type = cast<RankedTensorType>(value.getType());
  const auto strides =
      builder.getDenseI64ArrayAttr(loomt::denseStrides(type.getShape()));
  if (std::optional<uint32_t> bits =
          splatBits(Ref::of(value), /*storage=*/true))
    return loomt::CopyOp::create(
        builder, loc, type, ValueRange(), builder.getDenseI64ArrayAttr({}),
        builder.getArrayAttr({}), builder.getI32IntegerAttr(int32_t(*bits)));
  return loomt::CopyOp::create(builder, loc, type, value,
                               builder.getDenseI64ArrayAttr({0}),
                               builder.getArrayAttr(strides), nullptr);
}

static bool isStatic(stablehlo::DynamicUpdateSliceOp op) {
  return llvm::all_of(op.getStartIndices(), [](Value start) {
    return stablehlo::integerConstant(start).has_value();
  });
}

/// An update of a copy, which is dropped where nothing else needs the operand.
LogicalResult Converter::updateSlice(stablehlo::DynamicUpdateSliceOp op) {
  if (isStatic(op) && loops.empty())
    return staticUpdates(op);
  auto type = cast<RankedTensorType>(op.getType());
  Value update = map.lookup(op.getUpdate());
  auto part = cast<RankedTensorType>(update.getType());
  const SmallVector<int64_t> strides = loomt::denseStrides(type.getShape());
  const Start start = startOf(op.getStartIndices(), type.getShape(),
                              part.getShape(), strides, op.getLoc());
  Value target = freshCopy(map.lookup(op.getOperand()), op.getLoc());
  map[op.getResult()] = loomt::PutOp::create(
      builder, op.getLoc(), type, update, target, start.indices,
      builder.getI64IntegerAttr(start.offset),
      builder.getDenseI64ArrayAttr(strides),
      builder.getDenseI64ArrayAttr(start.loopSteps),
      builder.getDenseI64ArrayAttr(start.limits),
      builder.getDenseI64ArrayAttr(start.steps));
  return success();
}

/// One copy for a chain of updates: the first operand, then each update over
/// it. What a loop collects row by row is moved once.
LogicalResult Converter::staticUpdates(stablehlo::DynamicUpdateSliceOp op) {
  // The next update of a chain takes this one along.
  if (op.getResult().hasOneUse())
    if (auto next = dyn_cast<stablehlo::DynamicUpdateSliceOp>(
            *op.getResult().user_begin());
        next && next.getOperand() == op.getResult() && isStatic(next) &&
        next->getBlock() == op->getBlock()) {
      map[op.getResult()] = map.lookup(op.getOperand());
      return success();
    }
  auto type = cast<RankedTensorType>(op.getType());
  SmallVector<int64_t> strides = loomt::denseStrides(type.getShape());
  SmallVector<stablehlo::DynamicUpdateSliceOp> chain;
  for (auto link = op; link;
       link =
           link.getOperand().getDefiningOp<stablehlo::DynamicUpdateSliceOp>()) {
    if (!chain.empty() &&
        (!isStatic(link) || link->getBlock() != op->getBlock()))
      break;
    chain.push_back(link);
    if (!link.getOperand().hasOneUse())
      break;
  }
  Value base = map.lookup(chain.back().getOperand());
  SmallVector<Value> inputs;
  SmallVector<int64_t> offsets;
  IntegerAttr fill;
  if (std::optional<uint32_t> bits =
          splatBits(Ref::of(base), /*storage=*/true)) {
    fill = builder.getI32IntegerAttr(int32_t(*bits));
  } else {
    inputs.push_back(base);
    offsets.push_back(0);
  }
  for (stablehlo::DynamicUpdateSliceOp link : llvm::reverse(chain)) {
    auto part = cast<RankedTensorType>(link.getUpdate().getType());
    int64_t offset = 0;
    for (auto [d, start] : llvm::enumerate(link.getStartIndices()))
      offset +=
          std::clamp<int64_t>(stablehlo::integerConstant(start).value_or(0), 0,
                              type.getDimSize(d) - part.getDimSize(d)) *
          strides[d];
    inputs.push_back(map.lookup(link.getUpdate()));
    offsets.push_back(offset);
  }
  SmallVector<Attribute> all(inputs.size(),
                             builder.getDenseI64ArrayAttr(strides));
  map[op.getResult()] = loomt::CopyOp::create(
      builder, op.getLoc(), type, inputs, builder.getDenseI64ArrayAttr(offsets),
      builder.getArrayAttr(all), fill);
  return success();
}

LogicalResult Converter::gather(stablehlo::GatherOp op) {
  // A table that loops move has to stand still.
  if (Ref moved = Ref::of(map.lookup(op.getOperand()));
      moved.root.getDefiningOp<loomt::AtOp>())
    map[op.getOperand()] = dense(moved, op.getLoc());
  if (!stablehlo::isRowGather(op))
    return gatherRows(op);
  auto type = cast<RankedTensorType>(op.getType());
  auto tableType = cast<RankedTensorType>(op.getOperand().getType());
  Ref table = Ref::of(map.lookup(op.getOperand()));
  const int64_t rows = tableType.getDimSize(0);
  const int64_t width = tableType.getNumElements() / rows;
  const int64_t count = type.getNumElements() / width;
  Location loc = op.getLoc();
  Ref indices =
      collapse(Ref::of(map.lookup(op.getStartIndices())), {count}, loc);
  if (std::optional<std::vector<uint32_t>> known =
          constantValues(indices, kMaxStaticRows))
    return staticRows(op, table, *known);
  std::optional<Ref> flat = table.reshaped({rows, width});
  if (!flat || (width > 1 && flat->strides[1] != 1) ||
      !cast<RankedTensorType>(op.getStartIndices().getType())
           .getElementType()
           .isSignlessInteger(32))
    return gatherRows(op);
  Value result = loomt::RowsOp::create(
      builder, loc,
      RankedTensorType::get({count, width}, tableType.getElementType()),
      flat->materialiseView(builder, loc),
      indices.materialiseView(builder, loc));
  set(op, *Ref::of(result).reshaped(type.getShape()));
  return success();
}

/// Rows at places known now: neighbours are one slice, all are one copy.
LogicalResult Converter::staticRows(stablehlo::GatherOp op, const Ref &table,
                                    ArrayRef<uint32_t> indices) {
  auto type = cast<RankedTensorType>(op.getType());
  const int64_t rows = table.shape[0], count = indices.size();
  auto at = [&](int64_t i) {
    return std::clamp<int64_t>(int32_t(indices[i]), 0, rows - 1);
  };
  SmallVector<int64_t> shape(table.shape);
  shape[0] = count;
  SmallVector<int64_t> strides = loomt::denseStrides(shape);
  SmallVector<Value> inputs;
  SmallVector<int64_t> offsets;
  for (int64_t i = 0; i < count;) {
    int64_t end = i + 1;
    while (end < count && at(end) == at(end - 1) + 1)
      ++end;
    Ref part = table;
    part.offset += at(i) * part.strides[0];
    part.shape[0] = end - i;
    inputs.push_back(part.materialiseView(builder, op.getLoc()));
    offsets.push_back(i * strides[0]);
    i = end;
  }
  Ref result;
  if (inputs.size() == 1) {
    result = Ref::of(inputs.front());
  } else {
    SmallVector<Attribute> all(inputs.size(),
                               builder.getDenseI64ArrayAttr(strides));
    result = Ref::of(loomt::CopyOp::create(
        builder, op.getLoc(),
        RankedTensorType::get(shape, type.getElementType()), inputs,
        builder.getDenseI64ArrayAttr(offsets), builder.getArrayAttr(all),
        nullptr));
  }
  set(op, collapse(result, type.getShape(), op.getLoc()));
  return success();
}
