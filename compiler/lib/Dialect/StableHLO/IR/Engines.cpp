// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What each engine takes: one table of operations, a row each, for both.

#include "loom/Dialect/StableHLO/Engines.h"

#include "FactorChecks.h"
#include "Refusals.h"

#include "loom/Dialect/StableHLO/Patterns.h"
#include "loom/Dialect/StableHLO/StableHLO.h"

#include "loom_cpu_ops.h"
#include "loom_isa.h"

#include "mlir/IR/TypeUtilities.h"

using namespace mlir;
using namespace mlir::loom;
using namespace mlir::loom::stablehlo;

namespace {

//===----------------------------------------------------------------------===//
// Element types
//===----------------------------------------------------------------------===//

enum Types : unsigned {
  kF32 = 1 << 0,
  kBF16 = 1 << 1,
  kI8 = 1 << 2,
  kI32 = 1 << 3,
  kI1 = 1 << 4,
  kF16 = 1 << 5,
  kF64 = 1 << 6,
  kI16 = 1 << 7,
  kI64 = 1 << 8,
  kU8 = 1 << 9,
  kU16 = 1 << 10,
  kU32 = 1 << 11,
  kU64 = 1 << 12,
  // Of the NPU.
  kFloat = kF32 | kBF16 | kF16,
  kInt = kI8 | kI16 | kI32 | kU8 | kU16 | kU32,
  kNumber = kFloat | kInt,
  kBits = kInt | kI1,
  kAny = kNumber | kI1,
  // Of the CPU engine.
  kCpuFloat = kF32 | kBF16 | kF16 | kF64,
  kCpuInt = kI8 | kI16 | kI32 | kI64 | kU8 | kU16 | kU32 | kU64,
  kCpuNumber = kCpuFloat | kCpuInt,
  kCpuBits = kCpuInt | kI1,
  kCpuAny = kCpuNumber | kI1,
};

struct NamedType {
  unsigned bit;
  StringLiteral name;
};
const NamedType kTypes[] = {{kF32, "f32"},  {kBF16, "bf16"}, {kF16, "f16"},
                            {kF64, "f64"},  {kI8, "i8"},     {kI16, "i16"},
                            {kI32, "i32"},  {kI64, "i64"},   {kU8, "ui8"},
                            {kU16, "ui16"}, {kU32, "ui32"},  {kU64, "ui64"},
                            {kI1, "i1"}};

std::string text(Type type) {
  std::string result;
  llvm::raw_string_ostream(result) << type;
  return result;
}

unsigned typeBit(Type type) {
  if (type.isF32())
    return kF32;
  if (type.isBF16())
    return kBF16;
  if (type.isF16())
    return kF16;
  if (type.isF64())
    return kF64;
  auto integer = dyn_cast<IntegerType>(type);
  if (!integer)
    return 0;
  const bool u = integer.isUnsigned();
  switch (integer.getWidth()) {
  case 1:
    return u ? 0u : unsigned(kI1);
  case 8:
    return u ? kU8 : kI8;
  case 16:
    return u ? kU16 : kI16;
  case 32:
    return u ? kU32 : kI32;
  case 64:
    return u ? kU64 : kI64;
  default:
    return 0;
  }
}

/// "f32, bf16 or i8" of those types; what a program may be converted to.
std::string typesText(unsigned types) {
  std::string result;
  for (const NamedType &known : kTypes) {
    if (!(types & known.bit))
      continue;
    types &= ~known.bit;
    result += (result.empty() ? "" : types ? ", " : " or ") + known.name.str();
  }
  return result;
}

//===----------------------------------------------------------------------===//
// Attribute and region checks
//===----------------------------------------------------------------------===//

using Check = std::optional<Refusal> (*)(Operation *);

/// A boolean is a byte of which one bit counts.
std::optional<Refusal> checkBitcast(Operation *op) {
  const bool from = getElementTypeOrSelf(op->getOperand(0)).isInteger(1),
             to = getElementTypeOrSelf(op->getResult(0)).isInteger(1);
  if (from != to)
    return Refusal{"booleans have no bits to take for another type",
                   "convert them"};
  return std::nullopt;
}

/// Integers become floats where a product of both is one; the other way round
/// nothing says how.
std::optional<Refusal> checkProduct(Operation *op) {
  auto isFloat = [](Type type) {
    return isa<FloatType>(getElementTypeOrSelf(type));
  };
  if (!isFloat(op->getResult(0).getType()) &&
      llvm::any_of(op->getOperandTypes(), isFloat))
    return Refusal{"a product of floats that leaves as an integer is not "
                   "compiled",
                   "convert the operands, or the result"};
  return std::nullopt;
}

/// The only operation of a two-argument body, when it combines them directly.
Operation *simpleReducer(Region &body) {
  Block &block = body.front();
  if (block.getNumArguments() != 2 || block.getOperations().size() != 2)
    return nullptr;
  Operation *op = &block.front();
  Operation *end = block.getTerminator();
  if (op->getNumOperands() != 2 || end->getNumOperands() != 1 ||
      op->getNumResults() != 1 || end->getOperand(0) != op->getResult(0))
    return nullptr;
  Value a = op->getOperand(0), b = op->getOperand(1);
  Value x = block.getArgument(0), y = block.getArgument(1);
  if ((a == x && b == y) || (a == y && b == x))
    return op;
  return nullptr;
}

template <typename OpT> std::optional<Refusal> checkReducer(Operation *op) {
  auto reduce = cast<OpT>(op);
  // argmax and argmin; the conversion knows them by what their region answers.
  if (isa<ReduceOp>(op) && reduce.getInputs().size() == 2 &&
      getElementTypeOrSelf(reduce.getInputs()[1]).isInteger())
    return std::nullopt;
  if (reduce.getInputs().size() != 1)
    return Refusal{"a reduction of several operands together is not compiled",
                   "reduce each by itself"};
  Operation *body = simpleReducer(reduce.getBody());
  if (body && isa<AddOp, MaxOp, MinOp, MulOp, AndOp, OrOp, XorOp>(body))
    return std::nullopt;
  return Refusal{"its reducer is not one of add, maximum, minimum, multiply, "
                 "and, or, xor",
                 "write the reduction with one of these"};
}

std::optional<Refusal> checkComposite(Operation *op) {
  if (cast<CompositeOp>(op).getName() == "chlo.erf")
    return std::nullopt;
  return Refusal{"its decomposition was kept", "inline composites first"};
}

/// Whether an algorithm asks for what a product does anyway: operands in their
/// own type, one pass, sums in f32. jax.nn.dot_product_attention writes it out.
bool isNativeAlgorithm(DotGeneralOp dot) {
  auto fields = cast<DictionaryAttr>(*dot.getAlgorithm());
  auto is = [&](StringRef name, Type type) {
    auto attr = fields.getAs<TypeAttr>(name);
    return attr && attr.getValue() == type;
  };
  auto isOne = [&](StringRef name) {
    auto attr = fields.getAs<IntegerAttr>(name);
    return attr && attr.getInt() == 1;
  };
  return is("lhs_precision_type", getElementTypeOrSelf(dot.getLhs())) &&
         is("rhs_precision_type", getElementTypeOrSelf(dot.getRhs())) &&
         is("accumulation_type", Float32Type::get(dot.getContext())) &&
         isOne("lhs_component_count") && isOne("rhs_component_count") &&
         isOne("num_primitive_operations");
}

std::optional<Refusal> checkDot(Operation *op) {
  auto dot = cast<DotGeneralOp>(op);
  if (dot.getAlgorithm() && !isNativeAlgorithm(dot))
    return Refusal{"a dot_general with an algorithm other than its operands' "
                   "type, one pass and sums in f32 is not compiled",
                   "leave the precision argument at its default"};
  return checkProduct(op);
}

/// A row goes through SRAM in one piece, even on the largest of the named
/// targets; on others lowering refuses what does not fit.
std::optional<Refusal> checkRow(const RowAccess &access, Value table) {
  constexpr int64_t kMostBytes = 256 << 10;
  auto type = cast<RankedTensorType>(table.getType());
  int64_t bytes = (type.getElementTypeBitWidth() + 7) / 8;
  for (int64_t d : access.window)
    bytes *= type.getDimSize(d);
  if (bytes <= kMostBytes)
    return std::nullopt;
  return Refusal{"its rows are larger than 256 KiB", "index narrower rows"};
}

/// Rows by index: embeddings, labels, neighbours.
std::optional<Refusal> checkGather(Operation *op) {
  auto gather = cast<GatherOp>(op);
  if (std::optional<RowAccess> access = rowAccessOf(gather))
    return checkRow(*access, gather.getOperand());
  return Refusal{"indexing by data is compiled for whole rows only, and this "
                 "takes a part of each",
                 "slice first, then index"};
}

/// Rows that are combined with what is there are three records each on the NPU,
/// however narrow; the CPU engine takes one after the other in a loop.
bool combinesManyRows(ScatterOp scatter, const RowAccess &access) {
  constexpr int64_t kMany = 4096, kManyNarrow = 512, kNarrow = 16;
  Block &body = scatter.getUpdateComputation().front();
  if (isOneUpdate(scatter) ||
      body.getTerminator()->getOperand(0) == body.getArgument(1))
    return false;
  auto updates = cast<RankedTensorType>(scatter.getUpdates()[0].getType());
  const int64_t count = ShapedType::getNumElements(access.batchShape);
  return count > kMany ||
         (count > kManyNarrow && updates.getNumElements() <= kNarrow * count);
}

std::optional<Refusal> checkScatter(Operation *op) {
  auto scatter = cast<ScatterOp>(op);
  if (scatter.getInputs().size() != 1)
    return Refusal{"an indexed update of several operands together is not "
                   "compiled",
                   "update each by itself"};
  if (std::optional<RowAccess> access = rowAccessOf(scatter)) {
    if (!combinesManyRows(scatter, *access))
      return isOneUpdate(scatter) ? std::nullopt
                                  : checkRow(*access, scatter.getInputs()[0]);
    return Refusal{"the NPU combines rows one by one, and these are many",
                   "update fewer rows, or wider ones"};
  }
  return Refusal{"indexed updates are compiled for whole rows only, and this "
                 "writes a part of each",
                 "use lax.dynamic_update_slice"};
}

std::optional<Refusal> checkSelectAndScatter(Operation *op) {
  auto scatter = cast<SelectAndScatterOp>(op);
  Operation *select = simpleReducer(scatter.getSelect());
  Operation *combine = simpleReducer(scatter.getScatter());
  if (isa_and_nonnull<CompareOp>(select) && isa_and_nonnull<AddOp>(combine))
    return std::nullopt;
  return Refusal{"a gradient of pooling other than of a maximum or a minimum "
                 "is not compiled",
                 "use max_pool or avg_pool"};
}

std::optional<Refusal> checkSort(Operation *op) {
  if (topOf(cast<SortOp>(op)))
    return std::nullopt;
  return Refusal{"the NPU does not sort", "sort on the host after the model"};
}

//===----------------------------------------------------------------------===//
// Checks of what the CPU engine takes
//===----------------------------------------------------------------------===//

/// Sums stay in registers of the operands' kind and width.
std::optional<Refusal> checkCpuProduct(Operation *op) {
  if (auto dot = dyn_cast<DotGeneralOp>(op))
    if (auto found = checkDot(op))
      return found;
  auto kind = [](Type type) {
    Type element = getElementTypeOrSelf(type);
    return std::pair<bool, bool>(isa<FloatType>(element),
                                 element.getIntOrFloatBitWidth() == 64);
  };
  if (kind(op->getOperand(0).getType()) != kind(op->getResult(0).getType()) ||
      kind(op->getOperand(1).getType()) != kind(op->getResult(0).getType()))
    return Refusal{"operands and result are not all of floats or all of "
                   "integers, 64 bits or less",
                   "convert the operands to the result's type"};
  return std::nullopt;
}

/// Regions are straight lines of scalars.
std::optional<Refusal> checkCpuRegions(Operation *op) {
  std::optional<Refusal> found;
  for (Region &region : op->getRegions())
    region.walk([&](Operation *inner) {
      if (isa<ReturnOp, IfOp, CaseOp, OptimizationBarrierOp>(inner))
        return WalkResult::advance();
      found = isa<WhileOp>(inner)
                  ? Refusal{"one element of an operation has no loop",
                            "write the loop around the operation"}
                  : cpuRefusal(inner);
      if (!found)
        return WalkResult::advance();
      found->reason = "its region holds " +
                      inner->getName().getStringRef().str() + ": " +
                      found->reason;
      return WalkResult::interrupt();
    });
  if (!found && op->getNumOperands() > 9)
    return Refusal{"it takes more than four arrays together",
                   "split it into several"};
  return found;
}

std::optional<Refusal> checkCpuSort(Operation *op) {
  if (op->getNumOperands() > 4)
    return Refusal{"it sorts more than four arrays together",
                   "sort an index and gather by it"};
  return checkCpuRegions(op);
}

std::optional<Refusal> checkCpuScatter(Operation *op) {
  if (cast<ScatterOp>(op).getInputs().size() > 4)
    return Refusal{"it updates more than four arrays together",
                   "scatter into each on its own"};
  return checkCpuRegions(op);
}

std::optional<Refusal> checkCpuFft(Operation *op) {
  for (int64_t length : cast<FftOp>(op).getFftLength())
    if (length > int64_t(LOOM_CPU_MAX_FFT))
      return Refusal{"it transforms more than 2^24 elements along a dimension",
                     "transform in parts"};
  return std::nullopt;
}

//===----------------------------------------------------------------------===//
// Tables
//===----------------------------------------------------------------------===//

/// An operation that is compiled. Of the NPU: the element types its operands
/// and results may have (none: it has no unit for it), what else must hold, and
/// features that the target must have. Of the CPU engine: types, and what else
/// must hold.
struct SupportRow {
  StringLiteral op;
  unsigned operands, results;
  Check check = nullptr;
  uint64_t features = 0;
  unsigned cpuTypes = 0;
  Check cpuCheck = nullptr;
};

/// What some operation takes.
constexpr unsigned kKnown = kCpuAny;

constexpr uint64_t kVector = 1ull << LOOM_FEAT_VPU;
constexpr uint64_t kTrans = 1ull << LOOM_FEAT_TRANS;
constexpr uint64_t kRegisters = 1ull << LOOM_FEAT_REG;
constexpr uint64_t kControl = 1ull << LOOM_FEAT_LOOP | kRegisters;
constexpr uint64_t kRows = 1ull << LOOM_FEAT_GATHER |
                           1ull << LOOM_FEAT_SCATTER | 1ull << LOOM_FEAT_VPU;

const SupportRow kSupported[] = {
    {"stablehlo.abs", kNumber, kNumber, nullptr, 0, kCpuNumber},
    {"stablehlo.add", kAny, kAny, nullptr, 0, kCpuAny},
    {"stablehlo.and", kBits, kBits, nullptr, 0, kCpuBits},
    {"stablehlo.atan2", kFloat, kFloat, nullptr, kTrans, kCpuFloat},
    {"stablehlo.bitcast_convert", kAny, kAny, checkBitcast, 0, kCpuNumber},
    {"stablehlo.broadcast_in_dim", kAny, kAny, nullptr, 0, kCpuAny},
    {"stablehlo.case", kAny, kAny, nullptr, kControl, kCpuAny},
    {"stablehlo.cbrt", kFloat, kFloat, nullptr, kTrans, kCpuFloat},
    {"stablehlo.ceil", kFloat, kFloat, nullptr, 0, kCpuFloat},
    {"stablehlo.cholesky", 0, 0, nullptr, 0, kF32 | kF64, checkFactor},
    {"stablehlo.clamp", kAny, kAny, nullptr, 0, kCpuNumber},
    {"stablehlo.compare", kAny, kI1, nullptr, 0, kCpuAny},
    {"stablehlo.composite", kFloat, kFloat, checkComposite, kTrans, kCpuFloat,
     checkComposite},
    {"stablehlo.concatenate", kAny, kAny, nullptr, 0, kCpuAny},
    {"stablehlo.constant", 0, kAny, nullptr, 0, kCpuAny},
    {"stablehlo.convert", kAny, kAny, nullptr, 0, kCpuAny},
    {"stablehlo.convolution", kAny, kAny, checkProduct, 0, kCpuNumber,
     checkCpuProduct},
    {"stablehlo.cosine", kFloat, kFloat, nullptr, kTrans, kCpuFloat},
    {"stablehlo.count_leading_zeros", kInt, kInt, nullptr, 0, kCpuInt},
    {"stablehlo.divide", kNumber, kNumber, nullptr, 0, kCpuNumber},
    {"stablehlo.dot_general", kAny, kAny, checkDot, 0, kCpuNumber,
     checkCpuProduct},
    {"stablehlo.dynamic_slice", kAny, kAny, nullptr, 0, kCpuAny},
    {"stablehlo.dynamic_update_slice", kAny, kAny, nullptr, 0, kCpuAny},
    {"stablehlo.exponential", kFloat, kFloat, nullptr, kTrans, kCpuFloat},
    {"stablehlo.exponential_minus_one", kFloat, kFloat, nullptr, kTrans,
     kCpuFloat},
    {"stablehlo.fft", 0, 0, nullptr, 0, kF32 | kF64, checkCpuFft},
    {"stablehlo.floor", kFloat, kFloat, nullptr, 0, kCpuFloat},
    {"stablehlo.gather", kAny, kAny, checkGather, 0, kCpuAny},
    {"stablehlo.if", kAny, kAny, nullptr, kControl, kCpuAny},
    {"stablehlo.iota", 0, kNumber, nullptr, 0, kCpuNumber},
    {"stablehlo.is_finite", kFloat, kI1, nullptr, 0, kCpuFloat | kI1},
    {"stablehlo.log", kFloat, kFloat, nullptr, kTrans, kCpuFloat},
    {"stablehlo.log_plus_one", kFloat, kFloat, nullptr, kTrans, kCpuFloat},
    {"stablehlo.logistic", kFloat, kFloat, nullptr, kTrans, kCpuFloat},
    {"stablehlo.map", 0, 0, nullptr, 0, kCpuAny, checkCpuRegions},
    {"stablehlo.maximum", kAny, kAny, nullptr, 0, kCpuAny},
    {"stablehlo.minimum", kAny, kAny, nullptr, 0, kCpuAny},
    {"stablehlo.multiply", kAny, kAny, nullptr, 0, kCpuAny},
    {"stablehlo.negate", kNumber, kNumber, nullptr, 0, kCpuNumber},
    {"stablehlo.not", kBits, kBits, nullptr, 0, kCpuBits},
    {"stablehlo.optimization_barrier", kAny, kAny, nullptr, 0, kCpuAny},
    {"stablehlo.or", kBits, kBits, nullptr, 0, kCpuBits},
    {"stablehlo.pad", kAny, kAny, nullptr, 0, kCpuAny},
    {"stablehlo.popcnt", kInt, kInt, nullptr, 0, kCpuInt},
    {"stablehlo.power", kFloat, kFloat, nullptr, kTrans, kCpuFloat},
    {"stablehlo.reduce", kAny, kAny, checkReducer<ReduceOp>, 0, kCpuAny,
     checkCpuRegions},
    {"stablehlo.reduce_precision", kFloat, kFloat, nullptr, 0, kCpuFloat},
    {"stablehlo.reduce_window", kAny, kAny, checkReducer<ReduceWindowOp>, 0,
     kCpuAny, checkCpuRegions},
    {"stablehlo.remainder", kNumber, kNumber, nullptr, 0, kCpuNumber},
    {"stablehlo.reshape", kAny, kAny, nullptr, 0, kCpuAny},
    {"stablehlo.reverse", kAny, kAny, nullptr, 0, kCpuAny},
    {"stablehlo.round_nearest_afz", kFloat, kFloat, nullptr, 0, kCpuFloat},
    {"stablehlo.round_nearest_even", kFloat, kFloat, nullptr, 0, kCpuFloat},
    {"stablehlo.rsqrt", kFloat, kFloat, nullptr, 0, kCpuFloat},
    {"stablehlo.scatter", kAny, kAny, checkScatter, 0, kCpuAny,
     checkCpuScatter},
    {"stablehlo.select", kAny, kAny, nullptr, 0, kCpuAny},
    {"stablehlo.select_and_scatter", kF32 | kBF16, kF32 | kBF16,
     checkSelectAndScatter, 0, kCpuAny, checkCpuRegions},
    {"stablehlo.shift_left", kInt, kInt, nullptr, 0, kCpuInt},
    {"stablehlo.shift_right_arithmetic", kInt, kInt, nullptr, 0, kCpuInt},
    {"stablehlo.shift_right_logical", kInt, kInt, nullptr, 0, kCpuInt},
    {"stablehlo.sign", kNumber, kNumber, nullptr, 0, kCpuNumber},
    {"stablehlo.sine", kFloat, kFloat, nullptr, kTrans, kCpuFloat},
    {"stablehlo.slice", kAny, kAny, nullptr, 0, kCpuAny},
    {"stablehlo.sort", kAny, kAny, checkSort, kVector, kCpuAny, checkCpuSort},
    {"stablehlo.sqrt", kFloat, kFloat, nullptr, 0, kCpuFloat},
    {"stablehlo.subtract", kAny, kAny, nullptr, 0, kCpuNumber},
    {"stablehlo.tan", kFloat, kFloat, nullptr, kTrans, kCpuFloat},
    {"stablehlo.tanh", kFloat, kFloat, nullptr, kTrans, kCpuFloat},
    {"stablehlo.transpose", kAny, kAny, nullptr, 0, kCpuAny},
    {"stablehlo.triangular_solve", 0, 0, nullptr, 0, kF32 | kF64, checkSystem},
    {"stablehlo.while", kAny, kAny, nullptr, kControl, kCpuAny},
    {"stablehlo.xor", kBits, kBits, nullptr, 0, kCpuBits},
    // Routines, by the target of a custom_call.
    {"ProductOfElementaryHouseholderReflectors", 0, 0, nullptr, 0, kF32 | kF64,
     checkReflections},
    {"Qr", 0, 0, nullptr, 0, kF32 | kF64, checkReflections},
    {"loom.cholesky", 0, 0, nullptr, 0, kF32, checkFactor},
    {"loom.triangular_solve", 0, 0, nullptr, 0, kF32, checkSystem},
};

/// A slice or an update whose place is no constant.
bool movesByData(Operation *op) {
  ValueRange starts;
  if (auto slice = dyn_cast<DynamicSliceOp>(op))
    starts = slice.getStartIndices();
  else if (auto update = dyn_cast<DynamicUpdateSliceOp>(op))
    starts = update.getStartIndices();
  return llvm::any_of(
      starts, [](Value start) { return !start.getDefiningOp<ConstantOp>(); });
}

/// An update of rows by a list of them.
bool writesRows(Operation *op) {
  auto scatter = dyn_cast<ScatterOp>(op);
  if (!scatter || !rowAccessOf(scatter) || isOneUpdate(scatter))
    return false;
  auto updates = cast<RankedTensorType>(scatter.getUpdates()[0].getType());
  return updates.getNumElements() > 0;
}

const SupportRow *supportOf(Operation *op) {
  auto call = dyn_cast<CustomCallOp>(op);
  const StringRef name =
      call ? call.getCallTargetName() : op->getName().getStringRef();
  for (const SupportRow &row : kSupported)
    if (row.op == name)
      return &row;
  return nullptr;
}

/// "?x224x224x3" of a tensor type.
std::string shapeText(RankedTensorType type) {
  std::string result;
  for (int64_t size : type.getShape())
    result += (result.empty() ? "" : "x") +
              (ShapedType::isDynamic(size) ? "?" : std::to_string(size));
  return result;
}

//===----------------------------------------------------------------------===//
// The questions
//===----------------------------------------------------------------------===//

std::optional<Refusal> judgeType(Type type, unsigned allowed,
                                 const std::string &what) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  if (!tensor)
    return Refusal{what + " is " + text(type) + ", not a tensor",
                   "keep to tensors of floats, integers and booleans"};
  if (!tensor.hasStaticShape())
    return Refusal{what + " is " + shapeText(tensor) +
                       ": shapes known only at run time are not compiled",
                   "export with concrete sizes, e.g. a batch of 1"};
  const unsigned bit = typeBit(tensor.getElementType());
  if (bit & allowed)
    return std::nullopt;
  return Refusal{what + " has element type " + text(tensor.getElementType()) +
                     (bit & kKnown ? ", which this operation does not take"
                                   : ", which is not compiled"),
                 "convert to " + typesText(bit & kKnown ? allowed : kNumber)};
}

