// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Reductions, windows and orders by any region.

#include "Cpu.h"

#include "loom_cpu_cost.h"
#include "loom_isa.h"

using namespace mlir;
using namespace mlir::loom;
using loomt::CpuProgram;
using loomt::Ref;

static RankedTensorType typeOf(Value value) {
  return cast<RankedTensorType>(value.getType());
}

/// The region over n values combined and n elements; n results.
LogicalResult Converter::cpuRegion(Operation *op, Region &region,
                                   unsigned arguments, CpuProgram &program) {
  SmallVector<int32_t> loads;
  for (unsigned i = 0; i < arguments; ++i)
    loads.push_back(program.load(i));
  std::string why;
  auto values = emitRegion(region, loads, program, why);
  if (failed(values))
    return refuseCpu(op, why);
  Block &block = region.front();
  for (auto [i, value] : llvm::enumerate(*values))
    storeResult(program, value,
                typeOf(block.getTerminator()->getOperand(i)).getElementType(),
                i);
  return success();
}

/// Weights of a program that one quantum runs many times.
static LogicalResult checkFold(const CpuProgram &program, std::string &why) {
  uint32_t weight = 0;
  for (const loomt::Program::Op &group : program.ops)
    weight += loom_cpu_scalar_weight(group.op);
  if (weight <= LOOM_CPU_MAX_FOLD_WEIGHT)
    return success();
  why = "its region's operations weigh " + std::to_string(weight) +
        "; 64 is the limit";
  return failure();
}

/// A combiner of one array begins at its identity; the start value is combined
/// at the end, as on the NPU.
LogicalResult Converter::combineStart(Operation *op, Region &region, Value init,
                                      int32_t combiner) {
  Value result = map.lookup(op->getResult(0));
  RankedTensorType type = typeOf(result);
  Ref start = Ref::of(map.lookup(init));
  std::optional<uint64_t> bits = splatRegister(start);
  if (bits && *bits == combinerIdentity(combiner, type.getElementType()))
    return success();
  CpuForm form(builder, LOOM_CPU_MAP);
  const int32_t value = form.program.load(0);
  form.input(result);
  int32_t other;
  if (bits) {
    other = form.program.imm(*bits);
  } else {
    other = form.program.load(1);
    start.shape.assign(type.getShape().begin(), type.getShape().end());
    start.strides.assign(type.getRank(), 0);
    form.input(start.materialiseView(builder, op->getLoc()));
  }
  std::string why;
  FailureOr<int32_t> out =
      emitCpuScalar(&region.front().front(), {other, value}, form.program, why);
  if (failed(out))
    return refuseCpu(op, why);
  storeResult(form.program, *out, type.getElementType(), 0);
  form.result(type);
  return finishCpu(op, form);
}

/// Inputs, and either a combiner or the region and its start values. The
/// combiner, 0 for a region, or nothing.
std::optional<int32_t> Converter::beginCombining(Operation *op, CpuForm &form,
                                                 ValueRange inputs,
                                                 ValueRange inits,
                                                 Region &body) {
  if (inputs.size() > LOOM_CPU_MAX_COUNT) {
    (void)refuseCpu(op, "it takes more than four arrays together");
    return std::nullopt;
  }
  for (Value input : inputs)
    form.input(map.lookup(input));
  const int32_t combiner = inputs.size() == 1 ? combinerOf(body) : 0;
  if (combiner)
    return combiner;
  for (Value init : inits)
    form.input(map.lookup(init));
  if (failed(cpuRegion(op, body, 2 * inputs.size(), form.program)))
    return std::nullopt;
  std::string why;
  if (failed(checkFold(form.program, why))) {
    (void)refuseCpu(op, why);
    return std::nullopt;
  }
  return 0;
}

/// A start value wherever the result has an element.
static Ref startsOf(Value init, Value result) {
  Ref start = Ref::of(init);
  start.shape.assign(typeOf(result).getShape().begin(),
                     typeOf(result).getShape().end());
  start.strides.assign(start.shape.size(), 0);
  return start;
}

/// Along no dimension: each element with the start value alone.
LogicalResult Converter::cpuReduceNothing(stablehlo::ReduceOp op) {
  CpuForm form(builder, LOOM_CPU_MAP);
  for (auto [result, init] : llvm::zip(op.getResults(), op.getInitValues()))
    form.input(startsOf(map.lookup(init), result)
                   .materialiseView(builder, op.getLoc()));
  for (Value input : op.getInputs())
    form.input(map.lookup(input));
  if (failed(cpuRegion(op, op.getBody(), form.inputs.size(), form.program)))
    return failure();
  for (Value result : op.getResults())
    form.result(typeOf(result));
  return finishCpu(op, form);
}

LogicalResult Converter::cpuReduce(stablehlo::ReduceOp op) {
  RankedTensorType in = typeOf(op.getInputs()[0]);
  if (isEmpty(in)) { // the start values are all there is
    for (auto [result, init] : llvm::zip(op.getResults(), op.getInitValues()))
      map[result] = startsOf(map.lookup(init), result)
                        .materialiseView(builder, op.getLoc());
    return success();
  }
  if (op.getDimensions().empty())
    return cpuReduceNothing(op);
  CpuForm form(builder, LOOM_CPU_REDUCE);
  std::optional<int32_t> combiner = beginCombining(
      op, form, op.getInputs(), op.getInitValues(), op.getBody());
  if (!combiner)
    return failure();
  int64_t mask = 0;
  SmallVector<int64_t> dims(in.getShape());
  for (int64_t d : op.getDimensions()) {
    mask |= int64_t(1) << d;
    dims[d] = 1;
  }
  form.params = {mask, *combiner, int64_t(op.getInputs().size())};
  for (Value result : op.getResults())
    form.result(typeOf(result), dims, loomt::denseStrides(dims));
  if (failed(finishCpu(op, form)))
    return failure();
  return *combiner
             ? combineStart(op, op.getBody(), op.getInitValues()[0], *combiner)
             : success();
}

