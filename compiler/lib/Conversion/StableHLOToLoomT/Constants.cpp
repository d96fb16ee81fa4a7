// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Folding in the machine's own arithmetic.

#include "Constants.h"

#include "loom/Dialect/StableHLO/Elements.h"

#include "loom_isa.h"
#include "loom_num.h"

#include "llvm/ADT/MapVector.h"

using namespace mlir;
using namespace mlir::loom;
using loomt::Program;
using loomt::Ref;

/// Elements that a folded constant may have.
static constexpr int64_t kMaxFold = 1 << 26;
static constexpr int64_t kMaxIota = 1 << 22;
/// Elements that are computed at a time, so that their values stay in a cache.
static constexpr int64_t kFoldBlock = 256;
/// What takes more operations than this to an element, as random numbers do, is
/// computed where the program runs - unless there are few elements.
static constexpr int64_t kMaxFoldChain = 32;

static uint32_t rawElement(ArrayRef<char> bytes) {
  uint32_t value = 0;
  memcpy(&value, bytes.data(), std::min<size_t>(4, bytes.size()));
  return value;
}

/// As LOAD converts.
static uint32_t loadElement(uint32_t raw, unsigned dtype) {
  switch (dtype) {
  case LOOM_BF16:
    return loom_num_from_bf16(uint16_t(raw));
  case LOOM_F16:
    return loom_num_from_f16(uint16_t(raw));
  case LOOM_I16:
    return uint32_t(int32_t(int16_t(raw)));
  case LOOM_I8:
    return uint32_t(int32_t(int8_t(raw)));
  case LOOM_I1:
    return raw & 0xff ? 1 : 0;
  default:
    return raw;
  }
}

static std::optional<stablehlo::ElementBytes> constantBytes(const Ref &ref) {
  auto constant = ref.root.getDefiningOp<loomt::ConstantOp>();
  if (!constant)
    return std::nullopt;
  return stablehlo::ElementBytes::get(constant.getValue());
}

std::optional<uint32_t> mlir::loom::splatBits(const Ref &ref, bool storage) {
  std::optional<stablehlo::ElementBytes> bytes = constantBytes(ref);
  if (!bytes || bytes->elementWidth() > 4)
    return std::nullopt;
  bool single = true;
  for (auto [n, stride] : llvm::zip(ref.shape, ref.strides))
    single &= n == 1 || stride == 0;
  if (!single && !bytes->isSplat())
    return std::nullopt;
  const uint32_t raw = rawElement(bytes->element(ref.offset));
  auto type = cast<RankedTensorType>(ref.root.getType()).getElementType();
  return storage ? raw : loadElement(raw, *loomt::npuType(type));
}

std::optional<uint32_t> mlir::loom::splatBits(ElementsAttr value) {
  std::optional<stablehlo::ElementBytes> bytes =
      stablehlo::ElementBytes::get(value);
  if (!bytes || (!bytes->isSplat() && bytes->getType().getNumElements() != 1))
    return std::nullopt;
  std::optional<unsigned> dtype =
      loomt::npuType(bytes->getType().getElementType());
  if (!dtype)
    return std::nullopt;
  return loadElement(rawElement(bytes->element(0)), *dtype);
}

std::optional<ElementsAttr> mlir::loom::iotaElements(RankedTensorType type,
                                                     int64_t dim) {
  if (type.getNumElements() > kMaxIota)
    return std::nullopt;
  SmallVector<int64_t> strides = loomt::denseStrides(type.getShape());
  const bool isFloat = isa<FloatType>(type.getElementType());
  std::vector<uint32_t> values(type.getNumElements());
  for (int64_t i = 0; i < int64_t(values.size()); ++i) {
    const uint32_t count = i / strides[dim] % type.getDimSize(dim);
    values[i] = isFloat ? loom_num_from_u32(count) : count;
  }
  return storeElements(type, values);
}

