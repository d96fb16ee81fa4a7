// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// loomt.cpu to loom.cpu: dimensions become bytes, values registers.

#include "Emitter.h"

#include "llvm/ADT/SmallBitVector.h"

using namespace mlir;
using namespace mlir::loom;
using loomt::CpuProgram;

namespace {
/// A box of an operand, and what it walks beyond it.
struct Operand {
  Value mem;
  int64_t dtype = 0, offset = 0;
  SmallVector<int64_t> dims, strides;
};
} // namespace

static Operand operandOf(const Box &box, Type element) {
  return {box.mem, int64_t(*loomt::memoryType(element)), box.offset, box.n,
          box.stride};
}

static Type elementOf(Value value) {
  return cast<RankedTensorType>(value.getType()).getElementType();
}

static Operand outputOf(const Memory &memory, loomt::CpuOp op,
                        ArrayRef<int64_t> box) {
  const Box whole = memory.box(op->getResult(box[0]));
  const int64_t elem = loom_dtype_bytes(box[1]);
  const size_t rank = (box.size() - 3) / 2;
  Operand out{whole.mem, box[1], whole.offset + box[2] * elem, {}, {}};
  for (size_t d = 0; d < rank; ++d) {
    out.dims.push_back(box[3 + d]);
    out.strides.push_back(box[3 + rank + d] * elem);
  }
  return out;
}

/// Fewer dimensions: without those of size 1, and neighbours that all operands
/// go through in one stride as one. All have the same dimensions.
static void collapse(MutableArrayRef<Operand *> operands) {
  const SmallVector<int64_t> dims = operands.front()->dims;
  SmallVector<SmallVector<int64_t>> strides(operands.size());
  SmallVector<int64_t> merged;
  for (size_t d = 0; d < dims.size(); ++d) {
    if (dims[d] == 1)
      continue;
    bool joins = !merged.empty();
    for (auto [operand, have] : llvm::zip(operands, strides))
      joins &= !have.empty() && have.back() == operand->strides[d] * dims[d];
    if (joins)
      merged.back() *= dims[d];
    else
      merged.push_back(dims[d]);
    for (auto [operand, have] : llvm::zip(operands, strides)) {
      if (joins)
        have.pop_back();
      have.push_back(operand->strides[d]);
    }
  }
  for (auto [operand, have] : llvm::zip(operands, strides)) {
    operand->dims = merged;
    operand->strides = have;
  }
}

/// Strides of the dimensions that a structure walks, filled up with zeros.
static void appendWalk(SmallVectorImpl<int64_t> &params, ArrayRef<int64_t> walk,
                       ArrayRef<int64_t> strides, size_t size) {
  for (size_t i = 0; i < size; ++i)
    params.push_back(i < walk.size() && walk[i] >= 0 ? strides[walk[i]] : 0);
}

static ArrayRef<int64_t> walkOf(loomt::CpuOp op, size_t i) {
  return cast<DenseI64ArrayAttr>(op.getWalks()[i]);
}

/// All numbers of the structure's parameters.
static SmallVector<int64_t> paramsOf(loomt::CpuOp op, const Memory &memory) {
  SmallVector<int64_t> params(op.getParams());
  auto strides = [&](Value value) { return memory.box(value).stride; };
  switch (op.getStructure()) {
  case LOOM_CPU_GATHER:
    appendWalk(params, walkOf(op, 0), strides(op.getInputs()[0]), 8);
    break;
  case LOOM_CPU_SCATTER:
    for (unsigned i = 0; i < LOOM_CPU_MAX_COUNT; ++i)
      appendWalk(params,
                 i < op.getNumResults() ? walkOf(op, 0) : ArrayRef<int64_t>(),
                 strides(op.getResult(i < op.getNumResults() ? i : 0)), 8);
    break;
  case LOOM_CPU_DOT:
    for (unsigned i = 0; i < 2; ++i)
      appendWalk(params, walkOf(op, i), strides(op.getInputs()[i]), 8);
    break;
  case LOOM_CPU_CONV:
    for (unsigned i = 0; i < 2; ++i)
      appendWalk(params, walkOf(op, i).drop_back(), strides(op.getInputs()[i]),
                 4);
    for (unsigned i = 0; i < 2; ++i)
      appendWalk(params, walkOf(op, i).take_back(1), strides(op.getInputs()[i]),
                 1);
    params.push_back(0); // what padding holds
    break;
  default:
    break;
  }
  return params;
}

