// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Hand-written stablehlo, compiled for several targets and run on the model.

#ifndef LOOM_UNITTESTS_TARGET_COMPILEANDRUN_H
#define LOOM_UNITTESTS_TARGET_COMPILEANDRUN_H

#include "ModelRunner.h"

#include "loom/Dialect/StableHLO/Passes.h"
#include "loom/Dialect/StableHLO/StableHLO.h"
#include "loom/Pipelines/Back.h"
#include "loom/Pipelines/Import.h"
#include "loom/Target/Program/Targets.h"

#include "mlir/Parser/Parser.h"

#include <gtest/gtest.h>

#include <cstring>

namespace loom_test {
using namespace mlir;
using namespace mlir::loom;

inline const char *const kTargets[] = {"npu8", "npu16", "npu64"};

/// What becomes of loops with a constant count.
enum class Loops { None, Keep, Unroll };

class CompileAndRun : public ::testing::Test {
protected:
  CompileAndRun() {
    DialectRegistry registry;
    registerBackDialects(registry);
    context.appendDialectRegistry(registry);
    context.loadAllAvailableDialects();
    context.getDiagEngine().registerHandler([&](Diagnostic &diagnostic) {
      messages += diagnostic.str() + "\n";
      return success();
    });
  }

  bool compile(StringRef text, StringRef targetName, CompiledProgram &out) {
    loom_target target;
    return program::namedTarget(targetName.str(), target) &&
           compile(text, target, out);
  }

  /// `loops`: with the passes before, of which one writes loops out or keeps
  /// them.
  bool compile(StringRef text, const loom_target &target, CompiledProgram &out,
               Loops loops = Loops::None) {
    OwningOpRef<ModuleOp> module = parseSourceString<ModuleOp>(text, &context);
    if (!module)
      return false;
    if (loops != Loops::None) {
      PassManager passes(&context);
      buildFrontPipeline(passes, target.features, loops == Loops::Unroll);
      if (failed(passes.run(*module)) ||
          failed(stablehlo::checkLegality(*module, target.features)))
        return false;
    }
    return succeeded(
        compileModule(*module, target, "main", Stage::Program, out, back));
  }

  /// Runs on every target; all must agree bit for bit. The outputs.
  std::vector<std::vector<uint8_t>>
  run(StringRef text, const std::vector<std::vector<uint8_t>> &inputs) {
    std::vector<std::vector<uint8_t>> first;
    for (const char *name : kTargets) {
      CompiledProgram compiled;
      EXPECT_TRUE(compile(text, name, compiled)) << name << ": " << messages;
      if (compiled.file.empty())
        return {};
      RunResult result = runProgram(compiled.file.bytes(), inputs);
      EXPECT_EQ(result.error, "") << name;
      if (first.empty())
        first = result.outputs;
      EXPECT_EQ(first, result.outputs) << name << " gives other bits";
    }
    return first;
  }

  /// Runs for npu16, as `loops` and `without` say; the outputs.
  std::vector<std::vector<uint8_t>>
  once(StringRef text, const std::vector<std::vector<uint8_t>> &inputs) {
    loom_target target;
    program::namedTarget("npu16", target);
    target.features &= ~without;
    compiled = {};
    result = {};
    EXPECT_TRUE(compile(text, target, compiled, loops)) << messages;
    if (compiled.file.empty())
      return {};
    result = runProgram(compiled.file.bytes(), inputs);
    EXPECT_EQ(result.error, "");
    return result.outputs;
  }

  Loops loops = Loops::None;
  uint64_t without = 0;     // features
  CompiledProgram compiled; // the last that once() made
  RunResult result;         // of it

  BackOptions back;
  MLIRContext context{MLIRContext::Threading::DISABLED};
  std::string messages;
};

inline std::vector<float> values(size_t n, unsigned seed) {
  std::vector<float> v(n);
  for (float &x : v) {
    seed = seed * 1664525u + 1013904223u;
    x = float(int(seed >> 16 & 0x3ff) - 512) / 256.0f;
  }
  return v;
}

template <typename T> std::vector<uint8_t> bytes(const std::vector<T> &v) {
  const auto *p = reinterpret_cast<const uint8_t *>(v.data());
  return {p, p + v.size() * sizeof(T)};
}

template <typename T> std::vector<T> as(const std::vector<uint8_t> &raw) {
  std::vector<T> v(raw.size() / sizeof(T));
  memcpy(v.data(), raw.data(), v.size() * sizeof(T));
  return v;
}

inline uint32_t bits(float f) {
  uint32_t b;
  memcpy(&b, &f, 4);
  return b;
}

inline void expectBits(const std::vector<float> &have,
                       const std::vector<float> &want) {
  ASSERT_EQ(have.size(), want.size());
  for (size_t i = 0; i < have.size(); ++i)
    ASSERT_EQ(bits(have[i]), bits(want[i]))
        << "element " << i << ": " << have[i] << ", not " << want[i];
}
} // namespace loom_test

#endif // LOOM_UNITTESTS_TARGET_COMPILEANDRUN_H
