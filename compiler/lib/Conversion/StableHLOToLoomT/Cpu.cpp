// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// stablehlo -> loomt.cpu: the way in, elementwise operations, counters, bits
// and copies.

#include "Cpu.h"

#include "Scalar.h"
#include "loom/Dialect/StableHLO/Engines.h"

#include "loom_isa.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace mlir::loom;
using loomt::CpuProgram;
using loomt::Ref;

//===----------------------------------------------------------------------===//
// The form of an operation
//===----------------------------------------------------------------------===//

void CpuForm::result(RankedTensorType type) {
  result(type, type.getShape(), loomt::denseStrides(type.getShape()));
}

void CpuForm::result(RankedTensorType type, ArrayRef<int64_t> dims,
                     ArrayRef<int64_t> strides) {
  outs.push_back(loomt::outBox(builder, results.size(), type.getElementType(),
                               0, dims, strides));
  results.push_back(type);
}

loomt::CpuOp CpuForm::create(Operation *op, StringRef why) {
  SmallVector<Attribute> mapAttrs, walkAttrs;
  if (!maps.empty()) {
    maps.resize(inputs.size());
    for (auto [map, value] : llvm::zip(maps, inputs)) {
      const int64_t rank = cast<RankedTensorType>(value.getType()).getRank();
      mapAttrs.push_back(builder.getDenseI64ArrayAttr(
          map ? *map : llvm::to_vector(llvm::seq<int64_t>(0, rank))));
    }
  }
  for (const SmallVector<int64_t> &walk : walks)
    walkAttrs.push_back(builder.getDenseI64ArrayAttr(walk));
  return loomt::CpuOp::create(
      builder, op->getLoc(), results, inputs, inits,
      builder.getI64IntegerAttr(structure),
      builder.getDenseI64ArrayAttr(params), builder.getArrayAttr(mapAttrs),
      builder.getArrayAttr(walkAttrs), builder.getArrayAttr(outs),
      builder.getDenseI32ArrayAttr(program.words()),
      builder.getDenseI64ArrayAttr(program.imms),
      builder.getStringAttr(stablehlo::routineOf(op)),
      builder.getStringAttr(why));
}

/// What has kept the operation from the NPU.
static StringRef whyOf(Operation *op) {
  auto why = op->getAttrOfType<StringAttr>(stablehlo::kCpuAttr);
  return why ? why.getValue() : StringRef("it was asked for");
}

LogicalResult Converter::refuseCpu(Operation *op, const Twine &reason) {
  op->emitError() << "'" << op->getName().getStringRef()
                  << "' runs on no engine. NPU: " << whyOf(op)
                  << ". CPU: " << reason;
  return failure();
}

/// One of several that make an operation up.
SmallVector<Value> Converter::cpuStep(Operation *op, CpuForm &form) {
  return llvm::to_vector_of<Value>(form.create(op, whyOf(op)).getResults());
}

/// Creates it; its results are those of the operation, in order.
LogicalResult Converter::finishCpu(Operation *op, CpuForm &form) {
  const std::string problem = form.program.problem();
  if (!problem.empty())
    return refuseCpu(op, problem);
  loomt::CpuOp made = form.create(op, whyOf(op));
  for (auto [old, value] : llvm::zip(op->getResults(), made.getResults())) {
    Ref ref = Ref::of(value);
    auto type = cast<RankedTensorType>(old.getType());
    map[old] =
        ref.reshaped(type.getShape())->materialiseView(builder, op->getLoc());
  }
  return success();
}

//===----------------------------------------------------------------------===//
// Elementwise
//===----------------------------------------------------------------------===//

static RankedTensorType typeOf(Value value) {
  return cast<RankedTensorType>(value.getType());
}

/// A scalar where an array is wanted.
static Ref spread(Ref ref, ArrayRef<int64_t> shape) {
  if (ref.shape.empty() && !shape.empty()) {
    ref.shape.assign(shape.begin(), shape.end());
    ref.strides.assign(shape.size(), 0);
  }
  return ref;
}