static SmallVector<int64_t> scalarsOf(loomt::CpuOp op) {
  CpuProgram program(op.getProgram(), op.getImms());
  size_t split = 0;
  if (op.getStructure() == LOOM_CPU_SELECT_SCATTER)
    split = op.getParams().back();
  SmallVector<int64_t> words;
  for (auto [first, count] : {std::pair<size_t, size_t>{0, split},
                              {split, program.ops.size() - split}}) {
    const auto part = program.encode(first, count);
    for (const loom_cpu_scalar_op &scalar : *part) {
      int64_t word;
      static_assert(sizeof(word) == sizeof(scalar), "rows of 8 bytes");
      memcpy(&word, &scalar, sizeof(word));
      words.push_back(word);
    }
  }
  return words;
}

npu::CpuOp Emitter::cpu(loomt::CpuOp op, ValueRange mems, int64_t structure,
                        int64_t inputs, ArrayRef<Attribute> boxes,
                        ArrayRef<int64_t> params, ArrayRef<int64_t> scalars,
                        ArrayRef<int64_t> imms) {
  endStream(op.getLoc());
  ++cpuOps;
  cpuLast = true;
  return npu::CpuOp::create(
      builder, op.getLoc(), mems, builder.getI64IntegerAttr(structure),
      builder.getI64IntegerAttr(inputs), builder.getArrayAttr(boxes),
      builder.getDenseI64ArrayAttr(params),
      builder.getDenseI64ArrayAttr(scalars), builder.getDenseI64ArrayAttr(imms),
      op.getSourceAttr(), op.getWhyAttr());
}

static LogicalResult emit(Emitter &emitter, loomt::CpuOp op, int64_t structure,
                          ArrayRef<Operand> operands, int64_t inputs,
                          ArrayRef<int64_t> params, ArrayRef<int64_t> scalars,
                          ArrayRef<int64_t> imms) {
  SmallVector<Value> mems;
  SmallVector<Attribute> boxes;
  for (const Operand &operand : operands) {
    if (operand.dims.size() > LOOM_CPU_MAX_RANK)
      return op.emitError() << "'" << op.getSource() << "' goes through "
                            << operand.dims.size()
                            << " dimensions; the CPU engine takes 8: reshape "
                               "to fewer";
    SmallVector<int64_t> box{operand.dtype, operand.offset};
    box.append(operand.dims);
    box.append(operand.strides);
    mems.push_back(operand.mem);
    boxes.push_back(emitter.builder.getDenseI64ArrayAttr(box));
  }
  emitter.cpu(op, mems, structure, inputs, boxes, params, scalars, imms);
  return success();
}

void Emitter::copyOnCpu(Location loc, const Box &from, const Box &to) {
  // Bits are copied as they are, by numbers of their width.
  const int64_t dtype = from.elem == 8   ? LOOM_U64
                        : from.elem == 4 ? LOOM_U32
                        : from.elem == 2 ? LOOM_U16
                                         : LOOM_U8;
  Operand source{from.mem, dtype, from.offset, from.n, from.stride},
      target{to.mem, dtype, to.offset, to.n, to.stride};
  Operand *pair[2] = {&source, &target};
  collapse(pair);
  SmallVector<Attribute> boxes;
  for (const Operand *operand : pair) {
    SmallVector<int64_t> box{operand->dtype, operand->offset};
    box.append(operand->dims);
    box.append(operand->strides);
    boxes.push_back(builder.getDenseI64ArrayAttr(box));
  }
  ++cpuOps;
  cpuLast = true;
  npu::CpuOp::create(
      builder, loc, ValueRange{from.mem, to.mem},
      builder.getI64IntegerAttr(LOOM_CPU_COPY), builder.getI64IntegerAttr(1),
      builder.getArrayAttr(boxes), builder.getDenseI64ArrayAttr({}),
      builder.getDenseI64ArrayAttr({}), builder.getDenseI64ArrayAttr({}),
      builder.getStringAttr("carry"),
      builder.getStringAttr("CPU operations make what the loop carries"));
}

