// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the rest of the compiler takes. One table of supported operations, one
// of reasons for those known and refused; adding an operation is one row.

#include "loom/Dialect/StableHLO/CountedLoop.h"
#include "loom/Dialect/StableHLO/Passes.h"
#include "loom/Dialect/StableHLO/Patterns.h"
#include "loom/Dialect/StableHLO/StableHLO.h"
#include "loom/Frontend/SourceNames.h"

#include "loom_isa.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/TypeUtilities.h"
#include "llvm/ADT/MapVector.h"

namespace mlir::loom::stablehlo {
#define GEN_PASS_DEF_CHECKLEGALITY
#include "loom/Dialect/StableHLO/Passes.h.inc"
} // namespace mlir::loom::stablehlo

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
  kFloat = kF32 | kBF16,
  kInt = kI8 | kI32,
  kNumber = kFloat | kInt,
  kBits = kInt | kI1,
  kAny = kNumber | kI1,
};

unsigned typeBit(Type type) {
  if (type.isF32())
    return kF32;
  if (type.isBF16())
    return kBF16;
  if (type.isSignlessInteger(8))
    return kI8;
  if (type.isSignlessInteger(32))
    return kI32;
  if (type.isSignlessInteger(1))
    return kI1;
  return 0;
}

/// "f32, bf16 or i8" of those types; what a program may be converted to.
std::string typesText(unsigned types) {
  static const std::pair<unsigned, StringLiteral> names[] = {
      {kF32, "f32"}, {kBF16, "bf16"}, {kI8, "i8"}, {kI32, "i32"}, {kI1, "i1"}};
  std::string result;
  for (auto [bit, name] : names) {
    if (!(types & bit))
      continue;
    types &= ~bit;
    result += (result.empty() ? "" : types & kAny ? ", " : " or ") + name.str();
  }
  return result;
}

//===----------------------------------------------------------------------===//
// Attribute and region checks
//===----------------------------------------------------------------------===//

struct Refusal {
  std::string reason, remedy;
};
using Check = std::optional<Refusal> (*)(Operation *);

bool allEqual(ArrayRef<int64_t> values, int64_t value) {
  return llvm::all_of(values, [&](int64_t v) { return v == value; });
}

std::optional<Refusal> checkConvolution(Operation *op) {
  auto conv = cast<ConvolutionOp>(op);
  if (conv.getBatchGroupCount() != 1)
    return Refusal{"batch_group_count above 1 is not compiled",
                   "it arises in weight gradients: compile the inference "
                   "function"};
  if (llvm::is_contained(conv.getWindowReversal(), true))
    return Refusal{"window_reversal is not compiled",
                   "reverse the filter before the convolution"};
  if (conv.getWindowStrides().size() > 2)
    return Refusal{"more than two spatial dimensions are not compiled",
                   "use two-dimensional convolutions"};
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
  if (reduce.getInputs().size() != 1)
    return Refusal{"a reduction of several operands together is not compiled",
                   "argmax and the like: return the logits and pick on the "
                   "host"};
  Operation *body = simpleReducer(reduce.getBody());
  if (body && isa<AddOp, MulOp>(body) &&
      typeBit(getElementTypeOrSelf(body->getResult(0).getType())) == kI1)
    return Refusal{"its reducer computes with booleans",
                   "use 'or' for a sum and 'and' for a product, or convert to "
                   "i32"};
  if (body && isa<AddOp, MaxOp, MinOp, MulOp, AndOp, OrOp, XorOp>(body))
    return std::nullopt;
  return Refusal{"its reducer is not one of add, maximum, minimum, multiply, "
                 "and, or, xor",
                 "write the reduction with one of these"};
}

