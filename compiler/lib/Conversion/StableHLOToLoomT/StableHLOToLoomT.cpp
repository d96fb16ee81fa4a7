// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// stablehlo -> loomt. Broadcasts, reshapes, transposes and slices become views;
// what a view cannot say becomes a copy.

#include "loom/Conversion/StableHLOToLoomT.h"

#include "Constants.h"
#include "Converter.h"
#include "Erfc.h"
#include "Scalar.h"
#include "loom/Dialect/StableHLO/Elements.h"
#include "loom/Dialect/StableHLO/Engines.h"

#include "loom_isa.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace mlir::loom;
using loomt::Program;
using loomt::Ref;

LogicalResult Converter::refuse(Operation *op, const Twine &reason,
                                StringRef remedy) {
  refusal = (reason + (remedy.empty() ? "" : "; ") + remedy).str();
  return failure();
}

/// A map whose result is a value of the program.
Value Converter::mapOf(Location loc, RankedTensorType type, ValueRange inputs,
                       Program &program, int32_t result) {
  if (result < 0 || result != int32_t(program.ops.size()) - 1)
    program.emit(LOOM_UOP_MOV, result);
  return loomt::MapOp::create(builder, loc, type, inputs,
                              builder.getDenseI32ArrayAttr(program.words()),
                              builder.getDenseI32ArrayAttr(program.imms));
}

/// A root that holds the elements in the reference's shape.
Value Converter::dense(const Ref &ref, Location loc) {
  auto type = RankedTensorType::get(
      ref.shape, cast<RankedTensorType>(ref.root.getType()).getElementType());
  if (ref.root.getType() == type && ref.isWhole())
    return ref.root;
  return loomt::createCopy(builder, loc, type,
                           ref.materialiseView(builder, loc), {0},
                           {loomt::denseStrides(ref.shape)});
}

/// The reference in another shape, by a copy if strides cannot say it.
Ref Converter::collapse(const Ref &ref, ArrayRef<int64_t> shape, Location loc) {
  if (std::optional<Ref> same = ref.reshaped(shape))
    return *same;
  return *Ref::of(dense(ref, loc)).reshaped(shape);
}

/// 1 - erf(x).
LogicalResult Converter::erfc(Operation *op, Value x) {
  Program program;
  const int32_t erf = program.emit(LOOM_UOP_ERF, program.load(0));
  program.emit(LOOM_UOP_FSUB, program.imm(0x3f800000u), erf);
  map[op->getResult(0)] = loomt::MapOp::create(
      builder, op->getLoc(), op->getResultTypes(), map.lookup(x),
      builder.getDenseI32ArrayAttr(program.words()),
      builder.getDenseI32ArrayAttr(program.imms));
  return success();
}

/// A constant of equal elements.
Value Converter::splat(Location loc, Type type, uint32_t value) {
  auto tensor = cast<RankedTensorType>(type);
  ElementsAttr one =
      storeElements(RankedTensorType::get({1}, tensor.getElementType()), value);
  return loomt::ConstantOp::create(
      builder, loc, tensor,
      stablehlo::makeElements(tensor,
                              stablehlo::ElementBytes::get(one)->element(0),
                              /*splat=*/true));
}

/// Zeros of any type, or no elements of it.
Value Converter::zeros(Location loc, RankedTensorType type) {
  const SmallVector<char> zero(*stablehlo::elementBytes(type.getElementType()));
  return loomt::ConstantOp::create(
      builder, loc, type, stablehlo::makeElements(type, zero, /*splat=*/true));
}

