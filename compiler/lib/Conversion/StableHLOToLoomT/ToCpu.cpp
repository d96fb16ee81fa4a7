// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Operations of the NPU as operations of the CPU engine, with the same bits.

#include "AssignEngine.h"

#include "loom_isa.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace mlir::loom;
using loomt::CpuProgram;
using loomt::Program;
using loomt::Ref;

static RankedTensorType typeOf(Value value) {
  return cast<RankedTensorType>(value.getType());
}

namespace {
/// Replaces one operation.
class Mover {
public:
  Mover(Operation *op, StringRef why) : op(op), why(why), builder(op) {}
  void run();

private:
  struct Box {
    RankedTensorType type;
    SmallVector<int64_t> dims, strides;
  };
  Value make(int64_t structure, ValueRange inputs, const Box &out,
             ArrayRef<int64_t> params, const CpuProgram &program = {},
             ArrayRef<SmallVector<int64_t>> maps = {},
             ArrayRef<SmallVector<int64_t>> walks = {});
  Value makeMap(ValueRange inputs, RankedTensorType type, CpuProgram program,
                int32_t value);
  static Box whole(RankedTensorType type) {
    return {type, SmallVector<int64_t>(type.getShape()),
            loomt::denseStrides(type.getShape())};
  }
  Value map(loomt::MapOp map);
  Value reduce(loomt::ReduceOp reduce);
  Value copy(loomt::CopyOp copy);
  Value rows(loomt::RowsOp rows);
  Value contract(loomt::ContractOp contract);
  Value conv(loomt::ConvOp conv);
  template <typename OpT>
  Value epilogue(OpT product, llvm::function_ref<Value(RankedTensorType)> make);

  Operation *op;
  StringRef why;
  OpBuilder builder;
};
} // namespace

Value Mover::make(int64_t structure, ValueRange inputs, const Box &out,
                  ArrayRef<int64_t> params, const CpuProgram &program,
                  ArrayRef<SmallVector<int64_t>> maps,
                  ArrayRef<SmallVector<int64_t>> walks) {
  auto lists = [&](ArrayRef<SmallVector<int64_t>> from) {
    SmallVector<Attribute> attrs;
    for (const SmallVector<int64_t> &list : from)
      attrs.push_back(builder.getDenseI64ArrayAttr(list));
    return builder.getArrayAttr(attrs);
  };
  Attribute box = loomt::outBox(builder, 0, out.type.getElementType(), 0,
                                out.dims, out.strides);
  return loomt::CpuOp::create(
             builder, op->getLoc(), out.type, inputs, ValueRange(),
             builder.getI64IntegerAttr(structure),
             builder.getDenseI64ArrayAttr(params), lists(maps), lists(walks),
             builder.getArrayAttr(box),
             builder.getDenseI32ArrayAttr(program.words()),
             builder.getDenseI64ArrayAttr(program.imms),
             builder.getStringAttr(op->getName().stripDialect()),
             builder.getStringAttr(why))
      .getResult(0);
}

Value Mover::makeMap(ValueRange inputs, RankedTensorType type,
                     CpuProgram program, int32_t value) {
  program.store(value < 0 ? program.emit(LOOM_UOP_MOV, value) : value, 0);
  return make(LOOM_CPU_MAP, inputs, whole(type), {}, program);
}

static int32_t spliceAll(CpuProgram &program, ArrayRef<int32_t> words,
                         ArrayRef<int32_t> imms, size_t inputs) {
  SmallVector<int32_t> loads;
  for (size_t i = 0; i < inputs; ++i)
    loads.push_back(program.load(i));
  return program.splice(Program(words, imms), loads);
}

Value Mover::map(loomt::MapOp map) {
  CpuProgram program;
  const int32_t value = spliceAll(program, map.getProgram(), map.getImms(),
                                  map.getInputs().size());
  return makeMap(map.getInputs(), map.getType(), program, value);
}