std::optional<std::vector<uint32_t>> mlir::loom::constantValues(const Ref &ref,
                                                                int64_t limit) {
  std::optional<stablehlo::ElementBytes> bytes = constantBytes(ref);
  int64_t count = 1;
  for (int64_t n : ref.shape)
    count *= n;
  if (!bytes || bytes->elementWidth() > 4 || count > limit)
    return std::nullopt;
  const unsigned dtype = *loomt::npuType(
      cast<RankedTensorType>(ref.root.getType()).getElementType());
  std::vector<uint32_t> values(count);
  const size_t outer = ref.shape.empty() ? 0 : ref.shape.size() - 1;
  const int64_t run = ref.shape.empty() ? 1 : ref.shape.back(),
                step = ref.shape.empty() ? 0 : ref.strides.back();
  const char *data = bytes->bytes().data();
  // Registers hold words as they are.
  const bool words = bytes->elementWidth() == 4 && !bytes->isSplat();
  SmallVector<int64_t> index(outer, 0);
  int64_t at = ref.offset;
  for (auto to = values.begin(); to != values.end();) {
    for (int64_t i = 0; i < run; ++i, ++to)
      if (words)
        memcpy(&*to, data + 4 * (at + i * step), 4);
      else
        *to = loadElement(rawElement(bytes->element(at + i * step)), dtype);
    for (size_t d = outer; d-- > 0;) {
      at += ref.strides[d];
      if (++index[d] < ref.shape[d])
        break;
      at -= ref.strides[d] * ref.shape[d];
      index[d] = 0;
    }
  }
  return values;
}

ElementsAttr mlir::loom::storeElements(RankedTensorType type,
                                       ArrayRef<uint32_t> values) {
  const unsigned dtype = *loomt::npuType(type.getElementType());
  const size_t width = *stablehlo::elementBytes(type.getElementType());
  std::vector<char> bytes(values.size() * width);
  for (auto [i, value] : llvm::enumerate(values)) {
    uint32_t stored = value;
    if (dtype == LOOM_F32)
      stored = loom_num_canonical(value);
    else if (dtype == LOOM_BF16)
      stored = loom_num_to_bf16(value);
    else if (dtype == LOOM_F16)
      stored = loom_num_to_f16(value);
    else if (dtype == LOOM_I1)
      stored = value != 0;
    memcpy(bytes.data() + i * width, &stored, width);
  }
  return stablehlo::makeElements(type, bytes);
}