LogicalResult Converter::elementwise(Operation *op) {
  if (auto select = dyn_cast<stablehlo::SelectOp>(op))
    if (Value x = geluErfcArgument(select))
      return erfc(op, x);
  auto type = cast<RankedTensorType>(op->getResult(0).getType());
  Program program;
  SmallVector<Value> inputs;
  SmallVector<int32_t> operands;
  for (Value operand : op->getOperands()) {
    Ref ref = Ref::of(map.lookup(operand));
    if (ref.shape.empty() && type.getRank()) {
      ref.shape.assign(type.getShape().begin(), type.getShape().end());
      ref.strides.assign(type.getRank(), 0);
    }
    if (std::optional<uint32_t> bits = splatBits(ref)) {
      operands.push_back(program.imm(*bits));
      continue;
    }
    Value value = ref.materialiseView(builder, op->getLoc());
    inputs.push_back(value);
    operands.push_back(program.load(inputs.size() - 1));
  }
  std::string why;
  FailureOr<int32_t> value = emitScalar(op, operands, program, why);
  if (failed(value))
    return refuse(op, why,
                  "features of this release: see docs; compute it outside the "
                  "model");
  if (*value < 0 || *value != int32_t(program.ops.size()) - 1)
    program.emit(LOOM_UOP_MOV, *value);
  auto result =
      loomt::MapOp::create(builder, op->getLoc(), type, inputs,
                           builder.getDenseI32ArrayAttr(program.words()),
                           builder.getDenseI32ArrayAttr(program.imms));
  map[op->getResult(0)] = result;
  if (type.getNumElements() <= kMaxEagerFold)
    if (Value folded = foldConstantMap(result))
      map[op->getResult(0)] = folded;
  return success();
}

LogicalResult Converter::constant(stablehlo::ConstantOp op) {
  auto constant = loomt::ConstantOp::create(builder, op.getLoc(), op.getType(),
                                            op.getValue());
  if (Attribute name = op->getAttr("loom.name"))
    constant->setAttr("loom.name", name);
  map[op.getResult()] = constant;
  return success();
}

LogicalResult Converter::iota(stablehlo::IotaOp op) {
  auto type = cast<RankedTensorType>(op.getType());
  const int64_t dim = op.getIotaDimension();
  if (type.getNumElements() <= kMaxEagerFold) {
    map[op.getResult()] = loomt::ConstantOp::create(builder, op.getLoc(), type,
                                                    *iotaElements(type, dim));
    return success();
  }
  // Too large to write out: one line of it, repeated.
  auto line =
      RankedTensorType::get({type.getDimSize(dim)}, type.getElementType());
  std::optional<ElementsAttr> value = iotaElements(line, 0);
  if (!value)
    return refuse(op, "a counter this long is not folded",
                  "use iota of at most 2^22 elements along its dimension");
  Ref ref{loomt::ConstantOp::create(builder, op.getLoc(), line, *value), 0,
          SmallVector<int64_t>(type.getShape()),
          SmallVector<int64_t>(type.getRank(), 0)};
  ref.strides[dim] = 1;
  set(op, ref);
  return success();
}

LogicalResult Converter::broadcast(stablehlo::BroadcastInDimOp op) {
  Ref from = Ref::of(map.lookup(op.getOperand()));
  auto type = cast<RankedTensorType>(op.getType());
  Ref to{from.root, from.offset, SmallVector<int64_t>(type.getShape()), {}};
  to.strides.assign(type.getRank(), 0);
  for (auto [i, d] : llvm::enumerate(op.getBroadcastDimensions()))
    if (from.shape[i] != 1)
      to.strides[d] = from.strides[i];
  set(op, to);
  return success();
}

LogicalResult Converter::reshape(stablehlo::ReshapeOp op) {
  set(op,
      collapse(Ref::of(map.lookup(op.getOperand())),
               cast<RankedTensorType>(op.getType()).getShape(), op.getLoc()));
  return success();
}

LogicalResult Converter::transpose(stablehlo::TransposeOp op) {
  Ref from = Ref::of(map.lookup(op.getOperand()));
  Ref to{from.root, from.offset, {}, {}};
  for (int64_t d : op.getPermutation()) {
    to.shape.push_back(from.shape[d]);
    to.strides.push_back(from.strides[d]);
  }
  set(op, to);
  return success();
}

