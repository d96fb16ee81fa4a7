// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Rows by index in general: dimensions of the operand that indices or batches
// name come first and make one row number; the others are a row.

#include "Constants.h"
#include "Converter.h"
#include "Scalar.h"
#include "loom/Dialect/StableHLO/Patterns.h"

#include "loom_isa.h"

using namespace mlir;
using namespace mlir::loom;
using loomt::Program;
using loomt::Ref;
using stablehlo::RowAccess;

namespace mlir::loom {
struct IndexedRows {
  RowAccess access;
  Ref indices;                         // batch dimensions, then the vector's
  SmallVector<int64_t> sizes, strides; // of the row dimensions, in rows
  SmallVector<int64_t> rowShape;
  int64_t rows = 1, width = 1, count = 1;
};
} // namespace mlir::loom

static IndexedRows rowsOf(const RowAccess &access, Ref indices, int64_t vector,
                          RankedTensorType operand) {
  IndexedRows rows;
  rows.access = access;
  if (vector == int64_t(indices.shape.size())) { // scalars
    indices.shape.push_back(1);
    indices.strides.push_back(0);
  } else {
    const int64_t n = indices.shape[vector], stride = indices.strides[vector];
    indices.shape.erase(indices.shape.begin() + vector);
    indices.strides.erase(indices.strides.begin() + vector);
    indices.shape.push_back(n);
    indices.strides.push_back(stride);
  }
  rows.indices = indices;
  for (int64_t d : access.rowDims)
    rows.sizes.push_back(operand.getDimSize(d));
  rows.strides = loomt::denseStrides(rows.sizes);
  for (int64_t d : access.window)
    rows.rowShape.push_back(operand.getDimSize(d));
  rows.rows = product(rows.sizes);
  rows.width = product(rows.rowShape);
  rows.count = product(access.batchShape);
  return rows;
}

/// The reference with row dimensions first.
static Ref rowsFirst(const Ref &ref, const RowAccess &access) {
  Ref result{ref.root, ref.offset, {}, {}};
  for (ArrayRef<int64_t> dims :
       {ArrayRef<int64_t>(access.rowDims), ArrayRef<int64_t>(access.window)})
    for (int64_t d : dims) {
      result.shape.push_back(ref.shape[d]);
      result.strides.push_back(ref.strides[d]);
    }
  return result;
}

/// One component of the index vectors, over the indices' batch dimensions.
static Ref componentOf(const IndexedRows &rows, size_t rowDim) {
  Ref ref = rows.indices;
  ref.offset += rows.access.from[rowDim] * ref.strides.back();
  ref.shape.pop_back();
  ref.strides.pop_back();
  return ref;
}

/// The row of each index, [count] x i32. An index out of bounds is clamped, or
/// gives the number of rows, which a scatter drops.
Value Converter::rowNumbers(const IndexedRows &rows, bool drops, Location loc) {
  const RowAccess &access = rows.access;
  const auto type =
      RankedTensorType::get(access.batchShape, builder.getI32Type());
  Program program;
  SmallVector<Value> inputs;
  int32_t row = program.imm(0), inside = -1;
  bool some = false;
  auto sum = [&](int32_t value) {
    row = some ? program.emit(LOOM_UOP_IADD, row, value) : value;
    some = true;
  };
  if (access.batching) {
    std::vector<uint32_t> base(rows.count);
    const SmallVector<int64_t> dense = loomt::denseStrides(access.batchShape);
    for (int64_t i = 0; i < rows.count; ++i)
      for (size_t k = 0; k < access.batching; ++k) {
        const int64_t dim = access.from[k];
        base[i] += i / dense[dim] % access.batchShape[dim] * rows.strides[k];
      }
    inputs.push_back(loomt::ConstantOp::create(builder, loc, type,
                                               storeElements(type, base)));
    sum(program.load(0));
  }
  const bool isUnsigned = cast<RankedTensorType>(rows.indices.root.getType())
                              .getElementType()
                              .isUnsignedInteger();
  for (size_t k = access.batching; k < access.rowDims.size(); ++k) {
    inputs.push_back(componentOf(rows, k).materialiseView(builder, loc));
    int32_t index = program.load(inputs.size() - 1);
    if (drops) {
      const int32_t ok =
          program.emit(LOOM_UOP_ULT, index, program.imm(rows.sizes[k]));
      inside = inside < 0 ? ok : program.emit(LOOM_UOP_AND, inside, ok);
    } else {
      const int32_t last = program.imm(rows.sizes[k] - 1);
      index =
          program.emit(isUnsigned ? LOOM_UOP_UMIN : LOOM_UOP_IMIN, index, last);
      if (!isUnsigned)
        index = program.emit(LOOM_UOP_IMAX, index, program.imm(0));
    }
    if (rows.strides[k] != 1)
      index = program.emit(LOOM_UOP_IMUL, index, program.imm(rows.strides[k]));
    sum(index);
  }
  if (inside >= 0)
    row = program.emit(LOOM_UOP_SELECT, inside, row, program.imm(rows.rows));
  if (inputs.empty()) // of no index and no batch: row 0
    return loomt::ConstantOp::create(
        builder, loc, RankedTensorType::get({rows.count}, builder.getI32Type()),
        storeElements(RankedTensorType::get({rows.count}, builder.getI32Type()),
                      std::vector<uint32_t>(rows.count)));
  return Ref::of(mapOf(loc, type, inputs, program, row))
      .reshaped({rows.count})
      ->materialiseView(builder, loc);
}

