// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// vhlo -> stablehlo. The operations correspond one to one; what differs is how
// attributes are spelled, and that goes by attribute name.

#include "loom/Conversion/VHLOToStableHLO/Passes.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/IRMapping.h"
#include "llvm/ADT/StringExtras.h"

namespace mlir::loom {
#define GEN_PASS_DEF_CONVERTVHLOTOSTABLEHLO
#include "loom/Conversion/VHLOToStableHLO/Passes.h.inc"
} // namespace mlir::loom

using namespace mlir;
using namespace mlir::loom;

namespace {

//===----------------------------------------------------------------------===//
// Attributes
//===----------------------------------------------------------------------===//

enum class AttrForm {
  I64Array,  // tensor or array of integers, any shape, flattened
  BoolArray, // tensor of i1
  I64,
  I32,
  F32,
  Bool,
  String,
  Symbol,  // string -> symbol reference
  Symbols, // array of strings -> of symbol references; dropped when empty
  Strings, // array of strings; dropped when empty
  Direction,
  Comparison,
  Accuracy,   // dropped when it asks for nothing
  Dictionary, // dropped when empty
  Drop,       // carries nothing on one device without layouts
  Keep,
};

struct AttrRow {
  StringRef name;
  AttrForm form;
};

const AttrRow kAttributes[] = {
    {"api_version", AttrForm::Drop},
    {"backend_config", AttrForm::Keep},
    {"base_dilations", AttrForm::I64Array},
    {"batch_group_count", AttrForm::I64},
    {"broadcast_dimensions", AttrForm::I64Array},
    {"call_target_name", AttrForm::String},
    {"called_computations", AttrForm::Symbols},
    {"collapsed_slice_dims", AttrForm::I64Array},
    {"compare_type", AttrForm::Comparison},
    {"comparison_direction", AttrForm::Direction},
    {"composite_attributes", AttrForm::Dictionary},
    {"decomposition", AttrForm::Symbol},
    {"dimension", AttrForm::I64},
    {"dimensions", AttrForm::I64Array},
    {"edge_padding_high", AttrForm::I64Array},
    {"edge_padding_low", AttrForm::I64Array},
    {"epsilon", AttrForm::F32},
    {"exponent_bits", AttrForm::I32},
    {"feature_group_count", AttrForm::I64},
    {"feature_index", AttrForm::I64},
    {"fft_length", AttrForm::I64Array},
    {"fft_type", AttrForm::String},
    {"has_side_effect", AttrForm::Bool},
    {"index", AttrForm::I32},
    {"index_vector_dim", AttrForm::I64},
    {"indices_are_sorted", AttrForm::Bool},
    {"input_batch_dimension", AttrForm::I64},
    {"input_batching_dims", AttrForm::I64Array},
    {"input_feature_dimension", AttrForm::I64},
    {"input_spatial_dimensions", AttrForm::I64Array},
    {"inserted_window_dims", AttrForm::I64Array},
    {"interior_padding", AttrForm::I64Array},
    {"iota_dimension", AttrForm::I64},
    {"is_stable", AttrForm::Bool},
    {"kernel_input_feature_dimension", AttrForm::I64},
    {"kernel_output_feature_dimension", AttrForm::I64},
    {"kernel_spatial_dimensions", AttrForm::I64Array},
    {"left_side", AttrForm::Bool},
    {"lhs_batching_dimensions", AttrForm::I64Array},
    {"lhs_contracting_dimensions", AttrForm::I64Array},
    {"lhs_dilation", AttrForm::I64Array},
    {"limit_indices", AttrForm::I64Array},
    {"lower", AttrForm::Bool},
    {"mantissa_bits", AttrForm::I32},
    {"name", AttrForm::String},
    {"offset_dims", AttrForm::I64Array},
    {"operand_batching_dims", AttrForm::I64Array},
    {"operand_layouts", AttrForm::Drop},
    {"output_batch_dimension", AttrForm::I64},
    {"output_feature_dimension", AttrForm::I64},
    {"output_operand_aliases", AttrForm::Drop},
    {"output_spatial_dimensions", AttrForm::I64Array},
    {"padding", AttrForm::I64Array},
    {"permutation", AttrForm::I64Array},
    {"precision_config", AttrForm::Strings},
    {"result_accuracy", AttrForm::Accuracy},
    {"result_layouts", AttrForm::Drop},
    {"result_tilings", AttrForm::Drop},
    {"rhs_batching_dimensions", AttrForm::I64Array},
    {"rhs_contracting_dimensions", AttrForm::I64Array},
    {"rhs_dilation", AttrForm::I64Array},
    {"rng_algorithm", AttrForm::String},
    {"rng_distribution", AttrForm::String},
    {"scatter_dims_to_operand_dims", AttrForm::I64Array},
    {"scatter_indices_batching_dims", AttrForm::I64Array},
    {"slice_sizes", AttrForm::I64Array},
    {"start_index_map", AttrForm::I64Array},
    {"start_indices", AttrForm::I64Array},
    {"start_indices_batching_dims", AttrForm::I64Array},
    {"strides", AttrForm::I64Array},
    {"transpose_a", AttrForm::String},
    {"unique_indices", AttrForm::Bool},
    {"unit_diagonal", AttrForm::Bool},
    {"update_window_dims", AttrForm::I64Array},
    {"value", AttrForm::Keep},
    {"version", AttrForm::I32},
    {"window_dilations", AttrForm::I64Array},
    {"window_dimensions", AttrForm::I64Array},
    {"window_reversal", AttrForm::BoolArray},
    {"window_strides", AttrForm::I64Array},
};

/// Attributes that an older version of an operation lacks.
struct DefaultRow {
  StringRef op, attribute;
};

const DefaultRow kEmptyArrays[] = {
    {"stablehlo.gather", "operand_batching_dims"},
    {"stablehlo.gather", "start_indices_batching_dims"},
    {"stablehlo.scatter", "input_batching_dims"},
    {"stablehlo.scatter", "scatter_indices_batching_dims"},
};

/// dot_general_v2 spells the algorithm as attributes of its own.
const StringRef kAlgorithmFields[] = {
    "accumulation_type",  "allow_imprecise_accumulation", "lhs_component_count",
    "lhs_precision_type", "num_primitive_operations",     "rhs_component_count",
    "rhs_precision_type",
};

bool isNone(Attribute attr) {
  auto type = dyn_cast_or_null<TypeAttr>(attr);
  return type && isa<NoneType>(type.getValue());
}

/// Integers of a tensor or array; nothing for any other attribute.
std::optional<SmallVector<int64_t>> integersOf(Attribute attr) {
  SmallVector<int64_t> values;
  if (auto dense = dyn_cast<DenseI64ArrayAttr>(attr))
    return SmallVector<int64_t>(dense.asArrayRef());
  if (auto dense = dyn_cast<DenseIntElementsAttr>(attr)) {
    if (dense.getNumElements() > 4096)
      return std::nullopt;
    for (const APInt &value : dense.getValues<APInt>())
      values.push_back(value.getBitWidth() == 1 ? value.getZExtValue()
                                                : value.getSExtValue());
    return values;
  }
  auto array = dyn_cast<ArrayAttr>(attr);
  if (!array)
    return std::nullopt;
  for (Attribute entry : array) {
    auto integer = dyn_cast<IntegerAttr>(entry);
    if (!integer || integer.getValue().getBitWidth() > 64)
      return std::nullopt;
    values.push_back(integer.getInt());
  }
  return values;
}

/// The attribute in its new form; null when it is dropped or of a wrong kind
/// (`wrong` tells which).
class AttrConverter {
public:
  explicit AttrConverter(MLIRContext *context) : context(context) {}

