// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "Signature.h"

#include "loom/Conversion/LoomTToLoom.h"
#include "loom/Dialect/LoomT/LoomT.h"
#include "loom/Frontend/SourceNames.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace mlir::loom;

static constexpr llvm::StringLiteral kAliasAttr = "tf.aliasing_output";
static constexpr llvm::StringLiteral kDonorAttr = "jax.buffer_donor";

static func::FuncOp mainOf(ModuleOp module) {
  return module.lookupSymbol<func::FuncOp>("main");
}

static std::optional<unsigned> typeOf(Type type) {
  if (auto complex = dyn_cast<ComplexType>(type))
    return complex.getElementType().isF32() ? std::optional<unsigned>(LOOM_C64)
                                            : std::nullopt;
  return loomt::memoryType(type);
}

/// Of an array, row-major and dense; UINT64_MAX for what no number holds.
static uint64_t denseBytes(ArrayRef<int64_t> shape, unsigned dtype) {
  uint64_t bytes = llvm::is_contained(shape, 0) ? 0 : loom_dtype_bytes(dtype);
  for (int64_t n : shape)
    bytes = llvm::SaturatingMultiply(bytes, uint64_t(n));
  return bytes;
}

/// "argument 0 of main has type tensor<...>", after the source line of the
/// first of `places` that has one.
static std::string subject(ArrayRef<Location> places, const Twine &what,
                           Type type) {
  std::string text;
  llvm::raw_string_ostream out(text);
  for (Location place : places)
    if (std::string line = sourceLine(place); !line.empty()) {
      out << line << ": ";
      break;
    }
  out << what << " of main has type " << type;
  return text;
}

static LogicalResult describe(Type type, ArrayRef<Location> places,
                              const Twine &what, loom_value &value,
                              const DiagnosticSink &sink) {
  value = {};
  value.slot = LOOM_NO_SLOT;
  auto tensor = dyn_cast<RankedTensorType>(type);
  std::optional<unsigned> dtype =
      tensor ? typeOf(tensor.getElementType()) : std::nullopt;
  if (!dtype || !tensor.hasStaticShape() || tensor.getRank() > 8) {
    sink(subject(places, what, type) +
         ": arrays have up to 8 dimensions of fixed sizes, and elements of "
         "f32, bf16, f16, f64, complex64, bool, or integers of 8 to 64 bits; "
         "convert it");
    return failure();
  }
  value.dtype = *dtype;
  value.rank = tensor.getRank();
  value.bytes = denseBytes(tensor.getShape(), *dtype);
  llvm::copy(tensor.getShape(), value.dims);
  if (value.bytes <= LOOM_MAX_BUFFER_BYTES)
    return success();
  sink(subject(places, what, type) +
       ": an array ends at 1 GiB; split it or lower the batch");
  return failure();
}

/// Where an argument is used, for its own location has no line.
static SmallVector<Location> placesOf(BlockArgument argument) {
  SmallVector<Location> places = {argument.getLoc()};
  for (Operation *user : argument.getUsers())
    places.push_back(user->getLoc());
  return places;
}

LogicalResult mlir::loom::readSignature(ModuleOp module, Signature &signature,
                                        const DiagnosticSink &sink) {
  func::FuncOp main = mainOf(module);
  if (!main || main.isExternal()) {
    sink("the artifact has no function 'main'; export it again");
    return failure();
  }
  signature.arguments.resize(main.getNumArguments());
  signature.results.resize(main.getNumResults());
  bool ok = true;
  for (auto [i, value] : llvm::enumerate(signature.arguments)) {
    BlockArgument argument = main.getArgument(i);
    ok &= succeeded(describe(argument.getType(), placesOf(argument),
                             "argument " + Twine(i), value, sink));
    if (main.getArgAttr(i, kAliasAttr) || main.getArgAttr(i, kDonorAttr))
      value.flags |= LOOM_VALUE_DONATED;
  }
  Operation *ret = main.getBody().front().getTerminator();
  for (auto [i, value] : llvm::enumerate(signature.results))
    ok &= succeeded(describe(main.getResultTypes()[i],
                             ret->getOperand(i).getLoc(), "result " + Twine(i),
                             value, sink));
  return success(ok);
}