/// What is reduced is a tensor of its own if it is computed first.
Value Mover::reduce(loomt::ReduceOp reduce) {
  RankedTensorType in = typeOf(reduce.getInputs()[0]);
  Value from = reduce.getInputs()[0];
  if (reduce.getProgram().size() > 4 || reduce.getInputs().size() > 1) {
    const bool floats = reduce.getReducer() <= LOOM_UOP_RMAX_F;
    auto type = RankedTensorType::get(in.getShape(),
                                      floats ? Type(builder.getF32Type())
                                             : Type(builder.getI32Type()));
    CpuProgram program;
    const int32_t value =
        spliceAll(program, reduce.getProgram(), reduce.getImms(),
                  reduce.getInputs().size());
    from = makeMap(reduce.getInputs(), type, program, value);
  }
  const int64_t rank = in.getRank(), kept = rank - int64_t(reduce.getReduced());
  SmallVector<int64_t> dims(in.getShape());
  int64_t mask = 0;
  for (int64_t d = kept; d < rank; ++d) {
    dims[d] = 1;
    mask |= int64_t(1) << d;
  }
  return make(LOOM_CPU_REDUCE, from,
              {reduce.getType(), dims, loomt::denseStrides(dims)},
              {mask, int64_t(reduce.getReducer()), 1});
}

Value Mover::copy(loomt::CopyOp copy) {
  SmallVector<SmallVector<int64_t>> strides;
  for (Attribute attr : copy.getStrides())
    strides.emplace_back(cast<DenseI64ArrayAttr>(attr).asArrayRef());
  return loomt::createCpuCopy(builder, copy.getLoc(), copy.getType(),
                              copy.getInputs(), copy.getOffsets(), strides,
                              copy.getFill(), why);
}

Value Mover::rows(loomt::RowsOp rows) {
  Ref indices = Ref::of(rows.getIndices());
  indices.shape.push_back(rows.getType().getDimSize(1));
  indices.strides.push_back(0);
  SmallVector<int64_t> params{1, typeOf(rows.getTable()).getDimSize(0) - 1};
  params.append(LOOM_CPU_MAX_RANK - 1, 0);
  return make(LOOM_CPU_GATHER,
              {rows.getTable(), indices.materialiseView(builder, op->getLoc())},
              whole(rows.getType()), params, {}, {{-1, 1}, {0, 1}}, {{0}});
}

/// The product in its accumulators' type, then what an epilogue does, step by
/// step.
template <typename OpT>
Value Mover::epilogue(OpT product,
                      llvm::function_ref<Value(RankedTensorType)> make) {
  RankedTensorType type = product.getType();
  if (!product.getBias() && !product.getScale() && !product.getResidual() &&
      !product.getLo())
    return make(type);
  const bool floats = isa<FloatType>(type.getElementType());
  Value sum = make(RankedTensorType::get(type.getShape(),
                                         floats ? Type(builder.getF32Type())
                                                : Type(builder.getI32Type())));
  CpuProgram program;
  SmallVector<Value> inputs{sum};
  int32_t value = program.load(0);
  auto channel = [&](Value vector) {
    Ref ref = Ref::of(vector);
    const int64_t stride = ref.strides[0];
    ref.shape.assign(type.getShape().begin(), type.getShape().end());
    ref.strides.assign(type.getRank(), 0);
    ref.strides.back() = stride;
    inputs.push_back(ref.materialiseView(builder, op->getLoc()));
    return program.load(inputs.size() - 1);
  };
  if (product.getBias())
    value = program.emit(floats ? LOOM_UOP_FADD : LOOM_UOP_IADD, value,
                         channel(product.getBias()));
  if (product.getScale())
    value = program.emit(LOOM_UOP_FMUL, value, channel(product.getScale()));
  if (product.getResidual()) {
    inputs.push_back(product.getResidual());
    value = program.emit(LOOM_UOP_FADD, value, program.load(inputs.size() - 1));
  }
  auto bits = [](const APFloat &limit) {
    return limit.bitcastToAPInt().getZExtValue();
  };
  if (product.getLo()) {
    value =
        program.emit(LOOM_UOP_FMAX, value, program.imm(bits(*product.getLo())));
    value =
        program.emit(LOOM_UOP_FMIN, value, program.imm(bits(*product.getHi())));
  }
  return makeMap(inputs, type, program, value);
}