  Attribute convert(AttrForm form, Attribute attr, bool &wrong) {
    Attribute result = convertForm(form, attr);
    wrong = !result && !dropped(form, attr);
    return result;
  }

private:
  static bool dropped(AttrForm form, Attribute attr) {
    switch (form) {
    case AttrForm::Drop:
    case AttrForm::Accuracy:
      return true;
    case AttrForm::Strings:
    case AttrForm::Symbols:
      return isa<ArrayAttr>(attr) && cast<ArrayAttr>(attr).empty();
    case AttrForm::Dictionary:
      return isa<DictionaryAttr>(attr);
    case AttrForm::Comparison:
      return attr == StringAttr::get(attr.getContext(), "NOTYPE");
    default:
      return false;
    }
  }

  Attribute integerOf(Attribute attr, unsigned width) {
    auto integer = dyn_cast<IntegerAttr>(attr);
    if (!integer || integer.getValue().getBitWidth() > 64)
      return {};
    int64_t value = integer.getInt();
    if (width == 32 && value != int32_t(value))
      return {};
    return IntegerAttr::get(IntegerType::get(context, width), value);
  }

  Attribute accuracy(Attribute attr) {
    auto dict = dyn_cast<DictionaryAttr>(attr);
    auto mode = dict ? dict.getAs<StringAttr>("mode") : StringAttr();
    if (mode && mode.getValue() == "TOLERANCE")
      return dict;
    return {};
  }

