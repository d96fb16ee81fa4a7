// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The reduced dimensions are cut at one of them: what is further in is reduced
// first, part by part; parts and what is further out, as kept dimensions, in a
// second step. The last part may be shorter than the others.

#include "SplitReductions.h"

using namespace mlir;
using namespace mlir::loom;
using loomt::Program;
using loomt::Ref;

namespace {
/// Dimension `dim` is cut into `parts` of `size` elements and one of `rest`.
struct Cut {
  size_t dim;
  int64_t parts, size, rest;
};

class Splitter {
public:
  Splitter(loomt::ReduceOp op, int64_t most)
      : op(op), builder(op), loc(op.getLoc()), most(most) {}
  /// What stands for the reduction now; may have to be split in turn.
  SmallVector<loomt::ReduceOp> run();

private:
  std::optional<Cut> cut();
  Ref partsOf(Value input, int64_t begin, int64_t parts, int64_t size);
  Value reduceParts(int32_t reducer, Type element);
  Value step(ValueRange inputs, const Program &program, int32_t reducer,
             size_t reduced, Type element);
  Value place(Value largest);

  ArrayRef<int64_t> domain() {
    return cast<RankedTensorType>(op.getInputs()[0].getType()).getShape();
  }
  size_t kept() { return domain().size() - op.getReduced(); }

  loomt::ReduceOp op;
  OpBuilder builder;
  Location loc;
  int64_t most; // elements of a part
  Cut at;
  SmallVector<loomt::ReduceOp> steps;
};
} // namespace

/// A divisor, if there is one that is not much smaller than what is possible.
std::optional<Cut> Splitter::cut() {
  int64_t inner = 1;
  size_t d = domain().size();
  while (--d > kept() && inner * domain()[d] <= most)
    inner *= domain()[d];
  const int64_t n = domain()[d];
  const int64_t largest = std::min(n, std::max<int64_t>(1, most / inner));
  int64_t size = largest;
  while (size > 1 && n % size)
    --size;
  if (size * 4 < largest)
    size = largest;
  // Nothing is won by parts of one element, nor by one part of all.
  if (inner * size == 1 || (size == n && d == kept()))
    return std::nullopt;
  return Cut{d, n / size, size, n % size};
}

/// [kept and outer dimensions, parts, size, inner dimensions] of an input.
Ref Splitter::partsOf(Value input, int64_t begin, int64_t parts, int64_t size) {
  Ref ref = Ref::of(input);
  const int64_t stride = ref.strides[at.dim];
  ref.offset += begin * stride;
  ref.shape[at.dim] = size;
  ref.shape.insert(ref.shape.begin() + at.dim, parts);
  ref.strides.insert(ref.strides.begin() + at.dim, stride * size);
  return ref;
}

Value Splitter::step(ValueRange inputs, const Program &program, int32_t reducer,
                     size_t reduced, Type element) {
  auto shape = cast<RankedTensorType>(inputs[0].getType()).getShape();
  auto step = loomt::ReduceOp::create(
      builder, loc, RankedTensorType::get(shape.drop_back(reduced), element),
      inputs, builder.getDenseI32ArrayAttr(program.words()),
      builder.getDenseI32ArrayAttr(program.imms),
      builder.getI32IntegerAttr(reducer),
      builder.getI64IntegerAttr(int64_t(reduced)));
  steps.push_back(step);
  return step;
}

/// The reduction of each part: [kept and outer dimensions, parts].
Value Splitter::reduceParts(int32_t reducer, Type element) {
  const Program program(op.getProgram(), op.getImms());
  const size_t inner = domain().size() - at.dim;
  auto reduce = [&](int64_t begin, int64_t parts, int64_t size) {
    SmallVector<Value> views;
    for (Value input : op.getInputs())
      views.push_back(
          partsOf(input, begin, parts, size).materialiseView(builder, loc));
    return step(views, program, reducer, inner, element);
  };
  Value whole = reduce(0, at.parts, at.size);
  if (!at.rest)
    return whole;
  Value rest = reduce(at.parts * at.size, 1, at.rest);
  SmallVector<int64_t> shape(domain().take_front(at.dim));
  shape.push_back(at.parts + 1);
  auto type = RankedTensorType::get(shape, element);
  const auto strides = builder.getDenseI64ArrayAttr(loomt::denseStrides(shape));
  return loomt::CopyOp::create(builder, loc, type, ValueRange{whole, rest},
                               builder.getDenseI64ArrayAttr({0, at.parts}),
                               builder.getArrayAttr({strides, strides}),
                               nullptr);
}

