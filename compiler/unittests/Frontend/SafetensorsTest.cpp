// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "loom/Frontend/Safetensors.h"

#include "TestFiles.h"

using namespace mlir::loom;

static std::string file(llvm::StringRef header, size_t dataBytes) {
  std::string bytes(8, '\0');
  uint64_t length = header.size();
  for (int i = 0; i < 8; ++i)
    bytes[i] = char(length >> (8 * i));
  bytes += header;
  for (size_t i = 0; i < dataBytes; ++i)
    bytes.push_back(char(i));
  return bytes;
}

static std::string errorOf(llvm::StringRef bytes) {
  auto result = Safetensors::parse(toBuffer(bytes), "w.safetensors");
  if (result)
    return "no error";
  return llvm::toString(result.takeError());
}

static const char kGood[] =
    R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},)"
    R"("b":{"dtype":"BOOL","shape":[3],"data_offsets":[8,11]},)"
    R"("__metadata__":{"format":"pt"}})";

TEST(Safetensors, ReadsViews) {
  auto result = Safetensors::parse(toBuffer(file(kGood, 11)), "w");
  ASSERT_TRUE(bool(result)) << llvm::toString(result.takeError());
  const Safetensors::Tensor *a = result->find("a");
  const Safetensors::Tensor *b = result->find("b");
  ASSERT_TRUE(a && b);
  EXPECT_EQ(result->tensors().size(), 2u);
  EXPECT_EQ(a->dtype->name, "f32");
  EXPECT_EQ(a->bytes.size(), 8u);
  EXPECT_EQ(a->bytes[5], 5);
  EXPECT_EQ(b->dtype->name, "i1");
  EXPECT_EQ(b->bytes[0], 8);
  EXPECT_EQ(result->find("c"), nullptr);
}

TEST(Safetensors, EmptyShapesAndTensors) {
  auto result = Safetensors::parse(
      toBuffer(file(R"({"s":{"dtype":"I8","shape":[],"data_offsets":[0,1]},)"
                    R"("e":{"dtype":"I8","shape":[0,4],"data_offsets":[1,1]}})",
                    1)),
      "w");
  ASSERT_TRUE(bool(result)) << llvm::toString(result.takeError());
  EXPECT_EQ(result->find("s")->bytes.size(), 1u);
  EXPECT_EQ(result->find("e")->bytes.size(), 0u);
}

TEST(Safetensors, EveryTruncationIsAnError) {
  std::string good = file(kGood, 11);
  for (size_t size = 0; size < good.size(); ++size) {
    std::string message = errorOf(llvm::StringRef(good).take_front(size));
    EXPECT_NE(message.find("w.safetensors: offset"), std::string::npos)
        << size << ": " << message;
  }
}

TEST(Safetensors, NamesWhatIsWrong) {
  struct Row {
    const char *header, *message;
  };
  const Row rows[] = {
      {"", "offset 8: not valid JSON"},
      {"{\"a\": nul}", "offset 17: not valid JSON"},
      {"[1]", "the header is not a JSON object"},
      {R"({"a":3})", "tensor 'a': its entry is not an object"},
      {R"({"a":{"dtype":"F32","shape":[2]}})", "needs dtype, shape"},
      {R"({"a":{"dtype":7,"shape":[2],"data_offsets":[0,8]}})",
       "dtype is not a string"},
      {R"({"a":{"dtype":"F8_E4M3","shape":[1],"data_offsets":[0,8]}})",
       "dtype 'F8_E4M3' is not supported; use one of f32 bf16"},
      {R"({"a":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}})",
       "shape holds a size that makes no sense"},
      {R"({"a":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,8]}})",
       "shape holds a size that makes no sense"},
      {R"({"a":{"dtype":"F32","shape":[18446744073709551615],"data_offsets":[0,8]}})",
       "shape holds a size that makes no sense"},
      {R"({"a":{"dtype":"F32","shape":[1.5],"data_offsets":[0,8]}})",
       "shape holds a size that makes no sense"},
      {R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,80]}})",
       "data_offsets lie outside the 11 bytes"},
      {R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}})",
       "data_offsets lie outside"},
      {R"({"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}})",
       "has 8 bytes, its shape of F32 needs 12"},
      {R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0]}})",
       "data_offsets is not a pair"},
  };
  for (const Row &row : rows) {
    std::string message = errorOf(file(row.header, 11));
    EXPECT_NE(message.find(row.message), std::string::npos)
        << row.header << "\n"
        << message;
  }
}

TEST(Safetensors, HugeHeaderLength) {
  std::string bytes(16, '\xFF');
  EXPECT_NE(errorOf(bytes).find("header length"), std::string::npos);
}

TEST(Safetensors, DeepNesting) {
  std::string header(100000, '[');
  EXPECT_NE(errorOf(file(header, 0)).find("nested more than 32"),
            std::string::npos);
}

TEST(Safetensors, MissingFile) {
  auto result = Safetensors::open("/nowhere/w.safetensors");
  ASSERT_FALSE(bool(result));
  std::string message = llvm::toString(result.takeError());
  EXPECT_NE(message.find("/nowhere/w.safetensors"), std::string::npos);
  EXPECT_NE(message.find("cannot be read"), std::string::npos);
}
