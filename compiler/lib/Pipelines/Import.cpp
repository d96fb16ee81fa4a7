// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "loom/Pipelines/Import.h"

#include "loom/Conversion/VHLOToStableHLO/Passes.h"
#include "loom/Dialect/StableHLO/Elements.h"
#include "loom/Dialect/StableHLO/Passes.h"
#include "loom/Dialect/StableHLO/StableHLO.h"
#include "loom/Frontend/SourceNames.h"
#include "loom/Frontend/VHLO.h"

#include "loom_isa.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Verifier.h"
#include "mlir/Pass/PassRegistry.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;
using namespace mlir::loom;

void mlir::loom::registerFrontDialects(DialectRegistry &registry) {
  registry
      .insert<func::FuncDialect, VHLODialect, stablehlo::StableHLODialect>();
}

void mlir::loom::buildFrontPipeline(OpPassManager &passes, uint64_t features,
                                    bool unroll) {
  passes.addPass(stablehlo::createOneDevice());
  passes.addPass(stablehlo::createExpand());
  stablehlo::InlineCallsOptions inlining;
  // One micro-operation, on the CPU engine if the NPU lacks it.
  inlining.keepComposites = {"chlo.erf"};
  passes.addPass(stablehlo::createInlineCalls(inlining));
  passes.addPass(stablehlo::createSplitComplex());
  passes.addPass(stablehlo::createWidenProducts());
  passes.addPass(createCanonicalizerPass());
  passes.addPass(createCSEPass());
  passes.addPass(stablehlo::createBlockScans());
  passes.addPass(stablehlo::createSwapProducts());
  passes.addPass(stablehlo::createDropIdentities());
  passes.addPass(stablehlo::createFoldWideIntegers());
  stablehlo::UnrollLoopsOptions loops;
  const uint64_t needed = 1ull << LOOM_FEAT_LOOP | 1ull << LOOM_FEAT_REG;
  loops.keepLoops = !unroll && (features & needed) == needed;
  passes.addPass(stablehlo::createUnrollLoops(loops));
  passes.addPass(createCanonicalizerPass());
}

void mlir::loom::registerFrontPipelines() {
  PassPipelineRegistration<>(
      "loom-front-pipeline", "inline, canonicalise, CSE, drop identities",
      [](OpPassManager &passes) { buildFrontPipeline(passes); });
}

namespace {

/// Sends an operation's diagnostics to the sink while it lives.
class SinkHandler {
public:
  SinkHandler(MLIRContext &context, const DiagnosticSink &sink)
      : handler(&context, [this, &sink](Diagnostic &diagnostic) {
          report(diagnostic, sink);
          return success();
        }) {}

private:
  /// "models.py:3:1: CNN/Dense_0: message"; notes follow their error.
  /// Legality's notes already begin that way.
  static void report(Diagnostic &diagnostic, const DiagnosticSink &sink) {
    if (diagnostic.getSeverity() != DiagnosticSeverity::Error &&
        diagnostic.getSeverity() != DiagnosticSeverity::Warning)
      return;
    std::string message;
    for (const std::string &part : {sourceLine(diagnostic.getLocation()),
                                    modulePath(diagnostic.getLocation())})
      if (!part.empty())
        message += part + ": ";
    sink(message + diagnostic.str());
    for (Diagnostic &note : diagnostic.getNotes())
      if (!StringRef(note.str()).starts_with("see current operation"))
        sink("  " + note.str());
  }

  ScopedDiagnosticHandler handler;
};

class Importer {
public:
  Importer(MLIRContext &context, const DiagnosticSink &sink,
           const ImportOptions &options)
      : context(context), sink(sink), options(options) {}

  /// Reads, converts and names; `entry` is null for a bare artifact.
  OwningOpRef<ModuleOp> run(StringRef path, const Bundle *bundle,
                            const EntryPoint *entry);

  OwningOpRef<ModuleOp> read(std::shared_ptr<llvm::MemoryBuffer> bytes,
                             StringRef name);
  LogicalResult finish(ModuleOp module, StringRef name, const Bundle *bundle,
                       const EntryPoint *entry);

private:
  func::FuncOp findMain(ModuleOp module);
  LogicalResult nameByEntry(func::FuncOp main, const EntryPoint &entry);
  void nameByLocation(func::FuncOp main);
  LogicalResult checkTensor(Type type, const TensorInfo &info,
                            const Twine &what);
  void initialiseState(func::FuncOp main, const Bundle &bundle,
                       const EntryPoint &entry);
  LogicalResult bind(func::FuncOp main, const Bundle &bundle,
                     const EntryPoint &entry);
  LogicalResult fail(const Twine &message) {
    sink(message.str());
    return failure();
  }

  MLIRContext &context;
  const DiagnosticSink &sink;
  ImportOptions options;
  std::string file;
};

} // namespace