/// The number of the first element that is the largest: of the first part that
/// has the largest of all, its number there.
Value Splitter::place(Value largest) {
  Type number = op.getType().getElementType();
  Value places = reduceParts(op.getReducer(), number);
  Program plain;
  plain.load(0);
  Value part = step(largest, plain, op.getReducer(), 1, number);
  Ref all = Ref::of(places);
  Ref chosen = Ref::of(part);
  chosen.shape.push_back(all.shape.back());
  chosen.strides.push_back(0);
  SmallVector<int32_t> count(all.shape.back());
  std::iota(count.begin(), count.end(), 0);
  auto countType =
      RankedTensorType::get({all.shape.back()}, builder.getI32Type());
  Ref parts = Ref::of(loomt::ConstantOp::create(
      builder, loc, countType,
      DenseElementsAttr::get(countType, ArrayRef<int32_t>(count))));
  parts.shape = all.shape;
  parts.strides.assign(all.shape.size(), 0);
  parts.strides.back() = 1;
  Program program;
  const int32_t place = program.load(0), wanted = program.load(1),
                own = program.load(2);
  program.emit(
      LOOM_UOP_SELECT, program.emit(LOOM_UOP_IEQ, own, wanted),
      program.emit(LOOM_UOP_IADD,
                   program.emit(LOOM_UOP_IMUL, own, program.imm(at.size)),
                   place),
      program.imm(INT32_MAX));
  return step({places, chosen.materialiseView(builder, loc),
               parts.materialiseView(builder, loc)},
              program, LOOM_UOP_RMIN_I, 1, number);
}

SmallVector<loomt::ReduceOp> Splitter::run() {
  std::optional<Cut> found = cut();
  if (!found)
    return {};
  at = *found;
  const int32_t reducer = op.getReducer();
  Type element = op.getType().getElementType();
  Value result;
  if (reducer == LOOM_UOP_RARGMAX_F || reducer == LOOM_UOP_RARGMIN_F) {
    if (op.getReduced() != 1)
      return {};
    result = place(reduceParts(reducer == LOOM_UOP_RARGMAX_F ? LOOM_UOP_RMAX_F
                                                             : LOOM_UOP_RMIN_F,
                               builder.getF32Type()));
  } else {
    // Rounded once, at the end.
    Type between = isa<FloatType>(element) ? builder.getF32Type() : element;
    Program plain;
    plain.load(0);
    result = step(reduceParts(reducer, between), plain, reducer,
                  at.dim - kept() + 1, element);
  }
  op.getResult().replaceAllUsesWith(result);
  op.erase();
  return std::move(steps);
}

void mlir::loom::splitReductions(func::FuncOp func, const loom_target &target,
                                 TilingCache &tilings) {
  const Room room = Room::all(target.sram_bytes);
  auto fits = [&](loomt::ReduceOp op) {
    return scalarFits(op, target, tilings, room, [](Value) { return false; });
  };
  SmallVector<loomt::ReduceOp> open;
  for (auto op : func.getOps<loomt::ReduceOp>())
    open.push_back(op);
  while (!open.empty()) {
    loomt::ReduceOp op = open.pop_back_val();
    if (fits(op))
      continue;
    const int64_t inputs = op.getInputs().size();
    const int64_t most =
        std::min<int64_t>(1 << 15, target.sram_bytes / (16 * inputs));
    llvm::append_range(open, Splitter(op, most).run());
  }
}
