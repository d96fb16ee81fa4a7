// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Scalar programs of the CPU engine, and what else builds `loomt.cpu`.

#include "loom/Dialect/LoomT/LoomT.h"

#include "loom_isa.h"

using namespace mlir;
using namespace mlir::loom;
using namespace mlir::loom::loomt;

CpuProgram::CpuProgram(ArrayRef<int32_t> words, ArrayRef<int64_t> immediates)
    : imms(immediates) {
  for (size_t i = 0; i + 3 < words.size(); i += 4)
    ops.push_back({words[i], words[i + 1], words[i + 2], words[i + 3]});
}

SmallVector<int32_t> CpuProgram::words() const {
  SmallVector<int32_t> out;
  for (const Program::Op &op : ops)
    out.append({op.op, op.a, op.b, op.c});
  return out;
}

int32_t CpuProgram::load(int32_t argument) {
  for (auto [i, op] : llvm::enumerate(ops))
    if (op.op == LOOM_UOP_LOAD && op.a == argument)
      return i;
  return emit(LOOM_UOP_LOAD, argument);
}

int32_t CpuProgram::imm(uint64_t bits) {
  for (auto [i, have] : llvm::enumerate(imms))
    if (uint64_t(have) == bits)
      return -1 - int32_t(i);
  imms.push_back(int64_t(bits));
  return -int32_t(imms.size());
}

int32_t CpuProgram::emit(int32_t op, int32_t a, int32_t b, int32_t c) {
  ops.push_back({op, a, b, c});
  return int32_t(ops.size()) - 1;
}

void CpuProgram::store(int32_t value, int32_t result) {
  emit(LOOM_UOP_STORE, value, result);
}

int32_t CpuProgram::splice(const Program &program, ArrayRef<int32_t> inputs) {
  SmallVector<int32_t> moved;
  auto operand = [&](int32_t v) {
    return v >= 0 ? moved[v] : imm(uint32_t(program.imms[-1 - v]));
  };
  for (const Program::Op &op : program.ops) {
    if (op.op == LOOM_UOP_LOAD) {
      moved.push_back(inputs[op.a]);
      continue;
    }
    if (op.op == LOOM_UOP_IOTA) {
      moved.push_back(emit(op.op, op.a));
      continue;
    }
    const int n = Program::operands(op.op);
    const int32_t a = n > 0 ? operand(op.a) : 0, b = n > 1 ? operand(op.b) : 0,
                  c = n > 2 ? operand(op.c) : 0;
    moved.push_back(emit(op.op, a, b, c));
  }
  return moved.back();
}

int CpuProgram::operands(int32_t op) {
  switch (op) {
  case LOOM_UOP_LOAD:
  case LOOM_UOP_IOTA:
    return 0;
  case LOOM_UOP_LUT8:
    return -1;
#define LOOM_CASE(num, name, count, cls, weight, text)                         \
  case num:                                                                    \
    return count;
    LOOM_CPU_SCALARS(LOOM_CASE)
#undef LOOM_CASE
  default:
    return op < LOOM_UOP_RADD_F || op > LOOM_UOP_RARGMAX_F
               ? Program::operands(op)
               : -1;
  }
}

/// The operands of a group, as places of the program that a value can be in.
static SmallVector<int32_t *> operandsOf(Program::Op &op) {
  SmallVector<int32_t *> list;
  int32_t *all[3] = {&op.a, &op.b, &op.c};
  for (int k = 0; k < CpuProgram::operands(op.op); ++k)
    list.push_back(all[k]);
  return list;
}

std::optional<std::vector<loom_cpu_scalar_op>>
CpuProgram::encode(size_t first, size_t count) const {
  SmallVector<size_t> lastUse(ops.size(), 0);
  for (size_t i = first; i < first + count; ++i) {
    Program::Op op = ops[i];
    for (int32_t *v : operandsOf(op))
      if (*v >= 0)
        lastUse[*v] = i;
  }
  SmallVector<int32_t> owner(LOOM_CPU_NUM_REGS, -1), reg(ops.size(), -1);
  std::vector<loom_cpu_scalar_op> code;
  for (size_t i = first; i < first + count; ++i) {
    Program::Op op = ops[i];
    for (int32_t *v : operandsOf(op))
      *v = *v >= 0 ? reg[*v] : int32_t(LOOM_CPU_IMM(-1 - *v));
    if (op.op == LOOM_UOP_STORE) {
      code.push_back({uint16_t(op.op), uint8_t(op.b), uint8_t(op.a), 0, 0, 0});
      continue;
    }
    int32_t chosen = -1;
    for (unsigned r = 0; r < LOOM_CPU_NUM_REGS && chosen < 0; ++r)
      if (owner[r] < 0 || lastUse[owner[r]] < i) // not what it reads
        chosen = r;
    if (chosen < 0)
      return std::nullopt;
    owner[chosen] = i;
    reg[i] = chosen;
    code.push_back({uint16_t(op.op), uint8_t(chosen), uint8_t(op.a),
                    uint8_t(op.b), uint8_t(op.c), 0});
  }
  return code;
}

