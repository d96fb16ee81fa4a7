// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Reductions of values and their numbers together: argmax and argmin.

#include "Constants.h"
#include "Converter.h"
#include "Scalar.h"

#include "loom_isa.h"

using namespace mlir;
using namespace mlir::loom;
using loomt::Program;
using loomt::Ref;

static constexpr int64_t kMaxNumbers = 1 << 22;

namespace {
/// Answers of a region (x, i, y, j) -> (value, number) of comparisons.
class Picker {
public:
  explicit Picker(Region &body) {
    std::string why;
    for (int32_t k = 0; k < 4; ++k)
      program.load(k);
    // The region's order: both accumulated, then both elements.
    auto results = emitRegion(body, {0, 1, 2, 3}, program, why);
    ok = succeeded(results) && onlyCompares(body);
    if (ok)
      outputs = *results;
  }

  /// Whether the later number j or the earlier i is picked, and whose value.
  bool picks(uint32_t x, uint32_t i, uint32_t y, uint32_t j, uint32_t number,
             uint32_t value) {
    std::vector<uint32_t> values;
    if (!ok || !evaluate(program, {&x, &i, &y, &j}, /*count=*/1, values))
      return false;
    return values[outputs[1]] == number && values[outputs[0]] == value;
  }

private:
  /// Then samples of every order of two values and two numbers decide.
  static bool onlyCompares(Region &body) {
    return llvm::all_of(body.front().without_terminator(), [](Operation &op) {
      return isa<stablehlo::CompareOp, stablehlo::SelectOp, stablehlo::OrOp,
                 stablehlo::AndOp, stablehlo::NotOp>(op);
    });
  }

  Program program;
  SmallVector<int32_t> outputs;
  bool ok = false;
};
} // namespace

/// Whether the region gives the largest (smallest) value and the lowest number
/// of it; a NaN wins.
static bool isArgReducer(Region &body, Type element, bool largest) {
  Picker picker(body);
  SmallVector<uint32_t> ascending;
  if (isa<FloatType>(element))
    ascending = {0xff800000u, 0xbf800000u, 0, 0x3f800000u, 0x7f800000u};
  else if (element.isUnsignedInteger())
    ascending = {0, 1, 0x7fu, 0x80u, 0xffu};
  else
    ascending = {uint32_t(-128), ~0u, 0, 1, 127};
  for (size_t a = 0; a < ascending.size(); ++a)
    for (size_t b = 0; b < ascending.size(); ++b)
      for (auto [i, j] : {std::pair(1u, 2u), std::pair(2u, 1u)}) {
        const uint32_t x = ascending[a], y = ascending[b];
        const bool first = a == b ? i < j : (a > b) == largest;
        if (!picker.picks(x, i, y, j, first ? i : j, first ? x : y))
          return false;
      }
  if (!isa<FloatType>(element))
    return true;
  const uint32_t nan = 0x7fc00000u, one = 0x3f800000u;
  return picker.picks(nan, 1, one, 2, 1, nan) &&
         picker.picks(one, 1, nan, 2, 2, nan) &&
         picker.picks(nan, 1, nan, 2, 1, nan);
}

/// Whether all elements count along the dimension.
static bool counts(const Ref &ref, int64_t dim) {
  std::optional<std::vector<uint32_t>> values =
      constantValues(ref, kMaxNumbers);
  if (!values)
    return false;
  int64_t inner = 1;
  for (int64_t n : ArrayRef<int64_t>(ref.shape).drop_front(dim + 1))
    inner *= n;
  for (auto [i, value] : llvm::enumerate(*values))
    if (value != uint32_t(i / inner % ref.shape[dim]))
      return false;
  return true;
}

