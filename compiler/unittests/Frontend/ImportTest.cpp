// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "loom/Pipelines/Import.h"

#include "loom/Dialect/StableHLO/Elements.h"
#include "loom/Dialect/StableHLO/StableHLO.h"

#include "TestFiles.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/MLIRContext.h"

using namespace mlir;
using namespace mlir::loom;

namespace {
class Import : public ::testing::Test {
protected:
  Import() : context(registry()) {}

  static DialectRegistry registry() {
    DialectRegistry result;
    registerFrontDialects(result);
    return result;
  }
  DiagnosticSink sink() {
    return [this](StringRef message) { messages += message.str() + "\n"; };
  }

  MLIRContext context;
  std::string messages;
};
} // namespace

/// The constants are the file's bytes.
TEST_F(Import, BindsParametersByName) {
  auto bundle = Bundle::open(fixturePath("mlp.bundle"));
  ASSERT_TRUE(bool(bundle)) << llvm::toString(bundle.takeError());
  ImportOptions options;
  OwningOpRef<ModuleOp> module =
      importBundleEntry(context, *bundle, "__call__", sink(), options);
  ASSERT_TRUE(module) << messages;
  auto main = module->lookupSymbol<func::FuncOp>("main");
  ASSERT_TRUE(main);
  EXPECT_EQ(main.getNumArguments(), 1u);
  const Safetensors::Tensor *kernel =
      bundle->params().find("params/Dense_1/kernel");
  ASSERT_TRUE(kernel);
  bool found = false;
  main.walk([&](stablehlo::ConstantOp op) {
    auto bytes = stablehlo::ElementBytes::get(op.getValue());
    ASSERT_TRUE(bytes.has_value());
    found |= bytes->bytes() == kernel->bytes;
  });
  EXPECT_TRUE(found);
}

TEST_F(Import, EntryPointsAreNamedInTheError) {
  auto bundle = Bundle::open(fixturePath("mlp.bundle"));
  ASSERT_TRUE(bool(bundle)) << llvm::toString(bundle.takeError());
  EXPECT_FALSE(importBundleEntry(context, *bundle, "decode", sink()));
  EXPECT_NE(messages.find("no entry point 'decode'; it has: __call__"),
            std::string::npos)
      << messages;
}

TEST_F(Import, DescriptionAndArtifactMustAgree) {
  ScratchDirectory scratch;
  std::string model = readFile(fixturePath("mlp.bundle/model.json"));
  size_t at = model.find("\"path\": \"x\"");
  at = model.find("\"f32\"", at);
  ASSERT_NE(at, std::string::npos);
  model.replace(at, 5, "\"i32\"");
  scratch.write("model.json", model);
  scratch.write("params.safetensors",
                readFile(fixturePath("mlp.bundle/params.safetensors")));
  scratch.write("__call__.vhlo.bc",
                readFile(fixturePath("mlp.bundle/__call__.vhlo.bc")));
  auto bundle = Bundle::open(scratch.str());
  ASSERT_TRUE(bool(bundle)) << llvm::toString(bundle.takeError());
  EXPECT_FALSE(importBundleEntry(context, *bundle, "__call__", sink()));
  EXPECT_NE(
      messages.find("argument 4 ('x') has shape tensor<2x5xf32>, model.json "
                    "says tensor<2x5xi32>"),
      std::string::npos)
      << messages;
}

TEST_F(Import, DamagedArtifact) {
  ScratchDirectory scratch;
  std::string bytes = readFile(fixturePath("sort.vhlo.bc"));
  std::string path = scratch.write("a.bc", StringRef(bytes).drop_back(20));
  EXPECT_FALSE(importArtifact(context, path, sink()));
  EXPECT_NE(messages.find(path + ": offset "), std::string::npos) << messages;
  messages.clear();
  EXPECT_FALSE(importArtifact(context, "/nowhere/a.bc", sink()));
  EXPECT_NE(messages.find("/nowhere/a.bc: cannot be read"), std::string::npos);
}

TEST_F(Import, ListsEverythingUnsupported) {
  EXPECT_FALSE(importArtifact(context, fixturePath("random.vhlo.bc"), sink()));
  EXPECT_NE(messages.find("2 things in this program cannot be compiled"),
            std::string::npos)
      << messages;
  EXPECT_NE(messages.find("make_fixtures.py:"), std::string::npos);
  EXPECT_NE(messages.find("stablehlo.rng: this generator of random numbers is "
                          "not compiled"),
            std::string::npos);
  messages.clear();
  ImportOptions options;
  options.checkLegality = false;
  EXPECT_TRUE(
      importArtifact(context, fixturePath("random.vhlo.bc"), sink(), options))
      << messages;
}

/// Above 4 KiB a constant is a resource over the file, not a copy of it.
TEST_F(Import, LargeConstantsAreResources) {
  OwningOpRef<ModuleOp> module =
      importArtifact(context, fixturePath("big_constant.vhlo.bc"), sink());
  ASSERT_TRUE(module) << messages;
  unsigned resources = 0;
  module->walk([&](stablehlo::ConstantOp op) {
    if (!isa<DenseResourceElementsAttr>(op.getValue()))
      return;
    ++resources;
    auto bytes = stablehlo::ElementBytes::get(op.getValue());
    ASSERT_TRUE(bytes.has_value());
    float value = 0;
    memcpy(&value, bytes->element(4095).data(), sizeof(value));
    EXPECT_EQ(value, 4095.0f);
  });
  EXPECT_EQ(resources, 1u);
}