std::string CpuProgram::problem() const {
  if (ops.size() > LOOM_CPU_MAX_SCALAR_OPS)
    return "it takes " + std::to_string(ops.size()) +
           " scalar operations; 64 is the limit";
  if (imms.size() > LOOM_CPU_MAX_IMMS)
    return "it takes " + std::to_string(imms.size()) +
           " constants; 16 is the limit";
  for (auto [i, group] : llvm::enumerate(ops)) {
    if (!exists(group.op))
      return "group " + std::to_string(i) + " has no meaning";
    Program::Op op = group;
    for (int32_t *v : operandsOf(op))
      if (*v >= int32_t(i) || *v < -int32_t(imms.size()) ||
          (*v >= 0 && ops[*v].op == LOOM_UOP_STORE) ||
          (*v < 0 && op.op == LOOM_UOP_STORE))
        return "group " + std::to_string(i) + " uses a value that is not there";
  }
  if (!encode(0, ops.size()))
    return "more values live at once than there are registers";
  return "";
}

DenseI64ArrayAttr loomt::outBox(OpBuilder &builder, int64_t result,
                                Type element, int64_t offset,
                                ArrayRef<int64_t> dims,
                                ArrayRef<int64_t> strides) {
  SmallVector<int64_t> box{result, *memoryType(element), offset};
  box.append(dims.begin(), dims.end());
  box.append(strides.begin(), strides.end());
  return builder.getDenseI64ArrayAttr(box);
}

/// A constant of rank 0 with these bits.
static Value scalarConstant(OpBuilder &builder, Location loc, Type element,
                            uint64_t bits) {
  auto type = RankedTensorType::get({}, element);
  const size_t width = loom_dtype_bytes(*memoryType(element));
  if (element.isInteger(1))
    return ConstantOp::create(
        builder, loc, type,
        DenseElementsAttr::get(type, llvm::ArrayRef(bool(bits & 1))));
  return ConstantOp::create(
      builder, loc, type,
      DenseElementsAttr::getFromRawBuffer(
          type, ArrayRef(reinterpret_cast<const char *>(&bits), width)));
}

Value loomt::createCpuCopy(OpBuilder &builder, Location loc,
                           RankedTensorType type, ValueRange inputs,
                           ArrayRef<int64_t> offsets,
                           ArrayRef<SmallVector<int64_t>> strides,
                           std::optional<uint32_t> fill, StringRef why) {
  SmallVector<Value> sources;
  SmallVector<Attribute> outs;
  Type element = type.getElementType();
  if (fill) {
    Ref value = Ref::of(scalarConstant(builder, loc, element, *fill));
    value.shape.assign(type.getShape().begin(), type.getShape().end());
    value.strides.assign(type.getRank(), 0);
    sources.push_back(value.materialiseView(builder, loc));
    outs.push_back(outBox(builder, 0, element, 0, type.getShape(),
                          denseStrides(type.getShape())));
  }
  for (auto [input, offset, stride] : llvm::zip(inputs, offsets, strides)) {
    auto part = cast<RankedTensorType>(input.getType());
    if (!part.getNumElements())
      continue;
    sources.push_back(input);
    outs.push_back(
        outBox(builder, 0, element, offset, part.getShape(), stride));
  }
  return CpuOp::create(
             builder, loc, type, sources, ValueRange(),
             builder.getI64IntegerAttr(LOOM_CPU_COPY),
             builder.getDenseI64ArrayAttr({}), builder.getArrayAttr({}),
             builder.getArrayAttr({}), builder.getArrayAttr(outs),
             builder.getDenseI32ArrayAttr({}), builder.getDenseI64ArrayAttr({}),
             builder.getStringAttr("copy"), builder.getStringAttr(why))
      .getResult(0);
}

Value loomt::createCopy(OpBuilder &builder, Location loc, RankedTensorType type,
                        ValueRange inputs, ArrayRef<int64_t> offsets,
                        ArrayRef<SmallVector<int64_t>> strides,
                        std::optional<uint32_t> fill) {
  if (npuType(type.getElementType())) {
    SmallVector<Attribute> all;
    for (const SmallVector<int64_t> &each : strides)
      all.push_back(builder.getDenseI64ArrayAttr(each));
    return CopyOp::create(
        builder, loc, type, inputs, builder.getDenseI64ArrayAttr(offsets),
        builder.getArrayAttr(all),
        fill ? builder.getI32IntegerAttr(int32_t(*fill)) : nullptr);
  }
  std::string name;
  llvm::raw_string_ostream(name) << type.getElementType();
  return createCpuCopy(builder, loc, type, inputs, offsets, strides, fill,
                       "the NPU has no element type " + name);
}
