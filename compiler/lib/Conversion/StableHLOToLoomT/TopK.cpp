// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The first few of a sort of numbers and their places, as top_k is: one after
// the other, each the best of those that come after the one before. Long lines
// are blocks first: of the few whose best come first, all that is looked for.

#include "Constants.h"
#include "Converter.h"

#include "loom_isa.h"

using namespace mlir;
using namespace mlir::loom;
using loomt::Program;
using loomt::Ref;

namespace {
/// Numbers whose signed order is that of the elements, the best one largest;
/// done twice it gives the element's register again.
struct Key {
  bool isFloat, isUnsigned, ascending;

  int32_t emit(Program &program, int32_t value, bool back) const {
    auto turn = [&](int32_t v) {
      return ascending ? program.emit(LOOM_UOP_XOR, v, program.imm(~0u)) : v;
    };
    if (back)
      value = turn(value);
    if (isFloat) {
      const int32_t sign = program.emit(LOOM_UOP_SAR, value, program.imm(31));
      value = program.emit(
          LOOM_UOP_XOR, value,
          program.emit(LOOM_UOP_AND, sign, program.imm(0x7fffffffu)));
    } else if (isUnsigned) {
      value = program.emit(LOOM_UOP_XOR, value, program.imm(0x80000000u));
    }
    return back ? value : turn(value);
  }
};

class Picker {
public:
  Picker(OpBuilder &builder, Location loc, Value keys, Value numbers)
      : builder(builder), loc(loc), keys(keys), numbers(numbers),
        shape(cast<RankedTensorType>(keys.getType()).getShape()) {}
  /// The next key and its number, of each line.
  void pick();
  /// [lines, those picked].
  Value all(ArrayRef<Value> list);
  SmallVector<Value> found, places;

private:
  /// Loads keys and numbers; whether an element comes after the last one.
  struct Element {
    int32_t key, number;
    std::optional<int32_t> open;
  };
  Element load(Program &program, SmallVectorImpl<Value> &inputs);
  Value alongLines(Value perLine);
  Value reduce(ValueRange inputs, Program &program, int32_t reducer);

  OpBuilder &builder;
  Location loc;
  Value keys, numbers;
  SmallVector<int64_t> shape;
};
} // namespace

Value Picker::alongLines(Value perLine) {
  return Ref{perLine, 0, shape, {1, 0}}.materialiseView(builder, loc);
}

Value Picker::reduce(ValueRange inputs, Program &program, int32_t reducer) {
  return loomt::ReduceOp::create(
      builder, loc, RankedTensorType::get({shape[0]}, builder.getI32Type()),
      inputs, builder.getDenseI32ArrayAttr(program.words()),
      builder.getDenseI32ArrayAttr(program.imms),
      builder.getI32IntegerAttr(reducer), builder.getI64IntegerAttr(1));
}

Picker::Element Picker::load(Program &program, SmallVectorImpl<Value> &inputs) {
  inputs.assign({keys, numbers});
  Element element{program.load(0), program.load(1), std::nullopt};
  if (found.empty())
    return element;
  inputs.append({alongLines(found.back()), alongLines(places.back())});
  const int32_t key = program.load(2), number = program.load(3);
  const int32_t later =
      program.emit(LOOM_UOP_AND, program.emit(LOOM_UOP_IEQ, element.key, key),
                   program.emit(LOOM_UOP_ILT, number, element.number));
  element.open = program.emit(
      LOOM_UOP_OR, program.emit(LOOM_UOP_ILT, element.key, key), later);
  return element;
}