LogicalResult Converter::slice(stablehlo::SliceOp op) {
  Ref ref = Ref::of(map.lookup(op.getOperand()));
  ref.shape =
      SmallVector<int64_t>(cast<RankedTensorType>(op.getType()).getShape());
  for (size_t d = 0; d < ref.shape.size(); ++d) {
    ref.offset += op.getStartIndices()[d] * ref.strides[d];
    ref.strides[d] *= op.getStrides()[d];
  }
  set(op, ref);
  return success();
}

LogicalResult Converter::reverse(stablehlo::ReverseOp op) {
  Ref ref = Ref::of(map.lookup(op.getOperand()));
  for (int64_t d : op.getDimensions()) {
    ref.offset += (ref.shape[d] - 1) * ref.strides[d];
    ref.strides[d] = -ref.strides[d];
  }
  set(op, ref);
  return success();
}

LogicalResult Converter::concatenate(stablehlo::ConcatenateOp op) {
  auto type = cast<RankedTensorType>(op.getType());
  SmallVector<int64_t> strides = loomt::denseStrides(type.getShape());
  SmallVector<Value> inputs;
  SmallVector<int64_t> offsets;
  SmallVector<Attribute> all;
  int64_t at = 0;
  for (Value input : op.getInputs()) {
    const int64_t size =
        cast<RankedTensorType>(input.getType()).getDimSize(op.getDimension());
    if (!size)
      continue;
    inputs.push_back(map.lookup(input));
    offsets.push_back(at * strides[op.getDimension()]);
    all.push_back(builder.getDenseI64ArrayAttr(strides));
    at += size;
  }
  map[op.getResult()] = loomt::CopyOp::create(
      builder, op.getLoc(), type, inputs, builder.getDenseI64ArrayAttr(offsets),
      builder.getArrayAttr(all), nullptr);
  return success();
}

/// Crops what is negative, then a copy into a filled root.
Value Converter::padded(const Ref &from, ArrayRef<int64_t> low,
                        ArrayRef<int64_t> high, ArrayRef<int64_t> interior,
                        uint32_t fill, Location loc) {
  Ref ref = from;
  SmallVector<int64_t> shape;
  for (size_t d = 0; d < ref.shape.size(); ++d) {
    const int64_t n = ref.shape[d], step = interior[d] + 1;
    shape.push_back(low[d] + high[d] + (n ? (n - 1) * step + 1 : 0));
  }
  SmallVector<int64_t> dense = loomt::denseStrides(shape), strides = dense;
  int64_t offset = 0;
  bool empty = false;
  for (size_t d = 0; d < ref.shape.size(); ++d) {
    const int64_t step = interior[d] + 1;
    // First and one past the last source index that lands inside.
    const int64_t first = low[d] >= 0 ? 0 : (-low[d] + step - 1) / step;
    const int64_t room = shape[d] - 1 - low[d];
    const int64_t last =
        room < 0 ? -1 : std::min<int64_t>(ref.shape[d] - 1, room / step);
    empty |= first > last;
    ref.offset += first * ref.strides[d];
    ref.shape[d] = std::max<int64_t>(0, last - first + 1);
    offset += (low[d] + first * step) * dense[d];
    strides[d] = dense[d] * step;
  }
  auto element = cast<RankedTensorType>(from.root.getType()).getElementType();
  SmallVector<Value> inputs;
  SmallVector<int64_t> offsets;
  SmallVector<Attribute> all;
  if (!empty) {
    inputs.push_back(ref.materialiseView(builder, loc));
    offsets.push_back(offset);
    all.push_back(builder.getDenseI64ArrayAttr(strides));
  }
  return loomt::CopyOp::create(
      builder, loc, RankedTensorType::get(shape, element), inputs,
      builder.getDenseI64ArrayAttr(offsets), builder.getArrayAttr(all),
      builder.getI32IntegerAttr(int32_t(fill)));
}