std::optional<Refusal> checkReduceWindow(Operation *op) {
  auto reduce = cast<ReduceWindowOp>(op);
  if (!allEqual(reduce.getBaseDilations(), 1))
    return Refusal{"base dilation of a window reduction is not compiled",
                   "remove the dilation"};
  std::optional<Refusal> refusal = checkReducer<ReduceWindowOp>(op);
  if (refusal)
    return refusal;
  Operation *body = simpleReducer(reduce.getBody());
  if (isa<AddOp, MaxOp, MinOp>(body))
    return std::nullopt;
  return Refusal{"its window reducer is not one of add, maximum, minimum",
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
  return std::nullopt;
}

std::optional<Refusal> checkCompare(Operation *op) {
  if (cast<CompareOp>(op).getCompareType() == ComparisonType::TOTALORDER)
    return Refusal{"a comparison in total order is not compiled",
                   "compare as floats, or the bits as integers"};
  return std::nullopt;
}

/// Slices move by strides, so where they begin has to be known.
std::optional<Refusal> checkStaticStart(Operation *op) {
  auto slice = dyn_cast<DynamicSliceOp>(op);
  for (Value start : slice ? slice.getStartIndices()
                           : cast<DynamicUpdateSliceOp>(op).getStartIndices())
    if (!start.getDefiningOp<ConstantOp>())
      return Refusal{slice ? "slices at run-time offsets are not compiled"
                           : "updates at run-time offsets are not compiled",
                     "use static slices"};
  return std::nullopt;
}

/// Whole rows of the first dimension by one index each: an embedding.
std::optional<Refusal> checkGather(Operation *op) {
  auto gather = cast<GatherOp>(op);
  if (isRowGather(gather)) {
    Operation *maker = gather.getOperand().getDefiningOp();
    if (!maker || isa<ConstantOp>(maker))
      return std::nullopt;
    return Refusal{"indexing by data is not compiled where the table is "
                   "computed at run time",
                   "pass the table as a parameter, or use one_hot and a matrix "
                   "product"};
  }
  return Refusal{"indexing by data is compiled for whole rows of the first "
                 "dimension only (an embedding)",
                 "use one_hot and a matrix product, or index on the host"};
}

//===----------------------------------------------------------------------===//
// Tables
//===----------------------------------------------------------------------===//

/// An operation that is compiled, the element types its operands and results
/// may have, and what else must hold.
struct SupportRow {
  StringLiteral op;
  unsigned operands, results;
  Check check = nullptr;
  uint64_t features = 0; // that the target must have
};

constexpr uint64_t kTrans = 1ull << LOOM_FEAT_TRANS;

const SupportRow kSupported[] = {
    {"stablehlo.abs", kNumber, kNumber},
    {"stablehlo.add", kNumber, kNumber},
    {"stablehlo.and", kBits, kBits},
    {"stablehlo.atan2", kFloat, kFloat, nullptr, kTrans},
    {"stablehlo.broadcast_in_dim", kAny, kAny},
    {"stablehlo.cbrt", kFloat, kFloat, nullptr, kTrans},
    {"stablehlo.ceil", kFloat, kFloat},
    {"stablehlo.clamp", kNumber, kNumber},
    {"stablehlo.compare", kAny, kI1, checkCompare},
    {"stablehlo.composite", kFloat, kFloat, checkComposite, kTrans},
    {"stablehlo.concatenate", kAny, kAny},
    {"stablehlo.constant", 0, kAny},
    {"stablehlo.convert", kAny, kAny},
    {"stablehlo.convolution", kNumber, kNumber, checkConvolution},
    {"stablehlo.cosine", kFloat, kFloat, nullptr, kTrans},
    {"stablehlo.count_leading_zeros", kInt, kInt},
    {"stablehlo.divide", kNumber, kNumber},
    {"stablehlo.dot_general", kNumber, kNumber, checkDot},
    {"stablehlo.dynamic_slice", kAny, kAny, checkStaticStart},
    {"stablehlo.dynamic_update_slice", kAny, kAny, checkStaticStart},
    {"stablehlo.exponential", kFloat, kFloat, nullptr, kTrans},
    {"stablehlo.exponential_minus_one", kFloat, kFloat, nullptr, kTrans},
    {"stablehlo.floor", kFloat, kFloat},
    {"stablehlo.gather", kAny, kAny, checkGather},
    {"stablehlo.iota", 0, kNumber},
    {"stablehlo.is_finite", kFloat, kI1},
    {"stablehlo.log", kFloat, kFloat, nullptr, kTrans},
    {"stablehlo.log_plus_one", kFloat, kFloat, nullptr, kTrans},
    {"stablehlo.logistic", kFloat, kFloat, nullptr, kTrans},
    {"stablehlo.maximum", kAny, kAny},
    {"stablehlo.minimum", kAny, kAny},
    {"stablehlo.multiply", kNumber, kNumber},
    {"stablehlo.negate", kNumber, kNumber},
    {"stablehlo.not", kBits, kBits},
    {"stablehlo.or", kBits, kBits},
    {"stablehlo.pad", kAny, kAny},
    {"stablehlo.power", kFloat, kFloat, nullptr, kTrans},
    {"stablehlo.reduce", kAny, kAny, checkReducer<ReduceOp>},
    {"stablehlo.reduce_window", kNumber, kNumber, checkReduceWindow},
    {"stablehlo.remainder", kNumber, kNumber},
    {"stablehlo.reshape", kAny, kAny},
    {"stablehlo.round_nearest_afz", kFloat, kFloat},
    {"stablehlo.round_nearest_even", kFloat, kFloat},
    {"stablehlo.rsqrt", kFloat, kFloat},
    {"stablehlo.select", kAny, kAny},
    {"stablehlo.shift_left", kI32, kI32},
    {"stablehlo.shift_right_arithmetic", kI32, kI32},
    {"stablehlo.shift_right_logical", kI32, kI32},
    {"stablehlo.sign", kNumber, kNumber},
    {"stablehlo.sine", kFloat, kFloat, nullptr, kTrans},
    {"stablehlo.slice", kAny, kAny},
    {"stablehlo.sqrt", kFloat, kFloat},
    {"stablehlo.subtract", kNumber, kNumber},
    {"stablehlo.tan", kFloat, kFloat, nullptr, kTrans},
    {"stablehlo.tanh", kFloat, kFloat, nullptr, kTrans},
    {"stablehlo.transpose", kAny, kAny},
    {"stablehlo.xor", kBits, kBits},
};

/// Why an operation is refused, by the beginning of its name, and what to do.
struct RefusalRow {
  StringLiteral prefix, reason, remedy;
};

const RefusalRow kRefused[] = {
    {"stablehlo.dynamic_", "shapes that depend on data are not compiled",
     "export with concrete shapes"},
    {"stablehlo.real_dynamic_slice",
     "shapes that depend on data are not compiled",
     "export with concrete shapes"},
    {"stablehlo.get_dimension_size",
     "shapes that depend on data are not compiled",
     "export with concrete shapes"},
    {"stablehlo.set_dimension_size",
     "shapes that depend on data are not compiled",
     "export with concrete shapes"},
    {"stablehlo.all_", "programs for several devices are not compiled",
     "trace on one device"},
    {"stablehlo.collective_", "programs for several devices are not compiled",
     "trace on one device"},
    {"stablehlo.cross-replica-sum",
     "programs for several devices are not compiled", "trace on one device"},
    {"stablehlo.reduce_scatter",
     "programs for several devices are not compiled", "trace on one device"},
    {"stablehlo.partition_id", "programs for several devices are not compiled",
     "trace on one device"},
    {"stablehlo.replica_id", "programs for several devices are not compiled",
     "trace on one device"},
    {"stablehlo.async_", "asynchronous operations are not compiled",
     "trace on one device"},
    {"stablehlo.after_all", "tokens are not compiled",
     "remove input and output inside the model"},
    {"stablehlo.create_token", "tokens are not compiled",
     "remove input and output inside the model"},
    {"stablehlo.infeed", "input inside the model is not compiled",
     "pass it as an argument"},
    {"stablehlo.outfeed", "output inside the model is not compiled",
     "return it as a result"},
    {"stablehlo.send", "communication inside the model is not compiled",
     "return the value as a result"},
    {"stablehlo.recv", "communication inside the model is not compiled",
     "pass the value as an argument"},
    {"stablehlo.uniform_", "quantised types are not compiled",
     "export the model in float"},
    {"stablehlo.rng", "this generator of random numbers is not compiled",
     "use deterministic=True, or draw outside the model"},
    {"stablehlo.sort", "sorting is not compiled",
     "sort on the host after the model"},
    {"stablehlo.scatter", "indexed updates are not compiled",
     "use one_hot and a matrix product"},
    {"stablehlo.select_and_scatter", "gradients of pooling are not compiled",
     "compile the inference function"},
    {"stablehlo.while", "a loop whose count is not a constant is not compiled",
     "use lax.fori_loop or lax.scan with constant bounds"},
    {"stablehlo.case", "branches are not compiled",
     "use jnp.where on both results"},
    {"stablehlo.if", "branches are not compiled",
     "use jnp.where on both results"},
    {"stablehlo.custom_call", "it calls code outside the program",
     "remove the callback or the platform-specific routine"},
    {"stablehlo.fft", "Fourier transforms are not compiled",
     "transform on the host"},
    {"stablehlo.cholesky", "matrix factorisations are not compiled",
     "factorise on the host"},
    {"stablehlo.triangular_solve", "matrix factorisations are not compiled",
     "solve on the host"},
    {"stablehlo.batch_norm_",
     "batch normalisation as one operation is not "
     "compiled",
     "export from Flax, which writes it as arithmetic"},
    {"func.call", "a call is left over", "run loom-inline-calls first"},
    {"vhlo.", "versioned operations are not compiled",
     "run loom-convert-vhlo first"},
};

Refusal refusalOf(StringRef name) {
  for (const RefusalRow &row : kRefused)
    if (name.starts_with(row.prefix))
      return {row.reason.str(), row.remedy.str()};
  return {"the operation is not compiled",
          "express it by other operations, or compute it on the host"};
}

const SupportRow *supportOf(StringRef name) {
  for (const SupportRow &row : kSupported)
    if (row.op == name)
      return &row;
  return nullptr;
}

std::string text(Type type) {
  std::string result;
  llvm::raw_string_ostream(result) << type;
  return result;
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
// The check
//===----------------------------------------------------------------------===//

class LegalityChecker {
public:
  explicit LegalityChecker(uint64_t features) : features(features) {}
  void check(func::FuncOp func);
  SmallVector<Unsupported> take() {
    SmallVector<Unsupported> list;
    for (auto &entry : found)
      list.push_back(std::move(entry.second));
    return list;
  }

private:
  void checkOp(Operation *op);
  bool checkDeviceLoop(Operation *op);
  bool checkType(Operation *op, Type type, unsigned allowed, const Twine &what);
  void add(Location loc, StringRef operation, const Twine &reason,
           const Twine &remedy);

  const uint64_t features;
  llvm::MapVector<std::string, Unsupported, std::map<std::string, unsigned>>
      found;
};

} // namespace

void LegalityChecker::add(Location loc, StringRef operation,
                          const Twine &reason, const Twine &remedy) {
  Unsupported item{
      loc,          sourceLine(loc), modulePath(loc), operation.str(),
      reason.str(), remedy.str()};
  auto [at, isNew] = found.insert({item.message(), item});
  if (!isNew)
    ++at->second.count;
}

/// False when the type is refused, which is then on the list.
bool LegalityChecker::checkType(Operation *op, Type type, unsigned allowed,
                                const Twine &what) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  StringRef name = isa<func::FuncOp>(op) ? cast<func::FuncOp>(op).getName()
                                         : op->getName().getStringRef();
  if (!tensor) {
    add(op->getLoc(), name, what + " is " + text(type) + ", not a tensor",
        "keep to tensors of f32, bf16, i8, i32 and bool");
    return false;
  }
  if (!tensor.hasStaticShape()) {
    add(op->getLoc(), name,
        what + " is " + shapeText(tensor) +
            ": shapes known only at run time are not compiled",
        "export with concrete sizes, e.g. a batch of 1");
    return false;
  }
  unsigned bit = typeBit(tensor.getElementType());
  if (bit & allowed)
    return true;
  add(op->getLoc(), name,
      what + " has element type " + text(tensor.getElementType()) +
          (bit ? ", which this operation does not take"
               : ", which is not compiled"),
      "convert to " + typesText(bit ? allowed : kNumber));
  return false;
}