LogicalResult Converter::cpuElementwise(Operation *op) {
  RankedTensorType type = typeOf(op->getResult(0));
  CpuForm form(builder, LOOM_CPU_MAP);
  SmallVector<int32_t> operands;
  for (Value operand : op->getOperands()) {
    Ref ref = spread(Ref::of(map.lookup(operand)), type.getShape());
    if (std::optional<uint64_t> bits = splatRegister(ref)) {
      operands.push_back(form.program.imm(*bits));
      continue;
    }
    operands.push_back(form.program.load(form.inputs.size()));
    form.input(ref.materialiseView(builder, op->getLoc()));
  }
  std::string why;
  FailureOr<int32_t> value = emitCpuScalar(op, operands, form.program, why);
  if (failed(value))
    return refuseCpu(op, why);
  storeResult(form.program, *value, type.getElementType(), 0);
  form.result(type);
  return finishCpu(op, form);
}

/// STORE takes a register.
void Converter::storeResult(CpuProgram &program, int32_t value, Type element,
                            int32_t result) {
  if (value < 0)
    value = program.emit(
        isWide(element) ? int32_t(LOOM_CPU_MOV64) : LOOM_UOP_MOV, value);
  program.store(value, result);
}

LogicalResult Converter::cpuMap(stablehlo::MapOp op) {
  CpuForm form(builder, LOOM_CPU_MAP);
  SmallVector<int32_t> arguments;
  for (Value input : op.getInputs()) {
    arguments.push_back(form.program.load(form.inputs.size()));
    form.input(map.lookup(input));
  }
  std::string why;
  auto values = emitRegion(op.getComputation(), arguments, form.program, why);
  if (failed(values))
    return refuseCpu(op, why);
  RankedTensorType type = typeOf(op.getResult());
  storeResult(form.program, (*values)[0], type.getElementType(), 0);
  form.result(type);
  return finishCpu(op, form);
}

LogicalResult Converter::cpuIota(stablehlo::IotaOp op) {
  RankedTensorType type = typeOf(op.getResult());
  CpuForm form(builder, LOOM_CPU_MAP);
  int32_t value = form.program.emit(LOOM_UOP_IOTA, op.getIotaDimension());
  const unsigned dtype = *loomt::memoryType(type.getElementType());
  if (dtype != LOOM_U32 && dtype != LOOM_I32)
    value = form.program.emit(LOOM_CPU_CVT, value, LOOM_U32, dtype);
  form.program.store(value, 0);
  form.result(type);
  return finishCpu(op, form);
}

//===----------------------------------------------------------------------===//
// Bits and places
//===----------------------------------------------------------------------===//

/// The result's bytes as elements of the operand's type.
LogicalResult Converter::cpuBitcast(stablehlo::BitcastConvertOp op) {
  RankedTensorType from = typeOf(op.getOperand()), to = typeOf(op.getResult());
  CpuForm form(builder, LOOM_CPU_COPY);
  form.input(map.lookup(op.getOperand()));
  form.results.push_back(to);
  form.outs.push_back(loomt::outBox(builder, 0, from.getElementType(), 0,
                                    from.getShape(),
                                    loomt::denseStrides(from.getShape())));
  return finishCpu(op, form);
}

LogicalResult Converter::cpuConcatenate(stablehlo::ConcatenateOp op) {
  RankedTensorType type = typeOf(op.getResult());
  SmallVector<int64_t> strides = loomt::denseStrides(type.getShape());
  CpuForm form(builder, LOOM_CPU_COPY);
  form.results.push_back(type);
  int64_t at = 0;
  for (Value input : op.getInputs()) {
    RankedTensorType part = typeOf(input);
    if (!part.getNumElements())
      continue;
    form.input(map.lookup(input));
    form.outs.push_back(loomt::outBox(builder, 0, type.getElementType(),
                                      at * strides[op.getDimension()],
                                      part.getShape(), strides));
    at += part.getDimSize(op.getDimension());
  }
  return finishCpu(op, form);
}

