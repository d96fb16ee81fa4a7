// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Several entry points in one program: what they share and what they do not.

#include "CompileAndRun.h"

#include <map>

using namespace mlir;
using namespace mlir::loom;
using namespace loom_test;

namespace {
/// w <- w * x + c, and the same constant again in the other entry point.
const char *const kTrain = R"mlir(
func.func @main(%w: tensor<32xf32> {loom.name = "w", loom.role = "state", loom.init = dense<3.0> : tensor<32xf32>}, %x: tensor<32xf32> {loom.name = "x", loom.role = "input"})
    -> (tensor<32xf32> {loom.name = "w", loom.role = "state"}, tensor<32xf32> {loom.name = "old", loom.role = "output"}) {
  %c = "stablehlo.constant"() <{value = dense<[CONSTANT]> : tensor<32xf32>}> {loom.name = "params/c"} : () -> tensor<32xf32>
  %0 = "stablehlo.multiply"(%w, %x) : (tensor<32xf32>, tensor<32xf32>) -> tensor<32xf32>
  %1 = "stablehlo.add"(%0, %c) : (tensor<32xf32>, tensor<32xf32>) -> tensor<32xf32>
  %2 = "stablehlo.negate"(%w) : (tensor<32xf32>) -> tensor<32xf32>
  return %1, %2 : tensor<32xf32>, tensor<32xf32>
})mlir";
const char *const kEval = R"mlir(
func.func @main(%w: tensor<32xTYPE> {loom.name = "w", loom.role = "state"}, %x: tensor<32xf32> {loom.name = "x", loom.role = "input"})
    -> (tensor<32xf32> {loom.name = "y", loom.role = "output"}) {
  %c = "stablehlo.constant"() <{value = dense<[CONSTANT]> : tensor<32xf32>}> {loom.name = "params/c"} : () -> tensor<32xf32>
  %0 = "stablehlo.convert"(%w) : (tensor<32xTYPE>) -> tensor<32xf32>
  %1 = "stablehlo.multiply"(%0, %c) : (tensor<32xf32>, tensor<32xf32>) -> tensor<32xf32>
  return %1 : tensor<32xf32>
})mlir";

std::string filled(std::string text, const std::string &type = "f32") {
  std::string numbers = "1.0";
  for (int i = 1; i < 32; ++i)
    numbers += ", " + std::to_string(i) + ".5";
  for (const auto &[from, to] :
       {std::pair{"CONSTANT", numbers}, {"TYPE", type}})
    for (size_t at; (at = text.find(from)) != std::string::npos;)
      text.replace(at, strlen(from), to);
  return text;
}

class Entries : public CompileAndRun {
protected:
  bool compileBoth(const std::string &train, const std::string &eval) {
    loom_target target;
    modules.push_back(parseSourceString<ModuleOp>(train, &context));
    modules.push_back(parseSourceString<ModuleOp>(eval, &context));
    if (!modules[0] || !modules[1] || !program::namedTarget("npu16", target))
      return false;
    std::vector<CompiledProgram> reports;
    program::Image image;
    const EntryModule entries[] = {{"train", *modules[0]},
                                   {"eval", *modules[1]}};
    if (failed(compileEntries(entries, target, Stage::Program, reports, image)))
      return false;
    file = image.bytes();
    return true;
  }
  template <typename T> std::vector<T> rows(unsigned section) {
    const auto &s = reinterpret_cast<const loom_prog_header *>(file.data())
                        ->sections[section];
    const auto *first = reinterpret_cast<const T *>(file.data() + s.offset);
    return {first, first + s.count};
  }
  std::string name(uint32_t at) {
    const auto &s = reinterpret_cast<const loom_prog_header *>(file.data())
                        ->sections[LOOM_SEC_STRINGS];
    return reinterpret_cast<const char *>(file.data() + s.offset + at);
  }
  std::vector<OwningOpRef<ModuleOp>> modules;
  std::vector<uint8_t> file;
};
} // namespace

TEST_F(Entries, ShareConstantsAndStateAndHaveTheirOwnArguments) {
  ASSERT_TRUE(compileBoth(filled(kTrain), filled(kEval))) << messages;
  std::map<std::string, int> count;
  for (const loom_prog_slot &slot : rows<loom_prog_slot>(LOOM_SEC_SLOTS)) {
    static const char *const kinds[] = {"const ", "state ", "scratch ", "arg "};
    ++count[kinds[slot.kind] + name(slot.name)];
    if (slot.kind == LOOM_SLOT_STATE) {
      EXPECT_EQ(slot.flags, LOOM_SLOT_INIT);
    }
  }
  EXPECT_EQ(count["state w"], 1);
  EXPECT_EQ(count["const params/c"], 1);
  EXPECT_EQ(count["arg x"], 2);
  EXPECT_EQ(count["arg old"], 1);
  EXPECT_EQ(count["arg y"], 1);
  auto entries = rows<loom_prog_entry>(LOOM_SEC_ENTRIES);
  auto segments = rows<loom_prog_segment>(LOOM_SEC_SEGMENTS);
  ASSERT_EQ(entries.size(), 2u);
  EXPECT_EQ(name(entries[1].name), "eval");
  EXPECT_EQ(entries[0].n_tensors, 3u); // w once, x, old
  EXPECT_EQ(entries[1].first_tensor, 3u);
  ASSERT_EQ(segments.size(), 2u);
  EXPECT_EQ(segments[1].first, segments[0].count);
}

TEST_F(Entries, EachRunsAsIfAlone) {
  ASSERT_TRUE(compileBoth(filled(kTrain), filled(kEval))) << messages;
  const std::vector<float> w = values(32, 1), x = values(32, 2);
  RunResult result = runProgram(file, {bytes(w), bytes(x)});
  ASSERT_EQ(result.error, "");
  ASSERT_EQ(result.outputs.size(), 1u);
  std::vector<float> want;
  for (float value : w)
    want.push_back(-value);
  expectBits(as<float>(result.outputs[0]), want);
}

TEST_F(Entries, RefuseStateOfTwoTypes) {
  EXPECT_FALSE(compileBoth(filled(kTrain), filled(kEval, "bf16")));
  EXPECT_NE(messages.find("state 'w' is f32[32] in entry point 'train' and "
                          "bf16[32] in 'eval'"),
            std::string::npos)
      << messages;
}

TEST_F(Entries, NameTheOneThatDoesNotCompile) {
  EXPECT_FALSE(compileBoth(filled(kTrain), R"mlir(
func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> {
  %0 = "stablehlo.custom_call"(%x) <{call_target_name = "elsewhere"}> : (tensor<4xf32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
})mlir"));
  EXPECT_NE(messages.find("entry point 'eval' does not compile"),
            std::string::npos)
      << messages;
}
