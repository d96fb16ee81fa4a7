// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The model compiler's command line: a bundle in, a .loom out.

#include "TargetSource.h"

#include "loom/Frontend/SourceNames.h"
#include "loom/Pipelines/Back.h"
#include "loom/Pipelines/Import.h"
#include "loom/Target/Program/Container.h"
#include "loom/Target/Program/Targets.h"
#include "loom/Target/Report.h"

#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/MLIRContext.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Format.h"

// CLI11 uses exceptions; this file alone is compiled with them.
#include <CLI/CLI.hpp>

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/raw_ostream.h"

#include <cstdio>

using namespace mlir;
using namespace mlir::loom;

namespace {
struct Options {
  std::string input, target = LOOM_DEFAULT_TARGET, output, emit = "program",
                     engine = "auto", placement;
  std::vector<std::string> entries; // empty: all
  bool report = false, json = false, unroll = false, requireNpu = false;
};
} // namespace

/// Messages quote names out of files, which may hold anything.
static void sayError(llvm::StringRef message) {
  llvm::errs() << "loomc: error: ";
  for (char c : message) {
    if (c == '\n' || llvm::isPrint(c))
      llvm::errs() << c;
    else
      llvm::errs() << "\\x" << llvm::format_hex_no_prefix(uint8_t(c), 2);
  }
  llvm::errs() << "\n";
}

/// "cnn.py:12:4: CNN/Conv_0: what; remedy", and its notes.
static std::string describe(Diagnostic &diagnostic) {
  std::string text, source = sourceLine(diagnostic.getLocation()),
                    module = modulePath(diagnostic.getLocation());
  llvm::raw_string_ostream stream(text);
  if (!source.empty())
    stream << source << ": ";
  if (!module.empty())
    stream << module << ": ";
  stream << diagnostic.str();
  for (Diagnostic &note : diagnostic.getNotes())
    stream << "\n  " << note.str();
  return text;
}

/// An entry point and the module that keeps its constants.
struct Imported {
  std::string name;
  OwningOpRef<ModuleOp> module;
};

/// The chosen entry points, in the bundle's order; empty after an error.
static std::vector<std::string> choose(const Options &options,
                                       const Bundle &bundle) {
  std::vector<std::string> chosen;
  for (const std::string &name : options.entries)
    if (!bundle.findEntry(name)) {
      sayError(options.input + ": has no entry point '" + name +
               "'; it has: " + bundle.listEntries());
      return {};
    }
  for (const EntryPoint &entry : bundle.entryPoints())
    if (options.entries.empty() ||
        llvm::is_contained(options.entries, entry.name))
      chosen.push_back(entry.name);
  return chosen;
}

/// Empty after an error.
static std::vector<Imported> import(MLIRContext &context,
                                    const Options &options, uint64_t features) {
  std::vector<Imported> all;
  ImportOptions importOptions;
  importOptions.features = features;
  // A loop on the NPU cannot hold what runs on the CPU engine.
  importOptions.unroll = options.unroll || options.engine == "cpu";
  importOptions.requireNpu = options.requireNpu;
  auto sink = [](llvm::StringRef message) { sayError(message); };
  const llvm::StringRef input = options.input;
  if (!llvm::sys::fs::is_directory(input) && !input.ends_with(".json")) {
    if (!options.entries.empty()) {
      sayError(options.input +
               ": --entry names an entry point of a bundle, and "
               "this is a single artifact; leave it out");
      return {};
    }
    all.push_back(
        {"main", importArtifact(context, input, sink, importOptions)});
  } else {
    llvm::Expected<Bundle> bundle = Bundle::open(input);
    if (!bundle) {
      sayError(llvm::toString(bundle.takeError()));
      return {};
    }
    for (const std::string &name : choose(options, *bundle)) {
      all.push_back({name, importBundleEntry(context, *bundle, name, sink,
                                             importOptions)});
      if (!all.back().module)
        return {};
    }
  }
  if (!all.empty() && !all.back().module)
    return {};
  return all;
}

static bool writeText(const Options &options,
                      llvm::ArrayRef<EntryModule> entries) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  OpPrintingFlags flags;
  flags.enableDebugInfo().elideLargeElementsAttrs(16).elideLargeResourceString(
      64);
  for (EntryModule entry : entries) {
    if (entries.size() > 1)
      stream << "// entry point " << entry.name << "\n";
    entry.module->print(stream, flags);
    stream << "\n";
  }
  if (options.output.empty() || options.output == "-") {
    llvm::outs() << text;
    return true;
  }
  std::string error =
      program::writeFileAtomically(options.output, text.data(), text.size());
  if (!error.empty())
    sayError(error + "; choose a writable place with -o");
  return error.empty();
}

static Stage stageOf(const std::string &emit) {
  return emit == "stablehlo" ? Stage::StableHLO
         : emit == "loomt"   ? Stage::LoomT
         : emit == "loom"    ? Stage::Loom
                             : Stage::Program;
}