void mlir::loom::nameValues(ModuleOp module, Signature &signature) {
  func::FuncOp main = mainOf(module);
  auto name = [&](Attribute attribute, loom_value &value) {
    auto text = dyn_cast_or_null<StringAttr>(attribute);
    signature.names.push_back(
        std::make_unique<std::string>(text ? text.str() : std::string()));
    value.name = signature.names.back()->c_str();
  };
  for (auto [i, value] : llvm::enumerate(signature.arguments))
    name(main.getArgAttr(i, "loom.name"), value);
  for (auto [i, value] : llvm::enumerate(signature.results))
    name(main.getResultAttr(i, "loom.name"), value);
}

/// Marks results that are arguments, or other results again.
static BitVector markRepeated(Operation *ret, Signature &signature) {
  BitVector repeated(signature.results.size());
  DenseMap<Value, unsigned> first;
  for (auto [i, value] : llvm::enumerate(signature.results)) {
    Value operand = ret->getOperand(i);
    if (auto argument = dyn_cast<BlockArgument>(operand)) {
      value.flags = LOOM_VALUE_ARGUMENT;
      value.same_as = argument.getArgNumber();
    } else if (auto [at, fresh] = first.try_emplace(operand, i); !fresh) {
      value.flags = LOOM_VALUE_RESULT;
      value.same_as = at->second;
    } else {
      continue;
    }
    repeated.set(i);
  }
  return repeated;
}

/// Lets each result that a donation names take the argument's place, unless
/// the argument itself is still somebody's result.
static void markInPlace(func::FuncOp main, Signature &signature) {
  BitVector kept(signature.arguments.size());
  for (const loom_value &value : signature.results)
    if (value.flags & LOOM_VALUE_ARGUMENT)
      kept.set(value.same_as);
  for (unsigned i = 0; i < signature.arguments.size(); ++i) {
    auto alias = main.getArgAttrOfType<IntegerAttr>(i, kAliasAttr);
    if (!alias || kept.test(i) ||
        uint64_t(alias.getInt()) >= signature.results.size())
      continue;
    const unsigned r = alias.getInt();
    loom_value &result = signature.results[r];
    if (result.flags || main.getArgumentTypes()[i] != main.getResultTypes()[r])
      continue;
    result.flags = LOOM_VALUE_IN_PLACE;
    result.same_as = i;
    main.setResultAttr(
        r, kReplacesAttr,
        IntegerAttr::get(IntegerType::get(main.getContext(), 64), i));
  }
}

void mlir::loom::shareResults(ModuleOp module, Signature &signature) {
  func::FuncOp main = mainOf(module);
  Operation *ret = main.getBody().front().getTerminator();
  const BitVector repeated = markRepeated(ret, signature);
  markInPlace(main, signature);
  ret->eraseOperands(repeated);
  (void)main.eraseResults(repeated);
}

bool mlir::loom::hasWork(ModuleOp module) {
  return mainOf(module).getNumResults() != 0;
}

void mlir::loom::findSlots(const std::vector<uint8_t> &program,
                           Signature &signature) {
  const auto &header =
      *reinterpret_cast<const loom_prog_header *>(program.data());
  const loom_prog_section &section = header.sections[LOOM_SEC_TENSORS];
  auto slot = [&](size_t row) {
    loom_prog_tensor tensor;
    memcpy(&tensor, program.data() + section.offset + row * section.stride,
           sizeof(tensor));
    return tensor.slot;
  };
  size_t row = 0;
  for (loom_value &value : signature.arguments)
    value.slot = slot(row++);
  for (loom_value &value : signature.results)
    if (!(value.flags & (LOOM_VALUE_ARGUMENT | LOOM_VALUE_RESULT)))
      value.slot = slot(row++);
}
