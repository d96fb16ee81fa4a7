// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What follows a product and can leave the array with it: normalisation, bias,
// scale, residual, clamp.

#include "Epilogue.h"

#include "Constants.h"
#include "loom/Dialect/StableHLO/Elements.h"

#include "loom_isa.h"
#include "loom_num.h"

using namespace mlir;
using namespace mlir::loom;
using loomt::Program;
using loomt::Ref;

/// Elements that a folded constant may have.
static constexpr int64_t kMaxFold = 1 << 26;

namespace {
/// One step of a program that follows a product, on the product's value.
struct Step {
  int32_t op;
  int32_t other; // operand number of the other side
  bool reversed; // the product's value is the second operand
  int32_t result;
};

class Epilogue {
public:
  Epilogue(Operation *product, loomt::MapOp map)
      : product(product), map(map), builder(map),
        program(map.getProgram(), map.getImms()) {}
  void run();

private:
  void findChain();
  std::optional<Ref> channel(int32_t operand);
  std::optional<std::vector<uint32_t>> channelValues(int32_t operand);
  bool foldNormalisation();
  bool takeBias();
  std::optional<Ref> residualOf(const Step &step);
  void setResidual(const Ref &ref);
  void setClamp(uint32_t lo, uint32_t hi);
  bool takeResidual();
  bool takeWhole();
  void takeClamp();
  void setBias(Value bias) {
    if (auto conv = dyn_cast<loomt::ConvOp>(product))
      conv.getBiasMutable().assign(bias);
    else
      cast<loomt::ContractOp>(product).getBiasMutable().assign(bias);
  }
  /// Whether the root exists before the product; moves constants there.
  bool isBefore(Value root) {
    Operation *op = root.getDefiningOp();
    if (!op || op->isBeforeInBlock(product))
      return true;
    if (!isa<loomt::ConstantOp>(op))
      return false;
    op->moveBefore(product);
    return true;
  }
  bool hasBias() {
    if (auto conv = dyn_cast<loomt::ConvOp>(product))
      return bool(conv.getBias());
    return bool(cast<loomt::ContractOp>(product).getBias());
  }
  void rewrite();

  Operation *product;
  loomt::MapOp map;
  OpBuilder builder;
  Program program;
  size_t input = 0; // of the map: the product
  size_t taken = 0; // steps absorbed
  SmallVector<Step> steps;
  int64_t channels = 0;
};
} // namespace

/// The steps from the product's value on, as long as each is used once.
void Epilogue::findChain() {
  SmallVector<unsigned> uses(program.ops.size(), 0);
  for (const Program::Op &op : program.ops) {
    if (op.op == LOOM_UOP_LOAD)
      continue;
    const int32_t args[3] = {op.a, op.b, op.c};
    for (int k = 0; k < Program::operands(op.op); ++k)
      if (args[k] >= 0)
        ++uses[args[k]];
  }
  int32_t current = -1;
  for (auto [i, op] : llvm::enumerate(program.ops)) {
    if (op.op == LOOM_UOP_LOAD && size_t(op.a) == input) {
      if (current >= 0)
        return steps.clear();
      current = i;
      continue;
    }
    if (current < 0 || op.op == LOOM_UOP_LOAD ||
        (op.a != current && (Program::operands(op.op) < 2 || op.b != current)))
      continue;
    if (uses[current] == 1 && op.op == LOOM_UOP_FBF16) {
      steps.push_back({op.op, current, false, int32_t(i)});
      current = i;
      continue;
    }
    if (uses[current] != 1 || Program::operands(op.op) != 2)
      return;
    const bool reversed = op.a != current;
    steps.push_back({op.op, reversed ? op.a : op.b, reversed, int32_t(i)});
    current = i;
  }
}

/// An operand that depends on the channel alone, as a reference of [channels].
std::optional<Ref> Epilogue::channel(int32_t operand) {
  if (operand < 0 || program.ops[operand].op != LOOM_UOP_LOAD)
    return std::nullopt;
  Ref ref = Ref::of(map.getInputs()[program.ops[operand].a]);
  // Trailing dimensions that make up the channels; all others repeat.
  int64_t count = 1;
  size_t d = ref.shape.size();
  while (d > 0 && count < channels)
    count *= ref.shape[--d];
  if (count != channels)
    return std::nullopt;
  for (size_t i = 0; i < d; ++i)
    if (ref.shape[i] != 1 && ref.strides[i] != 0)
      return std::nullopt;
  Ref tail{ref.root, ref.offset,
           SmallVector<int64_t>(ArrayRef<int64_t>(ref.shape).drop_front(d)),
           SmallVector<int64_t>(ArrayRef<int64_t>(ref.strides).drop_front(d))};
  return tail.reshaped({channels});
}