/// As padded(), with a value that may be known at run time only: where a mask
/// that is padded likewise has zeros.
Value Converter::paddedBy(const Ref &ref, ArrayRef<int64_t> low,
                          ArrayRef<int64_t> high, ArrayRef<int64_t> interior,
                          const Ref &value, Location loc) {
  if (std::optional<uint32_t> fill = splatBits(value, /*storage=*/true))
    return padded(ref, low, high, interior, *fill, loc);
  Ref ones =
      Ref::of(splat(loc, RankedTensorType::get({1}, builder.getI1Type()), 1));
  ones.shape = ref.shape;
  ones.strides.assign(ref.shape.size(), 0);
  Value mask = padded(ones, low, high, interior, 0, loc);
  Value spread = padded(ref, low, high, interior, 0, loc);
  auto type = cast<RankedTensorType>(spread.getType());
  Ref other{value.root, value.offset, SmallVector<int64_t>(type.getShape()),
            SmallVector<int64_t>(type.getRank(), 0)};
  Program program;
  const int32_t inside = program.load(0), a = program.load(1),
                b = program.load(2);
  program.emit(LOOM_UOP_SELECT, inside, a, b);
  return loomt::MapOp::create(
      builder, loc, type,
      ValueRange{mask, spread, other.materialiseView(builder, loc)},
      builder.getDenseI32ArrayAttr(program.words()),
      builder.getDenseI32ArrayAttr(program.imms));
}

LogicalResult Converter::pad(stablehlo::PadOp op) {
  map[op.getResult()] =
      paddedBy(Ref::of(map.lookup(op.getOperand())), op.getEdgePaddingLow(),
               op.getEdgePaddingHigh(), op.getInteriorPadding(),
               Ref::of(map.lookup(op.getPaddingValue())), op.getLoc());
  return success();
}

LogicalResult Converter::identity(Operation *op) {
  for (auto [operand, result] : llvm::zip(op->getOperands(), op->getResults()))
    map[result] = map.lookup(operand);
  return success();
}

LogicalResult Converter::dispatch(Operation *op) {
  if (auto cast = dyn_cast<stablehlo::BitcastConvertOp>(op))
    if (!isBitcastInRegister(cast))
      return bitcast(cast);
  if (isElementwise(op))
    return elementwise(op);
  return llvm::TypeSwitch<Operation *, LogicalResult>(op)
      .Case([&](stablehlo::ConstantOp o) { return constant(o); })
      .Case([&](stablehlo::IotaOp o) { return iota(o); })
      .Case([&](stablehlo::BroadcastInDimOp o) { return broadcast(o); })
      .Case([&](stablehlo::ReshapeOp o) { return reshape(o); })
      .Case([&](stablehlo::TransposeOp o) { return transpose(o); })
      .Case([&](stablehlo::SliceOp o) { return slice(o); })
      .Case([&](stablehlo::ReverseOp o) { return reverse(o); })
      .Case([&](stablehlo::ConcatenateOp o) { return concatenate(o); })
      .Case([&](stablehlo::PadOp o) { return pad(o); })
      .Case([&](stablehlo::DynamicSliceOp o) { return dynamicSlice(o); })
      .Case([&](stablehlo::DynamicUpdateSliceOp o) { return updateSlice(o); })
      .Case([&](stablehlo::GatherOp o) { return gather(o); })
      .Case([&](stablehlo::DotGeneralOp o) { return dot(o); })
      .Case([&](stablehlo::ConvolutionOp o) { return convolution(o); })
      .Case([&](stablehlo::ReduceOp o) { return reduce(o); })
      .Case([&](stablehlo::ReduceWindowOp o) { return reduceWindow(o); })
      .Case(
          [&](stablehlo::SelectAndScatterOp o) { return selectAndScatter(o); })
      .Case([&](stablehlo::ScatterOp o) { return scatter(o); })
      .Case([&](stablehlo::SortOp o) { return topK(o); })
      .Case([&](stablehlo::WhileOp o) { return whileLoop(o); })
      .Case([&](stablehlo::CaseOp o) { return caseOf(o); })
      .Case([&](stablehlo::IfOp o) { return ifOf(o); })
      .Case([&](stablehlo::OptimizationBarrierOp o) { return identity(o); })
      .Case([&](stablehlo::CustomCallOp o) {
        if (o.getCallTargetName() == "Sharding" && o->getNumOperands() == 1)
          return identity(o);
        return refuse(o,
                      "the target '" + o.getCallTargetName() + "' is not known",
                      "express it in operations");
      })
      .Default([&](Operation *o) {
        return refuse(o, "this release has no form of it on the NPU",
                      "compute it outside the model");
      });
}