/// Pairs, as many at a time as an operation takes.
static LogicalResult emitCopies(Emitter &emitter, loomt::CpuOp op,
                                MutableArrayRef<Operand> from,
                                MutableArrayRef<Operand> to) {
  const size_t most = LOOM_CPU_MAX_OPERANDS / 2;
  for (size_t i = 0; i < from.size(); ++i) {
    Operand *pair[2] = {&from[i], &to[i]};
    collapse(pair);
  }
  for (size_t first = 0; first < from.size(); first += most) {
    const size_t count = std::min(most, from.size() - first);
    SmallVector<Operand> operands(from.slice(first, count));
    llvm::append_range(operands, to.slice(first, count));
    if (failed(emit(emitter, op, LOOM_CPU_COPY, operands, count, {}, {}, {})))
      return failure();
  }
  return success();
}

/// Whether the dimensions of boxes have no meaning but their order.
static bool isFlat(loomt::CpuOp op) {
  if (op.getStructure() == LOOM_CPU_GATHER ||
      op.getStructure() == LOOM_CPU_SCATTER)
    return true;
  const CpuProgram program(op.getProgram(), op.getImms());
  return op.getStructure() == LOOM_CPU_MAP &&
         llvm::none_of(program.ops, [](const loomt::Program::Op &group) {
           return group.op == LOOM_UOP_IOTA;
         });
}

LogicalResult mlir::loom::lowerCpu(Emitter &emitter, const Memory &memory,
                                   loomt::CpuOp op) {
  SmallVector<Operand> inputs, outputs;
  for (Attribute out : op.getOuts())
    outputs.push_back(
        outputOf(memory, op, cast<DenseI64ArrayAttr>(out).asArrayRef()));
  for (auto [i, input] : llvm::enumerate(op.getInputs())) {
    Operand operand = operandOf(memory.box(input), elementOf(input));
    if (!op.getMaps().empty() && i < op.getMaps().size()) {
      ArrayRef<int64_t> along = cast<DenseI64ArrayAttr>(op.getMaps()[i]);
      SmallVector<int64_t> strides;
      for (int64_t d : along)
        strides.push_back(d < 0 ? 0 : operand.strides[d]);
      operand.dims = outputs.front().dims;
      operand.strides = strides;
    }
    inputs.push_back(operand);
  }
  SmallVector<Operand> from, to;
  for (auto [init, result] : llvm::zip(op.getInits(), op.getResults())) {
    from.push_back(operandOf(memory.box(init), elementOf(init)));
    to.push_back(operandOf(memory.box(result), elementOf(result)));
  }
  if (failed(emitCopies(emitter, op, from, to)))
    return failure();
  if (op.getStructure() == LOOM_CPU_COPY)
    return emitCopies(emitter, op, inputs, outputs);
  if (isFlat(op)) {
    SmallVector<Operand *> all;
    for (Operand &operand : inputs)
      all.push_back(&operand);
    for (Operand &operand : outputs)
      all.push_back(&operand);
    collapse(all);
  }
  SmallVector<Operand> operands = inputs;
  operands.append(outputs);
  if (operands.size() > LOOM_CPU_MAX_OPERANDS)
    return op.emitError() << "'" << op.getSource() << "' has "
                          << operands.size()
                          << " arrays; the CPU engine takes 16 together";
  return emit(emitter, op, op.getStructure(), operands, inputs.size(),
              paramsOf(op, memory), scalarsOf(op), op.getImms());
}