/// Lists what would run on the CPU engine.
static bool allOnNpu(llvm::ArrayRef<CompiledProgram> compiled) {
  size_t count = 0;
  for (const CompiledProgram &entry : compiled) {
    for (const PlacedOp &op : entry.placement)
      sayError(placementLine(op));
    count += entry.placement.size();
  }
  if (count)
    sayError("--require-npu: " + std::to_string(count) +
             " operations would run on the CPU engine; leave the option out, "
             "or replace them");
  return !count;
}

/// Says that the CPU engine is used where the reports do not.
static void noteCpu(const Options &options,
                    llvm::ArrayRef<CompiledProgram> compiled) {
  size_t count = 0;
  for (const CompiledProgram &entry : compiled)
    count += entry.placement.size();
  if (count && options.placement.empty() && options.engine != "cpu")
    llvm::errs() << "loomc: note: " << count
                 << (count == 1 ? " operation runs" : " operations run")
                 << " on the CPU engine; --placement tells which and why, "
                    "--require-npu refuses them\n";
}

static void printReports(const Options &options, const CompiledProgram &entry,
                         bool several, uint64_t fileBytes) {
  const bool tables = options.report || options.placement == "text";
  if (several && tables)
    llvm::outs() << "entry point " << entry.entry << "\n";
  if (options.placement == "json")
    llvm::outs() << placementJson(entry, options.target);
  else if (!options.placement.empty())
    llvm::outs() << placementTable(entry, options.target);
  if (options.report)
    llvm::outs() << reportTable(entry, options.target);
  if (options.json)
    llvm::outs() << reportJson(entry, options.target, options.output,
                               fileBytes);
}

static int compile(const Options &options) {
  loom_target target;
  if (std::string error = readTarget(options.target, target); !error.empty()) {
    sayError("--target " + error);
    return 1;
  }
  const Stage stage = stageOf(options.emit);
  if (stage == Stage::Program && options.output.empty()) {
    sayError("no output file; give -o FILE.loom");
    return 1;
  }
  DialectRegistry registry;
  registerFrontDialects(registry);
  registerBackDialects(registry);
  MLIRContext context(registry, MLIRContext::Threading::DISABLED);
  // A message already names line, module and operation; the text adds nothing.
  context.printOpOnDiagnostic(false);
  unsigned errors = 0;
  ScopedDiagnosticHandler handler(&context, [&](Diagnostic &diagnostic) {
    if (diagnostic.getSeverity() != DiagnosticSeverity::Error)
      return success();
    ++errors;
    sayError(describe(diagnostic));
    return success();
  });
  const std::vector<Imported> imported =
      import(context, options, target.features);
  if (imported.empty())
    return 1;
  std::vector<EntryModule> entries;
  for (const Imported &entry : imported)
    entries.push_back({entry.name, *entry.module});
  std::vector<CompiledProgram> compiled;
  program::Image file;
  BackOptions back;
  back.cpuOnly = options.engine == "cpu";
  if (failed(compileEntries(entries, target, stage, compiled, file, back))) {
    if (!errors)
      sayError(options.input +
               ": not compiled, and nothing said why; this is a "
               "defect of loomc, please report it");
    return 1;
  }
  if (stage != Stage::Program)
    return writeText(options, entries) ? 0 : 1;
  if (options.requireNpu && !allOnNpu(compiled))
    return 1;
  if (std::string error = program::writeFileAtomically(options.output, file);
      !error.empty()) {
    sayError(error + "; choose a writable place with -o");
    return 1;
  }
  noteCpu(options, compiled);
  for (const CompiledProgram &entry : compiled)
    printReports(options, entry, compiled.size() > 1, file.size());
  return 0;
}

int main(int argc, char **argv) {
  Options options;
  CLI::App app{"loomc: compiles a model for the Loom NPU"};
  app.add_option("model", options.input,
                 "bundle directory that loom.export wrote, or an artifact "
                 "(.vhlo.bc)")
      ->required();
  app.add_option("--entry", options.entries,
                 "entry point of the bundle; may be repeated (default: all)");
  app.add_option("--target", options.target,
                 "one of " + program::targetNames() +
                     ", a .json file, or /dev/accel/accelN; "
                     "',features=-trans,-gather' after it takes units away")
      ->capture_default_str();
  app.add_option("-o,--output", options.output, "file to write");
  app.add_flag("--report", options.report, "print a table of layers");
  app.add_flag("--json", options.json,
               "print the report, one line of JSON for each entry point");
  app.add_option("--placement", options.placement,
                 "print what runs on which engine, and why: text or json")
      ->expected(0, 1)
      ->default_str("text")
      ->check(CLI::IsMember({"text", "json"}));
  app.add_flag("--require-npu", options.requireNpu,
               "refuse what would run on the CPU engine, and list it");
  app.add_option("--engine", options.engine,
                 "auto: NPU first; cpu: everything on the CPU engine, for "
                 "comparing the two")
      ->check(CLI::IsMember({"auto", "cpu"}))
      ->capture_default_str();
  app.add_flag("--unroll", options.unroll,
               "write out every loop, also those that the machine can run");
  app.add_option("--emit", options.emit, "how far to go")
      ->check(CLI::IsMember({"stablehlo", "loomt", "loom", "program"}))
      ->capture_default_str();
  app.set_version_flag("--version", kProducer);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError &e) {
    return app.exit(e) ? 2 : 0;
  }
  return compile(options);
}