Value Mover::contract(loomt::ContractOp contract) {
  SmallVector<int64_t> params{1, typeOf(contract.getLhs()).getDimSize(2)};
  params.append(LOOM_CPU_MAX_RANK - 1, 0);
  return epilogue(contract, [&](RankedTensorType type) {
    return make(LOOM_CPU_DOT, {contract.getLhs(), contract.getRhs()},
                whole(type), params, {}, {{0, 1, -1}, {0, -1, 2}}, {{2}, {1}});
  });
}

/// Groups are a dimension of their own, of channels and of filters.
Value Mover::conv(loomt::ConvOp conv) {
  const int64_t groups = conv.getGroups();
  RankedTensorType in = typeOf(conv.getInput()),
                   filter = typeOf(conv.getFilter());
  auto split = [&](Value value) {
    Ref ref = Ref::of(value);
    const int64_t stride = ref.strides[3], each = ref.shape[3] / groups;
    ref.shape[3] = groups;
    ref.strides[3] = stride * each;
    ref.shape.push_back(each);
    ref.strides.push_back(stride);
    return ref.materialiseView(builder, op->getLoc());
  };
  Value lhs = split(conv.getInput()), rhs = split(conv.getFilter());
  ArrayRef<int64_t> w = conv.getWindow();
  SmallVector<int64_t> params{2, filter.getDimSize(2)};
  for (auto [y, x] : std::initializer_list<std::pair<int64_t, int64_t>>{
           {1, 2},
           {in.getDimSize(1), in.getDimSize(2)},
           {filter.getDimSize(0), filter.getDimSize(1)},
           {w[0], w[1]},
           {w[2], w[3]},
           {1, 1},
           {w[4], w[5]}})
    params.append({y, x, 0, 0});
  return epilogue(conv, [&](RankedTensorType type) {
    ArrayRef<int64_t> shape = type.getShape();
    Box box{
        type, {shape[0], shape[1], shape[2], groups, shape[3] / groups}, {}};
    box.strides = loomt::denseStrides(box.dims);
    return make(LOOM_CPU_CONV, {lhs, rhs}, box, params, {},
                {{0, -1, -1, 3, -1}, {-1, -1, -1, 3, 4}},
                {{1, 2, 4}, {0, 1, 2}});
  });
}

void Mover::run() {
  Value result = llvm::TypeSwitch<Operation *, Value>(op)
                     .Case([&](loomt::MapOp o) { return map(o); })
                     .Case([&](loomt::ReduceOp o) { return reduce(o); })
                     .Case([&](loomt::CopyOp o) { return copy(o); })
                     .Case([&](loomt::RowsOp o) { return rows(o); })
                     .Case([&](loomt::ContractOp o) { return contract(o); })
                     .Case([&](loomt::ConvOp o) { return conv(o); });
  op->getResult(0).replaceAllUsesWith(result);
  op->erase();
}

/// STORE comes on top of a program of the vector unit.
static bool fits(ArrayRef<int32_t> program) {
  return program.size() / 4 + 1 < LOOM_CPU_MAX_SCALAR_OPS;
}

bool mlir::loom::canMoveToCpu(Operation *op) {
  if (auto map = dyn_cast<loomt::MapOp>(op))
    return fits(map.getProgram());
  if (auto reduce = dyn_cast<loomt::ReduceOp>(op))
    return fits(reduce.getProgram()) &&
           reduce.getReducer() != LOOM_UOP_RARGMAX_F;
  return isa<loomt::CopyOp, loomt::RowsOp, loomt::ContractOp, loomt::ConvOp>(
      op);
}

void mlir::loom::moveToCpu(Operation *op, StringRef why) {
  Mover(op, why).run();
}