std::optional<Refusal> typesRefusal(Operation *op, unsigned operands,
                                    unsigned results) {
  for (auto [index, type] : llvm::enumerate(op->getOperandTypes()))
    if (auto found =
            judgeType(type, operands, "operand " + std::to_string(index)))
      return found;
  for (auto [index, type] : llvm::enumerate(op->getResultTypes()))
    if (auto found =
            judgeType(type, results, "result " + std::to_string(index)))
      return found;
  if (op->hasAttr("result_accuracy"))
    return Refusal{"a requested accuracy is not compiled",
                   "leave the accuracy argument at its default"};
  return std::nullopt;
}

Refusal refusalByName(Operation *op) {
  if (const SupportRow *row = supportOf(op))
    return refusalOf(row->op);
  Refusal refusal = refusalOf(op->getName().getStringRef());
  if (auto call = dyn_cast<CustomCallOp>(op))
    refusal.reason += " ('" + call.getCallTargetName().str() + "')";
  return refusal;
}

} // namespace

bool stablehlo::isRoutine(Operation *op) {
  return isa<CustomCallOp>(op) && supportOf(op);
}

StringRef stablehlo::routineOf(Operation *op) {
  if (!isRoutine(op))
    return op->getName().stripDialect();
  StringRef name = supportOf(op)->op;
  name.consume_front("loom.");
  return name;
}