  Attribute strings(Attribute attr) {
    auto array = dyn_cast<ArrayAttr>(attr);
    if (!array || array.empty() ||
        !llvm::all_of(array, llvm::IsaPred<StringAttr>))
      return {};
    return array;
  }

  Attribute symbols(Attribute attr) {
    Attribute names = strings(attr);
    if (!names)
      return {};
    SmallVector<Attribute> symbols;
    for (Attribute name : cast<ArrayAttr>(names)) {
      if (cast<StringAttr>(name).empty())
        return {};
      symbols.push_back(FlatSymbolRefAttr::get(cast<StringAttr>(name)));
    }
    return ArrayAttr::get(context, symbols);
  }

  Attribute enumeration(AttrForm form, Attribute attr) {
    auto text = dyn_cast<StringAttr>(attr);
    if (!text)
      return {};
    if (form == AttrForm::Direction) {
      auto value = stablehlo::symbolizeComparisonDirection(text.getValue());
      if (!value)
        return {};
      return stablehlo::ComparisonDirectionAttr::get(context, *value);
    }
    auto value = stablehlo::symbolizeComparisonType(text.getValue());
    if (!value || *value == stablehlo::ComparisonType::NOTYPE)
      return {};
    return stablehlo::ComparisonTypeAttr::get(context, *value);
  }

  Attribute convertForm(AttrForm form, Attribute attr) {
    switch (form) {
    case AttrForm::I64Array: {
      auto values = integersOf(attr);
      return values ? DenseI64ArrayAttr::get(context, *values)
                    : DenseI64ArrayAttr();
    }
    case AttrForm::BoolArray: {
      auto values = integersOf(attr);
      if (!values)
        return {};
      SmallVector<bool> bits(values->begin(), values->end());
      return DenseBoolArrayAttr::get(context, bits);
    }
    case AttrForm::I64:
      return integerOf(attr, 64);
    case AttrForm::I32:
      return integerOf(attr, 32);
    case AttrForm::F32: {
      auto value = dyn_cast<FloatAttr>(attr);
      return value && value.getType().isF32() ? attr : Attribute();
    }
    case AttrForm::Bool:
      return isa<BoolAttr>(attr) ? attr : Attribute();
    case AttrForm::String:
      return isa<StringAttr>(attr) ? attr : Attribute();
    case AttrForm::Symbol: {
      auto text = dyn_cast<StringAttr>(attr);
      return text && !text.empty() ? FlatSymbolRefAttr::get(text)
                                   : FlatSymbolRefAttr();
    }
    case AttrForm::Strings:
      return strings(attr);
    case AttrForm::Symbols:
      return symbols(attr);
    case AttrForm::Direction:
    case AttrForm::Comparison:
      return enumeration(form, attr);
    case AttrForm::Accuracy:
      return accuracy(attr);
    case AttrForm::Dictionary: {
      auto dict = dyn_cast<DictionaryAttr>(attr);
      return dict && !dict.empty() ? dict : DictionaryAttr();
    }
    case AttrForm::Drop:
      return {};
    case AttrForm::Keep:
      return attr;
    }
    return {};
  }