std::optional<std::vector<uint32_t>> Epilogue::channelValues(int32_t operand) {
  if (operand < 0)
    return std::vector<uint32_t>(channels, program.imms[-1 - operand]);
  std::optional<Ref> ref = channel(operand);
  if (!ref)
    return std::nullopt;
  return constantValues(*ref, kMaxFold);
}

/// f32 weights times one factor a channel (the last dimension), written once to
/// where they stay. Null if they are no constant or too many.
static ElementsAttr scaleChannels(const Ref &filter, ArrayRef<uint32_t> scale) {
  auto type = RankedTensorType::get(
      filter.shape,
      cast<RankedTensorType>(filter.root.getType()).getElementType());
  const size_t count = type.getNumElements(), channels = scale.size();
  auto constant = filter.root.getDefiningOp<loomt::ConstantOp>();
  if (!constant || count > size_t(kMaxFold))
    return ElementsAttr();
  std::optional<stablehlo::ElementBytes> bytes =
      stablehlo::ElementBytes::get(constant.getValue());
  std::vector<uint32_t> moved;
  const char *from = nullptr;
  if (bytes && !bytes->isSplat() && filter.isWhole()) {
    from = bytes->bytes().data();
  } else {
    std::optional<std::vector<uint32_t>> values =
        constantValues(filter, kMaxFold);
    if (!values)
      return ElementsAttr();
    moved = std::move(*values);
    from = reinterpret_cast<const char *>(moved.data());
  }
  std::shared_ptr<uint32_t[]> result(new uint32_t[count]);
  for (size_t row = 0; row < count; row += channels)
    for (size_t n = 0; n < channels; ++n) {
      uint32_t value;
      memcpy(&value, from + 4 * (row + n), 4);
      result[row + n] = loom_num_mul(value, scale[n]);
    }
  ArrayRef<char> stored(reinterpret_cast<const char *>(result.get()),
                        4 * count);
  return stablehlo::makeElementsOver(type, stored, result, "scaled");
}

/// (x + a - m) * s + b with constants a channel: w * s, and one bias.
bool Epilogue::foldNormalisation() {
  auto conv = dyn_cast<loomt::ConvOp>(product);
  auto contract = dyn_cast<loomt::ContractOp>(product);
  Value weights = conv ? conv.getFilter() : contract.getRhs();
  Ref filter = Ref::of(weights);
  if (!filter.root.getDefiningOp<loomt::ConstantOp>() ||
      !cast<RankedTensorType>(weights.getType()).getElementType().isF32())
    return false;
  std::vector<uint32_t> scale(channels, LOOM_NUM_ONE), offset(channels, 0);
  size_t count = 0;
  bool scales = false;
  for (const Step &step : steps) {
    const bool add = step.op == LOOM_UOP_FADD, mul = step.op == LOOM_UOP_FMUL,
               sub = step.op == LOOM_UOP_FSUB && !step.reversed;
    if (!add && !mul && !sub)
      break;
    std::optional<std::vector<uint32_t>> values = channelValues(step.other);
    if (!values)
      break;
    for (int64_t n = 0; n < channels; ++n) {
      const uint32_t v = (*values)[n];
      if (mul)
        scale[n] = loom_num_mul(scale[n], v);
      offset[n] = mul   ? loom_num_mul(offset[n], v)
                  : add ? loom_num_add(offset[n], v)
                        : loom_num_sub(offset[n], v);
    }
    scales |= mul;
    ++count;
  }
  if (!scales)
    return false;
  ElementsAttr scaled = scaleChannels(filter, scale);
  if (!scaled)
    return false;
  Location loc = product->getLoc();
  OpBuilder before(product);
  Value folded = loomt::ConstantOp::create(
      before, loc, cast<RankedTensorType>(weights.getType()), scaled);
  auto biasType = RankedTensorType::get({channels}, builder.getF32Type());
  Value bias = loomt::ConstantOp::create(before, loc, biasType,
                                         storeElements(biasType, offset));
  if (conv)
    conv.getFilterMutable().assign(folded);
  else
    contract.getRhsMutable().assign(folded);
  setBias(bias);
  taken = count;
  return true;
}