std::optional<Refusal> stablehlo::npuRefusal(Operation *op, uint64_t features) {
  const SupportRow *row = supportOf(op);
  if (!row || !row->results)
    return refusalByName(op);
  const uint64_t missing = (row->features | (movesByData(op) ? kRegisters : 0) |
                            (writesRows(op) ? kRows : 0)) &
                           ~features;
  if (missing & kControl)
    return Refusal{"the target's sequencer has no loops, branches and places "
                   "known at run time (features LOOP, REG)",
                   "choose a target with them, or use constant bounds and "
                   "places"};
  if (missing & kVector)
    return Refusal{"the target has no vector unit (feature VPU)",
                   "choose a target with one"};
  if (missing & kRows)
    return Refusal{"the target updates no rows by a list of them (features "
                   "GATHER, SCATTER, VPU)",
                   "choose a target with them, or use constant places"};
  if (missing)
    return Refusal{"the target's vector unit has no transcendental functions "
                   "(feature TRANS)",
                   "choose a target with them, or compute it outside the "
                   "model"};
  if (auto found = typesRefusal(op, row->operands, row->results))
    return found;
  return row->check ? row->check(op) : std::nullopt;
}

std::optional<Refusal> stablehlo::cpuRefusal(Operation *op) {
  const SupportRow *row = supportOf(op);
  if (!row || !row->cpuTypes)
    return refusalByName(op);
  if (auto found = typesRefusal(op, row->cpuTypes, row->cpuTypes))
    return found;
  return row->cpuCheck ? row->cpuCheck(op) : std::nullopt;
}