/// Views that the row numbers' map has for indices.
static bool tooManyIndices(const RowAccess &access) {
  return access.rowDims.size() - access.batching + (access.batching ? 1 : 0) >=
         LOOM_VPU_MAX_VIEWS;
}

LogicalResult Converter::gatherRows(stablehlo::GatherOp op) {
  Location loc = op.getLoc();
  std::optional<RowAccess> access = stablehlo::rowAccessOf(op);
  if (!access)
    return refuse(op, "it takes a part of each row", "slice first, then index");
  if (tooManyIndices(*access))
    return refuse(op, "an index has more than four components",
                  "index the dimensions one after the other");
  auto type = cast<RankedTensorType>(op.getType());
  auto tableType = cast<RankedTensorType>(op.getOperand().getType());
  const IndexedRows rows =
      rowsOf(*access, Ref::of(map.lookup(op.getStartIndices())),
             op.getIndexVectorDim(), tableType);
  Value numbers = rowNumbers(rows, /*drops=*/false, loc);
  Ref table = collapse(rowsFirst(Ref::of(map.lookup(op.getOperand())), *access),
                       {rows.rows, rows.width}, loc);
  if (rows.width > 1 && table.strides[1] != 1)
    table = Ref::of(dense(table, loc));
  Value picked =
      loomt::RowsOp::create(builder, loc,
                            RankedTensorType::get({rows.count, rows.width},
                                                  tableType.getElementType()),
                            table.materialiseView(builder, loc), numbers);
  SmallVector<int64_t> shape(access->batchShape);
  llvm::append_range(shape, rows.rowShape);
  const Ref from = *Ref::of(picked).reshaped(shape);
  Ref to{from.root, 0, {}, {}};
  size_t batch = 0, row = access->batchShape.size();
  for (int64_t d = 0; d < type.getRank(); ++d) {
    const size_t at =
        llvm::is_contained(op.getOffsetDims(), d) ? row++ : batch++;
    to.shape.push_back(from.shape[at]);
    to.strides.push_back(from.strides[at]);
  }
  set(op, to);
  return success();
}

/// Updates with their batch dimensions first.
static Ref updatesOf(stablehlo::ScatterOp op, const Ref &ref) {
  Ref result{ref.root, ref.offset, {}, {}};
  for (const bool window : {false, true})
    for (int64_t d = 0; d < int64_t(ref.shape.size()); ++d)
      if (llvm::is_contained(op.getUpdateWindowDims(), d) == window) {
        result.shape.push_back(ref.shape[d]);
        result.strides.push_back(ref.strides[d]);
      }
  return result;
}

/// One update for each batch (a label's gradient): every element asks whether
/// it is the one.
LogicalResult Converter::oneUpdate(stablehlo::ScatterOp op,
                                   const IndexedRows &rows) {
  Location loc = op.getLoc();
  const RowAccess &access = rows.access;
  const Ref old = rowsFirst(Ref::of(map.lookup(op.getInputs()[0])), access);
  const Ref updates = updatesOf(op, Ref::of(map.lookup(op.getUpdates()[0])));
  // Over the operand: what does not move along an indexed dimension.
  auto spread = [&](const Ref &from, bool window) {
    Ref ref{from.root, from.offset, old.shape, {}};
    for (size_t k = 0; k < access.rowDims.size(); ++k)
      ref.strides.push_back(k < access.batching ? from.strides[access.from[k]]
                                                : 0);
    for (size_t k = 0; k < access.window.size(); ++k)
      ref.strides.push_back(window ? from.strides[access.batchShape.size() + k]
                                   : 0);
    return ref.materialiseView(builder, loc);
  };
  Program program;
  SmallVector<Value> inputs{old.materialiseView(builder, loc),
                            spread(updates, true)};
  const int32_t before = program.load(0), update = program.load(1);
  int32_t chosen = -1;
  for (size_t k = access.batching; k < access.rowDims.size(); ++k) {
    const auto type =
        RankedTensorType::get({rows.sizes[k]}, builder.getI32Type());
    Ref numbers = Ref::of(
        loomt::ConstantOp::create(builder, loc, type, *iotaElements(type, 0)));
    numbers.shape = old.shape;
    numbers.strides.assign(old.shape.size(), 0);
    numbers.strides[k] = 1;
    inputs.push_back(spread(componentOf(rows, k), false));
    inputs.push_back(numbers.materialiseView(builder, loc));
    const int32_t index = program.load(inputs.size() - 2);
    const int32_t here =
        program.emit(LOOM_UOP_IEQ, index, program.load(inputs.size() - 1));
    chosen = chosen < 0 ? here : program.emit(LOOM_UOP_AND, chosen, here);
  }
  std::string why;
  auto value =
      emitRegion(op.getUpdateComputation(), {before, update}, program, why);
  if (failed(value))
    return refuse(op, why, "combine by one arithmetic operation");
  const int32_t result = chosen < 0 ? value->front()
                                    : program.emit(LOOM_UOP_SELECT, chosen,
                                                   value->front(), before);
  Value made = mapOf(
      loc,
      RankedTensorType::get(
          old.shape,
          cast<RankedTensorType>(op.getResult(0).getType()).getElementType()),
      inputs, program, result);
  const Ref from = Ref::of(made);
  Ref to{from.root, 0, {}, {}};
  auto type = cast<RankedTensorType>(op.getResult(0).getType());
  to.shape.assign(type.getShape().begin(), type.getShape().end());
  to.strides.assign(to.shape.size(), 0);
  size_t at = 0;
  for (ArrayRef<int64_t> dims :
       {ArrayRef<int64_t>(access.rowDims), ArrayRef<int64_t>(access.window)})
    for (int64_t d : dims)
      to.strides[d] = from.strides[at++];
  set(op, to);
  return success();
}

