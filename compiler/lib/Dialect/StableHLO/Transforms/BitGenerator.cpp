// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Threefry2x32 and Philox4x32 (Salmon et al., Parallel random numbers: as easy
// as 1, 2, 3; SC 2011) with the counters, the order of words and the next state
// that XLA has on a CPU. Words are ui32 throughout, so that both run on the
// NPU; 64-bit states and numbers are bit casts of pairs.

#include "BitGenerator.h"

#include "loom/Dialect/StableHLO/Elements.h"

#include "mlir/IR/Builders.h"

using namespace mlir;
using namespace mlir::loom;
using namespace mlir::loom::stablehlo;

using Words = SmallVector<Value>;

static RankedTensorType typeOf(Value value) {
  return cast<RankedTensorType>(value.getType());
}

namespace {
class Generator {
public:
  explicit Generator(RngBitGeneratorOp op)
      : op(op), b(op), loc(op.getLoc()), u32(b.getIntegerType(32, false)),
        out(typeOf(op.getOutput())), state(typeOf(op.getInitialState())) {}
  LogicalResult run();

private:
  void threefry();
  void philox();
  Value threefryHalves(ArrayRef<Value> key, ArrayRef<Value> counter);
  void finish(ArrayRef<Value> state, Value numbers);

  Words threefryWords(Words x, ArrayRef<Value> key);
  Words philoxWords(Words x, ArrayRef<Value> key);
  Value highHalf(Value x, uint32_t factor);
  Words counters(ArrayRef<Value> first, int64_t count);
  Words advanced(ArrayRef<Value> words, Value by);
  Value interleaved(ArrayRef<Value> words);
  Value word(int64_t number, int64_t half);

  unsigned width() const { return out.getElementTypeBitWidth(); }
  RankedTensorType words(ArrayRef<int64_t> shape) {
    return RankedTensorType::get(shape, u32);
  }
  Value number(Value like, uint32_t value) {
    return ConstantOp::create(
        b, loc,
        makeElements(typeOf(like),
                     {reinterpret_cast<const char *>(&value), sizeof value},
                     /*splat=*/true));
  }
  template <typename OpT> Value bi(Value x, Value y) {
    return OpT::create(b, loc, x.getType(), x, y);
  }
  Value add(Value x, Value y) { return bi<AddOp>(x, y); }
  Value mul(Value x, Value y) { return bi<MulOp>(x, y); }
  Value bitXor(Value x, Value y) { return bi<XorOp>(x, y); }
  Value shiftRight(Value x, uint32_t by) {
    return bi<ShiftRightLogicalOp>(x, number(x, by));
  }
  Value low16(Value x) { return bi<AndOp>(x, number(x, 0xffff)); }
  Value rotate(Value x, uint32_t by) {
    return bi<OrOp>(bi<ShiftLeftOp>(x, number(x, by)), shiftRight(x, 32 - by));
  }
  Value reshape(Value x, ArrayRef<int64_t> shape) {
    return ReshapeOp::create(
        b, loc, RankedTensorType::get(shape, typeOf(x).getElementType()), x);
  }
  Value bits(Value x, ArrayRef<int64_t> shape, Type element) {
    return BitcastConvertOp::create(b, loc,
                                    RankedTensorType::get(shape, element), x);
  }
  Value spread(Value scalar, int64_t count) {
    return BroadcastInDimOp::create(b, loc, words({count}), scalar,
                                    ArrayRef<int64_t>{});
  }
  /// Its first elements along a dimension.
  Value first(Value x, int64_t dim, int64_t count) {
    SmallVector<int64_t> shape(typeOf(x).getShape());
    shape[dim] = count;
    const SmallVector<int64_t> begin(shape.size(), 0), step(shape.size(), 1);
    return SliceOp::create(
        b, loc, RankedTensorType::get(shape, typeOf(x).getElementType()), x,
        b.getDenseI64ArrayAttr(begin), b.getDenseI64ArrayAttr(shape),
        b.getDenseI64ArrayAttr(step));
  }

  RngBitGeneratorOp op;
  OpBuilder b;
  Location loc;
  Type u32;
  RankedTensorType out, state;
  Value halves; // of the state, [numbers, 2]
};
} // namespace

//===----------------------------------------------------------------------===//
// Words
//===----------------------------------------------------------------------===//

/// The low (0) or high (1) half of one of the state's numbers.
Value Generator::word(int64_t number, int64_t half) {
  Value one = SliceOp::create(b, loc, words({1, 1}), halves,
                              b.getDenseI64ArrayAttr({number, half}),
                              b.getDenseI64ArrayAttr({number + 1, half + 1}),
                              b.getDenseI64ArrayAttr({1, 1}));
  return reshape(one, {});
}

