// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// loom/compile.h: handles, options and messages around the pipelines.

#include "loom/compile.h"

#include "Contexts.h"
#include "Fingerprint.h"
#include "Signature.h"

#include "loom/Frontend/SourceNames.h"
#include "loom/Pipelines/Back.h"
#include "loom/Pipelines/Import.h"
#include "loom/Target/Program/Targets.h"
#include "loom/Target/Report.h"

#include "mlir/IR/Diagnostics.h"

#include <cerrno>
#include <cstring>
#include <new>

using namespace mlir;
using namespace mlir::loom;

struct loom_artifact {
  explicit loom_artifact(size_t bytes) : context(bytes) {}
  BorrowedContext context; // outlives the module
  OwningOpRef<ModuleOp> module;
  Signature signature;
  std::string name, fingerprint;
};

struct loom_compiled {
  std::vector<uint8_t> program;
  std::string name, fingerprint, report, placement;
  Signature signature;
};

namespace {
/// Collects messages: each whole for the caller, the first for loom_error.
class Messages {
public:
  explicit Messages(const loom_compile_options *options) : options(options) {}

  void add(llvm::StringRef text) {
    if (options && options->message)
      options->message(options->opaque, text.str().c_str());
    if (!all.empty())
      all += '\n';
    all += text;
  }
  DiagnosticSink sink() {
    return [this](llvm::StringRef text) { add(text); };
  }
  int fail(int code, loom_error *error, llvm::StringRef otherwise) {
    if (all.empty())
      add(otherwise);
    if (error) {
      error->code = code;
      snprintf(error->message, sizeof(error->message), "%s", all.c_str());
    }
    return code;
  }

private:
  const loom_compile_options *options;
  std::string all;
};

/// Runs what may be out of memory.
template <typename Body> int guarded(loom_error *error, Body &&body) {
  try {
    if (error)
      memset(error, 0, sizeof(*error));
    return body();
  } catch (const std::exception &e) {
    const bool memory = dynamic_cast<const std::bad_alloc *>(&e);
    return Messages(nullptr).fail(memory ? -ENOMEM : -EINVAL, error,
                                  memory ? "out of memory" : e.what());
  }
}

/// For a function that was called without what it cannot do without.
int refuseNull(loom_error *error, llvm::StringRef what) {
  return Messages(nullptr).fail(-EINVAL, error,
                                (what + " is NULL; give its address").str());
}

struct Choices {
  loom_target target;
  std::string entry = "main";
};

/// An error, or an empty string.
std::string readOptions(const loom_compile_options &options, Choices &choices) {
  if (options.size != sizeof(options) || options.rsvd)
    return "loom_compile_options: size or a reserved field is not what this "
           "library knows; build against its own compile.h";
  if (options.cpu_only && options.require_npu)
    return "loom_compile_options: cpu_only and require_npu exclude each other";
  if (options.entry)
    choices.entry = options.entry;
  if (options.target) {
    choices.target = *options.target;
    const std::string why = program::checkTarget(choices.target);
    return why.empty() ? "" : "loom_compile_options: target: " + why;
  }
  program::namedTarget(LOOM_DEFAULT_TARGET, choices.target);
  return "";
}

/// "cnn.py:12:4: CNN/Conv_0: what; remedy", and its notes.
std::string describe(Diagnostic &diagnostic) {
  std::string text;
  for (const std::string &part : {sourceLine(diagnostic.getLocation()),
                                  modulePath(diagnostic.getLocation())})
    if (!part.empty())
      text += part + ": ";
  text += diagnostic.str();
  for (Diagnostic &note : diagnostic.getNotes())
    text += "\n  " + note.str();
  return text;
}

int readModule(const void *bytes, size_t size, loom_artifact &into,
               loom_error *error) {
  Messages messages(nullptr);
  std::shared_ptr<llvm::MemoryBuffer> buffer =
      llvm::MemoryBuffer::getMemBufferCopy(
          llvm::StringRef(static_cast<const char *>(bytes), size), "artifact");
  into.module = readArtifact(*into.context, std::move(buffer), "artifact",
                             messages.sink());
  if (!into.module)
    return messages.fail(-ENOEXEC, error, "the artifact cannot be read");
  into.name = into.module->getName().value_or("main").str();
  into.fingerprint = fingerprintOf(*into.module);
  return 0;
}

/// Import and back end; fills the program and its reports.
int compileInto(loom_artifact &artifact, const loom_compile_options &options,
                const Choices &choices, Messages &messages, loom_compiled &out,
                loom_error *error) {
  ImportOptions import;
  import.features = choices.target.features;
  import.unroll = options.cpu_only;
  import.requireNpu = options.require_npu;
  ModuleOp module = *artifact.module;
  if (failed(readSignature(module, artifact.signature, messages.sink())) ||
      failed(importModule(module, artifact.name, messages.sink(), import)))
    return messages.fail(-ENOTSUP, error, "the module was not imported");
  nameValues(module, artifact.signature);
  if (options.in_place)
    shareResults(module, artifact.signature);
  out.signature = std::move(artifact.signature);
  CompiledProgram compiled;
  compiled.entry = choices.entry;
  if (hasWork(module)) {
    BackOptions back;
    back.cpuOnly = options.cpu_only;
    if (failed(compileModule(module, choices.target, choices.entry,
                             Stage::Program, compiled, back)))
      return messages.fail(-ENOTSUP, error,
                           "the module was not compiled, and nothing said "
                           "why; this is a defect of Loom's compiler, please "
                           "report it");
    if (options.require_npu && !compiled.placement.empty()) {
      for (const PlacedOp &op : compiled.placement)
        messages.add(placementLine(op));
      return messages.fail(-ENOTSUP, error, "");
    }
    out.program = compiled.file.bytes();
    findSlots(out.program, out.signature);
  }
  const std::string target = program::nameOfTarget(choices.target);
  out.report = reportJson(compiled, target, "", out.program.size());
  out.placement = placementJson(compiled, target);
  return 0;
}
} // namespace