static std::optional<uint32_t> apply(int32_t op, uint32_t a, uint32_t b,
                                     uint32_t c) {
  switch (op) {
  case LOOM_UOP_MOV:
    return a;
  case LOOM_UOP_SELECT:
    return a ? b : c;
  case LOOM_UOP_FADD:
    return loom_num_add(a, b);
  case LOOM_UOP_FSUB:
    return loom_num_sub(a, b);
  case LOOM_UOP_FMUL:
    return loom_num_mul(a, b);
  case LOOM_UOP_FFMA:
    return loom_num_fma(a, b, c);
  case LOOM_UOP_FDIV:
    return loom_num_div(a, b);
  case LOOM_UOP_FREM:
    return loom_num_rem(a, b);
  case LOOM_UOP_FSQRT:
    return loom_num_sqrt(a);
  case LOOM_UOP_FRSQRT:
    return loom_num_rsqrt(a);
  case LOOM_UOP_FNEG:
    return loom_num_neg(a);
  case LOOM_UOP_FABS:
    return loom_num_abs(a);
  case LOOM_UOP_FSIGN:
    return loom_num_sign(a);
  case LOOM_UOP_FMIN:
    return loom_num_min(a, b);
  case LOOM_UOP_FMAX:
    return loom_num_max(a, b);
  case LOOM_UOP_FEQ:
    return loom_num_eq(a, b);
  case LOOM_UOP_FNE:
    return loom_num_ne(a, b);
  case LOOM_UOP_FLT:
    return loom_num_lt(a, b);
  case LOOM_UOP_FLE:
    return loom_num_le(a, b);
  case LOOM_UOP_FGT:
    return loom_num_lt(b, a);
  case LOOM_UOP_FGE:
    return loom_num_le(b, a);
  case LOOM_UOP_FFINITE:
    return loom_num_isfinite(a);
  case LOOM_UOP_FREDP:
    return loom_num_reduce_precision(a, b & 0xff, b >> 8);
  case LOOM_UOP_FBF16:
    return loom_num_from_bf16(loom_num_to_bf16(a));
  case LOOM_UOP_FF16:
    return loom_num_from_f16(loom_num_to_f16(a));
  case LOOM_UOP_F2I:
    return uint32_t(loom_num_to_i32(a));
  case LOOM_UOP_F2U:
    return loom_num_to_u32(a);
  case LOOM_UOP_I2F:
    return loom_num_from_i32(int32_t(a));
  case LOOM_UOP_U2F:
    return loom_num_from_u32(a);
  case LOOM_UOP_IADD:
    return a + b;
  case LOOM_UOP_ISUB:
    return a - b;
  case LOOM_UOP_IMUL:
    return a * b;
  case LOOM_UOP_IDIV:
    return loom_num_idiv(a, b);
  case LOOM_UOP_UDIV:
    return loom_num_udiv(a, b);
  case LOOM_UOP_IREM:
    return loom_num_irem(a, b);
  case LOOM_UOP_UREM:
    return loom_num_urem(a, b);
  case LOOM_UOP_IMIN:
    return int32_t(a) < int32_t(b) ? a : b;
  case LOOM_UOP_IMAX:
    return int32_t(a) > int32_t(b) ? a : b;
  case LOOM_UOP_UMIN:
    return std::min(a, b);
  case LOOM_UOP_UMAX:
    return std::max(a, b);
  case LOOM_UOP_INEG:
    return 0u - a;
  case LOOM_UOP_IABS:
    return loom_num_iabs(a);
  case LOOM_UOP_ISIGN:
    return loom_num_isign(a);
  case LOOM_UOP_AND:
    return a & b;
  case LOOM_UOP_OR:
    return a | b;
  case LOOM_UOP_XOR:
    return a ^ b;
  case LOOM_UOP_NOT:
    return ~a;
  case LOOM_UOP_SHL:
    return loom_num_shl(a, b);
  case LOOM_UOP_SHR:
    return loom_num_shr(a, b);
  case LOOM_UOP_SAR:
    return loom_num_sar(a, b);
  case LOOM_UOP_CLZ:
    return loom_num_clz(a);
  case LOOM_UOP_IEQ:
    return a == b;
  case LOOM_UOP_INE:
    return a != b;
  case LOOM_UOP_ILT:
    return int32_t(a) < int32_t(b);
  case LOOM_UOP_ILE:
    return int32_t(a) <= int32_t(b);
  case LOOM_UOP_ULT:
    return a < b;
  case LOOM_UOP_ULE:
    return a <= b;
  case LOOM_UOP_EXP:
    return loom_num_exp(a);
  case LOOM_UOP_EXPM1:
    return loom_num_expm1(a);
  case LOOM_UOP_LOG:
    return loom_num_log(a);
  case LOOM_UOP_LOG1P:
    return loom_num_log1p(a);
  case LOOM_UOP_TANH:
    return loom_num_tanh(a);
  case LOOM_UOP_LOGISTIC:
    return loom_num_logistic(a);
  case LOOM_UOP_ERF:
    return loom_num_erf(a);
  case LOOM_UOP_SIN:
    return loom_num_sin(a);
  case LOOM_UOP_COS:
    return loom_num_cos(a);
  case LOOM_UOP_CBRT:
    return loom_num_cbrt(a);
  case LOOM_UOP_ATAN2:
    return loom_num_atan2(a, b);
  case LOOM_UOP_POW:
    return loom_num_pow(a, b);
  default:
    return std::nullopt;
  }
}