/// The padding everywhere, then the array over it.
LogicalResult Converter::cpuPad(stablehlo::PadOp op) {
  RankedTensorType type = typeOf(op.getResult());
  CpuForm form(builder, LOOM_CPU_COPY);
  form.input(spread(Ref::of(map.lookup(op.getPaddingValue())), type.getShape())
                 .materialiseView(builder, op.getLoc()));
  form.result(type);
  Ref ref = Ref::of(map.lookup(op.getOperand()));
  SmallVector<int64_t> dense = loomt::denseStrides(type.getShape()), strides;
  int64_t offset = 0;
  bool empty = false;
  for (size_t d = 0; d < ref.shape.size(); ++d) {
    const int64_t low = op.getEdgePaddingLow()[d],
                  step = op.getInteriorPadding()[d] + 1;
    // First and last source index that lands inside.
    const int64_t first = low >= 0 ? 0 : (-low + step - 1) / step;
    const int64_t room = type.getDimSize(d) - 1 - low;
    const int64_t last =
        room < 0 ? -1 : std::min<int64_t>(ref.shape[d] - 1, room / step);
    empty |= first > last;
    ref.offset += first * ref.strides[d];
    ref.shape[d] = last - first + 1;
    offset += (low + first * step) * dense[d];
    strides.push_back(dense[d] * step);
  }
  if (!empty) {
    form.input(ref.materialiseView(builder, op.getLoc()));
    form.outs.push_back(loomt::outBox(builder, 0, type.getElementType(), offset,
                                      ref.shape, strides));
  }
  return finishCpu(op, form);
}

//===----------------------------------------------------------------------===//
// The way in
//===----------------------------------------------------------------------===//

/// The NPU's conversion has refused the operation.
LogicalResult Converter::otherEngine(Operation *op) {
  const std::string why = std::move(refusal);
  refusal.clear();
  if (why.empty())
    return failure(); // an operand's maker has been reported
  if (!onNpu && !stablehlo::isFree(op) && !stablehlo::cpuRefusal(op)) {
    op->setAttr(stablehlo::kCpuAttr, builder.getStringAttr(why));
    return dispatchCpu(op);
  }
  op->emitError() << "'" << op->getName().getStringRef()
                  << "' cannot run on the NPU: " << why;
  return failure();
}

LogicalResult Converter::dispatchCpu(Operation *op) {
  if (auto cast = dyn_cast<stablehlo::BitcastConvertOp>(op))
    return cpuBitcast(cast);
  if (isElementwise(op))
    return cpuElementwise(op);
  return llvm::TypeSwitch<Operation *, LogicalResult>(op)
      .Case([&](stablehlo::MapOp o) { return cpuMap(o); })
      .Case([&](stablehlo::IotaOp o) { return cpuIota(o); })
      .Case([&](stablehlo::ConcatenateOp o) { return cpuConcatenate(o); })
      .Case([&](stablehlo::PadOp o) { return cpuPad(o); })
      .Case([&](stablehlo::ReduceOp o) { return cpuReduce(o); })
      .Case([&](stablehlo::ReduceWindowOp o) { return cpuReduceWindow(o); })
      .Case([&](stablehlo::SelectAndScatterOp o) {
        return cpuSelectAndScatter(o);
      })
      .Case([&](stablehlo::SortOp o) { return cpuSort(o); })
      .Case([&](stablehlo::GatherOp o) { return cpuGather(o); })
      .Case([&](stablehlo::ScatterOp o) { return cpuScatter(o); })
      .Case([&](stablehlo::DynamicSliceOp o) { return cpuDynamicSlice(o); })
      .Case([&](stablehlo::DynamicUpdateSliceOp o) {
        return cpuDynamicUpdateSlice(o);
      })
      .Case([&](stablehlo::DotGeneralOp o) { return cpuDot(o); })
      .Case([&](stablehlo::ConvolutionOp o) { return cpuConvolution(o); })
      .Case([&](stablehlo::FftOp o) { return cpuFft(o); })
      .Case<stablehlo::CholeskyOp, stablehlo::TriangularSolveOp,
            stablehlo::CustomCallOp>([&](auto o) { return cpuFactor(o); })
      .Default([&](Operation *o) {
        return refuseCpu(o, "the engine has no form of it");
      });
}
