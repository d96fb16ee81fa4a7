// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "run_case.h"

#include <cstring>
#include <regex>

#include <fmt/format.h>

#include "loom/Pipelines/Back.h"
#include "loom/Pipelines/Import.h"
#include "loom/Target/Program/Targets.h"
#include "loom/loom.hpp"
#include "prog_check.h"

#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/MLIRContext.h"

using namespace mlir;
using namespace mlir::loom;

namespace conformance {

struct bench::state {
  explicit state(const loom_target &target) : target(target), device(target) {
    registerFrontDialects(registry);
    registerBackDialects(registry);
    context = std::make_unique<MLIRContext>(registry,
                                            MLIRContext::Threading::DISABLED);
    context->printOpOnDiagnostic(false);
  }
  loom_target target;
  loom_cpp::device device;
  DialectRegistry registry;
  std::unique_ptr<MLIRContext> context;
};

static loom_target target_of(const std::string &name) {
  loom_target target;
  if (!program::namedTarget(name, target))
    throw std::runtime_error("there is no target '" + name + "'; there are " +
                             program::targetNames());
  return target;
}

bench::bench(const std::string &target)
    : s(std::make_unique<state>(target_of(target))) {}
bench::~bench() = default;

namespace {

using messages = std::vector<std::string>;

// Places, numbers and quoted names differ from case to case; what is left is
// the reason.
verdict refusal(const messages &said) {
  verdict v{"refused", "", "", {}, 0};
  if (said.empty())
    return {"crash", "not compiled, and nothing said why", "", {}, 0};
  // The first note names a thing; where there is none the message does.
  std::string text = said[0];
  for (const auto &line : said)
    if (line.rfind("  ", 0) == 0) {
      text = line;
      break;
    }
  std::smatch found;
  static const std::regex operation(
      "'?((stablehlo|vhlo|func|chlo|loomt)\\.[a-z_0-9]+)'?:? ?");
  if (std::regex_search(text, found, operation)) {
    v.operation = found[1];
    text = found.suffix();
  }
  text = text.substr(0, text.find("; "));
  static const std::regex places(
      "(operand|result|argument) [0-9]+( \\('[^']*'\\))?|  main: ");
  static const std::regex sizes("tensor<[^>]*>|[0-9]+(x[0-9]+)*");
  text = std::regex_replace(text, places, "$1");
  // The names of types and of functions keep their numbers.
  const bool named = text.find("element type") != std::string::npos ||
                     text.find('\'') != std::string::npos;
  v.reason = named ? text : std::regex_replace(text, sizes, "N");
  return v;
}

struct memory {
  memory(const loom_cpp::device &device, const loom_prog_view &v)
      : slots(v.n_slots) {
    for (uint32_t i = 0; i < v.n_slots; i++) {
      if (v.slots[i].kind != LOOM_SLOT_ARG ||
          (v.slots[i].flags & LOOM_SLOT_HIDDEN))
        continue;
      slots[i] =
          std::make_unique<loom_cpp::buffer>(device.get(), v.slots[i].bytes);
      // What an output does not write must not look right by chance.
      std::memset(slots[i]->data(), 0xa5, v.slots[i].bytes);
      bindings.push_back({i, 0, slots[i]->get(), 0});
    }
  }
  uint8_t *at(const loom_prog_tensor &t) const {
    return static_cast<uint8_t *>(slots[t.slot]->data()) + t.offset;
  }
  std::vector<std::unique_ptr<loom_cpp::buffer>> slots;
  std::vector<loom_binding> bindings;
};

std::string put_inputs(const test_case &c, const loom_prog_view &v,
                       const memory &m) {
  const loom_prog_entry &e = v.entries[0];
  size_t next = 0;
  for (uint32_t i = 0; i < e.n_tensors; i++) {
    const loom_prog_tensor &t = v.tensors[e.first_tensor + i];
    if (t.role == LOOM_ROLE_OUTPUT)
      continue;
    if (next == c.inputs.size() || t.bytes != c.inputs[next].bytes)
      return fmt::format(
          "input {} of the program has {} bytes, which the case does not give",
          next, t.bytes);
    std::memcpy(m.at(t), c.inputs[next].data, t.bytes);
    next++;
  }
  return next == c.inputs.size()
             ? ""
             : fmt::format("the program has {} inputs, the case {}", next,
                           c.inputs.size());
}

// Distances of all outputs; a reason where their number or size is another.
std::string compare_outputs(const test_case &c, const loom_prog_view &v,
                            const memory &m, distance &off) {
  const loom_prog_entry &e = v.entries[0];
  size_t next = 0;
  for (uint32_t i = 0; i < e.n_tensors; i++) {
    const loom_prog_tensor &t = v.tensors[e.first_tensor + i];
    if (t.role != LOOM_ROLE_OUTPUT)
      continue;
    if (next == c.outputs.size() || t.bytes != c.outputs[next].bytes)
      return fmt::format("output {} has {} bytes, not what the case has", next,
                         t.bytes);
    off.merge(compare(c.outputs[next], m.at(t)));
    next++;
  }
  return next == c.outputs.size()
             ? ""
             : fmt::format("the program has {} outputs, the case {}", next,
                           c.outputs.size());
}

std::string engines(const loom_prog_view &v) {
  for (uint32_t i = 0; i < v.n_segments; i++)
    if (v.segments[i].engine != LOOM_ENGINE_NPU)
      return "cpu";
  return "npu";
}

verdict execute(const test_case &c, const loom_cpp::device &device,
                const std::vector<uint8_t> &file) {
  const loom_cpp::program program(device.get(), file.data(), file.size());
  const loom_prog_view &v = program.view();
  const memory m(device, v);
  if (std::string why = put_inputs(c, v, m); !why.empty())
    return {"crash", why, "", {}, 0};
  const loom_cpp::instance instance(program.get());
  loom_job_desc desc{};
  desc.n_bindings = static_cast<uint32_t>(m.bindings.size());
  desc.bindings = m.bindings.data();
  const loom_result r = instance.submit(desc).wait();
  if (r.status)
    return {"crash", std::string("run: ") + r.message, "", {}, 0};
  verdict done{engines(v), "", "", {}, r.cycles};
  if (std::string why = compare_outputs(c, v, m, done.off); !why.empty())
    return {"crash", why, "", {}, 0};
  if (!done.off.mismatch.empty()) {
    done.reason = done.off.mismatch;
    done.status = "wrong";
  }
  return done;
}

} // namespace

verdict bench::run(const test_case &c) {
  messages said;
  // Imports report to the sink, the rest of the compiler to the context.
  ScopedDiagnosticHandler handler(
      s->context.get(), [&](Diagnostic &diagnostic) {
        said.push_back(diagnostic.str());
        for (Diagnostic &note : diagnostic.getNotes())
          said.push_back("  " + note.str());
        return success();
      });
  ImportOptions options;
  options.features = s->target.features;
  const auto sink = [&](llvm::StringRef message) {
    said.push_back(message.str());
  };
  OwningOpRef<ModuleOp> module =
      importArtifact(*s->context, c.artifact, sink, options);
  CompiledProgram compiled;
  if (!module || failed(compileModule(*module, s->target, "main",
                                      Stage::Program, compiled)))
    return refusal(said);
  try {
    return execute(c, s->device, compiled.file.bytes());
  } catch (const std::exception &e) {
    return {"crash", std::string("load: ") + e.what(), "", {}, 0};
  }
}

} // namespace conformance