bool mlir::loom::evaluate(const Program &program,
                          ArrayRef<const uint32_t *> inputs, int64_t count,
                          std::vector<uint32_t> &values) {
  values.resize(program.ops.size() * count);
  uint32_t *to = values.data();
  struct Operand {
    const uint32_t *at;
    int64_t step;
  };
  SmallVector<uint32_t> imms(program.imms.begin(), program.imms.end());
  auto operandOf = [&](int32_t v) {
    return v >= 0 ? Operand{values.data() + v * count, 1}
                  : Operand{&imms[-1 - v], 0};
  };
  for (const Program::Op &op : program.ops) {
    if (op.op == LOOM_UOP_LOAD) {
      to = std::copy_n(inputs[op.a], count, to);
      continue;
    }
    static constexpr uint32_t kNone = 0;
    const int operands = Program::operands(op.op);
    const Operand a = operands > 0 ? operandOf(op.a) : Operand{&kNone, 0},
                  b = operands > 1 ? operandOf(op.b) : Operand{&kNone, 0},
                  c = operands > 2 ? operandOf(op.c) : Operand{&kNone, 0};
    for (int64_t i = 0; i < count; ++i) {
      std::optional<uint32_t> value =
          apply(op.op, a.at[i * a.step], b.at[i * b.step], c.at[i * c.step]);
      if (!value)
        return false;
      *to++ = *value;
    }
  }
  return true;
}

Value mlir::loom::foldConstantMap(loomt::MapOp op) {
  SmallVector<std::vector<uint32_t>> inputs;
  for (Value input : op.getInputs()) {
    std::optional<std::vector<uint32_t>> values =
        constantValues(Ref::of(input), kMaxFold);
    if (!values)
      return Value();
    inputs.push_back(std::move(*values));
  }
  Program program(op.getProgram(), op.getImms());
  const bool splat = inputs.empty();
  const int64_t count = splat ? 1 : op.getType().getNumElements();
  std::vector<uint32_t> result(count), values;
  SmallVector<const uint32_t *> from(inputs.size());
  for (int64_t i = 0; i < count; i += kFoldBlock) {
    const int64_t n = std::min(kFoldBlock, count - i);
    for (size_t k = 0; k < inputs.size(); ++k)
      from[k] = inputs[k].data() + i;
    if (!evaluate(program, from, n, values))
      return Value();
    std::copy_n(values.end() - n, n, result.begin() + i);
  }
  RankedTensorType type = op.getType();
  ElementsAttr value;
  if (splat) {
    ElementsAttr one = storeElements(
        RankedTensorType::get({1}, type.getElementType()), result);
    auto bytes = stablehlo::ElementBytes::get(one);
    value = stablehlo::makeElements(type, bytes->element(0), /*splat=*/true);
  } else {
    value = storeElements(type, result);
  }
  OpBuilder builder(op);
  Value constant = loomt::ConstantOp::create(builder, op.getLoc(), type, value);
  op.getResult().replaceAllUsesWith(constant);
  op.erase();
  return constant;
}

/// The inputs' roots.
static SmallVector<Operation *> producers(loomt::MapOp map) {
  SmallVector<Operation *> roots;
  for (Value input : map.getInputs())
    roots.push_back(Ref::of(input).root.getDefiningOp());
  return roots;
}

void mlir::loom::foldConstantMaps(func::FuncOp func) {
  // Those that constants alone make, and the longest chain of operations from a
  // constant through each to the last of them.
  llvm::MapVector<Operation *, int64_t> chains;
  for (auto map : func.getOps<loomt::MapOp>()) {
    int64_t before = 0;
    bool known = true;
    for (Operation *root : producers(map)) {
      const auto *chain = chains.find(root);
      known &=
          chain != chains.end() || isa_and_nonnull<loomt::ConstantOp>(root);
      if (chain != chains.end())
        before = std::max(before, chain->second);
    }
    const Program program(map.getProgram(), map.getImms());
    if (known)
      chains[map] = before + llvm::count_if(program.ops, [](const auto &op) {
                      return op.op != LOOM_UOP_LOAD;
                    });
  }
  for (auto &[map, chain] : llvm::reverse(chains))
    for (Operation *root : producers(cast<loomt::MapOp>(map)))
      if (auto *before = chains.find(root); before != chains.end())
        before->second = std::max(before->second, chain);
  for (auto &[op, chain] : chains) {
    auto map = cast<loomt::MapOp>(op);
    if (chain <= kMaxFoldChain ||
        map.getType().getNumElements() <= kMaxEagerFold)
      foldConstantMap(map);
  }
}
