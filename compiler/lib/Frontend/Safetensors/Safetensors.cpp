// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "loom/Frontend/Safetensors.h"

#include "Json.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/Endian.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir::loom;
using json = nlohmann::json;
using llvm::Expected;
using llvm::StringRef;
using llvm::Twine;

static const DType kDTypes[] = {
    {"f32", "F32", 4}, {"bf16", "BF16", 2}, {"f16", "F16", 2},
    {"i32", "I32", 4}, {"u32", "U32", 4},   {"i16", "I16", 2},
    {"u16", "U16", 2}, {"i8", "I8", 1},     {"u8", "U8", 1},
    {"i1", "BOOL", 1}, {"f64", "F64", 8},   {"i64", "I64", 8},
    {"u64", "U64", 8}, {"c64", "C64", 8},
};

static constexpr StringRef kRemedy =
    "the file is damaged or of another kind, export it again";
static constexpr uint64_t kMaxHeader = 100 * 1000 * 1000;
static constexpr size_t kMaxRank = 32;

const DType *mlir::loom::findDType(StringRef name) {
  const DType *found = llvm::find_if(
      kDTypes, [&](const DType &type) { return type.name == name; });
  return found == std::end(kDTypes) ? nullptr : found;
}

const DType *mlir::loom::findSafetensorsDType(StringRef name) {
  const DType *found = llvm::find_if(
      kDTypes, [&](const DType &type) { return type.safetensors == name; });
  return found == std::end(kDTypes) ? nullptr : found;
}

std::string mlir::loom::listDTypes() {
  std::string list;
  for (const DType &type : kDTypes)
    list += Twine(list.empty() ? "" : " ").concat(type.name).str();
  return list;
}

Expected<Safetensors> Safetensors::open(StringRef path) {
  auto file = llvm::MemoryBuffer::getFile(path, /*IsText=*/false,
                                          /*RequiresNullTerminator=*/false);
  if (!file)
    return fileError(path, 0, "cannot be read: " + file.getError().message(),
                     "check the path and its permissions");
  return parse(std::move(*file), path);
}

/// One header entry: dtype, shape and where the bytes lie.
static llvm::Error readTensor(const std::string &name, const json &entry,
                              llvm::ArrayRef<char> data, StringRef file,
                              uint64_t base, Safetensors::Tensor &tensor) {
  auto fail = [&](const Twine &what) {
    return fileError(file, base, "tensor '" + name + "': " + what, kRemedy);
  };
  if (!entry.is_object())
    return fail("its entry is not an object");
  auto dtype = entry.find("dtype"), shape = entry.find("shape"),
       offsets = entry.find("data_offsets");
  if (dtype == entry.end() || shape == entry.end() || offsets == entry.end())
    return fail("needs dtype, shape and data_offsets");
  const auto *dtypeName = dtype->get_ptr<const json::string_t *>();
  if (!dtypeName)
    return fail("dtype is not a string");
  tensor.dtype = findSafetensorsDType(*dtypeName);
  if (!tensor.dtype)
    return fileError(file, base,
                     "tensor '" + name + "': dtype '" + *dtypeName +
                         "' is not supported",
                     "use one of " + listDTypes());
  if (!shape->is_array() || shape->size() > kMaxRank)
    return fail("shape is not a list of at most 32 sizes");
  int64_t bytes = tensor.dtype->bytes;
  for (const json &size : *shape) {
    std::optional<int64_t> value = jsonInteger(size);
    if (!value || llvm::MulOverflow(bytes, *value, bytes))
      return fail("shape holds a size that makes no sense");
    tensor.shape.push_back(*value);
  }
  if (!offsets->is_array() || offsets->size() != 2)
    return fail("data_offsets is not a pair");
  std::optional<int64_t> begin = jsonInteger((*offsets)[0], data.size());
  std::optional<int64_t> end = jsonInteger((*offsets)[1], data.size());
  if (!begin || !end || *begin > *end)
    return fail("data_offsets lie outside the " + Twine(data.size()) +
                " bytes of data");
  if (*end - *begin != bytes)
    return fail("has " + Twine(*end - *begin) + " bytes, its shape of " +
                *dtypeName + " needs " + Twine(bytes));
  tensor.bytes = data.slice(*begin, *end - *begin);
  return llvm::Error::success();
}

Expected<Safetensors>
Safetensors::parse(std::shared_ptr<llvm::MemoryBuffer> buffer, StringRef name) {
  StringRef text = buffer->getBuffer();
  if (text.size() < 8)
    return fileError(name, 0,
                     "truncated: " + Twine(text.size()) +
                         " bytes, the header length alone has 8",
                     kRemedy);
  uint64_t length = llvm::support::endian::read64le(text.data());
  if (length > kMaxHeader || length > text.size() - 8)
    return fileError(name, 0,
                     "header length " + Twine(length) + " exceeds the " +
                         Twine(text.size() - 8) + " bytes that follow",
                     kRemedy);
  Expected<json> header = parseJson(text.substr(8, length), name, 8, kRemedy);
  if (!header)
    return header.takeError();
  if (!header->is_object())
    return fileError(name, 8, "the header is not a JSON object", kRemedy);
  StringRef rest = text.drop_front(8 + length);
  llvm::ArrayRef<char> data(rest.data(), rest.size());
  Safetensors result;
  result.buffer = std::move(buffer);
  const char *used = data.begin();
  for (const auto &[key, entry] : header->items()) {
    if (key == "__metadata__")
      continue;
    Tensor &tensor = result.entries[key];
    if (llvm::Error error = readTensor(key, entry, data, name, 8, tensor))
      return error;
    used = std::max(used, tensor.bytes.end());
  }
  if (used != data.end())
    return fileError(name, used - text.data(),
                     Twine(data.end() - used) + " bytes belong to no tensor",
                     kRemedy);
  return result;
}

const Safetensors::Tensor *Safetensors::find(StringRef name) const {
  auto found = entries.find(std::string_view(name));
  return found == entries.end() ? nullptr : &found->second;
}
