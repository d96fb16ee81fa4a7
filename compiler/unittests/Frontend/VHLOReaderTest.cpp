// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "loom/Frontend/VHLO.h"

#include "TestFiles.h"

#include "mlir/IR/MLIRContext.h"

#include <random>

using namespace mlir;
using namespace mlir::loom;

static const char *const kArtifacts[] = {
    "argmax",    "bf16_conv", "big_constant", "bool_constant", "complex",
    "composite", "dropout",   "erf",          "gather",        "int8_dot",
    "scan",      "sort",      "while"};

/// Empty when the bytes were read.
static std::string errorOf(StringRef bytes, MLIRContext &context) {
  auto module = readVHLO(context, toBuffer(bytes), "a.bc");
  if (module)
    return {};
  return llvm::toString(module.takeError());
}

TEST(VHLOReader, ReadsEveryFixture) {
  MLIRContext context;
  for (const char *name : kArtifacts) {
    std::string bytes = readFile(fixturePath((Twine(name) + ".vhlo.bc").str()));
    EXPECT_TRUE(isBytecode(bytes));
    EXPECT_EQ(errorOf(bytes, context), "") << name;
  }
}

TEST(VHLOReader, Table) {
  EXPECT_FALSE(vhloAttributeNames("add_v7").has_value());
  ASSERT_TRUE(vhloAttributeNames("add_v1").has_value());
  EXPECT_TRUE(vhloAttributeNames("add_v1")->empty());
  std::optional<ArrayRef<StringRef>> names = vhloAttributeNames("gather_v2");
  ASSERT_TRUE(names.has_value());
  EXPECT_EQ(names->size(), 8u);
  EXPECT_TRUE(llvm::is_sorted(*names));
}

TEST(VHLOReader, EmptyAndForeign) {
  MLIRContext context;
  EXPECT_NE(errorOf("", context).find("a.bc: offset 0: the file is empty"),
            std::string::npos);
  EXPECT_NE(errorOf("module {}", context).find("not MLIR bytecode"),
            std::string::npos);
  EXPECT_NE(errorOf(StringRef("ML\xEFR\xFF", 5), context)
                .find("bytecode version 127 is newer"),
            std::string::npos);
}

TEST(VHLOReader, EveryTruncationIsAnError) {
  MLIRContext context;
  std::string bytes = readFile(fixturePath("while.vhlo.bc"));
  for (size_t size = 0; size < bytes.size(); ++size) {
    std::string message = errorOf(StringRef(bytes).take_front(size), context);
    EXPECT_NE(message.find("a.bc: offset "), std::string::npos) << size;
    EXPECT_NE(message.find("; "), std::string::npos) << message;
  }
}

/// Flipped bits may leave a readable program; they never crash the reader, and
/// what it does not read it explains.
TEST(VHLOReader, FlippedBits) {
  std::mt19937 random(1);
  unsigned errors = 0, trials = 0;
  for (const char *name : kArtifacts) {
    std::string good = readFile(fixturePath((Twine(name) + ".vhlo.bc").str()));
    MLIRContext context;
    for (int i = 0; i < 400; ++i) {
      std::string bytes = good;
      for (int flips = 1 + i % 3; flips > 0; --flips)
        bytes[random() % bytes.size()] ^= char(1 << random() % 8);
      std::string message = errorOf(bytes, context);
      ++trials;
      if (message.empty())
        continue;
      ++errors;
      EXPECT_EQ(message.rfind("a.bc: offset ", 0), 0u) << message;
    }
  }
  // Most flips hit structure; locations and strings absorb the others.
  EXPECT_GT(errors, trials / 10);
}

/// Bytes of all ones are the largest lengths there are.
TEST(VHLOReader, HugeLengths) {
  MLIRContext context;
  std::string good = readFile(fixturePath("gather.vhlo.bc"));
  for (size_t at = 5; at + 9 < good.size(); ++at) {
    std::string bytes = good;
    bytes[at] = 0;
    for (size_t i = 1; i < 9; ++i)
      bytes[at + i] = char(0xFF);
    std::string message = errorOf(bytes, context);
    if (!message.empty()) {
      EXPECT_EQ(message.rfind("a.bc: offset ", 0), 0u) << message;
    }
  }
}