/// One addition per channel, rounded as the program rounds it.
bool Epilogue::takeBias() {
  if (taken >= steps.size() || hasBias())
    return false;
  const Step &step = steps[taken];
  auto type = cast<RankedTensorType>(product->getResult(0).getType());
  const bool floats = type.getElementType().isF32();
  if (step.op != (floats ? LOOM_UOP_FADD : LOOM_UOP_IADD))
    return false;
  if (step.other < 0) {
    // The same for all channels, perhaps a zero that still turns -0 to +0.
    OpBuilder before(product);
    auto biasType = RankedTensorType::get({channels}, type.getElementType());
    std::vector<uint32_t> same(channels, program.imms[-1 - step.other]);
    setBias(loomt::ConstantOp::create(before, map.getLoc(), biasType,
                                      storeElements(biasType, same)));
    ++taken;
    return true;
  }
  std::optional<Ref> ref = channel(step.other);
  if (!ref ||
      cast<RankedTensorType>(ref->root.getType()).getElementType() !=
          type.getElementType() ||
      !isBefore(ref->root))
    return false;
  OpBuilder before(product);
  setBias(ref->materialiseView(before, map.getLoc()));
  ++taken;
  return true;
}

/// The tensor of the product's shape that a step adds, if it exists before it.
std::optional<Ref> Epilogue::residualOf(const Step &step) {
  auto type = cast<RankedTensorType>(product->getResult(0).getType());
  if (step.op != LOOM_UOP_FADD || step.other < 0 ||
      program.ops[step.other].op != LOOM_UOP_LOAD)
    return std::nullopt;
  Ref ref = Ref::of(map.getInputs()[program.ops[step.other].a]);
  auto element = cast<RankedTensorType>(ref.root.getType()).getElementType();
  if (!isa<FloatType>(element) || ref.root == product->getResult(0) ||
      !isBefore(ref.root))
    return std::nullopt;
  return ref.reshaped(type.getShape());
}

void Epilogue::setResidual(const Ref &ref) {
  OpBuilder before(product);
  Value residual = ref.materialiseView(before, map.getLoc());
  if (auto conv = dyn_cast<loomt::ConvOp>(product))
    conv.getResidualMutable().assign(residual);
  else
    cast<loomt::ContractOp>(product).getResidualMutable().assign(residual);
}

bool Epilogue::takeResidual() {
  auto type = cast<RankedTensorType>(product->getResult(0).getType());
  if (taken >= steps.size() || !type.getElementType().isF32())
    return false;
  std::optional<Ref> ref = residualOf(steps[taken]);
  if (!ref)
    return false;
  setResidual(*ref);
  ++taken;
  return true;
}

/// A product that leaves as bf16, with all that follows it: scale and offset a
/// channel, residual, clamp. The roundings between them go; all or nothing,
/// because a part would round where the program does not.
bool Epilogue::takeWhole() {
  if (!map.getType().getElementType().isBF16() || hasBias() || steps.empty() ||
      steps.back().result != int32_t(program.ops.size()) - 1)
    return false;
  std::vector<uint32_t> scale(channels, LOOM_NUM_ONE), offset(channels, 0);
  bool scales = false, adds = false;
  size_t at = 0;
  auto skip = [&] {
    while (at < steps.size() && steps[at].op == LOOM_UOP_FBF16)
      ++at;
    return at < steps.size();
  };
  for (; skip(); ++at) {
    const Step &step = steps[at];
    const bool add = step.op == LOOM_UOP_FADD, mul = step.op == LOOM_UOP_FMUL;
    if (!add && !mul && !(step.op == LOOM_UOP_FSUB && !step.reversed))
      break;
    std::optional<std::vector<uint32_t>> values = channelValues(step.other);
    if (!values)
      break;
    (mul ? scales : adds) = true;
    for (int64_t n = 0; n < channels; ++n) {
      const uint32_t v = (*values)[n];
      if (mul)
        scale[n] = loom_num_mul(scale[n], v);
      offset[n] = mul   ? loom_num_mul(offset[n], v)
                  : add ? loom_num_add(offset[n], v)
                        : loom_num_sub(offset[n], v);
    }
  }
  std::optional<Ref> residual;
  if (skip() && (residual = residualOf(steps[at])))
    ++at;
  auto bound = [&](int32_t op) -> std::optional<uint32_t> {
    if (!skip() || steps[at].op != op || steps[at].other >= 0 ||
        loom_num_isnan(program.imms[-1 - steps[at].other]))
      return std::nullopt;
    return program.imms[-1 - steps[at++].other];
  };
  std::optional<uint32_t> lo = bound(LOOM_UOP_FMAX), hi = bound(LOOM_UOP_FMIN);
  if (skip())
    return false;
  // The array adds before it scales.
  if (scales)
    for (int64_t n = 0; n < channels; ++n) {
      offset[n] = loom_num_div(offset[n], scale[n]);
      if (!loom_num_isfinite(offset[n]) || !loom_num_isfinite(scale[n]))
        return false;
    }
  auto table = [&](ArrayRef<uint32_t> values) {
    OpBuilder before(product);
    auto type = RankedTensorType::get({channels}, builder.getF32Type());
    return loomt::ConstantOp::create(before, product->getLoc(), type,
                                     storeElements(type, values));
  };
  if (adds)
    setBias(table(offset));
  if (scales) {
    Value factors = table(scale);
    if (auto conv = dyn_cast<loomt::ConvOp>(product))
      conv.getScaleMutable().assign(factors);
    else
      cast<loomt::ContractOp>(product).getScaleMutable().assign(factors);
  }
  if (residual)
    setResidual(*residual);
  if (lo || hi)
    setClamp(lo.value_or(LOOM_NUM_INF | 0x80000000u),
             hi.value_or(LOOM_NUM_INF));
  taken = steps.size();
  return true;
}

