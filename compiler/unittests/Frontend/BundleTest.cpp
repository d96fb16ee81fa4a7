// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "loom/Frontend/Bundle.h"

#include "TestFiles.h"

using namespace mlir::loom;

static std::string errorOf(llvm::StringRef text) {
  auto result = Bundle::parseDescription(text, "model.json");
  if (result)
    return "no error";
  return llvm::toString(result.takeError());
}

static std::string replaced(std::string text, llvm::StringRef from,
                            llvm::StringRef to) {
  size_t at = text.find(from.str());
  EXPECT_NE(at, std::string::npos) << from.str();
  return at == std::string::npos ? text
                                 : text.replace(at, from.size(), to.str());
}

static const char kGood[] = R"({"format":"loom-bundle","version":1,
 "producer":{"jax":"0.10.2"},
 "entry_points":[{"name":"__call__","artifact":"c.bc",
  "inputs":[{"index":0,"path":"params/w","role":"param","dtype":"f32","shape":[2,3]},
            {"index":1,"path":"x","role":"input","dtype":"bf16","shape":[]}],
  "outputs":[{"index":0,"path":"y","role":"output","dtype":"i1","shape":[4]}],
  "donated":[1]}]})";

TEST(Bundle, ReadsDescription) {
  auto result = Bundle::parseDescription(kGood, "model.json");
  ASSERT_TRUE(bool(result)) << llvm::toString(result.takeError());
  ASSERT_EQ(result->size(), 1u);
  const EntryPoint &entry = result->front();
  EXPECT_EQ(entry.name, "__call__");
  ASSERT_EQ(entry.inputs.size(), 2u);
  EXPECT_EQ(entry.inputs[0].role, Role::Param);
  EXPECT_EQ(entry.inputs[0].shape, (llvm::SmallVector<int64_t>{2, 3}));
  EXPECT_EQ(entry.inputs[1].dtype->name, "bf16");
  EXPECT_EQ(entry.outputs[0].role, Role::Output);
  EXPECT_EQ(entry.donated, std::vector<unsigned>{1});
}

TEST(Bundle, EveryTruncationIsAnError) {
  llvm::StringRef text(kGood);
  for (size_t size = 0; size < text.size(); ++size)
    EXPECT_NE(errorOf(text.take_front(size)).find("model.json: offset"),
              std::string::npos)
        << size;
}

TEST(Bundle, NamesWhatIsWrong) {
  struct Row {
    const char *from, *to, *message;
  };
  const Row rows[] = {
      {"loom-bundle", "tar", "format 'tar' is not 'loom-bundle'"},
      {"\"version\":1", "\"version\":2",
       "'version' is 2, this compiler reads 1"},
      {"\"name\":\"__call__\"", "\"name\":3", "entry_points[0]: 'name'"},
      {"c.bc", "../c.bc", "is not a file name inside the bundle"},
      {"c.bc", "/etc/passwd", "is not a file name inside the bundle"},
      {"\"index\":1", "\"index\":5", "inputs[1]: 'index' must count up"},
      {"\"path\":\"x\"", "\"path\":\"params/w\"", "occurs twice"},
      {"\"role\":\"input\"", "\"role\":\"output\"", "role 'output' is unknown"},
      {"\"role\":\"param\"", "\"role\":\"weights\"", "role 'weights'"},
      {"bf16", "c128", "dtype 'c128' is not supported; use one of"},
      {"[2,3]", "[2,-3]", "'shape' holds something that is no size"},
      {"[2,3]", "7", "'shape' is not a list"},
      {"\"donated\":[1]", "\"donated\":[2]", "'donated' must hold indices"},
      {"\"donated\":[1]", "\"donated\":[1,1]", "'donated' must hold indices"},
      {"\"donated\":[1]", "\"donated\":{}", "'donated' is not a list"},
  };
  for (const Row &row : rows) {
    std::string message = errorOf(replaced(kGood, row.from, row.to));
    EXPECT_NE(message.find(row.message), std::string::npos) << row.to << "\n"
                                                            << message;
  }
  EXPECT_NE(errorOf("[]").find("not a JSON object"), std::string::npos);
}

TEST(Bundle, OpensFixture) {
  auto bundle = Bundle::open(fixturePath("mlp.bundle"));
  ASSERT_TRUE(bool(bundle)) << llvm::toString(bundle.takeError());
  ASSERT_NE(bundle->findEntry("__call__"), nullptr);
  EXPECT_EQ(bundle->findEntry("encode"), nullptr);
  EXPECT_EQ(bundle->listEntries(), "__call__");
  ASSERT_NE(bundle->params().find("params/Dense_0/kernel"), nullptr);
}

TEST(Bundle, MissingParts) {
  auto none = Bundle::open("/nowhere");
  ASSERT_FALSE(bool(none));
  EXPECT_NE(llvm::toString(none.takeError()).find("/nowhere/model.json"),
            std::string::npos);

  ScratchDirectory scratch;
  scratch.write("model.json", kGood);
  auto noParams = Bundle::open(scratch.str());
  ASSERT_FALSE(bool(noParams));
  EXPECT_NE(llvm::toString(noParams.takeError()).find("params.safetensors"),
            std::string::npos);
}

TEST(Bundle, ParameterMissingOrOfAnotherShape) {
  std::string weights = readFile(fixturePath("mlp.bundle/params.safetensors"));
  std::string model = readFile(fixturePath("mlp.bundle/model.json"));
  ScratchDirectory scratch;
  scratch.write("params.safetensors", weights);
  scratch.write("model.json",
                replaced(model, "params/Dense_0/bias", "params/Dense_9/bias"));
  auto missing = Bundle::open(scratch.str());
  ASSERT_FALSE(bool(missing));
  EXPECT_NE(llvm::toString(missing.takeError())
                .find("tensor 'params/Dense_9/bias', which entry point "
                      "'__call__' needs, is missing"),
            std::string::npos);
  std::string other = weights;
  other.replace(other.find("[8]"), 3, "[8 "); // keeps the length, breaks JSON
  scratch.write("params.safetensors", other);
  scratch.write("model.json", model);
  auto broken = Bundle::open(scratch.str());
  ASSERT_FALSE(bool(broken));
  EXPECT_NE(llvm::toString(broken.takeError()).find("not valid JSON"),
            std::string::npos);
}