/// A loop that the machine runs: its body counts. Slices and updates in it are
/// at places of the counter.
bool LegalityChecker::checkDeviceLoop(Operation *op) {
  auto loop = dyn_cast<WhileOp>(op);
  if (!loop || !loop->hasAttr(kDeviceLoopAttr))
    return false;
  std::optional<DeviceLoop> found = DeviceLoop::of(loop);
  if (!found)
    return false;
  for (unsigned i : found->states)
    if (!checkType(op, loop.getOperands()[i].getType(), kAny,
                   "carried value " + Twine(i)))
      return true;
  for (Operation *inner : found->live)
    if (!isa<DynamicSliceOp, DynamicUpdateSliceOp>(inner))
      checkOp(inner);
  return true;
}

void LegalityChecker::checkOp(Operation *op) {
  if (checkDeviceLoop(op))
    return;
  StringRef name = op->getName().getStringRef();
  const SupportRow *row = supportOf(name);
  if (!row) {
    Refusal refusal = refusalOf(name);
    if (auto call = dyn_cast<CustomCallOp>(op))
      refusal.reason += " ('" + call.getCallTargetName().str() + "')";
    add(op->getLoc(), name, refusal.reason, refusal.remedy);
    return;
  }
  if (row->features & ~features)
    return add(op->getLoc(), name,
               "the target's vector unit has no transcendental functions "
               "(feature TRANS)",
               "choose a target with them, or compute it outside the model");
  for (auto [index, type] : llvm::enumerate(op->getOperandTypes()))
    if (!checkType(op, type, row->operands, "operand " + Twine(index)))
      return;
  for (auto [index, type] : llvm::enumerate(op->getResultTypes()))
    if (!checkType(op, type, row->results, "result " + Twine(index)))
      return;
  if (op->hasAttr("result_accuracy"))
    add(op->getLoc(), name, "a requested accuracy is not compiled",
        "leave the accuracy argument at its default");
  if (row->check)
    if (std::optional<Refusal> refusal = row->check(op))
      add(op->getLoc(), name, refusal->reason, refusal->remedy);
}