void Epilogue::setClamp(uint32_t lo, uint32_t hi) {
  auto attribute = [&](uint32_t bits) {
    return builder.getF32FloatAttr(loom_num_float(bits));
  };
  if (auto conv = dyn_cast<loomt::ConvOp>(product)) {
    conv.setLoAttr(attribute(lo));
    conv.setHiAttr(attribute(hi));
  } else {
    auto contract = cast<loomt::ContractOp>(product);
    contract.setLoAttr(attribute(lo));
    contract.setHiAttr(attribute(hi));
  }
}

/// maximum, minimum with constants.
void Epilogue::takeClamp() {
  auto type = cast<RankedTensorType>(product->getResult(0).getType());
  if (!type.getElementType().isF32() || taken >= steps.size())
    return;
  const Step &step = steps[taken];
  if (step.op != LOOM_UOP_FMAX || step.other >= 0)
    return;
  const uint32_t lo = program.imms[-1 - step.other];
  uint32_t hi = LOOM_NUM_INF;
  if (loom_num_isnan(lo))
    return;
  ++taken;
  if (taken < steps.size() && steps[taken].op == LOOM_UOP_FMIN &&
      steps[taken].other < 0 &&
      !loom_num_isnan(program.imms[-1 - steps[taken].other]))
    hi = program.imms[-1 - steps[taken++].other];
  setClamp(lo, hi);
}

/// The map without the absorbed steps.
void Epilogue::rewrite() {
  const int32_t last = steps[taken - 1].result;
  Program rest;
  SmallVector<Value> inputs;
  SmallVector<int32_t> moved(program.ops.size(), INT32_MIN);
  DenseMap<int32_t, int32_t> newInput;
  auto loadOf = [&](int32_t old) {
    auto [it, fresh] = newInput.try_emplace(old, inputs.size());
    if (fresh)
      inputs.push_back(map.getInputs()[old]);
    return rest.load(it->second);
  };
  // Only what the remaining steps need.
  std::function<int32_t(int32_t)> need = [&](int32_t v) -> int32_t {
    if (v < 0)
      return rest.imm(program.imms[-1 - v]);
    if (moved[v] != INT32_MIN)
      return moved[v];
    const Program::Op op = program.ops[v];
    if (v == last)
      return moved[v] = loadOf(input);
    if (op.op == LOOM_UOP_LOAD)
      return moved[v] = loadOf(op.a);
    const int n = Program::operands(op.op);
    const int32_t a = n > 0 ? need(op.a) : 0, b = n > 1 ? need(op.b) : 0,
                  c = n > 2 ? need(op.c) : 0;
    return moved[v] = rest.emit(op.op, a, b, c);
  };
  const int32_t final = need(program.ops.size() - 1);
  if (rest.ops.size() == 1 &&
      map.getType().getElementType() ==
          cast<RankedTensorType>(product->getResult(0).getType())
              .getElementType()) {
    // Nothing is left: the map's input, which has its shape, takes its place.
    map.getResult().replaceAllUsesWith(map.getInputs()[input]);
    map.erase();
    return;
  }
  (void) final;
  map.getInputsMutable().assign(inputs);
  map.setProgram(rest.words());
  map.setImms(rest.imms);
}

void Epilogue::run() {
  bool found = false;
  for (auto [i, value] : llvm::enumerate(map.getInputs())) {
    Ref ref = Ref::of(value);
    if (ref.root == product->getResult(0)) {
      if (found || !ref.isWhole())
        return;
      found = true;
      input = i;
    }
  }
  auto type = cast<RankedTensorType>(product->getResult(0).getType());
  channels = type.getShape().back();
  const Type element = type.getElementType();
  if (!found ||
      !(element.isF32() || element.isBF16() || element.isSignlessInteger(32)))
    return;
  findChain();
  if (element.isBF16()) {
    if (takeWhole())
      rewrite();
    return;
  }
  if (!element.isF32() || hasBias() || !foldNormalisation())
    takeBias();
  takeResidual();
  takeClamp();
  if (taken)
    rewrite();
}

void mlir::loom::fuseEpilogue(Operation *product, loomt::MapOp map) {
  Epilogue(product, map).run();
}