OwningOpRef<ModuleOp> Importer::read(std::shared_ptr<llvm::MemoryBuffer> bytes,
                                     StringRef name) {
  SinkHandler handler(context, sink);
  llvm::Expected<OwningOpRef<ModuleOp>> module =
      readVHLO(context, std::move(bytes), name);
  if (!module) {
    sink(llvm::toString(module.takeError()));
    return {};
  }
  PassManager passes(&context);
  passes.addPass(createConvertVHLOToStableHLO());
  if (failed(passes.run(**module)))
    return {};
  return std::move(*module);
}

func::FuncOp Importer::findMain(ModuleOp module) {
  auto main = module.lookupSymbol<func::FuncOp>("main");
  if (!main || main.isExternal()) {
    (void)fail(file + ": has no function 'main'; export it again");
    return {};
  }
  for (auto func : module.getOps<func::FuncOp>())
    func.setPrivate();
  main.setPublic(); // or it would be removed as one that nobody calls
  return main;
}

static Type elementType(MLIRContext &context, const DType &dtype) {
  StringRef name = dtype.name;
  if (name == "f32")
    return Float32Type::get(&context);
  if (name == "bf16")
    return BFloat16Type::get(&context);
  if (name == "f16")
    return Float16Type::get(&context);
  if (name == "f64")
    return Float64Type::get(&context);
  if (name == "c64")
    return ComplexType::get(Float32Type::get(&context));
  if (name == "i1")
    return IntegerType::get(&context, 1);
  return IntegerType::get(&context, dtype.bytes * 8,
                          name.starts_with("u") ? IntegerType::Unsigned
                                                : IntegerType::Signless);
}

LogicalResult Importer::checkTensor(Type type, const TensorInfo &info,
                                    const Twine &what) {
  Type expected =
      RankedTensorType::get(info.shape, elementType(context, *info.dtype));
  if (type == expected)
    return success();
  std::string got, want;
  llvm::raw_string_ostream(got) << type;
  llvm::raw_string_ostream(want) << expected;
  return fail(file + ": " + what + " ('" + info.path + "') has shape " + got +
              ", model.json says " + want +
              "; write the bundle again with loom.export");
}

LogicalResult Importer::nameByEntry(func::FuncOp main,
                                    const EntryPoint &entry) {
  if (main.getNumArguments() != entry.inputs.size() ||
      main.getNumResults() != entry.outputs.size())
    return fail(file + ": main has " + Twine(main.getNumArguments()) +
                " arguments and " + Twine(main.getNumResults()) +
                " results, model.json lists " + Twine(entry.inputs.size()) +
                " and " + Twine(entry.outputs.size()) +
                "; write the bundle again with loom.export");
  auto text = [&](StringRef value) { return StringAttr::get(&context, value); };
  for (auto [index, info] : llvm::enumerate(entry.inputs)) {
    if (failed(checkTensor(main.getArgument(index).getType(), info,
                           "argument " + Twine(index))))
      return failure();
    main.setArgAttr(index, "loom.name", text(info.path));
    main.setArgAttr(index, "loom.role", text(roleName(info.role)));
    main.setArgAttr(index, "loom.index",
                    IntegerAttr::get(IntegerType::get(&context, 64), index));
  }
  for (auto [index, info] : llvm::enumerate(entry.outputs)) {
    if (failed(checkTensor(main.getResultTypes()[index], info,
                           "result " + Twine(index))))
      return failure();
    main.setResultAttr(index, "loom.name", text(info.path));
    main.setResultAttr(index, "loom.role", text(roleName(info.role)));
  }
  return success();
}

void Importer::nameByLocation(func::FuncOp main) {
  auto text = [&](const std::string &name, const char *kind, unsigned index) {
    return StringAttr::get(&context,
                           name.empty() ? kind + std::to_string(index) : name);
  };
  for (unsigned i = 0; i < main.getNumArguments(); ++i) {
    main.setArgAttr(i, "loom.name",
                    text(argumentName(main.getArgument(i).getLoc()), "arg", i));
    main.setArgAttr(i, "loom.role", StringAttr::get(&context, "input"));
    main.setArgAttr(i, "loom.index",
                    IntegerAttr::get(IntegerType::get(&context, 64), i));
  }
  for (unsigned i = 0; i < main.getNumResults(); ++i) {
    auto info = main.getResultAttrOfType<StringAttr>(i, "jax.result_info");
    main.setResultAttr(i, "loom.name",
                       text(info ? info.str() : std::string(), "result", i));
    main.setResultAttr(i, "loom.role", StringAttr::get(&context, "output"));
  }
}