/// Windows see their start value where there is no element, so a combiner only
/// goes with its identity.
LogicalResult Converter::cpuReduceWindow(stablehlo::ReduceWindowOp op) {
  CpuForm form(builder, LOOM_CPU_WINDOW);
  int32_t combiner = op.getInputs().size() == 1 ? combinerOf(op.getBody()) : 0;
  if (combiner) {
    std::optional<uint64_t> bits =
        splatRegister(Ref::of(map.lookup(op.getInitValues()[0])));
    if (!bits ||
        *bits != combinerIdentity(combiner,
                                  typeOf(op.getResult(0)).getElementType()))
      combiner = 0;
  }
  if (combiner) {
    form.input(map.lookup(op.getInputs()[0]));
  } else {
    for (Value input : op.getInputs())
      form.input(map.lookup(input));
    for (Value init : op.getInitValues())
      form.input(map.lookup(init));
    if (op.getInputs().size() > LOOM_CPU_MAX_COUNT)
      return refuseCpu(op, "it takes more than four arrays together");
    std::string why;
    if (failed(cpuRegion(op, op.getBody(), 2 * op.getInputs().size(),
                         form.program)))
      return failure();
    if (failed(checkFold(form.program, why)))
      return refuseCpu(op, why);
  }
  // Parameters field by field, eight dimensions each.
  auto field = [&](auto value) {
    for (size_t d = 0; d < LOOM_CPU_MAX_RANK; ++d)
      form.params.push_back(d < op.getWindowDimensions().size() ? value(d) : 0);
  };
  field([&](size_t d) { return op.getWindowDimensions()[d]; });
  field([&](size_t d) { return op.getWindowStrides()[d]; });
  field([&](size_t d) { return op.getWindowDilations()[d]; });
  field([&](size_t d) { return op.getBaseDilations()[d]; });
  field([&](size_t d) { return op.getPadding()[2 * d]; });
  form.params.append({combiner, int64_t(op.getInputs().size())});
  for (Value result : op.getResults())
    form.result(typeOf(result));
  return finishCpu(op, form);
}

LogicalResult Converter::cpuSelectAndScatter(stablehlo::SelectAndScatterOp op) {
  CpuForm form(builder, LOOM_CPU_SELECT_SCATTER);
  for (Value input : {op.getOperand(), op.getSource(), op.getInitValue()})
    form.input(map.lookup(input));
  if (failed(cpuRegion(op, op.getSelect(), 2, form.program)))
    return failure();
  const int64_t selecting = form.program.ops.size();
  // The second program has registers of its own.
  CpuProgram scatter;
  if (failed(cpuRegion(op, op.getScatter(), 2, scatter)))
    return failure();
  for (const loomt::Program::Op &group : scatter.ops) {
    loomt::Program::Op moved = group;
    int32_t *operands[3] = {&moved.a, &moved.b, &moved.c};
    for (int k = 0; k < CpuProgram::operands(group.op); ++k)
      *operands[k] = *operands[k] >= 0
                         ? *operands[k] + int32_t(selecting)
                         : form.program.imm(scatter.imms[-1 - *operands[k]]);
    form.program.ops.push_back(moved);
  }
  auto field = [&](auto value) {
    for (size_t d = 0; d < LOOM_CPU_MAX_RANK; ++d)
      form.params.push_back(d < op.getWindowDimensions().size() ? value(d) : 0);
  };
  field([&](size_t d) { return op.getWindowDimensions()[d]; });
  field([&](size_t d) { return op.getWindowStrides()[d]; });
  field([&](size_t d) { return op.getPadding()[2 * d]; });
  form.params.push_back(selecting);
  form.result(typeOf(op.getResult()));
  return finishCpu(op, form);
}

/// The comparator takes left and right of each array in turn; the engine all
/// left ones first.
LogicalResult Converter::cpuSort(stablehlo::SortOp op) {
  const unsigned count = op.getInputs().size();
  if (count > LOOM_CPU_MAX_COUNT)
    return refuseCpu(op, "it takes more than four arrays together");
  CpuForm form(builder, LOOM_CPU_SORT);
  SmallVector<int32_t> arguments;
  for (auto [i, input] : llvm::enumerate(op.getInputs())) {
    form.input(map.lookup(input));
    arguments.push_back(form.program.load(i));
    arguments.push_back(form.program.load(count + i));
    form.result(typeOf(input));
  }
  std::string why;
  auto value = emitRegion(op.getComparator(), arguments, form.program, why);
  if (failed(value))
    return refuseCpu(op, why);
  storeResult(form.program, (*value)[0], builder.getI1Type(), 0);
  form.params = {int64_t(op.getDimension()), int64_t(count)};
  const int64_t line = typeOf(op.getInputs()[0]).getDimSize(op.getDimension());
  form.result(RankedTensorType::get(
      {2 * line},
      IntegerType::get(builder.getContext(), 32, IntegerType::Unsigned)));
  return finishCpu(op, form);
}