extern "C" {

int loom_artifact_read(const void *bytes, size_t size, loom_artifact **read,
                       loom_error *error) {
  return guarded(error, [&] {
    if (!bytes || !read)
      return refuseNull(error, bytes ? "read" : "artifact");
    *read = nullptr;
    auto artifact = std::make_unique<loom_artifact>(size);
    const int status = readModule(bytes, size, *artifact, error);
    if (!status)
      *read = artifact.release();
    return status;
  });
}

void loom_artifact_destroy(loom_artifact *artifact) { delete artifact; }

const char *loom_artifact_fingerprint(const loom_artifact *artifact) {
  return artifact->fingerprint.c_str();
}

const char *loom_artifact_name(const loom_artifact *artifact) {
  return artifact->name.c_str();
}

int loom_artifact_compile(loom_artifact *artifact,
                          const loom_compile_options *options,
                          loom_compiled **compiled, loom_error *error) {
  return guarded(error, [&] {
    if (!artifact || !compiled)
      return refuseNull(error, artifact ? "compiled" : "artifact");
    *compiled = nullptr;
    loom_compile_options defaults{};
    defaults.size = sizeof(defaults);
    if (!options)
      options = &defaults;
    Messages messages(options);
    Choices choices;
    if (std::string why = readOptions(*options, choices); !why.empty())
      return messages.fail(-EINVAL, error, why);
    if (!artifact->module)
      return messages.fail(-EINVAL, error,
                           "the artifact has been compiled; read it again");
    auto out = std::make_unique<loom_compiled>();
    int status;
    {
      ScopedDiagnosticHandler handler(
          &*artifact->context, [&](Diagnostic &diagnostic) {
            if (diagnostic.getSeverity() == DiagnosticSeverity::Error)
              messages.add(describe(diagnostic));
            return success();
          });
      status = compileInto(*artifact, *options, choices, messages, *out, error);
      artifact->module = {};
    }
    if (status)
      return status;
    out->name = artifact->name;
    out->fingerprint = artifact->fingerprint;
    *compiled = out.release();
    return 0;
  });
}

int loom_compile(const void *bytes, size_t size,
                 const loom_compile_options *options, loom_compiled **compiled,
                 loom_error *error) {
  loom_error unseen;
  if (!error)
    error = &unseen;
  if (!compiled)
    return guarded(error, [&] { return refuseNull(error, "compiled"); });
  *compiled = nullptr;
  loom_artifact *artifact = nullptr;
  int status = loom_artifact_read(bytes, size, &artifact, error);
  if (!status)
    status = loom_artifact_compile(artifact, options, compiled, error);
  else if (options && options->message)
    options->message(options->opaque, error->message);
  loom_artifact_destroy(artifact);
  return status;
}

void loom_compiled_destroy(loom_compiled *compiled) { delete compiled; }

const void *loom_compiled_program(const loom_compiled *compiled,
                                  size_t *bytes) {
  *bytes = compiled->program.size();
  return compiled->program.empty() ? nullptr : compiled->program.data();
}

const char *loom_compiled_name(const loom_compiled *compiled) {
  return compiled->name.c_str();
}

const char *loom_compiled_fingerprint(const loom_compiled *compiled) {
  return compiled->fingerprint.c_str();
}

const char *loom_compiled_report(const loom_compiled *compiled) {
  return compiled->report.c_str();
}

const char *loom_compiled_placement(const loom_compiled *compiled) {
  return compiled->placement.c_str();
}

uint32_t loom_compiled_num_arguments(const loom_compiled *compiled) {
  return compiled->signature.arguments.size();
}

uint32_t loom_compiled_num_results(const loom_compiled *compiled) {
  return compiled->signature.results.size();
}

const loom_value *loom_compiled_argument(const loom_compiled *compiled,
                                         uint32_t index) {
  const auto &values = compiled->signature.arguments;
  return index < values.size() ? &values[index] : nullptr;
}

const loom_value *loom_compiled_result(const loom_compiled *compiled,
                                       uint32_t index) {
  const auto &values = compiled->signature.results;
  return index < values.size() ? &values[index] : nullptr;
}

const char *loom_compiler_version(void) { return kProducer; }

} // extern "C"