/// State begins with the bundle's value, where that is not zeros.
void Importer::initialiseState(func::FuncOp main, const Bundle &bundle,
                               const EntryPoint &entry) {
  auto initOf = [&](const TensorInfo &info, Type type) -> ElementsAttr {
    const Safetensors::Tensor *value =
        info.role == Role::State ? bundle.state().find(info.path) : nullptr;
    if (!value || llvm::all_of(value->bytes, [](char c) { return !c; }))
      return {};
    return stablehlo::makeElementsOver(cast<RankedTensorType>(type),
                                       value->bytes, bundle.state().owner(),
                                       info.path);
  };
  for (auto [index, info] : llvm::enumerate(entry.inputs))
    if (ElementsAttr init = initOf(info, main.getArgument(index).getType()))
      main.setArgAttr(index, "loom.init", init);
  for (auto [index, info] : llvm::enumerate(entry.outputs))
    if (ElementsAttr init = initOf(info, main.getResultTypes()[index]))
      main.setResultAttr(index, "loom.init", init);
}

/// Parameters become constants whose bytes stay in the mapped file.
LogicalResult Importer::bind(func::FuncOp main, const Bundle &bundle,
                             const EntryPoint &entry) {
  OpBuilder builder = OpBuilder::atBlockBegin(&main.getBody().front());
  llvm::BitVector bound(main.getNumArguments());
  for (auto [index, info] : llvm::enumerate(entry.inputs)) {
    if (info.role != Role::Param)
      continue;
    const Safetensors::Tensor *value = bundle.params().find(info.path);
    if (!value)
      return fail(bundle.directory() + ": params.safetensors lacks '" +
                  info.path + "'; write the bundle again with loom.export");
    BlockArgument argument = main.getArgument(index);
    ElementsAttr elements = stablehlo::makeElementsOver(
        cast<RankedTensorType>(argument.getType()), value->bytes,
        bundle.params().owner(), info.path);
    auto constant =
        stablehlo::ConstantOp::create(builder, argument.getLoc(), elements);
    constant->setAttr("loom.name", StringAttr::get(&context, info.path));
    argument.replaceAllUsesWith(constant);
    bound.set(index);
  }
  return main.eraseArguments(bound);
}

OwningOpRef<ModuleOp> Importer::run(StringRef path, const Bundle *bundle,
                                    const EntryPoint *entry) {
  auto buffer = llvm::MemoryBuffer::getFile(path, /*IsText=*/false,
                                            /*RequiresNullTerminator=*/false);
  if (!buffer) {
    sink((path + ": cannot be read: " + buffer.getError().message() +
          "; check the path and its permissions")
             .str());
    return {};
  }
  OwningOpRef<ModuleOp> module = read(std::move(*buffer), path);
  if (!module || failed(finish(*module, path, bundle, entry)))
    return {};
  return module;
}

LogicalResult Importer::finish(ModuleOp module, StringRef name,
                               const Bundle *bundle, const EntryPoint *entry) {
  SinkHandler handler(context, sink);
  file = name.str();
  func::FuncOp main = findMain(module);
  if (!main)
    return failure();
  if (!entry)
    nameByLocation(main);
  else if (failed(nameByEntry(main, *entry)))
    return failure();
  if (entry)
    initialiseState(main, *bundle, *entry);
  if (entry && options.bindParameters && failed(bind(main, *bundle, *entry)))
    return failure();
  PassManager passes(&context);
  buildFrontPipeline(passes, options.features, options.unroll);
  if (failed(passes.run(module)))
    return failure();
  return success(!options.checkLegality ||
                 succeeded(stablehlo::checkLegality(module, options.features,
                                                    options.requireNpu)));
}

OwningOpRef<ModuleOp>
mlir::loom::importBundleEntry(MLIRContext &context, const Bundle &bundle,
                              StringRef entry, const DiagnosticSink &sink,
                              const ImportOptions &options) {
  const EntryPoint *found = bundle.findEntry(entry);
  if (!found) {
    sink((bundle.directory() + ": has no entry point '" + entry +
          "'; it has: " + bundle.listEntries())
             .str());
    return {};
  }
  return Importer(context, sink, options)
      .run(bundle.artifactPath(*found), &bundle, found);
}

OwningOpRef<ModuleOp> mlir::loom::importArtifact(MLIRContext &context,
                                                 StringRef path,
                                                 const DiagnosticSink &sink,
                                                 const ImportOptions &options) {
  return Importer(context, sink, options).run(path, nullptr, nullptr);
}

OwningOpRef<ModuleOp>
mlir::loom::readArtifact(MLIRContext &context,
                         std::shared_ptr<llvm::MemoryBuffer> bytes,
                         StringRef name, const DiagnosticSink &sink) {
  return Importer(context, sink, {}).read(std::move(bytes), name);
}

LogicalResult mlir::loom::importModule(ModuleOp module, StringRef name,
                                       const DiagnosticSink &sink,
                                       const ImportOptions &options) {
  return Importer(*module.getContext(), sink, options)
      .finish(module, name, nullptr, nullptr);
}