/// Updates one after the other, in their order.
LogicalResult Converter::scatterRows(stablehlo::ScatterOp op,
                                     const IndexedRows &rows) {
  Location loc = op.getLoc();
  const RowAccess &access = rows.access;
  if (tooManyIndices(access))
    return refuse(op, "an index has more than four components",
                  "index the dimensions one after the other");
  auto type = cast<RankedTensorType>(op.getResult(0).getType());
  Value numbers = rowNumbers(rows, /*drops=*/true, loc);
  const Ref before = rowsFirst(Ref::of(map.lookup(op.getInputs()[0])), access);
  const Ref updates =
      collapse(updatesOf(op, Ref::of(map.lookup(op.getUpdates()[0]))),
               {rows.count, rows.width}, loc);
  Program program;
  const int32_t old = program.load(0), update = program.load(1);
  std::string why;
  auto value =
      emitRegion(op.getUpdateComputation(), {old, update}, program, why);
  if (failed(value))
    return refuse(op, why, "combine by one arithmetic operation");
  if (value->front() != int32_t(program.ops.size()) - 1)
    program.emit(LOOM_UOP_MOV, value->front());
  const auto tableType =
      RankedTensorType::get({rows.rows, rows.width}, type.getElementType());
  Value table;
  IntegerAttr fill;
  if (std::optional<uint32_t> bits = splatBits(before, /*storage=*/true))
    fill = builder.getI32IntegerAttr(int32_t(*bits));
  else
    table = collapse(before, {rows.rows, rows.width}, loc)
                .materialiseView(builder, loc);
  Value made = loomt::ScatterRowsOp::create(
      builder, loc, tableType, updates.materialiseView(builder, loc), numbers,
      table, builder.getDenseI32ArrayAttr(program.words()),
      builder.getDenseI32ArrayAttr(program.imms),
      builder.getBoolAttr(value->front() == update), fill);
  SmallVector<int64_t> shape(rows.sizes);
  llvm::append_range(shape, rows.rowShape);
  const Ref from = *Ref::of(made).reshaped(shape);
  Ref to{from.root, 0, SmallVector<int64_t>(type.getShape()), {}};
  to.strides.assign(to.shape.size(), 0);
  size_t at = 0;
  for (ArrayRef<int64_t> dims :
       {ArrayRef<int64_t>(access.rowDims), ArrayRef<int64_t>(access.window)})
    for (int64_t d : dims)
      to.strides[d] = from.strides[at++];
  set(op, to);
  return success();
}

LogicalResult Converter::scatter(stablehlo::ScatterOp op) {
  if (op.getUpdates().size() == 1 &&
      !cast<RankedTensorType>(op.getUpdates()[0].getType()).getNumElements()) {
    map[op.getResult(0)] = map.lookup(op.getInputs()[0]);
    return success();
  }
  std::optional<RowAccess> access = stablehlo::rowAccessOf(op);
  if (!access)
    return refuse(op, "it updates a part of each row, or several operands",
                  "use lax.dynamic_update_slice");
  const IndexedRows rows =
      rowsOf(*access, Ref::of(map.lookup(op.getScatterIndices())),
             op.getIndexVectorDim(),
             cast<RankedTensorType>(op.getInputs()[0].getType()));
  return stablehlo::isOneUpdate(op) ? oneUpdate(op, rows)
                                    : scatterRows(op, rows);
}