bool stablehlo::isFree(Operation *op) {
  return isa<ConstantOp, BroadcastInDimOp, ReshapeOp, TransposeOp, SliceOp,
             ReverseOp, OptimizationBarrierOp>(op);
}

/// Whether something of what the operation becomes needs a unit that the target
/// lacks: that goes to the CPU engine once it is known.
static bool mayLackUnit(Operation *op, uint64_t features) {
  auto lacks = [&](unsigned feature) { return !(features >> feature & 1); };
  if (isa<GatherOp>(op) && lacks(LOOM_FEAT_GATHER) && lacks(LOOM_FEAT_REG))
    return true;
  if (!isa<DotGeneralOp, ConvolutionOp>(op))
    return lacks(LOOM_FEAT_VPU);
  Type type = getElementTypeOrSelf(op->getOperand(0));
  return lacks(LOOM_FEAT_EPI) ||
         (isa<ConvolutionOp>(op) && lacks(LOOM_FEAT_CONV)) ||
         lacks(type.isBF16()      ? LOOM_FEAT_BF16
               : type.isInteger() ? LOOM_FEAT_INT8
                                  : LOOM_FEAT_F32);
}

/// Whether the block has something that the NPU does not run.
static bool assign(Block &block, uint64_t features) {
  bool any = false;
  for (Operation &op : block.without_terminator()) {
    if (isFree(&op))
      continue;
    std::optional<Refusal> npu = npuRefusal(&op, features);
    if (isa<WhileOp, CaseOp, IfOp>(op)) {
      bool around = npu.has_value();
      for (Region &region : op.getRegions())
        around |= assign(region.front(), features);
      if (around)
        op.setAttr(kScheduleAttr, UnitAttr::get(op.getContext()));
      any |= around;
    } else if (npu && !cpuRefusal(&op)) {
      op.setAttr(kCpuAttr, StringAttr::get(op.getContext(), npu->reason));
      any = true;
    } else {
      any |= mayLackUnit(&op, features);
    }
  }
  return any;
}

void stablehlo::assignEngines(Block &block, uint64_t features) {
  assign(block, features);
}

std::optional<Refusal> stablehlo::refusal(Operation *op, uint64_t features,
                                          bool npuOnly) {
  std::optional<Refusal> npu = npuRefusal(op, features);
  if (!npu || npuOnly)
    return npu;
  std::optional<Refusal> cpu = cpuRefusal(op);
  if (!cpu)
    return std::nullopt;
  const SupportRow *row = supportOf(op);
  return row && row->cpuTypes ? cpu : npu;
}

std::optional<Refusal>
stablehlo::typeRefusal(Type type, const std::string &what, bool npuOnly) {
  return judgeType(type, npuOnly ? unsigned(kAny) : kKnown, what);
}