  MLIRContext *context;
};

//===----------------------------------------------------------------------===//
// Operations
//===----------------------------------------------------------------------===//

/// "vhlo.dot_general_v2" -> "dot_general"; nothing for other names.
std::optional<StringRef> baseName(Operation *op) {
  StringRef name = op->getName().getStringRef();
  if (!name.consume_front("vhlo."))
    return std::nullopt;
  size_t at = name.rfind("_v");
  StringRef version = at == StringRef::npos ? "" : name.substr(at + 2);
  if (version.empty() ||
      !llvm::all_of(version, [](char c) { return llvm::isDigit(c); }))
    return std::nullopt;
  return name.take_front(at);
}

class Converter {
public:
  explicit Converter(ModuleOp module)
      : module(module), context(module.getContext()), builder(context),
        attributes(context) {}

  LogicalResult run();

private:
  LogicalResult convertFunction(Operation *op);
  LogicalResult setFunctionAttributes(Operation *op, func::FuncOp func);
  LogicalResult convertBlock(Block &from, Block &to, bool isFunctionBody);
  LogicalResult convertOp(Operation *op, bool isFunctionBody);
  LogicalResult convertAttributes(Operation *op, OperationState &state);
  LogicalResult convertCall(Operation *op);
  LogicalResult convertDot(Operation *op);
  LogicalResult convertBroadcast(Operation *op);
  void finish(Operation *from, Operation *to);
  SmallVector<Value> operandsOf(Operation *op);

  ModuleOp module;
  MLIRContext *context;
  OpBuilder builder;
  AttrConverter attributes;
  IRMapping mapping;
};

} // namespace

LogicalResult Converter::run() {
  SmallVector<Operation *> old;
  for (Operation &op : *module.getBody())
    old.push_back(&op);
  builder.setInsertionPointToEnd(module.getBody());
  for (Operation *op : old) {
    std::optional<StringRef> name = baseName(op);
    if (!name)
      continue;
    if (*name != "func")
      return op->emitError()
             << "operation '" << op->getName() << "' is not inside a function";
    if (failed(convertFunction(op)))
      return failure();
    op->erase();
  }
  return success();
}

LogicalResult Converter::setFunctionAttributes(Operation *op,
                                               func::FuncOp func) {
  auto apply = [&](StringRef name, unsigned count,
                   function_ref<void(unsigned, DictionaryAttr)> set) {
    auto list = op->getAttrOfType<ArrayAttr>(name);
    if (!list || list.empty())
      return success();
    if (list.size() != count)
      return LogicalResult(op->emitError() << name << " has " << list.size()
                                           << " entries, expected " << count);
    for (auto [index, entry] : llvm::enumerate(list)) {
      auto dict = dyn_cast<DictionaryAttr>(entry);
      if (!dict)
        return LogicalResult(op->emitError() << name
                                             << " holds something that is no "
                                                "dictionary");
      set(index, dict);
    }
    return success();
  };
  if (failed(apply(
          "arg_attrs", func.getNumArguments(),
          [&](unsigned i, DictionaryAttr dict) { func.setArgAttrs(i, dict); })))
    return failure();
  return apply(
      "res_attrs", func.getNumResults(),
      [&](unsigned i, DictionaryAttr dict) { func.setResultAttrs(i, dict); });
}