/// A number of many words, lowest first, and what is added to it.
Words Generator::advanced(ArrayRef<Value> words, Value by) {
  Words sums;
  auto type = typeOf(by);
  auto flags = RankedTensorType::get(type.getShape(), b.getI1Type());
  for (Value word : words) {
    sums.push_back(add(word, by));
    Value wrapped = CompareOp::create(
        b, loc, flags, sums.back(), by,
        ComparisonDirectionAttr::get(b.getContext(), ComparisonDirection::LT),
        ComparisonTypeAttr::get(b.getContext(), ComparisonType::UNSIGNED));
    by = ConvertOp::create(b, loc, type, wrapped);
  }
  return sums;
}

/// A counter for each of so many blocks, from the first.
Words Generator::counters(ArrayRef<Value> first, int64_t count) {
  Words spreadOut;
  for (Value word : first)
    spreadOut.push_back(spread(word, count));
  return advanced(spreadOut, IotaOp::create(b, loc, words({count}),
                                            b.getI64IntegerAttr(0)));
}

/// [blocks, words].
Value Generator::interleaved(ArrayRef<Value> each) {
  const int64_t count = typeOf(each.front()).getDimSize(0);
  Words columns;
  for (Value word : each)
    columns.push_back(reshape(word, {count, 1}));
  return ConcatenateOp::create(b, loc, words({count, int64_t(each.size())}),
                               columns, b.getI64IntegerAttr(1));
}

//===----------------------------------------------------------------------===//
// Threefry
//===----------------------------------------------------------------------===//

Words Generator::threefryWords(Words x, ArrayRef<Value> key) {
  static constexpr uint32_t rotations[2][4] = {{13, 15, 26, 6},
                                               {17, 29, 16, 24}};
  const Value keys[3] = {
      key[0], key[1],
      bitXor(bitXor(key[0], key[1]), number(key[0], 0x1bd11bda))};
  x = {add(x[0], keys[0]), add(x[1], keys[1])};
  for (uint32_t five = 0; five < 5; ++five) {
    for (uint32_t rotation : rotations[five % 2]) {
      x[0] = add(x[0], x[1]);
      x[1] = bitXor(x[0], rotate(x[1], rotation));
    }
    x[0] = add(x[0], keys[(five + 1) % 3]);
    x[1] = add(add(x[1], keys[(five + 2) % 3]), number(x[1], five + 1));
  }
  return x;
}

/// The dimension whose halves are the two words of a block.
static int64_t halvedDim(ArrayRef<int64_t> shape) {
  int64_t longest = 0;
  for (auto [d, size] : llvm::enumerate(shape)) {
    if (size % 2 == 0)
      return d;
    if (size > shape[longest])
      longest = d;
  }
  return longest;
}

/// 32-bit numbers, each block's words side by side along one dimension.
Value Generator::threefryHalves(ArrayRef<Value> key, ArrayRef<Value> counter) {
  ArrayRef<int64_t> shape = out.getShape();
  int64_t before = 1, size = 1, after = 1;
  if (!shape.empty()) {
    const int64_t dim = halvedDim(shape);
    size = shape[dim];
    for (auto [d, n] : llvm::enumerate(shape))
      (int64_t(d) < dim ? before : after) *= int64_t(d) == dim ? 1 : n;
  }
  const int64_t half = (size + 1) / 2, count = before * half * after;
  Words x = threefryWords(counters(counter, count),
                          {spread(key[0], count), spread(key[1], count)});
  for (Value &word : x)
    word = reshape(word, {before, half, 1, after});
  Value both = ConcatenateOp::create(b, loc, words({before, half, 2, after}), x,
                                     b.getI64IntegerAttr(2));
  return reshape(first(reshape(both, {before, 2 * half, after}), 1, size),
                 shape);
}

/// State: key, counter. A counter for each pair of words.
void Generator::threefry() {
  const Words key{word(0, 0), word(0, 1)}, counter{word(1, 0), word(1, 1)};
  Value numbers;
  int64_t count = out.getNumElements();
  if (width() == 64) {
    Words x = threefryWords(counters(counter, count),
                            {spread(key[0], count), spread(key[1], count)});
    numbers = interleaved(x);
  } else {
    numbers = threefryHalves(key, counter);
    if (out.getRank()) {
      const int64_t size = out.getDimSize(halvedDim(out.getShape()));
      count = count / size * ((size + 1) / 2);
    }
  }
  Words next = advanced(counter, number(key[0], uint32_t(count)));
  finish({key[0], key[1], next[0], next[1]}, numbers);
}