/// Of integers: the least number among those whose value is the largest.
Value Converter::argIndex(stablehlo::ReduceOp op, bool largest) {
  Location loc = op.getLoc();
  const int64_t dim = op.getDimensions()[0];
  auto moved = [&](Ref ref) { // the reduced dimension last
    ref.shape.push_back(ref.shape[dim]);
    ref.strides.push_back(ref.strides[dim]);
    ref.shape.erase(ref.shape.begin() + dim);
    ref.strides.erase(ref.strides.begin() + dim);
    return ref;
  };
  const Ref x = moved(Ref::of(map.lookup(op.getInputs()[0]))),
            numbers = moved(Ref::of(map.lookup(op.getInputs()[1])));
  auto numberType = cast<RankedTensorType>(op.getResult(1).getType());
  Type element = cast<RankedTensorType>(x.root.getType()).getElementType();
  auto reduce = [&](RankedTensorType type, ValueRange inputs, Program &program,
                    int32_t reducer) -> Value {
    return loomt::ReduceOp::create(
        builder, loc, type, inputs,
        builder.getDenseI32ArrayAttr(program.words()),
        builder.getDenseI32ArrayAttr(program.imms),
        builder.getI32IntegerAttr(reducer), builder.getI64IntegerAttr(1));
  };
  Program plain;
  plain.load(0);
  Value view = x.materialiseView(builder, loc);
  if (isa<FloatType>(element))
    return reduce(numberType, view, plain,
                  largest ? LOOM_UOP_RARGMAX_F : LOOM_UOP_RARGMIN_F);
  const bool isUnsigned = element.isUnsignedInteger();
  const auto valueType = RankedTensorType::get(numberType.getShape(), element);
  Value found =
      reduce(valueType, view, plain,
             largest ? (isUnsigned ? LOOM_UOP_RMAX_U : LOOM_UOP_RMAX_I)
                     : (isUnsigned ? LOOM_UOP_RMIN_U : LOOM_UOP_RMIN_I));
  Ref every = Ref::of(found);
  every.shape.push_back(x.shape.back());
  every.strides.push_back(0);
  Program program;
  const int32_t a = program.load(0), b = program.load(1), n = program.load(2);
  program.emit(LOOM_UOP_SELECT, program.emit(LOOM_UOP_IEQ, a, b), n,
               program.imm(INT32_MAX));
  return reduce(numberType,
                {view, every.materialiseView(builder, loc),
                 numbers.materialiseView(builder, loc)},
                program, LOOM_UOP_RMIN_I);
}

LogicalResult Converter::argReduce(stablehlo::ReduceOp op) {
  Ref x = Ref::of(map.lookup(op.getInputs()[0])),
      numbers = Ref::of(map.lookup(op.getInputs()[1]));
  Type element = cast<RankedTensorType>(x.root.getType()).getElementType();
  if (!product(x.shape))
    return refuse(op, "it picks one of no elements", "use non-empty shapes");
  bool largest = true;
  if (!isArgReducer(op.getBody(), element, largest)) {
    largest = false;
    if (!isArgReducer(op.getBody(), element, largest))
      return refuse(
          op, "its region on two operands is not that of argmax or argmin",
          "reduce each operand by itself");
  }
  auto numberType = cast<RankedTensorType>(op.getResult(1).getType());
  if (op.getDimensions().size() != 1 ||
      !numberType.getElementType().isIntOrIndex() ||
      !counts(numbers, op.getDimensions()[0]))
    return refuse(op, "its second operand does not count along one dimension",
                  "use jnp.argmax along one axis");
  const int32_t reducer = isa<FloatType>(element)
                              ? (largest ? LOOM_UOP_RMAX_F : LOOM_UOP_RMIN_F)
                          : element.isUnsignedInteger()
                              ? (largest ? LOOM_UOP_RMAX_U : LOOM_UOP_RMIN_U)
                              : (largest ? LOOM_UOP_RMAX_I : LOOM_UOP_RMIN_I);
  std::optional<uint32_t> start =
      splatBits(Ref::of(map.lookup(op.getInitValues()[0])));
  std::optional<uint32_t> first =
      splatBits(Ref::of(map.lookup(op.getInitValues()[1])));
  if (!start || *start != reducerIdentity(reducer, element) || first != 0u)
    return refuse(op, "it does not start from the least value and number 0",
                  "use jnp.argmax");
  map[op.getResult(1)] = argIndex(op, largest);
  if (op.getResult(0).use_empty()) {
    map[op.getResult(0)] = map.lookup(op.getInitValues()[0]); // never read
    return success();
  }
  Ref window{x.root, x.offset, {}, {}};
  const size_t dim = op.getDimensions()[0];
  for (size_t d = 0; d < x.shape.size(); ++d)
    if (d != dim) {
      window.shape.push_back(x.shape[d]);
      window.strides.push_back(x.strides[d]);
    }
  window.shape.push_back(x.shape[dim]);
  window.strides.push_back(x.strides[dim]);
  Program program;
  program.load(0);
  map[op.getResult(0)] = loomt::ReduceOp::create(
      builder, op.getLoc(), op.getResult(0).getType(),
      window.materialiseView(builder, op.getLoc()),
      builder.getDenseI32ArrayAttr(program.words()),
      builder.getDenseI32ArrayAttr(program.imms),
      builder.getI32IntegerAttr(reducer), builder.getI64IntegerAttr(1));
  return success();
}