void Picker::pick() {
  SmallVector<Value> inputs;
  Program best;
  const Element first = load(best, inputs);
  if (first.open)
    best.emit(LOOM_UOP_SELECT, *first.open, first.key, best.imm(0x80000000u));
  else
    best.emit(LOOM_UOP_MOV, first.key);
  Value key = reduce(inputs, best, LOOM_UOP_RMAX_I);
  Program place;
  const Element second = load(place, inputs);
  inputs.push_back(alongLines(key));
  int32_t is =
      place.emit(LOOM_UOP_IEQ, second.key, place.load(inputs.size() - 1));
  if (second.open)
    is = place.emit(LOOM_UOP_AND, is, *second.open);
  place.emit(LOOM_UOP_SELECT, is, second.number, place.imm(0x7fffffffu));
  Value number = reduce(inputs, place, LOOM_UOP_RMIN_I);
  found.push_back(key);
  places.push_back(number);
}

Value Picker::all(ArrayRef<Value> list) {
  const int64_t count = list.size();
  SmallVector<int64_t> offsets;
  SmallVector<Attribute> strides;
  for (int64_t i = 0; i < count; ++i) {
    offsets.push_back(i);
    strides.push_back(builder.getDenseI64ArrayAttr({count}));
  }
  return loomt::CopyOp::create(
      builder, loc,
      RankedTensorType::get({shape[0], count}, builder.getI32Type()), list,
      builder.getDenseI64ArrayAttr(offsets), builder.getArrayAttr(strides),
      nullptr);
}

/// 0, 1, ... of each line.
static Value numbersOf(OpBuilder &builder, Location loc, int64_t lines,
                       int64_t length) {
  const auto type = RankedTensorType::get({length}, builder.getI32Type());
  Value line =
      loomt::ConstantOp::create(builder, loc, type, *iotaElements(type, 0));
  return Ref{line, 0, {lines, length}, {0, 1}}.materialiseView(builder, loc);
}

/// Keys and numbers of those blocks of each line whose best come first. An
/// element of another comes after `count` others, the best of these blocks.
std::pair<Value, Value> Converter::firstBlocks(Value keys, int64_t count,
                                               int64_t block, Location loc) {
  const auto shape = cast<RankedTensorType>(keys.getType()).getShape();
  const int64_t lines = shape[0], length = shape[1],
                blocks = llvm::divideCeil(length, block);
  auto i32 = [&](ArrayRef<int64_t> of) {
    return RankedTensorType::get(of, builder.getI32Type());
  };
  // What fills the last block comes after all elements, whatever they are.
  if (blocks * block != length)
    keys = padded(Ref::of(keys), {0, 0}, {0, blocks * block - length}, {0, 0},
                  0x80000000u, loc);
  Value table = Ref::of(keys)
                    .reshaped({lines * blocks, block})
                    ->materialiseView(builder, loc);
  Program same;
  same.emit(LOOM_UOP_MOV, same.load(0));
  Value bests = loomt::ReduceOp::create(
      builder, loc, i32({lines * blocks}), table,
      builder.getDenseI32ArrayAttr(same.words()),
      builder.getDenseI32ArrayAttr(same.imms),
      builder.getI32IntegerAttr(LOOM_UOP_RMAX_I), builder.getI64IntegerAttr(1));
  Picker picker(
      builder, loc,
      Ref::of(bests).reshaped({lines, blocks})->materialiseView(builder, loc),
      numbersOf(builder, loc, lines, blocks));
  for (int64_t i = 0; i < count; ++i)
    picker.pick();
  Value places = picker.all(picker.places);
  std::vector<uint32_t> starts(lines);
  for (int64_t i = 0; i < lines; ++i)
    starts[i] = i * blocks;
  Value start = loomt::ConstantOp::create(builder, loc, i32({lines}),
                                          storeElements(i32({lines}), starts));
  Program row;
  const int32_t at = row.emit(LOOM_UOP_IADD, row.load(0), row.load(1));
  Value rows = mapOf(
      loc, i32({lines, count}),
      {places,
       Ref{start, 0, {lines, count}, {1, 0}}.materialiseView(builder, loc)},
      row, at);
  Value taken = loomt::RowsOp::create(
      builder, loc, i32({lines * count, block}), table,
      Ref::of(rows).reshaped({lines * count})->materialiseView(builder, loc));
  const SmallVector<int64_t> all{lines, count, block};
  Value within = numbersOf(builder, loc, lines, block);
  Program number;
  const int32_t first =
      number.emit(LOOM_UOP_IMUL, number.load(0), number.imm(block));
  const int32_t sum = number.emit(LOOM_UOP_IADD, first, number.load(1));
  Value numbers =
      mapOf(loc, i32(all),
            {Ref{places, 0, all, {count, 1, 0}}.materialiseView(builder, loc),
             Ref{Ref::of(within).root, 0, all, {0, 0, 1}}.materialiseView(
                 builder, loc)},
            number, sum);
  auto asLine = [&](Value value) {
    return Ref::of(value)
        .reshaped({lines, count * block})
        ->materialiseView(builder, loc);
  };
  return {asLine(taken), asLine(numbers)};
}