//===----------------------------------------------------------------------===//
// Philox
//===----------------------------------------------------------------------===//

/// The high half of a product, by halves of halves.
Value Generator::highHalf(Value x, uint32_t factor) {
  Value low = low16(x), high = shiftRight(x, 16),
        factorLow = number(x, factor & 0xffff),
        factorHigh = number(x, factor >> 16);
  Value a = mul(low, factorHigh), c = mul(high, factorLow);
  Value middle =
      add(add(shiftRight(mul(low, factorLow), 16), low16(a)), low16(c));
  return add(add(mul(high, factorHigh), shiftRight(middle, 16)),
             add(shiftRight(a, 16), shiftRight(c, 16)));
}

Words Generator::philoxWords(Words x, ArrayRef<Value> key) {
  constexpr uint32_t factors[2] = {0xd2511f53, 0xcd9e8d57},
                     raises[2] = {0x9e3779b9, 0xbb67ae85};
  for (uint32_t round = 0; round < 10; ++round) {
    Value keys[2];
    for (int i = 0; i < 2; ++i)
      keys[i] = add(key[i], number(key[i], round * raises[i]));
    x = {bitXor(bitXor(highHalf(x[2], factors[1]), x[1]), keys[0]),
         mul(x[2], number(x[2], factors[1])),
         bitXor(bitXor(highHalf(x[0], factors[0]), x[3]), keys[1]),
         mul(x[0], number(x[0], factors[0]))};
  }
  return x;
}

/// State: key, counter of 64 or 128 bits. Of 64 bits the key is the high half.
void Generator::philox() {
  const int64_t size = state.getDimSize(0), high = size == 3 ? 2 : 0;
  const int64_t each = width() == 64 ? 2 : 4; // numbers in a block
  const int64_t wanted = out.getNumElements(),
                count = (wanted + each - 1) / each;
  const Words key{word(0, 0), word(0, 1)},
      counter{word(1, 0), word(1, 1), word(high, 0), word(high, 1)};
  Words x = philoxWords(counters(counter, count),
                        {spread(key[0], count), spread(key[1], count)});
  Value numbers = reshape(interleaved(x), {count * each, 4 / each});
  numbers = first(numbers, 0, wanted);
  Words next = advanced(counter, number(key[0], uint32_t(count)));
  next.resize(2 * (size - 1));
  Words all{key[0], key[1]};
  llvm::append_range(all, next);
  finish(all, numbers);
}

//===----------------------------------------------------------------------===//
// The way in
//===----------------------------------------------------------------------===//

/// `numbers`: words in order, two a number of 64 bits.
void Generator::finish(ArrayRef<Value> words, Value numbers) {
  const Type element = out.getElementType();
  ArrayRef<int64_t> shape = out.getShape();
  if (width() == 64) {
    numbers = reshape(bits(numbers, {out.getNumElements()}, element), shape);
  } else {
    numbers = reshape(numbers, shape);
    if (width() < 32)
      numbers = ConvertOp::create(
          b, loc,
          RankedTensorType::get(shape, b.getIntegerType(width(), false)),
          numbers);
    if (numbers.getType() != out)
      numbers = bits(numbers, shape, element);
  }
  Words rows;
  for (Value word : words)
    rows.push_back(reshape(word, {1}));
  const int64_t size = rows.size();
  Value next = ConcatenateOp::create(b, loc, this->words({size}), rows,
                                     b.getI64IntegerAttr(0));
  next = bits(reshape(next, {size / 2, 2}), {size / 2}, state.getElementType());
  op.getOutputState().replaceAllUsesWith(next);
  op.getOutput().replaceAllUsesWith(numbers);
}

LogicalResult Generator::run() {
  if (!out.hasStaticShape() || !state.hasStaticShape() ||
      state.getRank() != 1 || !state.getElementType().isInteger(64) ||
      op.getOutputState().getType() != state || !out.getNumElements() ||
      out.getNumElements() > INT32_MAX ||
      !isa<IntegerType>(out.getElementType()) ||
      !llvm::is_contained({8u, 16u, 32u, 64u}, width()))
    return failure();
  const bool threefryAsked = op.getRngAlgorithm() == "THREE_FRY";
  const int64_t size = state.getDimSize(0);
  if (size != 2 && (threefryAsked || size != 3))
    return failure();
  halves = bits(op.getInitialState(), {size, 2}, u32);
  if (threefryAsked)
    threefry();
  else
    philox();
  return success();
}

LogicalResult mlir::loom::stablehlo::expandBitGenerator(RngBitGeneratorOp op) {
  return Generator(op).run();
}