void LegalityChecker::check(func::FuncOp func) {
  for (auto [index, argument] : llvm::enumerate(func.getArguments())) {
    auto name = func.getArgAttrOfType<StringAttr>(index, "loom.name");
    std::string what = "argument " + std::to_string(index);
    if (name)
      what += " ('" + name.getValue().str() + "')";
    if (func.getArgAttr(index, "jax.global_constant")) {
      add(argument.getLoc(), "main",
          what + " is the platform's number: the export is for several "
                 "platforms",
          "export for platform 'loom' alone");
      continue;
    }
    auto tensor = dyn_cast<RankedTensorType>(argument.getType());
    if (tensor && tensor.hasStaticShape() && typeBit(tensor.getElementType()))
      continue;
    checkType(func, argument.getType(), kAny, what);
  }
  // Bodies of reductions and the like are judged with the operation they are
  // in.
  func.walk<WalkOrder::PreOrder>([&](Operation *op) {
    if (op == func.getOperation() || isa<func::ReturnOp>(op))
      return WalkResult::advance();
    checkOp(op);
    return op->getNumRegions() ? WalkResult::skip() : WalkResult::advance();
  });
}

std::string Unsupported::message() const {
  std::string result;
  for (StringRef part : {StringRef(source), StringRef(module)})
    if (!part.empty())
      result += part.str() + ": ";
  return result + operation + ": " + reason + "; " + remedy;
}

SmallVector<Unsupported> stablehlo::findUnsupported(ModuleOp module,
                                                    uint64_t features) {
  LegalityChecker checker(features);
  for (auto func : module.getOps<func::FuncOp>())
    checker.check(func);
  return checker.take();
}

LogicalResult stablehlo::checkLegality(ModuleOp module, uint64_t features) {
  SmallVector<Unsupported> list = findUnsupported(module, features);
  if (list.empty())
    return success();
  InFlightDiagnostic error = emitError(module.getLoc())
                             << list.size()
                             << (list.size() == 1 ? " thing" : " things")
                             << " in this program cannot be compiled";
  for (const Unsupported &item : list) {
    Diagnostic &note = error.attachNote(item.loc);
    note << item.message();
    if (item.count > 1)
      note << " (" << item.count << " times)";
  }
  return error;
}

namespace {
struct CheckLegalityPass
    : stablehlo::impl::CheckLegalityBase<CheckLegalityPass> {
  using CheckLegalityBase::CheckLegalityBase;

  void runOnOperation() override {
    if (failed(stablehlo::checkLegality(getOperation(), features)))
      signalPassFailure();
  }
};
} // namespace