LogicalResult Converter::convertFunction(Operation *op) {
  auto name = op->getAttrOfType<StringAttr>("sym_name");
  auto typeAttr = op->getAttrOfType<TypeAttr>("function_type");
  auto type =
      typeAttr ? dyn_cast<FunctionType>(typeAttr.getValue()) : FunctionType();
  auto visibility = op->getAttrOfType<StringAttr>("sym_visibility");
  if (!name || name.empty() || !type || op->getNumRegions() != 1)
    return op->emitError("a function needs sym_name, function_type and a "
                         "region");
  auto func = func::FuncOp::create(builder, op->getLoc(), name, type);
  if (visibility && !visibility.empty() && visibility != "public")
    func.setVisibility(SymbolTable::Visibility::Private);
  if (failed(setFunctionAttributes(op, func)))
    return failure();
  if (op->getRegion(0).empty()) {
    func.setVisibility(SymbolTable::Visibility::Private);
    return success();
  }
  Block &body = op->getRegion(0).front();
  if (TypeRange(body.getArgumentTypes()) != TypeRange(type.getInputs()))
    return op->emitError() << "function '" << name.getValue()
                           << "': arguments differ from its type";
  OpBuilder::InsertionGuard guard(builder);
  Block *entry = &func.getBody().emplaceBlock();
  return convertBlock(body, *entry, /*isFunctionBody=*/true);
}

LogicalResult Converter::convertBlock(Block &from, Block &to,
                                      bool isFunctionBody) {
  for (BlockArgument argument : from.getArguments())
    mapping.map(argument,
                to.addArgument(argument.getType(), argument.getLoc()));
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToEnd(&to);
  for (Operation &op : from)
    if (failed(convertOp(&op, isFunctionBody)))
      return failure();
  return success();
}

SmallVector<Value> Converter::operandsOf(Operation *op) {
  SmallVector<Value> operands;
  for (Value operand : op->getOperands())
    operands.push_back(mapping.lookup(operand));
  return operands;
}

void Converter::finish(Operation *from, Operation *to) {
  for (auto [a, b] : llvm::zip(from->getResults(), to->getResults()))
    mapping.map(a, b);
}

LogicalResult Converter::convertCall(Operation *op) {
  auto callee = op->getAttrOfType<StringAttr>("callee");
  if (!callee || callee.empty())
    return op->emitError("a call needs the name of its callee");
  auto call = func::CallOp::create(builder, op->getLoc(), callee.getValue(),
                                   op->getResultTypes(), operandsOf(op));
  finish(op, call);
  return success();
}

/// dot: the last dimension of the left side against the first of the right.
LogicalResult Converter::convertDot(Operation *op) {
  RankedTensorType lhs, rhs;
  if (op->getNumOperands() == 2 && op->getNumResults() == 1) {
    lhs = dyn_cast<RankedTensorType>(op->getOperand(0).getType());
    rhs = dyn_cast<RankedTensorType>(op->getOperand(1).getType());
  }
  if (!lhs || !rhs || lhs.getRank() < 1 || rhs.getRank() < 1)
    return op->emitError("dot needs two tensors of rank 1 or 2");
  SmallVector<Value> operands = operandsOf(op);
  bool wrong = false;
  Attribute precision;
  if (Attribute attr = op->getAttr("precision_config"))
    precision = attributes.convert(AttrForm::Strings, attr, wrong);
  auto dot = stablehlo::DotGeneralOp::create(
      builder, op->getLoc(), op->getResult(0).getType(), operands[0],
      operands[1], ArrayRef<int64_t>{}, ArrayRef<int64_t>{},
      ArrayRef<int64_t>{lhs.getRank() - 1}, ArrayRef<int64_t>{0},
      cast_or_null<ArrayAttr>(precision), DictionaryAttr());
  finish(op, dot);
  return success();
}

/// broadcast: new dimensions in front.
LogicalResult Converter::convertBroadcast(Operation *op) {
  RankedTensorType in, out;
  if (op->getNumOperands() == 1 && op->getNumResults() == 1) {
    in = dyn_cast<RankedTensorType>(op->getOperand(0).getType());
    out = dyn_cast<RankedTensorType>(op->getResult(0).getType());
  }
  if (!in || !out || in.getRank() > out.getRank())
    return op->emitError("broadcast needs a tensor and a result of no lower "
                         "rank");
  SmallVector<int64_t> dims;
  for (int64_t i = 0; i < in.getRank(); ++i)
    dims.push_back(out.getRank() - in.getRank() + i);
  auto result = stablehlo::BroadcastInDimOp::create(builder, op->getLoc(), out,
                                                    operandsOf(op)[0], dims);
  finish(op, result);
  return success();
}