/// [lines, length]: the dimension last, all others as one.
static Ref asLines(const Ref &ref, int64_t dim) {
  Ref moved = ref;
  moved.shape.erase(moved.shape.begin() + dim);
  moved.strides.erase(moved.strides.begin() + dim);
  moved.shape.push_back(ref.shape[dim]);
  moved.strides.push_back(ref.strides[dim]);
  return moved;
}

LogicalResult Converter::topK(stablehlo::SortOp op) {
  const std::optional<stablehlo::Top> top = stablehlo::topOf(op);
  if (!top)
    return refuse(op, "the NPU does not sort", "sort after the model");
  Location loc = op.getLoc();
  auto type = cast<RankedTensorType>(op.getInputs()[0].getType());
  const int64_t dim = op.getDimension(), length = type.getDimSize(dim),
                lines = type.getNumElements() / length;
  Type element = type.getElementType();
  const Ref moved = asLines(Ref::of(map.lookup(op.getInputs()[0])), dim);
  const Ref x = collapse(moved, {lines, length}, loc);
  const Key key{isa<FloatType>(element), element.isUnsignedInteger(),
                top->ascending};
  Program program;
  const int32_t made = key.emit(program, program.load(0), /*back=*/false);
  Value keys =
      mapOf(loc, RankedTensorType::get({lines, length}, builder.getI32Type()),
            x.materialiseView(builder, loc), program, made);
  Value numbers = numbersOf(builder, loc, lines, length);
  if (top->block)
    std::tie(keys, numbers) = firstBlocks(keys, top->count, top->block, loc);
  Picker picker(builder, loc, keys, numbers);
  for (int64_t i = 0; i < top->count; ++i)
    picker.pick();
  auto finish = [&](ArrayRef<Value> list, Value result, bool isKey) {
    Program back;
    int32_t value = back.load(0);
    if (isKey)
      value = key.emit(back, value, /*back=*/true);
    Type made = cast<RankedTensorType>(result.getType()).getElementType();
    // A float that is stored as one loses a NaN's bits; sorting moves them.
    Type stored = isa<FloatType>(made) ? builder.getI32Type() : made;
    auto few = RankedTensorType::get({lines, top->count}, stored);
    Value picked = mapOf(loc, few, picker.all(list), back, value);
    // What nobody takes is there, too.
    Ref all = Ref::of(padded(Ref::of(retyped(Ref::of(picked), made, loc)),
                             {0, 0}, {0, length - top->count}, {0, 0}, 0, loc));
    Ref wide = *all.reshaped(moved.shape);
    Ref to{wide.root, wide.offset, SmallVector<int64_t>(type.getShape()), {}};
    to.strides.assign(wide.strides.begin(), wide.strides.end() - 1);
    to.strides.insert(to.strides.begin() + dim, wide.strides.back());
    map[result] = to.materialiseView(builder, loc);
  };
  finish(picker.found, op.getResult(0), /*isKey=*/true);
  finish(picker.places, op.getResult(1), /*isKey=*/false);
  return success();
}