LogicalResult Converter::convert(Operation *op) {
  for (Value operand : op->getOperands())
    if (!map.count(operand))
      return failure(); // its producer has been reported
  for (Type type : op->getResultTypes()) {
    auto ranked = dyn_cast<RankedTensorType>(type);
    if (!ranked || !ranked.hasStaticShape())
      return op->emitError("its shape is not static: export with concrete "
                           "shapes");
    if (!loomt::memoryType(ranked.getElementType())) {
      std::string text;
      llvm::raw_string_ostream(text) << ranked.getElementType();
      return op->emitError("no engine has the element type " + text +
                           ": use f32, f64, bf16, f16 or integers of 8 to 64 "
                           "bits");
    }
  }
  builder.setInsertionPoint(place ? place : op);
  if (op->getNumResults() && llvm::all_of(op->getResultTypes(), isEmpty)) {
    for (Value result : op->getResults())
      map[result] =
          zeros(op->getLoc(), cast<RankedTensorType>(result.getType()));
    return success();
  }
  if (op->hasAttr(stablehlo::kCpuAttr))
    return dispatchCpu(op);
  return succeeded(dispatch(op)) ? success() : otherEngine(op);
}

// What is loomt already stays, between what was not.
void Converter::keep(Operation *op) {
  for (OpOperand &operand : op->getOpOperands())
    if (Value made = map.lookup(operand.get()))
      operand.set(made);
  for (Value result : op->getResults())
    map[result] = result;
}

LogicalResult Converter::run() {
  if (!func.getBody().hasOneBlock())
    return func.emitError("entry point must be one straight block");
  Block &block = func.getBody().front();
  for (BlockArgument argument : block.getArguments()) {
    auto type = dyn_cast<RankedTensorType>(argument.getType());
    if (!type || !type.hasStaticShape() ||
        !loomt::memoryType(type.getElementType())) {
      emitError(argument.getLoc()) << "input " << argument.getArgNumber()
                                   << " of type " << argument.getType()
                                   << " cannot be given to the program: use "
                                      "static shapes of f32, f64, bf16, f16 or "
                                      "integers of 8 to 64 bits";
      failedOnce = true;
      continue;
    }
    map[argument] = argument;
  }
  SmallVector<Operation *> all, old;
  for (Operation &op : block.without_terminator())
    all.push_back(&op);
  for (Operation *op : all) {
    if (isa<loomt::LoomTDialect>(op->getDialect())) {
      keep(op);
      continue;
    }
    old.push_back(op);
    if (failed(convert(op)))
      failedOnce = true;
  }
  if (failedOnce)
    return failure();
  Operation *ret = block.getTerminator();
  builder.setInsertionPoint(ret);
  for (OpOperand &operand : ret->getOpOperands())
    operand.set(map.lookup(operand.get()));
  for (Operation *op : llvm::reverse(old))
    op->erase();
  return success();
}

LogicalResult mlir::loom::convertStableHLOToLoomT(func::FuncOp func) {
  return Converter(func).run();
}