LogicalResult Converter::convertAttributes(Operation *op,
                                           OperationState &state) {
  std::optional<RegisteredOperationName> info = state.name.getRegisteredInfo();
  Attribute algorithm = op->getAttr("lhs_precision_type");
  bool hasAlgorithm = algorithm && !isNone(algorithm);
  NamedAttrList fields;
  for (NamedAttribute attr : op->getAttrs()) {
    StringRef name = attr.getName().getValue();
    if (llvm::is_contained(kAlgorithmFields, name)) {
      if (hasAlgorithm)
        fields.append(attr);
      continue;
    }
    const AttrRow *row = llvm::find_if(
        kAttributes, [&](const AttrRow &row) { return row.name == name; });
    if (!info || row == std::end(kAttributes)) {
      state.attributes.append(attr);
      continue;
    }
    bool wrong = false;
    Attribute value = attributes.convert(row->form, attr.getValue(), wrong);
    if (wrong)
      return op->emitError() << "attribute '" << name << "' of '"
                             << op->getName() << "' has no valid value";
    if (value)
      state.attributes.append(name, value);
  }
  if (hasAlgorithm)
    state.attributes.append("algorithm", fields.getDictionary(context));
  for (const DefaultRow &row : kEmptyArrays)
    if (state.name.getStringRef() == row.op &&
        !state.attributes.get(row.attribute))
      state.attributes.append(row.attribute,
                              DenseI64ArrayAttr::get(context, {}));
  return success();
}

/// A negative dimension of sort counts from the end; here it never is negative.
static void normalise(Operation *op) {
  auto sort = dyn_cast<stablehlo::SortOp>(op);
  if (!sort || sort.getInputs().empty())
    return;
  auto type = dyn_cast<RankedTensorType>(sort.getInputs().front().getType());
  int64_t dim = sort.getDimensionAttr() ? sort.getDimension() : 0;
  if (type && dim < 0 && dim >= -type.getRank())
    sort.setDimension(dim + type.getRank());
}

LogicalResult Converter::convertOp(Operation *op, bool isFunctionBody) {
  std::optional<StringRef> name = baseName(op);
  if (!name)
    return op->emitError() << "operation '" << op->getName()
                           << "' is not a VHLO operation";
  auto isUnranked = llvm::IsaPred<UnrankedTensorType>;
  if (llvm::any_of(op->getOperandTypes(), isUnranked) ||
      llvm::any_of(op->getResultTypes(), isUnranked))
    return op->emitError() << "'" << *name
                           << "' has a tensor without a rank; Loom compiles "
                              "static shapes: export with concrete ones";
  // Regions may name values of other regions; here all come before their use.
  for (Value operand : op->getOperands())
    if (!mapping.contains(operand))
      return op->emitError() << "'" << *name
                             << "' uses a value that is not defined before it; "
                                "the artifact is damaged, export it again";
  if (*name == "call")
    return convertCall(op);
  if (*name == "dot")
    return convertDot(op);
  if (*name == "broadcast")
    return convertBroadcast(op);
  if (*name == "func")
    return op->emitError("a function inside a function");
  bool isReturn = *name == "return" && isFunctionBody;
  OperationState state(op->getLoc(), isReturn ? std::string("func.return")
                                              : ("stablehlo." + *name).str());
  state.addOperands(operandsOf(op));
  state.addTypes(op->getResultTypes());
  if (failed(convertAttributes(op, state)))
    return failure();
  for (Region &region : op->getRegions()) {
    Region *copy = state.addRegion();
    if (!region.empty() &&
        failed(convertBlock(region.front(), copy->emplaceBlock(),
                            /*isFunctionBody=*/false)))
      return failure();
  }
  Operation *created = builder.create(state);
  normalise(created);
  finish(op, created);
  return success();
}

namespace {
struct ConvertVHLOToStableHLOPass
    : public mlir::loom::impl::ConvertVHLOToStableHLOBase<
          ConvertVHLOToStableHLOPass> {
  void runOnOperation() override {
    if (failed(Converter(getOperation()).run()))
      signalPassFailure();
  }
};
} // namespace
